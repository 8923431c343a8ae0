#!/bin/bash
# Story 3: one digest a deployment, from a registry with TLS and a password: a tag that moves, one that is resolved
# anew, a registry that is down, credentials that are wrong.
. "$(dirname "$0")/fleet.sh"
registry_up
up "$ENGINE"
one=$(push_image app:v one)
start_fleet n1
simple app $REGISTRY/app:v "imagePullPolicy: Always"
NO_BREAKER='deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}' # it would go back: what is tried here is how it heals
service app app "$NO_BREAKER"
push "a tag"
must 40 "the first node pulls with the password of its file" shape_is app "n1:main:running:1"
wait_commit
is $? 0 "muster wait ends"
digests() { muster get tasks app -o json | jq -r '.tasks[] | select(.lastStatus == "RUNNING") | .containers[0].imageDigest' | sort | uniq -c | awk '{ print $1, $2 }'; }
digests_are() { [ "$(digests)" = "$1" ]; }
variants() { # what the containers themselves have: how many of which
	local id
	for id in $(ids_of app); do variant "$id"; done | sort | uniq -c | awk '{ print $1, $2 }'
}
is "$(digests)" "1 $one" "status tells the digest of the index"

# The tag moves; who comes later still runs what the deployment began with.
first=$(ids_of app)
two=$(push_image app:v two)
[ "$one" != "$two" ]
ok $? "the tag is moved in the registry"
start_node n2
must 40 "a later node starts its container" shape_is app "n1:main:running:1 n2:main:running:1"
is "$(variants)" "2 one" "of the same digest"
must 10 "as status says" digests_are "2 $one"
is "$(ids_of app | head -1)" "$first" "the first node's was not touched"

service app app "$NO_BREAKER" 'redeploy: "2"'
push "redeploy"
must 60 "redeploy resolves the tag anew" digests_are "2 $two"
is "$(variants)" "2 two" "on both nodes"
wait_commit
is $? 0 "and completes"

# The registry is down: no outage, said, and it heals.
before=$(ids_of app)
three=$(push_image app:w three)
daemon registry kill
simple app $REGISTRY/app:w
push "while the registry is down"
must 40 "a registry that is down: CannotPullContainerError" status_says app CannotPullContainerError
is "$(ids_of app)" "$before" "the containers run on"
daemon registry start > /dev/null
must 90 "it heals when the registry is back" digests_are "2 $three"

# Credentials that are wrong; the file is put right.
cp "$T/auth.json" "$T/right.json"
printf '{"auths":{"%s":{"auth":"%s"}}}' $REGISTRY "$(printf muster:wrong-secret | base64)" > "$T/auth.json"
before=$(ids_of app)
four=$(push_image app:x four)
simple app $REGISTRY/app:x
push "with a wrong password"
must 40 "a wrong password: CannotPullContainerError" status_says app 'CannotPullContainerError.*[Uu]nauthorized'
is "$(ids_of app)" "$before" "the containers run on"
mv "$T/right.json" "$T/auth.json"
must 90 "it heals when the file is put right" digests_are "2 $four"
is "$(grep -rlE 'secret-of-tests|wrong-secret' "$T/state" "$T"/*.log)" "" "no password in status, state or logs"
done_testing
