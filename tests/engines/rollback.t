#!/bin/bash
# A bad image on six nodes goes back by itself: at no moment, seen through the engine, fewer healthy containers than
# ceil(6 * 80 / 100) = 5. Healthy: it runs, and is of a revision that is good.
. "$(dirname "$0")/fleet.sh"
registry_up
up "$ENGINE"
push_image test:1 one > /dev/null
push_image test:2 two > /dev/null
NODES="n1 n2 n3 n4 n5 n6"
start_fleet $NODES
web() { # TAG [LINE]...: healthy where the image's variant is not "bad"
	simple web "$REGISTRY/test:$1" "${@:2}" \
		'healthCheck: {command: [CMD-SHELL, "! grep -q bad /etc/variant"], interval: 1, timeout: 5, retries: 1}'
}
on_each() { printf "%s:$1 " $NODES | sed 's/ $//'; } # REVISION
push_image test:bad bad > /dev/null
web 1
cat > "$T/manifests/web.yaml" <<-EOM
	apiVersion: muster/v1
	kind: DaemonService
	metadata: {name: web}
	spec:
	  taskDefinition: web
	  minReadySeconds: 1
	  monitorSeconds: 3
	  deploymentConfiguration: {minimumHealthyPercent: 80}
EOM
push "one"
wait_commit 90s
is "$? $(shape_of web)" "0 $(printf '%s:main:running:1 ' $NODES | sed 's/ $//')" "web runs on six nodes"
sampler() { # how many run that are not of a bad image
	while :; do containers_of web | awk '$4 == "running" && $5 != 2 && $5 != 3 { k++ } END { print k + 0 }'; done
}
sampler > "$T/samples" &
SAMPLER=$!
echo $SAMPLER >> "$PIDS"
disown
# Of what was stopped before it had started a container is kept that never ran: what runs is asked for.
running() { containers_of web | awk '$4 == "running" { printf "%s%s:%s", k++ ? " " : "", $1, $5 }'; }
went_back() { # REVISION
	muster history web | grep -qE "^web:$1 .*FAILED .*Revert commit" &&
		status_says web 'Progressing +False .*RolledBack' && [ "$(running)" = "$(on_each 1)" ]
}
web bad
push "an image that is never healthy"
must 60 "a bad image goes back without a hand" went_back 2
like "$(muster describe service web)" "[Rr]evert commit $(head_commit | cut -c1-7)" "describe says which commit to revert"
web 2 'environment: [{name: A, value: b}]'
sed -i 's/command: \[testtask, .*/command: [testtask, sleep=200, exit=3]/' "$T/manifests/web-task.yaml"
push "one that exits"
must 60 "so does one that exits" went_back 3
web 2
push "fixed"
wait_commit 90s
is "$? $(running)" "0 $(on_each 4)" "pushed again fixed, it completes"
kill9 $SAMPLER
read -r lowest < <(sort -n "$T/samples")
[ "$lowest" -ge 5 ]
ok $? "never fewer than 5 healthy: $lowest at the lowest of $(wc -l < "$T/samples") looks"
done_testing
