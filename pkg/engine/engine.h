/*
 * engine: runs tasks on one node. Operation table with one contract suite (tests/contract):
 * `process` (native processes under muster-shim), `docker` (containers, by the Docker Engine API of
 * Podman and Docker), and a fake for tests.
 *
 * Always holds: an engine knows its tasks by their id and by (fleet, node), so that several agents
 * on one machine never take each other's; what runs outlives the agent; a task's record is durable
 * before anything of it runs; start and exit are recorded, the exit durably. Operations never block
 * the loop for long and answer by callback on the loop's thread; list() answers from what the
 * engine knows.
 */
#ifndef MUSTER_ENGINE_H
#define MUSTER_ENGINE_H

#include "loop/loop.h"
#include "node/node.h"

struct engine_options {
	struct loop *loop;
	const char *fleet; /* may become known later: see engine_ops.set_fleet */
	const char *node;
	const char *state_dir; /* STATE/agents/NODE; tasks/ and logs/ below it are the engine's */
	const char *shim;      /* path of the muster-shim program */
	const char *boot_id;
	/* Of the container engine. */
	const char *socket; /* path of its unix socket; NULL: the first of the usual places */
	const char *registry_auth; /* file of credentials for registries; NULL: none */

	void (*changed)(void *arg); /* something about a task changed: list again */
	/* facts() has another answer; NULL: nobody asks. */
	void (*facts_changed)(void *arg);
	/* How far a prepare is, for people; NULL: nobody asks. */
	void (*progress)(void *arg, const char *cluster, const char *service, const char *text);
	void *arg;
};

/* What the engine is and can honour on this node, for placement. */
struct engine_facts {
	struct wire_engine engine;
	struct str_list capabilities; /* sorted */
	/* Of the machine that its tasks run on, where that need not be ours; NULL, 0: as ours. */
	const char *os_type, *architecture; /* "linux"; "x86_64", "arm64" */
	uint32_t cpus, memory_mib;
};

typedef void (*engine_done)(void *arg, bool ok, const char *reason);
/* images: container name -> digest ("sha256:...") of its image, where it has one; may be NULL. */
typedef void (*engine_prepared)(void *arg, bool ok, const char *reason,
				const struct str_map *images);

struct engine_ops {
	const char *name;
	enum engine_kind kind;
	bool (*open)(const struct engine_options *options, void **self, struct err *err);
	void (*close)(void *self); /* tasks go on */
	void (*set_fleet)(void *self, const char *fleet);
	/* False: not known yet; facts_changed() will tell. What was known once stays known, when
	 * the engine is away, and for a new agent on the same state. */
	bool (*facts)(void *self, struct arena *arena, struct engine_facts *out, struct err *err);
	/* All tasks under our (fleet, node), running or stopped and not yet removed. False: the
	 * engine cannot be asked; then they are those that were known at last, and their states may
	 * be old. */
	bool (*list)(void *self, struct arena *arena, struct node_task **tasks, uint32_t *count,
		     struct err *err);
	/* Make ready (command executable, user known, images pulled); answers with the reason of a
	 * failure in ECS's form, e.g. "CannotStartContainerError: ...". That the engine is away is
	 * no failure: it, and start(), go on when it is back. */
	void (*prepare)(void *self, const struct wire_desired_task *task, engine_prepared done,
			void *arg);
	/* Start under that id; the answer means that it runs or why not. environment: MUSTER_*. */
	void (*start)(void *self, const char *id, const struct wire_desired_task *task,
		      const struct str_map *environment, engine_done done, void *arg);
	/* Ask it to stop: SIGTERM, stopTimeout, SIGKILL of all it forked, without the agent's help.
	 */
	void (*stop)(void *self, const char *id, const char *reason, engine_done done, void *arg);
	/* Remove what a stopped task left (node_task.remains), but not its record: it is listed as
	 * before. NULL: the engine's tasks leave nothing. */
	void (*clean)(void *self, const char *id, engine_done done, void *arg);
	/* Forget a stopped task: records, cgroups, fifo; logs stay until rotated away. */
	void (*remove)(void *self, const char *id, engine_done done, void *arg);
	/* What a task is that was found without its record (node_task.lacks_definition), of which
	 * the engine knows no more than what it shows. NULL: the engine has no such tasks. */
	void (*define)(void *self, const char *id, const struct wire_desired_task *task,
		       const struct str_map *environment);
};

extern const struct engine_ops engine_process_ops, engine_docker_ops;

/* Is there a socket at one of the usual places (docker/docker.c), or was there when an agent ran on
 * this state? */
bool engine_docker_expected(const char *state_dir);
/* The first usual place that has a socket; NULL: none. */
const char *engine_docker_usual_socket(struct arena *arena);

/* What the container engine is, in state_dir, so that it is known while it is away, and without an
 * agent: sealed, with the path of its socket as "socket". */
#define ENGINE_DOCKER_FACTS_FILE  "engine-docker.json"
#define ENGINE_DOCKER_FACTS_KIND  "engine-docker"
#define ENGINE_DOCKER_FACTS_BYTES (1 << 20) /* a larger one is not read */

/*
 * The container's `files`, written under their own paths below engine_files_dir(): STATE_DIR/files/
 * ENGINE/ID/CONTAINER. Mode 0444 where none is given, the agent's where no user is; who does not
 * know the task's id finds none. False: err is "ResourceInitializationError: ...".
 */
struct engine_files {
	const char *state_dir, *engine; /* as in engine_options; the engine's name */
};
const char *engine_files_dir(struct arena *arena, const struct engine_files *in, const char *id,
			     const char *container);
bool engine_files_write(const struct engine_files *in, const char *id,
			const struct container_definition *container, struct err *err);
void engine_files_remove(const struct engine_files *in, const char *id);
/* Remove those of tasks that are not known: what a kill in the middle of a start left. */
void engine_files_sweep(const struct engine_files *in, bool (*known)(void *arg, const char *id),
			void *arg);

/*
 * The value of a secret, from "file:PATH" (a regular file of at most SECRET_MAX_BYTES that not
 * everyone can read; one newline at its end is left out) or "env:NAME" of the agent's environment.
 * False: err is "ResourceInitializationError: secret NAME: ..." and names the path, never a value.
 */
#define SECRET_MAX_BYTES (64 << 10)
bool engine_secret_read(const struct key_value_secret *secret, struct arena *arena,
			const char **value, struct err *err);

/*
 * Where a native container's output is, as "current" and, older, "current.1", "current.2", each
 * with its marks (tasklog/marks.h):
 * STATE/agents/NODE/logs/SERVICE/CONTAINER for the cluster "default", else with CLUSTER~SERVICE
 * ('~' is in no name, so that no two services meet). state_dir as in engine_options.
 */
const char *engine_log_dir(struct arena *arena, const char *state_dir, const char *cluster,
			   const char *service, const char *container);

/* $(NAME) becomes the value, $$(NAME) is $(NAME), an unknown one stays as it is. */
const char *expand_references(struct arena *arena, const char *text, const struct map *values);

#endif
