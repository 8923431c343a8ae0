#include "plan/internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * The order in which updates are let in: the first node by name of each zone (of each cluster) in
 * order of zone names, then the second of each, and so on. The zone is the node's attribute
 * ecs.availability-zone; nodes without one are a zone of their own.
 */

struct zone {
	intern_id cluster, name;
	const char *text;
	uint32_t count, first, at; /* its nodes: how many, and where they lie in `grouped` */
};
struct zones {
	VEC(struct zone) list; /* in order of names, then of clusters */
};

static int compare(const struct zone *a, const struct zone *b)
{
	int order = a->name == b->name ? 0 : strcmp(a->text, b->text);
	if (order)
		return order;
	return (a->cluster > b->cluster) - (a->cluster < b->cluster);
}

/* The zone of the node, or where it would stand. */
static size_t find(const struct zones *zones, const struct zone *zone, bool *found)
{
	size_t low = 0, high = zones->list.len;
	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&zones->list.items[middle], zone);
		*found = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

static struct zone *zone_of(const struct planner *p, struct zones *zones, const struct node *n)
{
	struct zone zone = { .cluster = n->cluster,
			     .name = n->zone,
			     .text = n->zone ? intern_str(p->intern, n->zone) : "" };
	bool found;
	size_t at = find(zones, &zone, &found);
	if (!found) {
		(void)vec_push(&zones->list);
		struct zone *items = zones->list.items;
		memmove(&items[at + 1], &items[at], (zones->list.len - 1 - at) * sizeof(*items));
		items[at] = zone;
	}
	return &zones->list.items[at];
}

/* One of each that has any left, until none has. */
static void take_turns(struct planner *p, struct zones *zones, const plan_node_id *grouped)
{
	size_t left = zones->list.len;
	while (left > 0) {
		size_t stay = 0;
		for (size_t i = 0; i < left; i++) {
			struct zone *zone = &zones->list.items[i];
			*vec_push(&p->turn_order) = grouped[zone->first + zone->at++];
			if (zone->at < zone->count)
				zones->list.items[stay++] = *zone;
		}
		left = stay;
	}
}

void turns_refresh(struct planner *p)
{
	if (p->turns_valid)
		return;
	struct zones zones = { 0 };
	size_t count = p->node_order.len;
	plan_node_id *grouped = xcalloc(count + 1, sizeof(*grouped));
	for (size_t i = 0; i < count; i++)
		zone_of(p, &zones, &p->nodes.items[p->node_order.items[i]])->count++;
	uint32_t first = 0;
	for (size_t i = 0; i < zones.list.len; i++) {
		zones.list.items[i].first = first;
		first += zones.list.items[i].count;
	}
	for (size_t i = 0; i < count; i++) {
		plan_node_id id = p->node_order.items[i];
		struct zone *zone = zone_of(p, &zones, &p->nodes.items[id]);
		grouped[zone->first + zone->at++] = id;
	}
	for (size_t i = 0; i < zones.list.len; i++)
		zones.list.items[i].at = 0;
	p->turn_order.len = 0;
	take_turns(p, &zones, grouped);
	for (size_t i = 0; i < count; i++)
		p->nodes.items[p->turn_order.items[i]].turn = (uint32_t)i;
	for (size_t i = 0; i < p->service_order.len; i++)
		p->services.items[p->service_order.items[i]].scan_from = 0;
	free(grouped);
	vec_release(&zones.list);
	p->turns_valid = true;
}
