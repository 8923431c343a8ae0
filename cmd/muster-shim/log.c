/* The output of a container: pipes -> a bounded, rotated file, and marks beside it. Never makes the
 * task wait for disk space: what the file does not take is counted and gone. */
#include "shim.h"

#include "tasklog/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUMPS                                                                                      \
	8 /* chunks taken at a time, so that a loud container leaves the others their turn         \
	   */

static int open_file(const struct log_file *log, const char *name, int64_t *size)
{
	struct stat st;
	int fd = openat(log->dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			0640);
	*size = fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
	return fd;
}

static void open_current(struct log_file *log)
{
	if (log->dir_fd < 0)
		return;
	log->fd = open_file(log, TASKLOG_CURRENT, &log->size);
	log->marks_fd = open_file(log, TASKLOG_MARKS, &log->marks_size);
	log->marked = log->torn = false;
}

/* From here on it is ours, or at its end no longer: see tasklog/marks.h. */
static void mark(struct log_file *log, bool end)
{
	char line[160] = "";
	struct stat st;
	if (log->torn) /* readers pass over what it was to be */
		text_add(line, sizeof(line), "\n");
	if (log->fd < 0 || log->marks_fd < 0 || fstat(log->fd, &st) < 0)
		return;
	int64_t now_ms = unix_ms();
	const uint64_t numbers[] = { (uint64_t)st.st_ino, (uint64_t)st.st_size, (uint64_t)now_ms };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		text_add_number(line, sizeof(line), numbers[i]);
		text_add(line, sizeof(line), " ");
	}
	text_add(line, sizeof(line), log->task);
	text_add(line, sizeof(line), end ? " " TASKLOG_END "\n" : "\n");
	ssize_t n = write(log->marks_fd, line, strlen(line));
	log->marks_size += n > 0 ? n : 0;
	log->torn = n > 0 ? n < (ssize_t)strlen(line) : log->torn;
	if (n < (ssize_t)strlen(line))
		return;
	log->size = log->marked_at = st.st_size;
	log->marked_ms = now_ms;
	log->marked = true;
}

static bool mark_due(const struct log_file *log, size_t len)
{
	struct stat st;
	int64_t passed_ms = unix_ms() - log->marked_ms;
	if (!log->marked || passed_ms < 0 || passed_ms >= MARK_LATEST_MS)
		return true;
	if (passed_ms >= MARK_MS && log->size + (int64_t)len - log->marked_at >= MARK_BYTES)
		return true;
	/* Another task of the service appends, too: while an update starts before it stops. */
	return fstat(log->fd, &st) == 0 && st.st_size != log->size;
}

/* NAME.1 -> NAME.2, ..., NAME -> NAME.1; the oldest goes. name: at most NAME_BYTES. */
#define NAME_BYTES 16
static void shift(const struct log_file *log, const char *name)
{
	char from[NAME_BYTES + 3] = "", to[NAME_BYTES + 3] = "";
	size_t digit = strlen(name) + 1;
	text_add(from, sizeof(from), name);
	text_add(from, sizeof(from), ".0");
	memcpy(to, from, sizeof(to));
	int last = log->files < 2		    ? 0
		   : log->files > TASKLOG_FILES_MAX ? TASKLOG_FILES_MAX - 1
						    : log->files - 1;
	for (int i = last; i > 1; i--) {
		from[digit] = (char)('0' + i - 1);
		to[digit] = (char)('0' + i);
		renameat(log->dir_fd, from, log->dir_fd, to);
	}
	to[digit] = '1';
	if (last)
		renameat(log->dir_fd, name, log->dir_fd, to);
	else
		unlinkat(log->dir_fd, name, 0);
}

static void close_current(struct log_file *log)
{
	close(log->fd);
	if (log->marks_fd >= 0)
		close(log->marks_fd);
	log->fd = log->marks_fd = -1;
}

static void rotate(struct log_file *log)
{
	close_current(log);
	shift(log, TASKLOG_CURRENT);
	shift(log, TASKLOG_MARKS);
	open_current(log);
}

/* Another task of the service rotated the files: what comes now belongs into its new one, and the
 * one we have may soon be the oldest, and gone. */
static bool rotated_by_another(const struct log_file *log)
{
	struct stat ours, named;
	return fstat(log->fd, &ours) == 0 &&
	       fstatat(log->dir_fd, TASKLOG_CURRENT, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (ours.st_ino != named.st_ino || ours.st_dev != named.st_dev);
}

void log_open(struct log_file *log, const struct record_reader *keys)
{
	struct record_reader r = *keys;
	log->dir_fd = log->fd = log->marks_fd = -1;
	log->max_bytes = 10 << 20;
	log->files = 3;
	for (const char *entry, *value; (entry = record_next(&r));) {
		if ((value = record_value(entry, "log_dir")))
			log->dir_fd = open(value, O_PATH | O_DIRECTORY | O_CLOEXEC);
		else if ((value = record_value(entry, "log_max_bytes")))
			log->max_bytes = record_int(value);
		else if ((value = record_value(entry, "log_files")))
			log->files = (int)record_int(value);
	}
	open_current(log);
	/* One that says nothing, and is started again and again, leaves marks all the same. */
	if (log->fd >= 0 && log->size + log->marks_size > log->max_bytes)
		rotate(log);
	mark(log, false);
}

/* Returns how many bytes the file took. */
static size_t put(struct log_file *log, const char *bytes, size_t len)
{
	size_t done = 0;
	while (log->fd >= 0 && done < len) {
		ssize_t n = write(log->fd, bytes + done, len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	log->size += (int64_t)done;
	return done;
}

/* Once the file takes bytes again it says how many are missing here. */
static bool tell_dropped(struct log_file *log)
{
	char line[96] = "\n[muster-shim: ";
	off_t before = log->size;
	text_add_number(line, sizeof(line), log->dropped_unsaid);
	text_add(line, sizeof(line), " bytes of output were lost]\n");
	if (put(log, line, strlen(line)) == strlen(line)) {
		log->dropped_unsaid = 0;
		return true;
	}
	if (log->fd >= 0 && ftruncate(log->fd, before) == 0)
		log->size = before;
	return false;
}

void log_append(struct log_file *log, const char *bytes, size_t len)
{
	if (log->fd >= 0 && rotated_by_another(log))
		close_current(log);
	if (log->fd < 0)
		open_current(log);
	if (log->fd >= 0 && log->size > 0 &&
	    log->size + log->marks_size + (int64_t)len > log->max_bytes)
		rotate(log);
	if (log->fd >= 0 && mark_due(log, len))
		mark(log, false);
	size_t done = 0;
	if (!log->dropped_unsaid || tell_dropped(log))
		done = put(log, bytes, len);
	log->dropped += len - done;
	log->dropped_unsaid += len - done;
}

void log_end(struct log_file *log)
{
	if (log->marked)
		mark(log, true);
}

static void tail_add(struct container *c, const char *bytes, size_t len)
{
	for (size_t i = len > STDERR_TAIL_MAX ? len - STDERR_TAIL_MAX : 0; i < len; i++)
		c->tail[c->tail_bytes++ % STDERR_TAIL_MAX] = bytes[i];
}

void log_pump(struct container *c, int *fd)
{
	static char chunk[LOG_CHUNK];
	for (int i = 0; i < PUMPS && *fd >= 0; i++) {
		ssize_t n = read(*fd, chunk, sizeof(chunk));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close(*fd);
			*fd = -1;
			return;
		}
		log_append(&c->log, chunk, (size_t)n);
		if (fd == &c->err_fd)
			tail_add(c, chunk, (size_t)n);
	}
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_len(const unsigned char *p, const unsigned char *end)
{
	size_t n = *p < 0x80   ? 1
		   : *p < 0xc2 ? 0
		   : *p < 0xe0 ? 2
		   : *p < 0xf0 ? 3
		   : *p < 0xf5 ? 4
			       : 0;
	if (n == 0 || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	bool bad = n > 2 && ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
			     (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f));
	return bad ? 0 : n;
}

size_t log_tail(const struct container *c, char out[STDERR_TAIL_MAX])
{
	bool cut = c->tail_bytes > STDERR_TAIL_MAX;
	size_t len = cut ? STDERR_TAIL_MAX : (size_t)c->tail_bytes, from = 0;
	for (size_t i = 0; i < len; i++)
		out[i] = c->tail[(c->tail_bytes - len + i) % STDERR_TAIL_MAX];
	/* What was cut in the middle begins with whole characters. */
	while (cut && from < len && ((unsigned char)out[from] & 0xc0) == 0x80)
		from++;
	memmove(out, out + from, len -= from);
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len((unsigned char *)out + i, (unsigned char *)out + len);
		if (n == 0 || out[i] == '\0')
			out[i] = '?';
		i += n ? n : 1;
	}
	return len;
}
