#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Would it go with a commit that does not have it? Not what is kept, nor what goes already. */
static bool in_force(const struct service_state *s)
{
	return s->spec ? !service_prune_disabled(s) : !s->kept && !s->removing;
}

static uint32_t services_in_force(const struct control *c, struct arena *arena,
				  const struct service_state ***out)
{
	const struct service_state **all;
	uint32_t count = control_services(c, arena, &all), n = 0;
	for (uint32_t i = 0; i < count; i++)
		if (in_force(all[i]))
			all[n++] = all[i];
	*out = all;
	return n;
}

static uint32_t tasks_in_force(const struct control *c)
{
	uint32_t tasks = 0;
	size_t it = 0;
	void *value;
	while (map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++)
			tasks += in_force(n->assignments.items[i].service);
	}
	return tasks;
}

/* By the hold's id, by naming every service that goes, or by "all". */
static bool is_allowed(const struct control *c, const char *id,
		       const struct service_state *const *services, uint32_t count)
{
	if (map_get(c->allowed, id) || map_get(c->allowed, "all"))
		return true;
	for (uint32_t i = 0; i < count; i++)
		if (!map_get(c->allowed, services[i]->name) &&
		    !map_get(c->allowed, services[i]->key))
			return false;
	return true;
}

/* Made from the cause alone: the same cause has the same id, whatever commit it comes with. */
static void make_id(const struct service_state *const *services, uint32_t count, char out[17])
{
	struct buf cause = { 0 };
	buf_adds(&cause, "removes all services:");
	for (uint32_t i = 0; i < count; i++)
		buf_addf(&cause, " %s", services[i]->key);
	struct digest digest = digest_of(cause.data, cause.len);
	buf_release(&cause);
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	snprintf(out, 17, "%.16s", hex);
}

static void hold_end(struct control *c)
{
	if (!c->has_hold)
		return;
	c->has_hold = false;
	dirty_all_services(c);
	c->dirty_fleet = true;
}

static void hold_begin(struct control *c, const char *id, uint32_t services, int64_t now_unix_ms)
{
	bool same = c->has_hold && strcmp(c->hold.id, id) == 0;
	struct hold hold = { .cause = HOLD_ALL_SERVICES_REMOVED,
			     .count = tasks_in_force(c),
			     .since_unix_ms = same ? c->hold.since_unix_ms : now_unix_ms };
	snprintf(hold.id, sizeof(hold.id), "%s", id);
	copy_commit(hold.commit, c->seen.id);
	struct buf message = { 0 };
	buf_addf(&message,
		 "commit %.7s removes all %u services and would stop %u tasks; what runs stays. "
		 "Release: muster allow %s, or a commit with the trailer Muster-Allow: %s",
		 c->seen.id, services, hold.count, id, id);
	hold.message = message.data;
	free(c->hold.message);
	c->hold = hold;
	c->has_hold = true;
	dirty_all_services(c);
	c->dirty_fleet = true;
	if (!same)
		event_add(c, NULL, NULL, "WARN", "COMMIT_HELD", now_unix_ms, "%s", hold.message);
}

/* True: the commit removes all services there are, and nobody has allowed it. */
static bool hold_removal_of_all(struct control *c, int64_t now_unix_ms)
{
	if (c->cache->seen.tree->service_count > 0)
		return false;
	struct arena scratch;
	arena_init(&scratch);
	const struct service_state **services;
	uint32_t count = services_in_force(c, &scratch, &services);
	char id[sizeof(c->hold.id)];
	make_id(services, count, id);
	bool held = count > 0 && !is_allowed(c, id, services, count);
	if (held)
		hold_begin(c, id, count, now_unix_ms);
	arena_release(&scratch);
	return held;
}

static void forget_allowed(struct control *c)
{
	map_free(c->allowed);
	c->allowed = map_new();
}

void apply_consider(struct control *c, int64_t now_unix_ms)
{
	if (!c->seen.id[0] || c->seen_invalid) {
		hold_end(c);
		return;
	}
	bool same = strcmp(c->seen.id, c->applied.id) == 0 && file_cache_seen_is_applied(c->cache);
	if (!same && hold_removal_of_all(c, now_unix_ms))
		return;
	hold_end(c);
	forget_allowed(c); /* it releases what it names, nothing later */
	if (same)
		return;
	apply_seen(c, now_unix_ms);
	c->looks++;
	event_add(c, NULL, NULL, "INFO", "COMMIT_APPLIED", now_unix_ms,
		  "commit %.7s is applied: %s", c->applied.id,
		  c->applied.subject ? c->applied.subject : "");
}

void control_allow(struct control *c, const char *id)
{
	/* Before the first look it is not known what is held: it may be meant for that. */
	if (c->looked && !c->has_hold) {
		event_add(c, NULL, NULL, "WARN", "NOTHING_HELD", c->now_unix_ms,
			  "'%s' is allowed, but nothing is held.", id);
		return;
	}
	map_put(c->allowed, id, c);
	if (c->has_hold)
		apply_consider(c, c->now_unix_ms);
}
