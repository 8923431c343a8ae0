#include "musterd.h"

#include "fs/fs.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODES_PREFIX "nodes/"

/* In this order: the ledger before what refers to it. */
static const char *const listed_prefixes[] = { "controller/families/", "controller/services/",
					       NODES_PREFIX, "desired/", "observed/" };
static const char *const watched_prefixes[] = { NODES_PREFIX, "observed/" };

static void open_store(void *arg);

/* The store failed: say so, and open it anew in a while. */
static void store_failed(struct musterd *d, const struct err *err)
{
	if (!d->control->store_away || strcmp(d->control->store_away, err->text) != 0)
		log_warn("the store does not answer", "store", d->options.store, "reason",
			 err->text);
	control_store_away(d->control, err->text);
	timer_set(d->reopen_timer, STORE_RETRY_MS);
	musterd_step_soon(d);
}

/* --- documents
 * ---------------------------------------------------------------------------------------- */

struct key_request {
	struct musterd *d;
	char *key;
};

static void got_document(void *arg, const struct store_answer *answer)
{
	struct key_request *request = arg;
	struct musterd *d = request->d;
	if (!answer->ok && answer->err.code != EFBIG && answer->err.code != EBADMSG)
		store_failed(d, &answer->err);
	else
		control_document(d->control, request->key, answer->found ? answer->bytes : NULL,
				 answer->len, answer->ok ? NULL : answer->err.text,
				 clock_monotonic_ms());
	free(request->key);
	free(request);
	musterd_step_soon(d);
}

static void list_again(void *arg);

static void changed(void *arg, const char *key)
{
	struct musterd *d = arg;
	if (!key) {
		list_again(d);
		return;
	}
	struct key_request *request = xcalloc(1, sizeof(*request));
	*request = (struct key_request){ .d = d, .key = xstrdup(key) };
	store_get(d->store, key, got_document, request);
}

/* --- lists
 * -------------------------------------------------------------------------------------------- */

struct list_request {
	struct musterd *d;
	const char *prefix;
	uint64_t look; /* control_look() when it was asked for */
};

/* A registered node whose document is not among the entries has left. */
static void tell_absent(struct musterd *d, const struct store_entries *entries, const char *prefix)
{
	struct map *there = map_new();
	for (size_t i = 0; i < entries->count; i++)
		map_put(there, entries->items[i].key, d);
	struct arena scratch;
	arena_init(&scratch);
	const struct node_record **nodes;
	uint32_t count = control_nodes(d->control, &scratch, &nodes);
	for (uint32_t i = 0; i < count; i++) {
		const char *key = arena_printf(&scratch, "%s%s", prefix, nodes[i]->name);
		if (!map_get(there, key))
			control_document(d->control, key, NULL, 0, NULL, clock_monotonic_ms());
	}
	arena_release(&scratch);
	map_free(there);
}

static void tell_list(struct musterd *d, const struct list_request *request,
		      const struct store_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct store_entry *e = &entries->items[i];
		control_document(d->control, e->key, e->bytes, e->len, e->bytes ? NULL : e->text,
				 clock_monotonic_ms());
	}
	if (strncmp(request->prefix, "controller/", 11) != 0)
		tell_absent(d, entries, request->prefix);
	if (strcmp(request->prefix, NODES_PREFIX) == 0)
		control_nodes_told(d->control, request->look);
}

static void request_list(struct musterd *d, const char *prefix, store_answered done)
{
	struct list_request *request = xcalloc(1, sizeof(*request));
	*request =
		(struct list_request){ .d = d, .prefix = prefix, .look = control_look(d->control) };
	store_list(d->store, prefix, done, request);
}

/* One that fails is made good by the list of all when the store is back. */
static void got_nodes(void *arg, const struct store_answer *answer)
{
	struct list_request *request = arg;
	struct musterd *d = request->d;
	if (answer->ok)
		tell_list(d, request, answer->entries);
	else
		store_failed(d, &answer->err);
	free(request);
	musterd_step_soon(d);
}

void musterd_store_list_nodes(struct musterd *d)
{
	request_list(d, NODES_PREFIX, got_nodes);
}

/* Soon after the start nodes are only unknown until their beat is seen to move: look more often. */
static int64_t beats_pause(const struct musterd *d)
{
	bool early = d->listed && clock_monotonic_ms() - d->listed_at_ms < BEATS_EARLY_FOR_MS;
	return early ? BEATS_EARLY_MS : BEATS_SCAN_MS;
}

static void tell_beat(struct musterd *d, const struct store_entry *entry, int64_t now_ms)
{
	char node[NAME_MAX_LEN + 1];
	if (store_is_second(entry->key, node))
		control_second_beat(d->control, node, entry->beat, now_ms);
	else
		control_beat(d->control, entry->key, entry->beat, now_ms);
}

static void tell_beats(void *arg, const struct store_answer *answer)
{
	struct musterd *d = arg;
	int64_t now_ms = clock_monotonic_ms();
	if (answer->ok) {
		for (size_t i = 0; i < answer->entries->count; i++)
			tell_beat(d, &answer->entries->items[i], now_ms);
		control_beats_told(d->control, now_ms);
	} else {
		store_failed(d, &answer->err);
	}
	timer_set(d->beat_timer, beats_pause(d));
	musterd_step_soon(d);
}

static void restore_applied(struct musterd *d)
{
	struct buf bytes = { 0 };
	struct err err;
	struct arena scratch;
	arena_init(&scratch);
	struct source_snapshot applied;
	if (!fs_read(d->applied_file, LIMIT_TREE_BYTES * 2, &bytes, &err)) {
		if (err.code != ENOENT)
			log_warn("the applied snapshot cannot be read", "reason", err.text);
	} else if (!source_snapshot_read(bytes.data, bytes.len, &scratch, &applied, &err)) {
		log_warn("the applied snapshot is damaged; the repository is read whole", "reason",
			 err.text);
	} else {
		control_restore(d->control, &applied);
	}
	arena_release(&scratch);
	buf_release(&bytes);
}

static void all_listed(void *arg, const struct store_answer *answer)
{
	struct musterd *d = arg;
	tell_beats(d, answer);
	if (d->listed || !answer->ok)
		return;
	d->listed = true;
	d->listed_at_ms = clock_monotonic_ms();
	timer_set(d->beat_timer, beats_pause(d));
	control_store_listed(d->control);
	restore_applied(d);
	struct err err;
	if (!musterd_source_start(d, &err)) {
		log_error(err.text);
		control_source_failed(d->control, "SourceInvalid", err.text);
	}
}

static void got_list(void *arg, const struct store_answer *answer)
{
	struct list_request *request = arg;
	struct musterd *d = request->d;
	d->listing--;
	if (answer->ok) {
		tell_list(d, request, answer->entries);
	} else { /* a ledger that could not be read must not pass for an empty one */
		d->list_failed = true;
		store_failed(d, &answer->err);
	}
	free(request);
	if (d->listing == 0 && !d->list_failed)
		store_beats(d->store, all_listed, d);
	musterd_step_soon(d);
}

static void list_again(void *arg)
{
	struct musterd *d = arg;
	timer_set(d->relist_timer,
		  d->needs_poll ? STORE_RELIST_NETWORK_FS_MS : STORE_RELIST_CONTROLLER_MS);
	if (d->listing > 0)
		return;
	d->list_failed = false;
	for (size_t i = 0; i < ARRAY_LEN(listed_prefixes); i++) {
		d->listing++;
		request_list(d, listed_prefixes[i], got_list);
	}
}

/* --- opening
 * ------------------------------------------------------------------------------------------ */

static void locked(void *arg, const struct store_answer *answer)
{
	struct musterd *d = arg;
	struct err err;
	if (!answer->ok) {
		if (answer->err.code == EWOULDBLOCK && !d->locked) {
			log_error("another controller holds this store", "store", d->options.store);
			d->exit_code = EXIT_SYSTEM;
			loop_stop(d->loop);
			return;
		}
		store_failed(d, &answer->err);
		return;
	}
	d->locked = true;
	if (!store_watch(d->store, watched_prefixes, ARRAY_LEN(watched_prefixes), changed, d,
			 &d->needs_poll, &err)) {
		store_failed(d, &err);
		return;
	}
	list_again(d);
}

static void opened(void *arg, const struct store_answer *answer)
{
	struct musterd *d = arg;
	struct err err;
	if (!answer->ok) {
		store_failed(d, &answer->err);
		return;
	}
	if (!fs_write(d->fleet_file, answer->fleet, strlen(answer->fleet), 0600,
		      FS_SYNC | FS_IF_CHANGED, NULL, &err))
		log_warn(err.text);
	control_store_open(d->control, answer->fleet);
	store_lock_controller(d->store, locked, d);
}

static void open_store(void *arg)
{
	struct musterd *d = arg;
	store_open(d->store, opened, d);
}

static void scan_beats(void *arg)
{
	struct musterd *d = arg;
	store_beats(d->store, tell_beats, d);
}

bool musterd_store_start(struct musterd *d, struct err *err)
{
	struct buf fleet = { 0 };
	fs_read(d->fleet_file, 64, &fleet, NULL);
	d->reopen_timer = timer_new(d->loop, open_store, d);
	d->relist_timer = timer_new(d->loop, list_again, d);
	d->beat_timer = timer_new(d->loop, scan_beats, d);
	d->store = store_new(d->loop, NULL, d->options.store, STORE_CONTROLLER,
			     fleet.len == FLEET_ID_LEN ? fleet.data : NULL, err);
	buf_release(&fleet);
	if (!d->store)
		return false;
	open_store(d);
	return true;
}

void musterd_store_stop(struct musterd *d)
{
	if (d->store)
		store_free(d->store);
}
