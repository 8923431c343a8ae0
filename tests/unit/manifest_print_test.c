/* manifest: digests of what is read, printing and reading back, files without a schema. */
#include "manifest_world.h"

#include <jansson.h>

#define HEAD "apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: web}\nspec:\n"

static void digest_of_text(const char *path, const char *text, char hex[DIGEST_HEX_LEN + 1])
{
	struct manifest_file *file = parse_text(path, text);
	struct buf out = diagnose(file);
	if (file->object_count != 1)
		fail_msg("%s\n%s", text, buf_str(&out));
	digest_hex(&file->objects[0].digest, hex);
	buf_release(&out);
	manifest_file_free(file);
}

/* The same content in every notation; the digest is golden, see model_test.c. */
static void test_same_digest(void **state)
{
	(void)state;
	static const char golden[] =
		"0c85d454b6b0d28bae1e45c5cc85214bde0f35e8e1f134246b16d28f5a0918bd";
	static const struct {
		const char *path, *text;
	} rows[] = {
		{ "a.yaml",
		  HEAD "  cpu: 256\n  memory: 1 GB\n  containerDefinitions:\n"
		       "  - name: a\n    image: b\n    user:\n    essential: true\n"
		       "    environment: [{name: B, value: \"2\"}, {name: A, value: 1}]\n" },
		{ "a.yaml",
		  HEAD "  memory: '1024'\n  cpu: .25 vcpu\n  family: web\n"
		       "  containerDefinitions: [{image: b, name: a, links: ~, essential: 'true',"
		       " environment: [{name: A, value: '1'}, {value: 2, name: B}]}]\n" },
		{ "a.json",
		  "{\"family\": \"web\", \"memory\": \"1GB\", \"cpu\": \"256\", \"revision\": 3,\n"
		  "\t\"taskRoleArn\": \"x\", \"containerDefinitions\": [{\"name\": \"a\", "
		  "\"user\": null, \"image\": \"b\", \"essential\": true, \"environment\": ["
		  "{\"name\": \"A\", \"value\": \"1\"}, {\"name\": \"B\", \"value\": "
		  "\"\\u0032\"}]}]}" },
	};
	char hex[DIGEST_HEX_LEN + 1];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		digest_of_text(rows[i].path, rows[i].text, hex);
		assert_string_equal(hex, golden);
	}
}

static void test_other_digest(void **state)
{
	(void)state;
	static const char *const texts[] = {
		HEAD "  containerDefinitions: [{name: a, image: b}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, essential: true}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, links: []}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, healthCheck: {command: [x]}}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, command: [x, y]}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, command: [y, x]}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, environment: [{name: A}]}]\n",
		HEAD "  containerDefinitions: [{name: a, image: b, environment: []}]\n",
	};
	char seen[ARRAY_LEN(texts)][DIGEST_HEX_LEN + 1];
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		digest_of_text("a.yaml", texts[i], seen[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
}

/* --- printing --------------------------------------------------------------------------------- */

static void check_round_trip(const struct manifest_object *object)
{
	struct buf text = { 0 }, again = { 0 };
	manifest_print(object, false, &text);
	struct manifest_file *file = manifest_parse("a.yaml", text.data, text.len);
	if (file->object_count != 1)
		fail_msg("does not read back: %s", buf_str(&text));
	assert_true(digest_equal(&file->objects[0].digest, &object->digest));
	manifest_print(&file->objects[0], false, &again);
	assert_string_equal(buf_str(&again), buf_str(&text));
	manifest_file_free(file);
	buf_release(&text);
	buf_release(&again);
}

static const char long_text[] =
	"a very long text that goes on and on, well over the width at which some emitters begin to "
	"fold lines, with a  double space and then more of it until it is really long enough";

/* Texts that YAML takes for something else when they are not quoted well. */
static void test_texts(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"plain",
		"",
		" ",
		"~",
		"null",
		"Null",
		"true",
		"no",
		"1",
		"-1",
		"1.5",
		".5",
		"0x1f",
		"1e3",
		"- a",
		"-",
		"a: b",
		"a #b",
		"#a",
		"&a",
		"*a",
		"!a",
		"|",
		">",
		"'a'",
		"\"a\"",
		"%a",
		"@a",
		"`a",
		"{a",
		"[a",
		"a,b",
		"? a",
		"a:",
		":",
		"\\",
		"\\n",
		" a",
		"a ",
		"a\nb",
		"a\nb\n",
		"\na",
		"a\n\nb",
		"a\n  b",
		"  a\nb",
		"a \nb",
		"a\tb",
		"\ta",
		"a\r\nb",
		"\x01",
		"\x7f",
		"é",
		"日本",
		"\xf0\x9f\x98\x80",
		"\xc2\x85",
		"\xe2\x80\xa8",
		"\xef\xbb\xbfz",
		"---",
		"--- a",
		"...",
		"a\n---\nb",
		"a\n",
		"\n",
		"\n\n",
		"<<",
		"=",
		"2026-11-23",
		"${X}",
		"{{x}}",
		long_text,
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *command[] = { texts[i] };
		struct str_pair pairs[] = { { texts[i][0] ? texts[i] : "x", texts[i] } };
		struct container_definition c = { .name = "a",
						  .image = "b",
						  .command = { command, 1, true },
						  .environment = { pairs, 1, true },
						  .docker_labels = { pairs, 1, true } };
		struct task_definition td = { .family = { "web", { 0, 0 } },
					      .container_definitions = { &c, 1, true } };
		struct manifest_object object = { .kind = MANIFEST_TASK_DEFINITION,
						  .name = "web",
						  .task_definition = &td,
						  .digest = task_definition_digest(&td) };
		check_round_trip(&object);
	}
}

static const char everything[] = "apiVersion: muster/v1\n"
				 "kind: DaemonService\n"
				 "metadata:\n"
				 "  name: web\n"
				 "  labels:\n"
				 "    team: \"1\"\n"
				 "  annotations:\n"
				 "    muster/prune: disabled\n"
				 "spec:\n"
				 "  cluster: edge\n"
				 "  taskDefinition: web:3\n"
				 "  placementConstraints:\n"
				 "  - type: memberOf\n"
				 "    expression: attribute:env == prod\n"
				 "  deploymentConfiguration:\n"
				 "    minimumHealthyPercent: 50\n"
				 "    maximumPercent: 100\n"
				 "    deploymentCircuitBreaker:\n"
				 "      enable: true\n"
				 "      rollback: false\n"
				 "  minReadySeconds: 0\n"
				 "  monitorSeconds: 5\n"
				 "  progressDeadlineSeconds: 7\n"
				 "  priority: -3\n"
				 "  dependsOn: [a, b]\n"
				 "  suspend: false\n"
				 "  redeploy: \"7\"\n"
				 "  rollout:\n"
				 "    steps:\n"
				 "    - expression: attribute:canary exists\n"
				 "      bakeSeconds: 60\n"
				 "    - percent: 10\n"
				 "      pause: true\n"
				 "    - count: 50\n"
				 "  overrides:\n"
				 "  - expression: attribute:size == small\n"
				 "    containerOverrides:\n"
				 "    - name: web\n"
				 "      command: [a, \"1\"]\n"
				 "      environment:\n"
				 "      - name: SIZE\n"
				 "        value: s\n"
				 "      cpu: 0\n"
				 "      memory: 64\n"
				 "      memoryReservation: 32\n"
				 "  windows:\n"
				 "  - allow: [mon, sun]\n"
				 "    from: \"22:00\"\n"
				 "    to: \"04:00\"\n"
				 "    timeZone: Europe/Berlin\n"
				 "  - deny: [tue]\n"
				 "    from: \"00:00\"\n"
				 "    to: \"24:00\"\n"
				 "  drain: keep\n";

static void check_prints_as(const char *path, const char *text, bool redact, const char *want)
{
	struct manifest_file *file = parse_text(path, text);
	struct buf out = { 0 };
	diag_print(&out, &file->diags);
	if (file->object_count != 1)
		fail_msg("%s\n%s", text, buf_str(&out));
	buf_reset(&out);
	manifest_print(&file->objects[0], redact, &out);
	assert_string_equal(buf_str(&out), want);
	buf_release(&out);
	manifest_file_free(file);
}

static void test_prints_as_read(void **state)
{
	(void)state;
	check_prints_as("a.yaml", everything, false, everything);
	static const char node[] =
		"apiVersion: muster/v1\nkind: Node\nmetadata:\n  name: n1\nspec:\n"
		"  state: DRAINING\n  attributes:\n    env: prod\n    gpu: null\n";
	check_prints_as("a.yaml", node, false, node);
	static const char cluster[] = "apiVersion: muster/v1\nkind: Cluster\nmetadata:\n  name: c\n"
				      "spec: {}\n";
	check_prints_as("a.yaml", cluster, false, cluster);
	static const char windows[] =
		"apiVersion: muster/v1\nkind: Cluster\nmetadata:\n  name: c\nspec:\n"
		"  windows:\n  - deny: [fri]\n    from: \"12:00\"\n    to: \"24:00\"\n"
		"  massChangePercent: 30\n";
	check_prints_as("a.yaml", windows, false, windows);
}

static void test_redacted(void **state)
{
	(void)state;
	check_prints_as(
		"a.yaml",
		HEAD "  containerDefinitions:\n  - name: a\n    image: b\n"
		     "    environment: [{name: TOKEN, value: s3cret}]\n"
		     "    logConfiguration: {logDriver: splunk, options: {token: s3cret}}\n",
		true,
		"apiVersion: muster/v1\nkind: TaskDefinition\nmetadata:\n  name: web\nspec:\n"
		"  containerDefinitions:\n  - name: a\n    image: b\n    environment:\n"
		"    - name: TOKEN\n    logConfiguration:\n      logDriver: splunk\n"
		"      options:\n        token: null\n");
	check_prints_as(
		"a.yaml",
		"apiVersion: muster/v1\nkind: DaemonService\nmetadata: {name: web}\nspec:\n"
		"  taskDefinition: web:1\n  overrides:\n  - expression: attribute:a exists\n"
		"    containerOverrides:\n    - {name: web, environment: [{name: TOKEN, "
		"value: s3cret}]}\n",
		true,
		"apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: web\nspec:\n"
		"  taskDefinition: web:1\n  overrides:\n  - expression: attribute:a exists\n"
		"    containerOverrides:\n    - name: web\n      environment:\n"
		"      - name: TOKEN\n");
}

/* ECS's defaults are said where a muster document has others. */
static void test_ecs_defaults(void **state)
{
	(void)state;
	check_prints_as(
		"a.json",
		"{\"serviceName\": \"web\", \"taskDefinition\": \"web\", "
		"\"schedulingStrategy\": \"DAEMON\", \"cluster\": \"c\"}",
		false,
		"apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: web\nspec:\n"
		"  cluster: c\n  taskDefinition: web\n  deploymentConfiguration:\n"
		"    minimumHealthyPercent: 0\n    deploymentCircuitBreaker:\n"
		"      enable: false\n");
	/* A breaker without a word of it goes back in a muster document, and not in ECS's. */
	check_prints_as("a.json",
			"{\"serviceName\": \"web\", \"taskDefinition\": \"web\", "
			"\"schedulingStrategy\": \"DAEMON\", \"deploymentConfiguration\": {"
			"\"minimumHealthyPercent\": 100, \"deploymentCircuitBreaker\": {"
			"\"enable\": true}}}",
			false,
			"apiVersion: muster/v1\nkind: DaemonService\nmetadata:\n  name: web\n"
			"  annotations:\n    muster/compatibility: ecs\nspec:\n"
			"  taskDefinition: web\n  deploymentConfiguration:\n"
			"    minimumHealthyPercent: 100\n    deploymentCircuitBreaker:\n"
			"      enable: true\n      rollback: false\n");
}

/* --- files without a schema ------------------------------------------------------------------- */

static void test_load_value(void **state)
{
	(void)state;
	static const struct {
		const char *path, *text, *want; /* NULL: refused */
	} rows[] = {
		{ "a.yaml", "", "null" },
		{ "a.yaml",
		  "a: 1\nb: [true, no, ~, 'x', \"1\", 1.5, -0, +7, 0x1F, 0o17, .5, 1e2]\n",
		  "{\"a\":1,\"b\":[true,\"no\",null,\"x\",\"1\",1.5,0,7,31,15,0.5,100.0]}" },
		{ "a.yaml", "[1.2.3, 1e, ., -, +-1, 0x, 2026-11-23, 99999999999999999999, 007]",
		  "[\"1.2.3\",\"1e\",\".\",\"-\",\"+-1\",\"0x\",\"2026-11-23\",1e20,7]" },
		{ "a.yaml", "a: {}\nb: []\nc: |\n  x\n  y\n",
		  "{\"a\":{},\"b\":[],\"c\":\"x\\ny\\n\"}" },
		{ "a.json", "{\"a\":\t\"\\ud83d\\ude00\", \"b\": [1, -2.5, null, false]}",
		  "{\"a\":\"\xf0\x9f\x98\x80\",\"b\":[1,-2.5,null,false]}" },
		{ "a.json", "\"x\"", "\"x\"" },
		{ "a.json", " \n", "null" },
		{ "a.json", "{\"a\": 1, \"a\": 2}", NULL },
		{ "a.json", "{\"a\": \"\\u0000\"}", NULL },
		{ "a.json", "{} {}", NULL },
		{ "a.json", "\xef\xbb\xbf[]", "[]" },
		{ "a.yaml", "a: 1\na: 2\n", NULL },
		{ "a.yaml", "a: 1\n---\nb: 2\n", NULL },
		{ "a.yaml", "a: &x 1\n", NULL },
		{ "a.yaml", "a: [1\n", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct diag_list diags;
		diag_init(&diags, &arena);
		json_t *json = manifest_load_value(rows[i].path, rows[i].text, strlen(rows[i].text),
						   &diags);
		char *got = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
		if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
			fail_msg("%s\ngave %s", rows[i].text, got ? got : "nothing");
		assert_int_equal(diags.errors == 0, json != NULL);
		free(got);
		json_decref(json);
		diag_release(&diags);
		arena_release(&arena);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_digest), cmocka_unit_test(test_other_digest),
		cmocka_unit_test(test_texts),	    cmocka_unit_test(test_prints_as_read),
		cmocka_unit_test(test_redacted),    cmocka_unit_test(test_ecs_defaults),
		cmocka_unit_test(test_load_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
