#!/bin/bash
# What a roll-out may take down, looked at from outside: with surge nothing; a push on top of one in flight no more than
# that; nodes that are dead or were broken before neither block it nor use it up.
# aws/containers-roadmap#2170 (surge), kubernetes#117658, #63465, #73011 (dead nodes block), nomad 27284 ... 27605 (a second
# evaluation while the first is in flight; deployments that never complete), kubernetes#50477 (two at a time),
# terraform-aws-ecs#390, aws-cdk#2209 (settings that can never make progress).
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
NODES="n1 n2 n3 n4"
start_agents $NODES
waited() { muster wait --commit "$(head_commit)" --timeout "${1:-40s}" > "$T/wait.out" 2>&1; }
says() { muster describe service "$1" | grep -qE -- "$2"; }
# A line a look: MS NODE=REVISION,REVISION ... of a service
sampler() { # SERVICE FILE
	while nap 0.01; do
		echo "$((${EPOCHREALTIME/./} / 1000)) $(tasks_of "$1" |
			awk '{ sub(/.*:/, "", $5); n[$3] = n[$3] (n[$3] ? "," : "") $5 } END { for (i in n) printf "%s=%s ", i, n[i] }')"
	done > "$2" &
	SAMPLER=$!
	echo $SAMPLER >> "$PIDS"
	wait_for 5 test -s "$2"
}
sampled() { kill $SAMPLER; wait $SAMPLER 2> /dev/null; }
bad_looks() { awk "{ nodes = NF - 1; doubles = gsub(/,/, \",\"); if ($1) print }" "$2" | head -5; } # CONDITION FILE

# Settings that can never be met are no valid commit.
invalid() { # PATTERN TEXT
	muster validate "$T/manifests" > "$T/validate.out" 2>&1
	[ $? = 3 ] && grep -qE -- "$1" "$T/validate.out"
	ok $? "$2" || cat "$T/validate.out"
}
taskdef app label=one
service app app 'deploymentConfiguration: {minimumHealthyPercent: 100, maximumPercent: 100}'
invalid 'app.yaml:[0-9]+:[0-9]+: error: .*minimumHealthyPercent' "terraform-aws-ecs#390: a budget that lets nothing be updated is refused"
service app app 'deploymentConfiguration: {minimumHealthyPercent: 100, maximumPercent: 200}'
cp "$T/manifests/app-task.yaml" "$T/plain"
sed -i 's|  - name: main|&\n    portMappings: [{containerPort: 8080, hostPort: 8080}]|' "$T/manifests/app-task.yaml"
invalid 'error: .*8080' "surge with a static host port is refused"
mv "$T/plain" "$T/manifests/app-task.yaml"

# Surge.
sed -i 's/minReadySeconds: 0/minReadySeconds: 1/' "$T/manifests/app.yaml"
push "one"
waited
is $? 0 "app runs" || log_tail
sampler app "$T/surge"
taskdef app label=two
push "two"
waited
is "$? $(tasks_of app | awk '{ print $5 }' | sort | uniq -c | xargs)" "0 4 app:2" "surge: an update goes through" || log_tail
taskdef app label=three exit=3
push "three, bad"
gone_back() { says app 'Progressing +False .*RolledBack' && [ "$(tasks_of app | awk '{ print $5 }' | xargs)" = "app:2 app:2 app:2 app:2" ]; }
wait_for 30 gone_back
ok $? "a bad one goes back" || { muster describe service app; log_tail; }
sampled
is "$(bad_looks 'nodes < 4' "$T/surge")" "" "aws/containers-roadmap#2170: each node has a task at every moment ($(wc -l < "$T/surge") looks)"
is "$(grep -E '=[0-9]+,[0-9]+,' "$T/surge")" "" "never more than two"
is "$(grep -E '=3( |$)' "$T/surge")" "" "the old one runs beside one that is bad"
# Of each node: how long both ran at most, from the look before they did to the one after they no longer did.
awk '{ for (n in ended) if (!told[n]++) print $1 - both[n], n
	for (i = 2; i <= NF; i++) {
		split($i, part, "=")
		if (part[2] == "1,2" || part[2] == "2,1") { if (!both[part[1]]) both[part[1]] = last }
		else if (part[2] == "2" && both[part[1]]) ended[part[1]] }
	last = $1 }' "$T/surge" > "$T/beside"
is "$(awk '$1 >= 1000' "$T/beside" | wc -l)" 4 "the old one goes only when the new one was ready for minReadySeconds" || cat "$T/beside"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
mkdir "$T/at"
service app app 'deploymentConfiguration: {minimumHealthyPercent: 75}'
sed -i 's/minReadySeconds: 0/minReadySeconds: 1/' "$T/manifests/app.yaml"
taskdef app label=four "$SERVE"
push "one at a time"
waited

# One push on top of the other, while the last one is in flight.
sampler app "$T/pushes"
probe_start "$T/health" $NODES
for i in 1 2 3 4; do
	taskdef app "label=again$i" "$SERVE"
	push "again $i"
	begun() { tasks_of app | grep -q "app:$((4 + i))"; }
	wait_for 10 begun
done
waited
is "$? $(tasks_of app | awk '{ print $5 }' | sort | uniq -c | xargs)" "0 4 app:8" "nomad 27497: mixed versions come to one end" || log_tail
sampled
is "$(probe_end "$T/health")" 3 "nomad 27284: what is in flight counts for the next push: 3 of 4 are healthy all the time"
is "$(bad_looks doubles "$T/pushes")" "" "kubernetes#50477: the old one has ended before the new one starts ($(wc -l < "$T/pushes") looks)"

# n4 is dead, and n3 was broken before the push: its task wants a file that is gone there.
for n in $NODES; do : > "$T/there-$n"; done
wants() { # LABEL [EXIT]: a task that ends where the file is missing, or everywhere
	taskdef app "label=$1"
	sed -i 's|command: .*|command: [/bin/sh, -c, "[ -e '"$T"'/there-$MUSTER_NODE ] \|\| exit 7; '"${2:-}"' sleep 0.3; exec sleep 9999 # '"$1"'"]|' \
		"$T/manifests/app-task.yaml"
}
mkdir "$T/manifests/clusters"
printf 'apiVersion: muster/v1\nkind: Cluster\nmetadata: {name: default}\nspec: {nodeTimeoutSeconds: 15}\n' > "$T/manifests/clusters/default.yaml"
service app app 'deploymentConfiguration: {minimumHealthyPercent: 50}'
sed -i 's/Seconds: 0/Seconds: 1/' "$T/manifests/app.yaml"
wants first
push "the first of these"
waited
is $? 0 "it runs on four nodes" || { cat "$T/wait.out"; log_tail; }
number=$(muster get services app -o json | jq -r '.services[0].taskDefinition' | grep -o '[0-9]*$')
kill9 "$(agent_pid n4)"
rm "$T/there-n3"
kill -9 $(tasks_of app | awk '$3 == "n3" { print $1 }')
dead() { muster get nodes n4 | grep -q '^n4 .* no' && says app '^n3 +TaskFailing'; }
wait_for 40 dead
ok $? "n4 is unreachable, n3 is broken" || muster describe service app
deployed() { [ "$(muster get services app -o json | jq -r '.services[0].deployments[0] | [.rolloutState, .taskDefinition] | join(" ")')" = "$1" ]; }
last() { tasks_of app | grep -E " n[12] " | sed 's/.*app://' | awk '{ print $1 }' | sort -u | xargs; }
wants second
push "an update"
wait_for 30 deployed "COMPLETED app:$((number + 1))"
is "$? $(last)" "0 $((number + 1))" "kubernetes#117658: dead nodes do not block an update, nor does one that was broken" || { muster describe service app; log_tail; }
wants third 'exit 9;'
push "one that breaks nodes"
wait_for 30 says app 'Progressing +False .*RolledBack'
ok $? "and they take no brake away: what breaks nodes goes back" || { muster describe service app; log_tail; }
wait_for 10 eval '[ "$(last)" = '$((number + 1))' ]'
is "$(last)" "$((number + 1))" "to what ran"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
push "reverted"
: > "$T/there-n3"
start_agent n4
waited 60s
is "$? $(tasks_of app | awk '{ print $5 }' | sort | uniq -c | xargs)" "0 4 app:$((number + 1))" "a node that is back is updated" || { cat "$T/wait.out"; log_tail; }
done_testing
