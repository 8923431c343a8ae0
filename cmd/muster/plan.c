/* muster plan: what a push would do, before it is pushed. */
#include "muster.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "offline.h"
#include "report/preview.h"
#include "tz/tz.h"

static const char *const outputs[] = { "text", "json", NULL };
static struct {
	const char *output;
} options = { .output = "text" };
static const struct flag flags[] = {
	{ "output", FLAG_STRING, 'o', "FORMAT", "text or json", .values = outputs,
	  .offset = offsetof(typeof(options), output) },
};

/* --- text --------------------------------------------------------------------------------------
 */

#define NODES_SHOWN   10
#define COLUMNS_PIPED 80

struct text {
	struct buf *out;
	struct arena *arena;
	size_t width;
};

/* One entry, wrapped. */
static void line(struct text *t, size_t indent, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void line(struct text *t, size_t indent, const char *fmt, ...)
{
	struct buf CLEANUP(buf_release) text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	buf_addf(t->out, "%*s", (int)indent, "");
	report_wrap(buf_str(&text), indent, indent + 2, t->width, t->out);
	buf_addc(t->out, '\n');
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

/* ": n1 n2 and 3 more" */
static const char *names_text(struct text *t, const struct world_nodes *nodes)
{
	struct buf CLEANUP(buf_release) text = { 0 };
	for (uint32_t i = 0; i < nodes->count && i < NODES_SHOWN; i++)
		buf_addf(&text, "%s%s", i ? " " : ": ", nodes->names[i]);
	if (nodes->count > NODES_SHOWN)
		buf_addf(&text, " and %u more", nodes->count - NODES_SHOWN);
	return arena_strdup(t->arena, buf_str(&text));
}

static void print_nodes(struct text *t, const char *verb, const struct world_nodes *nodes)
{
	if (nodes->count)
		line(t, 2, "%s %u node%s%s", verb, nodes->count, plural(nodes->count),
		     names_text(t, nodes));
}

static const char *duration(struct text *t, int64_t seconds)
{
	return age_text(t->arena, seconds);
}

static void print_step(struct text *t, const struct world_change *c, uint32_t i)
{
	const struct world_step *step = &c->steps[i];
	struct buf CLEANUP(buf_release) then = { 0 };
	if (step->bake_s)
		buf_addf(&then, ", bakes for %s", duration(t, step->bake_s));
	if (step->pause)
		buf_adds(&then, ", pauses");
	if (step->reach)
		line(t, 4, "step %u (%s), %u node%s%s%s", i + 1, step->reach, step->nodes.count,
		     plural(step->nodes.count), buf_str(&then), names_text(t, &step->nodes));
	else
		line(t, 4, "then the rest, %u node%s%s", step->nodes.count,
		     plural(step->nodes.count), names_text(t, &step->nodes));
}

static void print_updates(struct text *t, const struct world_change *c)
{
	const struct world_nodes *n = &c->updates;
	if (n->count && c->surge)
		line(t, 2, "update %u node%s, %u at a time, the new task beside the old%s",
		     n->count, plural(n->count), c->budget, names_text(t, n));
	else if (n->count)
		line(t, 2, "update %u node%s, %u at a time%s", n->count, plural(n->count),
		     c->budget, names_text(t, n));
	for (uint32_t i = 0; i < c->step_count; i++)
		print_step(t, c, i);
	if (n->count)
		line(t, 2, "worst outage: %u task%s down at once", c->outage, plural(c->outage));
}

static void print_forecast(struct text *t, const struct world_change *c)
{
	const struct world_forecast *f = &c->forecast;
	struct buf CLEANUP(buf_release) parts = { 0 };
	if (f->stuck)
		line(t, 2, "it does not come to its end: %s",
		     c->stays.count ? "nodes cannot run it" : "tasks that fail hold the budget");
	if (f->stuck || !f->batches)
		return;
	buf_addf(&parts, "%u batch%s of %s", f->batches, f->batches == 1 ? "" : "es",
		 duration(t, (f->batch_ms + 999) / 1000));
	if (f->bake_s)
		buf_addf(&parts, ", %s of baking", duration(t, f->bake_s));
	if (f->monitor_s)
		buf_addf(&parts, ", watched for %s", duration(t, f->monitor_s));
	line(t, 2, "takes %s %s: %s%s", f->measured ? "about" : "at least", duration(t, f->seconds),
	     buf_str(&parts), f->pauses ? ", and its pauses, which commits end" : "");
}

static void print_variants(struct text *t, const struct world_change *c)
{
	for (uint32_t i = 0; i < c->variant_count; i++) {
		const struct world_variant *v = &c->variants[i];
		if (v->expression)
			line(t, 2, "override %u (%s) on %u node%s%s", i + 1, v->expression,
			     v->nodes.count, plural(v->nodes.count), names_text(t, &v->nodes));
		else
			line(t, 2, "no override on %u node%s%s", v->nodes.count,
			     plural(v->nodes.count), names_text(t, &v->nodes));
	}
}

static void print_change(struct text *t, const struct world_change *c)
{
	bool to = c->action != WORLD_REMOVE && c->family;
	line(t, 0, "%s/%s: %s%s%s", c->cluster, c->service, world_action_name(c->action),
	     to ? arena_printf(t->arena, " to %s:%u", c->family, c->revision) : "",
	     to && c->new_revision ? " (new content)" : "");
	if (c->renamed_from)
		line(t, 2,
		     "looks like a rename of %s, which goes: its tasks stop, and these start anew",
		     c->renamed_from);
	if (c->stalled)
		line(t, 2, "stalled: %s; what runs stays", c->stalled);
	if (c->note)
		line(t, 2, "%s", c->note);
	print_nodes(t, "start on", &c->starts);
	print_updates(t, c);
	print_nodes(t, "stop on", &c->stops);
	if (c->stays.count)
		line(t, 2, "%u node%s keep%s what runs, as %s%s", c->stays.count,
		     plural(c->stays.count), c->stays.count == 1 ? "s" : "",
		     c->stays_why ? c->stays_why : "it cannot run there", names_text(t, &c->stays));
	print_nodes(t, "would stop, and is held, on", &c->held);
	print_nodes(t, "later, when they are reachable, on", &c->later);
	print_variants(t, c);
	print_forecast(t, c);
	for (uint32_t i = 0; i < c->hold_count; i++)
		line(t, 2, "held: %s", c->holds[i].message);
	if (c->attribute_absent)
		line(t, 2, "%u node%s excluded because an attribute is absent", c->attribute_absent,
		     c->attribute_absent == 1 ? " is" : "s are");
}

/* Is it a change, or a word about what is there already? */
static bool changes(const struct world_change *c)
{
	return c->action != WORLD_NOTHING || c->starts.count || c->updates.count ||
	       c->stops.count || c->held.count;
}

static uint32_t change_count(const struct world_preview *p)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < p->change_count; i++)
		count += changes(&p->changes[i]);
	return count;
}

static void print_text(struct cli *cli, const struct world_preview *p)
{
	struct buf out = { 0 };
	struct text t = { &out, &cli->arena, terminal_width() };
	uint32_t starts = 0, updates = 0, stops = 0, count = change_count(p);
	t.width = t.width ? t.width : COLUMNS_PIPED;
	for (uint32_t i = 0; i < p->change_count; i++) {
		const struct world_change *c = &p->changes[i];
		starts += c->starts.count;
		updates += c->updates.count;
		stops += c->stops.count;
		print_change(&t, c);
	}
	for (uint32_t i = 0; i < p->hold_count; i++)
		line(&t, 0, "This commit would be held: %s", p->holds[i].message);
	if (count == 0)
		buf_adds(&out, "Nothing would change.\n");
	else
		line(&t, 0, "%u service%s: %u starts, %u updates, %u stops%s.", count,
		     count == 1 ? " changes" : "s change", starts, updates, stops,
		     updates ? arena_printf(t.arena, "; at most %u task%s down at once", p->outage,
					    plural(p->outage))
			     : "");
	print_and_release(&out);
}

/* --- json --------------------------------------------------------------------------------------
 */

static json_t *nodes_json(const struct world_nodes *nodes)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < nodes->count; i++)
		json_array_append_new(list, json_string(nodes->names[i]));
	return list;
}

static json_t *steps_json(const struct world_change *c)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < c->step_count; i++) {
		const struct world_step *s = &c->steps[i];
		json_array_append_new(list,
				      json_pack("{s:s?, s:I, s:b, s:I, s:o}", "reach", s->reach,
						"bakeSeconds", (json_int_t)s->bake_s, "pause",
						s->pause, "batches", (json_int_t)s->batches,
						"nodes", nodes_json(&s->nodes)));
	}
	return list;
}

/* Seconds null: nobody can say. */
static json_t *forecast_json(const struct world_forecast *f)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o}", "batches", (json_int_t)f->batches,
		"secondsPerBatch", (json_int_t)(f->batch_ms + 999) / 1000, "bakeSeconds",
		(json_int_t)f->bake_s, "monitorSeconds", (json_int_t)f->monitor_s, "pauses",
		(json_int_t)f->pauses, "measured", f->measured, "stuck", f->stuck, "seconds",
		f->seconds < 0 ? json_null() : json_integer(f->seconds));
}

static json_t *variants_json(const struct world_change *c)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < c->variant_count; i++)
		json_array_append_new(list, json_pack("{s:s?, s:o}", "expression",
						      c->variants[i].expression, "nodes",
						      nodes_json(&c->variants[i].nodes)));
	return list;
}

static json_t *holds_json(const struct world_hold *holds, uint32_t count)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++) {
		const struct world_hold *h = &holds[i];
		json_t *item = json_pack("{s:s, s:s*, s:I, s:s}", "cause", h->cause, "id", h->id,
					 "count", (json_int_t)h->tasks, "message", h->message);
		char when[TIME_TEXT_LEN + 1];
		if (h->opens_unix_s) {
			time_text(h->opens_unix_s * 1000, when);
			json_object_set_new(item, "opensAt", json_string(when));
		}
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *change_json(const struct world_change *c)
{
	json_t *item =
		json_pack("{s:s, s:s, s:s, s:b, s:I, s:b, s:I, s:I, s:s*, s:s*, s:s*}", "cluster",
			  c->cluster, "service", c->service, "action", world_action_name(c->action),
			  "newRevision", c->new_revision, "updatesAtATime", (json_int_t)c->budget,
			  "surge", c->surge, "worstOutage", (json_int_t)c->outage,
			  "attributeAbsentCount", (json_int_t)c->attribute_absent, "stalled",
			  c->stalled, "message", c->note, "renamedFrom", c->renamed_from);
	if (c->family)
		json_object_set_new(item, "taskDefinition",
				    json_sprintf("%s:%u", c->family, c->revision));
	json_object_set_new(item, "start", nodes_json(&c->starts));
	json_object_set_new(item, "update", nodes_json(&c->updates));
	json_object_set_new(item, "stop", nodes_json(&c->stops));
	json_object_set_new(item, "heldNodes", nodes_json(&c->held));
	json_object_set_new(item, "keepNodes", nodes_json(&c->stays));
	if (c->stays_why)
		json_object_set_new(item, "keepMessage", json_string(c->stays_why));
	json_object_set_new(item, "steps", steps_json(c));
	json_object_set_new(item, "unreachableNodes", nodes_json(&c->later));
	if (c->forecast.batches || c->forecast.stuck)
		json_object_set_new(item, "forecast", forecast_json(&c->forecast));
	json_object_set_new(item, "overrides", variants_json(c));
	json_object_set_new(item, "holds", holds_json(c->holds, c->hold_count));
	return item;
}

static void print_json(const struct world_preview *p)
{
	json_t *doc = json_object(), *list = json_array();
	for (uint32_t i = 0; i < p->change_count; i++)
		json_array_append_new(list, change_json(&p->changes[i]));
	json_object_set_new(doc, "changes", list);
	json_object_set_new(doc, "worstOutage", json_integer(p->outage));
	json_object_set_new(doc, "holds", holds_json(p->holds, p->hold_count));
	struct buf out = { 0 };
	report_json(doc, &out);
	print_and_release(&out);
	json_decref(doc);
}

/* -----------------------------------------------------------------------------------------------
 */

/* A commit is held or not as a whole; what is asked for is one cluster's changes. */
static void only_cluster(struct cli *cli, struct world_preview *p)
{
	struct world_change *kept =
		ARENA_ARRAY(&cli->arena, struct world_change, p->change_count + 1);
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->change_count; i++)
		if (!cli->cluster || strcmp(p->changes[i].cluster, cli->cluster) == 0)
			kept[n++] = p->changes[i];
	p->changes = kept;
	p->change_count = n;
}

/* Windows are judged as of now, by the time zones of this machine. */
static void tell_clock(struct cli *cli, struct world *world, const struct manifest_tree *tree)
{
	const char **names;
	int64_t now_unix_s = time(NULL);
	uint32_t count = world_zone_names(tree, &cli->arena, &names);
	struct zone *zones = ARENA_ARRAY(&cli->arena, struct zone, count + 1);
	for (uint32_t i = 0; i < count; i++)
		zones[i] = tz_zone(names[i], now_unix_s, &cli->arena);
	world_clock(world, now_unix_s, zones, count);
}

static int preview(struct cli *cli, struct status *status, const struct manifest_tree *tree)
{
	struct world *world = offline_world(status, true);
	struct world_preview p;
	struct err err;
	if (!world)
		return EXIT_SYSTEM;
	/* Without it, as of agents' own status, clusters are as by default. */
	json_t *fleet = status_file(status, REPORT_SUMMARY_FILE, &err);
	world_add_fleet(world, fleet);
	world_apply(world, tree);
	tell_clock(cli, world, tree);
	world_run(world);
	world_preview(world, &cli->arena, &p);
	only_cluster(cli, &p);
	if (strcmp(options.output, "json") == 0)
		print_json(&p);
	else
		print_text(cli, &p);
	int code = change_count(&p) || p.hold_count ? EXIT_DIFFERS : EXIT_DONE;
	world_free(world);
	json_decref(fleet);
	return code;
}

static int plan(struct cli *cli, const struct manifest_tree *tree)
{
	struct status status;
	if (!status_open(cli, &status))
		return EXIT_SYSTEM;
	int code = preview(cli, &status, tree);
	status_release(&status);
	return code;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	struct tree tree;
	int code = tree_load(cli, args->items, 1, &tree);
	if (code == EXIT_SYSTEM)
		return code;
	struct buf diags = { 0 };
	diag_print(&diags, &tree.built->diags);
	fwrite(buf_str(&diags), 1, diags.len, stderr);
	buf_release(&diags);
	if (code == EXIT_DONE)
		code = plan(cli, tree.built);
	else
		say_error(code, "%zu errors: such a commit changes nothing",
			  tree.built->diags.errors);
	tree_release(&tree);
	return code;
}

const struct verb verb_plan = {
	.name = "plan",
	.usage = "DIR|REPO[@REV] [FLAG]...",
	.about = "Show what manifests would do, from status files alone: nodes that change, step "
		 "by\n"
		 "step, how many tasks are down at a time, how long about, what would be held.\n"
		 "Exit code 0: nothing changes, 1: something, 3: they are invalid.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
