/* store/dir: many documents: list and beats. */
#include "store/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct listing {
	struct store_entries *out;
	const char *prefix;
	VEC(struct store_entry) found;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct store_entry *)a)->key, ((const struct store_entry *)b)->key);
}

/* Sort what was found into the arena. */
static void listing_end(struct listing *listing)
{
	struct store_entries *out = listing->out;
	out->count = listing->found.len;
	out->items = ARENA_ARRAY(&out->arena, struct store_entry, out->count);
	if (listing->found.items) {
		qsort(listing->found.items, out->count, sizeof(*out->items), by_key);
		memcpy(out->items, listing->found.items, out->count * sizeof(*out->items));
	}
	vec_release(&listing->found);
}

/* What cannot be read is listed without bytes; what has gone meanwhile is not. */
static void list_document(struct listing *listing, int dir, const char *key, const char *name)
{
	struct store_entry entry = { .key = key };
	struct err why;
	if (strncmp(key, listing->prefix, strlen(listing->prefix)) != 0)
		return;
	if (!dir_read(dir, name, &listing->out->arena, &entry.bytes, &entry.len, &why)) {
		if (why.code == ENOENT)
			return;
		entry.bytes = NULL;
		entry.len = 0;
		entry.text = arena_strdup(&listing->out->arena, why.text);
	}
	*vec_push(&listing->found) = entry;
}

static bool beat_valid(const char *name)
{
	char node[NAME_MAX_LEN + 1];
	return name_valid(store_is_second(name, node) ? node : name);
}

/* Call each() with every name in dir_fd that a key may have. */
static bool for_each_name(int dir_fd, struct listing *listing, const char *key_prefix,
			  bool (*each)(struct listing *listing, int dir_fd, const char *key,
				       const char *name, struct err *err),
			  struct err *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir CLEANUP(close_dir) = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err_set(err, errno, "store: read directory '%s'", key_prefix);
		dir_close_fd(&fd);
		return false;
	}
	errno = 0;
	for (struct dirent *entry; (entry = readdir(dir)); errno = 0) {
		if (!beat_valid(entry->d_name)) /* the others look again: dir_locate() */
			continue;
		const char *key =
			arena_printf(&listing->out->arena, "%s%s", key_prefix, entry->d_name);
		if (!each(listing, fd, key, entry->d_name, err))
			return false;
	}
	return errno == 0 || err_set(err, errno, "store: read directory '%s'", key_prefix);
}

static bool each_document(struct listing *listing, int dir, const char *key, const char *name,
			  struct err *err UNUSED)
{
	struct dir_location at;
	if (dir_locate(key, &at, NULL))
		list_document(listing, dir, key, name);
	return true;
}

static bool each_sub(struct listing *listing, int dir, const char *key, const char *name,
		     struct err *err)
{
	struct err why;
	int sub CLEANUP(dir_close_fd) = dir_open_sub(dir, name, &why);
	if (sub >= 0)
		return for_each_name(sub, listing, arena_printf(&listing->out->arena, "%s~", key),
				     each_document, err);
	if (why.code == ENOENT || why.code == ENOTDIR)
		return true;
	if (err)
		*err = why;
	return false;
}

static bool list_area(struct listing *listing, int root, enum dir_area area, struct err *err)
{
	const char *prefix = arena_printf(&listing->out->arena, "%s/", dir_area_names[area]);
	size_t len = strlen(prefix), want = strlen(listing->prefix);
	if (strncmp(prefix, listing->prefix, len < want ? len : want) != 0)
		return true;
	int dir CLEANUP(dir_close_fd) = dir_open_sub(root, dir_area_names[area], err);
	return dir >= 0 && for_each_name(dir, listing, prefix,
					 area == DIR_SERVICES ? each_sub : each_document, err);
}

bool dir_list(void *self, const char *prefix, struct store_entries *out, struct err *err)
{
	struct listing listing = { .out = out, .prefix = prefix };
	*out = (struct store_entries){ 0 };
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	bool ok = root >= 0;
	for (enum dir_area area = 0; ok && area < DIR_AREAS; area++)
		ok = area == DIR_ALIVE || list_area(&listing, root, area, err);
	listing_end(&listing);
	if (!ok)
		arena_release(&out->arena);
	return ok;
}

/* --- beats ----------------------------------------------------------------------------------- */

/* The time is only ever compared with itself, so a clock that is set back does no harm. */
bool dir_beat(void *self, const char *node, struct err *err)
{
	if (!beat_valid(node))
		return err_set(err, EINVAL, "node '%s'", node);
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	if (root < 0)
		return false;
	int alive CLEANUP(dir_close_fd) = dir_open_sub(root, "alive", err);
	if (alive < 0)
		return false;
	struct timespec times[2]; /* given in full: the kernel's own "now" moves in ticks */
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[1] = times[0];
	int fd CLEANUP(dir_close_fd) =
		openat(alive, node, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return (fd >= 0 && futimens(fd, times) == 0) ||
	       err_set(err, errno, "store: beat of '%s'", node);
}

static bool each_beat(struct listing *listing, int dir, const char *key, const char *name,
		      struct err *err UNUSED)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		*vec_push(&listing->found) = (struct store_entry){
			.key = key,
			.beat = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
				(uint64_t)st.st_mtim.tv_nsec,
		};
	return true;
}

bool dir_beats(void *self, struct store_entries *out, struct err *err)
{
	struct listing listing = { .out = out };
	*out = (struct store_entries){ 0 };
	int root CLEANUP(dir_close_fd) = dir_open_root(self, err);
	int alive CLEANUP(dir_close_fd) = root < 0 ? -1 : dir_open_sub(root, "alive", err);
	bool ok = alive >= 0 && for_each_name(alive, &listing, "", each_beat, err);
	listing_end(&listing);
	if (!ok)
		arena_release(&out->arena);
	return ok;
}
