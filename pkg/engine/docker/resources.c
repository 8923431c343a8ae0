/* What a container is given that is in no record: environment files, secrets, `files`. Read when it
 * is made, and by a prepare, so that what is missing costs no outage. */
#include "engine/docker/internal.h"

#include "fs/fs.h"

#include <string.h>

#define ENVIRONMENT_FILE_MAX (1 << 20)
#define VARIABLES_MAX	     10000 /* of all files of a container */

struct variables {
	struct arena *arena;
	struct map *seen;
	VEC(struct str_pair) items;
};

/* One VARIABLE=VALUE a line, as it is; lines that begin with # are comments. Of two of one name the
 * first counts, as in ECS. */
static bool parse_lines(struct variables *v, char *text, const char *name, struct err *err)
{
	uint32_t number = 0;
	for (char *line; (line = strsep(&text, "\n"));) {
		number++;
		size_t len = strlen(line);
		if (len && line[len - 1] == '\r')
			line[len - 1] = '\0';
		if (!*line || *line == '#')
			continue;
		char *equals = strchr(line, '=');
		if (!equals || equals == line)
			return err_set(err, 0, "%s: line %u is no VARIABLE=VALUE", name, number);
		*equals = '\0';
		if (map_get(v->seen, line))
			continue;
		if (v->items.len == VARIABLES_MAX)
			return err_set(err, 0, "%s: more than %d variables", name, VARIABLES_MAX);
		map_put(v->seen, line, v);
		*vec_push(&v->items) = (struct str_pair){ line, equals + 1 };
	}
	return true;
}

/* "file:/PATH" on the node, or content that came with the desired document. */
static bool read_file(struct variables *v, const struct environment_file *file, struct err *err)
{
	struct buf CLEANUP(buf_release) bytes = { 0 };
	bool ok;
	if (file->content)
		ok = base64_decode(file->content, &bytes) ||
		     err_set(err, 0, "%s: its content is damaged", file->value);
	else if (environment_file_place_of(file->value) == ENVIRONMENT_FILE_NODE)
		ok = fs_read(file->value + strlen("file:"), ENVIRONMENT_FILE_MAX, &bytes, err);
	else
		ok = err_set(err, 0, "%s: nothing maps it to this node", file->value);
	if (ok && memchr(buf_str(&bytes), '\0', bytes.len))
		ok = err_set(err, 0, "%s: it has a zero byte", file->value);
	char *text = arena_strndup(v->arena, buf_str(&bytes), bytes.len);
	return (ok && parse_lines(v, text, file->value, err)) ||
	       err_wrap(err, "ResourceInitializationError: environment file");
}

static struct str_map as_map(const struct variables *v)
{
	struct str_map map = { .len = (uint32_t)v->items.len, .set = true };
	map.items = ARENA_ARRAY(v->arena, struct str_pair, map.len + 1);
	if (map.len)
		memcpy(map.items, v->items.items, map.len * sizeof(*map.items));
	return map;
}

static bool read_secrets(const struct key_value_secret *list, uint32_t count, struct arena *arena,
			 struct str_map *out, struct err *err)
{
	*out = (struct str_map){ .items = ARENA_ARRAY(arena, struct str_pair, count + 1),
				 .set = true };
	for (uint32_t i = 0; i < count; i++) {
		const char *value = NULL;
		if (!engine_secret_read(&list[i], arena, &value, err))
			return false;
		out->items[out->len++] = (struct str_pair){ list[i].name, value };
	}
	return true;
}

bool resources_read(const struct container_definition *c, struct arena *arena,
		    struct resources *out, struct err *err)
{
	struct variables v = { .arena = arena, .seen = map_new() };
	const struct log_configuration *log = c->log_configuration;
	bool ok = true;
	for (uint32_t i = 0; ok && i < c->environment_files.len; i++)
		ok = read_file(&v, &c->environment_files.items[i], err);
	out->file_environment = as_map(&v);
	vec_release(&v.items);
	map_free(v.seen);
	return ok && read_secrets(c->secrets.items, c->secrets.len, arena, &out->secrets, err) &&
	       read_secrets(log ? log->secret_options.items : NULL,
			    log && !log_driver_is_aws(log->log_driver) ? log->secret_options.len
								       : 0,
			    arena, &out->log_secrets, err);
}
