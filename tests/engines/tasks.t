#!/bin/bash
# Story 7: a port that a stranger has, containers that share a network, a task that is killed for its memory, one with
# the host's network, processes and files, log drivers of AWS.
. "$(dirname "$0")/fleet.sh"
# A port of a stranger's. The containers of a task see each other at 127.0.0.1, and the node sees the port.
up "$ENGINE"
image localhost/test:1 > /dev/null
image localhost/test:web web > /dev/null
"$HERE/in" "$W" busybox httpd -f -p 18080 -h /var > /dev/null 2>&1 & # it becomes nsenter, with a child
stranger=$!
listens() { inside ss -ltn | grep -q ':18080 '; }
must 5 "a stranger has the port" listens
start_fleet n1
definition pair 'networkMode: awsvpc' <<-EOM
- name: web
  image: localhost/test:web
  stopTimeout: 1
  command: [httpd, -f, -p, "18080", -h, /var/www]
  portMappings: [{containerPort: 18080}]
- name: ask
  image: localhost/test:1
  stopTimeout: 1
  dependsOn: [{containerName: web, condition: START}]
  command: [sh, -c, "until wget -qO /tmp/got http://127.0.0.1:18080/; do sleep 0.1; done; exec testtask term-exit=0 sleep"]
EOM
service pair pair
push "a pair"
must 40 "a taken port: status says CannotStartContainerError" status_says pair CannotStartContainerError
kill -9 $(pgrep -P "$stranger")
answers() { [ "$(inside curl -s --max-time 1 http://127.0.0.1:18080/)" = web ]; }
must 60 "it heals when the port is free: it answers on the node" answers
got() { api "/containers/$(containers_of pair | awk '$3 == "ask" && $4 == "running" { print $6 }')/archive?path=/tmp/got" | tar -xO | grep -qx web; }
must 20 "the other container has asked at 127.0.0.1" got

# Killed for its memory.
definition big <<-EOM
- name: main
  image: localhost/test:1
  memory: 16
  command: [testtask, eat=256, sleep]
EOM
service big big
push "more memory than it may have"
out_of_memory() { # the container's own reason, as ECS has it
	muster get tasks big -o json | jq -e '[.tasks[].containers[] | select(.exitCode == 137) | .reason // ""]
		| any(startswith("OutOfMemoryError: Container killed due to memory usage"))'
}
described() { # at the width of a terminal
	muster describe service big | sed -n '/^Stopped tasks/,$p' | cut -c-80 | grep -q 'OutOfMemoryError: '
}
killed() { containers_of big | while read -r _ _ _ _ _ id _; do inspect "$id" ".State.ExitCode == 137 and $1"; done | grep -q true; }
must 40 "a task is killed for its memory" killed true
# Podman's monitor knows of few of them, on a busy machine of none: then nobody can.
if wait_for 15 killed .State.OOMKilled; then
	must 20 "status says OutOfMemoryError" out_of_memory
	[ "$ENGINE" = podman ] || must 20 "the service's stopped tasks say so, too" described
else
	ok 0 "status says OutOfMemoryError # SKIP the engine does not say that it was for its memory"
fi

# As node-exporter is run.
definition exporter 'networkMode: host' 'pidMode: host' 'volumes: [{name: root, host: {sourcePath: /}}]' <<-EOM
- name: main
  image: localhost/test:1
  stopTimeout: 1
  readonlyRootFilesystem: true
  command: [testtask, term-exit=0, sleep]
  mountPoints: [{sourceVolume: root, containerPath: /host, readOnly: true}]
EOM
service exporter exporter
push "a host's own"
must 40 "a task with the host's network, processes and files runs" shape_is exporter "n1:main:running:1"
id=$(ids_of exporter)
is "$(inspect "$id" '[.HostConfig.NetworkMode, .HostConfig.PidMode, .HostConfig.ReadonlyRootfs] | join(" ")')" "host host true" "as the engine says"
is "$(inspect "$id" '.Mounts[] | select(.Destination == "/host") | [.Source, .RW] | join(" ")')" "/ false" "with its root, read-only"
pid=$(inspect "$id" .State.Pid)
is "$(inside readlink "/proc/$pid/ns/net" "/proc/$pid/ns/pid")" "$(inside readlink /proc/1/ns/net /proc/1/ns/pid)" "in the namespaces of the host"

# Log drivers of AWS.
logged() { # FAMILY DRIVER
	simple "$1" localhost/test:1 "logConfiguration: {logDriver: $2, options: {awslogs-group: g, awslogs-region: r}}"
	sed -i 's/term-exit=0/"out=to be read", term-exit=0/' "$T/manifests/$1-task.yaml"
	service "$1" "$1"
}
logged cloud awslogs
logged lens awsfirelens
cat > "$T/manifests/cluster.yaml" <<EOM
apiVersion: muster/v1
kind: Cluster
metadata: {name: default}
spec:
  logDrivers: [{match: awsfirelens, logDriver: none}]
EOM
push "log drivers of AWS"
must 40 "a task with awslogs runs" shape_is cloud "n1:main:running:1"
must 40 "one with awsfirelens, too" shape_is lens "n1:main:running:1"
own=$(inspect "$(api /containers/create -X POST -d '{"Image": "localhost/test:1"}' | jq -r .Id)" .HostConfig.LogConfig.Type)
is "$(inspect "$(ids_of cloud)" .HostConfig.LogConfig.Type)" "$own" "awslogs has become what the engine takes by itself ($own)"
is "$(inspect "$(ids_of cloud)" '.HostConfig.LogConfig.Config // {} | keys | map(select(startswith("awslogs")))')" "[]" "without its options"
is "$(inspect "$(ids_of lens)" .HostConfig.LogConfig.Type)" none "the other what the Cluster manifest maps it to"
warned='cloud-task.yaml:[0-9]+:[0-9]+: warning: the log driver "awslogs" is of AWS'
like "$(muster validate "$T/manifests" 2>&1)" "$warned" "validate warns of it"
is "$(muster validate "$T/manifests" 2>&1 | grep -c lens-task)" 0 "and not of the one that is mapped"
is "$(jq -r '.diagnostics[]' "$T/state/status/fleet.json" | grep -cE "$warned")" 1 "so does status"

done_testing
