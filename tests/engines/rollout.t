#!/bin/bash
# Story 1: containers of a push on three nodes that share one engine; a change, a missing image, an end.
. "$(dirname "$0")/fleet.sh"
registry_up
up "$ENGINE"
push_image test:1 one > /dev/null
image localhost/stranger:1 stranger > /dev/null
# A stranger's: a name like ours, and one with labels of ours, of another fleet.
stranger() { # NAME LABELS
	api "/containers/create?name=$1" -X POST -d '{"Image": "localhost/stranger:1", "Labels": '"$2"'}' > /dev/null
	api "/containers/$1/start" -X POST
}
stranger stranger '{}'
stranger muster-n1-old-main-12345678 '{"muster.fleet": "00000000-0000-4000-8000-000000000000", "muster.node": "n1",
	"muster.service": "web", "muster.cluster": "default", "muster.container": "main", "muster.task": "12345678123456781234567812345678"}'
strangers() { api '/containers/json?all=1' | jq -r '.[] | select(.Names[0] | test("stranger|old")) | [.Id, .State] | join(" ")' | sort; }
containers_of() { containers | awk -v s="$1" '$2 == s && $7 !~ /12345678$/'; }
none_runs() { [ -z "$(alive "$1")" ]; }
before_strangers=$(strangers)
is "$(echo "$before_strangers" | grep -c running)" 2 "two strangers' containers run"

start_fleet n1 n2 n3
simple web $REGISTRY/test:1
service web web
push "the first service"
must 40 "a container on each of three nodes" shape_is web "n1:main:running:1 n2:main:running:1 n3:main:running:1"
wait_commit
is $? 0 "muster wait ends"
is "$(muster get services -o json | jq -c '.services[0] | [.desiredCount, .runningCount, .deployments[0].rolloutState]')" \
	'[3,3,"COMPLETED"]' "status says so"
first=$(ids_of web)

# The old ones run while the new image is pulled: the registry hangs until they have been seen doing so.
push_image test:2 two > /dev/null
daemon registry freeze
sampler() { # lines "running nodes, nodes with two"
	while :; do containers_of web | awk '$4 == "running" { n[$1]++ } END { for (i in n) { k++; if (n[i] > 1) d++ } print k + 0, d + 0 }'; done
}
sampler > "$T/samples" &
sampler_pid=$!
echo $sampler_pid >> "$PIDS"
simple web $REGISTRY/test:2
push "another image"
pulling() { status_says web 'pulling'; }
must 20 "status says that an image is pulled" pulling
is "$(ids_of web)" "$first" "the old containers run while it is pulled"
daemon registry thaw
wait_commit
is $? 0 "the roll-out completes"
kill $sampler_pid
wait $sampler_pid 2> /dev/null
is "$(shape_of web)" "n1:main:running:2 n2:main:running:2 n3:main:running:2" "revision 2 runs on each"
is "$(awk '$2 > 0' "$T/samples" | wc -l)" 0 "never two on a node ($(wc -l < "$T/samples") samples)"
is "$(awk '$1 < 2' "$T/samples" | wc -l)" 0 "never more than one node without"
is "$(for id in $(ids_of web); do variant "$id"; done | sort | uniq -c | awk '{ print $1, $2 }')" "3 two" "with the new image in them"

second=$(ids_of web)
simple web $REGISTRY/none:1
push "an image that is not there"
must 30 "a missing image: status says CannotPullContainerError" status_says web CannotPullContainerError
is "$(ids_of web)" "$second" "and there is no outage: the same containers run"
is "$(shape_of web)" "n1:main:running:2 n2:main:running:2 n3:main:running:2" "all of them"
git -C "$T/manifests" revert --no-edit HEAD > /dev/null
git -C "$T/manifests" push -q origin HEAD:main
wait_commit
is $? 0 "the revert completes"
is "$(ids_of web)" "$second" "and restarts nothing"

simple other $REGISTRY/test:1
service other other
push "a second service"
must 30 "a second service starts on each" shape_is other "n1:main:running:1 n2:main:running:1 n3:main:running:1"
muster-agent --node n3 --engine "docker:$SOCKET" --leave > "$T/leave.out" 2>&1
is $? 0 "--leave of a node ends well"
n3_gone() { [ -z "$(containers | awk '$1 == "n3"')" ]; } # an engine may show for a moment what it removes
must 10 "nothing of it is left on the engine" n3_gone
is "$(ids_of web)" "$(head -2 <<< "$second")" "the others keep their containers"
rm "$T/manifests/web.yaml"
push "no web any more"
must 30 "a removed service's containers are stopped" none_runs web
none_of_web() { [ -z "$(containers_of web)" ]; }
must 15 "and removed" none_of_web
is "$(shape_of other)" "n1:main:running:1 n2:main:running:1" "the other service runs on"
for n in n1 n2; do
	muster-agent --node $n --engine "docker:$SOCKET" --leave > "$T/leave.out" 2>&1
	is $? 0 "$n leaves"
done
left() { [ -n "$(containers | grep -v '12345678$')" ]; }
gone_all() { ! left; }
must 10 "stopped ones are gone, too, when all have left" gone_all
is "$(strangers)" "$before_strangers" "no stranger's container was touched"
done_testing
