/* One file: bytes -> objects and diagnostics. */
#include "manifest/internal.h"

#include <stdlib.h>
#include <string.h>

bool manifest_path_wanted(const char *path)
{
	if (path[0] == '.' || strstr(path, "/."))
		return false;
	return ends_with(path, ".yaml") || ends_with(path, ".yml") || ends_with(path, ".json");
}

static struct manifest_file *file_new(const char *path)
{
	struct manifest_file *file = xcalloc(1, sizeof(*file));
	arena_init(&file->arena);
	file->path = arena_strdup(&file->arena, path);
	diag_init(&file->diags, &file->arena);
	return file;
}

/* An object of unknown kind and name stands in: nothing that refers to it can be judged. */
static void set_unknown(struct manifest_file *file)
{
	struct manifest_object *unknown = ARENA_NEW(&file->arena, struct manifest_object);
	unknown->kind = MANIFEST_KIND_COUNT;
	unknown->path = file->path;
	file->broken = unknown;
	file->broken_count = 1;
}

struct manifest_file *manifest_unreadable(const char *path, const char *why)
{
	struct manifest_file *file = file_new(path);
	diag_error(&file->diags, file->path, ((struct pos){ 0, 0 }), "%s", why);
	set_unknown(file);
	return file;
}

void manifest_file_free(struct manifest_file *file)
{
	if (!file)
		return;
	diag_release(&file->diags);
	arena_release(&file->arena);
	free(file);
}

static struct manifest_object *keep_objects(struct arena *arena, struct object_vec *objects,
					    size_t *count)
{
	struct manifest_object *copy = ARENA_ARRAY(arena, struct manifest_object, objects->len);
	if (objects->len)
		memcpy(copy, objects->items, sizeof(*copy) * objects->len);
	*count = objects->len;
	vec_release(objects);
	return copy;
}

static struct manifest_file *parse(const char *path, const void *bytes, size_t len, bool json)
{
	if (len > LIMIT_FILE_BYTES)
		return manifest_unreadable(path, "the file is larger than 1 MiB");
	struct arena scratch = { 0 };
	struct manifest_file *file = file_new(path);
	struct object_vec good = { 0 }, broken = { 0 };
	struct reading r = { .arena = &file->arena,
			     .in = { .path = file->path,
				     .bytes = bytes,
				     .len = len,
				     .scratch = &scratch,
				     .diags = &file->diags } };
	struct value *next, *document = values_of(&r.in, json);
	for (; document; document = next) {
		next = document->next;
		document->next = NULL;
		read_document(&r, document, &good, &broken);
	}
	if (r.in.cut)
		*vec_push(&broken) = (struct manifest_object){ .kind = MANIFEST_KIND_COUNT };
	file->objects = keep_objects(&file->arena, &good, &file->object_count);
	file->broken = keep_objects(&file->arena, &broken, &file->broken_count);
	intern_free(r.intern);
	arena_release(&scratch);
	return file;
}

struct manifest_file *manifest_parse(const char *path, const void *bytes, size_t len)
{
	return parse(path, bytes, len, path_is_json(path));
}

struct manifest_file *manifest_import(const char *path, const void *bytes, size_t len)
{
	const char *text = bytes;
	size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	while (at < len && strchr(" \t\r\n", text[at]))
		at++;
	return parse(path, bytes, len, at < len && (text[at] == '{' || text[at] == '['));
}

bool manifest_task_definition_ref(const char *ref, struct arena *arena, const char **family,
				  uint32_t *revision)
{
	const char *colon = strchr(ref, ':');
	int64_t number = 0;
	if (colon && (!parse_int(colon + 1, &number) || number < 1 || number > INT32_MAX))
		return false;
	*family = arena_strndup(arena, ref, colon ? (size_t)(colon - ref) : strlen(ref));
	*revision = (uint32_t)number;
	return name_valid(*family);
}
