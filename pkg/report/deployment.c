/* Deployments of a service, as describe-services has them, how far its roll-out is, and what came
 * before. */
#include "report/internal.h"

#include <string.h>

static const char *image_of(const struct task_definition *td, const char *container)
{
	for (uint32_t i = 0; td && i < td->container_definitions.len; i++)
		if (strcmp(td->container_definitions.items[i].name, container) == 0)
			return td->container_definitions.items[i].image;
	return NULL;
}

/* What its nodes run that no override is for; NULL: it is not at hand any more. */
static const struct content *content_of(const struct service_state *s, const struct deployment *d)
{
	const struct release *const at_hand[] = { s->current, s->completed, s->wanted };
	for (size_t i = 0; i < ARRAY_LEN(at_hand); i++) {
		const struct release *r = at_hand[i];
		if (r && digest_equal(&r->digest, &d->release))
			return r->variants[r->variant_count - 1].content;
	}
	return NULL;
}

/* The digests that it runs its images by, as far as they are known: ECS's containerImages of a
 * service revision. */
static void put_images(json_t *item, const struct service_state *s, const struct deployment *d)
{
	const struct content *content = content_of(s, d);
	json_t *images = json_array();
	for (uint32_t i = 0; content && i < content->images.len; i++) {
		const struct str_pair *known = &content->images.items[i];
		json_t *image = json_object();
		put_text(image, "containerName", known->name);
		put_text(image, "imageDigest", known->value);
		put_text(image, "image", image_of(content->definition, known->name));
		json_array_append_new(images, image);
	}
	if (json_array_size(images))
		put(item, "containerImages", images);
	else
		json_decref(images);
}

/* ECS's words, and what happened. */
static void put_state(json_t *item, const struct deployment *d)
{
	put_text(item, "rolloutState", rollout_state_name(d->state));
	if (d->state == ROLLOUT_FAILED && d->reason)
		put_text(item, "rolloutStateReason", d->reason);
	else if (d->state == ROLLOUT_IN_PROGRESS && d->rollback_of[0])
		put_textf(item, "rolloutStateReason",
			  "ECS deployment circuit breaker: rolling back to deploymentId %s.",
			  d->id);
	else
		put_textf(item, "rolloutStateReason", "ECS deployment %s %s.", d->id,
			  d->state == ROLLOUT_COMPLETED ? "completed" : "in progress");
	put_text(item, "rollbackOf", d->rollback_of[0] ? d->rollback_of : NULL);
}

/* A moment of the controller's clock, on the wall. */
static void put_moment(json_t *item, const char *key, const struct control *c, int64_t at_ms)
{
	put_time(item, key, c->now_unix_ms + at_ms - c->now_ms);
}

json_t *rollout_json(const struct control *c, const struct service_state *s)
{
	const struct rollout_verdict *v = &s->verdict;
	if (!s->has_primary || s->primary.state != ROLLOUT_IN_PROGRESS || !service_known(c, s))
		return NULL;
	json_t *out = json_object();
	put_text(out, "reason", rollout_reason_name(v->reason));
	put_text(out, "message", s->verdict_text[0] ? s->verdict_text : NULL);
	if (s->step_count && !s->primary.rollback_of[0]) {
		put_int(out, "steps", s->step_count);
		if (v->step != ROLLOUT_ALL) /* else they are over: all the rest follows */
			put_int(out, "step", v->step + 1);
		put_bool(out, "paused", v->paused);
	}
	if (v->bake_until_ms)
		put_moment(out, "bakesUntil", c, v->bake_until_ms);
	if (v->threshold)
		put_int(out, "failureThreshold", v->threshold);
	put_int(out, "nodesLeft", v->forecast.nodes_left);
	if (v->forecast.ms_a_batch >= 0)
		put_int(out, "secondsPerBatch", (v->forecast.ms_a_batch + 999) / 1000);
	if (v->forecast.expected_end_ms >= 0)
		put_moment(out, "expectedEndAt", c, v->forecast.expected_end_ms);
	return out;
}

/* What it took, as the forecast of one under way has it. */
static int64_t seconds_per_batch(const struct service_state *s, const struct deployment *d)
{
	uint32_t budget = s->counts.budget ? s->counts.budget : 1;
	return (d->memory.worked_ms * budget / d->memory.readied + 999) / 1000;
}

/* How many of the running tasks are of the PRIMARY deployment. */
static uint32_t running_now(const struct control *c, const struct service_state *s,
			    struct arena *scratch)
{
	uint32_t running = 0;
	plan_node_id *ids;
	uint32_t count = s->id == PLAN_NONE ? 0 : planner_nodes(c->planner, scratch, &ids);
	for (uint32_t i = 0; i < count; i++) {
		struct plan_cell cell = planner_cell(c->planner, s->id, ids[i]);
		const struct plan_fact *f = &cell.fact;
		bool runs = f->seen == PLAN_SEEN_RUNNING || f->seen == PLAN_SEEN_READY ||
			    f->still_running;
		running += runs && cell.variant && digest_equal(&f->running, &cell.variant->target);
	}
	return running < s->counts.running ? running : s->counts.running;
}

static json_t *deployment_json(const struct control *c, const struct service_state *s,
			       const struct deployment *d, const char *status, uint32_t running)
{
	bool primary = d == &s->primary, known = service_known(c, s);
	json_t *item = json_object();
	put_text(item, "id", d->id);
	put_text(item, "status", status);
	put_textf(item, "taskDefinition", "%s:%u", d->family, d->revision);
	put_count(item, "desiredCount", known, primary ? s->counts.desired : 0);
	put_count(item, "pendingCount", known, primary ? s->counts.pending : 0);
	put_count(item, "runningCount", known, running);
	put_count(item, "failedTasks", known, d->memory.failed_tasks);
	put_time(item, "createdAt", d->created_unix_ms);
	put_time(item, "updatedAt", d->updated_unix_ms);
	put_time(item, "finishedAt", d->finished_unix_ms);
	put_state(item, d);
	put_text(item, "commit", d->commit[0] ? d->commit : NULL);
	put_text(item, "redeploy", d->redeploy);
	put_digest(item, "releaseDigest", &d->release);
	put_images(item, s, d);
	json_t *rollout = primary ? rollout_json(c, s) : NULL;
	if (rollout)
		put(item, "rollout", rollout);
	else if (primary && known && d->memory.readied)
		put_int(item, "secondsPerBatch", seconds_per_batch(s, d));
	return item;
}

json_t *deployments_json(const struct control *c, const struct service_state *s,
			 struct arena *scratch)
{
	json_t *list = json_array();
	if (!s->has_primary)
		return list;
	/* The one before is listed, as ECS does, while it is being replaced; one that failed and
	 * went back as long as its commit asks for it. */
	bool done = s->primary.state == ROLLOUT_COMPLETED;
	const struct deployment *other = s->has_failed		    ? &s->failed
					 : s->has_previous && !done ? &s->previous
								    : NULL;
	uint32_t running = s->counts.running, now = other ? running_now(c, s, scratch) : running;
	json_array_append_new(list, deployment_json(c, s, &s->primary, "PRIMARY", now));
	if (other)
		json_array_append_new(
			list,
			deployment_json(c, s, other, done ? "INACTIVE" : "ACTIVE", running - now));
	return list;
}

json_t *deployment_history_json(const struct service_state *s)
{
	json_t *list = json_array();
	for (uint32_t i = s->past_count; i-- > 0;) {
		const struct deployment *d = &s->past[i];
		json_t *item = json_object();
		put_text(item, "id", d->id);
		put_text(item, "status", "INACTIVE");
		put_textf(item, "taskDefinition", "%s:%u", d->family, d->revision);
		put_time(item, "createdAt", d->created_unix_ms);
		put_time(item, "finishedAt", d->finished_unix_ms);
		put_int(item, "failedTasks", d->memory.failed_tasks);
		put_state(item, d);
		if (d->state == ROLLOUT_IN_PROGRESS) /* it never came to an end */
			put_text(item, "rolloutStateReason", "superseded by a later deployment.");
		put_text(item, "commit", d->commit[0] ? d->commit : NULL);
		json_array_append_new(list, item);
	}
	return list;
}
