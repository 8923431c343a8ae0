/*
 * control/internal: what the files of control share. See state.h for the values.
 */
#ifndef MUSTER_CONTROL_INTERNAL_H
#define MUSTER_CONTROL_INTERNAL_H

#include "control/state.h"

#include <stdio.h>

/* --- cache.c: parsed files by (path, blob) -----------------------------------------------------
 */

struct cached_blob {
	char *id;
	void *bytes;
	size_t len;
	bool used;
};
struct cached_file {
	char *path;
	struct cached_blob *blob;     /* NULL: too large, or data whose bytes are not kept */
	struct manifest_file *parsed; /* NULL: data, which task definitions may name */
	bool too_large;
	bool wanted;	 /* data that one does name: its bytes are kept */
	uint64_t serial; /* unique: the same serial is the same content at the same path */
	bool used;
	bool numbered; /* its task definitions are in the ledger */
};
/* The files of one commit, sorted by path. */
struct file_set {
	struct cached_file **files;
	size_t count;
	struct manifest_tree *tree; /* of a valid commit that may still be applied; NULL */
};
struct file_cache {
	struct map *files; /* by path, blob and whether it is data -> struct cached_file */
	struct map *blobs; /* id -> struct cached_blob */
	uint64_t serial;
	struct buf key; /* scratch */
	struct file_set seen, applied;
	bool any_wants_data; /* some task definition ever named a file */
};

struct file_cache *file_cache_new(void);
void file_cache_free(struct file_cache *cache);
/* Take the bytes that a snapshot brings. False: some that it needs are missing: it must be given
 * whole. */
bool file_cache_add(struct file_cache *cache, const struct source_snapshot *snapshot);
/* A file by itself, after file_cache_add() said that all are known. */
struct cached_file *file_cache_get(struct file_cache *cache, const struct source_file *file);
/* These files, sorted by path, as a set with a tree; of a snapshot after file_cache_add(). */
struct file_set file_set_build(struct cached_file *const *files, size_t count);
struct file_set file_cache_build_snapshot(struct file_cache *cache,
					  const struct source_snapshot *snapshot);
/* Make the set, which is taken over, the seen one. */
void file_cache_see(struct file_cache *cache, struct file_set *set);
void file_set_release(struct file_set *set);
/* The files of a set, or of a map by path, as task definitions name them. */
struct manifest_data file_set_data(struct file_set *set);
struct manifest_data file_map_data(struct map *files);
/* .applied = .seen, and drop what neither needs. */
void file_cache_apply(struct file_cache *cache);
void file_cache_sweep(struct file_cache *cache);
bool file_cache_seen_is_applied(const struct file_cache *cache);
/* Serial of the file of the seen set with that path. */
uint64_t file_cache_serial(const struct file_cache *cache, const char *path);

/* --- ledger.c: revisions and their contents ------------------------------------------------------
 */

/* A number beyond this is not believed, wherever it was found. */
#define REVISION_MAX 1000000000

struct family *ledger_family(struct control *c, const char *name); /* made when missing */
/* The number of a definition, the next one when it is new. */
uint32_t ledger_number(struct control *c, const struct manifest_object *object, const char *commit,
		       int64_t time_unix_ms);
/* The same, and it is the family's current one: its content is kept. */
void ledger_current(struct control *c, const struct manifest_object *object);
const struct revision *ledger_find(const struct family *family, uint32_t number);
bool ledger_lacks(const struct control *c, const char *family, uint32_t number);
/* Found assigned or running under that number: reserve it, so that it is never given to another
 * content. digest: of the task definition, none where only the target is known. */
void ledger_adopt(struct control *c, const char *family, uint32_t number,
		  const struct digest *digest, const struct digest *target);
/* definition NULL: not known. */
struct content *content_get(struct control *c, const char *family, uint32_t revision,
			    const struct digest *task_definition, const struct digest *target,
			    const struct task_definition *definition);
/* Of a task in a desired document: its definition stands in until manifest or ledger give theirs,
 * as it may be what a cluster has mapped. */
struct content *content_as_rendered(struct control *c, const struct wire_desired_task *task);
/* The content of a revision from the ledger with that target, or NULL where it is not kept. */
struct content *content_of_revision(struct control *c, const struct family *family,
				    const struct revision *revision, const struct digest *target);
/* A revision whose content is no longer kept is wanted: the history is asked for it, once. False:
 * that was in vain. */
bool ledger_want_content(struct control *c, struct family *family, uint32_t number);
/* Is its definition known, or can it be had from the ledger? */
bool content_complete(struct control *c, struct content *content,
		      const struct service_state *service);
/* Drop contents that no service wants and no node is assigned, when many came. */
void contents_sweep(struct control *c);

/* --- records.c: deployments, and the ledger's documents
 * -------------------------------------------- */

#define LEDGER_FAMILIES "controller/families/"
#define LEDGER_SERVICES "controller/services/" /* CLUSTER~NAME */

/* The document of that key, at the start; bytes NULL: absent, or unreadable for the reason. */
void ledger_told(struct control *c, const char *key, const void *bytes, size_t len,
		 const char *why);
void ledger_family_document(const struct control *c, const struct family *family, struct buf *out);
void ledger_service_document(const struct control *c, const struct service_state *service,
			     struct buf *out);
const char *ledger_service_key(struct arena *arena, const struct service_state *service);
void ledger_dirty_family(struct control *c, struct family *family);
void ledger_dirty_service(struct control *c, struct service_state *service);

/* --- release.c ----------------------------------------------------------------------------------
 */

/* Made of that definition; the digest is its own. Overrides and redeploy may be NULL. */
struct release *release_new(struct control *c, const char *family, uint32_t revision,
			    const struct digest *task_definition,
			    const struct task_definition *definition,
			    const struct override_list *overrides, const char *redeploy);
/* From the ledger. NULL: its content is no longer kept, or is not what the deployment was made of.
 */
struct release *release_of_revision(struct control *c, const char *family, uint32_t number,
				    const struct override_list *overrides, const char *redeploy);
struct release *release_of_deployment(struct control *c, const struct deployment *deployment);
/* Freed with the next tell_planner(), which makes the planner let go of it, unless the service
 * still has it. */
void release_drop(struct control *c, const struct service_state *service, struct release *release);
void releases_free_dropped(struct control *c);
void release_free(struct release *release);
/* What nodes run that no override is for; NULL of NULL. */
struct content *release_base(const struct release *release);
/* The variant with that target, or NULL. */
struct content *release_content(const struct release *release, const struct digest *target);
bool release_has(const struct release *release, const struct content *content);
/* A tag means one image for all of its variants. */
void release_share_images(const struct release *release, const struct content *from);

/* --- deployment.c -------------------------------------------------------------------------------
 */

/* After .wanted was set: begin its deployment where it is not the present one, nor the one that
 * failed and went back; .current and .completed follow. tell_planner() is to follow. */
void deployment_begin(struct control *c, struct service_state *service, int64_t now_unix_ms);
/* .current and .completed after the state of .primary has changed. tell_planner() is to follow. */
void deployment_releases(struct control *c, struct service_state *service);
/* The PRIMARY one has failed: is there a COMPLETED one to go back to? Then it becomes a deployment.
 * tell_planner() is to follow. */
bool deployment_can_go_back(const struct service_state *service);
void deployment_go_back(struct control *c, struct service_state *service, int64_t now_unix_ms);
void deployment_release(struct deployment *deployment);

/* --- tell.c, rollouts.c
 * ---------------------------------------------------------------------------
 */

/* What the planner is told of the service, again. */
void tell_planner(struct control *c, struct service_state *service);
/* How far the roll-outs are, and may go now. True: the planner was told something new. */
bool rollouts_judge(struct control *c);
/* Of this one, at once: before the planner is told of it. */
void rollout_rejudge(struct control *c, struct service_state *service);
/* Holds of what waits for its window, or is too much at a time. */
void holds_of_services(struct control *c);
/* When to judge again. */
int64_t rollouts_wake(const struct control *c);
/* A stop without replacement was decided: the guard counts it. */
void rollout_count_stop(struct control *c, struct service_state *service);
/* Release what .allowed names of the holds of services. */
void rollouts_allow(struct control *c);

/* --- apply.c
 * -------------------------------------------------------------------------------------- */

struct service_state *service_get(struct control *c, const char *cluster, const char *name);
/* Make the seen commit the applied one. */
void apply_seen(struct control *c, int64_t now_unix_ms);
/* Services that run and that the applied commit does not know are gone from the manifests. */
void apply_strangers(struct control *c, int64_t now_unix_ms);
/* Services that are gone from the manifests and from every node: forget them. */
void apply_retire(struct control *c);
/* Does its manifest say that its tasks stay when it goes? */
bool service_prune_disabled(const struct service_state *service);

/* --- images.c
 * ------------------------------------------------------------------------------------- */

/* Do its nodes pull images? */
bool images_pulled(const struct content *content);
/* Does some container wait for the first node to tell the digest of its image? */
bool images_unresolved(const struct content *content);
/* The node was observed: learn the digests that it tells of what it is assigned. */
void images_learn(struct control *c, struct node_record *node);
/* Take those of a desired document; what is known already stays. */
void images_take(struct content *content, const struct str_map *images);
/* For the ledger. */
struct json_t;
struct json_t *images_json(const struct content *content);
void images_load(struct content *content, const struct json_t *json);

/* --- hold.c
 * --------------------------------------------------------------------------------------- */

/* Apply the seen commit where it is valid and no hold keeps it. */
void apply_consider(struct control *c, int64_t now_unix_ms);
/* This cause stands: a hold for as long as it is put again and again. service NULL: of the commit.
 */
void hold_put(struct control *c, enum hold_cause cause, struct service_state *service,
	      const char *id, uint32_t count, const char *message);
/* All that stand of services were put: the others have ended. */
void holds_of_services_told(struct control *c);
void hold_free(struct hold *hold);
/* 16 hex digits and a NUL. */
void hold_make_id(const char *cause, char out[17]);

/* --- fleet.c: nodes
 * ------------------------------------------------------------------------------- */

struct node_record *node_get(struct control *c, const char *name);
/* Effective state, cluster and attributes -> planner. After manifest, registration or connection.
 */
void fleet_node_changed(struct control *c, struct node_record *node);
/* Tell the planner of one (service, node), of all services of a node, of all nodes of a service. */
void fleet_fact(struct control *c, struct node_record *node, struct service_state *service);
void fleet_facts(struct control *c, struct node_record *node);
void fleet_service_facts(struct control *c, struct service_state *service);
/* A sign of life. */
void fleet_alive(struct control *c, struct node_record *node, int64_t now_ms);
/* Who went silent, who is expired or lags. Answers when to look again. */
int64_t fleet_liveness(struct control *c, int64_t now_ms, int64_t now_unix_ms);
/* A start that may yet come up: until it is up or failed, or had monitorSeconds for it. */
bool fleet_is_starting(struct control *c, const struct service_state *service,
		       const struct assignment *assignment, const struct wire_task *task);
/* Tell the planner which starts had their time to come up; at starts_end_ms. */
void fleet_starts(struct control *c);
/* Forget nodes that are neither registered nor declared. */
void fleet_retire(struct control *c);
/* May documents be put for it? */
bool node_ready_for_puts(const struct node_record *node);

/* --- documents.c: nodes/, desired/ and observed/ of a node
 * ------------------------------------------ */

void fleet_document(struct control *c, const char *kind, const char *node, const void *bytes,
		    size_t len, const char *why, int64_t now_ms);
/* Has the agent acknowledged what was put? Is it ahead of that? */
void fleet_behind(struct control *c, struct node_record *node, int64_t now_ms);

/* --- render.c: assignments -> desired documents
 * --------------------------------------------------- */

void render_changes(struct control *c, const struct plan_result *plan, int64_t now_unix_ms);
void render_nodes(struct control *c, int64_t now_ms, struct control_effects *out,
		  struct arena *arena);
/* A content's task definition as the service's cluster maps it: what nodes are told, and what they
 * must be able to do. */
const struct task_definition *render_definition(const struct control *c,
						const struct service_state *service,
						const struct content *content, struct arena *arena);
/* Of a desired document but its number: the same digest says the same to the agent. */
struct digest render_digest(const struct wire_desired *doc);

/* --- conditions.c
 * --------------------------------------------------------------------------------- */

void condition_set(struct control *c, struct conditions *conditions, enum condition_type type,
		   enum condition_status status, int64_t now_unix_ms, const char *reason,
		   const char *fmt, ...) PRINTF_LIKE(7, 8);
void conditions_release(struct conditions *conditions);
/* Nodes match it, and none has what it needs. why (may be NULL): what how many of them lack. */
bool service_runs_nowhere(const struct control *c, const struct service_state *service,
			  struct buf *why);
void conditions_of_service(struct control *c, struct service_state *service, int64_t now_unix_ms);
void conditions_of_fleet(struct control *c, int64_t now_unix_ms);
/* Add an event; service and node may be NULL. */
void event_add(struct control *c, struct service_state *service, const char *node, const char *type,
	       const char *name, int64_t now_unix_ms, const char *fmt, ...) PRINTF_LIKE(7, 8);
void event_free(struct control_event *event);
/* The service goes: its events that nobody was told yet become the fleet's. */
void events_hand_over(struct control *c, struct service_state *service);

/* --- state.c: what changed
 * -------------------------------------------------------------------------- */

void service_free(struct service_state *service);
void node_free(struct node_record *node);
void commit_copy(struct commit_facts *to, const struct commit_facts *from);
void dirty_service(struct control *c, struct service_state *service);
void dirty_node(struct control *c, struct node_record *node);
void dirty_family(struct control *c, struct family *family);
void dirty_all_services(struct control *c);

#define copy_commit(dst, src) snprintf((dst), sizeof(dst), "%s", (src) ? (src) : "")

/* --- lineage.c: the commits that the one seen last descends from ---------------------------------
 */

/* History and tip of a snapshot that was taken over, or is restored. */
void lineage_take(struct control *c, const struct source_snapshot *snapshot);
/* As the history of the applied commit's own snapshot, so that it outlives a restart. */
void lineage_give(const struct control *c, struct arena *arena, struct source_snapshot *out);

#endif
