/*
 * tasklog/marks: beside a container's rotated log files ("current", "current.1" ...) stands "marks"
 * ("marks.1" ..., rotated with them): which task wrote what, and when. The logs themselves are what
 * the task printed and nothing else. Written by muster-shim, which needs libc alone, so this file
 * includes nothing.
 *
 * A mark is a line "INODE OFFSET UNIX_MS TASK" or "INODE OFFSET UNIX_MS TASK end": from there on
 * the file with that inode holds what that task prints; "end": it prints no more. The task makes
 * one when it begins, and before a write
 *  - that is the first to a file, or comes after bytes of another task;
 *  - MARK_LATEST_MS after the last one;
 *  - MARK_MS after the last one, once what came since would be MARK_BYTES.
 * So a piece between two marks is of one task, and it was written within MARK_LATEST_MS, within
 * MARK_MS when it has MARK_BYTES or more.
 */
#ifndef MUSTER_TASKLOG_MARKS_H
#define MUSTER_TASKLOG_MARKS_H

#define TASKLOG_CURRENT "current"
#define TASKLOG_MARKS	"marks"
#define TASKLOG_END	"end"
#define MARK_MS		1000
#define MARK_BYTES	256
#define MARK_LATEST_MS	60000

/* Of each container there are at most so many files; the suffix is one digit. */
#define TASKLOG_FILES_MAX 10

#endif
