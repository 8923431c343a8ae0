/* muster describe: one service, node, task or task definition, for people; nothing is cut. */
#include "muster.h"

#include <stdio.h>
#include <string.h>

#include "get.h"

#define LABEL_WIDTH	 19
#define EVENTS_SHOWN	 10
#define TAIL_LINES_SHOWN 3 /* of stderr, in lists */

struct describe {
	struct cli *cli;
	struct status *status;
	struct buf out;
};

/* --- parts -------------------------------------------------------------------------------------
 */

static void field(struct describe *d, const char *label, const char *value)
{
	if (!value)
		return;
	buf_addf(&d->out, "%-*s", LABEL_WIDTH, label);
	report_wrap(value, LABEL_WIDTH, LABEL_WIDTH, terminal_width(), &d->out);
	buf_addc(&d->out, '\n');
}

static void fields(struct describe *d, const json_t *doc, const char *const (*rows)[2])
{
	for (; (*rows)[0]; rows++) {
		const json_t *value = json_object_get(doc, (*rows)[1]);
		if (json_is_string(value))
			field(d, (*rows)[0], json_string_value(value));
		else if (json_is_integer(value))
			field(d, (*rows)[0], count_at(&d->cli->arena, doc, (*rows)[1]));
		else if (json_is_boolean(value))
			field(d, (*rows)[0], json_is_true(value) ? "yes" : "no");
		else if (json_is_null(value))
			field(d, (*rows)[0], "not known yet");
	}
}

static void section(struct describe *d, const char *title)
{
	buf_addf(&d->out, "\n%s\n", title);
}

/* A table of some members of each object of a list. */
static void list_table(struct describe *d, const char *title, const json_t *list,
		       const char *const *headers, const char *const *keys, size_t columns,
		       size_t max)
{
	struct report_table table = { .headers = headers, .columns = columns };
	size_t i;
	json_t *item;
	if (json_array_size(list) == 0)
		return;
	json_array_foreach(list, i, item)
	{
		for (size_t c = 0; i < max && c < columns; c++) {
			const char *text = text_at(item, keys[c]);
			const char *number = count_at(&d->cli->arena, item, keys[c]);
			*vec_push(&table.cells) = text ? text : number ? number : "";
		}
	}
	section(d, title);
	table.wrap = true;
	report_table(&table, terminal_width(), &d->out);
	vec_release(&table.cells);
}

static void conditions(struct describe *d, const json_t *doc)
{
	static const char *const headers[] = { "TYPE", "STATUS", "SINCE", "REASON", "MESSAGE" };
	static const char *const keys[] = { "type", "status", "lastTransitionTime", "reason",
					    "message" };
	list_table(d, "Conditions", json_object_get(doc, "conditions"), headers, keys,
		   ARRAY_LEN(headers), SIZE_MAX);
}

static void events(struct describe *d, const json_t *doc)
{
	static const char *const headers[] = { "TIME", "EVENT" };
	static const char *const keys[] = { "createdAt", "message" };
	list_table(d, "Events", json_object_get(doc, "events"), headers, keys, ARRAY_LEN(headers),
		   EVENTS_SHOWN);
}

static void rows_table(struct describe *d, const struct column *columns, const struct rows *rows,
		       struct buf *out)
{
	const char *headers[COLUMNS_MAX];
	struct report_table table = { .headers = headers, .wrap = true };
	for (const struct column *c = columns; c->header; c++)
		if (!c->wide)
			headers[table.columns++] = c->header;
	for (size_t i = 0; i < rows->items.len; i++)
		for (const struct column *c = columns; c->header; c++)
			if (!c->wide)
				*vec_push(&table.cells) =
					c->cell(&d->cli->arena, &rows->items.items[i]);
	report_table(&table, terminal_width(), out);
	vec_release(&table.cells);
}

static void take_rows(const struct doc *node, const char *list, struct rows *rows)
{
	size_t i;
	json_t *task;
	json_array_foreach(json_object_get(node->json, list), i, task)
	{
		*vec_push(&rows->items) =
			(struct row){ .cluster = node->cluster, .name = node->name, .json = task };
	}
}

static void tasks_of_node(struct describe *d, const struct doc *node)
{
	struct rows rows = { 0 };
	take_rows(node, "tasks", &rows);
	if (rows.items.len) {
		section(d, "Tasks");
		rows_table(d, task_columns, &rows, &d->out);
	}
	vec_release(&rows.items);
}

/* What a task printed, its last `max` lines, with nothing in it that a terminal would obey. */
static void add_tail(struct describe *d, const char *tail, size_t max, const char *indent)
{
	const char *end = tail + strlen(tail);
	while (end > tail && end[-1] == '\n')
		end--;
	const char *start = end;
	while (start > tail && (start[-1] != '\n' || --max > 0))
		start--;
	for (bool fresh = true; start < end; start++) {
		unsigned char c = (unsigned char)*start;
		if (fresh)
			buf_adds(&d->out, indent);
		fresh = c == '\n';
		buf_addc(&d->out, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : *start);
	}
	if (end > tail)
		buf_addc(&d->out, '\n');
}

/* Rows of a table, each with what the task said last, unless the one above it said the same. What
 * begins with a blank is the rest of a row. */
static void stopped_tasks(struct describe *d, const struct rows *rows)
{
	struct buf table = { 0 };
	const char *before = "";
	if (rows->items.len == 0)
		return;
	section(d, "Stopped tasks");
	rows_table(d, stopped_columns, rows, &table);
	const char *line = buf_str(&table);
	for (size_t row = 0; *line; row++) { /* the first is that of the headers */
		size_t len = strcspn(line, "\n") + 1;
		while (line[len] == ' ')
			len += strcspn(line + len, "\n") + 1;
		buf_add(&d->out, line, len);
		line += len;
		const char *tail =
			row ? text_at(rows->items.items[row - 1].json, "stderrTail") : before;
		if (tail && strcmp(tail, before) != 0)
			add_tail(d, tail, TAIL_LINES_SHOWN, "  | ");
		before = tail ? tail : "";
	}
	buf_release(&table);
}

static void stopped_of_service(struct describe *d, const struct doc *service)
{
	struct rows all = { 0 }, shown = { 0 };
	const char *name = arena_printf(&d->cli->arena, "%s/%s", service->cluster, service->name);
	if (tasks_collect(d->status, name, NULL, TASKS_STOPPED, &all))
		for (size_t i = 0; i < all.items.len && i < STOPPED_SHOWN; i++)
			*vec_push(&shown.items) = all.items.items[i];
	stopped_tasks(d, &shown);
	vec_release(&shown.items);
	vec_release(&all.items);
}

static void stopped_of_node(struct describe *d, const struct doc *node)
{
	struct rows rows = { 0 };
	take_rows(node, "stoppedTasks", &rows);
	stopped_tasks(d, &rows);
	vec_release(&rows.items);
}

/* --- the four ----------------------------------------------------------------------------------
 */

/* "2 of 3" */
static const char *step_text(struct describe *d, const json_t *rollout)
{
	const char *steps = count_at(&d->cli->arena, rollout, "steps"),
		   *step = count_at(&d->cli->arena, rollout, "step");
	if (!steps || !step)
		return steps ? arena_printf(&d->cli->arena, "all %s are over", steps) : NULL;
	return arena_printf(&d->cli->arena, "%s of %s", step, steps);
}

/* How far the roll-out is: "now" in words, then what is to come. */
static void rollout(struct describe *d, const json_t *service)
{
	const json_t *primary = json_array_get(json_object_get(service, "deployments"), 0),
		     *r = json_object_get(primary, "rollout");
	static const char *const rows[][2] = {
		{ "Now:", "message" },
		{ "Bakes until:", "bakesUntil" },
		{ "Nodes left:", "nodesLeft" },
		{ "Nodes a batch:", "updatesAtATime" },
		{ "Seconds a batch:", "secondsPerBatch" },
		{ "Expected end:", "expectedEndAt" },
		{ NULL, NULL },
	};
	const char *failed = count_at(&d->cli->arena, primary, "failedTasks"),
		   *threshold = count_at(&d->cli->arena, r, "failureThreshold");
	if (!r)
		return;
	section(d, "Roll-out");
	field(d, "Step:", step_text(d, r));
	for (size_t i = 0; rows[i][0]; i++) {
		const json_t *of = strcmp(rows[i][1], "updatesAtATime") == 0 ? service : r;
		const char *text = text_at(of, rows[i][1]);
		field(d, rows[i][0], text ? text : count_at(&d->cli->arena, of, rows[i][1]));
	}
	if (failed && threshold)
		failed = arena_printf(&d->cli->arena, "%s, it fails at %s", failed, threshold);
	field(d, "Failed tasks:", failed);
}

static void holds(struct describe *d, const json_t *doc)
{
	static const char *const headers[] = { "HOLD", "CAUSE", "TASKS", "SINCE", "MESSAGE" };
	static const char *const keys[] = { "id", "cause", "count", "since", "message" };
	list_table(d, "Held", json_object_get(doc, "holds"), headers, keys, ARRAY_LEN(headers),
		   SIZE_MAX);
}

static void service_head(struct describe *d, const struct doc *doc)
{
	static const char *const rows[][2] = {
		{ "Status:", "status" },	  { "Task definition:", "taskDefinition" },
		{ "Desired:", "desiredCount" },	  { "Running:", "runningCount" },
		{ "Ready:", "readyCount" },	  { "Pending:", "pendingCount" },
		{ "Failed:", "failedCount" },	  { "Unreachable:", "unreachableCount" },
		{ "Excluded:", "excludedCount" }, { "Updates at a time:", "updatesAtATime" },
		{ "Priority:", "priority" },	  { "Suspended:", "suspend" },
		{ "Created:", "createdAt" },	  { NULL, NULL },
	};
	size_t i;
	json_t *item;
	field(d, "Name:", doc->name);
	field(d, "Cluster:", doc->cluster);
	field(d, "State:", report_state_word(doc->json));
	fields(d, doc->json, rows);
	field(d, "Manifest:", text_at(json_object_get(doc->json, "manifest"), "path"));
	json_array_foreach(json_object_get(json_object_get(doc->json, "placement"), "constraints"),
			   i, item) field(d, i ? "" : "Constraints:", json_string_value(item));
}

static void describe_service(struct describe *d, const struct doc *doc)
{
	static const char *const image_headers[] = { "CONTAINER", "IMAGE", "DIGEST" };
	static const char *const image_keys[] = { "containerName", "image", "imageDigest" };
	static const char *const lag_headers[] = { "NODE", "REASON", "STATUS", "RESTARTS",
						   "MESSAGE" };
	static const char *const lag_keys[] = { "node", "reason", "lastStatus", "restarts",
						"message" };
	const json_t *deployments = json_object_get(doc->json, "deployments");
	service_head(d, doc);
	conditions(d, doc->json);
	rollout(d, doc->json);
	holds(d, doc->json);
	if (json_array_size(deployments)) {
		section(d, "Deployments");
		deployments_table(d->cli, deployments, &d->out);
	}
	list_table(d, "Images", json_object_get(json_array_get(deployments, 0), "containerImages"),
		   image_headers, image_keys, ARRAY_LEN(image_headers), SIZE_MAX);
	list_table(d, "Not converged", json_object_get(doc->json, "notConverged"), lag_headers,
		   lag_keys, ARRAY_LEN(lag_headers), SIZE_MAX);
	stopped_of_service(d, doc);
	events(d, doc->json);
}

static void describe_node(struct describe *d, const struct doc *doc)
{
	static const char *const rows[][2] = {
		{ "Status:", "status" },
		{ "Connected:", "agentConnected" },
		{ "Registered:", "registeredAt" },
		{ "Running tasks:", "runningTasksCount" },
		{ "Pending tasks:", "pendingTasksCount" },
		{ "Desired number:", "desiredNumber" },
		{ "Seen number:", "seenNumber" },
		{ NULL, NULL },
	};
	static const char *const attribute_headers[] = { "ATTRIBUTE", "VALUE" };
	static const char *const attribute_keys[] = { "name", "value" };
	const json_t *registration = json_object_get(doc->json, "registration");
	field(d, "Name:", doc->name);
	field(d, "Cluster:", doc->cluster);
	fields(d, doc->json, rows);
	field(d, "Agent:", text_at(json_object_get(doc->json, "versionInfo"), "agentVersion"));
	field(d, "CPU units:", count_at(&d->cli->arena, registration, "cpu"));
	field(d, "Memory, MiB:", count_at(&d->cli->arena, registration, "memory"));
	conditions(d, doc->json);
	tasks_of_node(d, doc);
	stopped_of_node(d, doc);
	list_table(d, "Attributes", json_object_get(doc->json, "attributes"), attribute_headers,
		   attribute_keys, ARRAY_LEN(attribute_headers), SIZE_MAX);
}

static void describe_taskdef(struct describe *d, const struct doc *doc)
{
	static const char *const headers[] = { "REVISION", "STATUS", "REGISTERED", "COMMIT" };
	static const char *const keys[] = { "revision", "status", "registeredAt", "commit" };
	report_yaml(json_object_get(doc->json, "taskDefinition"), &d->out);
	list_table(d, "Revisions", json_object_get(doc->json, "revisions"), headers, keys,
		   ARRAY_LEN(headers), SIZE_MAX);
}

static void containers(struct describe *d, const json_t *list)
{
	static const char *const state_headers[] = { "CONTAINER", "STATUS", "HEALTH",
						     "RESTARTS",  "EXIT",   "REASON" };
	static const char *const state_keys[] = { "name",	  "lastStatus", "healthStatus",
						  "restartCount", "exitCode",	"reason" };
	size_t i;
	json_t *item;
	list_table(d, "Containers", list, state_headers, state_keys, ARRAY_LEN(state_headers),
		   SIZE_MAX);
	json_array_foreach(list, i, item)
	{
		static const char *const rows[][2] = {
			{ "Image:", "image" },
			{ "Image digest:", "imageDigest" },
			{ "Runtime id:", "runtimeId" },
			{ NULL, NULL },
		};
		const char *ports = container_ports(&d->cli->arena, item);
		if (!text_at(item, "image") && !text_at(item, "runtimeId") && !*ports)
			continue;
		buf_addf(&d->out, "\nContainer %s\n", text_at(item, "name"));
		fields(d, item, rows);
		field(d, "Ports:", *ports ? ports : NULL);
	}
}

static void print_task(struct describe *d, const struct doc *node, const json_t *task)
{
	static const char *const rows[][2] = {
		{ "Status:", "lastStatus" },
		{ "Desired:", "desiredStatus" },
		{ "Health:", "healthStatus" },
		{ "Ready:", "ready" },
		{ "Deployment:", "startedBy" },
		{ "Restarts:", "restarts" },
		{ "Restart in, s:", "restartInSeconds" },
		{ "Engine:", "engine" },
		{ "Started:", "startedAt" },
		{ "Stopped:", "stoppedAt" },
		{ "Stop code:", "stopCode" },
		{ "Reason:", "stoppedReason" },
		{ "Log bytes dropped:", "logBytesDropped" },
		{ NULL, NULL },
	};
	const char *tail = text_at(task, "stderrTail");
	const char *id = last_part(text_at(task, "taskArn"));
	field(d, "Task:", id && *id ? id : "none yet");
	field(d, "Group:", text_at(task, "group"));
	field(d, "Node:", node->name);
	field(d, "Cluster:", node->cluster);
	field(d, "Task definition:", last_part(text_at(task, "taskDefinitionArn")));
	fields(d, task, rows);
	containers(d, json_object_get(task, "containers"));
	if (tail && *tail) {
		section(d, "Last lines of stderr");
		add_tail(d, tail, SIZE_MAX, "");
	}
}

/* By the beginning of its id, running or stopped; or what there is of a service, also a task that
 * is being prepared and has no id yet. */
static bool is_task(const json_t *task, const char *name, bool stopped)
{
	const char *id = last_part(text_at(task, "taskArn")), *service = task_service(task);
	return (id && strncmp(id, name, strlen(name)) == 0) ||
	       (!stopped && service && strcmp(service, name) == 0);
}

static bool describe_task(struct describe *d, const char *id)
{
	static const char *const lists[] = { "tasks", "stoppedTasks" };
	const struct docs *nodes = status_docs(d->status, DOC_NODE);
	bool found = false;
	for (size_t n = 0; nodes && n < nodes->items.len; n++) {
		const struct doc *node = &nodes->items.items[n];
		for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
			size_t i;
			json_t *task;
			json_array_foreach(json_object_get(node->json, lists[l]), i, task)
			{
				if (!is_task(task, id, l == 1))
					continue;
				if (found)
					buf_addc(&d->out, '\n');
				print_task(d, node, task);
				found = true;
			}
		}
	}
	return found ||
	       complain("no task of a service '%s', nor one with an id that begins so", id);
}

static const struct {
	const char *name;
	enum doc_kind kind;
	void (*print)(struct describe *d, const struct doc *doc); /* NULL: a task */
} kinds[] = {
	{ "service", DOC_SERVICE, describe_service },
	{ "node", DOC_NODE, describe_node },
	{ "taskdef", DOC_TASKDEF, describe_taskdef },
	{ "task", DOC_NODE, NULL },
};

static int run(struct cli *cli, const struct flags_args *args)
{
	size_t k = 0;
	while (k < ARRAY_LEN(kinds) && strcmp(kinds[k].name, args->items[0]) != 0)
		k++;
	if (k == ARRAY_LEN(kinds))
		return say_error(EXIT_USAGE,
				 "cannot describe '%s': one of service, node, task, taskdef",
				 args->items[0]);
	struct status status;
	if (!status_open(cli, &status))
		return EXIT_SYSTEM;
	struct describe d = { .cli = cli, .status = &status };
	bool ok;
	if (kinds[k].print) {
		const struct doc *doc = status_find(&status, kinds[k].kind, args->items[1]);
		ok = doc != NULL;
		if (doc)
			kinds[k].print(&d, doc);
	} else {
		ok = describe_task(&d, last_part(args->items[1]));
	}
	print_and_release(&d.out);
	status_release(&status);
	return ok ? EXIT_DONE : EXIT_DIFFERS;
}

const struct verb verb_describe = {
	.name = "describe",
	.usage = "service|node|task|taskdef NAME",
	.about = "Show all of one service, node, task or task definition.",
	.args_min = 2,
	.args_max = 2,
	.run = run,
};
