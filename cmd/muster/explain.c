/* muster explain: for each (service, node) every reason at once, from files alone. */
#include "muster.h"

#include <stdio.h>
#include <string.h>

#include "offline.h"

static const char *const outputs[] = { "text", "json", NULL };
static struct {
	const char *service, *node, *output;
} options = { .output = "text" };
static const struct flag flags[] = {
	{ "service", FLAG_STRING, .value = "NAME", .help = "only this service",
	  .offset = offsetof(typeof(options), service) },
	{ "node", FLAG_STRING, .value = "NAME", .help = "only this node",
	  .offset = offsetof(typeof(options), node) },
	{ "output", FLAG_STRING, 'o', "FORMAT", "text or json", .values = outputs,
	  .offset = offsetof(typeof(options), output) },
};

/* One (service, node) with its answer. */
struct answer {
	const struct plan_service *service;
	const struct plan_node *node;
	struct plan_cell cell;
	const struct plan_why *why;
	uint32_t why_count;
	const struct world_override *overrides;
	uint32_t override_count;
	const json_t *hold; /* that keeps it as it is; NULL: none */
};

static const char *seen_text(const struct plan_cell *cell)
{
	static const char *const texts[] = {
		[PLAN_SEEN_NONE] = "no task yet", [PLAN_SEEN_PENDING] = "pending",
		[PLAN_SEEN_RUNNING] = "running",  [PLAN_SEEN_READY] = "ready",
		[PLAN_SEEN_FAILED] = "failing",
	};
	return texts[cell->fact.seen];
}

static const char *verdict(const struct answer *a)
{
	if (!a->cell.desired)
		return "not placed";
	return a->cell.reason == PLAN_PLACED ? "placed" : "stays";
}

static void print_overrides(const struct answer *a, struct buf *out)
{
	bool any = false;
	for (uint32_t i = 0; i < a->override_count; i++) {
		const struct world_override *o = &a->overrides[i];
		any |= o->counts;
		if (o->counts)
			buf_addf(out, "  Override %u counts: %s\n", i + 1, o->expression);
		else
			buf_addf(out, "  Override %u does not: %s\n", i + 1, o->why_not);
	}
	if (a->override_count && !any)
		buf_adds(out, "  No override counts here\n");
}

static void print_answer(const struct answer *a, bool of_agents, struct buf *out)
{
	buf_addf(out, "%s/%s on %s: %s", a->service->cluster, a->service->name, a->node->name,
		 verdict(a));
	if (a->cell.desired)
		buf_addf(out, ", %s", seen_text(&a->cell));
	if (a->cell.fact.running_revision)
		buf_addf(out, " (revision %u)", a->cell.fact.running_revision);
	if (a->cell.waiting)
		buf_adds(out, ", waits for its turn");
	buf_addc(out, '\n');
	for (uint32_t i = 0; i < a->why_count; i++)
		buf_addf(out, "  %s: %s\n", plan_reason_name(a->why[i].reason), a->why[i].text);
	if (a->hold)
		buf_addf(out, "  Held: %s\n", text_at(a->hold, "message"));
	print_overrides(a, out);
	if (of_agents && a->why_count == 0 && !a->cell.desired)
		buf_adds(out, "  only the controller's status knows more\n");
}

static json_t *overrides_json(const struct answer *a)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < a->override_count; i++) {
		const struct world_override *o = &a->overrides[i];
		json_array_append_new(list,
				      json_pack("{s:s, s:b, s:s*}", "expression", o->expression,
						"counts", o->counts, "message", o->why_not));
	}
	return list;
}

static json_t *answer_json(const struct answer *a)
{
	json_t *reasons = json_array();
	for (uint32_t i = 0; i < a->why_count; i++)
		json_array_append_new(reasons, json_pack("{s:s, s:s}", "reason",
							 plan_reason_name(a->why[i].reason),
							 "message", a->why[i].text));
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:I, s:o, s:o, s:O*}", "cluster",
			 a->service->cluster, "service", a->service->name, "node", a->node->name,
			 "desired", a->cell.desired, "waiting", a->cell.waiting, "state",
			 seen_text(&a->cell), "runningRevision",
			 (json_int_t)a->cell.fact.running_revision, "reasons", reasons, "overrides",
			 overrides_json(a), "hold", a->hold);
}

struct explain {
	struct cli *cli;
	struct status *status;
	const struct world *world;
	const struct planner *planner;
	const struct doc *service, *node; /* NULL: all */
	struct buf text;
	json_t *list;
	uint32_t shown;
};

static bool wanted(const struct explain *e, const struct plan_service *service,
		   const struct plan_node *node)
{
	const char *cluster = e->cli->cluster;
	if (e->service && (strcmp(service->name, e->service->name) != 0 ||
			   strcmp(service->cluster, e->service->cluster) != 0))
		return false;
	if (e->node && strcmp(node->name, e->node->name) != 0)
		return false;
	if (cluster && strcmp(service->cluster, cluster) != 0)
		return false;
	/* A node of another cluster is only shown when it was asked for by name. */
	return strcmp(service->cluster, node->cluster) == 0 || (e->service && e->node);
}

/* The hold that keeps the service as it is on this node: one of its own that is about it. */
static const json_t *hold_of(const struct explain *e, const struct answer *a)
{
	const struct docs *docs = status_docs(e->status, DOC_SERVICE);
	const struct plan_cell *cell = &a->cell;
	bool old = cell->desired &&
		   !(cell->variant && digest_equal(&cell->fact.assigned, &cell->variant->target));
	const json_t *service = NULL;
	for (size_t i = 0; docs && i < docs->items.len; i++)
		if (strcmp(docs->items.items[i].name, a->service->name) == 0 &&
		    strcmp(docs->items.items[i].cluster, a->service->cluster) == 0)
			service = docs->items.items[i].json;
	const char *status = text_at(service, "status");
	bool goes = status && strcmp(status, "DRAINING") == 0;
	size_t i;
	json_t *hold;
	json_array_foreach(json_object_get(service, "holds"), i, hold)
	{
		const char *cause = text_at(hold, "cause");
		bool window = cause && strcmp(cause, "WindowClosed") == 0;
		if (cell->reason == PLAN_HELD || (window && (old || goes)))
			return hold;
	}
	return NULL;
}

static void explain_one(struct explain *e, plan_service_id service, plan_node_id node)
{
	struct arena scratch;
	arena_init(&scratch);
	struct answer a = { .service = planner_service(e->planner, service),
			    .node = planner_node(e->planner, node) };
	if (wanted(e, a.service, a.node)) {
		struct plan_why *why = NULL;
		a.cell = planner_cell(e->planner, service, node);
		a.why_count = planner_explain(e->planner, service, node, &scratch, &why);
		a.why = why;
		a.override_count = world_overrides(e->world, service, node, &scratch, &a.overrides);
		a.hold = hold_of(e, &a);
		/* Without a name to look at, what is as it should be is left out. */
		bool fine =
			a.cell.desired && a.cell.fact.seen == PLAN_SEEN_READY && !a.cell.waiting;
		if (e->service || e->node || !fine) {
			print_answer(&a, e->status->of_agents, &e->text);
			json_array_append_new(e->list, answer_json(&a));
			e->shown++;
		}
	}
	arena_release(&scratch);
}

/* What is indented goes on two further in, on a terminal. */
static void wrap_lines(char *text, struct buf *out)
{
	size_t width = terminal_width();
	char *rest, *line = strtok_r(text, "\n", &rest);
	for (; line; line = strtok_r(NULL, "\n", &rest)) {
		size_t indent = strspn(line, " ");
		buf_add(out, line, indent);
		report_wrap(line + indent, indent, indent + 2, width, out);
		buf_addc(out, '\n');
	}
}

static void explain_all(struct explain *e)
{
	plan_service_id *services;
	plan_node_id *nodes;
	uint32_t service_count = planner_services(e->planner, &e->cli->arena, &services);
	uint32_t node_count = planner_nodes(e->planner, &e->cli->arena, &nodes);
	e->list = json_array();
	for (uint32_t s = 0; s < service_count; s++)
		for (uint32_t n = 0; n < node_count; n++)
			explain_one(e, services[s], nodes[n]);
	struct buf out = { 0 };
	if (strcmp(options.output, "json") == 0) {
		json_t *doc = json_pack("{s:O}", "explanations", e->list);
		report_json(doc, &out);
		json_decref(doc);
	} else if (e->shown == 0) {
		buf_adds(&out, e->service || e->node
				       ? "Nothing to explain.\n"
				       : "Every service runs on every node of its cluster.\n");
	} else {
		buf_addc(&e->text, '\0');
		wrap_lines((char *)e->text.data, &out);
	}
	print_and_release(&out);
	buf_release(&e->text);
	json_decref(e->list);
}

static int explain(struct cli *cli, struct status *status)
{
	struct explain e = { .cli = cli, .status = status };
	struct world *world = offline_world(status, false);
	if (!world)
		return EXIT_SYSTEM;
	int code = EXIT_DONE;
	if ((options.service && !(e.service = status_find(status, DOC_SERVICE, options.service))) ||
	    (options.node && !(e.node = status_find(status, DOC_NODE, options.node)))) {
		code = EXIT_DIFFERS;
	} else {
		world_run(world);
		e.world = world;
		e.planner = world_planner(world);
		explain_all(&e);
	}
	world_free(world);
	return code;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	(void)args;
	struct status status;
	if (!status_open(cli, &status))
		return EXIT_SYSTEM;
	int code = explain(cli, &status);
	status_release(&status);
	return code;
}

const struct verb verb_explain = {
	.name = "explain",
	.usage = "[--service NAME] [--node NAME] [FLAG]...",
	.about = "Say why a service runs on a node or not: every reason at once.\n"
		 "Without --service and --node: of all that is not as it should be.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.run = run,
};
