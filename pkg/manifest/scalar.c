/* Single values: text, numbers with units, booleans, names, expressions. */
#include "manifest/internal.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "expr/expr.h"

/* What is left of text after a decimal number with at most three digits behind the point, which is
 * given in thousandths; NULL where there is no number. */
static const char *parse_thousandths(const char *text, int64_t *thousandths)
{
	int64_t n = 0;
	size_t digits = 0, fraction = 0;
	bool point = false;
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (++digits > 12 || (point && ++fraction > 3))
			return NULL;
		n = n * 10 + (*text - '0');
	}
	for (; fraction < 3; fraction++)
		n *= 10;
	*thousandths = n;
	return digits ? text : NULL;
}

/* A whole number, or one with the unit, which stands for 1024. */
static bool parse_quantity(const char *text, const char *unit, int64_t *out)
{
	int64_t thousandths;
	if (parse_int(text, out))
		return true;
	const char *rest = parse_thousandths(text, &thousandths);
	if (!rest)
		return false;
	while (*rest == ' ')
		rest++;
	if (strcasecmp(rest, unit) != 0 || thousandths * 1024 % 1000 != 0)
		return false;
	*out = thousandths * 1024 / 1000;
	return true;
}

static bool parse_size_mib(const char *text, int64_t *mib)
{
	return parse_quantity(text, "GB", mib);
}

static bool parse_cpu_units(const char *text, int64_t *units)
{
	return parse_quantity(text, "vCPU", units);
}

bool has_placeholder(const char *text)
{
	const char *open = strchr(text, '<');
	return strstr(text, "${") || strstr(text, "$$") || strstr(text, "{{") ||
	       (open && strchr(open, '>'));
}

bool passes_as_placeholder(struct reading *r, const char *field, struct pos pos, const char *text)
{
	if (!r->ecs || !has_placeholder(text))
		return false;
	r->relaxed = true;
	report_warning(r, pos, "\"%s\" holds a placeholder: %s", field, text);
	return true;
}

const char *scalar_text(struct reading *r, const struct field *field, const struct value *v)
{
	if (v->kind == VALUE_SCALAR)
		return v->text;
	if (v->kind != VALUE_BAD)
		report_error(r, v->pos, "\"%s\" must be a single value, not %s", field->name,
			     value_kind_text(v));
	return NULL;
}

bool is_allowed_value(const char *const *values, const char *text)
{
	for (; *values; values++)
		if (strcmp(*values, text) == 0)
			return true;
	return false;
}

static const char *list_values(struct reading *r, const char *const *values)
{
	struct buf list = { 0 };
	for (size_t i = 0; values[i]; i++)
		buf_addf(&list, "%s%s", i == 0 ? "" : values[i + 1] ? ", " : " or ", values[i]);
	const char *text = arena_strdup(r->in.scratch, buf_str(&list));
	buf_release(&list);
	return text;
}

/* A longer list of what may stand in a place helps nobody. */
#define VALUES_LISTED_MAX 16

/* Is text one of the field's values? A deployment tool may not have filled it in yet. */
static void check_values(struct reading *r, const struct field *field, struct pos pos,
			 const char *text)
{
	size_t count = 0;
	if (!field->values || is_allowed_value(field->values, text))
		return;
	while (field->values[count])
		count++;
	if (passes_as_placeholder(r, field->name, pos, text))
		return;
	if (count > VALUES_LISTED_MAX)
		report_error(r, pos, "\"%s\" cannot be \"%s\"%s", field->name, text,
			     did_you_mean(r->in.diags, r->in.scratch, text, field->values, count));
	else if (field->values[1])
		report_error(r, pos, "\"%s\" must be %s, not \"%s\"%s", field->name,
			     list_values(r, field->values), text,
			     did_you_mean(r->in.diags, r->in.scratch, text, field->values, count));
	else
		report_error(r, pos, "\"%s\" must be \"%s\", not \"%s\"", field->name,
			     field->values[0], text);
}

#define ECS_NAME_MAX_LEN 255

static bool ecs_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";
	size_t len = strspn(name, allowed);
	return len > 0 && len <= ECS_NAME_MAX_LEN && !name[len];
}

static void check_name(struct reading *r, const struct field *field, struct pos pos,
		       const char *text)
{
	bool file = field->flags & FIELD_NAME, ecs = field->flags & FIELD_ECS_NAME;
	if ((!file || name_valid(text)) && (!ecs || ecs_name_valid(text)))
		return;
	bool path = strchr(text, '/') || *text == '.';
	if (file || path || !passes_as_placeholder(r, field->name, pos, text))
		report_error(r, pos,
			     "\"%s\" cannot be \"%s\": 1 to %d letters, digits, \"_\"%s and \"-\" "
			     "are a name%s",
			     field->name, text, file ? NAME_MAX_LEN : ECS_NAME_MAX_LEN,
			     ecs ? "" : ", \".\"",
			     file ? ", beginning with a letter, a digit or \"_\"" : "");
}

#define NEGATIONS_SHOWN 16

static void check_expression(struct reading *r, const struct field *field, const struct value *v)
{
	struct expr_error error;
	struct expr_warning negations[NEGATIONS_SHOWN];
	if (!r->intern)
		r->intern = intern_new();
	struct expr *expr = expr_compile(v->text, r->intern, &error);
	if (!expr) {
		report_error(r, place_in_scalar(&r->in, v, error.offset), "%s", error.text);
		return;
	}
	if (field->flags & FIELD_STEADY && expr_is_dynamic(expr))
		report_error(r, v->pos,
			     "task:group, runningTasksCount and agentConnected cannot be asked "
			     "here: their answer would change with the tasks that it replaces");
	uint32_t count = expr_negations_without_exists(expr, negations, NEGATIONS_SHOWN);
	for (uint32_t i = 0; i < count && i < NEGATIONS_SHOWN; i++) {
		const char *name = intern_str(r->intern, negations[i].attribute);
		report_warning(r, place_in_scalar(&r->in, v, negations[i].offset),
			       "this excludes nodes without the attribute \"%s\" as well; to keep "
			       "them write \"attribute:%s !exists or ...\", else \"attribute:%s "
			       "exists and ...\"",
			       name, name, name);
	}
	expr_free(expr);
}

/*
 * Tools that make ECS documents write "" for what is not given. And one of them may still hold a
 * placeholder where something else than text is wanted: the field counts as not given, too.
 */
static bool left_open(struct reading *r, const struct field *field, struct pos pos,
		      const char *text)
{
	bool typed = field->values || field->kind == FIELD_INT || field->kind == FIELD_BOOL;
	if (!r->ecs || !typed || field->flags & FIELD_REQUIRED)
		return false;
	if (!*text)
		return true;
	return (field->kind == FIELD_INT || field->kind == FIELD_BOOL) &&
	       passes_as_placeholder(r, field->name, pos, text);
}

const char *read_string(struct reading *r, const struct field *field, const struct value *v)
{
	const char *text = scalar_text(r, field, v);
	if (!text)
		return NULL;
	bool item = field->kind == FIELD_STRING_LIST || field->kind == FIELD_NAME_LIST;
	if (field->flags & FIELD_REQUIRED && !item && !*text) {
		report_error(r, v->pos, "\"%s\" must not be empty", field->name);
		return NULL;
	}
	if (left_open(r, field, v->pos, text))
		return NULL;
	check_values(r, field, v->pos, text);
	check_name(r, field, v->pos, text);
	if (field->flags & FIELD_EXPRESSION)
		check_expression(r, field, v);
	return arena_strdup(r->arena, text);
}

void read_int(struct reading *r, const struct field *field, const struct value *v,
	      struct opt_int *out)
{
	const char *text = scalar_text(r, field, v);
	int64_t n;
	if (!text || left_open(r, field, v->pos, text))
		return;
	if (field->flags & FIELD_SIZE_MIB    ? !parse_size_mib(text, &n)
	    : field->flags & FIELD_CPU_UNITS ? !parse_cpu_units(text, &n)
					     : !parse_int(text, &n)) {
		report_error(r, v->pos, "\"%s\" must be %s, not \"%s\"", field->name,
			     field->flags & FIELD_SIZE_MIB ? "MiB, as 512, or as \"1 GB\""
			     : field->flags & FIELD_CPU_UNITS
				     ? "CPU units, as 256, or as \"0.25 vCPU\""
				     : "a whole number",
			     text);
		return;
	}
	if (n < field->min || n > field->max) {
		if (field->max == INT64_MAX)
			report_error(r, v->pos, "\"%s\" must be %" PRId64 " or more, not %s",
				     field->name, field->min, text);
		else
			report_error(r, v->pos,
				     "\"%s\" must be between %" PRId64 " and %" PRId64 ", not %s",
				     field->name, field->min, field->max, text);
		return;
	}
	*out = (struct opt_int){ true, n };
}

void read_bool(struct reading *r, const struct field *field, const struct value *v,
	       enum opt_bool *out)
{
	const char *text = scalar_text(r, field, v);
	if (!text || left_open(r, field, v->pos, text))
		return;
	if (strcmp(text, "true") == 0)
		*out = OPT_TRUE;
	else if (strcmp(text, "false") == 0)
		*out = OPT_FALSE;
	else
		report_error(r, v->pos, "\"%s\" must be true or false, not \"%s\"", field->name,
			     text);
}
