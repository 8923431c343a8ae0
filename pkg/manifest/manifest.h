/*
 * manifest: YAML or JSON bytes -> model + diagnostics; model -> YAML.
 *
 * Two steps, so that only what changed is read again: manifest_parse() reads one file by itself;
 * manifest_tree_build() puts parsed files together and checks what holds between them. Validity is
 * a function of the files' paths and bytes alone.
 *
 * Read: the kinds of muster/v1 (TaskDefinition, DaemonService, Node, Cluster), several documents a
 * file, and bare ECS documents: {family, containerDefinitions, ...} and the input of create-service
 * with schedulingStrategy DAEMON; as ECS answers them, too: {taskDefinition: {...}}, {services:
 * [...]}, ...; and a list of any of these. What is done with each field: manifests/FIELDS.md.
 * Refused: aliases and anchors, duplicate keys, tags, what is over the limits (LIMIT_FILE_BYTES,
 * LIMIT_DEPTH), bytes that are not UTF-8. Types come from the schema, never guessed. null is
 * absent. Unknown fields are errors in muster documents (with a suggestion), warnings in ECS ones.
 *
 * Who owns what: a manifest_file owns its objects and diagnostics; a tree borrows from its files,
 * which must outlive it.
 */
#ifndef MUSTER_MANIFEST_H
#define MUSTER_MANIFEST_H

#include "diag/diag.h"
#include "model/model.h"

enum manifest_kind {
	MANIFEST_TASK_DEFINITION,
	MANIFEST_DAEMON_SERVICE,
	MANIFEST_NODE,
	MANIFEST_CLUSTER,
	MANIFEST_KIND_COUNT
};
const char *manifest_kind_name(enum manifest_kind kind); /* "TaskDefinition" */

struct manifest_object {
	enum manifest_kind kind;
	const char *path;
	struct pos pos;
	const char *name; /* metadata.name, family, serviceName */
	bool ecs;	  /* a bare ECS document */
	/* A task definition with what is an error in a muster document and a warning in an ECS one:
	 * placeholders, and what engines refuse by themselves. It is printed with the annotation
	 * "muster/compatibility: ecs", which has it read as an ECS document is. */
	bool relaxed;
	union {
		const struct task_definition *task_definition;
		const struct daemon_service *daemon_service;
		const struct node_manifest *node;
		const struct cluster_manifest *cluster;
	};
	struct digest digest; /* TASK_DEFINITION: task_definition_digest() */
};

struct manifest_file {
	struct arena arena;
	const char *path;
	struct manifest_object *objects; /* in order of the file; those with errors are left out */
	size_t object_count;
	/* Those: kind and name, MANIFEST_KIND_COUNT and NULL where they are not known. What refers
	 * to them is no mistake of its own. */
	struct manifest_object *broken;
	size_t broken_count;
	struct diag_list diags;
};

/* Read one file. Never fails: what is wrong is in ->diags. Free with manifest_file_free(). */
struct manifest_file *manifest_parse(const char *path, const void *bytes, size_t len);
/* The same, whatever the path: JSON where it begins as JSON does. */
struct manifest_file *manifest_import(const char *path, const void *bytes, size_t len);
/* A file that could not be read at all (too large, ...), as a file with that one error. */
struct manifest_file *manifest_unreadable(const char *path, const char *why);
void manifest_file_free(struct manifest_file *file);

struct manifest_tree {
	struct arena arena;
	/* Sorted: task definitions by family, services by (cluster, name), nodes and clusters by
	 * name. */
	const struct manifest_object **task_definitions, **services, **nodes, **clusters;
	size_t task_definition_count, service_count, node_count, cluster_count;
	struct diag_list diags; /* sorted: all files' and those between files */
	bool valid;		/* no errors */
	bool forgotten; /* bytes of a file that is named are DATA_FORGOTTEN: an error, too */
};

/*
 * The other files of the repository, which task definitions name in `files` and environmentFiles.
 * find() gives bytes that live as long as the call to manifest_tree_build().
 */
enum manifest_data_answer {
	DATA_ABSENT,
	DATA_FOUND,
	DATA_TOO_LARGE, /* more than LIMIT_TASK_FILES_BYTES */
	DATA_FORGOTTEN, /* it is there, and its bytes are not at hand */
};
struct manifest_data {
	enum manifest_data_answer (*find)(void *arg, const char *path, const void **bytes,
					  size_t *len);
	void *arg;
};

/*
 * Put files together. Checked between files: one definition of a name (families; services a
 * cluster; nodes; clusters), the family of each service's task definition exists (a "family:N" pin
 * need not), dependsOn names services of the same cluster without a cycle, LIMIT_CONSTRAINTS over
 * service and task definition, surge with static host ports, LIMIT_SERVICES, LIMIT_NODES, and that
 * the files that task definitions name are there and within LIMIT_TASK_FILES_BYTES a task. Their
 * content is filled into the tree's task definitions, and is part of their digest. data NULL: there
 * are no other files. Warnings: log drivers and secrets of AWS that the Cluster
 * manifests of the services that use them do not map (without such services: none maps).
 */
struct manifest_tree *manifest_tree_build(struct manifest_file *const *files, size_t count,
					  const struct manifest_data *data);
void manifest_tree_free(struct manifest_tree *tree);

const struct manifest_object *manifest_find_task_definition(const struct manifest_tree *tree,
							    const char *family);
const struct manifest_object *manifest_find_service(const struct manifest_tree *tree,
						    const char *cluster, const char *name);
const struct manifest_object *manifest_find_node(const struct manifest_tree *tree,
						 const char *name);
const struct manifest_object *manifest_find_cluster(const struct manifest_tree *tree,
						    const char *name);

/* Does it name files of the repository? Then its digest is known only with their content. */
bool manifest_wants_data(const struct task_definition *td);
/* Is all that it names filled in? */
bool manifest_filled(const struct task_definition *td);
/*
 * A copy of the object (TASK_DEFINITION) in the arena, with contents and digest. NULL: a file is
 * not there or too large, which is told in diags unless that is NULL; or forgotten: *forgotten is
 * set.
 */
const struct manifest_object *manifest_fill(const struct manifest_object *object,
					    const struct manifest_data *data, struct arena *arena,
					    struct diag_list *diags, bool *forgotten);

/* Is this a path that a source's manifests may have: *.yaml, *.yml, *.json, no segment with a
 * leading dot? */
bool manifest_path_wanted(const char *path);

/*
 * .musterignore: one glob a line as in .gitignore (*, ?, **, leading / and trailing /, ! and #),
 * against the path relative to the file's folder, which is the source's path.
 */
struct manifest_ignore;
struct manifest_ignore *manifest_ignore_parse(const void *bytes, size_t len);
bool manifest_ignored(const struct manifest_ignore *ignore,
		      const char *path); /* NULL: nothing is */
void manifest_ignore_free(struct manifest_ignore *ignore);

/* "family" or "family:N": the family in the arena, revision 0 when not pinned. False: malformed. */
bool manifest_task_definition_ref(const char *ref, struct arena *arena, const char **family,
				  uint32_t *revision);

/*
 * Print an object as a muster/v1 YAML document ("---" not included). What it prints reads back to
 * an equal object, with the same digest. redact: values of FIELD_SECRET are left out.
 */
void manifest_print(const struct manifest_object *object, bool redact, struct buf *out);

/* Any YAML or JSON of our own (status files, configuration) as a jansson value: plain scalars typed
 * by YAML's core schema. NULL with the mistake in diags. */
struct json_t *manifest_load_value(const char *path, const void *bytes, size_t len,
				   struct diag_list *diags);

#endif
