#!/bin/bash
# A node's name is held by one agent: a second one with a state of its own goes, and touches nothing.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agent n1
taskdef app
service app app
push "one service"
wait_for 20 nodes_are app n1
ok $? "the task runs"
muster wait --timeout 20s > /dev/null
S=$T/state/store
before=$(tasks)
documents() { cat "$S/nodes/n1" "$S/observed/n1" "$S/desired/n1"; }
was=$(documents)

# It knows the other by its beat, so within the time between two.
muster-agent --node n1 --state "$T/other" --store "dir:$S" > "$T/agent-other.log" 2>&1 &
other=$!
echo "$other" >> "$PIDS"
wait "$other"
is $? 4 "a second agent of the name exits 4"
like "$(cat "$T/agent-other.log")" "this node's name is taken" "and says why"
is "$(documents)" "$was" "no document is touched"
is "$(tasks)" "$before" "nor any task"
gone "$(agent_pid n1)"
is $? 1 "the first agent goes on"

muster-agent --node n1 --state "$T/other" --store "dir:$S" --leave > "$T/agent-other.log" 2>&1
is $? 0 "the second agent's state can leave"
is "$(documents)" "$was" "which touches no document of the first"
is "$(tasks)" "$before" "nor any task"

# The same state: at once.
kill9 "$(agent_pid n1)"
start_agent n1
held() { [ "$(grep -c 'msg=registered' "$T/agent-n1.log")" = 2 ]; }
wait_for 5 held
ok $? "an agent that is started again has its name back at once" || log_tail
is "$(tasks)" "$before" "and its task"

# The record of an agent that is gone for good, and the agent itself, by a --leave of its own.
kill9 "$(agent_pid n1)"
muster-agent --node n1 --leave >> "$T/agent-n1.log" 2>&1
is $? 0 "--leave without a running agent"
is "$(tasks)" "" "stops the task"
is "$(find "$S" "$T/state/agents" -name 'n1*')" "" "and leaves nothing behind"
done_testing
