#!/bin/bash
# Stories 1 and 2: a push starts one task on each of five nodes; a sixth joins by itself and leaves.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
for n in n1 n2 n3 n4 n5; do start_agent $n; done
muster init "$T/init" > "$T/init.out" 2>&1
ok $? "muster init makes a manifests repository"
muster validate "$T/init" > "$T/validate.out" 2>&1
ok $? "what it makes is valid"
is "$(cat "$T"/init/*.yaml | wc -l | awk '{ print ($1 <= 25) }')" 1 "the two files have 25 lines at most"

taskdef web
service web web
push "the first service"
wait_for 20 nodes_are web "n1 n2 n3 n4 n5"
ok $? "one task on each of five nodes" || log_tail
[ "$FAILED" = 0 ] || log_tail
muster wait --commit "$(head_commit)" --timeout 20s > "$T/wait.out" 2>&1
is $? 0 "muster wait ends when the commit runs"
out=$(muster get services -o json)
is "$(jq -r '.services[] | [.serviceName, .desiredCount, .runningCount, .pendingCount, .deployments[0].rolloutState] | @tsv' <<< "$out" | tr '\t' ' ')" \
	"web 5 5 0 COMPLETED" "get services -o json has the shape of describe-services"
is "$(muster get nodes -o json | jq '.containerInstances | length')" 5 "five container instances"
is "$(muster get tasks -o json | jq -r '.tasks[] | .lastStatus' | sort -u)" RUNNING "all tasks are RUNNING"
like "$(muster get services)" '^NAME +.*DESIRED.*RUNNING' "the table has its head"
is "$(muster get services | awk '{ if (length($0) > 80) print }')" "" "the table fits 80 columns"
before=$(tasks)
start_agent n6
wait_for 20 nodes_are web "n1 n2 n3 n4 n5 n6"
ok $? "a sixth agent gets its task with nothing else touched"
is "$(tasks | grep -v ' n6 ')" "$before" "the other tasks are the same processes"
muster-agent --node n6 --leave > "$T/leave.out" 2>&1
is $? 0 "muster-agent --leave ends well beside the running agent"
is "$(task_nodes web)" "n1 n2 n3 n4 n5" "its task is gone"
is "$(find "$T/state" -name '*n6*' | grep -v -e /status/ | tr '\n' ' ')" "" "it leaves nothing behind in the store and the state"
no_n6() { ! muster get nodes | grep -q n6; }
wait_for 10 no_n6
ok $? "the fleet's status has no such node any more"
wait_for 5 gone "$(agent_pid n6)"
ok $? "the running agent has ended"
done_testing
