/*
 * store/worker: the thread that runs a back end, one job after the other.
 *
 * Who owns what: a job is the loop's until worker_ask(), the worker's until worker_take() gives it
 * back. The worker is shared by both threads; whoever is the last to leave frees it.
 */
#ifndef MUSTER_STORE_WORKER_H
#define MUSTER_STORE_WORKER_H

#include "store/store.h"

enum job_kind {
	JOB_OPEN,
	JOB_GET,
	JOB_PUT,
	JOB_LIST,
	JOB_REMOVE,
	JOB_CAS,
	JOB_BEAT,
	JOB_BEATS,
	JOB_LOCK_CONTROLLER,
	JOB_KINDS,
};

struct job {
	struct job *next;
	enum job_kind kind;
	char *key; /* or the prefix, or the node */
	struct buf bytes, old;
	bool has_old;
	unsigned flags;

	bool ok, found, swapped;
	struct err err;
	struct buf value;
	struct store_entries entries;
	char fleet[33];
};

struct job *job_new(enum job_kind kind, const char *key);
void job_free(struct job *job);
void job_free_all(struct job *first);

struct worker;

/* wake(arg) is called on the worker's thread after each answer, and never after worker_free(). */
struct worker *worker_new(const struct store_ops *ops, const char *where, enum store_role role,
			  const char *fleet, void (*wake)(void *arg), void *arg, struct err *err);
/* Waits up to wait_ms for the back end to close; one that hangs keeps its thread. */
void worker_free(struct worker *worker, int64_t wait_ms);
void worker_ask(struct worker *worker, struct job *job);
/* What was answered since, in the order in which it was asked; NULL: nothing. */
struct job *worker_take(struct worker *worker);
/*
 * Take back what was not begun; *working: one more is being worked on, and will be answered. False:
 * nothing is taken back, as there are answers to take.
 */
bool worker_recall(struct worker *worker, struct job **jobs, bool *working);
/* See store_ops.needs_poll; true as long as nobody knows. */
bool worker_needs_poll(struct worker *worker);

#endif
