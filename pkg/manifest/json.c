/*
 * JSON -> values. jansson judges and decodes the text but keeps no places; members stay in the
 * order of the text and duplicate keys are refused, so one walk over the text beside the decoded
 * tree finds the place of each.
 */
#include "manifest/internal.h"

#include <jansson.h>
#include <string.h>

struct walk {
	const struct input *in;
	const char *p, *end;
	struct pos pos;
	bool failed;
};

static void step(struct walk *w)
{
	if (*w->p == '\n') {
		w->pos.line++;
		w->pos.col = 1;
	} else if (((unsigned char)*w->p & 0xc0) != 0x80) {
		w->pos.col++;
	}
	w->p++;
}

static bool one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* To the next token; the text is valid, so that what is between tokens says nothing. */
static void skip_between(struct walk *w)
{
	while (w->p < w->end && one_of(*w->p, " \t\r\n,:"))
		step(w);
}

static void skip_string(struct walk *w)
{
	for (step(w); w->p < w->end && *w->p != '"'; step(w))
		if (*w->p == '\\')
			step(w);
	step(w);
}

static void skip_word(struct walk *w)
{
	while (w->p < w->end && !one_of(*w->p, " \t\r\n,:]}"))
		step(w);
}

static struct value *build(struct walk *w, const json_t *json, unsigned depth);

static struct value *build_key(struct walk *w, const char *text)
{
	skip_between(w);
	struct value *key = value_new(w->in, VALUE_SCALAR, w->pos);
	key->text = arena_strdup(w->in->scratch, text);
	skip_string(w);
	return key;
}

static void append(struct value *v, struct value ***link, struct value *member)
{
	**link = member;
	*link = &member->next;
	v->count++;
}

static void build_members(struct walk *w, struct value *v, const json_t *json, unsigned depth)
{
	struct value **link = &v->first;
	step(w);
	if (v->kind == VALUE_MAPPING) {
		const char *name;
		json_t *item;
		json_object_foreach((json_t *)json, name, item)
		{
			struct value *key = build_key(w, name);
			struct value *member = build(w, item, depth + 1);
			member->key = key;
			append(v, &link, member);
			if (w->failed)
				return;
		}
	} else {
		for (size_t i = 0; i < json_array_size(json) && !w->failed; i++)
			append(v, &link, build(w, json_array_get(json, i), depth + 1));
	}
	skip_between(w);
	step(w);
}

static struct value *build(struct walk *w, const json_t *json, unsigned depth)
{
	skip_between(w);
	struct value *v = value_new(w->in, VALUE_SCALAR, w->pos);
	if (json_is_object(json) || json_is_array(json)) {
		v->kind = json_is_object(json) ? VALUE_MAPPING : VALUE_SEQUENCE;
		if (depth >= LIMIT_DEPTH) {
			diag_error(w->in->diags, w->in->path, v->pos,
				   "nested deeper than %d levels", LIMIT_DEPTH);
			w->failed = true;
			return v;
		}
		build_members(w, v, json, depth);
		return v;
	}
	const char *begin = w->p;
	v->plain = !json_is_string(json);
	if (v->plain) {
		skip_word(w);
		v->text = arena_strndup(w->in->scratch, begin, (size_t)(w->p - begin));
	} else {
		skip_string(w);
		v->text = arena_strdup(w->in->scratch, json_string_value(json));
	}
	return v;
}

/* jansson quotes the text around a mistake, which may be a secret: only a duplicate key is kept. */
static void report_syntax(const struct input *in, json_error_t *error)
{
	struct pos pos = { (uint32_t)error->line, (uint32_t)error->column };
	char *near = strstr(error->text, " near ");
	if (near && json_error_code(error) != json_error_duplicate_key)
		*near = '\0';
	diag_error(in->diags, in->path, pos, "not valid JSON: %s", error->text);
}

struct value *values_parse_json(struct input *in)
{
	json_error_t error;
	bool mark = in->len >= 3 && memcmp(in->bytes, "\xef\xbb\xbf", 3) == 0;
	struct walk w = { .in = in, .p = in->bytes + (mark ? 3 : 0), .pos = { 1, 1 } };
	w.end = in->bytes + in->len;
	size_t blank = 0;
	while (w.p + blank < w.end && one_of(w.p[blank], " \t\r\n"))
		blank++;
	if (w.p + blank == w.end)
		return NULL; /* an empty file holds no document */
	json_t *json = json_loadb(w.p, (size_t)(w.end - w.p),
				  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	in->cut = !json;
	if (!json) {
		report_syntax(in, &error);
		return NULL;
	}
	struct value *document = build(&w, json, 0);
	json_decref(json);
	in->cut = w.failed;
	return w.failed ? NULL : document;
}
