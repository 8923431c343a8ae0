/* The store contract: documents and beats. */
#include "store_contract_internal.h"

#include "model/model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* --- one document ---------------------------------------------------------------------------- */

static void test_put_and_get(void **state UNUSED)
{
	void *a = sc_open_as(STORE_CONTROLLER, NULL), *b = sc_open_as(STORE_AGENT, NULL);
	sc_assert_value(b, "desired/n1", NULL);
	sc_put(a, "desired/n1", "one");
	sc_assert_value(b, "desired/n1", "one");
	sc_put(a, "desired/n1", "a longer text");
	sc_put(a, "desired/n2", "");
	sc_assert_value(b, "desired/n1", "a longer text");
	sc_assert_value(b, "desired/n2", "");
	TRY(sc.rig->ops->put(a, "desired/n1", "synced", 6, STORE_SYNCED, &sc.err));
	sc_assert_value(b, "desired/n1", "synced");
	TRY(sc.rig->ops->remove(a, "desired/n1", &sc.err));
	TRY(sc.rig->ops->remove(a, "desired/n1", &sc.err));
	TRY(sc.rig->ops->remove(a, "observed/never", &sc.err));
	sc_assert_value(b, "desired/n1", NULL);
	sc_assert_value(b, "desired/n2", "");
	sc.rig->ops->close(a);
	sc.rig->ops->close(b);
}

static void test_any_bytes_of_any_length(void **state UNUSED)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 100000, LIMIT_DOCUMENT_BYTES };
	void *self = sc_open_as(STORE_CONTROLLER, NULL);
	char *bytes = xmalloc(LIMIT_DOCUMENT_BYTES + 1);
	struct buf got = { 0 };
	bool found;
	for (size_t i = 0; i <= LIMIT_DOCUMENT_BYTES; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		TRY(sc.rig->ops->put(self, "observed/n1", bytes, sizes[i], 0, &sc.err));
		TRY(sc.rig->ops->get(self, "observed/n1", &got, &found, &sc.err));
		assert_true(found);
		assert_int_equal(got.len, sizes[i]);
		assert_memory_equal(got.data, bytes, got.len);
	}
	TRY_FAILS(
		sc.rig->ops->put(self, "observed/n1", bytes, LIMIT_DOCUMENT_BYTES + 1, 0, &sc.err),
		EFBIG);
	TRY(sc.rig->ops->get(self, "observed/n1", &got, &found, &sc.err));
	assert_int_equal(got.len, LIMIT_DOCUMENT_BYTES);
	buf_release(&got);
	free(bytes);
	sc.rig->ops->close(self);
}

/* A name of the greatest length. */
#define L50  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
#define L200 L50 L50 L50 L50

static const struct {
	const char *key;
	bool valid;
} keys[] = {
	{ "nodes/n1", true },
	{ "desired/a.b-c_D", true },
	{ "observed/" L200, true },
	{ "controller/record", true },
	{ "controller/families/web", true },
	{ "controller/services/default~web", true },
	{ "controller/services/" L200 "~" L200, true },
	{ "observed/" L200 "x", false },
	{ "controller/services/" L200 "~" L200 "x", false },
	{ "controller/services/web", false },
	{ "controller/services/a~b~c", false },
	{ "controller/services/~web", false },
	{ "controller/services/default~", false },
	{ "controller/families/a~b", false },
	{ "controller/lock", false },
	{ "nodes/", false },
	{ "nodes", false },
	{ "", false },
	{ "/nodes/a", false },
	{ "nodes/a/b", false },
	{ "nodes/../fleet", false },
	{ "nodes/..", false },
	{ "nodes/.hidden", false },
	{ "other/a", false },
	{ "nodes/a b", false },
	{ "nodes/a~b", false },
	{ ".tmp/a", false },
	{ "fleet", false },
};

static void test_keys(void **state UNUSED)
{
	void *self = sc_open_as(STORE_CONTROLLER, NULL);
	struct buf got = { 0 };
	bool flag;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *key = keys[i].key;
		if (keys[i].valid) {
			sc_put(self, key, key);
			sc_assert_value(self, key, key);
			continue;
		}
		TRY_FAILS(sc.rig->ops->put(self, key, "x", 1, 0, &sc.err), EINVAL);
		TRY_FAILS(sc.rig->ops->get(self, key, &got, &flag, &sc.err), EINVAL);
		TRY_FAILS(sc.rig->ops->remove(self, key, &sc.err), EINVAL);
		TRY_FAILS(sc.rig->ops->cas(self, key, NULL, 0, "x", 1, 0, &flag, &sc.err), EINVAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!keys[i].valid)
			continue;
		sc_assert_value(self, keys[i].key, keys[i].key);
		TRY(sc.rig->ops->remove(self, keys[i].key, &sc.err));
		sc_assert_value(self, keys[i].key, NULL);
	}
	sc.rig->ops->close(self);
}

/* --- compare and swap ------------------------------------------------------------------------ */

static bool cas(void *self, const char *old, const char *text)
{
	bool swapped = false;
	if (!sc.rig->ops->cas(self, "nodes/n1", old, old ? strlen(old) : 0, text, strlen(text), 0,
			      &swapped, &sc.err)) {
		/* It may have happened. */
		assert_true(sc_by_chance(sc.err.code));
		struct buf now = { 0 };
		bool found;
		TRY(sc.rig->ops->get(self, "nodes/n1", &now, &found, &sc.err));
		swapped = found && strcmp(buf_str(&now), text) == 0;
		bool is_old = old ? found && strcmp(buf_str(&now), old) == 0 : !found;
		buf_release(&now);
		return swapped || (is_old && cas(self, old, text));
	}
	return swapped;
}

static void test_cas(void **state UNUSED)
{
	void *self = sc_open_as(STORE_CONTROLLER, NULL);
	assert_false(cas(self, "old", "new"));
	sc_assert_value(self, "nodes/n1", NULL);
	assert_true(cas(self, NULL, "one"));
	sc_assert_value(self, "nodes/n1", "one");
	assert_false(cas(self, NULL, "two"));
	assert_false(cas(self, "on", "two"));
	assert_false(cas(self, "one!", "two"));
	assert_false(cas(self, "", "two"));
	sc_assert_value(self, "nodes/n1", "one");
	assert_true(cas(self, "one", ""));
	sc_assert_value(self, "nodes/n1", "");
	assert_false(cas(self, NULL, "three"));
	assert_true(cas(self, "", "three"));
	sc_assert_value(self, "nodes/n1", "three");
	static char too_much[LIMIT_DOCUMENT_BYTES + 1];
	bool swapped;
	TRY_FAILS(sc.rig->ops->cas(self, "nodes/n1", "three", 5, too_much, LIMIT_DOCUMENT_BYTES + 1,
				   0, &swapped, &sc.err),
		  EFBIG);
	TRY(sc.rig->ops->cas(self, "controller/services/a~b", NULL, 0, "x", 1, STORE_SYNCED,
			     &swapped, &sc.err));
	sc_assert_value(self, "controller/services/a~b", "x");
	sc.rig->ops->close(self);
}

enum { WRITERS = 4, WRITES = 25 };

/* Add "I-J " to the document, over and over until it is in it. */
static void add_token(void *self, int writer, int write)
{
	char token[32];
	struct buf now = { 0 }, next = { 0 };
	snprintf(token, sizeof(token), "%d-%d ", writer, write);
	for (;;) {
		bool found, swapped;
		if (!sc.rig->ops->get(self, "nodes/n1", &now, &found, NULL))
			continue;
		if (found && strstr(now.data, token))
			break;
		buf_reset(&next);
		buf_adds(&next, found ? now.data : " ");
		buf_adds(&next, token);
		sc.rig->ops->cas(self, "nodes/n1", found ? now.data : NULL, now.len, next.data,
				 next.len, 0, &swapped, NULL);
	}
	buf_release(&now);
	buf_release(&next);
}

static void *write_tokens(void *arg)
{
	void *self = NULL;
	while (!sc.rig->ops->open(sc.where, STORE_AGENT, NULL, &self, NULL))
		;
	for (int i = 0; i < WRITES; i++)
		add_token(self, (int)(intptr_t)arg, i);
	sc.rig->ops->close(self);
	return NULL;
}

/* No swap is lost and none done twice, whoever else swaps. */
static void test_cas_of_many(void **state UNUSED)
{
	void *self = sc_open_as(STORE_CONTROLLER, NULL);
	pthread_t threads[WRITERS];
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, write_tokens, (void *)(intptr_t)i), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	struct buf all = { 0 };
	bool found;
	TRY(sc.rig->ops->get(self, "nodes/n1", &all, &found, &sc.err));
	size_t tokens = 0;
	for (const char *s = buf_str(&all); (s = strchr(s, '-')); s++)
		tokens++;
	assert_int_equal(tokens, WRITERS * WRITES);
	buf_release(&all);
	sc.rig->ops->close(self);
}

enum { WHOLE_BYTES = 20000, WHOLE_TIMES = 100 };

static void *write_whole(void *self)
{
	char *bytes = xmalloc(WHOLE_BYTES);
	for (int i = 0; i < WHOLE_TIMES; i++) {
		memset(bytes, 'a' + i % 26, WHOLE_BYTES);
		sc.rig->ops->put(self, "desired/n1", bytes, (size_t)(WHOLE_BYTES - i), 0, NULL);
	}
	free(bytes);
	return NULL;
}

static void assert_whole(const char *bytes, size_t len)
{
	assert_true(len > WHOLE_BYTES - WHOLE_TIMES && len <= WHOLE_BYTES);
	for (size_t i = 1; i < len; i += 499)
		assert_int_equal(bytes[i], bytes[0]);
	assert_int_equal(bytes[len - 1], bytes[0]);
}

static void test_values_are_whole(void **state UNUSED)
{
	void *reader = sc_open_as(STORE_CONTROLLER, NULL), *writer = sc_open_as(STORE_AGENT, NULL);
	pthread_t thread;
	write_whole(writer);
	assert_int_equal(pthread_create(&thread, NULL, write_whole, writer), 0);
	struct buf got = { 0 };
	for (int i = 0; i < WHOLE_TIMES; i++) {
		struct store_entries entries;
		bool found;
		TRY(sc.rig->ops->get(reader, "desired/n1", &got, &found, &sc.err));
		assert_true(found);
		assert_whole(got.data, got.len);
		TRY(sc.rig->ops->list(reader, "desired/", &entries, &sc.err));
		assert_int_equal(entries.count, 1);
		assert_null(entries.items[0].text);
		assert_whole(entries.items[0].bytes, entries.items[0].len);
		arena_release(&entries.arena);
	}
	pthread_join(thread, NULL);
	buf_release(&got);
	sc.rig->ops->close(reader);
	sc.rig->ops->close(writer);
}

/* --- many documents -------------------------------------------------------------------------- */

static void test_list(void **state UNUSED)
{
	static const char *const put_in[] = {
		"nodes/b",
		"nodes/a",
		"nodes/a.b",
		"nodes/a-b",
		"desired/a",
		"controller/families/web",
		"controller/services/z~b",
		"controller/services/a~z",
		"controller/services/a~b",
		"controller/record",
	};
	static const struct {
		const char *prefix, *want;
	} rows[] = {
		{ "nodes/", "nodes/a nodes/a-b nodes/a.b nodes/b " },
		{ "desired/", "desired/a " },
		{ "desired/a", "desired/a " },
		{ "observed/", "" },
		{ "controller/services/",
		  "controller/services/a~b controller/services/a~z controller/services/z~b " },
		{ "controller/services/a~", "controller/services/a~b controller/services/a~z " },
		{ "controller/", "controller/families/web controller/record "
				 "controller/services/a~b controller/services/a~z "
				 "controller/services/z~b " },
	};
	void *self = sc_open_as(STORE_CONTROLLER, NULL);
	TRY(sc.rig->ops->lock_controller(self, &sc.err));
	TRY(sc.rig->ops->beat(self, "a", &sc.err));
	for (size_t i = 0; i < ARRAY_LEN(put_in); i++)
		sc_put(self, put_in[i], put_in[i]);
	struct buf got = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_entries entries;
		TRY(sc.rig->ops->list(self, rows[i].prefix, &entries, &sc.err));
		buf_reset(&got);
		for (size_t j = 0; j < entries.count; j++) {
			const struct store_entry *entry = &entries.items[j];
			buf_addf(&got, "%s ", entry->key);
			assert_null(entry->text);
			assert_int_equal(entry->len, strlen(entry->key));
			assert_memory_equal(entry->bytes, entry->key, entry->len);
		}
		arena_release(&entries.arena);
		assert_string_equal(buf_str(&got), rows[i].want);
	}
	buf_release(&got);
	sc.rig->ops->close(self);
}

/* The beat of a node, 0: none. */
static uint64_t beat_of(void *self, const char *node)
{
	struct store_entries entries;
	uint64_t beat = 0;
	TRY(sc.rig->ops->beats(self, &entries, &sc.err));
	for (size_t i = 0; i < entries.count; i++) {
		assert_true(i == 0 || strcmp(entries.items[i - 1].key, entries.items[i].key) < 0);
		if (strcmp(entries.items[i].key, node) == 0)
			beat = entries.items[i].beat;
	}
	arena_release(&entries.arena);
	return beat;
}

static void test_beats(void **state UNUSED)
{
	void *a = sc_open_as(STORE_CONTROLLER, NULL), *b = sc_open_as(STORE_AGENT, NULL);
	assert_int_equal(beat_of(a, "n1"), 0);
	TRY(sc.rig->ops->beat(b, "n2", &sc.err));
	TRY(sc.rig->ops->beat(b, "n1", &sc.err));
	uint64_t first = beat_of(a, "n1"), other = beat_of(a, "n2");
	assert_true(first && other);
	assert_int_equal(beat_of(a, "n1"), first);
	for (int i = 0; i < 20; i++) {
		uint64_t before = beat_of(a, "n1");
		TRY(sc.rig->ops->beat(b, "n1", &sc.err));
		assert_int_not_equal(beat_of(a, "n1"), before);
	}
	assert_int_equal(beat_of(a, "n2"), other);
	/* A second agent of the name is heard apart, and goes with it. */
	first = beat_of(a, "n1");
	TRY(sc.rig->ops->beat(b, "n1" STORE_SECOND, &sc.err));
	uint64_t second = beat_of(a, "n1" STORE_SECOND);
	assert_true(second);
	TRY(sc.rig->ops->beat(b, "n1" STORE_SECOND, &sc.err));
	assert_int_not_equal(beat_of(a, "n1" STORE_SECOND), second);
	assert_int_equal(beat_of(a, "n1"), first);
	TRY_FAILS(sc.rig->ops->beat(b, "n1~third", &sc.err), EINVAL);
	TRY_FAILS(sc.rig->ops->beat(b, STORE_SECOND, &sc.err), EINVAL);
	TRY(sc.rig->ops->remove(a, "alive/n1", &sc.err));
	assert_int_equal(beat_of(a, "n1"), 0);
	assert_int_equal(beat_of(a, "n1" STORE_SECOND), 0);
	assert_int_equal(beat_of(a, "n2"), other);
	sc.rig->ops->close(a);
	sc.rig->ops->close(b);
}

const struct contract_test sc_document_tests[] = {
	CONTRACT_TEST(test_put_and_get),
	CONTRACT_TEST(test_any_bytes_of_any_length),
	CONTRACT_TEST(test_keys),
	CONTRACT_TEST(test_cas),
	CONTRACT_TEST(test_cas_of_many),
	CONTRACT_TEST(test_values_are_whole),
	CONTRACT_TEST(test_list),
	CONTRACT_TEST(test_beats),
	{ 0 },
};
