/* muster history: the revisions of a family, and the deployments of a service. */
#include "muster.h"

#include <string.h>

#include "get.h"

/* --- deployments -------------------------------------------------------------------------------
 */

#define MINUTE_LEN 16 /* of "2026-11-23T21:45:25Z", without its seconds */

/* What 80 columns have room for: reasons of the past count failed tasks, those of now name commits.
 */
static const struct deployment_column {
	const char *header, *key;
	bool now, past;
} columns[] = {
	{ "REVISION", "taskDefinition", true, true },
	{ "STATUS", "status", true, true },
	{ "STATE", "rolloutState", true, true },
	{ "FAILED", "failedTasks", true, false },
	{ "STARTED", "createdAt", true, true },
	{ "FINISHED", "finishedAt", true, true },
	{ "COMMIT", "commit", false, true },
	{ "REASON", "rolloutStateReason", true, true },
};

static const char *cell(struct cli *cli, const json_t *item, const char *key)
{
	const char *text = text_at(item, key);
	size_t len = strlen(key);
	if (text && strcmp(key, "commit") == 0)
		return arena_printf(&cli->arena, "%.7s", text);
	if (text && len > 2 && strcmp(key + len - 2, "At") == 0 && strlen(text) > MINUTE_LEN)
		return arena_printf(&cli->arena, "%.*sZ", MINUTE_LEN, text);
	return text ? text : count_at(&cli->arena, item, key);
}

static void add_rows(struct cli *cli, const json_t *list, bool past, struct report_table *table)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		for (size_t c = 0; c < ARRAY_LEN(columns); c++)
			if (past ? columns[c].past : columns[c].now)
				*vec_push(&table->cells) = cell(cli, item, columns[c].key);
	}
}

static void print_table(struct cli *cli, const json_t *const lists[2], bool past, struct buf *out)
{
	const char *headers[ARRAY_LEN(columns)];
	struct report_table table = { .headers = headers, .wrap = true };
	for (size_t c = 0; c < ARRAY_LEN(columns); c++)
		if (past ? columns[c].past : columns[c].now)
			headers[table.columns++] = columns[c].header;
	for (size_t i = 0; i < 2; i++)
		add_rows(cli, lists[i], past, &table);
	report_table(&table, terminal_width(), out);
	vec_release(&table.cells);
}

void deployments_table(struct cli *cli, const json_t *deployments, struct buf *out)
{
	print_table(cli, (const json_t *const[2]){ deployments, NULL }, false, out);
}

/* What is listed among the present ones and was PRIMARY before stands in the history. */
static void print_deployments(struct cli *cli, const json_t *service, struct buf *out)
{
	json_t *now = json_array(), *item;
	size_t i;
	json_array_foreach(json_object_get(service, "deployments"), i, item)
	{
		const char *status = text_at(item, "status");
		if (status && strcmp(status, "PRIMARY") == 0)
			json_array_append(now, item);
	}
	print_table(cli,
		    (const json_t *const[2]){ now, json_object_get(service, "deploymentHistory") },
		    true, out);
	json_decref(now);
}

/* --- revisions ---------------------------------------------------------------------------------
 */

static void print_revisions(struct cli *cli, const json_t *taskdef, struct buf *out)
{
	static const char *const headers[] = { "REVISION", "STATUS", "REGISTERED", "COMMIT",
					       "DIGEST" };
	static const char *const keys[] = { "revision", "status", "registeredAt", "commit",
					    "digest" };
	struct report_table table = { .headers = headers, .columns = ARRAY_LEN(headers) };
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(taskdef, "revisions"), i, item)
	{
		for (size_t c = 0; c < ARRAY_LEN(keys); c++)
			*vec_push(&table.cells) = cell(cli, item, keys[c]);
	}
	report_table(&table, terminal_width(), out);
	vec_release(&table.cells);
}

/* --- the verb ----------------------------------------------------------------------------------
 */

static bool has(struct status *status, enum doc_kind kind, const char *name)
{
	const struct docs *docs = status_docs(status, kind);
	for (size_t i = 0; docs && i < docs->items.len; i++)
		if (strcmp(docs->items.items[i].name, last_part(name)) == 0)
			return true;
	return false;
}

/* A name may be that of a service, of a family, or of both: then both are told. */
static bool history(struct cli *cli, struct status *status, const char *name, struct buf *out)
{
	bool family = has(status, DOC_TASKDEF, name),
	     service = has(status, DOC_SERVICE, name) || !family;
	const struct doc *s = service ? status_find(status, DOC_SERVICE, name) : NULL;
	const struct doc *f = family ? status_find(status, DOC_TASKDEF, name) : NULL;
	if ((service && !s) || (family && !f))
		return false;
	if (s && f)
		buf_addf(out, "Deployments of service %s/%s\n", s->cluster, s->name);
	if (s)
		print_deployments(cli, s->json, out);
	if (s && f)
		buf_addf(out, "\nRevisions of task definition %s\n", f->name);
	if (f)
		print_revisions(cli, f->json, out);
	return true;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	struct status status;
	struct buf out = { 0 };
	if (!status_open(cli, &status))
		return EXIT_SYSTEM;
	bool found = history(cli, &status, args->items[0], &out);
	print_and_release(&out);
	status_release(&status);
	return found ? EXIT_DONE : EXIT_DIFFERS;
}

const struct verb verb_history = {
	.name = "history",
	.usage = "SERVICE|FAMILY",
	.about =
		"Show the deployments of a service and the revisions of a task definition family:\n"
		"what has the name, both where both have. A service that pins a revision\n"
		"(taskDefinition: FAMILY:N) goes back to it.",
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
