/* Namespaces, mounts, devices, security, names and logs of a container. */
#include "engine/docker/create_internal.h"

#include <string.h>

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

static const char *name_of(const struct making *m, const char *container)
{
	return create_name(m->in->id, container, m->arena);
}

/* --- namespaces --------------------------------------------------------------------------------
 */

static const char *of_owner(const struct making *m)
{
	return arena_printf(m->arena, "container:%s", name_of(m, OWNER_NAME));
}

static void put_namespaces(const struct making *m, json_t *host)
{
	static const char *const networks[] = { [NETWORK_BRIDGE] = "bridge",
						[NETWORK_HOST] = "host",
						[NETWORK_NONE] = "none",
						[NETWORK_OWNER] = "bridge" };
	const struct task_definition *td = m->in->td;
	put_text(host, "NetworkMode",
		 m->network == NETWORK_SHARED ? of_owner(m) : networks[m->network]);
	if (!m->c) {
		if (is(td->ipc_mode, "task"))
			put_text(host, "IpcMode", "shareable");
		return;
	}
	if (td->pid_mode)
		put_text(host, "PidMode", is(td->pid_mode, "task") ? of_owner(m) : "host");
	if (td->ipc_mode)
		put_text(host, "IpcMode", is(td->ipc_mode, "task") ? of_owner(m) : td->ipc_mode);
}

/* Does the control belong to a namespace that the owner holds? Then it is the owner's to set. */
static bool control_is_owners(const struct task_definition *td, const char *name)
{
	if (strncmp(name, "net.", 4) == 0)
		return is(td->network_mode, "awsvpc");
	return is(td->ipc_mode, "task");
}

static void put_controls(const struct making *m, json_t *host)
{
	const struct task_definition *td = m->in->td;
	json_t *controls = json_object();
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		for (uint32_t k = 0; k < c->system_controls.len; k++) {
			const struct system_control *s = &c->system_controls.items[k];
			bool owners = control_is_owners(td, s->namespace_name);
			if (owners ? !m->c : c == m->c)
				put_text(controls, s->namespace_name, s->value);
		}
	}
	if (json_object_size(controls))
		json_object_set_new(host, "Sysctls", controls);
	else
		json_decref(controls);
}

/* --- names -------------------------------------------------------------------------------------
 */

static void append_unique(json_t *list, const char *text)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) if (is(json_string_value(item), text)) return;
	json_array_append_new(list, json_string(text));
}

static void put_list(json_t *host, const char *name, json_t *list)
{
	if (json_array_size(list))
		json_object_set_new(host, name, list);
	else
		json_decref(list);
}

/* The owner of a network has the names of all; who shares it has none of its own. */
static void put_names(const struct making *m, json_t *host)
{
	const struct task_definition *td = m->in->td;
	json_t *dns = json_array(), *search = json_array(), *hosts = json_array();
	for (uint32_t i = 0; i < td->container_definitions.len; i++) {
		const struct container_definition *c = &td->container_definitions.items[i];
		bool mine = m->c ? c == m->c && m->network != NETWORK_SHARED
				 : m->network == NETWORK_OWNER;
		for (uint32_t k = 0; mine && k < c->dns_servers.len; k++)
			append_unique(dns, c->dns_servers.items[k]);
		for (uint32_t k = 0; mine && k < c->dns_search_domains.len; k++)
			append_unique(search, c->dns_search_domains.items[k]);
		for (uint32_t k = 0; mine && k < c->extra_hosts.len; k++)
			append_unique(hosts, arena_printf(m->arena, "%s:%s",
							  c->extra_hosts.items[k].hostname,
							  c->extra_hosts.items[k].ip_address));
	}
	put_list(host, "Dns", dns);
	put_list(host, "DnsSearch", search);
	put_list(host, "ExtraHosts", hosts);
}

/* "container:alias" */
static void put_links(const struct making *m, json_t *host)
{
	json_t *links = json_array();
	for (uint32_t i = 0; i < m->c->links.len; i++) {
		const char *link = m->c->links.items[i], *colon = strchrnul(link, ':');
		const char *to = arena_strndup(m->arena, link, (size_t)(colon - link));
		append_unique(links, arena_printf(m->arena, "%s:%s", name_of(m, to),
						  *colon ? colon + 1 : to));
	}
	put_list(host, "Links", links);
}

/* --- mounts ------------------------------------------------------------------------------------
 */

static const struct volume *find_volume(const struct task_definition *td, const char *name)
{
	for (uint32_t i = 0; i < td->volumes.len; i++)
		if (is(td->volumes.items[i].name, name))
			return &td->volumes.items[i];
	return NULL;
}

/* A bind makes what is missing on the host; it cannot name a path with a colon. */
static void mount(const struct making *m, bool volume, const char *source, const char *target,
		  bool read_only, json_t *binds, json_t *mounts)
{
	if (strchr(source, ':') || strchr(target, ':'))
		json_array_append_new(mounts,
				      json_pack("{s:s,s:s,s:s,s:b}", "Type",
						volume ? "volume" : "bind", "Source", source,
						"Target", target, "ReadOnly", read_only));
	else
		json_array_append_new(binds,
				      json_string(arena_printf(m->arena, "%s:%s%s", source, target,
							       read_only ? ":ro" : "")));
}

static bool put_mount(const struct making *m, const struct mount_point *point, json_t *binds,
		      json_t *mounts)
{
	const struct volume *volume = find_volume(m->in->td, point->source_volume);
	if (!volume)
		return err_set(m->err, 0, "there is no volume %s", point->source_volume);
	const char *name = create_volume_name(m->in->id, volume, m->arena);
	const char *source = name ? name : volume->host->source_path;
	if (!name && source[0] != '/')
		return err_set(m->err, 0, "the path of volume %s is not absolute: %s", volume->name,
			       source);
	mount(m, name != NULL, source, point->container_path, point->read_only == OPT_TRUE, binds,
	      mounts);
	return true;
}

static bool put_mounts(const struct making *m, json_t *host)
{
	const struct container_definition *c = m->c;
	json_t *binds = json_array(), *mounts = json_array(), *from = json_array();
	bool ok = true;
	for (uint32_t i = 0; ok && i < c->mount_points.len; i++)
		ok = put_mount(m, &c->mount_points.items[i], binds, mounts);
	for (uint32_t i = 0; ok && i < c->files.len; i++)
		mount(m, false,
		      arena_printf(m->arena, "%s%s", m->in->files_dir, c->files.items[i].path),
		      c->files.items[i].path, true, binds, mounts);
	for (uint32_t i = 0; i < c->volumes_from.len; i++)
		json_array_append_new(
			from,
			json_string(arena_printf(
				m->arena, "%s%s",
				name_of(m, c->volumes_from.items[i].source_container),
				c->volumes_from.items[i].read_only == OPT_TRUE ? ":ro" : "")));
	put_list(host, "Binds", binds);
	put_list(host, "Mounts", mounts);
	put_list(host, "VolumesFrom", from);
	return ok;
}

static void put_tmpfs(const struct making *m, const struct linux_parameters *lp, json_t *host)
{
	json_t *object = json_object();
	for (uint32_t i = 0; i < lp->tmpfs.len; i++) {
		const struct tmpfs *t = &lp->tmpfs.items[i];
		struct buf options = { 0 };
		buf_addf(&options, "size=%lldm", (long long)t->size.value);
		for (uint32_t k = 0; k < t->mount_options.len; k++)
			buf_addf(&options, ",%s", t->mount_options.items[k]);
		put_text(object, t->container_path, buf_str(&options));
		buf_release(&options);
	}
	(void)m;
	if (json_object_size(object))
		json_object_set_new(host, "Tmpfs", object);
	else
		json_decref(object);
}

/* --- devices, rights ---------------------------------------------------------------------------
 */

static const char *permissions_of(const struct device *d, struct arena *arena)
{
	static const struct {
		const char *word;
		char letter;
	} rows[] = { { "read", 'r' }, { "write", 'w' }, { "mknod", 'm' } };
	char letters[ARRAY_LEN(rows) + 1] = "";
	size_t len = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool has = d->permissions.len == 0;
		for (uint32_t k = 0; k < d->permissions.len; k++)
			has |= is(d->permissions.items[k], rows[i].word);
		if (has)
			letters[len++] = rows[i].letter;
	}
	return arena_strndup(arena, letters, len);
}

static void put_devices(const struct making *m, const struct linux_parameters *lp, json_t *host)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < lp->devices.len; i++) {
		const struct device *d = &lp->devices.items[i];
		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:s}", "PathOnHost", d->host_path, "PathInContainer",
				  d->container_path ? d->container_path : d->host_path,
				  "CgroupPermissions", permissions_of(d, m->arena)));
	}
	put_list(host, "Devices", list);
}

static json_t *texts(const struct str_list *list)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < list->len; i++)
		append_unique(array, list->items[i]);
	return array;
}

/* add ALL: all but those dropped; drop ALL: only those added; else the defaults, less those
 * dropped, and those added. So do Docker and Podman understand the two lists, as ECS relies on.
 * For who is privileged they mean nothing. */
static void put_capabilities(const struct making *m, const struct linux_parameters *lp,
			     json_t *host)
{
	if (!lp->capabilities || m->c->privileged == OPT_TRUE)
		return;
	put_list(host, "CapAdd", texts(&lp->capabilities->add));
	put_list(host, "CapDrop", texts(&lp->capabilities->drop));
}

/* ECS writes "apparmor:PROFILE" and "label:VALUE", the engines take "=". */
static void put_security(const struct making *m, json_t *host)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < m->c->docker_security_options.len; i++) {
		char *text = arena_strdup(m->arena, m->c->docker_security_options.items[i]);
		char *colon = strchr(text, ':');
		if (colon && !memchr(text, '=', (size_t)(colon - text)))
			*colon = '=';
		append_unique(list, text);
	}
	put_list(host, "SecurityOpt", list);
	if (m->c->privileged == OPT_TRUE)
		json_object_set_new(host, "Privileged", json_true());
	if (m->c->readonly_root_filesystem == OPT_TRUE)
		json_object_set_new(host, "ReadonlyRootfs", json_true());
}

/* --- logs --------------------------------------------------------------------------------------
 */

static bool keeps_files(const char *driver)
{
	return is(driver, "json-file") || is(driver, "local");
}

static void put_log(const struct making *m, json_t *host)
{
	const struct log_configuration *l = m->c ? m->c->log_configuration : NULL;
	bool aws = l && log_driver_is_aws(l->log_driver);
	const char *driver = !m->c	 ? "none"
			     : l && !aws ? l->log_driver
					 : flavor_log_driver(m->in->flavor, aws);
	if (!driver)
		return; /* the engine knows best */
	json_t *options = json_object();
	if (keeps_files(driver)) {
		put_text(options, "max-size", LOG_MAX_SIZE);
		put_text(options, "max-file", LOG_MAX_FILES);
	}
	for (uint32_t i = 0; l && !aws && i < l->options.len; i++)
		put_text(options, l->options.items[i].name,
			 l->options.items[i].value ? l->options.items[i].value : "");
	for (uint32_t i = 0; !aws && m->in->log_secrets && i < m->in->log_secrets->len; i++)
		put_text(options, m->in->log_secrets->items[i].name,
			 m->in->log_secrets->items[i].value);
	json_object_set_new(host, "LogConfig",
			    json_pack("{s:s,s:o}", "Type", driver, "Config", options));
}

/* --- all of it ---------------------------------------------------------------------------------
 */

/* It holds namespaces and needs nothing else. */
static void put_owner(const struct making *m, json_t *host)
{
	json_object_set_new(host, "ReadonlyRootfs", json_true());
	json_object_set_new(host, "CapDrop", json_pack("[s]", "ALL"));
	json_object_set_new(host, "SecurityOpt", json_pack("[s]", "no-new-privileges"));
	(void)m;
}

bool put_host_config(const struct making *m, json_t *body, json_t *host)
{
	const struct linux_parameters *lp = m->c ? m->c->linux_parameters : NULL;
	if (m->in->cgroup_parent)
		put_text(host, "CgroupParent", m->in->cgroup_parent);
	put_namespaces(m, host);
	put_controls(m, host);
	put_names(m, host);
	put_log(m, host);
	if (!put_ports(m, body, host))
		return false;
	if (!m->c) {
		put_owner(m, host);
		return true;
	}
	if (m->network == NETWORK_BRIDGE)
		put_links(m, host);
	put_security(m, host);
	put_limits(m, host);
	if (lp) {
		put_devices(m, lp, host);
		put_capabilities(m, lp, host);
		put_tmpfs(m, lp, host);
	}
	return put_mounts(m, host);
}
