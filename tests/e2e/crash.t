#!/bin/bash
# Story 6: a killed task is back at once; a crash-looping one backs off, visibly.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agent n1
taskdef app
service app app
taskdef crash exit=3
service crash crash
push "one that runs, one that crashes"
wait_for 20 nodes_are app "n1"
ok $? "the task runs"
[ "$FAILED" = 0 ] || log_tail
old=$(tasks_of app)
kill -9 "${old%% *}"
back() { now=$(tasks_of app); [ -n "$now" ] && [ "$now" != "$old" ]; }
wait_for 5 back
ok $? "a killed task is back"
crashes() { muster get tasks -o json | jq -e '[.tasks[] | select(.group == "service:crash")] | length >= 3'; }
wait_for 15 crashes
ok $? "the crash loop is visible as stopped tasks"
out=$(muster describe service crash)
like "$out" 'EssentialContainerExited|Essential container' "with the reason"
like "$out" '(exit|Exit).*3' "and the exit code"
backoff() { muster describe service crash | grep -qiE 'restart(s|ed)? *(in|[0-9])|back-?off|restarts'; }
wait_for 10 backoff
ok $? "and the back-off"
is "$(jq -rs '[.[] | select(.service == "crash")] | length > 0' "$MUSTER_STATUS/events.jsonl")" true "events tell of it"
done_testing
