#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"
#include "report/report.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Status files of an earlier state are removed: what is not in the new set. */
static void remove_others(const char *dir, const char *below, const struct map *wanted,
			  struct arena *scratch)
{
	const char **names;
	size_t count;
	if (!fs_list(dir, scratch, &names, &count, NULL))
		return;
	for (size_t i = 0; i < count; i++) {
		const char *path = fs_join(scratch, dir, names[i]);
		const char *relative = *below ? fs_join(scratch, below, names[i]) : names[i];
		struct stat st;
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			remove_others(path, relative, wanted, scratch);
		else if (!map_get(wanted, relative))
			fs_remove(path, NULL);
	}
}

static void write_file(struct agent *a, const char *dir, const struct report_file *file,
		       struct arena *scratch)
{
	struct buf text = { 0 };
	struct err err;
	report_yaml(file->doc, &text);
	const char *path = fs_join(scratch, dir, file->path);
	char *parent = arena_strdup(scratch, path);
	*strrchr(parent, '/') = '\0';
	bool ok = fs_mkdirs(parent, 0755, &err) &&
		  fs_write(path, buf_str(&text), text.len, 0644, FS_IF_CHANGED, NULL, &err);
	if (!ok && !a->status_failed)
		log_warn("a status file cannot be written", "reason", err.text);
	a->status_failed |= !ok;
	buf_release(&text);
}

/* The agent's own status: the fleet's shapes, for this node. */
void agent_status_write(void *arg)
{
	struct agent *a = arg;
	struct arena scratch;
	a->status_due = false;
	if (a->claim == CLAIM_LOST)
		return;
	arena_init(&scratch);
	struct wire_observed observed;
	struct wire_registration registration;
	agent_observed_build(a, &observed, &scratch);
	agent_registration_build(a, &registration, &scratch);
	struct report_files files = { 0 };
	report_agent(&registration, a->desired_known ? &a->desired : NULL, &observed, &scratch,
		     &files);
	const char *dir = fs_join(&scratch, a->dir, "status");
	struct map *wanted = map_new();
	a->status_failed = false;
	for (size_t i = 0; i < files.items.len; i++) {
		map_put(wanted, files.items.items[i].path, a);
		write_file(a, dir, &files.items.items[i], &scratch);
	}
	remove_others(dir, "", wanted, &scratch);
	map_free(wanted);
	report_files_release(&files);
	arena_release(&scratch);
}

/* .beat, with the beat of the store: whoever reads sees that somebody writes. */
void agent_status_beat(struct agent *a)
{
	struct arena scratch;
	arena_init(&scratch);
	const char *dir = fs_join(&scratch, a->dir, "status");
	int fd = -1;
	if (fs_mkdirs(dir, 0755, NULL))
		fd = open(fs_join(&scratch, dir, REPORT_BEAT_FILE),
			  O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0) {
		futimens(fd, NULL);
		close(fd);
	}
	arena_release(&scratch);
}
