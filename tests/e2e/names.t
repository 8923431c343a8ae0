#!/bin/bash
# A node's name is held by one agent: a second one with a state of its own goes, and touches nothing. It
# is seen. Where the first is gone for good, the second has the name after 30 s of silence.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agent n1
start_agent n2
taskdef app
service app app
push "one service"
wait_for 20 nodes_are app "n1 n2"
ok $? "the task runs"
muster wait --timeout 20s > /dev/null
S=$T/state/store
tasks_on() { tasks | awk -v n="$1" '$3 == n'; }
documents() { cat "$S/nodes/$1" "$S/observed/$1" "$S/desired/$1"; }
start_other() { # NODE STATE: an agent of that name with a state of its own
	muster-agent --node "$1" --state "$2" --store "dir:$S" > "$T/agent-other-$1.log" 2>&1 &
	OTHER=$!
	echo "$OTHER" >> "$PIDS"
}
before=$(tasks_on n1)
was=$(documents n1)

# The machine n2 is lost: its agent, and with it its task. Another one has its name, and waits.
kill9 "$(agent_pid n2)"
kill9 $(tasks_on n2 | awk '{ print $1 }')
was_n2=$(documents n2)
since=$EPOCHSECONDS
start_other n2 "$T/new"
disown
waits() { muster --status "$T/new/agents/n2/status" describe node n2 | grep -E "NameConflict +Unknown +WaitingForSilence"; }
wait_for 10 waits
ok $? "the new machine of a name says that it waits for silence"
is "$(documents n2)" "$was_n2" "and touches nothing"

# It knows the other by its beat, so within the time between two.
start_other n1 "$T/other"
wait "$OTHER"
is $? 4 "a second agent of the name exits 4"
like "$(cat "$T/agent-other-n1.log")" "this node's name is taken" "and says why"
is "$(documents n1)" "$was" "no document is touched"
is "$(tasks_on n1)" "$before" "nor any task"
gone "$(agent_pid n1)"
is $? 1 "the first agent goes on"
like "$(muster --status "$T/other/agents/n1/status" describe node n1)" \
	"NameConflict +True +NameTaken" "the second one's own status says so"
conflict() { muster describe node "$1" | grep -E "NameConflict +True +NameTaken"; }
wait_for 20 conflict n1
ok $? "and so does the fleet's"
like "$(muster get nodes -o wide | grep '^n1 ')" "ACTIVE +yes .* NameConflict" "the node is as it was, but for that"
like "$(grep -A 3 'type: NameConflict' "$T/state/status/fleet.yaml")" '"True"' "fleet.yaml has the condition"
like "$(muster get events)" "\(node n1\) there are two agents of this name" "and an event tells of it"

muster-agent --node n1 --state "$T/other" --store "dir:$S" --leave > "$T/agent-other-n1.log" 2>&1
is $? 0 "the second agent's state can leave"
is "$(documents n1)" "$was" "which touches no document of the first"
is "$(tasks_on n1)" "$before" "nor any task"

# The same state: at once.
kill9 "$(agent_pid n1)"
start_agent n1
held() { [ "$(grep -c 'msg=registered' "$T/agent-$1.log")" = "$2" ]; }
wait_for 5 held n1 2
ok $? "an agent that is started again has its name back at once" || log_tail
is "$(tasks_on n1)" "$before" "and its task"

# A copy of the state, without tasks, on the same boot (an image of a container, say) looks like a
# restart, and takes the name. The first finds its session gone with the next it has to write.
mkdir -p "$T/attributes" "$T/copy/agents/n3"
muster-agent --node n3 --attributes-dir "$T/attributes" > "$T/agent-n3.log" 2>&1 &
first=$!
echo "$first" >> "$PIDS"
wait_for 10 nodes_are app "n1 n3" || log_tail
task=$(tasks_on n3)
cp "$T/state/agents/n3/instance" "$T/state/agents/n3/fleet" "$T/copy/agents/n3"
start_other n3 "$T/copy"
disown
wait_for 5 held other-n3 1
ok $? "an agent with a copy of the state takes the name"
wait_for 10 nodes_are app "n1 n3 n3" || log_tail
was=$(cat "$S/nodes/n3")
echo 1 > "$T/attributes/rack"
wait "$first"
is $? 4 "an agent that finds another session in its record exits 4"
is "$(cat "$S/nodes/n3")" "$was" "writes nothing"
is "$(tasks_on n3 | grep -xF "$task")" "$task" "and leaves its task alone"
like "$(muster --status "$T/state/agents/n3/status" describe node n3)" \
	"NameConflict +True +NameTaken" "its own status says so"
wait_for 20 conflict n3
ok $? "and so does the fleet's"

# n2, all the while.
wait_for 40 held other-n2 1
ok $? "after 30 s of silence it has the name" || log_tail
[ $((EPOCHSECONDS - since)) -ge 29 ]
ok $? "and no sooner"
wait_for 10 nodes_are app "n1 n2 n3 n3"
ok $? "and its task"
conflict n2 > /dev/null
is $? 1 "which is no conflict"

# The record of an agent that is gone for good, and the agent itself, by a --leave of its own.
kill9 "$(agent_pid n1)"
muster-agent --node n1 --leave >> "$T/agent-n1.log" 2>&1
is $? 0 "--leave without a running agent"
is "$(tasks_on n1)" "" "stops the task"
is "$(find "$S" "$T/state/agents" -name 'n1*')" "" "and leaves nothing behind"
done_testing
