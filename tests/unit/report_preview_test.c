/*
 * report/preview: what a push would do, told from the documents of the real controller. Six nodes
 * in two zones run what was pushed first; rows are edits of that.
 */
#include "report/preview.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report_world.h"

static const struct test_node nodes[] = {
	{ "n1", "prod", "a", true }, { "n2", "prod", "a", true }, { "n3", "dev", "a", true },
	{ "n4", "dev", "b", true },  { "n5", "prod", "b", true }, { "n6", "prod", NULL, true },
};

#define CLUSTER(more)                                                                              \
	"apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\nspec: {" more "}\n---\n"
#define NODE(name, more)                                                                           \
	"apiVersion: muster/v1\nkind: Node\nmetadata: {name: " name "}\nspec: {" more "}\n---\n"

/* --- a push that is in force, and a preview of the next ----------------------------------------
 */

static struct control *fleet(const char *text)
{
	struct control *c = fleet_listed(nodes, ARRAY_LEN(nodes));
	fleet_push(c, "c0ffee0000000000000000000000000000000001", text);
	return c;
}

static void add_nodes(struct buf *out, const char *what, const struct world_nodes *list)
{
	if (!list->count)
		return;
	buf_addf(out, "%s%s", *what ? " " : "", what);
	for (uint32_t i = 0; i < list->count; i++)
		buf_addf(out, "%c%s", i ? ',' : ' ', list->names[i]);
}

static void add_steps(struct buf *out, const struct world_change *c)
{
	for (uint32_t i = 0; i < c->step_count; i++) {
		const struct world_step *s = &c->steps[i];
		buf_addf(out, " [%s%s, %u batches:", s->reach ? s->reach : "rest",
			 s->pause ? " pause" : "", s->batches);
		add_nodes(out, "", &s->nodes);
		buf_adds(out, "]");
	}
}

/* A line a change: what the planner, the play and the guards say. */
static void say(const struct world_preview *p, struct buf *out)
{
	for (uint32_t i = 0; i < p->change_count; i++) {
		const struct world_change *c = &p->changes[i];
		buf_addf(out, "%s %s:%u", world_action_name(c->action), c->service, c->revision);
		add_nodes(out, "start", &c->starts);
		add_nodes(out, "update", &c->updates);
		add_nodes(out, "stop", &c->stops);
		add_nodes(out, "held", &c->held);
		add_nodes(out, c->stays_why ? c->stays_why : "stays", &c->stays);
		if (c->updates.count)
			buf_addf(out, " down %u", c->outage);
		add_nodes(out, "later", &c->later);
		if (c->forecast.batches || c->forecast.stuck)
			buf_addf(out, " in %u batches %lld s", c->forecast.batches,
				 (long long)c->forecast.seconds);
		add_steps(out, c);
		for (uint32_t v = 0; v < c->variant_count; v++)
			add_nodes(out,
				  c->variants[v].expression ? c->variants[v].expression : "else",
				  &c->variants[v].nodes);
		if (c->renamed_from)
			buf_addf(out, " was %s", c->renamed_from);
		for (uint32_t h = 0; h < c->hold_count; h++)
			buf_addf(out, " %s %u", c->holds[h].cause, c->holds[h].tasks);
		if (c->note)
			buf_addf(out, " (%.16s)", c->note);
		buf_addc(out, '\n');
	}
	for (uint32_t h = 0; h < p->hold_count; h++)
		buf_addf(out, "%s %u\n", p->holds[h].cause, p->holds[h].tasks);
}

struct looked {
	struct manifest_file *file;
	struct manifest_tree *tree;
	struct rebuilt r;
};

/* As pushed, but for what edit does with the documents: the service's, then those of the nodes. */
static void look_edited(struct looked *l, struct control *c, const char *text, struct arena *arena,
			void (*edit)(struct rebuilt *r), struct world_preview *p)
{
	static const struct zone_offset utc = { 0, 0 };
	static const struct zone zones[] = { { "UTC", &utc, 1 } };
	l->file = manifest_parse("fleet.yaml", text, strlen(text));
	l->tree = manifest_tree_build(&l->file, 1, NULL);
	assert_true(l->tree->valid);
	rebuild_world(&l->r, c, arena);
	if (edit)
		edit(&l->r);
	world_apply(l->r.world, l->tree);
	world_clock(l->r.world, UNIX_MS / 1000, zones, 1);
	world_run(l->r.world);
	world_preview(l->r.world, arena, p);
}

static void look(struct looked *l, struct control *c, const char *text, struct arena *arena,
		 struct world_preview *p)
{
	look_edited(l, c, text, arena, NULL, p);
}

static void unlook(struct looked *l)
{
	rebuilt_free(&l->r);
	manifest_tree_free(l->tree);
	manifest_file_free(l->file);
}

static void check_edited(struct control *c, const char *text, void (*edit)(struct rebuilt *r),
			 const char *want)
{
	struct arena arena;
	struct looked l;
	struct world_preview p;
	struct buf got = { 0 };
	arena_init(&arena);
	look_edited(&l, c, text, &arena, edit, &p);
	say(&p, &got);
	assert_string_equal(buf_str(&got), want);
	buf_release(&got);
	unlook(&l);
	arena_release(&arena);
}

static void check(struct control *c, const char *text, const char *want)
{
	check_edited(c, text, NULL, want);
}

static const char before[] = TASK("web", "one") SERVICE("web", "web", "");

static void test_roll_outs(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ TASK("web", "one") SERVICE("web", "web", ""), "" },
		/* Two at a time: 70 % of six may be down. */
		{ TASK("web", "two") SERVICE(
			  "web", "web", "  deploymentConfiguration: {minimumHealthyPercent: 60}"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 2 in 3 batches 30 s\n" },
		{ TASK("web", "two")
			  SERVICE("web", "web", "  deploymentConfiguration: {maximumPercent: 150}"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 0 in 2 batches 20 s\n" },
		{ TASK("web", "two") SERVICE("web", "web", "  suspend: true"),
		  "update web:2 (suspend is set: )\n" },
		/* By zones in turn: none, a, b. */
		{ TASK("web", "two")
			  SERVICE("web", "web",
				  "  rollout: {steps: [{count: 1, bakeSeconds: 60, pause: true},"
				  " {percent: 50, bakeSeconds: 30}]}"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 150 s"
		  " [1 node pause, 1 batches: n6] [50 percent, 2 batches: n1,n4]"
		  " [rest, 3 batches: n2,n5,n3]\n" },
		{ TASK("web", "two")
			  SERVICE("web", "web",
				  "  rollout: {steps: [{expression: 'attribute:env == dev'}]}"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s"
		  " [attribute:env == dev, 2 batches: n4,n3] [rest, 4 batches: n6,n1,n2,n5]\n" },
		/* Only the nodes that an override touches. */
		{ TASK("web", "one") SERVICE("web", "web",
					     "  overrides: [{expression: 'attribute:env == dev',"
					     " containerOverrides: [{name: web, environment: "
					     "[{name: A, value: b}]}]}]"),
		  "update web:1 update n3,n4 down 1 in 2 batches 20 s"
		  " attribute:env == dev n3,n4 else n1,n2,n5,n6\n" },
		/* What cannot run it keeps what it has. */
		{ TASK("web", "one, two") SERVICE("web", "web",
						  "  overrides: [{expression: 'node.name == n3',"
						  " containerOverrides: [{name: web,"
						  " memoryReservation: 2000}]}]"),
		  "update web:2 update n1,n2,n4,n5,n6"
		  " needs 2000 MiB of memory, 1024 MiB remain n3 down 1 in 5 batches -1 s"
		  " node.name == n3 n3 else n1,n2,n4,n5,n6\n" },
		{ TASK("web", "one") SERVICE("web", "web", "")
			  SERVICE("more", "web", "  rollout: {steps: [{count: 2}]}"),
		  "create more:1 start n1,n2,n3,n4,n5,n6 in 2 batches 20 s"
		  " [2 nodes, 1 batches: n1,n6] [rest, 1 batches: n2,n3,n4,n5]\n" },
	};
	struct control *c = fleet(before);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(c, rows[i].text, rows[i].want);
	control_free(c);
}

/* A roll-out that is under way, paused, or failed, goes on from where it is. */
static void test_under_way(void **state)
{
	(void)state;
	static const char two[] = TASK("web", "two")
		SERVICE("web", "web", "  rollout: {steps: [{count: 1, pause: true}, {count: 3}]}");
	static const char open[] = TASK("web", "two")
		SERVICE("web", "web", "  rollout: {steps: [{count: 1}, {count: 3}]}");
	struct control *c = fleet(before);
	fleet_push(c, "c0ffee0000000000000000000000000000000002", two);
	assert_true(((const struct service_state *)map_get(c->services, "default/web"))
			    ->verdict.paused);
	/* As it is, and with its pause taken out: the same nodes are left. */
	check(c, two,
	      "unchanged web:2 update n1,n2,n3,n4,n5 down 1 in 5 batches 50 s"
	      " [1 node pause, 0 batches:] [3 nodes, 2 batches: n1,n4]"
	      " [rest, 3 batches: n2,n5,n3]\n");
	check(c, open,
	      "unchanged web:2 update n1,n2,n3,n4,n5 down 1 in 5 batches 50 s"
	      " [1 node, 0 batches:] [3 nodes, 2 batches: n1,n4] [rest, 3 batches: n2,n5,n3]\n");
	/* Back to what was COMPLETED: only the canary changes. */
	check(c, before, "update web:1 update n6 down 1 in 1 batches 10 s\n");
	control_free(c);
}

static json_t *primary_of(struct rebuilt *r)
{
	return json_array_get(json_object_get(r->docs[0], "deployments"), 0);
}

static void fail_primary(struct rebuilt *r)
{
	json_object_set_new(primary_of(r), "rolloutState", json_string("FAILED"));
}

/* The one of now is a rollback of the one that is asked for. */
static const char *failed_release;
static void roll_back(struct rebuilt *r)
{
	json_object_set_new(primary_of(r), "rollbackOf", json_string("ecs-svc/1"));
	json_array_append_new(
		json_object_get(r->docs[0], "deployments"),
		json_pack("{s:s, s:s}", "rolloutState", "FAILED", "releaseDigest", failed_release));
}

static void take_long(struct rebuilt *r)
{
	json_object_set_new(primary_of(r), "secondsPerBatch", json_integer(25));
}

static void test_after_a_failure(void **state)
{
	(void)state;
	static const char two[] = TASK("web", "two") SERVICE("web", "web", "");
	static const char three[] = TASK("web", "three") SERVICE("web", "web", "");
	struct arena arena;
	char hex[DIGEST_HEX_LEN + 1];
	arena_init(&arena);
	struct control *c = fleet(two);
	digest_hex(&((const struct service_state *)map_get(c->services, "default/web"))
			    ->primary.release,
		   hex);
	failed_release = hex;
	control_free(c);
	c = fleet(before);
	/* What failed is not tried again, another one is, and the present one needs nothing. */
	check_edited(c, two, roll_back, "unchanged web:1 (this was rolled )\n");
	check_edited(c, three, roll_back,
		     "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s\n");
	check_edited(c, before, roll_back, "");
	check_edited(c, before, fail_primary, "unchanged web:1 (this has failed,)\n");
	/* A batch takes as long as it last took. */
	check_edited(c, two, take_long,
		     "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 150 s\n");
	control_free(c);
	arena_release(&arena);
}

/* One that failed and has nothing to go back to by itself holds: nothing more is launched. */
static void test_what_failed_holds(void **state)
{
	(void)state;
	static const char bad[] = TASK("web", "two")
		SERVICE("web", "web",
			"  deploymentConfiguration: {deploymentCircuitBreaker: {enable: true, "
			"rollback: false}}");
	struct control *c = fleet(before);
	broken_revision = 2;
	fleet_push(c, "c0ffee0000000000000000000000000000000002", bad);
	check(c, bad, "unchanged web:2 (this has failed,)\n");
	check(c, before, "update web:1 update n6 down 0 in 1 batches 10 s\n");
	broken_revision = UINT32_MAX;
	control_free(c);
}

/* New nodes begin with what is COMPLETED, and are updated when the roll-out comes to them. */
static void test_new_nodes(void **state)
{
	(void)state;
	struct control *c = fleet(TASK("web", "one") SERVICE(
		"web", "web",
		"  placementConstraints: [{type: memberOf, expression: 'attribute:env == prod'}]"));
	check(c, TASK("web", "two") SERVICE("web", "web", "  rollout: {steps: [{count: 2}]}"),
	      "update web:2 start n3,n4 update n1,n2,n5,n6 down 1 in 6 batches 60 s"
	      " [2 nodes, 2 batches: n6,n1] [rest, 4 batches: n4,n2,n5,n3]\n");
	control_free(c);
}

static void hold_mass_change(struct rebuilt *r)
{
	json_array_append_new(json_object_get(r->docs[0], "holds"),
			      json_pack("{s:s}", "cause", "MassChange"));
}

/* Once something is held nothing more goes. */
static void test_held_already(void **state)
{
	(void)state;
	struct control *c = fleet(before);
	check_edited(c,
		     TASK("web", "one") SERVICE("web", "web",
						"  placementConstraints: [{type: memberOf, "
						"expression: 'attribute:env == prod'}]"),
		     hold_mass_change, "unchanged web:1 held n3,n4 MassChange 2\n");
	control_free(c);
}

static void lose_n5(struct rebuilt *r)
{
	json_object_set_new(r->docs[5], "agentConnected", json_false());
}

static void start_n6(struct rebuilt *r)
{
	json_t *assignment = json_array_get(json_object_get(r->docs[6], "assignments"), 0);
	json_object_set_new(assignment, "seen", json_string("PENDING"));
}

/* What starts now is there when the roll-out begins. */
static void test_what_starts_comes_up(void **state)
{
	(void)state;
	struct control *c = fleet(before);
	check_edited(c, TASK("web", "two") SERVICE("web", "web", ""), start_n6,
		     "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s\n");
	control_free(c);
}

/* What comes to no end is said so: nobody can tell how long it takes. */
static void test_no_end(void **state)
{
	(void)state;
	static const char no_breaker[] = TASK("web", "two")
		SERVICE("web", "web",
			"  deploymentConfiguration: {deploymentCircuitBreaker: {enable: false, "
			"rollback: false}}");
	struct control *c = fleet(before);
	check(c,
	      TASK("web", "two")
		      SERVICE("web", "web",
			      "  rollout: {steps: [{expression: 'node.name in [n3, n4]'}]}\n"
			      "  overrides: [{expression: 'node.name == n3',"
			      " containerOverrides: [{name: web, memoryReservation: 2000}]}]"),
	      "update web:2 update n1,n2,n4,n5,n6"
	      " needs 2000 MiB of memory, 1024 MiB remain n3 down 1 in 5 batches -1 s"
	      " [node.name in [n3, n4], 1 batches: n4] [rest, 4 batches: n6,n1,n2,n5]"
	      " node.name == n3 n3 else n1,n2,n4,n5,n6\n");
	/* A node that is away is no obstacle. */
	check_edited(c, TASK("web", "two") SERVICE("web", "web", ""), lose_n5,
		     "update web:2 update n1,n2,n3,n4,n6 down 1 later n5 in 5 batches 50 s\n");
	broken_revision = 2;
	fleet_push(c, "c0ffee0000000000000000000000000000000002", no_breaker);
	check(c, no_breaker, "unchanged web:2 update n1,n2,n3,n4,n5 down 0 in 0 batches -1 s\n");
	broken_revision = UINT32_MAX;
	control_free(c);
}

/* --- holds ------------------------------------------------------------------------------------ */

#define THREE(more) SERVICE("a", "web", more) SERVICE("b", "web", more) SERVICE("c", "web", more)

static void test_holds(void **state)
{
	(void)state;
	static const char on_all[] = TASK("web", "one") SERVICE("web", "web", "") THREE("");
	static const struct {
		const char *text, *want;
	} rows[] = {
		/* Three may always go. */
		{ TASK("web", "one") THREE("")
			  SERVICE("web", "web",
				  "  placementConstraints: [{type: memberOf, expression: "
				  "'attribute:env == prod'}]"),
		  "unchanged web:1 stop n3,n4\n" },
		{ TASK("web", "one") THREE("")
			  SERVICE("web", "web",
				  "  placementConstraints: [{type: memberOf, expression: "
				  "'attribute:env == dev'}]"),
		  "unchanged web:1 stop n1,n2,n6 held n5 MassChange 1\n" },
		{ CLUSTER("massChangePercent: 100") TASK("web", "one") THREE("")
			  SERVICE("web", "web",
				  "  placementConstraints: [{type: memberOf, expression: "
				  "'attribute:env == dev'}]"),
		  "unchanged web:1 stop n1,n2,n5,n6\n" },
		/* One service may go, not two of four with half of all tasks. */
		{ TASK("web", "one") THREE(""), "remove web:1 stop n1,n2,n3,n4,n5,n6\n" },
		{ TASK("web", "one") SERVICE("a", "web", "") SERVICE("b", "web", ""),
		  "remove c:1 stop n1,n2,n3,n4,n5,n6\nremove web:1 stop n1,n2,n3,n4,n5,n6\n"
		  "ManyServicesRemoved 12\n" },
		{ TASK("web", "one"),
		  "remove a:1 stop n1,n2,n3,n4,n5,n6\nremove b:1 stop n1,n2,n3,n4,n5,n6\n"
		  "remove c:1 stop n1,n2,n3,n4,n5,n6\nremove web:1 stop n1,n2,n3,n4,n5,n6\n"
		  "AllServicesRemoved 24\n" },
	};
	struct control *c = fleet(on_all);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(c, rows[i].text, rows[i].want);
	control_free(c);
	c = fleet(before);
	check(c,
	      TASK("web", "one") SERVICE("web", "web", "") NODE("n1", "state: DRAINING")
		      NODE("n2", "state: DRAINING") NODE("n3", "state: INACTIVE"),
	      "unchanged web:1 stop n1,n2,n3\n");
	check(c,
	      TASK("web", "one") SERVICE("web", "web", "") NODE("n1", "state: DRAINING")
		      NODE("n2", "state: DRAINING") NODE("n3", "state: DRAINING")
			      NODE("n4", "state: DRAINING"),
	      "unchanged web:1 stop n1,n2,n3,n4\nManyNodesStopped 4\n");
	control_free(c);
}

/* What is said before the push is what is held after it, by the same id. */
static void test_ids_of_holds(void **state)
{
	(void)state;
	static const char *const texts[] = {
		TASK("web", "one"),
		TASK("web", "one") SERVICE("a", "web", "") SERVICE("b", "web", ""),
		TASK("web", "one") SERVICE("web", "web", "") THREE("") NODE("n1", "state: DRAINING")
			NODE("n2", "state: DRAINING") NODE("n3", "state: DRAINING")
				NODE("n5", "state: INACTIVE"),
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct control *c = fleet(TASK("web", "one") SERVICE("web", "web", "") THREE(""));
		struct arena arena;
		struct looked l;
		struct world_preview p;
		arena_init(&arena);
		look(&l, c, texts[i], &arena, &p);
		fleet_push(c, "c0ffee0000000000000000000000000000000002", texts[i]);
		assert_int_equal(p.hold_count, 1);
		assert_int_equal(c->holds.len, 1);
		assert_string_equal(p.holds[0].id, c->holds.items[0].id);
		assert_string_equal(p.holds[0].cause, hold_cause_name(c->holds.items[0].cause));
		assert_int_equal(p.holds[0].tasks, c->holds.items[0].count);
		assert_non_null(strstr(p.holds[0].message, p.holds[0].id));
		unlook(&l);
		arena_release(&arena);
		control_free(c);
	}
}

/* It is Monday, 21:45 UTC. */
static void test_windows(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want, *message;
	} rows[] = {
		{ TASK("web", "two") SERVICE(
			  "web", "web", "  windows: [{allow: [mon], from: '21:00', to: '22:00'}]"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s\n", NULL },
		{ TASK("web", "two") SERVICE(
			  "web", "web", "  windows: [{allow: [tue], from: '21:00', to: '22:00'}]"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s WindowClosed 6\n",
		  "changes of 6 tasks wait for the window, which opens at 2026-11-24T21:00:00Z" },
		{ TASK("web", "two") CLUSTER("windows: [{deny: [mon], from: '20:00', to: '06:00'}]")
			  SERVICE("web", "web", ""),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s WindowClosed 6\n",
		  "changes of 6 tasks wait for the window, which opens at 2026-11-24T06:00:00Z" },
		{ TASK("web", "two") SERVICE("web", "web",
					     "  windows: [{allow: [mon], from: '21:00', to: "
					     "'22:00', timeZone: Mars/Base}]"),
		  "update web:2 update n1,n2,n3,n4,n5,n6 down 1 in 6 batches 60 s WindowClosed 6\n",
		  "changes of 6 tasks wait: the time zone Mars/Base is not known" },
		/* A removal waits for the cluster's; a drain does not. */
		{ CLUSTER("windows: [{deny: [mon], from: '20:00', to: '06:00'}]")
			  TASK("web", "one"),
		  "remove web:1 stop n1,n2,n3,n4,n5,n6 WindowClosed 6\nAllServicesRemoved 6\n",
		  NULL },
		{ CLUSTER("windows: [{deny: [mon], from: '20:00', to: '06:00'}]") TASK("web", "one")
			  SERVICE("web", "web", "") NODE("n1", "state: DRAINING"),
		  "unchanged web:1 stop n1\n", NULL },
	};
	struct control *c = fleet(before);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct looked l;
		struct world_preview p;
		check(c, rows[i].text, rows[i].want);
		arena_init(&arena);
		look(&l, c, rows[i].text, &arena, &p);
		if (rows[i].message)
			assert_string_equal(p.changes[0].holds[0].message, rows[i].message);
		unlook(&l);
		arena_release(&arena);
	}
	control_free(c);
}

/* --- renames ---------------------------------------------------------------------------------- */

static void test_renames(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ TASK("web", "one") SERVICE("site", "web", ""), "create site was web" },
		/* All of it has another name. */
		{ TASK("site", "one") SERVICE("site", "site", ""), "create site was web" },
		{ TASK("site", "another") SERVICE("site", "site", ""), "create site" },
		/* Each is the old name of one only. */
		{ TASK("web", "one") SERVICE("other", "web", "") SERVICE("site", "web", ""),
		  "create other was webcreate site" },
		{ TASK("web", "one") SERVICE("web", "web", "") SERVICE("site", "web", ""),
		  "create site" },
		{ TASK("web", "one") SERVICE("site", "web", "  cluster: edge"), "create site" },
	};
	struct control *c = fleet(before);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct looked l;
		struct world_preview p;
		struct buf got = { 0 };
		arena_init(&arena);
		look(&l, c, rows[i].text, &arena, &p);
		for (uint32_t k = 0; k < p.change_count; k++)
			if (p.changes[k].action == WORLD_CREATE)
				buf_addf(&got, "create %s%s%s", p.changes[k].service,
					 p.changes[k].renamed_from ? " was " : "",
					 p.changes[k].renamed_from ? p.changes[k].renamed_from
								   : "");
		assert_string_equal(buf_str(&got), rows[i].want);
		buf_release(&got);
		unlook(&l);
		arena_release(&arena);
	}
	control_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roll_outs),	cmocka_unit_test(test_under_way),
		cmocka_unit_test(test_after_a_failure), cmocka_unit_test(test_what_failed_holds),
		cmocka_unit_test(test_new_nodes),	cmocka_unit_test(test_held_already),
		cmocka_unit_test(test_no_end),		cmocka_unit_test(test_what_starts_comes_up),
		cmocka_unit_test(test_holds),		cmocka_unit_test(test_ids_of_holds),
		cmocka_unit_test(test_windows),		cmocka_unit_test(test_renames),
	};
	return cmocka_run_group_tests_name("report preview", tests, NULL, NULL);
}
