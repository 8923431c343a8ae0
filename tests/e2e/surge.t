#!/bin/bash
# Surge on one node, looked at from outside: the new task starts beside the old one, which stops once the new
# one is ready; a new one that breaks costs nothing. The desired document is written by hand here, as a
# controller would that is told of maximumPercent above 100, so that it says exactly what is tried.
. "$(dirname "$0")/lib.sh"
S=$MUSTER_STATE/store
# put PROGRAM: the node's desired document, changed by that jq program, under the next number.
put() {
	head -n 1 "$S/desired/n1" | jq -c ".number += 1 | $1" > "$T/document"
	echo "#sha256=$(sha256sum < "$T/document" | cut -d' ' -f1)" >> "$T/document"
	chmod 600 "$T/document"
	mv "$T/document" "$S/desired/n1"
}
# update LABEL WORD...: another revision of app, with surge, that runs these words.
update() {
	local words
	words=$(printf ', "%s"' "label=$1" "${@:2}")
	put ".tasks[0].revision += 1 | .tasks[0].surge = true | .tasks[0].minReadySeconds = 1 |
		.tasks[0].target = \"$(printf %s "$1" | sha256sum | cut -d' ' -f1)\" |
		.tasks[0].taskDefinition.containerDefinitions[0].command = [\"$B/tests/helpers/testtask\"$words]"
}
running() { tasks_of app | awk '{ print $5 }' | sort | tr '\n' ' ' | sed 's/ $//'; }
runs() { [ "$(running)" = "$1" ]; }
told() { head -n 1 "$S/observed/n1" | jq -r "$1"; }
tells() { [ "$(told "$1")" = "$2" ]; }

new_repository
taskdef app
service app app
push "revision 1"
start_musterd
start_agent n1
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.log" 2>&1
ok $? "revision 1 runs" || cat "$T/wait.log"
tells '.tasks[0].ready' true || wait_for 10 tells '.tasks[0].ready' true
jq -e '.capabilities | index("muster.capability.surge")' < <(head -n 1 "$S/nodes/n1") > /dev/null
ok $? "the node offers surge"
kill -9 "$MUSTERD"
wait_for 5 gone "$MUSTERD"
old=$(tasks_of app | awk '{ print $1 }')

sampler() { while :; do tasks_of app | awk '{ print $5 }' | sort | tr '\n' ' '; echo; done; }
sampler > "$T/samples" &
sampler_pid=$!
update second sleep
wait_for 20 runs app:2
ok $? "app:2 takes the place of app:1" || log_tail
gone "$old"
ok $? "the old one has stopped"
wait_for 10 tells '.tasks | length' 1
is "$(told '.tasks[0] | "\(.revision) \(.ready) \(.failures)"')" "2 true null" "the report says so"

# One that breaks at once, again and again: the old one stays.
old=$(tasks_of app | awk '{ print $1 }')
update third exit=3
wait_for 20 eval '[ "$(told ".tasks[0].failures // 0")" -ge 3 ]'
ok $? "its failures are counted" || told .
is "$(told '.tasks[0] | "\(.id)|\(.revision)|\(.failed)"')" "|3|true" "the desired one comes first, and failed"
is "$(told '.tasks[1] | "\(.revision) \(.ready)"')" "2 true" "the old one is ready all the time"
# The agent dies meanwhile: nothing else does, and it does not forget.
failures=$(told '.tasks[0].failures')
kill9 "$(agent_pid n1)"
start_agent n1
wait_for 20 eval '[ "$(told ".tasks[0].failures")" -gt "$failures" ]'
ok $? "failures go on growing over a restart of the agent"
update fourth sleep
wait_for 20 runs app:4
ok $? "what is fixed comes through" || log_tail
is "$(told '.tasks[0].failures')" null "and begins to count anew"
gone "$old"
ok $? "only then the old one stops"
kill $sampler_pid
wait $sampler_pid 2> /dev/null
sed 's/ $//' "$T/samples" | sort | uniq -c > "$T/states"
is "$(awk 'NF < 2 { print; } NF > 3' "$T/states")" "" "never none, never three ($(wc -l < "$T/samples") samples)"
grep -q 'app:1 app:2$' "$T/states" && grep -q 'app:2 app:4$' "$T/states"
ok $? "two of them side by side" || cat "$T/states"
done_testing
