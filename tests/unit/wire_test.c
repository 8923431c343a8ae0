/* wire: what is written is read again, whatever it holds. */
#include "wire_documents.h"

/* Encode, decode from memory that ends with the document, encode again: the same bytes. */
static void check_round_trip(enum kind kind, const union document *doc)
{
	struct buf once = { 0 }, twice = { 0 };
	struct arena arena;
	struct err err = { 0 };
	union document read;
	arena_init(&arena);
	encode(kind, doc, &once);
	char *exact = xmalloc(once.len);
	memcpy(exact, once.data, once.len);
	if (decode(kind, exact, once.len, &arena, &read, &err) != WIRE_OK)
		fail_msg("%s: %s", kind_names[kind], err.text);
	free(exact); /* nothing may be borrowed from it */
	encode(kind, &read, &twice);
	assert_string_equal(once.data, twice.data);
	buf_release(&once);
	buf_release(&twice);
	arena_release(&arena);
}

static void full_documents_survive(void **state UNUSED)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		union document doc;
		full_document(kind, &doc);
		check_round_trip(kind, &doc);
	}
}

static void values_arrive(void **state UNUSED)
{
	union document doc, read;
	struct buf bytes = { 0 };
	struct arena arena;
	struct err err;
	arena_init(&arena);
	full_document(DESIRED, &doc);
	encode(DESIRED, &doc, &bytes);
	assert_int_equal(decode(DESIRED, bytes.data, bytes.len, &arena, &read, &err), WIRE_OK);
	const struct wire_desired_task *task = &read.desired.tasks[0];
	assert_int_equal(read.desired.number, 42);
	assert_int_equal(task->priority, -5);
	assert_true(task->broken_before);
	assert_true(digest_equal(&task->target, &doc.desired.tasks[0].target));
	const struct container_definition *c = task->task_definition->container_definitions.items;
	assert_string_equal(c->environment.items[1].value, "\xc3\xa4\"\\\n\t");
	assert_true(c->stop_timeout.set && c->stop_timeout.value == 0);
	assert_int_equal(c->privileged, OPT_FALSE);
	assert_int_equal(c->readonly_root_filesystem, OPT_UNSET);
	assert_true(c->docker_labels.set && c->docker_labels.len == 0);
	assert_false(c->entry_point.set);
	struct digest was = task_definition_digest(doc.desired.tasks[0].task_definition);
	struct digest is = task_definition_digest(task->task_definition);
	assert_true(digest_equal(&was, &is));

	buf_reset(&bytes);
	full_document(OBSERVED, &doc);
	encode(OBSERVED, &doc, &bytes);
	assert_int_equal(decode(OBSERVED, bytes.data, bytes.len, &arena, &read, &err), WIRE_OK);
	const struct wire_container *containers = read.observed.stopped[0].containers;
	assert_true(containers[0].has_exit_code && containers[0].exit_code == 139);
	assert_false(containers[1].has_exit_code);
	assert_string_equal(read.observed.tasks[1].id, "");
	buf_release(&bytes);
	arena_release(&arena);
}

/* What only a container engine tells, and what the controller tells one. */
static void images_and_ports_arrive(void **state UNUSED)
{
	static struct str_pair digests[] = { { "web", "sha256:0123" } };
	struct wire_binding bindings[] = { { "0.0.0.0", "tcp", 80, 49153 },
					   { "::", "udp", 53, 53 } };
	struct wire_container container = { .name = "web",
					    .last_status = TASK_RUNNING,
					    .image = "registry.example/web:1",
					    .image_digest = "sha256:0123",
					    .health = HEALTH_UNHEALTHY,
					    .restart_count = 3,
					    .network_bindings = bindings,
					    .network_binding_count = 2 };
	struct wire_task task = full_tasks[0];
	struct wire_desired_task desired = full_desired_tasks[0];
	union document doc, read;
	struct buf bytes = { 0 };
	struct arena arena;
	arena_init(&arena);
	task.containers = &container;
	task.container_count = 1;
	full_document(OBSERVED, &doc);
	doc.observed.tasks = &task;
	doc.observed.task_count = 1;
	check_round_trip(OBSERVED, &doc);
	encode(OBSERVED, &doc, &bytes);
	assert_int_equal(decode(OBSERVED, bytes.data, bytes.len, &arena, &read, NULL), WIRE_OK);
	const struct wire_container *c = read.observed.tasks[0].containers;
	assert_string_equal(c->image, container.image);
	assert_string_equal(c->image_digest, container.image_digest);
	assert_int_equal(c->health, HEALTH_UNHEALTHY);
	assert_int_equal(c->restart_count, 3);
	assert_int_equal(c->network_binding_count, 2);
	assert_string_equal(c->network_bindings[1].protocol, "udp");
	assert_int_equal(c->network_bindings[0].host_port, 49153);

	buf_reset(&bytes);
	desired.images = (struct str_map){ .items = digests, .len = 1, .set = true };
	full_document(DESIRED, &doc);
	doc.desired.tasks = &desired;
	check_round_trip(DESIRED, &doc);
	encode(DESIRED, &doc, &bytes);
	assert_int_equal(decode(DESIRED, bytes.data, bytes.len, &arena, &read, NULL), WIRE_OK);
	assert_string_equal(read.desired.tasks[0].images.items[0].value, "sha256:0123");
	buf_release(&bytes);
	arena_release(&arena);
}

/* --- random documents ------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static const char *random_text(struct arena *arena)
{
	static const char *const pieces[] = { "a",  "Z",    "0",	   " ",
					      "\n", "\x01", "\xc3\xa4",	   "\"",
					      "\\", "/",    "{",	   "\xf0\x9f\x98\x80",
					      ",",  "\x7f", "\xe2\x82\xac" };
	struct buf out = { 0 };
	for (uint32_t n = below(8); n > 0; n--)
		buf_adds(&out, pieces[below(ARRAY_LEN(pieces))]);
	char *text = arena_strdup(arena, buf_str(&out));
	buf_release(&out);
	return text;
}

static struct str_list random_strings(struct arena *arena)
{
	struct str_list list = { .len = below(4), .set = true };
	list.items = ARENA_ARRAY(arena, const char *, list.len);
	for (uint32_t i = 0; i < list.len; i++)
		list.items[i] = random_text(arena);
	return list;
}

static struct str_map random_map(struct arena *arena, bool with_values)
{
	struct str_map map = { .len = below(4), .set = true };
	map.items = ARENA_ARRAY(arena, struct str_pair, map.len);
	for (uint32_t i = 0; i < map.len; i++) {
		map.items[i].name = arena_printf(arena, "%u%s", i, random_text(arena));
		map.items[i].value = with_values || below(2) ? random_text(arena) : NULL;
	}
	return map;
}

static void random_object(const struct schema *schema, struct arena *arena, void *object);

static void random_field(const struct field *field, struct arena *arena, void *p)
{
	switch (field->kind) {
	case FIELD_STRING: *(const char **)p = random_text(arena); break;
	case FIELD_STRING_AT: ((struct str_at *)p)->value = random_text(arena); break;
	case FIELD_INT:
		*(struct opt_int *)p = (struct opt_int){ true, (int64_t)below(1 << 30) - 1000 };
		break;
	case FIELD_BOOL: *(enum opt_bool *)p = below(2) ? OPT_TRUE : OPT_FALSE; break;
	case FIELD_STRING_LIST: *(struct str_list *)p = random_strings(arena); break;
	case FIELD_NAME_LIST: {
		struct str_at_list list = { .len = 1, .set = true };
		list.items = ARENA_NEW(arena, struct str_at);
		list.items[0].value = random_text(arena);
		*(struct str_at_list *)p = list;
		break;
	}
	case FIELD_STRING_MAP:
	case FIELD_PAIR_LIST:
		*(struct str_map *)p = random_map(arena, field->kind == FIELD_STRING_MAP);
		break;
	case FIELD_OBJECT:
		*(void **)p = arena_alloc(arena, field->of->size);
		random_object(field->of, arena, *(void **)p);
		break;
	case FIELD_OBJECT_LIST: {
		struct object_list *list = p;
		list->len = below(3);
		list->set = true;
		list->items = arena_alloc(arena, list->len * field->of->size);
		for (uint32_t i = 0; i < list->len; i++)
			random_object(field->of, arena, (char *)list->items + i * field->of->size);
		break;
	}
	case FIELD_IGNORED: break;
	}
}

static void random_object(const struct schema *schema, struct arena *arena, void *object)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->kind != FIELD_IGNORED &&
		    (field->flags & FIELD_REQUIRED || below(3) == 0))
			random_field(field, arena, field_at(field, object));
	}
}

static void random_desired(struct arena *arena, struct wire_desired *doc)
{
	*doc = full_desired;
	doc->number = below(1u << 31);
	doc->attributes = random_map(arena, false);
	doc->task_count = below(4);
	doc->tasks = ARENA_ARRAY(arena, struct wire_desired_task, doc->task_count);
	for (uint32_t i = 0; i < doc->task_count; i++) {
		struct task_definition *td = ARENA_NEW(arena, struct task_definition);
		random_object(&task_definition_schema, arena, td);
		doc->tasks[i] = (struct wire_desired_task){
			.cluster = "c",
			.service = arena_printf(arena, "s%u", i),
			.family = "f",
			.revision = below(100),
			.target = { { (uint8_t)(1 + below(255)) } },
			.deployment = below(2) ? random_text(arena) : NULL,
			.assigned_number = below(1000),
			.priority = (int32_t)below(9) - 4,
			.depends_on = random_strings(arena),
			.min_ready_seconds = below(100),
			.task_definition = td,
		};
	}
}

static void random_observed(struct arena *arena, struct wire_observed *doc)
{
	*doc = full_observed;
	struct wire_task *tasks = ARENA_ARRAY(arena, struct wire_task, 4);
	for (uint32_t i = 0; i < 4; i++) {
		tasks[i] = (struct wire_task){
			.id = below(2) ? ID("e") : "",
			.cluster = "c",
			.service = "s",
			.family = "f",
			.last_status = below(TASK_STATUS_COUNT),
			.desired_status = below(TASK_STATUS_COUNT),
			.health = below(3),
			.ready = below(2),
			.failed = below(2),
			.restarts = below(9),
			.reason = below(2) ? random_text(arena) : NULL,
			.stderr_tail = below(2) ? random_text(arena) : NULL,
			.log_bytes_dropped = (uint64_t)below(1u << 31) << 31,
		};
	}
	doc->tasks = doc->stopped = tasks;
	doc->task_count = below(5);
	doc->stopped_count = below(5);
}

static void random_documents_survive(void **state UNUSED)
{
	for (uint32_t seed = 0; seed < 300; seed++) {
		struct arena arena;
		union document doc;
		arena_init(&arena);
		random_state = seed;
		random_desired(&arena, &doc.desired);
		check_round_trip(DESIRED, &doc);
		random_observed(&arena, &doc.observed);
		check_round_trip(OBSERVED, &doc);
		doc.registration = full_registration;
		doc.registration.facts = random_map(&arena, false);
		doc.registration.capabilities = random_strings(&arena);
		check_round_trip(REGISTRATION, &doc);
		arena_release(&arena);
	}
}

/* --- other modules' documents ----------------------------------------------------------------- */

static void objects_are_sealed_and_opened(void **state UNUSED)
{
	struct buf one = { 0 }, two = { 0 };
	struct err err = { 0 };
	json_t *a = json_pack("{s:i, s:s}", "x", 1, "y", "z");
	json_t *b = json_pack("{s:s, s:i}", "y", "z", "x", 1);
	wire_seal("Ledger", FLEET, a, &one);
	wire_seal("Ledger", FLEET, b, &two);
	assert_string_equal(one.data, two.data);
	json_t *open = wire_open(one.data, one.len, "Ledger", FLEET, &err);
	assert_non_null(open);
	assert_true(json_equal(open, a));
	json_decref(open);
	assert_null(wire_open(one.data, one.len, "Ledger", "another", &err));
	assert_null(wire_open(one.data, one.len, "Memory", NULL, &err));
	assert_null(wire_open("", 0, "Ledger", NULL, &err));
	assert_string_equal(err.text, "is empty");
	json_decref(a);
	json_decref(b);
	buf_release(&one);
	buf_release(&two);
}

/* Overrides of a service, as the ledger keeps them: the same release after a restart. */
static void overrides_arrive(void **state UNUSED)
{
	const char *command[] = { "a", "" };
	struct str_pair environment[] = { { "A", "1" }, { "B", "" } };
	struct container_override containers[] = {
		{ .name = "web",
		  .cpu = { true, 0 },
		  .command = { command, 2, true },
		  .environment = { environment, 2, true } },
		{ .name = "log", .memory = { true, 64 }, .memory_reservation = { true, 32 } },
	};
	struct task_override items[] = {
		{ .expression = { "attribute:a exists", { 0, 0 } },
		  .container_overrides = { containers, 2, true } },
		{ .expression = { "attribute:b exists", { 0, 0 } },
		  .container_overrides = { containers, 1, true } },
	};
	struct override_list list = { items, 2, true }, read = { 0 };
	struct digest td = digest_of("a", 1);
	struct arena arena = { 0 };
	struct err err = { 0 };
	json_t *json = wire_list_to_json(&task_override_schema, &list);
	assert_true(wire_list_from_json(&task_override_schema, json, 2, &arena, &read, &err));
	struct digest before = release_digest(&td, &list, "1");
	struct digest after = release_digest(&td, &read, "1");
	assert_true(digest_equal(&before, &after));

	assert_false(wire_list_from_json(&task_override_schema, json, 1, &arena, &read, &err));
	assert_string_equal(err.text, "has more than 1 items");
	json_object_del(json_array_get(json, 1), "expression");
	assert_false(wire_list_from_json(&task_override_schema, json, 2, &arena, &read, &err));
	assert_string_equal(err.text, "item 2: 'expression' is missing");
	assert_false(wire_list_from_json(&task_override_schema, json_array_get(json, 1), 2, &arena,
					 &read, &err));
	json_decref(json);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_documents_survive),
		cmocka_unit_test(values_arrive),
		cmocka_unit_test(images_and_ports_arrive),
		cmocka_unit_test(overrides_arrive),
		cmocka_unit_test(random_documents_survive),
		cmocka_unit_test(objects_are_sealed_and_opened),
	};
	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
