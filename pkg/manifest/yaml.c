/* YAML -> values, through libyaml's events. */
#include "manifest/internal.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml_reader {
	const struct input *in;
	yaml_parser_t parser;
	yaml_event_t event; /* the present one */
	bool failed;
};

static struct pos pos_of(yaml_mark_t mark)
{
	return (struct pos){ (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

/* What people do to get libyaml's complaints. */
static const struct {
	const char *problem, *text;
} explained[] = {
	{ "found a tab character that violates indentation", "indent with spaces, not with tabs" },
	{ "mapping values are not allowed in this context",
	  "a \":\" is not expected here: check the indentation, or quote a text that contains \": "
	  "\"" },
	{ "did not find expected key",
	  "a key was expected here: check the indentation of this line and of those before it" },
	{ "could not find expected ':'", "a key without \":\" before this place" },
	{ "did not find expected '-' indicator",
	  "a list item (\"- \") was expected here: check the indentation" },
	{ "did not find expected ',' or ']'", "a \",\" or \"]\" was expected here" },
	{ "did not find expected ',' or '}'", "a \",\" or \"}\" was expected here" },
	{ "block sequence entries are not allowed in this context",
	  "a list item (\"- \") is not expected here: check the indentation" },
	{ "did not find expected <document start>",
	  "the document has ended before this line: check the indentation, or separate documents "
	  "by ---" },
};

static const char *explain(const struct yaml_reader *y, size_t offset)
{
	const yaml_parser_t *p = &y->parser;
	char c = offset < y->in->len ? y->in->bytes[offset] : 0;
	if (strcmp(p->problem, "found character that cannot start any token") == 0)
		return c == '\t' ? "indent with spaces, not with tabs"
				 : "a text that begins with this character must be quoted";
	for (size_t i = 0; i < ARRAY_LEN(explained); i++)
		if (strcmp(p->problem, explained[i].problem) == 0)
			return explained[i].text;
	return NULL;
}

/* The byte of a mark: libyaml counts characters. */
static size_t offset_of(const struct input *in, yaml_mark_t mark)
{
	size_t offset = 0, skip = in->len >= 3 && memcmp(in->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	for (offset = skip; offset < in->len && mark.index > 0; mark.index--) {
		offset++;
		while (offset < in->len && ((unsigned char)in->bytes[offset] & 0xc0) == 0x80)
			offset++;
	}
	return offset;
}

static void report_syntax(struct yaml_reader *y)
{
	const yaml_parser_t *p = &y->parser;
	const struct input *in = y->in;
	y->failed = true;
	if (p->error == YAML_READER_ERROR) {
		diag_error(in->diags, in->path, place_of_offset(in, p->problem_offset),
			   "not valid YAML: %s", p->problem);
		return;
	}
	size_t offset = offset_of(in, p->problem_mark);
	bool open =
		p->context && offset == in->len; /* something is not closed: say where it began */
	struct pos pos = pos_of(open ? p->context_mark : p->problem_mark);
	const char *text = open ? "what begins here is not closed" : explain(y, offset);
	if (text)
		diag_error(in->diags, in->path, pos, "not valid YAML: %s", text);
	else
		diag_error(in->diags, in->path, pos, "not valid YAML: %s%s%s", p->problem,
			   p->context ? " " : "", p->context ? p->context : "");
}

static bool next_event(struct yaml_reader *y)
{
	yaml_event_delete(&y->event);
	if (!y->failed && !yaml_parser_parse(&y->parser, &y->event))
		report_syntax(y);
	return !y->failed;
}

static int compare_keys(const void *a, const void *b)
{
	const struct value *x = *(const struct value *const *)a;
	const struct value *y = *(const struct value *const *)b;
	int order = strcmp(x->text, y->text);
	if (!order && x->pos.line != y->pos.line)
		order = x->pos.line < y->pos.line ? -1 : 1;
	return order ? order : (x->pos.col > y->pos.col) - (x->pos.col < y->pos.col);
}

static void check_duplicates(const struct input *in, const struct value *mapping)
{
	if (mapping->count < 2)
		return;
	const struct value **keys = ARENA_ARRAY(in->scratch, const struct value *, mapping->count);
	size_t n = 0;
	for (const struct value *m = mapping->first; m; m = m->next)
		keys[n++] = m->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1]->text, keys[i]->text) == 0)
			diag_error(in->diags, in->path, keys[i]->pos,
				   "\"%s\" is given twice, before on line %u", keys[i]->text,
				   keys[i - 1]->pos.line);
}

static struct value *read_value(struct yaml_reader *y, unsigned depth);

/* The members up to the closing event. */
static void read_members(struct yaml_reader *y, struct value *v, unsigned depth)
{
	struct value **link = &v->first;
	yaml_event_type_t end =
		v->kind == VALUE_MAPPING ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	while (next_event(y) && y->event.type != end) {
		struct value *key = NULL, *member;
		if (v->kind == VALUE_MAPPING) {
			key = read_value(y, depth + 1);
			if (!next_event(y))
				return;
		}
		member = read_value(y, depth + 1);
		if (y->failed)
			return;
		if (key && key->kind != VALUE_SCALAR) {
			if (key->kind != VALUE_BAD)
				diag_error(y->in->diags, y->in->path, key->pos,
					   "a key must be text, not %s", value_kind_text(key));
			continue;
		}
		member->key = key;
		*link = member;
		link = &member->next;
		v->count++;
	}
	if (v->kind == VALUE_MAPPING)
		check_duplicates(y->in, v);
}

/* Anchors and tags are refused: with them a file says other things than it seems to. */
static bool check_properties(struct yaml_reader *y, struct pos pos, const yaml_char_t *anchor,
			     const yaml_char_t *tag)
{
	if (anchor)
		diag_error(y->in->diags, y->in->path, pos,
			   "anchors and aliases are not supported (\"&%s\"): write the value out",
			   (const char *)anchor);
	if (tag)
		diag_error(y->in->diags, y->in->path, pos,
			   "tags are not supported (\"%s\"): types follow from the fields",
			   (const char *)tag);
	return !anchor && !tag;
}

static struct value *read_scalar(struct yaml_reader *y, struct pos pos)
{
	const struct input *in = y->in;
	const char *text = (const char *)y->event.data.scalar.value;
	size_t len = y->event.data.scalar.length;
	struct value *v = value_new(in, VALUE_SCALAR, pos);
	if (!check_properties(y, pos, y->event.data.scalar.anchor, y->event.data.scalar.tag))
		v->kind = VALUE_BAD;
	if (memchr(text, 0, len)) {
		diag_error(in->diags, in->path, pos, "a text must not contain a NUL character");
		v->kind = VALUE_BAD;
	}
	v->plain = y->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	v->text = arena_strndup(in->scratch, text, len);
	return v;
}

static struct value *read_collection(struct yaml_reader *y, struct pos pos, unsigned depth)
{
	bool mapping = y->event.type == YAML_MAPPING_START_EVENT;
	struct value *v = value_new(y->in, mapping ? VALUE_MAPPING : VALUE_SEQUENCE, pos);
	const yaml_char_t *anchor =
		mapping ? y->event.data.mapping_start.anchor : y->event.data.sequence_start.anchor;
	const yaml_char_t *tag =
		mapping ? y->event.data.mapping_start.tag : y->event.data.sequence_start.tag;
	check_properties(y, pos, anchor, tag);
	if (depth >= LIMIT_DEPTH) {
		diag_error(y->in->diags, y->in->path, pos, "nested deeper than %d levels",
			   LIMIT_DEPTH);
		y->failed = true;
		return v;
	}
	read_members(y, v, depth);
	return v;
}

/* The value that begins with the present event; never NULL. */
static struct value *read_value(struct yaml_reader *y, unsigned depth)
{
	struct pos pos = pos_of(y->event.start_mark);
	switch (y->event.type) {
	case YAML_SCALAR_EVENT: return read_scalar(y, pos);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: return read_collection(y, pos, depth);
	case YAML_ALIAS_EVENT:
		diag_error(y->in->diags, y->in->path, pos,
			   "anchors and aliases are not supported (\"*%s\"): write the value out",
			   (const char *)y->event.data.alias.anchor);
		break;
	default: break;
	}
	return value_new(y->in, VALUE_BAD, pos);
}

struct value *values_parse(struct input *in)
{
	struct yaml_reader y = { .in = in };
	struct value *first = NULL, **link = &first;
	if (!yaml_parser_initialize(&y.parser))
		abort(); /* out of memory */
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)in->bytes, in->len);
	while (next_event(&y) && y.event.type != YAML_STREAM_END_EVENT) {
		if (y.event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (!next_event(&y))
			break;
		size_t errors = in->diags->errors;
		struct value *document = read_value(&y, 0);
		document->flawed = in->diags->errors != errors;
		if (y.failed)
			break;
		*link = document;
		link = &document->next;
	}
	in->cut = y.failed;
	yaml_event_delete(&y.event);
	yaml_parser_delete(&y.parser);
	return first;
}
