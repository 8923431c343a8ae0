/* lifecycle: stopping in reverse, removal, and drift. */
#include "lifecycle_steps.h"

/* --- stopping --------------------------------------------------------------------------------- */

static void wish_to_stop(void)
{
	s.in.wish = LIFECYCLE_STOPPED;
	s.in.stop_reason = "replaced";
}

static void stopping_goes_in_reverse_order(void **state UNUSED)
{
	containers(4);
	s.in.owner = &s.owner;
	depends(B, A, "START");
	depends(C, B, "START");
	s.definitions[C].stop_timeout = INT(5);
	s.definitions[B].stop_timeout = INT(0);
	all_run();
	wish_to_stop();
	STEP(T0 + 1, "stop d 30, stop c 5");
	STOPS("ServiceSchedulerInitiated", "replaced");
	assert_true(s.out.stop_requested);
	s.now[C].busy = s.now[D].busy = LIFECYCLE_STOP;
	STEP(T0 + 2, "");
	exit_at(&s.now[C], T0 + 3, 0);
	s.now[C].busy = LIFECYCLE_NONE;
	STEP(T0 + 3, "stop b 0");
	exit_at(&s.now[B], T0 + 4, 0);
	STEP(T0 + 4, "stop a 30");
	exit_at(&s.now[A], T0 + 5, 0);
	STEP(T0 + 5, "");
	exit_at(&s.now[D], T0 + 6, 0);
	s.now[D].busy = LIFECYCLE_NONE;
	STEP(T0 + 6, "stop owner 2");
	STATUS(TASK_STOPPING);
	exit_at(&s.owner, T0 + 7, 0);
	STEP(T0 + 7, "");
	STATUS(TASK_STOPPED);
	s.in.wish = LIFECYCLE_RUN; /* stopped is for ever */
	STEP(T0 + 8, "");
	STATUS(TASK_STOPPED);
}

static void a_stop_that_does_not_come_back_is_a_kill(void **state UNUSED)
{
	containers(1);
	s.definitions[A].stop_timeout = INT(5);
	all_run();
	wish_to_stop();
	STEP(T0, "stop a 5");
	WAKE(T0 + S(5) + STOP_MARGIN_MS);
	s.now[A].busy = LIFECYCLE_STOP;
	STEP(T0 + 1, "");
	WAKE(T0 + S(5) + STOP_MARGIN_MS);
	STEP(T0 + S(5) + STOP_MARGIN_MS, "kill a");
	s.now[A].busy = LIFECYCLE_KILL;
	STEP(T0 + S(20), "");
	s.now[A].busy = LIFECYCLE_NONE; /* in vain */
	answer(LIFECYCLE_KILL, A, false, "no");
	STEP(T0 + S(21), "kill a");
	STEP(T0 + S(21), "");
	assert_string_equal(s.out.containers[A].reason, "CannotStopContainerError: no");
	WAKE(T0 + S(23));
}

static void a_stop_that_fails_is_tried_for_what_is_left(void **state UNUSED)
{
	containers(1);
	s.definitions[A].stop_timeout = INT(5);
	all_run();
	wish_to_stop();
	STEP(T0, "stop a 5");
	answer(LIFECYCLE_STOP, A, false, "no");
	STEP(T0 + 1, "");
	WAKE(T0 + 1000);
	STEP(T0 + 1500, "stop a 4");
	STEP(T0 + 1501, "");
	WAKE(T0 + 3500);
	forget(true, true);
	STEP(T0 + 2100, "stop a 5"); /* who knows whether the first was made */
	STEP(T0 + S(5), "stop a 3");
	STEP(T0 + 2100 + S(5), "kill a");
}

static void starts_under_way_are_waited_for(void **state UNUSED)
{
	containers(2);
	depends(B, A, "START");
	run_at(&s.now[A], T0);
	s.now[B].state = CONTAINER_CREATED;
	STEP(T0, "start b");
	s.now[B].busy = LIFECYCLE_START;
	wish_to_stop();
	STEP(T0 + 1, "");
	STATUS(TASK_STOPPING);
	run_at(&s.now[B], T0 + 2);
	s.now[B].busy = LIFECYCLE_NONE;
	STEP(T0 + 2, "stop b 30");
}

static void nothing_that_was_not_made_is_stopped(void **state UNUSED)
{
	containers(2);
	wish_to_stop();
	STEP(T0, "");
	STATUS(TASK_STOPPED);
	begin_again();
	containers(2);
	STEP(T0, "create a, create b");
	s.now[A].busy = s.now[B].busy = LIFECYCLE_CREATE;
	wish_to_stop();
	STEP(T0 + 1, "");
	STATUS(TASK_STOPPING);
}

static void removal_takes_all(void **state UNUSED)
{
	containers(3);
	s.in.owner = &s.owner;
	sidecar(B);
	all_run();
	s.now[B].state = CONTAINER_ABSENT;
	s.now[C].state = CONTAINER_CREATED;
	s.in.wish = LIFECYCLE_REMOVED;
	STEP(T0 + 1, "stop a 30");
	exit_at(&s.now[A], T0 + 2, 0);
	STEP(T0 + 2, "stop owner 2");
	exit_at(&s.owner, T0 + 3, 0);
	STEP(T0 + 3, "remove a, remove c");
	assert_false(s.out.removed);
	s.now[A].busy = s.now[C].busy = LIFECYCLE_REMOVE;
	STEP(T0 + 4, "");
	s.now[A].state = CONTAINER_ABSENT;
	s.now[A].busy = s.now[C].busy = LIFECYCLE_NONE;
	answer(LIFECYCLE_REMOVE, C, false, "device busy");
	STEP(T0 + 5, "");
	WAKE(T0 + 3 + 1000);
	assert_string_equal(s.out.containers[C].reason, "CannotRemoveContainerError: device busy");
	STEP(T0 + 1003, "remove c");
	s.now[C].state = CONTAINER_ABSENT;
	STEP(T0 + 1004, "remove owner");
	s.owner.state = CONTAINER_ABSENT;
	STEP(T0 + 1005, "");
	assert_true(s.out.removed);
}

static void a_stop_survives_the_agent(void **state UNUSED)
{
	containers(2);
	all_run();
	exit_at(&s.now[A], T0 + 50, 7);
	STEP(T0 + 51, "stop b 30");
	forget(true, true);
	STEP(T0 + 52, "stop b 30");
	STOPS("EssentialContainerExited", "Essential container in task exited");
	forget(false, true); /* the same is seen again */
	STEP(T0 + 53, "stop b 30");
	STOPS("EssentialContainerExited", "Essential container in task exited");
}

/* --- drift ------------------------------------------------------------------------------------ */

static void a_paused_one_is_unpaused(void **state UNUSED)
{
	containers(1);
	all_run();
	s.now[A].state = CONTAINER_PAUSED;
	STEP(T0 + 1, "unpause a");
	STATUS(TASK_RUNNING);
	answer(LIFECYCLE_UNPAUSE, A, false, "no");
	STEP(T0 + 2, "");
	STEP(T0 + 2, "");
	assert_string_equal(s.out.containers[A].reason, "CannotUnpauseContainerError: no");
	s.now[A].state = CONTAINER_RUNNING;
	STEP(T0 + 3, "");
	assert_null(s.out.containers[A].reason);
	s.now[A].state = CONTAINER_PAUSED;
	STEP(T0 + 4, "unpause a");
}

static void a_paused_one_is_unpaused_to_be_stopped(void **state UNUSED)
{
	containers(1);
	all_run();
	s.now[A].state = CONTAINER_PAUSED;
	wish_to_stop();
	STEP(T0, "unpause a");
	STEP(T0 + S(1), "unpause a");
	STEP(T0 + S(3), "unpause a");
	STEP(T0 + S(7), "kill a");
	STEP(T0 + S(8), "kill a");
	s.now[A].state = CONTAINER_RUNNING;
	STEP(T0 + S(8) + 1, "stop a 30");
}

static void a_removed_one_is_made_again_or_ends_the_task(void **state UNUSED)
{
	containers(3);
	sidecar(B);
	depends(B, C, "COMPLETE"); /* it ran: no waiting again */
	all_run();
	s.now[B].state = CONTAINER_ABSENT;
	STEP(T0 + 1, "create b");
	STATUS(TASK_RUNNING);
	s.now[B].state = CONTAINER_CREATED;
	STEP(T0 + 2, "start b");
	run_at(&s.now[B], T0 + 3);
	STEP(T0 + 3, "");
	s.now[A].state = CONTAINER_ABSENT;
	STEP(T0 + 4, "stop b 30");
	STOPS("EssentialContainerExited", "Essential container in task exited: a was removed");
	assert_string_equal(s.out.containers[A].reason, "it was removed by another hand");
	assert_false(s.out.containers[A].has_exit_code);
}

static void one_removed_before_it_ran_is_made_again(void **state UNUSED)
{
	containers(1);
	s.now[A].state = CONTAINER_CREATED;
	STEP(T0, "start a");
	s.now[A].state = CONTAINER_ABSENT;
	STEP(T0 + 1, "create a");
	STATUS(TASK_PENDING);
}

static void a_changed_one_ends_the_task(void **state UNUSED)
{
	containers(2);
	sidecar(B);
	all_run();
	s.now[B].changed = true;
	STEP(T0 + 1, "stop b 30, stop a 30");
	STOPS("UserInitiated", "b was changed by another hand");
	assert_false(s.out.stop_requested);
}

static void one_started_after_the_stop_is_stopped(void **state UNUSED)
{
	containers(1);
	all_run();
	exit_at(&s.now[A], T0 + 1, 1);
	STEP(T0 + 1, "");
	STATUS(TASK_STOPPED);
	run_at(&s.now[A], T0 + 2);
	STEP(T0 + 2, "stop a 30");
	STATUS(TASK_STOPPED);
	exit_at(&s.now[A], T0 + 3, 1);
	STEP(T0 + 3, "");
	run_at(&s.now[A], T0 + S(500));
	STEP(T0 + S(500), "stop a 30"); /* with all its time again */
}

static void the_end_of_the_owner_ends_the_task(void **state UNUSED)
{
	for (int how = 0; how < 2; how++) {
		begin_again();
		containers(1);
		s.in.owner = &s.owner;
		all_run();
		s.owner.state = how ? CONTAINER_ABSENT : CONTAINER_EXITED;
		STEP(T0 + 1, "stop a 30");
		STOPS("EssentialContainerExited", how ? "Essential container in task exited: the "
							"container of the task's network was "
							"removed"
						      : "Essential container in task exited: the "
							"container of the task's network ended");
	}
}

/* What was created for the network of one that is gone cannot be started. */
static void an_owner_removed_before_anything_ran_ends_the_task(void **state UNUSED)
{
	containers(1);
	s.in.owner = &s.owner;
	s.now[A].state = CONTAINER_CREATED;
	STEP(T0, "");
	STATUS(TASK_STOPPED);
	begin_again();
	containers(1);
	s.in.owner = &s.owner;
	run_at(&s.owner, T0);
	STEP(T0, "create a");
	s.owner.state = CONTAINER_ABSENT; /* a is not yet */
	STEP(T0 + 1, "create owner");
}

static void what_must_have_ended_is_not_made_again(void **state UNUSED)
{
	containers(2);
	depends(B, A, "SUCCESS");
	sidecar(A);
	run_at(&s.now[B], T0); /* a was pruned, and no memory */
	STEP(T0, "");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.containers[A].status, TASK_STOPPED);
}

static void unknown_keeps_all(void **state UNUSED)
{
	containers(2);
	all_run();
	s.now[B].state = CONTAINER_UNKNOWN;
	exit_at(&s.now[A], T0 + 1, 1);
	wish_to_stop();
	STEP(T0 + 2, "");
	STATUS(TASK_RUNNING);
	assert_int_equal(s.out.containers[B].status, TASK_RUNNING);
	s.now[B].state = CONTAINER_RUNNING;
	STEP(T0 + 3, "stop b 30");
	s.now[A].state = s.now[B].state = CONTAINER_UNKNOWN;
	STEP(T0 + S(100), "");
	STATUS(TASK_STOPPING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(stopping_goes_in_reverse_order),
		RULE(a_stop_that_does_not_come_back_is_a_kill),
		RULE(a_stop_that_fails_is_tried_for_what_is_left),
		RULE(starts_under_way_are_waited_for),
		RULE(nothing_that_was_not_made_is_stopped),
		RULE(removal_takes_all),
		RULE(a_stop_survives_the_agent),
		RULE(a_paused_one_is_unpaused),
		RULE(a_paused_one_is_unpaused_to_be_stopped),
		RULE(a_removed_one_is_made_again_or_ends_the_task),
		RULE(one_removed_before_it_ran_is_made_again),
		RULE(a_changed_one_ends_the_task),
		RULE(one_started_after_the_stop_is_stopped),
		RULE(the_end_of_the_owner_ends_the_task),
		RULE(an_owner_removed_before_anything_ran_ends_the_task),
		RULE(what_must_have_ended_is_not_made_again),
		RULE(unknown_keeps_all),
	};
	return cmocka_run_group_tests_name("lifecycle_stop", tests, NULL, NULL);
}
