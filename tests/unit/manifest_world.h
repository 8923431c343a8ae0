/* Helpers of the manifest tests: files in, diagnostics as text out. */
#ifndef TESTS_MANIFEST_WORLD_H
#define TESTS_MANIFEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "manifest/manifest.h"

/* False where there is no such file. */
UNUSED static bool read_whole(const char *path, struct buf *out)
{
	char chunk[4096];
	size_t n;
	FILE *file = fopen(path, "rbe");
	if (!file)
		return false;
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	fclose(file);
	return true;
}

UNUSED static struct manifest_file *parse_text(const char *path, const char *text)
{
	return manifest_parse(path, text, strlen(text));
}

/* All that is wrong with one file, as a commit of its own. Free with buf_release(). */
UNUSED static struct buf diagnose(struct manifest_file *file)
{
	struct buf out = { 0 };
	struct manifest_tree *tree = manifest_tree_build(&file, 1, NULL);
	diag_print(&out, &tree->diags);
	assert_int_equal(tree->valid, tree->diags.errors == 0);
	manifest_tree_free(tree);
	return out;
}

#endif
