/* The agent's name, as cmd/muster-agent/register.c goes about it. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#define BEAT_MS	       10000
#define EARLY_BEAT_MS  1000
#define STORE_RETRY_MS 2000

void agent_store_failed(struct sim *sim, struct machine *m)
{
	m->store_ok = false;
	if (m->claim == CLAIM_WAITING || m->claim == CLAIM_TAKING)
		m->claim = CLAIM_NONE;
	m->silence = (struct node_silence){ 0 };
	timer_off(sim, m->index, EV_AGENT_CLAIM);
	timer_at(sim, m->index, EV_AGENT_REOPEN, sim->now_ms + STORE_RETRY_MS);
	mark(sim, m->index, "store failed", NULL, 0);
	agent_observed_changed(sim, m, false);
}

/* It has no answer to wait for but a failure. */
void agent_beat(struct sim *sim, struct machine *m)
{
	timer_at(sim, m->index, EV_AGENT_BEAT,
		 sim->now_ms + BEAT_MS - BEAT_MS / 5 + draw_ms(sim, 0, 2 * BEAT_MS / 5));
	if (!m->store_ok || m->claim != CLAIM_HELD)
		return;
	if (m->link.cut || sim->store.down) {
		agent_store_failed(sim, m);
		return;
	}
	sim->store.beats[m->index]++;
}

static struct doc *registration(const struct machine *m)
{
	static struct wire_engine engine = { .kind = ENGINE_PROCESS, .name = "process" };
	static struct str_pair env = { .name = "env", .value = "prod" };
	static const char *surge = CAPABILITY_SURGE;
	char boot[24];
	snprintf(boot, sizeof(boot), "boot-%s-%u", m->name, m->boot);
	struct wire_registration r = { .fleet = FLEET,
				       .node = m->name,
				       .cluster = "default",
				       .instance = m->instance,
				       .boot_id = boot,
				       .session = m->session,
				       .agent_version = "1",
				       .registered_at_ms = UNIX_ZERO_MS,
				       .wire_min = WIRE_VERSION_MIN,
				       .wire_max = WIRE_VERSION,
				       .engines = &engine,
				       .engine_count = 1,
				       .attributes = { &env, m->prod, true },
				       .capabilities = { &surge, 1, true },
				       .cpu_units = 4096,
				       .memory_mib = 4096 };
	struct buf bytes = { 0 };
	wire_encode_registration(&r, &bytes);
	struct doc *doc = doc_new(bytes.data, bytes.len);
	doc->has_told = true;
	snprintf(doc->told.instance, sizeof(doc->told.instance), "%s", m->instance);
	snprintf(doc->told.session, sizeof(doc->told.session), "%s", m->session);
	buf_release(&bytes);
	return doc;
}

static void swap_record(struct sim *sim, struct machine *m)
{
	char key[KEY_MAX];
	struct request *r = request_new(sim, m->index, R_CAS, key_of(key, "nodes", m->name));
	m->registration_pending = true;
	m->registration_dirty = false;
	r->old = m->record; /* its reference too */
	m->record = registration(m);
	r->doc = doc_ref(m->record);
	request_send(sim, r);
	sim->effects++;
	mark(sim, m->index, "registers", NULL, m->record->hash);
}

void agent_register(struct sim *sim, struct machine *m)
{
	if (m->claim != CLAIM_HELD)
		return;
	if (m->registration_pending || !m->store_ok) {
		m->registration_dirty = true;
		return;
	}
	struct doc *now = registration(m);
	bool same = m->record && m->record->len == now->len &&
		    memcmp(m->record->bytes, now->bytes, now->len) == 0;
	doc_drop(now);
	if (!same)
		swap_record(sim, m);
}

static bool may_claim(const struct machine *m)
{
	return !m->registration_pending && m->claim != CLAIM_LOST;
}

void agent_claim(struct sim *sim, struct machine *m)
{
	char key[KEY_MAX];
	if (may_claim(m))
		request_send(sim, request_new(sim, m->index, R_GET, key_of(key, "nodes", m->name)));
}

static void registered(struct sim *sim, struct machine *m, const struct request *r)
{
	m->registration_pending = false;
	if (!r->ok) {
		doc_drop(m->record);
		m->record = NULL;
		m->registration_dirty = true;
		agent_store_failed(sim, m);
		return;
	}
	if (!r->swapped) {
		m->registration_dirty = true;
		if (m->claim != CLAIM_HELD)
			m->claim = CLAIM_NONE;
		agent_claim(sim, m);
		return;
	}
	bool first = m->claim != CLAIM_HELD;
	m->claim = CLAIM_HELD;
	agent_beat(sim, m);
	if (first)
		timer_at(sim, m->index, EV_AGENT_BEAT, sim->now_ms + EARLY_BEAT_MS);
	agent_desired_look(sim, m);
	agent_observed_changed(sim, m, true);
	agent_register(sim, m);
}

static void take_name(struct sim *sim, struct machine *m, bool after_silence)
{
	bool ours = m->holder == NODE_HOLDER_US || m->holder == NODE_HOLDER_OTHER_SESSION;
	if (after_silence) {
		m->claim = CLAIM_NONE;
	} else if (m->claim != CLAIM_HELD && (ours || m->highest > 0)) {
		m->claim = CLAIM_TAKING;
		agent_observed_put(sim, m);
	}
	swap_record(sim, m);
}

/* The store went back to a record of before: it takes this agent for the second of its name, which
 * ends, and is started again by its service manager. */
static void lose_name(struct sim *sim, struct machine *m, const char *why)
{
	mark(sim, m->index, "loses its name", why, 0);
	if (!sim->store.lost[m->index])
		sim_fail(sim, "%s loses its name: %s", m->name, why);
	sim->store.seconds[m->index]++;
	agent_kill(sim, m, false);
	timer_at(sim, m->index, EV_AGENT_START, sim->now_ms + 5000);
}

static void decide(struct sim *sim, struct machine *m, bool heard, uint64_t beat)
{
	const char *why = NULL;
	const struct node_claim_input input = {
		.held = m->claim == CLAIM_HELD,
		.holder = m->holder,
		.record =
			m->record ? digest_of(m->record->bytes, m->record->len) : digest_of("", 0),
		.heard = heard,
		.beat = beat,
		.now_ms = boot_clock(sim, m),
	};
	switch (node_claim(&m->silence, &input, &why)) {
	case NODE_CLAIM_KEEP:
		if (m->claim != CLAIM_HELD) {
			m->claim = CLAIM_HELD;
			agent_step_soon(sim, m);
		} else { /* the store may have gone back to an earlier one of ours */
			agent_register(sim, m);
		}
		break;
	case NODE_CLAIM_TAKE: take_name(sim, m, heard); break;
	case NODE_CLAIM_LISTEN:
		request_send(sim, request_new(sim, m->index, R_BEATS, "alive/"));
		break;
	case NODE_CLAIM_WAIT:
		m->claim = CLAIM_WAITING;
		timer_at(sim, m->index, EV_AGENT_CLAIM, sim->now_ms + NODE_CLAIM_LOOK_MS);
		break;
	case NODE_CLAIM_CONFLICT: lose_name(sim, m, why); break;
	}
}

static void claim_read(struct sim *sim, struct machine *m, const struct request *r)
{
	char boot[24];
	struct arena scratch;
	if (!may_claim(m))
		return;
	doc_drop(m->record);
	m->record = doc_ref(r->doc);
	arena_init(&scratch);
	struct wire_registration record = { 0 };
	bool read = r->doc && wire_decode_registration(r->doc->bytes, r->doc->len, FLEET, m->name,
						       &scratch, &record, NULL) == WIRE_OK;
	snprintf(boot, sizeof(boot), "boot-%s-%u", m->name, m->boot);
	const struct wire_registration us = { .instance = m->instance,
					      .boot_id = boot,
					      .session = m->session };
	m->holder = node_holder_of(&us, r->doc != NULL, read ? &record : NULL);
	arena_release(&scratch);
	decide(sim, m, false, 0);
}

void agent_claim_answer(struct sim *sim, struct machine *m, struct request *r)
{
	if (r->kind == R_CAS)
		registered(sim, m, r);
	else if (!r->ok)
		agent_store_failed(sim, m);
	else if (r->kind == R_GET)
		claim_read(sim, m, r);
	else if (may_claim(m) && m->claim != CLAIM_HELD)
		decide(sim, m, true, r->beats[m->index]);
}
