#include "flags/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag/diag.h"

struct flag_slot *slot_find(const struct flag_slots *slots, const char *name, size_t len)
{
	for (size_t i = 0; i < slots->count; i++) {
		const char *known = slots->items[i].flag->name;
		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return &slots->items[i];
	}
	return NULL;
}

static struct flag_slot *slot_find_letter(const struct flag_slots *slots, char letter)
{
	for (size_t i = 0; i < slots->count; i++)
		if (slots->items[i].flag->letter == letter)
			return &slots->items[i];
	return NULL;
}

void slot_suggest(const struct flag_slots *slots, const char *name, const char *dashes,
		  struct buf *out)
{
	VEC(const char *) names = { 0 };
	for (size_t i = 0; i < slots->count; i++)
		*vec_push(&names) = slots->items[i].flag->name;
	const char *near = diag_suggest(name, names.items, names.len);
	if (near)
		buf_addf(out, " (did you mean '%s%s'?)", dashes, near);
	vec_release(&names);
}

bool flags_duration(const char *text, int64_t *ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 },	{ "s", 1000 },	   { "m", 60000 },
		      { "h", 3600000 }, { "d", 86400000 }, { "", 1000 } };
	int64_t sum = 0;
	if (!*text)
		return false;
	while (*text) {
		size_t digits = strspn(text, "0123456789");
		size_t letters = strcspn(text + digits, "0123456789");
		int64_t value = 0, scale = 0;
		if (digits == 0)
			return false;
		for (size_t i = 0; i < digits; i++)
			if (__builtin_mul_overflow(value, 10, &value) ||
			    __builtin_add_overflow(value, text[i] - '0', &value))
				return false;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (strlen(units[i].unit) == letters &&
			    memcmp(units[i].unit, text + digits, letters) == 0)
				scale = units[i].ms;
		if (scale == 0 || __builtin_mul_overflow(value, scale, &value) ||
		    __builtin_add_overflow(sum, value, &sum))
			return false;
		text += digits + letters;
	}
	*ms = sum;
	return true;
}

static bool set_string(const struct flag_slot *slot, const char *value, struct buf *why)
{
	const char *const *allowed = slot->flag->values;
	for (; allowed && *allowed; allowed++)
		if (strcmp(*allowed, value) == 0)
			break;
	if (!slot->flag->values || *allowed) {
		*(const char **)slot->member = value;
		return true;
	}
	buf_addf(why, "'%s' is not one of", value);
	for (allowed = slot->flag->values; *allowed; allowed++)
		buf_addf(why, "%s %s", allowed == slot->flag->values ? "" : ",", *allowed);
	return false;
}

static void append(const struct flag_slots *slots, struct str_list *list, const char *value)
{
	const char **items = ARENA_ARRAY(slots->arena, const char *, list->len + 1);
	if (list->len)
		memcpy(items, list->items, list->len * sizeof(*items));
	items[list->len] = value;
	*list = (struct str_list){ .items = items, .len = list->len + 1, .set = true };
}

static bool set_bool(const struct flag_slot *slot, const char *value, struct buf *why)
{
	static const char *const words[2][4] = { { "false", "no", "off", "0" },
						 { "true", "yes", "on", "1" } };
	for (size_t i = 0; i < 2 * ARRAY_LEN(words[0]); i++) {
		size_t truth = i / ARRAY_LEN(words[0]);
		if (strcmp(words[truth][i % ARRAY_LEN(words[0])], value) == 0) {
			*(bool *)slot->member = truth;
			return true;
		}
	}
	buf_addf(why, "'%s' is neither true nor false", value);
	return false;
}

bool slot_set(const struct flag_slots *slots, struct flag_slot *slot, const char *value,
	      enum flag_origin origin, struct buf *why)
{
	struct str_list *list = slot->member;
	if (origin < slot->origin)
		return true; /* what was said nearer to the user stays */
	bool ok = false;
	switch (slot->flag->kind) {
	case FLAG_STRING: ok = set_string(slot, value, why); break;
	case FLAG_LIST:
		if (origin != slot->origin)
			*list = (struct str_list){ 0 };
		append(slots, list, value);
		ok = true;
		break;
	case FLAG_BOOL: ok = set_bool(slot, value, why); break;
	case FLAG_DURATION:
		ok = flags_duration(value, slot->member);
		if (!ok)
			buf_addf(why, "'%s' is not a duration such as 500ms, 60s, 15m or 1h30m",
				 value);
		break;
	}
	slot->origin = origin;
	return ok;
}

/* --- the command line ------------------------------------------------------------------------ */

/* What one run of the parser needs: the program's flags and the built-in ones. */
struct parse {
	const struct flags_spec *spec;
	struct flag_slots slots;
	struct {
		bool help, version;
		const char *config;
	} builtin;
	struct buf *out;
};

static const struct flag builtin_flags[] = {
	{ "config", FLAG_STRING, .value = "FILE", .help = "read flags from this YAML file",
	  .offset = offsetof(struct parse, builtin.config) },
	{ "help", FLAG_BOOL, 'h', .help = "print this",
	  .offset = offsetof(struct parse, builtin.help) },
	{ "version", FLAG_BOOL, .help = "print the version",
	  .offset = offsetof(struct parse, builtin.version) },
};

static void collect(struct parse *parse, struct arena *arena)
{
	const struct flags_spec *spec = parse->spec;
	struct flag_table builtin = FLAG_TABLE(builtin_flags, parse);
	size_t max = builtin.count, n = 0;
	for (size_t t = 0; t < spec->table_count; t++)
		max += spec->tables[t].count;
	parse->slots.arena = arena;
	parse->slots.items = ARENA_ARRAY(arena, struct flag_slot, max);
	for (size_t t = 0; t <= spec->table_count; t++) {
		const struct flag_table *table =
			t < spec->table_count ? &spec->tables[t] : &builtin;
		for (size_t i = 0; i < table->count; i++)
			parse->slots.items[n++] = (struct flag_slot){
				.flag = &table->flags[i],
				.member = (char *)table->options + table->flags[i].offset,
			};
	}
	parse->slots.count = n;
}

static bool wrong(struct parse *parse, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool wrong(struct parse *parse, const char *fmt, ...)
{
	va_list args;
	buf_addf(parse->out, "%s: ", parse->spec->program);
	va_start(args, fmt);
	buf_vaddf(parse->out, fmt, args);
	va_end(args);
	return false;
}

/* One flag at *argv, which is moved over its value where that is a word of its own. */
static bool parse_flag(struct parse *parse, char *const **argv)
{
	const char *word = **argv;
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1);
	size_t len = is_long ? strcspn(name, "=") : 1;
	struct flag_slot *slot = is_long ? slot_find(&parse->slots, name, len)
					 : slot_find_letter(&parse->slots, *name);
	if (!slot) {
		const char *bare = arena_strndup(parse->slots.arena, name, len);
		wrong(parse, "unknown flag '%s%s'", is_long ? "--" : "-", bare);
		if (is_long)
			slot_suggest(&parse->slots, bare, "--", parse->out);
		return false;
	}
	const char *value = name[len] == '\0' ? NULL : name + len + (name[len] == '=');
	if (!value && slot->flag->kind == FLAG_BOOL)
		value = "true";
	else if (!value && !(value = *++*argv))
		return wrong(parse, "flag '%.*s' needs a value: %s", (int)(name - word + len), word,
			     slot->flag->value);
	struct buf why = { 0 };
	bool ok = slot_set(&parse->slots, slot, value, ORIGIN_COMMAND_LINE, &why);
	if (!ok)
		wrong(parse, "flag '--%s': %s", slot->flag->name, buf_str(&why));
	buf_release(&why);
	return ok;
}

static bool parse_words(struct parse *parse, char *const *argv, struct flags_args *args)
{
	size_t words = 0;
	while (argv[words])
		words++;
	args->items = ARENA_ARRAY(parse->slots.arena, const char *, words + 1);
	bool all_arguments = false;
	for (; *argv; argv++) {
		const char *word = *argv;
		if (!all_arguments && strcmp(word, "--") == 0) {
			all_arguments = true;
		} else if (!all_arguments && word[0] == '-' && word[1]) {
			if (!parse_flag(parse, &argv))
				return false;
		} else {
			args->items[args->count++] = word;
			all_arguments = all_arguments || parse->spec->stop_at_argument;
		}
	}
	return true;
}

static bool parse_environment(struct parse *parse)
{
	struct buf why = { 0 };
	bool ok = true;
	for (size_t i = 0; ok && i < parse->slots.count; i++) {
		struct flag_slot *slot = &parse->slots.items[i];
		const char *value = slot->flag->env ? getenv(slot->flag->env) : NULL;
		if (value && *value)
			ok = slot_set(&parse->slots, slot, value, ORIGIN_ENVIRONMENT, &why) ||
			     wrong(parse, "$%s: %s", slot->flag->env, buf_str(&why));
	}
	buf_release(&why);
	return ok;
}

static bool parse_config(struct parse *parse)
{
	const char *named = parse->builtin.config;
	if (!named && !parse->spec->config)
		return true;
	const char *path = named ? named
				 : arena_printf(parse->slots.arena, "%s/%s.yaml", CONFIG_DIR,
						parse->spec->config);
	struct buf why = { 0 };
	bool ok = config_read(parse->spec, &parse->slots, path, named != NULL, &why) ||
		  wrong(parse, "%s", buf_str(&why));
	buf_release(&why);
	return ok;
}

static bool check_complete(struct parse *parse, const struct flags_args *args)
{
	const struct flags_spec *spec = parse->spec;
	for (size_t i = 0; i < parse->slots.count; i++) {
		const struct flag_slot *slot = &parse->slots.items[i];
		if (slot->flag->required && slot->origin == ORIGIN_DEFAULT)
			return wrong(parse, "flag '--%s %s' is required", slot->flag->name,
				     slot->flag->value);
	}
	if (args->count < spec->args_min)
		return wrong(parse, "an argument is missing: %s %s", spec->program, spec->usage);
	if (!spec->stop_at_argument && args->count > spec->args_max)
		return wrong(parse, "unexpected argument '%s'", args->items[spec->args_max]);
	return true;
}

enum flags_outcome flags_parse(const struct flags_spec *spec, char *const *argv,
			       struct arena *arena, struct flags_args *args, struct buf *out)
{
	struct parse parse = { .spec = spec, .out = out };
	*args = (struct flags_args){ 0 };
	collect(&parse, arena);
	bool ok = parse_words(&parse, argv, args);
	args->config = parse.builtin.config;
	if (ok && parse.builtin.help) {
		flags_help(spec, out);
		return FLAGS_PRINT;
	}
	if (ok && parse.builtin.version) {
		buf_addf(out, "%s %s\n", spec->program, MUSTER_VERSION);
		return FLAGS_PRINT;
	}
	if (ok && parse_environment(&parse) && parse_config(&parse) && check_complete(&parse, args))
		return FLAGS_RUN;
	buf_addf(out, "\nTry '%s --help'.\n", spec->program);
	return FLAGS_WRONG;
}

void flags_parse_or_exit(const struct flags_spec *spec, char *const *argv, struct arena *arena,
			 struct flags_args *args)
{
	struct buf out = { 0 };
	enum flags_outcome outcome = flags_parse(spec, argv, arena, args, &out);
	if (outcome != FLAGS_RUN) {
		fputs(buf_str(&out), outcome == FLAGS_PRINT ? stdout : stderr);
		exit(outcome == FLAGS_PRINT ? EXIT_DONE : EXIT_USAGE);
	}
	buf_release(&out);
}

int flags_usage_error(const struct flags_spec *spec, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	fprintf(stderr, "%s: %s\nTry '%s --help'.\n", spec->program, buf_str(&text), spec->program);
	buf_release(&text);
	return EXIT_USAGE;
}

/* --- help ------------------------------------------------------------------------------------ */

#define HELP_COLUMN 28

static void help_flag(const struct flag *flag, struct buf *out)
{
	struct buf left = { 0 };
	buf_adds(&left, "  ");
	if (flag->letter)
		buf_addf(&left, "-%c, ", flag->letter);
	buf_addf(&left, "--%s%s%s%s", flag->name, flag->value ? " " : "",
		 flag->value ? flag->value : "", flag->kind == FLAG_LIST ? "..." : "");
	if (left.len >= HELP_COLUMN)
		buf_addf(out, "%s\n%*s%s", left.data, HELP_COLUMN, "", flag->help);
	else
		buf_addf(out, "%-*s%s", HELP_COLUMN, left.data, flag->help);
	if (flag->env)
		buf_addf(out, " ($%s)", flag->env);
	buf_addc(out, '\n');
	buf_release(&left);
}

void flags_help(const struct flags_spec *spec, struct buf *out)
{
	buf_addf(out, "Usage: %s %s\n", spec->program, spec->usage);
	if (spec->about)
		buf_addf(out, "\n%s\n", spec->about);
	buf_adds(out, "\nFlags:\n");
	for (size_t t = 0; t < spec->table_count; t++)
		for (size_t i = 0; i < spec->tables[t].count; i++)
			help_flag(&spec->tables[t].flags[i], out);
	for (size_t i = 0; i < ARRAY_LEN(builtin_flags); i++)
		help_flag(&builtin_flags[i], out);
	if (spec->config)
		buf_addf(out, "\nFlags may also stand in %s/%s.yaml, as NAME: VALUE.\n", CONFIG_DIR,
			 spec->config);
}

const char *flags_default_state(struct arena *arena)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (geteuid() == 0)
		return "/var/lib/muster";
	if (xdg && *xdg)
		return arena_printf(arena, "%s/muster", xdg);
	return arena_printf(arena, "%s/.local/state/muster", home ? home : "");
}
