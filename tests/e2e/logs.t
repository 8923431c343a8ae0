#!/bin/bash
# muster logs of native processes: the present task and the one before it, rotated files, times, several
# containers, and following over an update.
. "$(dirname "$0")/lib.sh"

new_repository
taskdef app out=one out=two err=three
service app app
cat > "$T/manifests/pair.yaml" <<EOM
apiVersion: muster/v1
kind: TaskDefinition
metadata: {name: pair}
spec:
  requiresCompatibilities: [PROCESS]
  containerDefinitions:
  - {name: left, command: ["$B/tests/helpers/testtask", "out=l1", "out=l2", "sleep"], environment: [{name: TEST_RUN, value: $RUN}]}
  - {name: right, command: ["$B/tests/helpers/testtask", "out=r1", "sleep"], environment: [{name: TEST_RUN, value: $RUN}]}
---
apiVersion: muster/v1
kind: DaemonService
metadata: {name: pair}
spec: {taskDefinition: pair, minReadySeconds: 0, monitorSeconds: 0}
EOM
taskdef loud spam=25000000 out= out=last
service loud loud
push first
start_musterd
start_agent n1
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.log" 2>&1
ok $? "three services run" || cat "$T/wait.log"
dir=$MUSTER_STATE/agents/n1/logs
said() { muster logs "$@" 2>&1; } # its output is there a moment after the task runs
says() { [ "$(said "${@:2}")" = "$1" ]; }
lines() { printf '%s\n' "$@"; }

wait_for 10 says "$(lines one two three)" app
is "$(said app)" "$(lines one two three)" "stdout and stderr of a service"
is "$(said app --tail 2)" "$(lines two three)" "--tail"
is "$(said --tail 0 app)" "" "--tail 0"
is "$(said --tail all app)" "$(lines one two three)" "--tail all"
is "$(said --since 1h app)" "$(lines one two three)" "--since a duration"
is "$(said --since 2001-01-01T00:00:00+01:00 app)" "$(lines one two three)" "--since a time"
is "$(said --since 2999-01-01 app)" "" "nothing since the future"
is "$(cat "$dir/app/main/current")" "$(lines one two three)" "the file has what was printed, and nothing else"
for bad in "--since yesterday" "--tail x" "--tail -2" "-f --previous"; do
	muster logs $bad app > /dev/null 2>&1
	is $? 2 "usage: $bad"
done

wait_for 10 says "$(lines "left: l1" "left: l2" "right: r1")" pair
is "$(said pair)" "$(lines "left: l1" "left: l2" "right: r1")" "several containers, by name"
is "$(said pair --tail 1)" "$(lines "left: l2" "right: r1")" "--tail of each"
is "$(said -c left pair)" "$(lines l1 l2)" "-c one of them"
is "$(said -c middle pair | cut -d: -f2 | head -n 1)" " no logs of 'pair', container middle below $MUSTER_STATE/agents" "-c none of them"

# Rotated while it was written: all that is kept, in order.
wait_for 20 eval '[ "$(muster logs --tail 1 loud)" = last ]'
is "$(said loud --tail 1)" last "the end of rotated logs"
[ -s "$dir/loud/main/current.2" ] && [ -s "$dir/loud/main/marks.2" ]
ok $? "they were rotated, and their marks"
is "$(said loud | wc -c)" "$(cat "$dir"/loud/main/current* | wc -c)" "all that is kept is printed"
is "$(said loud --tail 3 | wc -c)" "$(cat "$dir"/loud/main/current.2 "$dir"/loud/main/current.1 "$dir"/loud/main/current | tail -n 3 | wc -c)" \
	"--tail over rotated files"
total=$(cat "$dir"/loud/main/{current,marks}{,.1,.2} | wc -c)
[ "$total" -le $((3 * 10485760)) ]
ok $? "marks are within the limit: $total"

# Followed over an update: the next task's output comes, too.
muster logs -f app > "$T/followed" 2>&1 &
follower=$!
echo "$follower" >> "$PIDS"
muster logs -f --tail 0 pair > "$T/followed-pair" 2>&1 &
follower_pair=$!
echo "$follower_pair" >> "$PIDS"
disown "$follower_pair"
muster logs -f "$(muster get tasks app -o json | jq -r '.tasks[0].taskArn | split("/") | last')" > "$T/followed-task" 2>&1 &
one_task=$!
echo "$one_task" >> "$PIDS"
wait_for 10 eval '[ "$(wc -l < "$T/followed")" = 3 ] && [ "$(wc -l < "$T/followed-task")" = 3 ]'
ok $? "follow begins with what there is"
wait_for 10 eval 'readlink /proc/$follower_pair/fd/* | grep -q inotify'
before=$(muster get tasks app -o json | jq -r '.tasks[0].taskArn | split("/") | last')
taskdef app out=four
sed -i 's/out=r1/out=r2/; s/name: left/name: center/' "$T/manifests/pair.yaml"
push second
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.log" 2>&1
ok $? "an update" || cat "$T/wait.log"
wait_for 10 eval '[ "$(cat "$T/followed")" = "$(lines one two three four)" ]'
is "$(cat "$T/followed")" "$(lines one two three four)" "follow goes on with the next task"
wait_for 10 gone "$one_task"
ok $? "follow of one task ends with it"
kill "$one_task" 2> "$T/kill.log"
wait "$one_task"
is $? 0 "with success"
is "$(cat "$T/followed-task")" "$(lines one two three)" "and has what it printed"
wait_for 10 eval '[ "$(sort "$T/followed-pair")" = "$(lines "center: l1" "center: l2" "right: r2")" ]'
is "$(sort "$T/followed-pair")" "$(lines "center: l1" "center: l2" "right: r2")" "and with a container that is new"
kill -0 "$follower"
ok $? "and still does"
kill "$follower" "$follower_pair"

is "$(said app)" four "now that is the present task"
is "$(said --previous app)" "$(lines one two three)" "--previous: the task before it"
is "$(said "${before:0:8}")" "$(lines one two three)" "a stopped task, by its id"
is "$(said "${before:0:8}" --previous)" "muster: --previous is for a service; '${before:0:8}' is one task" "--previous is not for one"
is "$(said pair)" "$(lines "center: l1" "center: l2" "right: r2")" "a container that is gone is not shown"
is "$(said -p pair)" "$(lines "left: l1" "left: l2" "right: r1")" "but with the task that had it"
said -p loud > "$T/none"
is "$(cat "$T/none")" "muster: no logs of a task before the present one of 'loud'" "no task before"

# A shim that is killed marks no end: the agent does.
pair_id() { muster get tasks pair -o json | jq -r '[.tasks[] | select(.lastStatus == "RUNNING")][0].taskArn // "" | split("/") | last'; }
victim=$(pair_id)
muster logs -f "$victim" > "$T/followed-victim" 2>&1 &
follower=$!
echo "$follower" >> "$PIDS"
wait_for 10 eval 'readlink /proc/$follower/fd/* | grep -q inotify'
shim=$(grep -alzx "MUSTER_TASK=$victim" /proc/[0-9]*/environ 2> /dev/null | head -n 1 | cut -d/ -f3)
shim=$(ps -o ppid= -p "$shim" | tr -d ' ')
is "$(cat "/proc/$shim/comm")" muster-shim "the task's shim"
kill -9 "$shim"
wait_for 20 gone "$follower"
ok $? "follow of one task ends when its shim is killed"
kill "$follower" 2> "$T/kill.log"
wait "$follower"
is $? 0 "with success"
wait_for 20 eval 'new=$(pair_id); [ -n "$new" ] && [ "$new" != "$victim" ]'
ok $? "and the next task runs"
wait_for 10 says "$(lines "center: l1" "center: l2" "right: r2")" pair

# Times stand in marks: those of a task that ran two hours ago.
awk -v task="$before" '$4 == task { $3 = sprintf("%.0f", $3 - 7200000) } { print }' "$dir/app/main/marks" > "$T/marks"
cp "$T/marks" "$dir/app/main/marks"
is "$(said --since 1h "$before")" "" "--since leaves out what is older"
is "$(said --since 3h "$before")" "$(lines one two three)" "and shows what is not"

# Logs of no marks: of an older version.
rm "$dir"/app/main/marks*
is "$(said app)" "$(lines one two three four)" "without marks all there is"
said -p app > /dev/null
is $? 1 "and no task before is known"

# Another user is told who may read them.
if [ "$(id -u)" = 0 ]; then
	cp "$B/bin/muster" "$T/muster"
	chmod 711 "$T"
	is "$(setpriv --reuid 65534 --regid 65534 --clear-groups "$T/muster" logs app 2>&1; echo $?)" \
		"$(lines "muster: no logs of 'app' were found without $dir: only root may read it: run it with sudo" 4)" "another user is told who may"
fi

# Two agents here: each line names the node, the first one's too.
start_agent n2
wait_for 20 eval '[ "$(muster logs app | grep -c ^n)" = 5 ] && [ "$(muster logs pair | grep -c ^n)" = 6 ]'
is "$(said app --tail 1)" "$(lines "n1/main: four" "n2/main: four")" "of two nodes"

# None of it needs an agent.
kill "$(agent_pid n1)"
wait_for 10 gone "$(agent_pid n1)"
is "$(said pair --tail 1 | head -n 2)" "$(lines "n1/center: l2" "n1/right: r2")" "without an agent"
done_testing
