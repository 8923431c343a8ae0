#!/bin/bash
# The engine contract and what only containers have, on real Podman and real Docker: tests/contract/
# engine_docker_test.c, _drift_test.c and _limits_test.c, each engine in namespaces of its own.
# Then the limits once more, where systemd makes the control groups. Needs B.
: "${B:?run it by tests/run}"
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/muster-ec.XXXXXX")
finish() {
	local d
	for d in "$T"/*/; do [ -e "$d/cgroups" ] && "$HERE/down" "${d%/}"; done
	rm -rf "$T"
}
trap finish EXIT
trap 'exit 1' INT TERM
N=0 FAILED=0

# The lines of a program's TAP with the engine before each name, and numbers that go on.
tap() { # ENGINE
	while IFS= read -r line; do
		case $line in
		*"# SKIP"*) # cmocka says "not ok" of what was left out
			N=$((N + 1))
			echo "ok $N - $1 # SKIP ${line#*# SKIP }"
			;;
		"ok "* | "not ok "*)
			N=$((N + 1))
			case $line in not*) FAILED=1 ;; esac
			echo "${line%%[0-9]*}$N - $1: ${line#*- }"
			;;
		1..* | "TAP version"*) ;;
		*) echo "# ${line#\# }" ;;
		esac
	done
}

run() { # NAME ENGINE PROGRAM...: in a world of their own
	local name=$1 engine=$2 w="$T/${1// /-}" index= program
	shift 2
	"$HERE/up" registry "$w" > /dev/null 2> "$T/why" && "$HERE/up" "$engine" "$w" > /dev/null 2> "$T/why"
	case $? in
	0) ;;
	77)
		N=$((N + 1))
		echo "ok $N - $name # SKIP $(sed 's/^engines: //' "$T/why" | head -1)"
		return
		;;
	*)
		N=$((N + 1)) FAILED=1
		echo "not ok $N - $name comes up"
		sed 's/^/# /' "$T/why"
		return
		;;
	esac
	"$HERE/image" "$w" "$engine" localhost/test:1 > /dev/null
	index=$("$HERE/push" "$w" test:1 one | sed -n 's/^index //p')
	printf '{"auths":{"registry.test:5000":{"auth":"%s"}}}' "$(printf muster:secret-of-tests | base64)" > "$w/auth.json"
	for program; do
		tap "$name" < <(ENGINE_SOCKET=$w/$engine.sock ENGINE_REGISTRY=registry.test:5000/test:1 \
			ENGINE_INDEX=$index ENGINE_AUTH=$w/auth.json CMOCKA_MESSAGE_OUTPUT=TAP TMPDIR=/tmp \
			timeout 300 "$HERE/in" "$w" "$B/tests/contract/$program.t" 2>&1
		echo "$?" > "$T/status")
		wait
		if [ "$(cat "$T/status")" != 0 ] && [ $FAILED = 0 ]; then
			N=$((N + 1)) FAILED=1
			echo "not ok $N - $name: $program ended with $(cat "$T/status")"
		fi
	done
	"$HERE/down" "$w"
}

for engine in podman docker; do
	run "$engine" "$engine" engine_docker_test engine_docker_drift_test engine_docker_limits_test
	SYSTEMD=1 run "$engine and systemd" "$engine" engine_docker_limits_test
done
echo "1..$N"
exit $FAILED
