#!/bin/bash
# Manifests on three servers: the one that leads applies its own folder, the others keep still; when it is lost the next one
# goes on with the same Addons and loses track of nothing.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl
hosts s1 s2 s3

not() { ! "$@"; }
config_map() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n' "$1"; }
put() { cat >"$T/new" && mv "$T/new" "$T/$1/server/manifests/$2"; }
leads() { [ "$(grep -h 'this server leads\|another server leads' "$T/$1.log" | tail -n 1 | grep -c 'this server leads')" = 1 ]; }
leader_of() { local n; for n; do leads "$n" && echo "$n" && return; done; return 1; }
has() { k "$1" get configmap "$2"; }

server_start s1 --cluster-init
check "the first server is ready" wait_for 20 server_is_ready s1
for n in s2 s3; do
	server_start $n $(join_flags s1)
	check "$n is ready" wait_for 30 server_is_ready $n
done
first=$(leader_of s1 s2 s3)
others=$(echo s1 s2 s3 | sed "s/$first//")
set -- $others
config_map of-one | put "$1" own.yaml
{ config_map shared-a; echo ---; config_map shared-b; } | put "$first" shared.yaml
check "the server that leads applies its folder" wait_for 20 has "$first" shared-b
check "a server that does not lead applies nothing" not has "$first" of-one
{ config_map shared-a; } | put "$1" shared.yaml
{ config_map shared-a; } | put "$2" shared.yaml
check "not even a change" has "$first" shared-b

server_stop "$first" KILL
check "another server leads" wait_for 30 leader_of "$@"
second=$(leader_of "$@")
gone() { has_no "$second" "$1"; }
has_no() { ! k "$1" get configmap "$2" 2>/dev/null && k "$1" get --raw /readyz >/dev/null; }
check "it applies its own folder, and deletes what the first one had applied and it has not" wait_for 30 gone shared-b
check "what both have stays" has "$second" shared-a
check_is "there is one Addon of it" 1 "$(k "$second" -n kube-system get addons --no-headers | grep -c '^shared ')"
check_is "and one manager of its objects" deploy "$(k "$second" get configmap shared-a --show-managed-fields -o 'jsonpath={.metadata.managedFields[*].manager}')"
finish
