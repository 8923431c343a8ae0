/* The fields that say how and when a service's changes reach its nodes. */
#include "model/tables.h"

#include <string.h>

static const struct field step_fields[] = {
	{ STRING_AT(rollout_step, "expression", expression), .flags = FIELD_EXPRESSION,
	  .note = "one of expression, percent and count: reaches all nodes that match as well" },
	{ INTEGER(rollout_step, "percent", percent), RANGE(1, 100),
	  .note = "of the placed nodes, rounded up, those of earlier steps included" },
	{ INTEGER(rollout_step, "count", count), RANGE(1, LIMIT_NODES),
	  .note = "of nodes, those of earlier steps included" },
	{ INTEGER(rollout_step, "bakeSeconds", bake_seconds), RANGE(0, SECONDS_MAX),
	  .note = "default 0: how long it is watched before the next step" },
	{ BOOLEAN(rollout_step, "pause", pause),
	  .note = "after it the roll-out waits for a commit without this pause" },
};
static const struct schema step_schema = SCHEMA(rollout_step, "roll-out step", step_fields);

static const struct field rollout_fields[] = {
	{ OBJECT_LIST(rollout, "steps", steps, step_schema), RANGE(0, LIMIT_ROLLOUT_STEPS),
	  .note = "after the last one follow all other nodes" },
};
const struct schema rollout_schema = SCHEMA(rollout, "roll-out", rollout_fields);

static const struct field window_fields[] = {
	{ STRING_LIST(window, "allow", allow), RANGE(1, 7),
	  .values = VALUES("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
	  .note = "one of allow and deny: days on which it begins. With an allow, changes wait "
		  "at all other times" },
	{ STRING_LIST(window, "deny", deny), RANGE(1, 7),
	  .values = VALUES("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
	  .note = "wins over allow" },
	{ STRING(window, "from", from), .flags = FIELD_REQUIRED, .note = "HH:MM" },
	{ STRING(window, "to", to), .flags = FIELD_REQUIRED,
	  .note = "HH:MM, or 24:00 for the end of the day; before from: on the next day" },
	{ STRING(window, "timeZone", time_zone),
	  .note = "default UTC; a name of IANA's, as Europe/Berlin" },
};
const struct schema window_schema = SCHEMA(window, "window", window_fields);

/* --- what they say ---------------------------------------------------------------------------- */

struct circuit_breaker service_circuit_breaker(const struct daemon_service *service)
{
	const struct deployment_configuration *d = service->deployment_configuration;
	const struct deployment_circuit_breaker *b = d ? d->deployment_circuit_breaker : NULL;
	const struct threshold_configuration *t = b ? b->threshold_configuration : NULL;
	struct circuit_breaker breaker = { .value = DEFAULT_BREAKER_VALUE };
	enum opt_bool given = b ? b->enable : OPT_UNSET;
	breaker.enable = given == OPT_UNSET ? !service->ecs : given == OPT_TRUE;
	if (!breaker.enable)
		return breaker;
	given = b ? b->rollback : OPT_UNSET;
	breaker.rollback = given == OPT_UNSET ? !service->ecs : given == OPT_TRUE;
	breaker.reset_on_healthy_task = !b || b->reset_on_healthy_task != OPT_FALSE;
	if (t && t->type && strcmp(t->type, "COUNT") == 0)
		breaker.type = THRESHOLD_COUNT;
	else if (t && t->type && strcmp(t->type, "UNBOUNDED_PERCENT") == 0)
		breaker.type = THRESHOLD_UNBOUNDED_PERCENT;
	if (t && t->value.set)
		breaker.value = (uint32_t)t->value.value;
	return breaker;
}

#define DAY_MINUTES (24 * 60)

bool window_time_minutes(const char *text, uint32_t *minutes)
{
	if (strlen(text) != strlen("HH:MM") || text[2] != ':')
		return false;
	for (size_t i = 0; i < strlen("HH:MM"); i++)
		if (i != 2 && (text[i] < '0' || text[i] > '9'))
			return false;
	uint32_t hour = (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
	uint32_t minute = (uint32_t)(text[3] - '0') * 10 + (uint32_t)(text[4] - '0');
	*minutes = hour * 60 + minute;
	return minute < 60 && *minutes <= DAY_MINUTES;
}

uint32_t window_days(const struct window *window)
{
	static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
	const struct str_list *days = window->allow.len ? &window->allow : &window->deny;
	uint32_t bits = 0;
	for (uint32_t i = 0; i < days->len; i++)
		for (uint32_t day = 0; day < ARRAY_LEN(names); day++)
			if (strcmp(days->items[i], names[day]) == 0)
				bits |= 1u << day;
	return bits;
}

bool time_zone_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/";
	size_t len = strspn(name, allowed);
	return len > 0 && !name[len] && len <= LIMIT_TIME_ZONE_CHARS && name[0] != '/' &&
	       name[len - 1] != '/' && !strstr(name, "//");
}
