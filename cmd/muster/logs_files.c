/* Logs of native processes: STATE/agents/NODE/logs/SERVICE/CONTAINER/current, current.1 ... and the
 * marks beside them, which tell whose a piece is, and of when. */
#include "logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs.h"

#define CHUNK		65536
#define MARKS_MAX_BYTES (64 << 20)
#define DIR_EVENTS	(IN_MODIFY | IN_CREATE | IN_MOVED_TO)

/* One container's directory. */
struct place {
	struct logs_output *output; /* NULL: nothing of it was printed yet */
	const char *name, *dir, *current;
	struct arena arena; /* of the marks */
	struct tasklog_marks marks;
	struct stat marks_seen; /* the newest file of marks when they were read */
	int fd;			/* of the current file; -1: none */
	int64_t at;		/* it is printed up to here */
};
/* All containers of a service on a node. */
struct logs_files {
	struct logs *logs;
	const char *node, *dir;
	VEC(struct place *) places;
	const char *chosen; /* the task whose logs are printed; NULL: not known whose they are */
	const char *task;   /* the only one that is followed; NULL: whichever comes */
	int inotify, watch; /* -1: none; watch: of dir */
	struct poll_handle *poll;
};

/* --- marks -------------------------------------------------------------------------------------
 */

static const char *numbered(struct arena *arena, const char *dir, const char *name, int number)
{
	return number ? arena_printf(arena, "%s/%s.%d", dir, name, number)
		      : fs_join(arena, dir, name);
}

static void read_marks(struct place *p)
{
	struct buf bytes = { 0 };
	arena_reset(&p->arena);
	p->marks.items.len = 0;
	if (stat(numbered(&p->arena, p->dir, TASKLOG_MARKS, 0), &p->marks_seen) != 0)
		p->marks_seen = (struct stat){ 0 };
	for (int i = TASKLOG_FILES_MAX; i-- > 0;) {
		buf_reset(&bytes);
		if (fs_read(numbered(&p->arena, p->dir, TASKLOG_MARKS, i), MARKS_MAX_BYTES, &bytes,
			    NULL))
			tasklog_marks_add(&p->marks, buf_str(&bytes), bytes.len, &p->arena);
	}
	buf_release(&bytes);
}

static void refresh_marks(struct place *p)
{
	struct stat now;
	struct arena scratch;
	arena_init(&scratch);
	bool same = stat(numbered(&scratch, p->dir, TASKLOG_MARKS, 0), &now) == 0 &&
		    now.st_ino == p->marks_seen.st_ino && now.st_size == p->marks_seen.st_size;
	arena_release(&scratch);
	if (!same)
		read_marks(p);
}

static bool knows_task(const struct place *p, const char *task, bool ended)
{
	for (size_t i = p->marks.items.len; i-- > 0;)
		if (strcmp(p->marks.items.items[i].task, task) == 0 &&
		    (!ended || p->marks.items.items[i].end))
			return true;
	return false;
}

/* --- what there is -----------------------------------------------------------------------------
 */

struct opened {
	int fds[TASKLOG_FILES_MAX];
	struct tasklog_file files[TASKLOG_FILES_MAX]; /* oldest first */
	size_t count;
	bool has_current;
};

static int open_log(struct logs *logs, const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		logs->code = say_error(EXIT_SYSTEM, "open '%s': %s", path, strerror(errno));
	if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* From the newest to the oldest, so that one that is rotated meanwhile is seen twice, not never. */
static void open_logs(struct logs *logs, const struct place *p, struct opened *out)
{
	int fds[TASKLOG_FILES_MAX];
	struct stat found[TASKLOG_FILES_MAX];
	size_t count = 0;
	*out = (struct opened){ 0 };
	for (int i = 0; i < TASKLOG_FILES_MAX; i++) {
		struct stat *st = &found[count];
		int fd =
			open_log(logs, numbered(&logs->cli->arena, p->dir, TASKLOG_CURRENT, i), st);
		bool again = fd >= 0 && count > 0 && found[count - 1].st_ino == st->st_ino;
		if (again)
			close(fd);
		else if (fd >= 0)
			fds[count++] = fd;
		out->has_current |= i == 0 && fd >= 0;
	}
	for (size_t i = count; i-- > 0; out->count++) {
		out->fds[out->count] = fds[i];
		out->files[out->count] = (struct tasklog_file){
			.inode = found[i].st_ino,
			.size = found[i].st_size,
			.changed_unix_ms = (int64_t)found[i].st_mtim.tv_sec * 1000 +
					   found[i].st_mtim.tv_nsec / 1000000,
		};
	}
}

/* The current file stays open, to be followed. */
static void close_logs(struct opened *o, struct place *keep)
{
	for (size_t i = 0; i < o->count; i++) {
		if (keep && o->has_current && i + 1 == o->count) {
			keep->fd = o->fds[i];
			keep->at = o->files[i].size;
		} else {
			close(o->fds[i]);
		}
	}
}

/* Leave of the ranges only what the last lines are in. */
static void cut_to_tail(const struct opened *o, struct tasklog_ranges *ranges, int64_t lines)
{
	static char chunk[CHUNK];
	struct tasklog_tail tail = { .lines = (uint64_t)lines };
	for (size_t i = ranges->items.len; i-- > 0;) {
		struct tasklog_range *r = &ranges->items.items[i];
		for (int64_t end = r->to; end > r->from;) {
			int64_t n = end - r->from < CHUNK ? end - r->from : CHUNK;
			ssize_t got = pread(o->fds[r->file], chunk, (size_t)n, end - n);
			size_t at = got == n ? tasklog_tail_find(&tail, chunk, (size_t)n) : 0;
			end -= n;
			if (at == SIZE_MAX)
				continue;
			r->from = end + (int64_t)at;
			memmove(ranges->items.items, r,
				(ranges->items.len - i) * sizeof(*ranges->items.items));
			ranges->items.len -= i;
			return;
		}
	}
}

static void print_range(struct logs_output *output, int fd, int64_t from, int64_t to)
{
	static char chunk[CHUNK];
	while (from < to) {
		int64_t n = to - from < CHUNK ? to - from : CHUNK;
		ssize_t got = pread(fd, chunk, (size_t)n, from);
		if (got <= 0)
			break;
		logs_print(output, chunk, (size_t)got);
		from += got;
	}
}

static struct logs_output *output_of(struct logs_files *f, struct place *p)
{
	if (!p->output)
		p->output = logs_output(f->logs, f->node, p->name);
	return p->output;
}

static void print_place(struct logs_files *f, struct place *p)
{
	struct opened opened;
	struct tasklog_ranges ranges = { 0 };
	struct tasklog_want want = { f->chosen, f->logs->since_unix_ms };
	open_logs(f->logs, p, &opened);
	read_marks(p); /* after the files' sizes: of what is there the marks were made before */
	tasklog_select(opened.files, opened.count, &p->marks, &want, &ranges);
	if (f->logs->tail >= 0)
		cut_to_tail(&opened, &ranges, f->logs->tail);
	for (size_t i = 0; i < ranges.items.len; i++) {
		const struct tasklog_range *r = &ranges.items.items[i];
		print_range(p->output, opened.fds[r->file], r->from, r->to);
	}
	if (!f->logs->follow)
		logs_print_end(p->output);
	vec_release(&ranges.items);
	close_logs(&opened, f->logs->follow ? p : NULL);
}

bool logs_files_choose(struct logs_files *f)
{
	struct tasklog_tasks tasks = { 0 };
	for (size_t i = 0; i < f->places.len; i++)
		tasklog_tasks_add(&tasks, &f->places.items[i]->marks);
	const char *chosen = tasks.items.len ? logs_choose(f->logs, &tasks) : NULL;
	/* Without any mark it is not known whose they are. */
	bool found = chosen || (tasks.items.len == 0 && !f->logs->previous);
	f->chosen = arena_strdup(&f->logs->cli->arena, chosen);
	f->task = f->logs->by_task ? f->chosen : NULL;
	vec_release(&tasks.items);
	for (size_t i = 0; found && i < f->places.len; i++)
		if (!f->chosen || knows_task(f->places.items[i], f->chosen, false))
			output_of(f, f->places.items[i]);
	return found;
}

void logs_files_print(struct logs_files *f)
{
	for (size_t i = 0; i < f->places.len; i++)
		if (f->places.items[i]->output)
			print_place(f, f->places.items[i]);
}

/* --- what comes --------------------------------------------------------------------------------
 */

static void print_new(struct logs_files *f, struct place *p)
{
	struct stat st;
	if (p->fd < 0 || fstat(p->fd, &st) != 0)
		return;
	struct tasklog_file file = { .inode = st.st_ino, .size = st.st_size };
	struct tasklog_ranges ranges = { 0 };
	if (f->task)
		refresh_marks(p);
	if (st.st_size > p->at)
		tasklog_select(&file, 1, &p->marks, &(struct tasklog_want){ f->task, 0 }, &ranges);
	for (size_t i = 0; i < ranges.items.len; i++) {
		const struct tasklog_range *r = &ranges.items.items[i];
		print_range(output_of(f, p), p->fd, r->from > p->at ? r->from : p->at, r->to);
	}
	vec_release(&ranges.items);
	p->at = st.st_size;
}

static void look(struct logs_files *f, struct place *p)
{
	struct stat here, there;
	print_new(f, p);
	if (p->fd >= 0 && stat(p->current, &there) == 0 && fstat(p->fd, &here) == 0 &&
	    here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		return;
	print_new(f, p); /* what came between reading and rotating */
	if (p->fd >= 0)
		close(p->fd);
	p->fd = open_log(f->logs, p->current, &here);
	p->at = 0;
	print_new(f, p);
}

static bool all_ended(const struct logs_files *f)
{
	for (size_t i = 0; f->task && i < f->places.len; i++)
		if (f->places.items[i]->output && !knows_task(f->places.items[i], f->task, true))
			return false;
	return f->task != NULL;
}

static void stop_following(struct logs_files *f)
{
	if (!f->poll)
		return;
	poll_free(f->poll);
	f->poll = NULL;
	close(f->inotify);
	f->inotify = -1;
}

static void look_at_all(struct logs_files *f)
{
	for (size_t i = 0; i < f->places.len; i++)
		if (!f->task || f->places.items[i]->output)
			look(f, f->places.items[i]);
	if (!all_ended(f))
		return;
	for (size_t i = 0; i < f->places.len; i++)
		if (f->places.items[i]->output)
			logs_print_end(f->places.items[i]->output);
	stop_following(f);
	logs_followed(f->logs);
}

static void find_places(struct logs_files *f);

static void something_changed(void *arg)
{
	_Alignas(struct inotify_event) char events[16384];
	struct logs_files *f = arg;
	size_t known = f->places.len;
	ssize_t n = read(f->inotify, events, sizeof(events));
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const void *)(events + at);
		if (event->wd == f->watch || event->mask & IN_Q_OVERFLOW)
			find_places(f);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	for (size_t i = known; i < f->places.len; i++)
		inotify_add_watch(f->inotify, f->places.items[i]->dir, DIR_EVENTS);
	look_at_all(f);
}

void logs_files_follow(struct logs_files *f)
{
	f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->inotify < 0) {
		f->logs->code = say_error(EXIT_SYSTEM, "inotify: %s", strerror(errno));
		return;
	}
	f->watch = inotify_add_watch(f->inotify, f->dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	for (size_t i = 0; i < f->places.len; i++) {
		struct place *p = f->places.items[i];
		struct stat st;
		inotify_add_watch(f->inotify, p->dir, DIR_EVENTS);
		/* Of one that the present task does not have only what comes is of interest. */
		if (!p->output && (p->fd = open_log(f->logs, p->current, &st)) >= 0)
			p->at = st.st_size;
	}
	f->poll = poll_new(f->logs->loop, f->inotify, something_changed, f);
	f->logs->following++;
	look_at_all(f);
}

/* --- finding -----------------------------------------------------------------------------------
 */

static bool has_place(const struct logs_files *f, const char *name)
{
	for (size_t i = 0; i < f->places.len; i++)
		if (strcmp(f->places.items[i]->name, name) == 0)
			return true;
	return false;
}

static void find_places(struct logs_files *f)
{
	struct arena *arena = &f->logs->cli->arena;
	const char **names, *only = f->logs->container;
	size_t count;
	struct err err;
	if (!fs_list(f->dir, arena, &names, &count, &err)) {
		logs_denied(f->logs, err.code, f->dir);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (has_place(f, names[i]) || (only && strcmp(only, names[i]) != 0))
			continue;
		struct place *p = xcalloc(1, sizeof(*p));
		p->name = names[i];
		p->dir = fs_join(arena, f->dir, names[i]);
		p->current = fs_join(arena, p->dir, TASKLOG_CURRENT);
		p->fd = -1;
		arena_init(&p->arena);
		read_marks(p);
		*vec_push(&f->places) = p;
	}
}

static bool has_wanted_task(const struct logs_files *f, const char *cluster, const char *service)
{
	for (size_t i = 0; i < f->places.len; i++) {
		const struct tasklog_marks *marks = &f->places.items[i]->marks;
		for (size_t k = 0; k < marks->items.len; k++)
			if (logs_wants(f->logs, cluster, service, marks->items.items[k].task))
				return true;
	}
	return false;
}

/* As engine_log_dir() names them: SERVICE in the cluster "default", else CLUSTER~SERVICE. */
static void find_in(struct logs *logs, const char *node, const char *logs_dir, const char *name)
{
	struct arena *arena = &logs->cli->arena;
	const char *tilde = strchr(name, '~'), *service = tilde ? tilde + 1 : name;
	const char *cluster =
		tilde ? arena_strndup(arena, name, (size_t)(tilde - name)) : DEFAULT_CLUSTER;
	if (!logs->by_task && !logs_wants(logs, cluster, service, NULL))
		return;
	struct logs_files *f = xcalloc(1, sizeof(*f));
	f->logs = logs;
	f->node = node;
	f->dir = fs_join(arena, logs_dir, name);
	f->inotify = f->watch = -1;
	find_places(f);
	if (f->places.len == 0 || (logs->by_task && !has_wanted_task(f, cluster, service))) {
		logs_files_free(f);
		return;
	}
	*vec_push(&logs->files) = f;
	logs_found(logs, arena_printf(arena, "%s/%s", cluster, service));
}

void logs_files_find(struct logs *logs, const char *node)
{
	struct arena *arena = &logs->cli->arena;
	const char *dir = arena_printf(arena, "%s/agents/%s/logs", logs->cli->state, node), **names;
	size_t count;
	struct err err;
	if (!fs_list(dir, arena, &names, &count, &err)) {
		logs_denied(logs, err.code, dir);
		return;
	}
	for (size_t i = 0; i < count; i++)
		find_in(logs, node, dir, names[i]);
}

void logs_files_free(struct logs_files *f)
{
	stop_following(f);
	for (size_t i = 0; i < f->places.len; i++) {
		struct place *p = f->places.items[i];
		if (p->fd >= 0)
			close(p->fd);
		vec_release(&p->marks.items);
		arena_release(&p->arena);
		free(p);
	}
	vec_release(&f->places);
	free(f);
}
