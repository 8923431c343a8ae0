/*
 * What the files of `muster logs` share. Native processes' logs are files below STATE/agents/NODE/
 * logs (logs_files.c); containers' are asked of the container engine (logs_engine.c). Neither needs
 * an agent that runs.
 */
#ifndef MUSTER_CMD_LOGS_H
#define MUSTER_CMD_LOGS_H

#include "loop/loop.h"
#include "muster.h"
#include "tasklog/tasklog.h"

struct logs_files;
struct logs_engine;

/* The output of a container of that name on a node, of one task after the other. */
struct logs_output {
	const char *node, *container;
	struct tasklog_lines lines;
};

/* An agent of this machine. */
struct logs_node {
	const char *name;
	struct logs_engine *engine; /* that it opened last; NULL: none */
};

struct logs {
	struct cli *cli;
	/* What is asked for. */
	const char *cluster;   /* NULL: any */
	const char *name;      /* of a service, or the beginning of a task's id */
	bool by_task;	       /* which of both */
	const char *container; /* NULL: all */
	bool follow, previous;
	int64_t since_unix_ms; /* 0: all */
	int64_t tail;	       /* lines of each container; -1: all */

	struct loop *loop;
	VEC(struct logs_output *) outputs; /* by (node, container) */
	VEC(struct logs_node) nodes;
	VEC(struct logs_files *) files;
	const char *service, *other; /* CLUSTER/SERVICE that was found, and another one */
	const char *denied;	     /* a path that this user may not read; NULL: none */
	unsigned following;	     /* parts that may still print */
	int code;
};

/* Does it belong to what is asked for? task NULL: of a service that may have any. */
bool logs_wants(const struct logs *logs, const char *cluster, const char *service,
		const char *task);
/*
 * Of the tasks of a service on a node the one that is to be printed: the newest, or the one that is
 * named; with --previous the one before it. NULL: there is none. The tasks are sorted.
 */
const char *logs_choose(const struct logs *logs, struct tasklog_tasks *tasks);

/* Something of that service is wanted: "CLUSTER/SERVICE". */
void logs_found(struct logs *logs, const char *service);

/* The path may not be read, if code says so: what it has is not found. */
void logs_denied(struct logs *logs, int code, const char *path);

struct logs_output *logs_output(struct logs *logs, const char *node, const char *container);
void logs_print(struct logs_output *output, const void *bytes, size_t len);
void logs_print_end(struct logs_output *output);
/* One of logs->following has come to its end. */
void logs_followed(struct logs *logs);

/* --- logs_files.c ------------------------------------------------------------------------------
 */

/* Add what is wanted of a node's files to logs->files. */
void logs_files_find(struct logs *logs, const char *node);
/* Which task; its outputs are made, so that all are known before the first is printed. False: there
 * is no such task. */
bool logs_files_choose(struct logs_files *files);
/* Print what there is. */
void logs_files_print(struct logs_files *files);
/* Go on with what comes. */
void logs_files_follow(struct logs_files *files);
void logs_files_free(struct logs_files *files); /* takes NULL */

/* --- logs_engine.c -----------------------------------------------------------------------------
 */

/* The container engine that the node's agent opened last, asked for the node's containers. NULL:
 * none. */
struct logs_engine *logs_engine_open(struct logs *logs, const char *node);
/* Why it could not be asked; NULL: it was. */
const char *logs_engine_why(const struct logs_engine *engine);
/* The file that says which engine it is, where this user may not read it, and a usual one was asked
 * instead; NULL: it is the agent's. */
const char *logs_engine_guess(const struct logs_engine *engine);
/* Narrow its containers down to what is wanted. False: there is nothing of it. */
bool logs_engine_select(struct logs_engine *engine);
/* As of files; when logs are followed, what there is comes with what follows. */
bool logs_engine_choose(struct logs_engine *engine);
void logs_engine_print(struct logs_engine *engine);
void logs_engine_follow(struct logs_engine *engine);
void logs_engine_free(struct logs_engine *engine); /* takes NULL */

#endif
