/* A service of a status file or of a manifest tree -> what the planner is told. */
#include "report/world.h"

#include <stdlib.h>
#include <string.h>

void world_service_from_doc(struct world *w, struct world_service *s)
{
	const json_t *p = json_object_get(s->doc, "placement");
	s->family = get_text(p, "family");
	placement_read(w, p, &s->plan);
}

/* --- from the tree --------------------------------------------------------------------------- */

/* The number that status knows for a digest; 0: none. highest: of all numbers of the family. */
static uint32_t known_revision(const struct world *w, const char *family,
			       const struct digest *digest, uint32_t *highest)
{
	const json_t *revisions = json_object_get(map_get(w->taskdefs, family), "revisions");
	uint32_t found = 0;
	size_t i;
	json_t *item;
	*highest = 0;
	json_array_foreach(revisions, i, item)
	{
		uint32_t number = (uint32_t)get_int(item, "revision", 0);
		struct digest known = get_digest(item, "digest");
		if (number > *highest)
			*highest = number;
		if (digest_equal(&known, digest))
			found = number;
	}
	return found;
}

/* What status keeps of a pinned revision: digest and definition. False: stalled. */
static bool pinned_revision(struct world *w, const char *family, uint32_t number,
			    struct digest *digest, const struct task_definition **definition)
{
	const json_t *revisions = json_object_get(map_get(w->taskdefs, family), "revisions");
	size_t i;
	json_t *item;
	json_array_foreach(revisions, i, item)
	{
		const json_t *json = json_object_get(item, "definition");
		struct task_definition *td = ARENA_NEW(&w->arena, struct task_definition);
		if (get_int(item, "revision", 0) != number || !json ||
		    !wire_object_from_json(&task_definition_schema, json, &w->arena, td, NULL))
			continue;
		*digest = get_digest(item, "digest");
		*definition = td;
		return true;
	}
	return false;
}

/* What it would run; the digest of the task definition too. NULL: stalled. */
static const struct task_definition *resolve(struct world *w, struct world_service *s,
					     struct digest *digest)
{
	const struct daemon_service *spec = s->object->daemon_service;
	const struct task_definition *definition = NULL;
	uint32_t pinned, highest;
	if (!manifest_task_definition_ref(spec->task_definition.value, &w->arena, &s->family,
					  &pinned))
		return NULL;
	const struct manifest_object *object = manifest_find_task_definition(w->tree, s->family);
	uint32_t number = object ? known_revision(w, s->family, &object->digest, &highest) : 0;
	if (object && (!pinned || pinned == number)) {
		s->new_revision = number == 0;
		s->plan.current.revision = number ? number : highest + 1;
		*digest = object->digest;
		return object->task_definition;
	}
	if (pinned && pinned_revision(w, s->family, pinned, digest, &definition)) {
		s->plan.current.revision = pinned;
		return definition;
	}
	s->stalled =
		arena_printf(&w->arena, "revision %s is not known", spec->task_definition.value);
	return NULL;
}

static uint32_t number_or(struct opt_int value, uint32_t absent)
{
	return value.set ? (uint32_t)value.value : absent;
}

static struct plan_variant variant_of(struct world *w, const struct world_service *s,
				      const struct task_definition *td, const struct digest *digest,
				      const struct task_override *override)
{
	const struct daemon_service *spec = s->object->daemon_service;
	const struct manifest_object *cluster = manifest_find_cluster(w->tree, s->cluster);
	td = override_task_definition(td, override, &w->arena);
	td = cluster_task_definition(cluster ? cluster->cluster : NULL, td, &w->arena);
	struct str_list names = task_definition_capabilities(td, &w->arena);
	intern_id *capabilities = ARENA_ARRAY(&w->arena, intern_id, names.len + 2);
	uint32_t count = 0;
	while (count < names.len) {
		capabilities[count] = intern_add(w->intern, names.items[count]);
		count++;
	}
	if (s->plan.max_percent > 100)
		capabilities[count++] = intern_add(w->intern, CAPABILITY_SURGE);
	return (struct plan_variant){
		.when = override ? world_expr(w, override->expression.value) : NULL,
		.target = task_target_digest(digest, override, spec->redeploy),
		.capabilities = capabilities,
		.capability_count = count,
		.engine = task_definition_engine(td),
		.resources = task_definition_resources(td, &w->arena),
		.document_bytes = content_document_bytes(td),
	};
}

static void read_constraints(struct world *w, struct plan_service *plan,
			     const struct daemon_service *spec, const struct task_definition *td)
{
	uint32_t own = spec->placement_constraints.len,
		 of_td = td ? td->placement_constraints.len : 0;
	const struct expr **out = ARENA_ARRAY(&w->arena, const struct expr *, own + of_td + 1);
	for (uint32_t i = 0; i < own + of_td; i++) {
		const struct expr *expr = world_expr(
			w, i < own ? spec->placement_constraints.items[i].expression.value
				   : td->placement_constraints.items[i - own].expression.value);
		if (expr)
			out[plan->constraint_count++] = expr;
	}
	plan->constraints = out;
}

static void read_settings(struct plan_service *plan, const struct daemon_service *spec)
{
	const struct deployment_configuration *d = spec->deployment_configuration;
	plan->priority = spec->priority.set ? (int32_t)spec->priority.value : 0;
	plan->monitor_ms = number_or(spec->monitor_seconds, DEFAULT_MONITOR_S) * 1000;
	plan->min_healthy_percent = spec->ecs ? 0 : DEFAULT_MIN_HEALTHY_PERCENT;
	plan->max_percent = DEFAULT_MAX_PERCENT;
	if (d) {
		plan->min_healthy_percent =
			number_or(d->minimum_healthy_percent, plan->min_healthy_percent);
		plan->max_percent = number_or(d->maximum_percent, plan->max_percent);
	}
	plan->reach = UINT32_MAX;
	plan->keep_on_drain = spec->drain && strcmp(spec->drain, "keep") == 0;
	plan->suspend = spec->suspend == OPT_TRUE;
}

static void read_steps(struct world *w, struct world_service *s)
{
	s->stages = rollout_stages(s->object->daemon_service->rollout, &w->arena, &s->stage_count);
	s->stage_exprs = ARENA_ARRAY(&w->arena, const struct expr *, s->stage_count + 1);
	for (uint32_t i = 0; i < s->stage_count; i++)
		s->stage_exprs[i] = world_expr(w, s->stages[i].expression);
}

static struct plan_release wanted_release(struct world *w, const struct world_service *s,
					  const struct task_definition *td,
					  const struct digest *digest)
{
	const struct daemon_service *spec = s->object->daemon_service;
	struct plan_variant *variants =
		ARENA_ARRAY(&w->arena, struct plan_variant, spec->overrides.len + 1);
	struct plan_release r = { .revision = s->plan.current.revision, .variants = variants };
	for (uint32_t i = 0; i < spec->overrides.len; i++)
		variants[r.variant_count++] =
			variant_of(w, s, td, digest, &spec->overrides.items[i]);
	variants[r.variant_count++] = variant_of(w, s, td, digest, NULL);
	return r;
}

/* --- its deployment, as the controller would have it ------------------------------------------ */

static bool same_release(const struct plan_release *a, const struct plan_release *b)
{
	bool same = a->variant_count == b->variant_count;
	for (uint32_t i = 0; same && i < a->variant_count; i++)
		same = digest_equal(&a->variants[i].target, &b->variants[i].target);
	return same;
}

static bool is_deployment_of(const json_t *deployment, const struct digest *release)
{
	struct digest is = get_digest(deployment, "releaseDigest");
	return !digest_is_none(&is) && digest_equal(&is, release);
}

static bool state_is(const json_t *deployment, const char *state)
{
	return strcmp(text_or(deployment, "rolloutState", ""), state) == 0;
}

/* It has failed and gone back: so it stays while the same is asked for. */
static void stay_back(struct world *w, struct world_service *s, const struct plan_service *told,
		      const json_t *failed)
{
	s->plan.current = told->current;
	s->plan.completed = told->completed;
	s->new_revision = false;
	s->note = arena_printf(
		&w->arena, "this was rolled back, and stays so until what is to run changes: %s",
		text_or(failed, "rolloutStateReason", "it failed"));
}

/* What is deployed already goes on from where it is. */
static void go_on(struct world *w, struct world_service *s, const struct plan_service *told,
		  const json_t *primary)
{
	const json_t *rollout = json_object_get(primary, "rollout");
	s->plan.completed = told->completed;
	if (state_is(primary, "FAILED")) {
		s->plan.reach = 0;
		s->note =
			arena_printf(&w->arena, "this has failed, and nothing more is launched: %s",
				     text_or(primary, "rolloutStateReason", "it failed"));
	} else if (state_is(primary, "IN_PROGRESS")) {
		int64_t step = get_int(rollout, "step", 0);
		s->rolls = !get_text(primary, "rollbackOf");
		s->first_step =
			step > 0 && step <= s->stage_count ? (uint32_t)step - 1 : s->stage_count;
	}
}

static void take_deployment(struct world *w, struct world_service *s,
			    const struct plan_release *wanted, const struct digest *release)
{
	const json_t *deployments = json_object_get(s->doc, "deployments"),
		     *primary = json_array_get(deployments, 0),
		     *failed = json_array_get(deployments, 1);
	struct plan_service told = { 0 };
	s->plan.current = *wanted;
	s->first_step = s->stage_count;
	if (!s->doc) {
		s->action = WORLD_CREATE;
		s->rolls = true;
		s->first_step = 0;
		return;
	}
	placement_read(w, json_object_get(s->doc, "placement"), &told);
	if (get_text(primary, "rollbackOf") && state_is(failed, "FAILED") &&
	    is_deployment_of(failed, release)) {
		stay_back(w, s, &told, failed);
	} else if (get_text(primary, "releaseDigest") ? is_deployment_of(primary, release)
						      : same_release(&told.current, wanted)) {
		go_on(w, s, &told, primary);
	} else {
		s->action = WORLD_UPDATE;
		s->rolls = true;
		s->first_step = 0;
		s->plan.completed = state_is(primary, "COMPLETED") ? told.current : told.completed;
		if (same_release(&s->plan.completed, wanted))
			s->plan.completed = (struct plan_release){ 0 };
	}
}

void world_service_from_tree(struct world *w, struct world_service *s)
{
	const struct daemon_service *spec = s->object->daemon_service;
	struct digest digest;
	const struct task_definition *td = resolve(w, s, &digest);
	read_constraints(w, &s->plan, spec, td);
	read_settings(&s->plan, spec);
	s->plan.stops_allowed = preview_stops_allowed(w, s);
	s->plan.stalled = !td;
	if (!td) {
		s->action = s->doc ? WORLD_NOTHING : WORLD_CREATE;
		return;
	}
	read_steps(w, s);
	struct plan_release wanted = wanted_release(w, s, td, &digest);
	struct digest release = release_digest(&digest, &spec->overrides, spec->redeploy);
	take_deployment(w, s, &wanted, &release);
	if (s->plan.suspend && s->action != WORLD_NOTHING)
		s->note = "suspend is set: everything stays as it is";
}
