/*
 * await DIR COUNT: wait until DIR has COUNT files (those that begin with a dot do not count).
 * await DIR = NAME: print a line, then wait until NAME is put in place (again) in DIR.
 * By inotify, so that waiting costs nothing. For measuring what real programs do.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static long count_files(const char *path)
{
	long count = 0;
	DIR *dir = opendir(path);
	if (!dir)
		exit(2);
	for (struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* One read of events; is one of them about name? */
static int saw(int fd, const char *name)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t len = read(fd, events, sizeof(events));
	int found = 0;
	for (char *p = events; p < events + len;) {
		const struct inotify_event *e = (const struct inotify_event *)p;
		found |= name && e->len && strcmp(e->name, name) == 0;
		p += sizeof(*e) + e->len;
	}
	return found;
}

int main(int argc, char **argv)
{
	int fd = inotify_init1(IN_CLOEXEC);
	if (argc < 3 || inotify_add_watch(fd, argv[1], IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		return 2;
	if (strcmp(argv[2], "=") == 0 && argc > 3) {
		puts("ready");
		fflush(stdout);
		while (!saw(fd, argv[3]))
			;
		return 0;
	}
	while (count_files(argv[1]) < strtol(argv[2], NULL, 10))
		saw(fd, NULL);
	return 0;
}
