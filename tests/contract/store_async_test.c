/* The asynchronous store: order, deadlines, hangs, stores that come and go. */
#include "store_fake_remote.h"

#include "fs/fs.h"
#include "loop/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#define PATIENCE_MS 5000
#define DEADLINE_MS 100

static struct loop *loop;
static struct timer *patience;
static bool impatient;
static struct err err;
static struct store *store, *other; /* freed by teardown() */
/* What was answered, in order: "TAG:ok ", "TAG:CODE ". */
static struct buf answers;
static struct arena tags;
static struct buf events; /* "KEY ", "* " */
static struct buf value;  /* of the last get */
static char fleet[33];	  /* of the last open */

static void on_impatient(void *arg UNUSED)
{
	impatient = true;
}

static void begin(const struct fake_faults *faults)
{
	fake_world_add("w", faults ? faults : &(struct fake_faults){ 0 });
	loop = loop_new();
	patience = timer_new(loop, on_impatient, NULL);
	err = (struct err){ 0 };
	buf_reset(&answers);
}

static struct store *fake_store(enum store_role role)
{
	struct store *new = store_new(loop, &store_fake_remote_ops, "fake:w", role, NULL, &err);
	assert_non_null(new);
	return new;
}

static int setup(void **state UNUSED)
{
	begin(NULL);
	store = fake_store(STORE_CONTROLLER);
	store_set_deadline(store, DEADLINE_MS);
	return 0;
}

static int teardown(void **state UNUSED)
{
	fake_set_hang("w", false);
	store_free(store);
	store_free(other);
	store = other = NULL;
	timer_free(patience);
	loop_free(loop);
	arena_release(&tags);
	buf_release(&answers);
	buf_release(&events);
	buf_release(&value);
	/* The thread of a back end that hung ends by itself. */
	while (fake_open_count("w"))
		usleep(100);
	fake_world_remove("w");
	return 0;
}

static void *tag(const char *name)
{
	return arena_strdup(&tags, name);
}

static void answered(void *arg, const struct store_answer *answer)
{
	const char *name = arg;
	if (answer->ok)
		buf_addf(&answers, "%s:ok ", name);
	else
		buf_addf(&answers, "%s:%s ", name, strerrorname_np(answer->err.code));
	if (!answer->ok)
		assert_true(answer->err.text[0]);
	if (answer->ok && answer->bytes) {
		buf_reset(&value);
		buf_add(&value, answer->bytes, answer->len);
	}
	if (answer->ok && answer->fleet)
		snprintf(fleet, sizeof(fleet), "%s", answer->fleet);
}

/* Turn the loop until all that were asked have answered, and see how. */
static void await(const char *want)
{
	timer_set(patience, PATIENCE_MS);
	impatient = false;
	while (!impatient && answers.len < strlen(want))
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	timer_clear(patience);
	const char *got = strdupa(buf_str(&answers));
	buf_reset(&answers);
	assert_string_equal(got, want);
}

static void put(const char *key, const char *text, const char *name)
{
	store_put(store, key, text, strlen(text), 0, answered, tag(name));
}

static void get(const char *key, const char *name)
{
	store_get(store, key, answered, tag(name));
}

static void listed(void *arg, const struct store_answer *answer)
{
	assert_true(answer->ok);
	assert_int_equal(answer->entries->count, 1);
	buf_addf(&answers, "%s ", answer->entries->items[0].key);
	(void)arg;
}

static void swapped(void *arg, const struct store_answer *answer)
{
	assert_true(answer->ok);
	buf_addf(&answers, "%s:%d ", (const char *)arg, answer->swapped);
}

static void found(void *arg, const struct store_answer *answer)
{
	assert_true(answer->ok);
	buf_addf(&answers, "%s:%d ", (const char *)arg, answer->found);
}

static void test_every_request_in_order(void **state UNUSED)
{
	char key[] = "nodes/a", text[] = "text";
	store_open(store, answered, tag("open"));
	store_lock_controller(store, answered, tag("lock"));
	store_put(store, key, text, strlen(text), STORE_SYNCED, answered, tag("put"));
	memset(key, 'x', strlen(key)); /* arguments are copied */
	memset(text, 'x', strlen(text));
	get("nodes/a", "get");
	store_list(store, "nodes/", listed, NULL);
	store_cas(store, "nodes/a", "other", 5, "new", 3, 0, swapped, tag("cas"));
	store_cas(store, "nodes/a", "text", 4, "new", 3, 0, swapped, tag("cas"));
	store_cas(store, "nodes/a", NULL, 0, "new", 3, 0, swapped, tag("cas"));
	store_remove(store, "nodes/a", answered, tag("remove"));
	store_get(store, "nodes/a", found, tag("found"));
	store_beat(store, "n1", answered, tag("beat"));
	store_beats(store, listed, NULL);
	put("bad key", "", "bad");
	store_put(store, "nodes/a", "", 0, 0, NULL, NULL); /* nobody asks how it went */
	store_get(store, "nodes/a", found, tag("found"));
	assert_int_equal(answers.len, 0); /* never from inside the call */
	await("open:ok lock:ok put:ok get:ok nodes/a cas:0 cas:1 cas:0 remove:ok found:0 beat:ok "
	      "n1 bad:EINVAL found:1 ");
	assert_string_equal(buf_str(&value), "text");
	assert_int_equal(strlen(fleet), 32);
}

static int64_t elapsed_ms(int64_t since_ms)
{
	return clock_monotonic_ms() - since_ms;
}

/* All that wait are answered at the deadline, all that come after at once, until it is back. */
static void test_a_hang_has_a_deadline(void **state UNUSED)
{
	store_open(store, answered, tag("open"));
	await("open:ok ");
	fake_set_hang("w", true);
	int64_t start = clock_monotonic_ms();
	put("nodes/a", "late", "a");
	put("nodes/b", "never begun", "b");
	get("nodes/a", "c");
	await("a:ETIMEDOUT b:ETIMEDOUT c:ETIMEDOUT ");
	assert_true(elapsed_ms(start) >= DEADLINE_MS - 1);
	start = clock_monotonic_ms();
	for (int i = 0; i < 50; i++) {
		get("nodes/a", "d");
		await("d:ETIMEDOUT ");
	}
	assert_true(elapsed_ms(start) < PATIENCE_MS / 2); /* 50 deadlines would be longer */
	/* It comes back: what it was at happens, before what is asked then, and is told to nobody.
	 */
	fake_set_hang("w", false);
	bool back = false;
	for (int i = 0; !back && i < PATIENCE_MS; i++) {
		get("nodes/a", "e");
		timer_set(patience, PATIENCE_MS);
		while (!answers.len && !impatient)
			uv_run(loop_uv(loop), UV_RUN_ONCE);
		back = strcmp(buf_str(&answers), "e:ok ") == 0;
		buf_reset(&answers);
		if (!back)
			usleep(1000);
	}
	assert_true(back);
	assert_string_equal(buf_str(&value), "late");
	store_get(store, "nodes/b", found, tag("b"));
	await("b:0 ");
}

/* The deadline is the back end's for one request, not for the queue before it. */
static void test_waiting_in_line_is_not_hanging(void **state)
{
	teardown(state);
	enum { SLOW_MS = 40, TIMES = 20 }; /* the first is three calls, as it opens the store */
	begin(&(struct fake_faults){ .seed = 7, .latency_us = SLOW_MS * 1000 });
	store = fake_store(STORE_CONTROLLER);
	store_set_deadline(store, SLOW_MS * TIMES / 3);
	struct buf want = { 0 };
	for (int i = 0; i < TIMES; i++) {
		put("nodes/a", "x", "p");
		buf_adds(&want, "p:ok ");
	}
	await(want.data);
	buf_release(&want);
}

static void test_free_while_it_hangs(void **state UNUSED)
{
	store_open(store, answered, tag("open"));
	await("open:ok ");
	fake_set_hang("w", true);
	put("nodes/a", "x", "a");
	put("nodes/b", "x", "b");
	while (fake_hanging("w") == 0)
		usleep(100);
	int64_t start = clock_monotonic_ms();
	store_free(store);
	store = NULL;
	assert_true(elapsed_ms(start) < PATIENCE_MS / 2);
	assert_int_equal(fake_open_count("w"), 1);
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	assert_int_equal(answers.len, 0);
}

static void free_it(void *arg UNUSED, const struct store_answer *answer UNUSED)
{
	buf_adds(&answers, "freed ");
	store_free(store);
	store = NULL;
}

static void test_free_in_a_callback(void **state UNUSED)
{
	store_open(store, free_it, NULL);
	put("nodes/a", "x", "a");
	put("nodes/b", "x", "b");
	await("freed ");
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	assert_int_equal(answers.len, 0);

	store = fake_store(STORE_CONTROLLER);
	store_set_deadline(store, 10);
	fake_set_hang("w", true);
	store_open(store, free_it, NULL);
	put("nodes/a", "x", "a");
	await("freed ");
	uv_run(loop_uv(loop), UV_RUN_NOWAIT);
	assert_int_equal(answers.len, 0);
}

/* Freed and closed: the lock is free for the next one, at once. */
static void test_free_gives_the_lock_back(void **state UNUSED)
{
	for (int i = 0; i < 20; i++) {
		store_lock_controller(store, answered, tag("lock"));
		await("lock:ok ");
		store_free(store);
		store = fake_store(STORE_CONTROLLER);
	}
}

static void told(void *arg UNUSED, const char *key)
{
	buf_addf(&events, "%s ", key ? key : "*");
}

static void await_event(const char *want)
{
	timer_set(patience, PATIENCE_MS);
	impatient = false;
	while (!impatient && !strstr(buf_str(&events), want))
		uv_run(loop_uv(loop), UV_RUN_ONCE);
	timer_clear(patience);
	assert_false(impatient);
	buf_reset(&events);
}

static void test_an_agent_waits_for_the_store(void **state UNUSED)
{
	static const char *const prefixes[] = { "desired/n1" };
	bool needs_poll = false;
	other = store;
	store = fake_store(STORE_AGENT);
	assert_true(store_watch(store, prefixes, 1, told, NULL, &needs_poll, &err));
	assert_true(needs_poll); /* nobody knows yet */
	store_open(store, answered, tag("a"));
	store_beat(store, "n1", answered, tag("b"));
	await("a:ENOENT b:ENOENT ");
	assert_true(store_watch(store, prefixes, 1, told, NULL, &needs_poll, &err));
	assert_false(needs_poll);
	store_open(other, answered, tag("made"));
	await("made:ok ");
	await_event("* ");
	store_open(store, answered, tag("c"));
	store_beat(store, "n1", answered, tag("d"));
	await("c:ok d:ok ");
	store_put(other, "desired/n1", "x", 1, 0, answered, tag("put"));
	await("put:ok ");
	await_event("desired/n1 ");
}

/* The controller makes it anew, the same fleet, and is still the one that holds the lock. */
static void test_an_emptied_store_is_made_again(void **state UNUSED)
{
	char before[33];
	store_open(store, answered, tag("open"));
	store_lock_controller(store, answered, tag("lock"));
	await("open:ok lock:ok ");
	memcpy(before, fleet, sizeof(before));
	fake_world_empty("w");
	put("desired/n1", "x", "a");
	await("a:ENOENT ");
	put("desired/n1", "x", "b");
	store_open(store, answered, tag("open"));
	await("b:ok open:ok ");
	assert_string_equal(fleet, before);
	other = fake_store(STORE_CONTROLLER);
	store_lock_controller(other, answered, tag("other"));
	await("other:EAGAIN ");
	/* Asked for as such it is opened anew in one go. */
	fake_world_empty("w");
	store_open(store, answered, tag("open"));
	await("open:ok ");
	assert_string_equal(fleet, before);
	/* Another took the lock meanwhile: then there is no writing any more. */
	fake_world_empty("w");
	store_lock_controller(other, answered, tag("gone"));
	store_lock_controller(other, answered, tag("other"));
	await("gone:ENOENT other:ok ");
	put("desired/n1", "x", "a");
	put("desired/n1", "x", "b");
	await("a:ESTALE b:EAGAIN ");
}

static void test_unreachable(void **state UNUSED)
{
	fake_set_unreachable("w", true);
	put("nodes/a", "x", "a");
	await("a:ECONNREFUSED ");
	fake_set_unreachable("w", false);
	put("nodes/a", "x", "b");
	await("b:ok ");
	fake_set_unreachable("w", true);
	put("nodes/a", "x", "c");
	put("nodes/a", "x", "d");
	await("c:ECONNREFUSED d:ECONNREFUSED ");
	fake_set_unreachable("w", false);
	get("nodes/a", "e");
	await("e:ok ");
}

static void test_urls(void **state UNUSED)
{
	static const struct {
		const char *url, *where; /* NULL: refused */
	} rows[] = {
		{ "dir:/var/lib/muster/store", "/var/lib/muster/store" },
		{ "dir:relative", "relative" },
		{ "dir:a:b", "a:b" },
		{ "dir:", NULL },
		{ "dir", NULL },
		{ "/var/lib/muster/store", NULL },
		{ "etcd:host:2379", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *where = NULL;
		const struct store_ops *ops = store_ops_of(rows[i].url, &where, &err);
		assert_ptr_equal(ops, rows[i].where ? &store_dir_ops : NULL);
		if (rows[i].where)
			assert_string_equal(where, rows[i].where);
	}
	assert_null(store_new(loop, NULL, "etcd:host", STORE_AGENT, NULL, &err));
	assert_non_null(strstr(err.text, "etcd:host"));
}

/* --- on a directory -------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* What it costs to ask through a thread; told, and only held against what no machine can need. */
static void test_round_trips_on_a_directory(void **state UNUSED)
{
	enum { TIMES = 300 };
	static int64_t times[2][TIMES];
	const char *tmp = getenv("TMPDIR");
	char dir[4096], url[4200];
	snprintf(dir, sizeof(dir), "%s/muster-store-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(url, sizeof(url), "dir:%s/store", dir);
	store_free(store);
	store = store_new(loop, NULL, url, STORE_CONTROLLER, NULL, &err);
	assert_non_null(store);
	store_open(store, answered, tag("open"));
	store_lock_controller(store, answered, tag("lock"));
	await("open:ok lock:ok ");
	for (int i = 0; i < TIMES; i++) {
		int64_t start = now_ns();
		put("desired/n1", "a document", "p");
		await("p:ok ");
		int64_t middle = now_ns();
		get("desired/n1", "g");
		await("g:ok ");
		times[0][i] = middle - start;
		times[1][i] = now_ns() - middle;
	}
	for (int i = 0; i < 2; i++)
		qsort(times[i], TIMES, sizeof(times[i][0]), compare_ns);
	print_message("# round trip through the thread: put p50 %lld us, get p50 %lld us\n",
		      (long long)times[0][TIMES / 2] / 1000, (long long)times[1][TIMES / 2] / 1000);
	assert_true(times[0][TIMES / 2] < 50000000 && times[1][TIMES / 2] < 50000000);
	store_free(store);
	store = NULL;
	assert_true(fs_remove_tree(dir, &err));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_request_in_order),
		TEST(test_a_hang_has_a_deadline),
		TEST(test_waiting_in_line_is_not_hanging),
		TEST(test_free_while_it_hangs),
		TEST(test_free_in_a_callback),
		TEST(test_free_gives_the_lock_back),
		TEST(test_an_agent_waits_for_the_store),
		TEST(test_an_emptied_store_is_made_again),
		TEST(test_unreachable),
		TEST(test_urls),
		TEST(test_round_trips_on_a_directory),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
