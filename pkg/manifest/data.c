/* Files of the repository that task definitions name: `files`, and environmentFiles without a
 * scheme. Their content becomes part of the task definition, and so of its digest. */
#include "manifest/internal.h"

#include <string.h>

static bool names_file(const struct environment_file *file)
{
	return file->value && environment_file_place_of(file->value) == ENVIRONMENT_FILE_REPOSITORY;
}

/* Files that it names, and how many of them have no content yet. */
static uint32_t count_named(const struct task_definition *td, uint32_t *empty)
{
	uint32_t named = 0;
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		for (uint32_t k = 0; k < c->files.len; k++, named++)
			*empty += !c->files.items[k].content;
		for (uint32_t k = 0; k < c->environment_files.len; k++) {
			if (!names_file(&c->environment_files.items[k]))
				continue;
			*empty += !c->environment_files.items[k].content;
			named++;
		}
	}
	return named;
}

bool manifest_wants_data(const struct task_definition *td)
{
	uint32_t empty = 0;
	return count_named(td, &empty) > 0;
}

bool manifest_filled(const struct task_definition *td)
{
	uint32_t empty = 0;
	count_named(td, &empty);
	return empty == 0;
}

struct filling {
	const struct manifest_object *object;
	const struct manifest_data *data;
	struct arena *arena;
	struct diag_list *diags;
	size_t bytes;
	bool ok, forgotten;
};

static void complain(struct filling *f, struct pos pos, const char *path, const char *text)
{
	f->ok = false;
	if (f->diags)
		diag_error(f->diags, f->object->path, pos, text, path,
			   LIMIT_TASK_FILES_BYTES >> 10);
}

/* No way out of the repository, nor to what no source reads. */
static bool path_is_plain(const char *path)
{
	return path[0] && path[0] != '/' && path[0] != '.' && !strstr(path, "/.") &&
	       !strstr(path, "//") && path[strlen(path) - 1] != '/';
}

static const char *content_of(struct filling *f, struct pos pos, const char *path)
{
	const void *bytes = NULL;
	size_t len = 0;
	if (!path_is_plain(path)) {
		complain(f, pos, path,
			 "\"%s\" is no path of a file in the repository, without dot segments");
		return NULL;
	}
	switch (f->data ? f->data->find(f->data->arg, path, &bytes, &len) : DATA_ABSENT) {
	case DATA_ABSENT:
		complain(f, pos, path, "there is no file \"%s\" in the repository");
		return NULL;
	case DATA_TOO_LARGE:
		complain(f, pos, path, "\"%s\" is larger than the limit of %d KiB a task");
		return NULL;
	case DATA_FORGOTTEN:
		f->forgotten = true;
		complain(f, pos, path, "the content of \"%s\" is not at hand");
		return NULL;
	case DATA_FOUND: break;
	}
	f->bytes += len;
	if (f->bytes > LIMIT_TASK_FILES_BYTES) {
		complain(f, pos, path,
			 "with \"%s\" the task's files are more than the limit of %d KiB");
		return NULL;
	}
	struct buf text = { 0 };
	base64_encode(bytes, len, &text);
	const char *content = arena_strndup(f->arena, buf_str(&text), text.len);
	buf_release(&text);
	return content;
}

static void fill_container(struct filling *f, struct container_definition *c)
{
	for (uint32_t i = 0; i < c->files.len; i++) {
		struct config_file *file = &c->files.items[i];
		if (file->source)
			file->content = content_of(f, file->pos, file->source);
	}
	for (uint32_t i = 0; i < c->environment_files.len; i++) {
		struct environment_file *file = &c->environment_files.items[i];
		if (names_file(file))
			file->content = content_of(f, file->pos, file->value);
	}
}

const struct manifest_object *manifest_fill(const struct manifest_object *object,
					    const struct manifest_data *data, struct arena *arena,
					    struct diag_list *diags, bool *forgotten)
{
	struct filling f = {
		.object = object, .data = data, .arena = arena, .diags = diags, .ok = true
	};
	struct task_definition *td =
		schema_copy(&task_definition_schema, object->task_definition, arena);
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		fill_container(&f, &td->container_definitions.items[i]);
	*forgotten |= f.forgotten;
	if (!f.ok)
		return NULL;
	struct manifest_object *filled = ARENA_NEW(arena, struct manifest_object);
	*filled = *object;
	filled->task_definition = td;
	filled->digest = task_definition_digest(td);
	return filled;
}
