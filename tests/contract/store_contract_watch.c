/* The store contract: watches. */
#include "store_contract_internal.h"

#include "loop/loop.h"

#include <stdio.h>
#include <uv.h>

#define PATIENCE_MS 5000

static struct watch_test {
	struct loop *loop;
	struct timer *patience;
	void *watch;
	struct buf seen; /* " KEY " of each call, " * " for everything */
	bool impatient;
} w;

static void on_changed(void *arg UNUSED, const char *key)
{
	buf_addf(&w.seen, " %s ", key ? key : "*");
}

static void on_impatient(void *arg UNUSED)
{
	w.impatient = true;
}

static void watch_begin(const char *const *prefixes, size_t count)
{
	w = (struct watch_test){ .loop = loop_new() };
	w.patience = timer_new(w.loop, on_impatient, NULL);
	assert_true(sc.rig->ops->watch(sc.where, w.loop, prefixes, count, on_changed, NULL,
				       &w.watch, &sc.err));
}

static void watch_end(void)
{
	sc.rig->ops->unwatch(w.watch);
	timer_free(w.patience);
	loop_free(w.loop);
	buf_release(&w.seen);
}

/* Turn the loop until that key, or that everything, was told of. */
static bool await(const char *key, int64_t patience_ms)
{
	char want[512];
	snprintf(want, sizeof(want), " %s ", key);
	w.impatient = false;
	timer_set(w.patience, patience_ms);
	while (!w.impatient && !strstr(buf_str(&w.seen), want) && !strstr(buf_str(&w.seen), " * "))
		uv_run(loop_uv(w.loop), UV_RUN_ONCE);
	return !w.impatient;
}

/* Put it until it is seen: at once, unless events get lost. */
static void put_and_see(void *self, const char *key)
{
	buf_reset(&w.seen);
	int tries = 0;
	do
		sc_put(self, key, "x");
	while (!await(key, sc.rig->flaky ? 20 : PATIENCE_MS) && sc.rig->flaky &&
	       ++tries < TRIES_MAX);
	if (w.impatient)
		fail_msg("%s: no event of '%s': saw '%s'", sc.rig->name, key, buf_str(&w.seen));
}

static void test_watch(void **state UNUSED)
{
	static const char *const prefixes[] = { "nodes/", "observed/", "desired/n1" };
	void *self = sc_open_as(STORE_CONTROLLER, NULL);
	watch_begin(prefixes, ARRAY_LEN(prefixes));
	put_and_see(self, "nodes/n1");
	put_and_see(self, "nodes/n1");
	put_and_see(self, "desired/n1");
	buf_reset(&w.seen);
	sc_put(self, "desired/n2", "x");
	sc_put(self, "controller/families/web", "x");
	TRY(sc.rig->ops->beat(self, "n1", &sc.err));
	int tries = 0;
	bool swapped;
	do {
		TRY(sc.rig->ops->remove(self, "observed/n3", &sc.err));
		sc_put(self, "observed/n3", "x");
		TRY(sc.rig->ops->cas(self, "observed/n3", "x", 1, "y", 1, 0, &swapped, &sc.err));
	} while (!await("observed/n3", sc.rig->flaky ? 20 : PATIENCE_MS) && sc.rig->flaky &&
		 ++tries < TRIES_MAX);
	assert_false(w.impatient);
	assert_null(strstr(buf_str(&w.seen), "desired/n2"));
	assert_null(strstr(buf_str(&w.seen), "controller"));
	assert_null(strstr(buf_str(&w.seen), "alive"));
	watch_end();
	sc.rig->ops->close(self);
}

/* Agents start before the controller: they learn of the store when it is whole. */
static void test_watch_before_there_is_a_store(void **state UNUSED)
{
	static const char *const prefixes[] = { "desired/n1" };
	watch_begin(prefixes, ARRAY_LEN(prefixes));
	void *controller = sc_open_as(STORE_CONTROLLER, NULL), *agent = NULL;
	w.impatient = false;
	timer_set(w.patience, sc.rig->flaky ? 20 : PATIENCE_MS);
	while (!agent && !w.impatient) {
		uv_run(loop_uv(w.loop), UV_RUN_ONCE);
		if (strstr(buf_str(&w.seen), "*"))
			sc.rig->ops->open(sc.where, STORE_AGENT, NULL, &agent, NULL);
	}
	assert_true(agent || sc.rig->flaky);
	put_and_see(controller, "desired/n1");
	watch_end();
	sc.rig->ops->close(agent);
	sc.rig->ops->close(controller);
}

const struct contract_test sc_watch_tests[] = {
	CONTRACT_TEST(test_watch),
	CONTRACT_TEST(test_watch_before_there_is_a_store),
	{ 0 },
};
