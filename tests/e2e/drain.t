#!/bin/bash
# Story 5: DRAINING empties a node; removing a service's file stops it; renaming a file does nothing;
# removing all services is held until it is allowed.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agents n1 n2
taskdef one
taskdef two
service one one
service two two
push "two services"
wait_for 20 nodes_are one "n1 n2"
ok $? "one runs"
[ "$FAILED" = 0 ] || log_tail
wait_for 20 nodes_are two "n1 n2"
ok $? "two runs"
node_manifest n2 'state: DRAINING'
push "drain n2"
wait_for 15 nodes_are one "n1"
ok $? "DRAINING empties the node of one"
wait_for 15 nodes_are two "n1"
ok $? "and of two"
# nomad 27499: nothing is placed there again, neither by an update nor by a controller that starts anew.
kill9 "$MUSTERD"
start_musterd
taskdef one label=again
push "an update meanwhile"
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1
is "$? $(task_nodes one) $(task_nodes two)" "0 n1 n1" "nomad 27499: a drained node gets nothing, by no update and no restart" || log_tail
rm "$T/manifests/nodes/n2.yaml"
push "n2 is back"
wait_for 15 nodes_are two "n1 n2"
ok $? "it fills again"
wait_for 15 nodes_are one "n1 n2"
before=$(tasks_of one)
git -C "$T/manifests" mv one.yaml renamed.yaml
rm "$T/manifests/two.yaml"
push "rename one, remove two"
wait_for 15 nodes_are two ""
ok $? "removing one service's file stops its tasks everywhere"
is "$(tasks_of one)" "$before" "renaming a file does nothing"
rm "$T/manifests/renamed.yaml"
push "remove everything"
held() { muster get services 2>&1; grep -q 'Held' "$MUSTER_STATUS/fleet.yaml" && grep -q 'muster allow' "$MUSTER_STATUS/fleet.yaml"; }
wait_for 10 held
ok $? "removing all services is held, and status says how to release it"
muster wait --commit "$(head_commit)" --timeout 10s > /dev/null 2>&1
is $? 6 "muster wait says held (6)"
is "$(tasks_of one)" "$before" "what runs stays"
id=$(grep -oE 'muster allow [0-9a-f]+' "$MUSTER_STATUS/fleet.yaml" | head -1 | awk '{ print $3 }')
muster allow "$id"
wait_for 15 nodes_are one ""
ok $? "muster allow releases it"
done_testing
