/* One word for a service or node: what matters most of its conditions. */
#include "report/internal.h"

#include <string.h>

/* In this order; the first that holds speaks, by its word or by its reason. */
static const struct {
	const char *type, *status, *reason, *word; /* NULL: any; of the word: the reason */
} rows[] = {
	{ "Stalled", "True", NULL, NULL },
	{ "Progressing", NULL, "RollingBack", NULL },
	{ "Progressing", NULL, "RolledBack", NULL },
	{ "Progressing", NULL, "DeploymentFailed", NULL },
	{ "Held", "True", "MassChange", "Held" },
	{ "Held", "True", "WindowClosed", "Held" },
	{ "Degraded", "True", NULL, NULL },
	{ "Lagging", "True", NULL, NULL },
	{ "Progressing", "True", NULL, NULL },
	{ "Held", "True", NULL, NULL }, /* the commit is, whatever the service */
	{ "Ready", NULL, "AllTasksReady", "Ready" },
	{ "Ready", NULL, NULL, NULL },
};

static bool is(const json_t *object, const char *key, const char *want)
{
	const char *text = get_text(object, key);
	return !want || (text && strcmp(text, want) == 0);
}

const char *report_state_word(const json_t *doc)
{
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		size_t i;
		json_t *c;
		json_array_foreach(json_object_get(doc, "conditions"), i, c)
		{
			if (is(c, "type", rows[r].type) && is(c, "status", rows[r].status) &&
			    is(c, "reason", rows[r].reason))
				return rows[r].word ? rows[r].word : get_text(c, "reason");
		}
	}
	return NULL;
}
