/*
 * The store and its links. Requests of a client are carried out and answered in their order, as by
 * the one thread of pkg/store; messages of watches come when they want, or not at all.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#define DURABLE_AFTER_MS 30000 /* what was not synced is on disk after so long */
#define DEADLINE_MS	 10000

/* --- documents ----------------------------------------------------------------------------------
 */

struct doc *doc_new(const void *bytes, size_t len)
{
	struct doc *doc = xcalloc(1, sizeof(*doc));
	doc->refs = 1;
	doc->bytes = xmalloc(len + 1);
	memcpy(doc->bytes, bytes, len);
	doc->len = len;
	/* A document ends in its own checksum. */
	size_t tail = len < 64 ? len : 64;
	doc->hash = hash_bytes(len, doc->bytes + len - tail, tail);
	return doc;
}

struct doc *doc_ref(struct doc *doc)
{
	if (doc)
		doc->refs++;
	return doc;
}

void doc_drop(struct doc *doc)
{
	if (!doc || --doc->refs > 0)
		return;
	arena_release(&doc->arena);
	free(doc->bytes);
	free(doc);
}

const struct wire_desired *doc_desired(struct doc *doc, const char *node, struct err *err)
{
	if (!doc->tried) {
		doc->tried = true;
		arena_init(&doc->arena);
		doc->whole = wire_decode_desired(doc->bytes, doc->len, FLEET, node, &doc->arena,
						 &doc->desired, err) == WIRE_OK;
	}
	return doc->whole ? &doc->desired : NULL;
}

/* --- keys ---------------------------------------------------------------------------------------
 */

const char *key_of(char out[KEY_MAX], const char *kind, const char *name)
{
	snprintf(out, KEY_MAX, "%s/%s", kind, name);
	return out;
}

uint32_t key_machine(const struct sim *sim, const char *key)
{
	const char *name = strchr(key, '/');
	if (!name || name[1] != 'n' || strncmp(key, "controller", 10) == 0)
		return MACHINES_MAX;
	uint32_t index = (uint32_t)strtoul(name + 2, NULL, 10);
	return index < sim->machine_count ? index : MACHINES_MAX;
}

static struct entry *entry_of(struct sim *sim, const char *key)
{
	struct entry *e = map_get(sim->store.entries, key);
	if (!e) {
		e = xcalloc(1, sizeof(*e));
		memcpy(e->key, key, strlen(key) + 1);
		map_put(sim->store.entries, key, e);
	}
	return e;
}

struct doc *store_doc(const struct sim *sim, const char *kind, uint32_t machine)
{
	char key[KEY_MAX];
	const struct entry *e =
		map_get(sim->store.entries, key_of(key, kind, sim->machines[machine]->name));
	return e ? e->now : NULL;
}

/* --- watches ------------------------------------------------------------------------------------
 */

static void watch_send(struct sim *sim, uint32_t who, uint32_t life, const char *key)
{
	struct link *link = who == CONTROLLER ? &sim->controller.link : &sim->machines[who]->link;
	if (link->cut)
		return;
	if (chance(sim, sim->chances.watch_lost)) {
		fault_met(sim, F_WATCH_LOST, key_machine(sim, key));
		return;
	}
	bool late = chance(sim, sim->chances.watch_late);
	bool doubled = chance(sim, sim->chances.watch_doubled);
	if (late)
		fault_met(sim, F_WATCH_LATE, key_machine(sim, key));
	if (doubled)
		fault_met(sim, F_WATCH_DOUBLED, key_machine(sim, key));
	for (int i = 0; i < 1 + doubled; i++)
		queue_push(&sim->queue,
			   (struct event){ .at_ms = sim->now_ms + (late ? draw_ms(sim, 100, 40000)
									: draw_ms(sim, 1, 12)),
					   .kind = EV_WATCH,
					   .who = who,
					   .life = life,
					   .data = xstrdup(key) });
}

/* The controller watches nodes/ and observed/, an agent its own desired document. */
static void watch_tell(struct sim *sim, const char *key)
{
	uint32_t machine = key_machine(sim, key);
	if (strncmp(key, "nodes/", 6) == 0 || strncmp(key, "observed/", 9) == 0) {
		if (sim->controller.alive)
			watch_send(sim, CONTROLLER, sim->controller.life, key);
	} else if (strncmp(key, "desired/", 8) == 0 && machine < MACHINES_MAX) {
		const struct machine *m = sim->machines[machine];
		if (m->alive)
			watch_send(sim, machine, m->life, key);
	}
}

/* --- what is in it ------------------------------------------------------------------------------
 */

static void entry_set(struct sim *sim, const char *key, struct doc *doc, bool synced)
{
	struct entry *e = entry_of(sim, key);
	if (sim->now_ms - e->changed_ms >= DURABLE_AFTER_MS || synced) {
		doc_drop(e->durable);
		e->durable = doc_ref(synced ? doc : e->now);
	}
	doc_drop(e->now);
	e->now = doc_ref(doc);
	e->changed_ms = sim->now_ms;
	watch_tell(sim, key);
}

void store_damage(struct sim *sim, const char *key)
{
	struct entry *e = map_get(sim->store.entries, key);
	if (!e || !e->now)
		return;
	uint32_t how = draw(sim, 3);
	struct doc *doc = how == 0 ? NULL : doc_new(e->now->bytes, e->now->len);
	if (how == 1)
		doc->len = draw(sim, (uint32_t)doc->len);
	if (how == 2)
		doc->bytes[draw(sim, (uint32_t)doc->len)] ^= 4;
	entry_set(sim, key, doc, false);
	doc_drop(doc);
}

static void entry_hold(struct doc **slot, struct doc *doc)
{
	struct doc *old = *slot;
	*slot = doc_ref(doc);
	doc_drop(old);
}

/* Its machine lost power: what was not synced is as it was before, or torn. */
void store_crash(struct sim *sim)
{
	size_t it = 0;
	void *value;
	while (map_next(sim->store.entries, &it, NULL, &value)) {
		struct entry *e = value;
		uint32_t machine = key_machine(sim, e->key);
		if (sim->now_ms - e->changed_ms >= DURABLE_AFTER_MS || e->now == e->durable)
			continue;
		if (machine < MACHINES_MAX)
			oracle_store_lost(sim, machine);
		if (strncmp(e->key, "nodes/", 6) == 0)
			sim->store.lost[machine] = true;
		if (e->now && draw(sim, 4) == 0) {
			struct doc *torn = doc_new(e->now->bytes, draw(sim, (uint32_t)e->now->len));
			entry_hold(&e->durable, torn);
			doc_drop(torn);
		}
		entry_hold(&e->now, e->durable);
		e->changed_ms = sim->now_ms - DURABLE_AFTER_MS;
	}
}

void store_init(struct sim *sim)
{
	sim->store.entries = map_new();
}

void store_free(struct sim *sim)
{
	size_t it = 0;
	void *value;
	while (map_next(sim->store.entries, &it, NULL, &value)) {
		struct entry *e = value;
		doc_drop(e->now);
		doc_drop(e->durable);
		free(e);
	}
	map_free(sim->store.entries);
}

/* --- requests -----------------------------------------------------------------------------------
 */

struct request *request_new(struct sim *sim, uint32_t who, enum request_kind kind, const char *key)
{
	struct request *r = xcalloc(1, sizeof(*r));
	r->kind = kind;
	r->who = who;
	r->life = who == CONTROLLER ? sim->controller.life : sim->machines[who]->life;
	memcpy(r->key, key, strlen(key) + 1);
	return r;
}

void request_free(struct request *r)
{
	for (size_t i = 0; i < r->list.len; i++)
		doc_drop(r->list.items[i].doc);
	vec_release(&r->list);
	doc_drop(r->doc);
	doc_drop(r->old);
	free(r);
}

static struct link *link_of(struct sim *sim, uint32_t who)
{
	return who == CONTROLLER ? &sim->controller.link : &sim->machines[who]->link;
}

void request_send(struct sim *sim, struct request *r)
{
	struct link *link = link_of(sim, r->who);
	bool slow = chance(sim, sim->chances.request_slow);
	int64_t at = sim->now_ms + (slow ? draw_ms(sim, 200, 8000) : draw_ms(sim, 0, 6));
	if (slow)
		fault_met(sim, F_REQUEST_SLOW, r->who == CONTROLLER ? WORLD : r->who);
	link->sent_ms = at > link->sent_ms ? at : link->sent_ms;
	queue_push(&sim->queue, (struct event){ .at_ms = link->sent_ms,
						.kind = EV_REQUEST,
						.who = r->who,
						.life = r->life,
						.data = r });
}

static void do_list(struct sim *sim, struct request *r)
{
	size_t it = 0, len = strlen(r->key);
	void *value;
	while (map_next(sim->store.entries, &it, NULL, &value)) {
		const struct entry *e = value;
		if (!e->now || strncmp(e->key, r->key, len) != 0)
			continue;
		struct listed *l = vec_push(&r->list);
		memcpy(l->key, e->key, sizeof(l->key));
		l->doc = doc_ref(e->now);
	}
}

static bool same_doc(const struct doc *a, const struct doc *b)
{
	return a == b || (a && b && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0);
}

static void do_request(struct sim *sim, struct request *r)
{
	const struct entry *e = map_get(sim->store.entries, r->key);
	switch (r->kind) {
	case R_OPEN:
	case R_LOCK: break;
	case R_GET: r->doc = doc_ref(e ? e->now : NULL); break;
	case R_LIST: do_list(sim, r); break;
	case R_BEATS:
		memcpy(r->beats, sim->store.beats, sizeof(r->beats));
		memcpy(r->seconds, sim->store.seconds, sizeof(r->seconds));
		break;
	case R_PUT:
		if (strncmp(r->key, "desired/", 8) == 0)
			oracle_stored(sim, key_machine(sim, r->key), r->doc);
		entry_set(sim, r->key, r->doc, r->synced);
		break;
	case R_CAS:
		r->swapped = same_doc(e ? e->now : NULL, r->old);
		if (r->swapped)
			entry_set(sim, r->key, r->doc, r->synced);
		break;
	case R_REMOVE:
		if (e && e->now)
			entry_set(sim, r->key, NULL, false);
		break;
	}
}

static bool writes(const struct request *r)
{
	return r->kind == R_PUT || r->kind == R_CAS || r->kind == R_REMOVE;
}

void store_execute(struct sim *sim, struct request *r)
{
	struct link *link = link_of(sim, r->who);
	bool reaches = !link->cut && !sim->store.down;
	bool fails = reaches && writes(r) && chance(sim, sim->chances.put_failed);
	bool happens = fails && draw(sim, 2);
	if (fails)
		fault_met(sim, happens ? F_PUT_FAILED_HAPPENED : F_PUT_FAILED,
			  key_machine(sim, r->key) < MACHINES_MAX ? key_machine(sim, r->key)
								  : WORLD);
	r->ok = reaches && !fails;
	if (r->ok || happens)
		do_request(sim, r);
	int64_t at = sim->now_ms + (reaches ? draw_ms(sim, 0, 4) : draw_ms(sim, 1, DEADLINE_MS));
	link->answered_ms = at > link->answered_ms ? at : link->answered_ms;
	queue_push(&sim->queue, (struct event){ .at_ms = link->answered_ms,
						.kind = EV_ANSWER,
						.who = r->who,
						.life = r->life,
						.data = r });
}
