#include "plan/internal.h"

/* --- what a cell counts in ------------------------------------------------------------------- */

/* The task that is assigned is there, and ready. */
bool tally_done(const struct cell *c)
{
	return c->acknowledged && c->seen == PLAN_SEEN_READY && c->running == c->assigned;
}

/*
 * Down by our own hand: an update was put and is not done. One that failed stays so. Where the node
 * vanished it is so for monitor_ms. Answers until when; INT64_MIN: it is not.
 */
static int64_t in_flight_until_ms(const struct service *s, const struct node *n,
				  const struct cell *c)
{
	if (!c->assigned || !c->replaces || c->broken_before || tally_done(c))
		return INT64_MIN;
	/* What is not known yet is not gone. */
	return n->lost ? n->gone_at_ms + s->spec.monitor_ms : INT64_MAX;
}

bool tally_in_flight(const struct planner *p, const struct service *s, const struct node *n,
		     const struct cell *c)
{
	return p->now_ms < in_flight_until_ms(s, n, c);
}

/* Assigned, and neither there yet nor failed: its images are being pulled, or will be at once. */
static bool is_pulling(const struct service *s, const struct node *n, const struct cell *c)
{
	const struct variant *v = c->assigned ? goal_assigned(s, c) : NULL;
	return v && v->pulls && n->spec.reachable && c->seen != PLAN_SEEN_FAILED &&
	       !(is_alive(c) && c->running == c->assigned);
}

static unsigned tally_observed(const struct service *s, const struct cell *c)
{
	bool expected = c->assigned || (c->desired && c->reason != PLAN_WAITS_FOR_STEP);
	bool waits = c->seen == PLAN_SEEN_PENDING || (expected && c->seen == PLAN_SEEN_NONE);
	bool updated = c->assigned && c->assigned == current_target(s, c) && c->acknowledged;
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
static enum tally price(const struct service *s, const struct cell *c, bool in_flight, bool down)
{
	if (!c->assigned) /* a start, or what is seen as an update */
		return takes_down(c, goal_first(s, c)->target) ? TALLY_COSTLY : TALLY_FREE;
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
	return !c->desired && c->reason != PLAN_HELD &&
	       (c->assigned || c->seen != PLAN_SEEN_NONE) && n->spec.registered && !n->lost &&
	       !is_frozen(s);
}

/* Of a desired one that is not unreachable: how it stands with the two releases. */
static unsigned tally_release(const struct service *s, const struct cell *c)
{
	uint32_t current = current_target(s, c), completed = completed_target(s, c);
	bool done = tally_done(c), at_rest = !is_reached(s, c) || c->assigned == current;
	unsigned bits =
		done && current && at_rest &&
				(c->assigned == current || !completed || c->assigned == completed)
			? BIT(TALLY_READY)
			: 0;
	if (!c->assigned)
		return bits;
	if (c->assigned != current)
		return bits | (c->assigned == completed ? BIT(TALLY_COMPLETED) : 0);
	bool failed = c->acknowledged && c->seen == PLAN_SEEN_FAILED && !c->broken_before;
	return bits | BIT(TALLY_CURRENT) | (done ? BIT(TALLY_CURRENT_READY) : 0) |
	       (!done && c->broken_before ? BIT(TALLY_EXCUSED) : 0) |
	       (failed ? BIT(TALLY_CURRENT_FAILED) : 0);
}

/*
 * What is asked for: to change at once, or when the roll-out comes to it by number. One that only
 * just began with completed comes up first.
 */
static unsigned tally_wish(const struct service *s, const struct cell *c, bool in_flight, bool down)
{
	bool at_once = c->to_current && is_reached(s, c), by_number = c->to_current && !at_once;
	unsigned bits = (at_once ? BIT(TALLY_OWED) : 0) | (by_number ? BIT(TALLY_OPEN) : 0);
	if (c->starting && c->assigned == completed_target(s, c))
		return bits;
	enum tally to_pay = price(s, c, in_flight, down);
	if (at_once || c->to_completed)
		bits |= BIT(to_pay);
	else if (by_number)
		bits |= BIT(to_pay + TALLY_LATER_FREE - TALLY_FREE);
	return bits;
}

static unsigned tally_of(struct planner *p, const struct service *s, const struct node *n,
			 const struct cell *c)
{
	if (n->spec.state == NODE_INACTIVE)
		return 0;
	int64_t until_ms = in_flight_until_ms(s, n, c);
	bool in_flight = p->now_ms < until_ms;
	if (in_flight && until_ms < p->expires_at_ms)
		p->expires_at_ms = until_ms; /* to plan again then */
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
		return bits | (c->reason == PLAN_HELD ? BIT(TALLY_GUARDED) : 0);
	}
	bits |= BIT(TALLY_DESIRED);
	if (c->reason == PLAN_WAITS_FOR_STEP)
		bits |= BIT(TALLY_WAITING);
	if (c->assigned && c->assigned == current_target(s, c))
		bits |= BIT(TALLY_HAVE);
	if (n->lost)
		return bits | BIT(TALLY_UNREACHABLE);
	bits |= tally_release(s, c);
	if (!n->spec.reachable)
		return bits;
	return bits | (tally_done(c) ? BIT(TALLY_HEALTHY) : 0) | tally_wish(s, c, in_flight, down);
}

struct cluster *tally_cluster(struct planner *p, intern_id name)
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
		tally_cluster(p, n->cluster)->pulling += more ? 1 : UINT32_MAX;
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
	c->tally = bits;
}

void tally_cell(struct planner *p, struct service *s, struct node *n, struct cell *c)
{
	unsigned bits = tally_of(p, s, n, c);
	if (bits == c->tally)
		return;
	tally_set(p, s, n, c, bits);
	if (bits & TO_UPDATE && n->turn < s->scan_from)
		s->scan_from = n->turn;
}

void tally_drop(struct planner *p, struct service *s, struct node *n, struct cell *c)
{
	tally_set(p, s, n, c, 0);
}

void tally_move_node(struct planner *p, struct node *n, intern_id cluster)
{
	if (n->pulling && n->cluster != cluster) {
		tally_cluster(p, n->cluster)->pulling--;
		tally_cluster(p, cluster)->pulling++;
	}
	n->cluster = cluster;
}
