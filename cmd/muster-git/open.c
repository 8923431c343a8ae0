#include "muster-git.h"

#include <string.h>

static bool find_branch(struct look *look)
{
	const char *name = arena_printf(&look->arena, "refs/heads/%s", look->options->branch);
	CLEANUP(git_reference_clean) git_reference *ref = NULL;
	int code = git_reference_lookup(&ref, look->repo, name);
	if (code == GIT_ENOTFOUND || code == GIT_EINVALIDSPEC)
		return look_fail(look, "BranchNotFound", "'%s' has no branch '%s'",
				 look->place.shown, look->options->branch);
	if (code == 0)
		code = git_reference_name_to_id(&look->tip, look->repo, name);
	return code == 0 || look_fail_git(look, code, "branch '%s' of '%s' cannot be read",
					  look->options->branch, look->place.shown);
}

static bool find_rev(struct look *look)
{
	CLEANUP(git_object_clean) git_object *object = NULL;
	CLEANUP(git_object_clean) git_object *commit = NULL;
	int code = git_revparse_single(&object, look->repo, look->options->rev);
	if (code == 0)
		code = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
	if (code != 0)
		return look_fail(look, "RevisionNotFound", "'%s' has no commit '%s'",
				 look->place.shown, look->options->rev);
	look->tip = *git_object_id(commit);
	return true;
}

bool look_open_local(struct look *look)
{
	int code = git_repository_open_ext(&look->repo, look->place.path,
					   GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
	if (code == GIT_ENOTFOUND)
		return look_fail(look, "RepositoryNotFound", "'%s' is not a git repository",
				 look->place.path);
	if (code != 0)
		return look_fail_git(look, code, "repository '%s' cannot be opened",
				     look->place.path);
	return look->options->rev ? find_rev(look) : find_branch(look);
}
