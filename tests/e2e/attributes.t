#!/bin/bash
# Story 3: attributes by flag, by file and by Node manifest decide where a service runs.
. "$(dirname "$0")/lib.sh"
new_repository
mkdir -p "$T/attributes"
start_musterd
start_agent n1 --attribute env=prod
start_agent n2 --attributes-dir "$T/attributes"
start_agent n3
registered() { [ "$(ls "$T/state/store/nodes" | wc -l)" = 3 ]; }
wait_for 10 registered
taskdef app
service app app 'placementConstraints:' '- {type: memberOf, expression: "attribute:env == prod"}'
push "only where env is prod"
wait_for 20 nodes_are app "n1"
ok $? "a flag: only that node runs it"
[ "$FAILED" = 0 ] || log_tail
muster wait --commit "$(head_commit)" --timeout 20s > /dev/null # for all that had registered before
like "$(muster explain --service app --node n3)" 'env' "explain says why n3 does not"
echo prod > "$T/attributes/env"
wait_for 10 nodes_are app "n1 n2"
ok $? "a file in the attributes directory adds the node"
node_manifest n3 'attributes: {env: prod}'
push "n3 is prod"
wait_for 10 nodes_are app "n1 n2 n3"
ok $? "a Node manifest adds the node"
first=$(tasks_of app | awk '$3 == "n1"')
rm "$T/attributes/env"
wait_for 10 nodes_are app "n1 n3"
ok $? "taking the file away stops the task there"
node_manifest n3 'attributes: {env: dev}'
push "n3 is dev"
wait_for 10 nodes_are app "n1"
ok $? "the manifest's value counts: the task stops there"
is "$(tasks_of app)" "$first" "the task on n1 was never touched"
echo prod > "$T/attributes/env"
wait_for 10 nodes_are app "n1 n2"
mv "$T/attributes" "$T/elsewhere"
stale() { muster get nodes -o json | jq -e '.containerInstances[] | select(.containerInstanceArn | test("n2")) | tostring | test("AttributesStale")'; }
wait_for 10 stale
ok $? "a missing attributes directory is said: AttributesStale"
kept=$(tasks_of app)
kill9 "$(agent_pid n2)"
start_agent n2 --attributes-dir "$T/attributes"
held() { [ "$(grep -c msg=registered "$T/agent-n2.log")" = 2 ]; }
wait_for 10 held && wait_for 10 stale
ok $? "an agent that is started without it says so too"
is "$(tasks_of app)" "$kept" "and keeps the last values"
done_testing
