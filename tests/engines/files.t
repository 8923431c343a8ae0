#!/bin/bash
# Story 6: files of the repository, environment files and secrets in containers, looked at from inside.
. "$(dirname "$0")/fleet.sh"
up "$ENGINE"
image localhost/test:1 > /dev/null
mkdir "$T/secrets"
secret() { # NAME VALUE
	(umask 077; echo "$2" > "$T/secrets/$1")
}
secret token wildebeest-1
secret db-password okapi-2
echo "FROM_NODE=node-1" > "$T/node.env"
OF_AGENT=zebra-3 start_fleet n1
mkdir "$T/manifests/conf"
echo one > "$T/manifests/conf/app.conf"
printf '# of the repository\nFROM_REPOSITORY=repository-1\nFROM_NODE=second\n' > "$T/manifests/conf/app.env"
cat > "$T/manifests/cluster.yaml" <<EOM
apiVersion: muster/v1
kind: Cluster
metadata: {name: default}
spec:
  secrets: [{match: "arn:aws:secretsmanager:*", from: "file:$T/secrets/{name}"}]
EOM
app() { # FILE-OF-TOKEN
	simple app localhost/test:1 'files: [{source: conf/app.conf, path: /etc/app/app.conf, mode: "0440"}]' \
		"environmentFiles: [{value: \"file:$T/node.env\", type: file}, {value: conf/app.env, type: file}]" \
		"secrets:" "- {name: TOKEN, valueFrom: \"file:$T/secrets/$1\"}" \
		"- {name: OF_NODE, valueFrom: \"env:OF_AGENT\"}" \
		'- {name: DB, valueFrom: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-password-AbCdEf"}'
}
app token
NO_BREAKER='deploymentConfiguration: {deploymentCircuitBreaker: {enable: false}}' # it would go back: what is tried here is how it heals
service app app "$NO_BREAKER"
push "files, environment files and secrets"
must 40 "a task with them starts" shape_is app "n1:main:running:1"
wait_commit
is $? 0 "muster wait ends"
seen() { run_in "$(ids_of app)" "$@"; }
variable() { seen sh -c "echo \"\$$1\""; }
is "$(seen cat /etc/app/app.conf)" one "inside, the file of the repository"
like "$(seen ls -l /etc/app/app.conf)" '^-r--r-----' "with its mode"
like "$(seen sh -c 'echo x > /etc/app/app.conf || echo refused')" 'refused' "which cannot be written"
is "$(variable FROM_REPOSITORY)" repository-1 "a variable of a file of the repository"
is "$(variable FROM_NODE)" node-1 "one of the node's file, the first that has it"
is "$(variable TOKEN)" wildebeest-1 "a secret of a file"
is "$(variable OF_NODE)" zebra-3 "one of the agent's environment"
is "$(variable DB)" okapi-2 "one of AWS that the Cluster manifest maps"

echo two > "$T/manifests/conf/app.conf"
push "another content"
must 40 "a changed file is a roll-out" shape_is app "n1:main:running:2"
is "$(seen cat /etc/app/app.conf)" two "inside, its content"
sed -i 's/repository-1/repository-2/' "$T/manifests/conf/app.env"
push "another environment file"
must 40 "so is a changed environment file" shape_is app "n1:main:running:3"
is "$(variable FROM_REPOSITORY)" repository-2 "inside, its variable"
wait_commit
is $? 0 "muster wait ends"

# A secret that is missing.
before=$(ids_of app)
app late
push "a secret that is not there"
must 30 "a missing secret: ResourceInitializationError with its path" status_says app "ResourceInitializationError: secret TOKEN: .*$T/secrets/late"
is "$(ids_of app)" "$before" "the old container runs"
secret late gnu-4
must 60 "it heals when the file is there" shape_is app "n1:main:running:4"
is "$(variable TOKEN)" gnu-4 "inside, its value"
wait_commit
is $? 0 "muster wait ends"

# A first start without one; and one of AWS that nothing maps.
simple other localhost/test:1 "secrets: [{name: TOKEN, valueFrom: \"file:$T/secrets/other\"}]"
service other other
simple unmapped localhost/test:1 'secrets: [{name: TOKEN, valueFrom: "arn:aws:ssm:eu-west-1:123456789012:parameter/token"}]'
service unmapped unmapped
push "two that cannot start"
must 30 "also of a task that never ran" status_says other "ResourceInitializationError: secret TOKEN: .*$T/secrets/other"
secret other quagga-5
must 60 "which starts when the file is there" shape_is other "n1:main:running:1"
is "$(run_in "$(ids_of other)" sh -c 'echo $TOKEN')" quagga-5 "with its value"
like "$(muster validate "$T/manifests" 2>&1)" 'unmapped-task.yaml:[0-9]+:[0-9]+: warning: the secret "TOKEN" is kept in AWS' "one that nothing maps is a warning"
is "$(containers_of unmapped)" "" "and its task is not placed"
like "$(muster explain --service unmapped --node n1 2>&1)" 'secret' "which muster explain says"

# Nowhere but in containers.
SECRETS='wildebeest-1|okapi-2|zebra-3|gnu-4|quagga-5'
is "$(grep -rlE "$SECRETS" "$T/state" "$T"/*.log "$T/manifests" "$T/fleet.git")" "" "no secret in state, status, logs or the repository"
is "$({ muster get tasks -o json; muster get services -o json; muster describe service app; muster logs app; } 2>&1 | grep -cE "$SECRETS")" 0 "nor in what muster prints"
done_testing
