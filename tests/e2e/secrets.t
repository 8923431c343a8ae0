#!/bin/bash
# Files of the repository and secrets of the node, for native processes: a changed file is a roll-out, a secret
# is seen by its task alone, and one that is missing costs no outage and is tried again when it is there.
. "$(dirname "$0")/lib.sh"
new_repository
start_musterd
start_agent n1
app() { # VERSION [SECRET-FILE]
	cat > "$T/manifests/app-task.yaml" <<-EOM
	apiVersion: muster/v1
	kind: TaskDefinition
	metadata: {name: app}
	spec:
	  requiresCompatibilities: [PROCESS]
	  containerDefinitions:
	  - name: main
	    command: [sh, -c, 'cp "\$MUSTER_FILES/etc/app.conf" $T/seen-conf; echo "\$TOKEN" > $T/seen; exec "$B/tests/helpers/testtask" label=$1 sleep']
	    environment: [{name: TEST_RUN, value: $RUN}]
	    files: [{source: conf/app.conf, path: /etc/app.conf, mode: "0440"}]
	    $([ -z "${2:-}" ] || echo "secrets: [{name: TOKEN, valueFrom: \"file:$2\"}]")
	EOM
}
mkdir "$T/manifests/conf" "$T/secrets"
echo one > "$T/manifests/conf/app.conf"
app 1
NO_BREAKER='deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}' # it would go back: what is tried here is how it heals
service app app "$NO_BREAKER"
push "a task with a file"
holds() { [ "$(cat "$1" 2> /dev/null)" = "$2" ]; }
wait_for 20 holds "$T/seen-conf" one
ok $? "the task has its file" || log_tail
echo two > "$T/manifests/conf/app.conf"
push "another content"
wait_for 20 holds "$T/seen-conf" two
ok $? "a changed file is a roll-out" || log_tail
wait_for 10 taskdefs_are app app:2
ok $? "and another revision"
git -C "$T/manifests" rm -q conf/app.conf
push "the file is gone"
muster wait --commit "$(head_commit)" --timeout 20s > "$T/out" 2>&1
is $? 3 "a commit without the file is invalid"
like "$(cat "$T/out")" 'app-task.yaml:[0-9]+:[0-9]+: error: there is no file "conf/app.conf" in the repository' "with its place"
is "$(muster validate "$T/manifests" 2>&1 | grep -c 'there is no file')" 1 "validate says it before"
is "$(taskdefs_are app app:2; echo $?)" 0 "what runs stays"

git -C "$T/manifests" checkout -q HEAD~1 -- conf
before=$(tasks_of app)
app 3 "$T/secrets/token"
push "a secret that is not there"
fails() { muster describe service app | grep -q "ResourceInitializationError: secret TOKEN: .*$T/secrets/token"; }
wait_for 20 fails
ok $? "a missing secret is told with its path" || log_tail
is "$(tasks_of app)" "$before" "and costs no outage"
(umask 077; echo wildebeest > "$T/secrets/.new"; chmod 644 "$T/secrets/.new"; mv "$T/secrets/.new" "$T/secrets/token")
open() { muster describe service app | grep -q "can be read by everyone (mode 0644)"; }
wait_for 20 open
ok $? "one that everyone can read is refused" || muster describe service app | sed 's/^/# /'
chmod 600 "$T/secrets/token"
wait_for 20 holds "$T/seen" wildebeest
ok $? "and is taken when it is mended" || log_tail
rm "$T/seen"
is "$(grep -rls wildebeest "$T/state" "$T"/*.log "$T/fleet.git" | wc -l)" 0 "no state, status or log has it"
done_testing
