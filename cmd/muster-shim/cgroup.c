/* What the shim does with the cgroups that the agent made: its own processes never enter them. */
#include "shim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

static int open_in(const char *dir, const char *name, int flags)
{
	char path[PATH_BYTES] = "";
	text_add(path, sizeof(path), dir);
	text_add(path, sizeof(path), name);
	return open(path, flags | O_CLOEXEC);
}

static int64_t count_after(const char *text, const char *word)
{
	const char *p = strstr(text, word);
	int64_t n = 0;
	for (p = p ? p + strlen(word) : ""; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (*p - '0');
	return n;
}

int64_t cgroup_oom_kills(const struct record_reader *keys)
{
	/* Version 2, version 1: both count the kills of this very cgroup's processes. */
	static const char *const files[] = { "/memory.events", "/memory.oom_control" };
	struct record_reader r = *keys;
	int64_t kills = 0;
	for (const char *entry, *dir; (entry = record_next(&r));) {
		if (!(dir = record_value(entry, "cgroup")))
			continue;
		for (size_t i = 0; i < 2; i++) {
			char text[512];
			int fd = open_in(dir, files[i], O_RDONLY);
			ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
			if (fd >= 0)
				close(fd);
			text[n > 0 ? n : 0] = '\0';
			kills += count_after(text, "oom_kill ");
		}
	}
	return kills;
}

void cgroup_kill(const struct record_reader *keys)
{
	struct record_reader r = *keys;
	for (const char *entry, *dir; (entry = record_next(&r));) {
		if (!(dir = record_value(entry, "cgroup")))
			continue;
		int fd = open_in(dir, "/cgroup.kill", O_WRONLY);
		if (fd < 0)
			continue; /* version 1 has none: the children are killed one by one */
		if (write(fd, "1", 1) < 0)
			(void)0; /* likewise */
		close(fd);
	}
}

static void remove_all(const struct record_reader *keys)
{
	struct record_reader r = *keys;
	for (const char *entry, *dir; (entry = record_next(&r));)
		if ((dir = record_value(entry, "cgroup")))
			rmdir(dir);
}

void cgroup_remove(struct shim *shim)
{
	for (int i = 0; i < shim->count; i++)
		remove_all(&shim->containers[i].keys);
	remove_all(&shim->task_keys);
}
