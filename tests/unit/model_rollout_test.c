/* model: overrides and the digests that they are part of, breaker, windows, static ports. */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LIST(items)                                                                                \
	{                                                                                          \
		items, ARRAY_LEN(items), true                                                      \
	}
#define NUMBER(n)                                                                                  \
	{                                                                                          \
		true, n                                                                            \
	}

static void check_hex(struct digest digest, const char *want)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&digest, hex);
	assert_string_equal(hex, want);
}

/* --- digests ---------------------------------------------------------------------------------- */

static struct container_override overridden = { .name = "web", .cpu = NUMBER(10) };
static struct container_override overridden_twice[] = {
	{ .name = "web", .cpu = NUMBER(10) },
	{ .name = "log", .memory = NUMBER(64) },
};
static struct task_override overrides[] = {
	{ .expression = { "attribute:a exists", { 1, 2 } },
	  .container_overrides = { &overridden, 1, true } },
	{ .expression = { "attribute:b exists", { 3, 4 } },
	  .container_overrides = { &overridden, 1, true } },
	{ .expression = { "attribute:a exists", { 5, 6 } },
	  .container_overrides = { overridden_twice, 2, true } },
};

/* Golden: these must stay the same for ever, or an upgrade of muster replaces tasks. */
static void test_target_digest(void **state)
{
	(void)state;
	struct digest td = digest_of("a", 1);
	struct digest plain = task_target_digest(&td, NULL, NULL);
	assert_true(digest_equal(&plain, &td));
	check_hex(task_target_digest(&td, NULL, "1"),
		  "fec875af605fa344d7c2e1adad8bcb2f591061018099a22f132d2ef72f1816e8");
	check_hex(task_target_digest(&td, &overrides[0], NULL),
		  "d9f3fc07de02c9525e08d95a4b11925e76212a73ff57ffab8c9a45065e04ea43");
	check_hex(task_target_digest(&td, &overrides[0], "1"),
		  "c6949eceb6f5dc36f329566a60ea368b65839c0254f4d59ffcc9fb2aaf46222e");

	/* Where an override counts is no part of what runs there. */
	struct digest a = task_target_digest(&td, &overrides[0], "1");
	struct digest b = task_target_digest(&td, &overrides[1], "1");
	assert_true(digest_equal(&a, &b));
}

static void test_release_digest(void **state)
{
	(void)state;
	struct digest td = digest_of("a", 1);
	struct override_list none = { .set = true }, one = { overrides, 1, true };
	struct digest with_none = release_digest(&td, &none, "1");
	struct digest with_null = release_digest(&td, NULL, "1");
	struct digest target = task_target_digest(&td, NULL, "1");
	assert_true(digest_equal(&with_none, &target));
	assert_true(digest_equal(&with_null, &target));
	check_hex(release_digest(&td, &one, NULL),
		  "53c99f6721c88c923e80e4694cc563fec81e9cecaafd5c8aad52cc72a768e44a");
}

/* All that differs in what runs, or where, has another digest. */
static void test_digests_differ(void **state)
{
	(void)state;
	struct digest td = digest_of("a", 1), other = digest_of("b", 1);
	struct task_override turned[] = { overrides[1], overrides[0] };
	const struct override_list lists[] = {
		{ overrides, 1, true },	    { &overrides[1], 1, true }, { overrides, 2, true },
		{ &overrides[2], 1, true }, { turned, 2, true },
	};
	struct digest seen[32];
	size_t count = 0;
	static const char *const tokens[] = { NULL, "", "1", "overrides=1" };
	for (size_t t = 0; t < ARRAY_LEN(tokens); t++) {
		seen[count++] = task_target_digest(&td, NULL, tokens[t]);
		seen[count++] = task_target_digest(&td, &overrides[0], tokens[t]);
		seen[count++] = task_target_digest(&td, &overrides[2], tokens[t]);
	}
	seen[count++] = task_target_digest(&other, &overrides[0], NULL);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		seen[count++] = release_digest(&td, &lists[i], NULL);
		seen[count++] = release_digest(&td, &lists[i], "1");
	}
	assert_true(count <= ARRAY_LEN(seen));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (digest_equal(&seen[i], &seen[k]))
				fail_msg("%zu has the digest of %zu", i, k);
}

/* --- overrides -------------------------------------------------------------------------------- */

static void test_override(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	const char *command[] = { "old" }, *new_command[] = { "new", "x" };
	struct str_pair environment[] = { { "A", "1" }, { "C", "3" }, { "E", NULL } };
	struct str_pair over[] = { { "B", "2" }, { "C", "" }, { "F", "6" } };
	struct container_definition containers[] = {
		{ .name = "web",
		  .image = "i",
		  .cpu = NUMBER(1),
		  .memory = NUMBER(20),
		  .memory_reservation = NUMBER(10),
		  .command = LIST(command),
		  .environment = LIST(environment) },
		{ .name = "log", .cpu = NUMBER(2) },
	};
	struct task_definition td = { .family = { "f", { 0 } },
				      .container_definitions = LIST(containers) };
	struct container_override items[] = {
		{ .name = "gone", .cpu = NUMBER(9) },
		{ .name = "web",
		  .cpu = NUMBER(0),
		  .memory = NUMBER(40),
		  .command = LIST(new_command),
		  .environment = LIST(over) },
	};
	struct task_override override = { .container_overrides = LIST(items) };
	struct digest before = task_definition_digest(&td);

	assert_ptr_equal(override_task_definition(&td, NULL, &arena), &td);
	const struct task_definition *made = override_task_definition(&td, &override, &arena);
	struct buf text = { 0 };
	schema_canonical(&task_definition_schema, made, &text);
	assert_string_equal(
		buf_str(&text),
		"{\"containerDefinitions\":[{\"command\":[\"new\",\"x\"],\"cpu\":0,\"environment\":"
		"{\"A\":\"1\",\"B\":\"2\",\"C\":\"\",\"E\":null,\"F\":\"6\"},\"image\":\"i\","
		"\"memory\":40,\"memoryReservation\":10,\"name\":\"web\"},{\"cpu\":2,\"name\":"
		"\"log\"}],\"family\":\"f\"}");
	struct digest after = task_definition_digest(&td);
	assert_true(digest_equal(&before, &after));

	/* An empty command is one that is given. */
	items[1] = (struct container_override){ .name = "web",
						.command = { .set = true },
						.memory_reservation = NUMBER(5) };
	made = override_task_definition(&td, &override, &arena);
	assert_int_equal(made->container_definitions.items[0].command.len, 0);
	assert_int_equal(made->container_definitions.items[0].memory_reservation.value, 5);
	assert_int_equal(made->container_definitions.items[0].environment.len, 3);
	buf_release(&text);
	arena_release(&arena);
}

/* Environments of every pair of subsets of four names: what is over counts, the order is kept. */
static void test_override_environment(void **state)
{
	(void)state;
	static const char *const names[] = { "A", "B", "C", "D" };
	for (unsigned under = 0; under < 16; under++)
		for (unsigned over = 0; over < 16; over++) {
			struct arena arena = { 0 };
			struct str_pair low[4], high[4];
			struct container_definition c = { .name = "web",
							  .environment = { low, 0, true } };
			struct container_override o = { .name = "web",
							.environment = { high, 0, true } };
			for (unsigned i = 0; i < 4; i++) {
				if (under >> i & 1)
					low[c.environment.len++] =
						(struct str_pair){ names[i], "u" };
				if (over >> i & 1)
					high[o.environment.len++] =
						(struct str_pair){ names[i], "o" };
			}
			struct task_definition td = { .container_definitions = { &c, 1, true } };
			struct task_override override = { .container_overrides = { &o, 1, true } };
			const struct task_definition *made =
				override_task_definition(&td, &override, &arena);
			const struct str_map *got =
				&made->container_definitions.items[0].environment;
			uint32_t at = 0;
			for (unsigned i = 0; i < 4; i++) {
				if (!((under | over) >> i & 1))
					continue;
				assert_true(at < got->len);
				assert_string_equal(got->items[at].name, names[i]);
				assert_string_equal(got->items[at++].value,
						    over >> i & 1 ? "o" : "u");
			}
			assert_int_equal(at, got->len);
			arena_release(&arena);
		}
}

/* --- what is derived -------------------------------------------------------------------------- */

static void test_breaker(void **state)
{
	(void)state;
	struct threshold_configuration value = { .value = NUMBER(20) };
	struct threshold_configuration count = { .type = "COUNT", .value = NUMBER(7) };
	struct threshold_configuration unbounded = { .type = "UNBOUNDED_PERCENT" };
	struct deployment_circuit_breaker on = { .enable = OPT_TRUE };
	struct deployment_circuit_breaker off = { .enable = OPT_FALSE, .rollback = OPT_TRUE };
	struct deployment_circuit_breaker stay = { .enable = OPT_TRUE,
						   .rollback = OPT_FALSE,
						   .reset_on_healthy_task = OPT_FALSE,
						   .threshold_configuration = &value };
	struct deployment_circuit_breaker back = { .enable = OPT_TRUE,
						   .rollback = OPT_TRUE,
						   .reset_on_healthy_task = OPT_TRUE,
						   .threshold_configuration = &count };
	struct deployment_circuit_breaker all = { .enable = OPT_TRUE,
						  .threshold_configuration = &unbounded };
	const struct {
		bool ecs;
		struct deployment_circuit_breaker *given;
		struct circuit_breaker want;
	} rows[] = {
		{ false, NULL, { true, true, true, THRESHOLD_BOUNDED_PERCENT, 50 } },
		{ false, &on, { true, true, true, THRESHOLD_BOUNDED_PERCENT, 50 } },
		{ false, &off, { false, false, false, THRESHOLD_BOUNDED_PERCENT, 50 } },
		{ false, &stay, { true, false, false, THRESHOLD_BOUNDED_PERCENT, 20 } },
		{ false, &back, { true, true, true, THRESHOLD_COUNT, 7 } },
		{ false, &all, { true, true, true, THRESHOLD_UNBOUNDED_PERCENT, 50 } },
		{ true, NULL, { false, false, false, THRESHOLD_BOUNDED_PERCENT, 50 } },
		{ true, &on, { true, false, true, THRESHOLD_BOUNDED_PERCENT, 50 } },
		{ true, &back, { true, true, true, THRESHOLD_COUNT, 7 } },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct deployment_configuration d = { .deployment_circuit_breaker = rows[i].given };
		struct daemon_service service = { .ecs = rows[i].ecs,
						  .deployment_configuration = &d };
		struct circuit_breaker got = service_circuit_breaker(&service), want = rows[i].want;
		if (got.enable != want.enable || got.rollback != want.rollback ||
		    got.reset_on_healthy_task != want.reset_on_healthy_task ||
		    got.type != want.type || got.value != want.value)
			fail_msg("row %zu", i);
	}
	struct daemon_service bare = { 0 };
	assert_true(service_circuit_breaker(&bare).rollback);
}

static void test_window_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int minutes; /* -1: none */
	} rows[] = {
		{ "00:00", 0 },	   { "00:01", 1 },  { "09:30", 570 }, { "23:59", 1439 },
		{ "24:00", 1440 }, { "24:01", -1 }, { "25:00", -1 },  { "12:60", -1 },
		{ "9:30", -1 },	   { "09:3", -1 },  { "09:300", -1 }, { "", -1 },
		{ "09-30", -1 },   { " 9:30", -1 }, { "-1:00", -1 },  { "09:3a", -1 },
		{ "0930", -1 },	   { "0:930", -1 }, { "99:99", -1 },  { "09:30 ", -1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t minutes = 0;
		bool valid = window_time_minutes(rows[i].text, &minutes);
		if (valid != (rows[i].minutes >= 0) || (valid && (int)minutes != rows[i].minutes))
			fail_msg("'%s': %d %u", rows[i].text, valid, minutes);
	}
}

static void test_window_days(void **state)
{
	(void)state;
	const char *all[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
	for (uint32_t i = 0; i < ARRAY_LEN(all); i++) {
		struct window allow = { .allow = { &all[i], 1, true } };
		struct window deny = { .deny = { &all[i], 1, true } };
		assert_int_equal(window_days(&allow), 1u << i);
		assert_int_equal(window_days(&deny), 1u << i);
	}
	const char *twice[] = { "sun", "mon", "sun" };
	struct window w = { .deny = LIST(twice) };
	assert_int_equal(window_days(&w), 1 << 6 | 1);
}

static void test_time_zones(void **state)
{
	(void)state;
	char longest[LIMIT_TIME_ZONE_CHARS + 1] = { 0 }, longer[LIMIT_TIME_ZONE_CHARS + 2] = { 0 };
	memset(longest, 'a', LIMIT_TIME_ZONE_CHARS);
	memset(longer, 'a', LIMIT_TIME_ZONE_CHARS + 1);
	const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{ "UTC", true },
		{ "Europe/Berlin", true },
		{ "America/Argentina/Buenos_Aires", true },
		{ "Etc/GMT+1", true },
		{ "America/Port-au-Prince", true },
		{ longest, true },
		{ longer, false },
		{ "", false },
		{ "/etc/passwd", false },
		{ "../x", false },
		{ "a/../b", false },
		{ "a//b", false },
		{ "a/", false },
		{ ".", false },
		{ "a b", false },
		{ "Z\xc3\xbcrich", false },
		{ "a\n", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (time_zone_valid(rows[i].name) != rows[i].valid)
			fail_msg("'%s'", rows[i].name);
}

static void test_static_port(void **state)
{
	(void)state;
	static const struct {
		const char *network, *compatibility;
		int64_t host, container;
		const char *protocol;
		int port; /* 0: none */
	} rows[] = {
		{ NULL, NULL, 8080, 80, NULL, 8080 }, { NULL, NULL, 0, 80, NULL, 0 },
		{ "bridge", NULL, 0, 80, NULL, 0 },   { "host", NULL, 0, 80, "udp", 80 },
		{ "awsvpc", NULL, 0, 80, "tcp", 80 }, { NULL, "PROCESS", 0, 80, "udp", 80 },
		{ NULL, "EC2", 0, 80, NULL, 0 },      { NULL, "PROCESS", 0, 0, NULL, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		const char *list[] = { rows[i].compatibility };
		struct port_mapping mapping = { .container_port = { rows[i].container > 0,
								    rows[i].container },
						.host_port = { rows[i].host > 0, rows[i].host },
						.protocol = rows[i].protocol };
		struct container_definition c[] = {
			{ .name = "a" },
			{ .name = "b", .port_mappings = { &mapping, 1, true } },
		};
		struct task_definition td = { .network_mode = rows[i].network,
					      .requires_compatibilities = { list, !!list[0], true },
					      .container_definitions = LIST(c) };
		struct static_port port = { 0 };
		struct task_resources need = task_definition_resources(&td, &arena);
		bool found = task_definition_static_port(&td, &port);
		if (port.port != rows[i].port)
			fail_msg("row %zu: %u", i, port.port);
		assert_int_equal(found, rows[i].port > 0);
		assert_int_equal(found, need.tcp_count + need.udp_count);
		if (found) {
			assert_string_equal(port.container, "b");
			assert_int_equal(port.udp, need.udp_count);
		}
		arena_release(&arena);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target_digest),	     cmocka_unit_test(test_release_digest),
		cmocka_unit_test(test_digests_differ),	     cmocka_unit_test(test_override),
		cmocka_unit_test(test_override_environment), cmocka_unit_test(test_breaker),
		cmocka_unit_test(test_window_times),	     cmocka_unit_test(test_window_days),
		cmocka_unit_test(test_time_zones),	     cmocka_unit_test(test_static_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
