#!/bin/bash
# make bench-net, network policies on one agent: POLICIES (500) of them that all select its two pods, each with a peer selector of its
#   own, and PODS (1,000) pods on another node for them to find:
#   resident memory of the agent before and with them; how long an agent that starts takes to have all in the kernel; one pod
#   that changes: from the request to the API until its packet passes; a new TCP connection without policies, and through all
#   of them to the last.
# Method: a server and an agent in network namespaces; probes are UDP packets every millisecond; medians. QUICK=1: 50 policies, 100 pods.
. "$(dirname "$0")/common.sh"
policies=${POLICIES:-500} pods=${PODS:-1000}
[ -n "${QUICK:-}" ] && policies=${POLICIES:-50} pods=${PODS:-100}
hosts s1 a1
up s1 "" a1
sleeper s1 a a1; sleeper s1 b a1
wait_for 60 sleepers_run s1 2 || give_up "the pods do not run"

bench() { python s1 policies "$@"; }
chains() { at a1 nft list chains inet 2>/dev/null | grep -c in-policy; }
all_there() { [ "$(chains)" = "$policies" ]; }

bench pods "$pods" "$policies"
bench connect >"$T/bare"
before=$(rss_mb a1)
bench policies "$policies"
wait_for 60 all_there || give_up "$(chains) of $policies policies are in the kernel"
with=$(rss_mb a1)
bench connect >"$T/through"
bench change >"$T/change"
server_stop a1 KILL
at a1 nft delete table inet k3x-policy
start=$(date +%s%N)
# shellcheck disable=SC2046
agent_start a1 $(join_flags s1)
until all_there; do sleep 0.01; done
programmed=$((($(date +%s%N) - start) / 1000000))
restarted=$(rss_mb a1)
printf 'network policies: %d, with %d pods on another node\n' "$policies" "$pods"
printf '  resident memory of the agent      %s MB before, %s MB with them, %s MB after a restart\n' "$before" "$with" "$restarted"
printf '  from the start to all in force    %d ms\n' "$programmed"
printf '  a pod that changes, to its packet %s ms (worst of 30: %s)\n' $(cat "$T/change")
printf '  a new connection                  %s us without policies, %s us to the last of them\n' "$(cat "$T/bare")" "$(cat "$T/through")"
printf '{"policies":%d,"pods":%d,"rss_before_mb":%s,"rss_mb":%s,"rss_restarted_mb":%s,"programmed_ms":%d,"change_ms":%s,"connect_bare_us":%s,"connect_us":%s}\n' \
	"$policies" "$pods" "$before" "$with" "$restarted" "$programmed" "$(cut -d' ' -f1 "$T/change")" "$(cat "$T/bare")" "$(cat "$T/through")" >"$root/build/bench/net-policies.json"
