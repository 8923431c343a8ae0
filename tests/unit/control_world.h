/*
 * A world around one controller, in virtual time.
 */
#ifndef CONTROL_WORLD_H
#define CONTROL_WORLD_H

#include "control_agents.h"

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
	case EFFECT_LIST_NODES:
		w->looks++;
		if (!w->looks_wait)
			nodes_list(w, e->look);
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
			size_t manifests = 0, want = 0;
			for (size_t f = 0; f < s->file_count; f++) {
				assert_non_null(text_in(&w->commits.items[i], s->files[f].path));
				manifests += !s->files[f].data;
			}
			for (size_t f = 0; f < w->commits.items[i].count; f++)
				want += manifest_path_wanted(w->commits.items[i].files[f].path);
			assert_int_equal(manifests, want);
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
	static const struct zone_offset utc = { 0 };
	static const struct zone zones[] = { { "UTC", &utc, 1 } };
	if (control_zones_wanted(w->c))
		control_zones_told(w->c, zones, ARRAY_LEN(zones));
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
		control_beats_told(w->c, w->now_ms);
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
	control_beats_told(w->c, w->now_ms);
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

/* more: further lines of the document, each indented as it has to be. A task is watched for no time
 * after its update unless they say so. */
static inline void write_service(struct world *w, const char *path, const char *name,
				 const char *task, const char *more)
{
	char text[1024];
	snprintf(text, sizeof(text),
		 "apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: %s\nspec:\n"
		 "  taskDefinition: '%s'\n  minReadySeconds: 1\n%s%s",
		 name, task, strstr(more, "monitorSeconds") ? "" : "  monitorSeconds: 0\n", more);
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
