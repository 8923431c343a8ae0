/* Images made ready: looked for, pulled where they must be, and known by what they are run by. */
#include "engine/docker/internal.h"

#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LAYERS_MAX   256
#define PROGRESS_MAX (64 << 10) /* bytes of one message of a pull */

struct waiter {
	void (*done)(void *arg, const struct image_answer *answer);
	void (*progress)(void *arg, const char *text);
	void *arg;
	struct waiter *next;
};
struct layer {
	char id[32];
	int64_t current, total;
};
struct pull {
	struct docker_engine *engine;
	char *key;
	struct arena arena;
	struct image_ref ref;
	const char *name; /* what the engine is asked for */
	enum pull_policy policy;
	struct waiter *waiters;
	json_t *before; /* all images there were before the pull; NULL: not known */
	bool pulled, away;
	char *failure; /* told within the stream */
	VEC(struct layer) layers;
	int64_t told_ms;
};

static void pull_free(struct pull *pull)
{
	free(pull->key);
	free(pull->failure);
	json_decref(pull->before);
	vec_release(&pull->layers);
	arena_release(&pull->arena);
	free(pull);
}

static void finish(struct pull *pull, const struct image_answer *answer)
{
	struct waiter *waiter = pull->waiters;
	/* Who waits may want it again at once: then it is another pull. */
	map_remove(pull->engine->pulls, pull->key);
	while (waiter) {
		struct waiter *next = waiter->next;
		waiter->done(waiter->arg, answer);
		free(waiter);
		waiter = next;
	}
	pull_free(pull);
}

static void fail(struct pull *pull, const char *why)
{
	bool named = strncmp(why, "CannotPull", 10) == 0 || strncmp(why, "DockerTimeout", 13) == 0;
	struct image_answer answer = {
		.away = pull->away,
		.reason = named ? why
				: arena_printf(&pull->arena, "CannotPullContainerError: %s", why),
	};
	finish(pull, &answer);
}

/* --- looking -----------------------------------------------------------------------------------
 */

static void note_images(struct call *call);

/* Podman tells only in its own form by which digest an image was pulled. */
static const char *image_path(const struct docker_engine *engine)
{
	return engine->flavor.kind == FLAVOR_PODMAN ? "/libpod/images/%s/json" : "/images/%s/json";
}

/* Under whatever name. */
static bool was_there(const struct pull *pull, const char *id)
{
	size_t i;
	json_t *image;
	json_array_foreach(pull->before, i, image)
	{
		const char *known = json_string_value(json_object_get(image, "Id"));
		if (known && strcmp(known, id) == 0)
			return true;
	}
	return !json_is_array(pull->before);
}

static void ready(struct pull *pull, const struct image_info *info)
{
	struct image_ref ref = pull->ref;
	if (!ref.digest)
		ref.digest = image_digest(info, &ref, &pull->arena);
	struct image_answer answer = {
		.ok = true,
		.image = image_text(&ref, &pull->arena),
		.digest = image_is_local(&ref) ? NULL : ref.digest,
	};
	if (pull->pulled && !was_there(pull, info->id))
		pulled_images_add(pull->engine, info->id, pull->ref.name);
	finish(pull, &answer);
}

static void looked(struct call *call, const struct answer *answer)
{
	struct pull *pull = call->arg;
	struct image_info info;
	struct err err;
	bool there = answer->ok;
	pull->away = answer->away;
	if (there && !inspect_image(answer->body, answer->len, &pull->arena, &info, &err)) {
		fail(pull, err.text);
		return;
	}
	if (!there && answer->status != 404) {
		/* What does not even tell what it has is away. */
		if (answer->none && pull->engine->link == LINK_UP)
			link_failed(pull->engine, answer->message);
		fail(pull, answer->message);
		return;
	}
	if (there && (pull->pulled || pull->policy != PULL_ALWAYS)) {
		ready(pull, &info);
		return;
	}
	if (pull->pulled || pull->policy == PULL_NEVER) {
		fail(pull, arena_printf(&pull->arena, "image %s is not there%s", pull->name,
					pull->pulled ? " after its pull"
						     : ", and its imagePullPolicy is Never"));
		return;
	}
	note_images(call);
}

static void look(struct call *call, struct pull *pull)
{
	struct buf path = { 0 };
	buf_addf(&path, image_path(pull->engine), pull->name);
	call->done = looked;
	call->probes = true;
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "%s", buf_str(&path));
	buf_release(&path);
}

/* --- pulling -----------------------------------------------------------------------------------
 */

static struct layer *layer_of(struct pull *pull, const char *id)
{
	for (size_t i = 0; i < pull->layers.len; i++)
		if (strncmp(pull->layers.items[i].id, id, sizeof(pull->layers.items[i].id) - 1) ==
		    0)
			return &pull->layers.items[i];
	if (pull->layers.len == LAYERS_MAX)
		return NULL;
	struct layer *layer = vec_push(&pull->layers);
	strncpy(layer->id, id, sizeof(layer->id) - 1);
	return layer;
}

static void tell_progress(struct pull *pull)
{
	int64_t now = clock_monotonic_ms(), current = 0, total = 0;
	struct buf text = { 0 };
	if (pull->told_ms && now - pull->told_ms < PROGRESS_MS)
		return;
	pull->told_ms = now;
	for (size_t i = 0; i < pull->layers.len; i++) {
		current += pull->layers.items[i].current;
		total += pull->layers.items[i].total;
	}
	buf_addf(&text, "pulling image %s", pull->name);
	if (total)
		buf_addf(&text, ": %lld of %lld MB", (long long)(current / 1000000),
			 (long long)((total + 999999) / 1000000));
	for (struct waiter *w = pull->waiters; w; w = w->next)
		if (w->progress)
			w->progress(w->arg, buf_str(&text));
	buf_release(&text);
}

static void note_layer(struct pull *pull, const json_t *message)
{
	const char *status = json_string_value(json_object_get(message, "status"));
	const char *id = json_string_value(json_object_get(message, "id"));
	const json_t *detail = json_object_get(message, "progressDetail");
	struct layer *layer = id && status ? layer_of(pull, id) : NULL;
	if (!layer)
		return;
	if (strcmp(status, "Downloading") == 0) {
		layer->current = json_integer_value(json_object_get(detail, "current"));
		layer->total = json_integer_value(json_object_get(detail, "total"));
	} else if (strcmp(status, "Download complete") == 0 ||
		   strcmp(status, "Pull complete") == 0) {
		layer->current = layer->total;
	}
}

static void got_progress(void *arg, const char *text, size_t len)
{
	struct call *call = arg;
	struct pull *pull = call->arg;
	json_t *message = json_loadb(text, len, 0, NULL);
	const char *error = json_string_value(json_object_get(message, "error"));
	if (error) {
		free(pull->failure);
		pull->failure = xstrdup(error);
	}
	note_layer(pull, message);
	json_decref(message);
	tell_progress(pull);
}

static void pull_ended(struct call *call, const struct answer *answer)
{
	struct pull *pull = call->arg;
	if (!answer->ok || pull->failure) {
		pull->away = answer->away && !pull->failure;
		fail(pull, pull->failure ? pull->failure : answer->message);
		return;
	}
	pull->pulled = true;
	look(call, pull);
}

/* The credentials of this node; NULL: there are none. False: they are not to be used. */
static bool credentials(struct pull *pull, const char **header)
{
	const char *path = pull->engine->registry_auth;
	struct stat st;
	struct buf file = { 0 };
	struct err err;
	*header = NULL;
	if (!path || (stat(path, &st) != 0 && errno == ENOENT))
		return true;
	bool ok = fs_read(path, AUTH_FILE_MAX, &file, &err);
	if (ok && st.st_mode & 07)
		ok = err_set(&err, 0, "others may read it (mode %04o): chmod o= it",
			     (unsigned)st.st_mode & 07777);
	const char *auth =
		ok ? image_auth(buf_str(&file), file.len, &pull->ref, &pull->arena, &err) : NULL;
	if (ok && auth)
		*header = arena_printf(&pull->arena, "X-Registry-Auth: %s", auth);
	ok = ok && !err.text[0];
	if (file.data)
		explicit_bzero(file.data, file.len);
	buf_release(&file);
	if (!ok)
		fail(pull, arena_printf(&pull->arena,
					"CannotPullContainerError: the registry credentials in "
					"%s: %s",
					path, err.text));
	return ok;
}

static void begin_pull(struct call *call, struct pull *pull)
{
	const char *header;
	const struct image_ref *ref = &pull->ref;
	if (!credentials(pull, &header))
		return;
	const char *headers[] = { header, NULL };
	struct http_spec spec = {
		.method = "POST",
		.path = arena_printf(
			&call->arena, "/images/create?fromImage=%s&tag=%s",
			query_text(&call->arena, ref->name),
			query_text(&call->arena, ref->digest ? ref->digest : ref->tag)),
		.headers = header ? headers : NULL,
		.value = got_progress,
		.deadline_ms = PULL_HEAD_MS,
		.idle_ms = PULL_IDLE_MS,
		.max_bytes = PROGRESS_MAX,
	};
	call->done = pull_ended;
	call->probes = false;
	call_send_spec(call, &spec);
	tell_progress(pull);
}

static void got_images(struct call *call, const struct answer *answer)
{
	struct pull *pull = call->arg;
	if (answer->ok)
		pull->before = json_loadb(answer->body, answer->len, 0, NULL);
	begin_pull(call, pull);
}

/* What is there already is somebody else's, and not to be removed by us. */
static void note_images(struct call *call)
{
	call->done = got_images;
	call->probes = true;
	call->max_bytes = LIST_MAX_BYTES;
	call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/images/json");
}

/* --- wanting -----------------------------------------------------------------------------------
 */

/* Answers come on the loop. */
static void refuse(void *arg, bool ok, const char *reason)
{
	struct image_want *want = arg;
	struct image_answer answer = { .reason = reason };
	(void)ok;
	want->done(want->arg, &answer);
	free(want);
}

void image_want(struct docker_engine *engine, const struct image_want *want)
{
	struct arena arena;
	struct image_ref ref;
	struct err err;
	arena_init(&arena);
	if (!image_parse(want->image ? want->image : "", &arena, &ref, &err)) {
		struct image_want *copy = xmalloc(sizeof(*copy));
		*copy = *want;
		err_wrap(&err, "CannotPullContainerError");
		docker_answer_later(engine, false, err.text, refuse, copy);
		arena_release(&arena);
		return;
	}
	if (want->pinned && !ref.digest)
		ref.digest = arena_strdup(&arena, want->pinned);
	enum pull_policy policy = image_policy(want->policy, &ref);
	const char *name = image_text(&ref, &arena);
	const char *key = arena_printf(&arena, "%d %s", policy, name);
	struct pull *pull = map_get(engine->pulls, key);
	bool first = !pull;
	if (first) {
		pull = xcalloc(1, sizeof(*pull));
		*pull = (struct pull){ .engine = engine,
				       .key = xstrdup(key),
				       .arena = arena,
				       .ref = ref,
				       .name = name,
				       .policy = policy };
		map_put(engine->pulls, key, pull);
	}
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));
	*waiter = (struct waiter){ want->done, want->progress, want->arg, pull->waiters };
	pull->waiters = waiter;
	if (!first) {
		arena_release(&arena);
		return;
	}
	struct call *call = call_new(engine, looked);
	call->arg = pull;
	look(call, pull);
}

void pulls_close(struct docker_engine *engine)
{
	void *value;
	for (size_t it = 0; map_next(engine->pulls, &it, NULL, &value);) {
		struct pull *pull = value;
		while (pull->waiters) {
			struct waiter *waiter = pull->waiters;
			pull->waiters = waiter->next;
			free(waiter);
		}
		pull_free(pull);
	}
	map_free(engine->pulls);
}
