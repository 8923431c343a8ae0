/*
 * psenv NAME=VALUE [NAME...]: print every process that has NAME=VALUE in its environment: its pid,
 * its start time (field 22 of /proc/PID/stat: pid and start time together are one process), and the
 * values of the other NAMEs ("-" where there is none). Zombies are left out. For tests that count
 * tasks from outside.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BYTES 65536

static char env[MAX_BYTES], stat_text[4096];

static ssize_t slurp(const char *pid, const char *name, char *out, size_t size)
{
	char path[300];
	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t len = 0, n;
	while ((size_t)len < size - 1 && (n = read(fd, out + len, size - 1 - (size_t)len)) > 0)
		len += n;
	close(fd);
	out[len] = '\0';
	return len;
}

static const char *value_of(ssize_t len, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = env; p < env + len; p += strlen(p) + 1)
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return p + n + 1;
	return NULL;
}

static int has(ssize_t len, const char *pair)
{
	for (const char *p = env; p < env + len; p += strlen(p) + 1)
		if (strcmp(p, pair) == 0)
			return 1;
	return 0;
}

/* Field 22 of stat, 0 where it does not read; and field 3. The name in field 2 may hold anything.
 */
static unsigned long long started(char *state)
{
	const char *p = strrchr(stat_text, ')');
	*state = 0;
	if (!p || p[1] != ' ')
		return 0;
	*state = p[2];
	for (int field = 2; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return 0;
	}
	return strtoull(p + 1, NULL, 10);
}

int main(int argc, char **argv)
{
	DIR *proc = opendir("/proc");
	if (argc < 2 || !proc)
		return 2;
	for (struct dirent *e; (e = readdir(proc));) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		ssize_t len = slurp(e->d_name, "environ", env, sizeof(env));
		if (len <= 0 || !has(len, argv[1]) ||
		    slurp(e->d_name, "stat", stat_text, sizeof(stat_text)) <= 0)
			continue;
		char state;
		unsigned long long start = started(&state);
		if (state == 'Z' || state == 'X' || !start)
			continue;
		printf("%s %llu", e->d_name, start);
		for (int i = 2; i < argc; i++) {
			const char *v = value_of(len, argv[i]);
			printf(" %s", v && *v ? v : "-");
		}
		putchar('\n');
	}
	closedir(proc);
	return 0;
}
