/* muster import: ECS JSON as muster YAML; what is printed reads back to the same digest. */
#include "muster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/fs.h"

/* One byte more than a manifest may have is enough to refuse it. */
static bool read_stdin(struct buf *out)
{
	char chunk[1 << 16];
	while (out->len <= LIMIT_FILE_BYTES) {
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return complain("standard input: %s", strerror(errno));
		if (n > 0)
			buf_add(out, chunk, (size_t)n);
	}
	return true;
}

/* A file that is named is read through links. NULL: said on stderr why not. */
static struct manifest_file *read_file(const char *path)
{
	struct buf bytes = { 0 };
	struct err err;
	struct manifest_file *file = NULL;
	if (strcmp(path, "-") == 0) {
		if (read_stdin(&bytes))
			file = manifest_import("standard input", buf_str(&bytes), bytes.len);
	} else {
		char *real = realpath(path, NULL);
		if (!real)
			complain("%s: %s", path, strerror(errno));
		else if (fs_read(real, LIMIT_FILE_BYTES, &bytes, &err))
			file = manifest_import(path, buf_str(&bytes), bytes.len);
		else
			complain("%s", err.text);
		free(real);
	}
	buf_release(&bytes);
	return file;
}

/* The file's own mistakes, and all warnings; that a service names what stands elsewhere is none. */
static void print_diags(struct manifest_file *file)
{
	struct manifest_tree *tree = manifest_tree_build(&file, 1, NULL);
	struct diag_list shown;
	struct buf out = { 0 };
	diag_init(&shown, &tree->arena);
	diag_append(&shown, &file->diags);
	for (size_t i = 0; i < tree->diags.items.len; i++) {
		const struct diag *d = &tree->diags.items.items[i];
		if (d->severity == DIAG_WARNING)
			diag_add(&shown, d->severity, d->path, d->pos, "%s", d->text);
	}
	diag_sort(&shown);
	diag_print(&out, &shown);
	fwrite(buf_str(&out), 1, out.len, stderr);
	buf_release(&out);
	diag_release(&shown);
	manifest_tree_free(tree);
}

static int run(struct cli *cli, const struct flags_args *args)
{
	(void)cli;
	struct manifest_file *file = read_file(args->items[0]);
	if (!file)
		return EXIT_SYSTEM;
	struct buf out = { 0 };
	int code = file->diags.errors ? EXIT_INVALID : EXIT_DONE;
	print_diags(file);
	for (size_t i = 0; i < file->object_count; i++) {
		buf_adds(&out, i ? "---\n" : "");
		manifest_print(&file->objects[i], false, &out);
	}
	print_and_release(&out);
	if (!file->object_count && code == EXIT_DONE)
		code = say_error(EXIT_INVALID, "%s holds no task definition and no service",
				 file->path);
	manifest_file_free(file);
	return code;
}

const struct verb verb_import = {
	.name = "import",
	.usage = "FILE|-",
	.about =
		"Print ECS JSON as muster YAML.\n"
		"FILE holds a task definition, the input of create-service, or what ECS answers "
		"to\ndescribe-task-definition and describe-services; - is standard input. What is "
		"printed\nmeans the same: it has the same digest. What muster does with each field "
		"is in\nmanifests/FIELDS.md. Exit code 0: done, 3: some of it is invalid and left "
		"out.",
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
