#!/bin/bash
# A node that boots again while there is no controller starts its tasks in the order of dependsOn, from what it was
# told last (aws/containers-roadmap#1954 after a reboot).
. "$(dirname "$0")/lib.sh"
unshare -m true 2> /dev/null || skip_all "another boot id needs a mount namespace, which needs root"
new_repository
start_musterd
start_agent n1
for s in app db; do taskdef $s; done
service db db
sed -i 's/minReadySeconds: 0/minReadySeconds: 1/' "$T/manifests/db.yaml"
service app app 'priority: 9' 'dependsOn: [db]'
push "two services"
muster wait --commit "$(head_commit)" --timeout 30s > "$T/wait.out" 2>&1
is "$? $(tasks | awk '{ print $4 }' | sort | xargs)" "0 app db" "they run" || log_tail

mapfile -t before < <(tasks | awk '{ print $1 }')
shims=$(for pid in "${before[@]}"; do awk '{ print $4 }' "/proc/$pid/stat"; done)
kill9 "$MUSTERD" "$(agent_pid n1)"
kill9 $shims "${before[@]}"
cat /proc/sys/kernel/random/uuid > "$T/boot_id"
unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && exec muster-agent --node n1 --engine process' \
	sh "$T/boot_id" >> "$T/agent-n1.log" 2>&1 &
echo $! >> "$PIDS"
disown
both() { [ "$(tasks | awk '{ print $4 }' | sort | xargs)" = "app db" ]; }
wait_for 60 both
ok $? "both run again without a controller" || log_tail
started() { tasks | awk -v s="$1" '$4 == s { print $2 }'; } # SERVICE: hundredths of a second
[ $(($(started app) - $(started db))) -ge 95 ]
ok $? "app starts when db is ready, though its priority is higher" || tasks | sed 's/^/# /'
done_testing
