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
	c->ledger_pending = 0;
	c->dirty_fleet = true;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		if (n->put_pending) /* its answer is lost: it may have happened */
			n->dirty = true;
		n->put_pending = 0;
	}
	if (!again)
		return;
	/* It may have come back empty: the ledger is put again. */
	it = 0;
	while (map_next(c->families, &it, NULL, &value)) {
		((struct family *)value)->dirty = true;
		dirty_family(c, value);
	}
	it = 0;
	while (map_next(c->services, &it, NULL, &value)) {
		((struct service_state *)value)->dirty = true;
		dirty_service(c, value);
	}
}

void control_store_away(struct control *c, const char *reason)
{
	if (c->store_away && strcmp(c->store_away, reason) == 0)
		return;
	c->store_open = false;
	free(c->store_away);
	c->store_away = xstrdup(reason);
	c->dirty_fleet = true;
}

static void ledger_told(struct control *c, const char *key, const void *bytes, size_t len)
{
	static const char families[] = "families/", services[] = "services/";
	struct err err;
	if (!bytes)
		return;
	if (strncmp(key, families, strlen(families)) == 0) {
		json_t *doc = wire_open(bytes, len, "family", c->fleet, &err);
		if (doc)
			ledger_load_family(c, key + strlen(families), doc);
		json_decref(doc);
	} else if (strncmp(key, services, strlen(services)) == 0) {
		json_t *doc = wire_open(bytes, len, "service", c->fleet, &err);
		const char *cluster = json_string_value(json_object_get(doc, "cluster"));
		const char *name = json_string_value(json_object_get(doc, "service"));
		if (cluster && name)
			ledger_load_service(c, cluster, name, doc);
		json_decref(doc);
	}
}

void control_document(struct control *c, const char *key, const void *bytes, size_t len,
		      const char *why, int64_t now_ms)
{
	const char *slash = strchr(key, '/');
	if (!slash)
		return;
	char kind[32];
	snprintf(kind, sizeof(kind), "%.*s", (int)(slash - key), key);
	if (strcmp(kind, "controller") == 0) {
		if (!c->store_listed) /* later our own knowledge wins */
			ledger_told(c, slash + 1, bytes, len);
	} else {
		fleet_document(c, kind, slash + 1, bytes, len, why, now_ms);
	}
}

bool control_needs_history(const struct control *c)
{
	return map_count(c->families) == 0;
}

/* --- the source
 * ---------------------------------------------------------------------------------------- */

static void commit_take(struct commit_facts *to, const struct source_snapshot *snapshot)
{
	struct commit_facts from = { .subject = (char *)snapshot->subject,
				     .author = (char *)snapshot->author,
				     .time_unix_ms = snapshot->time_unix_ms };
	copy_commit(from.id, snapshot->commit);
	commit_copy(to, &from);
}

static void number_file(struct control *c, const struct source_file *file, const char *commit,
			int64_t time_unix_ms)
{
	const struct manifest_file *parsed = file_cache_file(c->cache, file);
	for (size_t i = 0; parsed && i < parsed->object_count; i++)
		if (parsed->objects[i].kind == MANIFEST_TASK_DEFINITION)
			ledger_number(c, &parsed->objects[i], commit, time_unix_ms);
}

/* Numbers that run under revisions the history did not give are never given again. */
static void adopt_numbers(struct control *c)
{
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++) {
			const struct content *content = n->assignments.items[i].content;
			ledger_adopt(c, content->family, content->revision,
				     &content->task_definition);
		}
		for (uint32_t i = 0; n->observed_known && i < n->observed.task_count; i++) {
			struct digest none = { 0 };
			ledger_adopt(c, n->observed.tasks[i].family, n->observed.tasks[i].revision,
				     &none);
		}
	}
}

static void take_diags(struct control *c)
{
	diag_release(&c->diags);
	arena_release(&c->diags_arena);
	diag_init(&c->diags, &c->diags_arena);
	diag_append(&c->diags, &c->cache->seen.tree->diags);
}

static void take_allows(struct control *c, const struct source_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->allow_count; i++)
		map_put(c->allowed, snapshot->allows[i], c);
}

bool control_snapshot(struct control *c, const struct source_snapshot *snapshot, int64_t now_ms,
		      int64_t now_unix_ms)
{
	(void)now_ms;
	c->now_unix_ms = now_unix_ms;
	if (!c->store_listed || !file_cache_take(c->cache, snapshot))
		return false;
	for (size_t h = 0; h < snapshot->history_count; h++) {
		const struct source_commit *commit = &snapshot->history[h];
		for (size_t i = 0; i < commit->file_count; i++)
			number_file(c, &commit->files[i], commit->id, commit->time_unix_ms);
	}
	adopt_numbers(c);
	for (size_t i = 0; i < snapshot->file_count; i++)
		number_file(c, &snapshot->files[i], snapshot->commit, snapshot->time_unix_ms);
	commit_take(&c->seen, snapshot);
	take_diags(c);
	take_allows(c, snapshot);
	bool was_invalid = c->seen_invalid;
	c->seen_invalid = !c->cache->seen.tree->valid;
	c->has_hold = c->has_hold && !c->seen_invalid;
	if (c->seen_invalid)
		event_add(c, NULL, NULL, "ERROR", "COMMIT_INVALID", now_unix_ms,
			  "commit %.7s has %zu errors and is not applied.", c->seen.id,
			  c->diags.errors);
	else if (was_invalid)
		event_add(c, NULL, NULL, "INFO", "COMMIT_VALID", now_unix_ms,
			  "commit %.7s is valid again.", c->seen.id);
	apply_consider(c, now_unix_ms);
	file_cache_sweep(c->cache);
	control_source_ok(c, snapshot->commit);
	c->dirty_fleet = c->planner_stale = true;
	return true;
}

void control_restore(struct control *c, const struct source_snapshot *applied)
{
	if (control_needs_history(c) || !file_cache_take(c->cache, applied) ||
	    !c->cache->seen.tree->valid)
		return;
	commit_take(&c->seen, applied);
	take_diags(c);
	apply_seen(c, c->now_unix_ms);
	c->save_applied = false;
	c->planner_stale = true;
}

void control_source_failed(struct control *c, const char *reason, const char *text)
{
	if (c->source_reason && strcmp(c->source_reason, reason) == 0 &&
	    strcmp(c->source_text, text) == 0)
		return;
	free(c->source_reason);
	free(c->source_text);
	c->source_reason = xstrdup(reason);
	c->source_text = xstrdup(text);
	c->dirty_fleet = true;
}

void control_source_ok(struct control *c, const char *commit)
{
	(void)commit;
	c->dirty_fleet |= c->source_reason != NULL || !c->looked;
	c->looked = true;
	free(c->source_reason);
	free(c->source_text);
	c->source_reason = c->source_text = NULL;
}

void control_allow(struct control *c, const char *id)
{
	map_put(c->allowed, id, c);
	apply_consider(c, c->now_unix_ms);
	c->dirty_fleet = c->planner_stale = true;
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

static void put_ledger(struct control_effects *out, struct control *c, const char *key,
		       struct buf *bytes, struct arena *arena)
{
	struct control_effect *effect = vec_push(&out->items);
	effect->kind = EFFECT_PUT;
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
	if (!c->store_open || !c->store_listed || now_ms < c->retry_at_ms)
		return;
	size_t it = 0;
	void *value;
	while (map_next(c->dirty_families, &it, NULL, &value)) {
		struct family *f = value;
		if (!f->dirty)
			continue;
		struct buf bytes = { 0 };
		ledger_family_document(c, f, &bytes);
		f->dirty = false;
		put_ledger(out, c, arena_printf(arena, "controller/families/%s", f->name), &bytes,
			   arena);
	}
	it = 0;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (!s->dirty)
			continue;
		struct buf bytes = { 0 };
		ledger_service_document(c, s, &bytes);
		s->dirty = false;
		put_ledger(out, c, ledger_service_key(arena, s), &bytes, arena);
	}
}

void control_put_done(struct control *c, const char *key, bool ok, const char *why, int64_t now_ms)
{
	static const char desired[] = "desired/", families[] = "controller/families/";
	if (!ok) {
		c->retry_at_ms = now_ms + RETRY_MS;
		control_store_away(c, why);
		c->store_open = true; /* until it is opened anew, tried again by and by */
	} else if (c->store_away) {
		free(c->store_away);
		c->store_away = NULL;
		c->dirty_fleet = true;
	}
	if (strncmp(key, desired, strlen(desired)) == 0) {
		struct node_record *n = map_get(c->nodes, key + strlen(desired));
		if (!n)
			return;
		if (ok && n->put_pending)
			n->put_number = n->put_pending;
		else if (!ok)
			n->dirty = true; /* it may have happened: the next has a higher number */
		n->put_pending = 0;
		return;
	}
	if (c->ledger_pending > 0)
		c->ledger_pending--;
	if (ok)
		return;
	if (strncmp(key, families, strlen(families)) == 0) {
		struct family *f = map_get(c->families, key + strlen(families));
		if (f) {
			f->dirty = true;
			dirty_family(c, f);
		}
		return;
	}
	size_t it = 0;
	void *value;
	struct arena scratch;
	arena_init(&scratch);
	while (map_next(c->services, &it, NULL, &value))
		if (strcmp(ledger_service_key(&scratch, value), key) == 0)
			((struct service_state *)value)->dirty = true;
	arena_release(&scratch);
}

static struct control_effect *add(struct control_effects *out, enum control_effect_kind kind)
{
	struct control_effect *effect = vec_push(&out->items);
	effect->kind = kind;
	return effect;
}

static void removal_effects(struct control *c, struct control_effects *out, struct arena *arena)
{
	for (size_t i = 0; c->store_open && i < c->removals.len; i++) {
		add(out, EFFECT_REMOVE)->key = arena_strdup(arena, c->removals.items[i]);
		free(c->removals.items[i]);
	}
	if (c->store_open)
		c->removals.len = 0;
	for (size_t i = 0; i < c->removed_status.len; i++) {
		add(out, c->removed_status.items[i].kind)->key =
			arena_strdup(arena, c->removed_status.items[i].key);
		free(c->removed_status.items[i].key);
	}
	c->removed_status.len = 0;
}

static void status_effects(struct control *c, int64_t now_ms, int64_t now_unix_ms,
			   struct control_effects *out, struct arena *arena)
{
	size_t it = 0;
	void *value;
	const char *key;
	bool any = c->removed_status.len > 0;
	while (map_next(c->dirty_services, &it, NULL, &value)) {
		struct service_state *s = value;
		conditions_of_service(c, s, now_ms, now_unix_ms);
		add(out, EFFECT_STATUS_SERVICE)->service = s;
		any = true;
	}
	it = 0;
	while (map_next(c->dirty_nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		if (n->registered || n->manifest)
			add(out, EFFECT_STATUS_NODE)->node = n;
		any = true;
	}
	it = 0;
	while (map_next(c->dirty_families, &it, &key, &value)) {
		add(out, EFFECT_STATUS_TASKDEF)->key = arena_strdup(arena, key);
		any = true;
	}
	for (size_t i = 0; i < c->new_events.len; i++)
		if (c->new_events.items[i])
			add(out, EFFECT_EVENT)->event = c->new_events.items[i];
	any |= c->new_events.len > 0;
	c->new_events.len = 0;
	removal_effects(c, out, arena);
	if (any || c->dirty_fleet) {
		conditions_of_fleet(c, now_ms, now_unix_ms);
		c->generation++;
		add(out, EFFECT_STATUS_FLEET);
	}
	c->dirty_fleet = false;
	struct map **maps[] = { &c->dirty_services, &c->dirty_nodes, &c->dirty_families };
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		map_free(*maps[i]);
		*maps[i] = map_new();
	}
}

void control_step(struct control *c, int64_t now_ms, int64_t now_unix_ms, struct arena *arena,
		  struct control_effects *out)
{
	c->now_unix_ms = now_unix_ms;
	out->wake_at_ms = fleet_liveness(c, now_ms, now_unix_ms);
	if (c->store_listed && c->applied.id[0] &&
	    (c->planner_stale || now_ms >= c->plan_again_ms)) {
		struct plan_result plan = { .wake_at_ms = INT64_MAX };
		planner_run(c->planner, now_ms, arena, &plan);
		c->planner_stale = false;
		c->plan_again_ms = plan.wake_at_ms;
		render_changes(c, &plan, now_unix_ms);
		apply_retire(c);
	}
	/* Before the ledger: a deployment may be found completed. */
	size_t it = 0;
	void *value;
	while (map_next(c->dirty_services, &it, NULL, &value))
		conditions_of_service(c, value, now_ms, now_unix_ms);
	ledger_effects(c, now_ms, out, arena);
	render_nodes(c, now_ms, out, arena);
	if (c->save_applied)
		add(out, EFFECT_SAVE_APPLIED);
	c->save_applied = false;
	status_effects(c, now_ms, now_unix_ms, out, arena);
	if (c->plan_again_ms < out->wake_at_ms)
		out->wake_at_ms = c->plan_again_ms;
	if (c->retry_at_ms > now_ms && c->retry_at_ms < out->wake_at_ms)
		out->wake_at_ms = c->retry_at_ms;
}

const struct source_snapshot *control_applied_snapshot(struct control *c, struct arena *arena)
{
	if (!c->applied.id[0])
		return NULL;
	const struct file_set *set = &c->cache->applied;
	struct source_snapshot *out = ARENA_NEW(arena, struct source_snapshot);
	out->commit = arena_strdup(arena, c->applied.id);
	out->subject = arena_strdup(arena, c->applied.subject);
	out->author = arena_strdup(arena, c->applied.author);
	out->time_unix_ms = c->applied.time_unix_ms;
	out->files = ARENA_ARRAY(arena, struct source_file, set->count + 1);
	for (size_t i = 0; i < set->count; i++) {
		const struct cached_file *file = set->files[i];
		out->files[out->file_count++] = (struct source_file){ .path = file->path,
								      .blob = file->blob->id,
								      .bytes = file->blob->bytes,
								      .len = file->blob->len };
	}
	return out;
}
