#include "report/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* --- YAML ------------------------------------------------------------------------------------ */

/* Would a plain scalar be read as something else than text, by YAML 1.1 or 1.2? What begins like a
 * number or a date counts, where it is one word. */
static bool looks_typed(const char *s, size_t len)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on",
					     "off",  "y",    "n",     "~",   "<<", "=" };
	if (len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return strchr("0123456789+-.", *s) && !memchr(s, ' ', len);
}

static int write_bytes(void *out, unsigned char *bytes, size_t len)
{
	buf_add(out, bytes, len);
	return 1;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
	int ok = yaml_emitter_emit(emitter, event);
	assert(ok); /* our own documents only: nothing of the user's can make it fail */
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, size_t len, bool is_text)
{
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
	if (is_text && looks_typed(text, len))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	else if (is_text && memchr(text, '\n', len))
		style = YAML_LITERAL_SCALAR_STYLE;
	yaml_event_t event;
	yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, 1, 1,
				     style);
	emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const json_t *value);

static void emit_object(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;
	bool empty = json_object_size(value) == 0;
	yaml_mapping_start_event_initialize(
		&event, NULL, NULL, 1, empty ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
	emit(emitter, &event);
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)value, key, member)
	{
		emit_scalar(emitter, key, strlen(key), true);
		emit_value(emitter, member);
	}
	yaml_mapping_end_event_initialize(&event);
	emit(emitter, &event);
}

static void emit_array(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;
	bool empty = json_array_size(value) == 0;
	yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
					     empty ? YAML_FLOW_SEQUENCE_STYLE
						   : YAML_BLOCK_SEQUENCE_STYLE);
	emit(emitter, &event);
	size_t i;
	json_t *item;
	json_array_foreach(value, i, item) emit_value(emitter, item);
	yaml_sequence_end_event_initialize(&event);
	emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	char text[64];
	switch (json_typeof(value)) {
	case JSON_OBJECT: emit_object(emitter, value); return;
	case JSON_ARRAY: emit_array(emitter, value); return;
	case JSON_STRING:
		emit_scalar(emitter, json_string_value(value), json_string_length(value), true);
		return;
	case JSON_INTEGER:
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL: snprintf(text, sizeof(text), "%.17g", json_real_value(value)); break;
	case JSON_TRUE: strcpy(text, "true"); break;
	case JSON_FALSE: strcpy(text, "false"); break;
	case JSON_NULL: strcpy(text, "null"); break;
	}
	emit_scalar(emitter, text, strlen(text), false);
}

void report_yaml(const json_t *value, struct buf *out)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	if (!yaml_emitter_initialize(&emitter))
		abort();
	yaml_emitter_set_output(&emitter, write_bytes, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1); /* never folded: one line of a file, one fact */
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	emit(&emitter, &event);
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	emit(&emitter, &event);
	emit_value(&emitter, value);
	yaml_document_end_event_initialize(&event, 1);
	emit(&emitter, &event);
	yaml_stream_end_event_initialize(&event);
	emit(&emitter, &event);
	yaml_emitter_delete(&emitter);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static int add_bytes(const char *bytes, size_t len, void *out)
{
	buf_add(out, bytes, len);
	return 0;
}

static void dump(const json_t *value, size_t flags, struct buf *out)
{
	int failed = json_dump_callback(value, add_bytes, out, flags | JSON_ENCODE_ANY);
	assert(!failed);
	buf_addc(out, '\n');
}

void report_json(const json_t *value, struct buf *out)
{
	dump(value, JSON_INDENT(2), out);
}

void report_json_line(const json_t *value, struct buf *out)
{
	dump(value, JSON_COMPACT, out);
}
