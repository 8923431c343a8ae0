/*
 * What muster does with each file of a directory of ECS documents: `report DIR...`. A paragraph a
 * file: the fields that are honoured, what a node must offer, what is ignored, not placed or
 * refused, and why. Fails where a file is refused, but for those of a directory with EXPECT.tsv
 * (file, tab, what is wrong with it), where it fails when one is not.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manifest/manifest.h"

struct report {
	struct arena arena;
	struct map *fields; /* "containerDefinitions.image" -> anything: of one file */
	size_t files, refused, wrong;
};

static bool read_whole(const char *path, struct buf *out)
{
	char chunk[1 << 16];
	size_t n;
	FILE *file = fopen(path, "rbe");
	if (!file)
		return false;
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	fclose(file);
	return true;
}

static void collect(struct report *r, const struct schema *schema, const void *object,
		    const char *prefix)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *f = &schema->fields[i];
		if (!field_is_set(f, object) ||
		    f->flags & (FIELD_NO_EFFECT | FIELD_NOT_OFFERED | FIELD_DERIVED))
			continue;
		const char *path = arena_printf(&r->arena, "%s%s", prefix, f->name);
		const char *below = arena_printf(&r->arena, "%s.", path);
		const struct object_list *list = field_at(f, object);
		if (f->kind == FIELD_OBJECT)
			collect(r, f->of, *(void *const *)field_at(f, object), below);
		else if (f->kind != FIELD_OBJECT_LIST)
			map_put(r->fields, path, r);
		for (uint32_t k = 0; f->kind == FIELD_OBJECT_LIST && k < list->len; k++)
			collect(r, f->of, (const char *)list->items + k * f->of->size, below);
	}
}

static void print_object(struct report *r, const struct manifest_object *object)
{
	bool task = object->kind == MANIFEST_TASK_DEFINITION;
	const void *content =
		task ? (const void *)object->task_definition : (const void *)object->daemon_service;
	const char *key, *before = "";
	size_t it = 0;
	void *value;
	collect(r, task ? &task_definition_schema : &daemon_service_schema, content, "");
	printf("  %s %s\n    honoured: ", manifest_kind_name(object->kind), object->name);
	while (map_next(r->fields, &it, &key, &value)) {
		printf("%s%s", before, key);
		before = ", ";
	}
	putchar('\n');
	map_free(r->fields);
	r->fields = map_new();
	if (!task)
		return;
	struct str_list needs = task_definition_capabilities(object->task_definition, &r->arena);
	for (uint32_t i = 0; i < needs.len; i++) {
		const char *words = capability_words(needs.items[i], &r->arena);
		printf("    needs: %s (%s)\n", words ? words : "", needs.items[i]);
	}
}

static void print_diags(const struct diag_list *diags)
{
	for (size_t i = 0; i < diags->items.len; i++) {
		const struct diag *d = &diags->items.items[i];
		const char *word = d->severity == DIAG_ERROR	      ? "refused"
				   : strstr(d->text, "is not placed") ? "not placed"
				   : strstr(d->text, "is ignored")    ? "ignored"
								      : "warning";
		printf("    %s: %u:%u: %s\n", word, d->pos.line, d->pos.col, d->text);
	}
}

/* why: what is wrong with it; NULL: nothing should be. */
static void report_file(struct report *r, const char *dir, const char *name, const char *why)
{
	struct buf bytes = { 0 };
	struct arena scratch = { 0 };
	if (!read_whole(arena_printf(&scratch, "%s/%s", dir, name), &bytes)) {
		fprintf(stderr, "cannot read %s/%s\n", dir, name);
		exit(EXIT_SYSTEM);
	}
	struct manifest_file *file = manifest_parse(name, buf_str(&bytes), bytes.len);
	struct manifest_tree *tree = manifest_tree_build(&file, 1, NULL);
	bool refused = file->diags.errors > 0;
	r->files++;
	r->refused += refused;
	r->wrong += refused != (why != NULL);
	printf("%s: %s%s%s%s\n", name, refused ? "refused" : "accepted",
	       why	 ? " (expected: "
	       : refused ? ", WHICH IT SHOULD NOT BE"
			 : "",
	       why ? why : "", why ? ")" : "");
	for (size_t i = 0; i < file->object_count; i++)
		if (file->objects[i].kind <= MANIFEST_DAEMON_SERVICE)
			print_object(r, &file->objects[i]);
	print_diags(&tree->diags);
	manifest_tree_free(tree);
	manifest_file_free(file);
	arena_release(&scratch);
	buf_release(&bytes);
}

/* What EXPECT.tsv says of a file; NULL where there is none, or it says nothing. */
static const char *expected(const char *dir, const char *name, struct arena *arena)
{
	struct buf text = { 0 };
	const char *why = NULL;
	if (!read_whole(arena_printf(arena, "%s/EXPECT.tsv", dir), &text))
		return NULL;
	size_t len = strlen(name);
	for (char *save, *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, name, len) == 0 && line[len] == '\t')
			why = arena_strdup(arena, line + len + 1);
	buf_release(&text);
	return why;
}

static void report_dir(struct report *r, const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);
	if (n < 0) {
		fprintf(stderr, "cannot read %s\n", dir);
		exit(EXIT_SYSTEM);
	}
	printf("# %s\n", dir);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		if (manifest_path_wanted(name))
			report_file(r, dir, name, expected(dir, name, &r->arena));
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	struct report r = { .fields = map_new() };
	for (int i = 1; i < argc; i++)
		report_dir(&r, argv[i]);
	printf("# %zu files, %zu refused, %zu otherwise than expected\n", r.files, r.refused,
	       r.wrong);
	map_free(r.fields);
	arena_release(&r.arena);
	return r.wrong ? EXIT_DIFFERS : EXIT_DONE;
}
