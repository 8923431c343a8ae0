#include "musterd.h"

#include "control/commands.h"
#include "fs/fs.h"
#include "log/log.h"

/* Every file in STATE/control is one command; it is carried out and removed. */
void musterd_commands_read(struct musterd *d)
{
	struct arena scratch;
	const char **names;
	size_t count;
	struct err err;
	arena_init(&scratch);
	if (!fs_list(d->control_dir, &scratch, &names, &count, &err)) {
		log_warn("commands cannot be read", "reason", err.text);
		count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct command command;
		if (!command_decode(names[i], &scratch, &command)) {
			log_warn("not a command; the file is left alone", "file", names[i]);
			continue;
		}
		/* What is held is known once the source was looked at; until then the file waits.
		 */
		if (command.kind == COMMAND_ALLOW && !d->source_answered)
			continue;
		log_info("command", "file", names[i]);
		switch (command.kind) {
		case COMMAND_ALLOW: control_allow(d->control, command.argument); break;
		case COMMAND_FORGET: control_forget(d->control, command.argument); break;
		case COMMAND_RECONCILE:
			if (d->source)
				source_look(d->source);
			break;
		case COMMAND_KIND_COUNT: break;
		}
		/* Carried out before the file goes: killed in between, it is carried out again. */
		musterd_step(d);
		fs_remove(fs_join(&scratch, d->control_dir, names[i]), &err);
	}
	arena_release(&scratch);
	musterd_step_soon(d);
}

static void changed(void *arg, const char *dir, const char *name)
{
	(void)dir;
	(void)name;
	musterd_commands_read(arg);
}

bool musterd_commands_start(struct musterd *d, struct err *err)
{
	d->commands = watcher_new(d->loop, changed, d, err);
	if (!d->commands || !watcher_add(d->commands, d->control_dir, err))
		return false;
	musterd_commands_read(d);
	return true;
}
