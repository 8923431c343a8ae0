#!/bin/bash
# muster import: what it prints is a valid manifest, the same task by its own account.
. "$(dirname "$0")/lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
corpus=${CORPUS:-$root/../shared/corpus}/taskdefs

cat > "$T/task.json" <<'E2'
{"taskDefinition": {"family": "app", "revision": 7, "cpu": "256", "networkMode": null, "taskRoleArn": "arn:aws:iam::1:role/x",
 "containerDefinitions": [{"name": "app", "image": "app:1", "memory": 64, "essential": true, "command": []}]}, "tags": []}
E2
out=$(muster import "$T/task.json" 2> "$T/err")
is $? 0 "a task definition is imported"
is "$out" "apiVersion: muster/v1
kind: TaskDefinition
metadata:
  name: app
spec:
  cpu: 256
  containerDefinitions:
  - name: app
    image: app:1
    command: []
    essential: true
    memory: 64" "as YAML of muster"
like "$(cat "$T/err")" '^.*/task.json:1:[0-9]+: warning: "taskRoleArn" is ignored' "what is left out is said on stderr"
is "$(muster import - < "$T/task.json" 2> "$T/err")" "$out" "from standard input, too"
like "$(cat "$T/err")" '^standard input:1:' "whose name is said"
cp "$T/task.json" "$T/task.tpl"
is "$(muster import "$T/task.tpl" 2> /dev/null)" "$out" "and from a file of another name"

cat > "$T/services.json" <<'E2'
{"services": [
 {"serviceArn": "arn:aws:ecs:x:1:service/c/a", "serviceName": "a", "clusterArn": "arn:aws:ecs:x:1:cluster/c", "desiredCount": 3,
  "taskDefinition": "arn:aws:ecs:x:1:task-definition/app:7", "schedulingStrategy": "DAEMON"},
 {"serviceName": "b", "taskDefinition": "app", "schedulingStrategy": "DAEMON"}], "failures": []}
E2
out=$(muster import "$T/services.json" 2> /dev/null)
is $? 0 "several services are imported"
is "$(grep -c '^---$' <<< "$out")" 1 "as so many documents"
is "$(grep -E 'taskDefinition|cluster|minimumHealthyPercent' <<< "$out" | tr -d ' ' | tr '\n' ' ')" \
	"cluster:c taskDefinition:app:7 minimumHealthyPercent:0 taskDefinition:app minimumHealthyPercent:0 " "with ECS's own defaults"

echo '[{"serviceName": "web", "taskDefinition": "app", "schedulingStrategy": "REPLICA"},
 {"family": "app", "containerDefinitions": [{"name": "a", "image": "a"}]}]' > "$T/mixed.json"
out=$(muster import "$T/mixed.json" 2> "$T/err")
is $? 3 "what muster does not have is refused"
like "$(cat "$T/err")" 'schedulingStrategy must be DAEMON' "with the reason"
like "$out" 'name: app' "and the rest is printed"
echo '{"clusters": []}' > "$T/other.json"
muster import "$T/other.json" > /dev/null 2>&1
is $? 3 "so is what holds nothing of the kind"
muster import "$T/none.json" > /dev/null 2>&1
is $? 4 "a file that is not there is a fault of the system"

[ -d "$corpus" ] || { echo "# skipped: there is no $corpus"; done_testing; exit; }
bad=0 files=0
mkdir "$T/imported"
for file in "$corpus"/*.json; do
	files=$((files + 1))
	muster import "$file" > "$T/imported/x.yaml" 2> /dev/null && muster validate "$T/imported/x.yaml" > "$T/err" 2>&1 &&
		[ "$(muster import "$T/imported/x.yaml" 2> /dev/null)" = "$(cat "$T/imported/x.yaml")" ] && continue
	bad=$((bad + 1))
	echo "# $file" && sed 's/^/# /' "$T/err"
done
is "$bad" 0 "all $files real task definitions are imported, valid, and stay as they are when read back"
done_testing
