/*
 * tasklog: what tasks print, as bytes of rotated files or of a container engine's stream, made into
 * what a reader asked for. Pure: whoever opens files and sockets gives bytes, and prints what comes
 * out.
 */
#ifndef MUSTER_TASKLOG_H
#define MUSTER_TASKLOG_H

#include "base/base.h"
#include "tasklog/marks.h"

/* --- frames ------------------------------------------------------------------------------------
 */

/*
 * GET /containers/ID/logs of a container without a terminal: stdout and stderr in frames, each with
 * a head of 8 bytes: stream, three times 0, size as a big-endian 32-bit number (Docker Engine API,
 * "Stream format"). A frame may be of any size and come in any pieces: nothing is kept of it.
 */
#define FRAME_HEAD_BYTES 8
struct tasklog_frames {
	unsigned char head[FRAME_HEAD_BYTES];
	size_t head_len; /* read of it */
	uint32_t left;	 /* of the frame's content */
	bool failed;	 /* some frame was the engine's own word of an error (stream 3) */
};
/* Adds the content to out. False with EPROTO: this is no frame; what came before it is in out. */
bool tasklog_frames_add(struct tasklog_frames *frames, const void *bytes, size_t len,
			struct buf *out, struct err *err);

/* --- lines -------------------------------------------------------------------------------------
 */

#define TASKLOG_LINE_MAX (64 << 10) /* a longer one becomes several, each with the label */

/*
 * One of several outputs that are printed together: whole lines, each after "LABEL: ", so that none
 * is torn by another's. Without a label the bytes as they come.
 */
struct tasklog_lines {
	const char *label; /* NULL: it is the only one; may be set later */
	struct buf partial;
};
void tasklog_lines_add(struct tasklog_lines *lines, const void *bytes, size_t len, struct buf *out);
/* Nothing more comes: a last line without an end gets one, where there is a label. */
void tasklog_lines_end(struct tasklog_lines *lines, struct buf *out);

/*
 * The last lines of a text, found from its end. Give it the text's pieces from the last one to the
 * first; lines = how many are wanted. Answers where in the piece they begin, or SIZE_MAX: further
 * to the front. A text that does not end in a newline ends in a line all the same.
 */
struct tasklog_tail {
	uint64_t lines;
	bool begun;
};
size_t tasklog_tail_find(struct tasklog_tail *tail, const char *bytes, size_t len);

/* --- times -------------------------------------------------------------------------------------
 */

/*
 * RFC 3339: "2026-11-23T21:45:25Z", with a fraction, with "+01:00"; seconds, time and zone may be
 * left out from the end; without a zone it is UTC, as all times that muster prints.
 */
bool tasklog_time(const char *text, int64_t *unix_ms);

/* --- marks -------------------------------------------------------------------------------------
 */

struct tasklog_mark {
	uint64_t inode;
	int64_t offset, unix_ms;
	const char *task;
	bool end;
};
struct tasklog_marks {
	VEC(struct tasklog_mark) items;
};
/* Take the lines of a file of marks; what is no mark is passed over: of a newer version, or cut.
 * Older files first. Tasks live in the arena. */
void tasklog_marks_add(struct tasklog_marks *marks, const char *text, size_t len,
		       struct arena *arena);

/* The tasks of a service on a node, of all its containers. */
struct tasklog_task {
	const char *task;
	int64_t began_unix_ms; /* as far as is still known */
	bool ended;	       /* false: it runs, or its shim was killed */
};
struct tasklog_tasks {
	VEC(struct tasklog_task) items;
};
/* Add one, or what is known of it from another container. */
void tasklog_tasks_put(struct tasklog_tasks *tasks, const struct tasklog_task *task);
/* Add those of one container; a task ends when it has ended in all of them. Strings are borrowed.
 */
void tasklog_tasks_add(struct tasklog_tasks *tasks, const struct tasklog_marks *marks);
/* The newest first: the present one, then the one before it. */
void tasklog_tasks_sort(struct tasklog_tasks *tasks);

struct tasklog_file {
	uint64_t inode;
	int64_t size, changed_unix_ms; /* changed: its mtime */
};
struct tasklog_want {
	const char *task;      /* NULL: any, also what no mark tells of */
	int64_t since_unix_ms; /* 0: all; what may have been written earlier is left out, as far as
				  marks tell */
};
struct tasklog_range {
	size_t file;
	int64_t from, to;
};
struct tasklog_ranges {
	VEC(struct tasklog_range) items;
};
/* The parts of a container's files, oldest first, that are wanted, in their order. */
void tasklog_select(const struct tasklog_file *files, size_t count,
		    const struct tasklog_marks *marks, const struct tasklog_want *want,
		    struct tasklog_ranges *out);

#endif
