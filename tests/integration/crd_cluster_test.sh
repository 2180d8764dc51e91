#!/bin/bash
# Custom resources on three servers: a definition made on one is served by all, watched on another, outlives the server that
# leads, and goes from all.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl
hosts s1 s2 s3

serves() { k "$1" get --raw /apis/example.com/v1/things; }
serves_not() { ! serves "$1" 2>/dev/null; }
field() { k "$1" get thing "$2" -o "jsonpath={.spec.color}"; }
is() { [ "$(field "$1" "$2" 2>/dev/null)" = "$3" ]; }

server_start s1 --cluster-init
check "the first server is ready" wait_for 20 server_is_ready s1
for n in s2 s3; do
	server_start $n $(join_flags s1)
	check "$n is ready" wait_for 30 server_is_ready $n
done
k s2 apply -f - >/dev/null <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {plural: things, kind: Thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {color: {type: string, default: red}}}
YAML
for n in s1 s2 s3; do
	check "$n serves it" wait_for 10 serves $n
done
k s3 create -f - >/dev/null <<'YAML'
{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {}}
YAML
for n in s1 s2 s3; do
	check "$n has the object" wait_for 10 is $n one red
done
server_stop s1 KILL
check "without the first server, writes go on" wait_for 30 k s2 patch thing one --type merge -p '{"spec":{"color":"blue"}}'
check "and are seen on the other" wait_for 10 is s3 one blue
server_start s1
check "the first comes back" wait_for 30 server_is_ready s1
check_is "and has it from the start" blue "$(field s1 one)"
k s1 delete crd things.example.com --wait=false >/dev/null
for n in s1 s2 s3; do
	check "$n serves it no more" wait_for 15 serves_not $n
done
finish
