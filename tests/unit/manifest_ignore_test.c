/* manifest: .musterignore, and which paths are wanted at all. */
#include "manifest_world.h"

static void test_wanted(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		bool want;
	} rows[] = {
		{ "a.yaml", true },	 { "a/b.yml", true },	   { "a.json", true },
		{ ".a.yaml", false },	 { "a/.b/c.yaml", false }, { ".git/a.json", false },
		{ "a.yaml.txt", false }, { "yaml", false },	   { "a.b.yaml", true },
		{ "a.YAML", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (manifest_path_wanted(rows[i].path) != rows[i].want)
			fail_msg("%s", rows[i].path);
}

static void test_ignored(void **state)
{
	(void)state;
	static const struct {
		const char *rules, *path;
		bool want;
	} rows[] = {
		{ "a.yaml", "a.yaml", true },
		{ "a.yaml", "x/y/a.yaml", true },
		{ "a.yaml", "ba.yaml", false },
		{ "/a.yaml", "x/a.yaml", false },
		{ "/a.yaml", "a.yaml", true },
		{ "x/a.yaml", "x/a.yaml", true },
		{ "x/a.yaml", "y/x/a.yaml", false },
		{ "*.json", "x/a.json", true },
		{ "*.json", "x/a.yaml", false },
		{ "/*.json", "x/a.json", false },
		{ "x/*.json", "x/y/a.json", false },
		{ "?.yaml", "a.yaml", true },
		{ "?.yaml", "ab.yaml", false },
		{ "x?y.yaml", "x/y.yaml", false },
		{ "tmp/", "tmp/a.yaml", true },
		{ "tmp/", "x/tmp/a.yaml", true },
		{ "tmp/", "tmp", false },
		{ "tmp", "tmp/a/b.yaml", true },
		{ "/tmp/", "x/tmp/a.yaml", false },
		{ "**/tmp/a.yaml", "tmp/a.yaml", true },
		{ "**/tmp/a.yaml", "x/y/tmp/a.yaml", true },
		{ "**/tmp/a.yaml", "x/ytmp/a.yaml", false },
		{ "x/**", "x/y/a.yaml", true },
		{ "x/**", "y/a.yaml", false },
		{ "x/**/z.yaml", "x/z.yaml", true },
		{ "x/**/z.yaml", "x/a/b/z.yaml", true },
		{ "x/**/z.yaml", "x/a/bz.yaml", false },
		{ "a*b*c.yaml", "aXbXbXc.yaml", true },
		{ "a*b*c.yaml", "aXbXb.yaml", false },
		{ "# a comment\n\n  \na.yaml\r\n", "a.yaml", true },
		{ "\\#a.yaml", "#a.yaml", true },
		{ "*.yaml\n!keep.yaml", "keep.yaml", false },
		{ "*.yaml\n!keep.yaml", "x/keep.yaml", false },
		{ "*.yaml\n!keep.yaml\nkeep.yaml", "keep.yaml", true },
		{ "x/\n!x/keep.yaml", "x/keep.yaml", true }, /* its folder is ignored */
		{ "x/*\n!x/keep.yaml", "x/keep.yaml", false },
		{ "\\!a.yaml", "!a.yaml", true },
		{ "a.yaml   ", "a.yaml", true },
		{ "", "a.yaml", false },
		{ "/", "a.yaml", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct manifest_ignore *ignore =
			manifest_ignore_parse(rows[i].rules, strlen(rows[i].rules));
		if (manifest_ignored(ignore, rows[i].path) != rows[i].want)
			fail_msg("'%s' and '%s'", rows[i].rules, rows[i].path);
		manifest_ignore_free(ignore);
	}
	assert_false(manifest_ignored(NULL, "a.yaml"));
	manifest_ignore_free(NULL);
}

/* Many stars against a long path end in time. */
static void test_many_stars(void **state)
{
	(void)state;
	struct buf rule = { 0 };
	char path[2000] = { 0 };
	for (int i = 0; i < 40; i++)
		buf_adds(&rule, "**/*a*");
	buf_adds(&rule, "b");
	memset(path, 'a', sizeof(path) - 1);
	for (size_t i = 7; i < sizeof(path) - 1; i += 8)
		path[i] = '/';
	struct manifest_ignore *ignore = manifest_ignore_parse(rule.data, rule.len);
	assert_false(manifest_ignored(ignore, path));
	manifest_ignore_free(ignore);
	buf_release(&rule);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_many_stars),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
