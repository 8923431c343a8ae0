/* Status files: where they are, how old, and which one a name means. */
#include "muster.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs/fs.h"

#define STATUS_FILE_MAX_BYTES (64 << 20)

static const struct {
	const char *directory, *word;
} kinds[DOC_KIND_COUNT] = {
	[DOC_SERVICE] = { "services", "service" },
	[DOC_NODE] = { "nodes", "node" },
	[DOC_TASKDEF] = { "taskdefs", "task definition" },
};

/* --- one file -------------------------------------------------------------------------------- */

json_t *load_json_file(const char *path, struct arena *arena, struct err *err)
{
	struct buf bytes = { 0 };
	if (!fs_read(path, STATUS_FILE_MAX_BYTES, &bytes, err))
		return NULL;
	struct diag_list diags;
	diag_init(&diags, arena);
	json_t *json = manifest_load_value(path, buf_str(&bytes), bytes.len, &diags);
	if (!json) {
		struct buf text = { 0 };
		diag_print(&text, &diags);
		err_set(err, 0, "%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
		buf_release(&text);
	}
	diag_release(&diags);
	buf_release(&bytes);
	return json;
}

json_t *status_file(const struct status *status, const char *path, struct err *err)
{
	struct arena *arena = &status->cli->arena;
	return load_json_file(fs_join(arena, status->roots[0], path), arena, err);
}

/* --- the directories ------------------------------------------------------------------------- */

int64_t status_age_s(const char *root)
{
	static const char *const files[] = { REPORT_BEAT_FILE, REPORT_FLEET_FILE };
	struct stat st;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct arena arena;
		arena_init(&arena);
		int failed = stat(fs_join(&arena, root, files[i]), &st);
		arena_release(&arena);
		if (!failed) {
			int64_t age = time(NULL) - st.st_mtim.tv_sec;
			return age > 0 ? age : 0;
		}
	}
	return -1;
}

const char *age_text(struct arena *arena, int64_t s)
{
	if (s < 120)
		return arena_printf(arena, "%lld s", (long long)s);
	if (s < 120 * 60)
		return arena_printf(arena, "%lld min", (long long)s / 60);
	if (s < 48 * 3600)
		return arena_printf(arena, "%lld h", (long long)s / 3600);
	return arena_printf(arena, "%lld days", (long long)s / 86400);
}

static bool has_fleet_file(struct arena *arena, const char *root)
{
	struct stat st;
	return stat(fs_join(arena, root, REPORT_FLEET_FILE), &st) == 0;
}

/* STATE/agents/NODE/status of every agent of this machine. */
static void find_agents(struct status *status)
{
	struct arena *arena = &status->cli->arena;
	const char *agents = fs_join(arena, status->cli->state, "agents"), **names;
	size_t count;
	struct err err;
	if (!fs_list(agents, arena, &names, &count, &err))
		return;
	status->roots = ARENA_ARRAY(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		const char *root = arena_printf(arena, "%s/%s/status", agents, names[i]);
		if (has_fleet_file(arena, root))
			status->roots[status->root_count++] = root;
	}
	status->of_agents = status->root_count > 0;
}

static void warn_of_age(const struct status *status)
{
	int64_t youngest = -1;
	for (size_t i = 0; i < status->root_count; i++) {
		int64_t age = status_age_s(status->roots[i]);
		if (age >= 0 && (youngest < 0 || age < youngest))
			youngest = age;
	}
	if (youngest > BEAT_OLD_S)
		warn("status is %s old, %s is not running", age_text(&status->cli->arena, youngest),
		     status->of_agents ? "muster-agent" : "musterd");
}

bool status_open(struct cli *cli, struct status *status)
{
	*status = (struct status){ .cli = cli };
	if (has_fleet_file(&cli->arena, cli->status)) {
		status->roots = ARENA_ARRAY(&cli->arena, const char *, 1);
		status->roots[status->root_count++] = cli->status;
	} else {
		find_agents(status);
	}
	if (status->root_count == 0) {
		complain("there is no status in %s, nor of an agent below %s/agents.\n"
			 "Is musterd running? --status DIR or $MUSTER_STATUS says where it writes.",
			 cli->status, cli->state);
		return false;
	}
	warn_of_age(status);
	return true;
}

void status_release(struct status *status)
{
	for (size_t k = 0; k < DOC_KIND_COUNT; k++) {
		for (size_t i = 0; i < status->docs[k].items.len; i++)
			json_decref(status->docs[k].items.items[i].json);
		vec_release(&status->docs[k].items);
	}
}

/* --- all of a kind --------------------------------------------------------------------------- */

/* A service that several agents of this machine run: their counts add up. */
static void merge_counts(json_t *into, const json_t *from)
{
	static const char *const counts[] = { "desiredCount", "runningCount", "pendingCount",
					      "readyCount", "failedCount" };
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		json_int_t sum = json_integer_value(json_object_get(into, counts[i])) +
				 json_integer_value(json_object_get(from, counts[i]));
		json_object_set_new(into, counts[i], json_integer(sum));
	}
}

static bool merge(struct docs *docs, const char *cluster, const char *name, json_t *json)
{
	for (size_t i = 0; i < docs->items.len; i++) {
		const struct doc *d = &docs->items.items[i];
		if (strcmp(d->name, name) == 0 && strcmp(d->cluster, cluster) == 0) {
			merge_counts(d->json, json);
			json_decref(json);
			return true;
		}
	}
	return false;
}

static bool load_directory(struct status *status, enum doc_kind kind, const char *root,
			   const char *cluster)
{
	struct arena *arena = &status->cli->arena;
	const char *dir = arena_printf(arena, "%s/%s/%s", root, cluster, kinds[kind].directory);
	const char **files;
	size_t count;
	struct err err;
	if (!fs_list(dir, arena, &files, &count, &err))
		return err.code == ENOENT || err.code == ENOTDIR || complain("%s", err.text);
	struct docs *docs = &status->docs[kind];
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(files[i]);
		if (len < 6 || strcmp(files[i] + len - 5, ".yaml") != 0)
			continue;
		json_t *json = load_json_file(fs_join(arena, dir, files[i]), arena, &err);
		if (!json && err.code == ENOENT) /* gone since it was listed */
			continue;
		if (!json)
			return complain("%s", err.text);
		const char *name = arena_strndup(arena, files[i], len - 5);
		if (!status->of_agents || !merge(docs, cluster, name, json))
			*vec_push(&docs->items) =
				(struct doc){ .cluster = cluster, .name = name, .json = json };
	}
	return true;
}

static int by_cluster_name(const void *a, const void *b)
{
	const struct doc *x = a, *y = b;
	int order = strcmp(x->cluster, y->cluster);
	return order ? order : strcmp(x->name, y->name);
}

static bool load_root(struct status *status, enum doc_kind kind, const char *root)
{
	const char **clusters, *only = status->cli->cluster;
	size_t count;
	struct err err;
	if (only)
		return load_directory(status, kind, root, only);
	if (!fs_list(root, &status->cli->arena, &clusters, &count, &err))
		return complain("%s", err.text);
	for (size_t i = 0; i < count; i++)
		if (!load_directory(status, kind, root, clusters[i]))
			return false;
	return true;
}

const struct docs *status_docs(struct status *status, enum doc_kind kind)
{
	struct docs *docs = &status->docs[kind];
	if (status->loaded[kind])
		return docs;
	for (size_t i = 0; i < status->root_count; i++)
		if (!load_root(status, kind, status->roots[i]))
			return NULL;
	if (docs->items.len)
		qsort(docs->items.items, docs->items.len, sizeof(*docs->items.items),
		      by_cluster_name);
	status->loaded[kind] = true;
	return docs;
}

static bool name_matches(const struct doc *doc, const char *name)
{
	const char *slash = strchr(name, '/');
	if (!slash)
		return strcmp(doc->name, name) == 0;
	size_t len = (size_t)(slash - name);
	return strlen(doc->cluster) == len && memcmp(doc->cluster, name, len) == 0 &&
	       strcmp(doc->name, slash + 1) == 0;
}

static void say_unknown(const struct docs *docs, enum doc_kind kind, const char *name)
{
	VEC(const char *) names = { 0 };
	for (size_t i = 0; i < docs->items.len; i++)
		*vec_push(&names) = docs->items.items[i].name;
	const char *near = diag_suggest(last_part(name), names.items, names.len);
	complain("no %s '%s'%s%s%s", kinds[kind].word, name, near ? " (did you mean '" : "",
		 near ? near : "", near ? "'?)" : "");
	vec_release(&names);
}

const struct doc *status_find(struct status *status, enum doc_kind kind, const char *name)
{
	const struct docs *docs = status_docs(status, kind);
	const struct doc *found = NULL;
	for (size_t i = 0; docs && i < docs->items.len; i++) {
		const struct doc *doc = &docs->items.items[i];
		const char *only = status->cli->cluster;
		if (!name_matches(doc, name) || (only && strcmp(doc->cluster, only) != 0))
			continue;
		/* A family is one in the whole fleet, listed in each cluster that uses it. */
		if (found && kind != DOC_TASKDEF) {
			complain("'%s' is ambiguous: %s/%s or %s/%s", name, found->cluster,
				 found->name, doc->cluster, doc->name);
			return NULL;
		}
		found = found ? found : doc;
	}
	if (docs && !found)
		say_unknown(docs, kind, name);
	return found;
}

/* --- small things ---------------------------------------------------------------------------- */

const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

const char *last_part(const char *arn)
{
	const char *slash = arn ? strrchr(arn, '/') : NULL;
	return slash ? slash + 1 : arn;
}

const char *count_at(struct arena *arena, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value)
		       ? arena_printf(arena, "%lld", (long long)json_integer_value(value))
		       : NULL;
}
