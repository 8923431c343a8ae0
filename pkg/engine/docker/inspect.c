#include "engine/docker/inspect.h"

#include "tasklog/tasklog.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S  1000000000
#define NS_PER_MS 1000000

static json_t *parse(const char *text, size_t len, struct err *err)
{
	json_error_t error;
	json_t *json = json_loadb(text, len, 0, &error);
	if (!json)
		err_set(err, 0, "the engine's answer is malformed: %.200s", error.text);
	return json;
}

static const char *copy(const json_t *object, const char *name, struct arena *arena)
{
	return arena_strdup(arena, json_string_value(json_object_get(object, name)));
}

/* --- times -------------------------------------------------------------------------------------
 */

static bool fraction(const char **p, uint64_t *ns)
{
	uint64_t unit = NS_PER_S / 10;
	if (**p != '.')
		return true;
	for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*ns += (uint64_t)(**p - '0') * unit;
	return true;
}

/* "Z", "+02:00", "-0130" */
static bool offset_s(const char *p, int64_t *out)
{
	int hours, minutes;
	char sign, rest;
	*out = 0;
	if (strcmp(p, "Z") == 0)
		return true;
	/* NOLINTNEXTLINE(cert-err34-c) */
	if (sscanf(p, "%c%2d:%2d%c", &sign, &hours, &minutes, &rest) != 3 ||
	    (sign != '+' && sign != '-'))
		return false;
	*out = (sign == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

uint64_t inspect_time_ns(const char *text)
{
	char whole[TIME_TEXT_LEN + 1];
	int64_t unix_ms, offset;
	uint64_t ns = 0;
	if (!text || strlen(text) < TIME_TEXT_LEN)
		return 0;
	memcpy(whole, text, TIME_TEXT_LEN - 1);
	whole[TIME_TEXT_LEN - 1] = 'Z';
	whole[TIME_TEXT_LEN] = '\0';
	const char *p = text + TIME_TEXT_LEN - 1;
	if (!time_parse(whole, &unix_ms) || !fraction(&p, &ns) || !offset_s(p, &offset))
		return 0;
	int64_t s = unix_ms / 1000 - offset;
	return s <= 0 ? 0 : (uint64_t)s * NS_PER_S + ns;
}

static int64_t boot_ms_of(int64_t unix_ms, const struct inspect_clock *clock)
{
	return unix_ms ? clock->now_boot_ms - (clock->now_unix_ms - unix_ms) : 0;
}

/* --- containers --------------------------------------------------------------------------------
 */

static void read_labels(const json_t *labels, struct arena *arena, struct inspected *out)
{
	const char *revision = json_string_value(json_object_get(labels, LABEL_REVISION));
	const char *digest = json_string_value(json_object_get(labels, LABEL_DIGEST));
	const char *essential = json_string_value(json_object_get(labels, LABEL_ESSENTIAL));
	int64_t number = 0;
	out->labels = (struct task_identity){
		.fleet = copy(labels, LABEL_FLEET, arena),
		.node = copy(labels, LABEL_NODE, arena),
		.cluster = copy(labels, LABEL_CLUSTER, arena),
		.service = copy(labels, LABEL_SERVICE, arena),
		.task = copy(labels, LABEL_TASK, arena),
		.family = copy(labels, LABEL_FAMILY, arena),
		.deployment = copy(labels, LABEL_DEPLOYMENT, arena),
	};
	if (revision && parse_int(revision, &number) && number > 0 && number <= UINT32_MAX)
		out->labels.revision = (uint32_t)number;
	if (digest)
		digest_parse(digest, &out->labels.target);
	out->container = copy(labels, LABEL_CONTAINER, arena);
	out->essential = !essential || strcmp(essential, "false") != 0;
}

static bool state_of(const json_t *state, enum lifecycle_state *out, struct err *err)
{
	static const struct {
		const char *status;
		enum lifecycle_state state;
	} rows[] = {
		{ "created", CONTAINER_CREATED },     { "configured", CONTAINER_CREATED },
		{ "initialized", CONTAINER_CREATED }, { "running", CONTAINER_RUNNING },
		{ "restarting", CONTAINER_RUNNING },  { "stopping", CONTAINER_RUNNING },
		{ "paused", CONTAINER_PAUSED },	      { "exited", CONTAINER_EXITED },
		{ "stopped", CONTAINER_EXITED },      { "dead", CONTAINER_EXITED },
		{ "removing", CONTAINER_ABSENT },
	};
	const char *status = json_string_value(json_object_get(state, "Status"));
	for (size_t i = 0; status && i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].status, status) == 0) {
			*out = rows[i].state;
			return true;
		}
	return err_set(err, 0, "a container's status is '%.40s', which is not known",
		       status ? status : "");
}

static bool read_state(const json_t *state, const struct inspect_clock *clock, struct arena *arena,
		       struct inspected *out, struct err *err)
{
	struct lifecycle_container *s = &out->state;
	if (!state_of(state, &s->state, err))
		return false;
	uint64_t started = inspect_time_ns(copy(state, "StartedAt", arena));
	uint64_t exited = inspect_time_ns(copy(state, "FinishedAt", arena));
	/* Podman may say that a short one ended before it began. */
	if (exited && exited < started)
		exited = started;
	if (s->state != CONTAINER_EXITED)
		exited = 0;
	s->run = started;
	out->started_unix_ms = (int64_t)(started / NS_PER_MS);
	out->exited_unix_ms = (int64_t)(exited / NS_PER_MS);
	s->started_at_ms = boot_ms_of(out->started_unix_ms, clock);
	s->exited_at_ms = boot_ms_of(out->exited_unix_ms, clock);
	if (s->started_at_ms < 0) {
		s->earlier_boot = s->state == CONTAINER_EXITED;
		s->started_at_ms = s->earlier_boot ? 0 : 1;
	}
	if (s->exited_at_ms < 0)
		s->exited_at_ms = 0;
	json_int_t code = json_integer_value(json_object_get(state, "ExitCode"));
	s->has_exit_code = s->state == CONTAINER_EXITED && started > 0;
	s->exit_code = code >= INT_MIN && code <= INT_MAX ? (int)code : -1;
	s->oom_killed = s->has_exit_code && json_is_true(json_object_get(state, "OOMKilled"));
	s->error = copy(state, "Error", arena);
	out->pid = json_integer_value(json_object_get(state, "Pid"));
	return true;
}

/* What `update` and its like change, as text: the engine's own, so that it need not be ours. */
static struct digest settings_of(const json_t *host, const char *image_id)
{
	static const char *const names[] = {
		"CpuShares",	     "NanoCpus",      "CpuPeriod",  "CpuQuota",	 "CpusetCpus",
		"CpusetMems",	     "Memory",	      "MemorySwap", "PidsLimit", "BlkioWeight",
		"MemoryReservation", "RestartPolicy",
	};
	struct buf text = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *value = json_dumps(json_object_get(host, names[i]),
					 JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
		buf_addf(&text, "%s=%s\n", names[i], value ? value : "");
		free(value);
	}
	buf_addf(&text, "image=%s\n", image_id ? image_id : "");
	struct digest digest = digest_of(text.data, text.len);
	buf_release(&text);
	return digest;
}

/* "80/tcp" */
static bool parse_port(const char *text, struct arena *arena, uint32_t *port, const char **protocol)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	if (end == text || *end != '/' || number == 0 || number > 65535)
		return false;
	*port = (uint32_t)number;
	*protocol = arena_strdup(arena, end + 1);
	return true;
}

static int by_port(const void *a, const void *b)
{
	const struct wire_binding *x = a, *y = b;
	if (x->container_port != y->container_port)
		return x->container_port < y->container_port ? -1 : 1;
	int order = strcmp(x->protocol, y->protocol);
	return order ? order : strcmp(x->bind_ip, y->bind_ip);
}

static void read_ports(const json_t *ports, struct arena *arena, struct inspected *out)
{
	const char *name;
	json_t *list, *item;
	size_t i;
	out->bindings = ARENA_ARRAY(arena, struct wire_binding, BINDINGS_MAX);
	json_object_foreach((json_t *)ports, name, list)
	{
		uint32_t port;
		const char *protocol;
		if (!parse_port(name, arena, &port, &protocol))
			continue;
		json_array_foreach(list, i, item)
		{
			const char *ip = json_string_value(json_object_get(item, "HostIp"));
			const char *host = json_string_value(json_object_get(item, "HostPort"));
			int64_t number;
			if (!host || !parse_int(host, &number) || number < 1 || number > 65535 ||
			    out->binding_count == BINDINGS_MAX)
				continue;
			out->bindings[out->binding_count++] = (struct wire_binding){
				.bind_ip = ip && *ip ? arena_strdup(arena, ip) : "0.0.0.0",
				.protocol = protocol,
				.container_port = port,
				.host_port = (uint32_t)number,
			};
		}
	}
	qsort(out->bindings, out->binding_count, sizeof(*out->bindings), by_port);
}

static bool read_container(const json_t *json, const struct inspect_clock *clock,
			   struct arena *arena, struct inspected *out, struct err *err)
{
	const json_t *config = json_object_get(json, "Config");
	const json_t *host = json_object_get(json, "HostConfig");
	*out = (struct inspected){ .id = copy(json, "Id", arena) };
	if (!out->id || !*out->id || !config)
		return err_set(err, 0, "the engine's answer tells of no container");
	if (!read_state(json_object_get(json, "State"), clock, arena, out, err))
		return false;
	read_labels(json_object_get(config, "Labels"), arena, out);
	const json_t *timeout = json_object_get(config, "StopTimeout");
	out->stop_timeout_s = json_is_integer(timeout) ? json_integer_value(timeout) : -1;
	out->image = copy(config, "Image", arena);
	out->image_id = copy(json, "Image", arena);
	out->tty = json_is_true(json_object_get(config, "Tty"));
	out->log_driver = copy(json_object_get(host, "LogConfig"), "Type", arena);
	out->settings = settings_of(host, out->image_id);
	read_ports(json_object_get(json_object_get(json, "NetworkSettings"), "Ports"), arena, out);
	return true;
}

bool inspect_container(const char *text, size_t len, const struct inspect_clock *clock,
		       struct arena *arena, struct inspected *out, struct err *err)
{
	json_t *json = parse(text, len, err);
	bool ok = json && read_container(json, clock, arena, out, err);
	json_decref(json);
	return ok;
}

/* --- lists and events --------------------------------------------------------------------------
 */

bool inspect_list(const char *text, size_t len, struct arena *arena, struct listed **out,
		  uint32_t *count, struct err *err)
{
	json_t *json = parse(text, len, err), *item;
	size_t i;
	if (!json_is_array(json)) {
		if (json)
			err_set(err, 0, "the engine's answer is no list of containers");
		json_decref(json);
		return false;
	}
	*out = ARENA_ARRAY(arena, struct listed, json_array_size(json));
	*count = 0;
	json_array_foreach(json, i, item)
	{
		const json_t *labels = json_object_get(item, "Labels");
		struct listed l = { .id = copy(item, "Id", arena),
				    .task = copy(labels, LABEL_TASK, arena),
				    .container = copy(labels, LABEL_CONTAINER, arena),
				    .fleet = copy(labels, LABEL_FLEET, arena),
				    .node = copy(labels, LABEL_NODE, arena) };
		if (l.id && l.task && l.container && l.fleet && l.node)
			(*out)[(*count)++] = l;
	}
	json_decref(json);
	return true;
}

bool inspect_event(const char *text, size_t len, struct arena *arena, struct container_event *out)
{
	json_t *json = parse(text, len, NULL);
	const json_t *actor = json_object_get(json, "Actor");
	const json_t *labels = json_object_get(actor, "Attributes");
	const char *type = json_string_value(json_object_get(json, "Type"));
	*out = (struct container_event){
		.id = copy(actor, "ID", arena),
		.action = copy(json, "Action", arena),
		.task = copy(labels, LABEL_TASK, arena),
		.container = copy(labels, LABEL_CONTAINER, arena),
		.fleet = copy(labels, LABEL_FLEET, arena),
		.node = copy(labels, LABEL_NODE, arena),
		.unix_s = json_integer_value(json_object_get(json, "time")),
	};
	bool ok = type && strcmp(type, "container") == 0 && out->id && out->action;
	json_decref(json);
	return ok;
}

/* --- images, messages, logs --------------------------------------------------------------------
 */

static struct str_list names_of(const json_t *array, struct arena *arena)
{
	struct str_list list = { .items = ARENA_ARRAY(arena, const char *,
						      json_array_size(array) + 1) };
	size_t i;
	json_t *item;
	json_array_foreach(array, i, item) if (json_is_string(item)) list.items[list.len++] =
		arena_strdup(arena, json_string_value(item));
	return list;
}

bool inspect_image(const char *text, size_t len, struct arena *arena, struct image_info *out,
		   struct err *err)
{
	json_t *json = parse(text, len, err);
	const char *id = json_string_value(json_object_get(json, "Id"));
	*out = (struct image_info){
		.digest = copy(json, "Digest", arena),
		.repo_tags = names_of(json_object_get(json, "RepoTags"), arena),
		.repo_digests = names_of(json_object_get(json, "RepoDigests"), arena),
	};
	bool ok = id && *id;
	if (ok)
		out->id = arena_printf(arena, "%s%s", strchr(id, ':') ? "" : "sha256:", id);
	else if (json)
		err_set(err, 0, "the engine's answer tells of no image");
	json_decref(json);
	return ok;
}

const char *inspect_message(const char *text, size_t len, struct arena *arena)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	const char *message = json_string_value(json_object_get(json, "message"));
	if (!message)
		message = json_string_value(json_object_get(json, "error"));
	const char *result = arena_strdup(arena, message ? message : "");
	json_decref(json);
	return result;
}

const char *inspect_logs(const char *bytes, size_t len, bool tty, size_t max, struct arena *arena)
{
	struct tasklog_frames frames = { 0 };
	struct buf text = { 0 };
	if (tty)
		buf_add(&text, bytes, len);
	else
		tasklog_frames_add(&frames, bytes, len, &text, NULL);
	size_t skip = text.len > max ? text.len - max : 0;
	const char *result = arena_strndup(arena, buf_str(&text) + skip, text.len - skip);
	buf_release(&text);
	return result;
}
