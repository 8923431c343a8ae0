#include "control/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct family *ledger_family(struct control *c, const char *name)
{
	struct family *f = map_get(c->families, name);
	if (!f) {
		f = xcalloc(1, sizeof(*f));
		f->name = xstrdup(name);
		f->next = 1;
		map_put(c->families, name, f);
	}
	return f;
}

static struct revision *find_digest(struct family *f, const struct digest *digest)
{
	for (size_t i = f->revisions.len; i-- > 0;)
		if (digest_equal(&f->revisions.items[i].digest, digest))
			return &f->revisions.items[i];
	return NULL;
}

const struct revision *ledger_find(const struct family *f, uint32_t number)
{
	for (size_t i = f->revisions.len; i-- > 0;)
		if (f->revisions.items[i].number == number)
			return &f->revisions.items[i];
	return NULL;
}

static char *definition_text(const struct task_definition *definition)
{
	json_t *json = wire_object_to_json(&task_definition_schema, definition);
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	assert(text);
	return text;
}

static bool is_of(const struct deployment *d, const struct family *f, uint32_t number)
{
	return d->revision == number && strcmp(d->family, f->name) == 0;
}

static bool number_in_use(const struct control *c, const struct family *f, uint32_t number)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		const struct service_state *s = value;
		if ((s->has_primary && is_of(&s->primary, f, number)) ||
		    (s->has_previous && is_of(&s->previous, f, number)))
			return true;
	}
	it = 0;
	while (map_next(c->contents, &it, NULL, &value)) {
		const struct content *content = value;
		if (content->revision == number && strcmp(content->family, f->name) == 0)
			return true;
	}
	return f->current == number;
}

/* Numbers stay for ever, contents only of the last ones and of those in use. */
static bool keeps_content(const struct control *c, const struct family *f, const struct revision *r)
{
	size_t behind = f->revisions.len - 1 - (size_t)(r - f->revisions.items);
	return r->wanted || behind < REVISION_CONTENT_MAX || number_in_use(c, f, r->number);
}

static void drop_old_contents(const struct control *c, struct family *f)
{
	for (size_t i = 0; i < f->revisions.len; i++) {
		struct revision *r = &f->revisions.items[i];
		if (!r->content || keeps_content(c, f, r))
			continue;
		free(r->content);
		r->content = NULL;
	}
}

static void keep_content(struct control *c, struct family *f, struct revision *r,
			 const struct task_definition *definition)
{
	if (r->content || !keeps_content(c, f, r))
		return;
	r->content = definition_text(definition);
	ledger_dirty_family(c, f);
}

static struct revision *add_revision(struct control *c, struct family *f, uint32_t number)
{
	struct revision *r = vec_push(&f->revisions);
	r->number = number;
	f->next = number + 1;
	ledger_dirty_family(c, f);
	return r;
}

/* What was found running under a number, without its content, is known by its target. */
static struct revision *find_target(struct family *f, const struct digest *task_definition)
{
	struct digest target = task_target_digest(task_definition, NULL, NULL);
	for (size_t i = f->revisions.len; i-- > 0;)
		if (digest_is_none(&f->revisions.items[i].digest) &&
		    digest_equal(&f->revisions.items[i].target, &target))
			return &f->revisions.items[i];
	return NULL;
}

uint32_t ledger_number(struct control *c, const struct manifest_object *object, const char *commit,
		       int64_t time_unix_ms)
{
	struct family *f = ledger_family(c, object->name);
	struct revision *r = find_digest(f, &object->digest);
	if (!r && (r = find_target(f, &object->digest))) {
		r->digest = object->digest;
		ledger_dirty_family(c, f);
	}
	if (!r) {
		r = add_revision(c, f, f->next);
		r->digest = object->digest;
		r->time_unix_ms = time_unix_ms;
		copy_commit(r->commit, commit);
		drop_old_contents(c, f);
	}
	keep_content(c, f, r, object->task_definition);
	return r->number;
}

void ledger_current(struct control *c, const struct manifest_object *object)
{
	struct family *f = ledger_family(c, object->name);
	uint32_t number = ledger_number(c, object, c->seen.id, c->seen.time_unix_ms);
	if (f->current == number)
		return;
	f->current = number;
	keep_content(c, f, find_digest(f, &object->digest), object->task_definition);
	dirty_family(c, f);
}

bool ledger_lacks(const struct control *c, const char *family, uint32_t number)
{
	const struct family *f = map_get(c->families, family);
	return number > 0 && number <= REVISION_MAX && (!f || number >= f->next);
}

void ledger_adopt(struct control *c, const char *family, uint32_t number,
		  const struct digest *digest, const struct digest *target)
{
	if (!ledger_lacks(c, family, number))
		return;
	struct family *f = ledger_family(c, family);
	c->ledger_rebuilt |= number > f->next; /* those between are not known any more */
	struct revision *r = add_revision(c, f, number);
	r->digest = *digest;
	r->target = *target;
}

bool ledger_want_content(struct control *c, struct family *f, uint32_t number)
{
	struct revision *r = (struct revision *)ledger_find(f, number);
	if (r->wanted)
		return c->contents_wanted;
	r->wanted = true;
	c->contents_wanted = c->needs_history = true;
	return true;
}

uint32_t content_document_bytes(const struct task_definition *definition)
{
	struct buf text = { 0 };
	schema_canonical(&task_definition_schema, definition, &text);
	uint32_t bytes = (uint32_t)text.len + DESIRED_TASK_OVERHEAD_BYTES;
	buf_release(&text);
	return bytes;
}

struct content *content_get(struct control *c, const char *family, uint32_t revision,
			    const struct digest *task_definition, const struct digest *target,
			    const struct task_definition *definition)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(target, hex);
	struct content *content = map_get(c->contents, hex);
	if (!content) {
		content = xcalloc(1, sizeof(*content));
		content->target = *target;
		content->family = arena_strdup(&content->arena, family);
		map_put(c->contents, hex, content);
	}
	content->revision = revision;
	if (definition && (!content->definition || content->as_rendered)) {
		content->as_rendered = false;
		content->task_definition = *task_definition;
		content->definition =
			schema_copy(&task_definition_schema, definition, &content->arena);
		content->document_bytes = content_document_bytes(definition);
	}
	return content;
}

struct content *content_as_rendered(struct control *c, const struct wire_desired_task *t)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&t->target, hex);
	const struct content *known = map_get(c->contents, hex);
	if (known && known->definition)
		return content_get(c, t->family, t->revision, NULL, &t->target, NULL);
	struct digest digest = task_definition_digest(t->task_definition);
	struct content *content =
		content_get(c, t->family, t->revision, &digest, &t->target, t->task_definition);
	content->as_rendered = true;
	return content;
}

struct content *content_of_revision(struct control *c, const struct family *f,
				    const struct revision *r, const struct digest *target)
{
	json_t *json = r->content ? json_loads(r->content, 0, NULL) : NULL;
	if (!json)
		return NULL;
	struct arena scratch;
	arena_init(&scratch);
	struct task_definition definition = { 0 };
	struct content *content = NULL;
	if (wire_object_from_json(&task_definition_schema, json, &scratch, &definition, NULL))
		content = content_get(c, f->name, r->number, &r->digest, target, &definition);
	json_decref(json);
	arena_release(&scratch);
	return content;
}

/* Is the target made of that revision? The number alone does not tell: it may have been given anew.
 */
static bool target_is_of(const struct digest *target, const struct revision *r,
			 const struct service_state *s)
{
	if (digest_is_none(&r->digest))
		return false;
	const char *redeploys[] = { NULL, s->spec ? s->spec->redeploy : NULL };
	for (size_t i = 0; i < ARRAY_LEN(redeploys); i++) {
		struct digest made = task_target_digest(&r->digest, NULL, redeploys[i]);
		if (digest_equal(&made, target))
			return true;
	}
	return release_content(s->current, target) || release_content(s->completed, target);
}

bool content_complete(struct control *c, struct content *content, const struct service_state *s)
{
	const struct family *f = map_get(c->families, content->family);
	for (size_t i = f ? f->revisions.len : 0; !content->definition && i-- > 0;)
		if (target_is_of(&content->target, &f->revisions.items[i], s))
			content_of_revision(c, f, &f->revisions.items[i], &content->target);
	return content->definition != NULL;
}

static void mark_release(struct release *r)
{
	for (uint32_t i = 0; r && i < r->variant_count; i++)
		r->variants[i].content->used = true;
}

/* A rollback runs the images that the deployment had. */
static void mark_deployment(struct control *c, const struct deployment *d)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&d->release, hex);
	struct content *content = map_get(c->contents, hex);
	if (content)
		content->used = true;
}

static void mark_used_contents(struct control *c)
{
	size_t it = 0;
	void *value;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		mark_release(s->wanted);
		mark_release(s->current);
		mark_release(s->completed);
		if (s->has_primary)
			mark_deployment(c, &s->primary);
		if (s->has_previous)
			mark_deployment(c, &s->previous);
	}
	it = 0;
	while (map_next(c->nodes, &it, NULL, &value)) {
		const struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++)
			n->assignments.items[i].content->used = true;
	}
}

/* Doubling, so that what it costs is in proportion to what came. */
void contents_sweep(struct control *c)
{
	size_t count = map_count(c->contents);
	if (count < 16 || count < 2 * (size_t)c->contents_kept)
		return;
	mark_used_contents(c);
	size_t it = 0;
	const char *key;
	void *value;
	while (map_next(c->contents, &it, &key, &value)) {
		struct content *content = value;
		if (content->used) {
			content->used = false;
			continue;
		}
		map_remove(c->contents, key);
		arena_release(&content->arena);
		free(content);
	}
	c->contents_kept = (uint32_t)map_count(c->contents);
}
