/* Commits as trees of what matters, their files as text, and what a source makes of them. */
#include "sim.h"

#include "manifest/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const profiles[PROFILE_COUNT] = {
	[PROFILE_GOOD] = "good",	 [PROFILE_CHECKED] = "checked",
	[PROFILE_LATE] = "late",	 [PROFILE_CRASH] = "crash",
	[PROFILE_SICK] = "sick",	 [PROFILE_NO_START] = "nostart",
	[PROFILE_NO_PREPARE] = "noprep", [PROFILE_HANG] = "hang",
};

const char *profile_name(enum profile profile)
{
	return profiles[profile];
}

/* --- files --------------------------------------------------------------------------------------
 */

static void add_file(struct commit *c, const char *path, struct buf *text)
{
	struct file *f = &c->files[c->file_count++];
	snprintf(f->path, sizeof(f->path), "%s", path);
	struct digest digest = digest_of(text->data, text->len);
	digest_hex(&digest, f->blob);
	f->text = text->data;
	*text = (struct buf){ 0 };
}

static void write_service(const struct sim *sim, struct commit *c, uint32_t s)
{
	const struct service_fixed *fixed = &sim->repo.fixed[s];
	struct buf text = { 0 };
	char path[24];
	buf_addf(&text,
		 "apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: s%u}\nspec:\n"
		 "  taskDefinition: t%u\n  minReadySeconds: %u\n  monitorSeconds: %u\n"
		 "  priority: %d\n  progressDeadlineSeconds: %u\n  drain: %s\n"
		 "  deploymentConfiguration:\n    minimumHealthyPercent: %u\n"
		 "    maximumPercent: %u\n"
		 "    deploymentCircuitBreaker: {enable: %s, rollback: %s}\n",
		 s, s, fixed->min_ready_s, fixed->monitor_s, (int)fixed->priority,
		 fixed->deadline_s, fixed->keep ? "keep" : "stop", fixed->min_healthy,
		 fixed->max_percent, fixed->breaker ? "true" : "false",
		 fixed->breaker ? "true" : "false");
	if (fixed->steps)
		buf_addf(&text, "  rollout: {steps: [%s]}\n", fixed->steps);
	if (fixed->depends_on >= 0 && c->tree.of[fixed->depends_on].present)
		buf_addf(&text, "  dependsOn: [s%d]\n", fixed->depends_on);
	if (fixed->constrained)
		buf_adds(&text, "  placementConstraints:\n"
				"  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	snprintf(path, sizeof(path), "s%u.yaml", s);
	add_file(c, path, &text);
}

static void write_task(struct commit *c, uint32_t s)
{
	const struct tree_service *t = &c->tree.of[s];
	struct buf text = { 0 };
	char path[24];
	buf_addf(&text,
		 "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: t%u}\nspec:\n"
		 "  requiresCompatibilities: [PROCESS]\n  containerDefinitions:\n"
		 "  - {name: main, command: [%s, \"%u\"]}\n",
		 s, profiles[t->profile], t->version);
	snprintf(path, sizeof(path), "t%u.yaml", s);
	add_file(c, path, &text);
}

static void write_nodes(const struct sim *sim, struct commit *c)
{
	struct buf text = { 0 };
	for (uint32_t i = 0; i < sim->machine_count; i++)
		if (c->tree.drained >> i & 1)
			buf_addf(&text,
				 "---\napiVersion: muster/v1\nkind: Node\nmetadata: {name: %s}\n"
				 "spec: {state: DRAINING}\n",
				 sim->machines[i]->name);
	if (text.len)
		add_file(c, "nodes.yaml", &text);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

int32_t repo_commit(struct sim *sim, const struct tree *tree, int32_t parent)
{
	struct commit *c = xcalloc(1, sizeof(*c));
	*vec_push(&sim->repo.commits) = c;
	c->tree = *tree;
	c->parent = parent;
	snprintf(c->id, sizeof(c->id), "c%07zu%032x", sim->repo.commits.len, 0u);
	for (uint32_t s = 0; s < sim->repo.services; s++) {
		if (!tree->of[s].present)
			continue;
		write_service(sim, c, s);
		write_task(c, s);
	}
	write_nodes(sim, c);
	if (tree->invalid) {
		struct buf text = { 0 };
		buf_adds(&text, "kind: Mistake\n");
		add_file(c, "invalid.yaml", &text);
	}
	qsort(c->files, c->file_count, sizeof(c->files[0]), by_path);
	sim->repo.head = (int32_t)sim->repo.commits.len - 1;
	return sim->repo.head;
}

void repo_free(struct sim *sim)
{
	for (size_t i = 0; i < sim->repo.commits.len; i++) {
		struct commit *c = sim->repo.commits.items[i];
		for (uint32_t f = 0; f < c->file_count; f++)
			free(c->files[f].text);
		free(c);
	}
	vec_release(&sim->repo.commits);
}

/* --- snapshots ----------------------------------------------------------------------------------
 */

bool repo_is_ancestor(const struct sim *sim, int32_t old, int32_t index)
{
	while (index > old) /* parents are older */
		index = sim->repo.commits.items[index]->parent;
	return index == old;
}

static const struct file *file_in(const struct commit *c, const char *path)
{
	for (uint32_t i = 0; c && i < c->file_count; i++)
		if (strcmp(c->files[i].path, path) == 0)
			return &c->files[i];
	return NULL;
}

static bool has_blob(const struct commit *c, const char *blob)
{
	for (uint32_t i = 0; c && i < c->file_count; i++)
		if (strcmp(c->files[i].blob, blob) == 0)
			return true;
	return false;
}

static struct source_file source_file(const struct file *f, const struct commit *had)
{
	bool known = has_blob(had, f->blob);
	return (struct source_file){ .path = f->path,
				     .blob = f->blob,
				     .bytes = known ? NULL : f->text,
				     .len = strlen(f->text) };
}

/* What differs from its parent; what is gone has no blob. */
static struct source_commit source_commit(const struct sim *sim, const struct commit *c,
					  const struct commit *had, struct arena *arena)
{
	const struct commit *parent = c->parent >= 0 ? sim->repo.commits.items[c->parent] : NULL;
	struct source_commit out = { .id = c->id, .subject = "subject", .author = "author" };
	out.files = ARENA_ARRAY(arena, struct source_file, FILES_MAX * 2);
	for (uint32_t i = 0; i < c->file_count; i++) {
		const struct file *old = file_in(parent, c->files[i].path);
		if (!old || strcmp(old->blob, c->files[i].blob) != 0)
			out.files[out.file_count++] = source_file(&c->files[i], had);
	}
	for (uint32_t i = 0; parent && i < parent->file_count; i++)
		if (!file_in(c, parent->files[i].path))
			out.files[out.file_count++] =
				(struct source_file){ .path = parent->files[i].path };
	return out;
}

struct source_snapshot repo_snapshot(const struct sim *sim, int32_t index, int32_t have,
				     struct arena *arena)
{
	const struct repo *repo = &sim->repo;
	const struct commit *c = repo->commits.items[index];
	const struct commit *had = have >= 0 ? repo->commits.items[have] : NULL;
	struct source_snapshot s = { .commit = c->id, .subject = "subject", .author = "author" };
	s.partial = had;
	s.rewritten = had && !repo_is_ancestor(sim, have, index);
	s.files = ARENA_ARRAY(arena, struct source_file, FILES_MAX);
	for (uint32_t i = 0; i < c->file_count; i++)
		s.files[s.file_count++] = source_file(&c->files[i], had);
	int32_t first = 0;
	for (int32_t i = c->parent; i >= 0; i = repo->commits.items[i]->parent) {
		if (had && repo_is_ancestor(sim, i, have))
			break;
		s.history_count++;
	}
	s.history = ARENA_ARRAY(arena, struct source_commit, s.history_count + 1);
	first = c->parent;
	for (size_t h = s.history_count; h-- > 0; first = repo->commits.items[first]->parent)
		s.history[h] = source_commit(sim, repo->commits.items[first], had, arena);
	return s;
}

/* --- what it says -------------------------------------------------------------------------------
 */

const struct tree *repo_valid_tree(const struct sim *sim)
{
	int32_t i = sim->repo.head;
	while (sim->repo.commits.items[i]->tree.invalid)
		i = sim->repo.commits.items[i]->parent;
	return &sim->repo.commits.items[i]->tree;
}

bool repo_wants(const struct sim *sim, const struct tree *tree, uint32_t service, uint32_t machine)
{
	return tree->of[service].present && !(tree->drained >> machine & 1) &&
	       (!sim->repo.fixed[service].constrained || sim->machines[machine]->prod);
}
