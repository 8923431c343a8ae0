/*
 * engine/docker/internal: what the files of the container engine share.
 *
 * All state is the loop thread's. What the engine shows is asked for by inspecting a container:
 * because of an event, after every call, and all of them every RELIST_MS; calls follow from
 * lifecycle_step() alone. While the engine does not answer every container is UNKNOWN, and nothing
 * is called.
 *
 * An engine that is gone or hangs is no task's failure: what it did not answer is put off until it
 * is there again, and counts for nothing. One that hangs while nothing is asked of it is noticed
 * after RELIST_MS + PING_DEADLINE_MS at the latest.
 */
#ifndef MUSTER_ENGINE_DOCKER_INTERNAL_H
#define MUSTER_ENGINE_DOCKER_INTERNAL_H

#include "engine/docker/create.h"
#include "engine/docker/image.h"
#include "engine/docker/inspect.h"
#include "http/http.h"
#include "watch/watch.h"

#define RELIST_MS	 30000
#define RECONNECT_MIN_MS 250
#define RECONNECT_MAX_MS 10000
#define INSPECTS_AT_ONCE 4

/* Deadlines of calls, most of them as ECS's agent has them. */
#define PING_DEADLINE_MS   5000	 /* before each relist; nothing holds it up but a hanging engine */
#define ASK_DEADLINE_MS	   30000 /* what only asks: a storage that is busy may hold it up */
#define CREATE_DEADLINE_MS 240000
#define START_DEADLINE_MS  180000
#define STOP_MARGIN_S	   30 /* beyond the stop timeout */
#define KILL_DEADLINE_MS   30000
#define REMOVE_DEADLINE_MS 120000
#define VOLUME_DEADLINE_MS 60000
#define PULL_HEAD_MS	   60000 /* until the engine begins to tell of a pull */
#define PULL_IDLE_MS	   120000
#define LOAD_DEADLINE_MS   120000

#define PROGRESS_MS	 1000				/* a pull is told of so often */
#define IMAGE_KEPT_MS	 ((int64_t)24 * 60 * 60 * 1000) /* after its last use */
#define IMAGES_LOOK_MS	 ((int64_t)60 * 60 * 1000)
#define RECORD_MAX_BYTES (4 << 20)
#define TAIL_LINES	 "20"

struct docker_engine;
struct task;

/* --- api.c: calls ------------------------------------------------------------------------------
 */

struct answer {
	bool ok;	  /* status 2xx */
	bool none;	  /* no answer came: .message says why */
	bool away;	  /* none, and the engine is gone or hangs */
	int status, code; /* code: errno of none */
	const char *body; /* NUL-terminated */
	size_t len;
	const char *message; /* of !ok: the engine's words, or ours */
};
/* A call under way. It ends with done(), or with the engine. */
struct call {
	struct docker_engine *engine;
	struct call *next, **link;
	struct http_request *request;
	struct arena arena; /* as long as it */
	void (*done)(struct call *call, const struct answer *answer);
	/* Whom it is about, and what its owner wants to know again: tasks may be gone meanwhile. */
	const char *task, *container;
	uint32_t slot;
	enum lifecycle_call_kind kind;
	void *arg;
	const char *text, *id;
	uint32_t step;
	json_t *json;	  /* given back when it ends */
	bool held;	  /* it goes on with something else than an answer */
	bool probes;	  /* no answer within its deadline means that the engine hangs */
	size_t max_bytes; /* of the answer; 0: INSPECT_MAX_BYTES */
};
struct call *call_new(struct docker_engine *engine,
		      void (*done)(struct call *call, const struct answer *answer));
void call_free(struct call *call);
/* Send: the path without the API's version; body is taken (NULL: none). Again for the next step of
 * the same call; what done() does not send again is freed after it. */
void call_send(struct call *call, const char *method, int64_t deadline_ms, json_t *body,
	       const char *path, ...) PRINTF_LIKE(5, 6);
/* With all that http knows; path without the API's version. */
void call_send_spec(struct call *call, struct http_spec *spec);
const char *query_text(struct arena *arena, const char *text); /* percent-encoded */

/* --- link.c: is the engine there? --------------------------------------------------------------
 */

enum link_state {
	LINK_DOWN,    /* it does not answer; tried again */
	LINK_ASKING,  /* who is it? */
	LINK_IDLE,    /* it answers, and our fleet is not known */
	LINK_LISTING, /* what is ours, and how is it? */
	LINK_UP,
};
void link_start(struct docker_engine *engine);
void link_close(struct docker_engine *engine);
void link_set_fleet(struct docker_engine *engine);
/* A call had no answer: is the engine gone, or does it hang? */
void link_suspect(const struct call *call, const struct answer *answer);
/* It does not answer, or not as it should: away, and tried again. */
void link_failed(struct docker_engine *engine, const char *why);
/* All that was listed is known. */
void link_listed(struct docker_engine *engine);
/* The facts of an earlier agent; where none are kept: false. */
bool link_restore(struct docker_engine *engine);

/* --- tasks.c: what we know of a task -----------------------------------------------------------
 */

struct slot {
	char *id;		/* the engine's; NULL: none is known */
	bool known;		/* asked since the engine is there */
	bool dirty, inspecting; /* to be asked; being asked */
	struct arena arena;
	struct inspected info; /* in the arena; .id NULL: there is none */
	struct lifecycle_container state;
	enum lifecycle_call_kind busy;
	bool answered, answer_ok; /* of busy; it counts when the container was asked again */
	char *answer_reason;
	/* Of its health check. */
	struct exec *exec;
	bool exec_answered, exec_ok;
	int exec_code;
	char *exec_reason;
	/* Its last words. */
	uint64_t tail_run; /* the run that they are of, or are being asked for */
	char *tail;
	bool tail_asked; /* no answer came yet */
	/* Settings when it was first seen, by this version of the engine; none: not yet. */
	struct digest settings;
};

/* Of groups.c. */
struct task_group {
	bool watched, killed; /* is a kill for its memory heard of? was there one? */
	int event_fd;	      /* -1: none */
	int64_t kills;	      /* that are counted already */
};

enum task_stage {
	STAGE_IMAGES, /* its images are being made ready */
	STAGE_LIFE,   /* lifecycle_step() has it */
};
struct task {
	struct docker_engine *engine;
	struct arena arena; /* of what follows */
	struct task_identity id;
	bool identified; /* else only its id and the names of containers are known */
	bool synthetic;	 /* found without its record: the definition is what we see */
	const struct task_definition *td;
	struct str_map environment;	       /* MUSTER_* */
	struct str_map pinned;		       /* images of the desired document */
	const char *images[LIMIT_CONTAINERS];  /* what to create each from; NULL: not yet */
	const char *digests[LIMIT_CONTAINERS]; /* "sha256:..."; NULL */
	const char *boot_id;		       /* in which the record was written last */
	const char *engine_version;	       /* for slot.settings */
	int64_t created_unix_ms, started_unix_ms, stopped_unix_ms;
	enum task_stage stage;
	bool images_asked; /* of STAGE_IMAGES, by this agent */
	char *progress;	   /* of a pull */
	enum lifecycle_wish wish;
	bool stop_asked; /* by our own hand */
	const char *stop_code, *stop_reason;
	bool earlier_boot; /* the record is of an earlier boot */

	struct task_group group;
	struct lifecycle_memory memory;
	struct slot slots[LIFECYCLE_SLOTS];
	struct arena step_arena;
	struct lifecycle_output out; /* in step_arena */
	struct timer *timer;
	engine_done started, removed;
	void *started_arg, *removed_arg;
	bool removing;
	bool keeps_record, cleaned; /* only its record is to stay; only its record is left */
};

struct task *docker_task_new(struct docker_engine *engine, const char *id);
void docker_task_free(struct task *task);
struct task *docker_task_find(struct docker_engine *engine, const char *id);
bool docker_task_is_ours(const struct task *task); /* of our fleet and node */
/* Index of the container of that name, LIFECYCLE_OWNER, or -1. */
int docker_task_slot(const struct task *task, const char *container);
uint32_t docker_task_slot_count(const struct task *task);
uint32_t docker_task_slot_at(const struct task *task, uint32_t n);
/* Look at what is known, and do what follows. */
void docker_task_step(struct task *task);
/* The next step has a call's answer. */
void docker_task_answered(struct task *task, uint32_t slot, bool ok, const char *reason);
/* The engine is away: as if the call had not been made. What came of it is seen when it is back. */
void docker_task_put_off(struct task *task, uint32_t slot);
/* It stops: TaskFailedToStart. */
void docker_task_fail(struct task *task, const char *reason);
/* Remove what is left of a stopped one, but its record, when all of its last words were heard. */
void docker_task_clean(struct task *task);
void docker_task_dirty(struct task *task, uint32_t slot);
void tasks_unknown(struct docker_engine *engine); /* the engine is away */
void tasks_inspect(struct docker_engine *engine); /* ask for what is dirty */
void docker_task_describe(const struct task *task, struct arena *arena, struct node_task *out);

/* Its environment, and the digests of the desired document. */
void docker_task_set_texts(struct task *task, const struct str_map *environment,
			   const struct str_map *pinned);
const char *map_value(const struct str_map *map, const char *name); /* NULL: it has none */
struct str_map docker_copy_map(const struct str_map *from, struct arena *arena);

/* adopt.c: tasks that are found without their records. */
/* The task of a container that is listed, made where it is not known; NULL: it cannot be ours. */
struct task *docker_task_found(struct docker_engine *engine, const struct listed *found);
void docker_task_identify(struct task *task, const struct inspected *info);
void docker_task_define(struct task *task, const struct wire_desired_task *desired,
			const struct str_map *environment);

/* --- record.c ----------------------------------------------------------------------------------
 */

/* STATE/agents/NODE/tasks/ID.json */
bool record_save(struct task *task, bool sync, struct err *err);
void record_remove(struct task *task);
/* All there are, as tasks of the engine. What does not read is left where it is, and said. */
bool records_load(struct docker_engine *engine, struct err *err);

/* --- groups.c: the control group of a task, where its containers have limits together ----------
 */

/* Found by trying: can groups be made here, and does the engine see them? */
bool groups_usable(const struct docker_engine *engine, const struct flavor *flavor);
/* What the engine has to make the containers in; NULL: anywhere. */
const char *groups_parent(const struct task *task, struct arena *arena);
/* Before each start: a group that is not there would be made by the runtime, without limits. */
bool groups_make(struct task *task, struct err *err);
void groups_remove(const struct task *task); /* when its containers are gone */
void groups_sweep(struct docker_engine *engine);
/* Of a task with a running container: listen for kills. False: it has no limits after all. */
bool groups_watch(struct task *task);
/* Was something in the group killed for its memory since the last start? */
bool groups_killed(struct task *task);
void groups_forget(struct task *task);

/* --- resources.c -------------------------------------------------------------------------------
 */

struct resources {
	struct str_map file_environment, secrets, log_secrets;
};
/* False: err is "ResourceInitializationError: ...", and names no value. */
bool resources_read(const struct container_definition *c, struct arena *arena,
		    struct resources *out, struct err *err);
#define DOCKER_FILES(engine) ((struct engine_files){ (engine)->state_dir, "docker" })

/* --- calls.c, exec.c: what lifecycle_step() asks for -------------------------------------------
 */

void calls_make(struct task *task, const struct lifecycle_call *call);
struct exec;
void exec_start(struct task *task, const struct lifecycle_call *call);
void exec_free(struct exec *exec); /* it is forgotten, not ended */
/* Remove what is left of a task: its volumes. Calls task_gone(). */
void calls_remove_volumes(struct task *task);
/* Ask for the last words of a container that ended. */
void calls_tail(struct task *task, uint32_t slot);

/* --- pull.c: images ----------------------------------------------------------------------------
 */

struct image_answer {
	bool ok, away;	    /* away: not ok, because the engine is */
	const char *reason; /* of a failure */
	const char *image;  /* what to create a container from */
	const char *digest; /* "sha256:..."; NULL */
};
struct image_want {
	const char *image;  /* of the container definition */
	const char *pinned; /* digest of the deployment; NULL */
	const char *policy; /* imagePullPolicy; NULL */
	void (*done)(void *arg, const struct image_answer *answer);
	void (*progress)(void *arg, const char *text);
	void *arg;
};
/* Make an image ready. Copies what it needs. done() comes on the loop, or never when the engine is
 * closed. */
void image_want(struct docker_engine *engine, const struct image_want *want);
void pulls_close(struct docker_engine *engine);
/* STATE/agents/NODE/images.json: which images we pulled, and when each was used last. */
void pulled_images_load(struct docker_engine *engine);
void pulled_images_add(struct docker_engine *engine, const char *id, const char *name);
void pulled_images_look(void *engine);
void pulled_images_close(struct docker_engine *engine);

/* pause.c: the image of owners. */
const char *pause_image(struct docker_engine *engine); /* its name */
void pause_want(struct docker_engine *engine, void (*done)(void *arg, const struct image_answer *a),
		void *arg);

/* prepare.c: waits while the engine is away. */
void docker_prepare(void *self, const struct wire_desired_task *task, engine_prepared done,
		    void *arg);
void prepare_task_images(struct task *task);
void prepares_resume(struct docker_engine *engine); /* it is back */
void prepares_close(struct docker_engine *engine);

/* --- docker.c ----------------------------------------------------------------------------------
 */

struct later { /* an answer that comes on the loop */
	engine_done done;
	void *arg;
	bool ok;
	char *reason;
	struct later *next;
};
struct docker_engine {
	struct loop *loop;
	char *fleet, *node, *state_dir, *tasks_dir, *shim, *boot_id, *registry_auth;
	char *socket; /* NULL: whichever of the usual ones is there */
	bool socket_given;
	struct http_client *http;
	struct call *calls;
	bool closing;

	enum link_state link;
	char *why; /* it does not answer */
	struct timer *retry, *relist, *reopen;
	int64_t retry_ms, events_since_ms;
	struct call *events;
	struct watcher *watcher;
	const char *watched;
	struct arena arena, flavor_arena;
	struct flavor flavor;
	bool flavor_known;
	struct digest flavor_digest; /* of the facts that were told last */

	struct map *tasks; /* id -> struct task */
	uint32_t inspecting;
	bool groups_fail; /* they cannot be used, whatever it looks like */
	bool groups_left; /* of tasks that are gone: to be removed with the next list */

	struct map *pulls; /* image and policy -> struct pull */
	struct prepare *prepares;
	struct map *pulled; /* id of an image -> struct pulled_image */
	struct timer *images_timer;
	char *pause_name;

	struct timer *soon;
	struct later *later, **later_last;
	void (*changed)(void *arg);
	void (*facts_changed)(void *arg);
	void (*progress)(void *arg, const char *cluster, const char *service, const char *text);
	void *arg;
};

void docker_answer_later(struct docker_engine *engine, bool ok, const char *reason,
			 engine_done done, void *arg);

#endif
