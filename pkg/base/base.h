/*
 * base: what every other module stands on: errors, arenas, text buffers, growing arrays, interned
 * strings and digests.
 *
 * Always holds:
 *  - Running out of memory ends the process (abort): a daemon of muster can be killed at any
 *    instruction anyway, and its supervisor starts it again. No function here returns NULL for it.
 *  - Nothing here knows a clock, a file, a locale, a random number or a global.
 *
 * Who owns what: an arena owns everything allocated from it; there are no reference counts. A
 * `struct buf` owns its bytes until buf_release().
 */
#ifndef MUSTER_BASE_H
#define MUSTER_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define CLEANUP(fn)		__attribute__((cleanup(fn)))
#define UNUSED			__attribute__((unused))
#define ARRAY_LEN(a)		(sizeof(a) / sizeof((a)[0]))

/*
 * Exit codes of all programs of muster, one meaning each.
 */
enum exit_code {
	EXIT_DONE = 0,	  /* done, nothing differs */
	EXIT_DIFFERS = 1, /* it differs, failed, or was rolled back */
	EXIT_USAGE = 2,	  /* the command line is wrong */
	EXIT_INVALID = 3, /* the user's input (a manifest, an expression) is wrong */
	EXIT_SYSTEM = 4,  /* the system failed: a file, a process, the network */
	EXIT_TIMEOUT = 5, /* time ran out */
	EXIT_HELD = 6,	  /* a hold waits for a release */
};

/* --- errors of the world --------------------------------------------------------------------- */

#define ERR_TEXT_MAX 512

/* A failure of the world (not of the user's input: that is diag). Text is cut at ERR_TEXT_MAX. */
struct err {
	int code; /* an errno value, or 0 where none fits */
	char text[ERR_TEXT_MAX];
};

/*
 * Fill err (which may be NULL) and return false, so that a caller can set and return in one line.
 * With a code other than 0 the text ends in ": " and the name of the errno value.
 */
bool err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Put context in front: "CONTEXT: old text". Keeps the code. Returns false. */
bool err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- arenas ---------------------------------------------------------------------------------- */

/* Memory that is freed all at once: one arena per generation of data, one scratch arena per step.
 */
struct arena {
	struct arena_block *head;
	size_t used_bytes; /* handed out so far */
};

void arena_init(struct arena *arena);
void arena_release(struct arena *arena); /* takes a zeroed arena too */
void arena_reset(struct arena *arena);	 /* free all but the first block */

/* Zeroed memory, aligned for any type. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *s, size_t len);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type)	    ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, n) ((type *)arena_alloc((arena), sizeof(type) * (size_t)(n)))

/* malloc family that aborts when memory runs out; free() with free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);

/* --- growing arrays -------------------------------------------------------------------------- */

/*
 * VEC(T) is a growing array on the heap, zero-initialised empty. vec_push() gives the new, zeroed
 * last item by address. Items move when it grows: keep indices, not pointers.
 */
#define VEC(T)                                                                                     \
	struct {                                                                                   \
		T *items;                                                                          \
		size_t len, cap;                                                                   \
	}
#define vec_push(v)                                                                                \
	((v)->items = vec_grow((v)->items, &(v)->len, &(v)->cap, sizeof(*(v)->items)),             \
	 &(v)->items[(v)->len - 1])
#define vec_release(v) (free((v)->items), (v)->items = NULL, (v)->len = (v)->cap = 0)
void *vec_grow(void *items, size_t *len, size_t *cap, size_t item_size);

/* --- text buffers ---------------------------------------------------------------------------- */

/* Bytes with a length, always NUL-terminated once something was added. Zero-initialised is empty.
 */
struct buf {
	char *data;
	size_t len, cap;
};

void buf_release(struct buf *buf);
void buf_reset(struct buf *buf); /* empty, memory kept */
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_adds(struct buf *buf, const char *s);
void buf_addc(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *buf, const char *fmt, va_list args);
const char *buf_str(const struct buf *buf); /* "" when empty; valid until the next change */

/* --- interned strings ------------------------------------------------------------------------ */

/*
 * Gives equal strings equal small numbers, from 1 on, for ever: 0 means "no string". Names and
 * values of node attributes are compared as these numbers.
 */
struct intern;
typedef uint32_t intern_id;

struct intern *intern_new(void);
void intern_free(struct intern *intern);
intern_id intern_add(struct intern *intern, const char *s);
intern_id intern_addn(struct intern *intern, const char *s, size_t len);
intern_id intern_find(const struct intern *intern, const char *s); /* 0: never added */
const char *intern_str(const struct intern *intern, intern_id id); /* id 0 gives NULL; stable */
uint32_t intern_count(const struct intern *intern);		   /* ids are 1..count */

/* --- string-keyed maps ----------------------------------------------------------------------- */

/*
 * A map from strings to pointers. Keys are copied. Iteration order is that of insertion (a removed
 * key leaves no trace), so that what is printed from it does not depend on hashing.
 */
struct map;
struct map *map_new(void);
void map_free(struct map *map); /* not what the values point at */
void *map_get(const struct map *map, const char *key);
void map_put(struct map *map, const char *key, void *value); /* adds or replaces; value not NULL */
void *map_remove(struct map *map, const char *key);	     /* the old value, or NULL */
size_t map_count(const struct map *map);
/* Start with *it = 0; false at the end. The map must not change meanwhile, but for removing *key.
 */
bool map_next(const struct map *map, size_t *it, const char **key, void **value);

/* --- digests --------------------------------------------------------------------------------- */

#define DIGEST_BYTES   32
#define DIGEST_HEX_LEN 64

/* SHA-256 (libcrypto). All zero means "none". */
struct digest {
	uint8_t bytes[DIGEST_BYTES];
};

struct digest digest_of(const void *bytes, size_t len);
void digest_hex(const struct digest *digest, char out[DIGEST_HEX_LEN + 1]);
bool digest_parse(const char *hex, struct digest *out); /* exactly 64 lower-case hex digits */
bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_none(const struct digest *digest);

/* Base 64 (RFC 4648, with padding): adds to out. Decoding false: not of that form, nothing is
 * added.
 */
void base64_encode(const void *bytes, size_t len, struct buf *out);
bool base64_decode(const char *text, struct buf *out);

/* --- text ------------------------------------------------------------------------------------ */

#define NAME_MAX_LEN 200

/*
 * A name that may become a file: [A-Za-z0-9_][A-Za-z0-9_.-]{0,199} (DESIGN section 4).
 */
bool name_valid(const char *name);

/* strcmp() for qsort() over arrays of const char *. */
int str_compare(const void *a, const void *b);

/* Base 10, whole string, no sign but '-', no white space; false on anything else or overflow. */
bool parse_int(const char *s, int64_t *out);

bool ends_with(const char *s, const char *suffix);

/* Is s valid UTF-8 (no overlong forms, no surrogates)? */
bool utf8_valid(const char *s, size_t len);

/*
 * RFC 3339 in UTC, "2026-11-23T21:45:25Z", of milliseconds since the epoch (which are cut off).
 * What four digits of a year cannot say is shown as the nearest that they can.
 */
#define TIME_TEXT_LEN 20
void time_text(int64_t unix_ms, char out[TIME_TEXT_LEN + 1]);
bool time_parse(const char *text, int64_t *unix_ms); /* the same form, and with .fff */

#endif
