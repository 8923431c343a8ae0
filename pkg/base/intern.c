#include "base/base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * One open-addressing table under both: string → index into an array in insertion order. FNV-1a is
 * enough for names that were validated and bounded before they came here.
 */
struct strtab {
	uint32_t *slots; /* index + 1, 0 = free */
	uint32_t mask;	 /* number of slots - 1 */
};

static uint32_t hash_bytes(const char *s, size_t len)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h ^ (h >> 15);
}

struct entry {
	const char *key;
	uint32_t len, hash;
	void *value; /* map only */
};

static uint32_t *strtab_slot(const struct strtab *tab, const struct entry *entries, const char *s,
			     size_t len, uint32_t hash)
{
	uint32_t i = hash & tab->mask;
	while (tab->slots[i]) {
		const struct entry *e = &entries[tab->slots[i] - 1];
		if (e->key && e->hash == hash && e->len == len && memcmp(e->key, s, len) == 0)
			break;
		i = (i + 1) & tab->mask;
	}
	return &tab->slots[i];
}

/*
 * Make the table anew over the entries, all of them live. It is made anew again when half full of
 * entries, removed ones included, so a third of it taken leaves room for a number of insertions
 * that grows with it.
 */
static void strtab_rebuild(struct strtab *tab, const struct entry *entries, size_t count)
{
	uint32_t slots = 16;
	while (slots < count * 3)
		slots *= 2;
	free(tab->slots);
	tab->slots = xcalloc(slots, sizeof(*tab->slots));
	tab->mask = slots - 1;
	for (size_t n = 0; n < count; n++) {
		uint32_t i = entries[n].hash & tab->mask;
		while (tab->slots[i])
			i = (i + 1) & tab->mask;
		tab->slots[i] = (uint32_t)n + 1;
	}
}

struct intern {
	struct arena arena;
	struct strtab tab;
	VEC(struct entry) entries;
};

struct intern *intern_new(void)
{
	struct intern *in = xcalloc(1, sizeof(*in));
	strtab_rebuild(&in->tab, NULL, 0);
	return in;
}

void intern_free(struct intern *in)
{
	if (!in)
		return;
	arena_release(&in->arena);
	free(in->tab.slots);
	vec_release(&in->entries);
	free(in);
}

intern_id intern_addn(struct intern *in, const char *s, size_t len)
{
	assert(len < UINT32_MAX);
	uint32_t hash = hash_bytes(s, len);
	uint32_t *slot = strtab_slot(&in->tab, in->entries.items, s, len, hash);
	if (*slot)
		return *slot;
	struct entry *e = vec_push(&in->entries);
	*e = (struct entry){ .key = arena_strndup(&in->arena, s, len),
			     .len = (uint32_t)len,
			     .hash = hash };
	*slot = (uint32_t)in->entries.len;
	if (in->entries.len * 2 > in->tab.mask)
		strtab_rebuild(&in->tab, in->entries.items, in->entries.len);
	return (intern_id)in->entries.len;
}

intern_id intern_add(struct intern *in, const char *s)
{
	return intern_addn(in, s, strlen(s));
}

intern_id intern_find(const struct intern *in, const char *s)
{
	size_t len = strlen(s);
	return *strtab_slot(&in->tab, in->entries.items, s, len, hash_bytes(s, len));
}

const char *intern_str(const struct intern *in, intern_id id)
{
	return id && id <= in->entries.len ? in->entries.items[id - 1].key : NULL;
}

uint32_t intern_count(const struct intern *in)
{
	return (uint32_t)in->entries.len;
}

struct map {
	struct strtab tab;
	VEC(struct entry) entries; /* a removed one has no key and stays until the next rebuild */
	size_t live;
};

struct map *map_new(void)
{
	struct map *map = xcalloc(1, sizeof(*map));
	strtab_rebuild(&map->tab, NULL, 0);
	return map;
}

void map_free(struct map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->entries.len; i++)
		free((char *)map->entries.items[i].key);
	vec_release(&map->entries);
	free(map->tab.slots);
	free(map);
}

static uint32_t *map_slot(const struct map *map, const char *key)
{
	size_t len = strlen(key);
	return strtab_slot(&map->tab, map->entries.items, key, len, hash_bytes(key, len));
}

void *map_get(const struct map *map, const char *key)
{
	uint32_t *slot = map_slot(map, key);
	return *slot ? map->entries.items[*slot - 1].value : NULL;
}

static void map_compact(struct map *map)
{
	size_t n = 0;
	for (size_t i = 0; i < map->entries.len; i++)
		if (map->entries.items[i].key)
			map->entries.items[n++] = map->entries.items[i];
	map->entries.len = n;
	strtab_rebuild(&map->tab, map->entries.items, n);
}

void map_put(struct map *map, const char *key, void *value)
{
	assert(value);
	uint32_t *slot = map_slot(map, key);
	if (*slot) {
		map->entries.items[*slot - 1].value = value;
		return;
	}
	size_t len = strlen(key);
	struct entry *e = vec_push(&map->entries);
	*e = (struct entry){ .key = xstrdup(key),
			     .len = (uint32_t)len,
			     .hash = hash_bytes(key, len),
			     .value = value };
	*slot = (uint32_t)map->entries.len;
	map->live++;
	if (map->entries.len * 2 > map->tab.mask)
		map_compact(map);
}

void *map_remove(struct map *map, const char *key)
{
	uint32_t *slot = map_slot(map, key);
	if (!*slot)
		return NULL;
	struct entry *e = &map->entries.items[*slot - 1];
	void *value = e->value;
	free((char *)e->key); /* the slot stays taken: probing goes on over it */
	*e = (struct entry){ 0 };
	map->live--;
	return value;
}

size_t map_count(const struct map *map)
{
	return map->live;
}

bool map_next(const struct map *map, size_t *it, const char **key, void **value)
{
	while (*it < map->entries.len) {
		const struct entry *e = &map->entries.items[(*it)++];
		if (!e->key)
			continue;
		if (key)
			*key = e->key;
		if (value)
			*value = e->value;
		return true;
	}
	return false;
}
