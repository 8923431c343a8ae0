/* wire's tests: one full document of each kind, and the three pairs of functions by number. */
#ifndef MUSTER_TESTS_WIRE_DOCUMENTS_H
#define MUSTER_TESTS_WIRE_DOCUMENTS_H

#include "wire/wire.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FLEET "00112233445566778899aabbccddeeff"
#define ID(c) c c c c c c c c "0123456789abcdef01234567"
/* Of static storage, at file scope only. */
#define LIST(...)                                                                                  \
	{                                                                                          \
		.items = (const char *[]){ __VA_ARGS__ },                                          \
		.len = sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), .set = true       \
	}
#define MAP(...)                                                                                   \
	{                                                                                          \
		.items = (struct str_pair[]){ __VA_ARGS__ },                                       \
		.len = sizeof((struct str_pair[]){ __VA_ARGS__ }) / sizeof(struct str_pair),       \
		.set = true                                                                        \
	}

static struct wire_engine full_engines[] = {
	{ ENGINE_PROCESS, "process", "0.1.0" },
	{ ENGINE_CONTAINER, "podman", "4.3.1" },
};
static struct wire_condition full_conditions[] = {
	{ "AttributesStale", "True", "Unreadable", "cannot read /etc/muster/attributes.d" },
};
static const struct wire_registration full_registration = {
	.fleet = FLEET,
	.node = "n1",
	.cluster = "default",
	.instance = ID("a"),
	.boot_id = ID("b"),
	.session = ID("c"),
	.agent_version = "0.1.0",
	.registered_at_ms = 1795000000123,
	.wire_min = 1,
	.wire_max = 1,
	.engines = full_engines,
	.engine_count = 2,
	.facts = MAP({ "ecs.os-type", "linux" }, { "muster.cpus", "4" }),
	.attributes = MAP({ "env", "prod" }, { "tier", NULL }),
	.capabilities = LIST(CAPABILITY_MEMORY_LIMIT, CAPABILITY_USER),
	.cpu_units = 4096,
	.memory_mib = 7900,
	.conditions = full_conditions,
	.condition_count = 1,
};

static struct container_definition full_container = {
	.name = "exporter",
	.cpu = { true, 128 },
	.essential = OPT_TRUE,
	.command = LIST("/usr/bin/exporter", "--port=9100"),
	.environment = MAP({ "LANG", "C.UTF-8" }, { "TOKEN", "\xc3\xa4\"\\\n\t" }),
	.stop_timeout = { true, 0 },
	.privileged = OPT_FALSE,
	.docker_labels = { .set = true },
};
static const struct task_definition full_definition = {
	.family = { .value = "exporter" },
	.memory = { true, 64 },
	.requires_compatibilities = LIST("PROCESS"),
	.container_definitions = { &full_container, 1, true },
};
static struct wire_desired_task full_desired_tasks[] = {
	{ .cluster = "default",
	  .service = "metrics",
	  .family = "exporter",
	  .revision = 3,
	  .target = { "metrics, third" },
	  .deployment = "ecs-svc/1234567890123456789",
	  .assigned_at_ms = 1795000000456,
	  .assigned_number = 41,
	  .replaces = 2,
	  .broken_before = true,
	  .priority = -5,
	  .depends_on = LIST("logs"),
	  .min_ready_seconds = 10,
	  .monitor_seconds = 60,
	  .task_definition = &full_definition },
};
static const struct wire_desired full_desired = {
	.fleet = FLEET,
	.node = "n1",
	.cluster = "default",
	.number = 42,
	.attributes = MAP({ "env", "prod" }),
	.tasks = full_desired_tasks,
	.task_count = 1,
};

static struct wire_container full_containers[] = {
	{ .name = "exporter",
	  .last_status = TASK_STOPPED,
	  .runtime_id = "4711",
	  .has_exit_code = true,
	  .exit_code = 139,
	  .reason = "killed by SIGSEGV" },
	{ .name = "helper", .last_status = TASK_STOPPED },
};
static struct wire_task full_tasks[] = {
	{ .id = ID("d"),
	  .cluster = "default",
	  .service = "metrics",
	  .family = "exporter",
	  .revision = 3,
	  .target = { "metrics, third" },
	  .deployment = "ecs-svc/1",
	  .last_status = TASK_RUNNING,
	  .desired_status = TASK_RUNNING,
	  .health = HEALTH_HEALTHY,
	  .ready = true,
	  .restarts = 2,
	  .started_at_ms = 1795000000500,
	  .engine = "process",
	  .log_bytes_dropped = 7 },
	{ .id = "",
	  .cluster = "default",
	  .service = "logs",
	  .family = "logs",
	  .revision = 1,
	  .last_status = TASK_PENDING,
	  .desired_status = TASK_RUNNING,
	  .failed = true,
	  .restarts = 5,
	  .restart_in_ms = 4000,
	  .stop_code = "EssentialContainerExited",
	  .reason = "Essential container in task exited",
	  .stderr_tail = "no such file\n",
	  .containers = full_containers,
	  .container_count = 2 },
};
static const struct wire_observed full_observed = {
	.fleet = FLEET,
	.node = "n1",
	.cluster = "default",
	.instance = ID("a"),
	.boot_id = ID("b"),
	.session = ID("c"),
	.seen = 42,
	.tasks = full_tasks,
	.task_count = 2,
	.stopped = &full_tasks[1],
	.stopped_count = 1,
};

enum kind { REGISTRATION, DESIRED, OBSERVED, KIND_COUNT };
static UNUSED const char *const kind_names[] = { "registration", "desired", "observed" };

union document {
	struct wire_registration registration;
	struct wire_desired desired;
	struct wire_observed observed;
};

static UNUSED void encode(enum kind kind, const union document *doc, struct buf *out)
{
	if (kind == REGISTRATION)
		wire_encode_registration(&doc->registration, out);
	else if (kind == DESIRED)
		wire_encode_desired(&doc->desired, out);
	else
		wire_encode_observed(&doc->observed, out);
}

static UNUSED enum wire_result decode(enum kind kind, const void *bytes, size_t len,
				      struct arena *arena, union document *doc, struct err *err)
{
	if (kind == REGISTRATION)
		return wire_decode_registration(bytes, len, FLEET, "n1", arena, &doc->registration,
						err);
	if (kind == DESIRED)
		return wire_decode_desired(bytes, len, FLEET, "n1", arena, &doc->desired, err);
	return wire_decode_observed(bytes, len, FLEET, "n1", arena, &doc->observed, err);
}

static UNUSED void full_document(enum kind kind, union document *doc)
{
	if (kind == REGISTRATION)
		doc->registration = full_registration;
	else if (kind == DESIRED)
		doc->desired = full_desired;
	else
		doc->observed = full_observed;
}

/* A document of that text, whatever it says. */
static UNUSED void seal_text(const char *json, struct buf *out)
{
	char hex[DIGEST_HEX_LEN + 1];
	size_t start = out->len;
	buf_addf(out, "%s\n", json);
	struct digest digest = digest_of(out->data + start, out->len - start);
	digest_hex(&digest, hex);
	buf_addf(out, "#sha256=%s\n", hex);
}

#endif
