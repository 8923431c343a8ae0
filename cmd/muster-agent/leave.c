#include "agent.h"

#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LEAVE_FILE     "leave"
#define LEAVE_STEP_MS  20
#define LEAVE_REMOTE_S 600 /* longest that a running agent's tasks may take to stop */

bool agent_leave_asked(struct agent *a)
{
	if (access(fs_join(&a->arena, a->control_dir, LEAVE_FILE), F_OK) != 0)
		return false;
	if (!a->leaving)
		log_info("leaving the fleet", "node", a->options.node);
	a->leaving = true;
	return true;
}

static void finish(struct agent *a, int code)
{
	struct err err;
	a->exit_code = code;
	if (code == EXIT_DONE && !fs_remove_tree(a->dir, &err)) {
		log_error(err.text);
		a->exit_code = EXIT_SYSTEM;
	}
	a->claim = CLAIM_LOST; /* nothing more is written */
	loop_stop(a->loop);
}

static void last_removed(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	if (!answer->ok) {
		agent_store_failed(a, &answer->err);
		a->leave_started = false;
		return;
	}
	log_info("left the fleet", "node", a->options.node);
	finish(a, EXIT_DONE);
}

static void removed(void *arg, const struct store_answer *answer)
{
	struct agent *a = arg;
	if (!answer->ok)
		agent_store_failed(a, &answer->err);
}

static void remove_documents(struct agent *a)
{
	static const char *const kinds[] = { "nodes", "alive", "observed", "desired" };
	a->leave_started = true;
	timer_clear(a->beat_timer);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		store_remove(a->store, arena_printf(&a->arena, "%s/%s", kinds[i], a->options.node),
			     i + 1 < ARRAY_LEN(kinds) ? removed : last_removed, a);
}

void agent_leave_tick(void *arg)
{
	struct agent *a = arg;
	if (a->store_ok) {
		agent_step(a);
		return;
	}
	log_error("the tasks are stopped, but the store does not answer: its documents of this "
		  "node stay; `muster forget` removes them",
		  "node", a->options.node);
	finish(a, EXIT_SYSTEM);
}

void agent_leave_check(struct agent *a)
{
	/* Without a fleet nothing was ever started. */
	bool known = a->tasks_known || !a->fleet[0];
	if (!known || a->last.task_count > 0 || a->starting.len > 0 || a->leave_started)
		return;
	if (a->store_ok && a->claim == CLAIM_WAITING) {
		log_info("the name is another instance's: its documents stay", "node",
			 a->options.node);
		finish(a, EXIT_DONE);
	} else if (a->store_ok && a->claim == CLAIM_HELD && !a->observed_pending &&
		   !a->registration_pending) {
		remove_documents(a);
	} else if (!a->leave_waiting || a->store_ok) {
		a->leave_waiting = true;
		timer_set(a->leave_timer, a->store_ok ? LEAVE_STEP_MS : LEAVE_STORE_MS);
	}
}

enum holding { HOLDING_ABSENT, HOLDING_FREE, HOLDING_HELD };

/* The lock is not made here: the agent that leaves removes the directory. */
static enum holding who_holds(struct agent *a)
{
	int fd = open(fs_join(&a->arena, a->dir, LOCK_FILE), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return HOLDING_ABSENT;
	bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(fd);
	return held ? HOLDING_HELD : HOLDING_FREE;
}

bool agent_runs_already(struct agent *a)
{
	return who_holds(a) == HOLDING_HELD;
}

bool agent_leave_remote(struct agent *a, int *code)
{
	struct err err;
	*code = EXIT_SYSTEM;
	const char *file = fs_join(&a->arena, a->control_dir, LEAVE_FILE);
	if (!fs_write(file, "", 0, 0600, 0, NULL, &err)) {
		log_error(err.text);
		return true;
	}
	log_info("asking the running agent to leave", "node", a->options.node);
	for (int i = 0; i < LEAVE_REMOTE_S * 1000 / LEAVE_STEP_MS; i++) {
		if (access(a->dir, F_OK) != 0 && errno == ENOENT) {
			*code = EXIT_DONE;
			return true;
		}
		if (who_holds(a) == HOLDING_FREE)
			return false;
		usleep(LEAVE_STEP_MS * 1000);
	}
	log_error("the running agent has not left in time", "node", a->options.node);
	*code = EXIT_TIMEOUT;
	return true;
}
