/* Work that may wait, on a few threads; the answer comes back on the loop. */
#include "engine/process/internal.h"

#include <stdlib.h>
#include <uv.h>

/* Two: a user database that does not answer holds up one task, not the next one's start. */
#define JOB_THREADS 2

struct job_list {
	struct job *first, **last;
};

struct jobs {
	uv_async_t done_event;
	uv_thread_t threads[JOB_THREADS];
	uv_mutex_t lock;
	uv_cond_t wake;
	struct job_list todo, done;
	atomic_bool closing;
};

static void list_init(struct job_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void list_add(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
}

static struct job *list_take(struct job_list *list)
{
	struct job *job = list->first;
	if (job && !(list->first = job->next))
		list->last = &list->first;
	return job;
}

static void work(void *arg)
{
	struct jobs *jobs = arg;
	uv_mutex_lock(&jobs->lock);
	while (!jobs->closing) {
		struct job *job = list_take(&jobs->todo);
		if (!job) {
			uv_cond_wait(&jobs->wake, &jobs->lock);
			continue;
		}
		uv_mutex_unlock(&jobs->lock);
		job->run(job);
		uv_mutex_lock(&jobs->lock);
		list_add(&jobs->done, job);
		uv_async_send(&jobs->done_event);
	}
	uv_mutex_unlock(&jobs->lock);
}

static struct job *take_locked(struct jobs *jobs, struct job_list *list)
{
	uv_mutex_lock(&jobs->lock);
	struct job *job = list_take(list);
	uv_mutex_unlock(&jobs->lock);
	return job;
}

static void finish_done(uv_async_t *event)
{
	struct jobs *jobs = event->data;
	for (struct job *job; !jobs->closing && (job = take_locked(jobs, &jobs->done));)
		job->finish(job);
}

struct jobs *jobs_new(struct loop *loop)
{
	struct jobs *jobs = xcalloc(1, sizeof(*jobs));
	list_init(&jobs->todo);
	list_init(&jobs->done);
	uv_mutex_init(&jobs->lock);
	uv_cond_init(&jobs->wake);
	uv_async_init(loop_uv(loop), &jobs->done_event, finish_done);
	jobs->done_event.data = jobs;
	for (int i = 0; i < JOB_THREADS; i++)
		uv_thread_create(&jobs->threads[i], work, jobs);
	return jobs;
}

static void freed(uv_handle_t *handle)
{
	free(handle->data);
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	jobs->closing = true;
	uv_mutex_lock(&jobs->lock);
	uv_cond_broadcast(&jobs->wake);
	uv_mutex_unlock(&jobs->lock);
	for (int i = 0; i < JOB_THREADS; i++)
		uv_thread_join(&jobs->threads[i]);
	for (struct job *job; (job = list_take(&jobs->done)) || (job = list_take(&jobs->todo));)
		job->finish(job);
	uv_cond_destroy(&jobs->wake);
	uv_mutex_destroy(&jobs->lock);
	uv_close((uv_handle_t *)&jobs->done_event, freed);
}

void jobs_add(struct jobs *jobs, struct job *job)
{
	uv_mutex_lock(&jobs->lock);
	list_add(job->run ? &jobs->todo : &jobs->done, job);
	uv_cond_signal(&jobs->wake);
	uv_mutex_unlock(&jobs->lock);
	if (!job->run)
		uv_async_send(&jobs->done_event);
}

bool jobs_closing(const struct jobs *jobs)
{
	return jobs->closing;
}
