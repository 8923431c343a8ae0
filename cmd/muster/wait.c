/*
 * muster wait: until a commit runs. It looks whenever musterd has written its status; what it says
 * is never older than its own start: what musterd has decided before that, it has seen.
 */
#include "muster.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fs/fs.h"
#include "loop/loop.h"
#include "watch/watch.h"

#define COMMIT_DIGITS_MIN 7

static const char *const goals[] = { "completed", "healthy", NULL };
static struct {
	const char *goal, *commit;
	int64_t timeout_ms;
} options = { .goal = "completed", .timeout_ms = 15 * 60000 };
static const struct flag flags[] = {
	{ "for", FLAG_STRING, .value = "GOAL", .help = "completed (all deployments) or healthy",
	  .values = goals, .offset = offsetof(typeof(options), goal) },
	{ "timeout", FLAG_DURATION, .value = "TIME", .help = "at most so long (15m)",
	  .offset = offsetof(typeof(options), timeout_ms) },
	{ "commit", FLAG_STRING, .value = "REV",
	  .help = "this commit, or a descendant (7 digits or more)",
	  .offset = offsetof(typeof(options), commit) },
};

struct waiting {
	struct cli *cli;
	struct loop *loop;
	struct timer *again;
	bool terminal;
	bool fresh;	   /* the status that is read is not older than the start */
	unsigned sets;	   /* written since the start */
	int code;	   /* -1: not yet decided */
	struct buf reason; /* why not, as of the last look */
	struct buf said;   /* what was printed last */
};

/* --- is it reached? ------------------------------------------------------------------------------
 */

/* Is it the commit that is waited for, or a descendant of it? Told by the history in status. */
static bool commit_covers(const json_t *source, const char *commit)
{
	size_t i, len = options.commit ? strlen(options.commit) : 0;
	json_t *item;
	bool below = false;
	if (!options.commit || strncasecmp(commit, options.commit, len) == 0)
		return true;
	json_array_foreach(json_object_get(source, "history"), i, item)
	{
		const char *id = json_string_value(item);
		below |= id && strcmp(id, commit) == 0;
		if (below && id && strncasecmp(id, options.commit, len) == 0)
			return true;
	}
	return false;
}

enum verdict { WAIT_ON, REACHED, FAILED, INVALID, HELD };

static const json_t *condition_of(const json_t *doc, const char *type)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(doc, "conditions"), i, c)
	{
		const char *t = text_at(c, "type");
		if (t && strcmp(t, type) == 0)
			return c;
	}
	return NULL;
}

static bool text_is(const json_t *object, const char *key, const char *value)
{
	const char *text = text_at(object, key);
	return text && strcmp(text, value) == 0;
}

static bool condition_is(const json_t *doc, const char *type, const char *status)
{
	return text_is(condition_of(doc, type), "status", status);
}

static int64_t number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* What can never be there without another commit; suspended is as its manifest says. */
static const char *stalled_text(const json_t *service)
{
	const json_t *c = condition_of(service, "Stalled");
	bool wanted = text_is(c, "reason", "Suspended") || text_is(c, "reason", "Kept");
	return text_is(c, "status", "True") && !wanted ? text_at(c, "message") : NULL;
}

/* Nodes match it, and none has what it needs: it may come. */
static const char *nowhere_text(const json_t *service)
{
	const json_t *c = condition_of(service, "Ready");
	return text_is(c, "reason", "NoNodeCanRunIt") ? text_at(c, "message") : NULL;
}

/* Its deployment came to no good end: says what happened, and what to do about it. */
static bool failed(const json_t *service, struct buf *text)
{
	const json_t *c = condition_of(service, "Progressing");
	const char *message = text_at(c, "message");
	bool back = text_is(c, "reason", "RolledBack"), going = text_is(c, "reason", "RollingBack");
	if (!back && !going && !text_is(service, "rolloutState", "FAILED"))
		return false;
	struct buf CLEANUP(buf_release) name = { 0 };
	buf_adds(&name, buf_str(text));
	buf_reset(text);
	buf_addf(text, "the deployment of %s %s", buf_str(&name),
		 back	 ? "was rolled back"
		 : going ? "failed and goes back"
			 : "failed");
	if (message)
		buf_addf(text, ": %s", message);
	return true;
}

/* A hold of this service; of NULL: of a commit. */
static const json_t *hold_of(const json_t *summary, const json_t *service)
{
	size_t i;
	json_t *hold;
	json_array_foreach(json_object_get(summary, "holds"), i, hold)
	{
		const char *of = text_at(hold, "service"), *cluster = text_at(service, "cluster");
		size_t len = cluster ? strlen(cluster) : 0;
		if (!service && !of)
			return hold;
		if (service && of && cluster && strncmp(of, cluster, len) == 0 && of[len] == '/' &&
		    text_is(service, "service", of + len + 1))
			return hold;
	}
	return NULL;
}

/* With its id and the command that releases it, once. */
static enum verdict held(const json_t *hold, struct buf *text)
{
	const char *message = text_at(hold, "message"), *id = text_at(hold, "id"),
		   *release = text_at(hold, "release");
	buf_reset(text);
	buf_addf(text, "held%s%s: %s", id ? ", id " : "", id ? id : "", message ? message : "");
	if (release && !(message && strstr(message, release)))
		buf_addf(text, "; release: %s", release);
	return HELD;
}

/* More than counts say: that it is paused, bakes, is watched. */
static void add_rollout(const json_t *service, struct buf *text)
{
	const json_t *rollout = json_object_get(service, "rollout");
	const char *message = text_at(rollout, "message");
	bool plain = text_is(rollout, "reason", "Updating") && !json_object_get(rollout, "step");
	if (message && !plain && !text_is(rollout, "reason", "NodesNotYetKnown"))
		buf_addf(text, ": %s", message);
}

/* What one service that is not converged means for the goal; text: why it is not there. */
static enum verdict service_verdict(const json_t *summary, const json_t *service, struct buf *text)
{
	int64_t desired = number_at(service, "desiredCount"),
		ready = number_at(service, "readyCount"),
		unknown = number_at(service, "unknownCount"),
		stopping = number_at(service, "stoppingCount");
	bool plain = text_is(service, "cluster", DEFAULT_CLUSTER);
	bool removing = text_is(service, "status", "DRAINING");
	buf_addf(text, "%s%s%s", plain ? "" : text_at(service, "cluster"), plain ? "" : "/",
		 text_at(service, "service"));
	if (failed(service, text))
		return FAILED;
	if (json_is_null(json_object_get(service, "desiredCount"))) {
		buf_adds(text, " is not looked at yet");
		return WAIT_ON;
	}
	const char *stalled = stalled_text(service);
	const json_t *hold = hold_of(summary, service);
	stalled = stalled ? stalled : nowhere_text(service);
	bool healthy = unknown == 0 && stopping == 0 &&
		       ready + number_at(service, "unreachableCount") >= desired && !stalled;
	bool any_way = strcmp(options.goal, "healthy") == 0; /* held or under way */
	if (healthy &&
	    (any_way || (!hold && (removing || !condition_is(service, "Progressing", "True")))))
		return REACHED;
	if (hold)
		return held(hold, text);
	buf_addf(text, " %lld/%lld", (long long)ready, (long long)desired);
	if (unknown)
		buf_addf(text, ", %lld not yet known", (long long)unknown);
	if (stopping)
		buf_addf(text, ", %lld to stop", (long long)stopping);
	if (stalled)
		buf_addf(text, ": %s", stalled);
	else
		add_rollout(service, text);
	return WAIT_ON;
}

/* The first is named with all that is known of it, a few more by their counts. What ends the wait
 * speaks alone, a failure before a hold. */
#define SERVICES_NAMED 5

static enum verdict services_verdict(const struct waiting *w, const json_t *summary,
				     struct buf *text)
{
	size_t i, waiting = 0;
	enum verdict all = REACHED;
	json_t *service;
	json_array_foreach(json_object_get(summary, "notConverged"), i, service)
	{
		const char *cluster = text_at(service, "cluster");
		struct buf CLEANUP(buf_release) one = { 0 };
		if (w->cli->cluster && cluster && strcmp(cluster, w->cli->cluster) != 0)
			continue;
		enum verdict v = service_verdict(summary, service, &one);
		if (v == FAILED || (v == HELD && all != HELD)) {
			buf_reset(text);
			buf_adds(text, buf_str(&one));
			all = v;
		} else if (v == WAIT_ON && all != HELD && waiting++ < SERVICES_NAMED) {
			buf_addf(text, "%s%s", text->len ? "; " : "", buf_str(&one));
			all = WAIT_ON;
		}
		if (v == FAILED)
			return FAILED;
	}
	if (all == WAIT_ON && waiting > SERVICES_NAMED)
		buf_addf(text, "; and %zu more", waiting - SERVICES_NAMED);
	return all;
}

static enum verdict wait_on(struct buf *text, const char *what, const char *why)
{
	buf_addf(text, "%s%s%s", what, why ? ": " : "", why ? why : "");
	return WAIT_ON;
}

/* The commit is applied: does it run? Not yet looked is not nothing to do. */
static enum verdict fleet_verdict(const struct waiting *w, const json_t *summary, struct buf *text)
{
	const json_t *source = json_object_get(summary, "source"),
		     *store = json_object_get(summary, "store"),
		     *counts = json_object_get(summary, "counts"),
		     *nodes = json_object_get(counts, "nodes");
	const char *error = text_at(json_object_get(source, "error"), "message");
	if (!options.commit && error)
		return wait_on(text, "the source does not answer", error);
	if (!options.commit && !json_is_true(json_object_get(source, "looked")))
		return wait_on(text, "the source was not looked at yet", NULL);
	if (!json_is_true(json_object_get(store, "open")))
		return wait_on(text, "the store does not answer", text_at(store, "message"));
	if (!json_is_true(json_object_get(store, "synced")) ||
	    json_is_null(json_object_get(json_object_get(counts, "tasks"), "desired")))
		return wait_on(text, "the nodes were not looked at yet", NULL);
	if (number_at(nodes, "total") == number_at(nodes, "registering") &&
	    number_at(json_object_get(counts, "services"), "total") > 0)
		return wait_on(text, "no node has registered yet", NULL);
	enum verdict verdict = services_verdict(w, summary, text);
	if (verdict == REACHED)
		buf_addf(text, "commit %.7s is applied, all reachable nodes are %s",
			 text_at(json_object_get(source, "applied"), "commit"),
			 strcmp(options.goal, "healthy") == 0 ? "healthy" : "done");
	return verdict;
}

static enum verdict judge(const struct waiting *w, const json_t *summary, struct buf *text)
{
	const json_t *source = json_object_get(summary, "source");
	const char *seen = text_at(json_object_get(source, "seen"), "commit");
	const char *applied = text_at(json_object_get(source, "applied"), "commit");
	bool same = seen && applied && strcmp(seen, applied) == 0;
	/* One that is in force stays so, whatever became of those that came after it. */
	if (applied && (options.commit ? commit_covers(source, applied) : same))
		return fleet_verdict(w, summary, text);
	const json_t *hold = hold_of(summary, NULL);
	bool concerns = seen && !same && commit_covers(source, seen);
	if (concerns && json_is_false(json_object_get(source, "seenValid"))) {
		buf_addf(text, "commit %.7s is invalid", seen);
		return INVALID;
	}
	if (concerns && hold)
		return held(hold, text);
	return wait_on(text, applied ? "the commit is not applied yet" : "no commit is applied yet",
		       text_at(json_object_get(source, "error"), "message"));
}

/* --- saying so -----------------------------------------------------------------------------------
 */

/* As many bytes of a line as fit, never a part of a character. */
static int fitting(const char *text, size_t columns)
{
	size_t len = 0;
	for (; text[len]; len++)
		if (((unsigned char)text[len] & 0xc0) != 0x80 && columns-- == 0)
			break;
	return (int)len;
}

/* A line in place of the last one on a terminal; another line elsewhere. */
static void say(struct waiting *w, const char *text, bool last)
{
	if (!last && strcmp(buf_str(&w->said), text) == 0)
		return;
	buf_reset(&w->said);
	buf_adds(&w->said, text);
	for (size_t i = 0; i < w->said.len; i++)
		if ((unsigned char)w->said.data[i] < ' ')
			w->said.data[i] = ' ';
	const char *line = buf_str(&w->said);
	size_t width = terminal_width();
	if (!w->terminal)
		printf("%s\n", line);
	else if (last)
		printf("\r\033[K%s\n", line);
	else
		printf("\r\033[K%.*s", fitting(line, width > 1 ? width - 1 : 1), line);
	fflush(stdout);
}

static void list_diagnostics(const json_t *summary)
{
	size_t i;
	json_t *line;
	json_array_foreach(json_object_get(summary, "diagnostics"), i, line)
		printf("%s\n", json_string_value(line));
}

static void list_unreachable(const json_t *summary)
{
	const json_t *nodes = json_object_get(summary, "unreachableNodes");
	const json_t *counts = json_object_get(json_object_get(summary, "counts"), "nodes");
	int64_t all = number_at(counts, "unreachable");
	size_t i, named = json_array_size(nodes);
	json_t *node;
	if (named == 0)
		return;
	printf("unreachable:");
	json_array_foreach(nodes, i, node) printf(" %s", json_string_value(node));
	if (named == REPORT_NOT_CONVERGED_MAX && all > (int64_t)named)
		printf(" and %lld more", (long long)all - (long long)named);
	printf("\n");
}

/* --- looking -------------------------------------------------------------------------------------
 */

/* While musterd may not have written yet what it knows, or does not run, look without being woken:
 * neither ends with a file that is surely seen to change. */
#define LOOK_AGAIN_MS 500

/*
 * Is what is read from now on not older than the start? So it is where musterd says that its files
 * are all that there is to say; else with the second set written since, as the first may have been
 * begun before. Of a musterd that does not run, or hangs, nothing is known.
 */
static bool is_fresh(const struct waiting *w, struct arena *scratch)
{
	int64_t age = status_age_s(w->cli->status);
	const char *root = w->cli->status;
	return age >= 0 && age <= BEAT_OLD_S &&
	       fs_is_locked(fs_join(scratch, root, REPORT_BEAT_FILE)) &&
	       (w->sets >= 2 || access(fs_join(scratch, root, REPORT_CURRENT_FILE), F_OK) == 0);
}

static json_t *read_summary(const struct waiting *w, struct arena *scratch)
{
	struct buf bytes = { 0 };
	struct err err;
	const char *path = fs_join(scratch, w->cli->status, REPORT_SUMMARY_FILE);
	json_t *summary = NULL;
	if (fs_read(path, SUMMARY_MAX_BYTES, &bytes, &err))
		summary = json_loadb(buf_str(&bytes), bytes.len, 0, NULL);
	buf_release(&bytes);
	return summary;
}

static void decided(struct waiting *w, enum verdict verdict, const json_t *summary)
{
	static const int codes[] = { [WAIT_ON] = -1,
				     [REACHED] = EXIT_DONE,
				     [FAILED] = EXIT_DIFFERS,
				     [INVALID] = EXIT_INVALID,
				     [HELD] = EXIT_HELD };
	w->code = codes[verdict];
	say(w, buf_str(&w->reason), w->code >= 0);
	if (w->code < 0)
		return;
	if (verdict == REACHED)
		list_unreachable(summary);
	else if (verdict == INVALID)
		list_diagnostics(summary);
	loop_stop(w->loop);
}

static void look(struct waiting *w)
{
	struct arena scratch;
	if (w->code >= 0)
		return;
	arena_init(&scratch);
	w->fresh = w->fresh || is_fresh(w, &scratch); /* before what it is about is read */
	json_t *summary = read_summary(w, &scratch);
	buf_reset(&w->reason);
	if (summary && w->fresh) {
		decided(w, judge(w, summary, &w->reason), summary);
	} else {
		buf_adds(&w->reason,
			 fs_is_locked(fs_join(&scratch, w->cli->status, REPORT_BEAT_FILE))
				 ? "musterd has not written its status yet"
				 : "musterd is not running");
		timer_set(w->again, LOOK_AGAIN_MS);
	}
	json_decref(summary);
	arena_release(&scratch);
}

static void look_again(void *arg)
{
	struct waiting *w = arg;
	say(w, buf_str(&w->reason), false);
	look(w);
}

static void changed(void *arg, const char *dir, const char *name)
{
	struct waiting *w = arg;
	(void)dir;
	bool set = name && strcmp(name, REPORT_FLEET_FILE) == 0; /* a set's last file */
	w->sets += set;
	if (!name || set)
		look(w);
}

static void timed_out(void *arg)
{
	struct waiting *w = arg;
	if (w->code >= 0)
		return;
	say(w, arena_printf(&w->cli->arena, "timed out: %s", buf_str(&w->reason)), true);
	w->code = EXIT_TIMEOUT;
	loop_stop(w->loop);
}

static int wait_for(struct waiting *w)
{
	struct err err;
	struct watcher *watcher = watcher_new(w->loop, changed, w, &err);
	if (!watcher || !watcher_add(watcher, w->cli->status, &err)) {
		watcher_free(watcher);
		return say_error(EXIT_SYSTEM, "%s", err.text);
	}
	struct timer *timer = timer_new(w->loop, timed_out, w);
	timer_set(timer, options.timeout_ms);
	w->again = timer_new(w->loop, look_again, w);
	look(w);
	if (w->code < 0)
		loop_run(w->loop);
	timer_free(w->again);
	timer_free(timer);
	watcher_free(watcher);
	return w->code;
}

static int run(struct cli *cli, const struct flags_args *args)
{
	(void)args;
	for (const char *c = options.commit; c && *c; c++)
		if (!isxdigit((unsigned char)*c))
			return say_error(EXIT_USAGE, "--commit: '%s' is not a commit id",
					 options.commit);
	if (options.commit && strlen(options.commit) < COMMIT_DIGITS_MIN)
		return say_error(EXIT_USAGE, "--commit takes %d hexadecimal digits or more",
				 COMMIT_DIGITS_MIN);
	int64_t age = status_age_s(cli->status);
	if (age > BEAT_OLD_S)
		warn("status is %s old, musterd is not running", age_text(&cli->arena, age));
	struct waiting w = {
		.cli = cli, .loop = loop_new(), .terminal = isatty(STDOUT_FILENO), .code = -1
	};
	int code = wait_for(&w);
	buf_release(&w.reason);
	buf_release(&w.said);
	loop_free(w.loop);
	return code;
}

const struct verb verb_wait = {
	.name = "wait",
	.usage = "[FLAG]...",
	.about = "Wait until what was pushed runs: on every node that had registered when musterd\n"
		 "applied the commit. Without --commit: what musterd has seen of the branch.\n"
		 "Nodes that musterd does not know yet, after its start, are waited for.\n"
		 "Exit code 0: it does, 1: a deployment failed or was rolled back, 3: the commit "
		 "is\n"
		 "invalid, 5: time ran out, 6: it or a service is held. A paused roll-out is "
		 "waited\n"
		 "for. Unreachable nodes are listed, and do not block.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.run = run,
};
