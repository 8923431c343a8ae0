#!/bin/bash
# The order of starts and stops on a node, looked at in /proc: each takes half a second to end, and the next is told to
# stop only when it has ended. kubernetes#75482, #122912, aws/containers-roadmap#128, #1700,
# amazon-ecs-agent#3829 (drain daemons last, in order, and wait for STOPPED); aws/containers-roadmap#1954 (priority and
# dependencies between services).
. "$(dirname "$0")/lib.sh"
TERM_MS=500
new_repository
start_musterd
start_agents n1 n2
for s in db app low keep; do taskdef $s term-ms=$TERM_MS; done
service db db 'priority: 1'
sed -i 's/minReadySeconds: 0/minReadySeconds: 1/' "$T/manifests/db.yaml"
service app app 'priority: 9' 'dependsOn: [db]'
service low low 'priority: -1'
service keep keep 'drain: keep' 'priority: 5'
ALL="app db keep low"
# Of node NODE: its services, as one line.
services_on() { tasks | awk -v n="$1" '$3 == n { print $4 }' | sort | xargs; }
on() { [ "$(services_on "$1")" = "$2" ]; }
started() { tasks | awk -v n="$1" -v s="$2" '$3 == n && $4 == s { print $2 }'; } # NODE SERVICE: hundredths of a second
push "four services"
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1
is "$? $(services_on n1)" "0 $ALL" "they run" || log_tail
start_agent n3
wait_for 20 on n3 "$ALL"
ok $? "a node that joins gets them all"
[ $(($(started n3 app) - $(started n3 db))) -ge 95 ]
ok $? "aws/containers-roadmap#1954: app starts when db is ready, though its priority is higher"
[ "$(started n3 app)" -le "$(started n3 keep)" ] && [ "$(started n3 keep)" -le "$(started n3 low)" ]
ok $? "the others in the order of priority" || tasks | sed 's/^/# /'

# Drain n1: a line a look, as long as something runs there.
look() {
	until [ -z "${line=$(services_on n1)}" ]; do
		echo "$((${EPOCHREALTIME/./} / 1000)) $line"
		nap 0.01
		line=$(services_on n1)
	done
	echo "$((${EPOCHREALTIME/./} / 1000))"
}
look > "$T/looks" &
LOOK=$!
echo $LOOK >> "$PIDS"
others=$(tasks | awk '$3 != "n1"')
node_manifest n1 'state: DRAINING'
push "drain n1"
wait_for 20 on n1 ""
ok $? "DRAINING empties the node" || { muster describe node n1; log_tail; }
wait $LOOK
# The sets that were seen, one after the other, and when each was seen first.
awk '{ t = $1; $1 = ""; if ($0 != last) print t, $0; last = $0 }' "$T/looks" > "$T/sets"
is "$(cut -d' ' -f3- "$T/sets" | tr '\n' '/')" "app db keep low/app db keep/db keep/keep//" \
	"kubernetes#122912: in reverse of priority and dependsOn, what is kept last"
is "$(awk -v min=$((TERM_MS / 2)) 'NR > 2 && $1 - before < min { print } { before = $1 }' "$T/sets")" "" \
	"aws/containers-roadmap#128: each waits until the one before has STOPPED" || cat "$T/sets"
is "$(tasks)" "$others" "other nodes are not touched"
rm -r "$T/manifests/nodes"
push "n1 is back"
wait_for 20 on n1 "$ALL"
ok $? "it fills again"

# What it depends on is not placed there: it does not wait for that.
service db db 'priority: 1' 'placementConstraints: [{type: memberOf, expression: "node.name != n4"}]'
sed -i 's/minReadySeconds: 0/minReadySeconds: 1/' "$T/manifests/db.yaml"
push "no db on n4"
start_agent n4
wait_for 20 on n4 "app keep low"
ok $? "a dependency that is not placed on a node blocks nothing there"

# A reboot without controller: all that ran on n3 is gone, its state and the store are there, and the kernel tells of
# another boot (to the agent alone: in a mount namespace). The agent keeps the order by itself.
reboot() { # NODE
	local own=()
	kill9 "$(agent_pid "$1")"
	kill9 $(pgrep -f "muster-shim.*$T/state/agents/$1/") $(tasks | awk -v n="$1" '$3 == n { print $1 }')
	cat /proc/sys/kernel/random/uuid > "$T/boot_id"
	[ $EUID = 0 ] || own=(unshare "--map-user=$EUID" "--map-group=$(id -g)")
	unshare ${own:+-r} -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$T/boot_id" "${own[@]}" \
		muster-agent --node "$1" --engine process >> "$T/agent-$1.log" 2>&1 &
	echo $! > "$T/agent-$1.pid"
	echo $! >> "$PIDS"
	disown
}
if unshare -r -m true 2> /dev/null; then
	kill9 "$MUSTERD"
	before=$(started n3 app)
	reboot n3
	wait_for 20 on n3 "$ALL"
	is "$? $([ "$(started n3 app)" -gt "$before" ] && echo anew)" "0 anew" "all start after a reboot without controller" || log_tail
	[ $(($(started n3 app) - $(started n3 db))) -ge 95 ]
	ok $? "app waits there, too, until db is ready" || tasks | sed 's/^/# /'
	start_musterd
else
	echo "# no namespaces for this user: no reboot is tried"
fi

# A cycle is no valid commit.
service db db 'dependsOn: [app]'
muster validate "$T/manifests" > "$T/validate.out" 2>&1
is $? 3 "a cycle of dependencies is an error"
like "$(cat "$T/validate.out")" '(app|db).*(db|app)' "that names it"
done_testing
