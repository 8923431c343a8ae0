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

static bool secret_is_mapped(const struct manifest_tree *tree, const char *value_from)
{
	for (size_t i = 0; i < tree->cluster_count; i++)
		for (uint32_t k = 0; k < tree->clusters[i]->cluster->secrets.len; k++)
			if (glob_match(tree->clusters[i]->cluster->secrets.items[k].match,
				       value_from))
				return true;
	return false;
}

static bool log_driver_is_mapped(const struct manifest_tree *tree, const char *driver)
{
	for (size_t i = 0; i < tree->cluster_count; i++)
		for (uint32_t k = 0; k < tree->clusters[i]->cluster->log_drivers.len; k++)
			if (glob_match(tree->clusters[i]->cluster->log_drivers.items[k].match,
				       driver))
				return true;
	return false;
}

static void check_secret(struct manifest_tree *tree, const char *path,
			 const struct key_value_secret *secret)
{
	enum secret_source source = secret_source_of(secret->value_from);
	if (source == SECRET_FILE || source == SECRET_ENV ||
	    secret_is_mapped(tree, secret->value_from))
		return;
	diag_warning(
		&tree->diags, path, secret->pos,
		"the secret \"%s\" is kept in AWS, and \"secrets\" of no Cluster manifest maps "
		"it: the task is not placed",
		secret->name);
}

static void check_container_mappings(struct manifest_tree *tree, const char *path,
				     const struct container_definition *c)
{
	const struct log_configuration *log = c->log_configuration;
	for (uint32_t i = 0; i < c->secrets.len; i++)
		check_secret(tree, path, &c->secrets.items[i]);
	if (!log)
		return;
	bool aws = log_driver_is_aws(log->log_driver);
	for (uint32_t i = 0; !aws && i < log->secret_options.len; i++)
		check_secret(tree, path, &log->secret_options.items[i]);
	if (aws && !log_driver_is_mapped(tree, log->log_driver))
		diag_warning(&tree->diags, path, log->pos,
			     "the log driver \"%s\" is of AWS, and \"logDrivers\" of no Cluster "
			     "manifest maps it: the engine's own is used",
			     log->log_driver);
}

void check_mappings(struct manifest_tree *tree)
{
	for (size_t i = 0; i < tree->task_definition_count; i++) {
		const struct task_definition *td = tree->task_definitions[i]->task_definition;
		for (uint32_t k = 0; k < td->container_definitions.len; k++)
			check_container_mappings(tree, tree->task_definitions[i]->path,
						 &td->container_definitions.items[k]);
	}
}
