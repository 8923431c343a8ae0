#!/bin/bash
# A roll-out in steps: canaries, a bake, a pause that a commit ends, the first deployment as well; overrides by
# expression; suspend.
# kubernetes/enhancements#5262, kubernetes#80130 (pause, partition, canary), kubernetes#122753 (other resources for
# other nodes in one DaemonSet).
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4 n5"
start_agents $NODES
node_manifest n4 'attributes: {canary: "yes"}'
app() { # [LINE]...: the service, steps with the PAUSE of now
	service app cell 'rollout:' '  steps:' '  - {expression: "attribute:canary exists", bakeSeconds: 1}' \
		"  - {count: 3, pause: $PAUSE}" "$@"
}
nodes_of() { tasks_of app | awk -v t="cell:$1" '$5 == t { print $3 }' | xargs; } # REVISION
run_it() { [ "$(nodes_of "$1")" = "$2" ]; }                                       # REVISION NODES
at() { # REVISION NODE: when its task started, in hundredths of a second
	tasks_of app | awk -v t="cell:$1" -v n="$2" '$5 == t && $3 == n { print $2 }'
}
says() { muster describe service app | grep -qE -- "$1"; }
waited() { muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1; }

PAUSE=true
taskdef cell label=one
app
push "the first deployment"
wait_for 20 says 'paused after step 2 of 2 \(3 nodes\)'
ok $? "the first deployment pauses after its second step" || { muster describe service app; log_tail; }
is "$(nodes_of 1)" "n1 n2 n4" "three nodes have it: the canary, then by name"
[ $(($(at 1 n1) - $(at 1 n4))) -ge 100 ] && [ $(($(at 1 n2) - $(at 1 n4))) -ge 100 ]
ok $? "the canary came first, and baked for a second" || tasks | sed 's/^/# /'
like "$(muster explain --service app --node n5)" 'WaitsForStep' "explain says that n5 waits for its step"
muster wait --commit "$(head_commit)" --timeout 100ms > "$T/wait.out" 2>&1
is $? 5 "muster wait does not say that it is done"
PAUSE=false app
push "go on"
waited
is "$? $(nodes_of 1)" "0 $NODES" "kubernetes/enhancements#5262: a commit ends the pause"

PAUSE=true
taskdef cell label=two
app
push "the second"
wait_for 20 says 'paused after step 2 of 2'
is "$(nodes_of 2)/$(nodes_of 1)" "n1 n2 n4/n3 n5" "kubernetes#80130: an update stops at its partition"
start_agent n6
wait_for 10 run_it 1 "n3 n5 n6"
ok $? "a new node gets the last COMPLETED revision meanwhile"
victim=$(tasks_of app | awk '$3 == "n5" { print $1 }')
kill -9 "$victim"
back() { [ "$(tasks_of app | awk -v v="$victim" '$3 == "n5" && $1 != v { print $5 }')" = cell:1 ]; }
wait_for 10 back
ok $? "a task that is killed comes back in its node's revision"
PAUSE=false app
push "go on"
waited
is "$? $(nodes_of 2)" "0 $NODES n6" "it goes on to all of them"

# A canary that fails takes nobody with it.
before=$(tasks_of app | awk '$3 != "n4"')
taskdef cell label=three exit=3
push "a bad one"
back_again() { says 'cell:3 .*FAILED|FAILED.* cell:3' && says 'Progressing +False .*RolledBack' && run_it 2 "$NODES n6"; }
wait_for 20 back_again
ok $? "a canary that fails goes back" || { muster describe service app; log_tail; }
is "$(tasks_of app | awk '$3 != "n4"')" "$before" "the others were not touched"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
push "reverted"
waited
is "$? $(muster get services app -o json | jq -r '.services[0].deployments | length')" "0 1" "a revert ends it"

# Overrides.
size() { psenv TEST_RUN="$RUN" MUSTER_NODE SIZE | awk -v n="$1" '$3 == n { print $4 }'; }
override() { # VALUE
	app 'overrides:' '- expression: "attribute:canary exists"' \
		"  containerOverrides: [{name: main, environment: [{name: SIZE, value: $1}]}]"
}
PAUSE=false override big
push "an override"
waited
is "$? $(size n4) $(size n5)" "0 big -" "kubernetes#122753: an override counts where its expression is true"
is "$(tasks_of app | awk '$3 != "n4"')" "$before" "the other nodes were not touched"
PAUSE=false override huge
push "it changes"
waited
is "$? $(size n4)" "0 huge" "a changed override comes to its nodes"
is "$(tasks_of app | awk '$3 != "n4"')" "$before" "and to no other"
PAUSE=false app
push "no override"
waited

# Suspended: frozen as it is.
before=$(tasks_of app)
PAUSE=false app 'suspend: true'
taskdef cell label=four
push "suspended"
frozen() { says 'Suspended: +yes' && says 'cell:4'; }
wait_for 10 frozen
start_agent n7
joined() { muster get nodes n7 | grep -q '^n7 .* yes'; }
wait_for 10 joined
is "$(tasks_of app)" "$before" "suspend: nothing is changed, and nothing starts on a new node"
PAUSE=false app
push "no longer"
waited
is "$? $(nodes_of 4)" "0 $NODES n6 n7" "then it goes on"

like "$(muster history app)" '^cell:3 .*FAILED .*Revert commit' "muster history has what failed"

# A first deployment that fails: there is nothing to go back to.
taskdef new exit=4
service new new 'placementConstraints: [{type: memberOf, expression: "node.name in [n1, n2]"}]'
push "a new one, bad"
is "$(muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1; echo $?)" 1 "a first deployment that fails: muster wait says so (1)"
like "$(muster describe service new)" 'no COMPLETED revision to go back to, so it holds\. .*Revert commit' "describe says why it holds"
taskdef new
push "fixed"
waited
is "$? $(task_nodes new)" "0 n1 n2" "a fix goes through"
done_testing
