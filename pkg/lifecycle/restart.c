/* When is a container that exited started again in place? */
#include "lifecycle/internal.h"

static bool ignored(const struct restart_policy *policy, int exit_code)
{
	for (uint32_t i = 0; i < policy->ignored_exit_codes.len; i++) {
		int64_t code;
		if (parse_int(policy->ignored_exit_codes.items[i], &code) && code == exit_code)
			return true;
	}
	return false;
}

bool lifecycle_should_restart(const struct restart_policy *policy, bool stopping,
			      bool has_exit_code, int exit_code, int64_t ran_ms,
			      struct arena *arena, const char **why_not)
{
	*why_not = NULL;
	if (!policy || policy->enabled != OPT_TRUE) {
		*why_not = "restart policy is not enabled";
		return false;
	}
	int64_t period_ms = seconds_ms(policy->restart_attempt_period, DEFAULT_RESTART_PERIOD_S);
	if (stopping)
		*why_not = "container's desired status is stopped";
	else if (!has_exit_code)
		*why_not = "exit code is nil";
	else if (ignored(policy, exit_code))
		*why_not = arena_printf(arena, "exit code %d should be ignored", exit_code);
	else if (ran_ms < period_ms)
		*why_not = "attempt reset period has not elapsed";
	return !*why_not;
}
