/* Where a service is placed, where it may stay, and why not elsewhere. */
#include "plan_world.h"

/* --- one node, one service ------------------------------------------------------------------- */

static const struct place_row {
	const char *name;
	struct svc service;
	struct nod node;
	enum plan_reason fresh;	   /* of a start; PLAN_PLACED: it starts */
	enum plan_reason assigned; /* where it is assigned already: PLAN_PLACED: it stays */
	bool no_stop;		   /* though it may not stay */
	const char *why;	   /* of the fresh one */
} place_rows[] = {
	{ .name = "a matching node",
	  .service = { .constraint = "attribute:env == prod" },
	  .node = { .attributes = "env=prod" },
	  .why = "" },
	{ .name = "another cluster",
	  .node = { .cluster = "edge" },
	  .fresh = PLAN_OTHER_CLUSTER,
	  .assigned = PLAN_OTHER_CLUSTER,
	  .why = "OtherCluster: the node is in cluster edge" },
	{ .name = "not registered: unknown, and unknown stays",
	  .node = { .unregistered = true },
	  .fresh = PLAN_NOT_REGISTERED,
	  .why = "NotRegistered: no agent has registered the node yet" },
	{ .name = "inactive",
	  .node = { .state = NODE_INACTIVE },
	  .fresh = PLAN_INACTIVE,
	  .assigned = PLAN_INACTIVE,
	  .why = "NodeInactive: the node is INACTIVE" },
	{ .name = "draining",
	  .node = { .state = NODE_DRAINING },
	  .fresh = PLAN_DRAINING,
	  .assigned = PLAN_DRAINING,
	  .why = "NodeDraining: the node is DRAINING" },
	{ .name = "a constraint that is false",
	  .service = { .constraint = "attribute:env == prod" },
	  .node = { .attributes = "env=dev" },
	  .fresh = PLAN_CONSTRAINT,
	  .assigned = PLAN_CONSTRAINT,
	  .why = "ConstraintNotMet: attribute:env == prod: env is dev" },
	{ .name = "the second constraint is false",
	  .service = { .constraint = "attribute:env == prod", .constraint2 = "attribute:b exists" },
	  .node = { .attributes = "env=prod" },
	  .fresh = PLAN_CONSTRAINT,
	  .assigned = PLAN_CONSTRAINT,
	  .why = "ConstraintNotMet: attribute:b exists: the node has no attribute b" },
	{ .name = "no engine: what runs, stays",
	  .node = { .no_engine = true },
	  .fresh = PLAN_NO_ENGINE,
	  .why = "EngineMissing: the node has no process engine" },
	{ .name = "a missing capability",
	  .service = { .capability = "b" },
	  .node = { .capability = "a" },
	  .fresh = PLAN_MISSING_CAPABILITY,
	  .why = "MissingCapability: missing capability b" },
	{ .name = "a capability",
	  .service = { .capability = "b" },
	  .node = { .capability = "b" },
	  .why = "" },
	{ .name = "unreachable",
	  .node = { .unreachable = true },
	  .fresh = PLAN_UNREACHABLE,
	  .why = "NodeUnreachable: the node's agent gives no sign of life" },
	{ .name = "not yet known",
	  .node = { .unknown = true },
	  .fresh = PLAN_NOT_KNOWN,
	  .why = "NodeNotYetKnown: musterd has started anew and waits for a sign of life of the "
		 "node's agent" },
	{ .name = "not observed yet",
	  .node = { .unobserved = true },
	  .fresh = PLAN_NOT_OBSERVED,
	  .why = "NotObserved: what the node runs has not been read yet" },
	{ .name = "all of the CPU", .service = { .cpu = 1024 }, .why = "" },
	{ .name = "too little CPU",
	  .service = { .cpu = 1025 },
	  .fresh = PLAN_NO_CPU,
	  .why = "RESOURCE:CPU: needs 1025 CPU units, 1024 remain" },
	{ .name = "all of the memory", .service = { .memory = 1024 }, .why = "" },
	{ .name = "too little memory",
	  .service = { .memory = 1025 },
	  .fresh = PLAN_NO_MEMORY,
	  .why = "RESOURCE:MEMORY: needs 1025 MiB of memory, 1024 MiB remain" },
	{ .name = "a port", .service = { .port = 22 }, .why = "" },
	{ .name = "a reserved port",
	  .service = { .port = 22, .container = true },
	  .fresh = PLAN_PORT_TAKEN,
	  .why = "RESOURCE:PORTS: port 22/tcp is reserved on every node" },
	{ .name = "reserved for TCP only",
	  .service = { .udp_port = 22, .container = true },
	  .why = "" },
	{ .name = "the largest document", .service = { .bytes = LIMIT_DOCUMENT_BYTES }, .why = "" },
	{ .name = "a document that is too large",
	  .service = { .bytes = LIMIT_DOCUMENT_BYTES + 1 },
	  .fresh = PLAN_NODE_FULL,
	  .why = "NodeFull: needs 1048577 bytes of the node's desired document, 1048576 remain" },
	{ .name = "suspended",
	  .service = { .suspend = true },
	  .fresh = PLAN_SUSPENDED,
	  .why = "Suspended: the service is suspended" },
	{ .name = "suspended where it may not stay",
	  .service = { .suspend = true },
	  .node = { .state = NODE_DRAINING },
	  .fresh = PLAN_DRAINING,
	  .assigned = PLAN_DRAINING,
	  .no_stop = true,
	  .why = "NodeDraining: the node is DRAINING; Suspended: the service is suspended" },
	{ .name = "stalled",
	  .service = { .stalled = true },
	  .fresh = PLAN_STALLED,
	  .assigned = PLAN_STALLED,
	  .no_stop = true,
	  .why = "Stalled: the service has nothing that could run" },
	{ .name = "removing",
	  .service = { .removing = true },
	  .fresh = PLAN_REMOVING,
	  .assigned = PLAN_REMOVING,
	  .why = "Removing: the service is gone from the manifests" },
	{ .name = "removing one without content",
	  .service = { .removing = true, .stalled = true },
	  .fresh = PLAN_REMOVING,
	  .assigned = PLAN_REMOVING,
	  .why = "Removing: the service is gone from the manifests" },
	{ .name = "removing a suspended one",
	  .service = { .removing = true, .suspend = true },
	  .fresh = PLAN_REMOVING,
	  .assigned = PLAN_REMOVING,
	  .why = "Suspended: the service is suspended; Removing: the service is gone from the "
		 "manifests" },
	{ .name = "what may not stay on a node that cannot be reached, is kept",
	  .service = { .removing = true },
	  .node = { .unreachable = true },
	  .fresh = PLAN_UNREACHABLE,
	  .assigned = PLAN_REMOVING,
	  .no_stop = true,
	  .why = "NodeUnreachable: the node's agent gives no sign of life; Removing: the service "
		 "is gone from the manifests" },
	{ .name = "draining, and not observed yet",
	  .node = { .unobserved = true, .state = NODE_DRAINING },
	  .fresh = PLAN_DRAINING,
	  .assigned = PLAN_DRAINING,
	  .no_stop = true,
	  .why = "NodeDraining: the node is DRAINING; NotObserved: what the node runs has not "
		 "been read yet" },
	{ .name = "every reason at once",
	  .service = { .constraint = "attribute:a == 1 and attribute:b == 2",
		       .capability = "c",
		       .cpu = 2000,
		       .memory = 2000,
		       .port = 22,
		       .container = true,
		       .suspend = true },
	  .node = { .attributes = "a=0",
		    .no_engine = true,
		    .unreachable = true,
		    .state = NODE_DRAINING },
	  .fresh = PLAN_DRAINING,
	  .assigned = PLAN_DRAINING,
	  .no_stop = true,
	  .why = "NodeDraining: the node is DRAINING; "
		 "ConstraintNotMet: attribute:a == 1: a is 0; "
		 "ConstraintNotMet: attribute:b == 2: the node has no attribute b; "
		 "EngineMissing: the node has no container engine; "
		 "MissingCapability: missing capability c; "
		 "NodeUnreachable: the node's agent gives no sign of life; "
		 "Suspended: the service is suspended; "
		 "RESOURCE:CPU: needs 2000 CPU units, 1024 remain; "
		 "RESOURCE:MEMORY: needs 2000 MiB of memory, 1024 MiB remain; "
		 "RESOURCE:PORTS: port 22/tcp is reserved on every node" },
};

static struct world *row_world(const struct place_row *row)
{
	struct world *w = world_new();
	struct svc service = row->service;
	struct nod node = row->node;
	service.name = "web";
	node.name = "n1";
	tell_service(w, service);
	tell_node(w, node);
	return w;
}

static void starts_where_it_is_placed(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(place_rows); i++) {
		const struct place_row *row = &place_rows[i];
		struct world *w = row_world(row);
		const char *changes = plan(w);
		struct plan_cell c = cell(w, "web", "n1");
		if (strcmp(changes, row->fresh == PLAN_PLACED ? "start web n1" : "") != 0 ||
		    c.reason != row->fresh || c.desired != (row->fresh == PLAN_PLACED) ||
		    strcmp(explain(w, "web", "n1"), row->why) != 0)
			fail_msg("%s: '%s', reason %s, '%s'", row->name, changes,
				 plan_reason_name(c.reason), explain(w, "web", "n1"));
		world_free(w);
	}
}

static void stays_where_it_may(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(place_rows); i++) {
		const struct place_row *row = &place_rows[i];
		struct world *w = row_world(row);
		struct plan_fact fact = { .assigned = target_of("web", 1),
					  .assigned_revision = 1,
					  .acknowledged = true,
					  .seen = PLAN_SEEN_READY,
					  .running = target_of("web", 1),
					  .running_revision = 1 };
		planner_fact_set(w->planner, sid(w, "web"), nid(w, "n1"), &fact);
		bool stops = row->assigned != PLAN_PLACED && !row->no_stop;
		const char *want = stops ? arena_printf(&w->arena, "stop web n1 %s",
							plan_reason_name(row->assigned))
					 : "";
		const char *changes = plan(w);
		struct plan_cell c = cell(w, "web", "n1");
		bool desired = row->assigned == PLAN_PLACED || row->assigned == PLAN_STALLED;
		if (strcmp(changes, want) != 0 || c.reason != row->assigned ||
		    c.desired != desired || digest_is_none(&c.fact.assigned) != stops)
			fail_msg("%s: '%s', reason %s", row->name, changes,
				 plan_reason_name(c.reason));
		assert_plan(w, ""); /* idempotent */
		world_free(w);
	}
}

/* --- room ------------------------------------------------------------------------------------ */

static void starts_go_by_priority_and_stays_before_them(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "low", .memory = 600);
	NODE(w, "n1");
	assert_plan(w, "start low n1");
	SERVICE(w, "high", .memory = 600, .priority = 9); /* no preemption */
	assert_plan(w, "");
	assert_string_equal(explain(w, "high", "n1"),
			    "RESOURCE:MEMORY: needs 600 MiB of memory, 424 MiB remain");
	NODE(w, "n2"); /* both are new here: the order decides */
	assert_plan(w, "start high n2");
	assert_int_equal(cell(w, "low", "n2").reason, PLAN_NO_MEMORY);
	SERVICE(w, "low", .memory = 600, .removing = true);
	assert_plan(w,
		    "start high n1, stop low n1 Removing"); /* the agent stops before it starts */
	world_free(w);
}

static void less_memory_stops_nothing(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a", .memory = 512);
	SERVICE(w, "b", .memory = 512);
	SERVICE(w, "small");
	NODE(w, "n1", .memory = 1024);
	assert_plan(w, "start a n1, start b n1, start small n1");
	all_ready(w);
	NODE(w, "n1", .memory = 1000);
	assert_plan(w, "");
	/* The target of the lower one has no room where it runs: it keeps what it has. */
	SERVICE(w, "a", .memory = 512, .revision = 2);
	SERVICE(w, "b", .memory = 512, .revision = 2);
	SERVICE(w, "small", .revision = 2); /* needs none */
	assert_plan(w, "update a n1 from 1, update small n1 from 1");
	assert_true(cell(w, "b", "n1").desired);
	assert_false(cell(w, "b", "n1").waiting);
	assert_string_equal(explain(w, "b", "n1"),
			    "RESOURCE:MEMORY: needs 512 MiB of memory, 488 MiB remain");
	NODE(w, "n1", .memory = 1024);
	assert_plan(w, "update b n1 from 1");
	world_free(w);
}

static void an_update_takes_no_place_of_what_stays(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a");
	SERVICE(w, "b", .port = 80);
	NODE(w, "n1");
	assert_plan(w, "start a n1, start b n1");
	all_ready(w);
	SERVICE(w, "a", .revision = 2, .port = 80); /* first in order, but b is there */
	assert_plan(w, "");
	assert_string_equal(explain(w, "a", "n1"),
			    "RESOURCE:PORTS: port 80/tcp is held by service default/b");
	SERVICE(w, "b", .revision = 2);
	assert_plan(w, "update a n1 from 1, update b n1 from 1");
	world_free(w);
}

static void who_grows_takes_the_room_of_who_waits(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a");
	SERVICE(w, "b", .memory = 512);
	NODE(w, "n1");
	NODE(w, "n2");
	plan(w);
	all_ready(w);
	SERVICE(w, "b", .memory = 512, .revision = 2);
	assert_plan(w, "update b n1 from 1");
	assert_true(cell(w, "b", "n2").waiting);
	SERVICE(w, "a", .memory = 600); /* it is there, so its room is its own */
	assert_plan(w, "");
	assert_false(cell(w, "b", "n2").waiting);
	assert_int_equal(cell(w, "b", "n2").reason, PLAN_NO_MEMORY);
	world_free(w);
}

/* The reason is that of the room that is left, not of the room that was left when it was asked. */
static void what_starts_later_takes_room_too(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a", .memory = 1025);
	SERVICE(w, "b", .cpu = 1024);
	SERVICE(w, "c", .memory = 1025, .cpu = 1);
	SERVICE(w, "d", .cpu = 1, .memory = 1025, .priority = 1);
	NODE(w, "n1");
	assert_plan(w, "start b n1");
	assert_int_equal(cell(w, "a", "n1").reason, PLAN_NO_MEMORY);
	assert_int_equal(cell(w, "c", "n1").reason, PLAN_NO_CPU);
	assert_int_equal(cell(w, "d", "n1").reason, PLAN_NO_CPU);
	world_free(w);
}

static void a_host_port_is_for_one(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a", .port = 8080);
	SERVICE(w, "b", .port = 8080);
	SERVICE(w, "u", .udp_port = 8080); /* another protocol */
	NODE(w, "n1");
	assert_plan(w, "start a n1, start u n1");
	assert_int_equal(cell(w, "b", "n1").reason, PLAN_PORT_TAKEN);
	assert_string_equal(explain(w, "b", "n1"),
			    "RESOURCE:PORTS: port 8080/tcp is held by service default/a");
	SERVICE(w, "a", .port = 8081);
	assert_plan(w, "start b n1"); /* same target: ports alone replace nothing */
	world_free(w);
}

static void a_node_has_a_hundred_tasks_at_most(void **state UNUSED)
{
	struct world *w = world_new();
	char name[16];
	NODE(w, "n1");
	for (int i = 0; i <= LIMIT_TASKS_PER_NODE; i++) {
		snprintf(name, sizeof(name), "s%03d", i);
		SERVICE(w, name);
	}
	plan(w);
	assert_int_equal(cell(w, "s099", "n1").reason, PLAN_PLACED);
	assert_int_equal(cell(w, "s100", "n1").reason, PLAN_NODE_FULL);
	assert_string_equal(explain(w, "s100", "n1"),
			    "NodeFull: the node has 100 tasks, and may have 100");
	SERVICE(w, "s007", .removing = true);
	assert_plan(w, "stop s007 n1 Removing, start s100 n1");
	world_free(w);
}

static void documents_are_summed(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a", .bytes = LIMIT_DOCUMENT_BYTES - 10);
	SERVICE(w, "b", .bytes = 11);
	SERVICE(w, "c", .bytes = 10);
	NODE(w, "n1");
	assert_plan(w, "start a n1, start c n1");
	assert_int_equal(cell(w, "b", "n1").reason, PLAN_NODE_FULL);
	world_free(w);
}

/* --- dynamic subjects ------------------------------------------------------------------------ */

static void dynamic_subjects_ask_what_stands_before(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "a-near", .constraint = "task:group == service:db"); /* before db: never */
	SERVICE(w, "db", .constraint = "attribute:disk exists");
	SERVICE(w, "near", .constraint = "task:group == service:db");
	SERVICE(w, "far", .priority = -1, .constraint = "not(task:group == family:db)");
	SERVICE(w, "second", .priority = -2, .constraint = "runningTasksCount == 1");
	SERVICE(w, "self", .priority = -3, .constraint = "not(task:group == service:self)");
	NODE(w, "n1", .attributes = "disk=1");
	NODE(w, "n2");
	assert_plan(w, "start db n1, start near n1, start self n1, start far n2, start second n2, "
		       "start self n2");
	assert_string_equal(explain(w, "near", "n2"),
			    "ConstraintNotMet: task:group == service:db: no task runs on the node");
	world_free(w);
}

static void dynamic_subjects_stop_nothing(void **state UNUSED)
{
	struct world *w = world_new();
	SERVICE(w, "db");
	SERVICE(w, "near", .constraint = "task:group == service:db");
	NODE(w, "n1");
	assert_plan(w, "start db n1, start near n1");
	all_ready(w);
	SERVICE(w, "db", .removing = true);
	assert_plan(w, "stop db n1 Removing");
	assert_plan(w, "");
	assert_true(cell(w, "near", "n1").desired);
	SERVICE(w, "near", .revision = 2, .constraint = "task:group == service:db");
	assert_plan(w, "update near n1 from 1"); /* nor do they hold an update */
	SERVICE(w, "near", .constraint = "task:group == service:db and attribute:x exists");
	assert_plan(w, "stop near n1 ConstraintNotMet"); /* what is false without them, is false */
	world_free(w);
}

/* --- handles --------------------------------------------------------------------------------- */

static void services_and_nodes_come_and_go(void **state UNUSED)
{
	struct world *w = world_new();
	plan_service_id web = SERVICE(w, "web", .memory = 1000);
	plan_node_id n2 = NODE(w, "n2");
	NODE(w, "n1");
	SERVICE(w, "other", .cluster = "edge");
	SERVICE(w, "log", .memory = 1000);
	assert_plan(w, "start log n1, start log n2");
	planner_service_remove(w->planner, sid(w, "log"));
	assert_int_equal(sid(w, "log"), PLAN_NONE);
	assert_plan(w, "start web n1, start web n2"); /* the room is free */
	planner_node_remove(w->planner, n2);
	assert_int_equal(planner_counts(w->planner, web).desired, 1);
	assert_int_equal(NODE(w, "n0"), n2); /* used again, and knows nothing */
	assert_plan(w, "start web n0");
	plan_node_id *nodes;
	plan_service_id *services;
	assert_int_equal(planner_nodes(w->planner, &w->arena, &nodes), 2);
	assert_string_equal(planner_node(w->planner, nodes[0])->name, "n0");
	assert_int_equal(planner_services(w->planner, &w->arena, &services), 2);
	assert_string_equal(planner_service(w->planner, services[0])->name, "web");
	SERVICE(w, "other", .cluster = "edge", .priority = 1);
	NODE(w, "e1", .cluster = "edge");
	assert_plan(w, "start other e1");
	planner_services(w->planner, &w->arena, &services);
	assert_string_equal(planner_service(w->planner, services[0])->name, "other");
	planner_free(NULL);
	world_free(w);
}

static void a_service_may_be_told_from_its_own_copy(void **state UNUSED)
{
	struct world *w = world_new();
	plan_service_id id = SERVICE(w, "web", .port = 80, .capability = "c");
	plan_node_id node = NODE(w, "n1", .capability = "c", .attributes = "env=prod");
	for (int i = 0; i < 3; i++) {
		struct plan_service spec = *planner_service(w->planner, id);
		struct plan_node n = *planner_node(w->planner, node);
		assert_int_equal(planner_service_set(w->planner, &spec), id);
		assert_int_equal(planner_node_set(w->planner, &n), node);
		assert_plan(w, i ? "" : "start web n1");
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_where_it_is_placed),
		cmocka_unit_test(stays_where_it_may),
		cmocka_unit_test(starts_go_by_priority_and_stays_before_them),
		cmocka_unit_test(less_memory_stops_nothing),
		cmocka_unit_test(an_update_takes_no_place_of_what_stays),
		cmocka_unit_test(who_grows_takes_the_room_of_who_waits),
		cmocka_unit_test(what_starts_later_takes_room_too),
		cmocka_unit_test(a_host_port_is_for_one),
		cmocka_unit_test(a_node_has_a_hundred_tasks_at_most),
		cmocka_unit_test(documents_are_summed),
		cmocka_unit_test(dynamic_subjects_ask_what_stands_before),
		cmocka_unit_test(dynamic_subjects_stop_nothing),
		cmocka_unit_test(services_and_nodes_come_and_go),
		cmocka_unit_test(a_service_may_be_told_from_its_own_copy),
	};
	return cmocka_run_group_tests_name("plan_place", tests, NULL, NULL);
}
