/*
 * SEED=1 N=300 EVENTS=20000 JOBS=2: so many seeds from SEED on, of so many events each, in so many
 * processes. TRACE=1 prints all lines of what happens. Prints TAP, the coverage, and one hash over
 * all seeds; the first seed that fails prints its last lines and how to run it again.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX     64
#define FAILURES_MAX 20

struct shared {
	struct coverage of[JOBS_MAX];
	uint64_t hash[JOBS_MAX]; /* of its seeds together; their order does not matter */
	uint64_t at[JOBS_MAX];	 /* the seed that it is at, counted from the first */
};

struct options {
	uint64_t seed, count, events, jobs;
	bool trace;
};

#define SEED_FIRST 1

static uint64_t option(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void run_job(const struct options *o, struct shared *shared, uint64_t job)
{
	for (; shared->at[job] < o->count; shared->at[job] += o->jobs) {
		uint64_t seed = o->seed + shared->at[job];
		uint64_t hash = sim_run(seed, o->events, o->trace, &shared->of[job]);
		shared->hash[job] += hash * (2 * seed + 1);
		if (o->count == 1)
			printf("# seed %llu: hash %016llx\n", (unsigned long long)seed,
			       (unsigned long long)hash);
	}
	fflush(stdout);
}

static pid_t start_job(const struct options *o, struct shared *shared, uint64_t job)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		run_job(o, shared, job);
		_Exit(0);
	}
	return pid;
}

/* A seed that fails ends its process: another one goes on behind it. */
static uint64_t run_jobs(const struct options *o, struct shared *shared)
{
	uint64_t failed = 0, running = o->jobs;
	pid_t pids[JOBS_MAX];
	for (uint64_t job = 0; job < o->jobs; job++) {
		shared->at[job] = job;
		pids[job] = start_job(o, shared, job);
	}
	while (running > 0) {
		int status;
		pid_t pid = wait(&status);
		if (pid < 0 && errno != EINTR)
			abort();
		uint64_t job = 0;
		while (job < o->jobs && pids[job] != pid)
			job++;
		if (job == o->jobs)
			continue;
		running--;
		failed += status != 0;
		shared->at[job] += o->jobs;
		if (status == 0 || failed >= FAILURES_MAX || shared->at[job] >= o->count)
			continue;
		pids[job] = start_job(o, shared, job);
		running++;
	}
	return failed;
}

static void add(struct coverage *to, const struct coverage *from)
{
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)from;
	for (size_t i = 0; i < sizeof(*to) / sizeof(*a); i++)
		a[i] += b[i];
}

int main(void)
{
	struct options o = { .seed = option("SEED", SEED_FIRST),
			     .count = option("N", 300),
			     .events = option("EVENTS", 20000),
			     .jobs = option("JOBS", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN)),
			     .trace = option("TRACE", 0) };
	o.jobs = o.jobs > JOBS_MAX ? JOBS_MAX : o.jobs > o.count ? o.count : o.jobs;
	o.jobs = o.jobs ? o.jobs : 1;
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	printf("1..1\n");
	uint64_t failed = run_jobs(&o, shared), hash = 0;
	struct coverage all = { 0 };
	for (uint64_t job = 0; job < o.jobs; job++) {
		add(&all, &shared->of[job]);
		hash += shared->hash[job];
	}
	coverage_print(&all);
	printf("# hash %016llx\n", (unsigned long long)hash);
	printf("%sok 1 - fleets are safe on every road and get there: %llu seeds from %llu on, "
	       "%llu "
	       "failed\n",
	       failed ? "not " : "", (unsigned long long)o.count, (unsigned long long)o.seed,
	       (unsigned long long)failed);
	return failed ? EXIT_DIFFERS : EXIT_DONE;
}
