/* What the tables cannot say of a service's roll-out steps and overrides. */
#include "manifest/internal.h"

#include <inttypes.h>
#include <string.h>

/* --- steps ------------------------------------------------------------------------------------ */

/* How far a step goes. REACH_UNKNOWN: it says so in no way, in several, or wrongly. */
enum reach { REACH_UNKNOWN, REACH_EXPRESSION, REACH_PERCENT, REACH_COUNT };

static enum reach reach_of(const struct rollout_step *step)
{
	bool expression = step->expression.value;
	if (expression + step->percent.set + step->count.set != 1)
		return REACH_UNKNOWN;
	return expression ? REACH_EXPRESSION : step->percent.set ? REACH_PERCENT : REACH_COUNT;
}

static void check_reach(struct reading *r, const struct value *v, const struct rollout_step *step)
{
	static const char *const fields[] = { "expression", "percent", "count" };
	uint32_t given = 0;
	for (size_t i = 0; v && v->kind == VALUE_MAPPING && i < ARRAY_LEN(fields); i++)
		given += value_get(v, fields[i]) != NULL;
	if (v && v->kind == VALUE_MAPPING && given != 1)
		report_error(r, step->pos,
			     "a step has one of expression, percent and count, which says how far "
			     "it goes; this one has %s",
			     given ? "several" : "none");
}

/* Is it certain that the earlier one reaches all that the step does? */
static bool reaches_no_more(const struct rollout_step *step, const struct rollout_step *earlier)
{
	enum reach reach = reach_of(step);
	if (reach == REACH_UNKNOWN)
		return false;
	if (reach_of(earlier) == REACH_PERCENT && earlier->percent.value == 100)
		return true;
	if (reach_of(earlier) != reach)
		return false;
	return reach == REACH_EXPRESSION
		       ? strcmp(step->expression.value, earlier->expression.value) == 0
		       : step->percent.value <= earlier->percent.value &&
				 step->count.value <= earlier->count.value;
}

static void check_steps(struct reading *r, const struct value *v, const struct rollout *rollout)
{
	for (uint32_t i = 0; i < rollout->steps.len; i++) {
		const struct rollout_step *step = &rollout->steps.items[i];
		uint32_t earlier = 0;
		check_reach(r, value_at(value_get(v, "steps"), i), step);
		while (earlier < i && !reaches_no_more(step, &rollout->steps.items[earlier]))
			earlier++;
		if (earlier < i)
			report_warning(
				r, step->pos,
				"step %u reaches no node that step %u has not reached: steps "
				"count the nodes of earlier ones too and should grow",
				i + 1, earlier + 1);
	}
}

/* --- overrides -------------------------------------------------------------------------------- */

static bool overrides_nothing(const struct value *v)
{
	for (const struct value *m = v->first; m; m = m->next)
		if (strcmp(m->key->text, "name") != 0 && !value_is_null(m))
			return false;
	return true;
}

static void check_container_override(struct reading *r, const struct value *v,
				     const struct task_override *override, uint32_t index)
{
	const struct container_override *all = override->container_overrides.items;
	const struct container_override *o = &all[index];
	if (!v || v->kind != VALUE_MAPPING)
		return;
	if (overrides_nothing(v))
		report_error(r, o->pos,
			     "a container override without anything but a name changes nothing: "
			     "give command, environment, cpu, memory or memoryReservation");
	if (o->memory.set && o->memory_reservation.set &&
	    o->memory_reservation.value > o->memory.value)
		report_error(r, place_of(v, "memoryReservation"),
			     "memoryReservation %" PRId64 " is more than memory %" PRId64,
			     o->memory_reservation.value, o->memory.value);
	for (uint32_t i = 0; i < index && o->name; i++)
		if (all[i].name && strcmp(all[i].name, o->name) == 0) {
			report_error(r, place_of(v, "name"),
				     "container \"%s\" is overridden twice, before on line %u",
				     o->name, all[i].pos.line);
			return;
		}
}

static void check_overrides(struct reading *r, const struct value *v,
			    const struct override_list *overrides)
{
	for (uint32_t i = 0; i < overrides->len; i++) {
		const struct task_override *override = &overrides->items[i];
		const struct value *at = value_at(v, i);
		const char *expression = override->expression.value;
		for (uint32_t k = 0; k < override->container_overrides.len; k++)
			check_container_override(
				r, value_at(value_get(at, "containerOverrides"), k), override, k);
		for (uint32_t k = 0; k < i && expression; k++) {
			const struct str_at *earlier = &overrides->items[k].expression;
			if (!earlier->value || strcmp(earlier->value, expression) != 0)
				continue;
			report_warning(r, override->expression.pos,
				       "this override never counts: the one on line %u has the "
				       "same expression, and the first that matches counts",
				       overrides->items[k].pos.line);
			break;
		}
	}
}

void check_rollout(struct reading *r, const struct value *v, const struct daemon_service *service)
{
	if (service->rollout)
		check_steps(r, value_get(v, "rollout"), service->rollout);
	check_overrides(r, value_get(v, "overrides"), &service->overrides);
}

/* --- a service and its task definition -------------------------------------------------------- */

static const struct container_definition *find(const struct task_definition *td, const char *name)
{
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		if (strcmp(td->container_definitions.items[i].name, name) == 0)
			return &td->container_definitions.items[i];
	return NULL;
}

/* What is wrong with a container as it would run; td: with the override. */
static void check_overridden(struct manifest_tree *tree, const char *path,
			     const struct container_override *o, const struct task_definition *td)
{
	const struct container_definition *c = find(td, o->name);
	bool process = task_definition_engine(td) == ENGINE_PROCESS;
	if (!c) {
		uint32_t count = td->container_definitions.len;
		const char **names = ARENA_ARRAY(&tree->arena, const char *, count);
		for (uint32_t i = 0; i < count; i++)
			names[i] = td->container_definitions.items[i].name;
		diag_error(&tree->diags, path, o->pos,
			   "the task definition \"%s\" has no container \"%s\" to override%s",
			   td->family.value, o->name,
			   did_you_mean(&tree->diags, &tree->arena, o->name, names, count));
	} else if (process && !c->command.len && !c->entry_point.len) {
		diag_error(&tree->diags, path, o->pos,
			   "a native process needs command or entryPoint: this override leaves "
			   "\"%s\" without",
			   o->name);
	} else if (!process && o->memory.set && o->memory.value < MEMORY_LEAST_MIB) {
		diag_error(&tree->diags, path, o->pos,
			   "memory %" PRId64 " is less than the %d MiB that an engine needs",
			   o->memory.value, MEMORY_LEAST_MIB);
	}
}

void check_overrides_of(struct manifest_tree *tree, const struct manifest_object *object,
			const struct task_definition *td)
{
	const struct override_list *overrides = &object->daemon_service->overrides;
	for (uint32_t i = 0; i < overrides->len; i++) {
		const struct task_override *override = &overrides->items[i];
		const struct task_definition *made =
			override_task_definition(td, override, &tree->arena);
		struct size_problem problems[SIZE_PROBLEMS_MAX];
		uint32_t count = size_problems(made, &tree->arena, problems);
		for (uint32_t k = 0; k < override->container_overrides.len; k++)
			check_overridden(tree, object->path,
					 &override->container_overrides.items[k], made);
		for (uint32_t k = 0; k < count; k++)
			diag_error(&tree->diags, object->path, override->pos,
				   "with this override of \"%s\" %s", td->family.value,
				   problems[k].text);
	}
}
