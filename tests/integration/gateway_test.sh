#!/bin/bash
# The Gateway API through k3x ingress beside k3x server: Gateways and HTTPRoutes, what they route, what is said in their
# statuses. Definitions of its kinds as a user has them installed, without their checks; CRDS=FOLDER: those of that folder
# instead. In a network of its own.
. "$(dirname "$0")/_lib.sh"
needs kubectl curl python3 openssl
in_namespace
for i in 11 12; do ip -n $netns addr add 192.168.177.$i/24 dev uplink; done
start_server 17887 --disable-agent --disable servicelb,coredns,traefik,local-storage,metrics-server || { finish; exit 1; }
pids=
trap 'for p in $pids; do kill "$p" 2>/dev/null; wait "$p" 2>/dev/null; done; cleanup' EXIT
run() { nsenter --net=/run/netns/$netns "$@" >>"$T/out.log" 2>&1 & pids="$pids $!"; }
run python3 "$root/tests/integration/ingress_backend.py" one 8081 192.168.177.11
run python3 "$root/tests/integration/ingress_backend.py" two 8081 192.168.177.12
for a in 11 12; do wait_for 10 inside curl -s http://192.168.177.$a:8081/ >/dev/null; done
run "$K3X" ingress --kubeconfig "$T/kubeconfig" --web-port 8000 --websecure-port 8443 --published-service kube-system/traefik
wait_for 20 inside curl -sf http://127.0.0.1:8080/ready || bad "the ingress gets ready" "$(tail -n 5 "$T/out.log")"

# get HOST PATH [CURL ARGS...]: the body; st: the status; who: the backend's name; saw: a field of what it saw
get() { local h=$1 p=$2; shift 2; inside curl -s --max-time 20 --path-as-is -H "Host: $h" "$@" "http://127.0.0.1:8000$p"; }
st() { get "$@" -o /dev/null -w '%{http_code}'; }
to() { get "$@" -o /dev/null -w '%{http_code} %{redirect_url}'; }
field() { python3 -c 'import json,sys
try: o = json.load(sys.stdin)
except Exception: o = {}
for k in sys.argv[1].split("/"): o = o.get(k, "") if isinstance(o, dict) else ""
print(o)' "$1"; }
who() { get "$@" | field name; }
who_is() { [ "$(who "$2" "$3" "${@:4}")" = "$1" ]; }
saw_is() { [ "$(get "$2" "$3" | field "$4")" = "$1" ]; }
st_is() { [ "$(st "$2" "$3" "${@:4}")" = "$1" ]; }
# cond KIND/NAME TYPE: "STATUS REASON" of a Gateway; lcond NAME LISTENER TYPE; rcond ROUTE TYPE [PARENT]
cond() { kubectl get "$1" -o "jsonpath={range .status.conditions[?(@.type==\"$2\")]}{.status} {.reason}{end}"; }
lcond() { kubectl get gateway "$1" -o "jsonpath={range .status.listeners[?(@.name==\"$2\")].conditions[?(@.type==\"$3\")]}{.status} {.reason}{end}"; }
rcond() { kubectl get httproute "$1" -n "${4:-default}" -o "jsonpath={range .status.parents[${3:-0}].conditions[?(@.type==\"$2\")]}{.status} {.reason}{end}"; }
says() { [ "$("${@:2}" 2>/dev/null)" = "$1" ]; }
put() { kubectl apply -f - >/dev/null; }
route() { # NAME SPEC [NAMESPACE]
	put <<-YAML
		apiVersion: gateway.networking.k8s.io/v1
		kind: HTTPRoute
		metadata: {name: $1, namespace: ${3:-default}}
		spec: $2
	YAML
}
service() { # NAME ADDRESS NAMESPACE
	put <<-YAML
		apiVersion: v1
		kind: Service
		metadata: {name: $1, namespace: $3}
		spec: {ports: [{name: http, port: 80}]}
		---
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata: {name: $1-1, namespace: $3, labels: {kubernetes.io/service-name: $1}}
		addressType: IPv4
		ports: [{name: http, port: 8081}]
		endpoints: [{addresses: ["$2"], conditions: {ready: true}}]
	YAML
}
kind() { # PLURAL KIND SCOPE VERSION
	put <<-YAML
		apiVersion: apiextensions.k8s.io/v1
		kind: CustomResourceDefinition
		metadata: {name: $1.gateway.networking.k8s.io, annotations: {api-approved.kubernetes.io: "https://github.com/kubernetes-sigs/gateway-api/pull/1111"}}
		spec:
		  group: gateway.networking.k8s.io
		  scope: $3
		  names: {kind: $2, plural: $1, singular: ${2,,}}
		  versions:
		  - {name: $4, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}, status: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}}
	YAML
}
kubectl create namespace other >/dev/null
service one 192.168.177.11 default
service two 192.168.177.12 default
service far 192.168.177.12 other
put <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: traefik, namespace: kube-system}
spec: {type: LoadBalancer, ports: [{name: web, port: 80}]}
YAML
kubectl -n kube-system patch service traefik --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}' >/dev/null

# ---- the kinds come while it runs ----
if [ -n "${CRDS:-}" ]; then
	kubectl apply --server-side -f "$CRDS" >/dev/null
else
	kind gatewayclasses GatewayClass Cluster v1
	kind gateways Gateway Namespaced v1
	kind httproutes HTTPRoute Namespaced v1
	is_partial=1
fi
class() { put <<<$'---\n'"{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: $1}, spec: {controllerName: $2}}"; }
wait_for 20 class ours traefik.io/gateway-controller
class theirs example.com/other
check "our class is accepted" wait_for 20 says "True Accepted" cond gatewayclass/ours Accepted
gateway() { # NAME CLASS LISTENERS
	put <<-YAML
		apiVersion: gateway.networking.k8s.io/v1
		kind: Gateway
		metadata: {name: $1}
		spec: {gatewayClassName: $2, listeners: [$3]}
	YAML
}
if [ -n "${is_partial:-}" ]; then
	check "what is not there of the API is told" wait_for 10 grep -q "not there: apply its definition.*referencegrants" "$T/out.log"
	kind referencegrants ReferenceGrant Namespaced v1beta1
fi
gateway main ours "{name: http, protocol: HTTP, port: 80, hostname: '*.test'}"
check "a Gateway is accepted" wait_for 10 says "True Accepted" cond gateway/main Accepted
check_is "and programmed" "True Programmed" "$(cond gateway/main Programmed)"
check_is "its listener too" "True True False True" "$(for c in Accepted Programmed Conflicted ResolvedRefs; do lcond main http $c | cut -d' ' -f1; done | paste -sd' ')"
check_is "it has the address of our Service" "IPAddress 192.0.2.7" "$(kubectl get gateway main -o 'jsonpath={.status.addresses[0].type} {.status.addresses[0].value}')"
check_is "conditions say of which generation they are" 1 "$(kubectl get gateway main -o 'jsonpath={.status.conditions[0].observedGeneration}')"
gateway alien theirs "{name: http, protocol: HTTP, port: 80}"

# ---- matching ----
parent="parentRefs: [{name: main}]"
one="backendRefs: [{name: one, port: 80}]" two="backendRefs: [{name: two, port: 80}]"
route first "{$parent, hostnames: [a.test], rules: [{matches: [{path: {type: PathPrefix, value: /}}], $one}, {matches: [{path: {type: PathPrefix, value: /two}}, {path: {type: Exact, value: /exact}}], $two}]}"
check "a route is attached" wait_for 10 says "True Accepted" rcond first Accepted
check_is "with all that it names" "True ResolvedRefs" "$(rcond first ResolvedRefs)"
check_is "it says by whom" traefik.io/gateway-controller "$(kubectl get httproute first -o 'jsonpath={.status.parents[0].controllerName}')"
check_is "the listener counts it" 1 "$(kubectl get gateway main -o 'jsonpath={.status.listeners[0].attachedRoutes}')"
check_is "paths by prefix and exactly" "one two two two one one" "$(echo $(who a.test /) $(who a.test /two) $(who a.test /two/x) $(who a.test /exact) $(who a.test /exact/x) $(who a.test /twofold))"
check_is "other hosts are nobody's" "404 404" "$(st b.test /) $(st a.example /)"
route wide "{$parent, hostnames: ['*.test'], rules: [{matches: [{method: POST, path: {value: /}}], $two}, {matches: [{headers: [{name: X-Who, value: two}]}, {queryParams: [{name: who, value: 't wo'}]}], $two}, {matches: [{headers: [{name: x-like, type: RegularExpression, value: 'a+'}]}], $two}, {$one}]}"
check "a wildcard route" wait_for 10 st_is 200 b.test /
check_is "by method, header, parameter, expression" "one two two two two one one" "$(echo $(who b.test /) $(who b.test / -X POST) $(who b.test / -H 'X-Who: two') $(who b.test '/?who=t%20wo') $(who b.test / -H 'X-Like: aaa') $(who b.test / -H 'X-Like: aab') $(who b.test '/?who=t'))"
check_is "at any depth" one "$(who c.b.test /)"
check_is "the nearer hostname wins" two "$(who a.test /two)"

# ---- what filters do ----
route edits "{$parent, hostnames: [edit.test], rules: [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: new}], add: [{name: X-Add, value: b}], remove: [X-Gone]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Server, value: mine}], add: [{name: X-More, value: z}], remove: [Content-Type]}}], $one}]}"
check "filters change headers" wait_for 10 saw_is new edit.test / headers/x-set
saw=$(get edit.test / -H 'X-Set: old' -H 'X-Add: a' -H 'X-Gone: here')
check_is "of requests" "new  b" "$(echo "$saw" | field headers/x-set) $(echo "$saw" | field headers/x-gone) $(echo "$saw" | field headers/x-add)"
check_is "of answers" "server: mine|x-more: z" "$(get edit.test / -o /dev/null -D - | tr -d '\r' | grep -iE '^(server|x-more|content-type):' | tr 'A-Z' 'a-z' | sort | paste -sd'|')"
route urls "{$parent, hostnames: [url.test], rules: [{matches: [{path: {value: /strip}}], filters: [{type: URLRewrite, urlRewrite: {hostname: inner.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}], $one}, {matches: [{path: {value: /swap}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new/}}}], $one}, {matches: [{path: {value: /whole}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /all}}}], $one}, {matches: [{path: {value: /moved}}], filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.test, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /here}}}]}, {matches: [{path: {value: /port}}], filters: [{type: RequestRedirect, requestRedirect: {port: 8088}}]}]}"
check "rewrites" wait_for 10 saw_is / url.test /strip path
check_is "of prefixes and whole paths" "/a?q=1 / /new/b /all" "$(echo $(get url.test '/strip/a?q=1' | field path) $(get url.test /strip | field path) $(get url.test /swap/b | field path) $(get url.test /whole/x/y | field path))"
check_is "of the host" inner.example "$(get url.test /strip | field headers/host)"
check_is "redirects" "301 https://new.test/here/a?b" "$(to url.test '/moved/a?b')"
check_is "to another port" "302 http://url.test:8088/port" "$(to url.test /port)"
route shares "{$parent, hostnames: [share.test], rules: [{backendRefs: [{name: one, port: 80, weight: 3}, {name: two, port: 80, weight: 1}, {name: two, port: 80, weight: 0}]}]}"
check "weights" wait_for 10 who_is two share.test /
n=0; for _ in $(seq 40); do [ "$(who share.test /)" = one ] && n=$((n + 1)); done
check "have their shares: $n of 40 for three of four" test $n -ge 28 -a $n -le 32
route slow "{$parent, hostnames: [slow.test], rules: [{timeouts: {request: 500ms}, $one}]}"
check "a timeout is kept" wait_for 10 st_is 504 slow.test /slow

# ---- what is not there, and what may not be ----
route nobody "{$parent, hostnames: [no.test], rules: [{matches: [{path: {value: /gone}}], backendRefs: [{name: nothing, port: 80}]}, {matches: [{path: {value: /none}}]}, {matches: [{path: {value: /half}}], backendRefs: [{name: nothing, port: 80}, {name: one, port: 80}]}]}"
check "a Service that is not there is told" wait_for 10 says "False BackendNotFound" rcond nobody ResolvedRefs
check_is "the route is accepted" "True Accepted" "$(rcond nobody Accepted)"
check_is "and answers 500" "500 500" "$(st no.test /gone) $(st no.test /none)"
check_is "or its share of it" "200 500" "$(for _ in $(seq 8); do st no.test /half; echo; done | sort -u | paste -sd' ')"
service nothing 192.168.177.11 default
check "until the Service comes" wait_for 10 st_is 200 no.test /gone
check "which is told" wait_for 10 says "True ResolvedRefs" rcond nobody ResolvedRefs
put <<<$'---\n{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}}'
route outward "{$parent, hostnames: [out.test], rules: [{backendRefs: [{name: outside, port: 80}]}]}"
check "a Service of another place is told" wait_for 10 says "False InvalidKind" rcond outward ResolvedRefs
route oddly "{$parent, hostnames: [odd.test], rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: two, port: 80}}}], $one}]}"
check "a filter that is not served is told" wait_for 10 says "False UnsupportedValue" rcond oddly Accepted
check_has "by its name" "RequestMirror" "$(kubectl get httproute oddly -o 'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].message}')"
check_is "and nothing of it is served" 404 "$(st odd.example /)"
route kindly "{$parent, hostnames: [kind.test], rules: [{backendRefs: [{kind: Bucket, group: example.com, name: x, port: 80}]}]}"
check "a backend of another kind is told" wait_for 10 says "False InvalidKind" rcond kindly ResolvedRefs
route across "{$parent, hostnames: [far.test], rules: [{backendRefs: [{name: far, namespace: other, port: 80}]}]}"
check "a Service of another namespace needs a grant" wait_for 10 says "False RefNotPermitted" rcond across ResolvedRefs
check_is "and is not asked" 500 "$(st far.test /)"
put <<'YAML'
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: other}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: "", kind: Service, name: far}]}
YAML
check "with one it is" wait_for 20 who_is two far.test /
route lost "{parentRefs: [{name: main, sectionName: nosuch}], hostnames: [lost.test], rules: [{$one}]}"
check "a listener that is not there is told" wait_for 10 says "False NoMatchingParent" rcond lost Accepted
route strange "{$parent, hostnames: [a.example], rules: [{$one}]}"
check "hostnames that no listener has are told" wait_for 10 says "False NoMatchingListenerHostname" rcond strange Accepted
route abroad "{parentRefs: [{name: main, namespace: default}], hostnames: [abroad.test], rules: [{backendRefs: [{name: far, port: 80}]}]}" other
check "routes of other namespaces are not let in" wait_for 10 says "False NotAllowedByListeners" rcond abroad Accepted 0 other
kubectl label namespace other team=blue >/dev/null
if [ -n "${is_partial:-}" ]; then
	check "what is not there of the API is told" wait_for 10 grep -q "not there: apply its definition.*referencegrants" "$T/out.log"
	kind referencegrants ReferenceGrant Namespaced v1beta1
fi
gateway main ours "{name: http, protocol: HTTP, port: 80, hostname: '*.test', allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: blue}}}}}, {name: own, protocol: HTTP, port: 80, hostname: a.test}"
check "unless the listener selects them" wait_for 10 who_is two abroad.test /
check "which is told" wait_for 5 says "True Accepted" rcond abroad Accepted 0 other
check "and those of its own no more" wait_for 10 st_is 404 edit.test /
check_is "which is told, too" "False NoMatchingListenerHostname" "$(rcond edits Accepted)"
check_is "but by the other listener" "True Accepted" "$(rcond first Accepted)"
route foreign "{parentRefs: [{name: alien}], hostnames: [f.test], rules: [{$one}]}"

# ---- what must not be passed by, and what must not hold it up ----
route open "{$parent, hostnames: [a.test], rules: [{$one}]}"
route guard "{$parent, hostnames: [a.test], rules: [{matches: [{path: {value: /admin}}], filters: [{type: ExtensionRef, extensionRef: {group: x.example, kind: Auth, name: a}}], $one}, {matches: [{path: {value: /fine}}], $two}]}"
check "a rule with an unknown filter keeps its requests from others" wait_for 10 st_is 500 a.test /admin
check_is "its neighbour is served" two "$(who a.test /fine)"
check_is "and the route accepted in part" "True Accepted True UnsupportedValue" "$(rcond guard Accepted) $(rcond guard PartiallyInvalid)"
route framing "{$parent, hostnames: [a.test], rules: [{matches: [{path: {value: /framing}}], filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Content-Length, value: '0'}]}}], $one}]}"
check "filters do not touch what frames a message" wait_for 10 says "False UnsupportedValue" rcond framing Accepted
route regex "{$parent, hostnames: [a.test], rules: [{matches: [{path: {type: RegularExpression, value: '/(x*|a*|b*)*'}}], $two}, {matches: [{path: {type: RegularExpression, value: '/aa|/bb'}}], $two}, {matches: [{path: {type: RegularExpression, value: '/[a-z][a-z][a-z]*$'}}], $two}, {matches: [{path: {type: Exact, value: /foo}}], $one}]}"
check "an expression that can't be afforded is refused" wait_for 10 says "True UnsupportedValue" rcond regex PartiallyInvalid
check_is "alternatives begin where the path does, case counts, and what is exact comes first" "two one one one" "$(echo $(who a.test /bbb) $(who a.test /zz/bb) $(who a.test /AA) $(who a.test /foo))"
kubectl delete httproute open guard framing regex >/dev/null

# ---- TLS ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/k.pem" -out "$T/c.pem" -days 2 -subj /CN=secure.test 2>/dev/null
gateway tls ours "{name: s, protocol: HTTPS, port: 443, hostname: secure.test, tls: {certificateRefs: [{name: cert}]}}"
check "a certificate that is not there is told" wait_for 10 says "False InvalidCertificateRef" lcond tls s ResolvedRefs
check_is "nothing is programmed" "False Invalid" "$(cond gateway/tls Programmed)"
route secure "{parentRefs: [{name: tls}], rules: [{$two}]}"
kubectl create secret tls cert --cert "$T/c.pem" --key "$T/k.pem" >/dev/null
check "until it comes" wait_for 10 says "True Programmed" lcond tls s Programmed
tls() { inside curl -sv --cacert "$T/c.pem" --resolve secure.test:8443:127.0.0.1 https://secure.test:8443/ 2>/dev/null | field name; }
check "it is shown, and the route served" wait_for 10 says two tls
check_is "on that entry point alone" 404 "$(st secure.test /)"

# ---- listeners that can't be ----
gateway odd ours "{name: a, protocol: HTTP, port: 1234}, {name: b, protocol: TCP, port: 80}, {name: c, protocol: HTTP, port: 8000, hostname: x.test}, {name: d, protocol: HTTPS, port: 8000, hostname: x.test, tls: {certificateRefs: [{name: cert}]}}, {name: e, protocol: HTTP, port: 80, hostname: y.test, allowedRoutes: {kinds: [{kind: TCPRoute}]}}"
check "a port that is no entry point's" wait_for 10 says "False PortUnavailable" lcond odd a Accepted
check_is "a protocol that is not served" "False UnsupportedProtocol" "$(lcond odd b Accepted)"
check_is "two protocols on one port" "True ProtocolConflict" "$(lcond odd c Conflicted)"
check_is "kinds that are not served" "False InvalidRouteKinds" "$(lcond odd e ResolvedRefs)"
check_is "and what that makes of the Gateway" "False Invalid" "$(cond gateway/odd Programmed)"

# ---- changes and ends ----
check_is "what belongs to others is left alone" "" "$(kubectl get gateway alien -o 'jsonpath={.status.listeners[*].conditions}')$(kubectl get httproute foreign -o 'jsonpath={.status.parents}')"
generation() { kubectl get httproute first -o 'jsonpath={.metadata.generation} {.status.parents[0].conditions[0].observedGeneration}'; }
route first "{parentRefs: [{name: main, sectionName: own}], hostnames: [a.test], rules: [{$two}]}"
check "a route that changes is served as it is now" wait_for 10 who_is two a.test /
check "and told anew" wait_for 5 says "2 2" generation
attached() { kubectl get gateway main -o 'jsonpath={.status.listeners[?(@.name=="own")].attachedRoutes}'; }
counted=$(attached)
kubectl delete httproute first >/dev/null
check "a route that goes is served no more" wait_for 10 who_is one a.test /
check "nor counted" wait_for 5 says $((counted - 1)) attached
put <<'YAML'
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain, annotations: {kubernetes.io/ingress.class: traefik}}
spec: {rules: [{host: plain.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 80}}}}]}}]}
YAML
check "Ingresses are served beside" wait_for 10 who_is one plain.test /
writes() { kubectl get gateway,httproute,gatewayclass -A -o 'jsonpath={range .items[*]}{.metadata.resourceVersion} {end}'; }
before=$(writes)
kubectl annotate ingress plain touched=yes >/dev/null
put <<<$'---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: after, annotations: {kubernetes.io/ingress.class: traefik}}, spec: {rules: [{host: after.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 80}}}}]}}]}}'
check "another table is made" wait_for 10 who_is one after.test /
check_is "and nothing is written when nothing is new" "$before" "$(writes)"
finish
