#!/bin/bash
# muster logs of containers in real Podman and Docker, made by hand with the labels that an agent gives them.
# Needs root and what tests/setup/engine-deps has.
set -u
: "${B:?run it by tests/run}"
PATH=$B/bin:$PATH
HERE=$(cd "$(dirname "$0")" && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/muster-engines.XXXXXX")
W=$T/w
N=0 FAILED=0 FOLLOWERS=
finish() {
	for pid in $FOLLOWERS; do kill "$pid" 2> /dev/null; done
	[ ! -e "$W/cgroups" ] || "$HERE/down" "$W"
	rm -rf "$T"
	[ $FAILED = 0 ] || exit 1
}
trap finish EXIT
trap 'exit 1' INT TERM

is() { # GOT WANT TEXT
	N=$((N + 1))
	if [ "$1" = "$2" ]; then echo "ok $N - $3"; else
		echo "not ok $N - $3"
		printf '# got:  %s\n# want: %s\n' "$1" "$2"
		FAILED=1
	fi
}
like() { # GOT REGEX TEXT
	is "$(printf '%s' "$1" | grep -cE -- "$2")" 1 "$3"
	printf '%s' "$1" | grep -qE -- "$2" || printf '%s\n' "$1" | sed 's/^/# got: /'
}
ms() { echo $(($(date +%s%N) / 1000000)); }
await() { # SECONDS COMMAND...
	local end=$(($(ms) + $1 * 1000))
	shift
	until "$@" > /dev/null 2>&1; do
		[ "$(ms)" -lt $end ] || return 1
		sleep 0.05
	done
}
lines() { printf '%s\n' "$@"; }
api() { # ENGINE PATH [CURL-OPTION]...
	local socket=$W/$1.sock path=$2
	shift 2
	curl -s --max-time 20 --unix-socket "$socket" -H 'Content-Type: application/json' "$@" "http://localhost/v1.41$path"
}
create() { # ENGINE NAME SERVICE TASK CONTAINER TTY DRIVER WORD...: "" DRIVER: the engine's own
	local engine=$1 name=$2 service=$3 task=$4 container=$5 tty=$6 driver=$7
	shift 7
	jq -cn --arg service "$service" --arg task "$task" --arg container "$container" --argjson tty "$tty" \
		--arg driver "$driver" '{Image: "localhost/test:logs", Cmd: (["testtask"] + $ARGS.positional), Tty: $tty,
		Labels: {"muster.fleet": ("f" * 32), "muster.node": "n1", "muster.cluster": "default",
			"muster.service": $service, "muster.task": $task, "muster.container": $container},
		HostConfig: (if $driver == "" then {} else {LogConfig: {Type: $driver, Config: {}}} end)}' --args "$@" > "$T/body"
	api "$engine" "/containers/create?name=$name" -X POST -d "@$T/body" > "$T/created"
}
start() { api "$1" "/containers/$2/start" -X POST > "$T/started"; }
over() { [ "$(api "$1" "/containers/$2/json" | jq -r .State.Status)" = exited ]; }
# As an agent keeps it: a line of JSON, and its checksum.
agent_of() { # ENGINE
	local dir=$T/$1/agents/n1
	mkdir -p "$dir"
	jq -cn --arg socket "$W/$1.sock" '{kind: "engine-docker", muster: 1, socket: $socket}' > "$dir/engine-docker.json"
	sum=$(sha256sum < "$dir/engine-docker.json" | cut -d ' ' -f 1)
	echo "#sha256=$sum" >> "$dir/engine-docker.json"
	printf 'ffffffffffffffffffffffffffffffff' > "$dir/fleet"
}
zero=00000000000000000000000000000000 one=11111111111111111111111111111111 two=22222222222222222222222222222222
follows() { [ "$(cat "$T/followed")" = "$(lines "$@")" ]; }

for engine in podman docker; do
	"$HERE/up" $engine "$W" > "$T/socket" 2> "$T/why"
	status=$?
	if [ $status = 77 ]; then
		echo "1..0 # SKIP $(sed 's/^engines: //' "$T/why")"
		exit 0
	fi
	is $status 0 "$engine comes up"
	"$HERE/image" "$W" $engine localhost/test:logs logs > "$T/image"
	agent_of $engine
	said() { muster --state "$T/$engine" logs "$@" 2>&1; }

	create $engine app-main app $zero main false "" out=a err=b out=c
	create $engine app-side app $zero side false "" out=side
	for c in app-main app-side; do start $engine $c; done
	await 20 over $engine app-main
	await 20 over $engine app-side
	is "$(said -c main app | sort)" "$(lines a b c)" "$engine: stdout and stderr"
	is "$(said app | sort)" "$(lines "main: a" "main: b" "main: c" "side: side")" "$engine: two containers of a task"
	is "$(said -c main --tail 1 app | wc -l)" 1 "$engine: --tail"
	is "$(said -c main --since 1h app | sort)" "$(lines a b c)" "$engine: --since a duration"
	is "$(said --since 2999-01-01 -c main app)" "" "$engine: --since the future"

	create $engine tty tty 33333333333333333333333333333333 main true "" out=t1 out=t2
	start $engine tty
	await 20 over $engine tty
	is "$(said tty | tr -d '\r')" "$(lines t1 t2)" "$engine: with a terminal"

	# Lines before and after a moment.
	create $engine times times 44444444444444444444444444444444 main false "" out=early "wait=/tmp/go" out=late sleep
	start $engine times
	await 20 eval '[ "$(said times)" = early ]'
	moment=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
	mkdir -p "$T/tar" && touch "$T/tar/go"
	tar -C "$T/tar" -cf - go | api $engine "/containers/times/archive?path=/tmp" -X PUT -H 'Content-Type: application/x-tar' --data-binary @- > "$T/put"
	await 20 eval '[ "$(said times)" = "$(lines early late)" ]'
	is "$(said --since "$moment" times)" late "$engine: --since a time"
	is "$(said 44444444)" "$(lines early late)" "$engine: one task, by its id"

	# Another user, who may not read which engine the agent uses: a usual one is asked, if its socket lets.
	cp "$B/bin/muster" "$T/muster"
	chmod 711 "$T" "$W"
	chmod 600 "$T/$engine/agents/n1/engine-docker.json"
	chgrp 1 "$W/$engine.sock"
	chmod 660 "$W/$engine.sock"
	other() { DOCKER_HOST=unix://$W/$engine.sock setpriv --reuid 65534 --regid 65534 "$@" 2>&1; }
	is "$(other --groups 1 "$T/muster" --state "$T/$engine" logs tty | tr -d '\r')" "$(lines t1 t2)" "$engine: a member of the socket's group"
	is "$(other --groups 1 "$T/muster" --state "$T/$engine" logs none-such)" \
		"muster: no logs of 'none-such' were found without $T/$engine/agents/n1/engine-docker.json: only root may read it: run it with sudo" \
		"$engine: who finds nothing is told why"
	is "$(other --clear-groups "$T/muster" --state "$T/$engine" logs tty)" \
		"muster: containers of node n1: connect '$W/$engine.sock': Permission denied: members of the group $(getent group 1 | cut -d: -f1) may use it, and root: run it with sudo" \
		"$engine: who is not let is told who is"

	# Log drivers.
	create $engine none none 55555555555555555555555555555555 main false none out=x
	start $engine none
	await 20 over $engine none
	like "$(said none)" "its log driver is 'none'" "$engine: the driver none"
	is "$(said none > "$T/out"; echo $?)" 1 "$engine: and the code"

	# Followed: what comes, the same container again, and the next task.
	create $engine web-1 web $two main false "" out=w1 "wait=/tmp/go" out=w2
	start $engine web-1
	await 20 eval '[ "$(said web)" = w1 ]'
	muster --state "$T/$engine" logs -f web > "$T/followed" 2>&1 &
	follower=$!
	FOLLOWERS="$FOLLOWERS $follower"
	disown $follower
	muster --state "$T/$engine" logs -f $two > "$T/followed-task" 2>&1 &
	task=$!
	FOLLOWERS="$FOLLOWERS $task"
	await 20 follows w1
	is "$(cat "$T/followed")" w1 "$engine: follow begins with what there is"
	tar -C "$T/tar" -cf - go | api $engine "/containers/web-1/archive?path=/tmp" -X PUT -H 'Content-Type: application/x-tar' --data-binary @- > "$T/put"
	await 20 follows w1 w2
	is "$(cat "$T/followed")" "$(lines w1 w2)" "$engine: goes on with what comes"
	await 20 over $engine web-1
	await 20 eval '! kill -0 $task'
	kill $task 2> "$T/kill"
	wait $task
	is $? 0 "$engine: follow of one task ends with it"
	start $engine web-1
	await 20 follows w1 w2 w1 w2
	is "$(cat "$T/followed")" "$(lines w1 w2 w1 w2)" "$engine: with the same container again"
	create $engine web-2 web $one main false "" out=w3 sleep
	start $engine web-2
	await 20 follows w1 w2 w1 w2 w3
	is "$(cat "$T/followed")" "$(lines w1 w2 w1 w2 w3)" "$engine: and with the next task"
	is "$(said web)" w3 "$engine: that is the present one"
	is "$(said --previous web)" "$(lines w1 w2 w1 w2)" "$engine: --previous"

	# The engine ends.
	"$HERE/daemon" "$W" $engine kill
	await 20 eval '! kill -0 $follower'
	like "$(cat "$T/followed")" "^muster: the engine at $W/$engine.sock" "$engine: its end is told"
	like "$(said web)" "containers of node n1: connect '$W/$engine.sock'" "$engine: and that it is away"
done
echo "1..$N"
