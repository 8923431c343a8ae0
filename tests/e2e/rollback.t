#!/bin/bash
# nomad#3644, kubernetes#123232: a bad push to 12 nodes under load of health checks stops by itself and goes back
# by itself; three in a row take nothing more down. Measured from outside, at no moment fewer than
# ceil(12 * 75 / 100) = 9 tasks are healthy.
. "$(dirname "$0")/lib.sh"
FLOOR=9
new_repository
start_musterd
NODES=$(seq -f n%02g 12)
start_agents $NODES
mkdir "$T/at"
served() { taskdef app "label=$1" "$SERVE"; } # LABEL: one that works
served one
cat > "$T/manifests/app.yaml" <<-EOM
	apiVersion: muster/v1
	kind: DaemonService
	metadata: {name: app}
	spec:
	  taskDefinition: app
	  minReadySeconds: 1
	  monitorSeconds: 3
	  deploymentConfiguration: {minimumHealthyPercent: 75, maximumPercent: 100}
EOM
push "one"
wait_for 30 nodes_are app "$(echo $NODES)"
muster wait --commit "$(head_commit)" --timeout 60s > "$T/wait.out" 2>&1
is $? 0 "app:1 is deployed to 12 nodes"
[ "$FAILED" = 0 ] || { log_tail; exit 1; }

probe_start "$T/samples" $NODES
deployed() { muster get services app -o json | jq -r ".services[0] | $1"; }
gone_back() { # REVISION: it failed, and the last COMPLETED one is PRIMARY and done
	[ "$(deployed '.deployments[] | select(.status == "PRIMARY") | [.rolloutState, .taskDefinition] | join(" ")')" = "COMPLETED app:1" ] &&
		[ "$(deployed '[.deployments[], .deploymentHistory[]] | map(select(.rolloutState == "FAILED")) | .[0].taskDefinition')" = "app:$1" ]
}
has_begun() { tasks_of app | grep -q " app:$1 "; }
started=$(tasks_of app)

taskdef app label=two exit=3
push "two exits at once"
bad=$(head_commit)
muster wait --commit "$bad" --timeout 60s > "$T/wait.out" 2>&1
is $? 1 "muster wait says failed (1)"
like "$(cat "$T/wait.out")" "app (failed|is rolled back|was rolled back)" "in words"
wait_for 30 gone_back 2
ok $? "nomad#3644: it goes back without a hand" || { deployed .; log_tail; }
like "$(muster describe service app)" "[Rr]evert commit ${bad:0:7}" "describe says which commit to revert"
like "$(muster describe service app)" "app:2 .*FAILED|FAILED.* app:2" "and that app:2 FAILED"
like "$(muster get services app | tail -1)" '^app +default +12 +12 +12 ' "get shows that all 12 are there"
wait_for 10 taskdefs_are app app:1
is "$(comm -23 <(sort <<< "$started") <(tasks_of app | sort) | wc -l)" 3 "only the first batch of three was touched"

# The next bad ones come while the last one is still on its way.
for i in 3 4 5; do
	taskdef app "label=$i" sleep=100 exit=3
	push "$i exits soon"
	if [ $i != 5 ]; then wait_for 20 eval "grep -q 'app:$i in progress' '$MUSTER_STATUS/events.jsonl'"; fi
done
wait_for 60 gone_back 5
ok $? "kubernetes#123232: three bad pushes in a row go back to app:1" || { deployed .; log_tail; }
wait_for 10 taskdefs_are app app:1
ok $? "it runs on all nodes"

served six
push "six is fixed"
muster wait --commit "$(head_commit)" --timeout 90s > "$T/wait.out" 2>&1
is $? 0 "pushed again fixed, it completes" || { cat "$T/wait.out"; log_tail; }
is "$(tasks_of app | awk '{ print $3, $5 }' | sort | uniq | awk '{ print $2 }' | uniq -c | xargs)" "12 app:6" "app:6 runs on all nodes"
lowest=$(probe_end "$T/samples")
[ "$lowest" -ge $FLOOR ]
ok $? "never fewer than $FLOOR healthy: $lowest at the lowest of $(wc -l < "$T/samples") looks"
like "$(muster history app)" '^app:2 .* FAILED .*Revert commit' "history tells of it"
done_testing
