#include "fs/internal.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* Those that <linux/magic.h> does not name. */
#define BEEGFS_MAGIC 0x19830326
#define CIFS_MAGIC   0xff534d42
#define GFS2_MAGIC   0x01161970
#define GPFS_MAGIC   0x47504653
#define LUSTRE_MAGIC 0x0bd00bd0
#define VBOXSF_MAGIC 0x786f4256

/* FUSE serves local file systems too (sshfs and GlusterFS being others): asking now and then is
 * right for both. It is also what virtiofs calls itself. */
static const uint32_t network_magics[] = {
	NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,   SMB2_SUPER_MAGIC, CIFS_MAGIC,	CEPH_SUPER_MAGIC,
	AFS_SUPER_MAGIC,  AFS_FS_MAGIC,	     CODA_SUPER_MAGIC, NCP_SUPER_MAGIC, V9FS_MAGIC,
	FUSE_SUPER_MAGIC, OCFS2_SUPER_MAGIC, GFS2_MAGIC,       GPFS_MAGIC,	LUSTRE_MAGIC,
	BEEGFS_MAGIC,	  VBOXSF_MAGIC,
};

static bool statfs_nearest(const char *path, struct statfs *st)
{
	struct arena arena CLEANUP(arena_release) = { 0 };
	char *part = arena_strdup(&arena, path);
	while (statfs(part, st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return false;
		char *slash = strrchr(part, '/');
		if (!slash)
			return statfs(".", st) == 0;
		if (slash == part)
			return statfs("/", st) == 0;
		*slash = '\0';
	}
	return true;
}

bool fs_is_network(const char *path)
{
	struct statfs st;
	if (!statfs_nearest(path, &st))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(network_magics); i++)
		if ((uint32_t)st.f_type == network_magics[i])
			return true;
	return false;
}

bool fs_boot_id(char out[33], struct err *err)
{
	struct buf text CLEANUP(buf_release) = { 0 };
	if (!fs_read("/proc/sys/kernel/random/boot_id", 64, &text, err))
		return false;
	size_t n = 0;
	for (const char *s = buf_str(&text); *s && *s != '\n' && n < 32; s++)
		if (*s != '-')
			out[n++] = *s;
	out[n] = '\0';
	return n == 32 || err_set(err, 0, "boot_id has an unknown form: '%s'", buf_str(&text));
}
