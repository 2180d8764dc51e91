#!/bin/bash
# What `make cluster` starts and `make cluster-down` ends: servers and an agent that run pods, can be harmed and started again,
# and of which nothing is left.
# lane: node
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "make cluster" "needs root"; finish; exit; }
needs kubectl nft curl busybox
export K3X_CLUSTER_DIR=$T/cluster
cluster() { "$root/tools/install/cluster.sh" "$@"; }
trap 'cluster down >/dev/null 2>&1; cleanup' EXIT
k() { "$(type -P kubectl)" --kubeconfig "$T/cluster/kubeconfig" --request-timeout=10s "$@"; }
status_of() { cluster status | sed -n "s/^$1 *[^ ]* *//p"; }
is() { case $(status_of "$1") in $2) ;; *) return 1 ;; esac; }
running() { [ "$(k --context "$1" get pods --no-headers 2>/dev/null | grep -c ' 1/1 ')" = "$2" ]; }
export TMPDIR=$T

out=$(cluster up 3 2>&1)
check_has "it says how to use it" "export KUBECONFIG=$T/cluster/kubeconfig" "$out"
check_is "two nodes are Ready" 2 "$(k get nodes --no-headers | grep -c ' Ready ')"
check_has "another is not begun beside it" "make cluster-down first" "$(cluster up 3 2>&1)"
check_has "a host that is none is told" "one of s1 s2 s3 a1" "$(cluster kill s9 2>&1)"
k create deployment web --image=busybox:local --replicas=4 -- sleep 1000000 >/dev/null
check "pods run" wait_for 40 running s1 4
check_is "on both nodes" "a1 s1" "$(k get pods -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u | paste -sd' ')"
cluster kill s1
check_is "one can be killed" "not running" "$(status_of s1)"
check "the others go on" wait_for 20 k --context s2 scale deployment web --replicas=5
cluster start s1
check "it can be started again" wait_for 30 is s1 'running*, ready'
check "and all pods run, also one that was placed on it meanwhile" wait_for 40 running s3 5
cluster freeze s2
check "one can be frozen" is s2 frozen*
cluster thaw s2
check "and thawed" wait_for 20 is s2 'running*, ready'
cluster cut a1
check "one can be cut off" is a1 '*cut off'
cluster plug a1
check "and plugged in" is a1 'running*[0-9]'
cluster down >/dev/null
check_is "no network is left" "" "$(ip -o link | grep -E 'k3x|cni' | cut -c1-60)"
check_is "no namespace" "" "$(ip netns list | grep -E 'k3x-cluster|cni')"
check_is "no process" "" "$(pids_with "$T/cluster")"
check_is "no mount" 0 "$(grep -c "$T/cluster" /proc/self/mountinfo)"
check_is "no rules" "" "$(nft list tables 2>/dev/null | grep k3x)"
check "no file" test ! -e "$T/cluster"
check_is "no half of an image" "" "$(find "$T" -maxdepth 1 -name 'k3x-image-*')"
finish
