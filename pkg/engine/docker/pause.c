/* The image of the containers that own namespaces: one static program of ours, imported through the
 * API. Its name says of which content it is. */
#include "engine/docker/internal.h"

#include "fs/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_REPOSITORY "localhost/muster-pause"
#define PROGRAM_MAX	 (16 << 20)
#define DIGEST_DIGITS	 12
#define TAR_BLOCK	 512

/* --- a tar archive of one file (POSIX.1-1988 ustar) --------------------------------------------
 */

static void tar_number(char *field, size_t size, uint64_t value)
{
	snprintf(field, size, "%0*llo", (int)size - 1, (unsigned long long)value);
}

static void tar_file(struct buf *out, const char *name, const void *bytes, size_t len)
{
	char head[TAR_BLOCK] = { 0 };
	static const char zeros[TAR_BLOCK];
	unsigned sum = 0;
	snprintf(head, 100, "%s", name);
	tar_number(head + 100, 8, 0755);
	tar_number(head + 108, 8, 0);
	tar_number(head + 116, 8, 0);
	tar_number(head + 124, 12, len);
	tar_number(head + 136, 12, 0);
	head[156] = '0';
	static const char magic[8] = { 'u', 's', 't', 'a', 'r', '\0', '0', '0' };
	memcpy(head + 257, magic, sizeof(magic));
	memset(head + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(head); i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum & 0777777);
	buf_add(out, head, sizeof(head));
	buf_add(out, bytes, len);
	buf_add(out, zeros, (TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK);
	buf_add(out, zeros, TAR_BLOCK);
	buf_add(out, zeros, TAR_BLOCK);
}

/* --- the image ---------------------------------------------------------------------------------
 */

static bool read_program(struct docker_engine *engine, struct buf *out, struct err *err)
{
	if (!fs_read(engine->shim, PROGRAM_MAX, out, err))
		return false;
	if (!engine->pause_name) {
		char hex[DIGEST_HEX_LEN + 1];
		struct buf name = { 0 };
		struct digest digest = digest_of(out->data, out->len);
		digest_hex(&digest, hex);
		buf_addf(&name, PAUSE_REPOSITORY ":" MUSTER_VERSION "-%.*s", DIGEST_DIGITS, hex);
		engine->pause_name = name.data;
	}
	return true;
}

const char *pause_image(struct docker_engine *engine)
{
	struct buf program = { 0 };
	if (!engine->pause_name) {
		read_program(engine, &program, NULL);
		buf_release(&program);
	}
	return engine->pause_name;
}

struct wish {
	struct docker_engine *engine;
	void (*done)(void *arg, const struct image_answer *answer);
	void *arg;
};

static void finish(struct call *call, bool away, const char *reason)
{
	struct image_answer answer = {
		.ok = !reason,
		.away = away,
		.image = reason ? NULL : call->engine->pause_name,
	};
	if (reason)
		answer.reason = arena_printf(&call->arena,
					     "ResourceInitializationError: the image of the "
					     "network's owner: %s",
					     reason);
	struct wish *wish = call->arg;
	wish->done(wish->arg, &answer);
}

static void imported(struct call *call, const struct answer *answer)
{
	json_t *json = answer->ok
			       ? json_loadb(answer->body, answer->len, JSON_DISABLE_EOF_CHECK, NULL)
			       : NULL;
	const char *error = json_string_value(json_object_get(json, "error"));
	const char *reason = answer->ok ? arena_strdup(&call->arena, error) : answer->message;
	json_decref(json);
	finish(call, answer->away, reason);
}

static void looked(struct call *call, const struct answer *answer)
{
	static const char *const headers[] = { "Content-Type: application/x-tar", NULL };
	struct docker_engine *engine = call->engine;
	struct buf program = { 0 }, tar = { 0 };
	struct err err;
	if (answer->ok || answer->status != 404) {
		finish(call, answer->away, answer->ok ? NULL : answer->message);
		return;
	}
	if (!read_program(engine, &program, &err)) {
		finish(call, false, err.text);
	} else {
		tar_file(&tar, "muster-shim", program.data, program.len);
		struct http_spec spec = {
			.method = "POST",
			/* The tag in the name: Podman does not read it from elsewhere. */
			.path = arena_printf(&call->arena, "/images/create?fromSrc=-&repo=%s",
					     query_text(&call->arena, engine->pause_name)),
			.headers = headers,
			.body = tar.data,
			.body_len = tar.len,
			.deadline_ms = LOAD_DEADLINE_MS,
		};
		call->done = imported;
		call->probes = false;
		call_send_spec(call, &spec);
	}
	buf_release(&program);
	buf_release(&tar);
}

static void failed(void *arg, bool ok, const char *reason)
{
	struct call *call = arg;
	(void)ok;
	call->held = false;
	finish(call, false, reason);
	call_free(call);
}

void pause_want(struct docker_engine *engine, void (*done)(void *arg, const struct image_answer *a),
		void *arg)
{
	struct call *call = call_new(engine, looked);
	struct wish *wish = ARENA_NEW(&call->arena, struct wish);
	*wish = (struct wish){ engine, done, arg };
	call->arg = wish;
	if (pause_image(engine)) {
		call->probes = true;
		call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/images/%s/json",
			  engine->pause_name);
		return;
	}
	call->held = true;
	docker_answer_later(engine, false, "muster-shim cannot be read", failed, call);
}
