/* manifest: files of the repository that task definitions name. */
#include "manifest_world.h"

#include <stdlib.h>

#define TASK(containers)                                                                           \
	"apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"              \
	"  containerDefinitions:\n" containers

/* A repository of one data file. */
struct repository {
	const char *path, *bytes;
	size_t len;
	enum manifest_data_answer answer;
};

static enum manifest_data_answer find(void *arg, const char *path, const void **bytes, size_t *len)
{
	const struct repository *r = arg;
	if (strcmp(r->path, path) != 0)
		return DATA_ABSENT;
	*bytes = r->bytes;
	*len = r->len;
	return r->answer;
}

struct built {
	struct manifest_file *file;
	struct manifest_tree *tree;
};

static struct built build(const char *text, const struct repository *r)
{
	struct manifest_data data = { find, (void *)r };
	struct built b = { .file = parse_text("web.yaml", text) };
	b.tree = manifest_tree_build(&b.file, 1, r ? &data : NULL);
	return b;
}

static void release(struct built *b)
{
	manifest_tree_free(b->tree);
	manifest_file_free(b->file);
}

#define ONE_FILE                                                                                   \
	TASK("  - name: web\n    image: web\n    files:\n"                                         \
	     "    - {source: conf/a.conf, path: /etc/a.conf}\n")

static void content_is_part_of_the_digest(void **state UNUSED)
{
	struct repository one = { "conf/a.conf", "a\0b", 3, DATA_FOUND },
			  other = { "conf/a.conf", "a\0c", 3, DATA_FOUND };
	struct built a = build(ONE_FILE, &one), again = build(ONE_FILE, &one),
		     b = build(ONE_FILE, &other);
	assert_true(a.tree->valid && b.tree->valid);
	const struct manifest_object *x = a.tree->task_definitions[0],
				     *y = again.tree->task_definitions[0],
				     *z = b.tree->task_definitions[0];
	assert_true(digest_equal(&x->digest, &y->digest));
	assert_false(digest_equal(&x->digest, &z->digest));
	assert_true(manifest_wants_data(x->task_definition));
	assert_true(manifest_filled(x->task_definition));
	assert_false(manifest_filled(a.file->objects[0].task_definition));
	struct buf bytes = { 0 };
	assert_true(base64_decode(
		x->task_definition->container_definitions.items[0].files.items[0].content, &bytes));
	assert_int_equal(bytes.len, 3);
	assert_memory_equal(bytes.data, "a\0b", 3);
	/* It is not printed: it stands in its own file. */
	struct buf text = { 0 };
	manifest_print(x, false, &text);
	assert_null(strstr(buf_str(&text), "content"));
	buf_release(&text);
	buf_release(&bytes);
	release(&a);
	release(&again);
	release(&b);
}

static void mistakes_have_their_place(void **state UNUSED)
{
	static const struct {
		const char *source, *want;
		enum manifest_data_answer answer;
	} rows[] = {
		{ "conf/b.conf",
		  "web.yaml:9:7: error: there is no file \"conf/b.conf\" in the repository",
		  DATA_FOUND },
		{ "conf/a.conf",
		  "web.yaml:9:7: error: \"conf/a.conf\" is larger than the limit of 256 KiB a task",
		  DATA_TOO_LARGE },
		{ "/etc/passwd",
		  "web.yaml:9:7: error: \"/etc/passwd\" is no path of a file in the repository, "
		  "without "
		  "dot segments",
		  DATA_FOUND },
		{ "conf/../../x", "no path of a file in the repository", DATA_FOUND },
		{ ".git/config", "no path of a file in the repository", DATA_FOUND },
		{ "conf//a.conf", "no path of a file in the repository", DATA_FOUND },
		{ "conf/", "no path of a file in the repository", DATA_FOUND },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct repository r = { "conf/a.conf", "x", 1, rows[i].answer };
		char text[512];
		snprintf(text, sizeof(text),
			 TASK("  - name: web\n    image: web\n    files:\n"
			      "    - source: %s\n      path: /etc/a.conf\n"),
			 rows[i].source);
		struct built b = build(text, &r);
		assert_false(b.tree->valid);
		assert_int_equal(b.tree->diags.errors, 1);
		struct buf out = { 0 };
		diag_print(&out, &b.tree->diags);
		if (!strstr(buf_str(&out), rows[i].want))
			fail_msg("%s: %s", rows[i].source, buf_str(&out));
		buf_release(&out);
		release(&b);
	}
	struct built none = build(ONE_FILE, NULL); /* a repository of manifests alone */
	assert_false(none.tree->valid);
	release(&none);
}

static void forgotten_is_told_apart(void **state UNUSED)
{
	struct repository r = { "conf/a.conf", NULL, 0, DATA_FORGOTTEN };
	struct built b = build(ONE_FILE, &r);
	assert_false(b.tree->valid);
	assert_true(b.tree->forgotten);
	release(&b);
}

static void a_task_has_so_much(void **state UNUSED)
{
	static const char two[] = TASK("  - name: a\n    image: web\n    files:\n"
				       "    - {source: f, path: /a}\n"
				       "  - name: b\n    image: web\n    environmentFiles:\n"
				       "    - {value: f, type: s3}\n");
	char *bytes = xcalloc(1, LIMIT_TASK_FILES_BYTES);
	struct repository r = { "f", bytes, LIMIT_TASK_FILES_BYTES / 2, DATA_FOUND };
	struct built b = build(two, &r);
	assert_true(b.tree->valid);
	release(&b);
	r.len++;
	b = build(two, &r);
	assert_false(b.tree->valid);
	release(&b);
	free(bytes);
}

static void environment_files_of_other_places_are_left(void **state UNUSED)
{
	static const char *const values[] = { "arn:aws:s3:::bucket/a.env", "file:/etc/a.env",
					      "/etc/a.env" };
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char text[512];
		snprintf(text, sizeof(text),
			 TASK("  - name: a\n    image: web\n    environmentFiles:\n"
			      "    - {value: \"%s\", type: s3}\n"),
			 values[i]);
		struct built b = build(text, NULL);
		for (size_t k = 0; k < b.file->object_count; k++)
			assert_false(manifest_wants_data(b.file->objects[k].task_definition));
		release(&b);
	}
}

static void a_manifest_cannot_give_content(void **state UNUSED)
{
	static const char text[] = TASK("  - name: web\n    image: web\n    files:\n"
					"    - {source: f, path: /a, content: eA==}\n");
	struct repository r = { "f", "x", 1, DATA_FOUND };
	struct built b = build(text, &r);
	assert_false(b.tree->valid);
	struct buf out = { 0 };
	diag_print(&out, &b.tree->diags);
	assert_non_null(strstr(buf_str(&out), "unknown field \"content\" of the file"));
	buf_release(&out);
	release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_part_of_the_digest),
		cmocka_unit_test(mistakes_have_their_place),
		cmocka_unit_test(forgotten_is_told_apart),
		cmocka_unit_test(a_task_has_so_much),
		cmocka_unit_test(environment_files_of_other_places_are_left),
		cmocka_unit_test(a_manifest_cannot_give_content),
	};
	return cmocka_run_group_tests_name("manifest data", tests, NULL, NULL);
}
