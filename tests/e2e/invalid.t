#!/bin/bash
# Story 7: a commit with mistakes changes nothing and says path:line:col, over a restart too.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agent n1
taskdef app
service app app
push "good"
wait_for 20 nodes_are app "n1"
ok $? "the good commit runs"
[ "$FAILED" = 0 ] || log_tail
muster wait --timeout 10s > /dev/null
good=$(head_commit)
before=$(tasks)
sed -i 's/taskDefinition: app/taskDefinitoin: app/' "$T/manifests/app.yaml"
sed -i 's/stopTimeout: 3/stopTimeout: soon/' "$T/manifests/app-task.yaml"
out=$(muster validate "$T/manifests" 2>&1)
is $? 3 "muster validate exits 3"
like "$out" '^app\.yaml:5:3: error: .*taskDefinition' "it names the first mistake with its place and a suggestion"
like "$out" '^app-task\.yaml:[0-9]+:[0-9]+: error: ' "and the second"
push "two mistakes"
invalid() { grep -q 'InvalidCommit' "$MUSTER_STATUS/fleet.yaml"; }
wait_for 10 invalid
ok $? "status says InvalidCommit"
like "$(cat "$MUSTER_STATUS/fleet.yaml")" 'app\.yaml:5:3: error' "with path:line:col of one"
like "$(cat "$MUSTER_STATUS/fleet.yaml")" 'app-task\.yaml:[0-9]+:[0-9]+: error' "and of the other"
muster wait --commit "$(head_commit)" --timeout 10s > /dev/null 2>&1
is $? 3 "muster wait says invalid (3)"
kill -9 "$MUSTERD"
wait_for 5 gone "$MUSTERD"
rm -rf "$MUSTER_STATUS"
start_musterd
wait_for 10 invalid
ok $? "over a restart of musterd"
like "$(grep -A3 -iE '^ *applied' "$MUSTER_STATUS/fleet.yaml")" "$good" "the last good commit stays in force"
start_agent n2
wait_for 25 nodes_are app "n1 n2"
ok $? "and is what a new node gets"
is "$(tasks | grep ' n1 ')" "$before" "the running task was never touched"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
git -C "$T/manifests" push -q origin HEAD:main
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null 2>&1
is $? 0 "a fixed commit is applied"
is "$(tasks | grep ' n1 ')" "$before" "and restarts nothing"
done_testing
