/* loop: what loop.c and process.c share. */
#ifndef MUSTER_LOOP_INTERNAL_H
#define MUSTER_LOOP_INTERNAL_H

#include "loop/loop.h"

#include <uv.h>

struct loop {
	uv_loop_t uv;
	struct on_signal *signals;
	struct process *processes; /* those that run, or whose end nobody waits for any more */
};

/* Kill all that run and forget them; done() of none is called. */
void process_abandon_all(struct loop *loop);

#endif
