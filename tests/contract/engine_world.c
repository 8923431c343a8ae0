#include "engine_world.h"

#include "fs/fs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define POLL_MS 5 /* for what sends no event: processes, files of a task */

static void changed(void *arg)
{
	struct world *w = arg;
	w->changes++;
	loop_stop(w->loop);
}

static void stop_loop(void *arg)
{
	struct world *w = arg;
	loop_stop(w->loop);
}

static void find_programs(struct world *w)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	/* BUILD/tests/contract/NAME.t */
	for (int i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	w->bin = arena_printf(&w->arena, "%s/bin", path);
	w->testtask = arena_printf(&w->arena, "%s/tests/helpers/testtask", path);
}

static bool listable(struct world *w, void *arg)
{
	struct node_task *tasks;
	uint32_t count;
	(void)arg;
	return w->ops->list(w->engine, &w->arena, &tasks, &count, NULL);
}

void world_wait_listable(struct world *w)
{
	world_wait(w, listable, NULL, "the engine to be asked");
}

void world_begin_open(struct world *w)
{
	struct err err;
	struct engine_options options = {
		.loop = w->loop,
		.fleet = w->fleet,
		.node = w->node,
		.state_dir = w->state_dir,
		.shim = arena_printf(&w->arena, "%s/muster-shim", w->bin),
		.boot_id = w->boot,
		.socket = w->socket,
		.registry_auth = w->registry_auth,
		.changed = changed,
		.arg = w,
	};
	if (!w->ops->open(&options, &w->engine, &err))
		fail_msg("open: %s", err.text);
}

void world_open(struct world *w)
{
	world_begin_open(w);
	if (w->fleet && !w->away)
		world_wait_listable(w);
}

void world_close(struct world *w)
{
	w->ops->close(w->engine);
	w->engine = NULL;
}

static void init(struct world *w, const struct engine_ops *ops, const char *away)
{
	const char *tmp = getenv("TMPDIR");
	*w = (struct world){ .ops = ops, .fleet = WORLD_FLEET, .boot = WORLD_BOOT };
	arena_init(&w->arena);
	snprintf(w->dir, sizeof(w->dir), "%s/engine-XXXXXX",
		 tmp && strlen(tmp) < 32 ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	w->socket = away ? world_path(w, away) : getenv("ENGINE_SOCKET");
	w->away = away != NULL;
	w->node = arena_printf(&w->arena, "n-%s", strrchr(w->dir, '-') + 1);
	w->state_dir = world_path(w, "state");
	find_programs(w);
	w->loop = loop_new();
	w->patience = timer_new(w->loop, stop_loop, w);
	world_open(w);
}

void world_init(struct world *w, const struct engine_ops *ops)
{
	init(w, ops, NULL);
}

void world_init_away(struct world *w, const struct engine_ops *ops, const char *socket)
{
	init(w, ops, socket);
}

const char *world_path(struct world *w, const char *name)
{
	return arena_printf(&w->arena, "%s/%s", w->dir, name);
}

/* --- waiting -----------------------------------------------------------------------------------
 */

void world_wait(struct world *w, bool (*holds)(struct world *w, void *arg), void *arg,
		const char *what)
{
	int64_t end = clock_monotonic_ms() + WORLD_PATIENCE_MS;
	while (!holds(w, arg)) {
		if (clock_monotonic_ms() > end)
			fail_msg("waited too long: %s", what);
		timer_set(w->patience, POLL_MS);
		loop_run(w->loop);
	}
	timer_clear(w->patience);
}

static bool came(struct world *w, void *arg)
{
	(void)w;
	return ((struct answer *)arg)->came;
}

static void take_answer(void *arg, bool ok, const char *reason)
{
	struct answer *answer = arg;
	assert_false(answer->came);
	answer->came = true;
	answer->ok = ok;
	snprintf(answer->reason, sizeof(answer->reason), "%s", reason ? reason : "");
	loop_stop(answer->world->loop);
}

static void take_prepared(void *arg, bool ok, const char *reason, const struct str_map *images)
{
	struct answer *answer = arg;
	if (images && images->len)
		snprintf(answer->image, sizeof(answer->image), "%s", images->items[0].value);
	take_answer(arg, ok, reason);
}

struct wait_status {
	const char *id;
	enum task_status status;
	const struct node_task *found;
};
static bool has_status(struct world *w, void *arg)
{
	struct wait_status *s = arg;
	s->found = world_find(w, s->id);
	return s->found && s->found->status == s->status;
}

const struct node_task *world_wait_status(struct world *w, const char *id, enum task_status status)
{
	struct wait_status s = { id, status, NULL };
	world_wait(w, has_status, &s, task_status_name(status));
	return s.found;
}

static bool exists(struct world *w, void *arg)
{
	(void)w;
	return access(arg, F_OK) == 0;
}

void world_wait_file(struct world *w, const char *path)
{
	world_wait(w, exists, (void *)path, path);
}

char *world_read(struct world *w, const char *path)
{
	struct buf text = { 0 };
	fs_read(path, 64 << 20, &text, NULL);
	char *copy = arena_strndup(&w->arena, buf_str(&text), text.len);
	buf_release(&text);
	return copy;
}

long world_wait_pid(struct world *w, const char *path)
{
	world_wait_file(w, path);
	long pid = strtol(world_read(w, path), NULL, 10);
	assert_true(pid > 1);
	return pid;
}

bool world_alive(long pid)
{
	char path[64], state = 'X';
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1) /* NOLINT(cert-err34-c) */
		state = 'X';
	fclose(f);
	return state != 'Z' && state != 'X';
}

static bool gone(struct world *w, void *arg)
{
	(void)w;
	return !world_alive(*(long *)arg);
}

void world_wait_gone(struct world *w, long pid)
{
	world_wait(w, gone, &pid, "a process to end");
}

static bool unlisted(struct world *w, void *arg)
{
	return !world_find(w, arg);
}

void world_wait_removed(struct world *w, const char *id)
{
	world_wait(w, unlisted, (void *)id, "a task to be removed");
}

struct wait_log {
	const char *path, *text, *found;
};
static bool has_text(struct world *w, void *arg)
{
	struct wait_log *l = arg;
	l->found = world_read(w, l->path);
	return strstr(l->found, l->text) != NULL;
}

const char *world_wait_log(struct world *w, const char *service, const char *container,
			   const char *text)
{
	const char *dir =
		engine_log_dir(&w->arena, w->state_dir, DEFAULT_CLUSTER, service, container);
	struct wait_log l = { arena_printf(&w->arena, "%s/current", dir), text, NULL };
	world_wait(w, has_text, &l, text);
	return l.found;
}

/* --- tasks -------------------------------------------------------------------------------------
 */

static void set_words(struct world *w, struct container_definition *c, const char *name,
		      const char *const *words)
{
	bool contained = w->ops->kind == ENGINE_CONTAINER;
	c->name = name;
	c->image = contained ? WORLD_IMAGE : NULL;
	c->command.items = ARENA_ARRAY(&w->arena, const char *, 32);
	c->command.set = true;
	c->command.items[c->command.len++] = contained ? "/bin/testtask" : w->testtask;
	/* The first process of a container is not ended by a signal that it does not take. */
	if (contained)
		c->command.items[c->command.len++] = "term-exit=143";
	for (; *words; words++)
		c->command.items[c->command.len++] = *words;
}

struct wire_desired_task *world_task_of(struct world *w, const char *service,
					const char *const *words)
{
	struct wire_desired_task *task = ARENA_NEW(&w->arena, struct wire_desired_task);
	struct task_definition *td = ARENA_NEW(&w->arena, struct task_definition);
	td->family.value = arena_printf(&w->arena, "%s-family", service);
	td->container_definitions.items =
		ARENA_ARRAY(&w->arena, struct container_definition, LIMIT_CONTAINERS);
	td->container_definitions.len = 1;
	td->container_definitions.set = true;
	*task = (struct wire_desired_task){ .cluster = DEFAULT_CLUSTER,
					    .service = service,
					    .family = td->family.value,
					    .revision = 7,
					    .target = digest_of(service, strlen(service)),
					    .deployment = "ecs-svc/1234567890123456789",
					    .task_definition = td };
	set_words(w, &td->container_definitions.items[0], "main", words);
	return task;
}

struct container_definition *world_container(struct wire_desired_task *task, uint32_t index)
{
	return &task->task_definition->container_definitions.items[index];
}

struct container_definition *world_add_container_of(struct world *w, struct wire_desired_task *task,
						    const char *name, const char *const *words)
{
	struct task_definition *td = (struct task_definition *)task->task_definition;
	struct container_definition *c = world_container(task, td->container_definitions.len++);
	set_words(w, c, name, words);
	return c;
}

/* --- operations --------------------------------------------------------------------------------
 */

struct answer world_prepare(struct world *w, const struct wire_desired_task *task)
{
	struct answer a = { .world = w };
	w->ops->prepare(w->engine, task, take_prepared, &a);
	world_wait(w, came, &a, "the answer of a prepare");
	return a;
}

void world_begin_start(struct world *w, const char *id, const struct wire_desired_task *task,
		       struct answer *answer)
{
	struct str_pair pairs[] = { { "MUSTER_NODE", w->node },
				    { "MUSTER_SERVICE", task->service },
				    { "MUSTER_TASK", id } };
	struct str_map environment = { .items = pairs, .len = ARRAY_LEN(pairs), .set = true };
	*answer = (struct answer){ .world = w };
	w->ops->start(w->engine, id, task, &environment, take_answer, answer);
}

struct answer world_start(struct world *w, const char *id, const struct wire_desired_task *task)
{
	struct answer a;
	world_begin_start(w, id, task, &a);
	world_wait(w, came, &a, "the answer of a start");
	return a;
}

struct answer world_stop(struct world *w, const char *id, const char *reason)
{
	struct answer a = { .world = w };
	w->ops->stop(w->engine, id, reason, take_answer, &a);
	world_wait(w, came, &a, "the answer of a stop");
	return a;
}

struct answer world_remove(struct world *w, const char *id)
{
	struct answer a = { .world = w };
	w->ops->remove(w->engine, id, take_answer, &a);
	world_wait(w, came, &a, "the answer of a remove");
	return a;
}

struct answer world_clean(struct world *w, const char *id)
{
	struct answer a = { .world = w };
	w->ops->clean(w->engine, id, take_answer, &a);
	world_wait(w, came, &a, "the answer of a clean");
	return a;
}

/* --- list --------------------------------------------------------------------------------------
 */

static struct node_task *list(struct world *w, uint32_t *count)
{
	struct node_task *tasks;
	struct err err;
	if (!w->ops->list(w->engine, &w->arena, &tasks, count, &err))
		fail_msg("list: %s", err.text);
	return tasks;
}

const struct node_task *world_find(struct world *w, const char *id)
{
	uint32_t count;
	struct node_task *tasks = list(w, &count);
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(tasks[i].id, id) == 0)
			return &tasks[i];
	return NULL;
}

uint32_t world_count(struct world *w)
{
	uint32_t count;
	list(w, &count);
	return count;
}

/* Does any process have the directory of the test in its command line? */
static long process_left(struct world *w)
{
	struct buf text = { 0 };
	long found = 0;
	DIR *proc = opendir("/proc");
	assert_non_null(proc);
	for (struct dirent *d; (d = readdir(proc)) && !found;) {
		char path[300], chunk[4096];
		snprintf(path, sizeof(path), "/proc/%s/environ", d->d_name);
		FILE *f = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		size_t n = f ? fread(chunk, 1, sizeof(chunk) - 1, f) : 0;
		if (f)
			fclose(f);
		buf_reset(&text);
		buf_addf(&text, "MUSTER_NODE=%s", w->node);
		if (n && memmem(chunk, n, text.data, text.len))
			found = strtol(d->d_name, NULL, 10);
	}
	closedir(proc);
	buf_release(&text);
	return found;
}

static bool all_stopped(struct world *w, void *arg)
{
	uint32_t count;
	struct node_task *tasks = list(w, &count);
	(void)arg;
	for (uint32_t i = 0; i < count; i++)
		if (tasks[i].status != TASK_STOPPED)
			return false;
	return true;
}

static void end_tasks(struct world *w)
{
	uint32_t count;
	struct node_task *tasks = list(w, &count);
	for (uint32_t i = 0; i < count; i++)
		world_stop(w, tasks[i].id, "end of the test");
	world_wait(w, all_stopped, NULL, "all tasks to stop");
	tasks = list(w, &count);
	for (uint32_t i = 0; i < count; i++)
		assert_true(world_remove(w, tasks[i].id).ok);
	assert_int_equal(world_count(w), 0);
	long left = process_left(w);
	if (left)
		fail_msg("process %ld of the test is left", left);
}

void world_release(struct world *w)
{
	if (!w->engine)
		world_open(w);
	if (!w->away)
		end_tasks(w);
	world_close(w);
	timer_free(w->patience);
	loop_free(w->loop);
	assert_true(fs_remove_tree(w->dir, NULL));
	arena_release(&w->arena);
}

/* --- small things ------------------------------------------------------------------------------
 */

struct opt_int world_integer(int64_t value)
{
	return (struct opt_int){ .set = true, .value = value };
}

struct task_definition *world_definition(struct wire_desired_task *task)
{
	return (struct task_definition *)task->task_definition;
}

const char *world_task_file(struct world *w, const char *name)
{
	return arena_printf(&w->arena, "%s/tasks/%s", w->state_dir, name);
}

long world_parent_of(long pid)
{
	char path[64];
	long parent = 0;
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d (%*[^)]) %*c %ld", &parent), 1); /* NOLINT(cert-err34-c) */
	fclose(f);
	return parent;
}

long world_main_pid(struct world *w, const char *id)
{
	const struct node_task *t = world_find(w, id);
	assert_non_null(t);
	assert_non_null(t->containers[0].runtime_id);
	return strtol(t->containers[0].runtime_id, NULL, 10);
}

bool world_can(struct world *w, const char *capability)
{
	struct engine_facts facts;
	assert_true(w->ops->facts(w->engine, &w->arena, &facts, NULL));
	for (uint32_t i = 0; i < facts.capabilities.len; i++)
		if (strcmp(facts.capabilities.items[i], capability) == 0)
			return true;
	return false;
}
