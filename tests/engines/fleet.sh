# Shared by the stories on real engines: what tests/e2e/lib.sh has, and an engine below $W. To be sourced by bash, as
# the first thing: the file is then run once for each of $ON ("podman docker"), with $ENGINE in its environment, and
# what both say becomes one TAP. With AT_ONCE=1 set before, both run at the same time: of stories that mostly wait.
# The engine is looked at through its own API.
HERE=$(cd "$(dirname "$0")" && pwd)
if [ -z "${ENGINE:-}" ]; then
	n=0 bad=0
	declare -A from
	begin() { exec {from[$1]}< <(ENGINE=$1 bash "$0" "${@:2}"; echo "# ended $?"); }
	for ENGINE in ${AT_ONCE:+${ON:-podman docker}}; do begin "$ENGINE" "$@"; done
	for ENGINE in ${ON:-podman docker}; do
		[ -n "${from[$ENGINE]:-}" ] || begin "$ENGINE" "$@"
		while IFS= read -r line; do
			case $line in
			"ok "* | "not ok "*)
				n=$((n + 1))
				echo "${line%%[0-9]*}$n - $ENGINE: ${line#*- }"
				;;
			"1..0 # SKIP"*)
				n=$((n + 1))
				echo "ok $n - $ENGINE # SKIP ${line#*SKIP }"
				;;
			1..* | "# ended 0") ;;
			"# ended "*)
				echo "# $ENGINE: ended with ${line##* }"
				bad=1
				;;
			*) printf '%s\n' "$line" ;;
			esac
		done <&"${from[$ENGINE]}"
	done
	echo "1..$n"
	exit $bad
fi
. "$HERE/../e2e/lib.sh"
W=$T/w
SOCKET=$W/$ENGINE.sock
REGISTRY=registry.test:5000
world_down() { [ ! -e "$W/cgroups" ] || "$HERE/down" "$W"; }
trap 'kill_started; world_down; cleanup' EXIT

up() { # ENGINE [FLAG]...: or leave all out, with the reason
	local engine=$1
	shift
	"$HERE/up" "$engine" "$W" "$@" > "$T/up.out" 2>&1
	case $? in
	0) ;;
	77) skip_all "$(sed -n 's/^engines: //p' "$T/up.out" | head -1)" ;;
	*)
		ok 1 "$engine comes up"
		sed 's/^/# /' "$T/up.out"
		exit 1
		;;
	esac
}
daemon() { "$HERE/daemon" "$W" "$@"; } # ENGINE VERB [FLAG]...
image() { "$HERE/image" "$W" "$ENGINE" "$@"; }
push_image() { "$HERE/push" "$W" "$@" | sed -n 's/^index //p'; }
inside() { "$HERE/in" "$W" "$@"; }
registry_up() { # and the node's file of credentials
	up registry
	printf '{"auths":{"%s":{"auth":"%s"}}}' $REGISTRY "$(printf muster:secret-of-tests | base64)" > "$T/auth.json"
	chmod 600 "$T/auth.json"
}
start_fleet() { # NODE...: a controller, and agents that share one engine
	new_repository
	start_musterd
	local n
	for n; do start_node "$n"; done
}
start_node() { # NODE [FLAG]...
	local node=$1
	shift
	start_agent "$node" --engine "docker:$SOCKET" --registry-auth "$T/auth.json" "$@"
}

api() { # PATH [CURL-OPTION]...
	local path=$1
	shift
	curl -sg --max-time 20 --unix-socket "$SOCKET" -H 'Content-Type: application/json' "$@" "http://localhost/v1.41$path"
}
inspect() { api "/containers/$1/json" | jq -r "$2"; } # ID FILTER
variant() { api "/containers/$1/archive?path=/etc/variant" | tar -xO; } # ID: of the image that it really has
# COMMAND's output inside a container. Not through muster, and not through logs.
run_in() { # ID COMMAND...
	local id=$1 exec
	shift
	exec=$(api "/containers/$id/exec" -X POST -d "$(jq -cn '{AttachStdout: true, AttachStderr: true, Tty: true, Cmd: $ARGS.positional}' --args -- "$@")" | jq -r .Id)
	api "/exec/$exec/start" -X POST -d '{"Detach": false, "Tty": true}' | tr -d '\r'
}
# All that is labelled as muster's: NODE SERVICE CONTAINER STATE REVISION ID NAME TASK, a line each, sorted.
containers() {
	api '/containers/json?all=1&filters={"label":["muster.fleet"]}' | jq -r '.[] | .Labels as $l | [$l["muster.node"], $l["muster.service"],
		$l["muster.container"], .State, $l["muster.revision"], .Id, .Names[0], $l["muster.task"]] | join(" ")' | sort
}
containers_of() { containers | awk -v s="$1" '$2 == s'; }
# Without those that ended: the last stopped tasks of a service are kept for people to look at.
alive() { containers_of "$1" | awk '$4 != "exited"'; }
ids_of() { alive "$1" | awk '{ print $6 }'; } # SERVICE
# "NODE:CONTAINER:STATE:REVISION ..." of a service
shape_of() { alive "$1" | awk '{ printf "%s%s:%s:%s:%s", k++ ? " " : "", $1, $3, $4, $5 }'; }
shape_is() { [ "$(shape_of "$1")" = "$2" ]; } # SERVICE SHAPE
status_says() { muster describe service "$1" | grep -qE -- "$2"; } # SERVICE REGEX
wait_commit() { muster wait --commit "$(head_commit)" --timeout "${1:-60s}" > "$T/wait.out" 2>&1; }
must() { # SECONDS TEXT COMMAND...: wait for it, and tell of the world when it does not come
	local seconds=$1 text=$2 status
	shift 2
	wait_for "$seconds" "$@"
	status=$?
	ok $status "$text"
	[ $status = 0 ] || {
		tell
		exit 1
	}
}
tell() {
	containers | sed 's/^/# /'
	muster get tasks -o wide 2>&1 | cut -c1-240 | sed 's/^/# /'
	log_tail
	tail -n 3 "$W/log/$ENGINE" | cut -c1-200 | sed "s/^/# /"
}

# definition FAMILY [LINE]...: a task definition of containers; standard input: its containers in YAML
definition() {
	local family=$1
	shift
	{
		printf 'apiVersion: muster/v1\nkind: TaskDefinition\nmetadata: {name: %s}\nspec:\n' "$family"
		printf '  %s\n' "$@" "containerDefinitions:"
		sed 's/^/  /'
	} > "$T/manifests/$family-task.yaml"
}
# simple FAMILY IMAGE [LINE]...: one container that sleeps, more lines of it
simple() {
	local family=$1 image=$2
	shift 2
	{
		printf -- '- %s\n' "name: main"
		printf '  %s\n' "image: $image" "stopTimeout: 3" "command: [testtask, term-exit=0, sleep]" "$@"
	} | definition "$family"
}
