#include "tasklog/tasklog.h"

#include <stdlib.h>
#include <string.h>

/* --- reading -----------------------------------------------------------------------------------
 */

/* A number that ends in `end`, which is passed over. */
static bool take_number(const char **p, const char *stop, char end, uint64_t *out)
{
	const char *start = *p;
	*out = 0;
	for (; *p < stop && **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');
		if (*out > (INT64_MAX - digit) / 10)
			return false;
		*out = *out * 10 + digit;
	}
	return *p > start && *p < stop && *(*p)++ == end;
}

static bool read_mark(const char *p, const char *stop, struct tasklog_mark *out, size_t *task_len)
{
	uint64_t offset, ms;
	if (!take_number(&p, stop, ' ', &out->inode) || !take_number(&p, stop, ' ', &offset) ||
	    !take_number(&p, stop, ' ', &ms))
		return false;
	const char *space = memchr(p, ' ', (size_t)(stop - p));
	const char *task_end = space ? space : stop;
	size_t more = (size_t)(stop - task_end), word = strlen(TASKLOG_END);
	out->offset = (int64_t)offset;
	out->unix_ms = (int64_t)ms;
	out->task = p;
	out->end = space && more == word + 1 && memcmp(space + 1, TASKLOG_END, word) == 0;
	*task_len = (size_t)(task_end - p);
	return *task_len > 0 && (out->end || !space);
}

void tasklog_marks_add(struct tasklog_marks *marks, const char *text, size_t len,
		       struct arena *arena)
{
	const char *stop = text + len, *newline;
	/* One that has no end is still being written. */
	for (; text < stop && (newline = memchr(text, '\n', (size_t)(stop - text)));
	     text = newline + 1) {
		struct tasklog_mark mark = { 0 };
		size_t n = 0;
		if (!read_mark(text, newline, &mark, &n))
			continue;
		const struct tasklog_mark *last =
			marks->items.len ? &marks->items.items[marks->items.len - 1] : NULL;
		bool same =
			last && strlen(last->task) == n && memcmp(last->task, mark.task, n) == 0;
		mark.task = same ? last->task : arena_strndup(arena, mark.task, n);
		*vec_push(&marks->items) = mark;
	}
}

/* --- tasks -------------------------------------------------------------------------------------
 */

static struct tasklog_task *find(const struct tasklog_tasks *tasks, const char *task)
{
	for (size_t i = 0; i < tasks->items.len; i++)
		if (strcmp(tasks->items.items[i].task, task) == 0)
			return &tasks->items.items[i];
	return NULL;
}

void tasklog_tasks_put(struct tasklog_tasks *tasks, const struct tasklog_task *task)
{
	struct tasklog_task *known = find(tasks, task->task);
	if (!known) {
		*vec_push(&tasks->items) = *task;
		return;
	}
	if (task->began_unix_ms < known->began_unix_ms)
		known->began_unix_ms = task->began_unix_ms;
	known->ended = known->ended && task->ended;
}

void tasklog_tasks_add(struct tasklog_tasks *tasks, const struct tasklog_marks *marks)
{
	struct tasklog_tasks own = { 0 };
	const char *before = NULL;
	for (size_t i = 0; i < marks->items.len; i++) {
		const struct tasklog_mark *m = &marks->items.items[i];
		if (m->task == before && !m->end)
			continue;
		before = m->task;
		struct tasklog_task *task = find(&own, m->task);
		if (!task) {
			task = vec_push(&own.items);
			*task = (struct tasklog_task){ .task = m->task,
						       .began_unix_ms = m->unix_ms };
		}
		task->ended |= m->end;
	}
	for (size_t i = 0; i < own.items.len; i++)
		tasklog_tasks_put(tasks, &own.items.items[i]);
	vec_release(&own.items);
}

static int newest_first(const void *a, const void *b)
{
	const struct tasklog_task *x = a, *y = b;
	if (x->began_unix_ms != y->began_unix_ms)
		return x->began_unix_ms > y->began_unix_ms ? -1 : 1;
	return strcmp(x->task, y->task);
}

void tasklog_tasks_sort(struct tasklog_tasks *tasks)
{
	if (tasks->items.len)
		qsort(tasks->items.items, tasks->items.len, sizeof(*tasks->items.items),
		      newest_first);
}

/* --- pieces ------------------------------------------------------------------------------------
 */

/* A piece of a file from one mark to the next. */
struct piece {
	const char *task; /* NULL: before the first mark */
	int64_t from, to;
	int64_t latest_ms; /* all of it was written by then */
};

static bool wanted(const struct piece *p, const struct tasklog_want *want)
{
	if (p->from >= p->to || p->latest_ms < want->since_unix_ms)
		return false;
	return !want->task || (p->task && strcmp(p->task, want->task) == 0);
}

static void take(struct tasklog_ranges *out, size_t file, const struct piece *p)
{
	size_t n = out->items.len;
	struct tasklog_range *last = n ? &out->items.items[n - 1] : NULL;
	if (last && last->file == file && last->to == p->from)
		last->to = p->to;
	else
		*vec_push(&out->items) =
			(struct tasklog_range){ .file = file, .from = p->from, .to = p->to };
}

static int by_offset(const void *a, const void *b)
{
	const struct tasklog_mark *x = *(const struct tasklog_mark *const *)a,
				  *y = *(const struct tasklog_mark *const *)b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x < y ? -1 : x > y; /* both are of one array: as they were written */
}

static int64_t min_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The piece that begins with marks[i]. */
static struct piece piece_of(const struct tasklog_mark *const *marks, size_t count, size_t i,
			     const struct tasklog_file *file)
{
	const struct tasklog_mark *m = marks[i], *next = i + 1 < count ? marks[i + 1] : NULL;
	struct piece p = { .task = m->end ? NULL : m->task, .from = m->offset };
	p.to = next ? min_of(next->offset, file->size) : file->size;
	p.latest_ms = m->unix_ms + (p.to - p.from < MARK_BYTES ? MARK_LATEST_MS : MARK_MS);
	/* A clock that was set back is no reason to leave anything out. */
	int64_t bound = next ? next->unix_ms : file->changed_unix_ms;
	if (bound >= m->unix_ms)
		p.latest_ms = min_of(p.latest_ms, bound);
	return p;
}

static void select_in(const struct tasklog_file *file, size_t index,
		      const struct tasklog_mark *const *marks, size_t count,
		      const struct tasklog_want *want, struct tasklog_ranges *out)
{
	struct piece first = { .to = count ? min_of(marks[0]->offset, file->size) : file->size,
			       .latest_ms = count ? marks[0]->unix_ms : file->changed_unix_ms };
	if (wanted(&first, want))
		take(out, index, &first);
	for (size_t i = 0; i < count; i++) {
		struct piece p = piece_of(marks, count, i, file);
		if (wanted(&p, want))
			take(out, index, &p);
	}
}

void tasklog_select(const struct tasklog_file *files, size_t count,
		    const struct tasklog_marks *marks, const struct tasklog_want *want,
		    struct tasklog_ranges *out)
{
	const struct tasklog_mark **own =
		xmalloc((marks->items.len + 1) * sizeof(const struct tasklog_mark *));
	for (size_t f = 0; f < count; f++) {
		size_t n = 0;
		for (size_t i = 0; i < marks->items.len; i++)
			if (marks->items.items[i].inode == files[f].inode)
				own[n++] = &marks->items.items[i];
		if (n)
			qsort(own, n, sizeof(const struct tasklog_mark *), by_offset);
		select_in(&files[f], f, own, n, want, out);
	}
	free(own);
}
