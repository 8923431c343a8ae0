/* source: what --source names, and what known_hosts files say. */
#include "source/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <cmocka.h>

static void test_places(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "/srv/fleet.git", "local /srv/fleet.git" },
		{ "fleet", "local /home/a/fleet" },
		{ "./a:b", "local /home/a/./a:b" },
		{ "file:///srv/fleet.git", "local git /srv/fleet.git" },
		{ "file://localhost/srv/x", "local git /srv/x" },
		{ "file://srv", "source 'file://srv' has no absolute path" },
		{ "git@host.example:team/fleet.git",
		  "ssh user=git host=host.example port=0 git@host.example:team/fleet.git" },
		{ "host:fleet", "ssh user=- host=host port=0 host:fleet" },
		{ "git@[host:22]:fleet",
		  "source 'git@[host:22]:fleet' is to be written as ssh://[USER@]HOST:PORT/PATH" },
		{ "gopher://h/x", "source 'gopher://h/x' is of an unknown kind: https, http, ssh, "
				  "git and file are known" },
		{ "ftp://u:secret@h/x", "source 'ftp://u:***@h/x' is of an unknown kind: https, "
					"http, ssh, git and file are known" },
		{ ":fleet", "source ':fleet' names no host" },
		{ "ssh://git@h/x", "ssh user=git host=h port=0 ssh://git@h/x" },
		{ "ssh://git@h:2222/x", "ssh user=git host=h port=2222 ssh://git@h:2222/x" },
		{ "ssh://git@[::1]:22/x", "ssh user=git host=::1 port=22 ssh://git@[::1]:22/x" },
		{ "ssh://git@h:0/x", "source 'ssh://git@h:0/x' names no host" },
		{ "ssh://git@h:65536/x", "source 'ssh://git@h:65536/x' names no host" },
		{ "https://h/x.git", "remote user=- host=h port=0 https://h/x.git" },
		{ "https://u:secret@h/x", "remote user=u host=h port=0 https://u:***@h/x" },
		{ "https://u:s@t@h/x", "remote user=u host=h port=0 https://u:***@h/x" },
		{ "https://:secret@h/x", "remote user=- host=h port=0 https://:***@h/x" },
		{ "https:///x", "source 'https:///x' names no host" },
		{ "", "the source is empty" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		arena_init(&arena);
		struct place p;
		struct err err = { 0 };
		const char *got = err.text;
		if (place_parse(rows[i].text, "/home/a", &arena, &p, &err))
			got = p.local ? arena_printf(&arena, "local %s%s",
						     p.must_be_git ? "git " : "", p.path)
				      : arena_printf(&arena, "%s user=%s host=%s port=%u %s",
						     p.ssh ? "ssh" : "remote",
						     p.user ? p.user : "-", p.host, p.port,
						     p.shown);
		assert_string_equal(got, rows[i].want);
		arena_release(&arena);
	}
}

/* A key as it travels: the type's name with its length in front, then anything. */
static size_t make_key(uint8_t *out, const char *type, const char *rest)
{
	memcpy(out, (uint8_t[]){ 0, 0, 0, (uint8_t)strlen(type) }, 4);
	return 4 + (size_t)snprintf((char *)out + 4, 60, "%s%s", type, rest);
}

/* "%ED", "%OTHER", "%RSA", "%HASH" in a row stand for base 64. */
static const char *expand(const char *row, struct arena *arena)
{
	static const struct {
		const char *name, *type, *rest;
	} keys[] = { { "%ED", "ssh-ed25519", "good key" },
		     { "%OTHER", "ssh-ed25519", "another key" },
		     { "%RSA", "ssh-rsa", "rsa key" } };
	struct buf out = { 0 };
	for (; *row; row++) {
		uint8_t raw[64], text[128];
		size_t i = 0;
		while (i < ARRAY_LEN(keys) && strncmp(row, keys[i].name, strlen(keys[i].name)) != 0)
			i++;
		if (i < ARRAY_LEN(keys)) {
			size_t len = make_key(raw, keys[i].type, keys[i].rest);
			EVP_EncodeBlock(text, raw, (int)len);
			buf_adds(&out, (char *)text);
			row += strlen(keys[i].name) - 1;
		} else if (strncmp(row, "%HASH", 5) == 0) {
			unsigned len;
			const char *salt = "twenty bytes of salt", *name = "[h.example]:2222";
			EVP_EncodeBlock(text, (const uint8_t *)salt, 20);
			buf_addf(&out, "|1|%s|", (char *)text);
			HMAC(EVP_sha1(), salt, 20, (const uint8_t *)name, strlen(name), raw, &len);
			EVP_EncodeBlock(text, raw, (int)len);
			buf_adds(&out, (char *)text);
			row += 4;
		} else {
			buf_addc(&out, *row);
		}
	}
	const char *all = arena_strdup(arena, buf_str(&out));
	buf_release(&out);
	return all;
}

static void test_known_hosts(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		long port;
		const char *file;
		long want;
	} rows[] = {
		{ "h.example", 0, "", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "h.example ssh-ed25519 %ED", HOST_KEY_MATCH },
		{ "H.Example", 22, "h.example ssh-ed25519 %ED comment\n", HOST_KEY_MATCH },
		{ "h.example", 0, "\r\n# c\n\nx,h.example\tssh-ed25519 %ED\r\n", HOST_KEY_MATCH },
		{ "h.example", 0, "h.example ssh-ed25519 %OTHER", HOST_KEY_MISMATCH },
		{ "h.example", 0, "h.example ssh-ed25519 %OTHER\nh.example ssh-ed25519 %ED",
		  HOST_KEY_MATCH },
		{ "h.example", 0, "h.example ssh-rsa %RSA", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "other ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "*.example ssh-ed25519 %ED", HOST_KEY_MATCH },
		{ "h.example", 0, "?.exam*e ssh-ed25519 %ED", HOST_KEY_MATCH },
		{ "h.example", 0, "*,!h.example ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 2222, "h.example ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 2222, "[h.example]:2222 ssh-ed25519 %ED", HOST_KEY_MATCH },
		{ "h.example", 2222, "%HASH ssh-ed25519 %ED", HOST_KEY_MATCH },
		{ "h.example", 2222, "%HASH ssh-ed25519 %OTHER", HOST_KEY_MISMATCH },
		{ "h.example", 2223, "%HASH ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "|1||x ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "|1|!!!!|x ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "h.example ssh-ed25519 %ED\n@revoked * ssh-ed25519 %ED",
		  HOST_KEY_REVOKED },
		{ "h.example", 0, "@revoked * ssh-ed25519 %OTHER\nh.example ssh-ed25519 %ED",
		  HOST_KEY_MATCH },
		{ "h.example", 0, "@cert-authority * ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
		{ "h.example", 0, "h.example ssh-ed25519", HOST_KEY_UNKNOWN },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 0,
		  "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*c ssh-ed25519 %ED", HOST_KEY_UNKNOWN },
	};
	uint8_t key[64];
	size_t len = make_key(key, "ssh-ed25519", "good key");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		arena_init(&arena);
		const char *file = expand(rows[i].file, &arena);
		if (known_hosts_check(file, rows[i].host, (uint16_t)rows[i].port, key, len) !=
		    (enum host_key)rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].file);
		for (size_t cut = 0; cut < 15; cut++)
			assert_int_equal(known_hosts_check(file, rows[i].host,
							   (uint16_t)rows[i].port, key, cut),
					 HOST_KEY_UNKNOWN);
		arena_release(&arena);
	}
}

/* Only lines that libssh2 reads, with the name it looks for. */
static void test_select(void **state)
{
	(void)state;
#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	struct buf out = { 0 };
	known_hosts_select("# x\n*,y ssh-ed25519 " KEY " comment\n[h]:2 ssh-unheard-of " KEY "\n"
			   "[h]:2 ssh-rsa AAAA\n@revoked [h]:2 ssh-rsa " KEY "\n"
			   "[h]:3 ssh-rsa " KEY "\n[H]:2,[h]:2 ssh-rsa " KEY,
			   "H", 2, &out);
	assert_string_equal(buf_str(&out), "[h]:2 ssh-ed25519 " KEY "\n[h]:2 ssh-rsa " KEY "\n");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_known_hosts),
		cmocka_unit_test(test_select),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
