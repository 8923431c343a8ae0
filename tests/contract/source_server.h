/* Servers for a source under test: on the loopback interface, at ports that the kernel gives, ended
 * with the world. */
#ifndef TESTS_SOURCE_SERVER_H
#define TESTS_SOURCE_SERVER_H

#include "source_world.h"

/* A listening socket. */
int listen_somewhere(int *port);
int free_port(void);
/*
 * A port that stays ours while nobody listens there (who connects is refused), until the descriptor
 * is closed; and a listening socket on it.
 */
int hold_port(int *port);
int listen_on(int port);

/*
 * Start a program that stays, and wait until its stderr says that it is ready. `listening` becomes
 * its descriptor 3, as systemd passes sockets, and is closed here; -1: none.
 */
void serve(struct world *w, const char *const *argv, const char *ready, int listening);

/* One look of a new source ends so, and a failure's text has this in it. */
void expect(struct world *w, const char *want, const char *text);

#endif
