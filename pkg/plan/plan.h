/*
 * plan: which node runs which service in which revision: (declared, nodes, what was assigned, what
 * is observed) -> changes of assignments, each with its reason.
 *
 * The planner is a value that is told what changed and works in proportion to that; told everything
 * at once in any order it answers the same, byte for byte. Three passes: place (which nodes match
 * and fit), diff (what differs from what is assigned), admit (what may change now, within the
 * budget).
 *
 * Rules (DESIGN section 6; reference sections 1.1 to 1.5):
 *  - placed = node in the service's cluster, ACTIVE, registered, all constraints true, an engine
 *    and the capabilities that the task needs, resources and static host ports that fit, in order
 *    of (priority descending, cluster, name), no preemption: what is there goes before what starts.
 *  - "May stay" asks only cluster, state and constraints (dynamic subjects are unknown there, and
 *    unknown stays); "may start" asks all, reachability included. An update asks what a start asks,
 *    but for dynamic subjects: where the target cannot run, what is assigned stays.
 *  - Dynamic subjects are about the assignments of services earlier in that order.
 *  - A node that is not known to be reachable or not registered, or whose observed document was
 *    never read, gets no changes at all.
 *  - What a node should have, its goal: the current release where it has that already, or where
 *    the roll-out has reached it (one of reach_where is true, or fewer than `reach` desired nodes
 *    have it, counting those to which it comes in any case); else the completed release; where
 *    there is none, what is assigned, and with nothing assigned it waits (PLAN_WAITS_FOR_STEP). A
 *    node without a task starts with the completed release, and is updated when its turn comes.
 *    Where an update failed, to a release that was given up since, and none was ever completed, a
 *    roll-out that goes anywhere goes: that node has nothing to lose, and a slot that others need.
 *  - What a release is on a node is a matter of its variants: the first whose .when is true.
 *  - Updates are let in by turns: the first node by name of each ecs.availability-zone (of the
 *    cluster) in order of zone names, then the second of each, ...; no zone is a zone of its own.
 *  - Updates (to the goal where something else is assigned) use the budget: at most
 *    max(1, D - ceil(D * minimumHealthyPercent / 100)) in flight at a time, D = placed nodes that
 *    are reachable and healthy on what is assigned to them, plus those in flight. In flight = an
 *    update put and not yet acknowledged and ready. A failed update keeps its slot (until a circuit
 *    breaker decides otherwise), so that a bad revision stops by itself at the budget, and another
 *    target is tried there first; one whose node vanished keeps it for monitor_ms. One that is in
 *    flight but runs is taken down again only while fewer than the budget are down: after a restart
 *    of all agents nothing is ready yet, and all that was ever updated looks in flight. A node
 *    whose task was down before its update (failed, pending, or not there) uses no budget. A start
 *    of the completed release that may yet come up (.starting) is let come up first.
 *  - With max_percent above 100 updates are by surge: what ran before runs until the new one is
 *    ready, and nothing is taken down. At most max(1, floor(D * (max_percent - 100) / 100)) are in
 *    flight then. The node must have room for both. What was down before is replaced at once. An
 *    update of what is in flight by surge is by surge, whatever max_percent is by then.
 *  - Starts where nothing is assigned, and stops of what no longer matches, are outside the budget.
 *    Where something is not assigned any more and has not ended (the agent has yet to stop it), a
 *    start is an update of that, unless it runs and is the same; it is never by surge.
 *  - A service that pulls images starts and updates only where its node may pull now: a node pulls
 *    from the assignment until the task runs or failed, or the node vanished; it takes one place of
 *    the cluster's max_parallel_pulls however many of its services pull. Until the digests of its
 *    images are known a service is assigned to one node at a time. Both by turns.
 *  - The mass-change guard: what may not stay for a constraint or its cluster stops only as long as
 *    stops_allowed is above 0, by turns; the rest stays as it is (PLAN_HELD). DRAINING, INACTIVE
 *    and removing are said of that node or service, and are not guarded.
 *  - keep_on_drain: on a DRAINING node it goes when of all other services, but for those like it,
 *    nothing is assigned or seen any more.
 *  - suspended services and those without content (stalled) change nothing; removing goes before
 *    both.
 *  - Host ports 22, 2375, 2376 and 51678 to 51680 (TCP) are given to no container, as in ECS. A
 *    native process may have them: it may well be the node's own sshd.
 *  - Room: what is assigned holds what the roll-out will bring. While it is not known whether the
 *    roll-out comes to a node, the task there holds the larger of what both releases take.
 *
 * In flight is read from the facts alone, so that a restart of the controller forgets no update.
 * The price: a task that breaks long after its update cannot be told from a failed update, and
 * takes a slot. A caller that knows an update to be over (it was ready once) tells replaces = 0
 * from then on.
 *
 * The planner counts its answers as done: the caller puts them into desired documents, and where a
 * put failed for good, tells the planner by planner_fact_set() what is really assigned.
 */
#ifndef MUSTER_PLAN_H
#define MUSTER_PLAN_H

#include "expr/expr.h"
#include "model/model.h"

/* Handles are small and are used again after a removal. */
typedef uint32_t plan_service_id, plan_node_id;
#define PLAN_NONE UINT32_MAX

/* What a release is on the nodes for which .when is true. */
struct plan_variant {
	const struct expr *when; /* borrowed as the constraints are; NULL: on all */
	struct digest target;	 /* task_target_digest() */
	enum engine_kind engine;
	struct task_resources resources;
	const intern_id *capabilities; /* what a node must offer */
	uint32_t capability_count;
	/* What a task takes in its node's desired document: summed up to LIMIT_DOCUMENT_BYTES as a
	 * resource is; what does not fit is PLAN_NODE_FULL. */
	uint32_t document_bytes;
	bool pulls; /* it has images to pull: then max_parallel_pulls counts */
	/* The digests of its images are not known: one node at a time, until one has told them. */
	bool images_unresolved;
};
#define PLAN_VARIANTS_MAX 63 /* more than LIMIT_OVERRIDES and the one without */

/* What a deployment brings. A node gets the first variant whose .when is true. */
struct plan_release {
	uint32_t revision;
	const struct plan_variant *variants; /* the last one's .when is NULL */
	uint32_t variant_count;		     /* 0: there is no such release */
};

/* A declared service, resolved. Everything is copied but the compiled expressions, which are
 * borrowed until the service is set anew or removed. */
struct plan_service {
	const char *cluster, *name;
	int32_t priority;
	const struct expr *const
		*constraints; /* of service and task definition: all must be true */
	uint32_t constraint_count;
	intern_id task_group_service, task_group_family; /* "service:NAME", "family:NAME" */
	struct plan_release current;   /* what the service should have; none: as if stalled */
	struct plan_release completed; /* none: there is none, or it is current */
	/* How far the roll-out of current may go: until so many desired nodes have it (UINT32_MAX:
	 * all; 0: it comes to no further node), and to all nodes for which one of these is true. */
	uint32_t reach;
	const struct expr *const *reach_where;
	uint32_t reach_where_count;
	uint32_t min_healthy_percent;
	uint32_t max_percent; /* above 100: surge; 0 is as 100 */
	uint32_t monitor_ms;
	/* So many nodes of the cluster pull images at a time, of all services together; 0: any
	 * number. Only variants that have some to pull ask. */
	uint32_t max_parallel_pulls;
	/* Mass-change guard: so many tasks may lose their node by a constraint or a change of its
	 * cluster, now; UINT32_MAX: any number. The planner counts its own copy down; 0 from when
	 * it is used up until the service is set anew. */
	uint32_t stops_allowed;
	bool keep_on_drain; /* `drain: keep` */
	bool suspend;
	/* Nothing to run can be resolved: keep what runs, start nothing. What is known of current
	 * all the same (its resources) counts for what runs. */
	bool stalled;
	bool removing; /* gone from the manifests: stop its tasks everywhere */
};

struct plan_node {
	const char *name, *cluster;
	enum node_state state;
	bool registered;
	bool observed_once; /* its observed document was read since the controller started */
	bool reachable;
	bool unknown; /* not reachable, as nothing has been seen of it yet: it may be or not */
	const struct expr_attribute *attributes; /* effective, sorted by name id */
	uint32_t attribute_count;
	uint32_t engines;	       /* bit mask of 1 << enum engine_kind */
	const intern_id *capabilities; /* sorted */
	uint32_t capability_count;
	uint32_t cpu_units, memory_mib;
	const char *agent_version;
	int64_t registered_at_ms;
};

/* What is known of one (service, node). All zero: nothing assigned, nothing seen. */
enum plan_seen {
	PLAN_SEEN_NONE,	   /* the node runs no task of it */
	PLAN_SEEN_PENDING, /* preparing, waiting, starting or stopping */
	PLAN_SEEN_RUNNING, /* runs, not ready yet */
	PLAN_SEEN_READY,   /* healthy for minReadySeconds */
	PLAN_SEEN_FAILED,  /* did not come up, unhealthy, or in back-off */
};
struct plan_fact {
	struct digest assigned; /* in the node's desired document; none: not assigned */
	uint32_t assigned_revision;
	uint32_t replaces; /* of the desired document: revision replaced by an update, or 0 */
	bool broken_before;
	bool surge; /* of the desired document: what ran before runs until this is ready */
	/* A start (replaces is 0) so recent that it may yet come up: told by the caller for as long
	 * as it likes (monitor_ms is a good time). A roll-out does not come to it meanwhile, so
	 * that a node that is new gets the completed release whole. Ignored once it ran or failed.
	 */
	bool starting;
	bool acknowledged; /* seen >= the number with which it was assigned */
	enum plan_seen seen;
	bool still_running;    /* PLAN_SEEN_FAILED, but it runs: for plan_counts.running alone */
	struct digest running; /* what the observed task is */
	uint32_t running_revision;
};

/* Why a (service, node) is as it is; PLAN_PLACED and the rest exclude. In order of asking. */
enum plan_reason {
	PLAN_PLACED,
	PLAN_OTHER_CLUSTER, /* not shown as a reason: not its node */
	PLAN_NOT_REGISTERED,
	PLAN_INACTIVE,
	PLAN_DRAINING,
	PLAN_CONSTRAINT, /* an expression is false */
	PLAN_NO_ENGINE,
	PLAN_MISSING_CAPABILITY,
	PLAN_UNREACHABLE,  /* no new assignment */
	PLAN_NOT_KNOWN,	   /* nor here: not yet known to be reachable or not */
	PLAN_NOT_OBSERVED, /* the controller has not read its state yet */
	PLAN_SUSPENDED,
	PLAN_STALLED,
	PLAN_REMOVING,
	PLAN_NO_CPU,
	PLAN_NO_MEMORY,
	PLAN_PORT_TAKEN,
	PLAN_NODE_FULL, /* LIMIT_TASKS_PER_NODE, or the desired document is full */
	/* Nothing is assigned: the roll-out has not reached it, and nothing was ever completed. */
	PLAN_WAITS_FOR_STEP,
	PLAN_HELD, /* it may not stay, and the mass-change guard keeps what runs */
	PLAN_REASON_COUNT
};
/* "Placed", "ConstraintNotMet", ... : stable words for status files; and ECS's RESOURCE:CPU etc. */
const char *plan_reason_name(enum plan_reason reason);

enum plan_change_kind { PLAN_START, PLAN_UPDATE, PLAN_STOP };
struct plan_change {
	enum plan_change_kind kind;
	plan_service_id service;
	plan_node_id node;
	enum plan_reason reason; /* of a STOP */
	struct digest target;	 /* of START and UPDATE: current's or completed's */
	uint32_t revision;	 /* and its revision */
	uint32_t replaces;	 /* of an UPDATE: the revision that was assigned */
	bool broken_before;	 /* of an UPDATE */
	bool surge;		 /* of an UPDATE: start the new one, then stop the old one */
};
struct plan_result {
	struct plan_change *changes; /* by node name, then service order; in the caller's arena */
	size_t change_count;
	int64_t wake_at_ms; /* plan again then; INT64_MAX: only when something changes */
};

struct plan_counts {
	uint32_t desired; /* placed or staying nodes: ECS's computed desiredCount */
	uint32_t running; /* observed RUNNING, any revision */
	uint32_t pending;
	/* Of desired, not unreachable: healthy on what they should have now; those to which the
	 * roll-out may yet come by number (see owed), on what they should have else. */
	uint32_t ready;
	uint32_t updated;   /* assigned the current release and acknowledged */
	uint32_t in_flight; /* updates put and not yet done */
	uint32_t failed;
	uint32_t unreachable; /* of desired */
	/* Nodes of which it is not yet known whether they are reachable, or what they run: desired,
	 * or would be but for that. While there are some, nothing is done. */
	uint32_t unknown;
	uint32_t stopping;	   /* not desired, not unreachable, and a task is still there */
	uint32_t excluded;	   /* nodes of the cluster that are not desired */
	uint32_t attribute_absent; /* excluded because an attribute is absent */
	uint32_t budget;	   /* updates that may be in flight at a time */
	/* The roll-out. Of desired, not unreachable: */
	uint32_t current;	     /* assigned the current release */
	uint32_t current_ready;	     /* and ready on it */
	uint32_t current_failed;     /* and failed on it, not broken before */
	uint32_t excused;	     /* and not ready, and not so before the update either */
	uint32_t completed_assigned; /* assigned the completed release, where that is another */
	/* Reachable ones that may have current now and have not: also the budget is in their way.
	 */
	uint32_t owed;
	uint32_t waiting_for_step; /* of desired: PLAN_WAITS_FOR_STEP */
	uint32_t held;		   /* not desired, and PLAN_HELD */
};

struct plan_cell {		 /* one (service, node), for reports */
	enum plan_reason reason; /* PLAN_PLACED: desired here */
	bool desired;		 /* counts in desired: placed, or assigned and may stay */
	bool in_flight;
	bool waiting; /* differs from its goal, waits for the budget or for its turn to pull */
	/* What it should have now: current's, completed's, or what is assigned. None: nothing. */
	struct digest goal;
	uint32_t goal_revision;
	/* What of current the node gets, or would get; and what it takes of the node now: the
	 * variant that is assigned, as far as it is one of the two releases, else current's. NULL:
	 * there is none. Valid as planner_service() is. */
	const struct plan_variant *variant, *takes;
	struct plan_fact fact;
};

struct planner;
struct planner *planner_new(struct intern *intern);
void planner_free(struct planner *planner);

plan_service_id planner_service_set(struct planner *planner, const struct plan_service *service);
/* The service must be unassigned everywhere (see `removing`), or its facts are forgotten. */
void planner_service_remove(struct planner *planner, plan_service_id id);
plan_service_id planner_service_find(const struct planner *planner, const char *cluster,
				     const char *name); /* PLAN_NONE */
plan_node_id planner_node_set(struct planner *planner, const struct plan_node *node);
void planner_node_remove(struct planner *planner, plan_node_id id);
plan_node_id planner_node_find(const struct planner *planner, const char *name);

void planner_fact_set(struct planner *planner, plan_service_id service, plan_node_id node,
		      const struct plan_fact *fact);

/* Plan what changed since the last run. now_ms: the controller's monotonic clock. */
void planner_run(struct planner *planner, int64_t now_ms, struct arena *arena,
		 struct plan_result *result);

/* As of the last run. The order of services is (priority descending, cluster, name); of nodes by
 * name. Pointers are valid until the next planner_service_set() or planner_node_set(). */
const struct plan_service *planner_service(const struct planner *planner, plan_service_id id);
const struct plan_node *planner_node(const struct planner *planner, plan_node_id id);
uint32_t planner_services(const struct planner *planner, struct arena *arena,
			  plan_service_id **ids);
uint32_t planner_nodes(const struct planner *planner, struct arena *arena, plan_node_id **ids);
struct plan_counts planner_counts(const struct planner *planner, plan_service_id service);
struct plan_cell planner_cell(const struct planner *planner, plan_service_id service,
			      plan_node_id node);

/*
 * Every reason at once why the node does not run the service, or why it keeps an older revision
 * (none when it is placed): kind and a sentence, e.g. "attribute:env == prod: env is dev", "needs
 * 512 MiB of memory, 100 MiB remain".
 */
struct plan_why {
	enum plan_reason reason;
	const char *text;
};
uint32_t planner_explain(const struct planner *planner, plan_service_id service, plan_node_id node,
			 struct arena *arena, struct plan_why **why);

#endif
