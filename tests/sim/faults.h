/* The simulator: faults, and which states they met. Included by sim.h. */
#ifndef MUSTER_SIM_FAULTS_H
#define MUSTER_SIM_FAULTS_H

/* --- faults, and what they met ------------------------------------------------------------------
 */

#define FAULTS(X)                                                                                  \
	X(WATCH_LATE, "watch late")                                                                \
	X(WATCH_LOST, "watch lost")                                                                \
	X(WATCH_DOUBLED, "watch doubled")                                                          \
	X(REQUEST_SLOW, "request slow")                                                            \
	X(PUT_FAILED, "put failed")                                                                \
	X(PUT_FAILED_HAPPENED, "put failed, happened")                                             \
	X(NODE_CUT, "node cut off")                                                                \
	X(CONTROLLER_CUT, "controller cut off")                                                    \
	X(STORE_DOWN, "store down")                                                                \
	X(STORE_CRASH, "store lost unsynced")                                                      \
	X(DOC_DAMAGED, "document damaged")                                                         \
	X(CONTROLLER_KILLED, "controller killed")                                                  \
	X(CONTROLLER_EFFECT, "killed between effects")                                             \
	X(CONTROLLER_LOST, "controller state lost")                                                \
	X(CONTROLLER_CLOCK, "controller clock step")                                               \
	X(SOURCE_AWAY, "source away")                                                              \
	X(AGENT_KILLED, "agent killed")                                                            \
	X(AGENT_ACTION, "killed between actions")                                                  \
	X(AGENT_UNSYNCED, "agent's unsynced lost")                                                 \
	X(NODE_REBOOT, "node reboots")                                                             \
	X(NODE_OFF, "node off for long")                                                           \
	X(NODE_REINSTALLED, "node reinstalled")                                                    \
	X(NODE_RENAMED, "node renamed")                                                            \
	X(NODE_FORGOTTEN, "node forgotten")                                                        \
	X(NODE_ATTRIBUTE, "attribute changes")                                                     \
	X(NODE_CLOCK, "node clock step")                                                           \
	X(ENGINE_AWAY, "engine away")                                                              \
	X(ENGINE_SLOW, "engine slow")                                                              \
	X(START_FAILED, "start failed")                                                            \
	X(TASK_CRASHED, "task crashed")                                                            \
	X(TASK_SICK, "task unhealthy")                                                             \
	X(DISK_FULL, "disk full")                                                                  \
	X(COMMIT_GOOD, "commit good")                                                              \
	X(COMMIT_BAD, "commit bad")                                                                \
	X(COMMIT_INVALID, "commit invalid")                                                        \
	X(COMMIT_REVERT, "commit reverted")                                                        \
	X(COMMIT_FORCED, "force push")                                                             \
	X(COMMIT_DRAIN, "commit drains")                                                           \
	X(COMMIT_SERVICES, "services come and go")                                                 \
	X(ALLOWED, "holds allowed")
enum fault {
#define X(name, text) F_##name,
	FAULTS(X)
#undef X
		FAULT_COUNT
};
/* Message and task faults happen by chance at each message and task; the others come as events. */
struct chances { /* of 1000 */
	uint32_t watch_late, watch_lost, watch_doubled, request_slow, put_failed;
	uint32_t controller_dies, agent_dies;
	uint32_t start_failed, start_slow, flaps;
};
bool chance(struct sim *sim, uint32_t per_mille);
void fault_met(struct sim *sim, enum fault fault, uint32_t machine); /* WORLD: no machine */
void faults_begin(struct sim *sim);
void fault_event(struct sim *sim);
void heal_event(struct sim *sim, const struct event *event);
/* No more faults, and all that were are over. */
void faults_end(struct sim *sim);
/* `muster allow` of all that is held; false: nothing is. */
bool holds_allow(struct sim *sim);
bool fault_commit(struct sim *sim, enum fault fault);

enum deployment_state {
	D_NONE,
	D_FIRST, /* its first, IN_PROGRESS */
	D_UPDATE,
	D_PAUSED, /* or between two steps, or its window is shut */
	D_ROLLBACK,
	D_COMPLETED,
	D_FAILED,
	D_ROLLED_BACK,
	D_AWAY, /* no controller knows */
	DEPLOYMENT_STATES
};
enum agent_state {
	A_OFF,
	A_UNREGISTERED,
	A_UNKNOWN, /* no desired document */
	A_PREPARING,
	A_STOPPING,
	A_STARTING,
	A_WAITING, /* back-off, its turn, a dependency */
	A_UNREADY,
	A_READY,
	AGENT_STATES
};
struct coverage {
	uint64_t deployment[FAULT_COUNT][DEPLOYMENT_STATES];
	uint64_t agent[FAULT_COUNT][AGENT_STATES];
	uint64_t events, effects, actions, puts, seeds, converged, simulated_ms;
};
/* States before a fault, of which fault_count() takes note. */
struct sim_states {
	bool deployment[DEPLOYMENT_STATES];
	enum agent_state agent[MACHINES_MAX];
};
void fault_states(const struct sim *sim, struct sim_states *states);
void fault_count(struct sim *sim, enum fault fault, uint32_t machine,
		 const struct sim_states *states);
void coverage_print(const struct coverage *coverage);

#endif
