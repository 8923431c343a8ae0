#include "plan/internal.h"

/* --- what a cell counts in ------------------------------------------------------------------- */

/* The task that is assigned is there, and ready. */
static bool is_done(const struct cell *c)
{
	return c->acknowledged && c->seen == PLAN_SEEN_READY && c->running == c->assigned;
}

/*
 * Down by our own hand: an update was put and is not done. One that failed stays so. Where the node
 * vanished it is so for monitor_ms; that moment is remembered as one to plan again at.
 */
static bool is_in_flight(struct planner *p, const struct service *s, const struct node *n,
			 const struct cell *c)
{
	if (!c->assigned || !c->replaces || c->broken_before || is_done(c))
		return false;
	if (n->spec.reachable)
		return true;
	int64_t until_ms = n->gone_at_ms + s->spec.monitor_ms;
	if (p->now_ms >= until_ms)
		return false;
	if (until_ms < p->expires_at_ms)
		p->expires_at_ms = until_ms;
	return true;
}

#define BIT(tally) (1u << (tally))
#define TO_UPDATE  (BIT(TALLY_FREE) | BIT(TALLY_HELD) | BIT(TALLY_COSTLY))

/* Assigned, and neither there yet nor failed: its images are being pulled, or will be at once. */
static bool is_pulling(const struct service *s, const struct node *n, const struct cell *c)
{
	return pulls(s) && n->spec.reachable && c->assigned && c->seen != PLAN_SEEN_FAILED &&
	       !(is_alive(c) && c->running == c->assigned);
}

static unsigned tally_observed(const struct service *s, const struct cell *c)
{
	bool waits = c->seen == PLAN_SEEN_PENDING ||
		     ((c->assigned || c->desired) && c->seen == PLAN_SEEN_NONE);
	bool updated = c->assigned && c->assigned == s->target && c->acknowledged;
	return (is_alive(c) || c->still_running ? BIT(TALLY_RUNNING) : 0) |
	       (waits ? BIT(TALLY_PENDING) : 0) |
	       (c->seen == PLAN_SEEN_FAILED ? BIT(TALLY_FAILED) : 0) |
	       (updated ? BIT(TALLY_UPDATED) : 0);
}

/*
 * What updating it would take. One that is in flight has its slot; but where its task runs, taking
 * it down is asked for once more: after a restart of all agents everything that was ever updated
 * runs and is not ready yet, which looks as if all were in flight.
 */
static enum tally price(const struct cell *c, bool in_flight, bool down)
{
	if (!c->assigned)
		return TALLY_FREE; /* a start */
	if (!in_flight)
		return is_alive(c) ? TALLY_COSTLY : TALLY_FREE;
	return down ? TALLY_FREE : TALLY_HELD;
}

/*
 * Is it not yet known whether the service is as it should be on this node? Of a node that it does
 * not concern that does not matter.
 */
static bool is_unknown(const struct service *s, const struct node *n, const struct cell *c)
{
	bool would_start = s->halt == PLAN_PLACED &&
			   (c->reason == PLAN_NOT_KNOWN || c->reason == PLAN_NOT_OBSERVED);
	return n->spec.registered && !n->open && !n->lost &&
	       (c->desired || c->assigned || c->seen != PLAN_SEEN_NONE || would_start);
}

static bool is_stopping(const struct service *s, const struct node *n, const struct cell *c)
{
	return !c->desired && (c->assigned || c->seen != PLAN_SEEN_NONE) && n->spec.registered &&
	       !n->lost && !is_frozen(s);
}

static unsigned tally_of(struct planner *p, const struct service *s, const struct node *n,
			 const struct cell *c)
{
	if (n->spec.state == NODE_INACTIVE)
		return 0;
	bool in_flight = is_in_flight(p, s, n, c);
	bool down = in_flight && !(is_alive(c) && c->acknowledged);
	unsigned bits = tally_observed(s, c) | (in_flight ? BIT(TALLY_IN_FLIGHT) : 0) |
			(down ? BIT(TALLY_DOWN) : 0) |
			(is_pulling(s, n, c) ? BIT(TALLY_PULLING) : 0) |
			(is_unknown(s, n, c) ? BIT(TALLY_UNKNOWN) : 0) |
			(is_stopping(s, n, c) ? BIT(TALLY_STOPPING) : 0);
	if (!c->desired) {
		if (s->cluster == n->cluster)
			bits |= BIT(TALLY_EXCLUDED);
		if (c->reason == PLAN_CONSTRAINT && c->truth == TRUTH_ABSENT)
			bits |= BIT(TALLY_ABSENT);
		return bits;
	}
	bits |= BIT(TALLY_DESIRED);
	if (n->lost)
		return bits | BIT(TALLY_UNREACHABLE);
	if (bits & BIT(TALLY_UPDATED) && is_done(c))
		bits |= BIT(TALLY_READY);
	if (!n->spec.reachable)
		return bits;
	if (is_done(c))
		bits |= BIT(TALLY_HEALTHY);
	if (c->reason == PLAN_PLACED && c->assigned != s->target)
		bits |= BIT(price(c, in_flight, down));
	return bits;
}

static struct cluster *cluster_at(struct planner *p, intern_id name)
{
	for (size_t i = 0; i < p->clusters.len; i++)
		if (p->clusters.items[i].name == name)
			return &p->clusters.items[i];
	struct cluster *cluster = vec_push(&p->clusters);
	*cluster = (struct cluster){ .name = name };
	return cluster;
}

/* One cell of the node more, or less, pulls. */
static void count_pull(struct planner *p, struct node *n, bool more)
{
	uint32_t before = n->pulling;
	n->pulling += more ? 1 : UINT32_MAX;
	if (!before != !n->pulling)
		cluster_at(p, n->cluster)->pulling += more ? 1 : UINT32_MAX;
}

static void tally_set(struct planner *p, struct service *s, struct node *n, struct cell *c,
		      unsigned bits)
{
	unsigned changed = c->tally ^ bits;
	if (changed & BIT(TALLY_PULLING))
		count_pull(p, n, bits & BIT(TALLY_PULLING));
	for (; changed; changed &= changed - 1) {
		int i = __builtin_ctz(changed);
		s->count[i] += bits >> i & 1 ? 1 : UINT32_MAX; /* 1 less */
	}
	c->tally = bits & (BIT(TALLY_COUNT) - 1);
}

void tally_cell(struct planner *p, struct service *s, struct node *n, struct cell *c)
{
	unsigned bits = tally_of(p, s, n, c);
	if (bits == c->tally)
		return;
	tally_set(p, s, n, c, bits);
	if (bits & TO_UPDATE && n->rank < s->scan_from)
		s->scan_from = n->rank;
}

void tally_drop(struct planner *p, struct service *s, struct node *n, struct cell *c)
{
	tally_set(p, s, n, c, 0);
}

void tally_move_node(struct planner *p, struct node *n, intern_id cluster)
{
	if (n->pulling && n->cluster != cluster) {
		cluster_at(p, n->cluster)->pulling--;
		cluster_at(p, cluster)->pulling++;
	}
	n->cluster = cluster;
}

/* --- updates within the budget --------------------------------------------------------------- */

uint32_t admit_budget(const struct service *s)
{
	uint64_t d = s->count[TALLY_HEALTHY] + s->count[TALLY_IN_FLIGHT];
	uint64_t keep = (d * s->spec.min_healthy_percent + 99) / 100;
	return d > keep + 1 ? (uint32_t)(d - keep) : 1;
}

/*
 * What is down by our own hand stays so, in its slot. What was down before is not our doing: it
 * neither takes a slot nor blocks.
 */
static void update(struct planner *p, struct service *s, struct node *n, struct cell *c)
{
	bool in_flight = c->tally & BIT(TALLY_IN_FLIGHT);
	enum plan_change_kind kind = c->assigned ? PLAN_UPDATE : PLAN_START;
	c->broken_before = c->assigned && !in_flight && !is_alive(c);
	c->replaces = target_at(s, c->assigned)->revision & PLAN_REVISION_BITS;
	target_unref(s, c->assigned);
	c->assigned = s->target;
	s->targets.items[s->target - 1].refs++;
	c->acknowledged = false;
	change_mark(p, s, n, c, kind);
	tally_cell(p, s, n, c);
	if (kind == PLAN_START && p->dynamic_services) /* others may ask for it on this node */
		node_dirty(p, (plan_node_id)(n - p->nodes.items), DIRTY_FIT);
}

/* May another cell of the service begin to pull now? One that pulls keeps its place. */
static bool may_pull(struct planner *p, const struct service *s)
{
	if (!pulls(s))
		return true;
	if (s->variant->images_unresolved && s->count[TALLY_PULLING])
		return false;
	return cluster_at(p, s->cluster)->pulling < s->spec.max_parallel_pulls;
}

/* The prices that can be paid now, as bits. It is asked anew after each update: one that was
 * running and not ready comes to count in D by its own. */
static unsigned affordable(const struct service *s)
{
	uint32_t budget = admit_budget(s);
	return BIT(TALLY_FREE) | (s->count[TALLY_DOWN] < budget ? BIT(TALLY_HELD) : 0) |
	       (s->count[TALLY_IN_FLIGHT] < budget ? BIT(TALLY_COSTLY) : 0);
}

static bool any_of(const struct service *s, unsigned bits)
{
	return (bits & BIT(TALLY_FREE) && s->count[TALLY_FREE]) ||
	       (bits & BIT(TALLY_HELD) && s->count[TALLY_HELD]) ||
	       (bits & BIT(TALLY_COSTLY) && s->count[TALLY_COSTLY]);
}

static bool admissible(struct planner *p, const struct service *s, const struct cell *c)
{
	return c->tally & TO_UPDATE & affordable(s) &&
	       (c->tally & BIT(TALLY_PULLING) || may_pull(p, s));
}

/* By node name, as long as there is one that can be paid for and may pull. */
void admit_service(struct planner *p, struct service *s)
{
	uint32_t waiting_from = UINT32_MAX, rank = s->scan_from;
	for (; rank < p->node_order.len && any_of(s, affordable(s)) &&
	       (s->count[TALLY_PULLING] || may_pull(p, s));
	     rank++) {
		struct node *n = &p->nodes.items[p->node_order.items[rank]];
		struct cell *c = cell_at(p, n, s);
		if (admissible(p, s, c))
			update(p, s, n, c);
		else if (c->tally & TO_UPDATE && waiting_from == UINT32_MAX)
			waiting_from = rank;
	}
	s->scan_from = waiting_from < rank ? waiting_from : rank;
}
