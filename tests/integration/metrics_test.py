#!/usr/bin/env python3
"""`k3x metrics` beside a server: kubelets that are made up are scraped, the API server passes questions on, kubectl top
answers, and horizontal pod autoscalers follow.

Usage: metrics_test.py [PART OF A CASE'S NAME]. The program runs with the rights of its add-on's manifest and no others, as
its service account. It lies on an address of this network namespace."""

import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time

import harness
from _webhooks import Authority, openssl
from harness import Server, case, eq, has, true, until

PROGRAM, KUBELET = "10.95.0.8", "10.95.0.9"
PORT = 17391
NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
MANIFEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/k3x/addons/metrics-server.yaml")


class WithControllers(Server):
    def command(self, port=None):
        dropped = ("--disable-scheduler", "--disable-controller-manager")
        return ["env", "K3X_DISABLE=coredns,local-storage,metrics-server"] + [w for w in super().command(port) if w not in dropped]


server = WithControllers(port=17390, flags=[f"--kube-controller-manager-arg=horizontal-pod-autoscaler-{x}" for x in ("sync-period=1s", "downscale-stabilization=3s", "cpu-initialization-period=1s")])
api = program = authority = players = None
asked = []
cpu = {}          # "namespace/pod": cores that each container uses
broken = [False]  # the kubelet says what is no scrape
began = time.time()
READY = """[{"type":"Ready","status":"True","lastHeartbeatTime":"%s","lastTransitionTime":"2020-01-01T00:00:00Z"}]"""


class Kubelet(http.server.BaseHTTPRequestHandler):
    """Counters grow as `cpu` says, from the start on."""
    protocol_version = "HTTP/1.1"
    totals, at = {}, {}

    def log_message(self, *args):
        pass

    def counter(self, key, cores):
        now = time.time()
        Kubelet.totals[key] = Kubelet.totals.get(key, 5.0) + cores * (now - Kubelet.at.get(key, now))
        Kubelet.at[key] = now
        return "%.9f %d" % (Kubelet.totals[key], now * 1000)

    def text(self):
        out = ["# TYPE node_cpu_usage_seconds_total counter",
               "node_cpu_usage_seconds_total " + self.counter("node", 0.5),
               "node_memory_working_set_bytes 1.048576e+09"]
        for key, cores in list(cpu.items()):
            ns, pod = key.split("/")
            for c in ("main", "helper"):
                labels = '{container="%s",namespace="%s",pod="%s"}' % (c, ns, pod)
                out += ["container_start_time_seconds%s %.3f" % (labels, began - 1000),
                        "container_cpu_usage_seconds_total%s %s" % (labels, self.counter(key + c, cores)),
                        "container_memory_working_set_bytes%s 2.097152e+07" % labels]
        return "\n".join(out) + "\n"

    def do_GET(self):
        asked.append({"path": self.path, "authorization": self.headers.get("Authorization")})
        body = (self.text() if not broken[0] else "<html>\n").encode()
        self.send_response(200 if self.path == "/metrics/resource" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve_kubelet():
    crt, key = authority.issue("kubelet", "/CN=node", f"subjectAltName=IP:{KUBELET}\nextendedKeyUsage=serverAuth")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    s = http.server.ThreadingHTTPServer((KUBELET, 10250), Kubelet)
    s.daemon_threads = True
    s.socket = context.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever, daemon=True).start()


def make_node(name, labels=None):
    api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels or {}}}).want(201)
    status = {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": KUBELET}],
              "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
              "capacity": {"cpu": "4", "memory": "4Gi", "pods": "110"}, "allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"},
              "conditions": json.loads(READY % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))}
    api.patch(f"/api/v1/nodes/{name}/status", {"status": status}).want(200)


def start_program():
    documents = open(MANIFEST).read().split("\n---\n")
    rights = "\n---\n".join(d for d in documents if "kind: Deployment" not in d)
    subprocess.run(["kubectl", "--kubeconfig", server.kubeconfig, "apply", "-f", "-"], input=rights, text=True, check=True, capture_output=True)
    token = server.kubectl_ok("-n", "kube-system", "create", "token", "metrics-server").strip()
    ca = re.search(r"certificate-authority-data: (\S+)", open(server.kubeconfig).read()).group(1)
    kubeconfig = os.path.join(server.folder, "metrics.kubeconfig")
    json.dump({"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{server.port}", "certificate-authority-data": ca}}],
               "users": [{"name": "u", "user": {"token": token}}], "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x"},
              open(kubeconfig, "w"))
    log = open(os.path.join(server.folder, "metrics.log"), "ab")
    p = subprocess.Popen([harness.K3X, "metrics", "--kubeconfig", kubeconfig, "--secure-port", str(PORT), "--metric-resolution", "1s",
                          "--kubelet-certificate-authority", authority.ca], stdout=log, stderr=log)
    api.post("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", {
        "metadata": {"name": "metrics-by-hand", "labels": {"kubernetes.io/service-name": "metrics-server"}}, "addressType": "IPv4",
        "ports": [{"name": "https", "port": PORT}], "endpoints": [{"addresses": [PROGRAM]}]})
    return p, token


def available():
    found = [c for c in api.get(API_SERVICE).json.get("status", {}).get("conditions", []) if c["type"] == "Available"]
    return found and found[0]["status"] == "True"


def setup():
    global api, authority, program, players, token
    for a in (PROGRAM, KUBELET):
        subprocess.run(["ip", "address", "add", f"{a}/32", "dev", "lo"], check=True)
    server.start()
    api = server.admin()
    authority = Authority(server.folder)
    serve_kubelet()
    make_node("node1", {"size": "big"})
    players = subprocess.Popen([sys.executable, "-B", "fake_kubelet.py", server.kubeconfig, "node1"])
    until("the map of whom to believe", lambda: api.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication").status == 200)
    until("service accounts", lambda: api.get("/api/v1/namespaces/default/serviceaccounts/default").status == 200)
    program, token = start_program()


def teardown():
    for p in (program, players):
        if p:
            p.terminate()
            p.wait(20)
    if program and program.returncode:
        print("k3x metrics ended with", program.returncode, open(os.path.join(server.folder, "metrics.log")).read()[-2000:])
    server.stop()
    if not os.environ.get("KEEP"):
        server.remove()


def straight(path, certificate=None, headers=None, method="GET"):
    """Asks the program itself."""
    import http.client
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    c = http.client.HTTPSConnection(PROGRAM, PORT, context=context, timeout=10)
    try:
        c.request(method, path, headers=headers or {})
        r = c.getresponse()
    except ssl.SSLError:  # a certificate of nobody that is known
        return 401, ""
    return r.status, r.read().decode()


def pod(name, ns="default", labels=None, **spec):
    return {"metadata": {"name": name, "namespace": ns, "labels": labels or {}},
            "spec": {"nodeName": "node1", "containers": [{"name": c, "image": "x", "resources": {"requests": {"cpu": "100m"}}} for c in ("main", "helper")], **spec}}


@case("the API service becomes available, with the program's own CA")
def _():
    until("it", available, 60)
    bundle = base64.b64decode(api.get(API_SERVICE).json["spec"]["caBundle"]).decode()
    eq(bundle.count("BEGIN CERTIFICATE"), 1)
    # taken away, it is put back
    api.patch(API_SERVICE, {"spec": {"caBundle": None}}).want(200)
    until("the bundle again", lambda: api.get(API_SERVICE).json["spec"].get("caBundle"))


@case("kubelets are asked with the account's token")
def _():
    until("a question", lambda: asked)
    eq((asked[-1]["path"], asked[-1]["authorization"]), ("/metrics/resource", f"Bearer {token}"))


@case("nodes: usage, window, labels, table")
def _():
    def usage():
        a = api.get(NODES + "/node1")
        return a.json if a.status == 200 else None
    n = until("a rate", usage)
    eq((n["kind"], n["apiVersion"], n["metadata"]["name"], n["metadata"]["labels"]["size"]), ("NodeMetrics", "metrics.k8s.io/v1beta1", "node1", "big"))
    eq(n["usage"]["memory"], "1000Mi")
    nanos = int(n["usage"]["cpu"][:-1]) * {"n": 1, "u": 1000, "m": 10**6}[n["usage"]["cpu"][-1]]
    true(0.45e9 < nanos < 0.55e9, n["usage"]["cpu"])
    true(re.fullmatch(r"[0-9.]+m?s", n["window"]), n["window"])
    true(re.fullmatch(r"20..-..-..T..:..:..Z", n["timestamp"]), n["timestamp"])
    eq(len(api.get(NODES).json["items"]), 1)
    eq(len(api.get(NODES + "?labelSelector=size%3Dsmall").json["items"]), 0)
    eq(len(api.get(NODES + "?labelSelector=size%3Dbig").json["items"]), 1)
    eq(len(api.get(NODES + "?fieldSelector=metadata.name%3Dother").json["items"]), 0)
    has(api.get(NODES + "?fieldSelector=spec.x%3Dy").want(400, "BadRequest").json["message"], "field label not supported: spec.x")
    has(api.get(NODES + "/none").want(404, "NotFound").json["message"], 'nodes.metrics.k8s.io "none" not found')
    t = api.get(NODES, accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json").json
    eq((t["kind"], [c["name"] for c in t["columnDefinitions"]], t["rows"][0]["cells"][0]), ("Table", ["Name", "cpu", "memory", "Window"], "node1"))
    line = server.kubectl_ok("top", "nodes", "--no-headers").split()
    eq((line[0], line[3], line[4]), ("node1", "1000Mi", "24%"))
    true(450 <= int(line[1][:-1]) <= 550 and 10 <= int(line[2][:-1]) <= 14, line)


@case("pods: containers, selectors, terminated ones are left out")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "p"}}).want(201)
    until("its account", lambda: api.get("/api/v1/namespaces/p/serviceaccounts/default").status == 200)
    for name, cores in (("a", 0.2), ("b", 0.1)):
        api.post("/api/v1/namespaces/p/pods", pod(name, "p", {"app": name})).want(201)
        cpu["p/" + name] = cores
    path = "/apis/metrics.k8s.io/v1beta1/namespaces/p/pods"
    items = until("both", lambda: (lambda i: i if len(i) == 2 else None)(api.get(path).json["items"]))
    eq([i["metadata"]["name"] for i in items], ["a", "b"])
    eq([c["name"] for c in items[0]["containers"]], ["main", "helper"])
    eq(items[0]["containers"][0]["usage"]["memory"], "20Mi")
    eq(api.get(path + "/a").want(200).json["kind"], "PodMetrics")
    has(api.get(path + "/c").want(404, "NotFound").json["message"], 'pods.metrics.k8s.io "p/c" not found')
    eq([i["metadata"]["name"] for i in api.get(path + "?labelSelector=app+in+(b,c)").json["items"]], ["b"])
    eq(len(api.get("/apis/metrics.k8s.io/v1beta1/pods").json["items"]), 2)
    out = server.kubectl_ok("top", "pods", "-n", "p", "--containers", "--no-headers").splitlines()
    eq(sorted((l.split()[0], l.split()[1]) for l in out), [("a", "helper"), ("a", "main"), ("b", "helper"), ("b", "main")])
    has(" ".join(server.kubectl_ok("get", "pods.metrics.k8s.io", "-n", "p").split()), "NAME CPU MEMORY WINDOW a ")
    api.patch("/api/v1/namespaces/p/pods/b/status", {"status": {"phase": "Succeeded"}}).want(200)
    until("b to be left out", lambda: len(api.get(path).json["items"]) == 1)
    api.delete(path).want(405)
    api.get(path + "?watch=1").want(405)


@case("discovery and types")
def _():
    r = api.get("/apis/metrics.k8s.io/v1beta1").want(200).json
    eq(sorted((x["name"], x["kind"], x["namespaced"]) for x in r["resources"]), [("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True)])
    eq(api.get("/apis/metrics.k8s.io").want(200).json["preferredVersion"]["version"], "v1beta1")
    types = api.get("/openapi/v3/apis/metrics.k8s.io/v1beta1").want(200).json
    has(" ".join(types["components"]["schemas"]), "v1beta1.PodMetricsList")
    true("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}" in types["paths"], list(types["paths"]))
    has(server.kubectl_ok("explain", "nodes", "--api-version=metrics.k8s.io/v1beta1"), "NodeMetrics")


@case("who may: the API server's roles say, for each who asks")
def _():
    eve = {"Impersonate-User": "eve"}
    api.get("/apis/metrics.k8s.io/v1beta1/namespaces/p/pods", headers=eve).want(403, "Forbidden")
    server.kubectl_ok("create", "rolebinding", "eve", "-n", "p", "--clusterrole=view", "--user=eve")
    until("eve to see", lambda: api.get("/apis/metrics.k8s.io/v1beta1/namespaces/p/pods", headers=eve).status == 200)
    api.get("/apis/metrics.k8s.io/v1beta1/pods", headers=eve).want(403, "Forbidden")


@case("nobody is believed but the API server's proxy; tokens are asked about")
def _():
    liar = {"X-Remote-User": "root", "X-Remote-Group": "system:masters"}
    eq(straight(NODES)[0], 401)
    eq(straight(NODES, headers=liar)[0], 401)
    eq(straight(NODES, certificate=(server.pem("client-certificate-data"), server.pem("client-key-data")), headers=liar)[0], 401)
    foreign = authority.issue("proxy", "/CN=system:auth-proxy", "extendedKeyUsage=clientAuth")
    eq(straight(NODES, certificate=foreign, headers=liar)[0], 401)
    eq(straight(NODES, headers={"Authorization": "Bearer made-up"})[0], 401)
    eq(straight("/metrics", headers={"Authorization": f"Bearer {token}"})[0], 403)
    server.kubectl_ok("create", "clusterrole", "scrape", "--verb=get", "--non-resource-url=/metrics")
    server.kubectl_ok("create", "serviceaccount", "prometheus", "-n", "p")
    server.kubectl_ok("create", "clusterrolebinding", "scrape", "--clusterrole=scrape", "--serviceaccount=p:prometheus")
    other = server.kubectl_ok("-n", "p", "create", "token", "prometheus").strip()
    status, text = until("the right", lambda: (lambda a: a if a[0] == 200 else None)(straight("/metrics", headers={"Authorization": f"Bearer {other}"})))
    has(text, 'metrics_server_kubelet_request_total{success="true"}')
    eq((straight("/livez")[0], straight("/readyz")[0]), (200, 200))


@case("what grows old is left out, and comes back")
def _():
    broken[0] = True
    until("node1 to be left out", lambda: api.get(NODES + "/node1").status == 404)
    eq(api.get(NODES).json["items"], [])
    has(open(os.path.join(server.folder, "metrics.log")).read(), "line 1: a metric has no name")
    broken[0] = False
    until("node1 again", lambda: api.get(NODES + "/node1").status == 200)


# ---- autoscaling ----

HPAS = "/apis/autoscaling/v2/namespaces/h/horizontalpodautoscalers"
using = [0.0]


def follow():
    """Each pod of app=web uses as much CPU as `using` says, shared by its two containers."""
    while True:
        try:
            a = server.admin().get("/api/v1/namespaces/h/pods")
            names = {"h/" + p["metadata"]["name"] for p in a.json.get("items", [])} if a.status == 200 else set()
            for key in names:
                cpu[key] = using[0] / 2
            for key in [k for k in cpu if k.startswith("h/") and k not in names]:
                cpu.pop(key)
        except OSError:
            pass
        time.sleep(0.2)


def deployment(name, replicas):
    return {"metadata": {"name": name, "namespace": "h"}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
                {"name": c, "image": "x", "resources": {"requests": {"cpu": "100m"}}} for c in ("main", "helper")]}}}}


def autoscaler(name, target=None, kind="Deployment", version="apps/v1", **spec):
    return {"metadata": {"name": name, "namespace": "h"}, "spec": {"minReplicas": 1, "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": version, "kind": kind, "name": target or name}, **spec}}


def cpu_metric(percent):
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}


def replicas(name):
    return api.get(f"/apis/apps/v1/namespaces/h/deployments/{name}").json["spec"]["replicas"]


def status(name):
    return api.get(f"{HPAS}/{name}").json.get("status", {})


def conditions(name):
    return {c["type"]: (c["status"], c["reason"]) for c in status(name).get("conditions", [])}


def events(name):
    items = api.get("/api/v1/namespaces/h/events").json["items"]
    return [(e["reason"], e["message"]) for e in items if e["involvedObject"]["name"] == name and e["involvedObject"]["kind"] == "HorizontalPodAutoscaler"]


@case("an autoscaler follows the CPU of its pods, up and down")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "h"}}).want(201)
    until("its account", lambda: api.get("/api/v1/namespaces/h/serviceaccounts/default").status == 200)
    threading.Thread(target=follow, daemon=True).start()
    using[0] = 0.3  # of 0.2 requested: 150 %
    api.post("/apis/apps/v1/namespaces/h/deployments", deployment("web", 1)).want(201)
    a = api.post(HPAS, autoscaler("web", metrics=[cpu_metric(50)])).want(201)
    true("Warning" not in a.headers, a.headers)
    until("five pods", lambda: replicas("web") == 5, 60)
    until("an event says why", lambda: "cpu resource utilization (percentage of request) above target" in str(events("web")))
    eq(conditions("web")["ScalingActive"], ("True", "ValidMetricFound"))
    until("that it can't go further", lambda: conditions("web").get("ScalingLimited") == ("True", "TooManyReplicas"))
    now = until("its metrics", lambda: status("web").get("currentMetrics"))[0]["resource"]
    eq(now["name"], "cpu")
    true(130 <= now["current"]["averageUtilization"] <= 170, now)
    has(" ".join(server.kubectl_ok("get", "hpa", "-n", "h").split()), "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE web Deployment/web cpu: ")
    using[0] = 0.06  # 30 % of what is requested: 60 % of the target
    until("fewer", lambda: replicas("web") < 5, 60)
    until("an event says why", lambda: "reason: All metrics below target" in str(events("web")))
    true(status("web")["lastScaleTime"], "when it was scaled")
    api.delete(HPAS + "/web").want(200)


@case("limits hold without any metric; zero replicas are left alone")
def _():
    api.post("/apis/apps/v1/namespaces/h/deployments", deployment("many", 4)).want(201)
    api.post(HPAS, autoscaler("many", maxReplicas=2, metrics=[cpu_metric(50)])).want(201)
    until("the largest size", lambda: replicas("many") == 2)
    until("the event", lambda: ("SuccessfulRescale", "New size: 2; reason: Current number of replicas above Spec.MaxReplicas") in events("many"))
    api.patch("/apis/apps/v1/namespaces/h/deployments/many", {"spec": {"replicas": 0}}).want(200)
    until("that it is off", lambda: conditions("many").get("ScalingActive") == ("False", "ScalingDisabled"))
    eq(replicas("many"), 0)
    api.delete(HPAS + "/many").want(200)


@case("what is not there, or ambiguous, is told")
def _():
    api.post(HPAS, autoscaler("none", metrics=[cpu_metric(50)])).want(201)
    until("its condition", lambda: conditions("none").get("AbleToScale") == ("False", "FailedGetScale"))
    until("its event", lambda: any(r == "FailedGetScale" and 'deployments.apps "none" not found' in m for r, m in events("none")))
    api.post(HPAS, autoscaler("odd", kind="Nothing", version="a.example/v1", metrics=[cpu_metric(50)])).want(201)
    until("its event", lambda: any('no matches for kind "Nothing"' in m for r, m in events("odd")))
    api.post("/apis/apps/v1/namespaces/h/deployments", deployment("twice", 1)).want(201)
    for name in ("first", "second"):
        api.post(HPAS, autoscaler(name, "twice", metrics=[cpu_metric(50)])).want(201)
    until("both", lambda: all(conditions(n).get("ScalingActive") == ("False", "AmbiguousSelector") for n in ("first", "second")))
    has(str(events("first")), "pods by selector app=twice are controlled by multiple HPAs: [{first h} {second h}]")
    api.post(HPAS, autoscaler("alien", "twice", metrics=[{"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "5"}}}])).want(201)
    for name in ("first", "second"):
        api.delete(f"{HPAS}/{name}").want(200)
    until("that nobody serves it", lambda: conditions("alien").get("ScalingActive") == ("False", "FailedGetExternalMetric"))
    has(str(events("alien")), "unable to get external metric h/queue: unable to fetch metrics from external metrics API")


@case("one container alone; a custom resource by its scale")
def _():
    using[0] = 0.3
    api.post("/apis/apps/v1/namespaces/h/deployments", deployment("one", 1)).want(201)
    metric = {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "helper", "target": {"type": "AverageValue", "averageValue": "80m"}}}
    api.post(HPAS, autoscaler("one", metrics=[metric], maxReplicas=2)).want(201)
    until("two by the helper", lambda: replicas("one") == 2, 60)
    eq(until("its value", lambda: (status("one").get("currentMetrics") or [{}])[0].get("containerResource"))["container"], "helper")
    api.patch(HPAS + "/one", {"spec": {"metrics": [{**metric, "containerResource": {**metric["containerResource"], "container": "other"}}]}}).want(200)
    until("that it has no such container", lambda: any("container other not present in metrics for pod h/one-" in m for r, m in events("one") if r == "FailedGetContainerResourceMetric"))
    api.delete(HPAS + "/one").want(200)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {"metadata": {"name": "farms.hive.example"}, "spec": {
        "group": "hive.example", "scope": "Namespaced", "names": {"plural": "farms", "kind": "Farm"}, "versions": [{
            "name": "v1", "served": True, "storage": True, "schema": schema,
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}}}]}}).want(201)
    farm = "/apis/hive.example/v1/namespaces/h/farms/a"
    until("a farm", lambda: api.post(farm[:-2], {"apiVersion": "hive.example/v1", "kind": "Farm", "metadata": {"name": "a"}, "spec": {"replicas": 1}}).status == 201)
    api.post(HPAS, autoscaler("farm", "a", kind="Farm", version="hive.example/v1", minReplicas=2, metrics=[cpu_metric(50)])).want(201)
    until("two", lambda: api.get(farm).json["spec"]["replicas"] == 2)
    until("that it says no selector", lambda: conditions("farm").get("ScalingActive") == ("False", "InvalidSelector"))
    until("the event", lambda: ("SelectorRequired", "selector is required") in events("farm"))
    api.delete(HPAS + "/farm").want(200)


class Adapter(http.server.BaseHTTPRequestHandler):
    """custom.metrics.k8s.io (v1beta1 only) and external.metrics.k8s.io, of somebody else."""
    protocol_version = "HTTP/1.1"
    asked = []

    def log_message(self, *args):
        pass

    def do_GET(self):
        Adapter.asked.append(self.path)
        path = self.path.split("?")[0]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        code, out = 200, {"kind": "MetricValueList", "metadata": {}}
        if path in ("/apis/custom.metrics.k8s.io/v1beta1", "/apis/external.metrics.k8s.io/v1beta1"):
            out = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": path[6:], "resources": []}
        elif path.endswith("/pods/*/requests"):
            pods = [p["metadata"]["name"] for p in server.admin().get("/api/v1/namespaces/h/pods?labelSelector=app%3Dbusy").json["items"]]
            out["items"] = [{"describedObject": {"kind": "Pod", "name": n}, "metricName": "requests", "timestamp": now, "value": "30"} for n in pods]
        elif path.endswith("/services/front/length"):
            out["items"] = [{"describedObject": {"kind": "Service", "name": "front"}, "metricName": "length", "timestamp": now, "value": "35"}]
        elif path.endswith("/namespaces/h/broken"):
            out["items"] = []
        elif path.endswith("/namespaces/h/queue"):
            out["items"] = [{"metricName": "queue", "timestamp": now, "value": v} for v in ("20", "25")]
        else:
            code, out = 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "no such metric", "code": 404}
        body = json.dumps(out).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + (9 if path.endswith("/broken") else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = path.endswith("/broken")


def serve_adapter():
    crt, key = authority.issue("adapter", "/CN=adapter", "subjectAltName=DNS:adapter.h.svc\nextendedKeyUsage=serverAuth")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    s = http.server.ThreadingHTTPServer((KUBELET, 8443), Adapter)
    s.daemon_threads = True
    s.socket = context.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    api.post("/api/v1/namespaces/h/services", {"metadata": {"name": "adapter"}, "spec": {"ports": [{"port": 443}]}}).want(201)
    api.post("/apis/discovery.k8s.io/v1/namespaces/h/endpointslices", {"metadata": {"name": "adapter", "labels": {"kubernetes.io/service-name": "adapter"}},
             "addressType": "IPv4", "ports": [{"port": 8443}], "endpoints": [{"addresses": [KUBELET]}]}).want(201)
    for group in ("custom.metrics.k8s.io", "external.metrics.k8s.io"):
        api.post("/apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": f"v1beta1.{group}"}, "spec": {
            "group": group, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "caBundle": base64.b64encode(open(authority.ca, "rb").read()).decode(), "service": {"namespace": "h", "name": "adapter"}}}).want(201)


@case("metrics of others: of pods, of an object, of the world; the largest proposal counts")
def _():
    serve_adapter()
    api.post("/apis/apps/v1/namespaces/h/deployments", deployment("busy", 1)).want(201)
    pods = {"type": "Pods", "pods": {"metric": {"name": "requests", "selector": {"matchLabels": {"verb": "GET"}}}, "target": {"type": "AverageValue", "averageValue": "15"}}}
    api.post(HPAS, autoscaler("busy", maxReplicas=2, metrics=[pods])).want(201)
    until("two by pods", lambda: replicas("busy") == 2, 60)
    until("its event", lambda: "New size: 2; reason: pods metric requests above target" in str(events("busy")))
    until("the path", lambda: any("/namespaces/h/pods/*/requests?labelSelector=app%3Dbusy&metricLabelSelector=verb%3DGET" in p for p in Adapter.asked))
    length = {"type": "Object", "object": {"describedObject": {"apiVersion": "v1", "kind": "Service", "name": "front"}, "metric": {"name": "length"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
    api.patch(HPAS + "/busy", {"spec": {"maxReplicas": 9, "metrics": [length]}}).want(200)
    until("four by the object", lambda: replicas("busy") == 4, 60)
    queue = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "9"}}}
    api.patch(HPAS + "/busy", {"spec": {"metrics": [length, queue]}}).want(200)
    until("five by the world", lambda: replicas("busy") == 5, 60)
    eq([m["type"] for m in until("both", lambda: (lambda m: m if m and len(m) == 2 else None)(status("busy").get("currentMetrics")))], ["Object", "External"])
    api.patch(HPAS + "/busy", {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 600}]}}, "metrics": [length]}}).want(200)
    until("one less, and no more in this period", lambda: replicas("busy") == 4 and conditions("busy").get("ScalingLimited") is not None)
    broken = {"type": "External", "external": {"metric": {"name": "broken"}, "target": {"type": "Value", "value": "9"}}}
    api.patch(HPAS + "/busy", {"spec": {"metrics": [broken]}}).want(200)
    until("an answer that broke off", lambda: any("the answer broke off" in m for r, m in events("busy") if r == "FailedGetExternalMetric"))
    api.delete(HPAS + "/busy").want(200)


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
