#include "control_world.h"

/* A configuration file of the repository is part of what runs. */

static void write_files_task(struct world *w, const char *source)
{
	char text[512];
	snprintf(text, sizeof(text),
		 "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"
		 "  containerDefinitions:\n  - name: main\n    image: web\n    memory: 10\n"
		 "    files: [{source: %s, path: /etc/web.conf}]\n",
		 source);
	file_set_text(w, "task.yaml", text);
}

static struct world *files_world(void)
{
	struct world *w = world_new(3);
	write_files_task(w, "web.conf");
	write_service(w, "web.yaml", "web", "web",
		      "  deploymentConfiguration: {minimumHealthyPercent: 0}\n");
	file_set_text(w, "web.conf", "one");
	file_set_text(w, "README", "of nobody's concern");
	push(w);
	assert_int_equal(running_revision(w, "web", 1), 3);
	return w;
}

static const char *content_on(struct world *w, const char *node, struct arena *arena)
{
	const struct doc *doc = store_doc(w, "desired", node);
	struct wire_desired d;
	assert_int_equal(wire_decode_desired(doc->bytes, doc->len, FLEET, node, arena, &d, NULL),
			 WIRE_OK);
	return d.tasks[0].task_definition->container_definitions.items[0].files.items[0].content;
}

static void a_changed_file_is_a_new_revision(void **state UNUSED)
{
	struct arena arena = { 0 };
	struct world *w = files_world();
	assert_string_equal(content_on(w, "n1", &arena), "b25l");
	reset(w);
	file_set_text(w, "README", "still");
	push(w);
	assert_int_equal(TOUCHED(w), 0);
	file_set_text(w, "web.conf", "two");
	push(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	assert_string_equal(content_on(w, "n1", &arena), "dHdv");
	/* Back is the old number, also in a controller that was started meanwhile. */
	controller_restart(w);
	file_set_text(w, "web.conf", "one");
	push(w);
	assert_int_equal(running_revision(w, "web", 1), 3);
	assert_string_equal(content_on(w, "n3", &arena), "b25l");
	world_free(w);
	arena_release(&arena);
}

static void history_is_numbered_with_its_files(void **state UNUSED)
{
	struct world *w = files_world();
	file_set_text(w, "web.conf", "two");
	commit(w);
	write_files_task(w, "other.conf"); /* is not there: numbered is what can be */
	commit(w);
	write_files_task(w, "web.conf");
	file_set_text(w, "web.conf", "three");
	push(w);
	assert_int_equal(running_revision(w, "web", 3), 3);
	write_service(w, "web.yaml", "web", "web:2",
		      "  deploymentConfiguration: {minimumHealthyPercent: 0}\n");
	push(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	world_free(w);
}

static void a_lost_ledger_gives_the_same_numbers(void **state UNUSED)
{
	struct world *w = files_world();
	file_set_text(w, "web.conf", "two");
	push(w);
	file_set_text(w, "web.conf", "three");
	push(w);
	reset(w);
	store_drop(w, "controller/families/web");
	buf_reset(&w->applied);
	controller_restart(w);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(number_of(w, "web"), 3);
	assert_int_equal(running_revision(w, "web", 3), 3);
	world_free(w);
}

static void a_missing_file_is_an_invalid_commit(void **state UNUSED)
{
	struct world *w = files_world();
	reset(w);
	file_remove(w, "web.conf");
	push(w);
	assert_true(w->c->seen_invalid);
	assert_int_equal(TOUCHED(w), 0);
	controller_restart(w);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(running(w, "web"), 3);
	world_free(w);
}

/* Bytes that nothing names are not kept; when something does, the source is asked for all again. */
static void bytes_that_were_dropped_are_asked_for(void **state UNUSED)
{
	struct world *w = files_world();
	write_files_task(w, "README");
	size_t index = commit(w);
	struct arena arena;
	arena_init(&arena);
	struct source_snapshot s = snapshot_of(&w->commits.items[index], &arena);
	leave_out(&s, &w->commits.items[0]);
	assert_false(control_snapshot(w->c, &s, w->now_ms, UNIX_MS(w)));
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 1), 3);
	s = snapshot_of(&w->commits.items[index], &arena);
	assert_true(control_snapshot(w->c, &s, w->now_ms, UNIX_MS(w)));
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	arena_release(&arena);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_file_is_a_new_revision),
		cmocka_unit_test(history_is_numbered_with_its_files),
		cmocka_unit_test(a_lost_ledger_gives_the_same_numbers),
		cmocka_unit_test(a_missing_file_is_an_invalid_commit),
		cmocka_unit_test(bytes_that_were_dropped_are_asked_for),
	};
	return cmocka_run_group_tests_name("control files", tests, NULL, NULL);
}
