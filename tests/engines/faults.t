#!/bin/bash
# Story 4: an engine that comes after its agent, and one that hangs, beside a native process of the same node.
. "$(dirname "$0")/fleet.sh"
new_repository
start_musterd
"$HERE/world" "$W" 2> "$T/why" || skip_all "$(sed -n 's/^engines: //p' "$T/why" | head -1)"
start_node n1
simple app localhost/test:1
service app app
taskdef native
service native native
push "a container, and a process"
must 30 "a process runs while there is no engine" nodes_are native n1
unavailable() { muster describe node n1 | grep -q EngineUnavailable; }
available() { ! unavailable; }
must 30 "status says that the engine is absent" unavailable
up "$ENGINE"
image localhost/test:1 > /dev/null
must 60 "the container starts when the engine is there" shape_is app "n1:main:running:1"
must 30 "and status says so" available
wait_commit
is $? 0 "muster wait ends"

# Hangs: nothing is stopped, processes are looked after, and it goes on.
before=$(ids_of app)
daemon "$ENGINE" freeze
old=$(tasks_of native)
kill -9 "${old%% *}"
back() { now=$(tasks_of native); [ -n "$now" ] && [ "$now" != "$old" ]; }
must 10 "a killed process is back while the engine hangs" back
simple late localhost/test:1
service late late
push "a container, while the engine hangs"
waits() { muster get tasks -o json | jq -e '[.tasks[] | select(.group == "service:late" and .lastStatus == "PENDING" and
	(.stoppedReason // "" | contains("DockerTimeoutError")))] | length == 1' > /dev/null; }
must 45 "status says within its deadline that the engine does not answer" unavailable
must 30 "the task waits, and says for what" waits
daemon "$ENGINE" thaw
must 30 "it heals when the engine goes on" available
must 30 "what was pushed meanwhile starts" shape_is late "n1:main:running:1"
counted() { muster get tasks -o json | jq '[.tasks[] | select(.group == "service:late" and .lastStatus == "STOPPED")] | length'; }
is "$(counted)" 0 "and no failed start was counted"
is "$(ids_of app)" "$before" "what ran is the same container"

done_testing
