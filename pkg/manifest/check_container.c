/*
 * What holds of a container for a container engine; reference section 4.3. In ECS documents these
 * are warnings: the engine refuses by itself what it cannot do, and status says so.
 */
#include "manifest/internal.h"

#include <inttypes.h>
#include <string.h>

/* What the least of all engines wants. */

static bool is_absolute(const char *path)
{
	return path[0] == '/';
}

/* `text` cannot stand in the field: for a reason, or because it still holds a placeholder. */
static void refuse(const struct task *t, struct pos at, const char *field, const char *text,
		   const char *why)
{
	if (!passes_as_placeholder(t->r, field, at, text))
		report_mild(t, at, "\"%s\" cannot be \"%s\": %s", field, text, why);
}

static void check_image(const struct task *t, const struct container_definition *c,
			const struct value *v)
{
	const char *why = c->image ? image_problem(c->image) : NULL;
	if (why)
		refuse(t, place_of(v, "image"), "image", c->image, why);
}

/* --- mounts ----------------------------------------------------------------------------------- */

static void check_paths(const struct task *t, const struct container_definition *c)
{
	for (uint32_t i = 0; i < c->mount_points.len; i++) {
		const struct mount_point *m = &c->mount_points.items[i];
		if (!m->container_path)
			continue;
		if (!is_absolute(m->container_path))
			refuse(t, m->pos, "containerPath", m->container_path,
			       "the path is not absolute");
		for (uint32_t k = 0; k < i; k++) {
			const char *other = c->mount_points.items[k].container_path;
			if (other && strcmp(other, m->container_path) == 0)
				report_mild(t, m->pos, "two volumes are mounted at \"%s\"", other);
		}
	}
}

static bool is_tmpfs_option(const char *option)
{
	static const char *const names[] = {
		"defaults", "ro",	  "rw",		 "suid",	  "nosuid",	"dev",
		"nodev",    "exec",	  "noexec",	 "sync",	  "async",	"dirsync",
		"remount",  "mand",	  "nomand",	 "atime",	  "noatime",	"diratime",
		"bind",	    "rbind",	  "unbindable",	 "runbindable",	  "private",	"rprivate",
		"shared",   "rshared",	  "slave",	 "rslave",	  "nodiratime", "relatime",
		"mode",	    "uid",	  "gid",	 "nr_inodes",	  "nr_blocks",	"mpol",
		"size",	    "norelatime", "strictatime", "nostrictatime", NULL
	};
	char name[16] = { 0 };
	size_t len = strcspn(option, "=");
	if (len >= sizeof(name))
		return false;
	memcpy(name, option, len);
	return is_allowed_value(names, name);
}

static void check_tmpfs(const struct task *t, const struct linux_parameters *l)
{
	for (uint32_t i = 0; i < l->tmpfs.len; i++) {
		const struct tmpfs *m = &l->tmpfs.items[i];
		if (m->container_path && !is_absolute(m->container_path))
			refuse(t, m->pos, "containerPath", m->container_path,
			       "the path is not absolute");
		for (uint32_t k = 0; k < m->mount_options.len; k++)
			if (!is_tmpfs_option(m->mount_options.items[k]))
				refuse(t, m->pos, "mountOptions", m->mount_options.items[k],
				       "it is no option of tmpfs");
	}
}

/* --- health checks ---------------------------------------------------------------------------- */

static void check_health(const struct task *t, const struct health_check *health)
{
	if (!health || !health->command.len)
		return;
	const char *first = health->command.items[0];
	bool shell = strcmp(first, "CMD-SHELL") == 0, none = strcmp(first, "NONE") == 0;
	bool exec = strcmp(first, "CMD") == 0;
	if ((shell || exec) && health->command.len == 1)
		report_mild(t, health->pos, "the health check has nothing to run after %s", first);
	if (shell && health->command.len > 2)
		report_warning(t->r, health->pos,
			       "CMD-SHELL takes one command line; the words after it are the "
			       "shell's own arguments");
	if (none && health->command.len > 1)
		report_mild(t, health->pos, "NONE stands alone: it switches the health check off");
	if (!shell && !none && !exec && strpbrk(first, " |&;<>") && health->command.len == 1)
		report_warning(t->r, health->pos,
			       "without CMD-SHELL \"%s\" is the name of one program; write "
			       "[CMD-SHELL, ...] for a command line",
			       first);
}

/* --- logs ------------------------------------------------------------------------------------- */

static void check_logs(const struct task *t, const struct container_definition *c,
		       const struct value *v)
{
	static const char *const known[] = { "awslogs", "awsfirelens", "fluentd",     "gelf",
					     "gcplogs", "journald",    "json-file",   "k8s-file",
					     "local",	"none",	       "passthrough", "splunk",
					     "syslog",	"etwlogs" };
	const char *driver = c->log_configuration ? c->log_configuration->log_driver : NULL;
	if (!driver)
		return;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(driver, known[i]) == 0)
			return;
	struct pos at = place_of(value_get(v, "logConfiguration"), "logDriver");
	if (!passes_as_placeholder(t->r, "logDriver", at, driver))
		report_warning(t->r, at,
			       "the log driver \"%s\" is a plug-in: only nodes that have it are "
			       "chosen%s",
			       driver,
			       did_you_mean(t->r->in.diags, t->r->in.scratch, driver, known,
					    ARRAY_LEN(known)));
}

/* --- the kernel's side ------------------------------------------------------------------------ */

static void check_swap(const struct task *t, const struct container_definition *c)
{
	const struct linux_parameters *l = c->linux_parameters;
	if (l->max_swap.set && !c->memory.set)
		report_mild(t, l->pos, "maxSwap is counted beyond memory: set memory as well");
	if (l->swappiness.set && !l->max_swap.set)
		report_warning(t->r, l->pos, "swappiness has no effect without maxSwap");
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Kernel parameters that a container has for itself. */
static bool is_ipc_control(const char *name)
{
	static const char *const names[] = {
		"kernel.msgmax", "kernel.msgmnb",	   "kernel.msgmni",
		"kernel.sem",	 "kernel.shmall",	   "kernel.shmmax",
		"kernel.shmmni", "kernel.shm_rmid_forced", NULL
	};
	return is_allowed_value(names, name) || starts_with(name, "fs.mqueue.");
}

static void check_system_controls(const struct task *t, const struct container_definition *c)
{
	const char *ipc = t->td->ipc_mode;
	for (uint32_t i = 0; i < c->system_controls.len; i++) {
		const struct system_control *s = &c->system_controls.items[i];
		const char *name = s->namespace_name;
		if (!name)
			continue;
		bool net = starts_with(name, "net."), of_ipc = is_ipc_control(name);
		if (!net && !of_ipc)
			refuse(t, s->pos, "namespace", name,
			       "only net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm* "
			       "are a container's own");
		if (net && network_is(t->td, "host"))
			refuse(t, s->pos, "namespace", name,
			       "with networkMode host it would be the node's");
		if (of_ipc && ipc && strcmp(ipc, "host") == 0)
			refuse(t, s->pos, "namespace", name,
			       "with ipcMode host it would be the node's");
	}
}

static void check_security_options(const struct task *t, const struct container_definition *c,
				   const struct value *v)
{
	static const char *const known[] = { "no-new-privileges", "apparmor", "label",
					     "credentialspec", NULL };
	for (uint32_t i = 0; i < c->docker_security_options.len; i++) {
		const char *option = c->docker_security_options.items[i];
		char name[32] = { 0 };
		size_t len = strcspn(option, ":=");
		if (len < sizeof(name))
			memcpy(name, option, len);
		if (!is_allowed_value(known, name) && strcmp(option, "seccomp:unconfined") != 0 &&
		    strcmp(option, "seccomp=unconfined") != 0)
			refuse(t, place_of(v, "dockerSecurityOptions"), "dockerSecurityOptions",
			       option,
			       "no-new-privileges, apparmor:PROFILE, label:VALUE and "
			       "seccomp:unconfined are known");
	}
}

void check_container_engine(const struct task *t, const struct container_definition *c,
			    const struct value *v)
{
	check_image(t, c, v);
	check_paths(t, c);
	check_health(t, c->health_check);
	check_logs(t, c, v);
	check_system_controls(t, c);
	check_security_options(t, c, v);
	if (c->linux_parameters) {
		check_tmpfs(t, c->linux_parameters);
		check_swap(t, c);
	}
	if (c->memory.set && c->memory.value < MEMORY_LEAST_MIB)
		report_mild(t, place_of(v, "memory"),
			    "memory %" PRId64 " is less than the %d MiB that an engine needs",
			    c->memory.value, MEMORY_LEAST_MIB);
}
