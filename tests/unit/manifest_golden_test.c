/*
 * manifest: every file of tests/golden/manifest has exactly the diagnostics of FILE.want beside it
 * (none: no diagnostics), and what is good in it is printed and read back unchanged. With
 * UPDATE_GOLDEN set, the .want files are written anew. Then the same for real task definitions.
 */
#include "manifest_world.h"

#include <dirent.h>
#include <unistd.h>

#define GOLDEN "tests/golden/manifest"

/* Where the corpus is, when it is there at all. */
static const char *corpus(const char *folder)
{
	static char path[1024];
	const char *dir = getenv("CORPUS");
	snprintf(path, sizeof(path), "%s/%s", dir && *dir ? dir : "../shared/corpus", folder);
	return path;
}

/* Files of a directory by name; the caller frees all. */
static char **list_files(const char *dir, size_t *count)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);
	char **names = xcalloc((size_t)(n > 0 ? n : 0) + 1, sizeof(*names));
	*count = 0;
	for (int i = 0; i < n; i++) {
		if (manifest_path_wanted(entries[i]->d_name))
			names[(*count)++] = xstrdup(entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return names;
}

static void free_files(char **names)
{
	for (size_t i = 0; names[i]; i++)
		free(names[i]);
	free(names);
}

static struct manifest_file *parse_path(const char *dir, const char *name)
{
	char path[1024];
	struct buf bytes = { 0 };
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!read_whole(path, &bytes))
		fail_msg("cannot read %s", path);
	struct manifest_file *file = manifest_parse(name, bytes.data, bytes.len);
	buf_release(&bytes);
	return file;
}

static void check_round_trip(const char *name, const struct manifest_object *object)
{
	struct buf text = { 0 }, again = { 0 };
	manifest_print(object, false, &text);
	struct manifest_file *file = manifest_parse("printed.yaml", text.data, text.len);
	if (file->diags.errors || file->object_count != 1) {
		diag_print(&again, &file->diags);
		fail_msg("%s: does not read back:\n%s%s", name, buf_str(&again), buf_str(&text));
	}
	if (!digest_equal(&file->objects[0].digest, &object->digest))
		fail_msg("%s: has another digest when read back:\n%s", name, buf_str(&text));
	manifest_print(&file->objects[0], false, &again);
	assert_string_equal(buf_str(&again), buf_str(&text));
	manifest_file_free(file);
	buf_release(&text);
	buf_release(&again);
}

static void check_round_trips(const char *name, const struct manifest_file *file)
{
	for (size_t i = 0; i < file->object_count; i++)
		check_round_trip(name, &file->objects[i]);
}

static void update(const char *path, const struct buf *got)
{
	if (!got->len) {
		unlink(path);
		return;
	}
	FILE *file = fopen(path, "wbe");
	assert_non_null(file);
	assert_int_equal(fwrite(got->data, 1, got->len, file), got->len);
	fclose(file);
}

static void test_golden(void **state)
{
	(void)state;
	size_t count;
	char **names = list_files(GOLDEN, &count);
	assert_true(count > 20);
	for (size_t i = 0; i < count; i++) {
		char path[1024];
		struct buf want = { 0 };
		struct manifest_file *file = parse_path(GOLDEN, names[i]);
		struct buf got = diagnose(file);
		snprintf(path, sizeof(path), "%s/%s.want", GOLDEN, names[i]);
		if (getenv("UPDATE_GOLDEN"))
			update(path, &got);
		read_whole(path, &want);
		if (strcmp(buf_str(&got), buf_str(&want)) != 0)
			fail_msg("%s:\n%s---- wanted:\n%s", names[i], buf_str(&got),
				 buf_str(&want));
		check_round_trips(names[i], file);
		manifest_file_free(file);
		buf_release(&got);
		buf_release(&want);
	}
	free_files(names);
}

static void test_corpus(void **state)
{
	(void)state;
	size_t count;
	char **names = list_files(corpus("taskdefs"), &count);
	for (size_t i = 0; i < count; i++) {
		struct manifest_file *file = parse_path(corpus("taskdefs"), names[i]);
		struct buf text = diagnose(file);
		if (file->diags.errors)
			fail_msg("%s", buf_str(&text));
		assert_int_equal(file->object_count, 1);
		check_round_trips(names[i], file);
		manifest_file_free(file);
		buf_release(&text);
	}
	free_files(names);
	if (!count)
		skip();
}

/* What a reason of EXPECT.tsv is in our words. */
static const struct {
	const char *reason, *text;
} reasons[] = {
	{ "family", "error: \"family\" cannot be" },
	{ "portMappings", "error: \"portMappings\" must be a list" },
};

static void check_odd(char *line)
{
	char *tab = strchr(line, '\t');
	assert_non_null(tab);
	*tab = '\0';
	struct manifest_file *file = parse_path(corpus("odd"), line);
	struct buf text = diagnose(file);
	bool found = false;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		found = found ||
			(strncmp(tab + 1, reasons[i].reason, strlen(reasons[i].reason)) == 0 &&
			 strstr(buf_str(&text), reasons[i].text));
	if (!found)
		fail_msg("%s: not refused for %s, but:\n%s", line, tab + 1, buf_str(&text));
	assert_int_equal(file->object_count, 0);
	manifest_file_free(file);
	buf_release(&text);
}

static void test_odd(void **state)
{
	(void)state;
	struct buf expect = { 0 };
	if (!read_whole(corpus("odd/EXPECT.tsv"), &expect))
		skip();
	char *save;
	strtok_r(expect.data, "\n", &save); /* the heading */
	for (char *line; (line = strtok_r(NULL, "\n", &save));)
		check_odd(line);
	buf_release(&expect);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_odd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
