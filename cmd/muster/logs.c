/* muster logs: what tasks of this machine's agents print, from STATE/agents/NODE/logs. */
#include "muster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"
#include "get.h"

#define CURRENT "current"
#define CHUNK	65536

static struct {
	bool follow;
} options;
static const struct flag flags[] = {
	{ "follow", FLAG_BOOL, 'f', .help = "go on with what is printed from now on",
	  .offset = offsetof(typeof(options), follow) },
};

/* One container's log that is printed. */
struct stream {
	const char *dir, *label; /* label "NODE/CONTAINER" where there are several */
	int fd, watch;
	bool mid_line;
};
struct streams {
	VEC(struct stream) items;
};

static void add_containers(struct cli *cli, const char *node, const char *dir, struct streams *out)
{
	const char **names;
	size_t count;
	struct err err;
	if (!fs_list(dir, &cli->arena, &names, &count, &err))
		return;
	for (size_t i = 0; i < count; i++)
		*vec_push(&out->items) =
			(struct stream){ .dir = fs_join(&cli->arena, dir, names[i]),
					 .label = fs_join(&cli->arena, node, names[i]),
					 .fd = -1,
					 .watch = -1 };
}

struct wanted {
	const char *cluster, *service; /* cluster NULL: any */
};

/* As engine_log_dir() names them: SERVICE in the cluster "default", else CLUSTER~SERVICE. */
static bool is_wanted(const struct wanted *w, const char *dir)
{
	const char *mark = strchr(dir, '~'), *service = mark ? mark + 1 : dir;
	const char *cluster = mark ? dir : DEFAULT_CLUSTER;
	size_t len = mark ? (size_t)(mark - dir) : strlen(DEFAULT_CLUSTER);
	return strcmp(service, w->service) == 0 &&
	       (!w->cluster ||
		(strlen(w->cluster) == len && memcmp(w->cluster, cluster, len) == 0));
}

/* The service of a task whose id begins so, from the agents' own status. */
static bool find_task(struct cli *cli, const char *id, struct wanted *out)
{
	struct status status;
	struct rows rows = { 0 };
	bool found = strlen(id) >= TASK_ID_SHOWN && status_open(cli, &status);
	if (!found)
		return false;
	found = tasks_collect(&status, id, NULL, TASKS_PRESENT | TASKS_STOPPED, &rows) &&
		rows.items.len > 0;
	if (found) {
		const struct row *row = &rows.items.items[0];
		const char *service = task_service(row->json);
		out->cluster = arena_strdup(&cli->arena, row->cluster);
		out->service = arena_strdup(&cli->arena, service ? service : "");
	}
	vec_release(&rows.items);
	status_release(&status);
	return found;
}

static void find_streams(struct cli *cli, const struct wanted *wanted, struct streams *out)
{
	const char *agents = fs_join(&cli->arena, cli->state, "agents"), **nodes, **services;
	size_t count, service_count;
	struct err err;
	if (!fs_list(agents, &cli->arena, &nodes, &count, &err))
		return;
	for (size_t i = 0; i < count; i++) {
		const char *logs = arena_printf(&cli->arena, "%s/%s/logs", agents, nodes[i]);
		if (!fs_list(logs, &cli->arena, &services, &service_count, &err))
			continue;
		for (size_t s = 0; s < service_count; s++)
			if (is_wanted(wanted, services[s]))
				add_containers(cli, nodes[i],
					       fs_join(&cli->arena, logs, services[s]), out);
	}
}

/* --- printing ----------------------------------------------------------------------------------
 */

static void print_bytes(struct stream *s, bool labelled, const char *bytes, size_t len)
{
	while (labelled && len > 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) + 1 : len;
		if (!s->mid_line)
			printf("%s: ", s->label);
		fwrite(bytes, 1, n, stdout);
		s->mid_line = !end;
		bytes += n;
		len -= n;
	}
	if (!labelled)
		fwrite(bytes, 1, len, stdout);
}

static void print_rest(struct stream *s, bool labelled)
{
	static char chunk[CHUNK];
	ssize_t n;
	while (s->fd >= 0 && (n = read(s->fd, chunk, sizeof(chunk))) > 0)
		print_bytes(s, labelled, chunk, (size_t)n);
}

static void open_current(struct cli *cli, struct stream *s)
{
	s->fd = open(fs_join(&cli->arena, s->dir, CURRENT), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Is the open file no longer the one called `current`? */
static bool was_rotated(const struct stream *s)
{
	struct arena scratch;
	struct stat here, there;
	arena_init(&scratch);
	bool same = s->fd >= 0 && fstat(s->fd, &here) == 0 &&
		    stat(fs_join(&scratch, s->dir, CURRENT), &there) == 0 &&
		    here.st_ino == there.st_ino && here.st_dev == there.st_dev;
	arena_release(&scratch);
	return !same;
}

static void look(struct cli *cli, struct stream *s, bool labelled)
{
	print_rest(s, labelled);
	if (!was_rotated(s))
		return;
	print_rest(s, labelled); /* what came between reading and rotating */
	if (s->fd >= 0)
		close(s->fd);
	open_current(cli, s);
	print_rest(s, labelled);
}

static int follow(struct cli *cli, struct streams *streams, bool labelled)
{
	_Alignas(struct inotify_event) char events[16384];
	int fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return say_error(EXIT_SYSTEM, "inotify: %s", strerror(errno));
	for (size_t i = 0; i < streams->items.len; i++)
		inotify_add_watch(fd, streams->items.items[i].dir,
				  IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	for (;;) { /* until a signal ends us */
		for (size_t i = 0; i < streams->items.len; i++)
			look(cli, &streams->items.items[i], labelled);
		fflush(stdout);
		if (read(fd, events, sizeof(events)) <= 0 && errno != EINTR)
			break;
	}
	close(fd);
	return say_error(EXIT_SYSTEM, "inotify: %s", strerror(errno));
}

static int run(struct cli *cli, const struct flags_args *args)
{
	const char *name = args->items[0], *slash = strchr(name, '/');
	struct wanted wanted = { .cluster = slash ? arena_strndup(&cli->arena, name,
								  (size_t)(slash - name))
						  : cli->cluster,
				 .service = last_part(name) };
	struct streams streams = { 0 };
	find_streams(cli, &wanted, &streams);
	if (streams.items.len == 0 && find_task(cli, wanted.service, &wanted))
		find_streams(cli, &wanted, &streams);
	if (streams.items.len == 0)
		return say_error(EXIT_DIFFERS,
				 "no logs of '%s' below %s/agents: logs are on the node",
				 args->items[0], cli->state);
	bool labelled = streams.items.len > 1;
	for (size_t i = 0; i < streams.items.len; i++) {
		open_current(cli, &streams.items.items[i]);
		print_rest(&streams.items.items[i], labelled);
	}
	int code = options.follow ? follow(cli, &streams, labelled) : EXIT_DONE;
	vec_release(&streams.items);
	return code;
}

const struct verb verb_logs = {
	.name = "logs",
	.usage = "[-f] SERVICE|TASK",
	.about = "Print what tasks of this machine print.\n"
		 "TASK is an id, or its beginning.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
