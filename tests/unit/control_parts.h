/*
 * Parts of the world around a controller: a store that is a map, and a repository that is a list of
 * trees.
 */
#ifndef CONTROL_PARTS_H
#define CONTROL_PARTS_H

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
#define UNIX_MS(w) (INT64_C(1700000000000) + (w)->now_ms + (w)->clock_ahead_ms)

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
	char image[80]; /* digest that it runs by, by its desired document or its own finding */
	bool container;
	int64_t since_ms; /* it is of this target */
	bool failed;
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
	const char *fails;	    /* a service whose new tasks fail */
	uint32_t failures;	    /* that are told of those of which nothing else is said */
	const char *stopped_reason; /* of a task stopped before its first one; NULL: none */
	const char *digest; /* what it finds where its desired document has none; NULL: nothing */
	bool pulls;	    /* and does not come to an end with it */
	struct agent_task tasks[MAX_TASKS];
	uint32_t task_count;
	uint32_t starts, replaced, stops; /* of tasks, counted by the agent */
};

struct world {
	struct control *c;
	struct map *store; /* key -> struct doc */
	int64_t now_ms;
	int64_t clock_ahead_ms; /* the wall clock, of what it should show */
	VEC(struct tree) commits;
	struct tree draft;
	ptrdiff_t have; /* index of the last taken commit; -1: none */
	bool no_history;
	struct buf applied; /* commit index kept by EFFECT_SAVE_APPLIED, as text */
	struct agent agents[MAX_AGENTS];
	uint32_t agent_count;
	uint32_t looks;				     /* at nodes/; a counter, too */
	uint32_t desired_puts, ledger_puts, removes; /* counters, that a test may reset */
	bool puts_fail;				     /* answered as failed ... */
	bool puts_happen;			     /* ... though they happened */
	bool answers_wait;			     /* not answered at all */
	uint64_t highest[MAX_AGENTS];		     /* number put for each agent's node */
	char event[256];			     /* the last one's message */
	struct map *events;			     /* name -> the world: told */
	uint32_t bad;				     /* revision of which no task ever gets ready */
	uint32_t flaps;	 /* one whose tasks are ready for 5 s, fail for 5 s, and so on */
	bool looks_wait; /* looks at nodes/ are not answered */
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

/* All documents below a prefix as they are, and those of known nodes that are not there. */
static inline void list(struct world *w, const char *prefix)
{
	size_t it = 0;
	const char *key;
	while (map_next(w->store, &it, &key, NULL))
		if (strncmp(key, prefix, strlen(prefix)) == 0)
			tell(w, key);
	struct arena scratch;
	arena_init(&scratch);
	const struct node_record **nodes;
	bool of_nodes = strncmp(prefix, "controller/", 11) != 0;
	uint32_t count = of_nodes ? control_nodes(w->c, &scratch, &nodes) : 0;
	for (uint32_t i = 0; i < count; i++) {
		const char *absent = arena_printf(&scratch, "%s%s", prefix, nodes[i]->name);
		if (!map_get(w->store, absent))
			tell(w, absent);
	}
	arena_release(&scratch);
}

static inline void nodes_list(struct world *w, uint64_t look)
{
	list(w, "nodes/");
	control_nodes_told(w->c, look);
}

static inline void relist(struct world *w)
{
	static const char *const prefixes[] = { "controller/families/", "controller/services/",
						"nodes/", "desired/", "observed/" };
	for (size_t p = 0; p < ARRAY_LEN(prefixes); p++)
		list(w, prefixes[p]);
	control_nodes_told(w->c, control_look(w->c));
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
	struct source_file f = { .path = path, .data = !manifest_path_wanted(path) };
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

/* Leave out the bytes of what a tree had, as a source does. */
static inline void leave_out(struct source_snapshot *s, const struct tree *had)
{
	for (size_t i = 0; i < s->file_count; i++)
		for (size_t k = 0; k < had->count; k++)
			if (strcmp(had->files[k].text,
				   s->files[i].bytes ? s->files[i].bytes : "") == 0)
				s->files[i].bytes = NULL;
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
	s.partial = from > 0;
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

#endif
