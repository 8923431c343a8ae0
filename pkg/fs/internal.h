/* fs: what its files share. */
#ifndef MUSTER_FS_INTERNAL_H
#define MUSTER_FS_INTERNAL_H

#include "fs/fs.h"

void close_fd(int *fd); /* for CLEANUP; -1 is none */

/* Split path into the directory to open and the last component ("." when there is none). */
const char *parent_of(struct arena *arena, const char *path, const char **name);

#endif
