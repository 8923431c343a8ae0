/* Which images we pulled, and when each was used last: those that nobody uses for IMAGE_KEPT_MS are
 * removed. What somebody else brought, or uses, stays. */
#include "engine/docker/internal.h"

#include "fs/fs.h"
#include "log/log.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_FILE	 "images.json"
#define LEDGER_KIND	 "docker-images"
#define LEDGER_MAX_BYTES (1 << 20)
#define LEDGER_MAX	 1000

struct pulled_image {
	char *name; /* repository: "docker.io/library/busybox" */
	int64_t used_unix_ms;
	bool leaving; /* being removed */
};

static const char *ledger_path(struct docker_engine *engine, struct arena *arena)
{
	return fs_join(arena, engine->state_dir, LEDGER_FILE);
}

static void save(struct docker_engine *engine)
{
	struct arena arena;
	struct buf bytes = { 0 };
	struct err err;
	json_t *object = json_object(), *images = json_object();
	const char *id;
	void *value;
	arena_init(&arena);
	for (size_t it = 0; map_next(engine->pulled, &it, &id, &value);) {
		const struct pulled_image *p = value;
		json_object_set_new(images, id,
				    json_pack("{s:s,s:I}", "name", p->name, "usedUnixMs",
					      (json_int_t)p->used_unix_ms));
	}
	json_object_set_new(object, "images", images);
	wire_seal(LEDGER_KIND, NULL, object, &bytes);
	if (!fs_write(ledger_path(engine, &arena), bytes.data, bytes.len, 0600, FS_IF_CHANGED, NULL,
		      &err))
		log_warn("which images were pulled could not be kept", "reason", err.text);
	json_decref(object);
	buf_release(&bytes);
	arena_release(&arena);
}

static void add(struct docker_engine *engine, const char *id, const char *name, int64_t used)
{
	struct pulled_image *p = map_get(engine->pulled, id);
	if (!p) {
		if (map_count(engine->pulled) >= LEDGER_MAX)
			return; /* it stays for ever, which is the safe side */
		p = xcalloc(1, sizeof(*p));
		p->name = xstrdup(name);
		map_put(engine->pulled, id, p);
	}
	p->used_unix_ms = used;
}

static void drop(struct docker_engine *engine, const char *id)
{
	struct pulled_image *p = map_remove(engine->pulled, id);
	if (!p)
		return;
	free(p->name);
	free(p);
}

void pulled_images_load(struct docker_engine *engine)
{
	struct arena arena;
	struct buf bytes = { 0 };
	arena_init(&arena);
	engine->pulled = map_new();
	bool ok = fs_read(ledger_path(engine, &arena), LEDGER_MAX_BYTES, &bytes, NULL);
	json_t *object = ok ? wire_open(bytes.data, bytes.len, LEDGER_KIND, NULL, NULL) : NULL;
	const char *id;
	json_t *image;
	json_object_foreach(json_object_get(object, "images"), id, image)
	{
		const char *name = json_string_value(json_object_get(image, "name"));
		if (name)
			add(engine, id, name,
			    json_integer_value(json_object_get(image, "usedUnixMs")));
	}
	json_decref(object);
	buf_release(&bytes);
	arena_release(&arena);
}

void pulled_images_add(struct docker_engine *engine, const char *id, const char *name)
{
	add(engine, id, name, clock_unix_ms());
	save(engine);
}

/* --- removing ----------------------------------------------------------------------------------
 */

static bool in_use(const struct docker_engine *engine, const char *id, const char *name)
{
	void *value;
	/* One that is being pulled may be this one. */
	for (size_t it = 0; map_next(engine->tasks, &it, NULL, &value);) {
		const struct task *task = value;
		for (size_t i = 0; i < LIFECYCLE_SLOTS; i++)
			if (task->slots[i].info.image_id &&
			    strcmp(task->slots[i].info.image_id, id) == 0)
				return true;
		for (size_t i = 0; i < LIMIT_CONTAINERS; i++)
			if (task->wish == LIFECYCLE_RUN && task->images[i] &&
			    strncmp(task->images[i], name, strlen(name)) == 0 &&
			    !task->slots[i].info.image_id)
				return true;
	}
	return map_count(engine->pulls) > 0;
}

static void left(struct docker_engine *engine, const char *id, const char *why)
{
	struct pulled_image *p = map_get(engine->pulled, id);
	if (!p)
		return;
	p->leaving = false;
	log_info("an image that no task uses stays", "image", p->name, "reason", why);
	p->used_unix_ms = clock_unix_ms(); /* asked again after as long as before */
	save(engine);
}

/* call->json: the references; call->step: the next. */
static void remove_next(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	if (call->step && !answer->ok && answer->status != 404) {
		left(engine, call->id, answer->message);
		return;
	}
	if (call->step < json_array_size(call->json)) {
		const char *name = json_string_value(json_array_get(call->json, call->step++));
		call->done = remove_next;
		call_send(call, "DELETE", REMOVE_DEADLINE_MS, NULL, "/images/%s", name);
		return;
	}
	log_info("an image that no task uses was removed", "image", call->text);
	drop(engine, call->id);
	save(engine);
}

/* Every reference must be of the repository that we pulled it from. */
static bool collect(const struct str_list *names, const char *repository, struct arena *arena,
		    json_t *list)
{
	for (uint32_t i = 0; i < names->len; i++) {
		struct image_ref ref;
		if (!image_parse(names->items[i], arena, &ref, NULL) ||
		    strcmp(ref.name, repository) != 0)
			return false;
		json_array_append_new(list, json_string(image_text(&ref, arena)));
	}
	return true;
}

static void looked(struct call *call, const struct answer *answer)
{
	struct docker_engine *engine = call->engine;
	struct image_info info;
	struct err err;
	if (answer->status == 404) {
		drop(engine, call->id);
		save(engine);
		return;
	}
	if (!answer->ok || !inspect_image(answer->body, answer->len, &call->arena, &info, &err)) {
		left(engine, call->id, answer->ok ? err.text : answer->message);
		return;
	}
	call->json = json_array();
	if (!collect(&info.repo_tags, call->text, &call->arena, call->json) ||
	    !collect(&info.repo_digests, call->text, &call->arena, call->json)) {
		left(engine, call->id, "it has other names, too");
		return;
	}
	/* By its id what is left without a name. */
	json_array_append_new(call->json, json_string(info.id));
	remove_next(call, answer);
}

void pulled_images_look(void *arg)
{
	struct docker_engine *engine = arg;
	int64_t now = clock_unix_ms();
	const char *id;
	void *value;
	timer_set(engine->images_timer, IMAGES_LOOK_MS);
	if (engine->link != LINK_UP || map_count(engine->pulled) == 0)
		return;
	for (size_t it = 0; map_next(engine->pulled, &it, &id, &value);) {
		struct pulled_image *p = value;
		if (p->leaving)
			continue;
		if (in_use(engine, id, p->name) || p->used_unix_ms > now) {
			p->used_unix_ms = now;
		} else if (now - p->used_unix_ms > IMAGE_KEPT_MS) {
			struct call *call = call_new(engine, looked);
			call->id = arena_strdup(&call->arena, id);
			call->text = arena_strdup(&call->arena, p->name);
			p->leaving = true;
			call_send(call, "GET", ASK_DEADLINE_MS, NULL, "/images/%s/json", call->id);
		}
	}
	save(engine);
}

void pulled_images_close(struct docker_engine *engine)
{
	void *value;
	for (size_t it = 0; engine->pulled && map_next(engine->pulled, &it, NULL, &value);) {
		free(((struct pulled_image *)value)->name);
		free(value);
	}
	map_free(engine->pulled);
}
