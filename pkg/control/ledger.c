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

static bool number_in_use(const struct control *c, const struct family *f, uint32_t number)
{
	size_t it = 0;
	void *value;
	while (map_next(c->contents, &it, NULL, &value)) {
		const struct content *content = value;
		if (content->revision == number && strcmp(content->family, f->name) == 0)
			return true;
	}
	return f->current == number;
}

/* Numbers stay for ever, contents only of the last ones and of those in use. */
static void drop_old_contents(const struct control *c, struct family *f)
{
	size_t kept = 0;
	for (size_t i = f->revisions.len; i-- > 0;) {
		struct revision *r = &f->revisions.items[i];
		if (!r->content || ++kept <= REVISION_CONTENT_MAX || number_in_use(c, f, r->number))
			continue;
		free(r->content);
		r->content = NULL;
	}
}

uint32_t ledger_number(struct control *c, const struct manifest_object *object, const char *commit,
		       int64_t time_unix_ms)
{
	struct family *f = ledger_family(c, object->name);
	struct revision *r = find_digest(f, &object->digest);
	if (!r) {
		r = vec_push(&f->revisions);
		r->digest = object->digest;
		r->number = f->next++;
		r->time_unix_ms = time_unix_ms;
		copy_commit(r->commit, commit);
		f->dirty = true;
	}
	if (!r->content) {
		r->content = definition_text(object->task_definition);
		f->dirty = true;
		drop_old_contents(c, f);
	}
	if (f->dirty)
		dirty_family(c, f);
	return r->number;
}

void ledger_adopt(struct control *c, const char *family, uint32_t number,
		  const struct digest *digest)
{
	struct family *f = ledger_family(c, family);
	if (number < f->next || number == UINT32_MAX)
		return;
	struct revision *r = vec_push(&f->revisions);
	r->digest = *digest;
	r->number = number;
	f->next = number + 1;
	f->dirty = true;
	c->ledger_rebuilt = true;
	dirty_family(c, f);
}

struct content *content_get(struct control *c, const char *family, uint32_t revision,
			    const struct digest *task_definition, const struct digest *target,
			    const struct task_definition *definition)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(target, hex);
	struct content *content = map_get(c->contents, hex);
	if (content) {
		content->revision = revision;
		return content;
	}
	content = xcalloc(1, sizeof(*content));
	content->target = *target;
	content->task_definition = *task_definition;
	content->family = arena_strdup(&content->arena, family);
	content->revision = revision;
	content->definition = schema_copy(&task_definition_schema, definition, &content->arena);
	struct buf text = { 0 };
	schema_canonical(&task_definition_schema, definition, &text);
	content->document_bytes = (uint32_t)text.len + DESIRED_TASK_OVERHEAD_BYTES;
	buf_release(&text);
	map_put(c->contents, hex, content);
	return content;
}

struct content *content_of_revision(struct control *c, const struct family *f,
				    const struct revision *r, const char *redeploy)
{
	json_t *json = r->content ? json_loads(r->content, 0, NULL) : NULL;
	if (!json)
		return NULL;
	struct arena scratch;
	arena_init(&scratch);
	struct task_definition definition = { 0 };
	struct content *content = NULL;
	if (wire_object_from_json(&task_definition_schema, json, &scratch, &definition, NULL)) {
		struct digest target = task_target_digest(&r->digest, redeploy);
		content = content_get(c, f->name, r->number, &r->digest, &target, &definition);
	}
	json_decref(json);
	arena_release(&scratch);
	return content;
}

/* Drop contents that no service wants and no node is assigned. */
void contents_sweep(struct control *c)
{
	size_t it = 0;
	void *value;
	const char *key;
	while (map_next(c->contents, &it, NULL, &value))
		((struct content *)value)->uses = 0;
	it = 0;
	while (map_next(c->services, &it, NULL, &value)) {
		struct service_state *s = value;
		if (s->content)
			s->content->uses++;
	}
	it = 0;
	while (map_next(c->nodes, &it, NULL, &value)) {
		struct node_record *n = value;
		for (size_t i = 0; i < n->assignments.len; i++)
			n->assignments.items[i].content->uses++;
	}
	it = 0;
	while (map_next(c->contents, &it, &key, &value)) {
		struct content *content = value;
		if (content->uses)
			continue;
		map_remove(c->contents, key);
		arena_release(&content->arena);
		free(content);
	}
}

/* --- documents: controller/families/FAMILY, controller/services/CLUSTER~NAME ---------------------
 */

static json_t *json_digest(const struct digest *digest)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(digest, hex);
	return json_string(hex);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));
	return s ? s : "";
}

void ledger_family_document(struct control *c, struct family *f, struct buf *out)
{
	json_t *revisions = json_array();
	for (size_t i = 0; i < f->revisions.len; i++) {
		const struct revision *r = &f->revisions.items[i];
		json_t *item = json_pack("{s:I, s:o, s:s, s:I}", "revision", (json_int_t)r->number,
					 "digest", json_digest(&r->digest), "commit", r->commit,
					 "time", (json_int_t)r->time_unix_ms);
		json_t *content = r->content ? json_loads(r->content, 0, NULL) : NULL;
		if (content)
			json_object_set_new(item, "content", content);
		json_array_append_new(revisions, item);
	}
	json_t *doc = json_pack("{s:s, s:I, s:o}", "family", f->name, "next", (json_int_t)f->next,
				"revisions", revisions);
	wire_seal("family", c->fleet, doc, out);
	json_decref(doc);
	/* A ledger document that is too large loses contents, oldest first; never a number. */
	for (size_t i = 0; out->len > LIMIT_DOCUMENT_BYTES && i < f->revisions.len; i++) {
		if (!f->revisions.items[i].content)
			continue;
		free(f->revisions.items[i].content);
		f->revisions.items[i].content = NULL;
		buf_reset(out);
		ledger_family_document(c, f, out);
		return;
	}
}

void ledger_load_family(struct control *c, const char *name, json_t *doc)
{
	struct family *f = ledger_family(c, name);
	json_int_t next = json_integer_value(json_object_get(doc, "next"));
	if (next > f->next && next < UINT32_MAX)
		f->next = (uint32_t)next;
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(doc, "revisions"), i, item)
	{
		struct digest digest;
		json_int_t number = json_integer_value(json_object_get(item, "revision"));
		if (!digest_parse(text_of(item, "digest"), &digest) || number <= 0 ||
		    number >= UINT32_MAX || find_digest(f, &digest))
			continue;
		struct revision *r = vec_push(&f->revisions);
		r->digest = digest;
		r->number = (uint32_t)number;
		r->time_unix_ms = json_integer_value(json_object_get(item, "time"));
		copy_commit(r->commit, text_of(item, "commit"));
		json_t *content = json_object_get(item, "content");
		if (content)
			r->content = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);
		if (r->number >= f->next)
			f->next = r->number + 1;
	}
}

static json_t *deployment_json(const struct deployment *d)
{
	return json_pack(
		"{s:s, s:o, s:s, s:I, s:s, s:I, s:I, s:I, s:s}", "id", d->id, "target",
		json_digest(&d->target), "family", d->family, "revision", (json_int_t)d->revision,
		"commit", d->commit, "createdAt", (json_int_t)d->created_unix_ms, "updatedAt",
		(json_int_t)d->updated_unix_ms, "finishedAt", (json_int_t)d->finished_unix_ms,
		"rolloutState", rollout_state_name(d->state));
}

static bool deployment_load(const json_t *json, struct deployment *d)
{
	*d = (struct deployment){ 0 };
	if (!json_is_object(json) || !digest_parse(text_of(json, "target"), &d->target))
		return false;
	snprintf(d->id, sizeof(d->id), "%s", text_of(json, "id"));
	snprintf(d->family, sizeof(d->family), "%s", text_of(json, "family"));
	copy_commit(d->commit, text_of(json, "commit"));
	d->revision = (uint32_t)json_integer_value(json_object_get(json, "revision"));
	d->created_unix_ms = json_integer_value(json_object_get(json, "createdAt"));
	d->updated_unix_ms = json_integer_value(json_object_get(json, "updatedAt"));
	d->finished_unix_ms = json_integer_value(json_object_get(json, "finishedAt"));
	for (enum rollout_state s = ROLLOUT_IN_PROGRESS; s <= ROLLOUT_FAILED; s++)
		if (strcmp(rollout_state_name(s), text_of(json, "rolloutState")) == 0)
			d->state = s;
	return d->id[0] != '\0';
}

void ledger_service_document(const struct control *c, const struct service_state *s,
			     struct buf *out)
{
	json_t *doc = json_pack("{s:s, s:s, s:b, s:I}", "cluster", s->cluster, "service", s->name,
				"kept", s->kept, "createdAt", (json_int_t)s->created_unix_ms);
	if (s->has_primary)
		json_object_set_new(doc, "primary", deployment_json(&s->primary));
	if (s->has_previous)
		json_object_set_new(doc, "completed", deployment_json(&s->previous));
	wire_seal("service", c->fleet, doc, out);
	json_decref(doc);
}

void ledger_load_service(struct control *c, const char *cluster, const char *name, json_t *doc)
{
	struct service_state *s = service_get(c, cluster, name);
	s->has_primary = deployment_load(json_object_get(doc, "primary"), &s->primary);
	s->has_previous = deployment_load(json_object_get(doc, "completed"), &s->previous);
	s->kept = json_is_true(json_object_get(doc, "kept"));
	s->created_unix_ms = json_integer_value(json_object_get(doc, "createdAt"));
}

const char *ledger_service_key(struct arena *arena, const struct service_state *s)
{
	return arena_printf(arena, "controller/services/%s~%s", s->cluster, s->name);
}

/* --- deployments
 * ---------------------------------------------------------------------------------- */

void deployment_begin(struct control *c, struct service_state *s, int64_t now_unix_ms)
{
	if (!s->content ||
	    (s->has_primary && digest_equal(&s->primary.target, &s->content->target)))
		return;
	if (s->has_primary && s->primary.state == ROLLOUT_COMPLETED) {
		s->previous = s->primary;
		s->has_previous = true;
	}
	struct deployment *d = &s->primary;
	*d = (struct deployment){ .target = s->content->target,
				  .revision = s->content->revision,
				  .created_unix_ms = now_unix_ms,
				  .updated_unix_ms = now_unix_ms,
				  .state = ROLLOUT_IN_PROGRESS };
	snprintf(d->family, sizeof(d->family), "%s", s->content->family);
	copy_commit(d->commit, c->applied.id);
	/* ECS's form, 19 digits; made from what tells deployments apart instead of drawn. */
	struct buf seed = { 0 };
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&d->target, hex);
	buf_addf(&seed, "%s %s %" PRId64, s->key, hex, now_unix_ms);
	struct digest digest = digest_of(seed.data, seed.len);
	buf_release(&seed);
	uint64_t number;
	memcpy(&number, digest.bytes, sizeof(number));
	snprintf(d->id, sizeof(d->id), "ecs-svc/%019" PRIu64,
		 number % UINT64_C(10000000000000000000));
	s->has_primary = true;
	s->steady_told = false;
	s->dirty = true;
	event_add(c, s, NULL, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", now_unix_ms,
		  "(service %s) (deployment %s) deployment to %s:%u in progress.", s->name, d->id,
		  d->family, d->revision);
}
