/* muster logs: what tasks of this machine's agents print, of both engines. */
#include "logs.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/fs.h"
#include "get.h"

static struct {
	bool follow, previous;
	const char *container, *since, *tail;
} options;
static const struct flag flags[] = {
	{ "follow", FLAG_BOOL, 'f', .help = "go on with what is printed from now on",
	  .offset = offsetof(typeof(options), follow) },
	{ "previous", FLAG_BOOL, 'p', .help = "of the task before the present one",
	  .offset = offsetof(typeof(options), previous) },
	{ "container", FLAG_STRING, 'c', "NAME", "only this container of the task",
	  .offset = offsetof(typeof(options), container) },
	{ "since", FLAG_STRING, .value = "DURATION|TIME",
	  .help = "not what is older: 10m, 2026-11-23T21:45:25Z",
	  .offset = offsetof(typeof(options), since) },
	{ "tail", FLAG_STRING, .value = "N", .help = "only the last N lines of each container",
	  .offset = offsetof(typeof(options), tail) },
};

/* --- what is wanted ----------------------------------------------------------------------------
 */

bool logs_wants(const struct logs *logs, const char *cluster, const char *service, const char *task)
{
	if (logs->cluster && strcmp(logs->cluster, cluster) != 0)
		return false;
	if (!logs->by_task)
		return strcmp(service, logs->name) == 0;
	return task && strncmp(task, logs->name, strlen(logs->name)) == 0;
}

const char *logs_choose(const struct logs *logs, struct tasklog_tasks *tasks)
{
	size_t i = 0;
	tasklog_tasks_sort(tasks);
	while (logs->by_task && i < tasks->items.len &&
	       strncmp(tasks->items.items[i].task, logs->name, strlen(logs->name)) != 0)
		i++;
	i += logs->previous; /* of a service */
	return i < tasks->items.len ? tasks->items.items[i].task : NULL;
}

/* --- printing ----------------------------------------------------------------------------------
 */

/* By the container's name; by the node's, too, when there are several. */
static void set_labels(struct logs *logs)
{
	bool one_node = true;
	for (size_t i = 1; i < logs->outputs.len; i++)
		one_node = one_node &&
			   strcmp(logs->outputs.items[0]->node, logs->outputs.items[i]->node) == 0;
	for (size_t i = 0; logs->outputs.len > 1 && i < logs->outputs.len; i++) {
		struct logs_output *o = logs->outputs.items[i];
		o->lines.label =
			one_node ? o->container : fs_join(&logs->cli->arena, o->node, o->container);
	}
}

struct logs_output *logs_output(struct logs *logs, const char *node, const char *container)
{
	for (size_t i = 0; i < logs->outputs.len; i++) {
		struct logs_output *o = logs->outputs.items[i];
		if (strcmp(o->node, node) == 0 && strcmp(o->container, container) == 0)
			return o;
	}
	struct logs_output *o = xcalloc(1, sizeof(*o));
	o->node = arena_strdup(&logs->cli->arena, node);
	o->container = arena_strdup(&logs->cli->arena, container);
	*vec_push(&logs->outputs) = o;
	set_labels(logs);
	return o;
}

static void print(struct buf *out)
{
	fwrite(buf_str(out), 1, out->len, stdout);
	if (options.follow)
		fflush(stdout);
	buf_release(out);
}

void logs_print(struct logs_output *output, const void *bytes, size_t len)
{
	struct buf out = { 0 };
	tasklog_lines_add(&output->lines, bytes, len, &out);
	print(&out);
}

void logs_print_end(struct logs_output *output)
{
	struct buf out = { 0 };
	tasklog_lines_end(&output->lines, &out);
	print(&out);
}

void logs_followed(struct logs *logs)
{
	if (--logs->following == 0)
		loop_stop(logs->loop);
}

/* --- finding -----------------------------------------------------------------------------------
 */

void logs_found(struct logs *logs, const char *service)
{
	if (!logs->service)
		logs->service = service;
	else if (strcmp(logs->service, service) != 0)
		logs->other = service;
}

void logs_denied(struct logs *logs, int code, const char *path)
{
	if ((code == EACCES || code == EPERM) && !logs->denied)
		logs->denied = arena_strdup(&logs->cli->arena, path);
}

/* Whose it is, and so who can read it. */
static const char *owner_advice(const struct logs *logs)
{
	struct stat st;
	const struct passwd *owner = stat(logs->denied, &st) == 0 ? getpwuid(st.st_uid) : NULL;
	if (!owner || owner->pw_uid == 0)
		return "only root may read it: run it with sudo";
	return arena_printf(&logs->cli->arena, "only %s may read it: run it with sudo -u %s",
			    owner->pw_name, owner->pw_name);
}

/* What an engine has goes before files: these stay when a service's tasks become containers. */
static bool find(struct logs *logs)
{
	for (size_t i = 0; i < logs->nodes.len; i++) {
		const struct logs_node *node = &logs->nodes.items[i];
		if (!node->engine || !logs_engine_select(node->engine))
			logs_files_find(logs, node->name);
	}
	return logs->service != NULL;
}

/* No daemon of muster is asked, but the container engine is, which is none of ours. */
static void open_nodes(struct logs *logs)
{
	const char *agents = fs_join(&logs->cli->arena, logs->cli->state, "agents"), **names;
	size_t count;
	struct err err;
	if (!fs_list(agents, &logs->cli->arena, &names, &count, &err)) {
		logs_denied(logs, err.code, agents);
		return;
	}
	for (size_t i = 0; i < count; i++)
		*vec_push(&logs->nodes) =
			(struct logs_node){ names[i], logs_engine_open(logs, names[i]) };
}

/* Of an engine that did not answer there may be more than what was found. */
static void tell_of_engines(const struct logs *logs, bool found)
{
	for (size_t i = 0; i < logs->nodes.len; i++) {
		const struct logs_engine *engine = logs->nodes.items[i].engine;
		const char *why = engine ? logs_engine_why(engine) : NULL;
		if (why && found)
			warn("containers of node %s are not shown: %s", logs->nodes.items[i].name,
			     why);
		else if (why)
			complain("containers of node %s: %s", logs->nodes.items[i].name, why);
	}
	if (logs->denied && found)
		warn("what is below %s is not shown: %s", logs->denied, owner_advice(logs));
}

static int nothing_found(struct logs *logs)
{
	bool told = false;
	for (size_t i = 0; i < logs->nodes.len; i++) {
		const struct logs_engine *engine = logs->nodes.items[i].engine;
		const char *guess = engine ? logs_engine_guess(engine) : NULL;
		bool silent = engine && logs_engine_why(engine);
		told |= silent;
		if (guess && !silent)
			logs_denied(logs, EACCES, guess);
	}
	if (logs->denied)
		return say_error(EXIT_SYSTEM, "no logs of '%s' were found without %s: %s",
				 logs->name, logs->denied, owner_advice(logs));
	return told ? EXIT_SYSTEM
		    : say_error(EXIT_DIFFERS,
				"no logs of '%s'%s%s below %s/agents: logs are on the node",
				logs->name, logs->container ? ", container " : "",
				logs->container ? logs->container : "", logs->cli->state);
}

/* An exit code; EXIT_DONE: found. */
static int find_all(struct logs *logs)
{
	open_nodes(logs);
	if (!find(logs) && strlen(logs->name) >= TASK_ID_SHOWN) {
		logs->by_task = true;
		find(logs);
	}
	tell_of_engines(logs, logs->service);
	if (logs->service && logs->by_task && logs->previous)
		return say_error(EXIT_USAGE, "--previous is for a service; '%s' is one task",
				 logs->name);
	if (logs->other)
		return say_error(EXIT_USAGE, "'%s' is ambiguous: %s or %s", logs->name,
				 logs->service, logs->other);
	return logs->service ? EXIT_DONE : nothing_found(logs);
}

/* --- the verb ----------------------------------------------------------------------------------
 */

static int print_all(struct logs *logs)
{
	bool any = false;
	for (size_t i = 0; i < logs->nodes.len; i++)
		if (logs->nodes.items[i].engine)
			any |= logs_engine_choose(logs->nodes.items[i].engine);
	for (size_t i = 0; i < logs->files.len; i++)
		any |= logs_files_choose(logs->files.items[i]);
	if (!any)
		return say_error(EXIT_DIFFERS, "no logs of a task before the present one of '%s'",
				 logs->name);
	for (size_t i = 0; i < logs->nodes.len; i++)
		if (logs->nodes.items[i].engine)
			logs_engine_print(logs->nodes.items[i].engine);
	for (size_t i = 0; i < logs->files.len; i++)
		logs_files_print(logs->files.items[i]);
	for (size_t i = 0; logs->follow && i < logs->nodes.len; i++)
		if (logs->nodes.items[i].engine)
			logs_engine_follow(logs->nodes.items[i].engine);
	for (size_t i = 0; logs->follow && i < logs->files.len; i++)
		logs_files_follow(logs->files.items[i]);
	if (logs->following)
		loop_run(logs->loop);
	return logs->code;
}

static void release(struct logs *logs)
{
	for (size_t i = 0; i < logs->nodes.len; i++)
		logs_engine_free(logs->nodes.items[i].engine);
	for (size_t i = 0; i < logs->files.len; i++)
		logs_files_free(logs->files.items[i]);
	for (size_t i = 0; i < logs->outputs.len; i++) {
		buf_release(&logs->outputs.items[i]->lines.partial);
		free(logs->outputs.items[i]);
	}
	vec_release(&logs->nodes);
	vec_release(&logs->files);
	vec_release(&logs->outputs);
	loop_free(logs->loop);
}

static bool read_options(struct logs *logs)
{
	int64_t ms;
	logs->follow = options.follow;
	logs->previous = options.previous;
	logs->container = options.container;
	logs->tail = -1;
	if (options.follow && options.previous)
		return complain("--follow and --previous: the task before prints no more");
	if (options.since && flags_duration(options.since, &ms))
		logs->since_unix_ms = clock_unix_ms() - ms;
	else if (options.since && !tasklog_time(options.since, &logs->since_unix_ms))
		return complain("--since '%s': a duration (90s, 10m, 2h) or a time "
				"(2026-11-23T21:45:25Z)",
				options.since);
	if (options.tail && strcmp(options.tail, "all") != 0 &&
	    (!parse_int(options.tail, &logs->tail) || logs->tail < -1))
		return complain("--tail '%s': a number of lines", options.tail);
	return true;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	const char *name = args->items[0], *slash = strchr(name, '/');
	struct logs logs = {
		.cli = cli,
		.cluster = slash ? arena_strndup(&cli->arena, name, (size_t)(slash - name))
				 : cli->cluster,
		.name = last_part(name),
	};
	if (!read_options(&logs))
		return EXIT_USAGE;
	logs.loop = loop_new();
	signal(SIGPIPE, SIG_DFL); /* a pager that is closed ends us, too */
	int code = find_all(&logs);
	if (code == EXIT_DONE)
		code = print_all(&logs);
	release(&logs);
	return code;
}

const struct verb verb_logs = {
	.name = "logs",
	.usage = "[FLAG]... SERVICE|TASK",
	.about = "Print what tasks of this machine print.\n"
		 "Of a service, what its present task prints on each node that has an agent here;\n"
		 "with --follow also what the tasks after it print. TASK is an id, or its "
		 "beginning:\n"
		 "that task alone, also one that has stopped, for as long as its logs are kept.\n"
		 "stdout and stderr come together. Lines of several containers begin with the\n"
		 "container's name, and with the node's where there are several.\n"
		 "\n"
		 "Logs of native processes are files: "
		 "STATE/agents/NODE/logs/SERVICE/CONTAINER/current\n"
		 "and older ones. When a line was written is known to a second or 256 bytes, "
		 "whichever\n"
		 "is more: --since shows rather a little too much. Logs of containers are asked of "
		 "the\n"
		 "container engine, over the socket that the agent uses (kept in "
		 "STATE/agents/NODE/\n"
		 "engine-docker.json); that takes the rights to use it, and a log driver that the\n"
		 "engine can read. Files are for their owner (root, as a rule: sudo), and the "
		 "engine\n"
		 "of the usual place is also for whom it lets, as members of the group docker.\n"
		 " It is the only socket that muster ever speaks to: the engine is "
		 "no\n"
		 "daemon of muster, and no agent need run for it.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
