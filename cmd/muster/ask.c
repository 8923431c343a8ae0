/* muster allow, forget, reconcile: files in STATE/control, which musterd watches. */
#include "muster.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/commands.h"
#include "fs/fs.h"
#include "loop/loop.h"
#include "watch/watch.h"

/* *runs: musterd seems to be there and will act at once. */
static int ask(struct cli *cli, enum command_kind kind, const char *argument, bool *runs)
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
	*runs = age >= 0 && age <= BEAT_OLD_S;
	if (!*runs)
		warn("musterd does not seem to run; it will act on this when it does");
	return EXIT_DONE;
}

/* --- allow: until the status says so, so that a `muster wait` behind it does not see the hold ---
 */

#define HOLD_ID_CHARS 16

#define ANSWER_MS 5000

struct allowing {
	struct cli *cli;
	struct loop *loop;
	const char *id, *command; /* path of the command's file */
	bool done;
};

static bool still_held(const struct allowing *a)
{
	struct arena scratch;
	struct buf bytes = { 0 };
	struct err err;
	bool held = false;
	arena_init(&scratch);
	const char *path = fs_join(&scratch, a->cli->status, REPORT_SUMMARY_FILE);
	if (fs_read(path, SUMMARY_MAX_BYTES, &bytes, &err)) {
		json_t *summary = json_loadb(buf_str(&bytes), bytes.len, 0, NULL), *hold;
		size_t i;
		json_array_foreach(json_object_get(summary, "holds"), i, hold)
		{
			const char *id = text_at(hold, "id");
			held |= id && strcmp(id, a->id) == 0;
		}
		json_decref(summary);
	}
	buf_release(&bytes);
	arena_release(&scratch);
	return held;
}

static void look(struct allowing *a)
{
	a->done = access(a->command, F_OK) != 0 && !still_held(a);
	if (a->done)
		loop_stop(a->loop);
}

static void changed(void *arg, const char *dir, const char *name)
{
	(void)dir;
	(void)name;
	look(arg);
}

static void no_answer(void *arg)
{
	loop_stop(((struct allowing *)arg)->loop);
}

static bool wait_for_answer(struct cli *cli, const char *id)
{
	struct command command = { COMMAND_ALLOW, id };
	const char *dir = fs_join(&cli->arena, cli->state, COMMANDS_DIR);
	struct allowing a = { .cli = cli,
			      .loop = loop_new(),
			      .id = id,
			      .command = fs_join(&cli->arena, dir,
						 command_encode(&command, &cli->arena)) };
	struct err err;
	struct watcher *watcher = watcher_new(a.loop, changed, &a, &err);
	if (watcher && watcher_add(watcher, dir, &err) && watcher_add(watcher, cli->status, &err)) {
		struct timer *timer = timer_new(a.loop, no_answer, &a);
		timer_set(timer, ANSWER_MS);
		look(&a);
		if (!a.done)
			loop_run(a.loop);
		timer_free(timer);
	}
	watcher_free(watcher);
	loop_free(a.loop);
	return a.done;
}

static bool is_hold_id(const char *text)
{
	return strlen(text) == HOLD_ID_CHARS && strspn(text, "0123456789abcdef") == HOLD_ID_CHARS;
}

/* A hold that is not there may yet come, with the commit that is being read. */
static int run_allow(struct cli *cli, const struct flags_args *args)
{
	const char *id = args->items[0];
	bool runs = false, held = still_held(&(struct allowing){ .cli = cli, .id = id });
	int code = ask(cli, COMMAND_ALLOW, id, &runs);
	if (code != EXIT_DONE)
		return code;
	bool answered = runs && wait_for_answer(cli, id);
	printf("%s %s\n", held && answered ? "released" : "asked musterd to release", id);
	if (!held && is_hold_id(id))
		warn("nothing is held by that id: see muster get holds");
	return EXIT_DONE;
}

static int run_forget(struct cli *cli, const struct flags_args *args)
{
	bool runs = false;
	int code = ask(cli, COMMAND_FORGET, args->items[0], &runs);
	if (code == EXIT_DONE)
		printf("asked musterd to forget node %s, unless it still beats\n", args->items[0]);
	return code;
}

static int run_reconcile(struct cli *cli, const struct flags_args *args)
{
	(void)args;
	bool runs = false;
	int code = ask(cli, COMMAND_RECONCILE, NULL, &runs);
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
