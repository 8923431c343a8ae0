/* The store contract: the store itself, and how the suite is run. */
#include "store_contract_internal.h"

#include <stdlib.h>

struct store_contract_state sc;

static int setup(void **state)
{
	sc.rig = *state;
	sc.rig->make(sc.where, sizeof(sc.where));
	sc.err = (struct err){ 0 };
	return 0;
}

static int teardown(void **state UNUSED)
{
	sc.rig->unmake(sc.where);
	return 0;
}

bool sc_by_chance(int code)
{
	return sc.rig->flaky && (code == EIO || code == ECONNREFUSED);
}

void *sc_open_as(enum store_role role, const char *fleet)
{
	void *self = NULL;
	TRY(sc.rig->ops->open(sc.where, role, fleet, &self, &sc.err));
	return self;
}

void sc_put(void *self, const char *key, const char *text)
{
	TRY(sc.rig->ops->put(self, key, text, strlen(text), 0, &sc.err));
}

void sc_assert_value(void *self, const char *key, const char *want)
{
	struct buf got = { 0 };
	bool found;
	TRY(sc.rig->ops->get(self, key, &got, &found, &sc.err));
	assert_int_equal(found, want != NULL);
	if (want)
		assert_string_equal(buf_str(&got), want);
	buf_release(&got);
}

/* --- the store itself ------------------------------------------------------------------------ */

static void test_agents_make_no_store(void **state UNUSED)
{
	void *self = NULL;
	TRY_FAILS(sc.rig->ops->open(sc.where, STORE_AGENT, NULL, &self, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->open(sc.where, STORE_AGENT, "0123456789abcdef0123456789abcdef",
				    &self, &sc.err),
		  ENOENT);
	assert_null(self);
}

static void test_fleet_id(void **state UNUSED)
{
	static const char known[] = "0123456789abcdef0123456789abcdef";
	char first[33], id[33];
	void *a = sc_open_as(STORE_CONTROLLER, NULL);
	TRY(sc.rig->ops->fleet(a, first, &sc.err));
	assert_int_equal(strspn(first, "0123456789abcdef"), 32);
	/* What is there is kept, whatever the next one thinks to know. */
	void *b = sc_open_as(STORE_CONTROLLER, known), *c = sc_open_as(STORE_AGENT, NULL);
	TRY(sc.rig->ops->fleet(b, id, &sc.err));
	assert_string_equal(id, first);
	TRY(sc.rig->ops->fleet(c, id, &sc.err));
	assert_string_equal(id, first);
	sc.rig->ops->close(a);
	sc.rig->ops->close(b);
	sc.rig->empty(sc.where);
	a = sc_open_as(STORE_CONTROLLER, known);
	TRY(sc.rig->ops->fleet(a, id, &sc.err));
	assert_string_equal(id, known);
	TRY(sc.rig->ops->fleet(c, id, &sc.err));
	assert_string_equal(id, known);
	sc.rig->ops->close(a);
	sc.rig->ops->close(c);
}

/* Nothing there is not the same as everything deleted. */
static void test_an_emptied_store_says_so(void **state UNUSED)
{
	void *controller = sc_open_as(STORE_CONTROLLER, NULL),
	     *agent = sc_open_as(STORE_AGENT, NULL);
	sc_put(controller, "desired/n1", "keep");
	sc.rig->empty(sc.where);
	struct buf value = { 0 };
	struct store_entries entries;
	char id[33];
	bool flag;
	TRY_FAILS(sc.rig->ops->fleet(agent, id, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->get(agent, "desired/n1", &value, &flag, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->get(agent, "desired/none", &value, &flag, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->put(agent, "nodes/n1", "x", 1, 0, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->cas(agent, "nodes/n1", NULL, 0, "x", 1, 0, &flag, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->remove(agent, "nodes/n1", &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->list(agent, "nodes/", &entries, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->beat(agent, "n1", &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->beats(agent, &entries, &sc.err), ENOENT);
	TRY_FAILS(sc.rig->ops->get(controller, "desired/n1", &value, &flag, &sc.err), ENOENT);
	buf_release(&value);
	sc.rig->ops->close(agent);
	sc.rig->ops->close(controller);
}

static void test_one_controller(void **state UNUSED)
{
	void *a = sc_open_as(STORE_CONTROLLER, NULL), *b = sc_open_as(STORE_CONTROLLER, NULL);
	TRY(sc.rig->ops->lock_controller(a, &sc.err));
	TRY(sc.rig->ops->lock_controller(a, &sc.err));
	TRY_FAILS(sc.rig->ops->lock_controller(b, &sc.err), EWOULDBLOCK);
	sc_put(a, "desired/n1", "x");
	sc.rig->ops->close(a);
	TRY(sc.rig->ops->lock_controller(b, &sc.err));
	sc.rig->ops->close(b);
}

/* The store was made anew by another controller, which holds it now. */
static void test_a_lock_that_was_lost(void **state UNUSED)
{
	void *a = sc_open_as(STORE_CONTROLLER, NULL);
	bool swapped;
	TRY(sc.rig->ops->lock_controller(a, &sc.err));
	sc.rig->empty(sc.where);
	void *b = sc_open_as(STORE_CONTROLLER, NULL);
	TRY(sc.rig->ops->lock_controller(b, &sc.err));
	sc_put(b, "desired/n1", "new");
	TRY_FAILS(sc.rig->ops->put(a, "desired/n1", "old", 3, 0, &sc.err), ESTALE);
	TRY_FAILS(sc.rig->ops->cas(a, "desired/n1", "new", 3, "old", 3, 0, &swapped, &sc.err),
		  ESTALE);
	TRY_FAILS(sc.rig->ops->remove(a, "desired/n1", &sc.err), ESTALE);
	sc_assert_value(a, "desired/n1", "new");
	sc.rig->ops->close(a);
	sc.rig->ops->close(b);
}

const struct contract_test sc_store_tests[] = {
	CONTRACT_TEST(test_agents_make_no_store),     CONTRACT_TEST(test_fleet_id),
	CONTRACT_TEST(test_an_emptied_store_says_so), CONTRACT_TEST(test_one_controller),
	CONTRACT_TEST(test_a_lock_that_was_lost),     { 0 },
};

/* --- the suite ------------------------------------------------------------------------------- */

int store_contract_run(const struct store_rig *const *rigs, size_t count)
{
	static const struct contract_test *const tables[] = {
		sc_store_tests,
		sc_document_tests,
		sc_watch_tests,
	};
	struct arena arena = { 0 };
	VEC(struct CMUnitTest) all = { 0 };
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ARRAY_LEN(tables); j++)
			for (const struct contract_test *test = tables[j]; test->name; test++)
				*vec_push(&all) = (struct CMUnitTest){
					.name = arena_printf(&arena, "%s: %s", rigs[i]->name,
							     test->name),
					.test_func = test->fn,
					.setup_func = setup,
					.teardown_func = teardown,
					.initial_state = (void *)rigs[i],
				};
	int failed = _cmocka_run_group_tests("store contract", all.items, all.len, NULL, NULL);
	vec_release(&all);
	arena_release(&arena);
	return failed;
}
