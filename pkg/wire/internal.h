/*
 * wire, inside: tables that carry the structs of wire.h to JSON and back, one row a member.
 *
 * A member that is zero, NULL or empty is left out, and one that is left out reads as zero: only
 * MEMBER_REQUIRED ones must be there. To add a member: a row, and it is optional for older readers.
 */
#ifndef MUSTER_WIRE_INTERNAL_H
#define MUSTER_WIRE_INTERNAL_H

#include "wire/wire.h"

#include <jansson.h>

enum member_kind {
	MEMBER_TEXT,  /* const char * */
	MEMBER_TAIL,  /* const char *, of which the end matters when it must be cut */
	MEMBER_INT,   /* int or int32_t */
	MEMBER_U32,   /* uint32_t */
	MEMBER_I64,   /* int64_t */
	MEMBER_U64,   /* uint64_t; up to INT64_MAX, JSON's integers being signed here */
	MEMBER_BOOL,  /* bool */
	MEMBER_MAYBE, /* int, with a bool at .count that says whether there is one */
	MEMBER_ENUM,  /* an enum with the names .values */
	MEMBER_DIGEST,
	MEMBER_STRINGS, /* struct str_list */
	MEMBER_MAP,	/* struct str_map */
	MEMBER_LIST,	/* pointer to structs of .of, with a uint32_t at .count */
	MEMBER_OBJECT,	/* pointer to a struct of .schema */
	MEMBER_KIND_COUNT
};

enum member_flag {
	MEMBER_REQUIRED = 1 << 0,
	MEMBER_NAME = 1 << 1, /* becomes a path somewhere: name_safe() must hold */
	MEMBER_NAME_OR_EMPTY = 1 << 2,
	MEMBER_SPARSE = 1 << 3, /* MEMBER_ENUM: its first word is left out, too */
};

struct layout;
struct member {
	const char *name;
	enum member_kind kind;
	uint32_t flags;
	size_t offset, count;
	uint32_t max; /* MEMBER_TEXT, MEMBER_TAIL: bytes written; MEMBER_LIST: items; 0: any */
	const char *const *values; /* NULL-terminated */
	const struct layout *of;
	const struct schema *schema;
};
struct layout {
	const struct member *members;
	size_t count, size;
};

json_t *layout_to_json(const struct layout *layout, const void *object);
bool layout_from_json(const struct layout *layout, const json_t *json, struct arena *arena,
		      void *object, struct err *err);

/* What both kinds of tables (model's and this one) are made of. */
json_t *text_to_json(const char *text); /* bytes that are no UTF-8 become U+FFFD */
bool text_from_json(const json_t *json, struct arena *arena, const char **text, struct err *err);
json_t *strings_to_json(const struct str_list *list);
bool strings_from_json(const json_t *json, struct arena *arena, struct str_list *list,
		       struct err *err);
json_t *map_to_json(const struct str_map *map);
bool map_from_json(const json_t *json, struct arena *arena, struct str_map *map, struct err *err);
bool map_sort(struct str_map *map, struct err *err); /* false: a name twice */

#endif
