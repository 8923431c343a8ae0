/*
 * engine/process/internal: what the files of the process engine share.
 *
 * All state is the loop thread's. What may wait (disk, user databases, processes that end) is done
 * by jobs on threads of their own, which see only their job.
 */
#ifndef MUSTER_ENGINE_PROCESS_INTERNAL_H
#define MUSTER_ENGINE_PROCESS_INTERNAL_H

#include "engine/engine.h"
#include "engine/cgroup.h"
#include "engine/process/record.h"
#include "watch/watch.h"

#include <limits.h>
#include <stdatomic.h>

#define LEFTOVER_WAIT_MS  2000 /* for killed leftovers to be gone; then again after... */
#define LEFTOVER_RETRY_MS 1000
#define LOCK_AGAIN_MS	  10 /* after a lock file was closed, twice as long each time, up to... */
#define LOCK_AGAIN_MAX_MS 5000
#define LOG_MAX_BYTES	  (10 << 20)
#define LOG_FILES	  3
/* Where the `files` of tasks are, of anything with a state_dir. */
#define PROCESS_FILES(in) ((struct engine_files){ (in)->state_dir, "process" })
#define DEFAULT_PATH	  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- jobs.c ----------------------------------------------------------------------------------- */

struct jobs;
struct job {
	void (*run)(struct job *job);	 /* on a thread; NULL: nothing to do there */
	void (*finish)(struct job *job); /* on the loop, frees it; the jobs may be closing */
	struct job *next;
};
struct jobs *jobs_new(struct loop *loop);
/* Waits for what runs; what has not begun is finished without having run. */
void jobs_free(struct jobs *jobs);
void jobs_add(struct jobs *jobs, struct job *job);
bool jobs_closing(const struct jobs *jobs); /* any thread */

/* --- compose.c: a desired task as a record ---------------------------------------------------- */

struct compose {
	const struct wire_desired_task *task;
	const struct str_map *environment; /* MUSTER_*; may be NULL */
	const char *id;			   /* NULL: only to be checked */
	const char *fleet, *node, *boot_id, *state_dir;
	int64_t created_unix_ms;
	const struct cgroups *cgroups; /* NULL: none are made */
};
/* Makes cgroups and log directories where there is an id. False: err is why, in ECS's form. */
bool compose_record(const struct compose *in, struct record_writer *w, struct err *err);
/* Remove the cgroups that were made for it. */
void compose_undo(const struct record_writer *w);
/* The secrets of all containers as the shim takes them: SHIM_SECRET_PREFIX "CONTAINER.NAME=VALUE",
 * NULL-terminated. They are in no record. False: err is why, in ECS's form. */
bool compose_secrets(const struct task_definition *td, struct arena *arena, char ***env,
		     struct err *err);
void record_grow(struct record_writer *w, size_t need); /* .grow with xrealloc() */

/* user.c */
#define GROUPS_MAX 1024
struct user {
	bool set; /* become it; else the task runs as its agent does */
	int64_t uid, gid;
	int64_t groups[GROUPS_MAX];
	size_t group_count;
	const char *name, *home; /* in the arena */
};
/* "name[:group]", uid[:gid]; NULL: the agent's own. */
bool user_resolve(const char *text, struct arena *arena, struct user *out, struct err *err);

/* --- tasks.c: what the files say -------------------------------------------------------------- */

enum container_state { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_EXITED };
struct task_container {
	const char *name, *state_name, *reason, *stderr_tail, *pid, *exit_code;
	enum container_state state;
};
/* ID.start, or ID.exit once that is there. */
struct task_run {
	int64_t started_unix_ms, started_boot_ms, stopped_unix_ms, stopped_boot_ms;
	int64_t requested, log_bytes_dropped;
	const char *stop_code, *reason;
	struct task_container containers[LIMIT_CONTAINERS];
	uint32_t count;
};
enum task_phase {
	PHASE_STARTING, /* our job makes it, or its shim has not said anything yet */
	PHASE_RUNNING,
	PHASE_DEAD,    /* nobody holds the lock and there is no exit record: kill the leftovers */
	PHASE_EXITED,  /* nothing of it is left */
	PHASE_UNKNOWN, /* somebody runs it, but we cannot read what it is */
	PHASE_VOID,    /* nothing to be known or done */
};
struct task {
	char id[RECORD_ID_MAX + 1];
	struct arena arena, run_arena; /* of the record, of run */
	/* The record. */
	bool recorded; /* it was read; else only what start() was told is set */
	bool newer;    /* it cannot be read: it is of a newer version */
	const char *fleet, *node, *cluster, *service, *family, *deployment, *boot_id, *target_text;
	int64_t revision;
	struct digest target;
	struct {
		const char *name;
		bool essential;
	} containers[LIMIT_CONTAINERS];
	uint32_t container_count;
	const char **cgroups; /* in the order made: parents first */
	uint32_t cgroup_count;
	/* What became of it. */
	enum task_phase phase;
	struct task_run run;
	bool stop_asked;       /* ID.stop is there */
	bool fileless;	       /* failed before it had a record: only we know of it */
	bool job;	       /* a job is about this task: its files are the job's meanwhile */
	int64_t lock_again_ms; /* its lock file was closed: look whether it is free; 0: no need */
	char *stop_after;      /* reason of a stop that waits for the start; malloc */
	engine_done started;   /* waits for the answer of a start */
	void *started_arg;
};
struct task *task_new(const char *id);
void task_free(struct task *task);
/* Read what there is now. Returns whether phase or run changed. */
bool task_read(struct task *task, const char *dir, const char *boot_id);
/* Make it one that exited without ever running. */
void task_fail(struct task *task, const char *reason);
void task_describe(const struct task *task, const char *boot_id, struct arena *arena,
		   struct node_task *out);

/* files.c: the names of a task's files. */
/* "ID.SUFFIX" -> both; false for any other name. */
bool task_file_name(const char *name, char id[RECORD_ID_MAX + 1], const char **suffix);
void task_path(const char *dir, const char *id, const char *suffix, struct buf *out);
bool task_has(const char *dir, const char *id, const char *suffix);
enum task_lock { LOCK_ABSENT, LOCK_FREE, LOCK_HELD };
enum task_lock task_lock(const char *dir, const char *id);
/* ID.stop and the command to the shim. False: nobody is there to take it. */
bool task_send_stop(const char *dir, const char *id, const char *reason, struct err *err);
/* ID.exit in place of a shim that cannot. run: what is known of its start. */
bool task_write_exit(const char *dir, const struct task *task, const char *code, const char *reason,
		     struct err *err);
void task_unlink(const char *dir, const char *id);
/* The marks of its logs' ends (tasklog/marks.h), in place of such a shim: who follows them waits
 * for these. */
void task_end_logs(const char *state_dir, const struct task *task);

/* --- leftover.c ------------------------------------------------------------------------------- */

/*
 * Kill (SIGKILL) all that is left of a task without a shim: its cgroups, else what has
 * MUSTER_TASK=ID in its environment. True: nothing is left.
 */
bool leftovers_kill(const char *id, const char *const *cgroups, uint32_t cgroup_count,
		    int64_t deadline_boot_ms);

/* --- start.c: on a job's thread ----------------------------------------------------------------
 */

struct start {
	const char *tasks_dir, *shim, *id, *title;
	char **env; /* compose_secrets() */
	pid_t pid;  /* out: of the shim, our child */
};
/* Lock, FIFO, record, shim. err->code EEXIST: there is such a task. On failure nothing runs, but
 * files may be there. */
bool start_shim(struct start *start, const struct record_writer *record, struct err *err);
/* Run muster-shim --check on the record. */
bool check_with_shim(const char *shim, const struct record_writer *record, struct err *err);

/* --- process.c, actions.c, probe.c --------------------------------------------------------------
 */

/* A shim that we started and must wait for, while we live. */
struct shim_child {
	struct process_engine *engine;
	struct poll_handle *poll;
	int pidfd;
	pid_t pid;
	struct shim_child *next;
};

struct process_engine {
	struct loop *loop;
	struct jobs *jobs;
	struct watcher *watcher;
	struct timer *retry;   /* of what no event tells of; see engine_look_again() */
	int64_t retry_boot_ms; /* when it is due; 0: never */
	struct cgroups *cgroups;
	struct map *tasks; /* id -> struct task */
	struct shim_child *children;
	char *fleet, *node, *state_dir, *tasks_dir, *shim, *boot_id;
	bool can[CGROUP_CONTROLLERS];
	void (*changed)(void *arg);
	void *arg;
};

void shim_child_free(struct shim_child *child);

/* Read the task again, answer a start that waits, see to leftovers. Returns whether it changed. */
bool engine_look(struct process_engine *engine, struct task *task);
void engine_look_again(struct process_engine *engine, int64_t delay_ms); /* at all, at the latest */
void engine_forget(struct process_engine *engine, struct task *task);	 /* and free it */
void engine_clean_up(struct process_engine *engine, struct task *task);	 /* PHASE_DEAD */
/* Try each controller once: engine->can. */
void engine_probe(struct process_engine *engine);
bool engine_can_switch_users(void);

void engine_prepare(void *self, const struct wire_desired_task *task, engine_prepared done,
		    void *arg);
void engine_start(void *self, const char *id, const struct wire_desired_task *task,
		  const struct str_map *environment, engine_done done, void *arg);
void engine_stop(void *self, const char *id, const char *reason, engine_done done, void *arg);
void engine_remove(void *self, const char *id, engine_done done, void *arg);

#endif
