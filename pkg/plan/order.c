#include "plan/internal.h"

#include <stdlib.h>
#include <string.h>

static int by_start_order(const void *a, const void *b, void *planner)
{
	const struct service *services = ((const struct planner *)planner)->services.items;
	const struct plan_service *x = &services[*(const plan_service_id *)a].spec,
				  *y = &services[*(const plan_service_id *)b].spec;
	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	int order = strcmp(x->cluster, y->cluster);
	return order ? order : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b, void *planner)
{
	const struct node *nodes = ((const struct planner *)planner)->nodes.items;
	return strcmp(nodes[*(const plan_node_id *)a].spec.name,
		      nodes[*(const plan_node_id *)b].spec.name);
}

/* Sort the new ones behind sorted_nodes, then merge both parts from the back. */
static void merge_nodes(struct planner *p)
{
	plan_node_id *all = p->node_order.items;
	size_t old = p->sorted_nodes, fresh = p->node_order.len - old, at = p->node_order.len;
	if (fresh == 0)
		return;
	qsort_r(all + old, fresh, sizeof(*all), by_name, p);
	plan_node_id *news = xmalloc(fresh * sizeof(*news));
	memcpy(news, all + old, fresh * sizeof(*news));
	while (fresh > 0) {
		bool take_old = old > 0 && by_name(&all[old - 1], &news[fresh - 1], p) > 0;
		all[--at] = take_old ? all[--old] : news[--fresh];
	}
	free(news);
	p->sorted_nodes = p->node_order.len;
	p->ranks_valid = false;
}

static void rank_nodes(struct planner *p)
{
	p->ranks_valid = true;
	p->turns_valid = false;
	for (size_t i = 0; i < p->node_order.len; i++)
		p->nodes.items[p->node_order.items[i]].rank = (uint32_t)i;
	while (p->touched.len * 64 < p->node_order.len)
		*vec_push(&p->touched) = 0;
}

void order_refresh(struct planner *p)
{
	if (!p->services_sorted)
		qsort_r(p->service_order.items, p->service_order.len, sizeof(plan_service_id),
			by_start_order, p);
	p->services_sorted = true;
	p->sorted_services = p->service_order.len;
	merge_nodes(p);
	if (!p->ranks_valid)
		rank_nodes(p);
	turns_refresh(p);
}

static size_t remove_id(uint32_t *ids, size_t *len, uint32_t id)
{
	size_t i = 0;
	while (ids[i] != id)
		i++;
	(*len)--;
	memmove(&ids[i], &ids[i + 1], (*len - i) * sizeof(*ids));
	return i;
}

void order_drop_service(struct planner *p, plan_service_id id)
{
	if (remove_id(p->service_order.items, &p->service_order.len, id) < p->sorted_services)
		p->sorted_services--;
}

void order_drop_node(struct planner *p, plan_node_id id)
{
	if (remove_id(p->node_order.items, &p->node_order.len, id) < p->sorted_nodes)
		p->sorted_nodes--;
	p->ranks_valid = false;
}
