# Shared by the scripts here; to be sourced by sh. See README.md for how they are used.
set -eu
ENGINES=$(cd "$(dirname "$0")" && pwd)
NAMESPACES="--mount --net --pid --ipc --uts --cgroup"

die() {
	echo "engines: $*" >&2
	exit 1
}
cannot() { # why this machine cannot run them
	echo "engines: cannot run here: $*" >&2
	exit 77
}
need() { # PROGRAM...
	for program; do command -v "$program" > /dev/null || cannot "no $program (tests/setup/deps engines)"; done
}

world_dir() { # DIR: absolute; a unix socket below it must fit into 107 bytes
	case $1 in
	/run/* | /dev/* | /proc/* | /sys/* | /etc/* | /opt/*) die "$1: hidden in a namespace of its own" ;;
	/*) DIR=$1 ;;
	*) DIR=$PWD/$1 ;;
	esac
	[ ${#DIR} -lt 90 ] || die "$DIR: too long for sockets"
}

world_pid() { # the init process of DIR's namespaces, as seen from outside; empty: none
	cat "$DIR/world.pid" 2> /dev/null || true
}
world_alive() {
	[ -n "$(world_pid)" ] && [ -e "/proc/$(world_pid)/ns/net" ]
}
inside() { # COMMAND...: in DIR's namespaces
	nsenter --target "$(world_pid)" $NAMESPACES -- "$@"
}

# Until COMMAND succeeds; false after SECONDS. What it waits for tells nobody that it is ready.
await() { # SECONDS COMMAND...
	await_end=$(($(date +%s%N) / 1000000 + $1 * 1000))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $(($(date +%s%N) / 1000000)) -lt $await_end ] || return 1
		sleep 0.03
	done
}

cgroup_v2() { [ -e /sys/fs/cgroup/cgroup.controllers ]; }
# The directory of every cgroup hierarchy: one on a machine with cgroup v2.
hierarchies() {
	if cgroup_v2; then
		echo /sys/fs/cgroup
	else
		# Links (cpu -> cpu,cpuacct) are other names of what is listed already.
		find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d -exec test -e {}/cgroup.procs \; -print
	fi
}

# The id outside of a process that is PID in DIR's namespaces; empty: it has ended.
outer_pid() { # PID
	space=$(readlink "/proc/$(world_pid)/ns/pid")
	grep -s '^NSpid:' /proc/[0-9]*/status | awk -v inner="$1" 'NF > 2 && $NF == inner { print $2 }' |
		while read -r outer; do
			[ "$(readlink "/proc/$outer/ns/pid" 2> /dev/null)" != "$space" ] || echo "$outer"
		done
}
