/* Health checks: when the next one is due, and what its result means. */
#include "lifecycle/internal.h"

#include <string.h>

static int64_t interval_ms(const struct health_check *check)
{
	return seconds_ms(check->interval, DEFAULT_HEALTH_INTERVAL_S);
}

static int64_t timeout_ms(const struct health_check *check)
{
	return seconds_ms(check->timeout, DEFAULT_HEALTH_TIMEOUT_S);
}

struct str_list lifecycle_health_command(const struct health_check *check, struct arena *arena)
{
	static const char *const shell[] = { "/bin/sh", "-c" };
	const struct str_list none = { 0 };
	if (!check || check->command.len == 0 || strcmp(check->command.items[0], "NONE") == 0)
		return none;
	struct str_list words = check->command;
	bool in_shell = strcmp(words.items[0], "CMD-SHELL") == 0;
	if (in_shell || strcmp(words.items[0], "CMD") == 0) {
		words.items++;
		words.len--;
	}
	if (!in_shell || words.len == 0)
		return words.len ? words : none;
	uint32_t before = ARRAY_LEN(shell);
	const char **items = ARENA_ARRAY(arena, const char *, before + words.len);
	memcpy(items, shell, sizeof(shell));
	memcpy(items + before, words.items, words.len * sizeof(*items));
	return (struct str_list){ .items = items, .len = before + words.len, .set = true };
}

bool health_checked(const struct slot *slot)
{
	const struct health_check *check = slot->what ? slot->what->health_check : NULL;
	if (!check || check->command.len == 0)
		return false;
	const char *first = check->command.items[0];
	bool keyword = strcmp(first, "CMD") == 0 || strcmp(first, "CMD-SHELL") == 0;
	return strcmp(first, "NONE") != 0 && check->command.len > (keyword ? 1 : 0);
}

void health_forget(struct slot *slot)
{
	slot->memory->check_given = false;
}

/* The start of the present run: never later than now, whatever the conversion of clocks says. */
static int64_t started_ms(const struct step *step, const struct slot *slot)
{
	int64_t at = slot->now->started_at_ms, now = step->input->now_ms;
	return at > 0 && at < now ? at : now;
}

static void succeeded(struct step *step, struct slot *slot)
{
	slot->memory->check_failures = 0;
	SET(step, slot->memory->health, HEALTH_HEALTHY);
}

/* Within startPeriod a failure does not count; the first success ends that. */
static void failed(struct step *step, struct slot *slot)
{
	const struct health_check *check = slot->what->health_check;
	struct lifecycle_container_memory *m = slot->memory;
	int64_t period_ms = seconds_ms(check->start_period, 0);
	int64_t retries = check->retries.set ? check->retries.value : DEFAULT_HEALTH_RETRIES;
	if (m->health == HEALTH_UNKNOWN && m->check_given_ms < started_ms(step, slot) + period_ms)
		return;
	m->check_failures++;
	if (m->check_failures >= retries)
		SET(step, m->health, HEALTH_UNHEALTHY);
}

static void ended(struct step *step, struct slot *slot)
{
	slot->memory->check_given = false;
	slot->memory->check_at_ms = step->input->now_ms + interval_ms(slot->what->health_check);
}

void health_answer(struct step *step, struct slot *slot, const struct lifecycle_answer *answer)
{
	if (!slot->memory->check_given || !health_checked(slot))
		return; /* of an earlier run, or too late */
	if (answer->ok && answer->exit_code == 0)
		succeeded(step, slot);
	else if (answer->ok)
		failed(step, slot);
	ended(step, slot);
}

static void give(struct step *step, struct slot *slot)
{
	const struct health_check *check = slot->what->health_check;
	int64_t now = step->input->now_ms;
	struct lifecycle_call *call = life_call(step, slot, LIFECYCLE_EXEC_HEALTH);
	call->command = lifecycle_health_command(check, step->arena);
	call->deadline_ms = now + timeout_ms(check);
	slot->memory->check_given = true;
	slot->memory->check_given_ms = now;
	life_wake(step, call->deadline_ms);
}

void health_act(struct step *step, struct slot *slot)
{
	struct lifecycle_container_memory *m = slot->memory;
	int64_t now = step->input->now_ms;
	if (!health_checked(slot) || slot->now->state != CONTAINER_RUNNING)
		return;
	const struct health_check *check = slot->what->health_check;
	/* One whose answer was lost. While it is under way its caller knows when it took too long.
	 */
	if (m->check_given && !slot->now->checking && now >= m->check_given_ms + timeout_ms(check))
		ended(step, slot);
	if (!m->check_at_ms)
		m->check_at_ms = started_ms(step, slot) + interval_ms(check);
	if (m->check_given && slot->now->checking)
		return;
	if (m->check_given)
		life_wake(step, m->check_given_ms + timeout_ms(check));
	else if (now < m->check_at_ms)
		life_wake(step, m->check_at_ms);
	else if (!slot->now->checking && !slot->now->busy)
		give(step, slot);
}
