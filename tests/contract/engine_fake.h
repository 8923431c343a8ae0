/*
 * An engine in memory, for tests. It runs the words of tests/helpers/testtask that matter to who
 * watches: "exit=N" ends the task at once, "kill=N" too, any other words run until the stop. A
 * program that does not exist cannot be started. What "runs" outlives the engine: it is kept by
 * state_dir until engine_fake_reset().
 */
#ifndef MUSTER_TESTS_ENGINE_FAKE_H
#define MUSTER_TESTS_ENGINE_FAKE_H

#include "engine/engine.h"

extern const struct engine_ops engine_fake_ops;
void engine_fake_reset(void);

#endif
