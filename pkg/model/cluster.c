/* What a cluster's manifest makes of the task definitions that run in it. */
#include "model/model.h"

#include <string.h>

/* Iterative: after a mismatch the last '*' takes one character more. */
bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;
	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static const struct log_driver_mapping *mapping_of(const struct cluster_manifest *cluster,
						   const struct container_definition *c)
{
	const char *driver = c->log_configuration ? c->log_configuration->log_driver : NULL;
	for (uint32_t i = 0; driver && i < cluster->log_drivers.len; i++)
		if (glob_match(cluster->log_drivers.items[i].match, driver))
			return &cluster->log_drivers.items[i];
	return NULL;
}

static struct task_definition *with_own_containers(const struct task_definition *td,
						   struct arena *arena)
{
	uint32_t count = td->container_definitions.len;
	struct task_definition *copy = ARENA_NEW(arena, struct task_definition);
	*copy = *td;
	copy->container_definitions.items = ARENA_ARRAY(arena, struct container_definition, count);
	memcpy(copy->container_definitions.items, td->container_definitions.items,
	       sizeof(struct container_definition) * count);
	return copy;
}

/* --- secrets ---------------------------------------------------------------------------------- */

#define ASM_SUFFIX_LEN 7 /* "-AbCdEf", which Secrets Manager adds to a name in its ARN */

static bool has_asm_suffix(const char *name, size_t len)
{
	if (len <= ASM_SUFFIX_LEN || name[len - ASM_SUFFIX_LEN] != '-')
		return false;
	for (size_t i = len - ASM_SUFFIX_LEN + 1; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
		      (name[i] >= '0' && name[i] <= '9')))
			return false;
	return true;
}

/* "NAME-AbCdEf:KEY:STAGE:VERSION": the name, and after a dot the key of the JSON in it. */
static const char *asm_name(const char *rest, struct arena *arena)
{
	size_t len = strcspn(rest, ":");
	const char *key = rest[len] ? rest + len + 1 : "";
	size_t key_len = strcspn(key, ":");
	size_t name_len = has_asm_suffix(rest, len) ? len - ASM_SUFFIX_LEN : len;
	return arena_printf(arena, "%.*s%s%.*s", (int)name_len, rest, key_len ? "." : "",
			    (int)key_len, key);
}

const char *secret_name_of(const char *value_from, struct arena *arena)
{
	static const char secret[] = ":secret:", parameter[] = ":parameter/";
	const char *at;
	if (strncmp(value_from, "arn:", 4) == 0 && (at = strstr(value_from, secret)))
		return asm_name(at + strlen(secret), arena);
	if (strncmp(value_from, "arn:", 4) == 0 && (at = strstr(value_from, parameter)))
		return arena_strdup(arena, at + strlen(parameter));
	return arena_strdup(arena, value_from + strspn(value_from, "/"));
}

/* Could it lead out of the directory that it is put into? */
static bool leads_out(const char *name)
{
	for (const char *part = name;; part++) {
		size_t len = strcspn(part, "/");
		if (len == 0 || (len == 1 && part[0] == '.') ||
		    (len == 2 && part[0] == '.' && part[1] == '.'))
			return true;
		part += len;
		if (!*part)
			return false;
	}
}

/* NULL: it stays as it is. */
static const char *mapped_secret(const struct cluster_manifest *cluster, const char *value_from,
				 struct arena *arena)
{
	enum secret_source source = value_from ? secret_source_of(value_from) : SECRET_FILE;
	const struct secret_mapping *m = NULL;
	for (uint32_t i = 0;
	     !m && (source == SECRET_ASM || source == SECRET_SSM) && i < cluster->secrets.len; i++)
		if (glob_match(cluster->secrets.items[i].match, value_from))
			m = &cluster->secrets.items[i];
	if (!m)
		return NULL;
	const char *brace = strstr(m->from, "{name}"), *from = m->from;
	if (!brace)
		return from;
	const char *name = secret_name_of(value_from, arena);
	if (leads_out(name))
		return NULL;
	struct buf CLEANUP(buf_release) place = { 0 };
	for (; (brace = strstr(from, "{name}")); from = brace + strlen("{name}")) {
		buf_add(&place, from, (size_t)(brace - from));
		buf_adds(&place, name);
	}
	buf_adds(&place, from);
	return arena_strdup(arena, buf_str(&place));
}

/* A list of secrets with what is mapped of them; false: nothing is. */
static bool map_secrets(const struct cluster_manifest *cluster, struct key_value_secret **items,
			uint32_t len, struct arena *arena)
{
	struct key_value_secret *copy = NULL;
	for (uint32_t i = 0; i < len; i++) {
		const char *place = mapped_secret(cluster, (*items)[i].value_from, arena);
		if (!place)
			continue;
		if (!copy) {
			copy = ARENA_ARRAY(arena, struct key_value_secret, len);
			memcpy(copy, *items, sizeof(*copy) * len);
		}
		copy[i].value_from = place;
	}
	if (copy)
		*items = copy;
	return copy != NULL;
}

/* --- the task definition ---------------------------------------------------------------------- */

/* The container as the cluster maps it; false: as it is. */
static bool map_container(const struct cluster_manifest *cluster, struct container_definition *c,
			  struct arena *arena)
{
	const struct log_driver_mapping *m = mapping_of(cluster, c);
	bool mapped = map_secrets(cluster, &c->secrets.items, c->secrets.len, arena);
	if (m) {
		struct log_configuration *log = ARENA_NEW(arena, struct log_configuration);
		log->log_driver = m->log_driver;
		log->options = m->options;
		c->log_configuration = log;
		return true;
	}
	if (!c->log_configuration || !c->log_configuration->secret_options.len)
		return mapped;
	struct log_configuration log = *c->log_configuration;
	if (!map_secrets(cluster, &log.secret_options.items, log.secret_options.len, arena))
		return mapped;
	c->log_configuration = ARENA_NEW(arena, struct log_configuration);
	*c->log_configuration = log;
	return true;
}

const struct task_definition *cluster_task_definition(const struct cluster_manifest *cluster,
						      const struct task_definition *td,
						      struct arena *arena)
{
	struct task_definition *mapped = NULL;
	for (uint32_t i = 0; cluster && i < td->container_definitions.len; i++) {
		struct container_definition c = td->container_definitions.items[i];
		if (!map_container(cluster, &c, arena))
			continue;
		if (!mapped)
			mapped = with_own_containers(td, arena);
		mapped->container_definitions.items[i] = c;
	}
	return mapped ? mapped : td;
}
