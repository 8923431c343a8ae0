#!/bin/bash
# The environment itself: each engine comes up, runs a container whose published port can be reached, pulls from
# the registry, is killed and started again, and leaves nothing. Needs root and what tests/setup/deps engines has.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/muster-engines.XXXXXX")
W=$T/w
N=0 FAILED=0
finish() {
	local d
	for d in "$T"/*/; do [ -e "$d/cgroups" ] && "$HERE/down" "${d%/}"; done
	rm -rf "$T"
	[ $FAILED = 0 ] || exit 1
}
trap finish EXIT
trap 'exit 1' INT TERM

ok() { # STATUS TEXT
	N=$((N + 1))
	if [ "$1" = 0 ]; then echo "ok $N - $2"; else echo "not ok $N - $2"; FAILED=1; fi
}
is() { # GOT WANT TEXT
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || printf '# got:  %s\n# want: %s\n' "$1" "$2"
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
api() { # ENGINE PATH [CURL-OPTION]...
	local socket=$W/$1.sock path=$2
	shift 2
	curl -s --max-time 20 --unix-socket "$socket" -H 'Content-Type: application/json' "$@" "http://localhost/v1.41$path"
}
run() { # ENGINE NAME IMAGE PORT VARIANT-SERVED: a container that serves, and its published port reached
	local body
	body=$(jq -cn --arg image "$3" --arg port "$4" '{Image: $image, Cmd: ["httpd", "-f", "-p", "80", "-h", "/var/www"], StopTimeout: 1,
		ExposedPorts: {"80/tcp": {}}, HostConfig: {Memory: 33554432, PortBindings: {"80/tcp": [{HostPort: $port}]}}}')
	api "$1" "/containers/create?name=$2" -X POST -d "$body" > /dev/null
	api "$1" "/containers/$2/start" -X POST
	await 10 served "$4" "$5"
}
served() { [ "$("$HERE/in" "$W" curl -s --max-time 1 "http://127.0.0.1:$1/")" = "$2" ]; }
state() { api "$1" "/containers/$2/json" | jq -r .State.Status; }
# What engines make outside of their directories on a machine.
traces() {
	ls -d /run/docker* /run/containerd* /run/libpod* /run/containers* /run/netns/* /run/crun* /run/runc* \
		/var/lib/docker* /var/lib/containers* /var/lib/cni* /etc/docker/* /etc/containers/* /opt/containerd* \
		/dev/shm/libpod* 2> /dev/null
	ip -o link | cut -d: -f2
	iptables-save 2> /dev/null | grep -v '^[#:]'
}

before=$(traces)
start=$(ms)
"$HERE/up" registry "$W" > "$T/address" 2> "$T/why"
status=$?
[ $status != 77 ] || { echo "1..0 # SKIP $(sed 's/^engines: //' "$T/why")"; exit 0; }
ok $status "a registry comes up, its namespaces too: $(($(ms) - start)) ms"
is "$(cat "$T/address")" registry.test:5000 "its address is printed"
start=$(ms)
pushed=$("$HERE/push" "$W" test:1 one)
ok $? "an index of two architectures is pushed: $(($(ms) - start)) ms"
index=$(echo "$pushed" | sed -n 's/^index //p')
is "$(echo "$pushed" | wc -l)" 3 "the digests of the index and of both are printed"
is "$("$HERE/push" "$W" test:2 one | sed -n 's/^index //p')" "$index" "the same content has the same digest"
code=$("$HERE/in" "$W" curl -s --cacert "$W/tls/ca.crt" -o /dev/null -w '%{http_code}' https://registry.test:5000/v2/)
is "$code" 401 "the registry wants a password"
"$HERE/in" "$W" curl -s https://registry.test:5000/v2/ > /dev/null
is $? 60 "its certificate is of our own authority"

auth=$(printf '{"username":"muster","password":"secret-of-tests"}' | base64 -w 0 | tr +/ -_)
port=20000
for engine in podman docker; do
	start=$(ms)
	socket=$("$HERE/up" $engine "$W")
	ok $? "$engine comes up: $(($(ms) - start)) ms"
	is "$socket" "$W/$engine.sock" "$engine: its socket is printed"
	is "$(api $engine /info | jq -r .Driver)" "$([ $engine = docker ] && echo overlay2 || echo overlay)" \
		"$engine: storage is an overlay"
	start=$(ms)
	id=$("$HERE/image" "$W" $engine localhost/test:local local)
	ok $? "$engine: an image is made and loaded: $(($(ms) - start)) ms"
	is "$(api $engine /images/localhost/test:local/json | jq -r .Id)" "$id" "$engine: under its id"
	start=$(ms)
	run $engine one localhost/test:local $port local
	ok $? "$engine: a container runs, its published port answers: $(($(ms) - start)) ms"

	api $engine "/images/create?fromImage=registry.test:5000/test&tag=1" -X POST > "$T/refused"
	api $engine /images/registry.test:5000/test:1/json | grep -q '"Id"'
	is $? 1 "$engine: no pull without a password"
	api $engine "/images/create?fromImage=registry.test:5000/test&tag=1" -X POST -H "X-Registry-Auth: $auth" > "$T/pulled"
	api $engine /images/registry.test:5000/test:1/json | jq -r '.RepoDigests[]' | grep -q "^registry.test:5000/test@$index\$"
	ok $? "$engine: a pull, and the digest of the index is known"
	run $engine two registry.test:5000/test:1 $((port + 1)) one
	ok $? "$engine: what was pulled runs"
	body='{"Image": "localhost/test:local", "Cmd": ["testtask", "out=hello", "exit=3"]}'
	api $engine "/containers/create?name=three" -X POST -d "$body" > /dev/null
	api $engine /containers/three/start -X POST
	is "$(api $engine /containers/three/wait -X POST | jq .StatusCode)" 3 "$engine: testtask is in the image"

	# A daemon that hangs, is killed, and comes back.
	pid=$("$HERE/daemon" "$W" $engine pid)
	[ "$(tr '\0' ' ' < "/proc/$pid/cmdline" | grep -c "$W/$engine.sock")" = 1 ]
	ok $? "$engine: its process is known outside"
	"$HERE/daemon" "$W" $engine freeze
	curl -s --max-time 0.3 --unix-socket "$socket" http://localhost/_ping > /dev/null
	is $? 28 "$engine: frozen, it does not answer"
	"$HERE/daemon" "$W" $engine thaw
	is "$(api $engine /_ping)" OK "$engine: thawed, it does"
	for end in kill stop; do
		"$HERE/daemon" "$W" $engine $end
		curl -s --max-time 3 --unix-socket "$socket" http://localhost/_ping > /dev/null
		is $? 7 "$engine: after $end nobody answers"
		start=$(ms)
		"$HERE/daemon" "$W" $engine start > /dev/null
		ok $? "$engine: started again after $end: $(($(ms) - start)) ms"
		echo "# its containers are $(state $engine one), $(state $engine three)"
	done
	[ $engine = docker ] || is "$(state $engine one)" running "$engine: containers outlive their service"
	port=$((port + 10))
done

# Docker's own choice: containers end with it, or outlive it.
is "$(state docker one)" exited "docker: containers end with the daemon"
"$HERE/daemon" "$W" docker stop
"$HERE/daemon" "$W" docker start --live-restore > /dev/null
api docker /containers/one/start -X POST
"$HERE/daemon" "$W" docker kill
"$HERE/daemon" "$W" docker start --live-restore > /dev/null
is "$(state docker one)" running "docker: with --live-restore they outlive a kill -9"
await 10 served 20010 local
ok $? "docker: and still serve"

# A second one beside it has its own of everything.
W2=$T/v
"$HERE/up" podman "$W2" > /dev/null
ok $? "another podman beside it"
is "$(curl -s --unix-socket "$W2/podman.sock" 'http://localhost/v1.41/containers/json?all=1')" "[]" "has no containers"

# Nothing is left.
cgroup=$(basename "$(head -n 1 "$W/cgroups")")
space=$(readlink "/proc/$(cat "$W/world.pid")/ns/net")
[ "$(grep -ls "$cgroup" /proc/[0-9]*/cgroup | wc -l)" -gt 3 ]
ok $? "while it is up there are processes in its cgroup"
start=$(ms)
"$HERE/down" "$W"
ok $? "down: $(($(ms) - start)) ms"
"$HERE/down" "$W2"
is "$(grep -ls "$cgroup" /proc/[0-9]*/cgroup)" "" "no process in its cgroup"
is "$(readlink /proc/[0-9]*/ns/net | grep -cF "$space")" 0 "nor in its network"
is "$(pgrep -f "$T/" | grep -vx "$$")" "" "nor one that names its directory"
is "$(find /sys/fs/cgroup -name "$cgroup")" "" "no cgroup"
is "$(grep -F "$T" /proc/self/mountinfo)" "" "no mount"
is "$(ls -A "$T")" "$(printf 'address\npulled\nrefused\nwhy')" "no file, no socket"
is "$(traces)" "$before" "nothing elsewhere on the machine"
echo "1..$N"
