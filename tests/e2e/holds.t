#!/bin/bash
# What is held, why, and how it is released: windows, the guard against mass changes, drains of many nodes.
# fluxcd/flux2#3164 (change windows), kustomize-controller#662, #1314 (prune took more than was meant).
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4 n5 n6"
mkdir "$T/attributes"
for n in $NODES; do
	mkdir "$T/attributes/$n"
	start_agent $n --attributes-dir "$T/attributes/$n"
done
wait_for 20 is_known $NODES
says() { muster describe service "$1" | grep -qE -- "$2"; }
waits() { muster wait --commit "$(head_commit)" --timeout "${1:-30s}" > "$T/wait.out" 2>&1; }
hold() { muster get holds | awk 'NR == 2 { print $1 }'; }
is_held() { [ -n "$(hold)" ]; }
not_held() { [ -z "$(hold)" ]; }
all_run() { nodes_are "$1" "$NODES" && taskdefs_are "$1" "$2"; }
BUDGET='deploymentConfiguration: {minimumHealthyPercent: 50}'
taskdef app
service app app "$BUDGET"
push "app"
waits
is "$? $(task_nodes app)" "0 $NODES" "app runs" || log_tail

# Never open: all days are denied. What starts is no change of what runs.
service app app "$BUDGET" 'windows:' '- {deny: [mon, tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00", timeZone: Europe/Berlin}'
taskdef app label=two
push "outside of its windows"
before=$(tasks)
wait_for 10 is_held
ok $? "fluxcd/flux2#3164: outside of the windows a change is held" || { cat "$MUSTER_STATUS/fleet.yaml"; log_tail; }
like "$(muster get holds)" 'no window opens within a year|opens at' "muster get holds says when it opens"
waits
is $? 6 "muster wait says held (6)"
start_agent n7
NODES="$NODES n7"
wait_for 10 nodes_are app "$NODES"
is "$(tasks_of app | awk '{ print $5 }' | sort | uniq -c | xargs)" "7 app:1" "a new node gets what is COMPLETED"
victim=$(tasks_of app | awk '$3 == "n1" { print $1 }')
kill -9 "$victim"
wait_for 10 nodes_are app "$NODES"
is "$(tasks_of app | awk '{ print $5 }' | sort | uniq -c | xargs)" "7 app:1" "what ends is started again as it was"
is "$(tasks | awk '$3 != "n1" && $3 != "n7"')" "$(awk '$3 != "n1"' <<< "$before")" "the others are not touched"
is "$(muster allow 0123456789abcdef 2> "$T/allow.err")" "asked musterd to release 0123456789abcdef" "what is not held is not said to be released"
like "$(cat "$T/allow.err")" 'nothing is held by that id' "but that it is not held"
muster allow "$(hold)" > /dev/null
wait_for 20 all_run app app:2
ok $? "muster allow releases it" || { muster get holds; log_tail; }
waits && wait_for 10 not_held
is $? 0 "then nothing is held"

# What is bad goes back, window or not.
taskdef app label=three exit=3
push "bad"
wait_for 10 is_held
muster allow app > /dev/null
gone_back() { says app 'RolledBack' && all_run app app:2; }
wait_for 30 gone_back
ok $? "a rollback waits for no window" || { muster describe service app; log_tail; }
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
service app app "$BUDGET" 'placementConstraints: [{type: memberOf, expression: "attribute:off !exists"}]'
push "no windows, a constraint"
waits

# Attributes change node by node: after three of seven the rest is held.
for n in n1 n2 n3 n4 n5; do
	echo yes > "$T/attributes/$n/off"
	nap 0.05
done
wait_for 10 is_held
ok $? "kustomize-controller#1314: a mass change of attributes is held" || { muster get nodes; log_tail; }
count() { tasks_of app | wc -l; }
settled() { [ "$(count)" = 4 ] && muster get holds | grep -qE '(^| )2 '; }
wait_for 10 settled
is "$(count)" 4 "three tasks went, the others run on" || muster get holds
like "$(muster explain --service app)" 'Held' "explain says Held"
waits
is $? 6 "muster wait says held (6)"
id=$(hold)
rm "$T/attributes/n5/off"
less() { muster get holds | grep -qE '(^| )1 '; }
wait_for 10 less
is "$? $(hold)" "0 $id" "what is reverted is held no more; it is the same hold"
muster allow "$id" > /dev/null
wait_for 10 eval '[ "$(count)" = 3 ]'
is "$? $(task_nodes app)" "0 n5 n6 n7" "muster allow releases the rest"
rm "$T/attributes"/*/off
wait_for 20 nodes_are app "$NODES"

# A commit that drains many nodes.
before=$(tasks)
for n in n1 n2 n3 n4 n5; do node_manifest $n 'state: DRAINING'; done
push "drain five of seven"
held() { muster get holds | grep -q ManyNodesStopped; }
wait_for 10 held
ok $? "a commit that drains many nodes is held" || muster get holds
waits
is $? 6 "muster wait says held (6)"
is "$(tasks)" "$before" "nothing has stopped"
rm "$T/manifests/nodes/n4.yaml" "$T/manifests/nodes/n5.yaml"
push "only three"
wait_for 10 nodes_are app "n4 n5 n6 n7" && wait_for 10 not_held
is $? 0 "fewer go through: the hold ends by itself"
for n in n4 n5 n6; do node_manifest $n 'state: DRAINING'; done
git -C "$T/manifests" add -A
push "drain three more

Muster-Allow: all"
wait_for 10 nodes_are app "n7"
ok $? "a trailer in the commit releases it" || muster get holds
rm -r "$T/manifests/nodes"
push "all are back"
waits

# Services that go.
for s in a b c; do service $s app; done
push "three more"
waits
before=$(tasks)
sed -i 's|metadata: {name: a}|metadata: {name: a, annotations: {muster/prune: disabled}}|' "$T/manifests/a.yaml"
push "keep a"
waits
rm "$T/manifests/a.yaml" "$T/manifests/b.yaml" "$T/manifests/c.yaml"
push "three services go"
wait_for 10 is_held
is "$? $(tasks | md5sum)" "0 $(md5sum <<< "$before")" "kustomize-controller#662: several services that go are held"
muster allow "$(hold)" > /dev/null
wait_for 15 nodes_are c ""
wait_for 15 nodes_are b ""
is "$(task_nodes a)" "$NODES" "prune: disabled keeps its tasks"
done_testing
