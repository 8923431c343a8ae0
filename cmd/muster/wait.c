/* muster wait: until a commit runs. It looks whenever musterd writes its summary; it never polls.
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
	bool terminal;
	int code;	 /* -1: not yet decided */
	struct buf last; /* what was said last */
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

static bool condition_is(const json_t *doc, const char *type, const char *status)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(doc, "conditions"), i, c)
	{
		const char *t = text_at(c, "type"), *s = text_at(c, "status");
		if (t && s && strcmp(t, type) == 0)
			return strcmp(s, status) == 0;
	}
	return false;
}

static int64_t number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* What one service that is not converged means for the goal. */
static enum verdict service_verdict(const json_t *service, struct buf *text)
{
	const char *cluster = text_at(service, "cluster"),
		   *rollout = text_at(service, "rolloutState");
	int64_t desired = number_at(service, "desiredCount"),
		ready = number_at(service, "readyCount");
	bool plain = cluster && strcmp(cluster, DEFAULT_CLUSTER) == 0;
	char name[2 * NAME_MAX_LEN + 2];
	snprintf(name, sizeof(name), "%s%s%s", plain ? "" : cluster, plain ? "" : "/",
		 text_at(service, "service"));
	if (json_is_null(json_object_get(service, "desiredCount"))) {
		buf_addf(text, "%s%s is not looked at yet", text->len ? ", " : "", name);
		return WAIT_ON;
	}
	if (rollout && strcmp(rollout, "FAILED") == 0) {
		buf_addf(text, "the deployment of %s failed", name);
		return FAILED;
	}
	bool healthy = ready + number_at(service, "unreachableCount") >= desired &&
		       !condition_is(service, "Stalled", "True");
	bool done = strcmp(options.goal, "healthy") == 0 ||
		    !condition_is(service, "Progressing", "True");
	if (healthy && done)
		return REACHED;
	buf_addf(text, "%s%s %lld/%lld", text->len ? ", " : "", name, (long long)ready,
		 (long long)desired);
	return WAIT_ON;
}

static enum verdict services_verdict(const struct waiting *w, const json_t *summary,
				     struct buf *text)
{
	enum verdict verdict = REACHED;
	size_t i;
	json_t *service;
	json_array_foreach(json_object_get(summary, "notConverged"), i, service)
	{
		const char *cluster = text_at(service, "cluster");
		if (w->cli->cluster && cluster && strcmp(cluster, w->cli->cluster) != 0)
			continue;
		enum verdict v = service_verdict(service, text);
		if (v == FAILED)
			return FAILED;
		verdict = v == WAIT_ON ? WAIT_ON : verdict;
	}
	return verdict;
}

static enum verdict judge(const struct waiting *w, const json_t *summary, struct buf *text)
{
	const json_t *source = json_object_get(summary, "source");
	const char *seen = text_at(json_object_get(source, "seen"), "commit");
	const char *applied = text_at(json_object_get(source, "applied"), "commit");
	bool differs = seen && (!applied || strcmp(seen, applied) != 0);
	if (differs && json_is_false(json_object_get(source, "seenValid")) &&
	    commit_covers(source, seen)) {
		buf_addf(text, "commit %.7s is invalid", seen);
		return INVALID;
	}
	const json_t *hold = json_array_get(json_object_get(summary, "holds"), 0);
	if (hold && differs && commit_covers(source, seen)) {
		buf_addf(text, "%s", text_at(hold, "message") ? text_at(hold, "message") : "held");
		return HELD;
	}
	if (!applied || !commit_covers(source, applied) || (differs && !options.commit)) {
		const char *why = text_at(json_object_get(source, "error"), "message");
		buf_addf(text, "%s%s%s",
			 applied ? "the commit is not applied yet" : "no commit is applied yet",
			 why ? ": " : "", why ? why : "");
		return WAIT_ON;
	}
	if (json_is_null(json_object_get(
		    json_object_get(json_object_get(summary, "counts"), "tasks"), "desired"))) {
		buf_adds(text, "the nodes were not looked at yet");
		return WAIT_ON;
	}
	enum verdict verdict = services_verdict(w, summary, text);
	if (verdict == REACHED)
		buf_addf(text, "commit %.7s is applied, all reachable nodes are %s", applied,
			 strcmp(options.goal, "healthy") == 0 ? "healthy" : "done");
	return verdict;
}

/* --- saying so -----------------------------------------------------------------------------------
 */

static void say(struct waiting *w, const char *text, bool last)
{
	if (!last && strcmp(buf_str(&w->last), text) == 0)
		return;
	buf_reset(&w->last);
	buf_adds(&w->last, text);
	if (w->terminal) {
		int width = (int)terminal_width();
		printf("\r\033[K%.*s%s", last || width < 2 ? 4096 : width - 1, text,
		       last ? "\n" : "");
	} else {
		printf("%s\n", text);
	}
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
	size_t i;
	json_t *node;
	if (json_array_size(nodes) == 0)
		return;
	printf("unreachable:");
	json_array_foreach(nodes, i, node) printf(" %s", json_string_value(node));
	printf("\n");
}

static void look(struct waiting *w)
{
	static const int codes[] = { [WAIT_ON] = -1,
				     [REACHED] = EXIT_DONE,
				     [FAILED] = EXIT_DIFFERS,
				     [INVALID] = EXIT_INVALID,
				     [HELD] = EXIT_HELD };
	struct arena scratch;
	struct buf text = { 0 }, bytes = { 0 };
	struct err err;
	arena_init(&scratch);
	const char *path = fs_join(&scratch, w->cli->status, REPORT_SUMMARY_FILE);
	json_t *summary = NULL;
	if (fs_read(path, SUMMARY_MAX_BYTES, &bytes, &err))
		summary = json_loadb(buf_str(&bytes), bytes.len, 0, NULL);
	if (summary) {
		w->code = codes[judge(w, summary, &text)];
		say(w, buf_str(&text), w->code >= 0);
		if (w->code == EXIT_DONE)
			list_unreachable(summary);
		else if (w->code == EXIT_INVALID)
			list_diagnostics(summary);
	} else {
		say(w, "waiting for musterd's status", false);
	}
	if (w->code >= 0)
		loop_stop(w->loop);
	json_decref(summary);
	buf_release(&bytes);
	buf_release(&text);
	arena_release(&scratch);
}

static void changed(void *arg, const char *dir, const char *name)
{
	(void)dir;
	if (!name || strcmp(name, REPORT_SUMMARY_FILE) == 0)
		look(arg);
}

static void timed_out(void *arg)
{
	struct waiting *w = arg;
	say(w, arena_printf(&w->cli->arena, "timed out: %s", buf_str(&w->last)), true);
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
	look(w);
	if (w->code < 0)
		loop_run(w->loop);
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
	buf_release(&w.last);
	loop_free(w.loop);
	return code;
}

const struct verb verb_wait = {
	.name = "wait",
	.usage = "[FLAG]...",
	.about = "Wait until what was pushed runs.\n"
		 "Exit code 0: it does, 1: a deployment failed, 3: the commit is invalid,\n"
		 "5: time ran out, 6: it is held. Unreachable nodes are listed, and do not block.",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
	.options = &options,
	.run = run,
};
