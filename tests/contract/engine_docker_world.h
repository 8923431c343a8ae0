/* What tests of real container engines share: the engine's API from outside, as an operator has it.
 */
#ifndef MUSTER_TESTS_ENGINE_DOCKER_WORLD_H
#define MUSTER_TESTS_ENGINE_DOCKER_WORLD_H

#include "engine_world.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* METHOD PATH with a JSON body or NULL: the answer's body; a new reference, NULL where it is none.
 */
static UNUSED json_t *api(struct world *w, const char *method, const char *path, const char *body)
{
	char command[8192];
	int n = snprintf(command, sizeof(command),
			 "curl -s --max-time 60 --unix-socket '%s' -X %s -H 'Content-Type: "
			 "application/json' %s%s%s 'http://localhost/v1.41%s'",
			 w->socket, method, body ? "-d '" : "", body ? body : "", body ? "'" : "",
			 path);
	assert_in_range(n, 1, sizeof(command) - 1);
	FILE *f = popen(command, "re"); /* NOLINT(cert-env33-c) */
	assert_non_null(f);
	json_t *json = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
	pclose(f);
	return json;
}

static UNUSED void api_do(struct world *w, const char *method, const char *path, const char *body)
{
	json_decref(api(w, method, path, body));
}

/* The engine's id of a container of the task. */
static UNUSED const char *container_id(struct world *w, const char *task, const char *container)
{
	const struct node_task *t = world_find(w, task);
	assert_non_null(t);
	for (uint32_t i = 0; i < t->container_count; i++)
		if (strcmp(t->containers[i].name, container) == 0)
			return arena_strdup(&w->arena, t->containers[i].runtime_id);
	fail_msg("no container %s", container);
	return NULL;
}

static UNUSED json_t *inspect(struct world *w, const char *id)
{
	return api(w, "GET", arena_printf(&w->arena, "/containers/%s/json", id), NULL);
}

/* A text of what inspect tells, by its path: "State.Status". */
static UNUSED const char *told(struct world *w, const char *id, const char *path)
{
	json_t *json = inspect(w, id);
	const json_t *at = json;
	char *copy = arena_strdup(&w->arena, path);
	for (char *name; (name = strsep(&copy, "."));)
		at = json_object_get(at, name);
	char *text = json_is_string(at) ? xstrdup(json_string_value(at))
					: json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT);
	const char *result = arena_strdup(&w->arena, text ? text : "");
	free(text);
	json_decref(json);
	return result;
}

/* How many containers the engine has of this node, whoever made them. */
static UNUSED size_t containers_of_node(struct world *w)
{
	json_t *list = api(w, "GET",
			   arena_printf(&w->arena,
					"/containers/"
					"json?all=1&filters=%%7B%%22label%%22%%3A%%5B%%22muster."
					"node%%3D%s%%22%%5D%%7D",
					w->node),
			   NULL);
	size_t count = json_array_size(list);
	json_decref(list);
	return count;
}

static UNUSED struct str_list words(struct world *w, const char *const *list)
{
	struct str_list out = { .items = ARENA_ARRAY(&w->arena, const char *, 16), .set = true };
	for (; *list; list++)
		out.items[out.len++] = *list;
	return out;
}
#define WORDS(w, ...) words(w, (const char *const[]){ __VA_ARGS__, NULL })

/* A shell line instead of testtask. */
static UNUSED void shell(struct world *w, struct container_definition *c, const char *line)
{
	c->entry_point = WORDS(w, "/bin/sh", "-c");
	c->command = WORDS(w, arena_printf(&w->arena, "trap 'exit 143' TERM; %s", line));
}

static UNUSED void depend(struct world *w, struct container_definition *c, const char *on,
			  const char *condition)
{
	struct container_dependency *d = ARENA_NEW(&w->arena, struct container_dependency);
	*d = (struct container_dependency){ .container_name = on, .condition = condition };
	c->depends_on.items = d;
	c->depends_on.len = 1;
	c->depends_on.set = true;
}

static UNUSED void check_health(struct world *w, struct container_definition *c, const char *line)
{
	c->health_check = ARENA_NEW(&w->arena, struct health_check);
	*c->health_check = (struct health_check){ .command = WORDS(w, "CMD-SHELL", line),
						  .interval = world_integer(1),
						  .timeout = world_integer(2),
						  .retries = world_integer(1) };
}

static UNUSED bool has_logged(struct world *w, void *arg)
{
	char command[512];
	const char *const *pair = arg;
	snprintf(command, sizeof(command),
		 "curl -s --unix-socket '%s' "
		 "'http://localhost/v1.41/containers/%s/logs?stdout=1&stderr=1' | grep -qa -e '%s'",
		 w->socket, pair[0], pair[1]);
	return system(command) == 0; /* NOLINT(cert-env33-c) */
}

static UNUSED void wait_logged(struct world *w, const char *id, const char *text)
{
	const char *pair[] = { id, text };
	world_wait(w, has_logged, pair, text);
}

#endif
