/*
 * manifests: how long the controller takes to read a commit, from nothing and after one file
 * changed, how that grows with the number of files, and what it holds of a small fleet.
 *
 * A tenth of the files are services, the others task definitions of about the size of real ones.
 * The floor is a memcpy() of the bytes that are read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/state.h"

#define FLEET	    "0123456789abcdef0123456789abcdef"
#define SAMPLES_MAX 200
#define SAMPLES_MIN 5
#define TIME_MS	    600 /* for each figure of each size */

/* Of this process on a processor: control waits for nothing. */
static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- samples --------------------------------------------------------------------------------- */

struct samples {
	double ms[SAMPLES_MAX];
	size_t count;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static bool more(const struct samples *s, double since_ms)
{
	return s->count < SAMPLES_MIN || (s->count < SAMPLES_MAX && now_ms() - since_ms < TIME_MS);
}

static void print(const char *what, size_t files, struct samples *s, double floor_ms,
		  double limit_ms)
{
	char limit[32] = "";
	qsort(s->ms, s->count, sizeof(*s->ms), by_value);
	double median = s->ms[s->count / 2], p99 = s->ms[(s->count * 99 + 99) / 100 - 1];
	if (limit_ms > 0)
		snprintf(limit, sizeof(limit), "%4.0f ms: %s", limit_ms,
			 median <= limit_ms ? "met" : "MISSED");
	printf("%-25s %6zu %10.4f %10.4f %8.1f  %s\n", what, files, median, p99, median / floor_ms,
	       limit);
}

/* --- the tree -------------------------------------------------------------------------------- */

struct tree {
	struct arena arena;
	struct source_snapshot snapshot;
	size_t bytes;
	uint32_t version;
};

static const char *service_text(struct arena *arena, size_t i)
{
	return arena_printf(arena,
			    "apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n"
			    "  name: service-%05zu\n  labels: {team: platform}\nspec:\n"
			    "  taskDefinition: family-%05zu\n  placementConstraints:\n"
			    "  - type: memberOf\n"
			    "    expression: attribute:env == prod and attribute:zone exists\n"
			    "  deploymentConfiguration: {minimumHealthyPercent: 80}\n",
			    i, i + 1);
}

static const char *task_text(struct arena *arena, size_t i, uint32_t version)
{
	return arena_printf(
		arena,
		"apiVersion: muster/v1\nkind: TaskDefinition\nmetadata:\n  name: family-%05zu\n"
		"spec:\n  requiresCompatibilities: [PROCESS]\n  cpu: 256\n  memory: 512\n"
		"  containerDefinitions:\n  - name: main\n    command: [/usr/bin/agent, --config, "
		"/etc/agent/%zu.conf]\n    stopTimeout: 20\n    environment:\n"
		"    - {name: LEVEL, value: info}\n    - {name: ENDPOINT, value: "
		"'https://collector.example.org:4318/v1'}\n    - {name: VERSION, value: 'v%u'}\n",
		i, i, version);
}

static void tree_set(struct tree *t, size_t i, const char *text)
{
	struct source_file *f = &t->snapshot.files[i];
	struct digest digest = digest_of(text, strlen(text));
	char *hex = arena_alloc(&t->arena, DIGEST_HEX_LEN + 1);
	digest_hex(&digest, hex);
	t->bytes += strlen(text) - f->len;
	*f = (struct source_file){ .path = arena_printf(&t->arena, "d%02zu/f%05zu.yaml", i / 1000,
							i),
				   .blob = hex,
				   .bytes = text,
				   .len = strlen(text) };
}

static void tree_init(struct tree *t, size_t files)
{
	*t = (struct tree){ 0 };
	t->snapshot.commit = "c0";
	t->snapshot.file_count = files;
	t->snapshot.files = ARENA_ARRAY(&t->arena, struct source_file, files);
	for (size_t i = 0; i < files; i++)
		tree_set(t, i,
			 i % 10 == 0 ? service_text(&t->arena, i) : task_text(&t->arena, i, 0));
}

/* The next commit: one task definition that a service runs has changed; the rest is known. */
static void tree_change(struct tree *t)
{
	for (size_t i = 0; i < t->snapshot.file_count; i++)
		t->snapshot.files[i].bytes = NULL;
	t->snapshot.commit = arena_printf(&t->arena, "c%u", ++t->version);
	tree_set(t, 1, task_text(&t->arena, 1, t->version));
}

static double floor_of(const struct tree *t)
{
	struct samples s = { 0 };
	char *copy = xmalloc(t->bytes);
	double since = now_ms();
	while (more(&s, since)) {
		size_t at = 0;
		double start = now_ms();
		for (size_t i = 0; i < t->snapshot.file_count; i++) {
			memcpy(copy + at, t->snapshot.files[i].bytes, t->snapshot.files[i].len);
			at += t->snapshot.files[i].len;
			__asm__ volatile("" : : "r"(copy) : "memory");
		}
		s.ms[s.count++] = now_ms() - start;
	}
	free(copy);
	qsort(s.ms, s.count, sizeof(*s.ms), by_value);
	return s.ms[s.count / 2];
}

/* --- the controller -------------------------------------------------------------------------- */

/* Step until nothing comes; every put succeeds at once, and is told to `told` where it is given. */
static void settle(struct control *c, int64_t at_ms, struct control *store,
		   void (*told)(struct control *, const struct control_effect *))
{
	bool any = true;
	while (any) {
		struct arena arena;
		struct control_effects effects = { 0 };
		arena_init(&arena);
		control_step(c, at_ms, at_ms, &arena, &effects);
		any = effects.items.len > 0;
		for (size_t i = 0; i < effects.items.len; i++) {
			const struct control_effect *e = &effects.items.items[i];
			if (e->kind == EFFECT_LIST_NODES)
				control_nodes_told(c, e->look);
			if (e->kind != EFFECT_PUT)
				continue;
			if (told)
				told(store, e);
			control_put_done(c, e->key, true, NULL, at_ms);
		}
		control_effects_release(&effects);
		arena_release(&arena);
	}
}

static struct control *control_start(void)
{
	struct control *c = control_new();
	control_store_open(c, FLEET);
	control_store_listed(c);
	return c;
}

static void take(struct control *c, const struct source_snapshot *snapshot)
{
	if (control_snapshot(c, snapshot, 1000, 1000) && !c->seen_invalid)
		return;
	fprintf(stderr, "manifests: the tree is not valid: this measures nothing\n");
	exit(1);
}

static void bench(size_t files, double limit_nothing_ms, double limit_one_ms)
{
	struct tree t;
	struct samples nothing = { 0 }, one = { 0 };
	tree_init(&t, files);
	double floor_ms = floor_of(&t);
	struct control *c = NULL;
	double since = now_ms();
	while (more(&nothing, since)) {
		control_free(c);
		c = control_start();
		double start = now_ms();
		take(c, &t.snapshot);
		nothing.ms[nothing.count++] = now_ms() - start;
	}
	settle(c, 1000, NULL, NULL);
	since = now_ms();
	while (more(&one, since)) {
		tree_change(&t);
		double start = now_ms();
		take(c, &t.snapshot);
		one.ms[one.count++] = now_ms() - start;
		settle(c, 1000, NULL, NULL);
	}
	control_free(c);
	arena_release(&t.arena);
	print("read from nothing", files, &nothing, floor_ms, limit_nothing_ms);
	print("  one of them changed", files, &one, floor_ms, limit_one_ms);
}

/* --- memory ---------------------------------------------------------------------------------- */

static double resident_mib(void)
{
	char line[256], *second;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	long pages = fgets(line, sizeof(line), f) && (second = strchr(line, ' '))
			     ? strtol(second, NULL, 10)
			     : 0;
	fclose(f);
	return (double)pages * 4096 / (1 << 20);
}

static void register_node(struct control *c, int i)
{
	struct wire_engine engine = { .kind = ENGINE_PROCESS, .name = "process" };
	struct str_pair attributes[] = { { .name = "env", .value = "prod" },
					 { .name = "zone", .value = "a" } };
	const char *capabilities[] = { CAPABILITY_CPU_LIMIT, CAPABILITY_MEMORY_LIMIT };
	char name[16], key[32];
	snprintf(name, sizeof(name), "node-%02d", i);
	struct wire_registration r = { .fleet = FLEET,
				       .node = name,
				       .cluster = "default",
				       .instance = FLEET,
				       .boot_id = "boot",
				       .session = FLEET,
				       .agent_version = "1",
				       .wire_min = 1,
				       .wire_max = 1,
				       .engines = &engine,
				       .engine_count = 1,
				       .attributes = { attributes, ARRAY_LEN(attributes), true },
				       .capabilities = { capabilities, ARRAY_LEN(capabilities),
							 true },
				       .cpu_units = 8192,
				       .memory_mib = 16384 };
	struct wire_observed o = { .fleet = FLEET,
				   .node = name,
				   .cluster = "default",
				   .instance = FLEET,
				   .boot_id = "boot",
				   .session = FLEET };
	struct buf bytes = { 0 };
	wire_encode_registration(&r, &bytes);
	snprintf(key, sizeof(key), "nodes/%s", name);
	control_document(c, key, bytes.data, bytes.len, NULL, 1000);
	buf_reset(&bytes);
	wire_encode_observed(&o, &bytes);
	snprintf(key, sizeof(key), "observed/%s", name);
	control_document(c, key, bytes.data, bytes.len, NULL, 1000);
	buf_release(&bytes);
}

/* The agent answers at once that all of it runs. */
static void answer(struct control *c, const struct control_effect *e)
{
	struct arena arena;
	struct wire_desired d;
	arena_init(&arena);
	if (strncmp(e->key, "desired/", 8) == 0 &&
	    wire_decode_desired(e->bytes, e->len, FLEET, NULL, &arena, &d, NULL) == WIRE_OK) {
		struct wire_task *tasks = ARENA_ARRAY(&arena, struct wire_task, d.task_count + 1);
		for (uint32_t i = 0; i < d.task_count; i++)
			tasks[i] = (struct wire_task){ .id = FLEET,
						       .cluster = d.tasks[i].cluster,
						       .service = d.tasks[i].service,
						       .family = d.tasks[i].family,
						       .revision = d.tasks[i].revision,
						       .target = d.tasks[i].target,
						       .deployment = d.tasks[i].deployment,
						       .last_status = TASK_RUNNING,
						       .desired_status = TASK_RUNNING,
						       .ready = true,
						       .engine = "process" };
		struct wire_observed o = { .fleet = FLEET,
					   .node = d.node,
					   .cluster = d.cluster,
					   .instance = FLEET,
					   .boot_id = "boot",
					   .session = FLEET,
					   .seen = d.number,
					   .tasks = tasks,
					   .task_count = d.task_count };
		struct buf bytes = { 0 };
		wire_encode_observed(&o, &bytes);
		control_document(c, arena_printf(&arena, "observed/%s", d.node), bytes.data,
				 bytes.len, NULL, 1000);
		buf_release(&bytes);
	}
	arena_release(&arena);
}

/* First of all: what was freed before does not count as held. */
static void memory_of_ten_by_ten(void)
{
	struct tree t;
	tree_init(&t, 100);
	double before = resident_mib();
	struct control *c = control_start();
	for (int i = 0; i < 10; i++)
		register_node(c, i);
	take(c, &t.snapshot);
	settle(c, 1000, c, answer);
	uint32_t ready = 0;
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value))
		ready += ((const struct service_state *)value)->counts.ready;
	printf("%-25s %6s %7.1f MB %10s %8s  %u of 100 tasks ready\n", "memory: 10 nodes x 10",
	       "100", resident_mib() - before, "", "", ready);
	control_free(c);
	arena_release(&t.arena);
}

int main(void)
{
	printf("%-25s %6s %10s %10s %8s  %s\n", "manifests", "files", "median ms", "p99 ms",
	       "/ memcpy", "at most");
	memory_of_ten_by_ten();
	bench(100, 0, 0);
	bench(1000, 0, 0);
	bench(10000, 1500, 20);
	printf("\n");
	return 0;
}
