/* Parts of a node document that the controller and the agent write alike. */
#include "report/internal.h"

#include <string.h>

static json_t *bindings_json(const struct wire_container *c)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < c->network_binding_count; i++) {
		const struct wire_binding *b = &c->network_bindings[i];
		json_t *item = json_object();
		put_text(item, "bindIP", b->bind_ip);
		put_int(item, "containerPort", b->container_port);
		put_int(item, "hostPort", b->host_port);
		put_text(item, "protocol", b->protocol);
		json_array_append_new(list, item);
	}
	return list;
}

/* No name of one task's container is another's: "container/CLUSTER/TASK/NAME". */
static json_t *container_json(const struct wire_task *t, const struct wire_container *c)
{
	json_t *item = json_object();
	if (*t->id)
		put_textf(item, "containerArn", "container/%s/%s/%s", t->cluster, t->id, c->name);
	put_text(item, "name", c->name);
	put_text(item, "lastStatus", task_status_name(c->last_status));
	put_text(item, "image", c->image);
	put_text(item, "imageDigest", c->image_digest);
	put_text(item, "runtimeId", c->runtime_id);
	if (c->has_exit_code)
		put_int(item, "exitCode", c->exit_code);
	put_text(item, "reason", c->reason);
	put_text(item, "healthStatus", health_status_name(c->health));
	if (c->restart_count)
		put_int(item, "restartCount", c->restart_count);
	put(item, "networkBindings", bindings_json(c));
	return item;
}

json_t *task_json(const struct wire_task *t, const char *node)
{
	json_t *item = json_object(), *containers = json_array();
	put_arn(item, "taskArn", "task", t->cluster, t->id);
	put_textf(item, "clusterArn", "cluster/%s", t->cluster);
	put_arn(item, "containerInstanceArn", "container-instance", t->cluster, node);
	put_textf(item, "taskDefinitionArn", "task-definition/%s:%u", t->family, t->revision);
	put_textf(item, "group", "service:%s", t->service);
	put_text(item, "startedBy", t->deployment);
	put_text(item, "lastStatus", task_status_name(t->last_status));
	put_text(item, "desiredStatus", task_status_name(t->desired_status));
	put_text(item, "healthStatus", health_status_name(t->health));
	put_bool(item, "ready", t->ready);
	put_bool(item, "failed", t->failed);
	put_int(item, "restarts", t->restarts);
	if (t->restart_in_ms)
		put_int(item, "restartInSeconds", (t->restart_in_ms + 999) / 1000);
	put_text(item, "engine", t->engine);
	put_time(item, "startedAt", t->started_at_ms);
	put_time(item, "stoppedAt", t->stopped_at_ms);
	put_text(item, "stopCode", t->stop_code);
	put_text(item, "stoppedReason", t->reason);
	put_text(item, "stderrTail", t->stderr_tail);
	if (t->log_bytes_dropped)
		put_int(item, "logBytesDropped", (int64_t)t->log_bytes_dropped);
	for (uint32_t i = 0; i < t->container_count; i++)
		json_array_append_new(containers, container_json(t, &t->containers[i]));
	put(item, "containers", containers);
	return item;
}

static json_t *resource_json(const char *name, int64_t value)
{
	json_t *item = json_object();
	put_text(item, "name", name);
	put_text(item, "type", "INTEGER");
	put_int(item, "integerValue", value);
	return item;
}

static json_t *port_set_json(const char *name, const struct task_resources *taken, uint32_t count,
			     bool udp)
{
	json_t *item = json_object(), *ports = json_array();
	put_text(item, "name", name);
	put_text(item, "type", "STRINGSET");
	for (uint32_t i = 0; i < count; i++) {
		const uint16_t *list = udp ? taken[i].udp_ports : taken[i].tcp_ports;
		uint32_t len = udp ? taken[i].udp_count : taken[i].tcp_count;
		for (uint32_t k = 0; k < len; k++)
			json_array_append_new(ports, json_sprintf("%u", list[k]));
	}
	put(item, "stringSetValue", ports);
	return item;
}

static json_t *resources_json(int64_t cpu_units, int64_t memory_mib,
			      const struct task_resources *taken, uint32_t count)
{
	json_t *list = json_array();
	json_array_append_new(list, resource_json("CPU", cpu_units));
	json_array_append_new(list, resource_json("MEMORY", memory_mib));
	json_array_append_new(list, port_set_json("PORTS", taken, count, false));
	json_array_append_new(list, port_set_json("PORTS_UDP", taken, count, true));
	return list;
}

void put_remaining(json_t *doc, uint32_t cpu_units, uint32_t memory_mib,
		   const struct task_resources *taken, uint32_t count)
{
	int64_t cpu = cpu_units, memory = memory_mib;
	for (uint32_t i = 0; i < count; i++) {
		cpu -= taken[i].cpu_units;
		memory -= taken[i].memory_mib;
	}
	put(doc, "remainingResources", resources_json(cpu, memory, taken, count));
}

static void add_attribute(json_t *list, const char *name, const char *value)
{
	json_t *item = json_object();
	put_text(item, "name", name);
	put_text(item, "value", value);
	json_array_append_new(list, item);
}

void put_attributes(json_t *doc, const struct str_map *attributes,
		    const struct str_list *capabilities)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < attributes->len; i++)
		add_attribute(list, attributes->items[i].name, attributes->items[i].value);
	for (uint32_t i = 0; i < capabilities->len; i++)
		add_attribute(list, capabilities->items[i], NULL);
	put(doc, "attributes", list);
}

static json_t *engines_json(const struct wire_registration *r)
{
	json_t *engines = json_array();
	for (uint32_t i = 0; i < r->engine_count; i++) {
		json_t *engine = json_object();
		put_text(engine, "kind", engine_kind_name(r->engines[i].kind));
		put_text(engine, "name", r->engines[i].name);
		put_text(engine, "version", r->engines[i].version);
		json_array_append_new(engines, engine);
	}
	return engines;
}

void put_registration(json_t *doc, const struct wire_registration *r)
{
	json_t *version = json_object(), *registration = json_object();
	put_text(version, "agentVersion", r->agent_version);
	put(doc, "versionInfo", version);
	put_time(doc, "registeredAt", r->registered_at_ms);
	put(doc, "registeredResources", resources_json(r->cpu_units, r->memory_mib, NULL, 0));
	put_text(registration, "cluster", r->cluster);
	put_text(registration, "instance", r->instance);
	put_text(registration, "bootId", r->boot_id);
	put_text(registration, "session", r->session);
	put(registration, "engines", engines_json(r));
	put_list(registration, "capabilities", &r->capabilities);
	put_int(registration, "cpu", r->cpu_units);
	put_int(registration, "memory", r->memory_mib);
	put_map(registration, "facts", &r->facts);
	put_map(registration, "attributes", &r->attributes);
	put(doc, "registration", registration);
}

void put_observed(json_t *doc, const struct wire_observed *o, const char *node)
{
	json_t *tasks = json_array(), *stopped = json_array();
	for (uint32_t i = 0; i < o->task_count; i++)
		json_array_append_new(tasks, task_json(&o->tasks[i], node));
	for (uint32_t i = 0; i < o->stopped_count; i++)
		json_array_append_new(stopped, task_json(&o->stopped[i], node));
	put(doc, "tasks", tasks);
	put(doc, "stoppedTasks", stopped);
}
