/* node/claim: who holds a node's name, in virtual time. */
#include "node/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ALL_HOLDERS (NODE_HOLDER_OTHER + 1)

static const struct wire_registration us = { .instance = "us", .boot_id = "b1", .session = "s1" };

static void holders(void **state UNUSED)
{
	static const struct {
		struct wire_registration record;
		bool found, read;
		enum node_holder want;
	} rows[] = {
		{ .want = NODE_HOLDER_NONE },
		{ .found = true, .want = NODE_HOLDER_UNKNOWN },
		{ { .instance = "us", .boot_id = "b1", .session = "s1" },
		  true,
		  true,
		  NODE_HOLDER_US },
		{ { .instance = "us", .boot_id = "b1", .session = "s2" },
		  true,
		  true,
		  NODE_HOLDER_OTHER_SESSION },
		{ { .instance = "us", .boot_id = "b2", .session = "s1" },
		  true,
		  true,
		  NODE_HOLDER_OTHER_BOOT },
		{ { .instance = "they", .boot_id = "b1", .session = "s1" },
		  true,
		  true,
		  NODE_HOLDER_OTHER },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			node_holder_of(&us, rows[i].found, rows[i].read ? &rows[i].record : NULL),
			rows[i].want);
}

#define KEEP	 NODE_CLAIM_KEEP
#define LISTEN	 NODE_CLAIM_LISTEN
#define TAKE	 NODE_CLAIM_TAKE
#define WAIT	 NODE_CLAIM_WAIT
#define CONFLICT NODE_CLAIM_CONFLICT

/* By the record alone: at once, without a look at beats or clocks. LISTEN is "not by it alone". */
static void at_once(void **state UNUSED)
{
	static const struct {
		enum node_claim fresh, held, leaving;
	} want[ALL_HOLDERS] = {
		[NODE_HOLDER_NONE] = { TAKE, TAKE, KEEP },
		[NODE_HOLDER_UNKNOWN] = { LISTEN, TAKE, WAIT },
		[NODE_HOLDER_US] = { TAKE, KEEP, KEEP },
		[NODE_HOLDER_OTHER_SESSION] = { TAKE, CONFLICT, KEEP },
		[NODE_HOLDER_OTHER_BOOT] = { LISTEN, CONFLICT, KEEP },
		[NODE_HOLDER_OTHER] = { LISTEN, CONFLICT, WAIT },
	};
	for (enum node_holder holder = 0; holder < ALL_HOLDERS; holder++) {
		struct node_silence silence = { 0 };
		struct node_claim_input in = { .holder = holder, .now_ms = 1000 };
		const char *why = NULL;
		assert_int_equal(node_claim(&silence, &in, &why), want[holder].fresh);
		in.held = true;
		assert_int_equal(node_claim(&silence, &in, &why), want[holder].held);
		assert_int_equal(why != NULL, want[holder].held == CONFLICT);
		in.leaving = true;
		assert_int_equal(node_claim(&silence, &in, &why), KEEP);
		in.held = false;
		assert_int_equal(node_claim(&silence, &in, &why), want[holder].leaving);
		assert_false(silence.listening);
	}
}

/* What a newcomer reads and hears. */
struct look {
	int64_t at_s;
	const char *record; /* its bytes */
	uint64_t beat;
	enum node_claim want;
};
#define LOOKS_MAX 6

static void silence_tells(void **state UNUSED)
{
	static const struct {
		const char *name;
		struct look looks[LOOKS_MAX];
	} rows[] = {
		{ "no beat for 30 s",
		  { { 100, "r", 7, WAIT },
		    { 102, "r", 7, WAIT },
		    { 129, "r", 7, WAIT },
		    { 130, "r", 7, TAKE } } },
		{ "old as the beat may be, it is heard for 30 s from the first look on",
		  { { 900000, "r", 7, WAIT },
		    { 900029, "r", 7, WAIT },
		    { 900030, "r", 7, TAKE } } },
		{ "a beat that moves", { { 100, "r", 7, WAIT }, { 108, "r", 8, CONFLICT } } },
		{ "in the last moment", { { 100, "r", 7, WAIT }, { 130, "r", 8, CONFLICT } } },
		{ "even backwards: only that it moves counts",
		  { { 100, "r", 7, WAIT }, { 108, "r", 6, CONFLICT } } },
		{ "never beaten", { { 100, "r", 0, WAIT }, { 130, "r", 0, TAKE } } },
		{ "its first beat", { { 100, "r", 0, WAIT }, { 108, "r", 1, CONFLICT } } },
		{ "a beat that goes is none",
		  { { 100, "r", 7, WAIT }, { 108, "r", 0, WAIT }, { 130, "r", 0, TAKE } } },
		{ "a record that changes is listened to anew",
		  { { 100, "r", 7, WAIT },
		    { 129, "s", 8, WAIT },
		    { 130, "s", 8, WAIT },
		    { 158, "s", 8, WAIT },
		    { 159, "s", 8, TAKE } } },
		{ "and whoever wrote it beats",
		  { { 100, "r", 7, WAIT }, { 129, "s", 8, WAIT }, { 137, "s", 9, CONFLICT } } },
	};
	static const enum node_holder of[] = { NODE_HOLDER_OTHER, NODE_HOLDER_OTHER_BOOT,
					       NODE_HOLDER_UNKNOWN };
	for (size_t h = 0; h < ARRAY_LEN(of); h++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct node_silence silence = { 0 };
			for (size_t k = 0; k < LOOKS_MAX && rows[i].looks[k].record; k++) {
				const struct look *look = &rows[i].looks[k];
				const char *why = NULL;
				const struct node_claim_input in = {
					.holder = of[h],
					.record = digest_of(look->record, strlen(look->record)),
					.heard = true,
					.beat = look->beat,
					.now_ms = look->at_s * 1000,
				};
				enum node_claim got = node_claim(&silence, &in, &why);
				if (got != look->want)
					fail_msg("%s: at %lld s %d, want %d", rows[i].name,
						 (long long)look->at_s, got, look->want);
				assert_int_equal(why != NULL, got == CONFLICT);
			}
		}
}

/* What could not be heard was no silence: the shell forgets it when the store was away. */
static void forgotten_silence_counts_anew(void **state UNUSED)
{
	struct node_silence silence = { 0 };
	struct node_claim_input in = { .holder = NODE_HOLDER_OTHER, .heard = true, .beat = 7 };
	const char *why = NULL;
	in.now_ms = 1000;
	assert_int_equal(node_claim(&silence, &in, &why), WAIT);
	silence = (struct node_silence){ 0 };
	in.now_ms = 1000 + NODE_TAKE_OVER_MS;
	assert_int_equal(node_claim(&silence, &in, &why), WAIT);
	in.now_ms += NODE_TAKE_OVER_MS;
	assert_int_equal(node_claim(&silence, &in, &why), TAKE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holders),
		cmocka_unit_test(at_once),
		cmocka_unit_test(silence_tells),
		cmocka_unit_test(forgotten_silence_counts_anew),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("node claim", tests, NULL, NULL);
}
