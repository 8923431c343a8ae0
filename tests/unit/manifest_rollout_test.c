/*
 * manifest: limits of steps, overrides and windows; what is said of windows that are never open,
 * against a plain oracle over random windows (RANDOM_SEED gives another start).
 */
#include "manifest_world.h"

#include <inttypes.h>

#define SERVICE                                                                                    \
	"apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: a}\nspec:\n"                 \
	"  taskDefinition: x:1\n"

/* --- limits ----------------------------------------------------------------------------------- */

static void check_limit(const char *head, const char *item, int limit, const char *message)
{
	for (int over = 0; over < 2; over++) {
		struct buf text = { 0 };
		buf_addf(&text, SERVICE "%s", head);
		for (int i = 0; i < limit + over; i++)
			buf_addf(&text, item, i + 1);
		struct manifest_file *file = manifest_parse("a.yaml", text.data, text.len);
		struct buf said = diagnose(file);
		if ((strstr(buf_str(&said), message) != NULL) != over ||
		    file->object_count == (size_t)over)
			fail_msg("%d of %s\n%s", limit + over, head, buf_str(&said));
		manifest_file_free(file);
		buf_release(&said);
		buf_release(&text);
	}
}

static void test_limits(void **state)
{
	(void)state;
	check_limit("  rollout:\n    steps:\n", "    - {percent: %d}\n", LIMIT_ROLLOUT_STEPS,
		    "\"steps\" has 21 entries; at most 20 are allowed");
	check_limit("  overrides:\n",
		    "  - {expression: \"attribute:a == %d\", containerOverrides: [{name: a, "
		    "cpu: 1}]}\n",
		    LIMIT_OVERRIDES, "\"overrides\" has 33 entries; at most 32 are allowed");
	check_limit("  windows:\n", "  - {deny: [mon], from: 01:00, to: 02:00} # %d\n",
		    LIMIT_WINDOWS, "\"windows\" has 51 entries; at most 50 are allowed");
	check_limit("  overrides:\n  - expression: attribute:a exists\n    containerOverrides:\n",
		    "    - {name: c%d, cpu: 1}\n", LIMIT_CONTAINERS,
		    "\"containerOverrides\" has 11 entries; at most 10 are allowed");
}

/* --- windows that are never open -------------------------------------------------------------- */

#define DAY 1440

struct random_window {
	bool deny;
	unsigned days; /* bits, not 0 */
	int from, to;  /* to is not from */
};

struct random_list {
	struct random_window items[4];
	int len;
};

struct random_world {
	uint64_t state;
};

static int below(struct random_world *w, int bound)
{
	w->state = w->state * 6364136223846793005u + 1442695040888963407u;
	return (int)((w->state >> 33) % (unsigned)bound);
}

/* Many that touch or fill the week exactly: times of a few values, all days or all but some. */
static struct random_list make_list(struct random_world *w)
{
	static const int times[] = { 0, 1, 600, 601, 1439 };
	struct random_list list = { .len = below(w, 5) };
	for (int i = 0; i < list.len; i++) {
		struct random_window *one = &list.items[i];
		one->deny = below(w, 2);
		one->days = below(w, 3) ? 127 : (unsigned)below(w, 127) + 1;
		one->from = times[below(w, 5)];
		do
			one->to = below(w, 3) ? times[below(w, 5)] : DAY;
		while (one->to == one->from);
	}
	return list;
}

static bool covers(const struct random_window *w, int day, int minute)
{
	int before = (day + 6) % 7;
	if (w->to > w->from)
		return w->days >> day & 1 && minute >= w->from && minute < w->to;
	return (w->days >> day & 1 && minute >= w->from) ||
	       (w->days >> before & 1 && minute < w->to);
}

static bool is_open(const struct random_list *list, int day, int minute)
{
	bool allows = false, allowed = false;
	for (int i = 0; i < list->len; i++) {
		bool in = covers(&list->items[i], day, minute);
		if (list->items[i].deny && in)
			return false;
		allows = allows || !list->items[i].deny;
		allowed = allowed || (!list->items[i].deny && in);
	}
	return !allows || allowed;
}

static bool ever_open(const struct random_list *a, const struct random_list *b)
{
	for (int day = 0; day < 7; day++)
		for (int minute = 0; minute < DAY; minute++)
			if (is_open(a, day, minute) && is_open(b, day, minute))
				return true;
	return false;
}

static void write_windows(struct buf *out, const struct random_list *list)
{
	static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
	buf_adds(out, list->len ? "  windows:\n" : "");
	for (int i = 0; i < list->len; i++) {
		const struct random_window *w = &list->items[i];
		const char *comma = "";
		buf_addf(out, "  - {from: %02d:%02d, to: %02d:%02d, %s: [", w->from / 60,
			 w->from % 60, w->to / 60, w->to % 60, w->deny ? "deny" : "allow");
		for (int day = 0; day < 7; day++)
			if (w->days >> day & 1) {
				buf_addf(out, "%s%s", comma, names[day]);
				comma = ", ";
			}
		buf_adds(out, "]}\n");
	}
}

#define WORLDS 600

static void test_never_open(void **state)
{
	(void)state;
	static const struct random_list none = { .len = 0 };
	const char *given = getenv("RANDOM_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : 1;
	int closed = 0, apart = 0;
	for (uint64_t seed = first; seed < first + WORLDS; seed++) {
		struct random_world w = { seed * 0x9e3779b97f4a7c15u };
		struct random_list own = make_list(&w), cluster = make_list(&w);
		bool own_open = ever_open(&own, &none), cluster_open = ever_open(&cluster, &none);
		bool together = ever_open(&own, &cluster);
		struct buf text = { 0 };
		buf_adds(&text, SERVICE);
		write_windows(&text, &own);
		buf_adds(&text, "---\napiVersion: muster/v1\nkind: Cluster\n"
				"metadata: {name: default}\nspec:\n");
		write_windows(&text, &cluster);
		struct manifest_file *file = manifest_parse("a.yaml", text.data, text.len);
		struct buf said = diagnose(file);
		bool parted = strstr(buf_str(&said), "never open together") != NULL;
		size_t alone = file->diags.warnings;
		if (file->diags.errors || alone != (size_t)!own_open + !cluster_open ||
		    parted != (own_open && cluster_open && !together))
			fail_msg("seed %" PRIu64 "\n%s%s", seed, buf_str(&text), buf_str(&said));
		closed += !own_open;
		apart += parted;
		manifest_file_free(file);
		buf_release(&said);
		buf_release(&text);
	}
	/* Or nothing was tried. */
	assert_true(given || (closed > 20 && apart > 20 && closed < WORLDS / 2));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_never_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
