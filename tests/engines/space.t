#!/bin/bash
# Story 2: a full disk while an image is pulled, and a pull that takes its time. The engine's own files are on a small
# disk.
AT_ONCE=1
. "$(dirname "$0")/fleet.sh"
registry_up
mkdir "$W/$ENGINE"
inside mount -t tmpfs -o size=180m tmpfs "$W/$ENGINE"
up "$ENGINE"
push_image app:1 one > /dev/null
BULK=48 push_image app:2 two > /dev/null
start_fleet n1
simple app $REGISTRY/app:1
NO_BREAKER='deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}' # it would go back: what is tried here is how it heals
service app app "$NO_BREAKER"
push "a small image"
must 40 "a task of a small image runs" shape_is app "n1:main:running:1"
wait_commit
is $? 0 "muster wait ends"

# 20 MB are left, of the 100 that it would take.
first=$(ids_of app)
inside sh -c "dd if=/dev/zero of=$W/$ENGINE/filler bs=1M count=\$((\$(stat -f -c '%a * %S' $W/$ENGINE) / 1048576 - 20))" 2> /dev/null
simple app $REGISTRY/app:2
push "an image for which there is no space"
must 60 "a full disk: status says CannotPullContainerError, and of what" status_says app 'CannotPullContainerError: .*no space left on device'
like "$(muster describe service app)" 'unable to consistently start tasks.*: CannotPullContainerError' "as an event, too"
is "$(ids_of app)" "$first" "the old container runs"
is "$(inspect "$first" '.State.Status')" running "as the engine says"

# The network takes 12 s for it.
inside tc qdisc add dev lo root tbf rate 32mbit burst 256k latency 1s 2> /dev/null
slow=$?
inside rm "$W/$ENGINE/filler"
part() { muster describe service app | grep -oE "pulling image $REGISTRY/app:2: [1-9][0-9]* of [45][0-9] MB" | head -1; }
has_part() { part=$(part); [ -n "$part" ]; }
goes_on() { has_part && [ "$part" != "$before" ]; }
if [ $slow = 0 ]; then
	must 60 "space is made: it is tried again, and status tells how far it is" has_part
	before=$part
	must 30 "and goes on telling" goes_on
	is "$(ids_of app)" "$first" "meanwhile the old container runs"
	inside tc qdisc del dev lo root
else
	ok 0 "status tells how far a pull is # SKIP this kernel cannot slow down a network"
fi
must 60 "it heals by itself" shape_is app "n1:main:running:2"
is "$(variant "$(ids_of app)")" two "with the new image"
wait_commit
is $? 0 "and muster wait ends"
is "$(inspect "$first" .State.Status)" exited "the old one was stopped then"
done_testing
