/* The files of a task, by name. */
#include "engine/process/internal.h"

#include "fs/fs.h"
#include "log/log.h"
#include "tasklog/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removed in this order: without the record the rest means nothing. */
static const char *const suffixes[] = { "task", "start", "exit", "stop", "ctl", "lock", NULL };

bool task_file_name(const char *name, char id[RECORD_ID_MAX + 1], const char **suffix)
{
	const char *dot = strrchr(name, '.');
	if (!dot || dot == name || dot - name > RECORD_ID_MAX || *name == '.')
		return false;
	memcpy(id, name, (size_t)(dot - name));
	id[dot - name] = '\0';
	for (const char *const *s = suffixes; *s; s++)
		if (strcmp(*s, dot + 1) == 0) {
			*suffix = *s;
			return true;
		}
	return false;
}

void task_path(const char *dir, const char *id, const char *suffix, struct buf *out)
{
	buf_reset(out);
	buf_addf(out, "%s/%s.%s", dir, id, suffix);
}

bool task_has(const char *dir, const char *id, const char *suffix)
{
	struct buf path = { 0 };
	task_path(dir, id, suffix, &path);
	bool found = faccessat(AT_FDCWD, path.data, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	buf_release(&path);
	return found;
}

enum task_lock task_lock(const char *dir, const char *id)
{
	struct buf path = { 0 };
	task_path(dir, id, "lock", &path);
	/* Read only: to close it is then no event for who watches the directory. */
	int fd = open(path.data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	buf_release(&path);
	if (fd < 0)
		return LOCK_ABSENT;
	bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return held ? LOCK_HELD : LOCK_FREE;
}

/* One line, as the FIFO takes it at once. */
static void command_of(const char *reason, struct buf *out)
{
	buf_adds(out, "stop ");
	for (size_t i = 0; reason[i] && i < STOP_REASON_MAX; i++)
		buf_addc(out, reason[i] == '\n' ? ' ' : reason[i]);
	buf_addc(out, '\n');
}

bool task_send_stop(const char *dir, const char *id, const char *reason, struct err *err)
{
	struct buf path = { 0 }, command = { 0 };
	/* First the note: an agent that finds it sends the command again. */
	task_path(dir, id, "stop", &path);
	bool ok = task_has(dir, id, "stop") ||
		  fs_write(path.data, reason, strlen(reason), 0600, 0, NULL, err);
	task_path(dir, id, "ctl", &path);
	command_of(reason, &command);
	int fd = open(path.data, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	/* A note that a full disk does not take is no reason not to stop. */
	ok = fd >= 0 && write(fd, command.data, command.len) == (ssize_t)command.len;
	if (!ok)
		err_set(err, errno, "tell the shim of task %s", id);
	if (fd >= 0)
		close(fd);
	buf_release(&path);
	buf_release(&command);
	return ok;
}

bool task_write_exit(const char *dir, const struct task *task, const char *code, const char *reason,
		     struct err *err)
{
	struct record_writer w = { .grow = record_grow };
	struct buf path = { 0 };
	record_begin(&w, "exit");
	record_put(&w, "boot_id", task->boot_id);
	record_put_int(&w, "started_unix_ms", task->run.started_unix_ms);
	record_put_int(&w, "started_boot_ms", task->run.started_boot_ms);
	record_put_int(&w, "stopped_unix_ms", clock_unix_ms());
	record_put_int(&w, "stopped_boot_ms", clock_boot_ms());
	record_put(&w, "stop_code", code);
	record_put(&w, "reason", reason);
	record_put_int(&w, "requested", task->stop_asked);
	for (uint32_t i = 0; i < task->container_count; i++) {
		record_put(&w, "container", task->containers[i].name);
		record_put(&w, "state", "exited");
		record_put(&w, "reason", reason);
	}
	record_end(&w);
	task_path(dir, task->id, "exit", &path);
	bool ok = fs_write(path.data, w.data, w.len, 0600, FS_SYNC, NULL, err);
	buf_release(&path);
	free(w.data);
	return ok;
}

static void end_log(const char *log_dir, const char *id, struct arena *arena)
{
	struct stat current, marks;
	struct buf line = { 0 };
	char last = '\n';
	int fd = open(fs_join(arena, log_dir, TASKLOG_MARKS),
		      O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool there = fd >= 0 && fstat(fd, &marks) == 0 && S_ISREG(marks.st_mode) &&
		     lstat(fs_join(arena, log_dir, TASKLOG_CURRENT), &current) == 0;
	/* Of a mark that the shim did not finish. */
	if (there && marks.st_size > 0 && pread(fd, &last, 1, marks.st_size - 1) == 1 &&
	    last != '\n')
		buf_addc(&line, '\n');
	buf_addf(&line, "%llu %llu %lld %s " TASKLOG_END "\n",
		 there ? (unsigned long long)current.st_ino : 0,
		 there ? (unsigned long long)current.st_size : 0, (long long)clock_unix_ms(), id);
	/* What a full disk does not take is only missed by who follows just now. */
	if (there && write(fd, line.data, line.len) < 0)
		log_warn("the end of a log could not be marked", "task", id, "reason",
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	buf_release(&line);
}

void task_end_logs(const char *state_dir, const struct task *task)
{
	struct arena arena;
	arena_init(&arena);
	for (uint32_t i = 0; task->recorded && !task->newer && i < task->container_count; i++)
		end_log(engine_log_dir(&arena, state_dir, task->cluster, task->service,
				       task->containers[i].name),
			task->id, &arena);
	arena_release(&arena);
}

void task_unlink(const char *dir, const char *id)
{
	struct buf path = { 0 };
	for (const char *const *s = suffixes; *s; s++) {
		task_path(dir, id, *s, &path);
		unlink(path.data);
		/* Beginnings that a killed shim did not put in place. */
		buf_reset(&path);
		buf_addf(&path, "%s/.%s.%s", dir, id, *s);
		unlink(path.data);
	}
	buf_release(&path);
}
