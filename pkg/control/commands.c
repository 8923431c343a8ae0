#include "control/commands.h"

#include <string.h>

static const struct {
	const char *prefix;
	bool has_argument;
} commands[COMMAND_KIND_COUNT] = {
	[COMMAND_ALLOW] = { "allow-", true },
	[COMMAND_FORGET] = { "forget-", true },
	[COMMAND_RECONCILE] = { "reconcile", false },
};

static char *replaced(struct arena *arena, const char *text, char from, char to)
{
	char *copy = arena_strdup(arena, text);
	for (char *p = copy; *p; p++)
		if (*p == from)
			*p = to;
	return copy;
}

/* A name, or two of them with a slash between. */
static bool argument_valid(const char *argument, struct arena *arena)
{
	const char *slash = strchr(argument, '/');
	if (!slash)
		return name_valid(argument);
	return name_valid(arena_strndup(arena, argument, (size_t)(slash - argument))) &&
	       name_valid(slash + 1);
}

bool command_decode(const char *file_name, struct arena *arena, struct command *out)
{
	for (enum command_kind kind = 0; kind < COMMAND_KIND_COUNT; kind++) {
		size_t len = strlen(commands[kind].prefix);
		if (strncmp(file_name, commands[kind].prefix, len) != 0)
			continue;
		const char *rest = file_name + len;
		*out = (struct command){ .kind = kind };
		if (!commands[kind].has_argument)
			return *rest == '\0';
		out->argument = replaced(arena, rest, '~', '/');
		return argument_valid(out->argument, arena);
	}
	return false;
}

const char *command_encode(const struct command *command, struct arena *arena)
{
	const char *prefix = commands[command->kind].prefix;
	if (!commands[command->kind].has_argument)
		return prefix;
	if (!argument_valid(command->argument, arena))
		return NULL;
	return arena_printf(arena, "%s%s", prefix, replaced(arena, command->argument, '/', '~'));
}
