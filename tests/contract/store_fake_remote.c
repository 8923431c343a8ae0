#include "store_fake_remote.h"

#include "loop/loop.h"
#include "model/model.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct document {
	size_t len;
	char bytes[];
};

struct fake_watch {
	struct fake_watch *next;
	struct world *world;
	uv_async_t async;
	void (*changed)(void *arg, const char *key);
	void *arg;
	VEC(char *) prefixes;
	VEC(char *) keys; /* changed since; NULL: look at everything */
	bool closed;
};

struct world {
	struct world *next;
	char *name;
	pthread_mutex_t mutex;
	pthread_cond_t let_go;
	struct fake_faults faults;
	uint64_t random;
	struct map *documents, *beats;
	uint64_t beat;
	char fleet[33]; /* empty: there is no store */
	struct fake *controller;
	struct fake_watch *watches;
	bool unreachable, hang;
	unsigned unreachable_calls, hanging, open_count;
};

/* A back end. */
struct fake {
	struct world *world;
	bool locked; /* as the controller, once */
};

static struct world *worlds;

static struct world *world_of(const char *name)
{
	struct world *w = worlds;
	while (w && strcmp(w->name, name) != 0)
		w = w->next;
	assert(w);
	return w;
}

/* --- fate ------------------------------------------------------------------------------------ */

/* xorshift64*: the same for the same seed, everywhere. */
static uint64_t draw(struct world *w, uint64_t below)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * 0x2545f4914f6cdd1dull >> 33) % below;
}

static bool happens(struct world *w, unsigned percent)
{
	return percent && draw(w, 100) < percent;
}

/* Begin a call: what may go wrong on the way there. The world is locked when it returns. */
static bool call_begin(struct world *w, struct err *err)
{
	pthread_mutex_lock(&w->mutex);
	unsigned latency_us = w->faults.latency_us ? (unsigned)draw(w, w->faults.latency_us) : 0;
	if (happens(w, w->faults.unreachable_percent))
		w->unreachable_calls = w->faults.unreachable_calls;
	bool refused = w->unreachable || w->unreachable_calls > 0;
	if (w->unreachable_calls > 0)
		w->unreachable_calls--;
	if (latency_us) {
		pthread_mutex_unlock(&w->mutex);
		usleep(latency_us);
		pthread_mutex_lock(&w->mutex);
	}
	w->hanging += w->hang;
	bool hung = w->hang;
	while (w->hang)
		pthread_cond_wait(&w->let_go, &w->mutex);
	w->hanging -= hung;
	return !refused || err_set(err, ECONNREFUSED, "fake store");
}

static bool call_end(struct world *w, bool ok)
{
	pthread_mutex_unlock(&w->mutex);
	return ok;
}

/* Of a change that was made: is it said to have been? */
static bool change_end(struct world *w, struct err *err)
{
	bool ok = !happens(w, w->faults.failed_but_done_percent);
	pthread_mutex_unlock(&w->mutex);
	return ok || err_set(err, EIO, "fake store: connection lost before the answer");
}

static bool call_begin_in_store(struct world *w, struct err *err)
{
	return call_begin(w, err) &&
	       (w->fleet[0] || err_set(err, ENOENT, "fake store '%s' is empty", w->name));
}

/* Of a call that changes something: a controller that lost its lock may not. */
static bool call_begin_change(struct fake *self, struct err *err)
{
	return call_begin_in_store(self->world, err) &&
	       (!self->locked || self->world->controller == self ||
		err_set(err, ESTALE, "the controller's lock was lost"));
}

/* --- worlds ---------------------------------------------------------------------------------- */

void fake_world_add(const char *name, const struct fake_faults *faults)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->name = xstrdup(name);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->let_go, NULL);
	w->faults = *faults;
	w->random = faults->seed * 2 + 1;
	w->documents = map_new();
	w->beats = map_new();
	w->next = worlds;
	worlds = w;
}

static void clear(struct world *w)
{
	size_t it = 0;
	void *value;
	while (map_next(w->documents, &it, NULL, &value))
		free(value);
	map_free(w->documents);
	map_free(w->beats);
}

static void tell_all(struct world *w, const char *key);

void fake_world_empty(const char *name)
{
	struct world *w = world_of(name);
	pthread_mutex_lock(&w->mutex);
	clear(w);
	w->documents = map_new();
	w->beats = map_new();
	w->fleet[0] = '\0';
	w->controller = NULL;
	tell_all(w, NULL);
	pthread_mutex_unlock(&w->mutex);
}

void fake_world_remove(const char *name)
{
	struct world **link = &worlds, *w = world_of(name);
	assert(!w->watches && !w->open_count);
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	clear(w);
	pthread_cond_destroy(&w->let_go);
	pthread_mutex_destroy(&w->mutex);
	free(w->name);
	free(w);
}

void fake_set_unreachable(const char *name, bool unreachable)
{
	struct world *w = world_of(name);
	pthread_mutex_lock(&w->mutex);
	w->unreachable = unreachable;
	pthread_mutex_unlock(&w->mutex);
}

void fake_set_hang(const char *name, bool hang)
{
	struct world *w = world_of(name);
	pthread_mutex_lock(&w->mutex);
	w->hang = hang;
	pthread_cond_broadcast(&w->let_go);
	pthread_mutex_unlock(&w->mutex);
}

static unsigned read_count(const char *name, size_t offset)
{
	struct world *w = world_of(name);
	pthread_mutex_lock(&w->mutex);
	unsigned count = *(const unsigned *)((const char *)w + offset);
	pthread_mutex_unlock(&w->mutex);
	return count;
}

unsigned fake_hanging(const char *name)
{
	return read_count(name, offsetof(struct world, hanging));
}

unsigned fake_open_count(const char *name)
{
	return read_count(name, offsetof(struct world, open_count));
}

/* --- watches --------------------------------------------------------------------------------- */

static bool wants(const struct fake_watch *watch, const char *key)
{
	for (size_t i = 0; i < watch->prefixes.len; i++)
		if (strncmp(key, watch->prefixes.items[i], strlen(watch->prefixes.items[i])) == 0)
			return true;
	return false;
}

/* With the world locked. */
static void tell_all(struct world *w, const char *key)
{
	for (struct fake_watch *watch = w->watches; watch; watch = watch->next) {
		if ((key && !wants(watch, key)) || happens(w, w->faults.lost_event_percent))
			continue;
		*vec_push(&watch->keys) = key ? xstrdup(key) : NULL;
		uv_async_send(&watch->async);
	}
}

static void on_async(uv_async_t *async)
{
	struct fake_watch *watch = async->data;
	while (!watch->closed) {
		pthread_mutex_lock(&watch->world->mutex);
		bool any = watch->keys.len > 0;
		char *key = any ? watch->keys.items[0] : NULL;
		if (any)
			memmove(watch->keys.items, watch->keys.items + 1,
				--watch->keys.len * sizeof(*watch->keys.items));
		pthread_mutex_unlock(&watch->world->mutex);
		if (!any)
			break;
		watch->changed(watch->arg, key);
		free(key);
	}
}

static bool fake_watch(const char *where, struct loop *loop, const char *const *prefixes,
		       size_t count, void (*changed)(void *arg, const char *key), void *arg,
		       void **out, struct err *err UNUSED)
{
	struct fake_watch *watch = xcalloc(1, sizeof(*watch));
	watch->world = world_of(where);
	watch->changed = changed;
	watch->arg = arg;
	for (size_t i = 0; i < count; i++)
		*vec_push(&watch->prefixes) = xstrdup(prefixes[i]);
	uv_async_init(loop_uv(loop), &watch->async, on_async);
	watch->async.data = watch;
	pthread_mutex_lock(&watch->world->mutex);
	watch->next = watch->world->watches;
	watch->world->watches = watch;
	pthread_mutex_unlock(&watch->world->mutex);
	*out = watch;
	return true;
}

static void on_closed(uv_handle_t *handle)
{
	struct fake_watch *watch = handle->data;
	for (size_t i = 0; i < watch->prefixes.len; i++)
		free(watch->prefixes.items[i]);
	for (size_t i = 0; i < watch->keys.len; i++)
		free(watch->keys.items[i]);
	vec_release(&watch->prefixes);
	vec_release(&watch->keys);
	free(watch);
}

static void fake_unwatch(void *arg)
{
	struct fake_watch *watch = arg, **link = &watch->world->watches;
	pthread_mutex_lock(&watch->world->mutex);
	while (*link != watch)
		link = &(*link)->next;
	*link = watch->next;
	pthread_mutex_unlock(&watch->world->mutex);
	watch->closed = true;
	uv_close((uv_handle_t *)&watch->async, on_closed);
}

static bool fake_needs_poll(const char *where UNUSED)
{
	return false;
}

/* --- operations ------------------------------------------------------------------------------ */

static bool fake_open(const char *where, enum store_role role, const char *fleet, void **out,
		      struct err *err)
{
	struct world *w = world_of(where);
	if (!call_begin(w, err))
		return call_end(w, false);
	if (!w->fleet[0] && role == STORE_AGENT)
		return call_end(w, err_set(err, ENOENT, "no fake store '%s'", where));
	if (!w->fleet[0]) {
		if (fleet)
			snprintf(w->fleet, sizeof(w->fleet), "%s", fleet);
		else
			random_id(w->fleet);
		tell_all(w, NULL);
	}
	struct fake *self = xcalloc(1, sizeof(*self));
	self->world = w;
	w->open_count++;
	*out = self;
	return call_end(w, true);
}

static void fake_close(void *arg)
{
	struct fake *self = arg;
	if (!self)
		return;
	struct world *w = self->world;
	pthread_mutex_lock(&w->mutex);
	if (w->controller == self)
		w->controller = NULL;
	w->open_count--;
	pthread_mutex_unlock(&w->mutex);
	free(self);
}

static bool fake_fleet(void *arg, char out[33], struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	bool ok = call_begin_in_store(w, err);
	if (ok)
		memcpy(out, w->fleet, sizeof(w->fleet));
	return call_end(w, ok);
}

static bool check_segments(const char *rest, bool pair)
{
	char name[NAME_MAX_LEN + 2];
	const char *tilde = strchr(rest, '~');
	if (pair != (tilde != NULL))
		return false;
	if (!pair)
		return name_valid(rest);
	snprintf(name, sizeof(name), "%.*s", (int)(tilde - rest), rest);
	return strlen(name) == (size_t)(tilde - rest) && name_valid(name) && name_valid(tilde + 1);
}

static bool check_key(const char *key, struct err *err)
{
	static const char *const areas[] = { "nodes/",	  "alive/",	 "desired/",
					     "observed/", "controller/", "controller/families/" };
	static const char services[] = "controller/services/";
	bool ok = false;
	for (size_t i = 0; i < ARRAY_LEN(areas); i++)
		ok = ok || (strncmp(key, areas[i], strlen(areas[i])) == 0 &&
			    check_segments(key + strlen(areas[i]), false));
	ok = ok || (strncmp(key, services, strlen(services)) == 0 &&
		    check_segments(key + strlen(services), true));
	ok = ok && strcmp(key, "controller/lock") != 0;
	return ok || err_set(err, EINVAL, "key '%s'", key);
}

static bool fake_get(void *arg, const char *key, struct buf *out, bool *found, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	if (!check_key(key, err))
		return false;
	if (!call_begin_in_store(w, err))
		return call_end(w, false);
	const struct document *document = map_get(w->documents, key);
	*found = document != NULL;
	buf_reset(out);
	if (document)
		buf_add(out, document->bytes, document->len);
	return call_end(w, true);
}

static void set(struct world *w, const char *key, const void *bytes, size_t len)
{
	struct document *document = xmalloc(sizeof(*document) + len);
	document->len = len;
	if (len)
		memcpy(document->bytes, bytes, len);
	free(map_get(w->documents, key));
	map_put(w->documents, key, document);
	tell_all(w, key);
}

static bool fake_put(void *arg, const char *key, const void *bytes, size_t len,
		     unsigned flags UNUSED, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	if (!check_key(key, err))
		return false;
	if (len > LIMIT_DOCUMENT_BYTES)
		return err_set(err, EFBIG, "'%s'", key);
	if (!call_begin_change(arg, err))
		return call_end(w, false);
	set(w, key, bytes, len);
	return change_end(w, err);
}

static bool fake_cas(void *arg, const char *key, const void *old, size_t old_len, const void *bytes,
		     size_t len, unsigned flags UNUSED, bool *swapped, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	if (!check_key(key, err))
		return false;
	if (len > LIMIT_DOCUMENT_BYTES)
		return err_set(err, EFBIG, "'%s'", key);
	if (!call_begin_change(arg, err))
		return call_end(w, false);
	const struct document *now = map_get(w->documents, key);
	*swapped = old ? now && now->len == old_len &&
				   (old_len == 0 || memcmp(now->bytes, old, old_len) == 0)
		       : !now;
	if (*swapped)
		set(w, key, bytes, len);
	return change_end(w, err);
}

static bool fake_remove(void *arg, const char *key, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	if (!check_key(key, err))
		return false;
	if (!call_begin_change(arg, err))
		return call_end(w, false);
	if (strncmp(key, "alive/", 6) == 0) {
		char second[NAME_MAX_LEN + sizeof(STORE_SECOND)];
		snprintf(second, sizeof(second), "%s" STORE_SECOND, key + 6);
		map_remove(w->beats, key + 6);
		map_remove(w->beats, second);
	}
	struct document *document = map_remove(w->documents, key);
	if (document)
		tell_all(w, key);
	free(document);
	return change_end(w, err);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct store_entry *)a)->key, ((const struct store_entry *)b)->key);
}

static bool fake_list(void *arg, const char *prefix, struct store_entries *out, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	*out = (struct store_entries){ 0 };
	if (!call_begin_in_store(w, err))
		return call_end(w, false);
	out->items = ARENA_ARRAY(&out->arena, struct store_entry, map_count(w->documents));
	size_t it = 0;
	const char *key;
	void *value;
	while (map_next(w->documents, &it, &key, &value)) {
		const struct document *document = value;
		if (strncmp(key, prefix, strlen(prefix)) != 0)
			continue;
		out->items[out->count++] = (struct store_entry){
			.key = arena_strdup(&out->arena, key),
			.bytes = arena_strndup(&out->arena, document->bytes, document->len),
			.len = document->len,
		};
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_key);
	return call_end(w, true);
}

static bool fake_beat(void *arg, const char *node, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	char name[NAME_MAX_LEN + 1];
	if (!name_valid(store_is_second(node, name) ? name : node))
		return err_set(err, EINVAL, "node '%s'", node);
	if (!call_begin_in_store(w, err))
		return call_end(w, false);
	map_put(w->beats, node, (void *)(uintptr_t)++w->beat);
	return call_end(w, true);
}

static bool fake_beats(void *arg, struct store_entries *out, struct err *err)
{
	struct world *w = ((struct fake *)arg)->world;
	*out = (struct store_entries){ 0 };
	if (!call_begin_in_store(w, err))
		return call_end(w, false);
	out->items = ARENA_ARRAY(&out->arena, struct store_entry, map_count(w->beats));
	size_t it = 0;
	const char *node;
	void *value;
	while (map_next(w->beats, &it, &node, &value))
		out->items[out->count++] =
			(struct store_entry){ .key = arena_strdup(&out->arena, node),
					      .beat = (uintptr_t)value };
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_key);
	return call_end(w, true);
}

static bool fake_lock_controller(void *arg, struct err *err)
{
	struct fake *self = arg;
	struct world *w = self->world;
	if (!call_begin_in_store(w, err))
		return call_end(w, false);
	if (w->controller && w->controller != self)
		return call_end(w, err_set(err, EWOULDBLOCK, "another controller"));
	w->controller = self;
	self->locked = true;
	return call_end(w, true);
}

const struct store_ops store_fake_remote_ops = {
	.scheme = "fake",
	.open = fake_open,
	.close = fake_close,
	.fleet = fake_fleet,
	.get = fake_get,
	.put = fake_put,
	.list = fake_list,
	.remove = fake_remove,
	.cas = fake_cas,
	.beat = fake_beat,
	.beats = fake_beats,
	.lock_controller = fake_lock_controller,
	.needs_poll = fake_needs_poll,
	.watch = fake_watch,
	.unwatch = fake_unwatch,
};
