#!/bin/bash
# A roll-out that is stuck says so by itself, in conditions that anyone can read and in words, and at its deadline it
# fails: kubernetes#106054, KEP-2804.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agents n1 n2
condition() { # TYPE: "STATUS REASON" of service app
	muster get services app -o json | jq -r --arg t "$1" '.services[0].conditions[] | select(.type == $t) | .status + " " + .reason'
}
condition_is() { [ "$(condition "$1")" = "$2" ]; }
app() { # SECONDS until a task counts as ready
	service app app 'progressDeadlineSeconds: 3'
	sed -i "s/minReadySeconds: 0/minReadySeconds: $1/" "$T/manifests/app.yaml"
}
app 0
taskdef app label=one
push "one"
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1
is "$? $(condition Ready)" "0 True AllTasksReady" "it runs, and Ready says so" || log_tail
app 3600
taskdef app label=two
push "two: its tasks run and are never ready"
wait_for 20 condition_is Progressing "False DeploymentFailed"
is "$(condition Progressing)" "False DeploymentFailed" "at the deadline it ends, and so does what it goes back to" || log_tail
like "$(muster describe service app)" 'nothing became ready for 3 s; 0 of 2 nodes are ready on it' "and says why" || muster describe service app
app 0
taskdef app label=three
push "a fix"
muster wait --commit "$(head_commit)" --timeout 40s > "$T/wait.out" 2>&1
is "$? $(condition Progressing | cut -d' ' -f1)" "0 False" "what is mended completes" || { cat "$T/wait.out"; log_tail; }
done_testing
