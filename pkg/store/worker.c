#include "store/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK_BYTES (256 << 10)

struct queue {
	struct job *first, **end;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t mutex; /* what follows, up to the next comment */
	pthread_cond_t asked_for, has_ended;
	struct queue asked, answered;
	bool working, closing, ended, abandoned, needs_poll;
	void (*wake)(void *arg);
	void *wake_arg;

	/* the thread's own */
	const struct store_ops *ops;
	char *where;
	enum store_role role;
	char fleet[33]; /* empty: not known */
	void *self;	/* NULL: not open */
	bool locked;	/* is to hold the controller's lock */
};

/* --- jobs ------------------------------------------------------------------------------------ */

struct job *job_new(enum job_kind kind, const char *key)
{
	struct job *job = xcalloc(1, sizeof(*job));
	job->kind = kind;
	job->key = key ? xstrdup(key) : NULL;
	return job;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	free(job->key);
	buf_release(&job->bytes);
	buf_release(&job->old);
	buf_release(&job->value);
	arena_release(&job->entries.arena);
	free(job);
}

void job_free_all(struct job *job)
{
	for (struct job *next; job; job = next) {
		next = job->next;
		job_free(job);
	}
}

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static void queue_push(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

static struct job *queue_pop(struct queue *queue)
{
	struct job *job = queue->first;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	job->next = NULL;
	return job;
}

static struct job *queue_take_all(struct queue *queue)
{
	struct job *first = queue->first;
	queue_init(queue);
	return first;
}

/* --- the back end ---------------------------------------------------------------------------- */

static void close_back_end(struct worker *w)
{
	if (w->self)
		w->ops->close(w->self);
	w->self = NULL;
}

static bool open_back_end(struct worker *w, struct err *err)
{
	if (w->self)
		return true;
	bool needs_poll = w->ops->needs_poll(w->where);
	pthread_mutex_lock(&w->mutex);
	w->needs_poll = needs_poll;
	pthread_mutex_unlock(&w->mutex);
	if (!w->ops->open(w->where, w->role, w->fleet[0] ? w->fleet : NULL, &w->self, err)) {
		w->self = NULL;
		return false;
	}
	char fleet[33];
	if (w->ops->fleet(w->self, fleet, err) &&
	    (!w->locked || w->ops->lock_controller(w->self, err))) {
		memcpy(w->fleet, fleet, sizeof(fleet));
		return true;
	}
	close_back_end(w);
	return false;
}

/* Errors after which what is open is of no use any more. */
static bool is_away(int code)
{
	static const int codes[] = { ENOENT,	   ENOTDIR,	 ESTALE,      ENODEV,
				     ENXIO,	   ENOTCONN,	 ECONNRESET,  ECONNREFUSED,
				     ECONNABORTED, EHOSTUNREACH, ENETUNREACH, ESHUTDOWN,
				     EPIPE };
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

/* --- what each kind of job does -------------------------------------------------------------- */

static bool run_open(struct worker *w, struct job *job)
{
	return w->ops->fleet(w->self, job->fleet, &job->err);
}

static bool run_get(struct worker *w, struct job *job)
{
	return w->ops->get(w->self, job->key, &job->value, &job->found, &job->err);
}

static bool run_put(struct worker *w, struct job *job)
{
	return w->ops->put(w->self, job->key, buf_str(&job->bytes), job->bytes.len, job->flags,
			   &job->err);
}

static bool run_list(struct worker *w, struct job *job)
{
	return w->ops->list(w->self, job->key, &job->entries, &job->err);
}

static bool run_remove(struct worker *w, struct job *job)
{
	return w->ops->remove(w->self, job->key, &job->err);
}

static bool run_cas(struct worker *w, struct job *job)
{
	return w->ops->cas(w->self, job->key, job->has_old ? buf_str(&job->old) : NULL,
			   job->old.len, buf_str(&job->bytes), job->bytes.len, job->flags,
			   &job->swapped, &job->err);
}

static bool run_beat(struct worker *w, struct job *job)
{
	return w->ops->beat(w->self, job->key, &job->err);
}

static bool run_beats(struct worker *w, struct job *job)
{
	return w->ops->beats(w->self, &job->entries, &job->err);
}

static bool run_lock_controller(struct worker *w, struct job *job)
{
	bool ok = w->ops->lock_controller(w->self, &job->err);
	w->locked = w->locked || ok;
	return ok;
}

static bool (*const runs[JOB_KINDS])(struct worker *w, struct job *job) = {
	[JOB_OPEN] = run_open,
	[JOB_GET] = run_get,
	[JOB_PUT] = run_put,
	[JOB_LIST] = run_list,
	[JOB_REMOVE] = run_remove,
	[JOB_CAS] = run_cas,
	[JOB_BEAT] = run_beat,
	[JOB_BEATS] = run_beats,
	[JOB_LOCK_CONTROLLER] = run_lock_controller,
};

static void run(struct worker *w, struct job *job)
{
	bool was_open = w->self != NULL;
	job->ok = open_back_end(w, &job->err) && runs[job->kind](w, job);
	if (job->ok || !is_away(job->err.code))
		return;
	close_back_end(w);
	if (job->kind == JOB_OPEN && was_open)
		job->ok = open_back_end(w, &job->err) && run_open(w, job);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void worker_destroy(struct worker *w)
{
	job_free_all(queue_take_all(&w->asked));
	job_free_all(queue_take_all(&w->answered));
	pthread_cond_destroy(&w->asked_for);
	pthread_cond_destroy(&w->has_ended);
	pthread_mutex_destroy(&w->mutex);
	free(w->where);
	free(w);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	pthread_mutex_lock(&w->mutex);
	for (;;) {
		while (!w->closing && !w->asked.first)
			pthread_cond_wait(&w->asked_for, &w->mutex);
		if (w->closing)
			break;
		struct job *job = queue_pop(&w->asked);
		w->working = true;
		pthread_mutex_unlock(&w->mutex);
		run(w, job);
		pthread_mutex_lock(&w->mutex);
		w->working = false;
		queue_push(&w->answered, job);
		if (!w->closing)
			w->wake(w->wake_arg);
	}
	pthread_mutex_unlock(&w->mutex);
	close_back_end(w);
	pthread_mutex_lock(&w->mutex);
	w->ended = true;
	bool abandoned = w->abandoned;
	pthread_cond_signal(&w->has_ended);
	pthread_mutex_unlock(&w->mutex);
	if (abandoned)
		worker_destroy(w);
	return NULL;
}

/* With a small stack, and no signals: those are for the loop's thread. */
static int start_thread(struct worker *w)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&w->thread, &attributes, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

struct worker *worker_new(const struct store_ops *ops, const char *where, enum store_role role,
			  const char *fleet, void (*wake)(void *arg), void *arg, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	w->ops = ops;
	w->where = xstrdup(where);
	w->role = role;
	if (fleet)
		memcpy(w->fleet, fleet, strnlen(fleet, sizeof(w->fleet) - 1));
	w->needs_poll = true;
	w->wake = wake;
	w->wake_arg = arg;
	queue_init(&w->asked);
	queue_init(&w->answered);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->asked_for, NULL);
	pthread_cond_init(&w->has_ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int error = start_thread(w);
	if (error == 0)
		return w;
	worker_destroy(w);
	err_set(err, error, "start the store's thread");
	return NULL;
}

void worker_free(struct worker *w, int64_t wait_ms)
{
	if (!w)
		return;
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += wait_ms % 1000 * 1000000;
	until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;

	pthread_mutex_lock(&w->mutex);
	w->closing = true;
	pthread_cond_signal(&w->asked_for);
	int rc = 0;
	while (!w->ended && rc == 0)
		rc = pthread_cond_timedwait(&w->has_ended, &w->mutex, &until);
	bool ended = w->ended;
	pthread_t thread = w->thread;
	w->abandoned = !ended;
	pthread_mutex_unlock(&w->mutex);
	if (ended) {
		pthread_join(thread, NULL);
		worker_destroy(w);
	} else {
		pthread_detach(thread);
	}
}

/* --- between the threads --------------------------------------------------------------------- */

void worker_ask(struct worker *w, struct job *job)
{
	pthread_mutex_lock(&w->mutex);
	queue_push(&w->asked, job);
	pthread_cond_signal(&w->asked_for);
	pthread_mutex_unlock(&w->mutex);
}

struct job *worker_take(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	struct job *jobs = queue_take_all(&w->answered);
	pthread_mutex_unlock(&w->mutex);
	return jobs;
}

bool worker_recall(struct worker *w, struct job **jobs, bool *working)
{
	pthread_mutex_lock(&w->mutex);
	bool answered = w->answered.first != NULL;
	if (!answered) {
		*jobs = queue_take_all(&w->asked);
		*working = w->working;
	}
	pthread_mutex_unlock(&w->mutex);
	return !answered;
}

bool worker_needs_poll(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	bool needs_poll = w->needs_poll;
	pthread_mutex_unlock(&w->mutex);
	return needs_poll;
}
