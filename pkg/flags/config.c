/* The configuration file: a YAML mapping of flag names to values. Every scalar is taken as text,
 * as on the command line, so that `node: 007` is the name 007. */
#include "flags/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "fs/fs.h"

struct config {
	const struct flags_spec *spec;
	const struct flag_slots *slots;
	const char *path;
	yaml_document_t *document;
	struct buf *out;
};

static bool config_error(const struct config *config, yaml_mark_t mark, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
static bool config_error(const struct config *config, yaml_mark_t mark, const char *fmt, ...)
{
	va_list args;
	buf_addf(config->out, "%s:%zu:%zu: error: ", config->path, mark.line + 1, mark.column + 1);
	va_start(args, fmt);
	buf_vaddf(config->out, fmt, args);
	va_end(args);
	return false;
}

static bool config_set(const struct config *config, struct flag_slot *slot, const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE)
		return config_error(config, node->start_mark, "'%s' takes text, not a %s",
				    slot->flag->name,
				    node->type == YAML_MAPPING_NODE ? "mapping" : "list");
	const char *value = arena_strndup(config->slots->arena, (char *)node->data.scalar.value,
					  node->data.scalar.length);
	struct buf why = { 0 };
	bool ok =
		slot_set(config->slots, slot, value, ORIGIN_FILE, &why) ||
		config_error(config, node->start_mark, "'%s': %s", slot->flag->name, buf_str(&why));
	buf_release(&why);
	return ok;
}

static bool config_pair(const struct config *config, const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = yaml_document_get_node(config->document, pair->key);
	const yaml_node_t *value = yaml_document_get_node(config->document, pair->value);
	if (key->type != YAML_SCALAR_NODE)
		return config_error(config, key->start_mark, "expected the name of a flag");
	const char *name = (const char *)key->data.scalar.value;
	struct flag_slot *slot = slot_find(config->slots, name, key->data.scalar.length);
	if (!slot && config->spec->config_knows && config->spec->config_knows(name))
		return true;
	if (!slot) {
		config_error(config, key->start_mark, "unknown flag '%s'", name);
		slot_suggest(config->slots, name, "", config->out);
		return false;
	}
	if (slot->flag->kind != FLAG_LIST || value->type != YAML_SEQUENCE_NODE)
		return config_set(config, slot, value);
	for (yaml_node_item_t *it = value->data.sequence.items.start;
	     it < value->data.sequence.items.top; it++)
		if (!config_set(config, slot, yaml_document_get_node(config->document, *it)))
			return false;
	return true;
}

static bool config_mapping(const struct config *config)
{
	const yaml_node_t *root = yaml_document_get_root_node(config->document);
	if (!root) /* an empty file */
		return true;
	if (root->type != YAML_MAPPING_NODE)
		return config_error(config, root->start_mark,
				    "expected a mapping of flags to values");
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
	     pair < root->data.mapping.pairs.top; pair++)
		if (!config_pair(config, pair))
			return false;
	return true;
}

static bool config_parse(struct config *config, const struct buf *bytes)
{
	yaml_parser_t parser;
	yaml_document_t document;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_str(bytes), bytes->len);
	bool ok;
	if (yaml_parser_load(&parser, &document)) {
		config->document = &document;
		ok = config_mapping(config);
		yaml_document_delete(&document);
		config->document = NULL;
	} else {
		ok = config_error(config, parser.problem_mark, "%s",
				  parser.problem ? parser.problem : "cannot be read as YAML");
	}
	yaml_parser_delete(&parser);
	return ok;
}

bool config_read(const struct flags_spec *spec, const struct flag_slots *slots, const char *path,
		 bool must_exist, struct buf *out)
{
	struct config config = { .spec = spec, .slots = slots, .path = path, .out = out };
	struct buf bytes = { 0 };
	struct err err;
	bool ok;
	char *real = realpath(path, NULL); /* people link configuration files; fs follows no link */
	if (fs_read(real ? real : path, CONFIG_MAX_BYTES, &bytes, &err))
		ok = config_parse(&config, &bytes);
	else
		ok = !must_exist && (err.code == ENOENT || err.code == ENOTDIR);
	if (!ok && out->len == 0)
		buf_adds(out, err.text);
	buf_release(&bytes);
	free(real);
	return ok;
}
