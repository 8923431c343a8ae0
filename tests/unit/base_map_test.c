/* Interned strings, and maps that remember the order of insertion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/base.h"

static void equal_strings_have_one_id(void **state UNUSED)
{
	struct intern *intern = intern_new();
	assert_int_equal(intern_count(intern), 0);
	assert_int_equal(intern_find(intern, "a"), 0);
	assert_int_equal(intern_add(intern, "a"), 1);
	assert_int_equal(intern_add(intern, "b"), 2);
	assert_int_equal(intern_add(intern, "a"), 1);
	assert_int_equal(intern_addn(intern, "abc", 1), 1);
	assert_int_equal(intern_find(intern, "b"), 2);
	assert_int_equal(intern_add(intern, ""), 3);
	assert_string_equal(intern_str(intern, 3), "");
	assert_int_equal(intern_count(intern), 3);
	assert_null(intern_str(intern, 0));
	assert_null(intern_str(intern, 4));
	assert_int_equal(intern_addn(intern, "a\0b", 3), 4); /* bytes, not C strings */
	assert_int_equal(intern_addn(intern, "a\0b", 3), 4);
	intern_free(intern);
	intern_free(NULL);
}

static void ids_and_texts_are_stable(void **state UNUSED)
{
	struct intern *intern = intern_new();
	const char *first = intern_str(intern, intern_add(intern, "name-0"));
	char name[32];
	for (uint32_t i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		assert_int_equal(intern_add(intern, name), i + 1);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		assert_int_equal(intern_find(intern, name), i + 1);
		assert_string_equal(intern_str(intern, i + 1), name);
	}
	assert_ptr_equal(intern_str(intern, 1), first);
	assert_int_equal(intern_count(intern), 20000);
	intern_free(intern);
}

/* The keys of the map, in its order, with a space behind each. */
static char *keys_of(const struct map *map)
{
	struct buf out = { 0 };
	size_t it = 0;
	const char *key;
	while (map_next(map, &it, &key, NULL))
		buf_addf(&out, "%s ", key);
	buf_addc(&out, '\0');
	return out.data;
}

static void assert_keys(const struct map *map, const char *want)
{
	char *keys = keys_of(map);
	assert_string_equal(keys, want);
	free(keys);
}

static void maps_keep_the_order_of_insertion(void **state UNUSED)
{
	int one, two, three;
	struct map *map = map_new();
	char key[] = "zeta";
	assert_keys(map, "");
	map_put(map, key, &one);
	key[0] = 'b'; /* keys are copied */
	map_put(map, key, &two);
	map_put(map, "alpha", &three);
	map_put(map, "", &one);
	assert_keys(map, "zeta beta alpha  ");
	map_put(map, "zeta", &three); /* replaced in its place */
	assert_keys(map, "zeta beta alpha  ");
	assert_ptr_equal(map_get(map, "zeta"), &three);
	assert_ptr_equal(map_get(map, "beta"), &two);
	assert_ptr_equal(map_get(map, ""), &one);
	assert_null(map_get(map, "eta"));
	assert_int_equal(map_count(map), 4);
	map_free(map);
	map_free(NULL);
}

static void removed_keys_leave_no_trace(void **state UNUSED)
{
	int one, two;
	struct map *map = map_new();
	map_put(map, "a", &one);
	map_put(map, "b", &one);
	map_put(map, "c", &one);
	assert_ptr_equal(map_remove(map, "b"), &one);
	assert_null(map_remove(map, "b"));
	assert_null(map_remove(map, "d"));
	assert_null(map_get(map, "b"));
	assert_keys(map, "a c ");
	assert_int_equal(map_count(map), 2);
	map_put(map, "b", &two); /* comes last now */
	assert_keys(map, "a c b ");
	assert_ptr_equal(map_get(map, "b"), &two);
	map_free(map);
}

static void iteration_may_remove_its_key(void **state UNUSED)
{
	int value;
	struct map *map = map_new();
	char name[32];
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		map_put(map, name, &value);
	}
	size_t it = 0, seen = 0;
	const char *key;
	void *got;
	while (map_next(map, &it, &key, &got)) {
		assert_ptr_equal(got, &value);
		if (seen++ % 2)
			assert_ptr_equal(map_remove(map, key), &value);
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(map_count(map), 500);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(map_get(map, name) != NULL, i % 2 == 0);
	}
	map_free(map);
}

#define MODEL_KEYS 40

/* Against an array of (key, value) in order: put, replace and remove at random. */
static void maps_agree_with_a_list(void **state UNUSED)
{
	static int values[MODEL_KEYS];
	struct map *map = map_new();
	int order[MODEL_KEYS] = { 0 };
	size_t count = 0;
	uint32_t random = 1;
	for (int step = 0; step < 20000; step++) {
		char name[16];
		random = random * 1664525u + 1013904223u;
		int key = (int)(random >> 16) % MODEL_KEYS;
		bool put = random >> 31;
		snprintf(name, sizeof(name), "k%d", key);
		size_t at = 0;
		while (at < count && order[at] != key)
			at++;
		if (put) {
			map_put(map, name, &values[key]);
			if (at == count)
				order[count++] = key;
		} else {
			void *want = at < count ? &values[key] : NULL;
			assert_ptr_equal(map_remove(map, name), want);
			if (want)
				memmove(&order[at], &order[at + 1],
					(--count - at) * sizeof(order[0]));
		}
		assert_int_equal(map_count(map), count);
		size_t it = 0, n = 0;
		void *value;
		while (map_next(map, &it, NULL, &value)) {
			assert_true(n < count);
			assert_ptr_equal(value, &values[order[n++]]);
		}
		assert_int_equal(n, count);
	}
	map_free(map);
}

/*
 * Keys that come and go do not make the table anew each time, at whatever size: the least
 * favourable are one below a power of two. Milliseconds; it would be many seconds.
 */
static void churn_is_cheap(void **state UNUSED)
{
	enum { SIZE = 16383, CHURN = 300000 };
	int value;
	char name[32];
	struct map *map = map_new();
	for (int i = 0; i < SIZE; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		map_put(map, name, &value);
	}
	clock_t start = clock();
	for (int i = 0; i < CHURN; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_non_null(map_remove(map, name));
		snprintf(name, sizeof(name), "k%d", i + SIZE);
		map_put(map, name, &value);
	}
	assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
	assert_int_equal(map_count(map), SIZE);
	map_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_strings_have_one_id),
		cmocka_unit_test(ids_and_texts_are_stable),
		cmocka_unit_test(maps_keep_the_order_of_insertion),
		cmocka_unit_test(removed_keys_leave_no_trace),
		cmocka_unit_test(iteration_may_remove_its_key),
		cmocka_unit_test(maps_agree_with_a_list),
		cmocka_unit_test(churn_is_cheap),
	};
	return cmocka_run_group_tests_name("base map", tests, NULL, NULL);
}
