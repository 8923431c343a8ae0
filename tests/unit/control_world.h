/*
 * A world around one controller, in virtual time: a store that is a map, a repository that is a
 * list of trees, and agents of a few lines that do at once what their desired document says.
 */
#ifndef CONTROL_WORLD_H
#define CONTROL_WORLD_H

#include "control/internal.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLEET	   "0123456789abcdef0123456789abcdef"
#define MAX_FILES  12
#define MAX_AGENTS 12
#define MAX_TASKS  8
#define UNIX_MS(w) (INT64_C(1700000000000) + (w)->now_ms)

struct doc {
	char *bytes;
	size_t len;
};

struct tree {
	struct {
		char path[32];
		char *text;
	} files[MAX_FILES];
	size_t count;
	char id[41];
	const char *allow; /* trailer */
};

struct agent_task {
	char service[32], family[32], cluster[32];
	char deployment[32];
	uint32_t revision;
	struct digest target;
};
struct agent {
	char name[32];
	char instance[33], session[33];
	struct str_pair attributes[4];
	uint32_t attribute_count;
	uint64_t seen, beat;
	bool silent; /* neither beats nor acts */
	bool slow;   /* beats, but does not act */
	bool gone;
	const char *fails; /* a service whose new tasks fail */
	struct agent_task tasks[MAX_TASKS];
	uint32_t task_count;
	uint32_t starts, replaced, stops; /* of tasks, counted by the agent */
};

struct world {
	struct control *c;
	struct map *store; /* key -> struct doc */
	int64_t now_ms;
	VEC(struct tree) commits;
	struct tree draft;
	ptrdiff_t have; /* index of the last taken commit; -1: none */
	bool no_history;
	struct buf applied; /* commit index kept by EFFECT_SAVE_APPLIED, as text */
	struct agent agents[MAX_AGENTS];
	uint32_t agent_count;
	uint32_t desired_puts, ledger_puts, removes; /* counters, that a test may reset */
	bool puts_fail;				     /* answered as failed ... */
	bool puts_happen;			     /* ... though they happened */
	bool answers_wait;			     /* not answered at all */
	uint64_t highest[MAX_AGENTS];		     /* number put for each agent's node */
	char event[256];			     /* the last one's message */
	struct map *events;			     /* name -> the world: told */
	bool store_away;
};

/* --- the store --------------------------------------------------------------------------------
 */

static inline void store_set(struct world *w, const char *key, const void *bytes, size_t len)
{
	struct doc *doc = map_get(w->store, key);
	if (!doc) {
		doc = xcalloc(1, sizeof(*doc));
		map_put(w->store, key, doc);
	}
	free(doc->bytes);
	doc->bytes = xmalloc(len + 1);
	memcpy(doc->bytes, bytes, len);
	doc->len = len;
}

static inline void store_drop(struct world *w, const char *key)
{
	struct doc *doc = map_remove(w->store, key);
	if (doc)
		free(doc->bytes);
	free(doc);
}

static inline struct doc *store_doc(struct world *w, const char *kind, const char *name)
{
	char key[128];
	snprintf(key, sizeof(key), "%s/%s", kind, name);
	return map_get(w->store, key);
}

static inline void tell(struct world *w, const char *key)
{
	const struct doc *doc = map_get(w->store, key);
	control_document(w->c, key, doc ? doc->bytes : NULL, doc ? doc->len : 0, NULL, w->now_ms);
}

/* All documents as they are, and those of known nodes that are not there. */
static inline void relist(struct world *w)
{
	static const char *const prefixes[] = { "controller/families/", "controller/services/",
						"nodes/", "desired/", "observed/" };
	for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
		size_t it = 0;
		const char *key;
		while (map_next(w->store, &it, &key, NULL))
			if (strncmp(key, prefixes[p], strlen(prefixes[p])) == 0)
				tell(w, key);
		struct arena scratch;
		arena_init(&scratch);
		const struct node_record **nodes;
		uint32_t count = p >= 2 ? control_nodes(w->c, &scratch, &nodes) : 0;
		for (uint32_t i = 0; i < count; i++) {
			const char *absent =
				arena_printf(&scratch, "%s%s", prefixes[p], nodes[i]->name);
			if (!map_get(w->store, absent))
				tell(w, absent);
		}
		arena_release(&scratch);
	}
}

/* --- the repository ---------------------------------------------------------------------------
 */

/* Sorted by path, as a source gives them. */
static inline void file_set_text(struct world *w, const char *path, const char *text)
{
	struct tree *t = &w->draft;
	size_t at = 0;
	while (at < t->count && strcmp(t->files[at].path, path) < 0)
		at++;
	bool there = at < t->count && strcmp(t->files[at].path, path) == 0;
	if (there)
		free(t->files[at].text);
	if (!text) {
		assert_true(there);
		memmove(&t->files[at], &t->files[at + 1], (--t->count - at) * sizeof(t->files[0]));
		return;
	}
	if (!there) {
		assert_true(t->count < MAX_FILES);
		memmove(&t->files[at + 1], &t->files[at], (t->count++ - at) * sizeof(t->files[0]));
		snprintf(t->files[at].path, sizeof(t->files[at].path), "%s", path);
	}
	t->files[at].text = xstrdup(text);
}

static inline void file_remove(struct world *w, const char *path)
{
	file_set_text(w, path, NULL);
}

static inline size_t commit(struct world *w)
{
	struct tree *t = vec_push(&w->commits);
	*t = w->draft;
	for (size_t i = 0; i < t->count; i++)
		t->files[i].text = xstrdup(t->files[i].text);
	snprintf(t->id, sizeof(t->id), "c%06zu00000000000000000000000000000000", w->commits.len);
	w->draft.allow = NULL;
	return w->commits.len - 1;
}

/* The old tree as a new commit: git revert. */
static inline void draft_of(struct world *w, size_t index)
{
	while (w->draft.count)
		file_remove(w, w->draft.files[0].path);
	const struct tree t = w->commits.items[index];
	for (size_t i = 0; i < t.count; i++)
		file_set_text(w, t.files[i].path, t.files[i].text);
}

static inline struct source_file source_file_of(struct arena *arena, const char *path,
						const char *text)
{
	struct source_file f = { .path = path };
	if (text) {
		struct digest digest = digest_of(text, strlen(text));
		char *hex = arena_alloc(arena, DIGEST_HEX_LEN + 1);
		digest_hex(&digest, hex);
		f.blob = hex;
		f.bytes = text;
		f.len = strlen(text);
	}
	return f;
}

static inline const char *text_in(const struct tree *t, const char *path)
{
	for (size_t i = 0; t && i < t->count; i++)
		if (strcmp(t->files[i].path, path) == 0)
			return t->files[i].text;
	return NULL;
}

static inline struct source_snapshot snapshot_of(const struct tree *t, struct arena *arena)
{
	struct source_snapshot s = { .commit = t->id, .subject = "subject", .author = "author" };
	s.files = ARENA_ARRAY(arena, struct source_file, MAX_FILES);
	for (size_t i = 0; i < t->count; i++)
		s.files[s.file_count++] = source_file_of(arena, t->files[i].path, t->files[i].text);
	return s;
}

/* What differs from the parent; what is gone has no blob. */
static inline void history_add(struct source_snapshot *s, const struct tree *t,
			       const struct tree *parent, struct arena *arena)
{
	struct source_commit *c = &s->history[s->history_count++];
	*c = (struct source_commit){ .id = t->id, .subject = "subject", .author = "author" };
	c->files = ARENA_ARRAY(arena, struct source_file, MAX_FILES * 2);
	for (size_t i = 0; i < t->count; i++) {
		const char *old = text_in(parent, t->files[i].path);
		if (!old || strcmp(old, t->files[i].text) != 0)
			c->files[c->file_count++] =
				source_file_of(arena, t->files[i].path, t->files[i].text);
	}
	for (size_t i = 0; parent && i < parent->count; i++)
		if (!text_in(t, parent->files[i].path))
			c->files[c->file_count++] =
				source_file_of(arena, parent->files[i].path, NULL);
}

/* The source looks at the commit of that index. */
static inline bool look_at(struct world *w, size_t index)
{
	struct arena arena;
	arena_init(&arena);
	struct source_snapshot s = snapshot_of(&w->commits.items[index], &arena);
	ptrdiff_t from = w->have + 1;
	s.history = ARENA_ARRAY(&arena, struct source_commit, index + 1);
	s.allows = ARENA_ARRAY(&arena, const char *, index + 2);
	for (ptrdiff_t i = from; i <= (ptrdiff_t)index; i++) {
		const struct tree *t = &w->commits.items[i];
		if (t->allow)
			s.allows[s.allow_count++] = t->allow;
		if (i < (ptrdiff_t)index && !w->no_history)
			history_add(&s, t, i ? &w->commits.items[i - 1] : NULL, &arena);
	}
	bool taken = control_snapshot(w->c, &s, w->now_ms, UNIX_MS(w));
	if (taken)
		w->have = (ptrdiff_t)index;
	arena_release(&arena);
	return taken;
}

/* --- agents -----------------------------------------------------------------------------------
 */

static inline void agent_register(struct world *w, struct agent *a)
{
	static struct wire_engine engine = { .kind = ENGINE_PROCESS, .name = "process" };
	struct buf bytes = { 0 };
	struct wire_registration r = {
		.fleet = FLEET,
		.node = a->name,
		.cluster = "default",
		.instance = a->instance,
		.boot_id = "boot",
		.session = a->session,
		.agent_version = "1",
		.wire_min = 1,
		.wire_max = 1,
		.engines = &engine,
		.engine_count = 1,
		.attributes = { a->attributes, a->attribute_count, true },
		.cpu_units = 4096,
		.memory_mib = 4096,
	};
	wire_encode_registration(&r, &bytes);
	char key[64];
	snprintf(key, sizeof(key), "nodes/%s", a->name);
	store_set(w, key, bytes.data, bytes.len);
	buf_release(&bytes);
	tell(w, key);
}

static inline void agent_report(struct world *w, struct agent *a)
{
	struct wire_task tasks[MAX_TASKS] = { 0 };
	for (uint32_t i = 0; i < a->task_count; i++) {
		const struct agent_task *t = &a->tasks[i];
		bool fails = a->fails && strcmp(a->fails, t->service) == 0;
		tasks[i] = (struct wire_task){
			.id = "0123456789abcdef0123456789abcdef",
			.cluster = t->cluster,
			.service = t->service,
			.family = t->family,
			.revision = t->revision,
			.target = t->target,
			.deployment = t->deployment,
			.last_status = fails ? TASK_PENDING : TASK_RUNNING,
			.desired_status = TASK_RUNNING,
			.ready = !fails,
			.failed = fails,
			.engine = "process",
		};
	}
	struct wire_observed o = { .fleet = FLEET,
				   .node = a->name,
				   .cluster = "default",
				   .instance = a->instance,
				   .boot_id = "boot",
				   .session = a->session,
				   .seen = a->seen,
				   .tasks = tasks,
				   .task_count = a->task_count };
	struct buf bytes = { 0 };
	wire_encode_observed(&o, &bytes);
	char key[64];
	snprintf(key, sizeof(key), "observed/%s", a->name);
	const struct doc *old = map_get(w->store, key);
	bool same = old && old->len == bytes.len && memcmp(old->bytes, bytes.data, bytes.len) == 0;
	if (!same) {
		store_set(w, key, bytes.data, bytes.len);
		tell(w, key);
	}
	buf_release(&bytes);
}

static inline struct agent_task *agent_task(struct agent *a, const char *service)
{
	for (uint32_t i = 0; i < a->task_count; i++)
		if (strcmp(a->tasks[i].service, service) == 0)
			return &a->tasks[i];
	return NULL;
}

static inline void agent_obey(struct agent *a, const struct wire_desired *d)
{
	struct agent_task next[MAX_TASKS] = { 0 };
	a->seen = d->number;
	uint32_t stopped = a->task_count;
	for (uint32_t i = 0; i < d->task_count; i++) {
		const struct wire_desired_task *want = &d->tasks[i];
		const struct agent_task *old = agent_task(a, want->service);
		struct agent_task *t = &next[i];
		snprintf(t->cluster, sizeof(t->cluster), "%s", want->cluster);
		snprintf(t->service, sizeof(t->service), "%s", want->service);
		snprintf(t->family, sizeof(t->family), "%s", want->family);
		snprintf(t->deployment, sizeof(t->deployment), "%s", want->deployment);
		t->revision = want->revision;
		t->target = want->target;
		if (!old)
			a->starts++;
		else if (!digest_equal(&old->target, &want->target))
			a->replaced++;
		stopped -= old != NULL;
	}
	a->stops += stopped;
	memcpy(a->tasks, next, sizeof(next));
	a->task_count = d->task_count;
}

/* Unknown means keep what runs; a lower number is unknown. */
static inline void agent_act(struct world *w, struct agent *a)
{
	if (a->silent || a->slow || a->gone)
		return;
	struct arena arena;
	arena_init(&arena);
	struct wire_desired d;
	const struct doc *doc = store_doc(w, "desired", a->name);
	if (doc &&
	    wire_decode_desired(doc->bytes, doc->len, FLEET, a->name, &arena, &d, NULL) ==
		    WIRE_OK &&
	    d.number >= a->seen)
		agent_obey(a, &d);
	arena_release(&arena);
	agent_report(w, a);
}

static inline void agent_beat(struct world *w, struct agent *a)
{
	if (a->silent || a->gone)
		return;
	a->beat++;
	control_beat(w->c, a->name, a->beat, w->now_ms);
}

static inline struct agent *agent_start(struct world *w, const char *name)
{
	struct agent *a = &w->agents[w->agent_count++];
	*a = (struct agent){ 0 };
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(a->instance, sizeof(a->instance), "%032x", w->agent_count);
	snprintf(a->session, sizeof(a->session), "%032x", 100 + w->agent_count);
	agent_register(w, a);
	agent_report(w, a);
	return a;
}

static inline void agent_attribute(struct world *w, struct agent *a, const char *name,
				   const char *value)
{
	a->attribute_count = value != NULL;
	a->attributes[0] = (struct str_pair){ .name = name, .value = value };
	agent_register(w, a);
}

static inline void agent_leave(struct world *w, struct agent *a)
{
	static const char *const kinds[] = { "nodes", "observed", "desired" };
	a->gone = true;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char key[64];
		snprintf(key, sizeof(key), "%s/%s", kinds[i], a->name);
		store_drop(w, key);
		tell(w, key);
	}
}

/* --- the controller ---------------------------------------------------------------------------
 */

static inline void world_put(struct world *w, const struct control_effect *e)
{
	bool happens = !w->puts_fail || w->puts_happen;
	bool desired = strncmp(e->key, "desired/", 8) == 0;
	*(desired ? &w->desired_puts : &w->ledger_puts) += 1;
	if (desired) {
		struct arena arena;
		arena_init(&arena);
		struct wire_desired d;
		assert_int_equal(
			wire_decode_desired(e->bytes, e->len, FLEET, e->key + 8, &arena, &d, NULL),
			WIRE_OK);
		for (uint32_t i = 0; i < w->agent_count; i++) {
			if (strcmp(w->agents[i].name, e->key + 8) != 0)
				continue;
			assert_true(d.number > w->highest[i]); /* numbers only grow */
			w->highest[i] = d.number;
		}
		arena_release(&arena);
	}
	if (happens)
		store_set(w, e->key, e->bytes, e->len);
	if (!w->answers_wait)
		control_put_done(w->c, e->key, !w->puts_fail, w->puts_fail ? "no space" : NULL,
				 w->now_ms);
}

static inline void world_effect(struct world *w, const struct control_effect *e)
{
	switch (e->kind) {
	case EFFECT_PUT: world_put(w, e); break;
	case EFFECT_REMOVE:
		w->removes++;
		store_drop(w, e->key);
		break;
	case EFFECT_SAVE_APPLIED: {
		struct arena arena;
		arena_init(&arena);
		const struct source_snapshot *s = control_applied_snapshot(w->c, &arena);
		buf_reset(&w->applied);
		buf_adds(&w->applied, s->commit);
		for (size_t i = 0; i < w->commits.len; i++) {
			if (strcmp(w->commits.items[i].id, s->commit) != 0)
				continue;
			assert_int_equal(s->file_count, w->commits.items[i].count);
			for (size_t f = 0; f < s->file_count; f++)
				assert_string_equal(s->files[f].path,
						    w->commits.items[i].files[f].path);
		}
		arena_release(&arena);
		break;
	}
	case EFFECT_EVENT:
		snprintf(w->event, sizeof(w->event), "%s", e->event->message);
		map_put(w->events, e->event->name, w);
		break;
	case EFFECT_STATUS_FLEET:
	case EFFECT_STATUS_SERVICE:
	case EFFECT_STATUS_NODE:
	case EFFECT_STATUS_TASKDEF: break;
	}
}

/* One step; gives the number of its effects. */
static inline size_t step(struct world *w)
{
	struct arena arena;
	arena_init(&arena);
	struct control_effects effects = { 0 };
	control_step(w->c, w->now_ms, UNIX_MS(w), &arena, &effects);
	size_t count = effects.items.len;
	for (size_t i = 0; i < count; i++)
		world_effect(w, &effects.items.items[i]);
	control_effects_release(&effects);
	arena_release(&arena);
	return count;
}

/* Controller and agents act in turn, time stands still, until nothing changes any more. */
static inline void settle_down(struct world *w)
{
	for (int turn = 0; turn < 200; turn++) {
		size_t effects = step(w);
		for (uint32_t i = 0; i < w->agent_count; i++)
			agent_act(w, &w->agents[i]);
		if (!effects && !step(w)) /* and a second one answers nothing either */
			return;
	}
	fail_msg("the world does not settle down");
}

static inline void pass(struct world *w, int64_t ms)
{
	for (int64_t end = w->now_ms + ms; w->now_ms < end;) {
		w->now_ms += end - w->now_ms < 5000 ? end - w->now_ms : 5000;
		for (uint32_t i = 0; i < w->agent_count; i++)
			agent_beat(w, &w->agents[i]);
		settle_down(w);
	}
}

/* A new controller reads the store; no look at the source yet, and no beat since. */
static inline void controller_read_store(struct world *w)
{
	w->c = control_new();
	control_store_open(w->c, FLEET);
	step(w);
	relist(w);
	for (uint32_t i = 0; i < w->agent_count; i++)
		if (!w->agents[i].gone)
			control_beat(w->c, w->agents[i].name, w->agents[i].beat, w->now_ms);
	control_store_listed(w->c);
	w->have = -1;
	if (!w->applied.len)
		return;
	struct arena arena;
	arena_init(&arena);
	for (size_t i = 0; i < w->commits.len; i++) {
		struct source_snapshot s = snapshot_of(&w->commits.items[i], &arena);
		if (strcmp(s.commit, buf_str(&w->applied)) != 0)
			continue;
		control_restore(w->c, &s);
		if (w->c->applied.id[0] && !control_needs_history(w->c))
			w->have = (ptrdiff_t)i;
	}
	arena_release(&arena);
}

static inline void controller_restart(struct world *w)
{
	control_free(w->c);
	controller_read_store(w);
	settle_down(w);
	if (w->commits.len)
		assert_true(look_at(w, w->commits.len - 1));
	settle_down(w);
	pass(w, 10000);
}

static inline struct world *world_new(uint32_t agents)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->store = map_new();
	w->events = map_new();
	w->now_ms = 1000;
	w->have = -1;
	controller_read_store(w);
	for (uint32_t i = 0; i < agents; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%u", i + 1);
		agent_start(w, name);
	}
	return w;
}

static inline void world_free(struct world *w)
{
	control_free(w->c);
	size_t it = 0;
	void *value;
	while (map_next(w->store, &it, NULL, &value)) {
		free(((struct doc *)value)->bytes);
		free(value);
	}
	map_free(w->store);
	map_free(w->events);
	while (w->draft.count)
		file_remove(w, w->draft.files[0].path);
	for (size_t i = 0; i < w->commits.len; i++)
		for (size_t f = 0; f < w->commits.items[i].count; f++)
			free(w->commits.items[i].files[f].text);
	vec_release(&w->commits);
	buf_release(&w->applied);
	free(w);
}

/* Commit the draft, push, and let all act. */
static inline void push(struct world *w)
{
	size_t index = commit(w);
	assert_true(look_at(w, index));
	settle_down(w);
}

/* --- manifests --------------------------------------------------------------------------------
 */

static inline void write_task(struct world *w, const char *path, const char *family,
			      const char *command)
{
	char text[512];
	snprintf(text, sizeof(text),
		 "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: %s}\nspec:\n"
		 "  requiresCompatibilities: [PROCESS]\n  containerDefinitions:\n"
		 "  - {name: main, command: [%s]}\n",
		 family, command);
	file_set_text(w, path, text);
}

/* more: further lines of the document, each indented as it has to be. */
static inline void write_service(struct world *w, const char *path, const char *name,
				 const char *task, const char *more)
{
	char text[1024];
	snprintf(text, sizeof(text),
		 "apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: %s\nspec:\n"
		 "  taskDefinition: '%s'\n  minReadySeconds: 1\n%s",
		 name, task, more);
	file_set_text(w, path, text);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static inline uint32_t running(const struct world *w, const char *service)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < w->agent_count; i++)
		count += !w->agents[i].gone &&
			 agent_task((struct agent *)&w->agents[i], service) != NULL;
	return count;
}

static inline uint32_t running_revision(const struct world *w, const char *service,
					uint32_t revision)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < w->agent_count; i++) {
		const struct agent_task *t = agent_task((struct agent *)&w->agents[i], service);
		count += !w->agents[i].gone && t && t->revision == revision;
	}
	return count;
}

static inline uint32_t sum(const struct world *w, size_t offset)
{
	uint32_t total = 0;
	for (uint32_t i = 0; i < w->agent_count; i++)
		total += *(const uint32_t *)((const char *)&w->agents[i] + offset);
	return total;
}
#define TOTAL(w, member) sum((w), offsetof(struct agent, member))

static inline struct service_state *service(const struct world *w, const char *name)
{
	char key[64];
	snprintf(key, sizeof(key), "default/%s", name);
	return map_get(w->c->services, key);
}

/* A service `web` of the task definition `web` runs on so many nodes. */
static inline struct world *web_on(uint32_t agents)
{
	struct world *w = world_new(agents);
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web", "");
	push(w);
	assert_int_equal(running(w, "web"), agents);
	return w;
}

/* Count from here on. */
static inline void reset(struct world *w)
{
	w->desired_puts = w->ledger_puts = w->removes = 0;
	for (uint32_t i = 0; i < w->agent_count; i++)
		w->agents[i].starts = w->agents[i].replaced = w->agents[i].stops = 0;
}
#define TOUCHED(w) (TOTAL(w, starts) + TOTAL(w, replaced) + TOTAL(w, stops))

static inline uint32_t number_of(const struct world *w, const char *family)
{
	const struct family *f = map_get(w->c->families, family);
	return f ? f->current : 0;
}

static inline bool told(struct world *w, const char *event)
{
	return map_remove(w->events, event) != NULL;
}

#endif
