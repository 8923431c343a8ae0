/* wire: documents of this version and of later ones, kept as files. */
#include "wire_documents.h"

#define HEAD "\"fleet\":\"" FLEET "\",\"kind\":\"Desired\",\"muster\":1,\"node\":\"n1\","

/* --- golden documents ------------------------------------------------------------------------- */

#define GOLDEN "tests/golden/wire/"

static void read_golden(const char *name, struct buf *out)
{
	char path[256], chunk[4096];
	snprintf(path, sizeof(path), GOLDEN "%s", name);
	FILE *file = fopen(path, "re");
	if (!file)
		fail_msg("cannot open %s (run from the root of the repository)", path);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		buf_add(out, chunk, n);
	fclose(file);
}

/* With MUSTER_UPDATE_GOLDEN set, write what is missing; a golden document that exists is for ever.
 */
static void write_golden(const char *name, const struct buf *bytes)
{
	char path[256];
	snprintf(path, sizeof(path), GOLDEN "%s", name);
	FILE *file = getenv("MUSTER_UPDATE_GOLDEN") ? fopen(path, "wxe") : NULL;
	if (!file)
		return;
	fwrite(bytes->data, 1, bytes->len, file);
	fclose(file);
}

static void check_golden(const char *name, enum kind kind, const union document *doc)
{
	union document read;
	struct buf now = { 0 }, golden = { 0 }, again = { 0 };
	struct arena arena;
	struct err err = { 0 };
	arena_init(&arena);
	encode(kind, doc, &now);
	write_golden(name, &now);
	read_golden(name, &golden);
	assert_string_equal(golden.data, now.data);
	if (decode(kind, golden.data, golden.len, &arena, &read, &err) != WIRE_OK)
		fail_msg("%s: %s", name, err.text);
	encode(kind, &read, &again);
	assert_string_equal(golden.data, again.data);
	buf_release(&now);
	buf_release(&golden);
	buf_release(&again);
	arena_release(&arena);
}

static void golden_documents_are_as_ever(void **state UNUSED)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		union document doc;
		char name[64];
		snprintf(name, sizeof(name), "%s.v1", kind_names[kind]);
		full_document(kind, &doc);
		check_golden(name, kind, &doc);
	}
}

/* Members that came later; documents without them are those of above. */
static void added_members_are_as_ever(void **state UNUSED)
{
	struct wire_desired_task surge = full_desired_tasks[0];
	struct wire_task failing = full_tasks[1];
	union document doc;
	surge.surge = true;
	doc.desired = full_desired;
	doc.desired.tasks = &surge;
	check_golden("desired-surge.v1", DESIRED, &doc);
	failing.failures = 12;
	doc.observed = full_observed;
	doc.observed.tasks = &failing;
	doc.observed.task_count = 1;
	check_golden("observed-failures.v1", OBSERVED, &doc);
}

/* Every object of the document gets a member that this version does not know. */
static void add_unknown_members(json_t *json, bool map)
{
	const char *name;
	json_t *value;
	size_t i;
	json_array_foreach(json, i, value) add_unknown_members(value, false);
	json_object_foreach(json, name, value) add_unknown_members(
		value, strcmp(name, "attributes") == 0 || strcmp(name, "facts") == 0 ||
			       strcmp(name, "dockerLabels") == 0);
	if (json_is_object(json) && !map)
		json_object_set_new(json, "ofLaterVersion", json_pack("{s:[n]}", "x"));
}

/* N reads what N+1 of the same major version writes: as if the new members were not there. */
static void later_members_are_ignored(void **state UNUSED)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		static const char *const kinds[] = { "Registration", "Desired", "Observed" };
		union document doc, read;
		struct buf now = { 0 }, later = { 0 }, golden = { 0 }, again = { 0 };
		struct arena arena;
		struct err err = { 0 };
		char name[64];
		arena_init(&arena);
		full_document(kind, &doc);
		encode(kind, &doc, &now);
		json_t *json = wire_open(now.data, now.len, kinds[kind], FLEET, &err);
		add_unknown_members(json, false);
		wire_seal(kinds[kind], NULL, json, &later);
		json_decref(json);
		snprintf(name, sizeof(name), "%s-later.v1", kind_names[kind]);
		write_golden(name, &later);
		read_golden(name, &golden);
		if (decode(kind, golden.data, golden.len, &arena, &read, &err) != WIRE_OK)
			fail_msg("%s: %s", name, err.text);
		encode(kind, &read, &again);
		assert_string_equal(now.data, again.data);
		buf_release(&now);
		buf_release(&later);
		buf_release(&golden);
		buf_release(&again);
		arena_release(&arena);
	}
}

static void next_major_version_is_unknown(void **state UNUSED)
{
	struct buf bytes = { 0 };
	struct arena arena;
	struct err err = { 0 };
	union document doc;
	arena_init(&arena);
	seal_text("{" HEAD "\"cluster\":\"c\",\"number\":1}", &bytes);
	assert_int_equal(decode(DESIRED, bytes.data, bytes.len, &arena, &doc, &err), WIRE_OK);
	buf_reset(&bytes);
	seal_text("{\"fleet\":\"" FLEET "\",\"kind\":\"Desired\",\"muster\":2,\"node\":\"n1\","
		  "\"cluster\":\"c\",\"number\":1}",
		  &bytes);
	write_golden("desired.v2", &bytes);
	buf_reset(&bytes);
	read_golden("desired.v2", &bytes);
	assert_int_equal(decode(DESIRED, bytes.data, bytes.len, &arena, &doc, &err), WIRE_UNKNOWN);
	assert_string_equal(err.text, "has wire version 2, this muster reads 1 to 1");
	buf_release(&bytes);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_documents_are_as_ever),
		cmocka_unit_test(added_members_are_as_ever),
		cmocka_unit_test(later_members_are_ignored),
		cmocka_unit_test(next_major_version_is_unknown),
	};
	return cmocka_run_group_tests_name("wire_golden", tests, NULL, NULL);
}
