/* manifest: what holds between files, finding, limits. */
#include "manifest_world.h"

#define SERVICE(name, rest)                                                                        \
	"apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: " name "}\nspec: "           \
	"{taskDefinition: \"x:1\"" rest "}\n"
#define NODE(name) "apiVersion: muster/v1\nkind: Node\nmetadata: {name: " name "}\n"
#define TASK(name)                                                                                 \
	"apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: " name "}\nspec: "          \
	"{containerDefinitions: [{name: a, image: b}]}\n"

struct text_file {
	const char *path, *text;
};

static void build(const struct text_file *texts, size_t count, struct manifest_file **files,
		  struct manifest_tree **tree)
{
	for (size_t i = 0; i < count; i++)
		files[i] = parse_text(texts[i].path, texts[i].text);
	*tree = manifest_tree_build(files, count, NULL);
}

static void release(struct manifest_file **files, size_t count, struct manifest_tree *tree)
{
	manifest_tree_free(tree);
	for (size_t i = 0; i < count; i++)
		manifest_file_free(files[i]);
}

static void test_sorted_and_found(void **state)
{
	(void)state;
	static const struct text_file texts[] = {
		{ "z.yaml", TASK("b") "---\n" SERVICE("b", ", cluster: one") },
		{ "y.yaml", NODE("n10") "---\n" NODE("n1") },
		{ "x.yaml", SERVICE("a", ", cluster: two") "---\n" SERVICE("c", "") },
		{ "w.yaml", TASK("a") "---\n" SERVICE("a", "") },
	};
	struct manifest_file *files[ARRAY_LEN(texts)];
	struct manifest_tree *tree;
	build(texts, ARRAY_LEN(texts), files, &tree);
	assert_true(tree->valid);
	assert_int_equal(tree->task_definition_count, 2);
	assert_string_equal(tree->task_definitions[0]->name, "a");
	assert_string_equal(tree->nodes[0]->name, "n1");
	assert_int_equal(tree->service_count, 4);
	static const char *const order[] = { "a", "c", "b", "a" }; /* default, one, two */
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_string_equal(tree->services[i]->name, order[i]);
	assert_ptr_equal(manifest_find_service(tree, "two", "a"), tree->services[3]);
	assert_ptr_equal(manifest_find_service(tree, "default", "a"), tree->services[0]);
	assert_null(manifest_find_service(tree, "default", "b"));
	assert_ptr_equal(manifest_find_task_definition(tree, "b"), tree->task_definitions[1]);
	assert_null(manifest_find_task_definition(tree, "c"));
	assert_ptr_equal(manifest_find_node(tree, "n10"), tree->nodes[1]);
	assert_null(manifest_find_cluster(tree, "one"));
	release(files, ARRAY_LEN(texts), tree);
}

/* The same in every order of the files: validity is a function of the tree's content. */
static void test_defined_twice(void **state)
{
	(void)state;
	static const struct text_file texts[] = {
		{ "b.yaml", TASK("a") },
		{ "a.yaml", "\n" TASK("a") },
		{ "c.json", "{\"family\": \"a\", \"containerDefinitions\": [{\"name\": \"x\", "
			    "\"image\": \"y\"}]}" },
	};
	struct manifest_file *files[ARRAY_LEN(texts)];
	struct manifest_tree *tree;
	struct buf text = { 0 };
	build(texts, ARRAY_LEN(texts), files, &tree);
	diag_print(&text, &tree->diags);
	assert_string_equal(
		buf_str(&text),
		"b.yaml:1:1: error: TaskDefinition \"a\" is defined twice, before at a.yaml:2\n"
		"c.json:1:1: error: TaskDefinition \"a\" is defined twice, before at a.yaml:2\n");
	assert_int_equal(tree->task_definition_count, 1);
	assert_string_equal(tree->task_definitions[0]->path, "a.yaml");
	buf_release(&text);
	release(files, ARRAY_LEN(texts), tree);
}

/* What refers to a file with mistakes is no mistake of its own. */
static void test_unreadable(void **state)
{
	(void)state;
	struct manifest_file *files[] = {
		parse_text("s.yaml",
			   "apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: a}\n"
			   "spec: {taskDefinition: x, dependsOn: [b]}\n"),
		manifest_unreadable("t.yaml", "the file is larger than 1 MiB"),
	};
	struct manifest_tree *tree = manifest_tree_build(files, 2, NULL);
	struct buf text = { 0 };
	diag_print(&text, &tree->diags);
	assert_string_equal(buf_str(&text), "t.yaml: error: the file is larger than 1 MiB\n");
	assert_false(tree->valid);
	buf_release(&text);
	release(files, 2, tree);
}

static void test_empty(void **state)
{
	(void)state;
	struct manifest_tree *tree = manifest_tree_build(NULL, 0, NULL);
	assert_true(tree->valid);
	assert_int_equal(tree->service_count, 0);
	assert_null(manifest_find_node(tree, "n"));
	manifest_tree_free(tree);
	manifest_tree_free(NULL);
	manifest_file_free(NULL);
}

static struct manifest_file *many(const char *kind, const char *spec, size_t count)
{
	struct buf text = { 0 };
	for (size_t i = 0; i < count; i++)
		buf_addf(&text,
			 "---\napiVersion: muster/v1\nkind: %s\nmetadata: {name: n%05zu}\n%s", kind,
			 i, spec);
	struct manifest_file *file = manifest_parse("many.yaml", text.data, text.len);
	buf_release(&text);
	return file;
}

static void check_many(const char *kind, const char *spec, size_t limit, const char *message)
{
	for (size_t over = 0; over < 2; over++) {
		struct manifest_file *file = many(kind, spec, limit + over);
		struct buf text = diagnose(file);
		assert_int_equal(file->object_count, limit + over);
		assert_int_equal(strstr(buf_str(&text), message) != NULL, over);
		buf_release(&text);
		manifest_file_free(file);
	}
}

static void test_limits_of_objects(void **state)
{
	(void)state;
	check_many("Node", "", LIMIT_NODES, "more than 10000 nodes");
	check_many("DaemonService", "spec: {taskDefinition: \"x:1\"}\n", LIMIT_SERVICES,
		   "more than 1000 services");
}

/* A chain as long as there may be services, and then closed to a ring. */
static void test_long_chain(void **state)
{
	(void)state;
	for (int ring = 0; ring < 2; ring++) {
		struct buf text = { 0 };
		for (int i = 0; i < LIMIT_SERVICES; i++) {
			int next = i + 1 < LIMIT_SERVICES ? i + 1 : ring ? 0 : -1;
			buf_addf(&text,
				 "---\napiVersion: muster/v1\nkind: DaemonService\n"
				 "metadata: {name: s%d}\nspec: {taskDefinition: \"x:1\"",
				 i);
			if (next >= 0)
				buf_addf(&text, ", dependsOn: [s%d]", next);
			buf_adds(&text, "}\n");
		}
		struct manifest_file *file = manifest_parse("a.yaml", text.data, text.len);
		struct manifest_tree *tree = manifest_tree_build(&file, 1, NULL);
		assert_int_equal(tree->diags.errors, ring);
		manifest_tree_free(tree);
		manifest_file_free(file);
		buf_release(&text);
	}
}

/* Only what has no mistake of any kind becomes an object; of each other one the name is kept. */
static void test_objects(void **state)
{
	(void)state;
	static const struct {
		const char *path, *text;
		size_t good, broken;
	} rows[] = {
		{ "a.yaml", NODE("a") "---\n" NODE("b"), 2, 0 },
		{ "a.yaml", NODE("a") "---\n" NODE("b") "spec: {sate: x}\n", 1, 1 },
		{ "a.yaml", NODE("a") "---\n" NODE("&x b"), 1, 1 },
		{ "a.yaml", NODE("a") "kind: Node\n", 0, 1 },
		{ "a.yaml", NODE("a") "other: x\n", 0, 1 },
		{ "a.yaml", NODE("a") "---\n- x\n", 1, 1 },
		{ "a.yaml", NODE("a") "---\n" NODE("b") "---\n[", 2, 1 },
		{ "a.yaml", NODE("\xff"), 0, 1 },
		{ "a.json", "{\"family\": \"a\",}", 0, 1 },
		{ "a.json", "{\"family\": \"a\"}", 0, 1 },
		{ "a.json", "", 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct manifest_file *file = parse_text(rows[i].path, rows[i].text);
		if (file->object_count != rows[i].good || file->broken_count != rows[i].broken)
			fail_msg("%s\n%zu good, %zu broken", rows[i].text, file->object_count,
				 file->broken_count);
		assert_int_equal(file->diags.errors > 0, rows[i].broken > 0);
		manifest_file_free(file);
	}
}

static void test_limits_of_a_file(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = LIMIT_FILE_BYTES + over;
		char *bytes = xmalloc(len);
		memset(bytes, '\n', len);
		struct manifest_file *file = manifest_parse("a.yaml", bytes, len);
		assert_int_equal(file->diags.errors, over);
		manifest_file_free(file);
		free(bytes);
	}
}

/* LIMIT_DEPTH levels are read, one more is an error; YAML and JSON alike. */
static void check_depth(const char *path, int depth, bool deep)
{
	struct buf text = { 0 }, out;
	for (int i = 0; i < depth; i++)
		buf_adds(&text, i == 0 ? "{\"x\":" : "[");
	buf_adds(&text, "1");
	for (int i = depth; i > 0; i--)
		buf_adds(&text, i == 1 ? "}" : "]");
	struct manifest_file *file = manifest_parse(path, text.data, text.len);
	out = diagnose(file);
	if ((strstr(buf_str(&out), "nested deeper than 64 levels") != NULL) != deep)
		fail_msg("%s, %d: %s", path, depth, buf_str(&out));
	manifest_file_free(file);
	buf_release(&out);
	buf_release(&text);
}

static void test_depth(void **state)
{
	(void)state;
	static const char *const paths[] = { "a.yaml", "a.json" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		check_depth(paths[i], LIMIT_DEPTH, false);
		check_depth(paths[i], LIMIT_DEPTH + 1, true);
		check_depth(paths[i], 1000, true);
	}
}

static void test_references(void **state)
{
	(void)state;
	static const struct {
		const char *ref, *family;
		uint32_t revision;
	} rows[] = {
		{ "web", "web", 0 },
		{ "web:1", "web", 1 },
		{ "web:2147483647", "web", 2147483647 },
		{ "web:0", NULL, 0 },
		{ "web:-1", NULL, 0 },
		{ "web:2147483648", NULL, 0 },
		{ "web:", NULL, 0 },
		{ "web:latest", NULL, 0 },
		{ ":1", NULL, 0 },
		{ "", NULL, 0 },
		{ "a/b", NULL, 0 },
		{ "web:1:2", NULL, 0 },
	};
	struct arena arena = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *family;
		uint32_t revision;
		bool ok = manifest_task_definition_ref(rows[i].ref, &arena, &family, &revision);
		if (ok != (rows[i].family != NULL))
			fail_msg("'%s'", rows[i].ref);
		if (!ok)
			continue;
		assert_string_equal(family, rows[i].family);
		assert_int_equal(revision, rows[i].revision);
	}
	arena_release(&arena);
}

static void test_constraint_limit(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		struct buf text = { 0 };
		buf_adds(&text, "apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: a}\n"
				"spec:\n  taskDefinition: x:1\n  placementConstraints:\n");
		for (int i = 0; i < LIMIT_CONSTRAINTS + over; i++)
			buf_adds(&text, "  - {type: memberOf, expression: attribute:a exists}\n");
		struct manifest_file *file = manifest_parse("a.yaml", text.data, text.len);
		assert_int_equal(file->diags.errors, over);
		manifest_file_free(file);
		buf_release(&text);
	}
}

/* Which clusters have to map what is of AWS: those whose services use it. */
static void test_mappings(void **state)
{
	(void)state;
#define CLUSTER(name)                                                                              \
	"---\napiVersion: muster/v1\nkind: Cluster\nmetadata: {name: " name                        \
	"}\nspec: {secrets: [{match: \"arn:aws:ssm:*\", from: \"file:/etc/s/{name}\"}]}\n"
#define USER(name, cluster)                                                                        \
	"---\napiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: " name                  \
	"}\nspec: {taskDefinition: x, cluster: " cluster "}\n"
	static const struct {
		const char *others, *want; /* NULL: nothing */
	} rows[] = {
		{ "", "of no Cluster manifest maps it" },
		{ CLUSTER("one"), NULL }, /* it may be used there */
		{ CLUSTER("one") USER("s", "one"), NULL },
		{ CLUSTER("one") USER("s", "two"), "of cluster \"two\" do not map it" },
		{ CLUSTER("one") USER("s", "one") USER("t", "one") USER("s", "two"),
		  "of cluster \"two\" do not map it" },
		{ USER("s", "one") USER("t", "one") USER("s", "two"),
		  "of the clusters \"one\" and 1 more do not map it" },
		{ CLUSTER("one") CLUSTER("two") USER("s", "one") USER("s", "two"), NULL },
		{ "---\napiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: s}\nspec: "
		  "{taskDefinition: \"xy:2\", cluster: two}\n" CLUSTER("one"),
		  NULL }, /* of another family */
		{ "---\napiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: s}\nspec: "
		  "{taskDefinition: \"x:2\", cluster: two}\n" CLUSTER("one"),
		  "of cluster \"two\" do not map it" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[4096];
		struct manifest_file *file;
		struct manifest_tree *tree;
		snprintf(text, sizeof(text),
			 "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: x}\nspec: "
			 "{containerDefinitions: [{name: a, image: b, secrets: [{name: S, "
			 "valueFrom: \"arn:aws:ssm:eu-west-1:1:parameter/s\"}]}]}\n%s",
			 rows[i].others);
		build(&(struct text_file){ "a.yaml", text }, 1, &file, &tree);
		assert_true(tree->valid);
		bool found = false;
		for (size_t k = 0; k < tree->diags.items.len; k++) {
			const char *said = tree->diags.items.items[k].text;
			bool secret = strstr(said, "kept in AWS") != NULL;
			found |= secret && rows[i].want && strstr(said, rows[i].want);
			if (secret && !(rows[i].want && strstr(said, rows[i].want)))
				fail_msg("row %zu: %s", i, said);
		}
		if (found != (rows[i].want != NULL))
			fail_msg("row %zu: no warning", i);
		release(&file, 1, tree);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mappings),      cmocka_unit_test(test_sorted_and_found),
		cmocka_unit_test(test_defined_twice), cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_empty),	      cmocka_unit_test(test_limits_of_objects),
		cmocka_unit_test(test_long_chain),    cmocka_unit_test(test_limits_of_a_file),
		cmocka_unit_test(test_objects),	      cmocka_unit_test(test_depth),
		cmocka_unit_test(test_references),    cmocka_unit_test(test_constraint_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
