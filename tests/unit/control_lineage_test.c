/* control: which commits the one seen last contains, bounded, over restarts and rewritten history.
 */
#include "control/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* A snapshot whose ids are c<first> .. c<last>, the last one the tip. */
static void take(struct control *c, int first, int last, bool rewritten)
{
	struct arena arena;
	arena_init(&arena);
	size_t count = (size_t)(last - first);
	struct source_snapshot snapshot = {
		.commit = arena_printf(&arena, "c%d", last),
		.history = ARENA_ARRAY(&arena, struct source_commit, count + 1),
		.history_count = count,
		.rewritten = rewritten,
	};
	for (size_t i = 0; i < count; i++)
		snapshot.history[i].id = arena_printf(&arena, "c%d", first + (int)i);
	lineage_take(c, &snapshot);
	arena_release(&arena);
}

static void assert_lineage(const struct control *c, int first, int last)
{
	assert_int_equal(c->lineage.len, last - first + 1);
	for (int i = first; i <= last; i++) {
		char want[16];
		snprintf(want, sizeof(want), "c%d", i);
		assert_string_equal(c->lineage.items[i - first].text, want);
	}
}

static void it_grows_by_what_is_new(void **state UNUSED)
{
	struct control *c = control_new();
	take(c, 1, 3, false);
	take(c, 4, 4, false);
	take(c, 4, 4, false); /* looked at again */
	take(c, 1, 6, false); /* given whole again */
	assert_lineage(c, 1, 6);
	take(c, 8, 9, true); /* a forced push */
	assert_lineage(c, 8, 9);
	control_free(c);
}

static void it_keeps_the_newest(void **state UNUSED)
{
	struct control *c = control_new();
	take(c, 1, LINEAGE_MAX, false);
	assert_lineage(c, 1, LINEAGE_MAX);
	take(c, LINEAGE_MAX + 1, LINEAGE_MAX + 1, false);
	assert_lineage(c, 2, LINEAGE_MAX + 1);
	take(c, 1000, 1000 + 3 * LINEAGE_MAX, false);
	assert_lineage(c, 1001 + 2 * LINEAGE_MAX, 1000 + 3 * LINEAGE_MAX);
	control_free(c);
}

static void the_applied_snapshot_carries_it(void **state UNUSED)
{
	struct control *c = control_new(), *restarted = control_new();
	struct arena arena;
	struct source_snapshot kept = { .commit = "c3" };
	arena_init(&arena);
	take(c, 1, 5, false); /* c4 and c5 are not applied */
	lineage_give(c, &arena, &kept);
	assert_int_equal(kept.history_count, 0); /* nothing is */
	strcpy(c->applied.id, "c3");
	lineage_give(c, &arena, &kept);
	lineage_take(restarted, &kept);
	assert_lineage(restarted, 1, 3);
	arena_release(&arena);
	control_free(restarted);
	control_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_by_what_is_new),
		cmocka_unit_test(it_keeps_the_newest),
		cmocka_unit_test(the_applied_snapshot_carries_it),
	};
	return cmocka_run_group_tests_name("control_lineage", tests, NULL, NULL);
}
