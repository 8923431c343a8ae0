/* muster validate: every mistake as path:line:col; needs no status and no daemon. */
#include "muster.h"

#include <stdio.h>

static int run(struct cli *cli, const struct flags_args *args)
{
	struct tree tree;
	int code = tree_load(cli, args->items, args->count, &tree);
	if (code == EXIT_SYSTEM)
		return code;
	const struct manifest_tree *t = tree.built;
	struct buf out = { 0 };
	diag_print(&out, &t->diags);
	fwrite(buf_str(&out), 1, out.len, stderr);
	buf_release(&out);
	if (code == EXIT_DONE)
		printf("valid: %zu files, %zu services, %zu task definitions, %zu nodes, %zu "
		       "clusters%s\n",
		       tree.files.len, t->service_count, t->task_definition_count, t->node_count,
		       t->cluster_count, tree.files.len ? "" : " (nothing to apply)");
	else
		say_error(EXIT_INVALID, "%zu errors, %zu warnings", t->diags.errors,
			  t->diags.warnings);
	tree_release(&tree);
	return code;
}

const struct verb verb_validate = {
	.name = "validate",
	.usage = "DIR|FILE...|REPO@REV",
	.about = "Check manifests: every mistake as path:line:col.\n"
		 "Needs neither status nor a daemon. Exit code 0: valid, 3: not.",
	.args_min = 1,
	.args_max = SIZE_MAX,
	.run = run,
};
