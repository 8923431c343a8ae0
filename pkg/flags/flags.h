/*
 * flags: the command line of every program, by table: one row a flag.
 *
 * A flag is given as `--name VALUE`, `--name=VALUE`, or by its letter as `-o VALUE` and `-oVALUE`;
 * booleans as `--name` or `--name=false`; `--` ends them. Flags and arguments may be mixed. Every
 * program knows `--help` (-h), `--version` and `--config FILE` by itself.
 *
 * The same names may stand in a configuration file: a YAML mapping of name to value, or to a list
 * for flags that may be repeated. It is /etc/muster/PROGRAM.yaml where that exists, or the one that
 * --config names. The command line wins over the environment, that over the file, that over the
 * default, which is what the options held before.
 *
 * Who owns what: strings live in the arena or in argv.
 */
#ifndef MUSTER_FLAGS_H
#define MUSTER_FLAGS_H

#include "model/schema.h"

#define CONFIG_DIR	 "/etc/muster"
#define CONFIG_MAX_BYTES (1 << 20)

enum flag_kind {
	FLAG_STRING,   /* const char * */
	FLAG_LIST,     /* struct str_list: may be repeated, in the order given */
	FLAG_BOOL,     /* bool */
	FLAG_DURATION, /* int64_t of milliseconds: 500ms, 60s, 15m, 1h30m, 2d; a bare number is
			  seconds */
};

struct flag {
	const char *name;
	enum flag_kind kind;
	char letter;		   /* 0: none */
	const char *value;	   /* as --help names it: "DIR"; not for FLAG_BOOL */
	const char *help;	   /* a few words */
	const char *env;	   /* environment variable that gives it; NULL */
	const char *const *values; /* FLAG_STRING: the allowed ones, NULL-terminated; NULL: any */
	size_t offset;		   /* of the member in the table's options */
	bool required;
};

/* A table of flags and the struct that its offsets are of. */
struct flag_table {
	const struct flag *flags;
	size_t count;
	void *options;
};
#define FLAG_TABLE(rows, opts)                                                                     \
	(struct flag_table)                                                                        \
	{                                                                                          \
		.flags = (rows), .count = ARRAY_LEN(rows), .options = (opts)                       \
	}

#define FLAG_TABLES_MAX 4

struct flags_spec {
	const char *program; /* for messages: "musterd", "muster get" */
	const char *usage;   /* what follows the program's name: "--source URL|DIR [FLAG]..." */
	const char *about;   /* a sentence or more; lines end in \n but the last; NULL */
	const char *config;  /* name in CONFIG_DIR without .yaml: "musterd"; NULL: no file */
	struct flag_table tables[FLAG_TABLES_MAX];
	size_t table_count;
	/* Flags that the configuration file may also hold, for others who read the same file. */
	bool (*config_knows)(const char *name);
	size_t args_min, args_max;
	bool stop_at_argument; /* the rest, from the first argument on, is for someone else */
};

struct flags_args {
	const char **items;
	size_t count;
	const char *config; /* --config as given on the command line, or NULL */
};

enum flags_outcome {
	FLAGS_RUN,   /* options and args are filled */
	FLAGS_PRINT, /* --help or --version: the text is in out, exit 0 */
	FLAGS_WRONG, /* the message is in out, exit EXIT_USAGE */
};

/* argv without the program's name, NULL-terminated. out is text for stdout or stderr. */
enum flags_outcome flags_parse(const struct flags_spec *spec, char *const *argv,
			       struct arena *arena, struct flags_args *args, struct buf *out);

/* The same; prints and exits unless there is something to run. */
void flags_parse_or_exit(const struct flags_spec *spec, char *const *argv, struct arena *arena,
			 struct flags_args *args);

/* What --help prints. */
void flags_help(const struct flags_spec *spec, struct buf *out);

/* Print "PROGRAM: TEXT" and where to find help on stderr, for what a table cannot check. Returns
 * EXIT_USAGE. */
int flags_usage_error(const struct flags_spec *spec, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "1h30m" -> milliseconds. False: malformed, negative or too large. */
bool flags_duration(const char *text, int64_t *ms);

/* Where state is kept when nobody says: /var/lib/muster for root, else $XDG_STATE_HOME/muster or
 * ~/.local/state/muster. */
const char *flags_default_state(struct arena *arena);

#endif
