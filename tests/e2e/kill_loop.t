#!/bin/bash
# Story 8: kill -9 of musterd, agents, shims, or all, at random moments, some in the middle of a roll-out:
# no task is lost, none doubled, none restarted but one whose shim was killed.
. "$(dirname "$0")/lib.sh"
KILLS=${KILLS:-320}
SEED=${SEED:-$RANDOM}
echo "# SEED=$SEED KILLS=$KILLS"
RANDOM=$SEED
new_repository
NODES="n1 n2 n3"
start_musterd
for n in $NODES; do start_agent $n; done
taskdef app
service app app 'deploymentConfiguration: {minimumHealthyPercent: 0}'
taskdef log
service log log 'deploymentConfiguration: {minimumHealthyPercent: 0}'
push "two services"
all_there() { [ "$(tasks | awk '{ print $3 "/" $4 }' | sort -u | wc -l)" = 6 ] && [ "$(tasks | wc -l)" = 6 ]; }
wait_for 30 all_there
ok $? "six tasks run"
[ "$FAILED" = 0 ] || log_tail

# Watches for doubles all the time: the same pair must be seen twice in two looks with the same processes
# (a look is not one instant: a task may end and the next begin while /proc is read).
watch_doubles() {
	local last='' now
	while :; do
		now=$(tasks | awk '{ n[$3 "/" $4]++; p[$3 "/" $4] = p[$3 "/" $4] " " $1 "." $2 } END { for (i in n) if (n[i] > 1) print i p[i] }')
		[ -n "$now" ] && [ "$now" = "$last" ] && echo "$now" >> "$T/doubles"
		last=$now
	done
}
: > "$T/doubles"
watch_doubles 2> /dev/null &
watcher=$!

shim_of() { # the parent of a task's process
	awk '{ print $4 }' "/proc/$1/stat" 2> /dev/null
}
restarted_wrongly=0 kills=0 revision=0
declare -A shim_kills
revive() {
	local n
	gone "$MUSTERD" && start_musterd
	for n in $NODES; do gone "$(agent_pid $n)" && start_agent $n; done
}
while [ $kills -lt "$KILLS" ]; do
	before=$(tasks | awk '{ print $1 "." $2 }')
	pushed=0 shims=''
	if [ $((RANDOM % 4)) = 0 ]; then # in the middle of a roll-out
		revision=$((revision + 1))
		taskdef app "label=r$revision"
		taskdef log "label=r$revision"
		shim_kills=()
		push "revision $revision"
		pushed=1
		sleep "0.0$((RANDOM % 10))"
	fi
	for _ in 1 2 3; do
		case $((RANDOM % 7)) in
		0) kill9 "$MUSTERD" ;;
		1 | 2) kill9 "$(agent_pid n$((RANDOM % 3 + 1)))" ;;
		3 | 4)
			# Each counts as a crash of its task: the third within a revision would wait for 2 s.
			read -r victim _ node service _ < <(tasks | sed -n "$((RANDOM % 6 + 1))p")
			key=${node:-}/${service:-}
			if [ -n "${victim:-}" ] && [ "${shim_kills[$key]:-0}" -lt 2 ]; then
				shim=$(shim_of "$victim")
				if [ -n "$shim" ] && [ "$(cat "/proc/$shim/comm" 2> /dev/null)" = muster-shim ]; then
					kill -9 "$shim" 2> /dev/null && shims="$shims $victim"
					shim_kills[$key]=$((${shim_kills[$key]:-0} + 1))
				fi
			fi
			;;
		5) kill9 $(for n in $NODES; do agent_pid $n; done) ;;
		6) kill9 "$MUSTERD" $(for n in $NODES; do agent_pid $n; done) ;;
		esac
		kills=$((kills + 1))
		[ $((RANDOM % 2)) = 0 ] && sleep "0.0$((RANDOM % 5))"
		revive
	done
	wait_for 40 all_there || { log_tail; tasks | sed 's/^/# /'; break; }
	if [ $pushed = 1 ]; then
		wait_for 60 taskdefs_are app "app:$((revision + 1))"
		wait_for 60 taskdefs_are log "log:$((revision + 1))"
	else
		# Without a push only tasks whose shim was killed may have changed.
		now=$(tasks | awk '{ print $1 "." $2 }')
		for p in $before; do
			case " $shims " in *" ${p%.*} "*) continue ;; esac
			grep -qx -- "$p" <<< "$now" || { restarted_wrongly=$((restarted_wrongly + 1)); echo "# $p was restarted (kills=$kills)"; }
		done
	fi
done
kill $watcher
wait $watcher 2> /dev/null
wait_for 60 all_there
ok $? "0 tasks lost after $kills kills"
is "$(sort -u "$T/doubles" | wc -l)" 0 "0 tasks doubled"
[ -s "$T/doubles" ] && sort -u "$T/doubles" | sed 's/^/# /'
is "$restarted_wrongly" 0 "none restarted but those whose shim was killed"
[ "$revision" = 0 ] || wait_for 60 taskdefs_are app "app:$((revision + 1))"
ok $? "the last revision runs everywhere"
done_testing
