/*
 * A world for tests of engines: a loop, a state directory, an engine on it, and tasks made of words
 * for tests/helpers/testtask.
 */
#ifndef MUSTER_TESTS_ENGINE_WORLD_H
#define MUSTER_TESTS_ENGINE_WORLD_H

#include "engine/engine.h"

#define WORLD_PATIENCE_MS 20000
#define WORLD_IMAGE	  "localhost/test:1" /* tests/engines/image */
#define WORLD_FLEET	  "f1ee70000000000000000000000000f1"
#define WORLD_BOOT	  "b0070000000000000000000000000001"

struct world {
	const struct engine_ops *ops;
	struct loop *loop;
	struct timer *patience;
	struct arena arena;
	char dir[64];		    /* of the test */
	const char *state_dir;	    /* below it */
	const char *bin, *testtask; /* where the programs are */
	const char *fleet, *node, *boot;
	const char *socket, *registry_auth; /* of a container engine: $ENGINE_SOCKET */
	bool away;			    /* it is not there: do not wait for it */
	void *engine;
	int changes; /* how often the engine called changed() */
	bool late;
};

struct answer {
	struct world *world;
	bool came, ok;
	char reason[1024];
	char image[128]; /* of a prepare: the digest of the first image that has one */
};

/* An open engine on an empty directory; node is unique. */
void world_init(struct world *w, const struct engine_ops *ops);
/* With an engine that is not there (yet): its socket is that file below the test's directory. */
void world_init_away(struct world *w, const struct engine_ops *ops, const char *socket);
/* Stops and removes all tasks, closes, removes the directory. Fails the test when a process of a
 * task is left. */
void world_release(struct world *w);
void world_open(struct world *w);	/* again, as a new agent would, until it can be asked */
void world_begin_open(struct world *w); /* the same, and nothing is waited for */
void world_close(struct world *w);
const char *world_path(struct world *w, const char *name); /* below its directory */

/* A task of one container "main" that runs testtask with these words; NULL ends them. */
#define world_task(w, service, ...) world_task_of(w, service, (const char *const[]){ __VA_ARGS__ })
struct wire_desired_task *world_task_of(struct world *w, const char *service,
					const char *const *words);
struct container_definition *world_container(struct wire_desired_task *task, uint32_t index);
/* One more container with these words. */
#define world_add_container(w, task, name, ...)                                                    \
	world_add_container_of(w, task, name, (const char *const[]){ __VA_ARGS__ })
struct container_definition *world_add_container_of(struct world *w, struct wire_desired_task *task,
						    const char *name, const char *const *words);

/* Operations, with the answer waited for. */
struct answer world_prepare(struct world *w, const struct wire_desired_task *task);
struct answer world_start(struct world *w, const char *id, const struct wire_desired_task *task);
struct answer world_stop(struct world *w, const char *id, const char *reason);
struct answer world_remove(struct world *w, const char *id);
struct answer world_clean(struct world *w, const char *id);
/* The same, without waiting. */
void world_begin_start(struct world *w, const char *id, const struct wire_desired_task *task,
		       struct answer *answer);

const struct node_task *world_find(struct world *w, const char *id); /* NULL: not listed */
uint32_t world_count(struct world *w);
/* Run the loop until that holds, or fail the test. */
const struct node_task *world_wait_status(struct world *w, const char *id, enum task_status status);
void world_wait(struct world *w, bool (*holds)(struct world *w, void *arg), void *arg,
		const char *what);
void world_wait_listable(struct world *w);
void world_wait_file(struct world *w, const char *path);
long world_wait_pid(struct world *w, const char *path); /* the number in the file */
bool world_alive(long pid);				/* and not a zombie */
void world_wait_gone(struct world *w, long pid);
void world_wait_removed(struct world *w, const char *id);
char *world_read(struct world *w, const char *path); /* "" when there is none */
/* What the container has written, once it contains the text. */
const char *world_wait_log(struct world *w, const char *service, const char *container,
			   const char *text);

/* Of the process engine: its file tasks/NAME; the process of the first container, and its parent.
 */
const char *world_task_file(struct world *w, const char *name);
long world_main_pid(struct world *w, const char *id);
long world_parent_of(long pid);
bool world_can(struct world *w, const char *capability);
struct opt_int world_integer(int64_t value);
struct task_definition *world_definition(struct wire_desired_task *task);

#endif
