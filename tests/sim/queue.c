/* Events in the order of their time; of one time in the order in which they were made. */
#include "sim.h"

static bool before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void queue_push(struct queue *queue, struct event event)
{
	event.order = ++queue->order;
	size_t at = queue->heap.len;
	*vec_push(&queue->heap) = event;
	struct event *heap = queue->heap.items;
	while (at > 0 && before(&event, &heap[(at - 1) / 2])) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = event;
}

bool queue_pop(struct queue *queue, struct event *out)
{
	struct event *heap = queue->heap.items;
	if (queue->heap.len == 0)
		return false;
	*out = heap[0];
	struct event last = heap[--queue->heap.len];
	size_t len = queue->heap.len, at = 0;
	while (2 * at + 1 < len) {
		size_t child = 2 * at + 1;
		if (child + 1 < len && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	if (len)
		heap[at] = last;
	return true;
}
