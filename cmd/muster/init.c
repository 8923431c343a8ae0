/* muster init: a manifests repository to begin with. */
#include "muster.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/fs.h"

extern char **environ;

static const struct {
	const char *name, *text;
} files[] = {
	{ "heartbeat-task.yaml", "apiVersion: muster/v1\n"
				 "kind: TaskDefinition\n"
				 "metadata:\n"
				 "  name: heartbeat\n"
				 "spec:\n"
				 "  requiresCompatibilities: [PROCESS]\n"
				 "  containerDefinitions:\n"
				 "    - name: heartbeat\n"
				 "      command: [sh, -c, 'while date; do sleep 5; done']\n" },
	{ "heartbeat-service.yaml", "apiVersion: muster/v1\n"
				    "kind: DaemonService\n"
				    "metadata:\n"
				    "  name: heartbeat\n"
				    "spec:\n"
				    "  taskDefinition: heartbeat\n"
				    "  minReadySeconds: 1\n"
				    "  monitorSeconds: 2\n" },
};

/* 0: done, ENOENT: there is no git here. */
static int run_git_init(const char *dir)
{
	const char *argv[] = { "git", "init", "--quiet", "--initial-branch=main", dir, NULL };
	pid_t pid;
	int status = 0, code = posix_spawnp(&pid, "git", NULL, NULL, (char **)argv, environ);
	if (code != 0)
		return code;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EIO;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	const char *dir = args->items[0];
	struct stat st;
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (lstat(fs_join(&cli->arena, dir, files[i].name), &st) == 0)
			return say_error(EXIT_DIFFERS,
					 "%s/%s is there already; nothing was changed", dir,
					 files[i].name);
	if (!fs_mkdirs(dir, 0755, &err))
		return say_error(EXIT_SYSTEM, "%s", err.text);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!fs_write(fs_join(&cli->arena, dir, files[i].name), files[i].text,
			      strlen(files[i].text), 0644, 0, NULL, &err))
			return say_error(EXIT_SYSTEM, "%s", err.text);
	bool repository = stat(fs_join(&cli->arena, dir, ".git"), &st) == 0;
	int code = repository ? 0 : run_git_init(dir);
	if (code != 0)
		warn("%s is not a git repository: %s; musterd can follow it as a plain directory",
		     dir, code == ENOENT ? "git is not installed" : "git init failed");
	printf("%s has a task definition and a service that runs it on every node.\n\nNext:\n",
	       dir);
	if (code == 0)
		printf("  git -C %s add .\n  git -C %s commit -m 'Begin with a heartbeat'\n", dir,
		       dir);
	printf("  musterd --source %s &\n"
	       "  muster-agent &\n"
	       "  muster wait && muster get tasks\n",
	       dir);
	return EXIT_DONE;
}

const struct verb verb_init = {
	.name = "init",
	.usage = "DIR",
	.about = "Make a manifests repository with one task definition and one service.",
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
