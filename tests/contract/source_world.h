/* A source under test: a directory of its own, a loop, and what the source said, as text. */
#ifndef TESTS_SOURCE_WORLD_H
#define TESTS_SOURCE_WORLD_H

#include "loop/loop.h"
#include "source/source.h"

struct world {
	char dir[64];
	char muster_git[512];
	struct arena arena;
	struct loop *loop;
	struct source *source;
	struct source_options options;
	pid_t server;	  /* a process group that teardown ends; 0: none */
	bool refuse;	  /* taken() answers false */
	char commit[128]; /* of the last snapshot */
	/* The events since the last next_event(), a line each:
	 *   taken a.yaml+ b.yaml [<- subject: a.yaml+ ...] [rewritten] [cut] [allows x y]
	 *   unchanged
	 *   failed REASON
	 * "+": with bytes, "!": too large. */
	struct buf events;
	struct buf text; /* of the last failure */
};

int world_setup(void **state);
int world_teardown(void **state);
void end_server(struct world *w);

/* PATH below the world's directory, printf-like, in the arena. */
const char *at(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void start(struct world *w); /* with w->options */
void stop(struct world *w);
/* Run the loop until the source says something; its line. Fails after 20 s. */
const char *next_event(struct world *w);
/* As next_event(), and passes over "unchanged": one push may give several hints. */
const char *next_change(struct world *w);

/* A program with its arguments, NULL at the end, in the world's directory; it must succeed. */
void run_program(struct world *w, ...) __attribute__((sentinel));
/* The same; its standard output without the last newline. */
const char *output_of(struct world *w, ...) __attribute__((sentinel));
/* The same; words split at spaces, in the clone "w". */
void git(struct world *w, const char *words);
void write_file(struct world *w, const char *path, const char *bytes);
void write_secret(struct world *w, const char *path, const char *bytes); /* mode 0640 */
/* In the clone "w": write, add, commit (with this message), push to main. */
void commit_file(struct world *w, const char *path, const char *bytes, const char *message);
/* A bare repository "r.git" and a clone "w" of it with nothing in it. */
void make_repository(struct world *w);
/* Commit all that is in w, and push it. */
void push(struct world *w, const char *message);

#endif
