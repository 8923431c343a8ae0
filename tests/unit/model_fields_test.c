/*
 * model: manifests/FIELDS.md says of every field what is done with it. It is made from the field
 * tables, and this test fails where it is behind them; with UPDATE_GOLDEN set it is written anew.
 */
#include "model/model.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANUAL "manifests/FIELDS.md"

static const char intro[] =
	"# Fields of manifests\n"
	"\n"
	"What muster does with each field: of ECS task definitions and services, committed as "
	"they\n"
	"are, and of its own documents (`apiVersion: muster/v1`). This page is made from the "
	"tables\n"
	"that read the fields; a test compares them.\n"
	"\n"
	"- **honoured**: done. *needs NAME*: only nodes whose engine offers that capability are\n"
	"  chosen, and `muster explain` says which one is missing. Nothing is weakened instead.\n"
	"- **not placed**: accepted with a warning and kept, but no engine of this version offers\n"
	"  what it needs, so that a task with it is placed nowhere, with that reason.\n"
	"- **ignored**: without effect. `muster validate` and the push say so in a warning; only "
	"what\n"
	"  ECS adds to its answers (\"of answers\") goes without a word.\n"
	"- **refused**: an error, because ignoring it would change what is meant.\n"
	"\n"
	"`null` is the same as absent. A field that is not listed is an error in a muster "
	"document\n"
	"and ignored with a warning in an ECS document. ECS documents may still hold placeholders\n"
	"(`${X}`, `{{X}}`, `<X>`), `\"\"` for a number or a choice that is not given, and what an\n"
	"engine will refuse by itself; these are warnings there and errors in muster documents. A\n"
	"muster TaskDefinition or DaemonService with the annotation `muster/compatibility: ecs` "
	"is\n"
	"read as an ECS document is; `muster import` prints it where it is needed.\n"
	"\n"
	"*processes*: the field has a meaning for native processes (`requiresCompatibilities:\n"
	"[PROCESS]`) too; there all others are refused.\n";

static const struct {
	const char *title;
	const struct schema *schema;
	bool processes; /* it says which fields native processes have */
} parts[] = {
	{ "TaskDefinition", &task_definition_schema, true },
	{ "DaemonService", &daemon_service_schema, false },
	{ "Service of ECS (create-service, describe-services)", &ecs_service_schema, false },
	{ "Node", &node_manifest_schema, false },
	{ "Cluster", &cluster_manifest_schema, false },
};

/* A table of fields, and what follows from where it was met first. */
struct section {
	const struct schema *schema;
	bool processes; /* says which fields native processes have */
	bool kept;	/* nothing is done with its fields */
};
/* Those that are written, or wait for it. */
struct sections {
	struct section items[64];
	size_t len, done;
};

static void add_section(struct sections *all, struct section section)
{
	for (size_t i = 0; i < all->len; i++)
		if (all->items[i].schema == section.schema)
			return;
	assert_true(all->len < ARRAY_LEN(all->items));
	all->items[all->len++] = section;
}

static void add_values(struct buf *out, const char *const *values, const char *before)
{
	for (size_t i = 0; values && values[i]; i++)
		buf_addf(out, "%s`%s`", i ? ", " : before, values[i]);
}

static void add_bounds(struct buf *out, const struct field *f)
{
	if (f->min >= f->max)
		return;
	if (f->max == INT64_MAX)
		buf_addf(out, ", %" PRId64 " or more", f->min);
	else if (f->kind == FIELD_INT)
		buf_addf(out, ", %" PRId64 " to %" PRId64, f->min, f->max);
	else if (f->max < INT32_MAX)
		buf_addf(out, ", at most %" PRId64, f->max);
}

static void add_type(struct buf *out, const struct field *f)
{
	static const char *const names[] = {
		[FIELD_STRING] = "text",
		[FIELD_STRING_AT] = "text",
		[FIELD_INT] = "number",
		[FIELD_BOOL] = "true or false",
		[FIELD_STRING_LIST] = "list",
		[FIELD_NAME_LIST] = "list of names",
		[FIELD_STRING_MAP] = "mapping",
		[FIELD_PAIR_LIST] = "list of {name, value}",
		[FIELD_OBJECT] = "",
		[FIELD_OBJECT_LIST] = "list of ",
		[FIELD_IGNORED] = "anything",
	};
	buf_adds(out, names[f->kind]);
	if (f->of) {
		buf_adds(out, f->kind == FIELD_IGNORED ? ": " : "");
		buf_addf(out, "*%s*", f->of->name);
	}
	if (f->flags & FIELD_SIZE_MIB)
		buf_adds(out, " of MiB, or text as `1 GB`");
	if (f->flags & FIELD_CPU_UNITS)
		buf_adds(out, " of units, or text as `.25 vCPU`");
	if (f->flags & FIELD_EXPRESSION)
		buf_adds(out, " in the cluster query language");
	if (!(f->flags & FIELD_REFUSED))
		add_values(out, f->values, ": ");
	add_bounds(out, f);
	if (f->flags & FIELD_REQUIRED)
		buf_adds(out, "; required");
}

static void add_needs(struct buf *out, const struct field *f)
{
	if (f->needs)
		buf_addf(out, "; needs `%s%s`", f->needs,
			 f->needs[strlen(f->needs) - 1] == '.' ? "VALUE" : "");
	if (f->needs)
		add_values(out, f->unless, " but for ");
	if (f->process_needs)
		buf_addf(out, "%s `%s`", f->needs ? ", of processes" : "; of processes needs",
			 f->process_needs);
}

static void add_policy(struct buf *out, const struct field *f, bool kept)
{
	if (kept) {
		buf_adds(out, "kept");
	} else if (f->flags & FIELD_SILENT) {
		buf_adds(out, "ignored: of answers");
	} else if (f->flags & FIELD_REFUSED) {
		buf_adds(out, "refused");
		add_values(out, f->values, " but for ");
	} else if (f->flags & FIELD_NO_EFFECT) {
		buf_adds(out, "ignored");
	} else if (f->flags & FIELD_NOT_OFFERED) {
		buf_addf(out, "not placed: nothing offers `%s`", f->needs);
	} else if (f->kind == FIELD_IGNORED) {
		buf_adds(out, "checked");
	} else {
		buf_adds(out, "honoured");
		add_needs(out, f);
	}
	if (f->note)
		buf_addf(out, "%s %s", f->flags & (FIELD_REFUSED | FIELD_NO_EFFECT) ? ":" : ";",
			 f->note);
}

static bool only_containers(const struct field *f)
{
	return f->flags & (FIELD_CONTAINER_ONLY | FIELD_NO_EFFECT | FIELD_SILENT);
}

static void add_row(struct buf *out, const struct field *f, const struct section *section)
{
	buf_addf(out, "| %s%s | ", f->flags & FIELD_METADATA ? "metadata." : "", f->name);
	add_type(out, f);
	if (section->processes)
		buf_adds(out, only_containers(f) ? " | " : " | yes");
	buf_adds(out, " | ");
	add_policy(out, f, section->kept);
	buf_adds(out, " |\n");
}

/* Sections of the tables below come later, in this order. */
static void add_section_text(struct buf *out, const struct section *section, const char *title,
			     struct sections *all)
{
	bool processes = section->processes;
	if (title)
		buf_addf(out, "\n## %s\n", title);
	else
		buf_addf(out, "\n### *%s*\n", section->schema->name);
	buf_addf(out, "\n| field | takes |%s what is done |\n|---|---|%s---|\n",
		 processes ? " processes |" : "", processes ? "---|" : "");
	for (size_t i = 0; i < section->schema->count; i++) {
		const struct field *f = &section->schema->fields[i];
		if (f->flags & FIELD_DERIVED)
			continue;
		bool idle = section->kept || f->flags & (FIELD_NO_EFFECT | FIELD_NOT_OFFERED);
		add_row(out, f, section);
		if (f->of)
			add_section(all, (struct section){ f->of, processes && !only_containers(f),
							   idle });
	}
}

static void add_all(struct buf *out)
{
	struct sections all = { 0 };
	buf_adds(out, intro);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		add_section(&all, (struct section){ parts[i].schema, parts[i].processes, false });
		for (bool first = true; all.done < all.len; all.done++, first = false) {
			struct section section = all.items[all.done];
			add_section_text(out, &section, first ? parts[i].title : NULL, &all);
		}
	}
}

static void test_manual(void **state)
{
	(void)state;
	struct buf want = { 0 }, have = { 0 };
	char chunk[4096];
	size_t n;
	add_all(&want);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(MANUAL, "wbe");
		assert_non_null(file);
		assert_int_equal(fwrite(want.data, 1, want.len, file), want.len);
		fclose(file);
	}
	FILE *file = fopen(MANUAL, "rbe");
	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&have, chunk, n);
	fclose(file);
	if (strcmp(buf_str(&have), buf_str(&want)) != 0) {
		size_t at = 0, line = 1;
		const char *a = buf_str(&have), *b = buf_str(&want);
		for (; a[at] == b[at]; at++)
			line += a[at] == '\n';
		fail_msg(MANUAL ":%zu: is not what the field tables say; "
				"run this test with UPDATE_GOLDEN=1",
			 line);
	}
	buf_release(&want);
	buf_release(&have);
}

/* Each capability that a table names has words for those who ask why, and so has each prefix. */
static void check_words(const struct schema *schema, struct arena *arena)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct field *f = &schema->fields[i];
		const char *const names[] = { f->needs, f->process_needs };
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (names[k] && !capability_words(names[k], arena))
				fail_msg("%s has no words", names[k]);
		if (f->flags & FIELD_NOT_OFFERED && !f->needs)
			fail_msg("%s: %s needs nothing", schema->name, f->name);
		if (f->of)
			check_words(f->of, arena);
	}
}

static void test_words(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	check_words(&task_definition_schema, &arena);
	assert_string_equal(capability_words(CAPABILITY_LOG_DRIVER "splunk", &arena),
			    "the log driver \"splunk\"");
	assert_null(capability_words("muster.capability.other", &arena));
	arena_release(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
