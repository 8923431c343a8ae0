#include "control/internal.h"

#include <stdlib.h>
#include <string.h>

struct file_cache *file_cache_new(void)
{
	struct file_cache *cache = xcalloc(1, sizeof(*cache));
	cache->files = map_new();
	cache->blobs = map_new();
	return cache;
}

static void cached_file_free(struct cached_file *file)
{
	manifest_file_free(file->parsed);
	free(file->path);
	free(file);
}

static void cached_blob_free(struct cached_blob *blob)
{
	free(blob->bytes);
	free(blob->id);
	free(blob);
}

void file_set_release(struct file_set *set)
{
	manifest_tree_free(set->tree);
	free(set->files);
	*set = (struct file_set){ 0 };
}

void file_cache_free(struct file_cache *cache)
{
	file_set_release(&cache->seen);
	file_set_release(&cache->applied);
	size_t it = 0;
	void *value;
	while (map_next(cache->files, &it, NULL, &value))
		cached_file_free(value);
	it = 0;
	while (map_next(cache->blobs, &it, NULL, &value))
		cached_blob_free(value);
	map_free(cache->files);
	map_free(cache->blobs);
	buf_release(&cache->key);
	free(cache);
}

static void blob_add(struct file_cache *cache, const struct source_file *file)
{
	if (!file->blob || !file->bytes || map_get(cache->blobs, file->blob))
		return;
	struct cached_blob *blob = xcalloc(1, sizeof(*blob));
	blob->id = xstrdup(file->blob);
	blob->bytes = xmalloc(file->len + 1);
	memcpy(blob->bytes, file->bytes, file->len);
	blob->len = file->len;
	map_put(cache->blobs, file->blob, blob);
}

/* Can file_cache_get() give it? */
static bool known(const struct file_cache *cache, const struct source_file *file)
{
	return !file->blob || file->too_large || file->data || map_get(cache->blobs, file->blob);
}

bool file_cache_add(struct file_cache *cache, const struct source_snapshot *snapshot)
{
	bool all = true;
	for (size_t i = 0; i < snapshot->file_count; i++)
		blob_add(cache, &snapshot->files[i]);
	for (size_t h = 0; h < snapshot->history_count; h++)
		for (size_t i = 0; i < snapshot->history[h].file_count; i++)
			blob_add(cache, &snapshot->history[h].files[i]);
	for (size_t i = 0; i < snapshot->file_count; i++)
		all &= known(cache, &snapshot->files[i]);
	for (size_t h = 0; h < snapshot->history_count; h++)
		for (size_t i = 0; i < snapshot->history[h].file_count; i++)
			all &= known(cache, &snapshot->history[h].files[i]);
	return all;
}

struct cached_file *file_cache_get(struct file_cache *cache, const struct source_file *file)
{
	struct buf *key = &cache->key;
	buf_reset(key);
	buf_adds(key, file->path);
	buf_adds(key, file->data ? "\n\n" : "\n"); /* it may have become one, or cease to be */
	buf_adds(key, file->blob);
	struct cached_file *cached = map_get(cache->files, key->data);
	if (cached && !cached->blob && !file->too_large)
		cached->blob = map_get(cache->blobs, file->blob);
	if (cached)
		return cached;
	cached = xcalloc(1, sizeof(*cached));
	cached->path = xstrdup(file->path);
	cached->blob = map_get(cache->blobs, file->blob);
	cached->serial = ++cache->serial;
	cached->too_large = file->too_large;
	if (file->data)
		cached->parsed = NULL;
	else if (file->too_large)
		cached->parsed = manifest_unreadable(
			cached->path, "the file is larger than the limit of 1 MiB for a manifest");
	else
		cached->parsed =
			manifest_parse(cached->path, cached->blob->bytes, cached->blob->len);
	for (size_t i = 0; cached->parsed && i < cached->parsed->object_count; i++)
		cache->any_wants_data |=
			cached->parsed->objects[i].kind == MANIFEST_TASK_DEFINITION &&
			manifest_wants_data(cached->parsed->objects[i].task_definition);
	map_put(cache->files, key->data, cached);
	return cached;
}

static int by_path(const void *key, const void *item)
{
	return strcmp(key, (*(struct cached_file *const *)item)->path);
}

static struct cached_file *find_path(const struct file_set *set, const char *path)
{
	struct cached_file **found =
		set->count ? bsearch(path, set->files, set->count, sizeof(*set->files), by_path)
			   : NULL;
	return found ? *found : NULL;
}

/* A manifest may be named, too. */
static enum manifest_data_answer data_of(struct cached_file *file, const void **bytes, size_t *len)
{
	if (!file)
		return DATA_ABSENT;
	file->wanted = true;
	if (file->too_large || (file->blob && file->blob->len > LIMIT_TASK_FILES_BYTES))
		return DATA_TOO_LARGE;
	if (!file->blob)
		return DATA_FORGOTTEN;
	*bytes = file->blob->bytes;
	*len = file->blob->len;
	return DATA_FOUND;
}

static enum manifest_data_answer find_in_set(void *set, const char *path, const void **bytes,
					     size_t *len)
{
	return data_of(find_path(set, path), bytes, len);
}

static enum manifest_data_answer find_in_map(void *files, const char *path, const void **bytes,
					     size_t *len)
{
	return data_of(map_get(files, path), bytes, len);
}

struct manifest_data file_set_data(struct file_set *set)
{
	return (struct manifest_data){ find_in_set, set };
}

struct manifest_data file_map_data(struct map *files)
{
	return (struct manifest_data){ find_in_map, files };
}

struct file_set file_set_build(struct cached_file *const *files, size_t count)
{
	struct file_set set = { .files = xcalloc(count + 1, sizeof(struct cached_file *)),
				.count = count };
	struct manifest_file **parsed = xcalloc(count + 1, sizeof(*parsed));
	size_t manifests = 0;
	for (size_t i = 0; i < count; i++) {
		set.files[i] = files[i];
		if (files[i]->parsed)
			parsed[manifests++] = files[i]->parsed;
	}
	struct manifest_data data = file_set_data(&set);
	set.tree = manifest_tree_build(parsed, manifests, &data);
	free(parsed);
	return set;
}

struct file_set file_cache_build_snapshot(struct file_cache *cache,
					  const struct source_snapshot *snapshot)
{
	struct cached_file **files = xcalloc(snapshot->file_count + 1, sizeof(*files));
	for (size_t i = 0; i < snapshot->file_count; i++)
		files[i] = file_cache_get(cache, &snapshot->files[i]);
	struct file_set set = file_set_build(files, snapshot->file_count);
	free(files);
	return set;
}

void file_cache_see(struct file_cache *cache, struct file_set *set)
{
	file_set_release(&cache->seen);
	cache->seen = *set;
	*set = (struct file_set){ 0 };
}

void file_cache_apply(struct file_cache *cache)
{
	file_set_release(&cache->applied);
	cache->applied.files = xcalloc(cache->seen.count + 1, sizeof(struct cached_file *));
	for (size_t i = 0; i < cache->seen.count; i++)
		cache->applied.files[i] = cache->seen.files[i];
	cache->applied.count = cache->seen.count;
}

bool file_cache_seen_is_applied(const struct file_cache *cache)
{
	const struct file_set *seen = &cache->seen, *applied = &cache->applied;
	if (!applied->files || seen->count != applied->count)
		return false;
	for (size_t i = 0; i < seen->count; i++)
		if (seen->files[i] != applied->files[i])
			return false;
	return true;
}

void file_cache_sweep(struct file_cache *cache)
{
	size_t it = 0;
	void *value;
	const char *key;
	while (map_next(cache->files, &it, NULL, &value))
		((struct cached_file *)value)->used = false;
	it = 0;
	while (map_next(cache->blobs, &it, NULL, &value))
		((struct cached_blob *)value)->used = false;
	const struct file_set *sets[] = { &cache->seen, &cache->applied };
	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		for (size_t i = 0; i < sets[s]->count; i++) {
			struct cached_file *file = sets[s]->files[i];
			file->used = true;
			if (!file->parsed && !file->wanted)
				file->blob = NULL; /* its bytes can be had again */
			if (file->blob)
				file->blob->used = true;
		}
	}
	it = 0;
	while (map_next(cache->files, &it, &key, &value)) {
		if (((struct cached_file *)value)->used)
			continue;
		map_remove(cache->files, key);
		cached_file_free(value);
	}
	it = 0;
	while (map_next(cache->blobs, &it, &key, &value)) {
		if (((struct cached_blob *)value)->used)
			continue;
		map_remove(cache->blobs, key);
		cached_blob_free(value);
	}
}

uint64_t file_cache_serial(const struct file_cache *cache, const char *path)
{
	const struct cached_file *file = find_path(&cache->seen, path);
	return file ? file->serial : 0;
}
