"""Who may ask what, evictions, addresses of services, pages of lists: what the way of a request decides."""

import concurrent.futures
import json

import api_test as t
from api_cases_objects import CM, PODS, configmap, names, pod
from harness import case, connect_tls, contains, eq, has, true

SERVICES = "/api/v1/namespaces/t/services"
BUDGETS = "/apis/policy/v1/namespaces/t/poddisruptionbudgets"


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def token_of(account):
    made = t.api.post(f"/api/v1/namespaces/t/serviceaccounts/{account}/token", {"spec": {}}).want(201).json
    return {"Authorization": "Bearer " + made["status"]["token"]}


# ---- who may ask what ----

@case("who is known may discover, and ask about himself; nothing else")
def _():
    api, who = t.server.anonymous(), token_of("default")
    for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1", "/openapi/v3", "/version", "/readyz"):
        api.get(path, headers=who).want(200)
    has(api.get("/metrics", headers=who).want(403, "Forbidden").json["message"], 'cannot get path "/metrics"')
    has(api.post("/api", "{}", headers=who).want(403, "Forbidden").json["message"], 'cannot post path "/api"')
    has(api.get(PODS, headers=who).want(403, "Forbidden").json["message"], 'cannot list resource "pods" in API group "" in the namespace "t"')
    me = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=who).want(201).json
    eq(me["status"]["userInfo"]["username"], "system:serviceaccount:t:default")
    review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "t"}}}
    answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, headers=who).want(201).json
    eq(answer["status"]["allowed"], False)
    answer = t.api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).want(201).json
    eq(answer["status"]["allowed"], True)


@case("access reviews of others, and of nobody")
def _():
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    spec = {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}
    eq(t.api.post(path, {"spec": {**spec, "groups": ["system:masters"]}}).want(201).json["status"]["allowed"], True)
    eq(t.api.post(path, {"spec": {**spec, "user": "jane"}}).want(201).json["status"]["allowed"], False)
    t.api.post(path, {"spec": spec}).want(422, "Invalid")
    t.api.post(path, {"spec": {"user": "jane"}}).want(422, "Invalid")


@case("acting as somebody else is having his rights, and only who may impersonate may")
def _():
    me = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    has(t.api.get(CM, headers={"Impersonate-User": "nobody"}).want(403, "Forbidden").json["message"], 'User "nobody" cannot list')
    who = {"Impersonate-User": "jane", "Impersonate-Uid": "7", "Impersonate-Extra-a%2fb": "c", "Impersonate-Group": "devs"}
    info = t.api.post(me, {}, headers=who).want(201).json["status"]["userInfo"]
    eq(info, {"username": "jane", "uid": "7", "groups": ["devs", "system:authenticated"], "extra": {"a/b": ["c"]}})
    for header in ("Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-scopes"):
        has(t.api.get(CM, headers={header: "nobody"}).want(400, "BadRequest").json["message"], "Impersonate-User")
    account = {**token_of("default"), "Impersonate-User": "jane"}
    has(t.server.anonymous().post(me, {}, headers=account).want(403, "Forbidden").json["message"], 'cannot impersonate resource "users"')


@case("health: exact paths for everybody, checks by name for who may")
def _():
    api = t.server.anonymous()
    eq(api.get("/readyz").want(200).body, b"ok")
    for path in ("/readyz/cache", "/healthzfoo", "/livez/ping", "/metrics"):
        api.get(path).want(401, "Unauthorized")
    eq(t.api.get("/readyz/cache").want(200).body, b"ok")
    eq(t.api.get("/readyz/etcd").want(200).body, b"ok")
    t.api.get("/readyz/nonsense").want(404, "NotFound")
    has(t.api.get("/readyz?verbose").want(200).body, b"[+]store ok")


@case("nobody's body is read before he may do what he asks")
def _():
    s = connect_tls(t.server)
    s.sendall(b"POST " + CM.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
    s.settimeout(5)
    has(s.recv(4096), b"401")
    s.close()
    s = connect_tls(t.server)
    s.sendall(b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    s.settimeout(5)
    true(s.recv(4096).split()[1] in (b"401", b"403", b"405"), "answered before the body came")
    s.close()


@case("a body that is too large is answered by a Status")
def _():
    s = connect_tls(t.server, "admin")
    s.sendall(b"POST " + CM.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n")
    s.settimeout(5)
    answer = s.recv(4096)
    while b"}" not in answer:
        answer += s.recv(4096)
    has(answer, b"413")
    eq(json.loads(answer.split(b"\r\n\r\n", 1)[1])["reason"], "RequestEntityTooLarge")
    s.close()


@case("what is acted on is stored without a warning")
def _():
    attachment = {"metadata": {"name": "a"}, "spec": {"attacher": "csi.test", "nodeName": "n1", "source": {"persistentVolumeName": "pv"}}}
    path = "/apis/storage.k8s.io/v1/volumeattachments"
    true(not t.api.post(path, attachment).want(201).headers.get("Warning"), "a VolumeAttachment, which is made for pods, needs no warning")
    ingress = {"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}
    path = "/apis/networking.k8s.io/v1/namespaces/t/ingresses"
    true(not t.api.post(path, ingress).want(201).headers.get("Warning"), "an Ingress, which is served, needs no warning")
    policy = {"metadata": {"name": "np"}, "spec": {"podSelector": {}}}
    path = "/apis/networking.k8s.io/v1/namespaces/t/networkpolicies"
    true(not t.api.post(path, policy).want(201).headers.get("Warning"), "a NetworkPolicy, which is enforced, needs no warning")
    true(not t.api.post(CM, configmap("no-warning")).want(201).headers.get("Warning"), "a ConfigMap needs no warning")


@case("kubectl get cs")
def _():
    out = t.server.kubectl_ok("get", "cs")
    has(out, "etcd-0")
    t.api.get("/api/v1/componentstatuses/nonsense").want(404, "NotFound")


# ---- evictions ----

def ready_pod(name, labels):
    body = pod(name, nodeName="n1")
    body["metadata"]["labels"] = labels
    t.api.post(PODS, body).want(201)
    t.api.patch(f"{PODS}/{name}/status", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}).want(200)


def evict(name, **kw):
    return t.api.post(f"{PODS}/{name}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **kw})


@case("eviction: a budget allows what it can spare, refuses the rest with a cause, and notes what was drawn")
def _():
    labels = {"app": "budgeted"}
    for i in range(3):
        ready_pod(f"ev{i}", labels)
    t.api.post(BUDGETS, {"metadata": {"name": "keep2"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": labels}}}).want(201)
    evict("ev0", deleteOptions={"gracePeriodSeconds": 30}).want(201)
    told = [c for c in t.api.get(f"{PODS}/ev0").want(200).json["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    contains(told[0], {"status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"})
    status = t.api.get(BUDGETS + "/keep2").want(200).json["status"]
    contains(status, {"currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 0})
    true("ev0" in status["disruptedPods"], "the pod is noted")
    refused = evict("ev1").want(429, "TooManyRequests")
    eq(refused.headers.get("Retry-After"), None)
    contains(refused.json, {"message": "Cannot evict pod as it would violate the pod's disruption budget.",
                            "details": {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget keep2 needs 2 healthy pods and has 2 currently"}]}})
    ready_pod("ev3", labels)
    evict("ev1").want(201)
    t.api.delete(BUDGETS + "/keep2").want(200)


@case("eviction: of many at the same moment only as many go as the budget allows")
def _():
    labels = {"app": "raced"}
    for i in range(8):
        ready_pod(f"race{i}", labels)
    t.api.post(BUDGETS, {"metadata": {"name": "keep6"}, "spec": {"minAvailable": 6, "selector": {"matchLabels": labels}}}).want(201)

    def one(i):
        return t.server.admin().post(f"{PODS}/race{i}/eviction", {"metadata": {"name": f"race{i}"}}).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    eq(sorted(answers), [201] * 2 + [429] * 6)


@case("eviction: pending pods need no budget, unhealthy ones as the policy says, dry runs evict nothing")
def _():
    labels = {"app": "sick"}
    body = pod("pending")
    body["metadata"]["labels"] = labels
    t.api.post(PODS, body).want(201)
    t.api.post(BUDGETS, {"metadata": {"name": "all"}, "spec": {"maxUnavailable": 0, "unhealthyPodEvictionPolicy": "AlwaysAllow",
                                                                "selector": {"matchLabels": labels}}}).want(201)
    t.api.post(f"{PODS}/pending/eviction?dryRun=All", {"metadata": {"name": "pending"}}).want(201)
    t.api.get(PODS + "/pending").want(200)
    evict("pending").want(201)
    t.api.get(PODS + "/pending").want(404)
    ready_pod("unready", labels)
    t.api.patch(f"{PODS}/unready/status", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}).want(200)
    evict("unready").want(201)


# ---- addresses of services ----

@case("services: what is taken is refused by field, with name and causes")
def _():
    one = t.api.post(SERVICES, service("one", type="NodePort")).want(201).json["spec"]
    port, ip = one["ports"][0]["nodePort"], one["clusterIP"]
    refused = t.api.post(SERVICES, service("two", type="NodePort", ports=[{"port": 80, "nodePort": port}])).want(422, "Invalid").json
    contains(refused, {"message": f'Service "two" is invalid: spec.ports[0].nodePort: Invalid value: {port}: provided port is already allocated',
                       "details": {"name": "two", "kind": "Service", "causes": [{"field": "spec.ports[0].nodePort", "reason": "FieldValueInvalid"}]}})
    refused = t.api.post(SERVICES, service("two", clusterIP=ip)).want(422, "Invalid").json
    has(refused["message"], f"failed to allocate IP {ip}: provided IP is already allocated")
    refused = t.api.post(SERVICES, service("two", clusterIP="192.168.0.1")).want(422, "Invalid").json
    has(refused["message"], "is not in the valid range. The range of valid IPs is 10.43.0.0/16")
    refused = t.api.post(SERVICES, service("two", type="NodePort", ports=[{"port": 80, "nodePort": 80}])).want(422, "Invalid").json
    has(refused["message"], "The range of valid ports is 30000-32767")
    t.api.delete(SERVICES + "/one").want(200)
    t.api.post(SERVICES, service("two", clusterIP=ip, type="NodePort", ports=[{"port": 80, "nodePort": port}])).want(201)
    t.api.delete(SERVICES + "/two").want(200)


@case("services: a health check port is given where balancers ask for one, and stays")
def _():
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    port = t.api.post(SERVICES, service("hc", **local)).want(201).json["spec"]["healthCheckNodePort"]
    true(30000 <= port <= 32767, port)
    refused = t.api.post(SERVICES, service("hc2", healthCheckNodePort=port, **local)).want(422, "Invalid").json
    has(refused["message"], f"spec.healthCheckNodePort: Invalid value: {port}: provided port is already allocated")
    refused = t.api.post(SERVICES, service("hc2", healthCheckNodePort=31998)).want(422, "Invalid").json
    has(refused["message"], "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")
    refused = t.api.patch(SERVICES + "/hc", {"spec": {"healthCheckNodePort": 31998}}).want(422, "Invalid").json
    has(refused["message"], "cannot change healthCheckNodePort on loadBalancer service")
    eq(t.api.patch(SERVICES + "/hc", {"metadata": {"labels": {"a": "b"}}}).want(200).json["spec"]["healthCheckNodePort"], port)
    eq(t.api.patch(SERVICES + "/hc", {"spec": {"externalTrafficPolicy": "Cluster"}}).want(200).json["spec"].get("healthCheckNodePort"), None)
    eq(t.api.post(SERVICES, service("hc2", healthCheckNodePort=port, **local)).want(201).json["spec"]["healthCheckNodePort"], port)
    t.api.delete(SERVICES + "/hc").want(200)
    t.api.delete(SERVICES + "/hc2").want(200)
    has(t.api.post(SERVICES, service("far", trafficDistribution="PreferFar")).want(422, "Invalid").json["message"], "PreferClose")


@case("services: one of many that want the same port at the same moment gets it")
def _():
    def one(i):
        return t.server.admin().post(SERVICES, service(f"same{i}", type="NodePort", ports=[{"port": 80, "nodePort": 31999}])).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    eq(sorted(answers), [201] + [422] * 7)
    for i in range(8):
        t.api.delete(f"{SERVICES}/same{i}")
    t.api.post(SERVICES, service("again", type="NodePort", ports=[{"port": 80, "nodePort": 31999}])).want(201)


@case("services: a port that is given up is free again, and one number serves two protocols")
def _():
    two = [{"name": "u", "port": 53, "protocol": "UDP", "nodePort": 31953}, {"name": "t", "port": 53, "protocol": "TCP", "nodePort": 31953}]
    t.api.post(SERVICES, service("dns", type="NodePort", ports=two)).want(201)
    t.api.patch(SERVICES + "/dns", {"spec": {"type": "ClusterIP", "ports": [{"name": "u", "port": 53, "protocol": "UDP"}]}}).want(200)
    t.api.post(SERVICES, service("taker", type="NodePort", ports=[{"port": 80, "nodePort": 31953}])).want(201)


@case("services: many made at once get different addresses")
def _():
    def one(i):
        return t.server.admin().post(SERVICES, service(f"many{i}", type="NodePort")).want(201).json["spec"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = list(pool.map(one, range(64)))
    eq(len({s["clusterIP"] for s in made}), 64)
    eq(len({s["ports"][0]["nodePort"] for s in made}), 64)


# ---- pages ----

@case("pages: remainingItemCount on every page but the last")
def _():
    for i in range(7):
        t.api.post(CM, configmap(f"page{i}", labels={"p": "y"})).want(201)
    total = len(names(t.api.get(CM)))
    seen, token = 0, ""
    while True:
        page = t.api.get(f"{CM}?limit=3&continue={token}").want(200).json
        seen += len(page["items"])
        if not page["metadata"].get("continue"):
            break
        eq(page["metadata"]["remainingItemCount"], total - seen)
        token = page["metadata"]["continue"]
    eq(seen, total)
    true("remainingItemCount" not in page["metadata"], "nothing remains")


@case("pages: the token of a 410 goes on with what is there by now")
def _():
    import base64
    start = base64.urlsafe_b64encode(json.dumps({"rv": -1, "start": "t/page5"}).encode()).decode().rstrip("=")
    got = names(t.api.get(f"{CM}?limit=500&continue={start}"))
    true("page5" in got and "page6" in got and "page4" not in got, str(got))
    foreign = base64.urlsafe_b64encode(json.dumps({"rv": -1, "start": "a/x"}).encode()).decode().rstrip("=")
    true("page0" in names(t.api.get(f"{CM}?continue={foreign}")), "a key before the namespace begins at the namespace")


@case("pods: a runtime class that is not there is refused, one that is adds its overhead and where it runs")
def _():
    has(t.api.post(PODS, pod("rc0", runtimeClassName="nope")).want(403, "Forbidden").json["message"], 'RuntimeClass "nope" not found')
    t.api.post("/apis/node.k8s.io/v1/runtimeclasses", {"metadata": {"name": "heavy"}, "handler": "heavy", "overhead": {"podFixed": {"memory": "8Mi"}},
                                                       "scheduling": {"nodeSelector": {"kind": "heavy"}, "tolerations": [{"key": "heavy", "operator": "Exists"}]}}).want(201)
    spec = t.api.post(PODS, pod("rc1", runtimeClassName="heavy")).want(201).json["spec"]
    eq((spec["overhead"], spec["nodeSelector"]), ({"memory": "8Mi"}, {"kind": "heavy"}))
    true(any(x.get("key") == "heavy" for x in spec["tolerations"]), "its toleration")
    has(t.api.post(PODS, pod("rc2", runtimeClassName="heavy", nodeSelector={"kind": "light"})).want(403, "Forbidden").json["message"], "conflict")


@case("fields of features that upstream has off are dropped, with a warning for each")
def _():
    spec = {"hostUsers": False, "securityContext": {"supplementalGroupsPolicy": "Strict"},
            "containers": [{"name": "c", "image": "x:1", "securityContext": {"procMount": "Unmasked"},
                            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
                            "volumeMounts": [{"name": "i", "mountPath": "/i"}, {"name": "e", "mountPath": "/e"}]}],
            "volumes": [{"name": "i", "image": {"reference": "x:1"}}, {"name": "e", "emptyDir": {}}]}
    answer = t.api.post(PODS + "?dryRun=All",
                        {"metadata": {"name": "gated"}, "spec": spec}).want(201)
    told = "\n".join(answer.headers.get_all("Warning") or [])
    for field in ("spec.hostUsers", "securityContext.supplementalGroupsPolicy", "procMount", "resizePolicy", "volumes[i].image"):
        has(told, field)
    got = answer.json["spec"]
    true("hostUsers" not in got and "supplementalGroupsPolicy" not in got["securityContext"], "they are gone")
    c = got["containers"][0]
    eq(c["securityContext"]["procMount"], "Default")
    true("i" not in [m["name"] for m in c["volumeMounts"]], c["volumeMounts"])
    true("resizePolicy" not in c, "so is how it would be resized")
    true("i" not in [v["name"] for v in got["volumes"]], got["volumes"])
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"hostUsers": False, "containers": [{"name": "c", "image": "x:1"}]}}
    answer = t.api.post("/apis/apps/v1/namespaces/default/deployments?dryRun=All",
                        {"metadata": {"name": "gated"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}).want(201)
    has("\n".join(answer.headers.get_all("Warning") or []), "spec.template.spec.hostUsers")
    true("hostUsers" not in answer.json["spec"]["template"]["spec"], "in templates, too")


@case("devices that are claimed are refused wherever a pod or a template asks for them")
def _():
    refused = "dynamic resource allocation is not served; devices of device plugins are asked for in resources.limits"
    claims, plain = [{"name": "g", "resourceClaimName": "g"}], {"name": "c", "image": "x:1"}
    asking = {**plain, "resources": {"claims": [{"name": "g"}]}}

    def template(spec):
        return {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", **spec}}

    def cron(spec):
        return {"metadata": {"name": "k"}, "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template(spec)}}}}
    for spec, path in (({"containers": [plain], "resourceClaims": claims}, "resourceClaims"),
                       ({"containers": [plain, {**asking, "name": "d"}]}, "containers[1].resources.claims"),
                       ({"containers": [plain], "initContainers": [{**asking, "name": "i"}]}, "initContainers[0].resources.claims")):
        for url, body, base in (("/api/v1/namespaces/default/pods", {"metadata": {"name": "k"}, "spec": spec}, "spec"),
                                ("/api/v1/namespaces/default/podtemplates", {"metadata": {"name": "k"}, "template": template(spec)}, "template.spec"),
                                ("/apis/batch/v1/namespaces/default/cronjobs", cron(spec), "spec.jobTemplate.spec.template.spec")):
            has(t.api.post(url, body).want(403, "Forbidden").json["message"], f"{base}.{path}: {refused}")


@case("pods are not resized in place: upstream's feature is off, and its path not there")
def _():
    t.api.patch("/api/v1/namespaces/t/pods/nobody/resize", {}).want(404)
    names = [r["name"] for r in t.api.get("/api/v1").want(200).json["resources"]]
    true("pods/ephemeralcontainers" in names and "pods/resize" not in names, names)


@case("what waits for something that is not built comes with a warning")
def _():
    answer = t.api.post(PODS, pod("iscsi", volumes=[{"name": "v", "iscsi": {"targetPortal": "s", "iqn": "iqn.2001-04.com.example:x", "lun": 0}}])).want(201)
    has(answer.headers.get("Warning") or "", "is of a kind that is not built yet")
