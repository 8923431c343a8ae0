#!/bin/bash
# A node that vanishes within monitorSeconds after its update counts as a failure, as a task that crashes does
# (nomad 27605, kubernetes#73011): the roll-out goes back on the nodes that are there.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4"
start_agents $NODES
revisions() { tasks_of app | awk '{ sub(/.*:/, "", $5); print $3 "=" $5 }' | sort | xargs; }
they_are() { [ "$(revisions)" = "$1" ]; }
mkdir "$T/manifests/clusters"
printf 'apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\nspec: {nodeTimeoutSeconds: 15}\n' > "$T/manifests/clusters/default.yaml"
service app app 'deploymentConfiguration:' '  minimumHealthyPercent: 75' \
	'  deploymentCircuitBreaker: {enable: true, rollback: true, thresholdConfiguration: {type: COUNT, value: 1}}'
sed -i 's/monitorSeconds: 0/monitorSeconds: 1/' "$T/manifests/app.yaml"
taskdef app label=one
push "one"
muster wait --commit "$(head_commit)" --timeout 40s > "$T/wait.out" 2>&1
is "$? $(revisions)" "0 n1=1 n2=1 n3=1 n4=1" "it runs" || log_tail
sed -i 's/monitorSeconds: 1/monitorSeconds: 300/' "$T/manifests/app.yaml"
taskdef app label=two
push "two"
wait_for 30 they_are "n1=2 n2=2 n3=2 n4=2"
ok $? "an update goes through, and is watched" || log_tail
pid=$(tasks_of app | awk '$3 == "n1" { print $1 }')
shim=$(awk '{ print $4 }' "/proc/$pid/stat")
kill9 "$(agent_pid n1)"
kill9 "$shim" "$pid"
wait_for 60 they_are "n2=1 n3=1 n4=1"
ok $? "one that vanishes meanwhile is a failure: it goes back" || log_tail
says() { muster describe service app | tr -s ' \n' ' ' | grep -qE -- "$1"; }
wait_for 10 says 'Progressing True [^ ]+ RollingBack'
ok $? "describe says so" || muster describe service app
wait_for 10 says 'n1: the node is unreachable'
ok $? "and why" || muster describe service app
start_agent n1
wait_for 30 they_are "n1=1 n2=1 n3=1 n4=1"
ok $? "when it is back it has what the others have" || log_tail
done_testing
