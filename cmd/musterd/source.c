#include "musterd.h"

#include "fs/fs.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Commands may have waited for the first look. */
static void answered(struct musterd *d)
{
	bool first = !d->source_answered;
	d->source_answered = true;
	if (first)
		musterd_commands_read(d);
	musterd_step_soon(d);
}

static bool taken(void *arg, const struct source_snapshot *snapshot)
{
	struct musterd *d = arg;
	bool ok = control_snapshot(d->control, snapshot, clock_monotonic_ms(), clock_unix_ms());
	/* What it applied may ask for contents of old revisions, once for each. */
	if (!snapshot->partial && d->control->contents_wanted)
		d->history_asked = false;
	if (ok)
		answered(d);
	else if (d->control->store_listed)
		source_look(d->source); /* it needs more of it: whole, then */
	return ok;
}

static void source_failed(void *arg, const char *reason, const char *text)
{
	struct musterd *d = arg;
	const char *before = d->control->source_text;
	if (!before || strcmp(before, text) != 0)
		log_warn("the source does not answer", "reason", reason, "text", text);
	control_source_failed(d->control, reason, text);
	answered(d);
}

static void unchanged(void *arg, const char *commit)
{
	struct musterd *d = arg;
	control_source_ok(d->control, commit);
	answered(d);
}

/* muster-git lies next to musterd. */
static const char *git_program(struct arena *arena)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len <= 0)
		return "muster-git";
	self[len] = '\0';
	char *slash = strrchr(self, '/');
	*slash = '\0';
	return fs_join(arena, self, "muster-git");
}

void musterd_source_history(struct musterd *d)
{
	bool needed = control_needs_history(d->control);
	if (needed && !d->history_asked && d->source && d->source_answered) {
		source_have(d->source, NULL);
		source_look(d->source);
	}
	d->history_asked = needed;
}

bool musterd_source_start(struct musterd *d, struct err *err)
{
	const struct options *o = &d->options;
	const char *authorities = getenv("SSL_CERT_FILE"); /* as OpenSSL and curl have it */
	struct source_options options = {
		.url = o->source,
		.branch = o->branch,
		.path = o->path,
		.cache_dir = fs_join(&d->arena, d->controller_dir, "git"),
		.git_program = git_program(&d->arena),
		.ssh_key = o->ssh_key,
		.known_hosts = o->known_hosts,
		.token_file = o->token_file,
		.ca_file = o->ca_file			 ? o->ca_file
			   : authorities && *authorities ? authorities
							 : NULL,
		.interval_ms = o->interval_ms,
	};
	struct source_callbacks callbacks = {
		.taken = taken, .failed = source_failed, .unchanged = unchanged, .arg = d
	};
	d->source = source_new(d->loop, &options, &callbacks, err);
	if (!d->source)
		return false;
	if (d->control->applied.id[0] && !control_needs_history(d->control))
		source_have(d->source, d->control->applied.id);
	source_look(d->source);
	return true;
}
