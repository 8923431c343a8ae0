#!/bin/bash
# The controller is killed in the middle of a roll-out, and of a rollback: both go on to the same end. A ledger that
# was deleted is rebuilt to the same numbers, and a revision of which only git's history has the content comes back.
# doco-cd#1217, #1254, #1269, #1351, #1840 (a restart deploys everything again, or loses state); nomad 27497.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4"
start_agents $NODES
S=$MUSTER_STATE/store
app() { # TASKDEF [LINE]...: one at a time
	service app "$1" "${@:2}"
	sed -i 's/Seconds: 0/Seconds: 1/' "$T/manifests/app.yaml"
}
nodes_of() { tasks_of app | awk -v t="cell:$1" '$5 == t { print $3 }' | xargs; } # REVISION
has() { [ -n "$(nodes_of "$1")" ]; }
waited() { muster wait --commit "$(head_commit)" --timeout 60s > "$T/wait.out" 2>&1; }
deployed() { muster get services app -o json | jq -r ".services[0] | $1"; }
started=
sampler() { # nodes without a task, nodes with two
	while nap 0.02; do tasks_of app | awk '{ n[$3]++ } END { for (i in n) { k++; if (n[i] > 1) d++ } print 4 - k, d + 0 }'; done
}
killed() { # as a service manager would have it
	kill9 "$MUSTERD"
	started=$(tasks_of app)
	start_musterd
}

taskdef cell label=one
app cell
push "one"
waited
is "$? $(nodes_of 1)" "0 $NODES" "app runs on four nodes" || log_tail
sampler > "$T/samples" &
SAMPLER=$!
echo $SAMPLER >> "$PIDS"

# In the middle of a roll-out.
taskdef cell label=two term-ms=300
push "two"
wait_for 20 has 2
killed
waited
is "$? $(nodes_of 2)" "0 $NODES" "killed in the middle of a roll-out: it is completed" || { cat "$T/wait.out"; log_tail; }
is "$(tasks_of app | grep -cFf <(grep cell:2 <<< "$started"))" "$(grep -c cell:2 <<< "$started")" "what had the new one was not touched again"

# In the middle of a rollback.
taskdef cell label=three sleep=100 exit=3
push "three, bad"
wait_for 20 grep -q ROLLING_BACK "$MUSTER_STATUS/events.jsonl"
killed
gone_back() { [ "$(deployed '.deployments[0] | [.rolloutState, .taskDefinition] | join(" ")')" = "COMPLETED cell:2" ]; }
wait_for 40 gone_back
is "$? $(nodes_of 2)" "0 $NODES" "killed in the middle of a rollback: it goes back" || { deployed .; log_tail; }
like "$(muster describe service app)" "cell:3 .*FAILED|FAILED.* cell:3" "and what failed is known"
kill $SAMPLER
wait $SAMPLER 2> /dev/null
is "$(awk '$1 > 1' "$T/samples" | wc -l)" 0 "never more than one node without its task ($(wc -l < "$T/samples") looks)"
is "$(awk '$2 > 0' "$T/samples" | wc -l)" 0 "kubernetes#50477: never two tasks on a node"

# Many revisions come and go while the controller is down, and its ledger is lost.
numbers() { muster history cell | awk 'NR > 1 { print $1, $5 }'; }
numbers > "$T/before"
kill9 "$MUSTERD"
rm -rf "$S/controller/families"
for i in $(seq 4 18); do
	taskdef cell "label=r$i"
	git -C "$T/manifests" commit -qam "r$i"
done
push "many"
app cell:1
push "back to the first"
start_musterd
for n in $NODES; do # known at once as they register anew
	kill9 "$(agent_pid $n)"
	start_agent $n
done
waited
is "$? $(nodes_of 1)" "0 $NODES" "cell:1: its content comes from git's history" || { cat "$T/wait.out"; log_tail; muster describe service app; }
is "$(for p in $(tasks_of app | awk '{ print $1 }'); do tr '\0' ' ' < "/proc/$p/cmdline"; done | grep -o 'label=[a-z0-9]*' | sort | uniq -c | xargs)" \
	"4 label=one" "as it was"
is "$(numbers | grep -cxFf "$T/before")" 3 "a ledger that was deleted is rebuilt to the same numbers" || { numbers; cat "$T/before"; }
is "$(numbers | head -1 | cut -d' ' -f1)" 18 "and goes on from there"
like "$(muster history app)" '^cell:1 .*COMPLETED' "muster history of the service shows it"
done_testing
