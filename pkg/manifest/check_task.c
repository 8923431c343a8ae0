/* What holds between the fields of a task definition; reference section 4. */
#include "manifest/internal.h"

#include <string.h>

const struct value *task_container(const struct task *t, uint32_t index)
{
	return value_at(value_get(t->v, "containerDefinitions"), index);
}

enum diag_severity task_severity(const struct task *t)
{
	bool mild = t->r->ecs && task_definition_engine(t->td) != ENGINE_PROCESS;
	t->r->relaxed |= mild;
	return mild ? DIAG_WARNING : DIAG_ERROR;
}

struct pos place_of(const struct value *v, const char *name)
{
	const struct value *field = value_get(v, name);
	return field ? field->pos : v ? v->pos : (struct pos){ 0, 0 };
}

/* Names of `count` structs, each at `offset`; those that were not read are left out. */
static size_t collect_names(const void *items, uint32_t count, size_t size, size_t offset,
			    const char **names)
{
	size_t n = 0;
	for (uint32_t i = 0; i < count; i++) {
		const char *name = *(const char *const *)((const char *)items + i * size + offset);
		if (name)
			names[n++] = name;
	}
	return n;
}

static const char *hint_container(const struct task *t, const char *name)
{
	const char **names =
		ARENA_ARRAY(t->r->in.scratch, const char *, t->td->container_definitions.len);
	size_t n =
		collect_names(t->td->container_definitions.items, t->td->container_definitions.len,
			      sizeof(struct container_definition),
			      offsetof(struct container_definition, name), names);
	return did_you_mean(t->r->in.diags, t->r->in.scratch, name, names, n);
}

const struct container_definition *find_container(const struct task *t, const char *name)
{
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++) {
		const struct container_definition *c = &t->td->container_definitions.items[i];
		if (c->name && strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

static void check_container_names(const struct task *t)
{
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++) {
		const struct container_definition *c = &t->td->container_definitions.items[i];
		if (!c->name || find_container(t, c->name) == c)
			continue;
		report_mild(t, place_of(task_container(t, i), "name"),
			    "two containers are named \"%s\"", c->name);
	}
}

static void check_essential(const struct task *t)
{
	if (t->td->container_definitions.len == 0)
		return;
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++)
		if (t->td->container_definitions.items[i].essential != OPT_FALSE)
			return;
	report_error(t->r, place_of(t->v, "containerDefinitions"),
		     "no container is essential: at least one must be");
}

/* --- dependencies ----------------------------------------------------------------------------- */

static void check_dependency(const struct task *t, const struct container_definition *c,
			     const struct container_dependency *d)
{
	if (!d->container_name || !d->condition)
		return;
	const struct container_definition *on = find_container(t, d->container_name);
	if (!on)
		report_error(t->r, d->pos, "there is no container \"%s\" to depend on%s",
			     d->container_name, hint_container(t, d->container_name));
	else if (on == c)
		report_error(t->r, d->pos, "container \"%s\" depends on itself", c->name);
	else if (on->essential != OPT_FALSE &&
		 (strcmp(d->condition, "SUCCESS") == 0 || strcmp(d->condition, "COMPLETE") == 0))
		report_error(t->r, d->pos,
			     "condition %s waits for \"%s\" to exit, but it is essential and its "
			     "exit stops the task: set its essential to false",
			     d->condition, on->name);
	else if (strcmp(d->condition, "HEALTHY") == 0 && !on->health_check)
		report_error(t->r, d->pos, "condition HEALTHY needs a healthCheck of \"%s\"",
			     on->name);
}

/* Bit k of reach[i]: container i depends on container k, directly or by way of others. */
static void close_over_dependencies(const struct task *t, uint32_t reach[LIMIT_CONTAINERS])
{
	const struct container_definition *all = t->td->container_definitions.items;
	uint32_t count = t->td->container_definitions.len;
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t d = 0; d < all[i].depends_on.len; d++) {
			const char *name = all[i].depends_on.items[d].container_name;
			const struct container_definition *on =
				name ? find_container(t, name) : NULL;
			if (on && on != &all[i])
				reach[i] |= 1u << (on - all);
		}
	for (uint32_t by = 0; by < count; by++)
		for (uint32_t i = 0; i < count; i++)
			if (reach[i] >> by & 1)
				reach[i] |= reach[by];
}

static void check_depends_on(const struct task *t)
{
	uint32_t reach[LIMIT_CONTAINERS] = { 0 };
	bool cycle = false;
	close_over_dependencies(t, reach);
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++) {
		const struct container_definition *c = &t->td->container_definitions.items[i];
		for (uint32_t k = 0; k < c->depends_on.len; k++)
			check_dependency(t, c, &c->depends_on.items[k]);
		if (cycle || !(reach[i] >> i & 1))
			continue;
		report_error(t->r, place_of(task_container(t, i), "dependsOn"),
			     "container \"%s\" depends on itself by way of others", c->name);
		cycle = true;
	}
}

/* --- volumes ---------------------------------------------------------------------------------- */

static const struct volume *find_volume(const struct task_definition *td, const char *name)
{
	for (uint32_t i = 0; i < td->volumes.len; i++)
		if (td->volumes.items[i].name && strcmp(td->volumes.items[i].name, name) == 0)
			return &td->volumes.items[i];
	return NULL;
}

static void check_volumes(const struct task *t)
{
	for (uint32_t i = 0; i < t->td->volumes.len; i++) {
		const struct volume *v = &t->td->volumes.items[i];
		if (v->name && find_volume(t->td, v->name) != v)
			report_error(t->r, v->pos, "two volumes are named \"%s\"", v->name);
		if (v->host && v->host->source_path && v->docker_volume_configuration)
			report_error(t->r, v->pos,
				     "a volume has host or dockerVolumeConfiguration, not both");
	}
}

static void check_mounts(const struct task *t, const struct container_definition *c)
{
	const char **names = ARENA_ARRAY(t->r->in.scratch, const char *, t->td->volumes.len);
	size_t n = collect_names(t->td->volumes.items, t->td->volumes.len, sizeof(struct volume),
				 offsetof(struct volume, name), names);
	for (uint32_t i = 0; i < c->mount_points.len; i++) {
		const struct mount_point *m = &c->mount_points.items[i];
		if (m->source_volume && !find_volume(t->td, m->source_volume))
			report_error(t->r, m->pos, "there is no volume \"%s\"%s", m->source_volume,
				     did_you_mean(t->r->in.diags, t->r->in.scratch,
						  m->source_volume, names, n));
	}
	for (uint32_t i = 0; i < c->volumes_from.len; i++) {
		const struct volume_from *f = &c->volumes_from.items[i];
		if (f->source_container && !find_container(t, f->source_container))
			report_error(t->r, f->pos,
				     "there is no container \"%s\" to take volumes from%s",
				     f->source_container, hint_container(t, f->source_container));
	}
}

/* --- sizes and the rest ----------------------------------------------------------------------- */

static void check_sizes(const struct task *t)
{
	struct size_problem problems[SIZE_PROBLEMS_MAX];
	uint32_t count = size_problems(t->td, t->r->in.scratch, problems);
	for (uint32_t i = 0; i < count; i++) {
		const struct size_problem *p = &problems[i];
		const struct value *v =
			p->container == SIZE_OF_TASK ? t->v : task_container(t, p->container);
		report_error(t->r, place_of(v, p->field), "%s", p->text);
	}
}

static void check_secret(const struct task *t, const struct key_value_secret *secret)
{
	const char *from = secret->value_from;
	enum secret_source source = from ? secret_source_of(from) : SECRET_ASM;
	if (source != SECRET_FILE && source != SECRET_ENV)
		return;
	const char *problem = secret_place_problem(from);
	if (problem)
		report_error(t->r, secret->pos, "valueFrom cannot be \"%s\": %s", from, problem);
}

static void check_environment_file(const struct task *t, const struct environment_file *file)
{
	const char *value = file->value ? file->value : "";
	const char *problem = NULL;
	switch (environment_file_place_of(value)) {
	case ENVIRONMENT_FILE_NODE: problem = secret_place_problem(value); break;
	case ENVIRONMENT_FILE_REPOSITORY: break; /* looked for when all files are put together */
	case ENVIRONMENT_FILE_AWS:
		if (value[0] == '/')
			problem = "a path in the repository is relative to its top; one on the "
				  "node begins with file:/";
		else
			report_warning(t->r, file->pos,
				       "the environment file \"%s\" is kept in AWS, and no engine "
				       "offers to read it: the task is not placed",
				       value);
		break;
	}
	if (problem)
		report_error(t->r, file->pos, "value cannot be \"%s\": %s", value, problem);
}

static void check_file(const struct task *t, const struct config_file *file)
{
	const char *path = file->path, *mode = file->mode;
	if (path && path[0] != '/')
		report_error(t->r, file->pos, "path \"%s\" is not absolute", path);
	else if (path && (strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") ||
			  ends_with(path, "/.") || ends_with(path, "/..") || ends_with(path, "/")))
		report_error(t->r, file->pos,
			     "path \"%s\" must be that of a file, without empty or dot segments",
			     path);
	if (mode && (!*mode || strlen(mode) > 5 || strspn(mode, "01234567") != strlen(mode)))
		report_error(t->r, file->pos, "mode \"%s\" is not octal, as in \"0440\"", mode);
}

static void check_container(const struct task *t, uint32_t index)
{
	const struct container_definition *c = &t->td->container_definitions.items[index];
	const struct value *v = task_container(t, index);
	for (uint32_t i = 0; i < c->ulimits.len; i++) {
		const struct ulimit *u = &c->ulimits.items[i];
		bool soft_unlimited = u->soft_limit.value == -1;
		if (u->hard_limit.set && u->soft_limit.set && u->hard_limit.value != -1 &&
		    (soft_unlimited || u->soft_limit.value > u->hard_limit.value))
			report_error(t->r, u->pos, "softLimit is above hardLimit");
	}
	for (uint32_t i = 0; c->restart_policy && i < c->restart_policy->ignored_exit_codes.len;
	     i++) {
		int64_t code;
		const char *text = c->restart_policy->ignored_exit_codes.items[i];
		if (!parse_int(text, &code) || code < 0 || code > 255)
			report_error(t->r,
				     place_of(value_get(v, "restartPolicy"), "ignoredExitCodes"),
				     "\"%s\" is no exit code: 0 to 255", text);
	}
	for (uint32_t i = 0; i < c->files.len; i++)
		check_file(t, &c->files.items[i]);
	for (uint32_t i = 0; i < c->secrets.len; i++)
		check_secret(t, &c->secrets.items[i]);
	for (uint32_t i = 0; i < c->environment_files.len; i++)
		check_environment_file(t, &c->environment_files.items[i]);
	check_mounts(t, c);
	if (task_definition_engine(t->td) != ENGINE_PROCESS)
		check_container_engine(t, c, v);
}

static void check_images(const struct task *t)
{
	for (uint32_t i = 0; i < t->td->container_definitions.len; i++) {
		const struct container_definition *c = &t->td->container_definitions.items[i];
		const struct value *v = task_container(t, i);
		if (v && v->kind == VALUE_MAPPING && !c->image && !value_get(v, "image"))
			report_error(t->r, v->pos,
				     "the container definition has no \"image\"; for a native "
				     "process set requiresCompatibilities: [PROCESS]");
	}
}

/* Nodes for containers are chosen by it; for a native process a constraint does. */
static void check_platform(const struct task *t)
{
	const struct runtime_platform *platform = t->td->runtime_platform;
	if (!platform || !platform->cpu_architecture ||
	    task_definition_engine(t->td) != ENGINE_PROCESS)
		return;
	bool arm = strcmp(platform->cpu_architecture, "ARM64") == 0;
	report_warning(t->r, place_of(value_get(t->v, "runtimePlatform"), "cpuArchitecture"),
		       "cpuArchitecture chooses no nodes: add the placement constraint "
		       "\"attribute:ecs.cpu-architecture == %s\"",
		       arm ? "arm64" : "x86_64");
}

void check_task_definition(struct reading *r, const struct value *v,
			   const struct task_definition *td)
{
	struct task t = { r, v, td };
	check_container_names(&t);
	check_essential(&t);
	check_depends_on(&t);
	check_volumes(&t);
	check_ports(&t);
	if (task_definition_engine(td) != ENGINE_PROCESS)
		check_network(&t);
	check_sizes(&t);
	check_platform(&t);
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		check_container(&t, i);
	if (task_definition_engine(td) == ENGINE_PROCESS)
		check_process(r, v, td);
	else
		check_images(&t);
}
