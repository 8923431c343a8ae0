/*
 * internal: the steps of reading a manifest. Private to manifest.
 *
 * bytes -> values (yaml.c, json.c): what is written, with its place, untyped
 *       -> structs (read.c, by the field tables of model) in documents (document.c)
 *       -> checks of what a table cannot say (check_*.c).
 */
#ifndef MUSTER_MANIFEST_INTERNAL_H
#define MUSTER_MANIFEST_INTERNAL_H

#include "manifest/manifest.h"

/* --- values ----------------------------------------------------------------------------------- */

enum value_kind {
	VALUE_SCALAR,
	VALUE_SEQUENCE,
	VALUE_MAPPING,
	VALUE_BAD, /* a mistake that was reported: taken for given, and never complained of again */
};

/* A piece of YAML or JSON. */
struct value {
	enum value_kind kind;
	bool plain;  /* a scalar without quotes: may be null, a number or a boolean */
	bool flawed; /* a document: mistakes of notation were reported */
	struct pos pos;
	const char *text;	  /* scalar */
	struct value *first;	  /* sequence, mapping: of the members, in order of the file */
	struct value *next, *key; /* of a member; key: of a mapping's only */
	uint32_t count;
};

/* Where bytes come from and where mistakes go. */
struct input {
	const char *path;
	const char *bytes;
	size_t len;
	struct arena *scratch; /* values live here */
	struct diag_list *diags;
	bool cut; /* by a mistake of syntax: what comes after is not known */
	/* Where the last scalar began that was looked for: the next is most often after it. */
	struct {
		size_t offset;
		struct pos pos;
	} last;
};

/* The documents, linked by .next. After a mistake of syntax: those before it. */
struct value *values_of(struct input *in, bool json);
bool path_is_json(const char *path);
struct value *values_parse(struct input *in);
struct value *values_parse_json(struct input *in);

struct value *value_new(const struct input *in, enum value_kind kind, struct pos pos);
bool value_is_null(const struct value *v);
bool value_is_empty(const struct value *v); /* null, "", [] or {} */
/* Member of a mapping, NULL where there is none, it is null, or v is no mapping; takes NULL. */
const struct value *value_get(const struct value *v, const char *name);
/* Member of a sequence; a mapping stands for a sequence of itself. */
const struct value *value_at(const struct value *v, uint32_t index);
const char *value_kind_text(const struct value *v); /* "a list" */

/* --- places ----------------------------------------------------------------------------------- */

struct pos place_of_offset(const struct input *in, size_t offset);
/* Where byte `offset` of the scalar's text stands in the file. */
struct pos place_in_scalar(struct input *in, const struct value *scalar, size_t offset);
/* The first byte that is no UTF-8; in->len where all is. */
size_t utf8_bad_offset(const struct input *in);

/* --- reading ---------------------------------------------------------------------------------- */

struct reading {
	struct input in;
	struct arena *arena;   /* of what is kept */
	bool flawed;	       /* the present document has mistakes of notation */
	bool ecs;	       /* an ECS document: milder on what a muster document refuses */
	bool relaxed;	       /* the present document has what only an ECS document may */
	struct intern *intern; /* of expressions; made when the first comes */
};

/* Read a mapping into a zeroed or partly filled struct. */
void read_object(struct reading *r, const struct schema *schema, const struct value *v,
		 void *object);
/* Report a field that the schema does not have. */
void report_unknown(struct reading *r, const struct value *key, const char *what,
		    const char *const *names, size_t count);
/* Single values, checked by their field; strings in the arena that is kept, NULL after a mistake.
 */
const char *scalar_text(struct reading *r, const struct field *field, const struct value *v);
const char *read_string(struct reading *r, const struct field *field, const struct value *v);
void read_int(struct reading *r, const struct field *field, const struct value *v,
	      struct opt_int *out);
void read_bool(struct reading *r, const struct field *field, const struct value *v,
	       enum opt_bool *out);
/* Is text one of those? values ends in NULL. */
bool is_allowed_value(const char *const *values, const char *text);
/* Does text hold what a deployment tool fills in: ${X}, {{X}}, <X>, $$$X$$$? */
bool has_placeholder(const char *text);
/* It does, and the document may have one: said as a warning. */
bool passes_as_placeholder(struct reading *r, const char *field, struct pos pos, const char *text);
/* Would a path, joined to a directory, lead out of it or name none of its files? */
bool path_leaves(const char *path);

#define report_error(r, at, ...)   diag_error((r)->in.diags, (r)->in.path, (at), __VA_ARGS__)
#define report_warning(r, at, ...) diag_warning((r)->in.diags, (r)->in.path, (at), __VA_ARGS__)

/* " (did you mean "x"?)", or "": also when diags has so many that nobody would read it, for looking
 * costs. */
const char *did_you_mean(const struct diag_list *diags, struct arena *scratch, const char *word,
			 const char *const *names, size_t count);

/* --- documents -------------------------------------------------------------------------------- */

extern const struct schema *const manifest_schemas[MANIFEST_KIND_COUNT];

struct object_vec { /* as VEC() */
	struct manifest_object *items;
	size_t len, cap;
};
/* Read one document; good objects are added to good, names of others to broken. */
void read_document(struct reading *r, struct value *v, struct object_vec *good,
		   struct object_vec *broken);

/* A task definition with where it was written. */
struct task {
	struct reading *r;
	const struct value *v;
	const struct task_definition *td;
};
const struct value *task_container(const struct task *t, uint32_t index);
/* What ECS takes, or an engine will refuse by itself, is a warning in ECS documents. */
enum diag_severity task_severity(const struct task *t);
#define report_mild(t, at, ...)                                                                    \
	diag_add((t)->r->in.diags, task_severity(t), (t)->r->in.path, (at), __VA_ARGS__)
/* The place of a field, or of what it is missing in. */
struct pos place_of(const struct value *v, const char *name);
const struct container_definition *find_container(const struct task *t, const char *name);
bool network_is(const struct task_definition *td, const char *mode);
void check_ports(const struct task *t);
void check_network(const struct task *t);
/* A container for a container engine. v: what it was read from. */
void check_container_engine(const struct task *t, const struct container_definition *c,
			    const struct value *v);
#define MEMORY_LEAST_MIB 6 /* of a container */
/* Why an image reference is none; NULL: it is one. */
const char *image_problem(const char *image);
/* Is text "file:" and a confined absolute path, or "env:" and a name? NULL, or what is wrong. */
const char *secret_place_problem(const char *text);

/* What does not go together of cpu and memory: texts in the arena. */
struct size_problem {
	uint32_t container; /* index, or SIZE_OF_TASK */
	const char *field;  /* that it is about */
	const char *text;
};
#define SIZE_OF_TASK	  UINT32_MAX
#define SIZE_PROBLEMS_MAX (2 * LIMIT_CONTAINERS + 2)
uint32_t size_problems(const struct task_definition *td, struct arena *arena,
		       struct size_problem problems[SIZE_PROBLEMS_MAX]);

/* What the tables cannot say. v: the mapping that was read. */
void check_task_definition(struct reading *r, const struct value *v,
			   const struct task_definition *td);
void check_process(struct reading *r, const struct value *v, const struct task_definition *td);
void check_daemon_service(struct reading *r, const struct value *v,
			  const struct daemon_service *service);
void check_node(struct reading *r, const struct value *v, const struct node_manifest *node);
void check_cluster(struct reading *r, const struct value *v,
		   const struct cluster_manifest *cluster);
/* A service's roll-out steps and overrides. */
void check_rollout(struct reading *r, const struct value *v, const struct daemon_service *service);
/* v: the list. */
void check_windows(struct reading *r, const struct value *v, const struct window_list *windows);
/* Is there a minute of the week at which both are open? True where it cannot be told, because they
 * are of different time zones. Their times are valid. */
bool windows_ever_open(const struct window_list *a, const struct window_list *b);
/* "muster/prune" of services, and "muster/compatibility: ecs" of task definitions and services:
 * such a one is read as an ECS document is. */
#define COMPATIBILITY "muster/compatibility"
void check_annotations(struct reading *r, const struct value *metadata,
		       const struct str_map *annotations, enum manifest_kind kind);

/* --- between files ---------------------------------------------------------------------------- */

/* " (did you mean "x"?)" of the objects' names, or "" */
const char *suggest_object(struct manifest_tree *tree, const struct manifest_object **items,
			   size_t count, const char *name);
/* Log drivers and secrets of AWS that no Cluster manifest maps: warnings. */
void check_mappings(struct manifest_tree *tree);
/* The overrides of a service, which runs td: containers that exist, sizes that go together. */
void check_overrides_of(struct manifest_tree *tree, const struct manifest_object *object,
			const struct task_definition *td);
/* The windows of a service and those of its cluster. */
void check_windows_of(struct manifest_tree *tree, const struct manifest_object *object);
/* dependsOn: names that exist, no cycle. */
void check_dependencies(struct manifest_tree *tree, bool services_missing);

/* minimumHealthyPercent 100 without a surge: an error, but of an ECS document. */
bool percents_are_stuck(const struct daemon_service *service);
const char *service_cluster(const struct daemon_service *service);

#endif
