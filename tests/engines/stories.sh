# The stories of a fleet on a real container engine, looked at through the engine's own API. To be sourced by
# bash with ENGINE and FLAGS (of its daemon) set; see tests/e2e/lib.sh.
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/../e2e/lib.sh"
W=$T/w
leave_nothing() {
	kill_started
	[ ! -e "$W/cgroups" ] || "$HERE/down" "$W" > /dev/null 2>&1
	cleanup
}
trap leave_nothing EXIT
"$HERE/up" "$ENGINE" "$W" "${FLAGS[@]}" > /dev/null 2> "$T/why"
case $? in
0) ;;
77) skip_all "$(sed 's/^engines: //' "$T/why" | head -1)" ;;
*) ok 1 "$ENGINE comes up"; sed 's/^/# /' "$T/why"; done_testing; exit 1 ;;
esac
SOCKET=$W/$ENGINE.sock

api() { # PATH [CURL-OPTION]...
	local path=$1
	shift
	curl -s --max-time 30 --unix-socket "$SOCKET" -H 'Content-Type: application/json' "$@" "http://engine/v1.41$path"
}
# ID NODE SERVICE TASK STATE IMAGE of all of muster's containers, a line each.
containers() {
	api '/containers/json?all=1' | jq -r '.[] | select(.Labels["muster.task"])
		| [.Id[0:12], .Labels["muster.node"], .Labels["muster.service"], .Labels["muster.task"][0:8], .State, .Image] | @tsv' |
		sort -k2,4
}
running() { containers | awk -F'\t' -v s="$1" '$3 == s && $5 == "running"'; }
ids() { running "$1" | cut -f1 | sort | tr '\n' ' '; }
nodes_of() { running "$1" | cut -f2 | sort | tr '\n' ' '; }
runs_on() { [ "$(nodes_of "$1")" = "$2 " ]; } # SERVICE "NODE NODE": one each
runs_image() { runs_on "$1" "$2" && [ "$(running "$1" | cut -f6 | sort -u)" = "$3" ]; }
doubles() { containers | awk -F'\t' '$5 == "running" { print $2, $3 }' | sort | uniq -d; }
start_engine_agent() { start_agent "$1" --engine "docker:$SOCKET"; }

app() { # FAMILY IMAGE [LABEL]: a task definition that runs until it is stopped
	cat > "$T/manifests/$1-task.yaml" <<-EOM
	apiVersion: muster/v1
	kind: TaskDefinition
	metadata: {name: $1}
	spec:
	  containerDefinitions:
	  - name: main
	    image: $2
	    imagePullPolicy: IfNotPresent
	    memory: 32
	    stopTimeout: 2
	    command: [sh, -c, 'cat /etc/variant; trap "exit 0" TERM; while :; do sleep 0.1; done', "${3:-}"]
	EOM
}

"$HERE/image" "$W" "$ENGINE" localhost/app:1 one > /dev/null
"$HERE/image" "$W" "$ENGINE" localhost/app:2 two > /dev/null
stranger=$(api '/containers/create?name=stranger' -X POST -d '{"Image":"localhost/app:1","Cmd":["sleep","1000"]}' | jq -r .Id)
api "/containers/$stranger/start" -X POST
new_repository
start_musterd
for n in n1 n2 n3; do start_engine_agent $n; done

# --- push, update, a missing image --------------------------------------------------------------
app app localhost/app:1
service app app 'deploymentConfiguration: {minimumHealthyPercent: 50}'
push "a container on each node"
wait_for 60 runs_image app "n1 n2 n3" localhost/app:1
ok $? "one container on each of three nodes that share an engine" || log_tail
[ "$FAILED" = 0 ] || { muster explain; containers; } | sed 's/^/# /'
muster wait --timeout 60s > "$T/out" 2>&1
is $? 0 "and muster wait knows" || sed 's/^/# /' "$T/out"
app app localhost/app:2
push "another image"
wait_for 60 runs_image app "n1 n2 n3" localhost/app:2
ok $? "a changed task definition replaces them" || log_tail
muster wait --commit "$(head_commit)" --timeout 60s > /dev/null
each() { printf "n%d/main: $1\n" 1 2 3; }
is "$(muster logs app)" "$(each two)" "muster logs asks the engine"
is "$(muster logs --previous app)" "$(each one)" "also for the tasks before"
before=$(ids app)
app app localhost/none:1
push "an image that is nowhere"
says() { muster describe service app | grep -q CannotPullContainerError; }
wait_for 60 says
ok $? "a missing image is told as CannotPullContainerError" || muster describe service app | sed 's/^/# /'
is "$(ids app)" "$before" "and costs no outage"
app app localhost/app:2
push "back again"
muster wait --commit "$(head_commit)" --timeout 60s > /dev/null
is $? 0 "a commit that goes back is done" || muster describe service app | sed 's/^/# /'
is "$(ids app)" "$before" "with the containers that ran all the time"

# --- drift ----------------------------------------------------------------------------------------
one=$(running app | head -1 | cut -f1)
api "/containers/$one/kill" -X POST
back() { runs_on app "n1 n2 n3" && ! ids app | grep -q "$one"; }
wait_for 20 back
ok $? "a killed container is back" || containers | sed 's/^/# /'
one=$(running app | head -1 | cut -f1)
api "/containers/$one?force=1" -X DELETE
wait_for 20 back
ok $? "a removed container is back" || containers | sed 's/^/# /'
one=$(running app | head -1 | cut -f1)
api "/containers/$one/pause" -X POST
wait_for 20 runs_on app "n1 n2 n3"
ok $? "a paused container goes on" || containers | sed 's/^/# /'
is "$(ids app | grep -c "$one")" 1 "the same one"

# --- the engine's daemon, and an agent without its files ------------------------------------------
settled() { muster wait --timeout 30s > /dev/null 2>&1; }
settled
before=$(ids app)
"$HERE/daemon" "$W" "$ENGINE" kill
unavailable() { muster describe node n1 | grep -q EngineUnavailable; }
wait_for 30 unavailable
ok $? "status says that the engine is away" || muster describe node n1 | sed 's/^/# /'
"$HERE/daemon" "$W" "$ENGINE" start "${FLAGS[@]}" > /dev/null
available() { ! unavailable; }
wait_for 60 available
ok $? "and that it is back"
is "$(ids app)" "$before" "its containers ran on, and are the same"
kill9 "$(agent_pid n3)"
rm -rf "$T/state/agents/n3"
start_engine_agent n3
# Another instance has to wait until the old one is silent for 30 s; meanwhile the kills, on another node.

# --- kill -9 of an agent while it starts containers -----------------------------------------------
for s in a b c; do
	app $s localhost/app:1
	service $s $s 'deploymentConfiguration: {minimumHealthyPercent: 0}'
done
seen_double= kills=0
for round in $(seq "${ROUNDS:-25}"); do
	for s in a b c; do app $s localhost/app:1 "$round"; done
	push "round $round"
	for k in 1 2 3 4; do
		nap "0.$(printf %03d $((RANDOM % 250)))"
		kill9 "$(agent_pid n1)"
		kills=$((kills + 1))
		seen_double+=$(doubles)
		start_engine_agent n1
	done
done
all() { for s in a b c; do runs_on $s "n1 n2 n3" || return 1; done; }
wait_for 120 all
ok $? "after $kills kills of an agent no container is lost" || { containers; muster get tasks; } | sed 's/^/# /'
is "$seen_double$(doubles)" "" "and none was doubled"
adopted() { muster get tasks app | grep -q 'n3 .*RUNNING'; }
wait_for 60 adopted
ok $? "an agent that lost its files knows its task again" || log_tail
is "$(ids app)" "$before" "and has not touched it"
muster wait --commit "$(head_commit)" --timeout 120s > "$T/out" 2>&1
is $? 0 "the last commit is done" || { cat "$T/out"; muster describe service a; } | sed 's/^/# /'
# Stopped ones are kept for people; each is of a task that is known, also one that was half made.
known=$(muster get tasks -o json | jq -r '.tasks[].taskArn | split("/")[-1][0:8]')
is "$(containers | cut -f4 | sort -u | grep -vxF "$known")" "" "no container is of a task that nobody knows"

# --- gone -----------------------------------------------------------------------------------------
rm "$T"/manifests/{a,b,c}.yaml "$T"/manifests/{a,b,c}-task.yaml
holds_anything() { muster get holds | grep -q ManyServicesRemoved; }
push 'three services less' # three of four: the guard asks for a word
wait_for 30 holds_anything
ok $? "a commit that removes most of the fleet's tasks is held"
is "$(containers | awk -F'\t' '$5 == "running" && $3 != "app"' | wc -l)" 9 "and stops nothing"
push 'meant so

Muster-Allow: all'
only_app() { [ -z "$(containers | awk -F'\t' '$3 != "app" && $5 == "running"')" ]; }
wait_for 60 only_app
ok $? "removed services stop everywhere" || containers | sed 's/^/# /'
for n in n1 n2 n3; do
	muster-agent --node $n --engine "docker:$SOCKET" --leave >> "$T/agent-$n.log" 2>&1
	is $? 0 "$n leaves" || tail -5 "$T/agent-$n.log" | sed 's/^/# /'
done
none() { [ -z "$(containers)" ]; }
wait_for 10 none # an engine may still show what it is removing
ok $? "and nothing of muster is left" || containers | sed 's/^/# /'
is "$(api "/containers/$stranger/json" | jq -r '[.State.Status, .RestartCount] | @csv')" '"running",0' "a stranger's container is as it was"
done_testing
