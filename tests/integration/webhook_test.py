#!/usr/bin/env python3
"""Admission webhooks: servers of the test that the API server asks, by URL and through a Service.

Usage: webhook_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import base64
import json
import os
import sys
import threading
import time

import harness
from _webhooks import Authority, Hooks
from harness import ABSENT, Server, case, contains, eq, has, true

server = Server(port=17349)
AUDIT_LOG = os.path.join(server.folder, "audit.log")
api = hooks = authority = None
BASE = "/apis/admissionregistration.k8s.io/v1/"
MUTATING, VALIDATING = BASE + "mutatingwebhookconfigurations", BASE + "validatingwebhookconfigurations"
MAPS = "/api/v1/namespaces/w/configmaps"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}


def setup():
    global api, hooks, authority
    with open(os.path.join(server.folder, "audit.json"), "w") as f:
        json.dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}, f)
    server.flags += [f"--kube-apiserver-arg=audit-policy-file={f.name}", f"--kube-apiserver-arg=audit-log-path={AUDIT_LOG}"]
    server.start()
    api = server.admin()
    authority = Authority(server.folder)
    authority.crt, authority.key = authority.issue(
        "all", "/CN=hook", "subjectAltName=DNS:localhost,DNS:hook.w.svc,IP:127.0.0.1\nextendedKeyUsage=serverAuth")
    hooks = Hooks(authority)
    for name in ("w", "free"):
        api.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": {"hooked": "no" if name == "free" else "yes"}}}).want(201)


def bundle():
    return base64.b64encode(open(authority.ca, "rb").read()).decode()


def hook(path, name=None, **more):
    return {"name": (name or path.strip("/")) + ".example.com", "clientConfig": {"url": hooks.url + path, "caBundle": bundle()}, "rules": [RULE],
            "sideEffects": "None", "admissionReviewVersions": ["v1"], **more}


def install(where, name, *list_of_hooks):
    api.post(where, {"metadata": {"name": name}, "webhooks": list(list_of_hooks)}).want(201)


class installed:
    """Configurations for the length of a block."""

    def __init__(self, where, *list_of_hooks, name="c"):
        self.where, self.name, self.hooks = where, name, list_of_hooks

    def __enter__(self):
        install(self.where, self.name, *self.hooks)

    def __exit__(self, *args):
        api.delete(f"{self.where}/{self.name}").want(200)


def review(body, allowed=True, version="v1", **more):
    return {"apiVersion": "admission.k8s.io/" + version, "kind": "AdmissionReview",
            "response": {"uid": body["request"]["uid"], "allowed": allowed, **more}}


def patch(body, *operations, **more):
    return review(body, patchType="JSONPatch", patch=base64.b64encode(json.dumps(operations).encode()).decode(), **more)


def config(name, labels=None, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **({"labels": labels} if labels else {})}, "data": data}


def answers(path, fn):
    hooks.answers[path] = fn


def warnings(answer):
    return "\n".join(answer.headers.get_all("Warning") or [])


def audited(key):
    """The value of an annotation in the latest audit event that has it."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        lines = [line for line in open(AUDIT_LOG).read().split("\n")[:-1] if key in line]
        if lines:
            return json.loads(lines[-1])["annotations"][key]
        time.sleep(0.02)
    raise harness.Mismatch(f"no audit event has {key}")


def failed(answer, *words):
    answer.want(500, "InternalError")
    for w in ("Internal error occurred: failed calling webhook",) + words:
        has(answer.json["message"], w)


@case("webhook: what it is asked, and a patch that is taken")
def _():
    answers("/patch", lambda b: patch(b, {"op": "add", "path": "/data/added", "value": "yes"}, {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}))
    with installed(MUTATING, hook("/patch")):
        made = api.post(MAPS, config("a", x="1")).want(201).json
        eq(made["data"], {"x": "1", "added": "yes"})
        eq(made["metadata"]["labels"], {"a": "b"})
        eq(api.get(MAPS + "/a").json["data"], {"x": "1", "added": "yes"})
        body, headers = hooks.last("/patch")
        contains(body, {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
            "kind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "resource": {"group": "", "version": "v1", "resource": "configmaps"},
            "requestKind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "subResource": ABSENT, "name": "a", "namespace": "w",
            "operation": "CREATE", "dryRun": False, "oldObject": None, "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
            "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "w", "uid": made["metadata"]["uid"]}, "data": {"x": "1"}}}})
        true("system:masters" in body["request"]["userInfo"]["groups"], "the user's groups")
        eq({k.lower(): v for k, v in headers.items()}["content-type"], "application/json")
        api.patch(MAPS + "/a", {"data": {"x": "2"}}).want(200)
        body, _ = hooks.last("/patch")
        contains(body["request"], {"operation": "UPDATE", "object": {"data": {"x": "2", "added": "yes"}},
                                   "oldObject": {"data": {"x": "1", "added": "yes"}, "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}})
    api.delete(MAPS + "/a").want(200)


@case("webhook: denials in upstream's words, with the code and reason that they have")
def _():
    with installed(VALIDATING, hook("/deny")):
        answers("/deny", lambda b: review(b, False, status={"message": "not today", "code": 418, "reason": "Teapot", "details": {"causes": [{"message": "m"}]}}))
        s = api.post(MAPS, config("b")).want(418).json
        contains(s, {"kind": "Status", "status": "Failure", "message": 'admission webhook "deny.example.com" denied the request: not today',
                     "reason": "Teapot", "code": 418, "details": {"causes": [{"message": "m"}]}})
        answers("/deny", lambda b: review(b, False))
        eq(api.post(MAPS, config("b")).want(400).json["message"], 'admission webhook "deny.example.com" denied the request without explanation')
        answers("/deny", lambda b: review(b, False, status={"reason": "Because", "code": 200}))
        eq(api.post(MAPS, config("b")).want(400).json["message"], 'admission webhook "deny.example.com" denied the request: Because')
        has(server.kubectl("-n", "w", "create", "configmap", "b")[2], 'admission webhook "deny.example.com" denied the request: Because')
        answers("/deny", lambda b: review(b, True, warnings=["careful", "é" * 100000, 'a "quoted" one'], auditAnnotations={"k": "noted"}))
        made = api.post(MAPS, config("b")).want(201)
        has(warnings(made), "careful")
        true(len(warnings(made)) < 2000, "long warnings are cut")
        has(warnings(made), 'a \\"quoted\\" one')
        eq(audited("deny.example.com/k"), "noted")
    api.delete(MAPS + "/b").want(200)


@case("webhook: the first in their order denies, though all are asked at once")
def _():
    barrier = threading.Barrier(3)

    def both(text):
        def fn(b):
            barrier.wait(10)
            if text == "first":
                time.sleep(0.05)
            return review(b, False, status={"message": text})
        return fn
    for text in ("first", "second", "third"):
        answers("/" + text, both(text))
    install(VALIDATING, "b", hook("/third"))
    with installed(VALIDATING, hook("/first"), hook("/second"), name="a"):
        has(api.post(MAPS, config("o")).want(400).json["message"], '"first.example.com" denied the request: first')
    api.delete(VALIDATING + "/b").want(200)


@case("webhook: failure policies where nobody answers, nonsense is answered, or too late")
def _():
    dead = hook("/dead", failurePolicy="Fail")
    dead["clientConfig"]["url"] = "https://127.0.0.1:1/x"
    with installed(VALIDATING, dead):
        failed(api.post(MAPS, config("f")), '"dead.example.com": failed to call webhook', "https://127.0.0.1:1/x")
        api.post("/api/v1/namespaces/w/secrets", {"metadata": {"name": "s"}}).want(201)  # it is not for secrets
    with installed(VALIDATING, {**dead, "failurePolicy": "Ignore"}), installed(MUTATING, {**dead, "failurePolicy": "Ignore"}):
        api.post(MAPS, config("f")).want(201)
        eq(audited("failed-open.mutating.webhook.admission.k8s.io/round_0_index_0"), "dead.example.com")
        eq(audited("failed-open.validating.webhook.admission.k8s.io/round_0_index_0"), "dead.example.com")
    untrusted = hook("/odd")
    untrusted["clientConfig"]["caBundle"] = base64.b64encode(open(server.pem("certificate-authority-data"), "rb").read()).decode()
    with installed(MUTATING, untrusted):
        failed(api.post(MAPS, config("g")))
    with installed(VALIDATING, hook("/odd")), installed(MUTATING, hook("/even")):
        answers("/even", lambda b: review(b))
        for value, word in (((500, {}), "the server answered 500"), ({"a": 1}, "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview"),
                            ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}, "webhook response was absent"),
                            ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": {"uid": "x", "allowed": True}}, "expected response.uid="),
                            ("text", "received invalid webhook response")):
            answers("/odd", lambda b: value)
            failed(api.post(MAPS, config("g")), word)
        answers("/odd", lambda b: patch(b, {"op": "remove", "path": "/data"}))
        failed(api.post(MAPS, config("g")), "may not return response.patch")
        answers("/odd", review)
        answers("/even", lambda b: patch(b, {"op": "remove", "path": "/nowhere"}))
        has(api.post(MAPS, config("g")).want(500, "InternalError").json["message"], 'webhook "even.example.com": its patch cannot be applied')
        answers("/even", lambda b: patch(b, {"op": "replace", "path": "/metadata/name", "value": "other"}))
        has(api.post(MAPS, config("g")).want(500, "InternalError").json["message"], "metadata.name may not be changed")
        answers("/even", lambda b: patch(b, {"op": "add", "path": "/data", "value": [1]}))
        has(api.post(MAPS, config("g")).want(500, "InternalError").json["message"], "cannot unmarshal")
        answers("/even", lambda b: review(b, patch="e30="))
        failed(api.post(MAPS, config("g")), "response.patch but not response.patchType")
    release = threading.Event()
    answers("/slow", lambda b: release.wait(20) and review(b))
    with installed(VALIDATING, hook("/slow", timeoutSeconds=1)):
        begun = time.monotonic()
        failed(api.post(MAPS, config("g")), "timeout=1s")
        true(0.9 < time.monotonic() - begun < 10, "one second")
    release.set()
    api.delete(MAPS + "/f").want(200)


@case("webhook: a broken one can be mended and deleted, and is not asked of its own kind")
def _():
    dead = hook("/all", rules=[{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}])
    dead["clientConfig"]["url"] = "https://127.0.0.1:1/"
    install(MUTATING, "broken", dead)
    install(VALIDATING, "broken", dead)
    failed(api.post(MAPS, config("n")))
    failed(api.post("/api/v1/namespaces", {"metadata": {"name": "none"}}))
    v = api.get(VALIDATING + "/broken").json
    v["metadata"]["labels"] = {"x": "y"}
    api.put(VALIDATING + "/broken", v).want(200)
    api.delete(VALIDATING + "/broken").want(200)
    failed(api.delete("/api/v1/namespaces/w/secrets/s"))
    api.delete(MUTATING + "/broken").want(200)
    api.delete("/api/v1/namespaces/w/secrets/s").want(200)


@case("webhook: selectors, scope, conditions and operations")
def _():
    answers("/sel", lambda b: review(b, False, status={"message": "selected"}))

    def chosen(body, where=MAPS, wanted=True):
        got = api.post(where + "?dryRun=All", body)
        got.want(400 if wanted else 201)

    with installed(VALIDATING, hook("/sel", namespaceSelector={"matchLabels": {"hooked": "yes"}})):
        chosen(config("s"))
        chosen(config("s"), "/api/v1/namespaces/free/configmaps", False)
    with installed(VALIDATING, hook("/sel", objectSelector={"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]})):
        chosen(config("s"))
        chosen(config("s", labels={"skip": "1"}), wanted=False)
    with installed(VALIDATING, hook("/sel", matchConditions=[{"name": "big", "expression": "object.data.size() > 1"},
                                                             {"name": "mine", "expression": "request.namespace == 'w' && authorizer.group('').resource('pods').check('get').allowed()"}])):
        chosen(config("s", a="1", b="2"))
        chosen(config("s", a="1"), wanted=False)
        has(api.post(MAPS, {"metadata": {"name": "s"}}).want(403).json["message"], "no such key")
    with installed(VALIDATING, hook("/sel", rules=[{**RULE, "operations": ["DELETE"]}])):
        chosen(config("s"), wanted=False)
        api.post(MAPS, config("s", a="1")).want(201)
        has(api.delete(MAPS + "/s").want(400).json["message"], "selected")
        contains(hooks.last("/sel")[0]["request"], {"operation": "DELETE", "object": None, "oldObject": {"data": {"a": "1"}},
                                                 "options": {"kind": "DeleteOptions"}})
    api.delete(MAPS + "/s").want(200)
    with installed(VALIDATING, hook("/sel", rules=[{**RULE, "resources": ["*"], "scope": "Cluster"}])):
        chosen(config("s"), wanted=False)
        chosen({"metadata": {"name": "x"}}, "/api/v1/namespaces")


@case("webhook: they are asked in order, each of what the one before made; once more if needed")
def _():
    seen = []

    def add(name):
        def fn(b):
            data = b["request"]["object"].get("data") or {}
            seen.append((name, sorted(data)))
            return review(b) if name in data else patch(b, {"op": "add", "path": "/data/" + name, "value": "1"})
        return fn
    for name in "abc":
        answers(f"/{name}", add(name))
    with installed(MUTATING, hook("/b"), hook("/c", reinvocationPolicy="IfNeeded"), name="y"), \
            installed(MUTATING, hook("/a", reinvocationPolicy="IfNeeded"), name="x"):
        made = api.post(MAPS, config("r", z="")).want(201).json
        eq(sorted(made["data"]), ["a", "b", "c", "z"])
        eq(seen, [("a", ["z"]), ("b", ["a", "z"]), ("c", ["a", "b", "z"]), ("a", ["a", "b", "c", "z"])])
        eq(json.loads(audited("mutation.webhook.admission.k8s.io/round_0_index_1")), {"configuration": "y", "webhook": "b.example.com", "mutated": True})
        eq(json.loads(audited("mutation.webhook.admission.k8s.io/round_1_index_0")), {"configuration": "x", "webhook": "a.example.com", "mutated": False})
        seen.clear()
        api.put(MAPS + "/r", config("r", a="", b="", c="")).want(200)
        eq([n for n, _ in seen], ["a", "b", "c"])  # nothing was changed
    api.delete(MAPS + "/r").want(200)


@case("webhook: what the server owns stays as it is, what is absent is filled in, plugins see what was added")
def _():
    pods = "/api/v1/namespaces/w/pods"
    api.post("/api/v1/namespaces/w/serviceaccounts", {"metadata": {"name": "default"}})
    sidecar = {"name": "side", "image": "example.com/side:1"}
    answers("/inject", lambda b: patch(b, {"op": "add", "path": "/spec/containers/-", "value": sidecar}, {"op": "add", "path": "/status/phase", "value": "Running"},
                                       {"op": "add", "path": "/metadata/uid", "value": "mine"}, {"op": "add", "path": "/metadata/managedFields", "value": []},
                                       {"op": "add", "path": "/spec/nonsense", "value": 1}))
    limits = "/api/v1/namespaces/w/limitranges"
    api.post(limits, {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "7m"}}]}}).want(201)
    rule = {**RULE, "operations": ["CREATE"], "resources": ["pods"]}
    with installed(MUTATING, hook("/inject", rules=[rule])):
        pod = api.post(pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "i"}]}}).want(201).json
    eq([c["name"] for c in pod["spec"]["containers"]], ["main", "side"])
    contains(pod["spec"]["containers"][1], {"imagePullPolicy": "IfNotPresent", "resources": {"requests": {"cpu": "7m"}}})
    eq(pod["status"]["phase"], "Pending")
    true(len(pod["metadata"]["uid"]) == 36 and "nonsense" not in pod["spec"], "the server's own")
    api.delete(pods + "/p?gracePeriodSeconds=0").want(200)
    api.delete(limits + "/l").want(200)
    answers("/scale", lambda b: patch(b, {"op": "replace", "path": "/spec/replicas", "value": 3}))
    deployments = "/apis/apps/v1/namespaces/w/deployments"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
    with installed(MUTATING, hook("/scale", rules=[rule])):
        api.post(deployments, {"metadata": {"name": "d"}, "spec": spec}).want(201)
        d = api.patch(deployments + "/d", {"metadata": {"labels": {"x": "y"}}}).want(200).json
        eq((d["spec"]["replicas"], d["metadata"]["generation"]), (3, 2))  # the webhook changed the spec
        server.kubectl_ok("-n", "w", "label", "deployment", "d", "k=v")
    api.delete(deployments + "/d").want(200)


@case("webhook: a dry run says so")
def _():
    answers("/dry", review)
    with installed(VALIDATING, hook("/dry", sideEffects="NoneOnDryRun")):
        api.post(MAPS + "?dryRun=All", config("d")).want(201)
        contains(hooks.last("/dry")[0]["request"], {"dryRun": True, "options": {"dryRun": ["All"]}})


@case("webhook: through a Service, at an endpoint that is ready")
def _():
    port = hooks.server.server_address[1]
    answers("/svc", lambda b: patch(b, {"op": "add", "path": "/data/by", "value": "service"}))
    h = hook("/svc")
    h["clientConfig"] = {"service": {"namespace": "w", "name": "hook", "path": "/svc"}, "caBundle": bundle()}
    with installed(MUTATING, h):
        eq(api.get(MUTATING + "/c").json["webhooks"][0]["clientConfig"]["service"]["port"], 443)
        failed(api.post(MAPS, config("v", x="1")), 'service "hook" not found')
        api.post("/api/v1/namespaces/w/services", {"metadata": {"name": "hook"}, "spec": {"ports": [{"name": "web", "port": 443, "targetPort": 8443}]}}).want(201)
        failed(api.post(MAPS, config("v", x="1")), 'no endpoints available for service "hook"')
        piece = {"metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}}, "addressType": "IPv4",
                 "ports": [{"name": "web", "port": port, "protocol": "TCP"}],
                 "endpoints": [{"addresses": ["127.0.0.2"], "conditions": {"ready": False}}, {"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]}
        api.post("/apis/discovery.k8s.io/v1/namespaces/w/endpointslices", piece).want(201)
        for _ in range(3):
            eq(api.post(MAPS + "?dryRun=All", config("v", x="1")).want(201).json["data"], {"x": "1", "by": "service"})
        eq({k.lower(): v for k, v in hooks.last("/svc")[1].items()}["host"], "hook.w.svc")
    h["clientConfig"]["service"]["port"] = 444
    with installed(MUTATING, h):
        failed(api.post(MAPS, config("v", x="1")), 'no service port 444 found for service "hook"')


@case("webhook: v1beta1 where that is asked for, and the form of an object that is asked for")
def _():
    answers("/beta", lambda b: {"response": {"allowed": False, "status": {"message": b["apiVersion"]}}})
    with installed(VALIDATING, hook("/beta", admissionReviewVersions=["v9", "v1beta1"])):
        has(api.post(MAPS, config("v")).want(400).json["message"], "denied the request: admission.k8s.io/v1beta1")
    answers("/form", lambda b: patch(b, {"op": "add", "path": "/metadata/annotations", "value": {"seen": b["request"]["object"]["apiVersion"]}}))
    rule = {"apiGroups": ["autoscaling"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["horizontalpodautoscalers"]}
    body = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}}
    where = "/apis/autoscaling/v2/namespaces/w/horizontalpodautoscalers?dryRun=All"
    with installed(MUTATING, hook("/form", rules=[rule])):
        made = api.post(where, body).want(201).json
        eq((made["apiVersion"], made["metadata"]["annotations"]["seen"]), ("autoscaling/v2", "autoscaling/v1"))
        contains(hooks.last("/form")[0]["request"], {"kind": {"version": "v1"}, "requestKind": {"version": "v2"}})
    with installed(MUTATING, hook("/form", rules=[rule], matchPolicy="Exact")):
        true("annotations" not in api.post(where, body).want(201).json["metadata"], "not asked")


@case("webhook: configurations are filled in and checked")
def _():
    with installed(MUTATING, hook("/patch")):
        c = api.get(MUTATING + "/c").json
        contains(c["webhooks"][0], {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
                                    "timeoutSeconds": 10, "reinvocationPolicy": "Never", "rules": [{"scope": "*"}]})
        eq(c["metadata"]["generation"], 1)
        c["webhooks"][0]["timeoutSeconds"] = 5
        eq(api.put(MUTATING + "/c", c).want(200).json["metadata"]["generation"], 2)
        eq(server.kubectl_ok("get", "mutatingwebhookconfigurations").split("\n")[0].split(), ["NAME", "WEBHOOKS", "AGE"])
        eq(server.kubectl_ok("get", "mutatingwebhookconfigurations", "--no-headers").split()[:2], ["c", "1"])
    bad = {**hook("/x"), "name": "a.b", "timeoutSeconds": 31, "matchConditions": [{"name": "x", "expression": "1 +"}]}
    del bad["sideEffects"]
    bad["clientConfig"]["url"] = "http://u@h/p?q#f"
    s = api.post(VALIDATING, {"metadata": {"name": "bad"}, "webhooks": [bad]}).want(422, "Invalid").json["message"]
    for w in ("at least three segments", "between 1 and 30 seconds", "must specify one of None, NoneOnDryRun", "'https' is the only allowed URL scheme",
              "user information is not permitted", "fragments are not permitted", "query parameters are not permitted", "matchConditions[0].expression"):
        has(s, w)


@case("webhook: a server stops while one is asked")
def _():
    release = threading.Event()
    answers("/hang", lambda b: release.wait(60) and review(b))

    def ask():
        try:
            api.post(MAPS, config("h"))
        except OSError:
            pass  # it went away
        except harness.http.client.HTTPException:
            pass
    with installed(MUTATING, hook("/hang", timeoutSeconds=30)):
        asking = threading.Thread(target=ask)
        asking.start()
        end = time.monotonic() + 20
        while not hooks.count("/hang"):
            true(time.monotonic() < end, "it is asked")
            time.sleep(0.02)
        begun = time.monotonic()
        server.stop()
        true(time.monotonic() - begun < 25, "it stops before the webhook answers")
        release.set()
        asking.join()
        server.start()


def teardown():
    if hooks:
        hooks.stop()
    server.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, *sys.argv[1:2]))
