/*
 * internal: the tables of the planner and what its files share. Private to plan.
 *
 * A node has a row of cells, one for each slot of a service. A cell is small (16 bytes; a million
 * of them are the fleet that muster is made for), and a row lies together, so that placing a node
 * walks memory in order. The digests of what is assigned and what runs are numbers into a table of
 * the service. What is counted (desired, in flight, ...) is a bit of the cell and a sum of the
 * service: a change of one cell moves only the sums of the bits that changed.
 */
#ifndef MUSTER_PLAN_INTERNAL_H
#define MUSTER_PLAN_INTERNAL_H

#include "plan/plan.h"

#include <assert.h>

/* What a cell counts in. */
enum tally {
	TALLY_DESIRED,
	TALLY_RUNNING,
	TALLY_PENDING,
	TALLY_READY,
	TALLY_UPDATED,
	TALLY_IN_FLIGHT,
	TALLY_FAILED,
	TALLY_UNREACHABLE,
	TALLY_UNKNOWN,
	TALLY_STOPPING,
	TALLY_EXCLUDED,
	TALLY_ABSENT,
	TALLY_HEALTHY, /* reachable and ready on what is assigned: part of D */
	TALLY_DOWN,    /* in flight, and as far as is known not running what is assigned */
	TALLY_PULLING,
	/* To be changed now, within the budget and its turn to pull; and what that takes: */
	TALLY_FREE,   /* nothing, as nothing runs that it would take down */
	TALLY_HELD,   /* of the slot that it has, the right to be down */
	TALLY_COSTLY, /* a slot of the budget */
	/* The same, when the roll-out comes to it by number. */
	TALLY_LATER_FREE,
	TALLY_LATER_HELD,
	TALLY_LATER_COSTLY,
	TALLY_HAVE,    /* desired, and has current: counts in how far the roll-out came */
	TALLY_CURRENT, /* and not unreachable */
	TALLY_CURRENT_READY,
	TALLY_CURRENT_FAILED,
	TALLY_EXCUSED,
	TALLY_COMPLETED,
	TALLY_OWED, /* may have current now */
	TALLY_OPEN, /* may have current when the roll-out comes to it by number */
	TALLY_WAITING,
	TALLY_GUARDED, /* may not stay, but for the guard */
	TALLY_COUNT
};

#define BIT(tally) (1u << (tally))
#define TO_UPDATE                                                                                  \
	(BIT(TALLY_FREE) | BIT(TALLY_HELD) | BIT(TALLY_COSTLY) | BIT(TALLY_LATER_FREE) |           \
	 BIT(TALLY_LATER_HELD) | BIT(TALLY_LATER_COSTLY))

/* All constraints together, about what does not change by placing. */
enum truth {
	TRUTH_FALSE,
	TRUTH_ABSENT,  /* false, and the node lacks an attribute that is asked for */
	TRUTH_UNKNOWN, /* depends on dynamic subjects */
	TRUTH_TRUE,
};

struct cell {
	uint16_t assigned, running; /* struct service.targets, 0: none */
	uint32_t replaces : 30;	    /* PLAN_REVISION_BITS */
	uint32_t broken_before : 1;
	uint32_t acknowledged : 1;
	uint32_t tally;	     /* bits of enum tally */
	uint32_t seen : 3;   /* enum plan_seen */
	uint32_t reason : 5; /* enum plan_reason */
	uint32_t truth : 2;  /* enum truth */
	uint32_t change : 2; /* 1 + enum plan_change_kind, of the present run */
	uint32_t desired : 1;
	uint32_t still_running : 1; /* though PLAN_SEEN_FAILED */
	uint32_t surge : 1;
	uint32_t starting : 1;
	uint32_t current : 6, completed : 6; /* which variants its node gets */
	uint32_t where : 1;		     /* a reach_where is true */
	/* What it may become as far as its node goes, of what it could become at all. */
	uint32_t to_current : 1, to_completed : 1;
	uint32_t both : 1; /* and that by surge: it holds room for both */
};
#define PLAN_REVISION_BITS 0x3fffffffu /* revisions are at most 10^9 */
_Static_assert(sizeof(struct cell) == 16, "a million cells are 16 MB");
_Static_assert(TALLY_COUNT <= 32 && PLAN_REASON_COUNT <= 32, "they fit into their bits");
_Static_assert(PLAN_VARIANTS_MAX <= 63, "so do they");
_Static_assert(2 * (LIMIT_NODES + PLAN_VARIANTS_MAX) < UINT16_MAX, "and targets");

/* What a digest that cells name stands for. */
struct target {
	struct digest digest;
	uint32_t revision;
	uint32_t refs; /* 0: free */
};

/* What tasks take of a node, summed. Sums are wider than parts: they cannot overflow. */
struct load {
	uint64_t cpu_units, memory_mib, document_bytes;
	uint32_t tasks;
};

struct variant {
	uint32_t target;    /* struct service.targets; 0: nothing to run */
	struct load need;   /* of one task */
	bool reserved_port; /* it asks for one that no node gives */
	bool pulls;
	const struct plan_variant *spec;
};
struct release {
	struct variant *variants; /* of the service's memory */
	uint32_t count;
};

/* Nodes that pull images, of one cluster. */
struct cluster {
	intern_id name;
	uint32_t pulling;
};

struct service {
	bool used;
	bool dirty;	/* all its cells are to be asked again */
	bool changed;	/* in the present run: a cell of it has a change */
	bool has_ports; /* a variant has, or had when its claims were accounted */
	bool dynamic;
	bool surges;	       /* starts the new one before it stops the old one */
	bool all_pull;	       /* every variant does */
	bool uniform;	       /* all variants need the same: `need` */
	bool was_uniform;      /* as of the last run, and then it was `taken` */
	enum plan_reason halt; /* PLAN_SUSPENDED, _STALLED, _REMOVING; PLAN_PLACED: none */
	intern_id cluster;
	struct release current, completed;
	struct load need, taken;
	uint32_t scan_from; /* no candidate for an update has its turn before this one */
	uint32_t count[TALLY_COUNT];
	VEC(struct target) targets; /* id - 1 is the index */
	struct plan_service spec;   /* its pointers: into memory */
	struct arena memory;
};

enum dirty { DIRTY_NOT, DIRTY_FIT, DIRTY_ALL };

struct node {
	bool used;
	bool open;  /* may change: registered, reachable, observed */
	bool lost;  /* judged: not reachable */
	bool tight; /* something was refused for want of room */
	bool in_order;
	enum dirty dirty;
	intern_id cluster;
	intern_id zone;	  /* 0: none */
	uint32_t rank;	  /* in order of names, as of the present run */
	uint32_t turn;	  /* in turn_order */
	uint32_t pulling; /* of its cells */
	struct load load;
	int64_t gone_at_ms; /* when the planner first saw it lost; -1: it is not */
	struct cell *cells; /* planner.stride of them */
	struct expr_facts facts;
	struct plan_node spec; /* its pointers: into memory */
	struct arena memory;
};

#define PORTS 65536

struct planner {
	struct intern *intern;
	VEC(struct service) services;
	VEC(struct node) nodes;
	struct map *service_ids, *node_ids; /* "CLUSTER/NAME", "NAME" -> id + 1 */
	VEC(plan_service_id) free_services;
	VEC(plan_node_id) free_nodes;
	VEC(plan_service_id) service_order;   /* (priority descending, cluster, name) */
	VEC(plan_node_id) node_order;	      /* by name */
	size_t sorted_services, sorted_nodes; /* those behind came after the last run */
	bool services_sorted, ranks_valid, turns_valid;
	VEC(plan_node_id) turn_order; /* as updates are let in: spread over zones */
	intern_id zone_attribute;
	uint32_t stride; /* cells a node */
	VEC(struct cluster) clusters;

	VEC(plan_node_id) dirty_nodes; /* may hold some twice, or removed ones */
	uint32_t dirty_services;       /* how many */
	uint32_t dynamic_services;
	int64_t now_ms;	       /* of the present run */
	int64_t expires_at_ms; /* when the next slot of a vanished node is freed */

	/* Scratch of a run. */
	VEC(uint64_t) touched;	      /* ranks of nodes with changes: a bit set */
	VEC(plan_service_id) changed; /* services with changes, in their order */
	size_t changes;
	intern_id *groups;		   /* two a service */
	uint64_t port_bits[2][PORTS / 64]; /* tcp, udp; all zero between nodes */
};

static inline struct service *service_at(const struct planner *p, plan_service_id id)
{
	assert(id < p->services.len && p->services.items[id].used);
	return &p->services.items[id];
}

static inline struct node *node_at(const struct planner *p, plan_node_id id)
{
	assert(id < p->nodes.len && p->nodes.items[id].used);
	return &p->nodes.items[id];
}

static inline struct cell *cell_at(const struct planner *p, const struct node *n,
				   const struct service *s)
{
	return &n->cells[s - p->services.items];
}

static inline bool is_alive(const struct cell *c)
{
	return c->seen == PLAN_SEEN_RUNNING || c->seen == PLAN_SEEN_READY;
}

/* Nothing is assigned, and what was has not ended: a start there takes that down, unless it is the
 * same and runs. One that comes up or failed may have another beside it that runs still. */
static inline bool takes_down(const struct cell *c, uint32_t target)
{
	return !c->assigned && c->seen != PLAN_SEEN_NONE && !(is_alive(c) && c->running == target);
}

/* Changes nothing, stops nothing. */
static inline bool is_frozen(const struct service *s)
{
	return s->halt == PLAN_SUSPENDED || s->halt == PLAN_STALLED;
}

/* What the node of the cell gets of each release; NULL: there is no such release. */
static inline const struct variant *current_of(const struct service *s, const struct cell *c)
{
	return c->current < s->current.count ? &s->current.variants[c->current] : NULL;
}
static inline const struct variant *completed_of(const struct service *s, const struct cell *c)
{
	return c->completed < s->completed.count ? &s->completed.variants[c->completed] : NULL;
}
static inline uint32_t current_target(const struct service *s, const struct cell *c)
{
	const struct variant *v = current_of(s, c);
	return v ? v->target : 0;
}
static inline uint32_t completed_target(const struct service *s, const struct cell *c)
{
	const struct variant *v = completed_of(s, c);
	return v ? v->target : 0;
}

/* An update that failed, to a release that was given up since, and there is none to go back to. It
 * has nothing to lose, and a slot that others wait for. */
static inline bool is_stranded(const struct service *s, const struct cell *c)
{
	return c->seen == PLAN_SEEN_FAILED && c->acknowledged && c->replaces && !c->broken_before &&
	       !s->completed.count && c->assigned != current_target(s, c) &&
	       (s->spec.reach > 0 || s->spec.reach_where_count > 0);
}

/* Has the roll-out reached it, whatever others have? And may it come to it by number? */
static inline bool is_reached(const struct service *s, const struct cell *c)
{
	return c->where || s->spec.reach == UINT32_MAX || is_stranded(s, c);
}
static inline bool may_be_reached(const struct service *s, const struct cell *c)
{
	return c->where || s->spec.reach > 0 || is_stranded(s, c);
}

/* For a place on the node: it has one, or will keep one. */
static inline bool takes_room(const struct cell *c)
{
	return c->assigned || c->desired;
}

/* planner.c: its cells are to be decided again */
void node_dirty(struct planner *p, plan_node_id id, enum dirty dirty);

/* target.c: the table of digests of a service */
uint16_t target_ref(struct service *s, const struct digest *digest, uint32_t revision);
void target_unref(struct service *s, uint32_t id);
const struct target *target_at(const struct service *s, uint32_t id); /* id 0: none at all */
/* Make the cell one of that target. */
void target_assign(struct service *s, struct cell *c, uint32_t id);

/* order.c: services and nodes in their order */
void order_refresh(struct planner *p);
void order_drop_service(struct planner *p, plan_service_id id);
void order_drop_node(struct planner *p, plan_node_id id);
/* turns.c */
void turns_refresh(struct planner *p);

/* load.c: what tasks take */
void load_add(struct load *sum, const struct load *part);
void load_subtract(struct load *sum, const struct load *part);
bool load_fits(const struct node *n, const struct load *load);
void ports_take(struct planner *p, const struct service *s, const struct cell *c);
void ports_clear(struct planner *p, const struct service *s);

/* goal.c: what a cell should have */
void goal_ask(const struct planner *p, const struct service *s, const struct node *n,
	      struct cell *c);
bool goal_at_rest(const struct service *s, const struct cell *c);
const struct variant *goal_first(const struct service *s, const struct cell *c);
uint32_t goal_target(const struct service *s, const struct cell *c); /* 0: nothing */
bool goal_open_by_number(const struct service *s);
/* What the cell holds of its node, what is there and what may come: the variants, and the most of
 * what they need, as long as no other one begins to surge; and with that. */
uint32_t goal_held(const struct service *s, const struct cell *c, const struct variant *held[2]);
struct load goal_hold_now(const struct service *s, const struct cell *c);
struct load goal_hold(const struct service *s, const struct cell *c);
/* The variant that is assigned, current's where that is none of the two. NULL: there is none. */
const struct variant *goal_assigned(const struct service *s, const struct cell *c);
bool goal_surges(const struct planner *p, const struct service *s, const struct node *n,
		 const struct cell *c); /* an update of it now would */
const struct load *goal_left_running(const struct service *s, const struct cell *c);

/* fit.c: what a node offers */
enum truth place_truth(const struct planner *p, const struct service *s, const struct node *n);
/* Facts of the node as the service at that position of the order may ask them: over the assignments
 * of those before it. groups: room for two a service. */
struct expr_facts place_facts(const struct planner *p, const struct node *n, size_t position,
			      intern_id *groups);
bool place_offers(const struct node *n, intern_id capability);
bool place_port_reserved(enum engine_kind engine, bool udp, uint16_t port);
enum plan_reason place_may_stay(const struct service *s, const struct node *n,
				const struct cell *c);
enum plan_reason place_may_start(const struct planner *p, const struct node *n,
				 const struct service *s, const struct cell *c,
				 const struct variant *v, size_t position,
				 const struct load *taken);

/* place.c */
void place_node(struct planner *p, struct node *n);
void place_cell(struct planner *p, struct node *n, struct service *s);
void place_stop(struct planner *p, struct node *n, struct service *s, struct cell *c);
void change_mark(struct planner *p, struct service *s, const struct node *n, struct cell *c,
		 enum plan_change_kind kind);

/* tally.c */
bool tally_in_flight(const struct planner *p, const struct service *s, const struct node *n,
		     const struct cell *c);
bool tally_done(const struct cell *c);
void tally_cell(struct planner *p, struct service *s, struct node *n, struct cell *c);
void tally_drop(struct planner *p, struct service *s, struct node *n,
		struct cell *c); /* it counts in nothing any more */
/* Make the node one of that cluster. */
void tally_move_node(struct planner *p, struct node *n, intern_id cluster);
struct cluster *tally_cluster(struct planner *p, intern_id name);

/* admit.c */
uint32_t admit_budget(const struct service *s);
void admit_service(struct planner *p, struct service *s);
/* guard.c: stops that the mass-change guard lets through now */
void guard_service(struct planner *p, struct service *s);

#endif
