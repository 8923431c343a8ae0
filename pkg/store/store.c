#include "store/store.h"

#include "loop/loop.h"
#include "store/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CLOSE_WAIT_MS 200

/* A request that was not answered yet. */
struct call {
	struct call *next;
	store_answered done;
	void *arg;
};

struct calls {
	struct call *first, **end;
};

struct store {
	struct loop *loop;
	const struct store_ops *ops;
	char *where;
	struct worker *worker;
	uv_async_t answered;
	struct timer *deadline; /* of the job that the worker is at: runs while there is one */
	int64_t deadline_ms;
	struct calls waiting; /* each has a job at the worker, in this order */
	struct calls refused; /* asked while the back end hung: answered with ETIMEDOUT */
	bool hangs;	      /* the worker is at a job whose answer is to be dropped */
	bool freed;
	void *watch;
};

/* --- back ends ------------------------------------------------------------------------------- */

static const struct store_ops *const back_ends[] = { &store_dir_ops };

static const char *skip_scheme(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);
	return strncmp(url, scheme, len) == 0 && url[len] == ':' ? url + len + 1 : NULL;
}

const struct store_ops *store_ops_of(const char *url, const char **where, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(back_ends); i++) {
		*where = skip_scheme(url, back_ends[i]->scheme);
		if (*where && **where)
			return back_ends[i];
	}
	err_set(err, 0, "store '%s': only dir:PATH is known", url);
	return NULL;
}

/* --- calls ----------------------------------------------------------------------------------- */

static void calls_init(struct calls *calls)
{
	calls->first = NULL;
	calls->end = &calls->first;
}

static void calls_push(struct calls *calls, store_answered done, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));
	*call = (struct call){ .done = done, .arg = arg };
	*calls->end = call;
	calls->end = &call->next;
}

static struct call calls_pop(struct calls *calls)
{
	struct call call = *calls->first;
	free(calls->first);
	calls->first = call.next;
	if (!calls->first)
		calls->end = &calls->first;
	return call;
}

static void calls_release(struct calls *calls)
{
	while (calls->first)
		calls_pop(calls);
}

static void deliver(struct calls *calls, const struct store_answer *answer)
{
	struct call call = calls_pop(calls);
	if (call.done)
		call.done(call.arg, answer);
}

/* Answer those that are waiting now; what they ask in turn is not for this answer. */
static void time_out(struct store *store, struct calls *calls)
{
	struct store_answer answer = { .ok = false };
	err_set(&answer.err, ETIMEDOUT, "store '%s' gave no answer in %lld ms", store->where,
		(long long)store->deadline_ms);
	struct calls now = *calls;
	if (!now.first)
		return;
	calls_init(calls);
	while (now.first && !store->freed)
		deliver(&now, &answer);
	calls_release(&now);
}

/* --- answers --------------------------------------------------------------------------------- */

static void deliver_job(struct store *store, const struct job *job)
{
	struct store_answer answer = {
		.ok = job->ok,
		.found = job->found,
		.swapped = job->swapped,
	};
	if (!job->ok) {
		answer.err = job->err;
	} else if (job->kind == JOB_GET && job->found) {
		answer.bytes = buf_str(&job->value);
		answer.len = job->value.len;
	} else if (job->kind == JOB_LIST || job->kind == JOB_BEATS) {
		answer.entries = &job->entries;
	} else if (job->kind == JOB_OPEN) {
		answer.fleet = job->fleet;
	}
	deliver(&store->waiting, &answer);
}

/* The worker goes on with the next job, if there is one: its time begins. */
static void restart_deadline(struct store *store)
{
	if (store->waiting.first)
		timer_set(store->deadline, store->deadline_ms);
	else
		timer_clear(store->deadline);
}

static void take_answers(struct store *store)
{
	struct job *jobs = worker_take(store->worker);
	for (struct job *job = jobs; job && !store->freed; job = job->next) {
		if (store->hangs)
			store->hangs = false; /* it is back; its callers have gone */
		else
			deliver_job(store, job);
	}
	if (jobs && !store->freed)
		restart_deadline(store);
	job_free_all(jobs);
}

static void on_answered(uv_async_t *handle)
{
	struct store *store = handle->data;
	if (store->freed)
		return;
	time_out(store, &store->refused);
	if (!store->freed)
		take_answers(store);
}

static void on_deadline(void *arg)
{
	struct store *store = arg;
	struct job *unbegun;
	if (!worker_recall(store->worker, &unbegun, &store->hangs)) {
		take_answers(store); /* in time, but the loop was late */
		return;
	}
	job_free_all(unbegun);
	time_out(store, &store->waiting);
}

/* On the worker's thread. */
static void wake(void *arg)
{
	struct store *store = arg;
	uv_async_send(&store->answered);
}

/* --- the store ------------------------------------------------------------------------------- */

struct store *store_new(struct loop *loop, const struct store_ops *ops, const char *url,
			enum store_role role, const char *fleet, struct err *err)
{
	const char *where = ops ? skip_scheme(url, ops->scheme) : NULL;
	if (!ops)
		ops = store_ops_of(url, &where, err);
	if (!ops)
		return NULL;
	struct store *store = xcalloc(1, sizeof(*store));
	store->loop = loop;
	store->ops = ops;
	store->where = xstrdup(where ? where : url);
	store->deadline_ms = STORE_DEADLINE_MS;
	calls_init(&store->waiting);
	calls_init(&store->refused);
	store->deadline = timer_new(loop, on_deadline, store);
	uv_async_init(loop_uv(loop), &store->answered, on_answered);
	store->answered.data = store;
	store->worker = worker_new(ops, store->where, role, fleet, wake, store, err);
	if (store->worker)
		return store;
	store_free(store);
	return NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct store *store = handle->data;
	calls_release(&store->waiting);
	calls_release(&store->refused);
	free(store->where);
	free(store);
}

void store_free(struct store *store)
{
	if (!store || store->freed)
		return;
	store->freed = true;
	if (store->watch)
		store->ops->unwatch(store->watch);
	worker_free(store->worker, store->hangs ? 0 : CLOSE_WAIT_MS);
	timer_free(store->deadline);
	uv_close((uv_handle_t *)&store->answered, on_closed);
}

void store_set_deadline(struct store *store, int64_t deadline_ms)
{
	store->deadline_ms = deadline_ms;
}

static void ask(struct store *store, struct job *job, store_answered done, void *arg)
{
	if (store->hangs) {
		job_free(job);
		calls_push(&store->refused, done, arg);
		uv_async_send(&store->answered);
		return;
	}
	bool idle = !store->waiting.first;
	calls_push(&store->waiting, done, arg);
	worker_ask(store->worker, job);
	if (idle)
		restart_deadline(store);
}

void store_open(struct store *store, store_answered done, void *arg)
{
	ask(store, job_new(JOB_OPEN, NULL), done, arg);
}

void store_get(struct store *store, const char *key, store_answered done, void *arg)
{
	ask(store, job_new(JOB_GET, key), done, arg);
}

void store_put(struct store *store, const char *key, const void *bytes, size_t len, unsigned flags,
	       store_answered done, void *arg)
{
	struct job *job = job_new(JOB_PUT, key);
	buf_add(&job->bytes, bytes, len);
	job->flags = flags;
	ask(store, job, done, arg);
}

void store_list(struct store *store, const char *prefix, store_answered done, void *arg)
{
	ask(store, job_new(JOB_LIST, prefix), done, arg);
}

void store_remove(struct store *store, const char *key, store_answered done, void *arg)
{
	ask(store, job_new(JOB_REMOVE, key), done, arg);
}

void store_cas(struct store *store, const char *key, const void *old, size_t old_len,
	       const void *bytes, size_t len, unsigned flags, store_answered done, void *arg)
{
	struct job *job = job_new(JOB_CAS, key);
	job->has_old = old != NULL;
	if (old)
		buf_add(&job->old, old, old_len);
	buf_add(&job->bytes, bytes, len);
	job->flags = flags;
	ask(store, job, done, arg);
}

void store_beat(struct store *store, const char *node, store_answered done, void *arg)
{
	ask(store, job_new(JOB_BEAT, node), done, arg);
}

bool store_is_second(const char *beat_key, char out[NAME_MAX_LEN + 1])
{
	size_t len = strlen(beat_key), end = strlen(STORE_SECOND);
	if (len <= end || len - end > NAME_MAX_LEN ||
	    strcmp(beat_key + len - end, STORE_SECOND) != 0)
		return false;
	memcpy(out, beat_key, len - end);
	out[len - end] = '\0';
	return true;
}

void store_beats(struct store *store, store_answered done, void *arg)
{
	ask(store, job_new(JOB_BEATS, NULL), done, arg);
}

void store_lock_controller(struct store *store, store_answered done, void *arg)
{
	ask(store, job_new(JOB_LOCK_CONTROLLER, NULL), done, arg);
}

bool store_watch(struct store *store, const char *const *prefixes, size_t count,
		 void (*changed)(void *arg, const char *key), void *arg, bool *needs_poll,
		 struct err *err)
{
	if (store->watch)
		store->ops->unwatch(store->watch);
	store->watch = NULL;
	*needs_poll = worker_needs_poll(store->worker);
	return *needs_poll || store->ops->watch(store->where, store->loop, prefixes, count, changed,
						arg, &store->watch, err);
}
