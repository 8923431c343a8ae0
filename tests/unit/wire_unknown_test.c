/* wire: everything that makes a document unknown, and the limits. */
#include "wire_documents.h"

#define HEAD "\"fleet\":\"" FLEET "\",\"kind\":\"Desired\",\"muster\":1,\"node\":\"n1\","
#define TASK_HEAD                                                                                  \
	"{" HEAD "\"cluster\":\"c\",\"number\":1,\"tasks\":[{\"cluster\":\"c\",\"family\":\"f\","
#define TARGET "\"target\":\"00000000000000000000000000000000000000000000000000000000000000ff\""

/* --- damage ----------------------------------------------------------------------------------- */

static void expect_unknown(enum kind kind, const void *bytes, size_t len, const char *what,
			   size_t where)
{
	struct arena arena;
	struct err err = { 0 };
	union document doc;
	arena_init(&arena);
	char *exact = xmalloc(len); /* so that reading beyond it is seen */
	memcpy(exact, bytes, len);
	if (decode(kind, exact, len, &arena, &doc, &err) != WIRE_UNKNOWN || !err.text[0])
		fail_msg("a %s %s at byte %zu was read", kind_names[kind], what, where);
	free(exact);
	arena_release(&arena);
}

static void cut_or_flipped_is_unknown(void **state UNUSED)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		union document doc;
		struct buf bytes = { 0 };
		full_document(kind, &doc);
		encode(kind, &doc, &bytes);
		for (size_t i = 0; i < bytes.len; i++) {
			expect_unknown(kind, bytes.data, i, "cut", i);
			for (int bit = 0; bit < 8; bit++) {
				bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
				expect_unknown(kind, bytes.data, bytes.len, "flipped", i);
				bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
			}
		}
		buf_addc(&bytes, '\n');
		expect_unknown(kind, bytes.data, bytes.len, "longer", bytes.len);
		buf_release(&bytes);
	}
}

static void what_it_says_can_be_unknown(void **state UNUSED)
{
	static const struct {
		const char *name, *json, *why;
	} rows[] = {
		{ "nothing wrong", "{" HEAD "\"cluster\":\"c\",\"number\":1}", NULL },
		{ "unknown members", "{" HEAD "\"cluster\":\"c\",\"number\":1,\"new\":[{}]}",
		  NULL },
		{ "null is absent", "{" HEAD "\"cluster\":\"c\",\"number\":1,\"tasks\":null}",
		  NULL },
		{ "no JSON", "{", "is no JSON" },
		{ "a name twice", "{" HEAD "\"cluster\":\"c\",\"number\":1,\"number\":2}",
		  "is no JSON" },
		{ "a NUL", "{" HEAD "\"cluster\":\"\\u0000\",\"number\":1}", "is no JSON" },
		{ "a list", "[]", "is no document" },
		{ "no version", "{\"kind\":\"Desired\"}", "is no document" },
		{ "newer", "{\"kind\":\"Desired\",\"muster\":2}", "has wire version 2" },
		{ "version 0", "{\"kind\":\"Desired\",\"muster\":0}", "has wire version 0" },
		{ "other kind", "{\"kind\":\"Observed\",\"muster\":1}",
		  "is of kind Observed, not Desired" },
		{ "no fleet", "{\"kind\":\"Desired\",\"muster\":1}", "another fleet (none)" },
		{ "other fleet", "{\"fleet\":\"ff\",\"kind\":\"Desired\",\"muster\":1}",
		  "another fleet (ff)" },
		{ "other node",
		  "{\"fleet\":\"" FLEET "\",\"kind\":\"Desired\",\"muster\":1,\"node\":\"n2\","
		  "\"cluster\":\"c\",\"number\":1}",
		  "another node (n2)" },
		{ "no number", "{" HEAD "\"cluster\":\"c\"}", "'number' is missing" },
		{ "number below 0", "{" HEAD "\"cluster\":\"c\",\"number\":-1}",
		  "'number': is out of range" },
		{ "number as text", "{" HEAD "\"cluster\":\"c\",\"number\":\"1\"}",
		  "'number': is not a whole number" },
		{ "a path as name", "{" HEAD "\"cluster\":\"../x\",\"number\":1}",
		  "'cluster': is not a name" },
		{ "an empty name", "{" HEAD "\"cluster\":\"\",\"number\":1}",
		  "'cluster': is not a name" },
		{ "tasks no list", "{" HEAD "\"cluster\":\"c\",\"number\":1,\"tasks\":{}}",
		  "'tasks': is not a list" },
		{ "no service", TASK_HEAD TARGET "}]}", "'tasks': item 1: 'service' is missing" },
		{ "no target", TASK_HEAD "\"service\":\"s\"}]}",
		  "'tasks': item 1: 'target' is missing" },
		{ "no definition", TASK_HEAD "\"service\":\"s\"," TARGET "}]}",
		  "'taskDefinition' is missing" },
		{ "definition no object",
		  TASK_HEAD "\"service\":\"s\"," TARGET ",\"taskDefinition\":1}]}",
		  "'taskDefinition': is not an object" },
		{ "revision too large",
		  TASK_HEAD "\"service\":\"s\"," TARGET ",\"revision\":4294967296}]}",
		  "'revision': is out of range" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf bytes = { 0 };
		struct arena arena;
		struct err err = { 0 };
		union document doc;
		arena_init(&arena);
		seal_text(rows[i].json, &bytes);
		enum wire_result got = decode(DESIRED, bytes.data, bytes.len, &arena, &doc, &err);
		if (got != (rows[i].why ? WIRE_UNKNOWN : WIRE_OK) ||
		    (rows[i].why && !strstr(err.text, rows[i].why)))
			fail_msg("%s: %d, %s", rows[i].name, got, err.text);
		buf_release(&bytes);
		arena_release(&arena);
	}
}

/* --- limits ----------------------------------------------------------------------------------- */

static enum wire_result desired_with(uint32_t tasks, size_t padding, struct err *err)
{
	struct arena arena;
	arena_init(&arena);
	struct wire_desired doc, read;
	doc = full_desired;
	struct wire_desired_task *many = ARENA_ARRAY(&arena, struct wire_desired_task, tasks);
	for (uint32_t i = 0; i < tasks; i++)
		many[i] = doc.tasks[0];
	doc.tasks = many;
	doc.task_count = tasks;
	if (padding) {
		char *text = arena_alloc(&arena, padding + 1);
		memset(text, 'x', padding);
		many[0].deployment = text;
	}
	struct buf bytes = { 0 };
	wire_encode_desired(&doc, &bytes);
	enum wire_result result =
		wire_decode_desired(bytes.data, bytes.len, NULL, NULL, &arena, &read, err);
	if (padding && result == WIRE_OK)
		assert_int_equal(bytes.len, LIMIT_DOCUMENT_BYTES);
	buf_release(&bytes);
	arena_release(&arena);
	return result;
}

static void limits_hold(void **state UNUSED)
{
	struct err err;
	assert_int_equal(desired_with(LIMIT_TASKS_PER_NODE, 0, &err), WIRE_OK);

	struct wire_desired doc;
	struct wire_desired_task task = full_desired.tasks[0];
	doc = full_desired;
	doc.tasks = &task;
	task.deployment = "";
	struct buf bytes = { 0 };
	wire_encode_desired(&doc, &bytes);
	size_t room = LIMIT_DOCUMENT_BYTES - bytes.len;
	buf_release(&bytes);
	assert_int_equal(desired_with(1, room, &err), WIRE_OK);
	assert_int_equal(desired_with(1, room + 1, &err), WIRE_UNKNOWN);
	assert_non_null(strstr(err.text, "larger than 1048576"));
}

/* The writer never makes more than it may, so a longer list is someone else's. */
static void more_tasks_than_may_be_are_unknown(void **state UNUSED)
{
	struct buf json = { 0 }, bytes = { 0 };
	buf_adds(&json, "{" HEAD "\"cluster\":\"c\",\"number\":1,\"tasks\":[{}");
	for (int i = 0; i < LIMIT_TASKS_PER_NODE; i++)
		buf_adds(&json, ",{}");
	buf_adds(&json, "]}");
	seal_text(json.data, &bytes);
	struct arena arena;
	struct err err;
	union document doc;
	arena_init(&arena);
	assert_int_equal(decode(DESIRED, bytes.data, bytes.len, &arena, &doc, &err), WIRE_UNKNOWN);
	assert_non_null(strstr(err.text, "more than 100 items"));
	arena_release(&arena);
	buf_release(&json);
	buf_release(&bytes);
}

static void observed_is_made_to_fit(void **state UNUSED)
{
	struct arena arena;
	arena_init(&arena);
	struct wire_observed doc, read;
	doc = full_observed;
	char *tail = arena_alloc(&arena, 9001), *reason = arena_alloc(&arena, 2001);
	memset(tail, 't', 9000);
	tail[8999] = '!';
	memset(reason, 'r', 2000);
	reason[WIRE_REASON_BYTES - 1] = '\xc3'; /* the cut would split it */
	reason[WIRE_REASON_BYTES] = '\xa4';
	struct wire_task *stopped = ARENA_ARRAY(&arena, struct wire_task, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		stopped[i] = doc.tasks[0];
		stopped[i].revision = i + 1;
		stopped[i].stderr_tail = tail;
		stopped[i].reason = reason;
	}
	doc.stopped = stopped;
	doc.stopped_count = 1000;
	struct buf bytes = { 0 };
	struct err err;
	buf_adds(&bytes, "before");
	wire_encode_observed(&doc, &bytes);
	assert_true(bytes.len - 6 <= LIMIT_DOCUMENT_BYTES);
	assert_int_equal(wire_decode_observed(bytes.data + 6, bytes.len - 6, FLEET, "n1", &arena,
					      &read, &err),
			 WIRE_OK);
	assert_true(read.stopped_count >= 100);
	assert_int_equal(read.stopped[0].revision, 1); /* the newest stay */
	assert_int_equal(strlen(read.stopped[0].stderr_tail), WIRE_STDERR_BYTES);
	assert_non_null(strstr(read.stopped[0].stderr_tail, "t!"));
	assert_int_equal(strlen(read.stopped[0].reason), WIRE_REASON_BYTES - 1);
	buf_release(&bytes);
	arena_release(&arena);
}

static void bytes_that_are_no_text_are_repaired(void **state UNUSED)
{
	struct wire_observed doc, read;
	struct buf bytes = { 0 };
	struct arena arena;
	struct err err;
	arena_init(&arena);
	struct wire_task task = full_observed.tasks[0];
	doc = full_observed;
	doc.tasks = &task;
	doc.task_count = 1;
	task.stderr_tail = "ok \xc3\xa4 \xff\xfe cut \xe2\x82";
	wire_encode_observed(&doc, &bytes);
	assert_int_equal(
		wire_decode_observed(bytes.data, bytes.len, FLEET, NULL, &arena, &read, &err),
		WIRE_OK);
	assert_string_equal(read.tasks[0].stderr_tail,
			    "ok \xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd cut \xef\xbf\xbd\xef\xbf\xbd");
	buf_release(&bytes);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_or_flipped_is_unknown),
		cmocka_unit_test(what_it_says_can_be_unknown),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(more_tasks_than_may_be_are_unknown),
		cmocka_unit_test(observed_is_made_to_fit),
		cmocka_unit_test(bytes_that_are_no_text_are_repaired),
	};
	return cmocka_run_group_tests_name("wire_unknown", tests, NULL, NULL);
}
