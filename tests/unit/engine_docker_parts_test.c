/* engine/docker: what engines answer, image references, credentials, what an engine is: rows. */
#include "engine/docker/image.h"
#include "engine/docker/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct arena arena;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

/* --- images ------------------------------------------------------------------------------------
 */

static void test_references(void **state)
{
	static const struct {
		const char *text, *registry, *asked; /* asked NULL: refused */
		enum pull_policy policy;	     /* without an imagePullPolicy */
	} rows[] = {
		{ "busybox", "docker.io", "docker.io/library/busybox:latest", PULL_ALWAYS },
		{ "busybox:1.36", "docker.io", "docker.io/library/busybox:1.36",
		  PULL_IF_NOT_PRESENT },
		{ "datadog/agent:latest", "docker.io", "docker.io/datadog/agent:latest",
		  PULL_ALWAYS },
		{ "docker.io/busybox", "docker.io", "docker.io/library/busybox:latest",
		  PULL_ALWAYS },
		{ "index.docker.io/a/b", "docker.io", "docker.io/a/b:latest", PULL_ALWAYS },
		{ "registry.example:5000/a/b:c", "registry.example:5000",
		  "registry.example:5000/a/b:c", PULL_IF_NOT_PRESENT },
		{ "localhost/x", "localhost", "localhost/x:latest", PULL_IF_NOT_PRESENT },
		{ "localhost:5000/x", "localhost:5000", "localhost:5000/x:latest", PULL_ALWAYS },
		/* A digest is what counts. */
		{ "a/b@" DIGEST_A, "docker.io", "docker.io/a/b@" DIGEST_A, PULL_IF_NOT_PRESENT },
		{ "a/b:latest@" DIGEST_A, "docker.io", "docker.io/a/b@" DIGEST_A,
		  PULL_IF_NOT_PRESENT },
		{ "", NULL, NULL, 0 },
		{ "a b", NULL, NULL, 0 },
		{ "a:", NULL, NULL, 0 },
		{ "a:b?c", NULL, NULL, 0 },
		{ "a/../b?x=1", NULL, NULL, 0 },
		{ "a@sha256:12", NULL, NULL, 0 },
		{ "a@md5:aaaa", NULL, NULL, 0 },
		{ "registry.example/", NULL, NULL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_ref ref;
		struct err err;
		bool ok = image_parse(rows[i].text, &arena, &ref, &err);
		assert_int_equal(ok, rows[i].asked != NULL);
		if (!ok)
			continue;
		assert_string_equal(ref.registry, rows[i].registry);
		assert_string_equal(image_text(&ref, &arena), rows[i].asked);
		assert_int_equal(image_policy(NULL, &ref), rows[i].policy);
		assert_int_equal(image_policy("Never", &ref), PULL_NEVER);
		assert_int_equal(image_policy("IfNotPresent", &ref), PULL_IF_NOT_PRESENT);
		assert_int_equal(image_policy("Always", &ref),
				 ref.digest ? PULL_IF_NOT_PRESENT : PULL_ALWAYS);
	}
}

static void test_digests(void **state)
{
	static const struct {
		const char *image, *json, *want;
	} rows[] = {
		/* Docker */
		{ "busybox:1", "{\"Id\":\"sha256:1\",\"RepoDigests\":[\"busybox@" DIGEST_A "\"]}",
		  DIGEST_A },
		{ "a/busybox:1", "{\"Id\":\"sha256:1\",\"RepoDigests\":[\"busybox@" DIGEST_A "\"]}",
		  NULL },
		{ "busybox:1", "{\"Id\":\"sha256:1\",\"RepoDigests\":[]}", NULL },
		{ "busybox:1", "{\"Id\":\"sha256:1\",\"RepoDigests\":null}", NULL },
		/* Podman: the manifest's and the index's, and its own word on which it was. */
		{ "r.example/x:1",
		  "{\"Id\":\"1\",\"Digest\":\"" DIGEST_B
		  "\",\"RepoDigests\":[\"r.example/x@" DIGEST_A "\",\"r.example/x@" DIGEST_B "\"]}",
		  DIGEST_B },
		{ "r.example/x@" DIGEST_A,
		  "{\"Id\":\"1\",\"Digest\":\"" DIGEST_B
		  "\",\"RepoDigests\":[\"r.example/x@" DIGEST_A "\",\"r.example/x@" DIGEST_B "\"]}",
		  DIGEST_A },
		/* Made on the node. */
		{ "localhost/x:1", "{\"Id\":\"1\",\"RepoDigests\":[\"localhost/x@" DIGEST_A "\"]}",
		  NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_ref ref;
		struct image_info info;
		assert_true(image_parse(rows[i].image, &arena, &ref, NULL));
		assert_true(inspect_image(rows[i].json, strlen(rows[i].json), &arena, &info, NULL));
		assert_string_equal(info.id, "sha256:1");
		const char *digest = image_digest(&info, &ref, &arena);
		assert_string_equal(digest ? digest : "", rows[i].want ? rows[i].want : "");
	}
}

static const char *decoded(const char *header)
{
	struct buf out = { 0 };
	char *text = arena_strdup(&arena, header);
	for (char *p = text; *p; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	assert_true(base64_decode(text, &out));
	const char *copy = arena_strdup(&arena, buf_str(&out));
	buf_release(&out);
	return copy;
}

static void test_credentials(void **state)
{
	/* dXNlcjpwYSs/c3c+OnJk: "user:pa+?sw>:rd" */
	static const char file[] =
		"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpwYSs/c3c+OnJk\"},"
		"\"r.example:5000\":{\"username\":\"u\",\"password\":\"p\"},"
		"\"r.example:5000/team\":{\"identitytoken\":\"token\"},"
		"\"broken.example\":{\"auth\":\"!!\"},\"helper.example\":{}}}";
	static const struct {
		const char *image, *want, *why; /* both NULL: it has none */
	} rows[] = {
		{ "busybox",
		  "{\"username\":\"user\",\"password\":\"pa+?sw>:rd\",\"serveraddress\":\"docker."
		  "io\"}",
		  NULL },
		{ "r.example:5000/x",
		  "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"r.example:5000\"}",
		  NULL },
		{ "r.example:5000/team/x",
		  "{\"identitytoken\":\"token\",\"serveraddress\":\"r.example:5000\"}", NULL },
		{ "r.example:5000/teams/x",
		  "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"r.example:5000\"}",
		  NULL },
		{ "r.example/x", NULL, NULL },
		{ "broken.example/x", NULL, "\"auth\" of broken.example is no \"user:password\"" },
		{ "helper.example/x", NULL, "credential helpers are not asked" },
	};
	struct image_ref ref;
	struct err err;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(image_parse(rows[i].image, &arena, &ref, NULL));
		const char *auth = image_auth(file, sizeof(file) - 1, &ref, &arena, &err);
		assert_int_equal(auth != NULL, rows[i].want != NULL);
		if (rows[i].want)
			assert_string_equal(decoded(auth), rows[i].want);
		assert_int_equal(err.text[0] != '\0', rows[i].why != NULL);
		if (rows[i].why)
			assert_non_null(strstr(err.text, rows[i].why));
	}
	static const char *const bad[] = { "", "{", "[]", "{\"auths\":[]}", "\"secret\"" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(image_auth(bad[i], strlen(bad[i]), &ref, &arena, &err));
		assert_string_equal(err.text, "it is no JSON object with \"auths\"");
	}
}

/* --- containers --------------------------------------------------------------------------------
 */

static void test_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = {
		{ "1970-01-01T00:00:01Z", 1000000000ull },
		{ "2026-11-24T13:22:27.358082976Z", 1795526547358082976ull },
		{ "2026-11-24T15:22:27.358082976+02:00", 1795526547358082976ull },
		{ "2026-11-24T11:52:27.5-01:30", 1795526547500000000ull },
		{ "0001-01-01T00:00:00Z", 0 },
		{ "", 0 },
		{ "yesterday", 0 },
		{ "2026-11-24T13:22:27.358082976", 0 },
		{ "2026-11-24T13:22:27.358X", 0 },
		{ "2026-13-24T13:22:27Z", 0 },
		{ NULL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(inspect_time_ns(rows[i].text), rows[i].want);
}

#define T_START "2026-11-24T13:22:27.5Z"
#define T_END	"2026-11-24T13:22:37.5Z"
#define UNIX_MS 1795526547500

static const struct inspect_clock clock_now = { UNIX_MS + 60000, 100000 };

static bool inspect_state(const char *state, struct inspected *out, struct err *err)
{
	const char *text =
		arena_printf(&arena, "{\"Id\":\"c1\",\"State\":{%s},\"Config\":{}}", state);
	return inspect_container(text, strlen(text), &clock_now, &arena, out, err);
}

static void test_states(void **state)
{
	static const struct {
		const char *json;
		enum lifecycle_state want;
		int64_t started, exited; /* boot clock */
		int code;		 /* -1: none */
		bool oom;
	} rows[] = {
		{ "\"Status\":\"created\",\"StartedAt\":\"0001-01-01T00:00:00Z\"",
		  CONTAINER_CREATED, 0, 0, -1, false },
		{ "\"Status\":\"running\",\"StartedAt\":\"" T_START
		  "\",\"FinishedAt\":\"0001-01-01T00:00:00Z\",\"ExitCode\":0",
		  CONTAINER_RUNNING, 40000, 0, -1, false },
		/* Started again: the end is of the run before. */
		{ "\"Status\":\"running\",\"StartedAt\":\"" T_END "\",\"FinishedAt\":\"" T_START
		  "\"",
		  CONTAINER_RUNNING, 50000, 0, -1, false },
		{ "\"Status\":\"restarting\",\"StartedAt\":\"" T_START "\"", CONTAINER_RUNNING,
		  40000, 0, -1, false },
		{ "\"Status\":\"paused\",\"StartedAt\":\"" T_START "\"", CONTAINER_PAUSED, 40000, 0,
		  -1, false },
		{ "\"Status\":\"exited\",\"StartedAt\":\"" T_START "\",\"FinishedAt\":\"" T_END
		  "\",\"ExitCode\":137,\"OOMKilled\":true",
		  CONTAINER_EXITED, 40000, 50000, 137, true },
		/* As Podman tells of a short one. */
		{ "\"Status\":\"exited\",\"StartedAt\":\"" T_END "\",\"FinishedAt\":\"" T_START
		  "\",\"ExitCode\":7",
		  CONTAINER_EXITED, 50000, 50000, 7, false },
		{ "\"Status\":\"dead\",\"StartedAt\":\"" T_START "\",\"FinishedAt\":\"" T_END
		  "\",\"ExitCode\":1",
		  CONTAINER_EXITED, 40000, 50000, 1, false },
		{ "\"Status\":\"removing\"", CONTAINER_ABSENT, 0, 0, -1, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct inspected c;
		struct err err;
		if (!inspect_state(rows[i].json, &c, &err))
			fail_msg("%zu: %s", i, err.text);
		assert_int_equal(c.state.state, rows[i].want);
		assert_int_equal(c.state.started_at_ms, rows[i].started);
		assert_int_equal(c.state.exited_at_ms, rows[i].exited);
		assert_int_equal(c.state.has_exit_code ? c.state.exit_code : -1, rows[i].code);
		assert_int_equal(c.state.oom_killed, rows[i].oom);
		assert_false(c.state.earlier_boot);
	}
}

static void test_earlier_boot(void **state)
{
	struct inspected c;
	(void)state;
	assert_true(inspect_state("\"Status\":\"exited\",\"StartedAt\":\"2026-11-24T10:00:00Z\","
				  "\"FinishedAt\":\"2026-11-24T11:00:00Z\",\"ExitCode\":255",
				  &c, NULL));
	assert_true(c.state.earlier_boot);
	assert_int_equal(c.state.started_at_ms, 0);
	assert_int_equal(c.state.exited_at_ms, 0);
	/* A clock that was wrong when it started: what runs runs in this boot. */
	assert_true(inspect_state("\"Status\":\"running\",\"StartedAt\":\"2020-01-01T10:00:00Z\"",
				  &c, NULL));
	assert_false(c.state.earlier_boot);
	assert_true(c.state.started_at_ms > 0);
}

static void test_container(void **state)
{
	static const char text[] =
		"{\"Id\":\"c1\",\"Image\":\"sha256:9\",\"State\":{\"Status\":\"running\",\"Pid\":"
		"77,"
		"\"StartedAt\":\"" T_START "\"},"
		"\"Config\":{\"Image\":\"a/b:1\",\"StopTimeout\":7,\"Tty\":true,\"Labels\":{"
		"\"muster.fleet\":\"f\",\"muster.node\":\"n\",\"muster.cluster\":\"c\","
		"\"muster.service\":\"s\",\"muster.task\":\"t\",\"muster.family\":\"fam\","
		"\"muster.revision\":\"12\",\"muster.deployment\":\"d\",\"muster.container\":"
		"\"main\","
		"\"muster.essential\":\"false\",\"muster.digest\":\""
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}},"
		"\"HostConfig\":{\"Memory\":1,\"LogConfig\":{\"Type\":\"journald\"}},"
		"\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":"
		"\"8080\"},{\"HostIp\":\"::\",\"HostPort\":\"8080\"}],\"53/udp\":[{\"HostIp\":\"\","
		"\"HostPort\":\"5353\"}],\"9/tcp\":null,\"x/tcp\":[{\"HostPort\":\"1\"}],"
		"\"7/tcp\":[{\"HostPort\":\"700000\"}]}}}";
	struct inspected c, other;
	(void)state;
	assert_true(inspect_container(text, sizeof(text) - 1, &clock_now, &arena, &c, NULL));
	assert_string_equal(c.id, "c1");
	assert_string_equal(c.image_id, "sha256:9");
	assert_string_equal(c.image, "a/b:1");
	assert_string_equal(c.labels.task, "t");
	assert_int_equal(c.labels.revision, 12);
	assert_false(digest_is_none(&c.labels.target));
	assert_string_equal(c.container, "main");
	assert_false(c.essential);
	assert_int_equal(c.stop_timeout_s, 7);
	assert_true(c.tty);
	assert_int_equal(c.pid, 77);
	assert_string_equal(c.log_driver, "journald");
	assert_int_equal(c.binding_count, 3);
	assert_int_equal(c.bindings[0].container_port, 53);
	assert_int_equal(c.bindings[0].host_port, 5353);
	assert_string_equal(c.bindings[0].bind_ip, "0.0.0.0");
	assert_string_equal(c.bindings[1].protocol, "tcp");
	/* What is changed by hand shows, what the engine does by itself does not. */
	char *changed = arena_strdup(&arena, text);
	strstr(changed, "\"Memory\":1")[9] = '2';
	assert_true(inspect_container(changed, strlen(changed), &clock_now, &arena, &other, NULL));
	assert_false(digest_equal(&c.settings, &other.settings));
	changed = arena_strdup(&arena, text);
	strstr(changed, "\"Pid\":77")[6] = '8';
	assert_true(inspect_container(changed, strlen(changed), &clock_now, &arena, &other, NULL));
	assert_true(digest_equal(&c.settings, &other.settings));
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"Id\":\"\"}",
		"{\"Id\":\"x\",\"Config\":{}}",
		"{\"Id\":\"x\",\"Config\":{},\"State\":{\"Status\":\"flying\"}}",
		"{\"Id\":\"x\",\"Config\":{},\"State\":{\"Status\":7}}",
		"{\"Id\":7,\"Config\":{},\"State\":{\"Status\":\"running\"}}",
	};
	struct inspected c;
	struct listed *list;
	struct image_info image;
	struct container_event event;
	uint32_t count;
	struct err err;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t len = strlen(bad[i]);
		assert_false(inspect_container(bad[i], len, &clock_now, &arena, &c, &err));
		assert_true(err.text[0] != '\0');
		assert_int_equal(inspect_list(bad[i], len, &arena, &list, &count, &err),
				 strcmp(bad[i], "[]") == 0);
		assert_false(inspect_event(bad[i], len, &arena, &event));
	}
	assert_false(inspect_image("{}", 2, &arena, &image, &err));
	assert_false(inspect_image("[", 1, &arena, &image, &err));
	assert_string_equal(inspect_message("{\"message\":\"m\"}", 15, &arena), "m");
	assert_string_equal(inspect_message("<html>", 6, &arena), "");
	/* Deep nesting is an error, not a crash. */
	struct buf deep = { 0 };
	for (int i = 0; i < 100000; i++)
		buf_addc(&deep, '[');
	assert_false(inspect_list(deep.data, deep.len, &arena, &list, &count, &err));
	buf_release(&deep);
}

static void test_list_and_events(void **state)
{
	static const char list[] =
		"[{\"Id\":\"1\",\"Labels\":{\"muster.task\":\"t\",\"muster.container\":\"c\","
		"\"muster.fleet\":\"f\",\"muster.node\":\"n\"}},{\"Id\":\"2\",\"Labels\":null},"
		"{\"Id\":\"3\",\"Labels\":{\"muster.task\":\"t\"}},7]";
	static const char died[] =
		"{\"Type\":\"container\",\"Action\":\"die\",\"time\":5,\"Actor\":{\"ID\":\"1\","
		"\"Attributes\":{\"muster.task\":\"t\",\"muster.container\":\"c\"}}}";
	static const char image[] =
		"{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"1\"}}";
	struct listed *found;
	uint32_t count;
	struct container_event event;
	(void)state;
	assert_true(inspect_list(list, sizeof(list) - 1, &arena, &found, &count, NULL));
	assert_int_equal(count, 1);
	assert_string_equal(found[0].task, "t");
	assert_true(inspect_event(died, sizeof(died) - 1, &arena, &event));
	assert_string_equal(event.action, "die");
	assert_string_equal(event.container, "c");
	assert_null(event.fleet);
	assert_false(inspect_event(image, sizeof(image) - 1, &arena, &event));
}

static void test_logs(void **state)
{
	static const char frames[] = "\2\0\0\0\0\0\0\4one\n\1\0\0\0\0\0\0\4two\n";
	size_t len = sizeof(frames) - 1;
	(void)state;
	assert_string_equal(inspect_logs(frames, len, false, 100, &arena), "one\ntwo\n");
	assert_string_equal(inspect_logs(frames, len, false, 4, &arena), "two\n");
	assert_string_equal(inspect_logs(frames, len - 2, false, 100, &arena), "one\ntw");
	assert_string_equal(inspect_logs(frames, 7, false, 100, &arena), "");
	assert_string_equal(inspect_logs("\2\0\0\0\377\377\377\377x", 9, false, 100, &arena), "x");
	assert_string_equal(inspect_logs("plain", 5, true, 100, &arena), "plain");
}

/* --- what an engine is -------------------------------------------------------------------------
 */

static bool read_flavor(const char *version, const char *info, struct flavor *out, struct err *err)
{
	json_t *v = json_loads(version, 0, NULL), *i = json_loads(info, 0, NULL);
	bool ok = flavor_read(v, i, &arena, out, err);
	json_decref(v);
	json_decref(i);
	return ok;
}

static void test_flavors(void **state)
{
	static const struct {
		const char *version, *info, *api, *why;
	} rows[] = {
		{ "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}",
		  "{}", "1.41", NULL },
		{ "{\"Version\":\"27.0\",\"ApiVersion\":\"1.46\",\"MinAPIVersion\":\"1.24\"}", "{}",
		  "1.41", NULL },
		/* One that has forgotten our version is asked in its oldest. */
		{ "{\"Version\":\"29.0\",\"ApiVersion\":\"1.52\",\"MinAPIVersion\":\"1.44\"}", "{}",
		  "1.44", NULL },
		{ "{\"Version\":\"19.03\",\"ApiVersion\":\"1.40\",\"MinAPIVersion\":\"1.12\"}",
		  "{}", NULL, "docker 19.03 speaks version 1.40 of the API; 1.41 is needed" },
		{ "{\"Version\":\"1\",\"ApiVersion\":\"what\"}", "{}", NULL,
		  "what answers is no container engine" },
		{ "{\"ApiVersion\":\"1.41\"}", "{}", NULL, "what answers is no container engine" },
		{ "{\"Version\":\"1\",\"ApiVersion\":\"1.41\"}", "[]", NULL,
		  "what answers is no container engine" },
		{ "{\"Version\":\"1\",\"ApiVersion\":\"1.41\"}", "{\"OSType\":\"windows\"}", NULL,
		  "it runs containers of windows, not of Linux" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct flavor f;
		struct err err;
		assert_int_equal(read_flavor(rows[i].version, rows[i].info, &f, &err),
				 rows[i].api != NULL);
		if (rows[i].api)
			assert_string_equal(f.api, rows[i].api);
		else
			assert_non_null(strstr(err.text, rows[i].why));
	}
}

static bool has(const struct str_list *list, const char *name)
{
	for (uint32_t i = 0; i < list->len; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

static void test_capabilities(void **state)
{
	struct flavor f;
	(void)state;
	assert_true(read_flavor(
		"{\"Version\":\"4.3.1\",\"ApiVersion\":\"1.41\",\"Components\":[{\"Name\":\"Podman "
		"Engine\"}]}",
		"{\"Architecture\":\"arm64\",\"MemoryLimit\":true,\"CpuCfsQuota\":true,\"Plugins\":"
		"{"
		"\"Log\":[\"journald\",\"k8s-file\"],\"Volume\":[\"local\",\"nfs\"]},"
		"\"SecurityOptions\":[\"name=apparmor\"]}",
		&f, NULL));
	struct str_list list = flavor_capabilities(&f, &arena);
	assert_false(has(&list, CAPABILITY_TASK_LIMITS)); /* before it was tried */
	f.task_limits = true;
	list = flavor_capabilities(&f, &arena);
	for (uint32_t i = 1; i < list.len; i++)
		assert_true(strcmp(list.items[i - 1], list.items[i]) < 0);
	assert_string_equal(f.name, "podman");
	assert_true(has(&list, CAPABILITY_LOG_DRIVER "journald"));
	assert_true(has(&list, CAPABILITY_LOG_DRIVER "json-file"));
	assert_true(has(&list, CAPABILITY_VOLUME_DRIVER "nfs"));
	assert_true(has(&list, CAPABILITY_APPARMOR));
	assert_true(has(&list, CAPABILITY_TASK_LIMITS));
	assert_true(has(&list, CAPABILITY_DOCKER_ARCHITECTURE "ARM64"));
	assert_true(has(&list, "com.amazonaws.ecs.capability.docker-remote-api.1.41"));
	assert_false(has(&list, CAPABILITY_SELINUX));
	assert_false(has(&list, CAPABILITY_DOCKER_LINKS)); /* Podman refuses them */
	assert_false(has(&list, CAPABILITY_DOCKER_SWAP_LIMIT));
	assert_false(has(&list, CAPABILITY_LOG_DRIVER "awslogs"));
}

static void test_answers(void **state)
{
	(void)state;
	assert_true(
		flavor_name_taken(409, "Conflict. The container name \"/x\" is already in use"));
	assert_true(flavor_name_taken(500, "the container name \"x\" is already in use by 12"));
	assert_false(flavor_name_taken(500, "no space left on device"));
	assert_true(flavor_volume_there(500, "name x is in use: volume already exists"));
	assert_false(flavor_volume_there(500, "no space left on device"));
	assert_true(flavor_nothing_to_do(304, ""));
	assert_true(flavor_nothing_to_do(409, "Container 12 is not running"));
	assert_true(flavor_nothing_to_do(500, "can only kill running containers. 12 is in state"));
	assert_false(flavor_nothing_to_do(500, "permission denied"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_references), TEST(test_digests),   TEST(test_credentials),
		TEST(test_times),      TEST(test_states),    TEST(test_earlier_boot),
		TEST(test_container),  TEST(test_malformed), TEST(test_list_and_events),
		TEST(test_logs),       TEST(test_flavors),   TEST(test_capabilities),
		TEST(test_answers),
	};
	return cmocka_run_group_tests_name("docker parts", tests, NULL, NULL);
}
