/* The agent's shell, as cmd/muster-agent has it: the step, the desired and the observed document.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBSERVED_LATE_MS 20
#define AGENT_RELIST_MS	 30000
#define STORE_RETRY_MS	 2000

static void boot_id(const struct machine *m, char out[24])
{
	snprintf(out, 24, "boot-%s-%u", m->name, m->boot);
}

void agent_step_soon(struct sim *sim, struct machine *m)
{
	if (m->alive)
		timer_at(sim, m->index, EV_AGENT_STEP, sim->now_ms);
}

/* --- the desired document -----------------------------------------------------------------------
 */

static void use(struct sim *sim, struct machine *m, struct doc *doc)
{
	doc = doc_ref(doc);
	doc_drop(m->copy);
	m->copy = doc;
	m->highest = doc->desired.number;
	mark(sim, m->index, "goes by", NULL, m->highest);
	oracle_desired(sim, m);
}

static void step(struct sim *sim, struct machine *m);

static bool same_copy(const struct machine *m, const struct doc *doc)
{
	return m->copy && m->copy->len == doc->len &&
	       memcmp(m->copy->bytes, doc->bytes, doc->len) == 0;
}

static void got_desired(struct sim *sim, struct machine *m, struct request *r)
{
	if (!r->ok) {
		agent_store_failed(sim, m);
		return;
	}
	const struct wire_desired *d = r->doc ? doc_desired(r->doc, m->name, NULL) : NULL;
	if (!d || d->number < m->highest || (d->number == m->highest && same_copy(m, r->doc)))
		return;
	if (m->disk_full && draw(sim, 2)) /* our own copy cannot be kept */
		return;
	use(sim, m, r->doc);
	step(sim, m);
}

void agent_desired_look(struct sim *sim, struct machine *m)
{
	char key[KEY_MAX];
	if (m->store_ok && m->claim == CLAIM_HELD)
		request_send(sim,
			     request_new(sim, m->index, R_GET, key_of(key, "desired", m->name)));
}

/* --- the observed document ----------------------------------------------------------------------
 */

static void told_of(const struct wire_observed *o, const char *instance, struct told *told)
{
	*told = (struct told){ .seen = o->seen };
	snprintf(told->instance, sizeof(told->instance), "%s", instance);
	for (uint32_t i = 0; i < o->task_count; i++) {
		const struct wire_task *t = &o->tasks[i];
		struct told_task *of = &told->of[service_index(t->service)];
		if (of->there) { /* the desired target's entry is the first */
			of->old_ready |= t->ready;
			continue;
		}
		*of = (struct told_task){ true, t->ready, t->failed, false, t->target };
	}
}

static struct doc *observed_build(const struct machine *m)
{
	char boot[24];
	boot_id(m, boot);
	struct wire_observed o = { .fleet = FLEET,
				   .node = m->name,
				   .cluster = "default",
				   .instance = m->instance,
				   .boot_id = boot,
				   .session = m->session,
				   .seen = m->seen > m->highest ? m->seen : m->highest,
				   .tasks = m->last.tasks,
				   .task_count = m->last.task_count,
				   .stopped = m->last.stopped,
				   .stopped_count = m->last.stopped_count };
	struct buf bytes = { 0 };
	wire_encode_observed(&o, &bytes);
	struct doc *doc = doc_new(bytes.data, bytes.len);
	doc->has_told = true;
	told_of(&o, m->instance, &doc->told);
	buf_release(&bytes);
	return doc;
}

void agent_observed_put(struct sim *sim, struct machine *m)
{
	bool ours = m->claim == CLAIM_TAKING || m->claim == CLAIM_HELD;
	if (!m->store_ok || !ours)
		return;
	if (m->observed_pending) {
		m->observed_dirty = true;
		return;
	}
	m->observed_dirty = false;
	struct doc *doc = observed_build(m);
	if (m->observed && m->observed->len == doc->len &&
	    memcmp(m->observed->bytes, doc->bytes, doc->len) == 0) {
		doc_drop(doc);
		return;
	}
	doc_drop(m->observed);
	m->observed = doc;
	m->observed_pending = true;
	m->seen_pending = doc->told.seen;
	char key[KEY_MAX];
	struct request *r = request_new(sim, m->index, R_PUT, key_of(key, "observed", m->name));
	r->doc = doc_ref(doc);
	request_send(sim, r);
	mark(sim, m->index, "puts observed", NULL, doc->hash);
}

static void put_done(struct sim *sim, struct machine *m, struct request *r)
{
	m->observed_pending = false;
	if (!r->ok) {
		doc_drop(m->observed);
		m->observed = NULL;
		agent_store_failed(sim, m);
		return;
	}
	bool more = m->seen_pending > m->seen_written;
	if (more)
		m->seen_written = m->seen_pending;
	if (m->observed_dirty)
		agent_observed_put(sim, m);
	if (more)
		agent_step_soon(sim, m);
}

void agent_observed_changed(struct sim *sim, struct machine *m, bool urgent)
{
	if (urgent || m->due_ms[EV_AGENT_OBSERVED] == NEVER)
		timer_at(sim, m->index, EV_AGENT_OBSERVED,
			 sim->now_ms + (urgent ? 0 : OBSERVED_LATE_MS));
}

/* --- the step -----------------------------------------------------------------------------------
 */

static const char *const services[SERVICES] = { "s0", "s1", "s2", "s3" };

static void list_tasks(const struct machine *m, struct node_input *in, struct arena *arena)
{
	struct node_task *tasks = ARENA_ARRAY(arena, struct node_task, m->tasks.len + 1);
	for (size_t i = 0; i < m->tasks.len; i++) {
		const struct task *t = &m->tasks.items[i];
		tasks[in->task_count++] = (struct node_task){
			.id = arena_strdup(arena, t->id), /* tasks move */
			.cluster = "default",
			.service = services[t->service],
			.family = arena_strdup(arena, t->family),
			.revision = t->revision,
			.target = t->target,
			.deployment = arena_strdup(arena, t->deployment),
			.engine = "process",
			.kind = ENGINE_PROCESS,
			.status = t->status,
			.started_at_ms = t->started_ms,
			.stopped_at_ms = t->stopped_ms,
			.earlier_boot = t->earlier_boot,
			.stop_requested = t->stop_requested,
			.health = t->health,
			.health_checked = t->checked,
			.stop_code =
				t->did_not_start && !task_alive(t) ? "TaskFailedToStart" : NULL,
			.reason = t->reason[0] ? arena_strdup(arena, t->reason) : NULL,
		};
	}
	in->tasks = tasks;
}

static void list_prepares(const struct machine *m, struct node_input *in, struct arena *arena)
{
	struct node_prepare *out = ARENA_ARRAY(arena, struct node_prepare, SERVICES);
	for (uint32_t s = 0; s < SERVICES; s++)
		if (m->prepares[s].state != PREPARE_NONE)
			out[in->prepare_count++] =
				(struct node_prepare){ .cluster = "default",
						       .service = services[s],
						       .target = m->prepares[s].target,
						       .state = m->prepares[s].state,
						       .reason = "no such file" };
	in->prepares = out;
}

static void carry_out(struct sim *sim, struct machine *m, const struct node_action *a)
{
	struct task *t = a->id ? engine_find(m, a->id) : NULL;
	sim->effects += a->kind != NODE_REMOVE && a->kind != NODE_CLEAN;
	sim->coverage->actions++;
	switch (a->kind) {
	case NODE_PREPARE: engine_prepare(sim, m, a->task); break;
	case NODE_START: engine_start(sim, m, a->task); break;
	case NODE_STOP:
		if (t)
			engine_stop(sim, m, t, a->reason);
		break;
	case NODE_CLEAN: break;
	case NODE_REMOVE:
		mark(sim, m->index, "remove", a->id, 0);
		if (!t)
			break;
		if (task_alive(t))
			sim_fail(sim, "%s: a task that lives is removed", m->name);
		*t = m->tasks.items[--m->tasks.len];
		break;
	}
}

static void save_memory(struct sim *sim, struct machine *m)
{
	char boot[24];
	if (m->disk_full && draw(sim, 2))
		return;
	boot_id(m, boot);
	if (draw(sim, 4) == 0) { /* by now the earlier one is on disk */
		buf_reset(&m->memory_synced);
		if (m->memory_file.len)
			buf_add(&m->memory_synced, m->memory_file.data, m->memory_file.len);
	}
	buf_reset(&m->memory_file);
	node_memory_save(m->memory, boot, &m->memory_file);
}

/* True: it died between two actions. */
static bool act(struct sim *sim, struct machine *m)
{
	if (m->last.memory_changed)
		save_memory(sim, m);
	for (uint32_t i = 0; i < m->last.action_count; i++) {
		if (chance(sim, sim->chances.agent_dies)) {
			fault_met(sim, F_AGENT_ACTION, m->index);
			agent_kill(sim, m, draw(sim, 3) == 0);
			timer_at(sim, m->index, EV_AGENT_START,
				 sim->now_ms + draw_ms(sim, 10, 20000));
			return true;
		}
		carry_out(sim, m, &m->last.actions[i]);
	}
	return false;
}

static void step(struct sim *sim, struct machine *m)
{
	struct arena arena; /* lives until the next step: reports refer to it */
	arena_init(&arena);
	struct node_input in = { .now_ms = boot_clock(sim, m),
				 .now_unix_ms = UNIX_ZERO_MS + sim->now_ms + m->wall_ms,
				 .desired = m->copy ? &m->copy->desired : NULL,
				 .seen_written = m->seen_written,
				 .tasks_known = { true, true },
				 .disk_full = m->disk_full };
	in.tasks_known[ENGINE_PROCESS] = !m->engine_away;
	list_tasks(m, &in, &arena);
	list_prepares(m, &in, &arena);
	arena_release(&m->report);
	m->report = arena;
	oracle_looks(sim, m);
	node_step(m->memory, &in, &m->report, &m->last);
	m->seen = m->last.seen;
	if (act(sim, m))
		return;
	if (m->last.wake_at_ms == NEVER)
		timer_off(sim, m->index, EV_AGENT_WAKE);
	else
		timer_at(sim, m->index, EV_AGENT_WAKE,
			 sim->now_ms + (m->last.wake_at_ms > in.now_ms
						? m->last.wake_at_ms - in.now_ms
						: 0));
	if (m->last.action_count)
		agent_step_soon(sim, m);
	agent_observed_changed(sim, m, m->seen > m->seen_pending);
}

/* --- life ---------------------------------------------------------------------------------------
 */

void agent_start(struct sim *sim, struct machine *m)
{
	char boot[24];
	if (!m->on || m->alive)
		return;
	boot_id(m, boot);
	m->alive = true;
	m->life++;
	m->link.sent_ms = m->link.answered_ms = 0;
	if (!m->instance[0])
		snprintf(m->instance, sizeof(m->instance), "%016llx%08x%08x",
			 (unsigned long long)sim->seed, m->index, ++m->instances);
	snprintf(m->session, sizeof(m->session), "%024x%08x", m->index, ++m->sessions);
	m->memory = node_memory_new();
	if (m->memory_file.len)
		node_memory_load(m->memory, boot, m->memory_file.data, m->memory_file.len, NULL);
	m->claim = CLAIM_NONE;
	m->silence = (struct node_silence){ 0 };
	m->store_ok = m->registration_pending = m->registration_dirty = false;
	m->observed_pending = m->observed_dirty = false;
	m->highest = m->copy ? m->copy->desired.number : 0;
	m->seen = m->seen_pending = m->seen_written = 0;
	memset(m->prepares, 0, sizeof(m->prepares));
	m->last = (struct node_output){ .wake_at_ms = NEVER };
	mark(sim, m->index, "agent starts", NULL, m->life);
	oracle_desired(sim, m);
	timer_at(sim, m->index, EV_AGENT_REOPEN, sim->now_ms);
	timer_at(sim, m->index, EV_AGENT_BEAT, sim->now_ms);
	agent_step_soon(sim, m);
}

void agent_kill(struct sim *sim, struct machine *m, bool unsynced_lost)
{
	mark(sim, m->index, "agent dies", NULL, unsynced_lost);
	m->alive = false;
	m->life++;
	for (int k = EV_AGENT_START; k <= EV_AGENT_CLAIM; k++)
		timer_off(sim, m->index, (enum event_kind)k);
	node_memory_free(m->memory);
	m->memory = NULL;
	arena_release(&m->report);
	m->last = (struct node_output){ 0 };
	doc_drop(m->record);
	doc_drop(m->observed);
	m->record = m->observed = NULL;
	m->claim = CLAIM_NONE;
	if (!unsynced_lost)
		return;
	oracle_forgot(m);
	buf_reset(&m->memory_file);
	if (m->memory_synced.len)
		buf_add(&m->memory_file, m->memory_synced.data, m->memory_synced.len);
}

static void relist(struct sim *sim, struct machine *m)
{
	char key[KEY_MAX];
	timer_at(sim, m->index, EV_AGENT_RELIST, sim->now_ms + AGENT_RELIST_MS);
	if (!m->store_ok)
		return;
	agent_claim(sim, m);
	if (m->claim != CLAIM_HELD)
		return;
	agent_desired_look(sim, m);
	request_send(sim, request_new(sim, m->index, R_GET, key_of(key, "observed", m->name)));
}

/* The store may have lost it, or went back. */
static void got_observed(struct sim *sim, struct machine *m, struct request *r)
{
	const struct doc *ours = m->observed;
	if (!r->ok) {
		agent_store_failed(sim, m);
		return;
	}
	if (m->observed_pending || !ours ||
	    (r->doc && r->doc->len == ours->len &&
	     memcmp(r->doc->bytes, ours->bytes, ours->len) == 0))
		return;
	doc_drop(m->observed);
	m->observed = NULL;
	agent_observed_put(sim, m);
}

static void opened(struct sim *sim, struct machine *m, struct request *r)
{
	if (!r->ok) {
		agent_store_failed(sim, m);
		return;
	}
	m->store_ok = true;
	timer_off(sim, m->index, EV_AGENT_REOPEN);
	doc_drop(m->observed);
	m->observed = NULL;
	if (m->claim == CLAIM_HELD)
		agent_beat(sim, m);
	agent_observed_put(sim, m);
	relist(sim, m);
}

void agent_event(struct sim *sim, struct machine *m, const struct event *e)
{
	switch ((int)e->kind) {
	case EV_AGENT_START: agent_start(sim, m); break;
	case EV_AGENT_STEP:
	case EV_AGENT_WAKE:
		if (m->claim != CLAIM_LOST)
			step(sim, m);
		break;
	case EV_AGENT_BEAT: agent_beat(sim, m); break;
	case EV_AGENT_OBSERVED: agent_observed_put(sim, m); break;
	case EV_AGENT_RELIST: relist(sim, m); break;
	case EV_AGENT_REOPEN: request_send(sim, request_new(sim, m->index, R_OPEN, "")); break;
	case EV_AGENT_CLAIM: agent_claim(sim, m); break;
	case EV_WATCH: agent_desired_look(sim, m); break;
	default: break;
	}
}

void agent_answer(struct sim *sim, struct machine *m, struct request *r)
{
	switch (r->kind) {
	case R_OPEN: opened(sim, m, r); break;
	case R_PUT: put_done(sim, m, r); break;
	case R_GET:
		if (strncmp(r->key, "desired/", 8) == 0)
			got_desired(sim, m, r);
		else if (strncmp(r->key, "observed/", 9) == 0)
			got_observed(sim, m, r);
		else
			agent_claim_answer(sim, m, r);
		break;
	case R_CAS:
	case R_BEATS: agent_claim_answer(sim, m, r); break;
	case R_LOCK:
	case R_LIST:
	case R_REMOVE: break;
	}
}
