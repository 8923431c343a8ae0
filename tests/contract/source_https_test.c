/* source: a repository behind https with a token, served by lighttpd and git's own CGI. */
#include "source_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define LIGHTTPD    "/usr/sbin/lighttpd"
#define DEADLINE_MS 1000
#define TOKEN	    "sesame-0123456789"

static char tool[4096]; /* tests/helpers/git-https */
static int held = -1, port;

/* NULL: what is needed is there. */
static const char *missing(void)
{
	return access(LIGHTTPD, X_OK) != 0		    ? LIGHTTPD
	       : access("/usr/bin/openssl", X_OK) != 0	    ? "openssl"
	       : !realpath("tests/helpers/git-https", tool) ? "tests/helpers/git-https"
							    : NULL;
}

/* A repository with one file in it, and what can serve it; no server yet. */
static int setup(void **state)
{
	int failed = world_setup(state);
	struct world *w = *state;
	if (failed)
		return failed;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	run_program(w, tool, w->dir, "x-access-token:" TOKEN, NULL);
	write_secret(w, "token", TOKEN "\n");
	held = hold_port(&port);
	w->options.token_file = at(w, "token");
	w->options.ca_file = at(w, "https/ca.pem");
	return 0;
}

static int teardown(void **state)
{
	if (held >= 0)
		close(held);
	held = -1;
	return world_teardown(state);
}

static void serve_https(struct world *w, const char *configuration)
{
	const char *argv[] = { LIGHTTPD, "-D", "-f", at(w, "https/%s.conf", configuration), NULL };
	serve(w, argv, "server started", listen_on(port));
}

static const char *url(struct world *w, const char *host, const char *path)
{
	return arena_printf(&w->arena, "https://%s:%d/%s", host, port, path);
}

/* --- a repository's life --------------------------------------------------------------------- */

static void look_again(struct world *w, const char *want)
{
	source_look(w->source);
	assert_string_equal(next_event(w), want);
}

static void test_follow(void **state)
{
	struct world *w = *state;
	serve_https(w, "good");
	w->options.url = url(w, "localhost", "git/r.git");
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	commit_file(w, "b.yaml", "2", "second");
	look_again(w, "taken a.yaml b.yaml+");
	look_again(w, "unchanged");

	/* The token is changed on both sides, one after the other. */
	write_file(w, "https/users", "x-access-token:another\n");
	look_again(w, "failed AuthenticationFailed");
	assert_non_null(strstr(buf_str(&w->text), "refuses the token"));
	write_secret(w, "token", "another");
	look_again(w, "unchanged");

	/* The server goes, and comes back: nobody has to ask again. */
	end_server(w);
	look_again(w, "failed NetworkUnreachable");
	commit_file(w, "c.yaml", "3", "third");
	serve_https(w, "good");
	const char *event = next_event(w);
	while (strcmp(event, "failed NetworkUnreachable") == 0)
		event = next_event(w);
	assert_string_equal(event, "taken a.yaml b.yaml c.yaml+");
	stop(w);
	assert_string_equal(
		output_of(w, "sh", "-c", "grep -rlE '" TOKEN "|another' cache || true", NULL), "");
}

/* --- trust ----------------------------------------------------------------------------------- */

static void test_certificates(void **state)
{
	struct world *w = *state;
	write_file(w, "nonsense", "no certificate\n");
	const struct {
		const char *configuration, *host, *ca, *want, *text;
	} rows[] = {
		{ "good", "localhost", "https/ca.pem", "taken a.yaml+", "" },
		{ "good", "localhost", NULL, "failed CertificateInvalid",
		  "given with --git-ca-file" },
		{ "good", "localhost", "absent", "failed CertificateInvalid",
		  "/absent' cannot be used" },
		{ "good", "localhost", "nonsense", "failed CertificateInvalid",
		  "/nonsense' cannot be used" },
		{ "good", "127.0.0.1", "https/ca.pem", "failed CertificateInvalid",
		  "an IP address does not count" },
		{ "old", "localhost", "https/ca.pem", "failed CertificateInvalid", "has expired" },
		{ "other", "localhost", "https/ca.pem", "failed CertificateInvalid",
		  "has to name the host" },
		{ "tls13", "localhost", "https/ca.pem", "failed TLSFailed", "TLS 1.3" },
	};
	const char *serving = "";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(serving, rows[i].configuration) != 0) {
			end_server(w);
			serve_https(w, serving = rows[i].configuration);
		}
		w->options.ca_file = rows[i].ca ? at(w, "%s", rows[i].ca) : NULL;
		w->options.url = url(w, rows[i].host, "git/r.git");
		expect(w, rows[i].want, rows[i].text);
	}
}

/* --- the token ------------------------------------------------------------------------------- */

static void test_token_file(void **state)
{
	struct world *w = *state;
	serve_https(w, "good");
	const struct {
		const char *token; /* NULL: no such file */
		mode_t mode;
		const char *want, *text;
	} rows[] = {
		{ TOKEN, 0400, "taken a.yaml+", "" },
		{ TOKEN "\r\n", 0660, "taken a.yaml+", "" },
		{ "wrong", 0600, "failed AuthenticationFailed", "refuses the token" },
		{ TOKEN, 0644, "failed AuthenticationFailed", "open to every user" },
		{ TOKEN, 0602, "failed AuthenticationFailed", "open to every user" },
		{ "\n", 0600, "failed AuthenticationFailed", "/token' is empty" },
		{ TOKEN, 0, "failed AuthenticationFailed", "cannot be read" },
		{ NULL, 0, "failed AuthenticationFailed", "cannot be read" },
	};
	w->options.url = url(w, "localhost", "git/r.git");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unlink(at(w, "token"));
		if (rows[i].token) {
			write_file(w, "token", rows[i].token);
			chmod(at(w, "token"), rows[i].mode);
		}
		/* Root can read all. */
		if (rows[i].token && rows[i].mode == 0 && geteuid() == 0)
			continue;
		expect(w, rows[i].want, rows[i].text);
		assert_null(strstr(buf_str(&w->text), TOKEN));
	}
	w->options.token_file = NULL;
	expect(w, "failed AuthenticationFailed", "no token is given");
}

/* What a server answers to the right token. */
static void test_answers(void **state)
{
	struct world *w = *state;
	serve_https(w, "good");
	static const struct {
		const char *path, *want, *text;
		int64_t deadline_ms;
	} rows[] = {
		{ "git/absent.git", "failed RepositoryNotFound", "404", 0 },
		{ "deny/r.git", "failed AuthenticationFailed", "may not read it", 0 },
		{ "echo/r.git", "failed NetworkUnreachable", "no ***************** here", 0 },
		{ "hang/r.git", "failed Timeout", "did not answer within 1 s", DEADLINE_MS },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		w->options.url = url(w, "localhost", rows[i].path);
		w->options.deadline_ms = rows[i].deadline_ms;
		expect(w, rows[i].want, rows[i].text);
		assert_null(strstr(buf_str(&w->text), TOKEN));
	}
}

/* Where others listen, who must not even be called. */
static void test_redirects(void **state)
{
	struct world *w = *state;
	int other_port, other = listen_somewhere(&other_port);
	assert_int_equal(fcntl(other, F_SETFL, O_NONBLOCK), 0);
	const struct {
		const char *to;
		int port;
		const char *want, *text;
	} rows[] = {
		{ "https://localhost:%d/git/", port, "taken a.yaml+", "" },
		{ "https://127.0.0.1:%d/git/", other_port, "failed RepositoryMoved",
		  "'localhost' to '127.0.0.1'" },
		{ "http://localhost:%d/git/", other_port, "failed RepositoryMoved",
		  "'https' to 'http'" },
	};
	w->options.url = url(w, "localhost", "moved/r.git");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *to = arena_printf(&w->arena, rows[i].to, rows[i].port);
		write_file(w, "https/moved.conf",
			   arena_printf(&w->arena,
					"url.redirect = (\"^/moved/(.*)\" => \"%s$1\")\n", to));
		serve_https(w, "good");
		expect(w, rows[i].want, rows[i].text);
		end_server(w);
	}
	assert_int_equal(accept(other, NULL, NULL), -1);
	close(other);
}

/* In the URL, by who wants it so: it works, and no other user sees it. */
static void test_password_in_url(void **state)
{
	struct world *w = *state;
	serve_https(w, "good");
	write_file(w, "spy",
		   arena_printf(&w->arena,
				"#!/bin/sh\ncat /proc/$$/cmdline > %s/cmdline\nexec %s \"$@\"\n",
				w->dir, w->muster_git));
	run_program(w, "chmod", "+x", "spy", NULL);
	w->options.git_program = at(w, "spy");
	w->options.token_file = NULL;
	w->options.url = url(w, "x-access-token:" TOKEN "@localhost", "git/r.git");
	expect(w, "taken a.yaml+", "");
	w->options.url = url(w, "x-access-token:wrong@localhost", "git/r.git");
	expect(w, "failed AuthenticationFailed", "x-access-token:***@localhost");
	assert_string_equal(
		output_of(w, "sh", "-c", "tr '\\0' '\\n' < cmdline | sed -n '3,4p'", NULL),
		"look\n--branch");
	assert_string_equal(output_of(w, "sh", "-c", "grep -c wrong cmdline || true", NULL), "0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_follow),  TEST(test_certificates), TEST(test_token_file),
		TEST(test_answers), TEST(test_redirects),    TEST(test_password_in_url),
	};
	if (missing()) {
		printf("1..0 # SKIP there is no %s\n", missing());
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
