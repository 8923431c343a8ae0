#!/bin/bash
# Story 8: kill -9 of musterd, agents, shims, or all, at random moments, some in the middle of a roll-out:
# no task is lost, none doubled, none restarted but one whose shim was killed.
. "$(dirname "$0")/lib.sh"
KILLS=${KILLS:-320}
SEED=${SEED:-$RANDOM}
PATIENCE=40
echo "# SEED=$SEED KILLS=$KILLS"
RANDOM=$SEED
NODES=(n1 n2 n3)
SERVICES=(app log)
TASKS=$((${#NODES[@]} * ${#SERVICES[@]}))
mkdir "$T/alone" && : > "$T/alone/doubles" > "$T/ended"
revision=0
write_revision() { # Doubles are seen by the tasks themselves.
	revision=$((revision + 1))
	for s in "${SERVICES[@]}"; do taskdef "$s" "label=r$revision" "alone=$T/alone"; done
}

declare -A AGENT
revive() { # as a service manager does; what was not killed should not have ended
	local n
	if gone "$MUSTERD"; then
		[ -n "${killed[$MUSTERD]:-}" ] || ended_by_itself "musterd $MUSTERD"
		start_musterd
	fi
	for n in "${NODES[@]}"; do
		gone "${AGENT[$n]}" || continue
		[ -n "${killed[${AGENT[$n]}]:-}" ] || ended_by_itself "the agent of $n ${AGENT[$n]}"
		start_agent "$n"
		AGENT[$n]=$(agent_pid "$n")
	done
}
declare -A killed
ended_by_itself() { echo "$1 ended by itself (kills=$kills)" >> "$T/ended"; }
kill_daemons() {
	local pid
	kill9 "$@"
	for pid in "$@"; do killed[$pid]=1; done
	kills=$((kills + $#))
}
# Each counts as a crash of its task: the third within a revision would wait for 2 s.
kill_shim() {
	local line victim start node service _ stat shim
	mapfile -t line < <(tasks)
	read -r victim start node service _ <<< "${line[$((RANDOM % TASKS))]:-}"
	[ -n "$victim" ] && [ "${crashes[$node/$service]:-0}" -lt 2 ] || return
	read -r stat 2> /dev/null < "/proc/$victim/stat" || return
	read -r _ shim _ <<< "${stat##*) }"
	[ "$(cat "/proc/$shim/comm" 2> /dev/null)" = muster-shim ] || return
	kill -9 "$shim" 2> /dev/null || return
	crashes[$node/$service]=$((${crashes[$node/$service]:-0} + 1))
	victims[$victim.$start]=1
	kills=$((kills + 1))
}

# All tasks there, each once, of the newest revision, and what was left without a shim gone.
settled() {
	local pid start node service definition _ count=0
	declare -A seen
	revive
	while read -r pid start node service definition _; do
		[ -z "${victims[$pid.$start]:-}" ] && [ "$definition" = "$service:$revision" ] || return 1
		seen[$node/$service]=1
		count=$((count + 1))
	done < <(tasks)
	[ $count = $TASKS ] && [ ${#seen[@]} = $TASKS ]
}
processes() { tasks | awk '{ print $1 "." $2 }'; }
tell() { # what there is, for who has to find out why
	local n
	log_tail
	tasks | sed 's/^/# /'
	for n in "${NODES[@]}"; do
		echo "# $n: agent ${AGENT[$n]} $(cat "/proc/${AGENT[$n]}/wchan" 2> /dev/null)"
		ls -la -t --full-time "$T/state/agents/$n/tasks" | head -40 | sed 's/^/# /'
	done
	ps -eo pid,ppid,stat,etimes,wchan:20,args | grep -E 'muster|testtask' | grep -v grep | sed 's/^/# /'
}

declare -A crashes victims
kills=0 lost=0 restarted_wrongly=0
new_repository
start_musterd
for n in "${NODES[@]}"; do
	start_agent "$n"
	AGENT[$n]=$(agent_pid "$n")
done
write_revision
# Without a breaker: killed shims are failed tasks, and three of them in a roll-out would send it back.
for s in "${SERVICES[@]}"; do
	service "$s" "$s" 'deploymentConfiguration: {minimumHealthyPercent: 0, deploymentCircuitBreaker: {enable: false}}'
done
push "two services"
wait_for $PATIENCE settled
ok $? "six tasks run"
[ "$FAILED" = 0 ] || tell

while [ $kills -lt "$KILLS" ]; do
	mapfile -t before < <(processes)
	pushed='' victims=()
	if [ $((RANDOM % 4)) = 0 ]; then # in the middle of a roll-out
		write_revision
		crashes=()
		push "revision $revision"
		pushed=1
		nap "0.0$((RANDOM % 10))"
	fi
	for _ in 1 2 3; do
		case $((RANDOM % 7)) in
		0) kill_daemons "$MUSTERD" ;;
		1 | 2) kill_daemons "${AGENT[n$((RANDOM % 3 + 1))]}" ;;
		3 | 4) kill_shim ;;
		5) kill_daemons "${AGENT[@]}" ;;
		6) kill_daemons "$MUSTERD" "${AGENT[@]}" ;;
		esac
		[ $((RANDOM % 2)) = 0 ] && nap "0.0$((RANDOM % 5))"
		revive
	done
	if ! wait_for $PATIENCE settled; then
		lost=$((lost + 1))
		tell
		break
	fi
	[ "$pushed" ] && continue
	# Without a push only tasks whose shim was killed may have changed.
	now=" $(processes | tr '\n' ' ')"
	for p in "${before[@]}"; do
		[ -n "${victims[$p]:-}" ] && continue
		case $now in *" $p "*) continue ;; esac
		restarted_wrongly=$((restarted_wrongly + 1))
		echo "# $p was restarted (kills=$kills)"
	done
done
is $lost 0 "0 tasks lost after $kills kills"
is "$(cat "$T/alone/doubles")" "" "0 tasks doubled"
is $restarted_wrongly 0 "none restarted but those whose shim was killed"
is "$(cat "$T/ended")" "" "no daemon ended by itself"
done_testing
