/*
 * Is the engine there, who is it, and what is ours of what it has? GET /version, /info, /events and
 * the list, in this order and again whenever the connection failed; then the events, and the list
 * every RELIST_MS.
 */
#include "engine/docker/internal.h"

#include "fs/fs.h"
#include "log/log.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_BEFORE_S 2    /* events of so long before the list are read: none falls between */
#define EVENTS_AGAIN_MS 1000 /* a stream that ended at once is not opened again at once */

/* --- away --------------------------------------------------------------------------------------
 */

static void try_later(struct docker_engine *engine)
{
	timer_set(engine->retry, engine->retry_ms);
	engine->retry_ms =
		engine->retry_ms * 2 > RECONNECT_MAX_MS ? RECONNECT_MAX_MS : engine->retry_ms * 2;
}

void link_failed(struct docker_engine *engine, const char *why)
{
	struct call *events = engine->events;
	engine->events = NULL;
	if (events)
		call_free(events);
	timer_clear(engine->relist);
	timer_clear(engine->reopen);
	bool was_up = engine->link == LINK_UP;
	engine->link = LINK_DOWN;
	bool news = was_up || !engine->why || strcmp(engine->why, why) != 0;
	char *copy = xstrdup(why); /* it may be engine->why */
	free(engine->why);
	engine->why = copy;
	tasks_unknown(engine);
	if (was_up)
		engine->retry_ms = RECONNECT_MIN_MS;
	try_later(engine);
	if (news)
		engine->changed(engine->arg);
}

/* A pull may take its time, and a stop; what cannot be reached at all, or does not even tell what
 * it has, is away. */
void link_suspect(const struct call *call, const struct answer *answer)
{
	static const int gone[] = { ENOENT, ECONNREFUSED, ECONNRESET, EACCES, EPIPE, ENOTSOCK };
	bool away = call->probes && answer->code == ETIMEDOUT;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		away |= answer->code == gone[i];
	if (away && call->engine->link == LINK_UP)
		link_failed(call->engine, answer->message);
}

/* The socket's directory has changed: perhaps it is back. */
static void place_changed(void *arg, const char *dir, const char *name)
{
	struct docker_engine *engine = arg;
	const char *slash = engine->socket ? strrchr(engine->socket, '/') : NULL;
	(void)dir;
	if (engine->link == LINK_DOWN && slash && (!name || strcmp(name, slash + 1) == 0))
		timer_set(engine->retry, 0);
}

static void watch_place(struct docker_engine *engine)
{
	char *dir = xstrdup(engine->socket), *slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	engine->watcher = watcher_new(engine->loop, place_changed, engine, NULL);
	/* Without the watch it is found a little later. */
	if (engine->watcher)
		watcher_add(engine->watcher, dir, NULL);
	free(dir);
}

/* --- facts -------------------------------------------------------------------------------------
 */

static const char *facts_path(struct docker_engine *engine, struct arena *arena)
{
	return fs_join(arena, engine->state_dir, ENGINE_DOCKER_FACTS_FILE);
}

static struct digest digest_of_flavor(const struct flavor *f, struct arena *arena)
{
	struct buf text = { 0 };
	struct str_list capabilities = flavor_capabilities(f, arena);
	buf_addf(&text, "%s %s %s %s %s %u %u", f->name, f->version, f->api,
		 f->os_type ? f->os_type : "", f->architecture ? f->architecture : "", f->cpus,
		 f->memory_mib);
	for (uint32_t i = 0; i < capabilities.len; i++)
		buf_addf(&text, " %s", capabilities.items[i]);
	struct digest digest = digest_of(text.data, text.len);
	buf_release(&text);
	return digest;
}

/* task_limits: as an earlier agent found out; NULL: to be tried. True: it is usable. */
static bool take_flavor(struct docker_engine *engine, const json_t *version, const json_t *info,
			const json_t *task_limits, struct err *err)
{
	struct arena arena;
	struct flavor flavor;
	arena_init(&arena);
	if (!flavor_read(version, info, &arena, &flavor, err)) {
		arena_release(&arena);
		return false;
	}
	flavor.task_limits =
		task_limits ? json_is_true(task_limits) : groups_usable(engine, &flavor);
	struct digest digest = digest_of_flavor(&flavor, &arena);
	arena_release(&engine->flavor_arena);
	engine->flavor_arena = arena;
	engine->flavor = flavor;
	engine->flavor_known = true;
	engine->flavor_digest = digest;
	return true;
}

static void keep_facts(struct docker_engine *engine, json_t *version, json_t *info)
{
	struct buf bytes = { 0 };
	struct arena arena;
	struct err err;
	arena_init(&arena);
	json_t *object = json_pack("{s:s,s:O,s:O,s:b}", "socket", engine->socket, "version",
				   version, "info", info, "taskLimits", engine->flavor.task_limits);
	wire_seal(ENGINE_DOCKER_FACTS_KIND, NULL, object, &bytes);
	if (!fs_write(facts_path(engine, &arena), bytes.data, bytes.len, 0600, FS_IF_CHANGED, NULL,
		      &err))
		log_warn("what the engine is could not be kept", "reason", err.text);
	json_decref(object);
	buf_release(&bytes);
	arena_release(&arena);
}

bool link_restore(struct docker_engine *engine)
{
	struct buf bytes = { 0 };
	struct arena arena;
	struct err err;
	arena_init(&arena);
	bool ok = fs_read(facts_path(engine, &arena), ENGINE_DOCKER_FACTS_BYTES, &bytes, NULL);
	json_t *object =
		ok ? wire_open(bytes.data, bytes.len, ENGINE_DOCKER_FACTS_KIND, NULL, NULL) : NULL;
	const char *socket = json_string_value(json_object_get(object, "socket"));
	/* The tasks are where they were: a second engine on this machine is not taken for it. */
	if (socket && !engine->socket)
		engine->socket = xstrdup(socket);
	json_t *limits = json_boolean(json_is_true(json_object_get(object, "taskLimits")));
	ok = socket && strcmp(socket, engine->socket) == 0 &&
	     take_flavor(engine, json_object_get(object, "version"),
			 json_object_get(object, "info"), limits, &err);
	json_decref(limits);
	json_decref(object);
	buf_release(&bytes);
	arena_release(&arena);
	return ok;
}

/* --- what is ours ------------------------------------------------------------------------------
 */

static const char *filters(struct docker_engine *engine, bool events, struct arena *arena)
{
	json_t *object = json_pack("{s:[s,s]}", "label",
				   arena_printf(arena, LABEL_FLEET "=%s", engine->fleet),
				   arena_printf(arena, LABEL_NODE "=%s", engine->node));
	if (events)
		json_object_set_new(object, "type", json_pack("[s]", "container"));
	char *text = json_dumps(object, JSON_COMPACT);
	const char *encoded = query_text(arena, text);
	free(text);
	json_decref(object);
	return encoded;
}

static void take_listed(struct docker_engine *engine, const struct listed *l)
{
	/* An engine that knows no filters would show us others'. */
	if (strcmp(l->fleet, engine->fleet) != 0 || strcmp(l->node, engine->node) != 0)
		return;
	struct task *task = docker_task_found(engine, l);
	int slot = task ? docker_task_slot(task, l->container) : -1;
	if (slot < 0)
		return;
	if (!task->slots[slot].id)
		task->slots[slot].id = xstrdup(l->id);
}

/* Of each container that is listed or was known the state is asked for. */
static void got_list(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	struct listed *list;
	uint32_t count;
	struct err err;
	if (engine->link != LINK_LISTING && engine->link != LINK_UP)
		return;
	if (!answer->ok) {
		link_failed(engine, answer->message);
		return;
	}
	if (!inspect_list(answer->body, answer->len, &call->arena, &list, &count, &err)) {
		link_failed(engine, err.text);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		take_listed(engine, &list[i]);
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);) {
		struct task *task = value;
		for (uint32_t n = 0; n < docker_task_slot_count(task); n++) {
			struct slot *slot = &task->slots[docker_task_slot_at(task, n)];
			slot->dirty |= slot->id || !slot->known;
		}
	}
	timer_set(engine->relist, RELIST_MS);
	if (engine->groups_left && engine->link == LINK_UP)
		groups_sweep(engine);
	tasks_inspect(engine);
}

static void list(void *arg)
{
	struct docker_engine *engine = arg;
	struct call *call = call_new(engine, got_list);
	call->max_bytes = LIST_MAX_BYTES;
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/containers/json?all=1&filters=%s",
		  filters(engine, false, &call->arena));
}

static void got_ping(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	if (engine->link != LINK_LISTING && engine->link != LINK_UP)
		return;
	if (answer->none)
		link_failed(engine, answer->message);
	else
		list(engine);
}

/* A list may take its time where a pull keeps the engine's storage busy; whether it lives at all is
 * asked first. */
static void relist(void *arg)
{
	struct call *call = call_new(arg, got_ping);
	call_send(call, "GET", PING_DEADLINE_MS, NULL, "/_ping");
}

static bool is_known(void *arg, const char *id)
{
	return docker_task_find(arg, id) != NULL;
}

void link_listed(struct docker_engine *engine)
{
	struct engine_files files = DOCKER_FILES(engine);
	if (engine->link != LINK_LISTING)
		return;
	engine_files_sweep(&files, is_known, engine);
	groups_sweep(engine);
	engine->link = LINK_UP;
	engine->retry_ms = RECONNECT_MIN_MS;
	free(engine->why);
	engine->why = NULL;
	VEC(struct task *) tasks = { 0 };
	void *value;
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);)
		*vec_push(&tasks) = value;
	for (size_t i = 0; i < tasks.len; i++) {
		struct task *task = tasks.items[i];
		if (task->stage == STAGE_IMAGES && docker_task_is_ours(task) &&
		    task->wish == LIFECYCLE_RUN)
			prepare_task_images(task);
		docker_task_step(task);
	}
	vec_release(&tasks);
	prepares_resume(engine);
	pulled_images_look(engine);
	engine->changed(engine->arg);
}

/* --- events ------------------------------------------------------------------------------------
 */

/* A health check is our own doing, and tells nothing of the container. */
static bool is_noise(const char *action)
{
	return strncmp(action, "exec_", 5) == 0 || strcmp(action, "exec") == 0 ||
	       strcmp(action, "exec_died") == 0 || strncmp(action, "health_status", 13) == 0 ||
	       strcmp(action, "top") == 0 || strcmp(action, "resize") == 0 ||
	       strcmp(action, "attach") == 0;
}

/* Of our own create or start: the container is asked for when that is answered, not now as well. */
static bool is_our_call(const struct slot *slot, const char *action)
{
	bool starts = slot->busy == LIFECYCLE_START;
	return ((slot->busy == LIFECYCLE_CREATE || starts) && strcmp(action, "create") == 0) ||
	       (starts && strcmp(action, "start") == 0);
}

static void got_event(void *arg, const char *text, size_t len)
{
	struct call *call = arg;
	struct docker_engine *engine = call->engine;
	struct container_event event;
	struct arena arena;
	arena_init(&arena);
	bool ours = inspect_event(text, len, &arena, &event) && !is_noise(event.action) &&
		    event.task && event.container && event.fleet && event.node && engine->fleet &&
		    strcmp(event.fleet, engine->fleet) == 0 &&
		    strcmp(event.node, engine->node) == 0;
	struct task *task = ours ? docker_task_find(engine, event.task) : NULL;
	int slot = task ? docker_task_slot(task, event.container) : -1;
	bool our_call = slot >= 0 && is_our_call(&task->slots[slot], event.action);
	if (slot >= 0 && !our_call)
		docker_task_dirty(task, (uint32_t)slot);
	else if (slot < 0 && ours && engine->link == LINK_UP)
		timer_set(engine->relist, 0); /* one that we do not know */
	arena_release(&arena);
}

static void events_ended(void *arg, const struct http_answer *answer)
{
	struct call *call = arg;
	struct docker_engine *engine = call->engine;
	call->request = NULL;
	engine->events = NULL;
	/* Podman ends its stream now and then, as when it begins another file of events. */
	int64_t lived_ms = clock_monotonic_ms() - engine->events_since_ms;
	if (answer->ok && answer->status == 200)
		timer_set(engine->reopen, lived_ms < EVENTS_AGAIN_MS ? EVENTS_AGAIN_MS : 0);
	else
		link_failed(engine,
			    answer->ok ? "the engine has no stream of events" : answer->err.text);
	call_free(call);
}

static void follow_events(struct docker_engine *engine)
{
	struct call *call = call_new(engine, NULL);
	int64_t since = clock_unix_ms() / 1000 - EVENTS_BEFORE_S;
	struct http_spec spec = {
		.method = "GET",
		.path = arena_printf(&call->arena, "/v%s/events?since=%lld&filters=%s",
				     engine->flavor.api, (long long)since,
				     filters(engine, true, &call->arena)),
		.max_bytes = EVENT_MAX_BYTES,
		.value = got_event,
	};
	engine->events = call;
	engine->events_since_ms = clock_monotonic_ms();
	call->request = http_request(engine->http, &spec, events_ended, call);
}

/* --- who is it? --------------------------------------------------------------------------------
 */

static void begin_listing(struct docker_engine *engine)
{
	engine->link = LINK_LISTING;
	follow_events(engine);
	list(engine);
}

static void reopen_events(void *arg)
{
	struct docker_engine *engine = arg;
	if ((engine->link != LINK_LISTING && engine->link != LINK_UP) || engine->events)
		return;
	follow_events(engine);
	relist(engine);
}

void link_set_fleet(struct docker_engine *engine)
{
	if (engine->link == LINK_IDLE && engine->fleet)
		begin_listing(engine);
	else if (engine->link == LINK_LISTING || engine->link == LINK_UP)
		link_failed(engine, "the fleet has changed");
}

static void got_info(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	struct err err;
	struct digest before = engine->flavor_digest;
	json_t *info = answer->ok ? json_loadb(answer->body, answer->len, 0, NULL) : NULL;
	bool usable = false;
	if (!answer->ok)
		err_set(&err, 0, "%s", answer->message);
	else if (!info)
		err_set(&err, 0, "what answers is no container engine");
	else
		usable = take_flavor(engine, call->json, info, NULL, &err);
	if (!usable) {
		json_decref(info);
		link_failed(engine, err.text);
		return;
	}
	keep_facts(engine, call->json, info);
	json_decref(info);
	if (!digest_equal(&before, &engine->flavor_digest)) {
		log_info("container engine", "name", engine->flavor.name, "version",
			 engine->flavor.version, "socket", engine->socket);
		if (engine->facts_changed)
			engine->facts_changed(engine->arg);
	}
	engine->link = LINK_IDLE;
	if (engine->fleet)
		begin_listing(engine);
}

static void got_version(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	if (!answer->ok) {
		link_failed(engine, answer->message);
		return;
	}
	call->json = json_loadb(answer->body, answer->len, 0, NULL);
	if (!json_is_object(call->json)) {
		link_failed(engine, "what answers is no container engine");
		return;
	}
	call->done = got_info;
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/info");
}

static void ask_version(struct docker_engine *engine)
{
	struct call *call = call_new(engine, got_version);
	engine->link = LINK_ASKING;
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/version");
}

/* --- trying ------------------------------------------------------------------------------------
 */

static bool find_engine(struct docker_engine *engine, struct err *err)
{
	struct arena arena;
	arena_init(&arena);
	const char *found = engine->socket ? engine->socket : engine_docker_usual_socket(&arena);
	if (found && !engine->http) {
		const char *base = arena_printf(&arena, "unix://%s", found);
		engine->http = http_client_new(engine->loop, base, NULL, err);
		if (engine->http && !engine->socket)
			engine->socket = xstrdup(found);
		if (engine->http)
			watch_place(engine);
	} else if (!found) {
		err_set(err, ENOENT, "no socket of Docker or Podman at one of the usual places");
	}
	arena_release(&arena);
	return engine->http != NULL;
}

static void try_now(void *arg)
{
	struct docker_engine *engine = arg;
	struct err err;
	if (engine->link != LINK_DOWN)
		return;
	if (find_engine(engine, &err))
		ask_version(engine);
	else
		link_failed(engine, err.text);
}

void link_start(struct docker_engine *engine)
{
	engine->retry = timer_new(engine->loop, try_now, engine);
	engine->relist = timer_new(engine->loop, relist, engine);
	engine->reopen = timer_new(engine->loop, reopen_events, engine);
	engine->retry_ms = RECONNECT_MIN_MS;
	timer_set(engine->retry, 0);
}

void link_close(struct docker_engine *engine)
{
	timer_free(engine->retry);
	timer_free(engine->relist);
	timer_free(engine->reopen);
	watcher_free(engine->watcher);
}
