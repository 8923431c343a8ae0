/* Users and groups, by the node's own databases (which may be a network away: jobs only). */
#include "engine/process/internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE_TEXT_MAX (1 << 20)

static bool number(const char *text, int64_t *out)
{
	/* The highest value means "none" to the system calls. */
	return *text != '-' && parse_int(text, out) && *out < UINT32_MAX;
}

/* The entry of that name, or of that uid when name is NULL. Not found: *found false. */
static bool find_user(const char *name, uid_t uid, struct arena *arena, struct passwd *entry,
		      bool *found, struct err *err)
{
	struct passwd *result = NULL;
	int rc = ERANGE;
	for (size_t size = 1024; rc == ERANGE && size <= DATABASE_TEXT_MAX; size *= 4) {
		char *text = arena_alloc(arena, size);
		rc = name ? getpwnam_r(name, entry, text, size, &result)
			  : getpwuid_r(uid, entry, text, size, &result);
	}
	*found = result != NULL;
	/* What databases say of an absent one differs from system to system. */
	if (rc != 0 && rc != ENOENT && rc != ESRCH)
		return err_set(err, rc, "look up user '%s'", name ? name : "by number");
	return true;
}

static bool find_group(const char *name, struct arena *arena, int64_t *gid, struct err *err)
{
	struct group entry, *result = NULL;
	int rc = ERANGE;
	if (number(name, gid))
		return true;
	for (size_t size = 1024; rc == ERANGE && size <= DATABASE_TEXT_MAX; size *= 4)
		rc = getgrnam_r(name, &entry, arena_alloc(arena, size), size, &result);
	if (!result)
		return err_set(err, 0, "no such group '%s'", name);
	*gid = entry.gr_gid;
	return true;
}

static bool find_groups(const char *name, struct user *out, struct err *err)
{
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;
	if (getgrouplist(name, (gid_t)out->gid, groups, &count) < 0)
		return err_set(err, 0, "user '%s' has more than %d groups", name, GROUPS_MAX);
	out->group_count = (size_t)count;
	for (int i = 0; i < count; i++)
		out->groups[i] = groups[i];
	return true;
}

static bool by_text(const char *text, struct arena *arena, struct user *out, struct err *err)
{
	char *name = arena_strdup(arena, text), *group = strchr(name, ':');
	struct passwd entry;
	bool found;
	int64_t uid = -1;
	if (group)
		*group++ = '\0';
	bool numeric = number(name, &uid);
	if (!find_user(numeric ? NULL : name, (uid_t)uid, arena, &entry, &found, err))
		return false;
	if (!found && !numeric)
		return err_set(err, 0, "no such user '%s'", name);
	if (!found && !group)
		return err_set(err, 0, "user %s has no entry: give %s:GID", name, name);
	out->set = true;
	out->uid = numeric ? uid : entry.pw_uid;
	out->name = found ? entry.pw_name : name;
	out->home = found ? entry.pw_dir : "/";
	if (!group) {
		out->gid = entry.pw_gid;
		return find_groups(entry.pw_name, out, err);
	}
	/* With a group given it is the only one, as container engines have it. */
	if (!find_group(group, arena, &out->gid, err))
		return false;
	out->groups[out->group_count++] = out->gid;
	return true;
}

bool user_resolve(const char *text, struct arena *arena, struct user *out, struct err *err)
{
	struct passwd entry;
	bool found;
	out->set = false;
	out->group_count = 0;
	if (text && *text) {
		if (!by_text(text, arena, out, err))
			return false;
		if (geteuid() == 0)
			return true;
		out->set = false; /* nothing to change: it can only be ourselves */
		if (out->uid == geteuid() && (!strchr(text, ':') || out->gid == getegid()))
			return true;
		return err_set(err, EPERM, "run as user '%s'", text);
	}
	if (!find_user(NULL, geteuid(), arena, &entry, &found, err))
		return false;
	out->name = found ? entry.pw_name : NULL;
	out->home = found ? entry.pw_dir : "/";
	return true;
}
