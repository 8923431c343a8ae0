#!/bin/bash
# What people see of a roll-out: muster plan before the push says what then happens; describe, get, history,
# explain and wait say where it is, at 80 columns. fluxcd/flux2#5439 (a diff before the merge, also of what does not
# exist yet).
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4"
start_agents $NODES
plan() { # CODE [FLAG]...: of the manifests; what it says is in $out
	local want=$1 got
	shift
	out=$(muster plan "$T/manifests" "$@" 2>&1)
	got=$?
	is "$got" "$want" "plan: exit code $want"
	[ "$got" = "$want" ] || printf '%s\n' "$out" | sed 's/^/# /'
}
narrow() { # TEXT COMMAND...: on a terminal of 80 columns no line is longer; what it says is in $out
	local text=$1
	shift
	script -qec "stty cols 80; $*" /dev/null < /dev/null | tr -d '\r' > "$T/narrow"
	out=$(< "$T/narrow")
	[ "$(LC_ALL=C.UTF-8 wc -L < "$T/narrow")" -le 80 ]
	ok $? "$text: 80 columns" || sed 's/^/# /' "$T/narrow"
}
app() { # [LINE]...: in steps
	service app app 'rollout:' '  steps:' "  - {count: 1, bakeSeconds: 1, pause: $PAUSE}" '  - {percent: 75}' "$@"
}
nodes_of() { tasks_of app | awk -v t="app:$1" '$5 == t { print $3 }' | xargs; } # REVISION

PAUSE=false
taskdef app
app
wait_for 10 [ -e "$MUSTER_STATUS/fleet.yaml" ]
plan 1
like "$out" 'default/app: create to app:1 \(new content\)' "a new service"
push "app"
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
is "$? $(task_nodes app)" "0 $NODES" "app runs" || log_tail
plan 0
is "$out" "Nothing would change." "nothing to do"

# --- before the push, and after it
PAUSE=true
taskdef app label=two
app 'overrides:' '- {expression: "node.name == n3", containerOverrides: [{name: main, environment: [{name: A, value: b}]}]}'
plan 1
is "$(wc -L <<< "$out" | awk '$1 <= 80')" "$(wc -L <<< "$out")" "in 80 columns"
like "$out" '^default/app: update to app:2 \(new content\)$' "an update"
like "$out" '^  update 4 nodes, 1 at a time: n1 n2 n3 n4$' "of all nodes"
like "$out" '^    step 1 \(1 node\), 1 node, bakes for 1 s, pauses: n1$' "step by step"
like "$out" '^    step 2 \(75 percent\), 2 nodes: n2 n3$' "as many as are new in it"
like "$out" '^    then the rest, 1 node: n4$' "and the rest"
like "$out" '^  worst outage: 1 task down at once$' "what is down at a time"
like "$out" '^  override 1 \(node.name == n3\) on 1 node: n3$' "where an override counts"
like "$out" '^  takes (about|at least) [0-9]+ s: 4 batches of ' "how long about"
plan 1 -o json
is "$(jq -c '.changes[] | [.service, .worstOutage, [.steps[].nodes], .forecast.batches, .forecast.pauses, .overrides[0].nodes]' <<< "$out")" \
	'["app",1,[["n1"],["n2","n3"],["n4"]],4,1,["n3"]]' "the same as JSON"
push "in steps"
paused() { muster get services | grep -qE '^app .* Paused +app:2$'; }
wait_for 20 paused
ok $? "get services says Paused" || { muster describe service app; log_tail; }
is "$(nodes_of 2)" "n1" "on the node that plan named first"
muster wait --commit "$(head_commit)" --timeout 200ms > "$T/wait.out" 2>&1
is $? 5 "wait goes on"
like "$(cat "$T/wait.out")" 'app 4/4: paused after step 1 of 2 \(1 node\); it goes on with a commit that takes' "and says that it is paused"
plan 1
like "$out" '^default/app: unchanged to app:2$' "what is under way is no new deployment"
is "$(grep -E '^    (step|then)' <<< "$out" | sed 's/.*: //' | tr '\n' '/')" \
	"    step 1 (1 node), 0 nodes, bakes for 1 s, pauses/n2 n3/n4/" "and goes on from where it is"
narrow "describe of a roll-out" muster describe service app
like "$out" '^Step: +1 of 2$' "describe: its step"
like "$out" '^Now: +paused after step 1 of 2' "what it does now"
like "$out" '^Nodes left: +3$' "how many nodes are left"
like "$out" '^app:2 +PRIMARY +IN_PROGRESS +0 ' "its deployment"
like "$out" '^app:1 +ACTIVE +COMPLETED +0 ' "and the one before"
out=$(muster explain --service app --node n3)
like "$out" 'WaitsForStep: the roll-out of revision 2 has not reached the node: it keeps revision 1' "explain: what n3 waits for"
like "$out" 'Override 1 counts: node.name == n3' "which override it gets"
like "$(muster explain --service app --node n4)" 'Override 1 does not: node.name == n3: node.name is n4' "and why another node does not"
is "$(muster explain --service app --node n4 -o json | jq -c '.explanations[0].overrides')" \
	'[{"expression":"node.name == n3","counts":false,"message":"node.name == n3: node.name is n4"}]' "as JSON, too"
grep -q 'muster_service_rollout_paused{cluster="default",service="app"} 1' "$MUSTER_STATUS/metrics.prom"
ok $? "and so do the metrics"
PAUSE=false
app 'overrides:' '- {expression: "node.name == n3", containerOverrides: [{name: main, environment: [{name: A, value: b}]}]}'
push "go on"
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
is "$? $(nodes_of 2)" "0 $NODES" "a commit without the pause ends it"

# --- what goes back
service app app
taskdef app label=three exit=3
push "bad"
muster wait --commit "$(head_commit)" --timeout 60s > "$T/wait.out" 2>&1
is $? 1 "wait ends when it fails (1)"
like "$(cat "$T/wait.out")" "Revert commit $(head_commit | cut -c1-7), or commit a fix" "and says which commit to revert"
back() { muster get services | grep -qE '^app .* RolledBack +app:2$'; }
wait_for 20 back
ok $? "get services says RolledBack" || muster get services
muster wait --commit "$(head_commit)" --timeout 20s > "$T/wait.out" 2>&1
is $? 1 "wait still says so when all is healthy again (1)"
like "$(cat "$T/wait.out")" 'the deployment of app was rolled back: ' "in words"
plan 0
like "$out" 'this was rolled back, and stays so until what is to run changes' "plan says that it is not tried again"
narrow "history" muster history app
like "$out" '^Deployments of service default/app$' "history: of the service"
like "$out" '^app:3 +INACTIVE +FAILED ' "with what failed"
like "$out" 'Revert commit' "and why, whole"
like "$out" '^Revisions of task definition app$' "and of the family of that name"
like "$out" '^2 +INACTIVE ' "with its revisions"
narrow "describe of what went back" muster describe service app

# --- what would be held
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
service more app
service yet-more app
push "three services"
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
is $? 0 "three services run"
sed -i 's/name: more}/name: renamed}/' "$T/manifests/more.yaml"
plan 1
like "$out" 'default/renamed: create to app:2' "plan: a service of another name"
like "$out" 'looks like a rename of more, which goes' "looks like a rename"
git -C "$T/manifests" checkout -q .
git -C "$T/manifests" rm -q more.yaml yet-more.yaml
plan 1
like "$out" 'This commit would be held: the commit removes 2 services and would stop 8 tasks' "two services that go would be held"
id=$(muster plan "$T/manifests" -o json | jq -r '.holds[0].id')
push "two services go"
held() { [ "$(muster get holds | awk 'NR == 2 { print $1 }')" = "$id" ]; }
wait_for 10 held
ok $? "under the id that plan gave" || muster get holds
muster wait --commit "$(head_commit)" --timeout 20s > "$T/wait.out" 2>&1
is $? 6 "wait says held (6)"
like "$(cat "$T/wait.out")" "id $id: .*muster allow $id" "with id and command"
git -C "$T/manifests" commit -q --amend -m "Two services go

Muster-Allow: $id"
git -C "$T/manifests" push -qf origin HEAD:main
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
is "$? $(task_nodes more)$(task_nodes yet-more)" "0 " "a trailer with that id lets it go"

# --- windows
taskdef app label=four
service app app 'windows:' '- {deny: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00", timeZone: Europe/Berlin}'
plan 1
like "$out" 'held: changes of 4 tasks wait: no window opens within a year' "plan: what waits for a window"
push "outside of its windows"
is_held() { muster get services | grep -qE '^app .* Held '; }
wait_for 10 is_held
ok $? "get services says Held" || muster get services
out=$(muster explain --service app --node n2)
like "$out" 'Held: .*muster allow [0-9a-f]{16}' "explain says by which hold, and how it is released"
narrow "explain of what is held" muster explain --service app --node n2
like "$out" '^  Held: ' "explain says it in whole lines"
narrow "describe of what is held" muster describe service app
like "$out" '^Held$' "describe lists it"
muster wait --commit "$(head_commit)" --timeout 20s > "$T/wait.out" 2>&1
is $? 6 "wait says held (6)"
muster wait --for healthy --commit "$(head_commit)" --timeout 20s > "$T/wait.out" 2>&1
is $? 0 "what runs is healthy all the same"
done_testing
