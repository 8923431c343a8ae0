#include "control_world.h"

/* Numbers of revisions, and where they come from. */

static void drop_kind(struct world *w, const char *prefix)
{
	size_t it = 0;
	const char *key;
	while (map_next(w->store, &it, &key, NULL))
		if (strncmp(key, prefix, strlen(prefix)) == 0) {
			store_drop(w, key);
			it = 0;
		}
}

static void same_content_same_number(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	assert_int_equal(number_of(w, "web"), 1);
	write_task(w, "task.yaml", "web", "b");
	push(w);
	assert_int_equal(number_of(w, "web"), 2);
	write_task(w, "moved.yaml", "web", "b"); /* elsewhere, otherwise the same */
	file_remove(w, "task.yaml");
	push(w);
	assert_int_equal(number_of(w, "web"), 2);
	draft_of(w, 0); /* a revert returns to the old number */
	push(w);
	assert_int_equal(number_of(w, "web"), 1);
	assert_int_equal(running_revision(w, "web", 1), 2);
	assert_string_equal(service(w, "web")->primary.family, "web");
	assert_int_equal(service(w, "web")->primary.revision, 1);
	world_free(w);
}

static void invalid_commits_are_numbered(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	write_task(w, "task.yaml", "web", "b");
	file_set_text(w, "bad.yaml", "a: b\n");
	push(w);
	assert_int_equal(number_of(w, "web"), 1);
	file_remove(w, "bad.yaml");
	write_task(w, "task.yaml", "web", "c");
	push(w);
	assert_int_equal(number_of(w, "web"), 3);
	world_free(w);
}

static void history_is_numbered_in_its_order(void **state)
{
	(void)state;
	struct world *w = world_new(1);
	static const char *const commands[] = { "a", "b", "c", "b" };
	write_service(w, "web.yaml", "web", "web", "");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		write_task(w, "task.yaml", "web", commands[i]);
		commit(w);
	}
	assert_true(look_at(w, w->commits.len - 1));
	settle_down(w);
	assert_int_equal(number_of(w, "web"), 2);
	const struct family *f = map_get(w->c->families, "web");
	assert_int_equal(f->next, 4);
	assert_string_equal(ledger_find(f, 3)->commit, w->commits.items[2].id);
	world_free(w);
}

static void lost_ledger_is_rebuilt_from_history(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_task(w, "task.yaml", "web", "b");
	file_set_text(w, "bad.yaml", "a: b\n");
	push(w); /* invalid: :2 was never current */
	file_remove(w, "bad.yaml");
	write_task(w, "task.yaml", "web", "c");
	push(w);
	assert_int_equal(number_of(w, "web"), 3);
	pass(w, 5000);
	reset(w);
	drop_kind(w, "controller/");
	controller_restart(w);
	assert_int_equal(number_of(w, "web"), 3);
	assert_false(w->c->ledger_rebuilt);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(w->desired_puts, 0);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	assert_int_equal(w->agents[0].tasks[0].revision, 3);
	assert_string_equal(service(w, "web")->primary.id, w->agents[0].tasks[0].deployment);
	world_free(w);
}

static void garbled_ledger_is_rebuilt_from_history(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_task(w, "other.yaml", "other", "x");
	write_task(w, "task.yaml", "web", "b");
	push(w);
	write_task(w, "other.yaml", "other", "y");
	push(w);
	/* One that nothing runs: only the document itself tells that something is missing. */
	static const char *const families[] = { "other", "web" };
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		char key[64];
		snprintf(key, sizeof(key), "controller/families/%s", families[i]);
		store_set(w, key, "{", 1);
		reset(w);
		controller_restart(w);
		assert_int_equal(number_of(w, "web"), 2);
		assert_int_equal(number_of(w, "other"), 2);
	}
	assert_int_equal(w->desired_puts, 0);
	assert_true(w->ledger_puts > 0);
	world_free(w);
}

static void without_history_numbers_go_on_above_what_runs(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_task(w, "task.yaml", "web", "b");
	push(w);
	write_task(w, "task.yaml", "web", "c");
	push(w);
	reset(w);
	w->no_history = true; /* a plain directory */
	drop_kind(w, "controller/");
	controller_restart(w);
	assert_int_equal(number_of(w, "web"), 3);
	assert_true(w->c->ledger_rebuilt);
	assert_int_equal(TOUCHED(w), 0);
	write_task(w, "task.yaml", "web", "d");
	push(w);
	assert_int_equal(number_of(w, "web"), 4);
	assert_int_equal(running_revision(w, "web", 4), 2);
	world_free(w);
}

static void what_runs_is_enough_to_go_on_above(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_task(w, "task.yaml", "web", "b");
	push(w);
	reset(w);
	w->no_history = true;
	drop_kind(w, "controller/");
	drop_kind(w, "desired/"); /* only observed documents are left */
	controller_restart(w);
	assert_int_equal(number_of(w, "web"), 2);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(w->desired_puts, 2);
	write_task(w, "task.yaml", "web", "c");
	push(w);
	assert_int_equal(number_of(w, "web"), 3);
	world_free(w);
}

/* It would go last, and no document with it can be made. */
static void unknown_content_holds_up_no_drain(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	file_set_text(w, "cluster.yaml",
		      "apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\n"
		      "spec: {massChangePercent: 100}\n");
	write_task(w, "log.yaml", "log", "a");
	write_service(w, "logs.yaml", "log", "log", "  drain: keep\n");
	push(w);
	assert_int_equal(running(w, "log"), 1);
	write_task(w, "log.yaml", "log", "b");
	file_set_text(w, "node.yaml",
		      "apiVersion: muster/v1\nkind: Node\nmetadata: {name: n1}\n"
		      "spec: {state: DRAINING}\n");
	commit(w);
	w->no_history = true;
	drop_kind(w, "controller/");
	drop_kind(w, "desired/"); /* only observed documents are left */
	buf_reset(&w->applied);
	controller_restart(w);
	assert_int_equal(running(w, "web"), 0);
	assert_int_equal(running(w, "log"), 0);
	world_free(w);
}

static void rolled_back_ledger_gives_no_number_twice(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	const struct doc *doc = map_get(w->store, "controller/families/web");
	char *old = xmalloc(doc->len);
	size_t len = doc->len;
	memcpy(old, doc->bytes, len);
	write_task(w, "task.yaml", "web", "b");
	push(w);
	write_task(w, "task.yaml", "web", "c");
	push(w);
	reset(w);
	store_set(w, "controller/families/web", old, len);
	free(old);
	controller_restart(w);
	assert_int_equal(number_of(w, "web"), 3);
	assert_int_equal(TOUCHED(w), 0);
	world_free(w);
}

static void pinned_revision_runs_old_content(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_task(w, "task.yaml", "web", "b");
	push(w);
	write_service(w, "web.yaml", "web", "web:1", "");
	push(w);
	assert_int_equal(running_revision(w, "web", 1), 2);
	write_task(w, "task.yaml", "web", "c");
	push(w);
	assert_int_equal(running_revision(w, "web", 1), 2);
	controller_restart(w);
	assert_int_equal(running_revision(w, "web", 1), 2);
	assert_int_equal(TOTAL(w, replaced), 4);
	world_free(w);
}

static void unknown_pin_stalls(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	reset(w);
	write_service(w, "web.yaml", "web", "web:9", "");
	push(w);
	assert_false(w->c->seen_invalid); /* validity is of the bytes alone */
	assert_non_null(service(w, "web")->stalled);
	assert_int_equal(service(w, "web")->conditions.of[CONDITION_STALLED].status,
			 CONDITION_TRUE);
	assert_int_equal(running_revision(w, "web", 1), 2);
	assert_int_equal(TOUCHED(w), 0);
	controller_restart(w);
	assert_int_equal(TOUCHED(w), 0);
	write_service(w, "web.yaml", "web", "web:1", "");
	push(w);
	assert_null(service(w, "web")->stalled);
	assert_int_equal(TOUCHED(w), 0);
	world_free(w);
}

static void contents_are_kept_of_the_last_and_of_those_in_use(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	write_service(w, "old.yaml", "old", "web:2", "");
	for (int i = 0; i < REVISION_CONTENT_MAX + 30; i++) {
		char command[16];
		snprintf(command, sizeof(command), "c%d", i);
		write_task(w, "task.yaml", "web", command);
		push(w);
	}
	const struct family *f = map_get(w->c->families, "web");
	assert_int_equal(f->revisions.len, REVISION_CONTENT_MAX + 31);
	size_t kept = 0;
	for (size_t i = 0; i < f->revisions.len; i++) {
		bool wanted = f->revisions.len - i <= REVISION_CONTENT_MAX || i == 1;
		kept += f->revisions.items[i].content != NULL;
		if (wanted && !f->revisions.items[i].content)
			fail_msg("content of :%zu", i + 1);
	}
	assert_in_range(kept, 1, REVISION_CONTENT_MAX + 16); /* unused ones go by and by */
	assert_int_equal(running_revision(w, "old", 2), 1);
	reset(w);
	controller_restart(w);
	assert_int_equal(w->desired_puts + w->ledger_puts, 0);
	draft_of(w, 0); /* the number is known, and its content is again */
	push(w);
	assert_int_equal(number_of(w, "web"), 1);
	f = map_get(w->c->families, "web");
	assert_non_null(f->revisions.items[0].content);
	world_free(w);
}

static void a_ledger_document_has_room_for_ten_thousand(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	struct family *f = map_get(w->c->families, "web");
	for (uint32_t i = 0; i < 12000; i++) {
		struct revision *r = vec_push(&f->revisions);
		r->number = f->next++;
		r->digest = digest_of(&i, sizeof(i));
		snprintf(r->commit, sizeof(r->commit), "%064u", i);
	}
	f->revisions.items[5].content = xstrdup("{}");
	write_task(w, "task.yaml", "web", "b");
	push(w);
	assert_int_equal(number_of(w, "web"), 12002);
	const struct doc *doc = map_get(w->store, "controller/families/web");
	assert_in_range(doc->len, 1, LIMIT_DOCUMENT_BYTES);
	controller_restart(w);
	assert_int_equal(number_of(w, "web"), 12002);
	f = map_get(w->c->families, "web");
	assert_int_equal(f->revisions.len, 10000);
	uint32_t last = 11999;
	struct digest digest = digest_of(&last, sizeof(last));
	assert_true(digest_equal(&ledger_find(f, 12001)->digest, &digest));
	world_free(w);
}

static void lost_snapshot_falls_back_to_a_valid_ancestor(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	write_task(w, "other.yaml", "other", "x");
	write_service(w, "svc.yaml", "other", "other", "");
	push(w);
	file_remove(w, "svc.yaml");
	write_task(w, "task.yaml", "web", "b");
	push(w); /* the one to find: without `other` */
	file_set_text(w, "bad.yaml", "a: b\n");
	write_task(w, "task.yaml", "web", "c");
	push(w);
	push(w);
	assert_int_equal(running_revision(w, "web", 2), 2);
	reset(w);
	buf_reset(&w->applied);
	controller_restart(w);
	assert_string_equal(w->c->applied.id, w->commits.items[2].id);
	assert_true(w->c->seen_invalid);
	assert_string_equal(w->c->seen.id, w->commits.items[4].id);
	assert_int_equal(w->desired_puts, 0);
	assert_int_equal(TOUCHED(w), 0);
	agent_start(w, "n3"); /* it is in force: a new node runs it */
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	assert_int_equal(running(w, "other"), 0);
	world_free(w);
}

/* A history that does not begin at the beginning tells no tree. */
static void half_a_history_is_no_ancestor(void **state)
{
	(void)state;
	struct world *w = world_new(1);
	file_set_text(w, "bad.yaml", "a: b\n");
	push(w);
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web", "");
	commit(w); /* these two files alone would be valid */
	push(w);
	assert_string_equal(w->c->applied.id, "");
	assert_int_equal(w->desired_puts, 0);
	world_free(w);
}

static void without_a_valid_ancestor_all_stays(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	file_set_text(w, "bad.yaml", "a: b\n");
	push(w);
	reset(w);
	buf_reset(&w->applied);
	w->no_history = true;
	controller_restart(w);
	assert_string_equal(w->c->applied.id, "");
	agent_attribute(w, &w->agents[0], "env", "prod");
	settle_down(w);
	assert_int_equal(w->desired_puts, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_content_same_number),
		cmocka_unit_test(invalid_commits_are_numbered),
		cmocka_unit_test(history_is_numbered_in_its_order),
		cmocka_unit_test(lost_ledger_is_rebuilt_from_history),
		cmocka_unit_test(garbled_ledger_is_rebuilt_from_history),
		cmocka_unit_test(without_history_numbers_go_on_above_what_runs),
		cmocka_unit_test(unknown_content_holds_up_no_drain),
		cmocka_unit_test(what_runs_is_enough_to_go_on_above),
		cmocka_unit_test(rolled_back_ledger_gives_no_number_twice),
		cmocka_unit_test(pinned_revision_runs_old_content),
		cmocka_unit_test(unknown_pin_stalls),
		cmocka_unit_test(contents_are_kept_of_the_last_and_of_those_in_use),
		cmocka_unit_test(a_ledger_document_has_room_for_ten_thousand),
		cmocka_unit_test(lost_snapshot_falls_back_to_a_valid_ancestor),
		cmocka_unit_test(half_a_history_is_no_ancestor),
		cmocka_unit_test(without_a_valid_ancestor_all_stays),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control revisions", tests, NULL, NULL);
}
