/*
 * musterd: the controller as a program: senses (source, store, STATE/control, clock), tells
 * control, and carries out its effects. No decisions here.
 */
#ifndef MUSTERD_H
#define MUSTERD_H

#include "control/state.h"
#include "loop/loop.h"
#include "source/source.h"
#include "store/store.h"
#include "watch/watch.h"

#define BEATS_SCAN_MS	   10000 /* how often alive/ is looked at */
#define BEATS_EARLY_MS	   500	 /* ... in the first moments after the start */
#define BEATS_EARLY_FOR_MS 35000 /* until those that are gone are known to be, by default */
#define STORE_RETRY_MS	   2000	 /* an absent store is opened again so often */
#define STATUS_SETTLE_MS                                                                           \
	100 /* status follows a change so late, and others within this time with it */
#define STATUS_BEAT_MS	  10000	    /* .beat of the status directory */
#define EVENTS_FILE_BYTES (1 << 20) /* events.jsonl is rotated then; one old file is kept */

struct options {
	const char *source, *branch, *path, *state, *store, *status;
	int64_t interval_ms;
	bool once;
	const char *ssh_key, *known_hosts, *token_file, *ca_file;
};

struct musterd {
	struct options options;
	const char *controller_dir, *control_dir; /* STATE/controller, STATE/control */
	const char *applied_file, *fleet_file;
	struct arena arena;

	struct loop *loop;
	struct control *control;
	struct source *source;
	struct store *store;
	struct watcher *commands;
	struct timer *step_timer, *wake_timer, *beat_timer, *relist_timer, *reopen_timer,
		*status_timer, *status_beat_timer;

	bool locked, listed, list_failed, needs_poll;
	int64_t listed_at_ms;
	uint32_t listing; /* lists under way */
	uint32_t puts_pending;
	struct map *status_services, *status_nodes, *status_families; /* key -> "1": out of date */
	struct map *status_gone; /* "services/CLUSTER/NAME", ... */
	bool status_fleet, status_failed, status_due;
	int status_lock;
	struct buf events; /* lines of events.jsonl to be written */
	int exit_code;
	bool source_answered;
	bool history_asked;    /* the source was asked for the whole history */
	int64_t zones_told_ms; /* 0: never */
};

/* store.c: the store's side. */
bool musterd_store_start(struct musterd *d, struct err *err);
void musterd_store_stop(struct musterd *d);
void musterd_store_list_nodes(struct musterd *d);

/* source.c */
bool musterd_source_start(struct musterd *d, struct err *err);
/* Control may lack some of the history: ask for all of it, once. */
void musterd_source_history(struct musterd *d);

/* effects.c: decide soon (all events of this turn of the loop together). */
void musterd_step_soon(struct musterd *d);
void musterd_step(void *arg);
/* --once: stop when nothing is under way any more. */
void musterd_once_check(struct musterd *d);

/* zones.c: tell the time zones that control wants, or that grow old. False: nothing was told. */
bool musterd_zones_tell(struct musterd *d, int64_t now_ms);

/* commands.c: files in STATE/control. */
bool musterd_commands_start(struct musterd *d, struct err *err);
void musterd_commands_read(struct musterd *d);

/* status.c */
bool musterd_status_start(struct musterd *d, struct err *err);
void musterd_status_effect(struct musterd *d, const struct control_effect *effect);
/* Something changed that the files do not say yet: before what follows from it is carried out. */
void musterd_status_behind(struct musterd *d);
/* The last files, and that they are not kept any more. */
void musterd_status_stop(struct musterd *d);

#endif
