#include "engine/docker/flavor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- reading -----------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *object, const char *name, struct arena *arena)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text && *text ? arena_strdup(arena, text) : NULL;
}

static bool truth(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static struct str_list list_of(const json_t *array, struct arena *arena)
{
	size_t count = json_array_size(array);
	struct str_list list = { .items = ARENA_ARRAY(arena, const char *, count + 1),
				 .set = true };
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		if (text)
			list.items[list.len++] = arena_strdup(arena, text);
	}
	qsort(list.items, list.len, sizeof(*list.items), str_compare);
	return list;
}

static bool parse_api(const char *text, int *major, int *minor)
{
	char rest;
	/* NOLINTNEXTLINE(cert-err34-c) */
	return text && sscanf(text, "%3d.%4d%c", major, minor, &rest) == 2;
}

/* What both sides speak: ours, or the engine's oldest where that is newer. */
static bool choose_api(const json_t *version, struct flavor *out, struct err *err)
{
	const char *newest = json_string_value(json_object_get(version, "ApiVersion"));
	const char *oldest = json_string_value(json_object_get(version, "MinAPIVersion"));
	int major, minor, min_major = API_WANTED_MAJOR, min_minor = 0;
	if (!parse_api(newest, &major, &minor))
		return err_set(err, 0, "what answers is no container engine");
	if (oldest && !parse_api(oldest, &min_major, &min_minor))
		min_minor = 0;
	if (major != API_WANTED_MAJOR || minor < API_WANTED_MINOR)
		return err_set(err, 0,
			       "%s %s speaks version %.16s of the API; %d.%d is needed: Docker "
			       "20.10 or Podman 4.3, or newer",
			       out->name, out->version, newest, API_WANTED_MAJOR, API_WANTED_MINOR);
	snprintf(out->api, sizeof(out->api), "%d.%d", API_WANTED_MAJOR,
		 min_minor > API_WANTED_MINOR ? min_minor : API_WANTED_MINOR);
	return true;
}

static bool is_podman(const json_t *version)
{
	size_t i;
	json_t *part;
	json_array_foreach(json_object_get(version, "Components"), i, part)
	{
		const char *name = json_string_value(json_object_get(part, "Name"));
		if (name && strcmp(name, "Podman Engine") == 0)
			return true;
	}
	return false;
}

/* ECS's names, which are uname's for one and Docker's for the other. */
static const char *architecture_of(const char *name)
{
	static const struct {
		const char *engine, *ecs;
	} rows[] = { { "amd64", "x86_64" },
		     { "x86_64", "x86_64" },
		     { "arm64", "arm64" },
		     { "aarch64", "arm64" } };
	for (size_t i = 0; name && i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].engine, name) == 0)
			return rows[i].ecs;
	return name;
}

static bool has_security_option(const json_t *info, const char *name)
{
	size_t i;
	json_t *option;
	json_array_foreach(json_object_get(info, "SecurityOptions"), i, option)
	{
		const char *text = json_string_value(option);
		if (text && strncmp(text, "name=", 5) == 0 &&
		    strncmp(text + 5, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

static enum flavor_cgroups cgroups_of(const char *driver)
{
	return !driver				 ? CGROUPS_UNKNOWN
	       : strcmp(driver, "cgroupfs") == 0 ? CGROUPS_ENGINE
	       : strcmp(driver, "systemd") == 0	 ? CGROUPS_SYSTEMD
						 : CGROUPS_UNKNOWN;
}

static void read_host(const json_t *info, struct arena *arena, struct flavor *out)
{
	const json_t *plugins = json_object_get(info, "Plugins");
	const char *cgroups = json_string_value(json_object_get(info, "CgroupVersion"));
	json_int_t cpus = json_integer_value(json_object_get(info, "NCPU"));
	json_int_t bytes = json_integer_value(json_object_get(info, "MemTotal"));
	out->architecture = architecture_of(text_of(info, "Architecture", arena));
	out->os_type = text_of(info, "OSType", arena);
	out->cpus = cpus > 0 && cpus < 1 << 20 ? (uint32_t)cpus : 0;
	out->memory_mib = bytes > 0 ? (uint32_t)(bytes >> 20) : 0;
	out->log_drivers = list_of(json_object_get(plugins, "Log"), arena);
	out->volume_drivers = list_of(json_object_get(plugins, "Volume"), arena);
	out->default_log_driver = text_of(info, "LoggingDriver", arena);
	out->memory_limit = truth(info, "MemoryLimit");
	out->swap_limit = truth(info, "SwapLimit");
	out->cpu_shares = truth(info, "CPUShares");
	out->cpu_quota = truth(info, "CpuCfsQuota");
	out->pids_limit = truth(info, "PidsLimit");
	/* The second version of control groups has no such thing. */
	out->swappiness = !cgroups || strcmp(cgroups, "1") == 0;
	out->cgroups = cgroups_of(json_string_value(json_object_get(info, "CgroupDriver")));
	out->host_name = text_of(info, "Name", arena);
	out->apparmor = has_security_option(info, "apparmor");
	out->selinux = has_security_option(info, "selinux");
}

bool flavor_read(const json_t *version, const json_t *info, struct arena *arena, struct flavor *out,
		 struct err *err)
{
	*out = (struct flavor){ .kind = is_podman(version) ? FLAVOR_PODMAN : FLAVOR_DOCKER };
	out->name = out->kind == FLAVOR_PODMAN ? "podman" : "docker";
	out->version = text_of(version, "Version", arena);
	if (!out->version || !json_is_object(info))
		return err_set(err, 0, "what answers is no container engine");
	if (!choose_api(version, out, err))
		return false;
	read_host(info, arena, out);
	if (out->os_type && strcmp(out->os_type, "linux") != 0)
		return err_set(err, 0, "it runs containers of %s, not of Linux", out->os_type);
	bool docker = out->kind == FLAVOR_DOCKER;
	out->links = docker;
	out->makes_host_directories = docker;
	out->shares_hostname = docker;
	/* Docker names the program that it would start as init; Podman looks for one (catatonit)
	 * only when a container asks for it. */
	out->init = docker ? json_string_length(json_object_get(info, "InitBinary")) > 0 : true;
	return true;
}

/* --- capabilities ------------------------------------------------------------------------------
 */

struct names {
	struct arena *arena;
	VEC(const char *) items;
};

static void add(struct names *names, bool can, const char *prefix, const char *name)
{
	if (can)
		*vec_push(&names->items) = arena_printf(names->arena, "%s%s", prefix, name);
}

static void add_drivers(struct names *names, const struct flavor *f)
{
	for (uint32_t i = 0; i < f->log_drivers.len; i++)
		add(names, true, CAPABILITY_LOG_DRIVER, f->log_drivers.items[i]);
	/* Podman takes Docker's name for its own files, and does not list it. */
	add(names, f->kind == FLAVOR_PODMAN, CAPABILITY_LOG_DRIVER, "json-file");
	for (uint32_t i = 0; i < f->volume_drivers.len; i++)
		if (strcmp(f->volume_drivers.items[i], "local") != 0)
			add(names, true, CAPABILITY_VOLUME_DRIVER, f->volume_drivers.items[i]);
}

/* ECS lists every version of the API from 1.17 on that an instance's Docker speaks. */
static void add_api_versions(struct names *names, const struct flavor *f)
{
	int major, minor = 0;
	parse_api(f->api, &major, &minor);
	for (int i = 17; i <= minor; i++)
		add(names, true, ECS_CAPABILITY_AMAZON "docker-remote-api.",
		    arena_printf(names->arena, "1.%d", i));
}

struct str_list flavor_capabilities(const struct flavor *f, struct arena *arena)
{
	const char *arch = f->architecture ? f->architecture : "";
	const struct {
		const char *name;
		bool can;
	} rows[] = {
		{ CAPABILITY_PRIVILEGED, true },
		{ CAPABILITY_APPARMOR, f->apparmor },
		{ CAPABILITY_SELINUX, f->selinux },
		{ CAPABILITY_ORDERING, true },
		{ CAPABILITY_CONTAINER_HEALTH, true },
		{ CAPABILITY_CONTAINER_RESTART, true },
		{ CAPABILITY_PORT_RANGE, true },
		{ CAPABILITY_NAMESPACES, true },
		{ CAPABILITY_TASK_LIMITS, f->task_limits && f->memory_limit && f->cpu_quota },
		{ CAPABILITY_DOCKER_ENVIRONMENT_FILES, true },
		{ CAPABILITY_DOCKER_MEMORY_LIMIT, f->memory_limit },
		{ CAPABILITY_DOCKER_CPU_LIMIT, f->cpu_quota },
		{ CAPABILITY_DOCKER_CPU_SHARES, f->cpu_shares },
		{ CAPABILITY_DOCKER_PIDS_LIMIT, f->pids_limit },
		{ CAPABILITY_DOCKER_SWAP_LIMIT, f->memory_limit && f->swap_limit },
		{ CAPABILITY_DOCKER_INIT, f->init },
		{ CAPABILITY_DOCKER_LINKS, f->links },
		{ CAPABILITY_DOCKER_FILES, true },
		{ CAPABILITY_DOCKER_SECRETS, true },
		{ CAPABILITY_DOCKER_LOG_SECRETS, true },
		{ CAPABILITY_DOCKER_ARCHITECTURE "X86_64", strcmp(arch, "x86_64") == 0 },
		{ CAPABILITY_DOCKER_ARCHITECTURE "ARM64", strcmp(arch, "arm64") == 0 },
	};
	struct names names = { .arena = arena };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		add(&names, rows[i].can, rows[i].name, "");
	add_drivers(&names, f);
	add_api_versions(&names, f);
	struct str_list list = { .items = ARENA_ARRAY(arena, const char *, names.items.len),
				 .set = true };
	qsort(names.items.items, names.items.len, sizeof(const char *), str_compare);
	for (size_t i = 0; i < names.items.len; i++)
		if (!i || strcmp(names.items.items[i], names.items.items[i - 1]) != 0)
			list.items[list.len++] = names.items.items[i];
	vec_release(&names.items);
	return list;
}

/* --- answers -----------------------------------------------------------------------------------
 */

/* Docker says 409, Podman 500 and only in words. */
bool flavor_name_taken(int status, const char *message)
{
	return status == 409 || (status == 500 && strstr(message, "already in use"));
}

/* Both make one again without a word, but Podman not where two ask at once. */
bool flavor_volume_there(int status, const char *message)
{
	return status == 500 && strstr(message, "volume already exists");
}

/* Docker says 304 for a stop or start that changes nothing, and 409 for a kill; Podman 500. */
bool flavor_nothing_to_do(int status, const char *message)
{
	return status == 304 || strstr(message, "is not running") ||
	       strstr(message, "can only kill running") || strstr(message, "is not paused");
}

/* json-file is known to both; of what an operator chose as the engine's own nothing is changed. */
const char *flavor_log_driver(const struct flavor *flavor, bool aws)
{
	return aws ? flavor->default_log_driver : "json-file";
}
