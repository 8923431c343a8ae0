#include "agent.h"

#include "flags/flags.h"
#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROW(n, k, member, v, h)                                                                    \
	{                                                                                          \
		.name = (n), .kind = FLAG_##k, .value = (v), .help = (h),                          \
		.offset = offsetof(struct options, member)                                         \
	}

static const struct flag rows[] = {
	ROW("node", STRING, node, "NAME", "name of this node, unique in the fleet (host name)"),
	ROW("cluster", STRING, cluster, "NAME", "cluster it belongs to (default)"),
	ROW("engine", LIST, engines, "process|docker[:SOCKET]",
	    "engine to run tasks with; may be repeated (process, and docker where its socket is)"),
	ROW("registry-auth", STRING, registry_auth, "FILE",
	    "credentials for registries, as in docker's config.json "
	    "(/etc/muster/registry-auth.json)"),
	ROW("store", STRING, store, "dir:DIR", "the store (dir:STATE/store)"),
	{ .name = "state",
	  .kind = FLAG_STRING,
	  .value = "DIR",
	  .help = "where the agent keeps its state, below agents/NODE",
	  .env = "MUSTER_STATE",
	  .offset = offsetof(struct options, state) },
	ROW("attribute", LIST, attributes, "K=V", "attribute of this node; may be repeated"),
	ROW("attributes-dir", STRING, attributes_dir, "DIR",
	    "directory with a file for each attribute: name, and the value in it"),
	ROW("leave", BOOL, leave, NULL, "stop this node's tasks, take it out of the fleet, exit"),
};

static const struct flags_spec base_spec = {
	.program = "muster-agent",
	.usage = "[FLAG]...",
	.about = "The agent of one node: registers it, runs what its desired document says, and "
		 "reports.",
	.config = "muster-agent",
	.table_count = 1,
};

static const char *attribute_mistake(const struct options *o, struct arena *arena)
{
	for (uint32_t i = 0; i < o->attributes.len; i++) {
		const char *text = o->attributes.items[i], *equals = strchr(text, '=');
		const char *name =
			equals ? arena_strndup(arena, text, (size_t)(equals - text)) : text;
		if (!attribute_name_valid(name))
			return arena_printf(arena,
					    "--attribute %s: the name may have 1 to 128 of "
					    "[A-Za-z0-9_./\\-]",
					    text);
		if (!attribute_name_allowed(name))
			return arena_printf(arena, "--attribute %s: the name is reserved", text);
		if (equals && equals[1] && !attribute_value_valid(equals + 1))
			return arena_printf(arena,
					    "--attribute %s: the value may have 1 to 128 of "
					    "[A-Za-z0-9_.@/: \\-], no space at its ends",
					    text);
	}
	return NULL;
}

static void read_flags(struct agent *a, char **argv)
{
	struct options *o = &a->options;
	*o = (struct options){ .cluster = DEFAULT_CLUSTER,
			       .registry_auth = CONFIG_DIR "/registry-auth.json" };
	struct flags_spec spec = base_spec;
	spec.tables[0] = FLAG_TABLE(rows, o);
	struct flags_args args;
	flags_parse_or_exit(&spec, argv + 1, &a->arena, &args);
	if (!o->state)
		o->state = flags_default_state(&a->arena);
	if (!o->store)
		o->store = arena_printf(&a->arena, "dir:%s/store", o->state);
	if (!o->node) {
		char host[256];
		if (gethostname(host, sizeof(host)) != 0)
			exit(flags_usage_error(&spec, "--node is needed: there is no host name"));
		host[sizeof(host) - 1] = '\0';
		o->node = arena_strdup(&a->arena, host);
	}
	if (!name_valid(o->node) || !name_valid(o->cluster))
		exit(flags_usage_error(&spec,
				       "%s: a name has 1 to 200 of [A-Za-z0-9_.-] and does "
				       "not begin with '.' or '-'",
				       name_valid(o->node) ? o->cluster : o->node));
	const char *mistake = agent_engines_mistake(o, &a->arena);
	if (!mistake)
		mistake = attribute_mistake(o, &a->arena);
	if (mistake)
		exit(flags_usage_error(&spec, "%s", mistake));
}

/* A file of one random id, made when it is not there. */
static bool id_file(const char *path, char out[UUID_TEXT_LEN + 1], struct err *err)
{
	struct buf bytes = { 0 };
	bool ok = fs_read(path, 256, &bytes, err);
	if (ok && bytes.len == UUID_TEXT_LEN) {
		memcpy(out, bytes.data, UUID_TEXT_LEN + 1);
	} else if (ok || err->code == ENOENT) {
		random_id(out);
		ok = fs_write(path, out, UUID_TEXT_LEN, 0600, FS_SYNC, NULL, err);
	}
	buf_release(&bytes);
	return ok;
}

static void name_paths(struct agent *a)
{
	a->agents_dir = fs_join(&a->arena, a->options.state, "agents");
	a->dir = fs_join(&a->arena, a->agents_dir, a->options.node);
	a->control_dir = fs_join(&a->arena, a->dir, "control");
	a->node_key = arena_printf(&a->arena, "nodes/%s", a->options.node);
	a->desired_key = arena_printf(&a->arena, "desired/%s", a->options.node);
	a->observed_key = arena_printf(&a->arena, "observed/%s", a->options.node);
}

static bool make_directories(struct agent *a, struct err *err)
{
	return fs_mkdirs(a->options.state, 0755, err) && fs_mkdirs(a->agents_dir, 0755, err) &&
	       fs_mkdirs(a->dir, 0755, err) && fs_mkdirs(a->control_dir, 0755, err);
}

static bool load_identity(struct agent *a, struct err *err)
{
	struct buf bytes = { 0 };
	random_id(a->session);
	if (!fs_boot_id(a->boot_id, err) ||
	    !id_file(fs_join(&a->arena, a->dir, "instance"), a->instance, err))
		return false;
	if (fs_read(fs_join(&a->arena, a->dir, "fleet"), 256, &bytes, err) &&
	    bytes.len == FLEET_ID_LEN)
		memcpy(a->fleet, bytes.data, FLEET_ID_LEN + 1);
	buf_reset(&bytes);
	a->memory = node_memory_new();
	if (fs_read(fs_join(&a->arena, a->dir, "memory"), LIMIT_DOCUMENT_BYTES * 8, &bytes, err))
		node_memory_load(a->memory, a->boot_id, bytes.data, bytes.len, err);
	buf_release(&bytes);
	*err = (struct err){ 0 };
	return true;
}

static void on_signal(void *arg, int signum)
{
	struct agent *a = arg;
	if (signum == SIGHUP) {
		agent_attributes_read(a);
		agent_desired_look(a);
		return;
	}
	log_info("stopping; the tasks go on", "signal", strsignal(signum));
	loop_stop(a->loop);
}

static int failed(const struct err *err)
{
	log_error(err->text);
	return EXIT_SYSTEM;
}

static int start(struct agent *a)
{
	struct err err = { 0 };
	umask(022);
	int code;
	name_paths(a);
	if (a->options.leave && agent_runs_already(a) && agent_leave_remote(a, &code))
		return code;
	if (!make_directories(a, &err))
		return failed(&err);
	a->lock_fd = fs_lock(fs_join(&a->arena, a->dir, LOCK_FILE), &err);
	if (a->lock_fd < 0 && err.code == EWOULDBLOCK) {
		err_set(&err, 0, "another agent of node %s runs on the state in %s",
			a->options.node, a->options.state);
		return failed(&err);
	}
	if (a->lock_fd < 0 || !load_identity(a, &err))
		return failed(&err);
	a->leaving = a->options.leave;
	a->loop = loop_new();
	a->retries = map_new();
	a->step_timer = timer_new(a->loop, agent_step, a);
	a->wake_timer = timer_new(a->loop, agent_step, a);
	a->observed_timer = timer_new(a->loop, agent_observed_put, a);
	a->status_timer = timer_new(a->loop, agent_status_write, a);
	loop_on_signal(a->loop, SIGTERM, on_signal, a);
	loop_on_signal(a->loop, SIGINT, on_signal, a);
	loop_on_signal(a->loop, SIGHUP, on_signal, a);
	if (!agent_engines_start(a, &err) || !agent_desired_restore(a, &err) ||
	    !agent_facts_start(a, &err) || !agent_store_start(a, &err))
		return failed(&err);
	log_info("started", "node", a->options.node, "cluster", a->options.cluster, "store",
		 a->options.store);
	agent_step_soon(a);
	loop_run(a->loop);
	return a->exit_code;
}

static void stop(struct agent *a)
{
	if (a->store)
		store_free(a->store);
	agent_engines_stop(a);
	watcher_free(a->watcher);
	struct timer *timers[] = { a->step_timer,   a->wake_timer,   a->beat_timer,
				   a->reopen_timer, a->relist_timer, a->observed_timer,
				   a->status_timer, a->claim_timer,  a->leave_timer };
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		if (timers[i])
			timer_free(timers[i]);
	loop_free(a->loop);
	agent_prepares_release(a);
	agent_places_release(a);
	for (size_t i = 0; i < a->starting.len; i++) {
		free(a->starting.items[i].cluster);
		free(a->starting.items[i].service);
	}
	vec_release(&a->starting);
	arena_release(&a->desired_arena);
	arena_release(&a->report_arena);
	arena_release(&a->facts_arena);
	arena_release(&a->attributes_arena);
	buf_release(&a->observed_bytes);
	buf_release(&a->registration_bytes);
	free(a->desired_text);
	free(a->store_text);
}

int main(int argc, char **argv)
{
	(void)argc;
	struct agent a = { .lock_fd = -1 };
	read_flags(&a, argv);
	int code = start(&a);
	if (a.loop)
		stop(&a);
	node_memory_free(a.memory);
	if (a.lock_fd >= 0)
		close(a.lock_fd);
	arena_release(&a.arena);
	return code;
}
