#include "source/internal.h"

#include "fs/fs.h"
#include "manifest/manifest.h"
#include "model/model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct dir_scan *scan, const char *reason)
{
	scan->reason = reason;
	return false;
}

/* ctime: also of what was renamed into place, or had its times set back. */
static void note_change(struct dir_scan *scan, const struct stat *st)
{
	int64_t ms = (int64_t)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000;
	if (ms > scan->changed_unix_ms)
		scan->changed_unix_ms = ms;
}

static bool read_whole(int fd, void *bytes, size_t len, size_t *got)
{
	*got = 0;
	while (*got < len) {
		ssize_t n = read(fd, (char *)bytes + *got, len - *got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return true;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* The bytes of a regular file, as many as it had when opened; too large ones are not read. */
static bool scan_file(struct dir_scan *scan, int dir_fd, const char *name, const char *path,
		      bool data, struct err *err)
{
	CLEANUP(close_fd)
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (errno == ENOENT || errno == ELOOP || data)
			return true; /* gone, or a link now; or one that nobody may want */
		err_set(err, errno, "'%s' cannot be read", path);
		return fail(scan, "Unreadable");
	}
	if (!S_ISREG(st.st_mode))
		return true;
	struct source_file *f = vec_push(&scan->files);
	f->path = path;
	f->len = (size_t)st.st_size;
	f->data = data;
	f->too_large = data ? st.st_size > LIMIT_TASK_FILES_BYTES ||
				       scan->data_bytes + f->len > LIMIT_TREE_BYTES
			    : st.st_size > LIMIT_FILE_BYTES;
	char *bytes = arena_alloc(scan->arena, f->too_large ? 0 : f->len);
	f->bytes = f->too_large ? NULL : bytes;
	if (!f->too_large && !read_whole(fd, bytes, f->len, &f->len)) {
		err_set(err, errno, "'%s' cannot be read", path);
		return fail(scan, "Unreadable");
	}
	struct digest digest = f->too_large ? digest_of(&st.st_size, sizeof(st.st_size))
					    : digest_of(bytes, f->len);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	f->blob = arena_strdup(scan->arena, hex);
	if (fstat(fd, &st) == 0)
		note_change(scan, &st);
	size_t *sum = data ? &scan->data_bytes : &scan->bytes;
	*sum += strlen(path) + (f->too_large ? 0 : f->len);
	if (data || scan->bytes <= LIMIT_TREE_BYTES)
		return true;
	err_set(err, 0, "the manifests are more than the limit of %d MiB", LIMIT_TREE_BYTES >> 20);
	return fail(scan, "TooLarge");
}

static bool is_directory(int dir_fd, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool scan_dir(struct dir_scan *scan, int parent_fd, const char *name, const char *full,
		     const char *prefix, int depth, struct err *err);

static bool scan_entry(struct dir_scan *scan, int fd, const struct dirent *entry, const char *full,
		       const char *prefix, int depth, struct err *err)
{
	const char *path = arena_printf(scan->arena, "%s%s", prefix, entry->d_name);
	if (entry->d_name[0] == '.')
		return true;
	if (++scan->entries > SOURCE_FILES_MAX) {
		err_set(err, 0, "the directory has more than %d entries", SOURCE_FILES_MAX);
		return fail(scan, "TooLarge");
	}
	if (is_directory(fd, entry))
		return scan_dir(scan, fd, entry->d_name, fs_join(scan->arena, full, entry->d_name),
				arena_printf(scan->arena, "%s/", path), depth + 1, err);
	bool data = !manifest_path_wanted(path) || manifest_ignored(scan->ignore, path);
	bool utf8 = utf8_valid(path, strlen(path));
	if (data && (!utf8 || ++scan->data_count > SOURCE_DATA_MAX))
		return true;
	if (!utf8) {
		err_set(err, 0, "a file in '%s' has a name that is not UTF-8", full);
		return fail(scan, "InvalidPath");
	}
	return scan_file(scan, fd, entry->d_name, path, data, err);
}

/* parent_fd AT_FDCWD: the root, where a link is followed. Watched first, then listed: nothing is
 * missed in between. */
static bool scan_dir(struct dir_scan *scan, int parent_fd, const char *name, const char *full,
		     const char *prefix, int depth, struct err *err)
{
	if (depth > LIMIT_DEPTH) {
		err_set(err, 0, "directories are nested more than %d deep", LIMIT_DEPTH);
		return fail(scan, "TooLarge");
	}
	if (scan->source)
		source_watch(scan->source, full);
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (parent_fd == AT_FDCWD ? 0 : O_NOFOLLOW);
	int fd = openat(parent_fd, name, flags);
	CLEANUP(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;
	if (!dir || fstat(fd, &st) != 0) {
		if (parent_fd != AT_FDCWD && (errno == ENOENT || errno == ENOTDIR))
			return true; /* gone meanwhile: an event tells */
		err_set(err, errno, "directory '%s' cannot be read", full);
		return fail(scan, errno == ENOENT ? "PathNotFound" : "Unreadable");
	}
	note_change(scan, &st);
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno) {
			err_set(err, errno, "directory '%s' cannot be read", full);
			return fail(scan, "Unreadable");
		}
		if (!entry)
			return true;
		if (!scan_entry(scan, fd, entry, full, prefix, depth, err))
			return false;
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

bool dir_scan(struct dir_scan *scan, const char *root, struct err *err)
{
	struct buf rules = { 0 };
	struct err ignored = { 0 };
	bool has_rules = fs_read(fs_join(scan->arena, root, ".musterignore"), LIMIT_FILE_BYTES,
				 &rules, &ignored);
	if (has_rules)
		scan->ignore = manifest_ignore_parse(rules.data, rules.len);
	buf_release(&rules);
	if (!has_rules && ignored.code != ENOENT && ignored.code != ENOTDIR) {
		err_set(err, ignored.code, "'.musterignore' cannot be read");
		return fail(scan, "Unreadable");
	}
	if (!scan_dir(scan, AT_FDCWD, root, root, "", 1, err))
		return false;
	if (scan->files.len > 1)
		qsort(scan->files.items, scan->files.len, sizeof(*scan->files.items), by_path);
	return true;
}

void dir_scan_release(struct dir_scan *scan)
{
	manifest_ignore_free(scan->ignore);
	vec_release(&scan->files);
}

/* --- the look -------------------------------------------------------------------------------- */

static const char *commit_id(const struct dir_scan *scan)
{
	struct buf text = { 0 };
	for (size_t i = 0; i < scan->files.len; i++) {
		buf_adds(&text, scan->files.items[i].path);
		buf_addc(&text, '\0');
		buf_adds(&text, scan->files.items[i].blob);
		buf_addc(&text, '\0');
	}
	struct digest digest = digest_of(buf_str(&text), text.len);
	buf_release(&text);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	return arena_printf(scan->arena, "dir-%s", hex);
}

/* Has something changed so lately that it may be half done? A time in the future is another
 * machine's clock, and says nothing. */
static bool unsettled(struct source *source, const struct dir_scan *scan)
{
	int64_t age = clock_unix_ms() - scan->changed_unix_ms, now = clock_monotonic_ms();
	if (age < 0 || age >= SOURCE_SETTLE_MS)
		return false;
	if (!source->unsettled_ms)
		source->unsettled_ms = now;
	if (now - source->unsettled_ms > SOURCE_SETTLE_MAX_MS)
		return false;
	timer_set(source->timer, SOURCE_SETTLE_MS - age);
	return true;
}

/* Leave out the bytes that the caller has; remember what it will have. */
static struct map *leave_out_known(struct source *source, struct dir_scan *scan)
{
	struct map *blobs = map_new();
	for (size_t i = 0; i < scan->files.len; i++) {
		struct source_file *f = &scan->files.items[i];
		if (f->too_large)
			continue;
		bool known = source->have_blobs && source->blobs && map_get(source->blobs, f->blob);
		if (known || map_get(blobs, f->blob))
			f->bytes = NULL;
		map_put(blobs, f->blob, source);
	}
	return blobs;
}

static void give(struct source *source, struct dir_scan *scan)
{
	struct source_snapshot snapshot = {
		.commit = commit_id(scan),
		.subject = "",
		.author = "",
		.time_unix_ms = scan->changed_unix_ms,
	};
	if (source->listed && source->have_blobs && strcmp(source->commit, snapshot.commit) == 0) {
		source_unchanged(source, snapshot.commit);
		return;
	}
	struct map *blobs = leave_out_known(source, scan);
	map_free(source->blobs);
	source->blobs = blobs;
	source->partial = false; /* there is no history */
	snapshot.files = scan->files.items;
	snapshot.file_count = scan->files.len;
	source_taken(source, &snapshot);
}

void dir_look(struct source *source)
{
	struct arena arena;
	arena_init(&arena);
	struct dir_scan scan = { .arena = &arena, .source = source };
	struct err err = { 0 };
	const char *root = strcmp(source->options.path, ".") == 0
				   ? source->place.path
				   : fs_join(&arena, source->place.path, source->options.path);
	source_watch_begin(source);
	bool ok = dir_scan(&scan, root, &err);
	source_watch_end(source);
	if (!ok)
		source_failed(source, scan.reason, err.text);
	else if (!unsettled(source, &scan))
		give(source, &scan);
	dir_scan_release(&scan);
	arena_release(&arena);
}
