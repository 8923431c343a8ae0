/* A desired task as the record that a shim runs. All that depends on this node (users, limits,
 * paths) is resolved here, so that the shim only does as it is told. */
#include "engine/process/internal.h"

#include "fs/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOG_DIR_MODE 0750

void record_grow(struct record_writer *w, size_t need)
{
	size_t cap = w->cap ? w->cap : 4096;
	while (cap < need)
		cap *= 2;
	w->data = xrealloc(w->data, cap);
	w->cap = cap;
}

/* --- environment ------------------------------------------------------------------------------
 */

static void set(struct arena *arena, struct map *env, const char *name, const char *value)
{
	if (name && value)
		map_put(env, name, arena_strdup(arena, value));
}

static void set_all(struct arena *arena, struct map *env, const struct str_map *from)
{
	for (uint32_t i = 0; from && i < from->len; i++)
		set(arena, env, from->items[i].name, from->items[i].value);
}

/*
 * Defaults, then the task's own, then MUSTER_*, which nobody overrides: by MUSTER_TASK we know what
 * is ours. References in values see the defaults and MUSTER_*, not one another.
 */
static struct map *environment_of(const struct compose *in, const struct container_definition *c,
				  const struct user *user, struct arena *arena)
{
	struct map *env = map_new(), *known = map_new();
	set(arena, env, "PATH", DEFAULT_PATH);
	set(arena, env, "HOME", user->home);
	set(arena, env, "USER", user->name);
	set(arena, env, "LOGNAME", user->name);
	const char *name;
	void *value;
	for (size_t it = 0; map_next(env, &it, &name, &value);)
		map_put(known, name, value);
	set_all(arena, known, in->environment);
	for (uint32_t i = 0; i < c->environment.len; i++)
		set(arena, env, c->environment.items[i].name,
		    expand_references(arena,
				      c->environment.items[i].value ? c->environment.items[i].value
								    : "",
				      known));
	set_all(arena, env, in->environment);
	set(arena, env, "MUSTER_TASK", in->id);
	if (in->id && c->files.len)
		set(arena, env, "MUSTER_FILES",
		    engine_files_dir(arena, &PROCESS_FILES(in), in->id, c->name));
	map_free(known);
	return env;
}

static void put_environment(struct record_writer *w, const struct map *env, struct arena *arena)
{
	const char *name;
	void *value;
	for (size_t it = 0; map_next(env, &it, &name, &value);)
		record_put(w, "env", arena_printf(arena, "%s=%s", name, (const char *)value));
}

/* --- limits ------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	int resource;
} ulimits[] = {
	{ "core", RLIMIT_CORE },	 { "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },	 { "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },	 { "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },	 { "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },		 { "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },	 { "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

static bool put_ulimit(struct record_writer *w, const struct ulimit *limit, struct err *err)
{
	for (size_t i = 0; limit->name && i < ARRAY_LEN(ulimits); i++) {
		char text[96];
		if (strcmp(ulimits[i].name, limit->name) != 0)
			continue;
		int64_t soft = limit->soft_limit.value, hard = limit->hard_limit.value;
		snprintf(text, sizeof(text), "%d %lld %lld %s", ulimits[i].resource,
			 (long long)(limit->soft_limit.set ? soft : hard),
			 (long long)(limit->hard_limit.set ? hard : soft), limit->name);
		record_put(w, "rlimit", text);
		return true;
	}
	return err_set(err, 0, "no such ulimit '%s'", limit->name ? limit->name : "");
}

static void put_user(struct record_writer *w, const struct user *user)
{
	if (!user->set)
		return;
	record_put_int(w, "uid", user->uid);
	record_put_int(w, "gid", user->gid);
	for (size_t i = 0; i < user->group_count; i++)
		record_put_int(w, "group", user->groups[i]);
}

/* --- containers --------------------------------------------------------------------------------
 */

static bool put_depends(struct record_writer *w, const struct container_definition *c,
			struct arena *arena, struct err *err)
{
	for (uint32_t i = 0; i < c->depends_on.len; i++) {
		const struct container_dependency *d = &c->depends_on.items[i];
		const char *condition = d->condition ? d->condition : "START";
		if (strcmp(condition, "START") != 0 && strcmp(condition, "COMPLETE") != 0 &&
		    strcmp(condition, "SUCCESS") != 0)
			return err_set(err, 0, "dependsOn condition %s is not supported",
				       condition);
		record_put(w, "depends",
			   arena_printf(arena, "%s %s", d->container_name, condition));
	}
	return true;
}

static bool put_logs(struct record_writer *w, const struct compose *in, const char *container,
		     struct arena *arena, struct err *err)
{
	const char *dir = engine_log_dir(arena, in->state_dir, in->task->cluster, in->task->service,
					 container);
	if (!fs_mkdirs(dir, LOG_DIR_MODE, err))
		return false;
	record_put(w, "log_dir", dir);
	record_put_int(w, "log_max_bytes", LOG_MAX_BYTES);
	record_put_int(w, "log_files", LOG_FILES);
	return true;
}

static bool put_command(struct record_writer *w, const struct container_definition *c,
			const struct map *env, struct arena *arena, struct err *err)
{
	const struct str_list *parts[] = { &c->entry_point, &c->command };
	uint32_t count = 0;
	for (size_t p = 0; p < ARRAY_LEN(parts); p++)
		for (uint32_t i = 0; i < parts[p]->len; i++, count++)
			record_put(w, "arg", expand_references(arena, parts[p]->items[i], env));
	return count > 0 || err_set(err, 0, "it has no command");
}

static bool put_container(struct record_writer *w, const struct compose *in,
			  const struct container_definition *c, const struct cgroup_paths *groups,
			  struct arena *arena, struct err *err)
{
	struct user user;
	if (!name_valid(c->name))
		return err_set(err, 0, "'%s' is no name", c->name);
	record_put(w, "container", c->name);
	record_put_int(w, "essential", c->essential != OPT_FALSE);
	record_put_int(w, "stop_timeout_ms",
		       (c->stop_timeout.set ? c->stop_timeout.value : DEFAULT_STOP_TIMEOUT_S) *
			       1000);
	for (uint32_t i = 0; i < groups->count; i++)
		record_put(w, "cgroup", groups->items[i]);
	for (uint32_t i = 0; i < c->ulimits.len; i++)
		if (!put_ulimit(w, &c->ulimits.items[i], err))
			return false;
	if (!user_resolve(c->user, arena, &user, err) || !put_depends(w, c, arena, err) ||
	    (in->id && (!put_logs(w, in, c->name, arena, err) ||
			!engine_files_write(&PROCESS_FILES(in), in->id, c, err))))
		return false;
	put_user(w, &user);
	struct map *env = environment_of(in, c, &user, arena);
	bool ok = put_command(w, c, env, arena, err);
	if (c->working_directory)
		record_put(w, "cwd", expand_references(arena, c->working_directory, env));
	put_environment(w, env, arena);
	map_free(env);
	return ok;
}

bool compose_secrets(const struct task_definition *td, struct arena *arena, char ***env,
		     struct err *err)
{
	uint32_t max = 1, count = 0;
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		max += td->container_definitions.items[i].secrets.len;
	*env = ARENA_ARRAY(arena, char *, max);
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		for (uint32_t k = 0; k < c->secrets.len; k++) {
			const char *value;
			if (!engine_secret_read(&c->secrets.items[k], arena, &value, err))
				return false;
			(*env)[count++] = arena_printf(arena, SHIM_SECRET_PREFIX "%s.%s=%s",
						       c->name, c->secrets.items[k].name, value);
		}
	}
	return true;
}

/* --- the task ----------------------------------------------------------------------------------
 */

static void put_task(struct record_writer *w, const struct compose *in)
{
	char target[DIGEST_HEX_LEN + 1];
	digest_hex(&in->task->target, target);
	record_put(w, "id", in->id);
	record_put(w, "fleet", in->fleet);
	record_put(w, "node", in->node);
	record_put(w, "cluster", in->task->cluster);
	record_put(w, "service", in->task->service);
	record_put(w, "family", in->task->family);
	record_put_int(w, "revision", in->task->revision);
	record_put(w, "target", target);
	record_put(w, "deployment", in->task->deployment);
	record_put(w, "boot_id", in->boot_id);
	record_put_int(w, "created_unix_ms", in->created_unix_ms);
}

static bool put_all(struct record_writer *w, const struct compose *in, struct arena *arena,
		    struct cgroup_paths *own, struct cgroup_paths *groups, struct err *err)
{
	const struct task_definition *td = in->task->task_definition;
	record_begin(w, "task");
	put_task(w, in);
	for (uint32_t i = 0; i < own->count; i++)
		record_put(w, "cgroup", own->items[i]);
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		if (!put_container(w, in, c, &groups[i], arena, err)) {
			if (strncmp(err->text, "ResourceInitializationError", 27) != 0)
				err_wrap(err, "CannotStartContainerError: container %s", c->name);
			return false;
		}
	}
	return record_end(w);
}

bool compose_record(const struct compose *in, struct record_writer *w, struct err *err)
{
	const struct task_definition *td = in->task->task_definition;
	struct cgroup_paths own = { 0 }, groups[LIMIT_CONTAINERS] = { 0 };
	struct arena arena;
	if (td->container_definitions.len == 0 || td->container_definitions.len > LIMIT_CONTAINERS)
		return err_set(err, 0, "CannotStartContainerError: %u containers",
			       td->container_definitions.len);
	arena_init(&arena);
	w->grow = record_grow;
	bool ok = true;
	if (in->id && in->cgroups &&
	    !cgroups_make(in->cgroups, in->id, td, &arena, &own, groups, err))
		ok = err_wrap(err, "ResourceInitializationError");
	ok = ok && put_all(w, in, &arena, &own, groups, err);
	if (!ok)
		cgroups_unmake(&own, groups, td->container_definitions.len);
	arena_release(&arena);
	return ok;
}

void compose_undo(const struct record_writer *w)
{
	const char *paths[(LIMIT_CONTAINERS + 1) * CGROUP_HIERARCHIES];
	size_t count = 0;
	struct record_reader r;
	if (record_open(&r, w->data, w->len, "task") != RECORD_OK)
		return;
	for (const char *entry, *value; (entry = record_next(&r));)
		if ((value = record_value(entry, "cgroup")) && count < ARRAY_LEN(paths))
			paths[count++] = value;
	while (count-- > 0)
		rmdir(paths[count]);
}
