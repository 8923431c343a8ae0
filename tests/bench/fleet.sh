# The figures that need real programs: push to running, killed to running again, memory, idle cost.
. ../e2e/lib.sh
row() { # NAME MEDIAN P99 UNIT LIMIT FLOOR-RATIO
	printf '%-46s %8s %8s %-5s %s\n' "$1" "$2" "$3" "$4" "$5"
}
quantile() { sort -n | awk -v q="$1" '{ v[NR] = $1 } END { i = int(NR * q + 0.999999); if (i < 1) i = 1; print v[i] }'; }
now_us() { echo $((${EPOCHREALTIME/./})); }

new_repository
NODES=$(seq -f n%02g 10)
start_musterd
for n in $NODES; do start_agent "$n"; done
taskdef app
service app app 'deploymentConfiguration: {minimumHealthyPercent: 0}'
push "start"
want=$(echo $NODES)
wait_for 30 nodes_are app "$want" || { log_tail; exit 1; }
muster wait --timeout 30s > /dev/null
printf '%-46s %8s %8s %-5s %s\n' 'figure' 'median' 'p99' 'unit' 'at most'

# Push -> all tasks of the new revision running: each new task puts its pid into a folder of its revision.
# Once from the moment the branch's ref has moved (file times, to the kernel's tick), once with git push
# itself. Between pushes the fleet comes to rest, and ext4 spares the inodes deleted in the last 5 s: hammered
# without a pause, every new file there gets slower.
for i in $(seq 1 "${PUSHES:-12}"); do
	sleep 5.2
	mkdir "$T/r$i"
	taskdef app "pid=$T/r$i/\$(MUSTER_NODE)"
	git -C "$T/manifests" commit -qam "r$i"
	t=$(now_us)
	git -C "$T/manifests" push -q origin HEAD:main
	await "$T/r$i" 10
	e=$(now_us)
	echo $((e - t)) >> "$T/push-all"
	last=$(stat -c %.Y "$T/r$i"/* | sort | tail -1)
	awk -v m="$(stat -c %.Y "$T/fleet.git/refs/heads/main")" -v l="$last" 'BEGIN { printf "%.0f\n", (l - m) * 1e6 }' >> "$T/push-after"
	muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
done
ms() { awk '{ printf "%.1f", $1 / 1000 }'; }
row 'push -> 10 nodes run it, git push included' "$(quantile 0.5 < "$T/push-all" | ms)" "$(quantile 0.99 < "$T/push-all" | ms)" ms ''
row 'push (ref moved) -> 10 nodes run it' "$(quantile 0.5 < "$T/push-after" | ms)" "$(quantile 0.99 < "$T/push-after" | ms)" ms '50 / 150'
# Floors: git push alone, and fork+exec of the same program ten times.
for i in 1 2 3 4 5 6 7 8 9; do
	t=$(now_us)
	git -C "$T/fleet.git" cat-file -p main: > /dev/null
	e=$(now_us)
	echo $((e - t)) >> "$T/git-read"
	t=$(now_us)
	for k in 1 2 3 4 5 6 7 8 9 10; do testtask & done
	wait
	e=$(now_us)
	echo $((e - t)) >> "$T/fork"
done
row '  floor: a bare git read' "$(quantile 0.5 < "$T/git-read" | ms)" "$(quantile 0.99 < "$T/git-read" | ms)" ms ''
times() { awk -v a="$(quantile 0.5 < "$1")" -v b="$(quantile 0.5 < "$2")" -v n="${3:-1}" 'BEGIN { printf "%.1f x", a / b * n }'; }
row '  the push against ten fork+exec' "$(times "$T/push-after" "$T/fork")" '' '' ''
row '  the push against a bare git read' "$(times "$T/push-after" "$T/git-read")" '' '' ''
row '  floor: fork+exec of ten such tasks' "$(quantile 0.5 < "$T/fork" | ms)" "$(quantile 0.99 < "$T/fork" | ms)" ms ''

# A roll-out one node at a time: from one new task to the next, what stopping the old one and starting the new one
# take included. Each puts its pid into a folder of its revision once it runs.
service app app 'deploymentConfiguration: {minimumHealthyPercent: 90}'
push "one at a time"
muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
for i in $(seq 1 "${ROLLOUTS:-5}"); do
	sleep 5.2
	mkdir "$T/step$i"
	taskdef app "pid=$T/step$i/\$(MUSTER_NODE)"
	push "step $i"
	await "$T/step$i" 10
	muster wait --commit "$(head_commit)" --timeout 30s > /dev/null
	stat -c %.9Y "$T/step$i"/* | sort | awk 'NR > 1 { printf "%.0f\n", ($1 - before) * 1e6 } { before = $1 }' >> "$T/batches"
done
row 'roll-out, 10 nodes at 10 %: a batch' "$(quantile 0.5 < "$T/batches" | ms)" "$(quantile 0.99 < "$T/batches" | ms)" ms '100'

# 100 tasks: ten services on ten nodes.
mkdir "$T/running"
taskdef app "pid=$T/running/\$(MUSTER_NODE).\$(MUSTER_SERVICE)"
for i in $(seq 1 9); do service "svc$i" app 'deploymentConfiguration: {minimumHealthyPercent: 0}'; done
push "ten services"
hundred() { [ "$(find "$T/running" -type f ! -name '.*' | wc -l)" = 100 ]; }
wait_for 60 hundred || { log_tail; exit 1; }
muster wait --timeout 60s > /dev/null
while read -r pid start node service _; do
	exec 3< <(await "$T/running" = "$node.$service")
	read -r _ <&3 # it watches
	t=$(now_us)
	kill -9 "$pid"
	read -r _ <&3 # until it has ended
	e=$(now_us)
	exec 3<&-
	echo $((e - t)) >> "$T/restart"
done < <(tasks)
row 'killed task -> running again (100 tasks)' "$(quantile 0.5 < "$T/restart" | ms)" "$(quantile 0.99 < "$T/restart" | ms)" ms '30'
row '  the restart against one fork+exec' "$(times "$T/restart" "$T/fork" 10)" '' '' ''

muster wait --timeout 60s > /dev/null
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
agents=$(for n in $NODES; do pss "$(agent_pid "$n")"; done | quantile 0.5)
shims=$(for p in $(pgrep -f "muster-shim.*$RUN"); do pss "$p"; done | quantile 0.5)
mb() { awk '{ printf "%.1f", $1 / 1024 }'; }
row 'memory (PSS): musterd, 10 nodes x 10 services' "$(pss "$MUSTERD" | mb)" '' MiB 12
row 'memory (PSS): muster-agent, 10 tasks' "$(echo "$agents" | mb)" '' MiB 8
row 'memory (PSS): muster-shim' "$(echo "$shims" | mb)" '' MiB 0.7

# Idle: processor time and voluntary switches of all daemons over 20 s.
daemons="$MUSTERD $(for n in $NODES; do agent_pid "$n"; done)"
cost() { for p in $daemons; do cat "/proc/$p/schedstat" | awk '{ print $1 / 1000 }'; done | awk '{ s += $1 } END { print int(s) }'; }
switches() { for p in $daemons; do cat /proc/"$p"/task/*/status | awk '/^voluntary_ctxt/ { print $2 }'; done | awk '{ s += $1 } END { print s }'; }
sleep 2
c1=$(cost) s1=$(switches)
sleep 20
c2=$(cost) s2=$(switches)
row 'idle: CPU of musterd and 10 agents' "$(awk -v d=$((c2 - c1)) 'BEGIN { printf "%.3f", d / 20e6 * 100 }')" '' '%' 0.1
row 'idle: wake-ups a second, each daemon' "$(awk -v d=$((s2 - s1)) 'BEGIN { printf "%.2f", d / 20 / 11 }')" '' '1/s' 1
