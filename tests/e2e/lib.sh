# Shared by the end-to-end tests: TAP, a fleet of real programs below a folder of the test's own, and
# waiting for what can be seen from outside. To be sourced by bash. Needs B (the build directory).
: "${B:?run it by tests/run}"
PATH=$B/bin:$B/tests/helpers:$PATH
set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/muster-e2e.XXXXXX")
RUN=$(basename "$T") # marks this test's tasks in their environment
export GIT_CONFIG_GLOBAL=$T/gitconfig GIT_CONFIG_NOSYSTEM=1 HOME=$T
git config --file "$T/gitconfig" user.name Operator
git config --file "$T/gitconfig" user.email operator@example.org
git config --file "$T/gitconfig" init.defaultBranch main
git config --file "$T/gitconfig" advice.detachedHead false
export MUSTER_STATE=$T/state MUSTER_STATUS=$T/state/status
PIDS="$T/pids"
: > "$PIDS"
TESTS=0 FAILED=0

ok() { # ok STATUS TEXT: one TAP line. Like the next two it fails as what it tells of, so that more can be said.
	TESTS=$((TESTS + 1))
	if [ "$1" = 0 ]; then
		echo "ok $TESTS - $2"
	else
		echo "not ok $TESTS - $2"
		FAILED=$((FAILED + 1))
	fi
	return "$1"
}
is() { # is GOT WANT TEXT
	[ "$1" = "$2" ]
	ok $? "$3" && return
	printf '# got:  %s\n# want: %s\n' "$1" "$2" | head -40
	return 1
}
like() { # like GOT REGEX TEXT
	printf '%s' "$1" | grep -qE -- "$2"
	ok $? "$3" && return
	printf '%s\n' "$1" | sed 's/^/# got: /' | head -40
	return 1
}
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
done_testing() { echo "1..$TESTS"; }

# wait_for SECONDS COMMAND...: until the command succeeds; false when the time is over.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" > /dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		nap 0.02
	done
}
exec {NEVER}<> <(:)                             # nothing is ever to be read there
nap() { read -rt "$1" -u "$NEVER"; return 0; } # sleep without a process

# A task of this test: PID START NODE SERVICE TASKDEF TASK, a line each, sorted.
tasks() { psenv TEST_RUN="$RUN" MUSTER_NODE MUSTER_SERVICE MUSTER_TASK_DEFINITION MUSTER_TASK | sort -k3,4; }
tasks_of() { tasks | awk -v s="$1" '$4 == s'; }
task_nodes() { tasks_of "$1" | awk '{ print $3 }' | sort | tr '\n' ' ' | sed 's/ $//'; }
nodes_are() { [ "$(task_nodes "$1")" = "$2" ]; }
taskdefs_are() { [ "$(tasks_of "$1" | awk '{ print $5 }' | sort -u | tr '\n' ' ' | sed 's/ $//')" = "$2" ]; }
# Ended, or a zombie that this shell has not waited for yet. The last thread counts: a killed program's
# first one may be a zombie while another still ends, and holds its descriptors with their locks.
gone() {
	local stat threads
	read -r stat 2> /dev/null < "/proc/$1/stat" || return 0
	case ${stat##*) } in Z* | X*) ;; *) return 1 ;; esac
	threads=("/proc/$1/task/"*)
	[ ${#threads[@]} -le 1 ]
}
# kill -9 all at once, then wait until they have ended.
kill9() {
	local pid dir
	kill -9 "$@" 2> /dev/null
	for pid in "$@"; do until gone "$pid"; do nap 0.001; done; done
}

# Health as seen from outside: tasks with the word $SERVE answer on a socket of their node's, and are asked 20 times a
# second. One is healthy when it answered for half a second (so with minReadySeconds 1 muster waits for longer).
SERVE="serve=$T/at/\$(MUSTER_NODE)"
probe_start() { # FILE NODE...: all are healthy now
	local file=$1
	shift
	probe 20 $(printf "$T/at/%s " "$@") > "$file" &
	PROBE=$!
	echo $PROBE >> "$PIDS"
	disown
	wait_for 5 test -s "$file"
}
probe_end() { # FILE: how many were healthy at the worst moment
	kill -9 $PROBE
	wait_for 5 gone $PROBE
	awk '{ n = 0
		for (i = 2; i <= NF; i++) {
			if ($i == "-") since[i] = -1
			else if (NR == 1) since[i] = $1 - 1000
			else if (since[i] < 0 || $i != was[i]) since[i] = $1 # another revision began in between
			was[i] = $i
			n += since[i] >= 0 && $1 - since[i] >= 500
		}
		if (NR == 1 || n < lowest) lowest = n } END { print lowest }' "$1"
}

log_tail() { for f in "$T"/*.log; do echo "# $f"; tail -n 6 "$f" | cut -c1-200 | sed "s/^/# /"; done; }

start_musterd() { # [FLAG]...: follows $T/fleet.git
	musterd --source "$T/fleet.git" "$@" >> "$T/musterd.log" 2>&1 &
	MUSTERD=$!
	echo "$MUSTERD" >> "$PIDS"
	disown
}
start_agent() { # NODE [FLAG]...
	local node=$1
	shift
	muster-agent --node "$node" --engine process "$@" >> "$T/agent-$node.log" 2>&1 &
	echo $! > "$T/agent-$node.pid"
	echo $! >> "$PIDS"
	disown
}
# Several, until the controller knows them: one that it hears of later is new, and no part of what came before.
start_agents() { # NODE...
	local n
	for n in "$@"; do start_agent "$n"; done
	wait_for 20 is_known "$@"
}
is_known() { # NODE...
	local n known
	known=$(muster get nodes 2> /dev/null | awk '{ print $1 }')
	for n in "$@"; do grep -qx "$n" <<< "$known" || return 1; done
}
agent_pid() { echo "$(< "$T/agent-$1.pid")"; }

new_repository() { # an empty bare repository, and a clone of it in $T/manifests
	git init -q --bare "$T/fleet.git"
	git clone -q "$T/fleet.git" "$T/manifests" 2> /dev/null
}
push() { # MESSAGE: commit all of $T/manifests and push it
	git -C "$T/manifests" add -A
	git -C "$T/manifests" commit -q --allow-empty -m "$1"
	git -C "$T/manifests" push -q origin HEAD:main
}
head_commit() { git -C "$T/manifests" rev-parse HEAD; }

# taskdef FAMILY [WORD]...: a definition that runs tests/helpers/testtask with these words, then sleeps.
taskdef() {
	local family=$1
	shift
	cat > "$T/manifests/$family-task.yaml" <<-EOM
	apiVersion: muster/v1
	kind: TaskDefinition
	metadata: {name: $family}
	spec:
	  requiresCompatibilities: [PROCESS]
	  containerDefinitions:
	  - name: main
	    command: ["$B/tests/helpers/testtask"$(printf ', "%s"' "$@" sleep)]
	    stopTimeout: 3
	    environment: [{name: TEST_RUN, value: $RUN}]
	EOM
}
# service NAME FAMILY [LINE]...: more lines of spec
service() {
	local name=$1 family=$2
	shift 2
	cat > "$T/manifests/$name.yaml" <<-EOM
	apiVersion: muster/v1
	kind: DaemonService
	metadata: {name: $name}
	spec:
	  taskDefinition: $family
	  minReadySeconds: 0
	  monitorSeconds: 0
	$(printf '  %s\n' "$@")
	EOM
}
node_manifest() { # NAME LINE...
	local name=$1
	shift
	mkdir -p "$T/manifests/nodes"
	{
		printf 'apiVersion: muster/v1\nkind: Node\nmetadata: {name: %s}\nspec:\n' "$name"
		printf '  %s\n' "$@"
	} > "$T/manifests/nodes/$name.yaml"
}

# Groups of an agent that was killed: muster-NODE-XXXXXXXX, by the digest of its state directory. They go
# when the processes in them have ended, which takes a moment after the kill.
groups_removed() {
	local name
	name="muster-${1##*/}-$(printf %s "$1" | sha256sum | cut -c1-8)"
	find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} \; 2> /dev/null
	[ -z "$(find /sys/fs/cgroup -type d -name "$name" 2> /dev/null)" ]
}
# What this test started and still runs. The number of one that has ended may be another's by now: of a test beside
# this one, or of the engine's.
kill_started() {
	local pid stat
	while read -r pid; do
		read -r stat 2> /dev/null < "/proc/$pid/stat" || continue
		read -r _ stat _ <<< "${stat##*) }"
		[ "$stat" = $$ ] && kill -9 "$pid" 2> /dev/null
	done < "$PIDS"
}
cleanup() {
	local pid
	grep -qs 'inotify instance: Too many' "$T"/*.log && echo "# fs.inotify.max_user_instances is used up: an agent takes three"
	# Agents first, so that nothing is started again; then what runs of ours, shims by their state.
	kill_started
	for pid in $(pgrep -f "muster-shim.*$RUN" 2> /dev/null); do kill -9 "$pid" 2> /dev/null; done
	tasks | while read -r pid _; do kill -9 "$pid" 2> /dev/null; done
	for dir in "$T"/state/agents/*; do wait_for 5 groups_removed "$dir"; done
	[ "${KEEP:-}" ] || rm -rf "$T"
	[ "$FAILED" = 0 ] || exit 1
}
trap cleanup EXIT
trap 'exit 1' INT TERM
