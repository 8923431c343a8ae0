#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ATTRIBUTE_FILE_MAX_BYTES 4096
#define CPU_UNITS_PER_CORE	 1024
#define KEPT_FILE		 "attributes"
#define KEPT_MAX_BYTES		 (LIMIT_CUSTOM_ATTRIBUTES * 300)

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct str_pair *)x)->name, ((const struct str_pair *)y)->name);
}

/* --- built-in facts
 * ------------------------------------------------------------------------------------ */

static const char *ecs_architecture(const char *machine)
{
	return strcmp(machine, "aarch64") == 0 ? "arm64" : machine;
}

/* What the container engine tells of its machine goes before what we see of ours: a virtual machine
 * may lie between. */
static const struct engine_facts *container_facts(const struct agent *a)
{
	static const struct engine_facts none;
	for (size_t i = 0; i < a->engine_count; i++)
		if (a->engines[i].ops->kind == ENGINE_CONTAINER && a->engines[i].facts_known)
			return &a->engines[i].facts;
	return &none;
}

static const char *engine_names(const struct agent *a, struct arena *arena)
{
	struct buf names = { 0 };
	for (size_t i = 0; i < a->engine_count; i++)
		if (a->engines[i].facts_known)
			buf_addf(&names, "%s%s", names.len ? "," : "",
				 a->engines[i].facts.engine.name);
	const char *text = arena_strdup(arena, buf_str(&names));
	buf_release(&names);
	return text;
}

static void read_facts(struct agent *a)
{
	struct arena *arena = &a->facts_arena;
	const struct engine_facts *engine = container_facts(a);
	struct utsname name;
	struct sysinfo memory;
	uname(&name);
	sysinfo(&memory);
	long cpus = engine->cpus ? (long)engine->cpus : sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t memory_mib = (uint64_t)memory.totalram * memory.mem_unit >> 20;
	a->cpu_units = (uint32_t)(cpus > 0 ? cpus : 1) * CPU_UNITS_PER_CORE;
	a->memory_mib = engine->memory_mib ? engine->memory_mib : (uint32_t)memory_mib;
	const char *architecture =
		engine->architecture ? engine->architecture : ecs_architecture(name.machine);
	const struct str_pair pairs[] = {
		{ "ecs.os-type", engine->os_type ? engine->os_type : "linux" },
		{ "ecs.os-family", "LINUX" },
		{ "ecs.cpu-architecture", arena_strdup(arena, architecture) },
		{ "muster.engine", engine_names(a, arena) },
		{ "muster.kernel", arena_strdup(arena, name.release) },
		{ "muster.cpus", arena_printf(arena, "%ld", cpus) },
		{ "muster.memory-mib", arena_printf(arena, "%u", a->memory_mib) },
		/* Last: only where there is one. */
		{ "muster.container-engine-version", engine->engine.version },
	};
	size_t count = ARRAY_LEN(pairs) - (engine->engine.version == NULL);
	a->facts = (struct str_map){ .items = ARENA_ARRAY(arena, struct str_pair, count),
				     .len = (uint32_t)count,
				     .set = true };
	memcpy(a->facts.items, pairs, count * sizeof(pairs[0]));
	qsort(a->facts.items, a->facts.len, sizeof(pairs[0]), by_name);
}

/* --- the agent's own attributes
 * ---------------------------------------------------------------------- */

static void set_attribute(struct str_map *map, const char *name, const char *value)
{
	for (uint32_t i = 0; i < map->len; i++) {
		if (strcmp(map->items[i].name, name) == 0) {
			map->items[i].value = value;
			return;
		}
	}
	if (map->len < LIMIT_CUSTOM_ATTRIBUTES)
		map->items[map->len++] = (struct str_pair){ name, value };
}

/* "NAME=VALUE" or "NAME" */
static void set_from_text(struct str_map *out, const char *text, struct arena *arena)
{
	const char *equals = strchr(text, '=');
	const char *name = equals ? arena_strndup(arena, text, (size_t)(equals - text)) : text;
	set_attribute(out, name, equals && equals[1] ? equals + 1 : NULL);
}

static void from_flags(const struct agent *a, struct arena *arena, struct str_map *out)
{
	for (uint32_t i = 0; i < a->options.attributes.len; i++)
		set_from_text(out, a->options.attributes.items[i], arena);
}

/* The directory's last values, for an agent that is started while it cannot be read. */
static void keep(const struct agent *a, const struct str_map *map, struct arena *arena)
{
	struct buf text = { 0 };
	struct err err;
	for (uint32_t i = 0; i < map->len; i++)
		buf_addf(&text, "%s=%s\n", map->items[i].name,
			 map->items[i].value ? map->items[i].value : "");
	if (!fs_write(fs_join(arena, a->dir, KEPT_FILE), buf_str(&text), text.len, 0600,
		      FS_IF_CHANGED, NULL, &err))
		log_warn("the attributes could not be kept", "reason", err.text);
	buf_release(&text);
}

static void from_kept(const struct agent *a, struct arena *arena, struct str_map *out)
{
	struct buf text = { 0 };
	if (fs_read(fs_join(arena, a->dir, KEPT_FILE), KEPT_MAX_BYTES, &text, NULL)) {
		char *rest = arena_strdup(arena, buf_str(&text));
		for (char *line; (line = strsep(&rest, "\n"));)
			if (*line)
				set_from_text(out, line, arena);
	}
	buf_release(&text);
}

/* One file of the attributes directory: its name, and its trimmed content or none. */
static bool from_file(const char *dir, const char *name, struct arena *arena, struct str_map *out)
{
	struct buf bytes = { 0 };
	struct err err;
	if (!attribute_name_valid(name) || !attribute_name_allowed(name)) {
		log_warn("not an attribute's name; the file is left out", "file", name);
		return true;
	}
	if (!fs_read(fs_join(arena, dir, name), ATTRIBUTE_FILE_MAX_BYTES, &bytes, &err)) {
		log_warn("an attribute cannot be read; the last values stay", "reason", err.text);
		buf_release(&bytes);
		return false;
	}
	const char *start = buf_str(&bytes);
	size_t len = bytes.len;
	while (len > 0 && isspace((unsigned char)start[len - 1]))
		len--;
	while (len > 0 && isspace((unsigned char)*start)) {
		start++;
		len--;
	}
	const char *value = len ? arena_strndup(arena, start, len) : NULL;
	buf_release(&bytes);
	if (value && !attribute_value_valid(value))
		log_warn("not an attribute's value; the file is left out", "file", name);
	else
		set_attribute(out, arena_strdup(arena, name), value);
	return true;
}

static bool read_directory(const struct agent *a, struct arena *arena, struct str_map *out)
{
	const char **names;
	size_t count;
	struct err err;
	if (!fs_list(a->options.attributes_dir, arena, &names, &count, &err)) {
		log_warn("the attributes directory cannot be read; the last values stay", "reason",
			 err.text);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (!from_file(a->options.attributes_dir, names[i], arena, out))
			return false;
	return true;
}

/* False: it cannot be read, and what it had at last is set. */
static bool from_directory(const struct agent *a, struct arena *arena, struct str_map *out)
{
	struct str_map map = { .items = ARENA_ARRAY(arena, struct str_pair,
						    LIMIT_CUSTOM_ATTRIBUTES) };
	if (!a->options.attributes_dir)
		return true;
	bool ok = read_directory(a, arena, &map);
	if (ok) {
		keep(a, &map, arena);
	} else {
		map.len = 0;
		from_kept(a, arena, &map);
	}
	for (uint32_t i = 0; i < map.len; i++)
		set_attribute(out, map.items[i].name, map.items[i].value);
	return ok;
}

void agent_attributes_read(struct agent *a)
{
	struct arena arena;
	arena_init(&arena);
	struct str_map map = {
		.items = ARENA_ARRAY(&arena, struct str_pair, LIMIT_CUSTOM_ATTRIBUTES), .set = true
	};
	from_flags(a, &arena, &map);
	bool stale = !from_directory(a, &arena, &map);
	if (stale && a->attributes.set) {
		arena_release(&arena);
	} else {
		qsort(map.items, map.len, sizeof(*map.items), by_name);
		arena_release(&a->attributes_arena);
		a->attributes_arena = arena;
		a->attributes = map;
	}
	a->attributes_stale = stale;
	agent_register(a);
	agent_observed_changed(a, false);
}

static void directory_changed(void *arg, const char *dir, const char *name)
{
	struct agent *a = arg;
	agent_places_changed(a, dir, name);
	if (a->options.attributes_dir && strcmp(dir, a->options.attributes_dir) == 0)
		agent_attributes_read(a);
	else if (strcmp(dir, a->control_dir) == 0 && agent_leave_asked(a))
		agent_step_soon(a);
}

static void merge_capabilities(struct agent *a)
{
	uint32_t max = 1;
	for (size_t i = 0; i < a->engine_count; i++)
		max += a->engines[i].facts.capabilities.len;
	struct str_list all = { .items = ARENA_ARRAY(&a->facts_arena, const char *, max),
				.set = true };
	all.items[all.len++] = CAPABILITY_SURGE; /* node_step()'s own */
	for (size_t i = 0; i < a->engine_count; i++)
		for (uint32_t k = 0; k < a->engines[i].facts.capabilities.len; k++)
			all.items[all.len++] = a->engines[i].facts.capabilities.items[k];
	qsort(all.items, all.len, sizeof(*all.items), str_compare);
	a->capabilities = all;
}

void agent_facts_read(void *arg)
{
	struct agent *a = arg;
	arena_release(&a->facts_arena);
	arena_init(&a->facts_arena);
	for (size_t i = 0; i < a->engine_count; i++) {
		struct agent_engine *engine = &a->engines[i];
		engine->facts = (struct engine_facts){ 0 };
		engine->facts_known =
			engine->ops->facts(engine->self, &a->facts_arena, &engine->facts, NULL);
	}
	read_facts(a);
	merge_capabilities(a);
	agent_register(a);
	agent_observed_changed(a, false);
}

bool agent_facts_start(struct agent *a, struct err *err)
{
	agent_facts_read(a);
	a->watcher = watcher_new(a->loop, directory_changed, a, err);
	if (!a->watcher || !watcher_add(a->watcher, a->control_dir, err) ||
	    (a->options.attributes_dir && !watcher_add(a->watcher, a->options.attributes_dir, err)))
		return false;
	agent_places_watch(a); /* the agent's own copy was read before there was a watcher */
	agent_attributes_read(a);
	agent_leave_asked(a);
	return true;
}
