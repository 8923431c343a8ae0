/*
 * control/commands: what the command line asks of the controller, as names of empty files in
 * STATE/control/: `allow-ID`, `forget-NODE`, `reconcile`.
 *
 * The controller watches the directory, acts and removes the file. A service CLUSTER/NAME stands as
 * CLUSTER~NAME in a file name. `reconcile` may also be touched where it still is.
 */
#ifndef MUSTER_CONTROL_COMMANDS_H
#define MUSTER_CONTROL_COMMANDS_H

#include "base/base.h"

#define COMMANDS_DIR "control" /* below the state directory */

enum command_kind { COMMAND_ALLOW, COMMAND_FORGET, COMMAND_RECONCILE, COMMAND_KIND_COUNT };

struct command {
	enum command_kind kind;
	const char *argument; /* hold id or CLUSTER/NAME; node; NULL */
};

/* The command of a file of that name; the argument in the arena. False: it is none. */
bool command_decode(const char *file_name, struct arena *arena, struct command *out);
/* The file name of a command, or NULL: the argument cannot be one. */
const char *command_encode(const struct command *command, struct arena *arena);

#endif
