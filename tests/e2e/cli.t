#!/bin/bash
# What scripts rely on: exit codes and shapes of the command line, and that no secret is ever shown.
. "$(dirname "$0")/lib.sh"
GOLDEN=$(cd "$(dirname "$0")/../golden" && pwd)
SECRET=hunter2-do-not-show
code() { # code WANT TEXT COMMAND...: its exit code; what it said is in $out
	local want=$1 text=$2 got
	shift 2
	out=$("$@" 2>&1)
	got=$?
	is "$got" "$want" "$text: exit code $want"
	[ "$got" = "$want" ] || printf '%s\n' "$out" | sed 's/^/# /'
}

code 4 "no status anywhere" muster get services
like "$out" 'Is musterd running' "and a sentence that helps"
code 2 "an unknown command" muster gte services
like "$out" "did you mean 'get'" "with a suggestion"
code 2 "an unknown resource" muster get pods

new_repository
taskdef app "out=hello"
sed -i "s/environment: \[/environment: [{name: TOKEN, value: $SECRET}, /" "$T/manifests/app-task.yaml"
service app app
service elsewhere app "placementConstraints: [{type: memberOf, expression: 'attribute:env == prod'}]"
node_manifest planned "attributes: {env: prod}"
code 0 "validate of good manifests" muster validate "$T/manifests"
start_musterd
start_agent n1 --attribute env=dev
push "first"
first=$(head_commit)
cd / || exit 1 # not a clone of anything
code 0 "wait for a commit" muster wait --commit "${first:0:7}" --timeout 20s
push "nothing new"
code 0 "wait for the one after it" muster wait --commit "$(head_commit)" --timeout 20s
code 0 "wait for an ancestor of what is applied" muster wait --commit "${first:0:12}" --timeout 20s
code 5 "wait for a commit of another branch" muster wait --commit 0123456789 --timeout 100ms
code 2 "wait for what is no commit" muster wait --commit abc

# --- shapes
json() { # json TEXT FILTER COMMAND...
	local text=$1 filter=$2
	shift 2
	out=$("$@" -o json)
	printf '%s' "$out" | jq -e "$filter" > /dev/null
	ok $? "$text"
}
json "services as ECS has them" '.services[] | select(.serviceName == "app") | .desiredCount == 1 and
	.runningCount == 1 and .pendingCount == 0 and .deployments[0].rolloutState == "COMPLETED" and
	.schedulingStrategy == "DAEMON"' muster get services
json "nodes" '.containerInstances[] | select(.ec2InstanceId == "n1") | .agentConnected and
	.runningTasksCount == 1 and ([.attributes[] | select(.name == "env").value] == ["dev"])' muster get nodes
json "tasks" '.tasks[] | .lastStatus == "RUNNING" and .group == "service:app" and
	(.taskArn | startswith("task/default/")) and .containers[0].name == "main"' muster get tasks app
json "tasks by a filter of nodes" '.tasks == []' muster get tasks --filter 'attribute:env == prod'
json "explain" '[.explanations[] | select(.service == "elsewhere") | {node, desired, why: [.reasons[].reason]}] == [
	{"node": "n1", "desired": false, "why": ["ConstraintNotMet"]},
	{"node": "planned", "desired": false, "why": ["NotRegistered"]}]' muster explain --service elsewhere
code 0 "describe" muster describe service app
like "$out" '^Running: +1$' "shows the counts"
code 1 "an unknown service" muster describe service default/elsewher
like "$out" "did you mean 'elsewhere'" "with a suggestion"
code 3 "a filter that is none" muster get nodes --filter 'attribute:env = prod'

code 0 "logs of a service" muster logs app
is "$out" hello "print what it printed"
id=$(muster get tasks app -o json | jq -r '.tasks[0].taskArn | split("/") | last')
is "$(muster logs "${id:0:8}")" hello "so do those of a task by its id"
code 0 "logs of CLUSTER/SERVICE" muster logs default/app
code 1 "logs of what is not there" muster logs edge/app

# --- validate and plan
code 0 "a plan without changes" muster plan "$T/manifests"
service app app "priority: 7"
service more app
code 1 "a plan with changes" muster plan "$T/manifests"
like "$out" 'more' "names what changes"
echo 'kind: [' > "$T/manifests/bad.yaml"
code 3 "validate of bad manifests" muster validate "$T/manifests"
like "$out" 'bad.yaml:[0-9]+:[0-9]+: error:' "says where"
code 3 "a plan of bad manifests" muster plan "$T/manifests"
push "bad"
code 3 "wait for an invalid commit" muster wait --commit "$(head_commit)" --timeout 20s
like "$out" 'bad.yaml:[0-9]+:[0-9]+: error:' "says why"

# --- two clusters, and an old beat
rm "$T/manifests/bad.yaml"
mkdir "$T/manifests/edge"
sed 's/spec:/spec:\n  cluster: edge/' "$T/manifests/app.yaml" > "$T/manifests/edge/app.yaml"
push "the same name in another cluster"
code 0 "wait for two clusters" muster wait --commit "$(head_commit)" --timeout 20s
code 1 "an ambiguous name" muster describe service app
like "$out" 'default/app or edge/app' "lists both"
code 0 "CLUSTER/NAME" muster describe service edge/app
code 0 "--cluster" muster --cluster edge describe service app
cp -r "$MUSTER_STATUS" "$T/old"
touch -d '14 minutes ago' "$T/old/.beat"
code 0 "an old status is read" muster --status "$T/old" get services
like "$out" 'status is 14 min old, musterd is not running' "with a warning"

# --- what a commit contains is known to the next musterd too
kill "$MUSTERD"
wait_for 10 gone "$MUSTERD"
rm -r "$MUSTER_STATUS"
start_musterd
code 0 "wait for an ancestor after a restart" muster wait --commit "${first:0:12}" --timeout 20s

# --- an agent's own status
code 0 "the agent's own status" env MUSTER_STATUS="$T/nowhere" muster get tasks
like "$out" 'app +n1 +RUNNING' "has its tasks"
code 0 "services of the agent" env MUSTER_STATUS="$T/nowhere" muster get services

# --- what containers run, and what one waits for: from the files of a test of reports
awk -v root="$T/containers" '/^# / { f = root "/" $2; dir = f; sub("/[^/]*$", "", dir); system("mkdir -p " dir); next }
	{ print > f }' "$GOLDEN/report/agent.yaml"
touch "$T/containers/.beat"
code 0 "tasks of containers" muster --status "$T/containers" get tasks -o wide
like "$out" '^TASK .* HEALTH .* IMAGE +DIGEST +PORTS +RUNTIME-ID' "wide: image, digest, ports, health"
like "$out" 'HEALTHY .*docker.io/library/web:1 +0123 +0.0.0.0:8080->80/tcp,\[::\]:5353->53/udp +c0ffee' "of a task"
code 0 "the same, narrow" muster --status "$T/containers" get tasks
like "$out" '^44444444 +web +n1 +RUNNING .* web:[0-9]+ +2 ' "restarts in place count as restarts"
like "$out" '^- +waits +n1 +PENDING .*pulling image web:1: 12 of 40 MB' "what a task waits for"
like "$out" '^TASK .{,60}  REASON$' "the reason, which is cut at the width of a terminal, begins before 70 columns"
json "containers as ECS has them" '.tasks[] | select(.group == "service:web" and .lastStatus == "RUNNING") |
	.healthStatus == "HEALTHY" and .containers[0] == {
	"containerArn": "container/default/44444444444444444444444444444444/web", "name": "web", "lastStatus": "RUNNING",
	"image": "docker.io/library/web:1", "imageDigest": "sha256:0123", "runtimeId": "c0ffee", "healthStatus": "HEALTHY",
	"restartCount": 2, "networkBindings": [
		{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 8080, "protocol": "tcp"},
		{"bindIP": "::", "containerPort": 53, "hostPort": 5353, "protocol": "udp"}]}' \
	muster --status "$T/containers" get tasks
code 0 "describe a task" muster --status "$T/containers" describe task 44444444
like "$out" '^Image digest: +sha256:0123$' "has its digest whole"
code 0 "describe what a service waits for" muster --status "$T/containers" describe task waits
like "$out" '^Reason: +pulling image' "says it"

# --- secrets: only in what its owner alone may read
shown=$(grep -rlF "$SECRET" "$MUSTER_STATE" "$T"/*.log | while read -r file; do
	path=$file private=
	while [ "$path" != "$MUSTER_STATE" ] && [ "$path" != "$T" ]; do # a closed directory counts too
		[ -z "$(find "$path" -maxdepth 0 -perm /077)" ] && private=1
		path=$(dirname "$path")
	done
	[ "$private" ] || echo "$file"
done)
is "$shown" "" "no secret in a file that others may read"
is "$(grep -rlF "$SECRET" "$MUSTER_STATUS" "$MUSTER_STATE"/agents/*/status "$T"/*.log)" "" "nor in any status or log"
for verb in "get services -o yaml" "get nodes -o yaml" "get tasks -o yaml" "get taskdefs -o yaml" "get events -o yaml" \
	"describe taskdef app" "describe service app" "describe node n1" "plan $T/manifests -o json" explain; do
	# shellcheck disable=SC2086
	muster $verb
done > "$T/all.txt" 2>&1
is "$(grep -cF "$SECRET" "$T/all.txt")" 0 "nor in anything that is printed"
like "$(muster describe taskdef app)" 'name: TOKEN' "its name is shown"
done_testing
