#include "control_world.h"

/* What may not begin now: outside of its window, beyond its step, held, or asked of an agent that
 * does not know it; and what was not answered yet. */

static void write_web(struct world *w, const char *more)
{
	write_service(w, "web.yaml", "web", "web", more);
}

static void push_task(struct world *w, const char *command)
{
	write_task(w, "task.yaml", "web", command);
	push(w);
}

static struct world *ten(const char *more)
{
	struct world *w = world_new(10);
	write_web(w, more);
	push_task(w, "a");
	pass(w, 5000);
	assert_int_equal(running(w, "web"), 10);
	reset(w);
	return w;
}

/* --- windows: it is Tuesday, 22:13 UTC -------------------------------------------------------- */

static void what_is_removed_waits_for_the_window(void **state UNUSED)
{
	struct world *w = ten("");
	file_set_text(w, "cluster.yaml",
		      "apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\nspec:\n"
		      "  windows: [{allow: [tue], from: '23:00', to: '24:00'}]\n");
	write_service(w, "other.yaml", "other", "web", "");
	push(w);
	file_remove(w, "web.yaml");
	push(w);
	pass(w, 60000);
	assert_int_equal(running(w, "web"), 10);
	const struct hold *hold = control_service_hold(w->c, service(w, "web"));
	assert_int_equal(hold->cause, HOLD_WINDOW);
	assert_int_equal(hold->count, 10);
	pass(w, 3000000);
	assert_int_equal(running(w, "web"), 0);
	assert_int_equal(running(w, "other"), 10);
	assert_int_equal(w->c->holds.len, 0);
	world_free(w);
}

static void a_clock_that_jumped_opens_no_window(void **state UNUSED)
{
	struct world *w = ten("  windows: [{allow: [tue], from: '22:00', to: '24:00'}]\n");
	w->clock_ahead_ms = 60000;
	pass(w, 1000);
	push_task(w, "b");
	pass(w, 280000);
	assert_int_equal(TOUCHED(w), 0);
	assert_non_null(strstr(w->c->holds.items[0].message, "clock has jumped"));
	pass(w, 100000);
	assert_int_equal(running_revision(w, "web", 2), 10);
	world_free(w);
}

/* --- the guard -------------------------------------------------------------------------------- */

static void mark_all(struct world *w, const char *value)
{
	for (uint32_t i = 0; i < w->agent_count; i++)
		agent_attribute(w, &w->agents[i], "env", value);
	pass(w, 5000);
}

/* What was released is gone, and so is its release. */
static void the_next_mass_change_is_held_anew(void **state UNUSED)
{
	struct world *w = ten("  placementConstraints:\n"
			      "  - {type: memberOf, expression: 'attribute:env !exists'}\n");
	mark_all(w, "x");
	assert_int_equal(TOTAL(w, stops), 3);
	control_allow(w->c, w->c->holds.items[0].id);
	pass(w, 5000);
	assert_int_equal(running(w, "web"), 0);
	mark_all(w, NULL);
	pass(w, 700000);
	assert_int_equal(running(w, "web"), 10);
	reset(w);
	mark_all(w, "x");
	assert_int_equal(TOTAL(w, stops), 3);
	assert_int_equal(w->c->holds.items[0].count, 7);
	world_free(w);
}

/* --- steps, surge ----------------------------------------------------------------------------- */

static void a_later_step_reaches_nobody_yet(void **state UNUSED)
{
	struct world *w = ten("");
	agent_attribute(w, &w->agents[4], "env", "canary");
	write_web(w, "  rollout:\n    steps:\n    - {count: 1, pause: true}\n"
		     "    - {expression: 'attribute:env == canary'}\n");
	push(w);
	pass(w, 5000);
	push_task(w, "b");
	pass(w, 60000);
	assert_int_equal(running_revision(w, "web", 2), 1);
	assert_int_equal(agent_task(&w->agents[0], "web")->revision, 2);
	world_free(w);
}

/* An older one would ignore the word, and stop the old task first. */
static void a_surge_is_asked_of_who_knows_it(void **state UNUSED)
{
	struct world *w = world_new(3);
	write_web(w,
		  "  deploymentConfiguration: {minimumHealthyPercent: 100, maximumPercent: 200}\n");
	push_task(w, "a");
	pass(w, 5000);
	assert_int_equal(running(w, "web"), 0);
	write_web(w, "");
	push(w);
	pass(w, 5000);
	assert_int_equal(running(w, "web"), 3);
	world_free(w);
}

/* --- the store -------------------------------------------------------------------------------- */

static void a_document_waits_for_the_answer_of_the_one_before(void **state UNUSED)
{
	struct world *w = web_on(1);
	pass(w, 5000);
	reset(w);
	w->answers_wait = true;
	agent_attribute(w, &w->agents[0], "env", "one");
	step(w);
	assert_int_equal(w->desired_puts, 1);
	agent_attribute(w, &w->agents[0], "env", "two");
	step(w);
	assert_int_equal(w->desired_puts, 1);
	control_put_done(w->c, "desired/n1", true, NULL, w->now_ms);
	step(w);
	assert_int_equal(w->desired_puts, 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_removed_waits_for_the_window),
		cmocka_unit_test(a_clock_that_jumped_opens_no_window),
		cmocka_unit_test(the_next_mass_change_is_held_anew),
		cmocka_unit_test(a_later_step_reaches_nobody_yet),
		cmocka_unit_test(a_surge_is_asked_of_who_knows_it),
		cmocka_unit_test(a_document_waits_for_the_answer_of_the_one_before),
	};
	return cmocka_run_group_tests_name("control gate", tests, NULL, NULL);
}
