#!/bin/bash
# Story 4: a changed task definition replaces the tasks, old STOPPED before new starts, in the budget.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4"
start_agents $NODES
taskdef app term-ms=150
service app app
push "revision 1"
wait_for 20 nodes_are app "$NODES"
ok $? "revision 1 runs everywhere"
[ "$FAILED" = 0 ] || log_tail
wait_for 10 taskdefs_are app app:1
ok $? "it is app:1"
muster wait --timeout 20s > /dev/null
# Sample from outside: at any moment at most one task a node, and at most one node without any
# (minimumHealthyPercent 90 of 4: one at a time).
sampler() {
	while :; do tasks_of app | awk '{ n[$3]++ } END { for (i in n) { k++; if (n[i] > 1) d++ } print k + 0, d + 0 }'; done
}
sampler > "$T/samples" &
sampler_pid=$!
taskdef app term-ms=150 label=two
push "revision 2"
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1
is $? 0 "the roll-out completes"
kill $sampler_pid
wait $sampler_pid 2> /dev/null
is "$(tasks_of app | awk '{ print $3, $5 }' | tr '\n' ' ')" "n1 app:2 n2 app:2 n3 app:2 n4 app:2 " "app:2 runs everywhere"
is "$(awk '$2 > 0' "$T/samples" | wc -l)" 0 "never two tasks on a node ($(wc -l < "$T/samples") samples)"
is "$(sort -n "$T/samples" | head -1 | awk '{ print ($1 >= 3) }')" 1 "never more than one node without its task"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
git -C "$T/manifests" push -q origin HEAD:main
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
wait_for 10 taskdefs_are app app:1
ok $? "a revert goes back to app:1, not to a new number"
before=$(tasks)
# A definition whose command does not exist fails in prepare: no outage.
sed -i 's|testtask"|no-such-program"|' "$T/manifests/app-task.yaml"
push "a command that is not there"
failing() { muster describe service app | grep -q 'RolledBack .*CannotStartContainerError'; }
wait_for 15 failing
ok $? "it goes back, and status says CannotStartContainerError" || muster describe service app
is "$(tasks)" "$before" "a failed prepare costs no outage: the old tasks run on"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
git -C "$T/manifests" push -q origin HEAD:main
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
is $? 0 "the revert completes"
is "$(tasks)" "$before" "and restarts nothing"
done_testing
