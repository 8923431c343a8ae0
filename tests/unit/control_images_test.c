#include "control_world.h"

/* A tag is resolved once a deployment, by the first node that prepares. */

#define ONE "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static void write_image(struct world *w, const char *image, const char *more)
{
	char text[512];
	snprintf(text, sizeof(text),
		 "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"
		 "  containerDefinitions:\n  - {name: main, memory: 10, image: '%s'%s}\n",
		 image, more);
	file_set_text(w, "task.yaml", text);
}

static void write_all(struct world *w, const char *image, const char *more)
{
	write_image(w, image, more);
	write_service(w, "web.yaml", "web", "web",
		      "  deploymentConfiguration: {minimumHealthyPercent: 0}\n");
}

static const char *image_of(struct world *w, int agent)
{
	const struct agent_task *t = agent_task(&w->agents[agent], "web");
	return t ? t->image : "(none)";
}

/* The first, and the digest that all others find. */
static void find(struct world *w, const char *first, const char *others)
{
	for (uint32_t i = 0; i < w->agent_count; i++)
		w->agents[i].digest = i == 0 ? first : others;
}

static void the_first_node_resolves_for_all(void **state UNUSED)
{
	struct world *w = world_new(3);
	find(w, ONE, TWO);
	w->agents[0].pulls = true;
	write_all(w, "web:1", "");
	push(w);
	/* It has told the digest before it runs; then the others need not wait. */
	for (int i = 0; i < 3; i++)
		assert_string_equal(image_of(w, i), ONE);
	w->agents[0].pulls = false;
	settle_down(w);
	assert_int_equal(running(w, "web"), 3);

	/* A node that joins later, and after a restart of the controller, too. */
	agent_start(w, "n4")->digest = TWO;
	pass(w, 5000);
	assert_string_equal(image_of(w, 3), ONE);
	controller_restart(w);
	agent_start(w, "n5")->digest = TWO;
	pass(w, 5000);
	assert_string_equal(image_of(w, 4), ONE);

	/* Another deployment resolves anew; back again runs what that deployment ran. */
	find(w, TWO, TWO);
	write_all(w, "web:2", "");
	push(w);
	for (int i = 0; i < 5; i++)
		assert_string_equal(image_of(w, i), TWO);
	controller_restart(w);
	write_all(w, "web:1", "");
	push(w);
	for (int i = 0; i < 5; i++)
		assert_string_equal(image_of(w, i), ONE);
	world_free(w);
}

static void one_node_at_a_time_until_it_is_resolved(void **state UNUSED)
{
	struct world *w = world_new(3);
	find(w, NULL, TWO);
	w->agents[2].digest = ONE;
	w->agents[0].pulls = true;
	write_all(w, "web:1", "");
	push(w);
	assert_string_equal(image_of(w, 0), "");
	assert_string_equal(image_of(w, 1), "(none)");
	assert_int_equal(service(w, "web")->counts.desired, 3);
	assert_int_equal(service(w, "web")->counts.pending, 3);
	w->agents[0].fails = "web"; /* its registry is away */
	settle_down(w);
	assert_string_equal(image_of(w, 1), TWO);
	assert_string_equal(image_of(w, 2), TWO);
	world_free(w);
}

/* What has no digest to be found, or wants none, does not wait for one. */
static void what_has_no_digest_runs_all_the_same(void **state UNUSED)
{
	static const struct {
		const char *image, *more, *want;
	} rows[] = {
		{ "localhost/made-here", "", "" }, /* the agents find none */
		{ "web:1", ", versionConsistency: disabled", ONE },
		{ "web@" TWO, "", ONE },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *w = world_new(3);
		for (uint32_t k = 0; k < 3; k++)
			w->agents[k].digest = i ? ONE : NULL;
		write_all(w, rows[i].image, rows[i].more);
		push(w);
		assert_int_equal(running(w, "web"), 3);
		assert_string_equal(image_of(w, 2), rows[i].want);
		assert_int_equal(service(w, "web")->content->images.len, 0);
		world_free(w);
	}
}

static void a_cluster_says_how_many_pull(void **state UNUSED)
{
	static const char cluster[] = "apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: "
				      "default}\nspec: {maxParallelPulls: %d}\n";
	char text[128];
	struct world *w = world_new(5);
	for (uint32_t i = 0; i < 5; i++)
		w->agents[i].pulls = true;
	snprintf(text, sizeof(text), cluster, 2);
	file_set_text(w, "cluster.yaml", text);
	write_all(w, "web@" ONE, "");
	push(w);
	assert_string_equal(image_of(w, 2), "(none)");
	assert_true(agent_task(&w->agents[1], "web") != NULL);
	snprintf(text, sizeof(text), cluster, 4);
	file_set_text(w, "cluster.yaml", text);
	push(w);
	assert_true(agent_task(&w->agents[3], "web") != NULL);
	assert_true(agent_task(&w->agents[4], "web") == NULL);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_node_resolves_for_all),
		cmocka_unit_test(one_node_at_a_time_until_it_is_resolved),
		cmocka_unit_test(what_has_no_digest_runs_all_the_same),
		cmocka_unit_test(a_cluster_says_how_many_pull),
	};
	return cmocka_run_group_tests_name("control_images", tests, NULL, NULL);
}
