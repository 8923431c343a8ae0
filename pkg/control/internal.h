/*
 * control/internal: what the files of control share. See state.h for the values.
 */
#ifndef MUSTER_CONTROL_INTERNAL_H
#define MUSTER_CONTROL_INTERNAL_H

#include "control/state.h"

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
	struct cached_blob *blob;
	struct manifest_file *parsed;
	uint64_t serial; /* unique: the same serial is the same content at the same path */
	bool used;
};
/* The files of one commit, sorted by path. */
struct file_set {
	struct cached_file **files;
	size_t count;
	struct manifest_tree *tree; /* of a valid commit that may still be applied; NULL */
};
struct file_cache {
	struct map *files; /* "PATH\nBLOB" -> struct cached_file */
	struct map *blobs; /* id -> struct cached_blob */
	uint64_t serial;
	struct file_set seen, applied;
};

struct file_cache *file_cache_new(void);
void file_cache_free(struct file_cache *cache);
/* Put a snapshot's files into .seen. False: a blob is missing, so the whole snapshot is needed. */
bool file_cache_take(struct file_cache *cache, const struct source_snapshot *snapshot);
/* A file by itself, for history; NULL where its bytes are not known. */
const struct manifest_file *file_cache_file(struct file_cache *cache,
					    const struct source_file *file);
/* .applied = .seen, and drop what neither needs. */
void file_cache_apply(struct file_cache *cache);
void file_cache_sweep(struct file_cache *cache);
/* Serial of the file of the seen set with that path. */
uint64_t file_cache_serial(const struct file_cache *cache, const char *path);

/* --- ledger.c: revisions, contents, deployments --------------------------------------------------
 */

struct family *ledger_family(struct control *c, const char *name); /* made when missing */
/* The number of a digest, the next one when it is new. json: its content, when the caller has it.
 */
uint32_t ledger_number(struct control *c, const struct manifest_object *object, const char *commit,
		       int64_t time_unix_ms);
const struct revision *ledger_find(const struct family *family, uint32_t number);
/* Found running under that number: reserve it, so that it is never given to another digest. */
void ledger_adopt(struct control *c, const char *family, uint32_t number,
		  const struct digest *digest);
struct content *content_get(struct control *c, const char *family, uint32_t revision,
			    const struct digest *task_definition, const struct digest *target,
			    const struct task_definition *definition);
/* The content of a revision from the ledger, or NULL where only its number is kept. */
struct content *content_of_revision(struct control *c, const struct family *family,
				    const struct revision *revision, const char *redeploy);
void ledger_load_family(struct control *c, const char *name, struct json_t *doc);
void ledger_load_service(struct control *c, const char *cluster, const char *name,
			 struct json_t *doc);
void ledger_family_document(struct control *c, struct family *family, struct buf *out);
void ledger_service_document(const struct control *c, const struct service_state *service,
			     struct buf *out);
const char *ledger_service_key(struct arena *arena, const struct service_state *service);
/* Begin a deployment of the service's content where it is not the present one. */
void deployment_begin(struct control *c, struct service_state *service, int64_t now_unix_ms);
void contents_sweep(struct control *c);

/* --- apply.c
 * -------------------------------------------------------------------------------------- */

struct service_state *service_get(struct control *c, const char *cluster, const char *name);
/* Make the seen commit the applied one. */
void apply_seen(struct control *c, int64_t now_unix_ms);
/* Apply the seen commit where it is valid and no hold keeps it. */
void apply_consider(struct control *c, int64_t now_unix_ms);
/* Services that are gone from the manifests and from every node: forget them. */
void apply_retire(struct control *c);

/* --- fleet.c: nodes
 * ------------------------------------------------------------------------------- */

struct node_record *node_get(struct control *c, const char *name);
void fleet_document(struct control *c, const char *kind, const char *node, const void *bytes,
		    size_t len, const char *why, int64_t now_ms);
/* Effective state, cluster and attributes -> planner. After manifest, registration or connection.
 */
void fleet_node_changed(struct control *c, struct node_record *node);
/* Tell the planner of one (service, node), or of all services of a node. */
void fleet_fact(struct control *c, struct node_record *node, struct service_state *service);
void fleet_facts(struct control *c, struct node_record *node);
/* Who went silent, who came back, who is expired or lags. Answers when to look again. */
int64_t fleet_liveness(struct control *c, int64_t now_ms, int64_t now_unix_ms);
/* May documents be put for it? */
bool node_ready_for_puts(const struct node_record *node);

/* --- render.c: assignments -> desired documents
 * --------------------------------------------------- */

void render_changes(struct control *c, const struct plan_result *plan, int64_t now_unix_ms);
void render_nodes(struct control *c, int64_t now_ms, struct control_effects *out,
		  struct arena *arena);

/* --- conditions.c
 * --------------------------------------------------------------------------------- */

void condition_set(struct control *c, struct conditions *conditions, enum condition_type type,
		   enum condition_status status, int64_t now_unix_ms, const char *reason,
		   const char *fmt, ...) PRINTF_LIKE(7, 8);
void conditions_release(struct conditions *conditions);
void conditions_of_service(struct control *c, struct service_state *service, int64_t now_ms,
			   int64_t now_unix_ms);
void conditions_of_fleet(struct control *c, int64_t now_ms, int64_t now_unix_ms);
/* Add an event; service and node may be NULL. */
void event_add(struct control *c, struct service_state *service, const char *node, const char *type,
	       const char *name, int64_t now_unix_ms, const char *fmt, ...) PRINTF_LIKE(7, 8);
void event_free(struct control_event *event);

/* --- state.c: what changed
 * -------------------------------------------------------------------------- */

void service_free(struct service_state *service);
void commit_copy(struct commit_facts *to, const struct commit_facts *from);
void dirty_service(struct control *c, struct service_state *service);
void dirty_node(struct control *c, struct node_record *node);
void dirty_family(struct control *c, struct family *family);
void dirty_all_services(struct control *c);

#define copy_commit(dst, src) snprintf((dst), sizeof(dst), "%s", (src) ? (src) : "")

#endif
