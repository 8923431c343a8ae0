/* model: canonical text and golden digests, copies, what is derived, attribute rules. */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *items_of(const char *s, const char ***items)
{
	*items = calloc(1, sizeof(**items));
	**items = s;
	return s;
}

/* A task definition with one container of everything that is set in `c`. */
static struct task_definition definition(struct container_definition *c)
{
	struct task_definition td = { .family = { "web", { 0, 0 } } };
	c->name = "web";
	td.container_definitions.items = c;
	td.container_definitions.len = 1;
	td.container_definitions.set = true;
	return td;
}

static const char *process_list[] = { "PROCESS" };
static void make_process(struct task_definition *td)
{
	td->requires_compatibilities = (struct str_list){ process_list, 1, true };
}

static void check_canonical(const struct task_definition *td, const char *want)
{
	struct buf text = { 0 };
	schema_canonical(&task_definition_schema, td, &text);
	assert_string_equal(buf_str(&text), want);
	buf_release(&text);
}

static void check_digest(const struct task_definition *td, const char *want)
{
	char hex[DIGEST_HEX_LEN + 1];
	struct digest digest = task_definition_digest(td);
	digest_hex(&digest, hex);
	assert_string_equal(hex, want);
}

/*
 * Golden: these must stay the same for ever, or an upgrade of muster replaces every task.
 */
static void test_canonical(void **state)
{
	(void)state;
	struct container_definition c = { 0 };
	struct task_definition td = definition(&c);
	check_canonical(&td, "{\"containerDefinitions\":[{\"name\":\"web\"}],\"family\":\"web\"}");
	check_digest(&td, "365bcf55d1bd7d8506cc9902b5e4372c11422695dbac2a33581482ef24038028");

	/* An explicit default is not the same as absent; null is. */
	c.essential = OPT_TRUE;
	c.cpu = (struct opt_int){ true, 0 };
	c.links.set = true;
	check_canonical(&td,
			"{\"containerDefinitions\":[{\"cpu\":0,\"essential\":true,\"links\":[],"
			"\"name\":\"web\"}],\"family\":\"web\"}");

	struct str_pair environment[] = { { "A", "1" },
					  { "B", "say \"x\"\n\t\\\x01\x7f\xc3\xa9" } };
	struct ulimit ulimit = { .name = "nofile",
				 .soft_limit = { true, -1 },
				 .hard_limit = { true, 8 } };
	struct health_check health = { .interval = { true, 5 } };
	c = (struct container_definition){ .name = "web",
					   .environment = { environment, 2, true },
					   .ulimits = { &ulimit, 1, true },
					   .health_check = &health };
	items_of("/bin/true", &health.command.items);
	health.command.len = 1;
	health.command.set = true;
	make_process(&td);
	check_canonical(
		&td, "{\"containerDefinitions\":[{\"environment\":{\"A\":\"1\",\"B\":\"say "
		     "\\\"x\\\"\\n\\t\\\\\\u0001\\u007f\xc3\xa9\"},\"healthCheck\":{\"command\":["
		     "\"/bin/true\"],\"interval\":5},\"name\":\"web\",\"ulimits\":[{"
		     "\"hardLimit\":8,\"name\":\"nofile\",\"softLimit\":-1}]}],\"family\":\"web\","
		     "\"requiresCompatibilities\":[\"PROCESS\"]}");
	check_digest(&td, "4dcf244f4a0631a32340f0844ab2fe6fcb213fcc649ad4eeb2364a7779bae26e");
	free(health.command.items);
}

static void test_target_digest(void **state)
{
	(void)state;
	struct digest td = digest_of("a", 1), same = task_target_digest(&td, NULL, NULL);
	assert_true(digest_equal(&td, &same));
	struct digest one = task_target_digest(&td, NULL, "1"),
		      two = task_target_digest(&td, NULL, "2");
	assert_false(digest_equal(&td, &one));
	assert_false(digest_equal(&one, &two));
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&one, hex);
	assert_string_equal(hex,
			    "fec875af605fa344d7c2e1adad8bcb2f591061018099a22f132d2ef72f1816e8");
}

static void test_copy(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	char name[] = "web", value[] = "1", condition[] = "START";
	struct str_pair environment[] = { { name, value }, { "B", NULL } };
	struct container_dependency depends = { .container_name = name, .condition = condition };
	struct health_check health = { .pos = { 4, 5 }, .retries = { true, 3 } };
	struct container_definition c = { .pos = { 2, 3 },
					  .environment = { environment, 2, true },
					  .depends_on = { &depends, 1, true },
					  .health_check = &health };
	struct task_definition td = definition(&c);
	struct buf before = { 0 }, after = { 0 };
	make_process(&td);
	schema_canonical(&task_definition_schema, &td, &before);
	const struct task_definition *copy = schema_copy(&task_definition_schema, &td, &arena);
	memset(name, 'x', 3);
	memset(value, 'x', 1);
	memset(condition, 'x', 5);
	memset(environment, 0, sizeof(environment));
	memset(&depends, 0, sizeof(depends));
	memset(&health, 0, sizeof(health));
	memset(&c, 0, sizeof(c));
	schema_canonical(&task_definition_schema, copy, &after);
	assert_string_equal(buf_str(&after), buf_str(&before));
	assert_int_equal(copy->container_definitions.items[0].pos.line, 2);
	assert_int_equal(copy->container_definitions.items[0].health_check->pos.col, 5);

	struct str_at needs[] = { { "b", { 1, 2 } } };
	struct daemon_service service = { .name = { "a", { 1, 1 } },
					  .depends_on = { needs, 1, true },
					  .ecs = true };
	const struct daemon_service *other = schema_copy(&daemon_service_schema, &service, &arena);
	needs[0].value = "c";
	assert_true(other->ecs);
	assert_string_equal(other->depends_on.items[0].value, "b");
	assert_int_equal(other->depends_on.items[0].pos.col, 2);
	buf_release(&before);
	buf_release(&after);
	arena_release(&arena);
}

static void test_resources(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	struct port_mapping ports[] = {
		{ .container_port = { true, 80 }, .host_port = { true, 8080 } },
		{ .container_port = { true, 81 }, .host_port = { true, 0 } },
		{ .container_port = { true, 82 } },
		{ .container_port = { true, 53 }, .host_port = { true, 53 }, .protocol = "udp" },
		{ .container_port = { true, 22 }, .host_port = { true, 22 }, .protocol = "tcp" },
		{ .container_port = { true, 80 }, .host_port = { true, 8080 } },
	};
	struct container_definition c[2] = {
		{ .name = "a", .cpu = { true, 10 }, .memory = { true, 100 } },
		{ .name = "b",
		  .cpu = { true, 20 },
		  .memory = { true, 200 },
		  .memory_reservation = { true, 50 },
		  .port_mappings = { ports, ARRAY_LEN(ports), true } },
	};
	struct task_definition td = { .container_definitions = { c, 2, true } };
	struct task_resources need = task_definition_resources(&td, &arena);
	assert_int_equal(need.cpu_units, 30);
	assert_int_equal(need.memory_mib, 150);
	assert_int_equal(need.tcp_count, 2); /* bridge: 0 and absent are given by the engine */
	assert_int_equal(need.tcp_ports[0], 22);
	assert_int_equal(need.tcp_ports[1], 8080);
	assert_int_equal(need.udp_count, 1);
	assert_int_equal(need.udp_ports[0], 53);

	td.cpu = (struct opt_int){ true, 256 };
	td.memory = (struct opt_int){ true, 512 };
	td.network_mode = "awsvpc"; /* a task's ports are the node's, here */
	assert_int_equal(task_definition_resources(&td, &arena).tcp_count, 4);
	td.network_mode = NULL;
	make_process(&td);
	need = task_definition_resources(&td, &arena);
	assert_int_equal(need.cpu_units, 256);
	assert_int_equal(need.memory_mib, 512);
	assert_int_equal(need.tcp_count, 4); /* the host's network: 22, 81, 82, 8080 */
	assert_int_equal(need.tcp_ports[2], 82);
	td.requires_compatibilities = (struct str_list){ 0 };
	td.network_mode = "host";
	assert_int_equal(task_definition_resources(&td, &arena).tcp_count, 4);
	arena_release(&arena);
}

static void test_capabilities(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	struct container_dependency depends = { .container_name = "x" };
	struct health_check health = { .command = { process_list, 1, true } };
	struct restart_policy restart = { .enabled = OPT_TRUE };
	struct config_file file = { .source = "x" };
	struct key_value_secret secret = { .name = "x" };
	struct container_definition c = {
		.user = "nobody",
		.cpu = { true, 1 },
		.memory = { true, 10 },
		.depends_on = { &depends, 1, true },
		.health_check = &health,
		.restart_policy = &restart,
		.files = { &file, 1, true },
		.secrets = { &secret, 1, true },
	};
	struct task_definition td = definition(&c);
	td.pids_limit = (struct opt_int){ true, 10 };
	make_process(&td);
	struct str_list all = task_definition_capabilities(&td, &arena);
	assert_int_equal(all.len, 9);
	for (uint32_t i = 1; i < all.len; i++)
		assert_true(strcmp(all.items[i - 1], all.items[i]) < 0);

	/* What asks for nothing needs nothing. */
	restart.enabled = OPT_FALSE;
	c = (struct container_definition){ .name = "web",
					   .cpu = { true, 0 },
					   .memory_reservation = { true, 10 },
					   .restart_policy = &restart };
	td.pids_limit.set = false;
	assert_int_equal(task_definition_capabilities(&td, &arena).len, 0);
	td.memory = (struct opt_int){ true, 10 };
	struct str_list one = task_definition_capabilities(&td, &arena);
	assert_int_equal(one.len, 1);
	assert_string_equal(one.items[0], CAPABILITY_MEMORY_LIMIT);
	arena_release(&arena);
}

static void check_needs(const struct task_definition *td, const char *want)
{
	struct arena arena = { 0 };
	struct buf got = { 0 };
	struct str_list names = task_definition_capabilities(td, &arena);
	for (uint32_t i = 0; i < names.len; i++)
		buf_addf(&got, "%s%s", i ? " " : "", names.items[i]);
	assert_string_equal(buf_str(&got), want);
	buf_release(&got);
	arena_release(&arena);
}

/* What ECS would ask of a node, by ECS's names. */
static void test_container_capabilities(void **state)
{
	(void)state;
	struct container_definition c = { .image = "a" };
	struct task_definition td = definition(&c);
	check_needs(&td, "");

	const char *mode = "none", *check[] = { "CMD", "x" };
	struct health_check health = { .command = { check, 2, true } };
	struct log_configuration log = { .log_driver = "splunk" };
	c = (struct container_definition){ .name = "web",
					   .privileged = OPT_TRUE,
					   .health_check = &health,
					   .log_configuration = &log };
	td.ipc_mode = mode;
	check_needs(&td, "com.amazonaws.ecs.capability.logging-driver.splunk "
			 "com.amazonaws.ecs.capability.privileged-container "
			 "ecs.capability.container-health-check");
	td.pid_mode = td.ipc_mode = "host"; /* one name for two fields */
	c.privileged = OPT_FALSE;
	check[0] = "NONE";
	log.log_driver = "none";
	check_needs(&td, "ecs.capability.pid-ipc-namespace-sharing");
	td.pid_mode = td.ipc_mode = NULL;

	/* The engine's own driver stands in for AWS's, and needs no secrets of theirs. */
	struct key_value_secret secret = { .name = "a", .value_from = "file:/a" };
	log.secret_options.items = &secret;
	log.secret_options.len = 1;
	log.secret_options.set = true;
	log.log_driver = "awslogs";
	check_needs(&td, "");
	log.log_driver = "none";
	check_needs(&td, "muster.capability.docker.log-driver-secrets");
	c.log_configuration = NULL;

	c.secrets.items = &secret;
	c.secrets.len = 1;
	c.secrets.set = true;
	check_needs(&td, "muster.capability.docker.secrets");
	secret.value_from = "arn:aws:secretsmanager:eu-west-1:1:secret:a";
	check_needs(&td, "ecs.capability.secrets.asm.environment-variables "
			 "muster.capability.docker.secrets");
	secret.value_from = "/parameter";
	check_needs(&td, "ecs.capability.secrets.ssm.environment-variables "
			 "muster.capability.docker.secrets");
	c.secrets.set = false;

	const char *options[] = { "no-new-privileges", "apparmor:x", "label=disable" };
	c.docker_security_options = (struct str_list){ options, 3, true };
	c.cpu = (struct opt_int){ true, 0 };
	check_needs(&td, "com.amazonaws.ecs.capability.apparmor "
			 "com.amazonaws.ecs.capability.selinux");
	c.docker_security_options.set = false;

	struct aws_volume efs = { .file_system_id = "fs-1" };
	struct docker_volume_configuration local = { .driver = "local" },
					   other = { .driver = "rexray/ebs" };
	struct volume volumes[] = { { .name = "a", .efs = &efs },
				    { .name = "b", .docker_volume_configuration = &local },
				    { .name = "c", .docker_volume_configuration = &other },
				    { .name = "d", .configured_at_launch = OPT_FALSE } };
	struct runtime_platform platform = { .operating_system_family = "LINUX",
					     .cpu_architecture = "ARM64" };
	td.volumes.items = volumes;
	td.volumes.len = ARRAY_LEN(volumes);
	td.volumes.set = true;
	td.runtime_platform = &platform;
	td.memory = (struct opt_int){ true, 64 };
	check_needs(&td, "ecs.capability.docker-plugin.rexray/ebs ecs.capability.efs "
			 "ecs.capability.task-cpu-mem-limit "
			 "muster.capability.docker.cpu-architecture.ARM64");
}

static void test_glob(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{ "awslogs", "awslogs", true },
		{ "awslogs", "awslog", false },
		{ "aws*", "awsfirelens", true },
		{ "*", "", true },
		{ "", "", true },
		{ "", "a", false },
		{ "?", "", false },
		{ "a?c", "abc", true },
		{ "arn:*:x*", "arn:a:b:xy", true },
		{ "*ab*ab", "abxab", true },
		{ "*ab*ab", "aab", false },
		{ "**", "abc", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (glob_match(rows[i].pattern, rows[i].text) != rows[i].match)
			fail_msg("%s over %s", rows[i].pattern, rows[i].text);
}

/* The first mapping that matches gives driver and options; what is not mapped stays as it is. */
static void test_cluster_mapping(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	struct str_pair option = { "tag", "x" };
	struct log_driver_mapping mappings[] = {
		{ .match = "awsl*", .log_driver = "journald", .options = { &option, 1, true } },
		{ .match = "aws*", .log_driver = "local" },
	};
	struct cluster_manifest cluster = { .log_drivers = { mappings, 2, true } };
	struct str_pair old = { "awslogs-group", "g" };
	struct key_value_secret secret = { .name = "a", .value_from = "b" };
	struct log_configuration logs[] = {
		{ .log_driver = "awslogs",
		  .options = { &old, 1, true },
		  .secret_options = { &secret, 1, true } },
		{ .log_driver = "awsfirelens" },
		{ .log_driver = "syslog" },
	};
	struct container_definition c[] = { { .name = "a", .log_configuration = &logs[0] },
					    { .name = "b", .log_configuration = &logs[1] },
					    { .name = "c", .log_configuration = &logs[2] },
					    { .name = "d" } };
	struct task_definition td = { .container_definitions = { c, 4, true } };
	assert_ptr_equal(cluster_task_definition(NULL, &td, &arena), &td);
	const struct task_definition *mapped = cluster_task_definition(&cluster, &td, &arena);
	const struct container_definition *m = mapped->container_definitions.items;
	assert_string_equal(m[0].log_configuration->log_driver, "journald");
	assert_string_equal(m[0].log_configuration->options.items[0].name, "tag");
	assert_int_equal(m[0].log_configuration->secret_options.len, 0);
	assert_string_equal(m[1].log_configuration->log_driver, "local");
	assert_ptr_equal(m[2].log_configuration, &logs[2]);
	assert_null(m[3].log_configuration);
	assert_string_equal(logs[0].log_driver, "awslogs");
	td.container_definitions.items = &c[2];
	td.container_definitions.len = 2;
	assert_ptr_equal(cluster_task_definition(&cluster, &td, &arena), &td);
	arena_release(&arena);
}

static void test_secret_mapping(void **state)
{
	(void)state;
	static const struct {
		const char *from, *want; /* NULL: as it is */
	} rows[] = {
		{ "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf", "file:/s/db" },
		{ "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf:user::",
		  "file:/s/prod/db.user" },
		{ "arn:aws:secretsmanager:eu-west-1:1:secret:plain", "file:/s/plain" },
		{ "arn:aws:ssm:eu-west-1:1:parameter/prod/token", "env:TOKEN" },
		{ "/prod/token", "file:/p/prod/token" },
		{ "/prod/../../etc/shadow", NULL },
		{ "/other", NULL },
		{ "file:/own", NULL },
		{ "env:OWN", NULL },
	};
	struct secret_mapping mappings[] = {
		{ .match = "arn:aws:secretsmanager:*", .from = "file:/s/{name}" },
		{ .match = "arn:aws:ssm:*", .from = "env:TOKEN" },
		{ .match = "/prod/*", .from = "file:/p/{name}" },
	};
	struct cluster_manifest cluster = { .secrets = { mappings, 3, true } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct key_value_secret secret = { .name = "a", .value_from = rows[i].from };
		struct log_configuration log = { .log_driver = "splunk",
						 .secret_options = { &secret, 1, true } };
		struct container_definition c = { .name = "c",
						  .secrets = { &secret, 1, true },
						  .log_configuration = &log };
		struct task_definition td = { .container_definitions = { &c, 1, true } };
		const struct task_definition *m = cluster_task_definition(&cluster, &td, &arena);
		const struct container_definition *mc = m->container_definitions.items;
		if (rows[i].want) {
			assert_string_equal(mc->secrets.items[0].value_from, rows[i].want);
			assert_string_equal(
				mc->log_configuration->secret_options.items[0].value_from,
				rows[i].want);
			assert_string_equal(secret.value_from, rows[i].from);
		} else {
			assert_ptr_equal(m, &td);
		}
		arena_release(&arena);
	}
}

static void test_attributes(void **state)
{
	(void)state;
	char long_enough[LIMIT_ATTRIBUTE_CHARS + 1] = { 0 },
						 too_long[LIMIT_ATTRIBUTE_CHARS + 2] = { 0 };
	memset(long_enough, 'a', LIMIT_ATTRIBUTE_CHARS);
	memset(too_long, 'a', LIMIT_ATTRIBUTE_CHARS + 1);
	const struct {
		const char *text;
		bool name, value;
	} rows[] = {
		{ "env", true, true },	     { "a/b\\c.d-e_f", true, true },
		{ "", false, false },	     { "a b", false, true },
		{ " a", false, false },	     { "a ", false, false },
		{ "a@b:c", false, true },    { "caf\xc3\xa9", false, false },
		{ "a=b", false, false },     { "a\n", false, false },
		{ long_enough, true, true }, { too_long, false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (attribute_name_valid(rows[i].text) != rows[i].name ||
		    attribute_value_valid(rows[i].text) != rows[i].value)
			fail_msg("'%s'", rows[i].text);
	assert_true(attribute_name_allowed("env"));
	assert_true(attribute_name_allowed("ecs.availability-zone"));
	assert_true(attribute_name_allowed("ecs.instance-type"));
	assert_true(attribute_name_allowed("ecs.os-family"));
	assert_true(attribute_name_allowed("ecsx"));
	assert_false(attribute_name_allowed("ecs.os-type"));
	assert_false(attribute_name_allowed("ecs.os-family2"));
	assert_false(attribute_name_allowed("muster.engine"));
	assert_false(attribute_name_allowed("com.amazonaws.x"));
}

/* Every table: names unique, what a kind needs is there. */
static void check_table(const struct schema *schema, int depth)
{
	assert_true(depth < 8);
	assert_true(schema->size >= sizeof(struct pos));
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *f = &schema->fields[i];
		if (schema_find(schema, f->name) != f)
			fail_msg("%s: %s is there twice", schema->name, f->name);
		if ((f->kind == FIELD_OBJECT || f->kind == FIELD_OBJECT_LIST) && !f->of)
			fail_msg("%s: %s has no schema", schema->name, f->name);
		if (f->kind == FIELD_INT && f->min >= f->max)
			fail_msg("%s: %s has no range", schema->name, f->name);
		if (f->flags & (FIELD_REFUSED | FIELD_NO_EFFECT) && !f->note)
			fail_msg("%s: %s has no note", schema->name, f->name);
		if (f->kind != FIELD_IGNORED && f->offset < sizeof(struct pos))
			fail_msg("%s: %s lies over pos", schema->name, f->name);
		if (f->of)
			check_table(f->of, depth + 1);
	}
}

static void test_tables(void **state)
{
	(void)state;
	check_table(&task_definition_schema, 0);
	check_table(&daemon_service_schema, 0);
	check_table(&ecs_service_schema, 0);
	check_table(&node_manifest_schema, 0);
	check_table(&cluster_manifest_schema, 0);
}

static void test_service_key(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	assert_string_equal(service_key(&arena, "default", "web"), "default/web");
	arena_release(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_target_digest),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_container_capabilities),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_cluster_mapping),
		cmocka_unit_test(test_secret_mapping),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_service_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
