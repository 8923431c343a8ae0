#include "musterd.h"

#include "flags/flags.h"
#include "fs/fs.h"
#include "log/log.h"
#include "source/place.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROW(n, k, member, v, h)                                                                    \
	{                                                                                          \
		.name = (n), .kind = FLAG_##k, .value = (v), .help = (h),                          \
		.offset = offsetof(struct options, member)                                         \
	}

static const struct flag rows[] = {
	{ .name = "source",
	  .kind = FLAG_STRING,
	  .value = "URL|DIR",
	  .help = "git repository (URL or directory), or a plain directory of manifests",
	  .offset = offsetof(struct options, source),
	  .required = true },
	ROW("branch", STRING, branch, "NAME", "branch to follow (main)"),
	ROW("path", STRING, path, "PATH", "directory of the manifests in the repository (.)"),
	{ .name = "state",
	  .kind = FLAG_STRING,
	  .value = "DIR",
	  .help = "where the controller keeps its state",
	  .env = "MUSTER_STATE",
	  .offset = offsetof(struct options, state) },
	ROW("store", STRING, store, "dir:DIR", "the store (dir:STATE/store)"),
	{ .name = "status",
	  .kind = FLAG_STRING,
	  .value = "DIR",
	  .help = "where status files are written (STATE/status)",
	  .env = "MUSTER_STATUS",
	  .offset = offsetof(struct options, status) },
	ROW("interval", DURATION, interval_ms, "TIME",
	    "how often a remote repository is asked (60s)"),
	ROW("once", BOOL, once, NULL, "look, plan and put once, then exit"),
	ROW("git-ssh-key", STRING, ssh_key, "FILE",
	    "private key for ssh, best ed25519 (not readable by others)"),
	ROW("git-known-hosts", STRING, known_hosts, "FILE", "host keys to trust"),
	ROW("git-token-file", STRING, token_file, "FILE",
	    "file with a token for https (not readable by others)"),
	ROW("git-ca-file", STRING, ca_file, "FILE",
	    "authorities to trust for https (SSL_CERT_FILE, or the system's)"),
};

static void read_flags(struct musterd *d, char **argv)
{
	struct options *o = &d->options;
	*o = (struct options){ .branch = "main", .path = ".", .interval_ms = 60000 };
	struct flags_spec spec = {
		.program = "musterd",
		.usage = "--source URL|DIR [FLAG]...",
		.about =
			"The controller: follows a repository of manifests, plans, and writes what "
			"each node\nshould run to the store, and what runs to status files.",
		.config = "musterd",
		.tables = { FLAG_TABLE(rows, o) },
		.table_count = 1,
	};
	struct flags_args args;
	flags_parse_or_exit(&spec, argv + 1, &d->arena, &args);
	if (!o->state)
		o->state = flags_default_state(&d->arena);
	if (!o->store)
		o->store = arena_printf(&d->arena, "dir:%s/store", o->state);
	if (!o->status)
		o->status = arena_printf(&d->arena, "%s/status", o->state);
	if (o->interval_ms < 1000)
		exit(flags_usage_error(&spec, "--interval: at least 1s"));
}

static bool make_directories(struct musterd *d, struct err *err)
{
	struct arena *a = &d->arena;
	d->controller_dir = fs_join(a, d->options.state, "controller");
	d->control_dir = fs_join(a, d->options.state, "control");
	d->applied_file = fs_join(a, d->controller_dir, "applied");
	d->fleet_file = fs_join(a, d->controller_dir, "fleet");
	return fs_mkdirs(d->options.state, 0755, err) && fs_mkdirs(d->controller_dir, 0700, err) &&
	       fs_mkdirs(d->control_dir, 0755, err) && fs_mkdirs(d->options.status, 0755, err);
}

static void on_signal(void *arg, int signum)
{
	struct musterd *d = arg;
	if (signum == SIGHUP) {
		if (d->source)
			source_look(d->source);
		return;
	}
	log_info("stopping", "signal", strsignal(signum));
	loop_stop(d->loop);
}

static int failed(const struct err *err)
{
	log_error(err->text);
	return EXIT_SYSTEM;
}

/* A password in a URL is not for logs. What is no source is told by source_new(). */
static const char *shown_source(struct musterd *d)
{
	struct place place;
	struct err err = { 0 };
	bool ok = place_parse(d->options.source, "/", &d->arena, &place, &err);
	return !ok ? "" : place.local ? d->options.source : place.shown;
}

static int start(struct musterd *d)
{
	struct err err = { 0 };
	umask(022);
	if (!make_directories(d, &err))
		return failed(&err);
	int lock = fs_lock(fs_join(&d->arena, d->controller_dir, "lock"), &err);
	if (lock < 0) {
		if (err.code == EWOULDBLOCK)
			err_set(&err, 0, "another musterd runs on the state in %s",
				d->options.state);
		return failed(&err);
	}
	d->loop = loop_new();
	d->control = control_new();
	d->step_timer = timer_new(d->loop, musterd_step, d);
	d->wake_timer = timer_new(d->loop, musterd_step, d);
	loop_on_signal(d->loop, SIGTERM, on_signal, d);
	loop_on_signal(d->loop, SIGINT, on_signal, d);
	loop_on_signal(d->loop, SIGHUP, on_signal, d);
	if (!musterd_status_start(d, &err) || !musterd_store_start(d, &err) ||
	    !musterd_commands_start(d, &err))
		return failed(&err);
	log_info("started", "source", shown_source(d), "branch", d->options.branch, "store",
		 d->options.store, "status", d->options.status);
	musterd_step_soon(d);
	loop_run(d->loop);
	return d->exit_code;
}

static void stop(struct musterd *d)
{
	musterd_status_stop(d);
	source_free(d->source);
	musterd_store_stop(d);
	watcher_free(d->commands);
	struct timer *timers[] = { d->step_timer,	d->wake_timer,	 d->beat_timer,
				   d->relist_timer,	d->reopen_timer, d->status_timer,
				   d->status_beat_timer };
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		if (timers[i])
			timer_free(timers[i]);
	control_free(d->control);
	loop_free(d->loop);
	map_free(d->status_services);
	map_free(d->status_nodes);
	map_free(d->status_families);
	map_free(d->status_gone);
	buf_release(&d->events);
}

int main(int argc, char **argv)
{
	(void)argc;
	struct musterd d = { 0 };
	read_flags(&d, argv);
	int code = start(&d);
	if (d.loop)
		stop(&d);
	arena_release(&d.arena);
	return code;
}
