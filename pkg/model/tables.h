/*
 * tables: how rows of field tables are written. Private to model.
 *
 * Each macro opens a row {...}: name in the file, and the member, whose type is checked against the
 * kind at compile time. More designated initialisers may follow.
 */
#ifndef MUSTER_MODEL_TABLES_H
#define MUSTER_MODEL_TABLES_H

#include "model/model.h"

#define MEMBER_IS(T, member, type)                                                                 \
	__builtin_types_compatible_p(__typeof__(((struct T *)0)->member), type)
/* The offset of a member, an error where its type is another. */
#define MEMBER(T, member, type)                                                                    \
	(offsetof(struct T, member) + 0 * sizeof(char[MEMBER_IS(T, member, type) ? 1 : -1]))
#define MEMBER_SIZED(T, member, type)                                                              \
	(offsetof(struct T, member) +                                                              \
	 0 * sizeof(char[sizeof(((struct T *)0)->member) == sizeof(type) ? 1 : -1]))

#define ROW(field_name, field_kind, field_offset)                                                  \
	.name = (field_name), .kind = (field_kind), .offset = (field_offset)
#define STRING(T, name, m)	ROW(name, FIELD_STRING, MEMBER(T, m, const char *))
#define STRING_AT(T, name, m)	ROW(name, FIELD_STRING_AT, MEMBER(T, m, struct str_at))
#define INTEGER(T, name, m)	ROW(name, FIELD_INT, MEMBER(T, m, struct opt_int))
#define BOOLEAN(T, name, m)	ROW(name, FIELD_BOOL, MEMBER(T, m, enum opt_bool))
#define STRING_LIST(T, name, m) ROW(name, FIELD_STRING_LIST, MEMBER(T, m, struct str_list))
#define NAME_LIST(T, name, m)	ROW(name, FIELD_NAME_LIST, MEMBER(T, m, struct str_at_list))
#define STRING_MAP(T, name, m)	ROW(name, FIELD_STRING_MAP, MEMBER(T, m, struct str_map))
#define PAIR_LIST(T, name, m)	ROW(name, FIELD_PAIR_LIST, MEMBER(T, m, struct str_map))
#define OBJECT(T, name, m, schema)                                                                 \
	ROW(name, FIELD_OBJECT, MEMBER_SIZED(T, m, void *)), .of = &(schema)
#define OBJECT_LIST(T, name, m, schema)                                                            \
	ROW(name, FIELD_OBJECT_LIST, MEMBER_SIZED(T, m, struct object_list)), .of = &(schema)
/* Rows without a member. */
#define IGNORED(field_name) .name = (field_name), .kind = FIELD_IGNORED
#define AWS_NOTE(what)	    what ", which means nothing outside AWS"
#define AWS_ONLY(field_name, what)                                                                 \
	IGNORED(field_name), .flags = FIELD_NO_EFFECT, .note = AWS_NOTE(what)
#define RESPONSE_ONLY(field_name)    IGNORED(field_name), .flags = FIELD_SILENT
#define REFUSED(field_name, message) IGNORED(field_name), .flags = FIELD_REFUSED, .note = (message)

#define RANGE(least, most) .min = (least), .max = (most)

#define SCHEMA(T, text, table)                                                                     \
	{                                                                                          \
		.name = (text), .fields = (table), .count = ARRAY_LEN(table),                      \
		.size = sizeof(struct T)                                                           \
	}

/* A value list is one of these. */
#define VALUES(...)                                                                                \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* Bounds that only keep arithmetic on 32 bits safe and checks quick: larger than any real use. */
#define LIST_MAX    1000
#define MIB_MAX	    (1 << 27)
#define CPU_MAX	    (1 << 20)
#define SECONDS_MAX (7 * 24 * 3600)

extern const struct schema placement_constraint_schema, rollout_schema;

#endif
