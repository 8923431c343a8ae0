/* muster plan: what a push would change, before it is pushed. */
#include "muster.h"

#include <stdio.h>
#include <string.h>

#include "offline.h"

static const char *const outputs[] = { "text", "json", NULL };
static struct {
	const char *output;
} options = { .output = "text" };
static const struct flag flags[] = {
	{ "output", FLAG_STRING, 'o', "FORMAT", "text or json", .values = outputs,
	  .offset = offsetof(typeof(options), output) },
};

struct list {
	const char *verb, *key;
	const char *const *nodes;
	uint32_t count;
};

static void lists_of(const struct world_change *c, struct list out[3])
{
	out[0] = (struct list){ "start on", "start", c->starts, c->start_count };
	out[1] = (struct list){ "update", "update", c->updates, c->update_count };
	out[2] = (struct list){ "stop on", "stop", c->stops, c->stop_count };
}

/* --- text --------------------------------------------------------------------------------------
 */

#define NODES_SHOWN 10

static void print_nodes(const struct list *list, uint32_t budget, struct buf *out)
{
	if (list->count == 0)
		return;
	buf_addf(out, "  %s %u node%s", list->verb, list->count, list->count == 1 ? "" : "s");
	if (strcmp(list->key, "update") == 0)
		buf_addf(out, ", %u at a time", budget);
	buf_adds(out, ":");
	for (uint32_t i = 0; i < list->count && i < NODES_SHOWN; i++)
		buf_addf(out, " %s", list->nodes[i]);
	if (list->count > NODES_SHOWN)
		buf_addf(out, " and %u more", list->count - NODES_SHOWN);
	buf_addc(out, '\n');
}

static void print_change(const struct world_change *c, struct buf *out)
{
	struct list lists[3];
	lists_of(c, lists);
	buf_addf(out, "%s/%s: %s", c->cluster, c->service, world_action_name(c->action));
	if (c->action != WORLD_REMOVE && c->family)
		buf_addf(out, " to %s:%u%s", c->family, c->revision,
			 c->new_revision ? " (new content)" : "");
	buf_addc(out, '\n');
	if (c->stalled)
		buf_addf(out, "  stalled: %s; what runs stays\n", c->stalled);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		print_nodes(&lists[i], c->budget, out);
	if (c->attribute_absent)
		buf_addf(out, "  %u nodes are excluded because an attribute is absent\n",
			 c->attribute_absent);
}

static void print_text(const struct world_change *changes, uint32_t count)
{
	struct buf out = { 0 };
	uint32_t sums[3] = { 0 };
	for (uint32_t i = 0; i < count; i++) {
		struct list lists[3];
		lists_of(&changes[i], lists);
		for (size_t k = 0; k < ARRAY_LEN(lists); k++)
			sums[k] += lists[k].count;
		print_change(&changes[i], &out);
	}
	if (count == 0)
		buf_adds(&out, "Nothing would change.\n");
	else
		buf_addf(&out, "%u services change: %u starts, %u updates, %u stops.\n", count,
			 sums[0], sums[1], sums[2]);
	print_and_release(&out);
}

/* --- json --------------------------------------------------------------------------------------
 */

static json_t *change_json(const struct world_change *c)
{
	struct list lists[3];
	lists_of(c, lists);
	json_t *item = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I}", "cluster", c->cluster, "service",
				 c->service, "action", world_action_name(c->action), "newRevision",
				 c->new_revision, "updatesAtATime", (json_int_t)c->budget,
				 "attributeAbsentCount", (json_int_t)c->attribute_absent);
	if (c->family)
		json_object_set_new(item, "taskDefinition",
				    json_sprintf("%s:%u", c->family, c->revision));
	if (c->stalled)
		json_object_set_new(item, "stalled", json_string(c->stalled));
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		json_t *nodes = json_array();
		for (uint32_t i = 0; i < lists[k].count; i++)
			json_array_append_new(nodes, json_string(lists[k].nodes[i]));
		json_object_set_new(item, lists[k].key, nodes);
	}
	return item;
}

static void print_json(const struct world_change *changes, uint32_t count)
{
	json_t *doc = json_object(), *list = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, change_json(&changes[i]));
	json_object_set_new(doc, "changes", list);
	struct buf out = { 0 };
	report_json(doc, &out);
	print_and_release(&out);
	json_decref(doc);
}

/* -----------------------------------------------------------------------------------------------
 */

static uint32_t of_cluster(struct cli *cli, const struct world_change *all, uint32_t count,
			   const struct world_change **out)
{
	struct world_change *kept = ARENA_ARRAY(&cli->arena, struct world_change, count + 1);
	uint32_t n = 0;
	for (uint32_t i = 0; i < count; i++)
		if (!cli->cluster || strcmp(all[i].cluster, cli->cluster) == 0)
			kept[n++] = all[i];
	*out = kept;
	return n;
}

static int plan(struct cli *cli, const struct manifest_tree *tree)
{
	struct status status;
	if (!status_open(cli, &status))
		return EXIT_SYSTEM;
	struct world *world = offline_world(&status, true);
	if (!world) {
		status_release(&status);
		return EXIT_SYSTEM;
	}
	world_apply(world, tree);
	world_run(world);
	const struct world_change *changes;
	uint32_t count = world_changes(world, &cli->arena, &changes);
	count = of_cluster(cli, changes, count, &changes);
	if (strcmp(options.output, "json") == 0)
		print_json(changes, count);
	else
		print_text(changes, count);
	if (tree->service_count == 0 && count > 0)
		warn("a commit that removes all services is held until it is allowed");
	world_free(world);
	status_release(&status);
	return count ? EXIT_DIFFERS : EXIT_DONE;
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
	.about = "Show what manifests would change, from status files alone.\n"
		 "Exit code 0: nothing, 1: something, 3: they are invalid.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
