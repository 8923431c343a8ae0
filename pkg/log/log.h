/*
 * log: one line per fact on stderr, as key=value: level=info time=… msg="task started" service=web
 * node=n1
 *
 * Values are quoted where they need it, control characters escaped. Lines are written with one
 * write(); what stderr cannot take at once is dropped (the next line says how many), never waited
 * for. Values over 1 KiB and lines over PIPE_BUF are cut, with "...". Only the shell logs.
 */
#ifndef MUSTER_LOG_H
#define MUSTER_LOG_H

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* default LOG_INFO */

/*
 * Keys and string values in pairs after msg; the list ends at the first NULL key, and a NULL value
 * leaves its pair out:
 *   log_info("task started", "service", name, "node", node);
 */
void log_line(enum log_level level, const char *msg, ...) __attribute__((sentinel));
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__, NULL)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__, NULL)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__, NULL)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__, NULL)

#endif
