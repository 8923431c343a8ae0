# The figures that need a container engine, as root: push to started against the engine's own run of the same
# container, and against Swarm; killed to running again; memory and idle cost with ten containers. Runs of
# muster and of the engine alternate, so that what else the machine does hits both alike. What is measured is waited
# for by the engine's own events and not by asking again and again, which would take time, and containers' locks, from
# what is measured.
. ../e2e/lib.sh
HERE=../engines
row() { printf '%-56s %8s %8s %-4s %s\n' "$@"; }
quantile() { sort -n | awk -v q="$1" '{ v[NR] = $1 } END { i = int(NR * q + 0.999999); if (i < 1) i = 1; print v[i] }'; }
figure() { # NAME FILE [LIMIT]
	row "$1" "$(quantile 0.5 < "$2" | awk '{ printf "%.0f", $1 }')" "$(quantile 0.99 < "$2" | awk '{ printf "%.0f", $1 }')" ms "${3:-}"
}
times() { awk -v a="$(quantile 0.5 < "$1")" -v b="$(quantile 0.5 < "$2")" 'BEGIN { printf "%.2f x", a / b }'; }
now_ms() { awk -v t="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", t * 1000 }'; }

bench() { # ENGINE
	local engine=$1 socket id i
	W=$T/$engine
	$HERE/up "$engine" "$W" > /dev/null 2> "$T/why"
	[ $? = 0 ] || { echo "$engine: skipped: $(sed 's/^engines: //' "$T/why" | head -1)"; return; }
	socket=$W/$engine.sock
	$HERE/image "$W" "$engine" localhost/app:1 one > /dev/null
	api() {
		local path=$1
		shift
		curl -s --max-time 60 --unix-socket "$socket" -H 'Content-Type: application/json' "$@" "http://engine/v1.41$path"
	}
	# When a container was started, by the engine's own clock: ms.
	started() { api "/containers/$1/json" | jq -r .State.StartedAt | xargs -I{} date -d {} +%s.%N | awk '{ printf "%.1f\n", $1 * 1000 }'; }
	# The engine's events of a kind, from now on; event() waits for the next and sets id. The stream is there when
	# its head is.
	listen() { # EVENT,... [LABEL=VALUE]
		local filters
		filters=$(jq -rn --arg e "$1" --arg l "${2:-}" \
			'{type: ["container"], event: ($e / ",")} + (if $l == "" then {} else {label: [$l]} end) | tojson | @uri')
		rm -f "$T/events.head"
		exec {EVENTS}< <(exec curl -sN -D "$T/events.head" --unix-socket "$socket" "http://engine/v1.41/events?filters=$filters")
		LISTENER=$!
		wait_for 10 test -s "$T/events.head"
	}
	event() {
		local line
		read -rt 60 -u "$EVENTS" line || { echo "$engine: no event came"; exit 1; }
		[[ $line =~ \"id\":\"([0-9a-f]+)\" ]]
		id=${BASH_REMATCH[1]}
	}
	deaf() {
		kill "$LISTENER"
		exec {EVENTS}<&-
	}
	# As one ends that crashes or is killed by the kernel: the engine is not asked, it has to notice.
	kill_from_outside() { # ID
		$HERE/in "$W" sh -c "kill -9 $(api "/containers/$1/json" | jq -r .State.Pid)"
	}
	from_end_to_start() { # OLD NEW: ms
		local ended
		ended=$(api "/containers/$1/json" | jq -r .State.FinishedAt | xargs -I{} date -d {} +%s.%N)
		started "$2" | awk -v e="$ended" '{ print $1 - e * 1000 }'
	}
	own_run() { # the engine's client, as a person would; prints the id
		if [ "$engine" = docker ]; then
			/usr/bin/docker -H "unix://$socket" run -d --memory 32m localhost/app:1 sleep 1000
		else
			podman --url "unix://$socket" run -d --memory 32m localhost/app:1 sleep 1000
		fi
	}
	rm -rf "$T/state" "$T/fleet.git" "$T/manifests"
	new_repository
	start_musterd
	start_agent n1 --engine "docker:$socket"
	app() {
		printf '%s\n' 'apiVersion: muster/v1' 'kind: TaskDefinition' "metadata: {name: $1}" 'spec:' '  containerDefinitions:' \
			"  - {name: main, image: 'localhost/app:1', imagePullPolicy: IfNotPresent, memory: 32, stopTimeout: 0, command: [sleep, '1000', ${2:-x}]}" |
			sed "s/, ${2:-x}\]/]/; s/1000/100${2:-0}/" > "$T/manifests/$1-task.yaml"
	}
	by_hand() { # create and start; prints the id
		local made
		made=$(api '/containers/create' -X POST -d '{"Image":"localhost/app:1","Cmd":["sleep","1000"],"HostConfig":{"Memory":33554432}}')
		[[ $made =~ \"Id\":\"([0-9a-f]+)\" ]]
		made=${BASH_REMATCH[1]}
		api "/containers/$made/start" -X POST
		echo "$made"
	}
	change() { # SERVICE: pushes all there is; until its container was started (id), and musterd knows
		listen start muster.service="$1"
		push "$1"
		event
		deaf
		muster wait --commit "$(head_commit)" --timeout 60s > /dev/null 2>&1
	}

	swarm_create() { # NAME: until its container was started (id)
		listen start com.docker.swarm.service.name="g$1"
		/usr/bin/docker -H "unix://$socket" service create -q --detach --no-resolve-image --mode global --name "g$1" --limit-memory 32m \
			localhost/app:1 sleep 1000 > /dev/null 2>&1
		event
		deaf
	}
	[ "$engine" = podman ] || api /swarm/init -X POST -d '{"ListenAddr":"127.0.0.1:2377","AdvertiseAddr":"127.0.0.1"}' > /dev/null
	mkdir "$T/manifests/clusters" # what is removed below is most of what runs
	printf '%s\n' 'apiVersion: muster/v1' 'kind: Cluster' 'metadata: {name: default}' 'spec: {massChangePercent: 100}' \
		> "$T/manifests/clusters/default.yaml"
	for i in $(seq "${RUNS:-9}"); do
		app "s$i"
		service "s$i" "s$i"
		nap 0.5
		change "s$i"
		ref=$(stat -c %.Y "$T/fleet.git/refs/heads/main" | awk '{ printf "%.1f", $1 * 1000 }')
		started "$id" | awk -v r="$ref" '{ print $1 - r }' >> "$T/$engine-push"
		nap 0.5
		t=$(now_ms)
		id=$(own_run 2> /dev/null | tail -1)
		started "$id" | awk -v t="$t" '{ print $1 - t }' >> "$T/$engine-run"
		api "/containers/$id?force=1" -X DELETE
		[ "$engine" = docker ] || continue
		nap 0.5
		t=$(now_ms)
		swarm_create "$i"
		started "$id" | awk -v t="$t" '{ print $1 - t }' >> "$T/swarm"
		api "/services/g$i" -X DELETE
	done
	figure "$engine: its own run, image present -> started" "$T/$engine-run"
	figure "$engine: push (ref moved) -> started" "$T/$engine-push" "1.15 x its own run"
	row "  ratio" "$(times "$T/$engine-push" "$T/$engine-run")" '' '' ''

	# Killed -> running again, against the engine alone, by its API and without a pause: as soon as it tells that
	# one has died, create and start another.
	rm "$T"/manifests/s[0-9]*.yaml
	app keep
	service keep keep
	change keep
	for i in $(seq "${RUNS:-9}"); do
		old=$id
		nap 1
		listen start muster.service=keep
		kill_from_outside "$old"
		event
		deaf
		nap 0.5
		from_end_to_start "$old" "$id" >> "$T/$engine-killed"
		app keep "$i" # a new series: no back-off
		change keep
		keep=$id

		old=$(by_hand)
		nap 0.5
		listen die,died # "died" is how Podman's filter has it
		kill_from_outside "$old"
		event
		new=$(by_hand)
		deaf
		from_end_to_start "$old" "$new" >> "$T/$engine-start"
		api "/containers/$old?force=1" -X DELETE
		api "/containers/$new?force=1" -X DELETE
		id=$keep
	done
	figure "$engine: killed -> the next one by hand" "$T/$engine-start"
	figure "$engine: killed -> running again" "$T/$engine-killed" "1.15 x by hand"
	row "  ratio" "$(times "$T/$engine-killed" "$T/$engine-start")" '' '' ''

	for i in 0 1 2 3 4 5 6 7 8; do app "m$i"; service "m$i" "m$i"; done
	push ten
	muster wait --commit "$(head_commit)" --timeout 120s > /dev/null 2>&1
	pid=$(agent_pid n1)
	row "$engine: memory (PSS), agent with $(api '/containers/json' | jq '[.[] | select(.Labels["muster.task"])] | length') containers" \
		"$(awk '/^Pss:/ { printf "%.1f", $2 / 1024 }' "/proc/$pid/smaps_rollup")" '' MiB 12
	nap 5
	switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$pid/task"/*/status; }
	ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
	a=$(switches) c=$(ticks)
	nap 30
	row "$engine: idle agent, CPU, wake-ups a second" \
		"$(awk -v a="$c" -v b="$(ticks)" 'BEGIN { printf "%.2f", (b - a) / 30 }')" "$(awk -v a="$a" -v b="$(switches)" 'BEGIN { printf "%.2f", (b - a) / 30 }')" '%' ''
	kill -9 "$(agent_pid n1)" "$MUSTERD"

	[ "$engine" = docker ] || { $HERE/down "$W" > /dev/null 2>&1; return; }
	figure "docker: service create --mode global -> started" "$T/swarm"
	row "  muster against it" "$(times "$T/docker-push" "$T/swarm")" '' '' 'less than 0.50 x'
	swarm_create last
	old=$id
	nap 1
	listen start com.docker.swarm.service.name="glast"
	kill_from_outside "$old"
	event
	deaf
	from_end_to_start "$old" "$id" > "$T/swarm-killed"
	figure "docker: Swarm, killed -> running again" "$T/swarm-killed"
	$HERE/down "$W" > /dev/null 2>&1
}
finish() {
	for e in podman docker; do [ ! -e "$T/$e/cgroups" ] || $HERE/down "$T/$e" > /dev/null 2>&1; done
	cleanup
}
trap finish EXIT
[ "$(id -u)" = 0 ] || { echo 'container engines: skipped: needs root'; exit 0; }
row 'container engines' median p99 unit 'at most'
bench podman
bench docker
