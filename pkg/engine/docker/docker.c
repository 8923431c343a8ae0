/* The container engine: Podman or Docker through its unix socket. */
#include "engine/docker/internal.h"

#include "fs/fs.h"
#include "log/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TASKS_MODE 0700
#define STATE_MODE 0755

/* --- where it is -------------------------------------------------------------------------------
 */

static bool is_socket(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

const char *engine_docker_usual_socket(struct arena *arena)
{
	const char *host = getenv("DOCKER_HOST"), *run = getenv("XDG_RUNTIME_DIR");
	const char *places[] = {
		host && strncmp(host, "unix://", 7) == 0 ? host + 7 : NULL,
		"/run/docker.sock",
		"/run/podman/podman.sock",
		run && *run ? arena_printf(arena, "%s/podman/podman.sock", run) : NULL,
		"/var/run/docker.sock",
	};
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (is_socket(places[i]))
			return arena_strdup(arena, places[i]);
	return NULL;
}

bool engine_docker_expected(const char *state_dir)
{
	struct arena arena;
	struct stat st;
	arena_init(&arena);
	bool expected = engine_docker_usual_socket(&arena) ||
			stat(fs_join(&arena, state_dir, ENGINE_DOCKER_FACTS_FILE), &st) == 0;
	arena_release(&arena);
	return expected;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void answer_now(void *arg)
{
	struct docker_engine *engine = arg;
	struct later *later = engine->later;
	engine->later = NULL;
	engine->later_last = &engine->later;
	while (later) {
		struct later *next = later->next;
		later->done(later->arg, later->ok, later->reason);
		free(later->reason);
		free(later);
		later = next;
	}
}

void docker_answer_later(struct docker_engine *engine, bool ok, const char *reason,
			 engine_done done, void *arg)
{
	struct later *later = xcalloc(1, sizeof(*later));
	*later = (struct later){ done, arg, ok, reason ? xstrdup(reason) : NULL, NULL };
	*engine->later_last = later;
	engine->later_last = &later->next;
	timer_set(engine->soon, 0);
}

/* --- open and close ----------------------------------------------------------------------------
 */

static void docker_close(void *self)
{
	struct docker_engine *engine = self;
	if (!engine)
		return;
	engine->closing = true;
	VEC(struct task *) tasks = { 0 };
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);)
		*vec_push(&tasks) = value;
	for (size_t i = 0; i < tasks.len; i++)
		docker_task_free(tasks.items[i]);
	vec_release(&tasks);
	while (engine->calls)
		call_free(engine->calls);
	http_client_free(engine->http);
	link_close(engine);
	pulls_close(engine);
	prepares_close(engine);
	pulled_images_close(engine);
	while (engine->later) {
		struct later *later = engine->later;
		engine->later = later->next;
		free(later->reason);
		free(later);
	}
	timer_free(engine->soon);
	timer_free(engine->images_timer);
	map_free(engine->tasks);
	arena_release(&engine->arena);
	arena_release(&engine->flavor_arena);
	char *texts[] = { engine->fleet,     engine->node, engine->state_dir,
			  engine->tasks_dir, engine->shim, engine->boot_id,
			  engine->socket,    engine->why,  engine->registry_auth,
			  engine->pause_name };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(texts[i]);
	free(engine);
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static char *join(const char *dir, const char *name)
{
	struct buf path = { 0 };
	buf_addf(&path, "%s/%s", dir, name);
	return path.data;
}

static bool docker_open(const struct engine_options *options, void **self, struct err *err)
{
	struct docker_engine *engine = xcalloc(1, sizeof(*engine));
	*engine = (struct docker_engine){
		.loop = options->loop,
		.fleet = copy(options->fleet),
		.node = copy(options->node),
		.state_dir = copy(options->state_dir),
		.tasks_dir = join(options->state_dir, "tasks"),
		.shim = copy(options->shim),
		.boot_id = copy(options->boot_id),
		.registry_auth = copy(options->registry_auth),
		.socket = copy(options->socket),
		.tasks = map_new(),
		.pulls = map_new(),
		.changed = options->changed,
		.facts_changed = options->facts_changed,
		.progress = options->progress,
		.arg = options->arg,
	};
	arena_init(&engine->arena);
	arena_init(&engine->flavor_arena);
	engine->later_last = &engine->later;
	engine->soon = timer_new(options->loop, answer_now, engine);
	engine->images_timer = timer_new(options->loop, pulled_images_look, engine);
	link_start(engine);
	if (!fs_mkdirs(engine->state_dir, STATE_MODE, err) ||
	    !fs_mkdirs(engine->tasks_dir, TASKS_MODE, err) || !records_load(engine, err)) {
		docker_close(engine);
		return false;
	}
	pulled_images_load(engine);
	link_restore(engine);
	*self = engine;
	return true;
}

static void docker_set_fleet(void *self, const char *fleet)
{
	struct docker_engine *engine = self;
	bool same = (!fleet && !engine->fleet) ||
		    (fleet && engine->fleet && strcmp(fleet, engine->fleet) == 0);
	free(engine->fleet);
	engine->fleet = copy(fleet);
	if (!same)
		link_set_fleet(engine);
}

static bool docker_facts(void *self, struct arena *arena, struct engine_facts *out, struct err *err)
{
	const struct docker_engine *engine = self;
	const struct flavor *f = &engine->flavor;
	if (!engine->flavor_known)
		return err_set(err, 0, "%s", engine->why ? engine->why : "it was not asked yet");
	*out = (struct engine_facts){
		.engine = { .kind = ENGINE_CONTAINER,
			    .name = arena_strdup(arena, f->name),
			    .version = arena_strdup(arena, f->version) },
		.capabilities = flavor_capabilities(f, arena),
		.os_type = arena_strdup(arena, f->os_type),
		.architecture = arena_strdup(arena, f->architecture),
		.cpus = f->cpus,
		.memory_mib = f->memory_mib,
	};
	return true;
}

/* --- tasks -------------------------------------------------------------------------------------
 */

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct node_task *)a)->id, ((const struct node_task *)b)->id);
}

static bool docker_list(void *self, struct arena *arena, struct node_task **tasks, uint32_t *count,
			struct err *err)
{
	const struct docker_engine *engine = self;
	void *value;
	*tasks = ARENA_ARRAY(arena, struct node_task, map_count(engine->tasks));
	*count = 0;
	if (!engine->fleet)
		return err_set(err, 0, "the fleet is not known yet");
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);) {
		const struct task *task = value;
		if (docker_task_is_ours(task))
			docker_task_describe(task, arena, &(*tasks)[(*count)++]);
	}
	qsort(*tasks, *count, sizeof(**tasks), by_id);
	if (engine->link == LINK_UP)
		return true;
	/* The first time it is only a moment: nothing to tell of. */
	return err_set(err, 0, "%s", engine->why ? engine->why : "");
}

static struct task *make_task(struct docker_engine *engine, const char *id,
			      const struct wire_desired_task *from,
			      const struct str_map *environment)
{
	struct task *task = docker_task_new(engine, id);
	struct arena *arena = &task->arena;
	task->id = (struct task_identity){
		.fleet = arena_strdup(arena, engine->fleet),
		.node = arena_strdup(arena, engine->node),
		.cluster = arena_strdup(arena, from->cluster),
		.service = arena_strdup(arena, from->service),
		.task = task->id.task,
		.family = arena_strdup(arena, from->family),
		.deployment = arena_strdup(arena, from->deployment),
		.revision = from->revision,
		.target = from->target,
	};
	task->identified = true;
	task->td = schema_copy(&task_definition_schema, from->task_definition, arena);
	task->boot_id = arena_strdup(arena, engine->boot_id);
	task->created_unix_ms = clock_unix_ms();
	task->stage = STAGE_IMAGES;
	docker_task_set_texts(task, environment, &from->images);
	return task;
}

static void docker_start(void *self, const char *id, const struct wire_desired_task *desired,
			 const struct str_map *environment, engine_done done, void *arg)
{
	struct docker_engine *engine = self;
	uint32_t count = desired->task_definition->container_definitions.len;
	struct err err;
	const char *wrong = !engine->fleet		   ? "the fleet is not known yet"
			    : !name_valid(id)		   ? "the task's id is no name"
			    : strlen(id) > UUID_TEXT_LEN   ? "the task's id is too long"
			    : docker_task_find(engine, id) ? "there is such a task already"
			    : !count || count > LIMIT_CONTAINERS
				    ? "it has too many containers, or none"
				    : NULL;
	if (wrong) {
		docker_answer_later(engine, false, wrong, done, arg);
		return;
	}
	struct task *task = make_task(engine, id, desired, environment);
	task->started = done;
	task->started_arg = arg;
	bool recorded = record_save(task, true, &err), new = recorded && engine->link == LINK_UP;
	/* Of a new id the engine has nothing; what a stranger has under its names the create tells.
	 */
	for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
		struct slot *slot = &task->slots[docker_task_slot_at(task, n)];
		slot->known = new;
		slot->dirty = !new;
		if (new)
			slot->state.state = CONTAINER_ABSENT;
	}
	if (!recorded) {
		err_wrap(&err, "ResourceInitializationError: the task's record");
		docker_task_fail(task, err.text);
		task->stage = STAGE_LIFE;
	} else if (new) {
		prepare_task_images(task);
	}
	tasks_inspect(engine);
}

static void docker_stop(void *self, const char *id, const char *reason, engine_done done, void *arg)
{
	struct docker_engine *engine = self;
	struct task *task = docker_task_find(engine, id);
	struct err err;
	bool alive = task && task->wish == LIFECYCLE_RUN && task->out.status != TASK_STOPPED;
	if (alive) {
		task->wish = LIFECYCLE_STOPPED;
		task->stop_asked = true;
		task->stop_reason = arena_strdup(&task->arena, reason);
		/* What a full disk does not take is no reason not to stop. */
		if (!record_save(task, true, &err))
			log_warn("a task's record could not be kept", "task", id, "reason",
				 err.text);
		docker_task_step(task);
	}
	docker_answer_later(engine, true, NULL, done, arg);
}

static void docker_remove(void *self, const char *id, engine_done done, void *arg)
{
	struct docker_engine *engine = self;
	struct task *task = docker_task_find(engine, id);
	const char *wrong = !task			       ? NULL
			    : engine->link != LINK_UP	       ? "the engine is away"
			    : task->out.status != TASK_STOPPED ? "the task has not stopped"
			    : task->removed		       ? "it is being removed"
							       : NULL;
	if (!task || wrong) {
		docker_answer_later(engine, !wrong, wrong, done, arg);
		return;
	}
	task->wish = LIFECYCLE_REMOVED;
	task->cleaned = task->keeps_record = false;
	task->removed = done;
	task->removed_arg = arg;
	record_save(task, false, NULL);
	docker_task_step(task);
}

/* Its last words are heard first: they are in the record from then on. */
void docker_task_clean(struct task *task)
{
	struct err err;
	for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
		if (task->slots[i].tail_asked)
			return;
	task->wish = LIFECYCLE_REMOVED;
	if (!record_save(task, false, &err))
		log_warn("a task's record could not be kept", "task", task->id.task, "reason",
			 err.text);
	docker_task_step(task);
}

static void docker_clean(void *self, const char *id, engine_done done, void *arg)
{
	struct docker_engine *engine = self;
	struct task *task = docker_task_find(engine, id);
	bool cleaned = !task || task->cleaned;
	const char *wrong = cleaned			       ? NULL
			    : engine->link != LINK_UP	       ? "the engine is away"
			    : task->out.status != TASK_STOPPED ? "the task has not stopped"
			    : task->removed		       ? "it is being removed"
							       : NULL;
	if (cleaned || wrong) {
		docker_answer_later(engine, !wrong, wrong, done, arg);
		return;
	}
	task->keeps_record = true;
	task->removed = done;
	task->removed_arg = arg;
	docker_task_clean(task);
}

static void docker_define(void *self, const char *id, const struct wire_desired_task *desired,
			  const struct str_map *environment)
{
	struct docker_engine *engine = self;
	struct task *task = docker_task_find(engine, id);
	if (task && task->synthetic && engine->link == LINK_UP && task->wish == LIFECYCLE_RUN &&
	    task->out.status != TASK_STOPPED)
		docker_task_define(task, desired, environment);
}

const struct engine_ops engine_docker_ops = {
	.name = "docker",
	.kind = ENGINE_CONTAINER,
	.open = docker_open,
	.close = docker_close,
	.set_fleet = docker_set_fleet,
	.facts = docker_facts,
	.list = docker_list,
	.prepare = docker_prepare,
	.start = docker_start,
	.stop = docker_stop,
	.clean = docker_clean,
	.remove = docker_remove,
	.define = docker_define,
};
