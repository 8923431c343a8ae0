/* source: remote repositories: git's own daemon, a real sshd, and servers that misbehave. */
#include "source_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_MS 400
#define SSHD	    "/usr/sbin/sshd"

/* --- git daemon: the clone ------------------------------------------------------------------- */

static void serve_git(struct world *w)
{
	int port = free_port();
	const char *argv[] = { "git",
			       "daemon",
			       "--verbose",
			       "--export-all",
			       "--listen=127.0.0.1",
			       arena_printf(&w->arena, "--port=%d", port),
			       arena_printf(&w->arena, "--base-path=%s", w->dir),
			       NULL };
	serve(w, argv, "Ready to rumble", -1);
	w->options.url = arena_printf(&w->arena, "git://127.0.0.1:%d/r.git", port);
}

static void look(struct world *w)
{
	source_look(w->source);
}

static void test_clone(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	git(w, "push -q origin HEAD:other");
	serve_git(w);
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	struct stat st;
	assert_int_equal(stat(at(w, "cache"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* Only the branch that is wanted. */
	assert_string_equal(output_of(w, "git", "-C", "cache/clone.git", "for-each-ref",
				      "--format=%(refname)", NULL),
			    "refs/muster/tip");
	look(w);
	assert_string_equal(next_event(w), "unchanged");

	commit_file(w, "a.yaml", "2", "second");
	commit_file(w, "b.yaml", "3", "third");
	look(w);
	assert_string_equal(next_event(w), "taken a.yaml+ b.yaml+ <- second: a.yaml");
	git(w, "push -q --force origin HEAD~2:main");
	look(w);
	assert_string_equal(next_event(w), "taken a.yaml+ rewritten");

	/* After a restart nothing is fetched again, but all is there. */
	stop(w);
	start(w);
	source_have(w->source, w->commit);
	assert_string_equal(next_event(w), "taken a.yaml");

	/* What a fetch that was killed has left is removed. */
	write_file(w, "cache/clone.git/objects/pack/pack_git2_0123456789abcdef", "half");
	look(w);
	assert_string_equal(next_event(w), "unchanged");
	assert_int_equal(
		access(at(w, "cache/clone.git/objects/pack/pack_git2_0123456789abcdef"), F_OK), -1);

	run_program(w, "git", "-C", "r.git", "update-ref", "-d", "refs/heads/main", NULL);
	look(w);
	assert_string_equal(next_event(w), "failed BranchNotFound");
	end_server(w);
	look(w);
	assert_string_equal(next_event(w), "failed NetworkUnreachable");
}

static void test_broken_clone(void **state)
{
	struct world *w = *state;
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	serve_git(w);
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	static const char *const damages[] = {
		"rm -rf cache/clone.git/objects/pack/*", /* the tip is gone */
		"cd cache/clone.git/objects/pack && chmod u+w *.pack && truncate -s 40 *.pack",
		"rm cache/clone.git/HEAD",
		"echo nonsense > cache/clone.git/config",
		"rm -rf cache/clone.git && echo > cache/clone.git",
		"rm -rf cache",
	};
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		stop(w);
		run_program(w, "sh", "-c", damages[i], NULL);
		start(w);
		const char *event = next_event(w);
		if (strcmp(event, "taken a.yaml+") != 0)
			fail_msg("%s: %s: %s", damages[i], event, buf_str(&w->text));
	}
	end_server(w);
}

/* --- servers that misbehave ------------------------------------------------------------------ */

/* Takes connections (the kernel does), and never says a word. */
static void test_hanging(void **state)
{
	struct world *w = *state;
	static const char *const urls[] = { "git://127.0.0.1:%d/r.git",
					    "ssh://git@127.0.0.1:%d/r.git",
					    "http://127.0.0.1:%d/r.git",
					    "https://127.0.0.1:%d/r.git" };
	int port, fd = listen_somewhere(&port);
	w->options.deadline_ms = DEADLINE_MS;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		w->options.url = arena_printf(&w->arena, urls[i], port);
		int64_t before = clock_monotonic_ms();
		start(w);
		assert_string_equal(next_event(w), "failed Timeout");
		assert_in_range(clock_monotonic_ms() - before, DEADLINE_MS, 20 * DEADLINE_MS);
		/* The process is gone, not only given up. */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		stop(w);
	}
	/* And one that is ended in the middle of a look. */
	w->options.deadline_ms = 0;
	start(w);
	struct timer *timer = timer_new(w->loop, (void (*)(void *))loop_stop, w->loop);
	timer_set(timer, 50);
	loop_run(w->loop);
	timer_free(timer);
	stop(w);
	int status;
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_true(WIFSIGNALED(status));
	close(fd);
}

static void test_unreachable(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *url, *want;
	} rows[] = {
		{ "git://127.0.0.1:%d/r.git", "failed NetworkUnreachable" },
		{ "ssh://git@127.0.0.1:%d/r.git", "failed NetworkUnreachable" },
		{ "http://u:secret@127.0.0.1:%d/r.git", "failed NetworkUnreachable" },
		{ "git://host.invalid:%d/r.git", "failed NetworkUnreachable" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		w->options.url = arena_printf(&w->arena, rows[i].url, free_port());
		start(w);
		assert_string_equal(next_event(w), rows[i].want);
		assert_null(strstr(buf_str(&w->text), "secret"));
		stop(w);
	}
}

/* --- http: the token ------------------------------------------------------------------------- */

#define GOOD_TOKEN "eC1hY2Nlc3MtdG9rZW46Z29vZA==" /* x-access-token:good */
#define OWN_USER   "dXNlcjpnb29k"		  /* user:good */

/* 404 for those who may ask, 401 for the others. */
static void answer_http(int fd)
{
	char request[8192];
	size_t len = 0;
	ssize_t n = 1;
	while (n > 0 && !memmem(request, len, "\r\n\r\n", 4) && len < sizeof(request)) {
		n = read(fd, request + len, sizeof(request) - len);
		len += n > 0 ? (size_t)n : 0;
	}
	bool known = memmem(request, len, "Basic " GOOD_TOKEN, strlen("Basic " GOOD_TOKEN)) ||
		     memmem(request, len, "Basic " OWN_USER, strlen("Basic " OWN_USER));
	const char *answer =
		known ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		      : "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
			"Content-Length: 0\r\nConnection: close\r\n\r\n";
	if (write(fd, answer, strlen(answer)) < 0)
		_exit(1);
	close(fd);
}

static void serve_http(struct world *w, int *port)
{
	int fd = listen_somewhere(port);
	pid_t pid = w->server = fork();
	if (pid == 0) {
		setpgid(0, 0);
		for (;;)
			answer_http(accept(fd, NULL, NULL));
	}
	setpgid(pid, pid);
	close(fd);
}

static void test_token(void **state)
{
	struct world *w = *state;
	int port;
	serve_http(w, &port);
	const struct {
		const char *user, *token, *want, *text;
	} rows[] = {
		{ "", NULL, "failed AuthenticationFailed", "no token is given" },
		{ "", "good\n", "failed RepositoryNotFound", "404" },
		{ "", "bad", "failed AuthenticationFailed", "refuses the token" },
		{ "user@", "good", "failed RepositoryNotFound", "404" },
		{ "user:good@", NULL, "failed RepositoryNotFound", "user:***@" },
		{ "user:wrong@", NULL, "failed AuthenticationFailed", "user:***@" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		w->options.url =
			arena_printf(&w->arena, "http://%s127.0.0.1:%d/r.git", rows[i].user, port);
		w->options.token_file = rows[i].token ? at(w, "token") : NULL;
		if (rows[i].token)
			write_secret(w, "token", rows[i].token);
		start(w);
		const char *event = next_event(w);
		if (strcmp(event, rows[i].want) != 0 || !strstr(buf_str(&w->text), rows[i].text))
			fail_msg("row %zu: %s: %s", i, event, buf_str(&w->text));
		stop(w);
	}
	w->options.token_file = at(w, "absent");
	start(w);
	assert_string_equal(next_event(w), "failed AuthenticationFailed");
	assert_non_null(strstr(buf_str(&w->text), "/absent'"));
	end_server(w);
}

/* --- ssh ------------------------------------------------------------------------------------- */

static void make_key(struct world *w, const char *name, const char *type)
{
	run_program(w, "ssh-keygen", "-q", "-t", type, "-N", "", "-f", name, NULL);
}

/* The same key in another format, or with a passphrase. */
static void convert_key(struct world *w, const char *from, const char *name, const char *format,
			const char *passphrase)
{
	run_program(w, "cp", from, name, NULL);
	run_program(w, "ssh-keygen", "-q", "-p", "-m", format, "-P", "", "-N", passphrase, "-f",
		    name, NULL);
}

/*
 * As root, sshd wants a directory that Debian makes when the service starts, for each connection.
 * Tests that run at the same time share it: each holds a lock on it, and the last one removes it,
 * if it was one of them that made it, which its mode tells.
 */
#define RUN_SSHD      "/run/sshd"
#define RUN_SSHD_MODE 0711
static int run_sshd = -1;

static void hold_run_sshd(void)
{
	struct stat held, there;
	while (geteuid() == 0 && run_sshd < 0) {
		if (mkdir(RUN_SSHD, RUN_SSHD_MODE) == 0)
			chmod(RUN_SSHD, RUN_SSHD_MODE); /* whatever the umask */
		run_sshd = open(RUN_SSHD, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (run_sshd < 0)
			continue; /* removed meanwhile */
		assert_int_equal(flock(run_sshd, LOCK_SH), 0);
		if (fstat(run_sshd, &held) == 0 && stat(RUN_SSHD, &there) == 0 &&
		    held.st_ino == there.st_ino)
			return;
		close(run_sshd);
		run_sshd = -1;
	}
}

static void leave_run_sshd(void)
{
	struct stat st;
	if (run_sshd < 0)
		return;
	if (flock(run_sshd, LOCK_EX | LOCK_NB) == 0 && fstat(run_sshd, &st) == 0 &&
	    (st.st_mode & 07777) == RUN_SSHD_MODE)
		rmdir(RUN_SSHD);
	close(run_sshd);
}

static void serve_ssh(struct world *w, int port)
{
	make_key(w, "host_ed25519", "ed25519");
	make_key(w, "host_ecdsa", "ecdsa");
	make_key(w, "host_rsa", "rsa");
	make_key(w, "user", "ed25519");
	make_key(w, "ecdsa", "ecdsa");
	make_key(w, "rsa", "rsa");
	make_key(w, "stranger", "ed25519");
	run_program(w, "sh", "-c", "cat user.pub ecdsa.pub rsa.pub > authorized", NULL);
	write_file(w, "sshd_config",
		   arena_printf(&w->arena,
				"Port %d\nListenAddress 127.0.0.1\nHostKey %s/host_ed25519\n"
				"HostKey %s/host_ecdsa\nHostKey %s/host_rsa\nAuthorizedKeysFile "
				"%s/authorized\n"
				"StrictModes no\nPidFile none\nUsePAM no\nPermitRootLogin yes\n"
				"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
				/* On a busy machine many that gave up may still be there. */
				"MaxStartups 100\n",
				port, w->dir, w->dir, w->dir, w->dir));
	hold_run_sshd();
	const char *argv[] = { SSHD, "-D", "-e", "-f", at(w, "sshd_config"), NULL };
	serve(w, argv, "Server listening", -1);
}

static const char *public_key(struct world *w, const char *name)
{
	const char *line = output_of(w, "cat", name, NULL), *space = strchr(line, ' ');
	return arena_strndup(&w->arena, line,
			     (size_t)(strchr(space + 1, ' ') ? strchr(space + 1, ' ') - line
							     : (long)strlen(line)));
}

static void know(struct world *w, int port, const char *key)
{
	write_file(w, "known", arena_printf(&w->arena, "[127.0.0.1]:%d %s\n", port, key));
}

/* libssh2 1.11 and later can use RSA keys; an older one cannot, and what can be done is told. */
static void expect_rsa(struct world *w, const char *want, const char *text)
{
	start(w);
	const char *event = next_event(w);
	if (strcmp(event, "taken a.yaml+") != 0 &&
	    (strcmp(event, want) != 0 || !strstr(buf_str(&w->text), text)))
		fail_msg("want %s (%s), got %s: %s", want, text, event, buf_str(&w->text));
	stop(w);
}

static void expect_host_keys(struct world *w, int port)
{
	w->options.known_hosts = NULL;
	expect(w, "failed HostKeyUnknown", "no known hosts file");
	w->options.known_hosts = at(w, "known");
	expect(w, "failed HostKeyUnknown", "/known'");
	write_file(w, "known", "other.example ssh-ed25519 AAAA\n");
	expect(w, "failed HostKeyUnknown", "is not in");
	know(w, port, public_key(w, "user.pub"));
	expect(w, "failed HostKeyMismatch", "it was replaced, or someone is in between");
	/* Whichever kind of key the file has is asked for. */
	static const char *const kinds[] = { "host_ed25519.pub", "host_ecdsa.pub" };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		know(w, port, public_key(w, kinds[i]));
		expect(w, "taken a.yaml+", "");
	}
	know(w, port, public_key(w, "host_rsa.pub"));
	expect_rsa(w, "failed HostKeyUnsupported", "ed25519 or ECDSA key");
	know(w, port, public_key(w, "host_ed25519.pub"));
	run_program(w, "ssh-keygen", "-q", "-H", "-f", "known", NULL);
	assert_null(strstr(output_of(w, "cat", "known", NULL), "127.0.0.1"));
	expect(w, "taken a.yaml+", "");
}

static void expect_user_keys(struct world *w)
{
	w->options.ssh_key = NULL;
	expect(w, "failed AuthenticationFailed", "none is given");
	w->options.ssh_key = at(w, "stranger");
	expect(w, "failed AuthenticationFailed", "refuses the ssh key");
	w->options.ssh_key = at(w, "nowhere");
	expect(w, "failed AuthenticationFailed", "nowhere' cannot be read");
	w->options.ssh_key = at(w, "ecdsa");
	expect(w, "taken a.yaml+", "");
	static const char *const formats[] = { "RFC4716", "PEM", "PKCS8" };
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		convert_key(w, "rsa", formats[i], formats[i], "");
		w->options.ssh_key = at(w, "%s", formats[i]);
		expect_rsa(w, "failed AuthenticationFailed", "an ed25519 or ECDSA key works");
	}
	convert_key(w, "user", "locked", "RFC4716", "open sesame");
	w->options.ssh_key = at(w, "locked");
	expect(w, "failed AuthenticationFailed", "has a passphrase");
	run_program(w, "cp", "user", "public", NULL);
	run_program(w, "chmod", "0644", "public", NULL);
	w->options.ssh_key = at(w, "public");
	expect(w, "failed AuthenticationFailed", "open to every user of this machine");
	w->options.ssh_key = at(w, "user");
}

static void test_ssh(void **state)
{
	struct world *w = *state;
	const struct passwd *me = getpwuid(geteuid());
	const char *why = access(SSHD, X_OK) != 0		    ? SSHD " is not installed"
			  : !me					    ? "this user has no name"
			  : strstr(me->pw_shell, "nologin")	    ? "this user has no shell"
			  : strcmp(me->pw_shell, "/bin/false") == 0 ? "this user has no shell"
								    : NULL;
	if (why) {
		print_message("# skip: ssh: %s\n", why);
		return;
	}
	make_repository(w);
	commit_file(w, "a.yaml", "1", "first");
	int port = free_port();
	serve_ssh(w, port);
	const char *base =
		arena_printf(&w->arena, "ssh://%s@127.0.0.1:%d%s", me->pw_name, port, w->dir);
	w->options.url = arena_printf(&w->arena, "%s/r.git", base);
	w->options.ssh_key = at(w, "user");
	expect_host_keys(w, port);
	expect_user_keys(w);

	w->options.branch = "nothing";
	expect(w, "failed BranchNotFound", "no branch 'nothing'");
	w->options.branch = "main";
	w->options.url = arena_printf(&w->arena, "%s/absent.git", base);
	expect(w, "failed RepositoryNotFound", "absent.git");
	w->options.url = arena_printf(&w->arena, "%s/r.git", base);
	start(w);
	assert_string_equal(next_event(w), "taken a.yaml+");
	commit_file(w, "b.yaml", "2", "second");
	source_look(w->source);
	assert_string_equal(next_event(w), "taken a.yaml b.yaml+");
	source_look(w->source);
	assert_string_equal(next_event(w), "unchanged");
	stop(w);
	end_server(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clone),	TEST(test_broken_clone), TEST(test_hanging),
		TEST(test_unreachable), TEST(test_token),	 TEST(test_ssh),
	};
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	leave_run_sshd();
	return failures;
}
