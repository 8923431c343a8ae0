/* Logs of containers, asked of the container engine: the Docker Engine API of Docker and Podman
 * alike. Paths without a version: what is asked for here has not changed in any. */
#include "logs.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/docker/create.h"
#include "fs/fs.h"
#include "http/http.h"
#include "wire/wire.h"

#define LIST_MAX_BYTES	(16 << 20)
#define EVENT_MAX_BYTES (256 << 10)
#define DEADLINE_MS	30000

struct container {
	const char *id, *cluster, *service, *task, *name;
	int64_t created_unix_ms;
};
/* One container's output. */
struct stream {
	struct logs_engine *engine;
	struct container container;
	struct logs_output *output;
	const char *driver;
	bool tty;
	struct tasklog_frames frames;
	struct http_request *request; /* NULL: it is not read */
	struct err err;		      /* what comes is no log */
	int64_t since_unix_ms, tail;  /* as it is asked for first */
	int64_t heard_unix_ms;	      /* when something came last, or was asked for */
	bool started_again;	      /* while it was being read */
};
struct logs_engine {
	struct logs *logs;
	const char *node, *socket, *fleet; /* fleet NULL: not known */
	const char *why, *guess;
	struct http_client *client;
	int64_t listed_unix_ms;
	VEC(struct container) all, wanted;
	const char *service, *cluster; /* of what is wanted */
	const char *task;	       /* whose logs are printed; NULL: there is none */
	VEC(struct stream *) streams;
	struct http_request *events;
};

/* --- asking ------------------------------------------------------------------------------------
 */

struct asked {
	struct logs *logs;
	bool ok;
	json_t *json; /* NULL: the answer was none */
	struct err err;
};

static const char *message_of(const json_t *json, struct arena *arena, int status)
{
	const char *text = text_at(json, "message");
	return text && *text ? arena_strdup(arena, text)
			     : arena_printf(arena, "HTTP status %d", status);
}

static void listed(void *arg, const struct http_answer *answer)
{
	struct asked *asked = arg;
	asked->ok = answer->ok && answer->status / 100 == 2;
	asked->json = json_loadb(answer->body, answer->len, 0, NULL);
	if (!answer->ok)
		asked->err = answer->err;
	else if (!asked->ok)
		err_set(&asked->err, 0, "%s",
			message_of(asked->json, &asked->logs->cli->arena, answer->status));
	loop_stop(asked->logs->loop);
}

/* Who may use it, as its socket says. */
static const char *who_may(const struct logs_engine *engine)
{
	struct stat st;
	const struct group *group = NULL;
	if (stat(engine->socket, &st) == 0 && st.st_mode & S_IWGRP && st.st_gid != 0)
		group = getgrgid(st.st_gid);
	return group ? arena_printf(
			       &engine->logs->cli->arena,
			       "members of the group %s may use it, and root: run it with sudo",
			       group->gr_name)
		     : "only its owner may use it: run it with sudo";
}

/* Ask and wait. NULL: engine->why says why there is no answer. A new reference. */
static json_t *ask(struct logs_engine *engine, const char *path)
{
	struct asked asked = { .logs = engine->logs };
	http_request(engine->client,
		     &(struct http_spec){ .method = "GET",
					  .path = path,
					  .deadline_ms = DEADLINE_MS,
					  .max_bytes = LIST_MAX_BYTES },
		     listed, &asked);
	loop_run(engine->logs->loop);
	if (asked.ok && asked.json)
		return asked.json;
	json_decref(asked.json);
	engine->why = asked.ok ? "what answers is no container engine"
		      : asked.err.code == EACCES
			      ? arena_printf(&engine->logs->cli->arena, "%s: %s", asked.err.text,
					     who_may(engine))
			      : arena_strdup(&engine->logs->cli->arena, asked.err.text);
	return NULL;
}

static const char *encoded(struct arena *arena, json_t *filters)
{
	struct buf out = { 0 };
	char *text = json_dumps(filters, JSON_COMPACT);
	http_encode(&out, text);
	const char *copy = arena_strdup(arena, buf_str(&out));
	buf_release(&out);
	free(text);
	json_decref(filters);
	return copy;
}

static json_t *own_labels(const struct logs_engine *engine)
{
	struct arena *arena = &engine->logs->cli->arena;
	json_t *labels = json_array();
	json_array_append_new(labels,
			      json_string(arena_printf(arena, LABEL_NODE "=%s", engine->node)));
	if (engine->fleet)
		json_array_append_new(
			labels, json_string(arena_printf(arena, LABEL_FLEET "=%s", engine->fleet)));
	return labels;
}

/* The labels of one of ours, NULL members where it has none. False: it is not of this node. */
static bool read_labels(const struct logs_engine *engine, const json_t *labels,
			struct container *out)
{
	struct arena *arena = &engine->logs->cli->arena;
	const char *node = text_at(labels, LABEL_NODE), *fleet = text_at(labels, LABEL_FLEET);
	out->cluster = arena_strdup(arena, text_at(labels, LABEL_CLUSTER));
	out->service = arena_strdup(arena, text_at(labels, LABEL_SERVICE));
	out->task = arena_strdup(arena, text_at(labels, LABEL_TASK));
	out->name = arena_strdup(arena, text_at(labels, LABEL_CONTAINER));
	/* An engine that does not know a filter would show us others'. */
	return node && strcmp(node, engine->node) == 0 &&
	       (!engine->fleet || (fleet && strcmp(fleet, engine->fleet) == 0)) && out->cluster &&
	       out->service && out->task && out->name;
}

static bool is_wanted(const struct logs *logs, const struct container *c)
{
	return strcmp(c->name, OWNER_NAME) != 0 &&
	       logs_wants(logs, c->cluster, c->service, c->task) &&
	       (!logs->container || strcmp(c->name, logs->container) == 0);
}

static void list(struct logs_engine *engine)
{
	struct arena *arena = &engine->logs->cli->arena;
	engine->listed_unix_ms = clock_unix_ms();
	json_t *filters = json_pack("{s:o}", "label", own_labels(engine));
	json_t *answer = ask(engine, arena_printf(arena, "/containers/json?all=1&filters=%s",
						  encoded(arena, filters)));
	size_t i;
	json_t *item;
	json_array_foreach(answer, i, item)
	{
		struct container c = {
			.id = arena_strdup(arena, text_at(item, "Id")),
			.created_unix_ms =
				json_integer_value(json_object_get(item, "Created")) * 1000,
		};
		if (c.id && read_labels(engine, json_object_get(item, "Labels"), &c))
			*vec_push(&engine->all) = c;
	}
	json_decref(answer);
}

/* The socket that the agent uses. False: it has none, or why says why it is not known. */
static bool find_socket(struct logs_engine *engine)
{
	struct arena *arena = &engine->logs->cli->arena;
	const char *dir =
		arena_printf(arena, "%s/agents/%s", engine->logs->cli->state, engine->node);
	const char *path = fs_join(arena, dir, ENGINE_DOCKER_FACTS_FILE);
	struct buf bytes = { 0 };
	struct err err = { 0 };
	json_t *kept = NULL;
	if (fs_read(path, ENGINE_DOCKER_FACTS_BYTES, &bytes, &err))
		kept = wire_open(bytes.data, bytes.len, ENGINE_DOCKER_FACTS_KIND, NULL, &err);
	engine->socket = arena_strdup(arena, text_at(kept, "socket"));
	if (!engine->socket && err.code == EACCES) {
		engine->guess = path;
		engine->socket = engine_docker_usual_socket(arena);
		if (!engine->socket)
			logs_denied(engine->logs, err.code, path);
	} else if (!engine->socket && err.code != ENOENT) {
		engine->why =
			arena_printf(arena, "%s: %s", path, kept ? "it names no socket" : err.text);
	}
	json_decref(kept);
	buf_reset(&bytes);
	if (fs_read(fs_join(arena, dir, "fleet"), FLEET_ID_LEN, &bytes, NULL) &&
	    bytes.len == FLEET_ID_LEN)
		engine->fleet = arena_strdup(arena, buf_str(&bytes));
	buf_release(&bytes);
	return engine->socket != NULL;
}

struct logs_engine *logs_engine_open(struct logs *logs, const char *node)
{
	struct logs_engine *engine = xcalloc(1, sizeof(*engine));
	struct err err;
	engine->logs = logs;
	engine->node = node;
	if (find_socket(engine)) {
		const char *base = arena_printf(&logs->cli->arena, "unix://%s", engine->socket);
		engine->client = http_client_new(logs->loop, base, NULL, &err);
		if (engine->client)
			list(engine);
		else
			engine->why = arena_strdup(&logs->cli->arena, err.text);
	}
	if (engine->client || engine->why)
		return engine;
	logs_engine_free(engine);
	return NULL;
}

const char *logs_engine_why(const struct logs_engine *engine)
{
	return engine->why;
}

const char *logs_engine_guess(const struct logs_engine *engine)
{
	return engine->guess;
}

bool logs_engine_select(struct logs_engine *engine)
{
	for (size_t i = 0; i < engine->all.len; i++) {
		const struct container *c = &engine->all.items[i];
		if (!is_wanted(engine->logs, c))
			continue;
		*vec_push(&engine->wanted) = *c;
		logs_found(engine->logs, arena_printf(&engine->logs->cli->arena, "%s/%s",
						      c->cluster, c->service));
		engine->cluster = c->cluster;
		engine->service = c->service;
	}
	return engine->wanted.len > 0;
}

/* --- one container -----------------------------------------------------------------------------
 */

static const char *title(const struct stream *s)
{
	return arena_printf(&s->engine->logs->cli->arena, "container %s (%.12s)", s->container.name,
			    s->container.id);
}

/* Drivers that every engine reads; of others Docker may keep a copy to read, Podman does not. */
static bool is_readable(const char *driver)
{
	static const char *const readable[] = { "json-file", "local", "journald", "k8s-file" };
	for (size_t i = 0; driver && i < ARRAY_LEN(readable); i++)
		if (strcmp(driver, readable[i]) == 0)
			return true;
	return !driver || !*driver;
}

static void tell_failure(struct stream *s, const char *message)
{
	struct logs *logs = s->engine->logs;
	fflush(stdout); /* after what it printed */
	if (strcmp(s->driver, "none") == 0)
		logs->code = say_error(EXIT_DIFFERS,
				       "%s: its log driver is 'none': what it prints is not kept",
				       title(s));
	else if (!is_readable(s->driver))
		logs->code =
			say_error(EXIT_DIFFERS,
				  "%s: its log driver '%s' takes what it prints elsewhere, and "
				  "the engine cannot read it back: %s",
				  title(s), s->driver, message);
	else
		logs->code = say_error(EXIT_SYSTEM, "%s: %s", title(s), message);
}

static void came(void *arg, const void *bytes, size_t len)
{
	struct stream *s = arg;
	struct buf out = { 0 };
	s->heard_unix_ms = clock_unix_ms() + 1; /* the line has microseconds */
	if (s->err.text[0])
		return;
	if (s->tty)
		logs_print(s->output, bytes, len);
	else
		tasklog_frames_add(&s->frames, bytes, len, &out, &s->err);
	if (out.len)
		logs_print(s->output, out.data, out.len);
	buf_release(&out);
}

static void read_again(struct stream *s);

static void came_all(void *arg, const struct http_answer *answer)
{
	struct stream *s = arg;
	struct logs *logs = s->engine->logs;
	bool good = answer->ok && answer->status / 100 == 2;
	logs_print_end(s->output);
	if (s->err.text[0]) {
		tell_failure(s, s->err.text);
	} else if (!answer->ok) {
		tell_failure(s, answer->err.text);
	} else if (!good) {
		json_t *json = json_loadb(answer->body, answer->len, 0, NULL);
		tell_failure(s, message_of(json, &logs->cli->arena, answer->status));
		json_decref(json);
	} else if (s->frames.failed) {
		logs->code = EXIT_SYSTEM; /* the engine says why in the log */
	}
	s->request = NULL;
	if (good && s->started_again)
		read_again(s);
	logs_followed(logs);
}

static void read_stream(struct stream *s, int64_t since_unix_ms, int64_t tail)
{
	const struct logs *logs = s->engine->logs;
	struct arena *arena = &logs->cli->arena;
	const char *path = arena_printf(arena, "/containers/%s/logs?stdout=1&stderr=1&follow=%d",
					s->container.id, logs->follow);
	if (since_unix_ms > 0)
		path = arena_printf(arena, "%s&since=%lld.%03lld", path,
				    (long long)since_unix_ms / 1000,
				    (long long)since_unix_ms % 1000);
	if (tail >= 0)
		path = arena_printf(arena, "%s&tail=%lld", path, (long long)tail);
	struct http_spec spec = { .method = "GET", .path = path, .chunk = came };
	/* Podman sends nothing, not even a head, before there is a line. */
	if (!logs->follow)
		spec.deadline_ms = spec.idle_ms = DEADLINE_MS;
	s->started_again = false;
	s->frames = (struct tasklog_frames){ 0 };
	s->heard_unix_ms = clock_unix_ms();
	s->request = http_request(s->engine->client, &spec, came_all, s);
}

/* It was started again. All that it printed before was heard, and the engine's clock is ours. */
static void read_again(struct stream *s)
{
	s->engine->logs->following++;
	read_stream(s, s->heard_unix_ms, -1);
}

static void inspected(void *arg, const struct http_answer *answer)
{
	struct stream *s = arg;
	struct logs *logs = s->engine->logs;
	json_t *json = json_loadb(answer->body, answer->len, 0, NULL);
	const json_t *config = json_object_get(json, "Config");
	const json_t *log = json_object_get(json_object_get(json, "HostConfig"), "LogConfig");
	bool good = answer->ok && answer->status / 100 == 2 && config;
	if (!good)
		tell_failure(s, answer->ok ? message_of(json, &logs->cli->arena, answer->status)
					   : answer->err.text);
	if (text_at(log, "Type"))
		s->driver = arena_strdup(&logs->cli->arena, text_at(log, "Type"));
	s->tty = json_is_true(json_object_get(config, "Tty"));
	json_decref(json);
	bool kept = strcmp(s->driver, "none") != 0;
	if (good && !kept)
		tell_failure(s, "");
	s->request = NULL;
	if (good && kept)
		read_stream(s, s->since_unix_ms, s->tail);
	else
		logs_followed(logs);
}

static void stream_begin(struct logs_engine *engine, const struct container *c,
			 int64_t since_unix_ms, int64_t tail)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	s->engine = engine;
	s->container = *c;
	s->output = logs_output(engine->logs, engine->node, c->name);
	s->since_unix_ms = since_unix_ms;
	s->tail = tail;
	s->driver = "";
	*vec_push(&engine->streams) = s;
	engine->logs->following++;
	s->request = http_request(
		engine->client,
		&(struct http_spec){ .method = "GET",
				     .path = arena_printf(&engine->logs->cli->arena,
							  "/containers/%s/json", c->id),
				     .deadline_ms = DEADLINE_MS },
		inspected, s);
}

static int by_name(const void *a, const void *b)
{
	const struct container *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->id, y->id);
}

/* The list has seconds, in which several tasks may have come and gone. */
static void ask_created(struct logs_engine *engine, struct container *c)
{
	struct arena *arena = &engine->logs->cli->arena;
	json_t *json = ask(engine, arena_printf(arena, "/containers/%s/json", c->id));
	const char *created = text_at(json, "Created");
	if (created)
		tasklog_time(created, &c->created_unix_ms);
	json_decref(json);
}

static const char *choose(struct logs_engine *engine)
{
	struct tasklog_tasks tasks = { 0 };
	bool several = false;
	for (size_t i = 1; i < engine->wanted.len; i++)
		several |= strcmp(engine->wanted.items[i].task, engine->wanted.items[0].task) != 0;
	for (size_t i = 0; several && i < engine->wanted.len; i++)
		ask_created(engine, &engine->wanted.items[i]);
	for (size_t i = 0; i < engine->wanted.len; i++) {
		const struct container *c = &engine->wanted.items[i];
		tasklog_tasks_put(&tasks,
				  &(struct tasklog_task){ .task = c->task,
							  .began_unix_ms = c->created_unix_ms });
	}
	const char *task = logs_choose(engine->logs, &tasks);
	vec_release(&tasks.items);
	return task;
}

bool logs_engine_choose(struct logs_engine *engine)
{
	if (engine->wanted.len == 0)
		return false;
	engine->task = choose(engine);
	qsort(engine->wanted.items, engine->wanted.len, sizeof(struct container), by_name);
	for (size_t i = 0; engine->task && i < engine->wanted.len; i++)
		if (strcmp(engine->wanted.items[i].task, engine->task) == 0)
			logs_output(engine->logs, engine->node, engine->wanted.items[i].name);
	return engine->task != NULL;
}

void logs_engine_print(struct logs_engine *engine)
{
	struct logs *logs = engine->logs;
	for (size_t i = 0; engine->task && i < engine->wanted.len; i++) {
		if (strcmp(engine->wanted.items[i].task, engine->task) != 0)
			continue;
		stream_begin(engine, &engine->wanted.items[i], logs->since_unix_ms, logs->tail);
		if (!logs->follow)
			loop_run(logs->loop);
	}
}

/* --- what comes --------------------------------------------------------------------------------
 */

static bool is_followed(const struct logs_engine *engine, const struct container *c)
{
	return is_wanted(engine->logs, c) && strcmp(c->service, engine->service) == 0 &&
	       strcmp(c->cluster, engine->cluster) == 0;
}

/* A container was started: a new one, or one of ours again. */
static void started(void *arg, const char *text, size_t len)
{
	struct logs_engine *engine = arg;
	json_t *event = json_loadb(text, len, 0, NULL);
	const json_t *actor = json_object_get(event, "Actor");
	const char *action = text_at(event, "Action");
	struct container c = { .id = arena_strdup(&engine->logs->cli->arena,
						  text_at(actor, "ID")) };
	bool ours = action && strcmp(action, "start") == 0 && c.id &&
		    read_labels(engine, json_object_get(actor, "Attributes"), &c) &&
		    is_followed(engine, &c);
	json_decref(event);
	struct stream *s = NULL;
	for (size_t i = 0; ours && !s && i < engine->streams.len; i++)
		if (strcmp(engine->streams.items[i]->container.id, c.id) == 0)
			s = engine->streams.items[i];
	if (s && s->request)
		s->started_again = true;
	else if (s)
		read_again(s);
	else if (ours)
		stream_begin(engine, &c, 0, -1);
}

static void events_ended(void *arg, const struct http_answer *answer)
{
	struct logs_engine *engine = arg;
	engine->events = NULL;
	engine->logs->code = say_error(EXIT_SYSTEM, "the engine at %s: %s", engine->socket,
				       !answer->ok		   ? answer->err.text
				       : answer->status / 100 == 2 ? "it ended"
								   : "it tells of no events");
	logs_followed(engine->logs);
}

/* One task alone ends with its containers; a service goes on with the next task. */
void logs_engine_follow(struct logs_engine *engine)
{
	struct arena *arena = &engine->logs->cli->arena;
	if (engine->logs->by_task || engine->wanted.len == 0)
		return;
	json_t *filters = json_pack("{s:[s],s:[s],s:o}", "type", "container", "event", "start",
				    "label", own_labels(engine));
	struct http_spec spec = {
		.method = "GET",
		.path = arena_printf(arena, "/events?since=%lld&filters=%s",
				     (long long)engine->listed_unix_ms / 1000,
				     encoded(arena, filters)),
		.max_bytes = EVENT_MAX_BYTES,
		.value = started,
	};
	engine->events = http_request(engine->client, &spec, events_ended, engine);
	engine->logs->following++;
}

void logs_engine_free(struct logs_engine *engine)
{
	if (!engine)
		return;
	http_client_free(engine->client);
	for (size_t i = 0; i < engine->streams.len; i++)
		free(engine->streams.items[i]);
	vec_release(&engine->streams);
	vec_release(&engine->all);
	vec_release(&engine->wanted);
	free(engine);
}
