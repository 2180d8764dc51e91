#!/bin/bash
# An operator's commands on servers that run: tokens, certificates, snapshots here and in an S3 store, and the programs
# that k3x becomes. Servers are on "hosts" of their own.
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs curl kubectl openssl jq lz4
hosts s1 s2 s3 s4 s5

kx() { local n=$1; shift; at "$n" "$K3X" "$@" --data-dir "$T/$n" 2>&1; }
raw() { local n=$1; shift; at "$n" curl -sk --max-time 5 "$@"; }
status_of() { raw s1 -o /dev/null -w '%{http_code}' "$@"; }
secret_of() { sed 's/.*://' "$T/$1/server/token"; }
refused() { timeout 60 bash -c "$(declare -f at server_run address); $(declare -p prefix net T K3X server_flags); server_run $*" 2>&1; }
serial() { at "$1" openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -serial; }
has_event() { k s1 get events -A -o json | jq -e --arg r "$1" --arg m "$2" '.items[] | select(.reason == $r and (.message | contains($m)))'; }

# ---- a server, with a CA that nears its end ----
mkdir -p "$T/s1/server/tls" "$T/openssl"
: >"$T/openssl/index"
echo 01 >"$T/openssl/serial"
cat >"$T/openssl/cnf" <<-CNF
	[ca]
	default_ca=d
	[d]
	database=$T/openssl/index
	serial=$T/openssl/serial
	new_certs_dir=$T/openssl
	default_md=sha256
	policy=p
	x509_extensions=e
	[p]
	commonName=supplied
	[e]
	basicConstraints=critical,CA:TRUE
	keyUsage=critical,keyCertSign,digitalSignature
	subjectKeyIdentifier=hash
CNF
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/s1/server/tls/client-ca.key" -subj /CN=old-ca -out "$T/openssl/csr" 2>/dev/null
openssl ca -config "$T/openssl/cnf" -batch -selfsign -keyfile "$T/s1/server/tls/client-ca.key" -in "$T/openssl/csr" -out "$T/s1/server/tls/client-ca.crt" \
	-notext -startdate 20200101000000Z -enddate "$(date -u -d '+20 days' +%Y%m%d%H%M%SZ)" 2>/dev/null
server_start s1 --cluster-init --agent-token agents-only-secret --etcd-snapshot-schedule-cron '@every 2s' --etcd-snapshot-retention 2
check "the server is ready" wait_for 20 server_is_ready s1
check "a CA that nears its end is told as an Event" wait_for 10 has_event CertificateExpirationWarning client-ca.crt
check "and in the log" grep -q 'a certificate nears its end' "$T/s1.log"

# ---- bootstrap tokens ----
check "a generated token has the form" grep -qxE '[a-z0-9]{6}\.[a-z0-9]{16}' <("$K3X" token generate)
full=$(kx s1 token create --description 'the workers' --ttl 1h --groups system:bootstrappers:workers)
token=${full##*::}
check_is "a token comes with the hash of the CA" "K10$(raw s1 "$(url s1)/cacerts" | sha256sum | cut -d' ' -f1)::" "${full%"$token"}"
check_is "it is listed" "$token the workers signing,authentication" "$(kx s1 token list -o json | jq -r '"\(.token) \(.description) \(.usages)"')"
check_has "as a table too" "$token  " "$(kx s1 token list)"
check_is "who shows it is a user of its own" "system:bootstrap:${token%.*} system:bootstrappers,system:bootstrappers:workers,system:authenticated" \
	"$(at s1 kubectl --server "$(url s1)" --insecure-skip-tls-verify --kubeconfig /dev/null --token "$token" auth whoami -o json | jq -r '.status.userInfo | "\(.username) \(.groups | join(","))"')"
check_is "agents join by it" 200 "$(status_of -H "authorization: Bearer $token" "$(url s1)/v1-k3x/config")"
check_is "servers don't" 403 "$(status_of -H "authorization: Bearer $token" "$(url s1)/v1-k3x/server-bootstrap")"
check_is "it reads no objects" 403 "$(status_of -H "authorization: Bearer $token" "$(url s1)/api/v1/secrets")"
check_is "another secret is no token" 401 "$(status_of -H "authorization: Bearer ${token%.*}.0000000000000000" "$(url s1)/v1-k3x/config")"
check_has "a server that is given one is told" "joins agents" "$(refused s2 --server "$(url s1)" --token "$full")"
check_has "a group of masters is refused" "system:bootstrappers:NAME" "$(kx s1 token create --groups system:masters)"
check_has "a usage that is none too" "signing nor authentication" "$(kx s1 token create --usages everything)"
check_has "and a span" "no span like 24h" "$(kx s1 token create --ttl 1d)"
check_has "an id that is there is told" "there is a token of this id" "$(kx s1 token create "$token")"
kx s1 token create --ttl 1s aaaaaa.0123456789abcdef >/dev/null
is_cleaned() { ! k s1 -n kube-system get secret bootstrap-token-aaaaaa; }
check "one that is over is deleted" wait_for 15 is_cleaned
check_has "a token is deleted by its id" "deleted ${token%.*}" "$(kx s1 token delete "${token%.*}")"
check_is "and good for nothing then" 401 "$(status_of -H "authorization: Bearer $token" "$(url s1)/v1-k3x/config")"
check_has "one that is not there is told" "there is no bootstrap token" "$(kx s1 token delete "$full")"
check_has "a folder without a server is told" "run this as root on a server" "$(at s1 "$K3X" token list --data-dir "$T/nowhere" 2>&1)"

# ---- three servers; one sleeps while the token changes ----
for n in s2 s3; do
	# Word splitting of the flags is wanted.
	# shellcheck disable=SC2046
	server_start $n $(join_flags s1)
	check "$n joins" wait_for 60 server_is_ready $n
done
server_stop s3 TERM
old=$(cat "$T/s1/server/token")
check_has "who has not the old token changes nothing" "is not the cluster's" "$(kx s1 token rotate --token wrong-secret)"
check_has "the agents' token stays another one" "is the agents' token" "$(kx s1 token rotate --token "$old" --new-token agents-only-secret)"
check_has "the token is rotated" "::server:the-new-secret" "$(kx s2 token rotate --token "$old" --new-token the-new-secret)"
check_is "where it was asked" the-new-secret "$(secret_of s2)"
has_new() { [ "$(secret_of "$1")" = the-new-secret ]; }
check "and on the other one" wait_for 10 has_new s1
answers() { [ "$(status_of -u "server:$2" "$(url s1)/v1-k3x/server-bootstrap")" = "$1" ]; }
check "the old one joins nobody" wait_for 10 answers 401 "${old##*:}"
check "the new one does" wait_for 10 answers 200 the-new-secret
check_is "agents have theirs" 200 "$(status_of -u node:agents-only-secret "$(url s1)/v1-k3x/config")"
server_start s3
check "one that was down meanwhile comes back" wait_for 30 server_is_ready s3
check "and hears of the new one" wait_for 10 has_new s3
# shellcheck disable=SC2046
server_start s4 $(join_flags s3)
check "a server joins by it" wait_for 60 server_is_ready s4
server_stop s4 TERM

# ---- certificates ----
check_is "every certificate is good" "ok" "$(kx s1 certificate check -o json --service admin,api-server,kubelet,etcd | jq -r .status | sort -u)"
check_has "the table says what each is for" "ServerAuth,ClientAuth" "$(kx s1 certificate check)"
kx s1 certificate check >/dev/null
check_is "the exit code says that one nears its end" 7 $?
before=$(serial s1)
k s1 get configmaps -w >"$T/watch" 2>&1 &
watch=$!
check_has "certificates are made anew on a server that runs" "server/tls/serving-kube-apiserver.crt" "$(kx s1 certificate rotate)"
serves_new() { [ "$(serial s1)" != "$before" ]; }
check "and used at once" wait_for 5 serves_new
k s1 create configmap after-rotation --from-literal=a=b >/dev/null
check "connections that stand go on" wait_for 5 grep -q after-rotation "$T/watch"
kill $watch
wait $watch 2>/dev/null
check_is "of one service alone" "server/tls/client-admin.crt" "$(kx s1 certificate rotate --service admin -o json | jq -r .certificate)"
check_has "a service without any is told" "has no certificate of its own" "$(kx s1 certificate rotate --service scheduler)"
check "the new admin certificate is in the kubeconfig" k s1 get namespaces
openssl x509 -req -in <(openssl req -new -key "$T/s2/server/tls/client-admin.key" -subj /O=system:masters/CN=system:admin 2>/dev/null) \
	-CA "$T/s2/server/tls/client-ca.crt" -CAkey "$T/s2/server/tls/client-ca.key" -CAcreateserial -CAserial "$T/serial" -days 3 -out "$T/s2/server/tls/client-admin.crt" 2>/dev/null
check "one that is short is seen" grep -qE ' [23]d ' <(kx s2 certificate check --service admin)

# ---- new CAs ----
sa_token=$(k s1 create token default)
cp "$T/s1.kubeconfig" "$T/old.kubeconfig"
mkdir -p "$T/cas/tls/etcd" "$T/strange"
make_ca server-ca "$T/cas/tls"
make_ca client-ca "$T/cas/tls"
openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt >"$T/cas/tls/service.key"
cp "$T/cas/tls/server-ca.key" "$T/strange/"
openssl x509 -in "$T/cas/tls/server-ca.crt" >"$T/strange/server-ca.crt"
check_has "a CA that the old one does not know is refused" "is signed by the old one" "$(kx s1 certificate rotate-ca --path "$T/strange")"
cp "$T/cas/tls/client-ca.key" "$T/strange/server-ca.key"
check_has "a key of another CA too" "not that of its first certificate" "$(kx s1 certificate rotate-ca --force --path "$T/strange")"
rm "$T/strange/server-ca.key"
check_has "one without its key" "both are needed" "$(kx s1 certificate rotate-ca --path "$T/strange")"
check_has "a folder without any" "has none of server-ca.crt" "$(kx s1 certificate rotate-ca --path "$T/s1")"
touch "$T/cas/tls/etcd/server-ca.crt"
out=$(kx s1 certificate rotate-ca --path "$T/cas")
check_has "the cluster has new CAs" "K10" "$out"
check_has "what is left alone is told" "etcd/server-ca.crt is left alone" "$out"
is_new_ca() { at "$1" openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | grep -q 'i:CN = new-server-ca'; }
for n in s1 s2 s3; do
	check "$n serves under the new one" wait_for 10 is_new_ca $n
	check "$n's kubeconfig is of the new one" wait_for 10 k $n get namespace default
done
check "a kubeconfig of before goes on" at s1 kubectl --kubeconfig "$T/old.kubeconfig" get namespace default
check_is "a service account's token too" "system:serviceaccount:default:default" \
	"$(at s1 kubectl --server "$(url s1)" --insecure-skip-tls-verify --kubeconfig /dev/null --token "$sa_token" auth whoami -o jsonpath='{.status.userInfo.username}')"
hands_out() { [ "$(k s1 get configmap kube-root-ca.crt -o jsonpath='{.data.ca\.crt}' | sha256sum)" = "$(sha256sum <"$T/s1/server/tls/server-ca.crt")" ]; }
check "pods get the new CA" wait_for 10 hands_out
check_is "the token names it" "K10$(sha256sum <"$T/s2/server/tls/server-ca.crt" | cut -d' ' -f1)::server:the-new-secret" "$(cat "$T/s2/server/token")"
check_is "the agents' too" "K10$(sha256sum <"$T/s3/server/tls/server-ca.crt" | cut -d' ' -f1)::node:agents-only-secret" "$(cat "$T/s3/server/node-token")"
rm -rf "$T/s4"
# shellcheck disable=SC2046
server_start s4 $(join_flags s1)
check "a server joins by it" wait_for 60 server_is_ready s4
server_stop s4 TERM
server_stop s3 TERM
server_stop s2 TERM
server_stop s1 TERM

# ---- snapshots, of a server alone ----
rm -rf "$T/s5"
server_start s5 --etcd-snapshot-schedule-cron '@every 2s' --etcd-snapshot-retention 2
check "a server alone is ready" wait_for 20 server_is_ready s5
snapshots=$T/s5/server/db/snapshots
k s5 create configmap before --from-literal=a=b >/dev/null
out=$(kx s5 etcd-snapshot save -o json)
name=$(jq -r .name <<<"$out")
check "a snapshot is saved" test -s "$snapshots/$name"
check_has "its name says what it is" on-demand-s5- "$name"
packed=$(kx s5 etcd-snapshot save --name mine --snapshot-compress -o json | jq -r .name)
check_has "one that is packed says so" .lz4 "$packed"
check "and is what lz4 knows" lz4 -t "$snapshots/$packed"
count() { find "$snapshots" -name "$1" | wc -l; }
scheduled_twice() { [ "$(grep -c 'snapshot: taken file=.*etcd-snapshot-s5' "$T/s5.log")" -ge 4 ]; }
check "the clock takes some" wait_for 20 scheduled_twice
check_is "of which two are kept" 2 "$(count 'etcd-snapshot-s5-*')"
check "an Event tells of them" k s5 get events -A -o name
check_is "ls lists what is there" "$(count '*-s5-*')" "$(kx s5 etcd-snapshot ls -o json | wc -l)"
check_is "and the store's tool finds them sound" "sound" "$(at s5 "$K3X" store snapshot ls "$snapshots" -o json | jq -r .state | sort -u)"
records() { k s5 get etcdsnapshotfiles -o json | jq -r '.items[] | select(.spec.nodeName == "s5" and .status.readyToUse) | "\(.spec.snapshotName) \(.status.size)"' | sort; }
files() { find "$snapshots" -name '[!.]*' -type f -printf '%f %s\n' | sort; }
are_recorded() { local of; of=$(files); [ "$(records)" = "$of" ]; }
check "objects tell what there is" wait_for 20 are_recorded
check_has "as a table" "file://$snapshots/$name" "$(k s5 get etcdsnapshotfiles)"
owner() { k s5 get etcdsnapshotfiles -o json | jq -r --arg n "$name" '.items[] | select(.spec.snapshotName == $n) | .metadata | "\(.labels["etcd.k3s.cattle.io/snapshot-storage-node"]) \(.ownerReferences // [] | length)"'; }
check_is "by whose they are" "s5 0" "$(owner)"
kx s5 etcd-snapshot save --name mine --snapshot-compress --snapshot-retention 1 >/dev/null
check_is "save keeps as many as it is told" 1 "$(count 'mine-s5-*')"
packed=$(basename "$snapshots"/mine-s5-*)
kx s5 etcd-snapshot save >/dev/null
kx s5 etcd-snapshot save >/dev/null
check_has "prune removes older ones" "removed file://" "$(kx s5 etcd-snapshot prune --snapshot-retention 2)"
check_is "and keeps the newest" 2 "$(count 'on-demand-s5-*')"
name=$(basename "$(find "$snapshots" -name 'on-demand-s5-*' | head -n 1)")
check_has "one is deleted by its name" "removed" "$(kx s5 etcd-snapshot delete "$name")"
check "its object goes with it" wait_for 20 are_recorded
check_has "a name that nobody has is told" "there is no snapshot" "$(kx s5 etcd-snapshot delete "$name")"
check_has "a name that would leave the folder too" "is not of letters" "$(kx s5 etcd-snapshot save --name ../x)"
mkdir "$T/small"
mount -t tmpfs -o size=32k tmpfs "$T/small"
out=$(kx s5 etcd-snapshot save --dir "$T/small")
check_has "a disk that is full is told" "No space left" "$out"
check_is "and nothing of it is left" 0 "$(find "$T/small" -type f | wc -l)"
umount "$T/small"
check_has "in the log too" "snapshot failed" "$(grep 'snapshot: failed' "$T/s5.log")"
failed_event() { k s5 get events -A -o json | jq -e '.items[] | select(.reason == "ETCDSnapshotFailed" and .type == "Warning")'; }
check "and as an Event" wait_for 10 failed_event
touch "$snapshots/.k3x-on-demand-s5-1800000000.part"
k s5 create configmap after --from-literal=a=b >/dev/null
server_stop s5 TERM
check_has "a schedule that is none is told" "it has 1 fields" "$(refused s5 --etcd-snapshot-schedule-cron daily)"
server_start s5 --etcd-disable-snapshots
check "it starts again" wait_for 20 server_is_ready s5
check "what a crash left half done is gone" test ! -e "$snapshots/.k3x-on-demand-s5-1800000000.part"
server_stop s5 TERM
check_has "the packed one is restored as it is" "restored" "$(refused s5 --cluster-reset --cluster-reset-restore-path "$snapshots/$packed")"
server_start s5 --etcd-disable-snapshots
check "it is ready" wait_for 20 server_is_ready s5
check "with what was there" k s5 get configmap before
check "and not what came after" bash -c "! nsenter --net=/run/netns/${prefix}s5 kubectl --kubeconfig $T/s5.kubeconfig get configmap after"
at s5 "$K3X" store snapshot restore "$snapshots/$packed" --data-dir "$T/offline" >/dev/null
check "the store's tool restores it too" test -s "$T/offline/state.db"

# ---- a snapshot of before a rotation does not bring the old token back ----
before=$(kx s5 etcd-snapshot save -o json | jq -r .name)
kx s5 token rotate --token "$(cat "$T/s5/server/token")" --new-token rotated-secret >/dev/null
server_stop s5 TERM
refused s5 --cluster-reset --cluster-reset-restore-path "$snapshots/$before" >/dev/null
server_start s5 --cluster-init --etcd-disable-snapshots
check "a server with a snapshot of before is ready" wait_for 20 server_is_ready s5
offers() { [ "$(raw s5 -o /dev/null -w '%{http_code}' -u server:rotated-secret "$(url s5)/v1-k3x/server-bootstrap")" = 200 ]; }
check "its token is the rotated one" wait_for 10 offers
rm -rf "$T/s4"
# shellcheck disable=SC2046
server_start s4 $(join_flags s5)
check "and a server joins by it" wait_for 60 server_is_ready s4

# ---- kubectl, crictl, ctr ----
check_has "kubectl is run as the administrator" "kube-system" "$(at s5 env K3X_DATA_DIR="$T/s5" "$K3X" kubectl get namespaces)"
check_has "KUBECONFIG is respected" "localhost:8080" "$(at s5 env KUBECONFIG=/nowhere K3X_DATA_DIR="$T/s5" "$K3X" kubectl get namespaces 2>&1)"
at s5 env K3X_DATA_DIR="$T/s5" "$K3X" kubectl get configmap nonesuch >/dev/null 2>&1
check_is "its exit code is ours" 1 $?
check_has "without one it is said how to get it" "no kubectl in PATH" "$(at s5 env PATH=/nowhere "$K3X" kubectl version 2>&1)"
mkdir "$T/bin"
printf '#!/bin/sh\necho "$CONTAINER_RUNTIME_ENDPOINT $*"\n' >"$T/bin/crictl"
printf '#!/bin/sh\necho "$CONTAINERD_ADDRESS $CONTAINERD_NAMESPACE $*"\n' >"$T/bin/ctr"
chmod +x "$T/bin"/*
check_has "crictl knows the socket" "containerd.sock ps -a" "$(PATH=$T/bin:$PATH "$K3X" crictl ps -a)"
check_has "ctr too, and where pods are" "containerd.sock k8s.io images ls" "$(PATH=$T/bin:$PATH "$K3X" ctr images ls)"

# ---- an S3 store, which checks what is signed, behind TLS ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$T/s3.key" -out "$T/s3.crt" -days 2 -subj /CN=s3 \
	-addext "subjectAltName=IP:$(address s2)" 2>/dev/null
store_url=https://$(address s2):5599
INITIAL_NO_AUTH_ACTION_COUNT=3 setsid nsenter --net="/run/netns/${prefix}s2" /usr/bin/python3 -m moto.server -H "$(address s2)" -p 5599 \
	-c "$T/s3.crt" -k "$T/s3.key" >"$T/moto.log" 2>&1 &
moto=$!
stop_moto() { kill $moto; wait $moto; }
trap 'stop_moto 2>/dev/null; servers_cleanup' EXIT
is_open() { at s5 bash -c "exec 3<>/dev/tcp/$(address s2)/5599"; }
check "the S3 server is there" wait_for 30 is_open
iam() { at s5 curl -sk --aws-sigv4 aws:amz:us-east-1:iam -u x:y -d Version=2010-05-08 "$@" "$store_url"; }
iam -d 'Action=CreateUser&UserName=k3x' >/dev/null
iam -d 'Action=CreateAccessKey&UserName=k3x' >"$T/key.xml"
iam -d 'Action=PutUserPolicy&UserName=k3x&PolicyName=all' \
	--data-urlencode 'PolicyDocument={"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}' >/dev/null
key=$(sed -n 's:.*<AccessKeyId>\(.*\)</AccessKeyId>.*:\1:p' "$T/key.xml")
secret=$(sed -n 's:.*<SecretAccessKey>\(.*\)</SecretAccessKey>.*:\1:p' "$T/key.xml")
s3() { at s5 /usr/bin/python3 "$root/tests/integration/_s3.py" "$store_url" "$key" "$secret" "$T/s3.crt" "$@"; }
check "it has a bucket" s3 make snapshots
s3_flags=(--etcd-s3 --etcd-s3-endpoint "$(address s2):5599" --etcd-s3-endpoint-ca "$T/s3.crt" --etcd-s3-bucket snapshots --etcd-s3-access-key "$key" --etcd-s3-secret-key "$secret")
check_has "a snapshot goes there" "and in the S3 store" "$(kx s5 etcd-snapshot save --name cloud --etcd-snapshot-compress "${s3_flags[@]}")"
cloud=$(basename "$snapshots"/cloud-s5-*)
check_is "another client finds it, whole" "$cloud $(stat -c %s "$snapshots/$cloud")" "$(s3 list snapshots)"
check_has "ls lists it" "s3://snapshots/$cloud" "$(kx s5 etcd-snapshot ls "${s3_flags[@]}")"
check_has "a wrong secret is told, and the file stays here" "not in the S3 store: S3 at $(address s2):5599, bucket snapshots: SignatureDoesNotMatch" \
	"$(kx s5 etcd-snapshot save --name denied "${s3_flags[@]}" --etcd-s3-secret-key wrong)"
check_is "it does" 1 "$(count 'denied-s5-*')"
check_has "a bucket that is not there is told" "NoSuchBucket" "$(kx s5 etcd-snapshot ls "${s3_flags[@]}" --etcd-s3-bucket nonesuch)"
check_has "a certificate that nobody vouches for too" "certificate" "$(kx s5 etcd-snapshot ls "${s3_flags[@]}" --etcd-s3-endpoint-ca /etc/ssl/certs/ca-certificates.crt)"
check_has "unless it shall not matter" "s3://" "$(kx s5 etcd-snapshot ls "${s3_flags[@]}" --etcd-s3-endpoint-ca /etc/ssl/certs/ca-certificates.crt --etcd-s3-skip-ssl-verify)"
check_has "and a port where nobody is" "S3 at $(address s2):5598" "$(kx s5 etcd-snapshot ls "${s3_flags[@]}" --etcd-s3-endpoint "$(address s2):5598")"
check_has "what is missing is named" "--etcd-s3-bucket" "$(at s5 "$K3X" etcd-snapshot ls --etcd-s3 --etcd-s3-access-key a --etcd-s3-secret-key b 2>&1)"
kx s5 etcd-snapshot save --name cloud "${s3_flags[@]}" >/dev/null
kx s5 etcd-snapshot save --name cloud "${s3_flags[@]}" --etcd-s3-retention 2 >/dev/null
check_is "its own retention holds there" 2 "$(s3 list snapshots | wc -l)"
kx s5 etcd-snapshot prune --name cloud --snapshot-retention 1 "${s3_flags[@]}" >/dev/null
check_is "prune reaches it" 1 "$(s3 list snapshots | wc -l)"
server_stop s5 TERM
printf 'etcd-s3: true\netcd-s3-endpoint: %s:5599\netcd-s3-endpoint-ca: %s\netcd-s3-bucket: snapshots\netcd-s3-access-key: %s\netcd-s3-secret-key: %s\nnode-name: s5\n' \
	"$(address s2)" "$T/s3.crt" "$key" "$secret" >"$T/config.yaml"
cloud=$(s3 list snapshots | cut -d' ' -f1)
rm -rf "$snapshots"
check_has "a snapshot there is restored by its name" "fetched    $cloud" "$(refused s5 --config "$T/config.yaml" --cluster-reset --cluster-reset-restore-path "$cloud")"
server_start s5 --config "$T/config.yaml" --etcd-snapshot-schedule-cron '@every 2s' --etcd-s3-retention 3
check "the server is ready" wait_for 20 server_is_ready s5
check "with what was there" k s5 get configmap before
scheduled() { [ "$(s3 list snapshots | grep -c etcd-snapshot-s5-)" = 3 ]; }
check "its clock fills the store too, and no more than is wanted" wait_for 30 scheduled
# They come and go meanwhile: what was there before the look and after it is told of, and nothing that was there at neither.
in_s3() { s3 list snapshots | cut -d' ' -f1 | sort; }
are_recorded_in_s3() {
	local before after told
	before=$(in_s3)
	told=$(k s5 get etcdsnapshotfiles -o json | jq -r '.items[] | select(.spec.nodeName == "s3") | .spec.snapshotName' | sort)
	after=$(in_s3)
	[ -n "$told" ] && [ -z "$(comm -23 <(comm -12 <(echo "$before") <(echo "$after")) <(echo "$told"))" ] &&
		[ -z "$(comm -13 <(sort -u <<<"$before"$'\n'"$after") <(echo "$told"))" ]
}
check "objects tell of the S3 store's" wait_for 20 are_recorded_in_s3
check_has "commands take the settings of the config file" "s3://snapshots/etcd-snapshot-s5" "$(kx s5 etcd-snapshot ls --config "$T/config.yaml")"
server_stop s5 TERM

# ---- the same, as a Secret says ----
server_start s5
check "without a word of a store it is ready" wait_for 20 server_is_ready s5
from_secret=(--etcd-s3 --etcd-s3-config-secret where)
check_has "a Secret that is not there is told" "Secret kube-system/where" "$(kx s5 etcd-snapshot ls "${from_secret[@]}")"
k s5 -n kube-system create secret generic where --from-literal=etcd-s3-endpoint="$(address s2):5599" --from-literal=etcd-s3-bucket=nonesuch \
	--from-literal=etcd-s3-access-key="$key" --from-literal=etcd-s3-secret-key="$secret" --from-literal=etcd-s3-endpoint-ca-name=store-ca >/dev/null
k s5 -n kube-system create configmap store-ca --from-file="$T/s3.crt" >/dev/null
check_has "what it says counts" "NoSuchBucket" "$(kx s5 etcd-snapshot ls "${from_secret[@]}")"
check_has "but what a flag says" "s3://snapshots/" "$(kx s5 etcd-snapshot ls "${from_secret[@]}" --etcd-s3-bucket snapshots)"
check_has "a server that is asked reads it, too" "and in the S3 store" "$(kx s5 etcd-snapshot save --name by-secret "${from_secret[@]}" --etcd-s3-bucket snapshots)"
check "it is there" grep -q by-secret-s5 <(s3 list snapshots)
server_stop s5 TERM
server_start s5 "${from_secret[@]}" --etcd-snapshot-name kept --etcd-snapshot-schedule-cron '@every 2s'
check "a server that is told of it at its start is ready" wait_for 20 server_is_ready s5
check "and says what is wrong with it" wait_for 20 grep -q "NoSuchBucket" "$T/s5.log"
k s5 -n kube-system patch secret where -p '{"stringData":{"etcd-s3-bucket":"snapshots"}}' >/dev/null
fills() { s3 list snapshots | grep -q kept-s5-; }
check "once it is mended its snapshots go there" wait_for 30 fills
check "and objects tell of them" wait_for 40 are_recorded_in_s3
server_stop s5 TERM
check_has "a restore can't ask the cluster that it brings back" "say by flags" "$(refused s5 "${from_secret[@]}" --cluster-reset --cluster-reset-restore-path "$cloud")"
finish
