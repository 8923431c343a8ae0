#!/bin/bash
# Story 5: the order in which a task's containers start and stop, and a restart in place.
AT_ONCE=1
. "$(dirname "$0")/fleet.sh"
up "$ENGINE"
image localhost/test:1 > /dev/null
start_fleet n1

# The least that restartAttemptPeriod can be is a minute: these begin here and are looked at in the end.
exits() { # FAMILY AFTER-MS CODE
	definition "$1" <<-EOM
	- name: main
	  image: localhost/test:1
	  command: [testtask, term-exit=0, sleep=$2, exit=$3]
	  restartPolicy: {enabled: true, restartAttemptPeriod: 60, ignoredExitCodes: [5]}
	EOM
	service "$1" "$1"
}
exits again 61000 3
exits ignored 61000 5
exits early 500 3
push "tasks that exit"
must 40 "tasks that will exit run" shape_is again "n1:main:running:1"
must 40 "both of them" shape_is ignored "n1:main:running:1"
again=$(ids_of again) ignored=$(ids_of ignored)
again_at=$(inspect "$again" .State.StartedAt) again_task=$(alive again | awk '{ print $8 }')
replaced() { [ "$(containers_of early | awk '{ print $8 }' | sort -u | wc -l)" -gt 1 ]; }
must 30 "one that exits before its restartAttemptPeriod is another task" replaced
in_place() { muster get tasks "$1" -o json | jq -c '[.tasks[] | select(.lastStatus != "STOPPED") | .containers[].restartCount // 0]'; }
rm "$T/manifests/early.yaml" "$T/manifests/early-task.yaml"

definition trio <<EOM
- name: app
  image: localhost/test:1
  command: [testtask, term-exit=0, term-ms=1200, sleep]
  stopTimeout: 10
  dependsOn:
  - {containerName: seed, condition: COMPLETE}
  - {containerName: migrate, condition: SUCCESS}
  - {containerName: db, condition: HEALTHY}
- name: db
  image: localhost/test:1
  command: [sh, -c, "sleep 1; touch /tmp/up; exec testtask term-exit=0 sleep"]
  stopTimeout: 10
  healthCheck: {command: [CMD, test, -e, /tmp/up], interval: 1, timeout: 2, retries: 10}
  dependsOn: [{containerName: proxy, condition: START}]
- name: proxy
  image: localhost/test:1
  command: [testtask, ignore-term, sleep]
  stopTimeout: 2
- name: seed
  image: localhost/test:1
  essential: false
  command: [testtask, sleep=1500, exit=4]
- name: migrate
  image: localhost/test:1
  essential: false
  command: [testtask, sleep=1500, exit=0]
  dependsOn: [{containerName: seed, condition: COMPLETE}]
EOM
service trio trio
push "five containers in an order"
must 60 "containers that depend on one another start" shape_is trio "n1:app:running:1 n1:db:running:1 n1:proxy:running:1"
wait_commit
is $? 0 "muster wait ends"
# All of the first task, also when they have ended.
declare -A id
while read -r _ _ name _ _ hash _; do id[$name]=$hash; done < <(containers_of trio)
ms_of() { # CONTAINER FIELD: since the epoch
	date -d "$(inspect "${id[$1]}" ".State.$2")" +%s%3N
}
later() { # CONTAINER FIELD CONTAINER FIELD AT-LEAST-MS TEXT: the second is that much after the first
	local a b
	a=$(ms_of "$1" "$2") b=$(ms_of "$3" "$4")
	[ $((b - a)) -ge "$5" ]
	ok $? "$6" || echo "# $1 $2 $a, $3 $4 $b"
}
is "$(inspect "${id[seed]}" .State.ExitCode) $(inspect "${id[migrate]}" .State.ExitCode)" "4 0" "two have ended, one of them badly"
later proxy StartedAt db StartedAt 0 "START: after the other has started"
later seed FinishedAt migrate StartedAt 0 "COMPLETE: after its end, whatever its exit code"
later migrate FinishedAt app StartedAt 0 "SUCCESS: after its end"
later db StartedAt app StartedAt 1000 "HEALTHY: after its first good health check"

service trio trio 'redeploy: "2"'
push "the task is replaced"
first_ended() { [ "$(for c in app db proxy; do inspect "${id[$c]}" .State.Status; done | sort -u)" = exited ]; }
must 60 "all of them are stopped" first_ended
is "$(for c in app db proxy; do inspect "${id[$c]}" .State.ExitCode; done | tr '\n' ' ')" "0 0 137 " "two by themselves, one is killed"
later app FinishedAt db FinishedAt 0 "the one that depends on others is down first, though it takes its time"
later db FinishedAt proxy FinishedAt 1900 "then the next, and the last is killed after its stopTimeout"
[ $(($(ms_of proxy FinishedAt) - $(ms_of db FinishedAt))) -lt 9000 ]
ok $? "not after another's"
must 30 "and another task starts" shape_is trio "n1:app:running:1 n1:db:running:1 n1:proxy:running:1"

# What has begun above.
restarted() { [ "$(inspect "$again" '.State.Status + .State.StartedAt')" != "running$again_at" ] && shape_is again "n1:main:running:1"; }
must 80 "one that ran long enough runs again" restarted
is "$(alive again | awk '{ print $6, $8 }')" "$again $again_task" "in place: the same container of the same task"
counted() { [ "$(in_place again)" = "[1]" ]; }
must 10 "status counts it: restartCount 1" counted
is "$(muster get tasks again | awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "RESTARTS") c = i } NR == 2 { print $c }')" 1 "and so do people see it"
stayed() { [ "$(inspect "$ignored" '[.State.Status, .State.ExitCode] | join(" ")')" = "exited 5" ] && [ -n "$(alive ignored)" ]; }
must 30 "one of an exit code that is ignored is another task" stayed
is "$(in_place ignored)" "[0]" "and no restart in place"
done_testing
