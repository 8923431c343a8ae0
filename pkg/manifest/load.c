/* Values -> jansson, for files that no field table describes. */
#include "manifest/internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(const char *text, const char *lower, const char *title, const char *upper)
{
	return strcmp(text, lower) == 0 || strcmp(text, title) == 0 || strcmp(text, upper) == 0;
}

/* [-+]? digits [. digits] [exponent], with a digit before or after the point. */
static bool looks_real(const char *text)
{
	size_t n = *text == '-' || *text == '+';
	size_t whole = strspn(text + n, "0123456789");
	n += whole;
	size_t fraction = text[n] == '.' ? strspn(text + n + 1, "0123456789") : 0;
	n += text[n] == '.' ? 1 + fraction : 0;
	if (whole + fraction == 0)
		return false;
	if (text[n] == 'e' || text[n] == 'E') {
		n += text[n + 1] == '-' || text[n + 1] == '+' ? 2 : 1;
		size_t digits = strspn(text + n, "0123456789");
		if (!digits)
			return false;
		n += digits;
	}
	return !text[n];
}

/* A number in base 8 or 16, of YAML's core schema. */
static bool based_number(const char *text, int64_t *out)
{
	const char *digits = text + 2;
	bool hex = text[0] == '0' && text[1] == 'x', octal = text[0] == '0' && text[1] == 'o';
	size_t len = hex     ? strspn(digits, "0123456789abcdefABCDEF")
		     : octal ? strspn(digits, "01234567")
			     : 0;
	if (!len || len > (hex ? 15 : 20) || digits[len])
		return false;
	*out = (int64_t)strtoull(digits, NULL, hex ? 16 : 8);
	return true;
}

/* A plain scalar by YAML's core schema. */
static json_t *typed(const char *text)
{
	int64_t number;
	if (is_word(text, "true", "True", "TRUE"))
		return json_true();
	if (is_word(text, "false", "False", "FALSE"))
		return json_false();
	if (parse_int(*text == '+' ? text + 1 : text, &number) && strncmp(text, "+-", 2) != 0)
		return json_integer(number);
	if (based_number(text, &number))
		return json_integer(number);
	json_t *real = looks_real(text) ? json_real(strtod(text, NULL)) : NULL;
	return real ? real : json_string(text);
}

static json_t *to_json(const struct value *v)
{
	json_t *json;
	switch (v->kind) {
	case VALUE_SCALAR:
		if (value_is_null(v))
			return json_null();
		return v->plain ? typed(v->text) : json_string(v->text);
	case VALUE_SEQUENCE:
		json = json_array();
		for (const struct value *m = v->first; m; m = m->next)
			json_array_append_new(json, to_json(m));
		return json;
	case VALUE_MAPPING:
		json = json_object();
		for (const struct value *m = v->first; m; m = m->next)
			json_object_set_new(json, m->key->text, to_json(m));
		return json;
	case VALUE_BAD: break;
	}
	return json_null();
}

json_t *manifest_load_value(const char *path, const void *bytes, size_t len,
			    struct diag_list *diags)
{
	struct arena scratch = { 0 };
	struct input in = {
		.path = path, .bytes = bytes, .len = len, .scratch = &scratch, .diags = diags
	};
	size_t errors = diags->errors;
	json_t *json = NULL;
	struct value *document = values_of(&in, path_is_json(path));
	if (document && document->next)
		diag_error(diags, path, document->next->pos, "more than one document");
	if (diags->errors == errors)
		json = document ? to_json(document) : json_null();
	arena_release(&scratch);
	return json;
}
