/*
 * manifest: whatever an ECS document may hold is printed so that it reads back to the same digest,
 * and so are the roll-out, overrides and windows of services and clusters.
 * Random objects from a seed, made by the field tables: every field, with values of its
 * list, of its range, or text that YAML takes for something else. RANDOM_SEED gives another start.
 */
#include "manifest_world.h"

#include <inttypes.h>

#define ROUNDS 400

struct making {
	struct arena arena;
	uint64_t state;
};

static uint32_t random_below(struct making *m, uint32_t bound)
{
	m->state = m->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->state >> 33) % bound;
}

static const char *random_text(struct making *m)
{
	static const char *const texts[] = {
		"a",	 "true",    "no",	  "1",	       "0x1f",	  "1e3",
		"~",	 "null",    "- a",	  "a: b",      "a #b",	  "'a'",
		"\"a\"", "{a",	    "a\nb",	  "a\n\nb\n",  " a ",	  "\ta",
		"${X}",	 "{{ x }}", "<X>",	  "$$$X$$$",   "é",	  "\xf0\x9f\x98\x80",
		"/a/b",	 "a.b:c",   "a/b:1.2",	  "arn:a:b:c", "file:/a", "*",
		"&a",	 "\x01",    "|",	  ">",	       "%a",	  "@a",
		"`a",	 "=",	    "2026-01-01", "",
	};
	return texts[random_below(m, ARRAY_LEN(texts))];
}

static const char *random_value(struct making *m, const struct field *f)
{
	uint32_t count = 0;
	while (f->values && f->values[count])
		count++;
	return count ? f->values[random_below(m, count)] : random_text(m);
}

/* What a required text may not be is empty. */
static const char *random_string(struct making *m, const struct field *f)
{
	const char *text = random_value(m, f);
	return f->flags & FIELD_REQUIRED && !*text ? "x" : text;
}

static void fill(struct making *m, const struct schema *schema, void *object, int depth);

static struct str_map random_map(struct making *m)
{
	static const char *const names[] = { "A", "B b", "c: d", "true", "é" };
	struct str_map map = { .set = true,
			       .items = ARENA_ARRAY(&m->arena, struct str_pair, ARRAY_LEN(names)) };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (random_below(m, 2))
			map.items[map.len++] = (struct str_pair){ names[i], random_text(m) };
	return map;
}

static void fill_objects(struct making *m, const struct field *f, void *at, int depth)
{
	struct object_list *list = at;
	list->set = true;
	list->len = random_below(m, 3);
	if (f->min > 0 && !list->len)
		list->len = 1;
	list->items = arena_alloc(&m->arena, f->of->size * list->len);
	for (uint32_t i = 0; i < list->len; i++)
		fill(m, f->of, (char *)list->items + i * f->of->size, depth + 1);
}

static void fill_strings(struct making *m, const struct field *f, struct str_list *list)
{
	uint32_t most = f->min < f->max && f->max < 3 ? (uint32_t)f->max : 3;
	list->set = true;
	list->len = random_below(m, most + 1);
	if (f->min > 0 && !list->len)
		list->len = 1;
	list->items = ARENA_ARRAY(&m->arena, const char *, list->len);
	for (uint32_t i = 0; i < list->len; i++)
		list->items[i] = random_value(m, f);
}

static void fill_field(struct making *m, const struct field *f, void *object, int depth)
{
	void *at = field_at(f, object);
	int64_t span = f->max < f->min + 1000 ? f->max - f->min : 1000;
	switch (f->kind) {
	case FIELD_STRING: *(const char **)at = random_string(m, f); break;
	case FIELD_STRING_AT: ((struct str_at *)at)->value = random_string(m, f); break;
	case FIELD_INT:
		*(struct opt_int *)at =
			(struct opt_int){ true, f->min + random_below(m, (uint32_t)span + 1) };
		break;
	case FIELD_BOOL: *(enum opt_bool *)at = random_below(m, 2) ? OPT_TRUE : OPT_FALSE; break;
	case FIELD_STRING_LIST: fill_strings(m, f, at); break;
	case FIELD_STRING_MAP:
	case FIELD_PAIR_LIST: *(struct str_map *)at = random_map(m); break;
	case FIELD_OBJECT:
		*(void **)at = arena_alloc(&m->arena, f->of->size);
		fill(m, f->of, *(void **)at, depth + 1);
		break;
	case FIELD_OBJECT_LIST: fill_objects(m, f, at, depth); break;
	case FIELD_NAME_LIST:
	case FIELD_IGNORED: break;
	}
}

static void fill(struct making *m, const struct schema *schema, void *object, int depth)
{
	for (size_t i = 0; i < schema->count; i++)
		if (schema->fields[i].flags & FIELD_DERIVED)
			continue;
		else if (schema->fields[i].flags & FIELD_REQUIRED ||
			 random_below(m, depth ? 3 : 2) == 0)
			fill_field(m, &schema->fields[i], object, depth);
}

/* --- what must hold for ECS to take it at all ---------------------------------------------------
 */

static void mend_ports(struct container_definition *c)
{
	for (uint32_t i = 0; i < c->port_mappings.len; i++) {
		c->port_mappings.items[i].host_port.set = false;
		if (c->port_mappings.items[i].container_port_range)
			c->port_mappings.items[i].container_port_range = "8000-8010";
	}
}

static void mend_container(struct making *m, struct task_definition *td, uint32_t index)
{
	struct container_definition *c = &td->container_definitions.items[index];
	c->name = arena_printf(&m->arena, "c%u", index);
	if (!c->image)
		c->image = "<IMAGE>";
	c->essential = index ? c->essential : OPT_UNSET;
	c->depends_on.len = index ? c->depends_on.len : 0;
	for (uint32_t i = 0; i < c->depends_on.len; i++) {
		c->depends_on.items[i].container_name = "c0";
		c->depends_on.items[i].condition = "START";
	}
	for (uint32_t i = 0; i < c->volumes_from.len; i++)
		c->volumes_from.items[i].source_container = "c0";
	c->mount_points.len = td->volumes.len ? c->mount_points.len : 0;
	for (uint32_t i = 0; i < c->mount_points.len; i++)
		c->mount_points.items[i].source_volume = "v0";
	for (uint32_t i = 0; i < c->ulimits.len; i++)
		c->ulimits.items[i].hard_limit.value = -1;
	for (uint32_t i = 0; i < c->secrets.len; i++)
		if (strncmp(c->secrets.items[i].value_from, "file:", 5) == 0)
			c->secrets.items[i].value_from = "file:/etc/x";
	for (uint32_t i = 0; i < c->files.len; i++) {
		c->files.items[i].path = "/etc/x";
		c->files.items[i].mode = "0440";
	}
	for (uint32_t i = 0; i < c->environment_files.len; i++)
		c->environment_files.items[i].value = "x.env";
	if (c->restart_policy)
		c->restart_policy->ignored_exit_codes.len = 0;
	c->memory_reservation.set = c->memory_reservation.set && !c->memory.set;
	mend_ports(c);
}

static void mend(struct making *m, struct task_definition *td)
{
	static const char *ec2[] = { "EC2", "FARGATE" };
	td->family.value = "random";
	td->requires_compatibilities = (struct str_list){ ec2, 2, true };
	td->cpu.set = td->memory.set = false; /* sums are compared with them */
	td->placement_constraints.len = 0;
	if (td->network_mode && strcmp(td->network_mode, "bridge") != 0)
		td->network_mode = "default";
	for (uint32_t i = 0; i < td->volumes.len; i++) {
		td->volumes.items[i].name = arena_printf(&m->arena, "v%u", i);
		td->volumes.items[i].host = NULL;
	}
	for (uint32_t i = 0; i < td->container_definitions.len; i++)
		mend_container(m, td, i);
}

static void check_one(struct making *m, uint64_t seed)
{
	struct task_definition td = { 0 };
	struct buf text = { 0 }, said = { 0 };
	fill(m, &task_definition_schema, &td, 0);
	mend(m, &td);
	struct manifest_object object = { .kind = MANIFEST_TASK_DEFINITION,
					  .name = "random",
					  .relaxed = true,
					  .task_definition = &td,
					  .digest = task_definition_digest(&td) };
	manifest_print(&object, false, &text);
	struct manifest_file *file = manifest_parse("random.yaml", text.data, text.len);
	if (file->object_count != 1) {
		diag_print(&said, &file->diags);
		fputs(buf_str(&text), stderr);
		fail_msg("seed %" PRIu64 " does not read back:\n%s%s", seed, buf_str(&said),
			 buf_str(&text));
	}
	if (!digest_equal(&file->objects[0].digest, &object.digest)) {
		schema_canonical(&task_definition_schema, &td, &said);
		buf_addc(&said, '\n');
		schema_canonical(&task_definition_schema, file->objects[0].task_definition, &said);
		fail_msg("seed %" PRIu64 " has another digest:\n%s\n%s", seed, buf_str(&said),
			 buf_str(&text));
	}
	manifest_file_free(file);
	buf_release(&text);
	buf_release(&said);
}

/* --- services and clusters ----------------------------------------------------------------------
 */

static void mend_windows(struct making *m, struct window_list *windows)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "Etc/GMT+1" };
	for (uint32_t i = 0; i < windows->len; i++) {
		struct window *w = &windows->items[i];
		if (w->allow.len)
			w->deny = (struct str_list){ 0 };
		else
			w->allow = (struct str_list){ 0 };
		if (!w->allow.len && !w->deny.len) {
			static const char *monday[] = { "mon" };
			w->deny = (struct str_list){ monday, 1, true };
		}
		w->from = arena_printf(&m->arena, "%02u:%02u", random_below(m, 12),
				       random_below(m, 60));
		w->to = arena_printf(&m->arena, "%02u:00", 12 + random_below(m, 13));
		if (w->time_zone)
			w->time_zone = zones[random_below(m, ARRAY_LEN(zones))];
	}
}

static void mend_rollout(struct making *m, struct rollout *rollout)
{
	for (uint32_t i = 0; i < rollout->steps.len; i++) {
		struct rollout_step *step = &rollout->steps.items[i];
		uint32_t kind = random_below(m, 3);
		step->expression.value = kind == 0 ? "attribute:a == 'x: y'" : NULL;
		step->percent = (struct opt_int){ kind == 1, 1 + random_below(m, 100) };
		step->count = (struct opt_int){ kind == 2, 1 + random_below(m, 100) };
	}
}

static void mend_overrides(struct making *m, struct override_list *overrides)
{
	for (uint32_t i = 0; i < overrides->len; i++) {
		struct task_override *o = &overrides->items[i];
		o->expression.value = "attribute:a == '#1' and not attribute:b exists";
		for (uint32_t k = 0; k < o->container_overrides.len; k++) {
			struct container_override *c = &o->container_overrides.items[k];
			c->name = arena_printf(&m->arena, "c%u", k);
			c->memory.set = c->memory.set && !c->memory_reservation.set;
			c->command.set = true; /* something must be */
		}
	}
}

/* The canonical text of what is printed of an object and read back. */
static void check_service_or_cluster(uint64_t seed, const struct manifest_object *object,
				     const struct schema *schema, const void *content)
{
	struct buf text = { 0 }, said = { 0 }, want = { 0 }, got = { 0 };
	manifest_print(object, false, &text);
	struct manifest_file *file = manifest_parse("random.yaml", text.data, text.len);
	diag_print(&said, &file->diags);
	if (file->object_count != 1)
		fail_msg("seed %" PRIu64 " does not read back:\n%s%s", seed, buf_str(&said),
			 buf_str(&text));
	schema_canonical(schema, content, &want);
	schema_canonical(schema, file->objects[0].daemon_service, &got);
	if (strcmp(buf_str(&got), buf_str(&want)) != 0)
		fail_msg("seed %" PRIu64 " is another:\n%s\n%s\n%s", seed, buf_str(&want),
			 buf_str(&got), buf_str(&text));
	manifest_file_free(file);
	buf_release(&text);
	buf_release(&said);
	buf_release(&want);
	buf_release(&got);
}

static void test_random_rollouts(void **state)
{
	(void)state;
	static const char *const kept[] = { "rollout", "overrides", "windows", "drain",
					    "massChangePercent" };
	const char *given = getenv("RANDOM_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : 1;
	for (uint64_t seed = first; seed < first + ROUNDS; seed++) {
		struct making m = { .state = seed * 0x9e3779b97f4a7c15u };
		struct daemon_service service = { .name = { "random", { 0, 0 } },
						  .task_definition = { "x:1", { 0, 0 } } };
		struct cluster_manifest cluster = { .name = { "random", { 0, 0 } } };
		for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
			const struct field *of_service =
				schema_find(&daemon_service_schema, kept[i]);
			const struct field *of_cluster =
				schema_find(&cluster_manifest_schema, kept[i]);
			if (of_service && random_below(&m, 3))
				fill_field(&m, of_service, &service, 0);
			if (of_cluster && random_below(&m, 3))
				fill_field(&m, of_cluster, &cluster, 0);
		}
		if (service.rollout)
			mend_rollout(&m, service.rollout);
		mend_overrides(&m, &service.overrides);
		mend_windows(&m, &service.windows);
		mend_windows(&m, &cluster.windows);
		struct manifest_object object = { .kind = MANIFEST_DAEMON_SERVICE,
						  .name = "random",
						  .daemon_service = &service };
		check_service_or_cluster(seed, &object, &daemon_service_schema, &service);
		object = (struct manifest_object){ .kind = MANIFEST_CLUSTER,
						   .name = "random",
						   .cluster = &cluster };
		check_service_or_cluster(seed, &object, &cluster_manifest_schema, &cluster);
		arena_release(&m.arena);
	}
}

static void test_random(void **state)
{
	(void)state;
	const char *given = getenv("RANDOM_SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : 1;
	for (uint64_t seed = first; seed < first + ROUNDS; seed++) {
		struct making m = { .state = seed * 0x9e3779b97f4a7c15u };
		check_one(&m, seed);
		arena_release(&m.arena);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_random),
						   cmocka_unit_test(test_random_rollouts) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
