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

static void file_set_release(struct file_set *set)
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
	return !file->blob || file->too_large || map_get(cache->blobs, file->blob);
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
	buf_addc(key, '\n');
	buf_adds(key, file->blob);
	struct cached_file *cached = map_get(cache->files, key->data);
	if (cached)
		return cached;
	cached = xcalloc(1, sizeof(*cached));
	cached->path = xstrdup(file->path);
	cached->blob = map_get(cache->blobs, file->blob);
	cached->serial = ++cache->serial;
	if (file->too_large)
		cached->parsed = manifest_unreadable(
			cached->path, "the file is larger than the limit of 1 MiB for a manifest");
	else
		cached->parsed =
			manifest_parse(cached->path, cached->blob->bytes, cached->blob->len);
	map_put(cache->files, key->data, cached);
	return cached;
}

void file_cache_see(struct file_cache *cache, struct cached_file *const *files, size_t count)
{
	struct file_set set = { .files = xcalloc(count + 1, sizeof(struct cached_file *)),
				.count = count };
	struct manifest_file **parsed = xcalloc(count + 1, sizeof(*parsed));
	for (size_t i = 0; i < count; i++) {
		set.files[i] = files[i];
		parsed[i] = files[i]->parsed;
	}
	set.tree = manifest_tree_build(parsed, count);
	free(parsed);
	file_set_release(&cache->seen);
	cache->seen = set;
}

void file_cache_see_snapshot(struct file_cache *cache, const struct source_snapshot *snapshot)
{
	struct cached_file **files = xcalloc(snapshot->file_count + 1, sizeof(*files));
	for (size_t i = 0; i < snapshot->file_count; i++)
		files[i] = file_cache_get(cache, &snapshot->files[i]);
	file_cache_see(cache, files, snapshot->file_count);
	free(files);
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
			sets[s]->files[i]->used = true;
			if (sets[s]->files[i]->blob)
				sets[s]->files[i]->blob->used = true;
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

static int by_path(const void *key, const void *item)
{
	return strcmp(key, (*(struct cached_file *const *)item)->path);
}

uint64_t file_cache_serial(const struct file_cache *cache, const char *path)
{
	struct cached_file **found = bsearch(path, cache->seen.files, cache->seen.count,
					     sizeof(*cache->seen.files), by_path);
	return found ? (*found)->serial : 0;
}
