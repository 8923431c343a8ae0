/*
 * model/schema: tables that describe the fields of the model's structs, one row a field.
 *
 * The same table reads a field from YAML or JSON (manifest), prints it (manifest, report), carries
 * it through the store (wire) and hashes it (model_digest). To add a field: a member in the struct
 * and a row in the table, nothing else.
 *
 * Always holds: every struct that a schema describes begins with `struct pos pos` (where it was
 * read). A field is absent or explicit, and an explicit default is not the same as absent.
 */
#ifndef MUSTER_MODEL_SCHEMA_H
#define MUSTER_MODEL_SCHEMA_H

#include "base/base.h"
#include "diag/diag.h"

/* Representations of the field kinds. All zero is "absent". */
struct opt_int {
	bool set;
	int64_t value;
};
enum opt_bool { OPT_UNSET, OPT_FALSE, OPT_TRUE };
struct str_list {
	const char **items;
	uint32_t len;
	bool set;
};
struct str_pair {
	const char *name, *value; /* value may be NULL: a name without value */
};
struct str_map { /* sorted by name, names unique */
	struct str_pair *items;
	uint32_t len;
	bool set;
};
/* A string that diagnostics point into. */
struct str_at {
	const char *value; /* NULL: absent */
	struct pos pos;
};
struct str_at_list {
	struct str_at *items;
	uint32_t len;
	bool set;
};
/* A list of structs; LIST_OF(T) has the same layout with typed items. */
#define LIST_OF(T)                                                                                 \
	struct {                                                                                   \
		T *items;                                                                          \
		uint32_t len;                                                                      \
		bool set;                                                                          \
	}
struct object_list {
	void *items;
	uint32_t len;
	bool set;
};

enum field_kind {
	FIELD_STRING,	   /* const char *; any scalar of the file is text here */
	FIELD_STRING_AT,   /* struct str_at */
	FIELD_INT,	   /* struct opt_int; a quoted whole number is accepted from ECS JSON */
	FIELD_BOOL,	   /* enum opt_bool */
	FIELD_STRING_LIST, /* struct str_list */
	FIELD_NAME_LIST,   /* struct str_at_list */
	FIELD_STRING_MAP,  /* struct str_map; in YAML a mapping */
	FIELD_PAIR_LIST,   /* struct str_map; in YAML [{name, value}] as ECS's environment */
	FIELD_OBJECT,	   /* pointer to a struct described by .of, NULL: absent */
	FIELD_OBJECT_LIST, /* LIST_OF(struct described by .of) */
	FIELD_IGNORED,	   /* no member: accepted with any content and left out, see .flags */
};

enum field_flag {
	FIELD_REQUIRED = 1 << 0,
	/* Without effect, and a warning says so with .note. Without a member nothing is kept of it.
	 */
	FIELD_NO_EFFECT = 1 << 1,
	FIELD_SILENT = 1 << 2, /* response-only field of ECS: ignored without a word */
	/* An error with .note, because ignoring it would change behaviour. With .values: only for
	 * other values than those. */
	FIELD_REFUSED = 1 << 3,
	FIELD_METADATA = 1 << 4, /* of a muster document: stands in metadata, not in spec */
	FIELD_SECRET = 1 << 5,	 /* values (not names) never appear in status, plan, page or logs */
	/* A cluster query expression: compiled when read, to refuse mistakes. */
	FIELD_EXPRESSION = 1 << 6,
	FIELD_NAME = 1 << 7,	 /* name_valid() must hold */
	FIELD_ECS_NAME = 1 << 8, /* 1 to 255 of [A-Za-z0-9_-] */
	FIELD_SIZE_MIB =
		1 << 9, /* ECS memory text: "512", "1GB", "1 GB": kept as MiB (FIELD_INT) */
	FIELD_CPU_UNITS = 1 << 10,  /* ECS cpu text: "256", ".25 vCPU": kept as units (FIELD_INT) */
	FIELD_BARE_NAMES = 1 << 12, /* FIELD_STRING_MAP: a name without a value is kept */
	FIELD_DERIVED = 1 << 13,    /* made when manifests are put together: no field of a file's */
	FIELD_CONTAINER_ONLY =
		1 << 11, /* an error for PROCESS: a native process has no such thing */
	/* No engine of this version offers what it needs: a warning says that it is not placed. */
	FIELD_NOT_OFFERED = 1 << 14,
	/* Of an expression: it may not ask what changes with the tasks that run (task:group,
	 * runningTasksCount, agentConnected). */
	FIELD_STEADY = 1 << 15,
};

struct schema;

struct field {
	const char *name;
	enum field_kind kind;
	uint32_t flags;
	size_t offset;
	const struct schema *of;
	int64_t min, max; /* FIELD_INT: inclusive, where min < max; lists: number of items */
	const char *const
		*values; /* FIELD_STRING, FIELD_STRING_LIST: allowed ones, NULL at the end */
	/* FIELD_REFUSED: the whole message; FIELD_NO_EFFECT: why; others: a remark for the manual.
	 */
	const char *note;
	/*
	 * The capability that a node must offer where the field is set to something: not false, not
	 * empty, not one of .unless (of a list: its first). One that ends in '.' goes on with the
	 * value. needs_of: by the value, NULL for none. process_needs: the same for PROCESS tasks;
	 * alone_needs: instead of .needs for tasks of one container.
	 */
	const char *needs, *process_needs, *alone_needs;
	const char *const *unless;
	const char *(*needs_of)(const char *value);
};

struct schema {
	const char *name; /* as a person would call it: "container definition" */
	const struct field *fields;
	size_t count;
	size_t size; /* of the struct */
};

const struct field *schema_find(const struct schema *schema, const char *name);

/* Address of the field's member in object. */
static inline void *field_at(const struct field *field, const void *object)
{
	return (char *)object + field->offset;
}
bool field_is_set(const struct field *field, const void *object);

/*
 * The canonical text of an object: compact JSON, explicit fields only, keys in byte order. Equal
 * content gives equal bytes in every later version of muster (golden digests in the tests keep it
 * so).
 */
void schema_canonical(const struct schema *schema, const void *object, struct buf *out);

/* Append s as a JSON string, which is a double-quoted YAML scalar too: only '"', '\\' and control
 * characters are escaped. */
void schema_quote(const char *s, struct buf *out);

/*
 * What an object needs of a node by the rows of its table and of those below: names in the arena,
 * in byte order, each once.
 */
enum needs_kind { NEEDS_CONTAINERS, NEEDS_ONE_CONTAINER, NEEDS_PROCESS }; /* what the task is of */
struct str_list schema_needs(const struct schema *schema, const void *object, enum needs_kind kind,
			     struct arena *arena);

/* Deep copy into an arena. */
void *schema_copy(const struct schema *schema, const void *object, struct arena *arena);

#endif
