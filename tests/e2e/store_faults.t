#!/bin/bash
# Story 8, the store: unmounted, emptied, garbled or rolled back it stops nothing, and it heals. Agents go
# on without controller and store, also over a restart of their own.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agents n1 n2
taskdef app
service app app
push "one service"
wait_for 20 nodes_are app "n1 n2"
ok $? "the tasks run"
[ "$FAILED" = 0 ] || log_tail
muster wait --timeout 20s > /dev/null
S=$T/state/store
before=$(tasks)
restart_agent() { kill -9 "$(agent_pid "$1")"; wait_for 5 gone "$(agent_pid "$1")"; start_agent "$1"; }
agent_says() { grep -rqs "$2" "$T/state/agents/$1/status/"; }
killed_is_back() { # NODE: the agent works: it starts a killed task again
	local old now
	old=$(tasks_of app | awk -v n="$1" '$3 == n { print $1 }')
	kill -9 "$old"
	wait_for 15 eval '[ -n "$(tasks_of app | awk -v n='"$1"' -v o='"$old"' '"'"'$3 == n && $1 != o'"'"')" ]'
}

cp -a "$S" "$T/old-store"
# Rolled back to before a change that was acted on.
taskdef app label=two
push "revision 2"
wait_for 20 taskdefs_are app app:2
ok $? "revision 2 runs"
muster wait --timeout 20s > /dev/null
now=$(tasks)
kill -9 "$MUSTERD"
cp -a "$T/old-store/desired/." "$S/desired/"
went_back() { agent_says n1 StoreWentBack && agent_says n2 StoreWentBack; }
touch "$S/desired/n1" "$S/desired/n2"
wait_for 40 went_back
ok $? "a rolled-back store is told: StoreWentBack"
is "$(tasks)" "$now" "and nothing is reverted"
start_musterd
healed() { ! agent_says n1 StoreWentBack && ! agent_says n2 StoreWentBack; }
wait_for 40 healed
ok $? "the controller goes on above it, and it heals"
is "$(tasks)" "$now" "with no task restarted"

# Garbled.
for n in n1 n2; do printf '{"kind":"desired","tasks":[]}\n#sha256=0\n' > "$S/desired/$n"; done
unknown() { agent_says n1 DesiredUnknown; }
wait_for 40 unknown
ok $? "a garbled document is told: DesiredUnknown"
is "$(tasks)" "$now" "and stops nothing"

# Gone, the controller gone too, and the agents restarted.
kill -9 "$MUSTERD"
mv "$S" "$T/away"
for n in n1 n2; do restart_agent $n; done
away() { agent_says n1 StoreUnavailable && agent_says n2 StoreUnavailable; }
wait_for 20 away
ok $? "an absent store is told: StoreUnavailable"
is "$(tasks)" "$now" "restarted agents with neither store nor controller keep the tasks"
killed_is_back n1
ok $? "and start a killed task again"
now=$(tasks)
# Back, and the controller too.
mv "$T/away" "$S"
start_musterd
here() { ! agent_says n1 StoreUnavailable && ! agent_says n2 StoreUnavailable; }
wait_for 20 here
ok $? "the store is back"
is "$(tasks)" "$now" "no task was restarted"

# Emptied under running programs.
find "$S" -mindepth 1 -delete
sleep 0.2
is "$(tasks)" "$now" "an emptied store stops nothing"
taskdef app label=three
push "revision 3"
healed3() { taskdefs_are app app:3 && nodes_are app "n1 n2"; } # between the two, one node has none
wait_for 90 healed3
ok $? "and it heals: revision 3 arrives, one task on each node" || log_tail
done_testing
