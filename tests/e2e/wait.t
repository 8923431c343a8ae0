#!/bin/bash
# muster wait: each status means what it means, it is never older than the start of the wait, and a node
# that is not yet known is not passed over.
. "$(dirname "$0")/lib.sh"

# --- status files of all kinds, as musterd would write them
F=$T/made
mkdir "$F"
exec {BEAT}> "$F/.beat" # held as musterd does while it runs
flock -x "$BEAT"
A=aaaaaaa111111111111111111111111111111111 B7=bbbbbbb222222222222222222222222222222222
# base: commit A is seen and applied, and its one service runs on five nodes.
base=$(jq -n --arg a $A '{
	source: {looked: true, seen: {commit: $a}, seenValid: true, applied: {commit: $a}, history: [$a]},
	store: {open: true, listed: true, synced: true}, holds: [], diagnostics: [],
	counts: {nodes: {total: 5, registering: 0, unreachable: 0}, services: {total: 1}, tasks: {desired: 5}},
	notConverged: [], unreachableNodes: []}')
# A newer commit B that is not applied.
newer='.source.seen.commit = $b | .source.history = [$b, $a]'
service='{cluster: "default", service: "web", status: "ACTIVE", rolloutState: "COMPLETED", desiredCount: 5, readyCount: 5,
	unreachableCount: 0, unknownCount: 0, stoppingCount: 0, conditions: [{type: "Progressing", status: "False"}]}'
write_set() { # FILTER: over the base, as one set of files
	rm -f "$F/.current"
	jq --arg a $A --arg b $B7 "$1" <<< "$base" > "$F/.new"
	mv "$F/.new" "$F/fleet.json"
	touch "$F/.beat" "$F/.current"
	echo "# $RANDOM" > "$F/.new"
	mv "$F/.new" "$F/fleet.yaml"
}
row() { # CODE PATTERN FILTER [FLAG]...: the exit code, and what it says
	local want=$1 pattern=$2 got
	write_set "$3"
	out=$(muster --status "$F" wait --timeout 50ms "${@:4}" 2>&1)
	got=$?
	[ "$got" = "$want" ] && printf '%s' "$out" | grep -qE -- "$pattern"
	ok $? "$pattern ($want)"
	[ "$got" = "$want" ] || echo "# got $got: $out"
}
row 0 'aaaaaaa is applied, all reachable nodes are done' .
row 0 'are healthy' . --for healthy
row 0 'applied' . --commit aaaaaaa
row 0 'applied' . --commit AAAAAAA1
row 5 'the commit is not applied yet' . --commit ccccccc
row 3 'bbbbbbb is invalid' "$newer | .source.seenValid = false"
row 3 'web.yaml:1:2: error' "$newer | .source.seenValid = false | .diagnostics = [\"web.yaml:1:2: error: no\"]" --commit bbbbbbb
row 0 'aaaaaaa is applied' "$newer | .source.seenValid = false" --commit aaaaaaa # an ancestor is in force
row 6 'all services' "$newer | .holds = [{message: \"removes all services\"}]"
row 0 'aaaaaaa is applied' "$newer | .holds = [{message: \"removes all services\"}]" --commit aaaaaaa
row 5 'not applied yet' "$newer"
row 0 'bbbbbbb is applied' "$newer | .source.applied.commit = \$b" --commit aaaaaaa # by a descendant
row 5 'no commit is applied yet' '.source.seen = null | .source.applied = null'
row 5 'source was not looked at' '.source.looked = false'
row 0 'applied' '.source.looked = false' --commit aaaaaaa
row 5 'source does not answer: no route' '.source.error.message = "no route"'
row 0 'applied' '.source.error.message = "no route"' --commit aaaaaaa
row 5 'store does not answer: gone' '.store = {open: false, listed: true, synced: true, message: "gone"}'
row 5 'nodes were not looked at' '.store.synced = false'
row 5 'nodes were not looked at' '.counts.tasks.desired = null'
row 5 'no node has registered' '.counts.nodes = {total: 2, registering: 2}'
row 0 'applied' '.counts.nodes.total = 0 | .counts.services.total = 0'
web() { echo ".notConverged = [$service | $1]"; }
row 5 'web is not looked at yet' "$(web '.desiredCount = null')"
row 5 'web 3/5$' "$(web '.readyCount = 3')"
row 5 'edge/web 3/5$' "$(web '.readyCount = 3 | .cluster = "edge"')"
row 0 'applied' "$(web '.readyCount = 3 | .cluster = "edge"')" --cluster default
row 0 'unreachable: n4 n5$' "$(web '.readyCount = 3 | .unreachableCount = 2') | .unreachableNodes = [\"n4\", \"n5\"]"
row 5 'web 4/5, 1 not yet known' "$(web '.readyCount = 4 | .unreachableCount = 1 | .unknownCount = 1')"
row 5 'web 5/5, 2 not yet known' "$(web '.unknownCount = 2')" --for healthy
row 5 'web 5/5, 1 to stop' "$(web '.stoppingCount = 1')"
row 5 'web 5/5$' "$(web '.conditions[0].status = "True"')"
row 0 'healthy' "$(web '.conditions[0].status = "True"')" --for healthy
row 0 'done' "$(web '.conditions[0].status = "True" | .status = "DRAINING" | .desiredCount = 0')"
row 1 'the deployment of web failed' "$(web '.rolloutState = "FAILED"')"
row 1 'the deployment of web failed' "$(web '.rolloutState = "FAILED"')" --for healthy
progressing() { # STATUS REASON MESSAGE
	echo ".conditions = [{type: \"Progressing\", status: \"$1\", reason: \"$2\", message: \"$3\"}]"
}
why='3 tasks failed: the last COMPLETED revision comes back. Revert commit aaaaaaa, or commit a fix.'
row 1 "^the deployment of web failed: $why\$" "$(web "$(progressing False DeploymentFailed "$why") | .rolloutState = \"FAILED\"")"
row 1 "^the deployment of web was rolled back: $why\$" "$(web "$(progressing False RolledBack "$why")")"
row 1 "^the deployment of web was rolled back: $why\$" "$(web "$(progressing False RolledBack "$why")")" --for healthy
row 1 "^the deployment of web failed and goes back: $why\$" "$(web "$(progressing True RollingBack "$why") | .readyCount = 2 | .rolloutState = \"IN_PROGRESS\"")"
row 1 'web was rolled back' ".notConverged = [$service | .service = \"a\" | .readyCount = 1] + [$service | $(progressing False RolledBack "$why")]"
rolling() { # REASON MESSAGE [FILTER]
	web "$(progressing True DeploymentInProgress -) | .rollout = {reason: \"$1\", message: \"$2\"} ${3:-}"
}
pause='paused after step 1 of 3 (1 node); it goes on with a commit that takes this pause out'
row 5 'web 5/5: paused after step 1 of 3 \(1 node\); it goes on with a commit' "$(rolling Paused "$pause" '| .rollout.step = 1')"
row 0 'are healthy' "$(rolling Paused "$pause")" --for healthy
row 5 'web 5/5: step 2 of 3' "$(rolling Updating 'step 2 of 3 (50 percent): 2 of 5 nodes are ready on it' '| .rollout.step = 2')"
row 5 'web 4/5$' "$(rolling Updating '4 of 5 nodes are ready on it' '| .readyCount = 4')"
row 5 'web 5/5: all nodes are ready on it, and are watched for 60 s' "$(rolling Monitoring 'all nodes are ready on it, and are watched for 60 s')"
hold='{id: "0123456789abcdef", service: "default/web", message: "changes of 5 tasks wait", release: "muster allow 0123456789abcdef"}'
row 6 'held, id 0123456789abcdef: changes of 5 tasks wait; release: muster allow 0123456789abcdef$' "$(rolling OutsideOfWindows -) | .holds = [$hold]"
row 6 'tasks wait. Release: muster allow 0123456789abcdef$' \
	"$(rolling OutsideOfWindows -) | .holds = [$hold | .message += \". Release: muster allow 0123456789abcdef\"]"
row 6 'held' "$(web .) | .holds = [$hold]" # what is held of it stays as it is: by the guard
row 0 'are healthy' "$(rolling OutsideOfWindows -) | .holds = [$hold]" --for healthy
row 6 'held' "$(rolling OutsideOfWindows - '| .readyCount = 1') | .holds = [$hold]" --for healthy
row 5 'web 5/5$' "$(web '.conditions[0].status = "True"') | .holds = [$hold | .service = \"edge/web\"]" # another one's
row 6 'held' ".notConverged = [$service | .service = \"a\" | .readyCount = 1] + [$service] | .holds = [$hold]"
row 1 'rolled back' ".notConverged = [$service] + [$service | .service = \"z\" | $(progressing False RolledBack "$why")] | .holds = [$hold]"
row 5 'not applied yet' "$newer | .holds = [$hold]" # it is no hold of the commit
row 5 'web 0/0: revision web:9 is not known' "$(web '.readyCount = 0 | .desiredCount = 0 |
	.conditions += [{type: "Stalled", status: "True", reason: "TaskDefinitionNotFound", message: "revision web:9 is not known"}]')"
nowhere='{type: "Ready", status: "False", reason: "NoNodeCanRunIt", message: "no node can run it: no container engine on 3 nodes"}'
row 5 'web 0/0: no node can run it: no container engine on 3 nodes$' "$(web ".readyCount = 0 | .desiredCount = 0 |
	.conditions = [{type: \"Progressing\", status: \"True\"}, $nowhere]")"
row 5 'web 0/0: no node can run it' "$(web ".readyCount = 0 | .desiredCount = 0 | .conditions += [$nowhere]")" --for healthy
row 5 's1 0/5; s2 0/5; s3 0/5; s4 0/5; s5 0/5; and 4 more$' ".notConverged = [range(1; 10) as \$i | $service | .service = \"s\(\$i)\" | .readyCount = 0]"

# --- never older than the start
late() { # CODE TEXT COMMAND: wait, run the command once it waits, and see how it ends
	muster --status "$F" wait --timeout 20s > "$T/late.out" 2>&1 &
	local pid=$! waited
	wait_for 5 grep -qE 'musterd (has not written|is not running)' "$T/late.out"
	waited=$?
	$3
	wait $pid
	is "$waited $?" "0 $1" "$2" || sed 's/^/# /' "$T/late.out"
}
write_set .
rm "$F/.current"
late 6 "what musterd has decided and not yet written is waited for" \
	'write_set .holds=[{message:"held"}]|.source.seen.commit=$b|.source.history=[$b,$a]'
write_set .
rm "$F/.current"
never_current() { # the next sets are begun before the one before is done
	local i
	for i in 1 2; do
		write_set .
		rm -f "$F/.current"
	done
}
late 0 "of one that is never done writing, the second set counts" never_current
write_set .
touch -d '40 seconds ago' "$F/.beat"
late 0 "of a musterd that hangs nothing is believed" "touch $F/.beat"
flock -u "$BEAT"
late 0 "nor of one that does not run" "flock -x $BEAT"

# --- on a terminal: one line, that fits
write_set "$(web '.readyCount = 1 | .service = "ä" * 70')"
script -qec "stty cols 80; muster --status $F wait --timeout 200ms" /dev/null > "$T/terminal" < /dev/null
progress=$(tr '\r' '\n' < "$T/terminal" | sed 's/\x1b\[K//' | sed -n '/^timed/q;p' | grep .)
is "$(LC_ALL=C.UTF-8 wc -L <<< "$progress")" 74 "a line on a terminal: $progress"
write_set "$(web '.readyCount = 1 | .service = "ä" * 90')"
script -qec "stty cols 80; muster --status $F wait --timeout 200ms" /dev/null > "$T/terminal" < /dev/null
progress=$(tr '\r' '\n' < "$T/terminal" | sed 's/\x1b\[K//' | sed -n '/^timed/q;p' | grep .)
is "$(LC_ALL=C.UTF-8 wc -L <<< "$progress")" 79 "one that is too long is cut between characters"

# --- a real fleet: what is in the store before the push is in what the wait answers for
new_repository
taskdef web
service web web
mkdir "$T/manifests/clusters"
printf 'apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\nspec: {nodeTimeoutSeconds: 18}\n' \
	> "$T/manifests/clusters/default.yaml"
start_musterd
start_agent n1
start_agent n2
registered() { [ -e "$T/state/store/nodes/$1" ]; }
wait_for 10 registered n1 && wait_for 10 registered n2
push "two nodes"
muster wait --commit "$(head_commit)" --timeout 20s > /dev/null
is "$? $(muster get services -o json | jq '.services[0].desiredCount')" "0 2" "both nodes that had registered count"
kill -STOP "$MUSTERD"
start_agent n3
wait_for 10 registered n3
taskdef web label=two
push "a third node"
muster wait --commit "$(head_commit)" --timeout 20s > "$T/wait.out" 2>&1 &
waiting=$!
kill -CONT "$MUSTERD"
wait $waiting
is "$? $(muster get services -o json | jq '.services[0] | .desiredCount, .readyCount' | tr '\n' ' ')" "0 3 3 " \
	"so does one that musterd had not seen when the push came"

# --- after a restart nodes are unknown until they are seen to live, or for long enough are not
kill9 "$MUSTERD" "$(agent_pid n3)"
before=$(tasks)
start_musterd
muster wait --timeout 40s > "$T/wait.out" 2>&1 &
waiting=$!
unknown() { grep -q '3/3, [123] not yet known' "$T/wait.out" && muster get nodes | grep -q '^n3 .* unknown'; }
wait_for 10 unknown
ok $? "after a restart of musterd nodes are unknown, and it says so"
like "$(muster explain --service web --node n3; muster describe service web)" 'NodeNotYetKnown' "describe says so too"
wait $waiting
is $? 0 "it ends when all are known"
is "$(tail -1 "$T/wait.out")" "unreachable: n3" "and prints the one that never came back"
is "$(muster get nodes | awk 'NR > 1 { print $1, $4 }' | tr '\n' ' ')" "n1 yes n2 yes n3 no " "so does get nodes"
is "$(tasks)" "$before" "no task was touched"
done_testing
