/* Health checks: commands that run in a container until they end, or until their time is over. */
#include "engine/docker/internal.h"

#include "fs/fs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LATE_CODE (128 + SIGKILL) /* of a check that took too long */
/* One that is late may not have begun yet, and would then never end: looked for again so often. */
#define LATE_LOOK_MS 100
#define LATE_LOOKS   100

struct exec {
	struct task *task;
	uint32_t slot;
	struct call *call;
	struct timer *deadline; /* once it is late: the next look at it */
	char *id;		/* of the engine; NULL: not made yet */
	bool late;
	uint32_t looks;
};

void exec_free(struct exec *exec)
{
	if (!exec)
		return;
	timer_free(exec->deadline);
	if (exec->call) {
		exec->call->arg = NULL;
		exec->call->done = NULL;
		call_free(exec->call);
	}
	free(exec->id);
	free(exec);
}

static void finish(struct exec *exec, bool ok, int code, const char *reason)
{
	struct task *task = exec->task;
	struct slot *slot = &task->slots[exec->slot];
	slot->exec_answered = true;
	slot->exec_ok = ok;
	slot->exec_code = code;
	free(slot->exec_reason);
	slot->exec_reason = reason ? xstrdup(reason) : NULL;
	slot->exec = NULL;
	exec->call = NULL; /* it ends by itself, after its done() */
	exec_free(exec);
	docker_task_step(task);
}

/*
 * The engine's API cannot end what it started, and one that hangs would come to be many. Only what
 * is in the container's control group is killed: the number may be another's by now.
 */
static void kill_late(const struct exec *exec, int64_t pid)
{
	const char *container = exec->task->slots[exec->slot].id;
	struct buf path = { 0 }, groups = { 0 };
	buf_addf(&path, "/proc/%lld/cgroup", (long long)pid);
	if (pid > 1 && container && fs_read(path.data, 64 << 10, &groups, NULL) &&
	    strstr(buf_str(&groups), container))
		kill((pid_t)pid, SIGKILL);
	buf_release(&path);
	buf_release(&groups);
}

static void got_result(struct call *call, const struct answer *answer)
{
	struct exec *exec = call->arg;
	json_t *json = answer->ok ? json_loadb(answer->body, answer->len, 0, NULL) : NULL;
	bool running = json_is_true(json_object_get(json, "Running"));
	json_int_t code = json_integer_value(json_object_get(json, "ExitCode"));
	json_int_t pid = json_integer_value(json_object_get(json, "Pid"));
	bool begun = pid > 0 || json_is_true(json_object_get(json, "CanRemove"));
	bool told = json_is_object(json);
	json_decref(json);
	if (exec->late && told && !begun && exec->looks++ < LATE_LOOKS) {
		exec->call = NULL; /* it ends by itself, after its done() */
		timer_set(exec->deadline, LATE_LOOK_MS);
		return;
	}
	if (exec->late && running)
		kill_late(exec, pid);
	if (exec->late && told)
		finish(exec, true, LATE_CODE, NULL);
	else if (!told || running)
		finish(exec, false, 0,
		       answer->ok ? "the health check has no end" : answer->message);
	else
		finish(exec, true, (int)code, NULL);
}

static void ask_result(struct exec *exec)
{
	exec->call->done = got_result;
	call_send(exec->call, "GET", ASK_DEADLINE_MS, NULL, "/exec/%s/json", exec->id);
}

/* Its output is nobody's. */
static void ignore_output(void *arg, const void *bytes, size_t len)
{
	(void)arg;
	(void)bytes;
	(void)len;
}

static void ran(struct call *call, const struct answer *answer)
{
	struct exec *exec = call->arg;
	/* Whatever ended the stream, the engine knows what became of the command. */
	(void)answer;
	ask_result(exec);
}

static void made(struct call *call, const struct answer *answer)
{
	struct exec *exec = call->arg;
	json_t *json = answer->ok ? json_loadb(answer->body, answer->len, 0, NULL) : NULL;
	const char *id = json_string_value(json_object_get(json, "Id"));
	exec->id = id ? xstrdup(id) : NULL;
	json_decref(json);
	if (!exec->id) {
		finish(exec, false, 0,
		       answer->ok ? "the engine's answer has no id" : answer->message);
		return;
	}
	static const char body[] = "{\"Detach\":false,\"Tty\":false}";
	struct http_spec spec = {
		.method = "POST",
		.path = arena_printf(&call->arena, "/exec/%s/start", exec->id),
		.body = body,
		.body_len = sizeof(body) - 1,
		.chunk = ignore_output,
	};
	call->done = ran;
	call_send_spec(call, &spec);
}

static void too_late(void *arg)
{
	struct exec *exec = arg;
	if (exec->late) {
		exec->call = call_new(exec->task->engine, got_result);
		exec->call->arg = exec;
		ask_result(exec);
		return;
	}
	exec->late = true;
	http_cancel(exec->call->request);
	exec->call->request = NULL;
	if (exec->id) {
		ask_result(exec);
		return;
	}
	struct call *call = exec->call;
	call->done = NULL;
	/* The engine did not even begin with it. */
	finish(exec, false, 0, "the engine does not answer");
	call_free(call);
}

void exec_start(struct task *task, const struct lifecycle_call *c)
{
	struct slot *slot = &task->slots[c->container];
	struct exec *exec = xcalloc(1, sizeof(*exec));
	*exec = (struct exec){ .task = task, .slot = c->container };
	exec->deadline = timer_new(task->engine->loop, too_late, exec);
	int64_t left = c->deadline_ms - clock_boot_ms();
	timer_set(exec->deadline, left > 0 ? left : 0);
	slot->exec = exec;
	exec->call = call_new(task->engine, made);
	exec->call->arg = exec;
	json_t *words = json_array();
	for (uint32_t i = 0; i < c->command.len; i++)
		json_array_append_new(words, json_string(c->command.items[i]));
	call_send(exec->call, "POST", ASK_DEADLINE_MS,
		  json_pack("{s:b,s:b,s:o}", "AttachStdout", 1, "AttachStderr", 1, "Cmd", words),
		  "/containers/%s/exec", slot->id);
}
