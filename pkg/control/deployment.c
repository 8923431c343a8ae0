/* Deployments: which release a service has now, had last, and goes back to. */
#include "control/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ECS's form, 19 digits; made from what tells deployments apart instead of drawn. */
static void make_id(struct deployment *d, const struct service_state *s)
{
	struct buf seed = { 0 };
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&d->release, hex);
	buf_addf(&seed, "%s %s %" PRId64, s->key, hex, d->created_unix_ms);
	if (d->rollback_of[0])
		buf_addf(&seed, " %s", d->rollback_of);
	struct digest digest = digest_of(seed.data, seed.len);
	buf_release(&seed);
	uint64_t number = 0;
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | digest.bytes[i];
	snprintf(d->id, sizeof(d->id), "ecs-svc/%019" PRIu64,
		 number % UINT64_C(10000000000000000000));
}

void deployment_release(struct deployment *d)
{
	free(d->redeploy);
	free(d->overrides);
	free(d->reason);
	*d = (struct deployment){ 0 };
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void fill(struct deployment *d, const char *family, uint32_t revision,
		 const struct digest *release, int64_t now_unix_ms)
{
	*d = (struct deployment){ .release = *release,
				  .revision = revision,
				  .created_unix_ms = now_unix_ms,
				  .updated_unix_ms = now_unix_ms };
	snprintf(d->family, sizeof(d->family), "%s", family);
}

/* The record is lost: what most nodes are assigned counts as completed. */
static void adopt_majority(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	const struct assignment *best = NULL;
	uint32_t best_count = 0;
	struct arena scratch;
	arena_init(&scratch);
	const struct node_record **nodes;
	uint32_t count = control_nodes(c, &scratch, &nodes);
	struct map *counts = map_new();
	for (uint32_t i = 0; i < count; i++) {
		const struct assignment *a = node_assignment(nodes[i], s);
		if (!a)
			continue;
		char hex[DIGEST_HEX_LEN + 1];
		digest_hex(&a->content->target, hex);
		uint32_t *of = map_get(counts, hex);
		if (!of) {
			of = ARENA_NEW(&scratch, uint32_t);
			map_put(counts, hex, of);
		}
		if (++*of > best_count) {
			best_count = *of;
			best = a;
		}
	}
	map_free(counts);
	arena_release(&scratch);
	if (!best)
		return;
	struct deployment *d = &s->primary;
	fill(d, best->content->family, best->content->revision, &best->content->target,
	     best->assigned_unix_ms);
	make_id(d, s);
	if (best->deployment[0])
		memcpy(d->id, best->deployment, sizeof(d->id));
	d->updated_unix_ms = d->finished_unix_ms = now_unix_ms;
	d->state = ROLLOUT_COMPLETED;
	s->has_primary = true;
	ledger_dirty_service(c, s);
}

/* What it was and what became of it; what it was made of is not needed any more. */
static void keep_past(struct service_state *s, const struct deployment *d)
{
	if (s->past_count == DEPLOYMENTS_KEPT) {
		deployment_release(&s->past[0]);
		memmove(&s->past[0], &s->past[1], (DEPLOYMENTS_KEPT - 1) * sizeof(s->past[0]));
		s->past_count--;
	}
	struct deployment *past = &s->past[s->past_count++];
	*past = *d;
	past->redeploy = past->overrides = NULL;
	past->reason = copy_text(d->reason);
}

/* Make the release the service's PRIMARY one. */
static void begin(struct control *c, struct service_state *s, const struct release *r,
		  const char *rollback_of, int64_t now_unix_ms)
{
	struct deployment *d = &s->primary;
	fill(d, r->family, r->revision, &r->digest, now_unix_ms);
	d->redeploy = copy_text(r->redeploy);
	d->overrides = copy_text(r->overrides_text);
	snprintf(d->rollback_of, sizeof(d->rollback_of), "%s", rollback_of);
	make_id(d, s);
	copy_commit(d->commit, c->applied.id);
	d->state = ROLLOUT_IN_PROGRESS;
	s->has_primary = true;
	s->steady_told = false;
	s->new_failures = s->new_ready = 0;
	s->last_ready_ms = 0;
	s->failure[0] = '\0';
	s->verdict = (struct rollout_verdict){ 0 };
	ledger_dirty_service(c, s);
	c->rollouts_stale = true;
}

static bool is_release(const struct release *r, const struct deployment *d)
{
	return r && digest_equal(&r->digest, &d->release);
}

/* Which of the releases at hand, or made from the ledger, the deployment is of. NULL: its content
 * is no longer kept. The old one is freed by the caller. */
static struct release *release_for(struct control *c, const struct service_state *s,
				   const struct deployment *d)
{
	if (is_release(s->wanted, d))
		return s->wanted;
	if (is_release(s->current, d))
		return s->current;
	if (is_release(s->completed, d))
		return s->completed;
	return release_of_deployment(c, d);
}

void deployment_releases(struct control *c, struct service_state *s)
{
	struct release *current = s->current, *completed = s->completed;
	bool under_way = s->has_primary && s->primary.state != ROLLOUT_COMPLETED &&
			 s->has_previous &&
			 !digest_equal(&s->previous.release, &s->primary.release);
	struct release *now = s->has_primary ? release_for(c, s, &s->primary) : NULL;
	struct release *back = under_way ? release_for(c, s, &s->previous) : NULL;
	s->current = now;
	s->completed = back;
	s->content = release_base(now);
	release_drop(c, s, current);
	release_drop(c, s, completed);
}

/*
 * The applied commit wants .wanted. What has failed and gone back stays so until it wants something
 * else; what is deployed already is only kept. Then .current and .completed follow.
 */
void deployment_begin(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	if (!s->wanted) /* stalled: the planner keeps what runs */
		return;
	if (!s->has_primary)
		adopt_majority(c, s, now_unix_ms);
	bool failed_still = s->has_failed && is_release(s->wanted, &s->failed);
	if (s->has_failed && !failed_still) {
		deployment_release(&s->failed);
		s->has_failed = false;
		ledger_dirty_service(c, s);
	}
	if (failed_still || (s->has_primary && is_release(s->wanted, &s->primary))) {
		deployment_releases(c, s);
		return;
	}
	if (s->has_primary)
		keep_past(s, &s->primary);
	if (s->has_primary && s->primary.state == ROLLOUT_COMPLETED) {
		deployment_release(&s->previous);
		s->previous = s->primary;
		s->has_previous = true;
	} else {
		deployment_release(&s->primary);
	}
	begin(c, s, s->wanted, "", now_unix_ms);
	deployment_releases(c, s);
	event_add(c, s, NULL, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", now_unix_ms,
		  "(service %s) (deployment %s) deployment to %s:%u in progress.", s->name,
		  s->primary.id, s->primary.family, s->primary.revision);
}

bool deployment_can_go_back(const struct service_state *s)
{
	return s->completed && !s->primary.rollback_of[0];
}

void deployment_go_back(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	struct deployment failed = s->primary;
	keep_past(s, &failed);
	deployment_release(&s->failed);
	s->failed = failed;
	s->has_failed = true;
	begin(c, s, s->completed, failed.id, now_unix_ms);
	deployment_releases(c, s);
	event_add(c, s, NULL, "ERROR", "SERVICE_DEPLOYMENT_ROLLING_BACK", now_unix_ms,
		  "(service %s) ECS deployment circuit breaker: rolling back to deploymentId %s "
		  "(%s:%u); revert commit %.7s, or commit a fix.",
		  s->name, s->primary.id, s->primary.family, s->primary.revision, failed.commit);
}
