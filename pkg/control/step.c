#include "control/internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000

/* --- the store
 * --------------------------------------------------------------------------------------- */

void control_store_open(struct control *c, const char *fleet)
{
	bool again = c->fleet[0] != '\0';
	snprintf(c->fleet, sizeof(c->fleet), "%s", fleet);
	c->store_open = true;
	free(c->store_away);
	c->store_away = NULL;
	c->retry_at_ms = 0;
	c->dirty_fleet = true;
	if (!again)
		return;
	/* It may have come back empty: the ledger is put again. */
	size_t it = 0;
	void *value;
	while (map_next(c->families, &it, NULL, &value))
		ledger_dirty_family(c, value);
	it = 0;
	while (map_next(c->services, &it, NULL, &value))
		ledger_dirty_service(c, value);
}

void control_store_away(struct control *c, const char *reason)
{
	c->store_open = false;
	if (c->store_away && strcmp(c->store_away, reason) == 0)
		return;
	free(c->store_away);
	c->store_away = xstrdup(reason);
	c->dirty_fleet = true;
}

void control_document(struct control *c, const char *key, const void *bytes, size_t len,
		      const char *why, int64_t now_ms)
{
	const char *slash = strchr(key, '/');
	if (!slash)
		return;
	c->now_ms = now_ms;
	char kind[32];
	snprintf(kind, sizeof(kind), "%.*s", (int)(slash - key), key);
	if (strcmp(kind, "controller") == 0) {
		if (!c->store_listed) /* later our own knowledge wins */
			ledger_told(c, key, bytes, len, why);
	} else {
		fleet_document(c, kind, slash + 1, bytes, len, why, now_ms);
	}
}

void control_forget(struct control *c, const char *node)
{
	struct node_record *n = map_get(c->nodes, node);
	if (!n || n->connection == CONNECTION_ALIVE) {
		event_add(c, NULL, node, "WARN", "NODE_NOT_FORGOTTEN", c->now_unix_ms,
			  n ? "(node %s) still beats; it is not forgotten."
			    : "(node %s) is not known.",
			  node);
		return;
	}
	static const char *const kinds[] = { "nodes", "alive", "observed", "desired" };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf key = { 0 };
		buf_addf(&key, "%s/%s", kinds[i], node);
		*vec_push(&c->removals) = key.data;
	}
	fleet_document(c, "nodes", node, NULL, 0, NULL, 0);
}

/* --- effects
 * --------------------------------------------------------------------------------------------- */

void control_effects_release(struct control_effects *effects)
{
	vec_release(&effects->items);
}

static struct control_effect *add(struct control_effects *out, enum control_effect_kind kind)
{
	struct control_effect *effect = vec_push(&out->items);
	effect->kind = kind;
	return effect;
}

static void put_ledger(struct control_effects *out, struct control *c, const char *key,
		       struct buf *bytes, struct arena *arena)
{
	struct control_effect *effect = add(out, EFFECT_PUT);
	effect->key = key;
	effect->bytes = arena_strndup(arena, bytes->data, bytes->len);
	effect->len = bytes->len;
	effect->synced = true;
	buf_release(bytes);
	c->ledger_pending++;
}

static void ledger_effects(struct control *c, int64_t now_ms, struct control_effects *out,
			   struct arena *arena)
{
	if (!c->ledger_behind || !c->store_open || !c->store_listed || now_ms < c->retry_at_ms)
		return;
	c->ledger_behind = false;
	size_t it = 0;
	void *value;
	while (map_next(c->families, &it, NULL, &value)) {
		struct family *f = value;
		struct buf bytes = { 0 };
		if (!f->dirty)
			continue;
		f->dirty = false;
		ledger_family_document(c, f, &bytes);
		put_ledger(out, c, arena_printf(arena, LEDGER_FAMILIES "%s", f->name), &bytes,
			   arena);
	}
	it = 0;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		struct buf bytes = { 0 };
		if (!s->dirty)
			continue;
		s->dirty = false;
		ledger_service_document(c, s, &bytes);
		put_ledger(out, c, ledger_service_key(arena, s), &bytes, arena);
	}
}

static void desired_put_done(struct control *c, struct node_record *n, bool ok, int64_t now_ms)
{
	uint64_t number = n->put_pending;
	n->put_pending = 0;
	if (ok) {
		n->put_number = number;
		n->put_digest = n->pending_digest;
		fleet_behind(c, n, now_ms);
	} else { /* it may have happened: the next has a higher number */
		n->put_digest = (struct digest){ 0 };
		n->dirty = true;
	}
}

static void ledger_put_failed(struct control *c, const char *key)
{
	if (strncmp(key, LEDGER_FAMILIES, strlen(LEDGER_FAMILIES)) == 0) {
		struct family *f = map_get(c->families, key + strlen(LEDGER_FAMILIES));
		if (f)
			ledger_dirty_family(c, f);
		return;
	}
	struct arena scratch;
	arena_init(&scratch);
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value))
		if (strcmp(ledger_service_key(&scratch, value), key) == 0)
			ledger_dirty_service(c, value);
	arena_release(&scratch);
}

void control_put_done(struct control *c, const char *key, bool ok, const char *why, int64_t now_ms)
{
	static const char desired[] = "desired/";
	bool was_open = c->store_open;
	if (!ok) {
		c->retry_at_ms = now_ms + RETRY_MS;
		control_store_away(c, why);
		c->store_open = was_open; /* until it is told to be away, tried again */
	} else if (c->store_away && c->store_open) {
		free(c->store_away);
		c->store_away = NULL;
		c->dirty_fleet = true;
	}
	if (strncmp(key, desired, strlen(desired)) == 0) {
		struct node_record *n = map_get(c->nodes, key + strlen(desired));
		if (n && n->put_pending)
			desired_put_done(c, n, ok, now_ms);
		return;
	}
	if (c->ledger_pending > 0)
		c->ledger_pending--;
	if (!ok)
		ledger_put_failed(c, key);
}

static void removal_effects(struct control *c, struct control_effects *out, struct arena *arena)
{
	for (size_t i = 0; c->store_open && i < c->removals.len; i++) {
		add(out, EFFECT_REMOVE)->key = arena_strdup(arena, c->removals.items[i]);
		free(c->removals.items[i]);
	}
	if (c->store_open)
		c->removals.len = 0;
}

/* Behind the puts: nobody waits for it but status. What was asked for is not asked for again. */
static void look_effects(struct control *c, struct control_effects *out)
{
	if (c->looks_asked == c->looks || !c->store_open)
		return;
	c->looks_asked = c->looks;
	add(out, EFFECT_LIST_NODES)->look = c->looks;
}

static void status_removals(struct control *c, struct control_effects *out, struct arena *arena)
{
	for (size_t i = 0; i < c->removed_status.len; i++) {
		add(out, c->removed_status.items[i].kind)->key =
			arena_strdup(arena, c->removed_status.items[i].key);
		free(c->removed_status.items[i].key);
	}
	c->removed_status.len = 0;
}

static void status_effects(struct control *c, int64_t now_unix_ms, struct control_effects *out,
			   struct arena *arena)
{
	size_t it = 0;
	void *value;
	const char *key;
	size_t before = out->items.len;
	while (map_next(c->dirty_services, &it, NULL, &value))
		add(out, EFFECT_STATUS_SERVICE)->service = value;
	it = 0;
	while (map_next(c->dirty_nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		if (n->registered || n->manifest)
			add(out, EFFECT_STATUS_NODE)->node = n;
	}
	it = 0;
	while (map_next(c->dirty_families, &it, &key, NULL))
		add(out, EFFECT_STATUS_TASKDEF)->key = arena_strdup(arena, key);
	for (size_t i = 0; i < c->new_events.len; i++)
		if (c->new_events.items[i])
			add(out, EFFECT_EVENT)->event = c->new_events.items[i];
	c->new_events.len = 0;
	status_removals(c, out, arena);
	if (out->items.len > before || c->dirty_fleet) {
		conditions_of_fleet(c, now_unix_ms);
		c->generation++;
		add(out, EFFECT_STATUS_FLEET);
	}
	c->dirty_fleet = false;
	struct map **maps[] = { &c->dirty_services, &c->dirty_nodes, &c->dirty_families };
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		if (map_count(*maps[i]) == 0)
			continue;
		map_free(*maps[i]);
		*maps[i] = map_new();
	}
}

/* What a node does changes the counts of services that nobody spoke of. */
static void notice_counts(struct control *c)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		struct plan_counts counts = planner_counts(c->planner, s->id);
		if (memcmp(&counts, &s->counts, sizeof(counts)) == 0)
			continue;
		s->counts = counts;
		dirty_service(c, s);
	}
}

static void plan(struct control *c, int64_t now_ms, int64_t now_unix_ms, struct arena *arena)
{
	struct plan_result plan = { .wake_at_ms = INT64_MAX };
	apply_strangers(c, now_unix_ms);
	planner_run(c->planner, now_ms, arena, &plan);
	c->planner_stale = false;
	c->plan_again_ms = plan.wake_at_ms;
	render_changes(c, &plan, now_unix_ms);
	apply_retire(c);
	notice_counts(c);
	contents_sweep(c);
}

/* What a plan changes may end a deployment or a step of it, and that what may be planned. */
#define PLANS_MAX 16
static void decide(struct control *c, int64_t now_ms, int64_t now_unix_ms, struct arena *arena)
{
	if (!c->store_listed || !c->applied.id[0])
		return;
	for (int i = 0; i < PLANS_MAX; i++) {
		if (c->planner_stale || now_ms >= c->plan_again_ms)
			plan(c, now_ms, now_unix_ms, arena);
		if (!rollouts_judge(c))
			break;
	}
	holds_of_services(c);
}

void control_step(struct control *c, int64_t now_ms, int64_t now_unix_ms, struct arena *arena,
		  struct control_effects *out)
{
	c->now_ms = now_ms;
	c->now_unix_ms = now_unix_ms;
	int64_t liveness_at_ms = fleet_liveness(c, now_ms, now_unix_ms);
	fleet_retire(c);
	c->clock_steady = clock_steady(&c->clock, now_ms, now_unix_ms, &c->steady_at_ms);
	fleet_starts(c);
	decide(c, now_ms, now_unix_ms, arena);
	size_t it = 0;
	void *value;
	while (map_next(c->dirty_services, &it, NULL, &value))
		conditions_of_service(c, value, now_unix_ms);
	removal_effects(c, out, arena); /* before what may be put anew */
	ledger_effects(c, now_ms, out, arena);
	if (!c->ledger_behind && c->ledger_pending == 0) {
		if (c->save_applied)
			add(out, EFFECT_SAVE_APPLIED);
		c->save_applied = false;
		render_nodes(c, now_ms, out, arena);
		look_effects(c, out);
	}
	status_effects(c, now_unix_ms, out, arena);
	out->wake_at_ms = INT64_MAX;
	const int64_t wakes[] = { liveness_at_ms,
				  c->plan_again_ms,
				  c->starts_end_ms,
				  rollouts_wake(c),
				  c->planner_stale && c->store_listed && c->applied.id[0]
					  ? now_ms
					  : INT64_MAX,
				  c->retry_at_ms > now_ms ? c->retry_at_ms : INT64_MAX };
	for (size_t i = 0; i < ARRAY_LEN(wakes); i++)
		if (wakes[i] < out->wake_at_ms)
			out->wake_at_ms = wakes[i];
}
