/* The tasks in status files of nodes, those that are there and those that stopped. */
#include <stdlib.h>
#include <string.h>

#include "get.h"

bool task_stopped(const json_t *task)
{
	const char *status = text_at(task, "lastStatus");
	return status && strcmp(status, "STOPPED") == 0;
}

const char *task_service(const json_t *task)
{
	const char *group = text_at(task, "group");
	return group && strncmp(group, "service:", 8) == 0 ? group + 8 : group;
}

static bool wanted(const struct doc *node, const json_t *task, const char *name)
{
	if (!name)
		return true;
	const char *slash = strchr(name, '/'), *word = slash ? slash + 1 : name;
	size_t len = slash ? (size_t)(slash - name) : 0;
	if (slash && (strlen(node->cluster) != len || memcmp(node->cluster, name, len) != 0))
		return false;
	const char *service = task_service(task), *id = last_part(text_at(task, "taskArn"));
	if (service && strcmp(service, word) == 0)
		return true;
	return id && strlen(word) >= TASK_ID_SHOWN && strncmp(id, word, strlen(word)) == 0;
}

static int compare(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int by_service(const struct row *x, const struct row *y)
{
	int order = strcmp(x->cluster, y->cluster);
	return order ? order : compare(task_service(x->json), task_service(y->json));
}

static int by_order(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	bool stopped = task_stopped(x->json);
	int order = by_service(x, y);
	if (order == 0)
		order = (int)stopped - (int)task_stopped(y->json);
	if (order == 0 && stopped)
		order = compare(text_at(y->json, "stoppedAt"), text_at(x->json, "stoppedAt"));
	if (order == 0)
		order = strcmp(x->name, y->name);
	return order ? order : compare(text_at(x->json, "taskArn"), text_at(y->json, "taskArn"));
}

static bool service_exists(struct status *status, const char *name)
{
	const struct docs *services = status_docs(status, DOC_SERVICE);
	for (size_t i = 0; services && i < services->items.len; i++)
		if (strcmp(services->items.items[i].name, last_part(name)) == 0)
			return true;
	return false;
}

bool tasks_collect(struct status *status, const char *name, struct world_filter *filter,
		   unsigned which, struct rows *rows)
{
	static const char *const lists[] = { "tasks", "stoppedTasks" };
	const struct docs *nodes = status_docs(status, DOC_NODE);
	for (size_t n = 0; nodes && n < nodes->items.len; n++) {
		const struct doc *node = &nodes->items.items[n];
		if (filter && !world_filter_match(filter, node->json))
			continue;
		for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
			size_t i;
			json_t *task;
			if (!(which >> l & 1))
				continue;
			json_array_foreach(json_object_get(node->json, lists[l]), i, task)
			{
				if (wanted(node, task, name))
					*vec_push(&rows->items) =
						(struct row){ .cluster = node->cluster,
							      .name = node->name,
							      .json = task };
			}
		}
	}
	if (rows->items.len)
		qsort(rows->items.items, rows->items.len, sizeof(*rows->items.items), by_order);
	if (nodes && name && rows->items.len == 0 && !service_exists(status, name))
		return complain("no service '%s', nor a task with such an id", name);
	return nodes != NULL;
}

bool task_recent(const struct rows *rows, size_t i)
{
	const struct row *row = &rows->items.items[i];
	if (!task_stopped(row->json) || i < STOPPED_SHOWN)
		return true;
	const struct row *earlier = &rows->items.items[i - STOPPED_SHOWN];
	return !task_stopped(earlier->json) || by_service(earlier, row) != 0;
}
