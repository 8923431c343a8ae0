/* report/internal: what the files of this module share. */
#ifndef MUSTER_REPORT_INTERNAL_H
#define MUSTER_REPORT_INTERNAL_H

#include <jansson.h>

#include "report/report.h"

/* --- value.c: members of objects. What is absent (NULL, 0 of a time, no digest) is left out. ---
 */

void put(json_t *object, const char *key, json_t *value); /* takes the reference */
void put_text(json_t *object, const char *key, const char *value);
void put_textf(json_t *object, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void put_int(json_t *object, const char *key, int64_t value);
void put_count(json_t *object, const char *key, bool known, int64_t value); /* unknown: null */
void put_bool(json_t *object, const char *key, bool value);
void put_time(json_t *object, const char *key, int64_t unix_ms);
void put_digest(json_t *object, const char *key, const struct digest *digest);
void put_list(json_t *object, const char *key, const struct str_list *list);
void put_map(json_t *object, const char *key, const struct str_map *map);
json_t *text_value(const char *text); /* any bytes; what is not UTF-8 becomes '?' */

/* Ends of ECS's resource names: "service/CLUSTER/NAME". */
void put_arn(json_t *object, const char *key, const char *kind, const char *cluster,
	     const char *name);

const char *get_text(const json_t *object, const char *key); /* NULL: absent, or no text */
int64_t get_int(const json_t *object, const char *key, int64_t absent);
bool get_bool(const json_t *object, const char *key);
struct digest get_digest(const json_t *object, const char *key);

/* --- parts that several documents have ---------------------------------------------------------
 */

/* placement.c: what the planner was told, whole: explain and plan tell it again from here. */
json_t *placement_json(const struct plan_service *service, const struct intern *intern,
		       const char *family, bool keep_when_gone);
json_t *conditions_json(const struct conditions *conditions);

/* deployment.c: of the service's status file. */
json_t *deployments_json(const struct control *control, const struct service_state *service,
			 struct arena *scratch);
/* Those that were PRIMARY once, newest first. */
json_t *deployment_history_json(const struct service_state *service);
/* How far the roll-out is, and how long it may take. NULL: there is none under way. */
json_t *rollout_json(const struct control *control, const struct service_state *service);
/* fleet.c: what is held of the service; of NULL: all that is held. */
json_t *holds_json(const struct control *control, const struct service_state *service);
json_t *wire_conditions_json(const struct wire_condition *conditions, uint32_t count);
/* A task in ECS's shape. */
json_t *task_json(const struct wire_task *task, const char *node);
/* attributes[]: effective ones with values, then capabilities without. */
void put_attributes(json_t *doc, const struct str_map *attributes,
		    const struct str_list *capabilities);
/* What the agent registered: versionInfo, registeredAt, registeredResources and `registration`. */
void put_registration(json_t *doc, const struct wire_registration *registration);
/* remainingResources, after what the tasks' definitions take. */
void put_remaining(json_t *doc, uint32_t cpu_units, uint32_t memory_mib,
		   const struct task_resources *taken, uint32_t count);
void put_observed(json_t *doc, const struct wire_observed *observed, const char *node);
/* Remove the values of FIELD_SECRET; names stay. */
void redact(const struct schema *schema, json_t *object);

const char *node_state_name(enum node_state state);
const char *plan_seen_name(enum plan_seen seen);
bool plan_seen_parse(const char *name, enum plan_seen *seen);

/* Is what the planner answers about the fleet to be believed: the store was listed, and a commit is
 * in force or the source was looked at? */
bool fleet_known(const struct control *control);
/* The same of one service: its counts were taken since. Documents may be made between two steps of
 * the controller, when a service is new and not yet judged. */
bool service_known(const struct control *control, const struct service_state *service);

#endif
