/*
 * control: what is not yet known is never said to be done: nodes after a start, registrations that
 * the store has and the controller has not seen yet, and a controller that could not look.
 */
#include "control_world.h"

static const struct node_record *node(const struct world *w, const char *name)
{
	return map_get(w->c->nodes, name);
}

static enum condition_status ready_of(const struct world *w, const char *name)
{
	return service(w, name)->conditions.of[CONDITION_READY].status;
}

static bool completed(const struct world *w, const char *name)
{
	return service(w, name)->primary.state == ROLLOUT_COMPLETED;
}

/* The controller is started anew, sees the source, and no beat since. */
static void start_anew(struct world *w)
{
	control_free(w->c);
	controller_read_store(w);
	settle_down(w);
	assert_true(look_at(w, w->commits.len - 1));
	settle_down(w);
}

/* --- nodes after a start ------------------------------------------------------------------------
 */

static void a_node_is_unknown_until_its_beat_moves(void **state UNUSED)
{
	struct world *w = web_on(3);
	pass(w, 5000);
	assert_int_equal(ready_of(w, "web"), CONDITION_TRUE);
	start_anew(w);
	struct plan_counts c = service(w, "web")->counts;
	assert_int_equal(node(w, "n1")->connection, CONNECTION_UNKNOWN);
	assert_int_equal(c.desired, 3);
	assert_int_equal(c.unknown, 3);
	assert_int_equal(c.unreachable, 0);
	assert_int_equal(ready_of(w, "web"), CONDITION_UNKNOWN);
	assert_int_equal(w->c->conditions.of[CONDITION_READY].status, CONDITION_UNKNOWN);
	w->agents[0].silent = w->agents[1].silent = true;
	pass(w, 5000);
	c = service(w, "web")->counts;
	assert_int_equal(node(w, "n3")->connection, CONNECTION_ALIVE);
	assert_int_equal(c.unknown, 2);
	assert_int_equal(ready_of(w, "web"), CONDITION_UNKNOWN);
	w->agents[0].silent = w->agents[1].silent = false;
	pass(w, 5000);
	assert_int_equal(service(w, "web")->counts.unknown, 0);
	assert_int_equal(ready_of(w, "web"), CONDITION_TRUE);
	world_free(w);
}

static void one_that_never_beats_is_unreachable_in_its_time(void **state UNUSED)
{
	static const struct {
		const char *spec;
		int64_t timeout_ms;
	} rows[] = { { NULL, 30000 }, { "spec: {nodeTimeoutSeconds: 60}\n", 60000 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = web_on(2);
		char text[256];
		snprintf(text, sizeof(text),
			 "apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\n%s",
			 rows[i].spec ? rows[i].spec : "");
		if (rows[i].spec)
			file_set_text(w, "cluster.yaml", text);
		push(w);
		w->agents[1].silent = true;
		start_anew(w);
		pass(w, rows[i].timeout_ms - 1000);
		assert_int_equal(node(w, "n2")->connection, CONNECTION_UNKNOWN);
		assert_int_equal(ready_of(w, "web"), CONDITION_UNKNOWN);
		pass(w, 1000);
		assert_int_equal(node(w, "n2")->connection, CONNECTION_LOST);
		struct plan_counts c = service(w, "web")->counts;
		assert_int_equal(c.unknown, 0);
		assert_int_equal(c.unreachable, 1);
		assert_int_equal(c.ready, 1); /* not the one that nobody hears of */
		assert_int_equal(ready_of(w, "web"), CONDITION_FALSE);
		assert_int_equal(running(w, "web"), 2);
		world_free(w);
	}
}

/* Nothing is assigned there, and nobody knows whether something will be. */
static void a_new_service_waits_for_nodes_that_it_would_run_on(void **state UNUSED)
{
	struct world *w = world_new(2);
	agent_attribute(w, &w->agents[0], "env", "prod");
	push(w);
	pass(w, 5000);
	start_anew(w);
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web", "");
	write_service(w, "prod.yaml", "prod", "web",
		      "  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	push(w);
	assert_int_equal(service(w, "web")->counts.desired, 0);
	assert_int_equal(service(w, "web")->counts.unknown, 2);
	assert_int_equal(service(w, "prod")->counts.unknown, 1); /* n2 does not concern it */
	assert_false(completed(w, "web"));
	w->agents[1].silent = true;
	pass(w, 10000);
	assert_true(completed(w, "prod"));
	assert_int_equal(ready_of(w, "prod"), CONDITION_TRUE);
	assert_false(completed(w, "web"));
	pass(w, 20000);
	assert_true(completed(w, "web")); /* n2 is gone: it does not block */
	assert_int_equal(service(w, "web")->counts.desired, 1);
	world_free(w);
}

static void one_that_registered_and_tells_nothing_yet_is_waited_for(void **state UNUSED)
{
	struct world *w = web_on(1);
	struct agent *a = &w->agents[w->agent_count++];
	*a = (struct agent){ .name = "n2", .slow = true };
	snprintf(a->instance, sizeof(a->instance), "%032x", 2);
	snprintf(a->session, sizeof(a->session), "%032x", 102);
	agent_register(w, a);
	settle_down(w);
	assert_int_equal(service(w, "web")->counts.unknown, 1);
	assert_int_equal(ready_of(w, "web"), CONDITION_UNKNOWN);
	a->slow = false;
	settle_down(w);
	assert_int_equal(service(w, "web")->counts.unknown, 0);
	assert_int_equal(service(w, "web")->counts.ready, 2);
	world_free(w);
}

static void an_unreachable_one_blocks_neither_a_rollout_nor_a_removal(void **state UNUSED)
{
	struct world *w = web_on(3);
	write_service(w, "other.yaml", "other", "web", "");
	push(w);
	w->agents[2].silent = true;
	w->agents[2].fails = "web"; /* the last that was heard of it */
	agent_report(w, &w->agents[2]);
	pass(w, 35000);
	write_task(w, "task.yaml", "web", "b");
	file_remove(w, "other.yaml");
	push(w);
	assert_true(completed(w, "web"));
	assert_int_equal(service(w, "web")->counts.failed, 1);
	assert_int_equal(service(w, "web")->counts.unreachable, 1);
	assert_true(service(w, "other")->removing);
	assert_int_equal(service(w, "other")->counts.stopping, 0);
	w->agents[1].slow = true;
	file_remove(w, "web.yaml");
	control_allow(w->c, "all");
	write_service(w, "third.yaml", "third", "web", "");
	push(w);
	assert_int_equal(service(w, "web")->counts.stopping, 1); /* n2 is there, and has yet to */
	world_free(w);
}

/* --- looks at the beats -------------------------------------------------------------------------
 */

static void nobody_is_silent_while_nobody_looks(void **state UNUSED)
{
	struct world *w = web_on(2);
	pass(w, 10000);
	w->now_ms += 3600000; /* stopped, or without a store, for an hour */
	settle_down(w);
	assert_int_equal(node(w, "n1")->connection, CONNECTION_ALIVE);
	control_beats_told(w->c, w->now_ms); /* they could not beat either */
	settle_down(w);
	assert_int_equal(node(w, "n1")->connection, CONNECTION_ALIVE);
	assert_false(told(w, "NODE_UNREACHABLE"));
	w->agents[1].silent = true;
	pass(w, 25000);
	assert_int_equal(node(w, "n2")->connection, CONNECTION_ALIVE);
	pass(w, 5000);
	assert_int_equal(node(w, "n1")->connection, CONNECTION_ALIVE);
	assert_int_equal(node(w, "n2")->connection, CONNECTION_LOST);
	world_free(w);
}

/* --- registrations ------------------------------------------------------------------------------
 */

/* In the store, as its agent wrote it, while the controller is not told of it. */
static void register_unseen(struct world *w, const char *name)
{
	struct control *c = w->c;
	w->c = control_new(); /* hears of it instead */
	agent_start(w, name);
	control_free(w->c);
	w->c = c;
}

static void a_commit_is_done_once_all_registered_nodes_were_listed(void **state UNUSED)
{
	struct world *w = web_on(1);
	assert_true(control_synced(w->c));
	register_unseen(w, "n2");
	assert_null(node(w, "n2"));
	w->looks_wait = true;
	write_service(w, "other.yaml", "other", "web", "");
	assert_true(look_at(w, commit(w)));
	w->looks = 0;
	settle_down(w);
	assert_int_equal(w->looks, 1); /* asked for once */
	assert_int_equal(service(w, "other")->counts.ready, 1);
	assert_false(control_synced(w->c));
	assert_false(completed(w, "other"));		  /* though the one that is known runs it */
	control_nodes_told(w->c, control_look(w->c) - 1); /* that began before the commit */
	assert_false(control_synced(w->c));
	nodes_list(w, control_look(w->c));
	assert_true(control_synced(w->c));
	step(w);
	assert_false(completed(w, "other")); /* n2 is known in the same moment */
	settle_down(w);
	tell(w, "observed/n2");
	settle_down(w);
	assert_true(completed(w, "other"));
	assert_int_equal(service(w, "other")->counts.ready, 2);
	world_free(w);
}

static void a_look_waits_for_the_store(void **state UNUSED)
{
	struct world *w = web_on(1);
	control_store_away(w->c, "gone");
	write_service(w, "other.yaml", "other", "web", "");
	w->looks = 0;
	push(w);
	assert_int_equal(w->looks, 0);
	assert_false(control_synced(w->c));
	control_store_open(w->c, FLEET);
	settle_down(w);
	assert_int_equal(w->looks, 1);
	assert_true(control_synced(w->c));
	world_free(w);
}

static void a_registration_told_again_says_nothing_new(void **state UNUSED)
{
	struct world *w = web_on(3);
	list(w, "nodes/");
	assert_int_equal(step(w), 0);
	agent_attribute(w, &w->agents[0], "env", "prod");
	assert_true(step(w) > 0);
	world_free(w);
}

static void a_service_that_nothing_matches_is_done_where_there_are_nodes(void **state UNUSED)
{
	struct world *w = world_new(0);
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web",
		      "  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	push(w);
	assert_false(completed(w, "web"));
	agent_start(w, "n1");
	settle_down(w);
	assert_true(completed(w, "web"));
	assert_int_equal(service(w, "web")->counts.desired, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_unknown_until_its_beat_moves),
		cmocka_unit_test(one_that_never_beats_is_unreachable_in_its_time),
		cmocka_unit_test(a_new_service_waits_for_nodes_that_it_would_run_on),
		cmocka_unit_test(one_that_registered_and_tells_nothing_yet_is_waited_for),
		cmocka_unit_test(an_unreachable_one_blocks_neither_a_rollout_nor_a_removal),
		cmocka_unit_test(nobody_is_silent_while_nobody_looks),
		cmocka_unit_test(a_commit_is_done_once_all_registered_nodes_were_listed),
		cmocka_unit_test(a_look_waits_for_the_store),
		cmocka_unit_test(a_registration_told_again_says_nothing_new),
		cmocka_unit_test(a_service_that_nothing_matches_is_done_where_there_are_nodes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control known", tests, NULL, NULL);
}
