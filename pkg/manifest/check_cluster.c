/* What a Cluster manifest maps: log drivers and secrets of AWS to those of the nodes. */
#include "manifest/internal.h"

#include <string.h>

bool path_leaves(const char *path)
{
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");
		if (len == 0 || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return true;
		at += len;
		if (*at == '/' && !*++at)
			return true;
	}
	return !*path;
}

static bool is_variable(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char digits[] = "0123456789";
	if (!*name || !strchr(letters, *name))
		return false;
	while (*name && (strchr(letters, *name) || strchr(digits, *name)))
		name++;
	return !*name;
}

const char *secret_place_problem(const char *text)
{
	if (strncmp(text, "env:", 4) == 0)
		return is_variable(text + 4) ? NULL
					     : "after env: stands the name of a variable, of "
					       "letters, digits and \"_\"";
	if (strncmp(text, "file:", 5) != 0)
		return "it must be file:/PATH or env:NAME";
	if (text[5] != '/')
		return "the path after file: is not absolute";
	return path_leaves(text + 6) ? "the path after file: has an empty, \".\" or \"..\" part"
				     : NULL;
}

/* "{name}" is all that may stand in braces. */
static const char *braces_problem(const char *text)
{
	for (const char *at = text; (at = strpbrk(at, "{}")); at += strlen("{name}"))
		if (strncmp(at, "{name}", strlen("{name}")) != 0)
			return "only {name} may stand in braces";
	return NULL;
}

void check_cluster(struct reading *r, const struct value *v, const struct cluster_manifest *cluster)
{
	check_windows(r, value_get(v, "windows"), &cluster->windows);
	for (uint32_t i = 0; i < cluster->log_drivers.len; i++) {
		const struct log_driver_mapping *m = &cluster->log_drivers.items[i];
		if (m->log_driver && log_driver_is_aws(m->log_driver))
			report_error(r, m->pos,
				     "logDriver \"%s\" is of AWS: nothing can be mapped to it",
				     m->log_driver);
	}
	for (uint32_t i = 0; i < cluster->secrets.len; i++) {
		const struct secret_mapping *m = &cluster->secrets.items[i];
		const char *why = !m->from ? NULL : secret_place_problem(m->from);
		if (m->from && !why)
			why = braces_problem(m->from);
		if (why)
			report_error(r, m->pos, "from cannot be \"%s\": %s", m->from, why);
	}
}

/* --- what no cluster maps --------------------------------------------------------------------- */

typedef bool (*cluster_maps)(const struct cluster_manifest *cluster, const char *text);

static bool maps_secret(const struct cluster_manifest *cluster, const char *value_from)
{
	for (uint32_t i = 0; i < cluster->secrets.len; i++)
		if (glob_match(cluster->secrets.items[i].match, value_from))
			return true;
	return false;
}

static bool maps_log_driver(const struct cluster_manifest *cluster, const char *driver)
{
	for (uint32_t i = 0; i < cluster->log_drivers.len; i++)
		if (glob_match(cluster->log_drivers.items[i].match, driver))
			return true;
	return false;
}

static bool uses(const struct daemon_service *service, const char *family)
{
	const char *ref = service->task_definition.value;
	size_t len = strlen(family);
	return strncmp(ref, family, len) == 0 && (ref[len] == '\0' || ref[len] == ':');
}

/*
 * Which cluster with a service of the task definition does not map the text, as the middle of a
 * sentence; where no service uses it, any cluster may. NULL: mapped.
 */
static const char *unmapped(struct manifest_tree *tree, const struct manifest_object *td,
			    cluster_maps maps, const char *text)
{
	const char *last = NULL, *first = NULL;
	size_t without = 0;
	for (size_t i = 0; i < tree->service_count; i++) { /* sorted by cluster */
		const struct daemon_service *service = tree->services[i]->daemon_service;
		const char *name = service_cluster(service);
		if ((last && strcmp(last, name) == 0) || !uses(service, td->name))
			continue;
		last = name;
		const struct manifest_object *cluster = manifest_find_cluster(tree, name);
		if (cluster && maps(cluster->cluster, text))
			continue;
		first = first ? first : name;
		without++;
	}
	for (size_t i = 0; i < tree->cluster_count && !last; i++)
		if (maps(tree->clusters[i]->cluster, text))
			return NULL;
	if (!last)
		return "of no Cluster manifest maps it";
	if (without > 1)
		return arena_printf(&tree->arena,
				    "of the clusters \"%s\" and %zu more do not map it", first,
				    without - 1);
	return without ? arena_printf(&tree->arena, "of cluster \"%s\" do not map it", first)
		       : NULL;
}

static void check_secret(struct manifest_tree *tree, const struct manifest_object *td,
			 const struct key_value_secret *secret)
{
	enum secret_source source = secret_source_of(secret->value_from);
	if (source == SECRET_FILE || source == SECRET_ENV)
		return;
	const char *where = unmapped(tree, td, maps_secret, secret->value_from);
	if (where)
		diag_warning(&tree->diags, td->path, secret->pos,
			     "the secret \"%s\" is kept in AWS, and \"secrets\" %s: the task is "
			     "not placed",
			     secret->name, where);
}

static void check_container_mappings(struct manifest_tree *tree, const struct manifest_object *td,
				     const struct container_definition *c)
{
	const struct log_configuration *log = c->log_configuration;
	for (uint32_t i = 0; i < c->secrets.len; i++)
		check_secret(tree, td, &c->secrets.items[i]);
	if (!log)
		return;
	bool aws = log_driver_is_aws(log->log_driver);
	for (uint32_t i = 0; !aws && i < log->secret_options.len; i++)
		check_secret(tree, td, &log->secret_options.items[i]);
	const char *where = aws ? unmapped(tree, td, maps_log_driver, log->log_driver) : NULL;
	if (where)
		diag_warning(&tree->diags, td->path, log->pos,
			     "the log driver \"%s\" is of AWS, and \"logDrivers\" %s: the "
			     "engine's own is used",
			     log->log_driver, where);
}

void check_mappings(struct manifest_tree *tree)
{
	for (size_t i = 0; i < tree->task_definition_count; i++) {
		const struct manifest_object *object = tree->task_definitions[i];
		const struct task_definition *td = object->task_definition;
		for (uint32_t k = 0; k < td->container_definitions.len; k++)
			check_container_mappings(tree, object, &td->container_definitions.items[k]);
	}
}
