/* A commit's manifests, read by muster-git. */
#ifndef MUSTER_CMD_TREE_GIT_H
#define MUSTER_CMD_TREE_GIT_H

#include "muster.h"

/* Is the directory a git repository without a working tree? */
bool tree_is_bare(struct cli *cli, const char *dir);
/* Is it REPO@REV, or a bare repository? */
bool tree_is_git(struct cli *cli, const char *path);
bool tree_add_git(struct cli *cli, const char *path, struct tree *tree);

#endif
