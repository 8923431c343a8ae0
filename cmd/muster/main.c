#include "muster.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "diag/diag.h"

static const struct verb *const verbs[] = {
	&verb_get,    &verb_describe,  &verb_explain, &verb_wait,    &verb_allow,
	&verb_forget, &verb_reconcile, &verb_plan,    &verb_history, &verb_validate,
	&verb_logs,   &verb_import,    &verb_init,
};

static const struct flag global_flags[] = {
	{ "status", FLAG_STRING, .value = "DIR", .help = "where the status files are",
	  .env = "MUSTER_STATUS", .offset = offsetof(struct cli, status) },
	{ "state", FLAG_STRING, .value = "DIR", .help = "where muster keeps its state",
	  .env = "MUSTER_STATE", .offset = offsetof(struct cli, state) },
	{ "cluster", FLAG_STRING, .value = "NAME", .help = "only this cluster",
	  .offset = offsetof(struct cli, cluster) },
};

static void say(const char *prefix, struct buf *text)
{
	fprintf(stderr, "%s%s\n", prefix, buf_str(text));
	buf_release(text);
}

int say_error(enum exit_code code, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	say("muster: ", &text);
	return code;
}

bool complain(const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	say("muster: ", &text);
	return false;
}

void warn(const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	say("muster: warning: ", &text);
}

void print_and_release(struct buf *out)
{
	fwrite(buf_str(out), 1, out->len, stdout);
	buf_release(out);
}

size_t terminal_width(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

static const struct verb *find_verb(const char *name)
{
	const char *names[ARRAY_LEN(verbs)];
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		names[i] = verbs[i]->name;
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	}
	const char *near = diag_suggest(name, names, ARRAY_LEN(names));
	say_error(EXIT_USAGE, "unknown command '%s'%s%s%s\nTry 'muster --help'.", name,
		  near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	return NULL;
}

/* muster.yaml may hold the flags of every verb. */
static bool config_knows(const char *name)
{
	for (size_t v = 0; v < ARRAY_LEN(verbs); v++)
		for (size_t i = 0; i < verbs[v]->flag_count; i++)
			if (strcmp(verbs[v]->flags[i].name, name) == 0)
				return true;
	return false;
}

static const char *verb_list(struct arena *arena)
{
	struct buf text = { 0 };
	buf_adds(&text, "Commands:\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		buf_addf(&text, "  %-12s%.*s\n", verbs[i]->name,
			 (int)strcspn(verbs[i]->about, "\n"), verbs[i]->about);
	buf_addf(&text, "  %-12s%s\n  %-12s%s", "version", "Print the version.", "help VERB",
		 "Explain a command.");
	const char *copy = arena_strdup(arena, buf_str(&text));
	buf_release(&text);
	return copy;
}

static struct flags_spec spec_of_verb(struct cli *cli, const struct verb *verb)
{
	struct flags_spec spec = {
		.program = arena_printf(&cli->arena, "muster %s", verb->name),
		.usage = verb->usage,
		.about = verb->about,
		.config = "muster",
		.tables = { { verb->flags, verb->flag_count, verb->options },
			    FLAG_TABLE(global_flags, cli) },
		.table_count = 2,
		.config_knows = config_knows,
		.args_min = verb->args_min,
		.args_max = verb->args_max,
	};
	return spec;
}

static int help(struct cli *cli, const struct flags_spec *all, const char *name)
{
	struct buf out = { 0 };
	const struct verb *verb = name ? find_verb(name) : NULL;
	if (name && !verb)
		return EXIT_USAGE;
	struct flags_spec spec = verb ? spec_of_verb(cli, verb) : *all;
	flags_help(&spec, &out);
	print_and_release(&out);
	return EXIT_DONE;
}

/* Flags before the verb count like those after it: they are parsed again with the verb's own. */
static int run_verb(struct cli *cli, char **argv, const struct flags_args *first)
{
	const struct verb *verb = find_verb(first->items[0]);
	if (!verb)
		return EXIT_USAGE;
	size_t words = 0, n = 0;
	while (argv[words])
		words++;
	char **rest = ARENA_ARRAY(&cli->arena, char *, words + 1);
	bool dropped = false;
	for (size_t i = 0; i < words; i++) {
		if (!dropped && argv[i] == first->items[0])
			dropped = true;
		else
			rest[n++] = argv[i];
	}
	struct flags_args args;
	struct flags_spec spec = spec_of_verb(cli, verb);
	flags_parse_or_exit(&spec, rest, &cli->arena, &args);
	if (!cli->state)
		cli->state = flags_default_state(&cli->arena);
	if (!cli->status)
		cli->status = arena_printf(&cli->arena, "%s/status", cli->state);
	return verb->run(cli, &args);
}

int main(int argc, char **argv)
{
	(void)argc;
	setlocale(LC_CTYPE, "C");
	signal(SIGPIPE, SIG_DFL);
	struct cli cli = { 0 };
	arena_init(&cli.arena);
	struct flags_args args;
	struct flags_spec all = {
		.program = "muster",
		.usage = "[FLAG]... COMMAND [ARGUMENT]...",
		.about = verb_list(&cli.arena),
		.config = "muster",
		.tables = { FLAG_TABLE(global_flags, &cli) },
		.table_count = 1,
		.config_knows = config_knows,
		.stop_at_argument = true,
	};
	flags_parse_or_exit(&all, argv + 1, &cli.arena, &args);
	int code = EXIT_USAGE;
	if (args.count == 0)
		help(&cli, &all, NULL);
	else if (strcmp(args.items[0], "version") == 0)
		code = printf("muster %s\n", MUSTER_VERSION) > 0 ? EXIT_DONE : EXIT_SYSTEM;
	else if (strcmp(args.items[0], "help") == 0)
		code = help(&cli, &all, args.count > 1 ? args.items[1] : NULL);
	else
		code = run_verb(&cli, argv + 1, &args);
	if (fflush(stdout) != 0 && code == EXIT_DONE)
		code = say_error(EXIT_SYSTEM, "standard output: %s", strerror(errno));
	arena_release(&cli.arena);
	return code;
}
