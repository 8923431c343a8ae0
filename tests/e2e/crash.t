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
crashes() { muster get tasks crash -o json | jq -e '[.tasks[] | select(.lastStatus == "STOPPED")] | length >= 3'; }
wait_for 15 crashes
ok $? "the crash loop is visible as stopped tasks"
is "$(muster get tasks crash -o json | jq -c '[.tasks[] | select(.lastStatus == "STOPPED")
	| {stopCode, code: .containers[0].exitCode, reason: (.stoppedReason | length > 0)}] | unique')" \
	'[{"stopCode":"EssentialContainerExited","code":3,"reason":true}]' "each with code and reason"
like "$(muster get tasks crash)" 'STOPPED .* 3 +Essential container' "in the table too"
out=$(muster describe service crash)
like "$out" '^[0-9a-f]{8} +n1 +crash:1 +20[0-9TZ:-]+ +3 +Essential container' "and in the service's description"
backoff() { muster describe service crash | grep -qE '^n1 +TaskFailing +PENDING +[0-9]+ .*restart in [0-9]+ s'; }
wait_for 10 backoff
ok $? "and the back-off"
is "$(jq -rs '[.[] | select(.service == "crash")] | length > 0' "$MUSTER_STATUS/events.jsonl")" true "events tell of it"
done_testing
