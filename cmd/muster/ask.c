/* muster allow, forget, reconcile: files in STATE/control, which musterd watches. */
#include "muster.h"

#include <stdio.h>
#include <sys/stat.h>

#include "control/commands.h"
#include "fs/fs.h"

static int ask(struct cli *cli, enum command_kind kind, const char *argument)
{
	struct command command = { .kind = kind, .argument = argument };
	const char *name = command_encode(&command, &cli->arena);
	if (!name)
		return say_error(EXIT_USAGE, "'%s' is not a name", argument);
	const char *dir = fs_join(&cli->arena, cli->state, COMMANDS_DIR);
	struct err err;
	if (!fs_mkdirs(dir, 0755, &err) ||
	    !fs_write(fs_join(&cli->arena, dir, name), "", 0, 0644, 0, NULL, &err))
		return say_error(EXIT_SYSTEM, "%s", err.text);
	int64_t age = status_age_s(cli->status);
	if (age < 0 || age > 30)
		warn("musterd does not seem to run; it will act on this when it does");
	return EXIT_DONE;
}

static int run_allow(struct cli *cli, const struct flags_args *args)
{
	int code = ask(cli, COMMAND_ALLOW, args->items[0]);
	if (code == EXIT_DONE)
		printf("asked musterd to release %s\n", args->items[0]);
	return code;
}

static int run_forget(struct cli *cli, const struct flags_args *args)
{
	int code = ask(cli, COMMAND_FORGET, args->items[0]);
	if (code == EXIT_DONE)
		printf("asked musterd to forget node %s, unless it still beats\n", args->items[0]);
	return code;
}

static int run_reconcile(struct cli *cli, const struct flags_args *args)
{
	(void)args;
	int code = ask(cli, COMMAND_RECONCILE, NULL);
	if (code == EXIT_DONE)
		printf("asked musterd to look at its source\n");
	return code;
}

const struct verb verb_allow = {
	.name = "allow",
	.usage = "ID",
	.about = "Release what is held: the id of a hold, or a service.\n"
		 "`muster describe service NAME` and fleet.yaml list holds with their ids.",
	.args_min = 1,
	.args_max = 1,
	.run = run_allow,
};

const struct verb verb_forget = {
	.name = "forget",
	.usage = "NODE",
	.about = "Remove the documents of a node that is gone for good.",
	.args_min = 1,
	.args_max = 1,
	.run = run_forget,
};

const struct verb verb_reconcile = {
	.name = "reconcile",
	.usage = "",
	.about = "Ask musterd to look at its source now.",
	.run = run_reconcile,
};
