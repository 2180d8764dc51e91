#!/bin/bash
# Flags of etcd: each that is honoured bites, each other one is answered by its name.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_API=3 ETCDCTL_COMMAND_TIMEOUT=5s ETCDCTL_DIAL_TIMEOUT=2s
needs etcd etcdctl openssl jq curl python3
port=23179
url=http://127.0.0.1:$port secure=https://127.0.0.1:$port
peer=http://127.0.0.1:23180
pids=()
stop_all() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null; done
	pids=()
}
trap 'stop_all; cleanup' EXIT

# run NAME FLAGS...: starts it; what it says is in NAME.log.
run() {
	local name=$1
	shift
	"$K3X" store serve --name "$name" --data-dir "$T/$name" --listen-peer-urls $peer --initial-advertise-peer-urls $peer --initial-cluster "$name=$peer" \
		"$@" </dev/null >>"$T/$name.log" 2>&1 &
	pids+=($!)
}
# serve NAME FLAGS...: on $url, and waits until it answers.
serve() {
	local name=$1
	shift
	run "$name" --listen-client-urls $url --advertise-client-urls $url "$@"
	wait_for 10 curl -sf $url/health || bad "$name serves" "$(tail -n 3 "$T/$name.log")"
}
says() { timeout 5 "$K3X" store serve --data-dir "$T/none" "$@" 2>&1 </dev/null | tail -n 1; }
metric() { curl -s "$1/metrics" | sed -n "s/^$2 //p"; }

# ---- the table ----
unknown=
for f in $(etcd --help 2>&1 | grep -oE '^ +--[a-z0-9-]+' | tr -d ' ' | sort -u); do
	[ $f = --help ] || says $f=1 --help | grep -q "unknown flag" && unknown+=" $f"
done
check_is "every flag of etcd $(etcd --version | sed -n 's/^etcd Version: //p') is known" "" "$unknown"
unknown=
for f in feature-gates corrupt-check-time compact-hash-check-time compaction-batch-limit compaction-sleep-interval watch-progress-notify-interval \
	peer-skip-client-san-verification downgrade-check-time memory-mlock warning-apply-duration warning-unary-request-duration max-learners \
	snapshot-catchup-entries bootstrap-defrag-threshold-megabytes wait-cluster-ready-timeout enable-distributed-tracing distributed-tracing-address \
	distributed-tracing-service-name distributed-tracing-instance-id distributed-tracing-sampling-rate discovery-token discovery-endpoints log-format \
	client-cert-allowed-hostname discovery-insecure-transport; do
	says --$f=1 --help | grep -q "unknown flag" && unknown+=" $f"
done
check_is "and those of 3.6" "" "$unknown"
check_has "what is not here says why" "the log lies in DIR/raft" "$(says --wal-dir /x)"
check_has "by the environment, too" "ETCD_MAX_WALS: --max-wals" "$(ETCD_MAX_WALS=3 says)"
check_has "the one way there is may be asked for, the other not" "--pre-vote=false: elections always begin" "$(says --pre-vote=false)"
check_has "a gate that is no choice" "StopGRPCServiceOnDefrag=true: defrag goes in small steps" "$(says --feature-gates=InitialCorruptCheck=true,StopGRPCServiceOnDefrag=true)"
check_has "a gate nobody knows" '"Nonsense" is not known' "$(says --feature-gates Nonsense=true)"
check_has "a second advertised URL is not passed over" "--advertise-client-urls: one URL" "$(says --advertise-client-urls http://a:1,http://b:2)"
check_has "--version" "etcd Version: 3.5" "$("$K3X" store serve --version)"

# ---- a configuration file, logs ----
cat >"$T/conf.yml" <<EOF
name: conf
data-dir: $T/conf
listen-client-urls: $url
advertise-client-urls: $url
listen-peer-urls: $peer
initial-advertise-peer-urls: $peer
initial-cluster: conf=$peer
log-format: json
log-outputs: [$T/conf.json]
wal-dir:
max-request-bytes: 4096
client-transport-security:
  cert-file:
  auto-tls: false
peer-transport-security:
  allowed-hostname:
EOF
"$K3X" store serve --config-file "$T/conf.yml" </dev/null >"$T/conf.log" 2>&1 &
pids+=($!)
check "--config-file: it serves" wait_for 10 curl -sf $url/health
check_has "its settings count" "request is too large" "$(head -c 6000 /dev/zero | tr '\0' x | etcdctl --endpoints $url put k 2>&1)"
check_is "every log line is an object" "$(wc -l <"$T/conf.json")" "$(jq -r .msg <"$T/conf.json" | wc -l)"
check_is "with its fields" "$url" "$(jq -r 'select(.msg == "serving clients").url' <"$T/conf.json")"
check_is "and nothing goes to stderr" "" "$(cat "$T/conf.log")"
stop_all
sed -i 's/^wal-dir:/wal-dir: \/x/' "$T/conf.yml"
check_has "what is not here is refused there, too" "--wal-dir: the log lies" "$(says --config-file "$T/conf.yml")"
printf 'client-transport-security:\n  nonsense: 1\n' >"$T/conf.yml"
check_has "and what nobody knows" 'unknown setting "nonsense" in "client-transport-security"' "$(says --config-file "$T/conf.yml")"

# ---- where it listens ----
metrics=http://127.0.0.1:$((port + 5)) web=http://127.0.0.1:$((port + 6)) second=http://127.0.0.1:$((port + 7))
run places --listen-client-urls $url,$second,unix://$T/client.sock --advertise-client-urls $url --listen-metrics-urls $metrics --listen-client-http-urls $web \
	--memory-mlock --max-concurrent-streams 2 --grpc-keepalive-min-time 2s --grpc-keepalive-interval 1s --grpc-keepalive-timeout 1s --metrics extensive
check "it serves" wait_for 10 etcdctl --endpoints $url put a 1
check_is "the second URL" 1 "$(etcdctl --endpoints $second get a --print-value-only)"
check_is "a socket, by etcdctl" 1 "$(etcdctl --endpoints unix://$T/client.sock get a --print-value-only)"
check_is "and by our own client" 1 "$("$K3X" store get a --print-value-only --endpoints unix://$T/client.sock)"
check_is "the socket is its owner's" 600 "$(stat -c %a "$T/client.sock")"
code() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
check_is "metrics have a port" "200 200 200" "$(code $metrics/metrics) $(code $metrics/health) $(code $metrics/readyz)"
check_is "and nothing else is there" "404 404 404" "$(code $metrics/version) $(code $metrics/debug/vars) $(code $metrics/v3/kv/range -d '{"key":"YQ=="}')"
check_is "HTTP has a port" "200 200" "$(code $web/version) $(code $web/v3/kv/range -d '{"key":"YQ=="}')"
check_is "and is not beside gRPC" "404 404" "$(code $url/version) $(code $url/v3/kv/range -d '{"key":"YQ=="}')"
check_has "no gRPC at the port of metrics" "no gRPC is served" "$(etcdctl --endpoints $metrics get a 2>&1)"
check_is "the command line is published" serve "$(curl -s $web/debug/vars | jq -r '.cmdline[0]' | sed 's/.*serve.*/serve/')"
check_is "where raft stands" StateLeader "$(curl -s $web/debug/vars | jq -r '."raft.status".raftState')"
id=$(etcdctl --endpoints $url member list | cut -d, -f1)
check_is "etcd_server_id" 1 "$(curl -s $metrics/metrics | sed -n "s/^etcd_server_id{server_id=\"$id\"} //p")"
check_is "etcd_cluster_version" 1 "$(curl -s $metrics/metrics | sed -n 's/^etcd_cluster_version{cluster_version="3.5"} //p')"
check "etcd_server_health_success counts" test "$(metric $metrics etcd_server_health_success)" -ge 2
check_is "process_open_fds is what the kernel says, more or less" ok "$(n=$(ls /proc/${pids[0]}/fd | wc -l); m=$(metric $metrics process_open_fds); [ $((m - n)) -le 3 ] && [ $((n - m)) -le 3 ] && echo ok || echo "$n $m")"
check "process_start_time_seconds is now" test $(($(date +%s) - $(metric $metrics process_start_time_seconds | cut -d. -f1))) -lt 120
check "process_virtual_memory_bytes" test "$(metric $metrics process_virtual_memory_bytes)" -gt 1000000
check "memory is locked" test "$(sed -n 's/^VmLck:[^0-9]*\([0-9]*\).*/\1/p' /proc/${pids[0]}/status)" -gt 0

# Frames by hand: what the server says at the start, the streams it refuses, its pings, and how it takes ours.
cat >"$T/h2.py" <<'EOF'
import socket, struct, sys, time
def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(10)
s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
data = b""
def read():
    """The next frame; None at the end."""
    global data
    while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return None
        data += more
    n = int.from_bytes(data[:3], "big")
    f = (data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + n])
    data = data[9 + n:]
    return f
what = sys.argv[2]
if what == "settings":
    kind, flags, stream, body = read()
    assert kind == 4
    print(dict(struct.unpack(">HI", body[i:i + 6]) for i in range(0, len(body), 6))[3])
elif what == "pings":
    for i in range(5):
        s.sendall(frame(6, 0, 0, b"12345678"))
    said = []
    while (f := read()):
        if f[0] == 7:
            said.append("%d %s" % (int.from_bytes(f[3][4:8], "big"), f[3][8:].decode()))
    print(*said, "closed")
elif what == "silence":
    began, asked = time.time(), None
    while (f := read()):
        if f[0] == 6 and not f[1] & 1 and asked is None:
            asked = time.time() - began
    print("asked" if asked and asked < 4 else "not asked", "closed" if time.time() - began < 6 else "late")
elif what == "answers":
    answered, began = 0, time.time()
    while answered < 3 and (f := read()):
        if f[0] == 6 and not f[1] & 1:
            s.sendall(frame(6, 1, 0, f[3]))
            answered += 1
    print(answered)
EOF
h2() { python3 "$T/h2.py" "${2:-$port}" "$1"; }
check_is "--max-concurrent-streams is told" 2 "$(h2 settings)"
check_is "who pings too often is told to calm down" "11 too_many_pings closed" "$(h2 pings)"
check_is "who is silent is asked, and closed" "asked closed" "$(h2 silence)"
check_is "who answers stays" 3 "$(h2 answers)"
stop_all
# Three streams of one connection where two may be: the third waits until one ends.
cat >"$T/streams.py" <<'EOF'
import socket, struct, sys
def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body
def text(t):
    return bytes([len(t)]) + t
def head(path):  # HPACK without a table: literals that are never indexed
    out = b""
    for name, value in ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers")):
        out += b"\x10" + text(name) + text(value)
    return out
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(5)
s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
for stream in (1, 3, 5):
    s.sendall(frame(1, 4, stream, head(b"/etcdserverpb.Watch/Watch")))
data, refused = b"", None
while refused is None:
    data += s.recv(65536)
    while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
        n = int.from_bytes(data[:3], "big")
        if data[3] == 3:
            refused = (int.from_bytes(data[5:9], "big"), int.from_bytes(data[9:13], "big"))
        data = data[9 + n:]
print(*refused)
EOF
serve two --max-concurrent-streams 2
check_is "a stream beyond the limit is refused, to be tried again" "5 7" "$(python3 "$T/streams.py" $port)"
stop_all
serve quiet --enable-grpc-gateway=false
check_is "no gateway when it is not wanted" "404 200" "$(code $url/v3/kv/range -d '{"key":"YQ=="}') $(code $url/health)"
stop_all

# ---- TLS ----
cd "$T" || exit 1
ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.crt" -days 30 -subj "/CN=$1" 2>/dev/null; }
# issue CA NAME SAN
issue() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$2.key" -out "$2.csr" -subj "/CN=$2" 2>/dev/null
	openssl x509 -req -in "$2.csr" -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -out "$2.crt" -days 30 -extfile <(echo "subjectAltName=$3") 2>/dev/null
}
ca ca
issue ca server IP:127.0.0.1,DNS:localhost
issue ca good DNS:good.example
issue ca revoked DNS:revoked.example
cat >ca.conf <<EOF
[ca]
default_ca = d
[d]
database = $T/index.txt
crlnumber = $T/crlnumber
default_md = sha256
default_crl_days = 30
certificate = $T/ca.crt
private_key = $T/ca.key
EOF
: >index.txt
echo 01 >crlnumber
openssl ca -config ca.conf -gencrl -out crl.pem 2>/dev/null
as() { local n=$1; shift; etcdctl --endpoints $secure --cacert ca.crt --cert "$n.crt" --key "$n.key" "$@" 2>&1; }
serve_tls() { # NAME FLAGS...
	local name=$1
	shift
	run "$name" --listen-client-urls $secure --advertise-client-urls $secure --cert-file server.crt --key-file server.key "$@"
	wait_for 10 curl -s --cacert ca.crt --cert good.crt --key good.key $secure/health || bad "$name serves" "$(tail -n 3 "$T/$name.log")"
}
serve_tls crl --trusted-ca-file ca.crt --client-cert-auth --client-crl-file crl.pem
check_is "--client-crl-file: who is not on it comes in" OK "$(as good put a 1)"
check_is "nor is this one, yet" OK "$(as revoked put a 1)"
openssl ca -config ca.conf -revoke revoked.crt 2>/dev/null
openssl ca -config ca.conf -gencrl -out crl.pem 2>/dev/null
is_refused() { ! as revoked get a; }
check "a list that grew counts without a restart" wait_for 20 is_refused
check_is "the others still come in" OK "$(as good put a 1)"
stop_all
openssl crl -in crl.pem -outform DER -out crl.der
serve_tls der --trusted-ca-file ca.crt --client-cert-auth --client-crl-file crl.der
check "the list may be DER" is_refused
check_is "and lets others in" OK "$(as good put a 1)"
stop_all
check_has "no list at all is told" "no list of revoked" "$(says --listen-client-urls $secure --cert-file server.crt --key-file server.key --trusted-ca-file ca.crt --client-crl-file ca.key)"
serve_tls host --trusted-ca-file ca.crt --client-cert-auth --client-cert-allowed-hostname good.example
check_is "--client-cert-allowed-hostname: this one" OK "$(as good put a 1)"
check "and not that one" is_refused
stop_all
handshake() { openssl s_client -connect 127.0.0.1:$port -CAfile ca.crt "$@" </dev/null 2>&1 | grep -E '^ *(New|Protocol|    Cipher)' | head -n 1; }
serve_tls old --tls-max-version TLS1.2 --cipher-suites TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
check_has "--tls-max-version, --cipher-suites" "TLSv1.2, Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" "$(handshake)"
check_has "another suite is refused" "Cipher is (NONE)" "$(handshake -cipher ECDHE-ECDSA-AES128-GCM-SHA256 -tls1_2)"
stop_all
serve_tls young --tls-min-version TLS1.3
check_has "--tls-min-version: 1.2 is refused" "Cipher is (NONE)" "$(handshake -tls1_2)"
check_has "1.3 is not" "TLSv1.3" "$(handshake)"
stop_all
check_has "a version nobody knows" '"TLS1.0" is neither' "$(says --tls-min-version TLS1.0)"
check_has "suites where there is no choice" "those of TLS 1.3 are fixed" "$(says --tls-min-version TLS1.3 --cipher-suites TLS_AES_128_GCM_SHA256)"
check_has "a suite nobody knows" '"TLS_NO" is not known' "$(says --listen-client-urls $secure --cert-file server.crt --key-file server.key --cipher-suites TLS_NO)"
run auto --listen-client-urls $secure --advertise-client-urls $secure --auto-tls --self-signed-cert-validity 2
check "--auto-tls: it serves" wait_for 10 curl -sf --cacert "$T/auto/fixtures/client/cert.pem" $secure/health
check_is "to who takes the certificate as its CA" OK "$(etcdctl --endpoints $secure --cacert "$T/auto/fixtures/client/cert.pem" put a 1)"
check "it lasts for two years" openssl x509 -in "$T/auto/fixtures/client/cert.pem" -noout -checkend $((700 * 86400))
before=$(sha256sum <"$T/auto/fixtures/client/cert.pem")
stop_all
run auto --listen-client-urls $secure --advertise-client-urls $secure --auto-tls
check "again" wait_for 10 curl -sf --cacert "$T/auto/fixtures/client/cert.pem" $secure/health
check_is "with the same certificate" "$before" "$(sha256sum <"$T/auto/fixtures/client/cert.pem")"
stop_all
run socket --listen-client-urls unixs://$T/secure.sock --advertise-client-urls $secure --cert-file server.crt --key-file server.key
check "unixs://: TLS on a socket" wait_for 10 curl -sf --cacert ca.crt --unix-socket "$T/secure.sock" https://localhost/health
stop_all

# ---- jwt with a certificate ----
serve jwt --bcrypt-cost 4 --auth-token "jwt,pub-key=server.crt,priv-key=server.key,sign-method=ES256"
for c in "user add root:r" "user grant-role root root" "auth enable"; do etcdctl --endpoints $url $c >/dev/null; done
check_is "--auth-token jwt: a certificate is a public key" OK "$(etcdctl --endpoints $url --user root:r put a 1)"
stop_all

# ---- peers ----
base=23200
. "$root/tests/integration/_store_cluster.sh"
trap 'stop_all; members_stop KILL; cleanup' EXIT
peer_scheme=https
all=$(endpoints m1 m2 m3)
healthy() { etcdctl --endpoints "$all" endpoint health; }
common=(--peer-auto-tls)
folder=auto-peers
mkdir $folder
for n in m1 m2 m3; do member_start $n new m1 m2 m3; done
check "--peer-auto-tls: three members find each other" wait_for 20 healthy
members_stop
for n in m1 m2 m3; do issue ca $n IP:127.0.0.1,DNS:$n.example; done
ca other
issue ca stranger IP:127.0.0.1,DNS:stranger.example
common=(--peer-trusted-ca-file ca.crt --peer-client-cert-auth)
# with FLAGS of all members: m3 shows the certificate of somebody else that the CA vouches for.
begin() { # FOLDER M3-CERTIFICATE FLAGS...
	local m3=$2
	folder=$1
	shift 2
	mkdir "$folder"
	for n in m1 m2; do flags[$n]="--peer-cert-file $n.crt --peer-key-file $n.key $*"; done
	flags[m3]="--peer-cert-file m3.crt --peer-key-file m3.key --peer-client-cert-file $m3.crt --peer-client-key-file $m3.key $*"
	for n in m1 m2 m3; do member_start $n new m1 m2 m3; done
}
two=$(endpoints m1 m2)
third_is_out() { ! etcdctl --endpoints "$(client_url m3)" --command-timeout=2s put x 1; }
two_healthy() { etcdctl --endpoints "$two" endpoint health; }
begin sound m3 --peer-cert-allowed-cn m1,m2,m3
check "--peer-cert-allowed-cn: the three come together" wait_for 20 healthy
members_stop
begin names stranger --peer-cert-allowed-cn m1,m2,m3
check "two of three, when the third is called otherwise" wait_for 20 two_healthy
check "the third is nobody" third_is_out
members_stop
begin hosts stranger --peer-cert-allowed-hostname m1.example,m2.example,m3.example
check "--peer-cert-allowed-hostname: the same" wait_for 20 two_healthy
check "the third is nobody" third_is_out
members_stop
openssl ca -config ca.conf -revoke stranger.crt 2>/dev/null
openssl ca -config ca.conf -gencrl -out crl.pem 2>/dev/null
begin listed stranger --peer-crl-file crl.pem
check "--peer-crl-file: the same" wait_for 20 two_healthy
check "the third is nobody" third_is_out
etcdctl --endpoints "$two" put kept 1 >/dev/null
members_stop

# ---- one is left ----
flags[m1]="--peer-cert-file m1.crt --peer-key-file m1.key --force-new-cluster"
member_serve m1
alone() { [ "$(etcdctl --endpoints "$(client_url m1)" get kept --print-value-only 2>/dev/null)" = 1 ]; }
check "--force-new-cluster: one of three goes on" wait_for 20 alone
check_is "alone" 1 "$(etcdctl --endpoints "$(client_url m1)" member list | wc -l)"
before=$(cat "$folder/m1/cluster")
member_stop m1
member_serve m1
check "and again, with the flag" wait_for 20 alone
check_is "it is the same cluster" "$before" "$(cat "$folder/m1/cluster")"
member_stop m1
finish
