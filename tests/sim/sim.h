/*
 * The simulator: a whole fleet in one process and in virtual time. The shipped control_step(),
 * node_step() and node_claim(), and around them: a store behind links that lose, delay and double,
 * engines, disks, machines and a repository, all of a few lines and all drawn from one seed.
 *
 * Time moves from event to event: what is idle costs nothing. One seed replays everything: nothing
 * depends on addresses, hashing or the clock of the machine that runs it, and the hash over all
 * events and effects is the same for every compiler.
 *
 * Oracles (oracle_*.c) know nothing of the planner: they look at what was put, told, started and
 * stopped, and fail at the first event that must not be.
 */
#ifndef MUSTER_SIM_H
#define MUSTER_SIM_H

#include "control/state.h"
#include "node/claim.h"
#include "node/node.h"

#define FLEET	     "0123456789abcdef0123456789abcdef"
#define SERVICES     4
#define MACHINES_MAX 64 /* names are given once: also those of machines that are no more */
#define KEY_MAX	     48
#define NEVER	     INT64_MAX
#define SECOND	     ((int64_t)1000)
#define MINUTE	     (60 * SECOND)
#define HOUR	     (60 * MINUTE)
#define UNIX_ZERO_MS INT64_C(1700000000000)

struct sim;

/* --- events -------------------------------------------------------------------------------------
 */

enum event_kind {
	/* Of the store's links. */
	EV_REQUEST, /* arrives at the store */
	EV_ANSWER,  /* arrives at who asked */
	EV_WATCH,   /* a message of a watch */
	/* Timers of the controller. */
	EV_CONTROLLER_START,
	EV_CONTROLLER_STEP,
	EV_CONTROLLER_WAKE,
	EV_CONTROLLER_BEATS,
	EV_CONTROLLER_RELIST,
	EV_CONTROLLER_REOPEN,
	EV_CONTROLLER_SOURCE,
	/* Timers of a machine and its agent. */
	EV_AGENT_START,
	EV_AGENT_STEP,
	EV_AGENT_WAKE,
	EV_AGENT_BEAT,
	EV_AGENT_OBSERVED,
	EV_AGENT_RELIST,
	EV_AGENT_REOPEN,
	EV_AGENT_CLAIM,
	EV_ENGINE,
	/* Of the world. */
	EV_FAULT,
	EV_HEAL,
	EV_COMMIT,
	EV_CHECK,
	EV_COUNT
};

struct event {
	int64_t at_ms;
	uint64_t order;
	enum event_kind kind;
	uint32_t who;  /* CONTROLLER or the index of a machine */
	uint32_t life; /* of that; of another life: void */
	uint32_t what; /* EV_HEAL: the fault */
	void *data;    /* EV_REQUEST, EV_ANSWER: struct request; EV_WATCH: its key */
};
#define CONTROLLER MACHINES_MAX
#define WORLD	   (MACHINES_MAX + 1)

struct queue {
	VEC(struct event) heap;
	uint64_t order;
};
void queue_push(struct queue *queue, struct event event);
bool queue_pop(struct queue *queue, struct event *out);

/* --- documents ----------------------------------------------------------------------------------
 */

/* What an observed document says of a service, for the oracles: of what it was made from. */
struct told_task {
	bool there, ready, failed;
	bool old_ready; /* a task of another target than the entry's is ready */
	struct digest target;
};
struct told {
	uint64_t seen;
	char instance[UUID_TEXT_LEN + 1], session[UUID_TEXT_LEN + 1];
	struct told_task of[SERVICES];
};

/* Immutable and counted. Decoded at most once. */
struct doc {
	uint32_t refs;
	char *bytes;
	size_t len;
	uint64_t hash;
	bool tried, whole; /* as a desired document */
	struct arena arena;
	struct wire_desired desired;
	bool has_told;
	struct told told;
};
struct doc *doc_new(const void *bytes, size_t len);
struct doc *doc_ref(struct doc *doc);
void doc_drop(struct doc *doc); /* NULL too */
const struct wire_desired *doc_desired(struct doc *doc, const char *node, struct err *err);

/* --- the store and its links --------------------------------------------------------------------
 */

struct entry {
	char key[KEY_MAX];
	struct doc *now;     /* NULL: absent */
	struct doc *durable; /* what a crash of the store's machine leaves */
	int64_t changed_ms;
};
struct store {
	struct map *entries; /* key -> struct entry */
	uint64_t beats[MACHINES_MAX], seconds[MACHINES_MAX];
	bool lost[MACHINES_MAX]; /* its registration went back to an earlier one */
	bool down;
};

enum request_kind { R_OPEN, R_LOCK, R_GET, R_LIST, R_BEATS, R_PUT, R_CAS, R_REMOVE };
struct request {
	enum request_kind kind;
	uint32_t who, life;
	char key[KEY_MAX]; /* or prefix */
	struct doc *doc;   /* PUT, CAS: to be written; GET: the answer */
	struct doc *old;   /* CAS: in the place of exactly this; NULL: of none */
	bool synced;
	uint64_t look;
	/* The answer. */
	bool ok, swapped;
	bool executed;
	VEC(struct listed {
		char key[KEY_MAX];
		struct doc *doc;
	})
	list;
	uint64_t beats[MACHINES_MAX], seconds[MACHINES_MAX];
};

struct link {
	bool cut;
	int64_t sent_ms, answered_ms; /* requests are carried out and answered in their order */
};

/* Sends it; the answer comes as EV_ANSWER to the same life of who asked. */
struct request *request_new(struct sim *sim, uint32_t who, enum request_kind kind, const char *key);
void request_send(struct sim *sim, struct request *request);
void request_free(struct request *request);
void store_execute(struct sim *sim, struct request *request);
void store_crash(struct sim *sim);
struct doc *store_doc(const struct sim *sim, const char *kind, uint32_t machine);
/* A document is damaged, not by its writer. */
void store_damage(struct sim *sim, const char *key);
void store_init(struct sim *sim);
void store_free(struct sim *sim);
const char *key_of(char out[KEY_MAX], const char *kind, const char *name);
uint32_t key_machine(const struct sim *sim, const char *key); /* MACHINES_MAX: none */

/* --- the repository -----------------------------------------------------------------------------
 */

/* How tasks of a task definition behave. */
enum profile {
	PROFILE_GOOD,
	PROFILE_CHECKED, /* good, with a health check */
	PROFILE_LATE,	 /* good, healthy only after a while */
	PROFILE_CRASH,
	PROFILE_SICK,	  /* its health check fails */
	PROFILE_NO_START, /* cannot be started */
	PROFILE_NO_PREPARE,
	PROFILE_HANG, /* does not come to run for long, and then fails */
	PROFILE_COUNT
};
#define PROFILE_FIRST_BAD PROFILE_CRASH
const char *profile_name(enum profile profile);

struct tree_service {
	bool present;
	enum profile profile;
	uint32_t version;
};
struct tree {
	struct tree_service of[SERVICES];
	uint64_t drained; /* bit: machine */
	bool invalid;
};
struct file {
	char path[24];
	char *text;
	char blob[DIGEST_HEX_LEN + 1];
};
#define FILES_MAX (2 * SERVICES + 2)
struct commit {
	char id[41];
	int32_t parent; /* index; -1: the first */
	struct tree tree;
	struct file files[FILES_MAX];
	uint32_t file_count;
};
/* What stays the same of a service in all commits of a seed. */
struct service_fixed {
	uint32_t min_healthy, max_percent, monitor_s, min_ready_s, deadline_s;
	bool breaker;	   /* with rollback; else off */
	bool keep;	   /* drain: keep */
	const char *steps; /* of its rollout; NULL: none */
	int32_t priority;
	int depends_on;	  /* index of a service, or -1 */
	bool constrained; /* attribute:env == prod */
};
struct repo {
	VEC(struct commit *) commits;
	int32_t head;
	struct service_fixed fixed[SERVICES];
	uint32_t services;
	uint32_t versions; /* given so far */
};
int32_t repo_commit(struct sim *sim, const struct tree *tree, int32_t parent);
/* The snapshot that a source gives to who has `have` (-1: nothing). In the arena. */
struct source_snapshot repo_snapshot(const struct sim *sim, int32_t index, int32_t have,
				     struct arena *arena);
bool repo_is_ancestor(const struct sim *sim, int32_t old, int32_t index);
void repo_free(struct sim *sim);
/* Of the branch's commits the last that is valid. */
const struct tree *repo_valid_tree(const struct sim *sim);
bool repo_wants(const struct sim *sim, const struct tree *tree, uint32_t service, uint32_t machine);

/* --- machines -----------------------------------------------------------------------------------
 */

struct task {
	char id[UUID_TEXT_LEN + 1];
	uint32_t service;
	char family[16], deployment[32];
	uint32_t revision, version;
	enum profile profile;
	struct digest target;
	enum task_status status;
	int64_t started_ms, stopped_ms; /* boot clock */
	int64_t due_ms, health_ms;	/* virtual time of its next change; NEVER */
	int64_t good_since_ms;		/* virtual time; 0: it is not good now */
	int64_t stop_asked_ms;		/* virtual time */
	enum health_status health;
	bool checked, stop_requested, earlier_boot, did_not_start;
	char reason[96];
	bool unhealthy; /* asked to stop because of that */
};

struct prepare {
	struct digest target;
	enum prepare_state state;
	int64_t due_ms;
	bool fails, bad; /* bad: each time */
};

/* The oracle's, of a service on a machine. */
struct series {
	struct digest target;
	uint32_t count;
	int64_t allowed_ms;	 /* boot clock: no start before */
	bool started, was_ready; /* since the boot */
	bool ran;		 /* since the boot, and the agent has not forgotten it */
	uint64_t last_number;	 /* of the last document that had it; 0: the agent has forgotten */
	int priority;		 /* there: the highest of its own and of those that need it */
	uint32_t needs;		 /* there: bits of services that start before it */
};

enum claim { CLAIM_NONE, CLAIM_WAITING, CLAIM_TAKING, CLAIM_HELD, CLAIM_LOST };

struct machine {
	char name[8]; /* "n" and its index */
	uint32_t index;
	bool on, alive; /* the machine; its agent */
	bool retired;	/* no more: renamed, or never to come back */
	uint32_t life, boot, sessions, instances;
	int64_t boot_ms; /* virtual time of its boot: its boot clock counts from there */
	int64_t wall_ms; /* its wall clock is so far off */
	bool prod;	 /* attribute env */
	struct link link;
	int64_t due_ms[EV_COUNT]; /* timers */

	/* Engine. */
	VEC(struct task) tasks;
	uint32_t ids;
	bool engine_away, engine_slow, disk_full;

	/* Disk. */
	struct doc *copy; /* the agent's own of its desired document; synced */
	struct buf memory_file, memory_synced;
	char instance[UUID_TEXT_LEN + 1];

	/* Agent. */
	struct node_memory *memory;
	bool store_ok;
	enum claim claim;
	struct node_silence silence;
	enum node_holder holder;
	struct doc *record; /* nodes/NODE as it was read or written last */
	bool registration_pending, registration_dirty;
	char session[UUID_TEXT_LEN + 1];
	uint64_t highest, seen, seen_pending, seen_written;
	bool observed_pending, observed_dirty;
	struct doc *observed; /* put last */
	struct prepare prepares[SERVICES];
	struct node_output last;
	struct arena report;

	struct series series[SERVICES];
};

int64_t boot_clock(const struct sim *sim, const struct machine *m);
struct machine *machine_add(struct sim *sim);
void machine_free(struct machine *m);
void machine_power_off(struct sim *sim, struct machine *m);
void machine_boot(struct sim *sim, struct machine *m);
/* Engine. */
void engine_advance(struct sim *sim, struct machine *m);
void engine_start(struct sim *sim, struct machine *m, const struct wire_desired_task *want);
void engine_stop(struct sim *sim, struct machine *m, struct task *t, const char *reason);
void engine_prepare(struct sim *sim, struct machine *m, const struct wire_desired_task *want);
void engine_end(struct sim *sim, struct machine *m, struct task *t);
void engine_timer(struct sim *sim, struct machine *m);
struct task *engine_find(struct machine *m, const char *id);
bool task_alive(const struct task *t);
uint32_t service_index(const char *name);
/* Agent. */
void agent_start(struct sim *sim, struct machine *m);
void agent_kill(struct sim *sim, struct machine *m, bool unsynced_lost);
void agent_event(struct sim *sim, struct machine *m, const struct event *event);
void agent_answer(struct sim *sim, struct machine *m, struct request *request);
void agent_step_soon(struct sim *sim, struct machine *m);
void agent_claim(struct sim *sim, struct machine *m);
void agent_claim_answer(struct sim *sim, struct machine *m, struct request *request);
void agent_register(struct sim *sim, struct machine *m);
void agent_store_failed(struct sim *sim, struct machine *m);
void agent_desired_look(struct sim *sim, struct machine *m);
void agent_observed_put(struct sim *sim, struct machine *m);
void agent_observed_changed(struct sim *sim, struct machine *m, bool urgent);
void agent_beat(struct sim *sim, struct machine *m);

/* --- the controller -----------------------------------------------------------------------------
 */

struct controller {
	bool alive;
	uint32_t life;
	struct control *c;
	struct link link;
	int64_t due_ms[EV_COUNT];
	int64_t wall_ms;
	uint32_t listing;
	bool list_failed, listed;
	int64_t listed_at_ms;
	int32_t have;	 /* index of the last taken commit */
	int32_t applied; /* kept on its disk; -1: none */
	bool source_away;
};
void controller_start(struct sim *sim);
/* Requests under way are carried out, or not. */
void controller_kill(struct sim *sim, int64_t back_in_ms, bool state_lost);
void controller_event(struct sim *sim, const struct event *event);
void controller_answer(struct sim *sim, struct request *request);
void controller_step_soon(struct sim *sim);

#include "faults.h"

/* --- oracles ------------------------------------------------------------------------------------
 */

/* An update by the controller's hand of a task that was ready, until it is ready again. */
struct flight {
	bool on;
	bool maybe;	 /* the store lost something: nobody can know of it */
	bool free;	 /* there was nothing ready to be taken down */
	uint64_t number; /* of the document that says so; 0: none was put yet */
	struct digest target;
};
/* What the controller said of a service's deployments before the present step. */
struct rollout_seen {
	struct digest failed[2]; /* targets of which there must be no more launches; none */
	char id[32], commit[65];
	bool is_rollback, has_failed;
};
struct oracle {
	/* What the present controller was told. */
	struct doc *observed[MACHINES_MAX];
	uint64_t beat[MACHINES_MAX];
	int64_t heard_ms[MACHINES_MAX]; /* when there was a sign of life that it was told of */
	char instance[MACHINES_MAX][UUID_TEXT_LEN + 1], session[MACHINES_MAX][UUID_TEXT_LEN + 1];
	struct digest assigned[MACHINES_MAX][SERVICES]; /* before the present step */
	uint64_t highest[MACHINES_MAX];
	bool uncertain[MACHINES_MAX]; /* ... and has not been told anew how things are */
	bool went_back[MACHINES_MAX]; /* the store lost a document: numbers may come again */
	struct flight flight[MACHINES_MAX][SERVICES];
	/* ... as the last put has it, and the last that reached the store. */
	struct flight put[MACHINES_MAX][SERVICES], stored[MACHINES_MAX][SERVICES];
	struct rollout_seen rollout[SERVICES];
};
void oracle_controller_started(struct sim *sim);
void oracle_forgotten(struct sim *sim, uint32_t machine);
void oracle_beat(struct sim *sim, uint32_t machine, uint64_t beat);
void oracle_told(struct sim *sim, const char *key, struct doc *doc);
void oracle_before_step(struct sim *sim);
void oracle_after_step(struct sim *sim);
void oracle_put(struct sim *sim, uint32_t machine, struct doc *doc);
void oracle_stored(struct sim *sim, uint32_t machine, struct doc *doc);
void oracle_store_lost(struct sim *sim, uint32_t machine);
void oracle_looks(struct sim *sim, struct machine *m); /* the agent sees what runs */
void oracle_start(struct sim *sim, struct machine *m, const struct wire_desired_task *want);
void oracle_stop(struct sim *sim, struct machine *m, const struct task *t, const char *reason);
void oracle_task_ended(struct sim *sim, struct machine *m, const struct task *t);
void oracle_desired(struct sim *sim, struct machine *m); /* the agent goes by another document */
void oracle_forgot(struct machine *m);			 /* memory of the agent was lost */
void oracle_booted(struct sim *sim, struct machine *m);
void oracle_rollouts_before(struct sim *sim);
void oracle_rollouts_after(struct sim *sim);
void oracle_launch(struct sim *sim, uint32_t machine, uint32_t service, const struct digest *now);
bool oracle_at_rest(const struct sim *sim); /* no task is left that starts ever again */
bool oracle_converged(struct sim *sim, char why[160]);
void oracle_free(struct sim *sim);

/* --- the whole ----------------------------------------------------------------------------------
 */

struct mark { /* one line of the trace */
	int64_t at_ms;
	uint64_t event;
	uint32_t who;
	const char *what; /* literal */
	char text[72];
	uint64_t a;
};
#define MARKS 160

enum phase { PHASE_BEGIN, PHASE_CHAOS, PHASE_CALM, PHASE_SETTLED, PHASE_QUIET };

struct sim {
	uint64_t seed, random, events, hash;
	int64_t now_ms;
	struct queue queue;
	struct store store;
	struct repo repo;
	struct controller controller;
	struct machine *machines[MACHINES_MAX];
	uint32_t machine_count;
	struct chances chances;
	uint32_t weights[FAULT_COUNT];
	bool static_only; /* nothing but faults of the infrastructure: no task may be stopped */
	bool settled;	  /* it was converged once */
	bool fresh;	  /* the last commit is good and new: it must come through */
	enum phase phase;
	uint64_t effects_at_rest;
	int64_t phase_since_ms;
	uint64_t phase_until, events_wanted;
	bool over;
	int64_t due_ms[EV_COUNT];
	struct oracle oracle;
	struct coverage *coverage;
	struct mark marks[MARKS];
	uint64_t mark_count;
	bool print;	  /* all lines, as they come */
	uint64_t effects; /* puts, removals and actions so far */
};

/* xorshift64* */
static inline uint32_t draw(struct sim *sim, uint32_t below)
{
	uint64_t x = sim->random;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	sim->random = x;
	uint32_t number = (uint32_t)((x * 0x2545f4914f6cdd1d) >> 33);
	return below ? number % below : 0;
}

static inline int64_t draw_ms(struct sim *sim, int64_t from, int64_t to)
{
	return from + (int64_t)draw(sim, (uint32_t)(to - from + 1));
}

/* A timer of who: only the last setting of it counts. */
void timer_at(struct sim *sim, uint32_t who, enum event_kind kind, int64_t at_ms);
void timer_off(struct sim *sim, uint32_t who, enum event_kind kind);

/* Into the hash and the last lines. */
void mark(struct sim *sim, uint32_t who, const char *what, const char *text, uint64_t a);
void marks_print(const struct sim *sim);
void sim_fail(struct sim *sim, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);

/* Gives the hash. */
uint64_t sim_run(uint64_t seed, uint64_t events, bool print, struct coverage *coverage);

#endif
