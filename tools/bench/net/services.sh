#!/bin/bash
# make bench-net, services: SERVICES (10,000) of one port, with five endpoints each, all of them different addresses:
#   (a) an agent that starts with all objects in place and no table: from its start until the kernel leads to the last service, and what
#       that cost k3x and nft in processor time; beside it the kernel's own cost: `nft -f` of an equal rule set written by hand as one
#       table, in a namespace of its own; resident memory of the agent without services, with them, and after that start;
#   (b) with all in place one of five endpoints is another one: from the API's answer to the write until the first connection through the
#       service reaches it, p50 and p99, and how many connections were refused meanwhile;
#   (c) a new TCP connection to an endpoint itself, and through a service when there is one and when there are all, p50 and p99.
# Method: a server, an agent, a client with a pod's address and one host that has all endpoints' addresses, each a network namespace;
# clients are services.py. The best of STARTS (1) starts. kube-proxy, the usual peer, is not in Debian. QUICK=1: 2,000 services.
. "$(dirname "$0")/common.sh"
services=${SERVICES:-10000} starts=${STARTS:-1} changes=50 connects=2000
[ -n "${QUICK:-}" ] && services=${SERVICES:-2000} changes=20 connects=1000
hosts s1 a1

# ---- who asks and who answers, each behind the node ----
spoke() { # NAME THE NODE'S ADDRESS ITS OWN
	ip netns add "$prefix$1"
	ip -n "${prefix}a1" link add "$1" type veth peer name eth0 netns "$prefix$1"
	ip -n "${prefix}a1" addr add "$2/24" dev "$1"
	ip -n "${prefix}a1" link set "$1" up
	ip -n "$prefix$1" link set lo up
	ip -n "$prefix$1" addr add "$3/24" dev eth0
	ip -n "$prefix$1" link set eth0 up
	ip -n "$prefix$1" route add default via "$2"
}
spoke client 10.191.1.1 10.191.1.2
spoke ends 10.191.2.1 10.191.2.2
ip -n "${prefix}a1" route add 10.192.0.0/10 via 10.191.2.2
ip -n "${prefix}ends" route add local 10.192.0.0/10 dev lo
bench() { python s1 services "$prefix" "$@"; }
listed() { at a1 nft list map ip k3x-proxy services 2>/dev/null | grep -c goto; }
metric() { at a1 curl -s http://127.0.0.1:10249/metrics | sed -n "s/^kubeproxy_$1 //p"; }
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%d %d", ($14 + $15) * 1000 / hz, ($16 + $17) * 1000 / hz }' "/proc/$(cat "$T/a1.pid")/stat"; }
now_ns() { date +%s%N; }
is_synced() { [ "$(metric sync_proxy_rules_duration_seconds_count)" -ge 1 ]; } # nft has ended, too

up s1 "--flannel-backend none --disable-network-policy --cluster-cidr 10.128.0.0/9" a1
proxy_is_up() { [ -n "$(metric sync_proxy_rules_duration_seconds_count)" ]; }
wait_for 20 proxy_is_up || give_up "the proxy does not come up"
rss_without=$(rss_mb a1)

bench make 0 1
bench answers 1 "$(now_ns)" >/dev/null
one=$(bench connects 1 "$connects") || exit 1
bench make 1 "$services"
bench answers "$services" "$(now_ns)" >/dev/null
has_all() { [ "$(listed)" -ge "$services" ]; }
wait_for 60 has_all || give_up "$(listed) of $services services are in the kernel"
rss_with=$(rss_mb a1)
all=$(bench connects "$services" "$connects") || exit 1
change=$(bench changes "$changes") || exit 1

bench rules "$services" >"$T/rules.nft"
ip netns add "${prefix}rules"
TIMEFORMAT='%R %U %S'
for _ in $(seq "$starts"); do
	server_stop a1 KILL
	at a1 nft delete table ip k3x-proxy
	begun=$(now_ns)
	# shellcheck disable=SC2046
	agent_start a1 $(join_flags s1)
	bench answers "$services" "$begun" >>"$T/start"
	wait_for 20 is_synced || give_up "the proxy does not tell how long it took"
	cpu_ms >>"$T/cpu"; echo >>"$T/cpu"
	has_all || give_up "a part of the services was late: $(listed) of $services"
	metric sync_proxy_rules_duration_seconds_sum >>"$T/sync"
	rss_mb a1 >>"$T/rss"; echo >>"$T/rss"
	at rules nft flush ruleset
	{ time at rules nft -f "$T/rules.nft"; } 2>>"$T/kernel" || give_up "nft does not take the rules written by hand"
done
# That they are equal: elements that lead on from these services, and those with an endpoint.
shape() { at "$1" nft list table ip k3x-proxy | awk '{ services += gsub(/ : goto tcp-of-5/, "&"); ends += gsub(/ \. 8080/, "&") } END { print services, ends }'; }
wanted="$services $((services * 5))"
[ "$(shape a1), $(shape rules)" = "$wanted, $wanted" ] || give_up "the rules by hand differ: $(shape a1), by hand $(shape rules)"

column() { awk -v n="$2" '{ print $n }' "$T/$1" | sort -n | head -n 1; }
start=$(column start 1) sync=$(column sync 1) k3x_cpu=$(column cpu 1) nft_cpu=$(column cpu 2) rss_start=$(column rss 1)
kernel=$(column kernel 1) kernel_user=$(column kernel 2) kernel_sys=$(column kernel 3)
printf 'services: %d of 5 endpoints; kube-proxy is not in Debian, so nft with an equal rule set is the peer\n' "$services"
printf '  an agent that starts, to the last %6d ms; of it, from the first object to the kernel: %.2f s; processor time of k3x %d ms, of nft %d ms\n' \
	"$start" "$sync" "$k3x_cpu" "$nft_cpu"
printf '  nft -f of equal rules             %6.0f ms; processor time %.2f s of nft, %.2f s of the kernel\n' "$(awk "BEGIN { print $kernel * 1000 }")" "$kernel_user" "$kernel_sys"
printf '  resident memory of the agent      %s MB without services, %s MB with them, %s MB after a start\n' "$rss_without" "$rss_with" "$rss_start"
printf '  one endpoint changes              p50 %s ms, p99 %s ms from the answer to the write to the first packet there; %s of %s connections refused meanwhile\n' $change
printf '  a new connection, p50 and p99     one service: %s, %s us to its endpoint, %s, %s us through it; %d services: %s, %s us, %s, %s us\n' \
	$one "$services" $all
cat >"$root/build/bench/net-services.json" <<JSON
{"services":$services,"start_ms":$start,"sync_s":$sync,"k3x_cpu_ms":$k3x_cpu,"nft_cpu_ms":$nft_cpu,"kernel_s":$kernel,"kernel_user_s":$kernel_user,"kernel_sys_s":$kernel_sys,
 "rss_without_mb":$rss_without,"rss_with_mb":$rss_with,"rss_start_mb":$rss_start,"change_ms":[$(cut -d" " -f1,2 --output-delimiter=, <<<"$change")],"refused":$(cut -d" " -f3 <<<"$change"),"connect_us":{"one":[${one// /,}],"all":[${all// /,}]}}
JSON
