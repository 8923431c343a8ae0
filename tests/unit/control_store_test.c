#include "control_world.h"

/* Restarts, and a store that fails, forgets, lies or goes back. */

struct copy {
	const char *key;
	char *bytes;
	size_t len;
};

static struct copy copy_of(struct world *w, const char *key)
{
	const struct doc *doc = map_get(w->store, key);
	struct copy copy = { key, xmalloc(doc->len + 1), doc->len };
	memcpy(copy.bytes, doc->bytes, doc->len);
	return copy;
}

static void put_back(struct world *w, struct copy *copy)
{
	store_set(w, copy->key, copy->bytes, copy->len);
	free(copy->bytes);
}

static void empty_store(struct world *w)
{
	size_t it = 0;
	const char *key;
	while (map_next(w->store, &it, &key, NULL)) {
		store_drop(w, key);
		it = 0;
	}
}

static void a_restart_puts_nothing(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	write_service(w, "prod.yaml", "prod", "web",
		      "  priority: 3\n  dependsOn: [web]\n  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	file_set_text(w, "node.yaml",
		      "apiVersion: muster/v1\nkind: Node\nmetadata: {name: n3}\n"
		      "spec: {attributes: {env: prod}}\n");
	push(w);
	pass(w, 10000);
	reset(w);
	for (int i = 0; i < 3; i++)
		controller_restart(w);
	assert_int_equal(w->desired_puts + w->ledger_puts + w->removes, 0);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(service(w, "prod")->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

static void a_restart_in_the_middle_goes_on(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	for (uint32_t i = 0; i < 3; i++)
		w->agents[i].slow = true;
	write_task(w, "task.yaml", "web", "b");
	push(w);
	reset(w);
	controller_restart(w);
	assert_int_equal(w->desired_puts, 0); /* one is in flight: the budget is used */
	for (uint32_t i = 0; i < 3; i++)
		w->agents[i].slow = false;
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 2), 3);
	assert_int_equal(TOTAL(w, replaced), 3);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	world_free(w);
}

static void nothing_is_rendered_before_the_ledger_is_on_disk(void **state)
{
	(void)state;
	struct world *w = world_new(2);
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web", "");
	w->answers_wait = true;
	assert_true(look_at(w, commit(w)));
	step(w);
	step(w);
	assert_int_equal(w->ledger_puts, 2);
	assert_int_equal(w->desired_puts, 0);
	assert_int_equal(w->applied.len, 0);
	control_put_done(w->c, "controller/families/web", true, NULL, w->now_ms);
	step(w);
	assert_int_equal(w->desired_puts, 0);
	w->answers_wait = false;
	control_put_done(w->c, "controller/services/default~web", false, "no space", w->now_ms);
	step(w);
	assert_int_equal(w->desired_puts, 0); /* it is tried again first, in a while */
	pass(w, 2000);
	assert_int_equal(running(w, "web"), 2);
	assert_true(w->applied.len > 0);
	world_free(w);
}

static void nothing_is_rendered_before_observed_was_read(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	struct agent *a = agent_start(w, "n2");
	settle_down(w);
	assert_int_equal(a->task_count, 1);
	/* One that registers and says nothing else. */
	store_drop(w, "observed/n2");
	store_drop(w, "desired/n2");
	store_drop(w, "nodes/n2");
	a->slow = true;
	tell(w, "nodes/n2");
	settle_down(w);
	reset(w);
	agent_register(w, a);
	pass(w, 20000);
	assert_int_equal(w->desired_puts, 0);
	relist(w);
	settle_down(w);
	assert_int_equal(w->desired_puts, 0);
	a->slow = false;
	pass(w, 5000);
	assert_true(w->desired_puts > 0);
	assert_int_equal(TOUCHED(w), 0); /* what runs was taken over */
	world_free(w);
}

static void nothing_is_rendered_before_the_beat_moved(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	control_free(w->c);
	controller_read_store(w);
	write_task(w, "task.yaml", "web", "b");
	reset(w);
	push(w);
	assert_int_equal(w->desired_puts, 0);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_IN_PROGRESS);
	w->agents[1].silent = true;
	pass(w, 5000);
	assert_int_equal(running_revision(w, "web", 2), 1);
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_IN_PROGRESS);
	pass(w, 30000); /* unreachable: it does not block */
	assert_int_equal(service(w, "web")->primary.state, ROLLOUT_COMPLETED);
	w->agents[1].silent = false;
	pass(w, 5000);
	assert_int_equal(running_revision(w, "web", 2), 2);
	world_free(w);
}

static void a_failed_put_is_repeated_above(void **state)
{
	(void)state;
	for (int happened = 0; happened < 2; happened++) {
		struct world *w = web_on(3);
		write_task(w, "task.yaml", "web", "b");
		assert_true(look_at(w, commit(w)));
		step(w); /* the ledger */
		w->puts_fail = true;
		w->puts_happen = happened;
		for (int i = 0; i < 6; i++) {
			w->now_ms += 1000;
			step(w);
			for (uint32_t k = 0; k < 3; k++)
				agent_act(w, &w->agents[k]);
		}
		assert_true(w->c->store_away != NULL);
		assert_in_range(running_revision(w, "web", 2), 0, 3);
		w->puts_fail = false;
		w->now_ms += 1000;
		settle_down(w);
		assert_null(w->c->store_away);
		assert_int_equal(running_revision(w, "web", 2), 3);
		assert_int_equal(TOTAL(w, replaced), 3);
		world_free(w);
	}
}

static void an_away_store_gets_no_puts(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	reset(w);
	control_store_away(w->c, "gone");
	write_task(w, "task.yaml", "web", "b");
	assert_true(look_at(w, commit(w)));
	step(w);
	step(w);
	assert_int_equal(w->desired_puts + w->ledger_puts, 0);
	assert_int_equal(w->c->conditions.of[CONDITION_READY].status, CONDITION_FALSE);
	control_store_open(w->c, FLEET);
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 2), 2);
	world_free(w);
}

/* --- desired documents ------------------------------------------------------------------------ */

enum damage { ABSENT, GARBLED, OLD, DAMAGE_COUNT };

static void damage(struct world *w, enum damage kind, struct copy *old)
{
	switch (kind) {
	case ABSENT: store_drop(w, "desired/n1"); break;
	case GARBLED: store_set(w, "desired/n1", "garbled", 7); break;
	case OLD: store_set(w, "desired/n1", old->bytes, old->len); break;
	case DAMAGE_COUNT: break;
	}
	for (uint32_t i = 0; i < w->agent_count; i++)
		agent_act(w, &w->agents[i]);
}

static void damaged_desired_is_put_again_above(void **state)
{
	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		for (enum damage kind = 0; kind < DAMAGE_COUNT; kind++) {
			struct world *w = web_on(2);
			struct copy old = copy_of(w, "desired/n1");
			write_task(w, "task.yaml", "web", "b");
			push(w);
			reset(w);
			damage(w, kind, &old);
			if (restart)
				controller_restart(w);
			else
				relist(w);
			settle_down(w);
			assert_int_equal(w->desired_puts, 1);
			assert_int_equal(TOUCHED(w), 0);
			assert_int_equal(w->agents[0].seen, w->highest[0]);
			assert_int_equal(running_revision(w, "web", 2), 2);
			/* After a restart what runs was taken over, not updated once more. */
			const struct node_record *n = map_get(w->c->nodes, "n1");
			assert_int_equal(n->assignments.items[0].replaces, !restart);
			controller_restart(w);
			assert_int_equal(w->desired_puts, 1);
			free(old.bytes);
			world_free(w);
		}
	}
}

/* The agent acted on a document that is lost, and nobody knows yet that it did. */
static void numbers_leave_room_for_what_was_lost(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	struct copy observed = copy_of(w, "observed/n1");
	write_task(w, "task.yaml", "web", "b");
	push(w);
	w->agents[0].slow = true;
	put_back(w, &observed);
	store_drop(w, "desired/n1");
	controller_restart(w);
	uint64_t highest = w->highest[0]; /* each put was checked to be above those before */
	assert_true(highest > w->agents[0].seen);
	w->agents[0].slow = false;
	settle_down(w);
	assert_int_equal(w->agents[0].seen, w->highest[0]);
	assert_int_equal(running_revision(w, "web", 2), 1);
	world_free(w);
}

/* ... and says so while a put is under way, with a number below that. */
static void an_agent_ahead_of_a_put_gets_another(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	struct agent *a = &w->agents[0];
	struct copy old[] = { copy_of(w, "desired/n1"), copy_of(w, "observed/n1") };
	for (int i = 0; i < 2; i++) {
		write_task(w, "task.yaml", "web", i ? "c" : "b");
		push(w);
	}
	assert_int_equal(a->seen, 3);
	a->slow = true;
	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		put_back(w, &old[i]);
	w->highest[0] = 1;
	control_free(w->c);
	controller_read_store(w);
	assert_true(look_at(w, w->commits.len - 1));
	reset(w);
	w->answers_wait = true;
	pass(w, 5000);
	assert_int_equal(w->desired_puts, 1);
	assert_int_equal(w->highest[0], 2);
	agent_report(w, a);
	a->slow = w->answers_wait = false;
	control_put_done(w->c, "desired/n1", true, NULL, w->now_ms);
	settle_down(w);
	assert_int_equal(w->highest[0], 4);
	assert_int_equal(a->seen, 4);
	assert_int_equal(TOUCHED(w), 0);
	world_free(w);
}

/* ... and says so after a restart, when nothing was put yet: what runs is taken over. */
static void what_was_put_before_and_lost_is_taken_over(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	struct agent *a = &w->agents[0];
	struct copy old[] = { copy_of(w, "desired/n1"), copy_of(w, "observed/n1") };
	write_task(w, "task.yaml", "web", "b");
	push(w);
	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		put_back(w, &old[i]);
	control_free(w->c);
	controller_read_store(w);
	reset(w);
	agent_report(w, a);
	assert_true(look_at(w, w->commits.len - 1));
	pass(w, 10000);
	const struct node_record *n = map_get(w->c->nodes, "n1");
	assert_int_equal(n->assignments.items[0].content->revision, 2);
	assert_int_equal(n->assignments.items[0].replaces, 0); /* it is no update */
	assert_true(a->seen == w->highest[0] && a->seen > 2);
	assert_int_equal(TOUCHED(w), 0);
	world_free(w);
}

static void lost_desired_makes_updates_not_starts(void **state)
{
	(void)state;
	struct world *w = web_on(4);
	for (uint32_t i = 0; i < 4; i++) {
		char key[32];
		snprintf(key, sizeof(key), "desired/n%u", i + 1);
		store_drop(w, key);
		w->agents[i].slow = true;
	}
	write_task(w, "task.yaml", "web", "b");
	commit(w);
	reset(w);
	controller_restart(w);
	assert_int_equal(w->desired_puts, 4); /* all are told to stay ... */
	uint32_t updates = 0;
	for (size_t i = 0; i < 4; i++) {
		const struct node_record *n = map_get(w->c->nodes, w->agents[i].name);
		updates += n->assignments.items[0].content->revision == 2;
	}
	assert_int_equal(updates, 1); /* ... but one, as the budget says */
	for (uint32_t i = 0; i < 4; i++)
		w->agents[i].slow = false;
	settle_down(w);
	assert_int_equal(TOTAL(w, replaced), 4);
	assert_int_equal(TOTAL(w, starts) + TOTAL(w, stops), 0);
	world_free(w);
}

/* The store went back to before the node's first document, and the controller was started since:
 * what it says that it goes by is news. */
static void lost_desired_is_found_when_the_agent_says_so(void **state)
{
	(void)state;
	struct world *w = world_new(1);
	struct agent *a = &w->agents[0];
	struct copy observed = copy_of(w, "observed/n1");
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web", "");
	write_service(w, "prod.yaml", "prod", "web",
		      "  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	push(w);
	assert_int_equal(a->task_count, 1);
	a->slow = true;
	store_drop(w, "desired/n1");
	put_back(w, &observed);
	file_remove(w, "web.yaml");
	commit(w);
	control_free(w->c);
	controller_read_store(w);
	a->slow = false;
	assert_true(look_at(w, w->commits.len - 1));
	agent_report(w, a);
	pass(w, 20000);
	assert_int_equal(running(w, "web"), 0);
	world_free(w);
}

/* The same without a restart: its registration was lost, too, and is back before the rest. */
static void lost_desired_is_found_when_the_node_is_back(void **state)
{
	(void)state;
	struct world *w = world_new(1);
	struct agent *a = &w->agents[0];
	struct copy observed = copy_of(w, "observed/n1");
	write_task(w, "task.yaml", "web", "a");
	write_service(w, "web.yaml", "web", "web", "");
	write_service(w, "prod.yaml", "prod", "web",
		      "  placementConstraints:\n"
		      "  - {type: memberOf, expression: 'attribute:env == prod'}\n");
	push(w);
	a->slow = true;
	store_drop(w, "nodes/n1");
	store_drop(w, "desired/n1");
	put_back(w, &observed);
	tell(w, "nodes/n1");
	step(w);
	file_remove(w, "web.yaml");
	assert_true(look_at(w, commit(w)));
	step(w);
	agent_register(w, a);
	tell(w, "observed/n1");
	step(w);
	a->slow = false;
	pass(w, 20000);
	assert_int_equal(running(w, "web"), 0);
	world_free(w);
}

static void the_whole_store_goes_back(void **state)
{
	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		struct world *w = web_on(2);
		struct copy old[] = { copy_of(w, "desired/n1"), copy_of(w, "desired/n2"),
				      copy_of(w, "controller/families/web"),
				      copy_of(w, "controller/services/default~web"),
				      copy_of(w, "observed/n1") };
		write_task(w, "task.yaml", "web", "b");
		push(w);
		reset(w);
		for (size_t i = 0; i < ARRAY_LEN(old); i++)
			put_back(w, &old[i]);
		if (restart)
			controller_restart(w);
		else
			relist(w);
		settle_down(w);
		pass(w, 10000);
		assert_int_equal(TOUCHED(w), 0);
		assert_int_equal(running_revision(w, "web", 2), 2);
		assert_int_equal(number_of(w, "web"), 2);
		world_free(w);
	}
}

static void an_emptied_store_is_filled_again(void **state)
{
	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		struct world *w = web_on(3);
		write_task(w, "task.yaml", "web", "b");
		push(w);
		reset(w);
		empty_store(w);
		if (restart) {
			controller_restart(w);
		} else {
			control_store_away(w->c, "fleet is gone");
			control_store_open(w->c, FLEET);
			relist(w);
			settle_down(w);
		}
		for (uint32_t i = 0; i < 3; i++) { /* agents come back by and by */
			agent_register(w, &w->agents[i]);
			settle_down(w);
		}
		pass(w, 10000);
		assert_int_equal(TOUCHED(w), 0);
		assert_int_equal(running_revision(w, "web", 2), 3);
		assert_int_equal(number_of(w, "web"), 2);
		assert_non_null(store_doc(w, "controller/families", "web"));
		assert_non_null(store_doc(w, "controller/services", "default~web"));
		assert_non_null(store_doc(w, "desired", "n3"));
		write_task(w, "task.yaml", "web", "c");
		push(w);
		assert_int_equal(running_revision(w, "web", 3), 3);
		world_free(w);
	}
}

static void a_service_removed_while_the_store_was_empty_goes(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	write_service(w, "two.yaml", "two", "web", "");
	push(w);
	empty_store(w);
	relist(w);
	settle_down(w);
	file_remove(w, "two.yaml");
	push(w);
	agent_register(w, &w->agents[0]);
	settle_down(w);
	assert_null(agent_task(&w->agents[0], "two"));
	assert_non_null(agent_task(&w->agents[0], "web"));
	assert_null(service(w, "two"));
	world_free(w);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void garbled_observed_keeps_what_is_known(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	pass(w, 5000);
	reset(w);
	store_set(w, "observed/n1", "#", 1);
	tell(w, "observed/n1");
	step(w);
	assert_int_equal(service(w, "web")->counts.ready, 2);
	settle_down(w);
	assert_int_equal(w->desired_puts, 0);
	store_set(w, "observed/n1", "#", 1);
	w->agents[0].slow = true;
	controller_restart(w); /* now it is not known at all: nothing is put for it */
	write_task(w, "task.yaml", "web", "b");
	push(w);
	pass(w, 10000);
	assert_int_equal(running_revision(w, "web", 1), 1);
	assert_int_equal(w->desired_puts, 1);
	w->agents[0].slow = false;
	settle_down(w);
	assert_int_equal(running_revision(w, "web", 2), 2);
	world_free(w);
}

static void garbled_registration_keeps_the_node(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	reset(w);
	store_set(w, "nodes/n1", "#", 1);
	tell(w, "nodes/n1");
	settle_down(w);
	pass(w, 10000);
	assert_int_equal(w->desired_puts, 0);
	controller_restart(w);
	assert_int_equal(w->desired_puts, 0);
	agent_register(w, &w->agents[0]);
	settle_down(w);
	pass(w, 10000);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(w->desired_puts, 0);
	world_free(w);
}

static void a_new_instance_makes_observations_void(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	struct agent *a = &w->agents[0];
	a->slow = true; /* registers under a new instance, and has not looked around yet */
	memset(a->instance, 'f', 32);
	memset(a->session, 'e', 32);
	a->task_count = 0;
	a->seen = 0;
	agent_register(w, a);
	settle_down(w);
	assert_int_equal(service(w, "web")->counts.ready, 1);
	a->slow = false;
	settle_down(w);
	pass(w, 5000);
	assert_int_equal(service(w, "web")->counts.ready, 2);
	assert_int_equal(running(w, "web"), 2);
	world_free(w);
}

static void silence_keeps_assignments(void **state)
{
	(void)state;
	struct world *w = web_on(3);
	w->agents[2].silent = true;
	pass(w, 25000);
	const struct node_record *n = map_get(w->c->nodes, "n3");
	assert_int_equal(n->connection, CONNECTION_ALIVE);
	pass(w, 10000);
	assert_int_equal(n->connection, CONNECTION_LOST);
	assert_true(told(w, "NODE_UNREACHABLE"));
	assert_int_equal(n->assignments.len, 1);
	reset(w);
	write_service(w, "two.yaml", "two", "web", "");
	push(w);
	assert_int_equal(w->desired_puts, 2);
	w->agents[2].silent = false;
	pass(w, 5000);
	assert_int_equal(running(w, "two"), 3);
	world_free(w);
}

static void long_silence_expires_where_it_is_asked_for(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	file_set_text(w, "cluster.yaml",
		      "apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\n"
		      "spec: {nodeTimeoutSeconds: 60, nodeExpireSeconds: 120}\n");
	push(w);
	w->agents[1].silent = true;
	pass(w, 55000);
	const struct node_record *n = map_get(w->c->nodes, "n2");
	assert_int_equal(n->connection, CONNECTION_ALIVE);
	pass(w, 10000);
	assert_int_equal(n->connection, CONNECTION_LOST);
	assert_int_equal(service(w, "web")->counts.desired, 2);
	pass(w, 60000);
	assert_true(n->expired);
	assert_int_equal(service(w, "web")->counts.desired, 1);
	w->agents[1].silent = false;
	pass(w, 5000);
	assert_false(n->expired);
	assert_int_equal(service(w, "web")->counts.ready, 2);
	assert_int_equal(running(w, "web"), 2);
	world_free(w);
}

static void forget_needs_silence(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	control_forget(w->c, "n2");
	control_forget(w->c, "nobody");
	settle_down(w);
	assert_true(told(w, "NODE_NOT_FORGOTTEN"));
	assert_non_null(store_doc(w, "nodes", "n2"));
	w->agents[1].silent = true;
	pass(w, 40000);
	control_forget(w->c, "n2");
	settle_down(w);
	assert_null(store_doc(w, "nodes", "n2"));
	assert_null(store_doc(w, "desired", "n2"));
	assert_null(map_get(w->c->nodes, "n2"));
	assert_int_equal(service(w, "web")->counts.desired, 1);
	/* It was only away: it registers again, and goes on where it was. */
	reset(w);
	w->agents[1].silent = false;
	agent_register(w, &w->agents[1]);
	settle_down(w);
	assert_int_equal(TOUCHED(w), 0);
	assert_int_equal(service(w, "web")->counts.ready, 2);
	world_free(w);
}

static void a_node_that_does_not_acknowledge_lags(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	w->agents[0].slow = true;
	write_task(w, "task.yaml", "web", "b");
	push(w);
	pass(w, 55000);
	assert_int_equal(w->c->conditions.of[CONDITION_LAGGING].status, CONDITION_FALSE);
	pass(w, 10000);
	assert_int_equal(w->c->conditions.of[CONDITION_LAGGING].status, CONDITION_TRUE);
	assert_int_equal(service(w, "web")->conditions.of[CONDITION_LAGGING].status,
			 CONDITION_TRUE);
	w->agents[0].slow = false;
	pass(w, 5000);
	assert_int_equal(w->c->conditions.of[CONDITION_LAGGING].status, CONDITION_FALSE);
	assert_int_equal(service(w, "web")->conditions.of[CONDITION_LAGGING].status,
			 CONDITION_FALSE);
	world_free(w);
}

static void a_second_agent_of_a_name_shows_for_a_while(void **state)
{
	(void)state;
	struct world *w = web_on(2);
	const struct node_record *n1 = map_get(w->c->nodes, "n1"), *n2 = map_get(w->c->nodes, "n2");
	const struct condition *fleet = &w->c->conditions.of[CONDITION_NAME_CONFLICT];
	reset(w);
	assert_int_equal(fleet->status, CONDITION_FALSE);
	control_second_beat(w->c, "n1", 5, w->now_ms);
	control_second_beat(w->c, "nobody", 5, w->now_ms);
	settle_down(w);
	assert_true(n1->name_conflict);
	assert_false(n2->name_conflict);
	assert_int_equal(fleet->status, CONDITION_TRUE);
	assert_true(told(w, "NODE_NAME_CONFLICT"));
	/* One that is started again and again keeps it up; the same beat is none. */
	pass(w, NAME_CONFLICT_MS - 5000);
	control_second_beat(w->c, "n1", 6, w->now_ms);
	pass(w, NAME_CONFLICT_MS - 5000);
	assert_true(n1->name_conflict);
	control_second_beat(w->c, "n1", 6, w->now_ms);
	pass(w, 5000);
	assert_false(n1->name_conflict);
	assert_int_equal(fleet->status, CONDITION_FALSE);
	/* It is about the name alone. */
	assert_int_equal(n1->connection, CONNECTION_ALIVE);
	assert_int_equal(w->desired_puts + w->ledger_puts + w->removes, 0);
	assert_int_equal(TOUCHED(w), 0);
	world_free(w);
}

/* A beat that is there from before the start says nothing: only that it moves. */
static void an_old_second_beat_is_no_conflict(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	control_free(w->c);
	w->c = control_new();
	control_store_open(w->c, FLEET);
	step(w);
	relist(w);
	control_second_beat(w->c, "n1", 5, w->now_ms);
	control_store_listed(w->c);
	control_second_beat(w->c, "n1", 5, w->now_ms);
	settle_down(w);
	const struct node_record *n1 = map_get(w->c->nodes, "n1");
	assert_false(n1->name_conflict);
	control_second_beat(w->c, "n1", 6, w->now_ms);
	settle_down(w);
	assert_true(n1->name_conflict);
	world_free(w);
}

static void snapshots_wait_for_the_store(void **state)
{
	(void)state;
	struct world *w = world_new(0);
	control_free(w->c);
	w->c = control_new();
	write_task(w, "task.yaml", "web", "a");
	assert_false(look_at(w, commit(w)));
	control_store_open(w->c, FLEET);
	control_store_listed(w->c);
	assert_true(look_at(w, 0));
	world_free(w);
}

static void a_snapshot_without_bytes_is_asked_for_whole(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	struct source_file files[] = { { .path = "new.yaml", .blob = "never seen", .len = 3 } };
	struct source_snapshot s = { .commit = "x", .files = files, .file_count = 1 };
	assert_false(control_snapshot(w->c, &s, w->now_ms, UNIX_MS(w)));
	assert_string_equal(w->c->seen.id, w->commits.items[0].id);
	assert_int_equal(running(w, "web"), 1);
	files[0].too_large = true;
	assert_true(control_snapshot(w->c, &s, w->now_ms, UNIX_MS(w)));
	assert_true(w->c->seen_invalid);
	world_free(w);
}

static void a_source_that_fails_is_told(void **state)
{
	(void)state;
	struct world *w = web_on(1);
	control_source_failed(w->c, "BranchNotFound", "there is no branch 'main'");
	assert_true(step(w) > 0);
	assert_int_equal(w->c->conditions.of[CONDITION_STALLED].status, CONDITION_TRUE);
	control_source_failed(w->c, "BranchNotFound", "there is no branch 'main'");
	assert_int_equal(step(w), 0);
	control_source_ok(w->c, "x");
	assert_true(step(w) > 0);
	assert_int_equal(w->c->conditions.of[CONDITION_STALLED].status, CONDITION_FALSE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_puts_nothing),
		cmocka_unit_test(a_restart_in_the_middle_goes_on),
		cmocka_unit_test(nothing_is_rendered_before_the_ledger_is_on_disk),
		cmocka_unit_test(nothing_is_rendered_before_observed_was_read),
		cmocka_unit_test(nothing_is_rendered_before_the_beat_moved),
		cmocka_unit_test(a_failed_put_is_repeated_above),
		cmocka_unit_test(an_away_store_gets_no_puts),
		cmocka_unit_test(damaged_desired_is_put_again_above),
		cmocka_unit_test(numbers_leave_room_for_what_was_lost),
		cmocka_unit_test(an_agent_ahead_of_a_put_gets_another),
		cmocka_unit_test(what_was_put_before_and_lost_is_taken_over),
		cmocka_unit_test(lost_desired_makes_updates_not_starts),
		cmocka_unit_test(lost_desired_is_found_when_the_agent_says_so),
		cmocka_unit_test(lost_desired_is_found_when_the_node_is_back),
		cmocka_unit_test(the_whole_store_goes_back),
		cmocka_unit_test(an_emptied_store_is_filled_again),
		cmocka_unit_test(a_service_removed_while_the_store_was_empty_goes),
		cmocka_unit_test(garbled_observed_keeps_what_is_known),
		cmocka_unit_test(garbled_registration_keeps_the_node),
		cmocka_unit_test(a_new_instance_makes_observations_void),
		cmocka_unit_test(silence_keeps_assignments),
		cmocka_unit_test(long_silence_expires_where_it_is_asked_for),
		cmocka_unit_test(forget_needs_silence),
		cmocka_unit_test(a_node_that_does_not_acknowledge_lags),
		cmocka_unit_test(a_second_agent_of_a_name_shows_for_a_while),
		cmocka_unit_test(an_old_second_beat_is_no_conflict),
		cmocka_unit_test(snapshots_wait_for_the_store),
		cmocka_unit_test(a_snapshot_without_bytes_is_asked_for_whole),
		cmocka_unit_test(a_source_that_fails_is_told),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control store", tests, NULL, NULL);
}
