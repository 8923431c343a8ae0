#include "control/internal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void ledger_dirty_family(struct control *c, struct family *f)
{
	f->dirty = c->ledger_behind = true;
	dirty_family(c, f);
}

void ledger_dirty_service(struct control *c, struct service_state *s)
{
	s->dirty = c->ledger_behind = true;
	dirty_service(c, s);
}

/* --- a family: {family, next, revisions: [...], older: [[number, digest], ...]} ------------------
 */

/* How many are told of in full, and with their number at all: so many fit into a document. Of what
 * is older the number is forgotten: should such content come again, it gets a new one. */
#define REVISIONS_IN_FULL 1000
#define REVISIONS_MAX	  10000

static json_t *revision_json(const struct revision *r, bool with_content)
{
	json_t *item = json_pack("{s:I, s:o, s:s, s:I}", "revision", (json_int_t)r->number,
				 "digest", json_digest(&r->digest), "commit", r->commit, "time",
				 (json_int_t)r->time_unix_ms);
	if (!digest_is_none(&r->target))
		json_object_set_new(item, "target", json_digest(&r->target));
	json_t *content = with_content && r->content ? json_loads(r->content, 0, NULL) : NULL;
	if (content)
		json_object_set_new(item, "content", content);
	return item;
}

static void family_document(const struct control *c, const struct family *f, size_t contents_from,
			    struct buf *out)
{
	size_t len = f->revisions.len, i = len > REVISIONS_MAX ? len - REVISIONS_MAX : 0;
	json_t *older = json_array(), *revisions = json_array();
	for (; i + REVISIONS_IN_FULL < len; i++)
		json_array_append_new(older,
				      json_pack("[I, o]", (json_int_t)f->revisions.items[i].number,
						json_digest(&f->revisions.items[i].digest)));
	for (; i < len; i++)
		json_array_append_new(revisions,
				      revision_json(&f->revisions.items[i], i >= contents_from));
	json_t *doc = json_pack("{s:s, s:I, s:o}", "family", f->name, "next", (json_int_t)f->next,
				"revisions", revisions);
	if (json_array_size(older) > 0)
		json_object_set(doc, "older", older);
	json_decref(older);
	wire_seal("family", c->fleet, doc, out);
	json_decref(doc);
}

/* One that would be too large loses contents, oldest first; never a number. */
void ledger_family_document(const struct control *c, const struct family *f, struct buf *out)
{
	family_document(c, f, 0, out);
	for (size_t i = 0; out->len > LIMIT_DOCUMENT_BYTES && i < f->revisions.len; i++) {
		if (!f->revisions.items[i].content)
			continue;
		buf_reset(out);
		family_document(c, f, i + 1, out);
	}
}

static struct revision *load_revision(struct family *f, json_int_t number, const char *digest)
{
	if (number < f->next || number > REVISION_MAX)
		return NULL;
	struct revision *r = vec_push(&f->revisions);
	digest_parse(digest ? digest : "", &r->digest);
	r->number = (uint32_t)number;
	f->next = r->number + 1;
	return r;
}

/* In the order of numbers; what is not in order is not ours. */
static void load_family(struct control *c, const char *name, const json_t *doc)
{
	struct family *f = ledger_family(c, name);
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(doc, "older"), i, item)
		load_revision(f, json_integer_value(json_array_get(item, 0)),
			      json_string_value(json_array_get(item, 1)));
	json_array_foreach(json_object_get(doc, "revisions"), i, item)
	{
		struct revision *r =
			load_revision(f, json_integer_value(json_object_get(item, "revision")),
				      text_of(item, "digest"));
		if (!r)
			continue;
		digest_parse(text_of(item, "target"), &r->target);
		r->time_unix_ms = json_integer_value(json_object_get(item, "time"));
		copy_commit(r->commit, text_of(item, "commit"));
		json_t *content = json_object_get(item, "content");
		if (content)
			r->content = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);
	}
	json_int_t next = json_integer_value(json_object_get(doc, "next"));
	if (next > f->next && next <= REVISION_MAX)
		f->next = (uint32_t)next;
}

/* --- a service: {cluster, service, kept, createdAt, primary, completed} --------------------------
 */

static void set_text(json_t *json, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(json, key, json_string(text));
}

static json_t *deployment_json(const struct control *c, const struct deployment *d)
{
	char hex[DIGEST_HEX_LEN + 1];
	digest_hex(&d->release, hex);
	const struct content *content = map_get(c->contents, hex);
	json_t *json = json_pack(
		"{s:s, s:o, s:s, s:I, s:s, s:I, s:I, s:I, s:s, s:o}", "id", d->id, "target",
		json_digest(&d->release), "family", d->family, "revision", (json_int_t)d->revision,
		"commit", d->commit, "createdAt", (json_int_t)d->created_unix_ms, "updatedAt",
		(json_int_t)d->updated_unix_ms, "finishedAt", (json_int_t)d->finished_unix_ms,
		"rolloutState", rollout_state_name(d->state), "rollout",
		rollout_memory_to_json(&d->memory));
	set_text(json, "redeploy", d->redeploy);
	set_text(json, "reason", d->reason);
	set_text(json, "rollbackOf", d->rollback_of);
	if (d->overrides)
		json_object_set_new(json, "overrides", json_loads(d->overrides, 0, NULL));
	if (d->window_allowed)
		json_object_set_new(json, "windowAllowed", json_true());
	if (content && content->images.len > 0)
		json_object_set_new(json, "images", images_json(content));
	return json;
}

static char *text_copy(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? xstrdup(text) : NULL;
}

static bool deployment_load(struct control *c, const json_t *json, struct deployment *d)
{
	static const struct digest none;
	*d = (struct deployment){ 0 };
	if (!json_is_object(json) || !digest_parse(text_of(json, "target"), &d->release))
		return false;
	snprintf(d->id, sizeof(d->id), "%s", text_of(json, "id"));
	snprintf(d->family, sizeof(d->family), "%s", text_of(json, "family"));
	snprintf(d->rollback_of, sizeof(d->rollback_of), "%s", text_of(json, "rollbackOf"));
	copy_commit(d->commit, text_of(json, "commit"));
	d->revision = (uint32_t)json_integer_value(json_object_get(json, "revision"));
	d->created_unix_ms = json_integer_value(json_object_get(json, "createdAt"));
	d->updated_unix_ms = json_integer_value(json_object_get(json, "updatedAt"));
	d->finished_unix_ms = json_integer_value(json_object_get(json, "finishedAt"));
	for (enum rollout_state s = ROLLOUT_IN_PROGRESS; s <= ROLLOUT_FAILED; s++)
		if (strcmp(rollout_state_name(s), text_of(json, "rolloutState")) == 0)
			d->state = s;
	d->redeploy = text_copy(json, "redeploy");
	d->reason = text_copy(json, "reason");
	d->window_allowed = json_is_true(json_object_get(json, "windowAllowed"));
	rollout_memory_from_json(&d->memory, json_object_get(json, "rollout"), NULL);
	const json_t *overrides = json_object_get(json, "overrides");
	if (overrides)
		d->overrides = json_dumps(overrides, JSON_COMPACT | JSON_SORT_KEYS);
	const json_t *images = json_object_get(json, "images");
	if (images)
		images_load(content_get(c, d->family, d->revision, &none, &d->release, NULL),
			    images);
	return d->id[0] != '\0';
}

void ledger_service_document(const struct control *c, const struct service_state *s,
			     struct buf *out)
{
	json_t *doc = json_pack("{s:s, s:s, s:b, s:I}", "cluster", s->cluster, "service", s->name,
				"kept", s->kept, "createdAt", (json_int_t)s->created_unix_ms);
	if (s->has_primary)
		json_object_set_new(doc, "primary", deployment_json(c, &s->primary));
	if (s->has_previous)
		json_object_set_new(doc, "completed", deployment_json(c, &s->previous));
	if (s->has_failed)
		json_object_set_new(doc, "failed", deployment_json(c, &s->failed));
	json_t *past = json_array();
	for (uint32_t i = 0; i < s->past_count; i++)
		json_array_append_new(past, deployment_json(c, &s->past[i]));
	json_object_set_new(doc, "past", past);
	if (s->guarded)
		json_object_set_new(doc, "guarded", json_true());
	wire_seal("service", c->fleet, doc, out);
	json_decref(doc);
}

static void load_service(struct control *c, const json_t *doc)
{
	const char *cluster = text_of(doc, "cluster"), *name = text_of(doc, "service");
	if (!name_valid(cluster) || !name_valid(name))
		return;
	struct service_state *s = service_get(c, cluster, name);
	s->has_primary = deployment_load(c, json_object_get(doc, "primary"), &s->primary);
	s->has_previous = deployment_load(c, json_object_get(doc, "completed"), &s->previous);
	s->has_failed = deployment_load(c, json_object_get(doc, "failed"), &s->failed);
	size_t i;
	json_t *past;
	json_array_foreach(json_object_get(doc, "past"), i, past)
	{
		if (s->past_count < DEPLOYMENTS_KEPT &&
		    deployment_load(c, past, &s->past[s->past_count]))
			s->past_count++;
	}
	s->guarded = json_is_true(json_object_get(doc, "guarded"));
	s->kept = json_is_true(json_object_get(doc, "kept"));
	s->created_unix_ms = json_integer_value(json_object_get(doc, "createdAt"));
}

const char *ledger_service_key(struct arena *arena, const struct service_state *s)
{
	return arena_printf(arena, "controller/services/%s~%s", s->cluster, s->name);
}

static const char *after(const char *key, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(key, prefix, len) == 0 ? key + len : NULL;
}

void ledger_told(struct control *c, const char *key, const void *bytes, size_t len, const char *why)
{
	const char *family = after(key, LEDGER_FAMILIES);
	bool service = after(key, LEDGER_SERVICES);
	if (!family && !service)
		return;
	json_t *doc =
		bytes ? wire_open(bytes, len, family ? "family" : "service", c->fleet, NULL) : NULL;
	if (doc && family)
		load_family(c, family, doc);
	else if (doc)
		load_service(c, doc);
	else if (family && (bytes || why))
		c->needs_history = true;
	json_decref(doc);
}
