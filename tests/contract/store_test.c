/* The store contract, for every back end that there is. */
#include "store_contract.h"
#include "store_fake_remote.h"

#include "fs/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- dir ------------------------------------------------------------------------------------- */

static char dir[4096];

/* In a directory of its own, two levels below it, so that ancestors come and go as well. */
static void dir_make(char *where, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/muster-store-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		abort();
	snprintf(where, size, "%s/state/store", dir);
}

static void dir_unmake(const char *where UNUSED)
{
	fs_remove_tree(dir, NULL);
}

static void dir_empty(const char *where)
{
	fs_remove_tree(where, NULL);
}

static const struct store_rig dir_rig = {
	.name = "dir",
	.ops = &store_dir_ops,
	.make = dir_make,
	.unmake = dir_unmake,
	.empty = dir_empty,
};

/* As after an unmount: the directory is there, and nothing in it. */
static void dir_empty_inside(const char *where)
{
	fs_remove_tree(where, NULL);
	fs_mkdirs(where, 0700, NULL);
}

static const struct store_rig dir_unmounted_rig = {
	.name = "dir, unmounted",
	.ops = &store_dir_ops,
	.make = dir_make,
	.unmake = dir_unmake,
	.empty = dir_empty_inside,
};

/* --- the fake remote one --------------------------------------------------------------------- */

static void fake_make(char *where, size_t size)
{
	snprintf(where, size, "world");
	fake_world_add(where, &(struct fake_faults){ 0 });
}

static void fake_make_bad(char *where, size_t size)
{
	const char *seed = getenv("SEED");
	snprintf(where, size, "world");
	fake_world_add(where, &(struct fake_faults){
				      .seed = seed ? strtoull(seed, NULL, 10) : 1,
				      .latency_us = 100,
				      .lost_event_percent = 40,
				      .failed_but_done_percent = 20,
				      .unreachable_percent = 2,
				      .unreachable_calls = 10,
			      });
}

static const struct store_rig fake_rig = {
	.name = "fake remote",
	.ops = &store_fake_remote_ops,
	.make = fake_make,
	.unmake = fake_world_remove,
	.empty = fake_world_empty,
};

static const struct store_rig bad_rig = {
	.name = "bad fake remote",
	.ops = &store_fake_remote_ops,
	.flaky = true,
	.make = fake_make_bad,
	.unmake = fake_world_remove,
	.empty = fake_world_empty,
};

int main(void)
{
	static const struct store_rig *const rigs[] = { &dir_rig, &dir_unmounted_rig, &fake_rig,
							&bad_rig };
	return store_contract_run(rigs, ARRAY_LEN(rigs));
}
