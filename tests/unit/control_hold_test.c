#include "control_world.h"

/* Commits that remove all services are held. */

static void remove_all(struct world *w)
{
	while (w->draft.count)
		file_remove(w, w->draft.files[0].path);
}

static void removal_of_all_is_held(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	char id[17];
	remove_all(w);
	push(w);
	assert_true((w->c->holds.len > 0));
	assert_int_equal(w->c->holds.items[0].count, 3);
	assert_int_equal(running(w, "web"), 3);
	assert_true(told(w, "COMMIT_HELD"));
	assert_int_equal(service(w, "web")->conditions.of[CONDITION_HELD].status, CONDITION_TRUE);
	assert_string_equal(w->c->applied.id, w->commits.items[0].id);
	snprintf(id, sizeof(id), "%s", w->c->holds.items[0].id);

	push(w); /* another commit, the same cause */
	assert_string_equal(w->c->holds.items[0].id, id);
	assert_false(told(w, "COMMIT_HELD"));
	controller_restart(w);
	assert_string_equal(w->c->holds.items[0].id, id);
	assert_int_equal(TOTAL(w, stops), 0);

	control_allow(w->c, "0000000000000000"); /* of something else */
	settle_down(w);
	assert_true((w->c->holds.len > 0));
	control_allow(w->c, id);
	settle_down(w);
	assert_false((w->c->holds.len > 0));
	assert_int_equal(running(w, "web"), 0);
	assert_int_equal(map_count(w->c->services), 0);
	world_free(w);
}

static void revert_ends_the_hold(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	remove_all(w);
	push(w);
	reset(w);
	draft_of(w, 0);
	push(w);
	assert_false((w->c->holds.len > 0));
	assert_int_equal(service(w, "web")->conditions.of[CONDITION_HELD].status, CONDITION_FALSE);
	assert_int_equal(w->desired_puts, 0);
	world_free(w);
}

static void an_invalid_commit_ends_the_hold_and_applies_nothing(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	remove_all(w);
	push(w);
	file_set_text(w, "bad.yaml", "a: b\n");
	push(w);
	assert_false((w->c->holds.len > 0));
	assert_true(w->c->seen_invalid);
	assert_int_equal(running(w, "web"), 2);
	world_free(w);
}

static void trailers_release(void **state)
{
	(void)state;
	static const struct {
		const char *name, *trailer;
		bool in_same_commit, released;
	} rows[] = {
		{ "all, in the same commit", "all", true, true },
		{ "all, later", "all", false, true },
		{ "every service by name", "web", true, true },
		{ "every service by cluster and name", "default/web", false, true },
		{ "another service", "other", true, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = web_on(2);
		remove_all(w);
		if (!rows[i].in_same_commit)
			push(w);
		w->draft.allow = rows[i].trailer;
		push(w);
		if ((running(w, "web") == 0) != rows[i].released)
			fail_msg("%s", rows[i].name);
		world_free(w);
	}
}

static void trailer_with_the_id_releases(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	remove_all(w);
	push(w);
	char id[17];
	snprintf(id, sizeof(id), "%s", w->c->holds.items[0].id);
	w->draft.allow = id;
	push(w);
	assert_int_equal(running(w, "web"), 0);
	world_free(w);
}

static void one_of_two_names_is_not_enough(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_service(w, "two.yaml", "two", "web", "");
	push(w);
	remove_all(w);
	w->draft.allow = "web";
	push(w);
	assert_true((w->c->holds.len > 0));
	w->draft.allow = "two";
	push(w);
	assert_false((w->c->holds.len > 0));
	assert_int_equal(running(w, "web") + running(w, "two"), 0);
	world_free(w);
}

static void nothing_later_is_released(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	control_allow(w->c, "all"); /* nothing is held */
	settle_down(w);
	assert_true(told(w, "NOTHING_HELD"));
	w->draft.allow = "all"; /* of a commit that is applied */
	write_task(w, "task.yaml", "web", "b");
	push(w);
	remove_all(w);
	push(w);
	assert_true((w->c->holds.len > 0));
	assert_int_equal(running(w, "web"), 2);
	world_free(w);
}

static void allowing_before_the_first_look_counts(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	remove_all(w);
	push(w);
	char id[17];
	snprintf(id, sizeof(id), "%s", w->c->holds.items[0].id);
	control_free(w->c);
	controller_read_store(w);
	control_allow(w->c, id);
	assert_true(look_at(w, w->commits.len - 1));
	pass(w, 10000);
	assert_int_equal(running(w, "web"), 0);
	world_free(w);
}

static void an_empty_repository_at_the_start_holds_what_runs(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	remove_all(w);
	commit(w);
	buf_reset(&w->applied); /* what was applied is lost too */
	controller_restart(w);
	assert_true((w->c->holds.len > 0));
	assert_int_equal(running(w, "web"), 2);
	assert_int_equal(TOTAL(w, stops), 0);
	world_free(w);
}

static void kept_services_hold_nothing_up(void **state)
{
	(void)state;
	struct world *w = world_new(2);
	write_task(w, "task.yaml", "web", "a");
	file_set_text(w, "kept.yaml",
		      "apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: kept\n"
		      "  annotations: {muster/prune: disabled}\nspec: {taskDefinition: web}\n");
	push(w);
	file_remove(w, "kept.yaml");
	push(w);
	assert_false((w->c->holds.len > 0));
	push(w);
	assert_false((w->c->holds.len > 0));
	assert_int_equal(running(w, "kept"), 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removal_of_all_is_held),
		cmocka_unit_test(revert_ends_the_hold),
		cmocka_unit_test(an_invalid_commit_ends_the_hold_and_applies_nothing),
		cmocka_unit_test(trailers_release),
		cmocka_unit_test(trailer_with_the_id_releases),
		cmocka_unit_test(one_of_two_names_is_not_enough),
		cmocka_unit_test(nothing_later_is_released),
		cmocka_unit_test(allowing_before_the_first_look_counts),
		cmocka_unit_test(an_empty_repository_at_the_start_holds_what_runs),
		cmocka_unit_test(kept_services_hold_nothing_up),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control holds", tests, NULL, NULL);
}
