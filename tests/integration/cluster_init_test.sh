#!/bin/bash
# `k3x server --cluster-init` may be given at any start: there is nothing to convert. Every object is still there, under the
# same revisions, after kill -9 too, and a later start without the flag goes on.
. "$(dirname "$0")/_lib.sh"
args=(--disable-agent --bind-address 127.0.0.1)
port=16743
answers() { kubectl get --raw /readyz; }
revision() { kubectl get configmap one -o jsonpath='{.metadata.resourceVersion} {.metadata.uid}'; }

start_server $port "${args[@]}" && wait_for 10 answers
check "an object" kubectl create configmap one --from-literal=a=b
was=$(revision)
stop_server TERM
start_server $port "${args[@]}" --cluster-init && wait_for 10 answers
check_is "the object is the same" "$was" "$(revision)"
check "another object" kubectl create configmap two
stop_server KILL
start_server $port "${args[@]}" && wait_for 10 answers
check "after kill -9, without the flag, it is there" kubectl get configmap two
check_is "and so is the first" "$was" "$(revision)"
check "writes go on" kubectl create configmap three
stop_server TERM
finish
