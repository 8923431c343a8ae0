/* muster get: tables of what there is, or the same in the shapes of ECS's describe calls. */
#include "muster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "get.h"

#define EVENTS_MAX_BYTES (64 << 20)

static const char *const outputs[] = { "table", "wide", "yaml", "json", NULL };
static struct {
	const char *output, *filter;
	bool stopped;
} options = { .output = "table" };
static const struct flag flags[] = {
	{ "output", FLAG_STRING, 'o', "FORMAT", "table, wide, yaml or json", .values = outputs,
	  .offset = offsetof(typeof(options), output) },
	{ "filter", FLAG_STRING, .value = "EXPR", .help = "nodes, or tasks on nodes, that match",
	  .offset = offsetof(typeof(options), filter) },
	{ "stopped", FLAG_BOOL, .help = "of tasks: only the ones that stopped",
	  .offset = offsetof(typeof(options), stopped) },
};

/* --- what is listed ----------------------------------------------------------------------------
 */

static bool take_docs(struct status *status, enum doc_kind kind, const char *name,
		      struct world_filter *filter, struct rows *rows)
{
	const struct docs *docs = status_docs(status, kind);
	const struct doc *only = name && docs ? status_find(status, kind, name) : NULL;
	if (!docs || (name && !only))
		return false;
	for (size_t i = 0; i < docs->items.len; i++) {
		const struct doc *d = &docs->items.items[i];
		if ((only && d != only) || (filter && !world_filter_match(filter, d->json)))
			continue;
		*vec_push(&rows->items) =
			(struct row){ .cluster = d->cluster, .name = d->name, .json = d->json };
	}
	return true;
}

static bool take_services(struct status *status, const char *name, struct world_filter *filter,
			  struct rows *rows)
{
	(void)filter;
	return take_docs(status, DOC_SERVICE, name, NULL, rows);
}

static bool take_nodes(struct status *status, const char *name, struct world_filter *filter,
		       struct rows *rows)
{
	return take_docs(status, DOC_NODE, name, filter, rows);
}

static bool take_taskdefs(struct status *status, const char *name, struct world_filter *filter,
			  struct rows *rows)
{
	(void)filter;
	return take_docs(status, DOC_TASKDEF, name, NULL, rows);
}

static bool take_tasks(struct status *status, const char *name, struct world_filter *filter,
		       struct rows *rows)
{
	unsigned which = options.stopped ? TASKS_STOPPED : TASKS_PRESENT | TASKS_STOPPED;
	return tasks_collect(status, name, filter, which, rows);
}

/* A line by itself, so that a cut one harms no other. */
static void take_event(struct cli *cli, const char *line, size_t len, const char *name,
		       struct rows *rows)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	if (!event)
		return;
	const char *of = text_at(event, "cluster"), *service = text_at(event, "service");
	*vec_push(&rows->owned) = event; /* lives as long as the rows */
	if ((!cli->cluster || (of && strcmp(of, cli->cluster) == 0)) &&
	    (!name || (service && strcmp(service, last_part(name)) == 0)))
		*vec_push(&rows->items) =
			(struct row){ .cluster = of, .name = service, .json = event };
}

/* Oldest first: the rotated file, then the present one. */
static bool take_events(struct status *status, const char *name, struct world_filter *filter,
			struct rows *rows)
{
	static const char *const files[] = { REPORT_EVENTS_FILE ".1", REPORT_EVENTS_FILE };
	(void)filter;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *path = fs_join(&status->cli->arena, status->roots[0], files[i]);
		struct buf bytes = { 0 };
		struct err err;
		if (!fs_read(path, EVENTS_MAX_BYTES, &bytes, &err)) {
			if (err.code == ENOENT) /* nothing has happened yet */
				continue;
			return complain("%s", err.text);
		}
		for (const char *line = buf_str(&bytes); *line;) {
			size_t len = strcspn(line, "\n");
			take_event(status->cli, line, len, name, rows);
			line += len + (line[len] == '\n');
		}
		buf_release(&bytes);
	}
	return true;
}

static bool take_holds(struct status *status, const char *name, struct world_filter *filter,
		       struct rows *rows)
{
	(void)filter;
	struct err err;
	json_t *fleet = status_file(status, REPORT_SUMMARY_FILE, &err), *hold;
	size_t i;
	if (!fleet)
		return complain("%s", err.text);
	*vec_push(&rows->owned) = fleet;
	json_array_foreach(json_object_get(fleet, "holds"), i, hold)
	{
		const char *service = text_at(hold, "service"), *id = text_at(hold, "id");
		if (!name || (id && strcmp(id, name) == 0) ||
		    (service &&
		     (strcmp(service, name) == 0 || strcmp(last_part(service), name) == 0)))
			*vec_push(&rows->items) = (struct row){ .name = id, .json = hold };
	}
	return true;
}

static const struct resource {
	const char *names[4]; /* the plural first */
	const char *json_key; /* as ECS calls the list */
	const struct column *columns;
	bool (*take)(struct status *status, const char *name, struct world_filter *filter,
		     struct rows *rows);
} resources[] = {
	{ { "services", "service", "svc" }, "services", service_columns, take_services },
	{ { "nodes", "node" }, "containerInstances", node_columns, take_nodes },
	{ { "tasks", "task" }, "tasks", task_columns, take_tasks },
	{ { "taskdefs", "taskdef" }, "taskDefinitions", taskdef_columns, take_taskdefs },
	{ { "events", "event" }, "events", event_columns, take_events },
	{ { "holds", "hold" }, "holds", hold_columns, take_holds },
};

static const struct resource *find_resource(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		for (size_t n = 0; resources[i].names[n]; n++)
			if (strcmp(resources[i].names[n], name) == 0)
				return &resources[i];
	return NULL;
}

/* --- printing ----------------------------------------------------------------------------------
 */

static void print_table(struct cli *cli, const struct resource *resource, const struct rows *rows)
{
	bool wide = strcmp(options.output, "wide") == 0;
	if (rows->items.len == 0) {
		fprintf(stderr, "There are no %s.\n", resource->names[0]);
		return;
	}
	const char *headers[COLUMNS_MAX];
	const struct column *shown[COLUMNS_MAX];
	size_t columns = 0;
	for (const struct column *c = resource->columns; c->header; c++) {
		if (c->wide && !wide)
			continue;
		headers[columns] = c->header;
		shown[columns++] = c;
	}
	struct report_table table = { .headers = headers, .columns = columns };
	for (size_t i = 0; i < rows->items.len; i++)
		for (size_t c = 0; c < columns && task_recent(rows, i); c++)
			*vec_push(&table.cells) =
				shown[c]->cell(&cli->arena, &rows->items.items[i]);
	struct buf out = { 0 };
	report_table(&table, wide ? 0 : terminal_width(), &out);
	print_and_release(&out);
	vec_release(&table.cells);
}

static void print_documents(const struct resource *resource, const struct rows *rows)
{
	json_t *list = json_array(), *doc = json_object();
	for (size_t i = 0; i < rows->items.len; i++) {
		json_t *json = rows->items.items[i].json;
		json_t *inner = json_object_get(json, "taskDefinition");
		json_array_append(list, json_is_object(inner) ? inner : json);
	}
	json_object_set_new(doc, resource->json_key, list);
	json_object_set_new(doc, "failures", json_array());
	struct buf out = { 0 };
	if (strcmp(options.output, "json") == 0)
		report_json(doc, &out);
	else
		report_yaml(doc, &out);
	print_and_release(&out);
	json_decref(doc);
}

static int get(struct cli *cli, const struct resource *resource, const char *name,
	       struct world_filter *filter)
{
	struct status status;
	struct rows rows = { 0 };
	if (!status_open(cli, &status))
		return EXIT_SYSTEM;
	bool ok = resource->take(&status, name, filter, &rows);
	if (ok && (strcmp(options.output, "table") == 0 || strcmp(options.output, "wide") == 0))
		print_table(cli, resource, &rows);
	else if (ok)
		print_documents(resource, &rows);
	vec_release(&rows.items);
	for (size_t i = 0; i < rows.owned.len; i++)
		json_decref(rows.owned.items[i]);
	vec_release(&rows.owned);
	status_release(&status);
	return ok ? EXIT_DONE : EXIT_DIFFERS;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	const struct resource *resource = find_resource(args->items[0]);
	struct world_filter *filter = NULL;
	struct expr_error error;
	if (!resource)
		return say_error(
			EXIT_USAGE,
			"cannot get '%s': one of services, nodes, tasks, taskdefs, events, "
			"holds",
			args->items[0]);
	if (options.filter && resource->take != take_nodes && resource->take != take_tasks)
		return say_error(EXIT_USAGE, "--filter is for nodes and tasks");
	if (options.filter && !(filter = world_filter_new(options.filter, &error)))
		return say_error(EXIT_INVALID, "--filter: %s\n  %s\n  %*s", error.text,
				 options.filter, (int)error.offset + 1, "^");
	int code = get(cli, resource, args->count > 1 ? args->items[1] : NULL, filter);
	world_filter_free(filter);
	return code;
}

const struct verb verb_get = {
	.name = "get",
	.usage = "services|nodes|tasks|taskdefs|events|holds [NAME] [FLAG]...",
	.about =
		"List services, nodes, tasks, task definitions, events, or what is held and why.\n"
		"JSON has the shapes of ECS's describe-services, describe-container-instances and\n"
		"describe-tasks. NAME may be CLUSTER/NAME.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.args_min = 1,
	.args_max = 2,
	.run = run,
};
