/* http: ending requests, and the client, in every state and from inside of every callback. */
#include "http_world.h"

static struct timer *later;
static struct outcome *victim;

static void on_later(void *arg UNUSED)
{
	http_cancel(victim->request);
	count_down();
}

/* Cancelled after_ms after it was asked for (0: at once), nothing of it is heard any more. */
static void cancel_after(const struct http_spec *spec, int64_t after_ms)
{
	struct outcome o = { 0 }, next = { 0 };
	victim = &o;
	ask(&o, spec);
	if (after_ms == 0) {
		http_cancel(o.request);
		http_cancel(o.request);
		pending--;
	} else {
		later = timer_new(loop, on_later, NULL);
		timer_set(later, after_ms);
		loop_run(loop);
		timer_free(later);
	}
	int calls = o.calls;
	get(&next, "/ok");
	assert_true(next.ok);
	assert_false(o.called);
	assert_int_equal(o.calls, calls);
	forget(&o);
	forget(&next);
}

static void test_cancel(void **state UNUSED)
{
	static const char *const hanging[] = { "/hang", "/hang-in-head", "/hang-in-body",
					       "/values" };
	for (size_t i = 0; i < ARRAY_LEN(hanging); i++) {
		struct http_spec spec = { .method = "GET",
					  .path = hanging[i],
					  .deadline_ms = 60000 };
		cancel_after(&spec, 0);
		cancel_after(&spec, 1);
		cancel_after(&spec, 20);
		spec.chunk = on_chunk;
		cancel_after(&spec, 20);
	}
	struct http_spec bad = { .method = "GET",
				 .path = "/ok",
				 .headers = (const char *const[]){ "a\nb", NULL } };
	cancel_after(&bad, 0);
}

/* From inside of its own chunk() or value(), with more of them in the same bytes. */
static void test_cancel_inside(void **state UNUSED)
{
	for (int free_client = 0; free_client < 2; free_client++) {
		for (int at = 1; at <= 2; at++) {
			struct outcome o = { .cancel_at = at, .free_client = free_client };
			ask(&o, &(struct http_spec){ .method = "GET",
						     .path = "/values",
						     .value = on_value,
						     .idle_ms = 60000 });
			struct outcome other = { 0 };
			if (free_client) {
				ask(&other,
				    &(struct http_spec){ .method = "GET", .path = "/hang" });
				pending--;
			}
			loop_run(loop);
			assert_int_equal(o.calls, at);
			if (free_client)
				client = http_client_new(loop, base, NULL, NULL);
			struct outcome next = { 0 };
			get(&next, "/ok");
			assert_true(next.ok);
			assert_int_equal(o.calls, at);
			assert_false(o.called || other.called);
			forget(&o);
			forget(&next);
		}
	}
	struct outcome o = { .cancel_at = 3 };
	ask(&o, &(struct http_spec){ .method = "GET", .path = "/endless-body", .chunk = on_chunk });
	loop_run(loop);
	assert_int_equal(o.calls, 3);
	forget(&o);
}

/* done() asks for the next one, cancels another, and frees the client at last. */
static struct outcome chained[2], bystander;

static void on_chained(void *arg, const struct http_answer *answer)
{
	on_done(arg, answer);
	if (arg == &chained[0]) {
		http_cancel(bystander.request); /* the next one is counted in its place */
		chained[1].request = http_request(
			client, &(struct http_spec){ .method = "GET", .path = "/chunked" },
			on_chained, &chained[1]);
		assert_false(chained[1].called);
		return;
	}
	http_client_free(client);
	client = NULL;
}

static void test_from_done(void **state UNUSED)
{
	ask(&bystander, &(struct http_spec){ .method = "GET", .path = "/hang" });
	pending++;
	http_request(client, &(struct http_spec){ .method = "GET", .path = "/ok" }, on_chained,
		     &chained[0]);
	loop_run(loop);
	assert_true(chained[0].ok && chained[1].ok);
	assert_false(bystander.called);
	assert_string_equal(buf_str(&chained[1].body), "hello");
	forget(&chained[0]);
	forget(&chained[1]);
	forget(&bystander);
}

/* Freed with requests in every state, and the loop right after it. */
static void test_free_with_requests(void **state UNUSED)
{
	static struct outcome o[6];
	static const char *const paths[] = { "/hang",	      "/values",  "/ok",
					     "/endless-body", "/missing", "/hang-in-body" };
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		ask(&o[i], &(struct http_spec){ .method = "GET",
						.path = paths[i],
						.chunk = i % 2 ? on_chunk : NULL,
						.max_bytes = SIZE_MAX / 2 });
	later = timer_new(loop, on_later, NULL);
	victim = &o[0];
	timer_set(later, 20);
	pending = 3; /* /ok, /missing, on_later() */
	loop_run(loop);
	timer_free(later);
	pending = 0;
	http_request(client, &(struct http_spec){ .method = "GET", .path = "/ok" }, on_done, &o[0]);
	http_client_free(client);
	client = NULL;
	assert_false(o[0].called);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_done, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_with_requests, setup, teardown),
	};
	return RUN_IN_WORLD(tests);
}
