/*
 * plan: how long the planner takes, how that grows with the fleet, and what it needs of memory.
 *
 * A fleet of N nodes and 100 services with constraints that hold everywhere, so that from nothing
 * 100 * N tasks are placed. The floor is a memcpy() of the planner's cells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plan/plan.h"

#define SERVICES      100
#define CELL_BYTES    16
#define SAMPLES_MAX   1000
#define ATTRIBUTES    10
#define SAMPLES_MIN   7
#define TIME_MS	      200 /* for each figure of each size */
#define TIME_WHOLE_MS 600 /* for those that plan the whole fleet */

/* Of this process on a processor: the planner waits for nothing, and what else runs on the machine
 * is not its doing. */
static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long status_kib(const char *field)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtol(line + strlen(field), NULL, 10);
	fclose(f);
	return kib;
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

static bool more(const struct samples *s, double since_ms, double time_ms)
{
	return s->count < SAMPLES_MIN || (s->count < SAMPLES_MAX && now_ms() - since_ms < time_ms);
}

/* The median. */
static double print(const char *what, uint32_t nodes, struct samples *s, double floor_ms,
		    double limit_ms)
{
	char limit[32] = "";
	qsort(s->ms, s->count, sizeof(*s->ms), by_value);
	double median = s->ms[s->count / 2], p99 = s->ms[(s->count * 99 + 99) / 100 - 1];
	if (limit_ms > 0)
		snprintf(limit, sizeof(limit), "%3.*f ms: %s", limit_ms < 1 ? 4 : 0, limit_ms,
			 median <= limit_ms ? "met" : "MISSED");
	printf("%-25s %6u %10.4f %10.4f %8.1f  %s\n", what, nodes, median, p99, median / floor_ms,
	       limit);
	s->count = 0;
	return median;
}

/* --- the fleet ------------------------------------------------------------------------------- */

struct fleet {
	struct intern *intern;
	struct planner *planner;
	struct expr *exprs[SERVICES], *canary;
	uint32_t nodes;
	bool rollout; /* services are told to be in one */
};

static const char *const expressions[] = {
	"attribute:env in [prod, stage, test]",
	"attribute:ecs.os-type == linux and attribute:muster.cpus >= 2",
	"attribute:zone =~ eu-.* or attribute:zone == us-1",
	"attribute:role exists and not(attribute:drain == true)",
	"attribute:rack != r99 and attribute:muster.memory-mib > 1024",
};

static void tell_node(struct fleet *f, uint32_t i, const char *env)
{
	static const char *const names[ATTRIBUTES] = { "ecs.os-type",	"ecs.cpu-architecture",
						       "muster.engine", "muster.kernel",
						       "muster.cpus",	"muster.memory-mib",
						       "env",		"zone",
						       "role",		"rack" };
	char rack[16], name[16];
	snprintf(rack, sizeof(rack), "r%u", i % 50);
	snprintf(name, sizeof(name), "node-%05u", i * 7919 % 100003);
	const char *values[ATTRIBUTES] = { "linux",
					   "x86_64",
					   "process",
					   "6.1",
					   "8",
					   "16384",
					   env,
					   i % 3 ? "eu-1" : "us-1",
					   i % 2 ? "db" : "web",
					   rack };
	struct expr_attribute attributes[ATTRIBUTES];
	for (size_t a = 0; a < ATTRIBUTES; a++) { /* all names are known: ascending ids */
		attributes[a].name = intern_add(f->intern, names[a]);
		attributes[a].value = intern_add(f->intern, values[a]);
	}
	for (size_t a = 1; a < ATTRIBUTES; a++)
		for (size_t b = a; b > 0 && attributes[b].name < attributes[b - 1].name; b--) {
			struct expr_attribute swap = attributes[b];
			attributes[b] = attributes[b - 1];
			attributes[b - 1] = swap;
		}
	intern_id capabilities[] = { intern_add(f->intern, CAPABILITY_MEMORY_LIMIT),
				     intern_add(f->intern, CAPABILITY_USER) };
	planner_node_set(f->planner, &(struct plan_node){ .name = name,
							  .cluster = "default",
							  .registered = true,
							  .observed_once = true,
							  .reachable = true,
							  .attributes = attributes,
							  .attribute_count = ATTRIBUTES,
							  .engines = 1u << ENGINE_PROCESS,
							  .capabilities = capabilities,
							  .capability_count = 2,
							  .cpu_units = 8192,
							  .memory_mib = 16384,
							  .agent_version = MUSTER_VERSION });
}

static plan_service_id tell_service(struct fleet *f, uint32_t i, uint32_t revision)
{
	char name[16];
	snprintf(name, sizeof(name), "svc-%03u", i);
	uint32_t before = revision - 1;
	intern_id capabilities[] = { intern_add(f->intern, CAPABILITY_MEMORY_LIMIT),
				     intern_add(f->intern, CAPABILITY_USER) };
	struct plan_variant all = { .target = digest_of(&revision, sizeof(revision)),
				    .engine = ENGINE_PROCESS,
				    .resources = { .cpu_units = 32, .memory_mib = 64 },
				    .capabilities = capabilities,
				    .capability_count = 2,
				    .document_bytes = 2000 },
			    old = all;
	old.target = digest_of(&before, sizeof(before));
	const struct expr *constraint = f->exprs[i], *canary = f->canary;
	return planner_service_set(
		f->planner, &(struct plan_service){ .cluster = "default",
						    .name = name,
						    .constraints = &constraint,
						    .constraint_count = 1,
						    .current = { revision, &all, 1 },
						    .completed = { before, &old, f->rollout },
						    .reach = f->rollout ? f->nodes / 2 : UINT32_MAX,
						    .reach_where = &canary,
						    .reach_where_count = f->rollout,
						    .stops_allowed = UINT32_MAX,
						    .min_healthy_percent = 90,
						    .monitor_ms = 60000 });
}

static void fleet_tell(struct fleet *f)
{
	f->planner = planner_new(f->intern);
	for (uint32_t i = 0; i < SERVICES; i++)
		tell_service(f, i, 1);
	for (uint32_t i = 0; i < f->nodes; i++)
		tell_node(f, i, "prod");
}

static void fleet_init(struct fleet *f, uint32_t nodes)
{
	*f = (struct fleet){ .intern = intern_new(), .nodes = nodes };
	f->canary = expr_compile("attribute:rack == r7", f->intern, NULL);
	for (size_t i = 0; i < SERVICES; i++)
		f->exprs[i] =
			expr_compile(expressions[i % ARRAY_LEN(expressions)], f->intern, NULL);
}

static void fleet_release(struct fleet *f)
{
	planner_free(f->planner);
	for (size_t i = 0; i < SERVICES; i++)
		expr_free(f->exprs[i]);
	expr_free(f->canary);
	intern_free(f->intern);
}

/* Plan; returns the number of changes. */
static size_t run(struct fleet *f)
{
	struct arena arena = { 0 };
	struct plan_result result;
	planner_run(f->planner, 0, &arena, &result);
	arena_release(&arena);
	return result.change_count;
}

static void want(size_t changes, size_t expected)
{
	if (changes == expected)
		return;
	fprintf(stderr, "plan: %zu changes instead of %zu: this measures nothing\n", changes,
		expected);
	exit(EXIT_SYSTEM);
}

/* Every agent says that its task of this service is ready. */
static void all_ready(struct fleet *f, plan_service_id service)
{
	struct arena arena = { 0 };
	plan_node_id *ids;
	uint32_t count = planner_nodes(f->planner, &arena, &ids);
	for (uint32_t i = 0; i < count; i++) {
		struct plan_fact fact = planner_cell(f->planner, service, ids[i]).fact;
		fact.acknowledged = true;
		fact.replaces = 0;
		fact.seen = PLAN_SEEN_READY;
		fact.running = fact.assigned;
		fact.running_revision = fact.assigned_revision;
		planner_fact_set(f->planner, service, ids[i], &fact);
	}
	arena_release(&arena);
	run(f);
}

/* --- the figures ----------------------------------------------------------------------------- */

static double copy_floor(uint32_t nodes, struct samples *s)
{
	size_t size = (size_t)nodes * SERVICES * CELL_BYTES;
	char *from = xcalloc(1, size), *to = xcalloc(1, size);
	memset(from, 1, size);
	memset(to, 2, size);
	double since = now_ms();
	while (more(s, since, TIME_MS)) {
		double start = now_ms();
		memcpy(to, from, size);
		__asm__ volatile("" : : "r"(to) : "memory");
		s->ms[s->count++] = now_ms() - start;
	}
	free(from);
	free(to);
	qsort(s->ms, s->count, sizeof(*s->ms), by_value);
	double median = s->ms[s->count / 2];
	print("floor: memcpy of the cells", nodes, s, median, 0);
	return median;
}

static void from_nothing(struct fleet *f, double floor_ms, bool limits)
{
	static struct samples told, planned;
	double since = now_ms();
	while (more(&told, since, TIME_WHOLE_MS)) {
		planner_free(f->planner);
		double start = now_ms();
		fleet_tell(f);
		double middle = now_ms();
		want(run(f), (size_t)f->nodes * SERVICES);
		planned.ms[planned.count++] = now_ms() - middle;
		told.ms[told.count++] = now_ms() - start;
	}
	print("from nothing", f->nodes, &planned, floor_ms, limits ? 150 : 0);
	print("  and told all of it", f->nodes, &told, floor_ms, limits ? 150 : 0);
}

static void node_changes(struct fleet *f, double floor_ms, bool limits)
{
	static struct samples s;
	double since = now_ms();
	for (uint32_t i = 0; more(&s, since, TIME_MS); i++) {
		double start = now_ms();
		tell_node(f, i / 2 % f->nodes, i % 2 ? "prod" : "dev");
		want(run(f), SERVICES / ARRAY_LEN(expressions));
		s.ms[s.count++] = now_ms() - start;
	}
	if (s.count % 2) { /* every node is as it was */
		tell_node(f, (uint32_t)(s.count / 2) % f->nodes, "prod");
		run(f);
	}
	print("one node changed", f->nodes, &s, floor_ms, limits ? 1 : 0);
}

static void service_changes(struct fleet *f, double floor_ms, bool limits)
{
	static struct samples s;
	double since = now_ms();
	for (uint32_t revision = 2; more(&s, since, TIME_MS); revision++) {
		double start = now_ms();
		plan_service_id id = tell_service(f, 50, revision);
		uint32_t budget = f->nodes / 10 > 1 ? f->nodes / 10 : 1;
		want(run(f), budget);
		s.ms[s.count++] = now_ms() - start;
		all_ready(f, id);
	}
	print("one service updated", f->nodes, &s, floor_ms, limits ? 10 : 0);
}

static void service_comes(struct fleet *f, double floor_ms, bool limits)
{
	static struct samples s;
	double since = now_ms();
	while (more(&s, since, TIME_MS)) {
		planner_service_remove(f->planner,
				       planner_service_find(f->planner, "default", "svc-050"));
		run(f);
		double start = now_ms();
		tell_service(f, 50, 1);
		want(run(f), f->nodes);
		s.ms[s.count++] = now_ms() - start;
	}
	print("one service added", f->nodes, &s, floor_ms, limits ? 10 : 0);
}

/* All that runs is told to a planner that knows nothing: revision 1 is ready everywhere. */
static void tell_running(struct fleet *f, uint32_t revision)
{
	uint32_t one = 1;
	struct digest target = digest_of(&one, sizeof(one));
	struct plan_fact fact = { .assigned = target,
				  .assigned_revision = 1,
				  .acknowledged = true,
				  .seen = PLAN_SEEN_READY,
				  .running = target,
				  .running_revision = 1 };
	planner_free(f->planner);
	f->planner = planner_new(f->intern);
	for (uint32_t i = 0; i < f->nodes; i++)
		tell_node(f, i, "prod");
	run(f); /* they are in their order */
	for (uint32_t i = 0; i < SERVICES; i++)
		tell_service(f, i, revision);
	for (uint32_t n = 0; n < f->nodes; n++)
		for (uint32_t i = 0; i < SERVICES; i++)
			planner_fact_set(f->planner, i, n, &fact);
}

/* One node says of all its tasks what it said before. */
static void node_reports(struct fleet *f, uint32_t i)
{
	plan_node_id node = i % f->nodes;
	for (plan_service_id s = 0; s < SERVICES; s++) {
		struct plan_fact fact = planner_cell(f->planner, s, node).fact;
		planner_fact_set(f->planner, s, node, &fact);
	}
}

/* All 100 services are in a roll-out, by number and by expression, with as many updates in flight
 * as the budget allows: at most twice what it takes without. */
static void rollouts(struct fleet *f, double floor_ms, bool limits)
{
	static struct samples whole, report, idle;
	static const char *const names[][3] = {
		{ "all runs, told anew", "  one node reports", "  nothing changed" },
		{ "100 roll-outs, told anew", "  one node reports", "  nothing changed" },
	};
	double without[3] = { 0 };
	for (int rollout = 0; rollout < 2; rollout++) {
		f->rollout = rollout;
		double since = now_ms();
		while (more(&whole, since, TIME_MS)) {
			tell_running(f, rollout ? 2 : 1);
			double start = now_ms();
			size_t changes = run(f);
			whole.ms[whole.count++] = now_ms() - start;
			uint32_t budget = f->nodes / 10 > 1 ? f->nodes / 10 : 1;
			want(changes, rollout ? (size_t)budget * SERVICES : 0);
		}
		since = now_ms();
		for (uint32_t i = 0; more(&report, since, TIME_MS); i++) {
			node_reports(f, i);
			double start = now_ms();
			want(run(f), 0);
			report.ms[report.count++] = now_ms() - start;
		}
		since = now_ms();
		while (more(&idle, since, TIME_MS)) {
			double start = now_ms();
			want(run(f), 0);
			idle.ms[idle.count++] = now_ms() - start;
		}
		struct samples *samples[] = { &whole, &report, &idle };
		for (int i = 0; i < 3; i++)
			without[i] = print(names[rollout][i], f->nodes, samples[i], floor_ms,
					   limits ? 2 * without[i] : 0);
	}
	f->rollout = false;
}

/* What the planner holds, and the most that the process ever had: the changes are in it too. */
static void print_memory(uint32_t nodes, long before_kib, bool limits)
{
	double held = (double)(status_kib("VmRSS:") - before_kib) / 1024,
	       most = (double)status_kib("VmHWM:") / 1024;
	printf("%-25s %6u %7.1f MB %7.1f MB %8s  %s\n", "  memory: held, at most", nodes, held,
	       most, "", limits ? most <= 256 ? "256 MB: met" : "256 MB: MISSED" : "");
}

int main(void)
{
	static struct samples s;
	static const uint32_t sizes[] = { 10, 100, 1000, 10000 };
	printf("%-25s %6s %10s %10s %8s  %s\n", "plan: 100 services", "nodes", "median ms",
	       "p99 ms", "x memcpy", "at most");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fleet f;
		bool limits = sizes[i] == 10000;
		double floor_ms = copy_floor(sizes[i], &s);
		long before = status_kib("VmRSS:");
		fleet_init(&f, sizes[i]);
		from_nothing(&f, floor_ms, limits);
		print_memory(sizes[i], before, limits);
		node_changes(&f, floor_ms, limits);
		plan_service_id id = planner_service_find(f.planner, "default", "svc-050");
		all_ready(&f, id);
		service_changes(&f, floor_ms, limits);
		service_comes(&f, floor_ms, limits);
		rollouts(&f, floor_ms, limits);
		fleet_release(&f);
	}
	return EXIT_DONE;
}
