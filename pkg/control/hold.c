/* The mass-change guard of commits, and what is held at all. A commit that is held is not applied;
 * what is held of a service alone is told by rollouts.c. */
#include "control/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hold_cause_name(enum hold_cause cause)
{
	static const char *const names[] = {
		[HOLD_ALL_SERVICES_REMOVED] = "AllServicesRemoved",
		[HOLD_SERVICES_REMOVED] = "ManyServicesRemoved",
		[HOLD_NODES_STOPPED] = "ManyNodesStopped",
		[HOLD_MASS_CHANGE] = "MassChange",
		[HOLD_WINDOW] = "WindowClosed",
	};
	return names[cause];
}

static bool is_of_commit(const struct hold *h)
{
	return h->cause <= HOLD_NODES_STOPPED;
}

const struct hold *control_commit_hold(const struct control *c)
{
	for (size_t i = 0; i < c->holds.len; i++)
		if (is_of_commit(&c->holds.items[i]))
			return &c->holds.items[i];
	return NULL;
}

const struct hold *control_service_hold(const struct control *c, const struct service_state *s)
{
	for (size_t i = 0; i < c->holds.len; i++) {
		const struct hold *h = &c->holds.items[i];
		if (h->service && strcmp(h->service, s->key) == 0)
			return h;
	}
	return NULL;
}

/* --- the list --------------------------------------------------------------------------------- */

void hold_free(struct hold *h)
{
	free(h->service);
	free(h->message);
}

/* Made from the cause alone: the same cause has the same id, whatever commit it comes with. */
void hold_make_id(const char *cause, char out[17])
{
	struct digest digest = digest_of(cause, strlen(cause));
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	snprintf(out, 17, "%.16s", hex);
}

static void hold_changed(struct control *c, const struct hold *h)
{
	struct service_state *s = h->service ? map_get(c->services, h->service) : NULL;
	if (is_of_commit(h))
		dirty_all_services(c);
	else if (s)
		dirty_service(c, s);
	c->dirty_fleet = true;
}

void hold_put(struct control *c, enum hold_cause cause, struct service_state *s, const char *id,
	      uint32_t count, const char *message)
{
	struct hold *h = NULL;
	for (size_t i = 0; i < c->holds.len; i++)
		if (strcmp(c->holds.items[i].id, id) == 0)
			h = &c->holds.items[i];
	bool news = !h;
	if (!h) {
		h = vec_push(&c->holds);
		*h = (struct hold){ .cause = cause,
				    .service = s ? xstrdup(s->key) : NULL,
				    .since_unix_ms = c->now_unix_ms };
		snprintf(h->id, sizeof(h->id), "%s", id);
	}
	h->stands = true;
	h->released &= s && s->stops_released > 0; /* what came later is held anew */
	if (!news && h->count == count && strcmp(h->message, message) == 0)
		return;
	h->count = count;
	free(h->message);
	h->message = xstrdup(message);
	copy_commit(h->commit, is_of_commit(h) ? c->seen.id : c->applied.id);
	hold_changed(c, h);
	if (news)
		event_add(c, s, NULL, "WARN", is_of_commit(h) ? "COMMIT_HELD" : "SERVICE_HELD",
			  c->now_unix_ms, "%s", message);
}

/* Those of the commit, or of services, that were not put again have ended. */
static void end_others(struct control *c, bool of_commit)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->holds.len; i++) {
		struct hold h = c->holds.items[i];
		bool ends = is_of_commit(&h) == of_commit && !h.stands;
		h.stands = is_of_commit(&h) != of_commit && h.stands;
		if (!ends) {
			c->holds.items[kept++] = h;
			continue;
		}
		hold_changed(c, &h);
		hold_free(&h);
	}
	c->holds.len = kept;
}

void holds_of_services_told(struct control *c)
{
	end_others(c, false);
}

/* --- commits ---------------------------------------------------------------------------------- */

/* Would it go with a commit that does not have it? Not what is kept, nor what goes already. */
static bool in_force(const struct service_state *s)
{
	return s->spec ? !service_prune_disabled(s) : !s->kept && !s->removing;
}

struct removal {
	const struct service_state *
		*services; /* that the seen commit removes, by (cluster, name) */
	uint32_t count, tasks;
};

static struct removal removal_of_seen(const struct control *c, struct arena *arena)
{
	struct removal r = { 0 };
	uint32_t count = control_services(c, arena, &r.services);
	for (uint32_t i = 0; i < count; i++) {
		const struct service_state *s = r.services[i];
		if (in_force(s) && !manifest_find_service(c->cache->seen.tree, s->cluster, s->name))
			r.services[r.count++] = s;
	}
	return r;
}

static struct guard_part *part_of(const struct control *c, struct guard_commit *commit,
				  const char *cluster)
{
	return guard_commit_part(commit, cluster, cluster_mass_change_percent(c, cluster));
}

/* By cluster: tasks that go, and that there are. */
static struct guard_commit count_tasks(const struct control *c, struct removal *r)
{
	struct guard_commit commit = { 0 };
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value))
		((struct service_state *)value)->tasks = 0;
	it = 0;
	while (map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++)
			n->assignments.items[i].service->tasks++;
	}
	it = 0;
	while (map_next(c->services, &it, NULL, &value)) {
		const struct service_state *s = value;
		part_of(c, &commit, s->cluster)->of += s->tasks;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		part_of(c, &commit, r->services[i]->cluster)->part += r->services[i]->tasks;
		r->tasks += r->services[i]->tasks;
	}
	return commit;
}

/* By the hold's id, by naming every service that goes, or by "all". */
static bool is_allowed(const struct control *c, const char *id, const struct removal *r)
{
	if (map_get(c->allowed, id) || map_get(c->allowed, "all"))
		return true;
	for (uint32_t i = 0; r && i < r->count; i++)
		if (!map_get(c->allowed, r->services[i]->name) &&
		    !map_get(c->allowed, r->services[i]->key))
			return false;
	return r != NULL;
}

#define RELEASE                                                                                    \
	"what runs stays. Release: muster allow %s, or a commit with the trailer Muster-Allow: %s"

static void make_id_of(const char *what, const char *const *names, uint32_t count, char out[17])
{
	struct buf CLEANUP(buf_release) cause = { 0 };
	buf_adds(&cause, what);
	for (uint32_t i = 0; i < count; i++)
		buf_addf(&cause, " %s", names[i]);
	hold_make_id(buf_str(&cause), out);
}

void hold_id_of_removal(bool all, const char *const *keys, uint32_t count, char out[17])
{
	make_id_of(all ? "removes all services:" : "removes services:", keys, count, out);
}

void hold_id_of_stop(const char *const *nodes, uint32_t count, char out[17])
{
	make_id_of("stops nodes:", nodes, count, out);
}

static void hold_removal(struct control *c, enum hold_cause cause, const struct removal *r,
			 struct arena *scratch)
{
	struct buf CLEANUP(buf_release) message = { 0 };
	const char **keys = ARENA_ARRAY(scratch, const char *, r->count + 1);
	char id[17];
	for (uint32_t i = 0; i < r->count; i++)
		keys[i] = r->services[i]->key;
	hold_id_of_removal(cause == HOLD_ALL_SERVICES_REMOVED, keys, r->count, id);
	if (is_allowed(c, id, r))
		return;
	buf_addf(&message, "commit %.7s removes %s%u services and would stop %u tasks; " RELEASE,
		 c->seen.id, cause == HOLD_ALL_SERVICES_REMOVED ? "all " : "", r->count, r->tasks,
		 id, id);
	hold_put(c, cause, NULL, id, r->tasks, buf_str(&message));
}

static void guard_removals(struct control *c)
{
	struct arena scratch;
	arena_init(&scratch);
	struct removal r = removal_of_seen(c, &scratch);
	bool all = c->cache->seen.tree->service_count == 0;
	struct guard_commit commit = count_tasks(c, &r);
	if (guard_holds_removal(r.count, all, guard_commit_is_mass(&commit)))
		hold_removal(c, all ? HOLD_ALL_SERVICES_REMOVED : HOLD_SERVICES_REMOVED, &r,
			     &scratch);
	arena_release(&scratch);
}

/* Does the seen commit take this node out of service? */
static bool stops_node(const struct control *c, const struct node_record *n)
{
	const struct manifest_object *o = manifest_find_node(c->cache->seen.tree, n->name);
	const char *state = o ? o->node->state : NULL;
	return state && strcmp(state, "ACTIVE") != 0;
}

static void guard_nodes(struct control *c)
{
	struct arena scratch;
	arena_init(&scratch);
	const struct node_record **nodes;
	uint32_t count = control_nodes(c, &scratch, &nodes), stopped = 0, tasks = 0;
	struct buf CLEANUP(buf_release) message = { 0 };
	struct guard_commit commit = { 0 };
	const char **names = ARENA_ARRAY(&scratch, const char *, count + 1);
	for (uint32_t i = 0; i < count; i++) {
		const struct node_record *n = nodes[i];
		if (!n->registered || n->state != NODE_ACTIVE)
			continue;
		struct guard_part *part = part_of(c, &commit, n->cluster);
		part->of++;
		if (!stops_node(c, n))
			continue;
		part->part++;
		names[stopped++] = n->name;
		tasks += (uint32_t)n->assignments.len;
	}
	char id[17];
	hold_id_of_stop(names, stopped, id);
	if (guard_commit_is_mass(&commit) && !is_allowed(c, id, NULL)) {
		buf_addf(&message,
			 "commit %.7s drains or inactivates %u nodes and would stop %u "
			 "tasks; " RELEASE,
			 c->seen.id, stopped, tasks, id, id);
		hold_put(c, HOLD_NODES_STOPPED, NULL, id, tasks, buf_str(&message));
	}
	arena_release(&scratch);
}

static void forget_allowed(struct control *c)
{
	map_free(c->allowed);
	c->allowed = map_new();
}

void apply_consider(struct control *c, int64_t now_unix_ms)
{
	c->now_unix_ms = now_unix_ms;
	bool valid = c->seen.id[0] && !c->seen_invalid;
	bool same = valid && strcmp(c->seen.id, c->applied.id) == 0 &&
		    file_cache_seen_is_applied(c->cache);
	if (valid && !same) {
		guard_removals(c);
		guard_nodes(c);
	}
	end_others(c, true);
	rollouts_allow(c);
	if (!valid || control_commit_hold(c))
		return;
	forget_allowed(c); /* it releases what it names, nothing later */
	if (same && !c->apply_again)
		return;
	c->apply_again = false;
	apply_seen(c, now_unix_ms);
	if (same)
		return;
	c->looks++;
	event_add(c, NULL, NULL, "INFO", "COMMIT_APPLIED", now_unix_ms,
		  "commit %.7s is applied: %s", c->applied.id,
		  c->applied.subject ? c->applied.subject : "");
}

void control_allow(struct control *c, const char *id)
{
	/* Before the first look it is not known what is held: it may be meant for that. */
	if (c->looked && c->holds.len == 0) {
		event_add(c, NULL, NULL, "WARN", "NOTHING_HELD", c->now_unix_ms,
			  "'%s' is allowed, but nothing is held.", id);
		return;
	}
	map_put(c->allowed, id, c);
	if (c->holds.len > 0)
		apply_consider(c, c->now_unix_ms);
}
