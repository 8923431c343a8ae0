/*
 * engine/docker: every task of tests/golden/docker becomes the containers and volumes of TASK.want
 * beside it, for Docker and for Podman as their real answers describe them. With UPDATE_GOLDEN set
 * the .want files are written anew. Then names, ports and what cannot be made.
 */
#include "engine/docker/create.h"
#include "fs/fs.h"
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GOLDEN "tests/golden/docker"

static const struct task_identity identity = {
	.fleet = "f1ee7",
	.node = "n1",
	.cluster = "default",
	.service = "web",
	.task = "0123456789abcdef0123456789abcdef",
	.family = "family",
	.deployment = "ecs-svc/1",
	.revision = 7,
};
static struct str_pair ours[] = { { "MUSTER_CLUSTER", "default" },
				  { "MUSTER_NODE", "n1" },
				  { "MUSTER_SERVICE", "web" } };
static struct str_pair filed[] = { { "FILE", "the file's" }, { "ONLY_FILE", "yes" } };
static struct str_pair secret[] = { { "SECRET", "s3cret" } };
static const struct str_map environment = { ours, ARRAY_LEN(ours), true };
static const struct str_map files = { filed, ARRAY_LEN(filed), true };
static const struct str_map secrets = { secret, ARRAY_LEN(secret), true };

static json_t *load(const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), GOLDEN "/%s", name);
	json_error_t error;
	json_t *json = json_load_file(path, 0, &error);
	if (!json)
		fail_msg("%s: %s", path, error.text);
	return json;
}

static void load_flavor(const char *name, struct arena *arena, struct flavor *out)
{
	struct err err;
	json_t *version = load(arena_printf(arena, "%s.version.json", name));
	json_t *info = load(arena_printf(arena, "%s.info.json", name));
	if (!flavor_read(version, info, arena, out, &err))
		fail_msg("%s: %s", name, err.text);
	json_decref(version);
	json_decref(info);
}

static const struct task_definition *load_task(const char *name, struct arena *arena)
{
	struct err err;
	struct task_definition *td = ARENA_NEW(arena, struct task_definition);
	json_t *json = load(name);
	if (!wire_object_from_json(&task_definition_schema, json, arena, td, &err))
		fail_msg("%s: %s", name, err.text);
	json_decref(json);
	return td;
}

static json_t *container_json(const struct flavor *flavor, const struct task_definition *td,
			      uint32_t index, struct arena *arena)
{
	struct err err;
	bool owner = index == LIFECYCLE_OWNER;
	struct create in = {
		.flavor = flavor,
		.id = &identity,
		.td = td,
		.container = index,
		.image = owner ? "localhost/muster-pause:1"
			       : td->container_definitions.items[index].image,
		.environment = &environment,
		.file_environment = &files,
		.secrets = &secrets,
		.files_dir = "/state/files/docker/t/third",
		.cgroup_parent = create_needs_group(td) ? "/muster.f1ee7.n1/task" : NULL,
	};
	json_t *json = create_json(&in, arena, &err);
	if (!json)
		fail_msg("%s", err.text);
	return json;
}

/* All that is asked for of the engine, by name. */
static json_t *all_of(const struct flavor *flavor, const struct task_definition *td,
		      struct arena *arena)
{
	json_t *all = json_object();
	for (uint32_t i = 0; i < td->volumes.len; i++) {
		const char *name = create_volume_name(&identity, &td->volumes.items[i], arena);
		if (name)
			json_object_set_new(
				all, arena_printf(arena, "volume %s", name),
				create_volume_json(&identity, &td->volumes.items[i], arena));
	}
	for (uint32_t i = 0; i < td->container_definitions.len + create_needs_owner(td); i++) {
		uint32_t index = i < td->container_definitions.len ? i : LIFECYCLE_OWNER;
		const char *name = create_name(&identity, create_container_of(td, index), arena);
		json_object_set_new(all, arena_printf(arena, "container %s", name),
				    container_json(flavor, td, index, arena));
	}
	return all;
}

static void check_golden(const char *task, const char *got)
{
	char path[256];
	struct buf want = { 0 };
	struct err err;
	snprintf(path, sizeof(path), GOLDEN "/%.*s.want", (int)(strchr(task, '.') - task), task);
	if (getenv("UPDATE_GOLDEN") && !fs_write(path, got, strlen(got), 0644, 0, NULL, &err))
		fail_msg("%s", err.text);
	if (!fs_read(path, 1 << 20, &want, &err))
		fail_msg("%s", err.text);
	assert_string_equal(got, buf_str(&want));
	buf_release(&want);
}

static void test_golden(void **state)
{
	struct arena arena;
	const char **names;
	size_t count, tasks = 0;
	(void)state;
	arena_init(&arena);
	assert_true(fs_list(GOLDEN, &arena, &names, &count, NULL));
	struct flavor docker, podman;
	load_flavor("docker", &arena, &docker);
	load_flavor("podman", &arena, &podman);
	for (size_t i = 0; i < count; i++) {
		if (!strstr(names[i], ".task.json"))
			continue;
		const struct task_definition *td = load_task(names[i], &arena);
		json_t *both = json_pack("{s:o,s:o}", "docker", all_of(&docker, td, &arena),
					 "podman", all_of(&podman, td, &arena));
		/* What is the same for both stands once. */
		json_t *pd = json_object_get(both, "podman");
		const char *key;
		void *tmp;
		json_t *value;
		json_object_foreach_safe(
			pd, tmp, key,
			value) if (json_equal(value,
					      json_object_get(json_object_get(both, "docker"),
							      key))) json_object_del(pd, key);
		char *text = json_dumps(both, JSON_INDENT(1) | JSON_SORT_KEYS);
		struct buf out = { 0 };
		buf_addf(&out, "%s\n", text);
		check_golden(names[i], buf_str(&out));
		buf_release(&out);
		free(text);
		json_decref(both);
		tasks++;
	}
	assert_true(tasks >= 5);
	arena_release(&arena);
}

static void test_names(void **state)
{
	struct arena arena;
	struct task_identity id = identity;
	(void)state;
	arena_init(&arena);
	assert_string_equal(create_name(&id, "main", &arena), "muster-n1-web-main-01234567");
	id.task = "t1";
	assert_string_equal(create_name(&id, OWNER_NAME, &arena), "muster-n1-web-.pause-t1");
	/* Bounded, and different where they differ only behind the bound. */
	char a[201], b[201];
	memset(a, 'a', 200);
	memset(b, 'a', 200);
	a[200] = b[200] = '\0';
	b[199] = 'b';
	id.node = a;
	const char *one = create_name(&id, a, &arena);
	id.node = b;
	const char *other = create_name(&id, a, &arena);
	assert_true(strlen(one) < 4 * (NAME_PART_MAX + 1) + 8);
	assert_string_not_equal(one, other);
	id.node = a;
	assert_string_not_equal(one, create_name(&id, b, &arena));
	assert_string_equal(one, create_name(&id, a, &arena));
	arena_release(&arena);
}

static void test_what_cannot_be_made(void **state)
{
	static const struct {
		const char *definition, *why;
	} rows[] = {
		{ "{\"portMappings\":[{\"containerPortRange\":\"1-1001\"}]}",
		  "more than 1000 ports" },
		{ "{\"portMappings\":[{\"containerPortRange\":\"9-1\"}]}",
		  "'9-1' is no range of ports" },
		{ "{\"portMappings\":[{\"containerPortRange\":\"1-70000\"}]}",
		  "'1-70000' is no range of ports" },
		{ "{\"mountPoints\":[{\"sourceVolume\":\"none\",\"containerPath\":\"/x\"}]}",
		  "there is no volume none" },
		{ "{\"mountPoints\":[{\"sourceVolume\":\"here\",\"containerPath\":\"/x\"}]}",
		  "the path of volume here is not absolute: ../etc" },
	};
	struct arena arena;
	struct flavor docker;
	struct err err;
	(void)state;
	arena_init(&arena);
	load_flavor("docker", &arena, &docker);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct task_definition *td = ARENA_NEW(&arena, struct task_definition);
		json_t *c = json_loads(rows[i].definition, 0, NULL);
		json_object_set_new(c, "name", json_string("main"));
		json_object_set_new(c, "image", json_string("x"));
		json_t *json = json_pack("{s:s,s:[o],s:[{s:s,s:{s:s}}]}", "family", "f",
					 "containerDefinitions", c, "volumes", "name", "here",
					 "host", "sourcePath", "../etc");
		assert_true(wire_object_from_json(&task_definition_schema, json, &arena, td, NULL));
		struct create in = { .flavor = &docker, .id = &identity, .td = td, .image = "x" };
		assert_null(create_json(&in, &arena, &err));
		assert_string_equal(err.text, rows[i].why);
		json_decref(json);
	}
	/* Nothing is weakened: with no group for the sum there is no container. */
	struct container_definition both[] = { { .name = "a" }, { .name = "b" } };
	struct task_definition td = { .memory = { true, 64 } };
	struct create in = { .flavor = &docker, .id = &identity, .td = &td, .image = "x" };
	td.container_definitions.items = both;
	td.container_definitions.len = ARRAY_LEN(both);
	assert_null(create_json(&in, &arena, &err));
	assert_non_null(strstr(err.text, "limits of a whole task"));
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_cannot_be_made),
	};
	return cmocka_run_group_tests_name("docker containers", tests, NULL, NULL);
}
