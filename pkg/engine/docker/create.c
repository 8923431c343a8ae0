#include "engine/docker/create.h"

#include "engine/docker/create_internal.h"

#include <string.h>

/* --- the parts of it that stand outside of HostConfig ------------------------------------------
 */

/* image's own, then files, environment, secrets, MUSTER_*. References in values see MUSTER_* and
 * files, not one another. */
static struct map *environment_of(const struct making *m)
{
	const struct create *in = m->in;
	const struct container_definition *c = m->c;
	struct map *env = map_new(), *known = map_new();
	const struct str_map *ours = in->environment;
	for (uint32_t i = 0; in->file_environment && i < in->file_environment->len; i++) {
		const struct str_pair *pair = &in->file_environment->items[i];
		map_put(env, pair->name, (void *)(pair->value ? pair->value : ""));
		map_put(known, pair->name, (void *)(pair->value ? pair->value : ""));
	}
	for (uint32_t i = 0; ours && i < ours->len; i++)
		map_put(known, ours->items[i].name, (void *)ours->items[i].value);
	map_put(known, "MUSTER_TASK", (void *)in->id->task);
	for (uint32_t i = 0; i < c->environment.len; i++) {
		const char *value = c->environment.items[i].value;
		map_put(env, c->environment.items[i].name,
			(void *)expand_references(m->arena, value ? value : "", known));
	}
	for (uint32_t i = 0; in->secrets && i < in->secrets->len; i++)
		map_put(env, in->secrets->items[i].name, (void *)in->secrets->items[i].value);
	for (uint32_t i = 0; ours && i < ours->len; i++)
		map_put(env, ours->items[i].name, (void *)ours->items[i].value);
	map_put(env, "MUSTER_TASK", (void *)in->id->task);
	map_free(known);
	return env;
}

static json_t *environment_json(const struct making *m, const struct map *env)
{
	json_t *list = json_array();
	const char *name;
	void *value;
	for (size_t it = 0; map_next(env, &it, &name, &value);)
		json_array_append_new(list, json_string(arena_printf(m->arena, "%s=%s", name,
								     (const char *)value)));
	return list;
}

static json_t *words(const struct making *m, const struct str_list *list, const struct map *env)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < list->len; i++)
		json_array_append_new(
			array, json_string(expand_references(m->arena, list->items[i], env)));
	return array;
}

static void put_process(const struct making *m, json_t *body)
{
	const struct container_definition *c = m->c;
	struct map *env = environment_of(m);
	json_object_set_new(body, "Env", environment_json(m, env));
	if (c->entry_point.set)
		json_object_set_new(body, "Entrypoint", words(m, &c->entry_point, env));
	if (c->command.set)
		json_object_set_new(body, "Cmd", words(m, &c->command, env));
	if (c->working_directory)
		put_text(body, "WorkingDir",
			 expand_references(m->arena, c->working_directory, env));
	map_free(env);
	if (c->user)
		put_text(body, "User", c->user);
	if (c->pseudo_terminal == OPT_TRUE)
		json_object_set_new(body, "Tty", json_true());
	if (c->interactive == OPT_TRUE)
		json_object_set_new(body, "OpenStdin", json_true());
}

/* With a shared network Docker takes the owner's name and refuses another. */
static void put_hostname(const struct making *m, json_t *body)
{
	const char *name = m->c ? m->c->hostname : NULL;
	for (uint32_t i = 0; m->network == NETWORK_OWNER && !name && !m->c &&
			     i < m->in->td->container_definitions.len;
	     i++)
		name = m->in->td->container_definitions.items[i].hostname;
	if (name && !(m->network == NETWORK_SHARED && m->in->flavor->shares_hostname))
		put_text(body, "Hostname", name);
}

static json_t *labels_of(const struct making *m)
{
	json_t *labels = create_labels(m->in->id, m->c ? &m->c->docker_labels : NULL, m->arena);
	put_text(labels, LABEL_CONTAINER, create_container_of(m->in->td, m->in->container));
	put_text(labels, LABEL_ESSENTIAL, m->c && m->c->essential == OPT_FALSE ? "false" : "true");
	return labels;
}

static void put_pause(json_t *body)
{
	json_object_set_new(body, "Entrypoint", json_pack("[s,s]", PAUSE_PROGRAM, "--pause"));
	json_object_set_new(body, "Cmd", json_array());
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

static enum network network_of(const struct create *in, const struct container_definition *c)
{
	const char *mode = in->td->network_mode;
	bool shared = is(mode, "awsvpc");
	if (!c)
		return shared ? NETWORK_OWNER : NETWORK_NONE;
	if (c->disable_networking == OPT_TRUE || is(mode, "none"))
		return NETWORK_NONE;
	return shared ? NETWORK_SHARED : is(mode, "host") ? NETWORK_HOST : NETWORK_BRIDGE;
}

json_t *create_json(const struct create *in, struct arena *arena, struct err *err)
{
	bool owner = in->container == LIFECYCLE_OWNER;
	if (create_needs_group(in->td) && !in->cgroup_parent) {
		err_set(err, 0,
			"ResourceInitializationError: limits of a whole task cannot be set with "
			"this engine");
		return NULL;
	}
	struct making m = {
		.in = in,
		.c = owner ? NULL : &in->td->container_definitions.items[in->container],
		.arena = arena,
		.err = err,
	};
	m.network = network_of(in, m.c);
	json_t *body = json_object(), *host = json_object();
	put_text(body, "Image", in->image);
	json_object_set_new(body, "Labels", labels_of(&m));
	/* Those that images bring are not the task definition's: they would only cost. */
	json_object_set_new(body, "Healthcheck", json_pack("{s:[s]}", "Test", "NONE"));
	int64_t stop_s = owner			 ? OWNER_STOP_TIMEOUT_S
			 : m.c->stop_timeout.set ? m.c->stop_timeout.value
						 : DEFAULT_STOP_TIMEOUT_S;
	json_object_set_new(body, "StopTimeout", json_integer(stop_s));
	put_hostname(&m, body);
	if (owner)
		put_pause(body);
	else
		put_process(&m, body);
	json_object_set_new(body, "HostConfig", host);
	if (!put_host_config(&m, body, host)) {
		json_decref(body);
		return NULL;
	}
	return body;
}
