/* Releases: what deployments are made of, and what their nodes run. */
#include "control/internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void release_free(struct release *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->variant_count; i++)
		expr_free((struct expr *)r->variants[i].when);
	arena_release(&r->arena);
	free(r);
}

/* What a definition becomes where the override counts; NULL: as it is. */
static struct content *variant_content(struct control *c, const struct release *r,
				       const struct digest *digest,
				       const struct task_definition *definition,
				       const struct task_override *override)
{
	struct arena scratch;
	arena_init(&scratch);
	struct digest target = task_target_digest(digest, override, r->redeploy);
	struct content *content =
		content_get(c, r->family, r->revision, digest, &target,
			    override_task_definition(definition, override, &scratch));
	arena_release(&scratch);
	return content;
}

/* As JSON and back: a copy that outlives what it was read from. */
static void copy_overrides(struct release *r, const struct override_list *overrides)
{
	if (!overrides || !overrides->len)
		return;
	json_t *json = wire_list_to_json(&task_override_schema, overrides);
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	wire_list_from_json(&task_override_schema, json, LIMIT_OVERRIDES, &r->arena, &r->overrides,
			    NULL);
	r->overrides_text = arena_strdup(&r->arena, text);
	free(text);
	json_decref(json);
}

/* Expressions that do not compile were refused with the manifest. One from the ledger of another
 * muster that does not is left out: its nodes get the next that is true of them. */
struct release *release_new(struct control *c, const char *family, uint32_t revision,
			    const struct digest *task_definition,
			    const struct task_definition *definition,
			    const struct override_list *overrides, const char *redeploy)
{
	struct release *r = xcalloc(1, sizeof(*r));
	arena_init(&r->arena);
	r->family = arena_strdup(&r->arena, family);
	r->revision = revision;
	r->redeploy = redeploy ? arena_strdup(&r->arena, redeploy) : NULL;
	r->digest = release_digest(task_definition, overrides, redeploy);
	copy_overrides(r, overrides);
	r->variants = ARENA_ARRAY(&r->arena, struct release_variant, r->overrides.len + 1);
	for (uint32_t i = 0; i < r->overrides.len; i++) {
		const struct task_override *o = &r->overrides.items[i];
		struct expr_error error;
		const struct expr *when = expr_compile(o->expression.value, c->intern, &error);
		if (!when)
			continue;
		r->variants[r->variant_count++] = (struct release_variant){
			.when = when,
			.content = variant_content(c, r, task_definition, definition, o),
		};
	}
	r->variants[r->variant_count++] = (struct release_variant){
		.content = variant_content(c, r, task_definition, definition, NULL),
	};
	return r;
}

struct release *release_of_revision(struct control *c, const char *family, uint32_t number,
				    const struct override_list *overrides, const char *redeploy)
{
	const struct family *f = map_get(c->families, family);
	const struct revision *revision = f ? ledger_find(f, number) : NULL;
	json_t *json =
		revision && revision->content ? json_loads(revision->content, 0, NULL) : NULL;
	struct arena scratch;
	arena_init(&scratch);
	struct task_definition td = { 0 };
	struct release *r = NULL;
	if (json && wire_object_from_json(&task_definition_schema, json, &scratch, &td, NULL))
		r = release_new(c, family, number, &revision->digest, &td, overrides, redeploy);
	json_decref(json);
	arena_release(&scratch);
	return r;
}

struct release *release_of_deployment(struct control *c, const struct deployment *d)
{
	json_t *overrides = d->overrides ? json_loads(d->overrides, 0, NULL) : NULL;
	struct arena scratch;
	arena_init(&scratch);
	struct override_list list = { 0 };
	struct release *r = NULL;
	if (!overrides || wire_list_from_json(&task_override_schema, overrides, LIMIT_OVERRIDES,
					      &scratch, &list, NULL))
		r = release_of_revision(c, d->family, d->revision, &list, d->redeploy);
	json_decref(overrides);
	arena_release(&scratch);
	if (r && digest_equal(&r->digest, &d->release))
		return r;
	release_free(r);
	return NULL;
}

/* Not before the planner has let go of it: see tell_planner(). */
void release_drop(struct control *c, const struct service_state *s, struct release *r)
{
	if (!r || r == s->wanted || r == s->current || r == s->completed)
		return;
	for (size_t i = 0; i < c->dropped.len; i++)
		if (c->dropped.items[i] == r)
			return;
	*vec_push(&c->dropped) = r;
}

void releases_free_dropped(struct control *c)
{
	while (c->dropped.len > 0)
		release_free(c->dropped.items[--c->dropped.len]);
}

struct content *release_base(const struct release *r)
{
	return r ? r->variants[r->variant_count - 1].content : NULL;
}

struct content *release_content(const struct release *r, const struct digest *target)
{
	for (uint32_t i = 0; r && i < r->variant_count; i++)
		if (digest_equal(&r->variants[i].content->target, target))
			return r->variants[i].content;
	return NULL;
}

bool release_has(const struct release *r, const struct content *content)
{
	for (uint32_t i = 0; r && i < r->variant_count; i++)
		if (r->variants[i].content == content)
			return true;
	return false;
}

/* A tag means one image for all variants. */
void release_share_images(const struct release *r, const struct content *from)
{
	for (uint32_t i = 0; r && i < r->variant_count; i++) {
		images_take(r->variants[i].content, &from->images);
		r->variants[i].content->images_ran |= from->images_ran;
	}
}
