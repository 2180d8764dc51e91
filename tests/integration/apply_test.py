#!/usr/bin/env python3
"""Server-side apply and managedFields as users meet them: by kubectl and over HTTPS, on a server without controllers.

Usage: apply_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import json
import os
import sys

import harness
from harness import Server, case, contains, eq, has, true

server = Server(port=17330)
api = None
NS = "/api/v1/namespaces/t"
CM = NS + "/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/t/deployments"


def setup():
    global api
    server.start()
    api = server.admin()
    api.post("/api/v1/namespaces", {"metadata": {"name": "t"}}).want(201)
    api.post(NS + "/serviceaccounts", {"metadata": {"name": "default"}}).want(201)


def apply(path, body, manager="one", query=""):
    return api.patch(f"{path}?fieldManager={manager}{query}", body if isinstance(body, str) else json.dumps(body), "apply")


def configmap(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name, containers=None, **spec):
    containers = containers if containers is not None else [{"name": "c", "image": "nginx:1"}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}, **spec}}


def entries(o):
    """{(manager, operation, subresource): fields}"""
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in o["metadata"].get("managedFields", [])}


def owned(o, manager, operation="Apply", sub=""):
    return entries(o).get((manager, operation, sub))


def version(o):
    return o["metadata"]["resourceVersion"]


def names(o):
    return [c["name"] for c in o["spec"]["template"]["spec"]["containers"]]


# ---- apply ----

@case("apply: creates with 201, then 200, and a second time changes nothing")
def _():
    first = apply(CM + "/twice", configmap("twice", a="1")).want(201).json
    eq(owned(first, "one"), {"f:data": {"f:a": {}}})
    contains(first["metadata"]["managedFields"], [{"manager": "one", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}])
    eq(apply(CM + "/twice", configmap("twice", a="1")).want(200).json, first)
    eq(apply(CM + "/twice", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: twice\ndata: {a: '1'}\n").want(200).json, first)


@case("apply: kinds of every sort twice, with no difference the second time")
def _():
    meta = lambda name: {"name": name, "namespace": "t", "labels": {"app.kubernetes.io/name": name}}
    pod = {"containers": [{"name": "a", "image": "i:1", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}],
                           "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                           "resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                           "livenessProbe": {"httpGet": {"path": "/", "port": 80}}}],
           "volumes": [{"name": "v", "configMap": {"name": "x", "items": [{"key": "k", "path": "p"}]}}],
           "tolerations": [{"key": "k", "operator": "Exists"}], "nodeSelector": {"a": "b"}, "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["h"]}]}
    objects = [
        ("apps/v1", "Deployment", DEPLOYMENTS, {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}),
        ("apps/v1", "StatefulSet", "/apis/apps/v1/namespaces/t/statefulsets", {"serviceName": "s", "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}),
        ("apps/v1", "DaemonSet", "/apis/apps/v1/namespaces/t/daemonsets", {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}),
        ("batch/v1", "Job", "/apis/batch/v1/namespaces/t/jobs", {"template": {"spec": {**pod, "restartPolicy": "Never"}}}),
        ("batch/v1", "CronJob", "/apis/batch/v1/namespaces/t/cronjobs", {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}}}),
        ("v1", "Service", NS + "/services", {"selector": {"a": "b"}, "ports": [{"port": 80, "name": "w"}, {"port": 81, "name": "x", "targetPort": "http"}]}),
        ("networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1/namespaces/t/ingresses", {"rules": [{"host": "a.b", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}),
        ("networking.k8s.io/v1", "NetworkPolicy", "/apis/networking.k8s.io/v1/namespaces/t/networkpolicies", {"podSelector": {}, "policyTypes": ["Ingress"]}),
        ("policy/v1", "PodDisruptionBudget", "/apis/policy/v1/namespaces/t/poddisruptionbudgets", {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}),
        ("autoscaling/v2", "HorizontalPodAutoscaler", "/apis/autoscaling/v2/namespaces/t/horizontalpodautoscalers", {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}),
    ]
    for api_version, kind, path, spec in objects:
        body = {"apiVersion": api_version, "kind": kind, "metadata": meta("sorts"), "spec": spec}
        first = apply(path + "/sorts", body)
        true(first.status == 201, f"{kind}: {first.status} {first.body[:300]}")
        second = apply(path + "/sorts", body).want(200).json
        eq(second, first.json, kind)
        true("f:spec" in owned(second, "one"), kind)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta("sorts"), "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    first = apply("/apis/rbac.authorization.k8s.io/v1/namespaces/t/roles/sorts", role).want(201).json
    eq(apply("/apis/rbac.authorization.k8s.io/v1/namespaces/t/roles/sorts", role).want(200).json, first)


@case("apply: conflicts are causes that name managers and fields")
def _():
    apply(CM + "/conflict", configmap("conflict", a="1", b="2")).want(201)
    s = apply(CM + "/conflict", configmap("conflict", a="9"), "two").want(409, "Conflict").json
    eq(s["message"], 'Apply failed with 1 conflict: conflict with "one": .data.a')
    eq(s["details"]["causes"], [{"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}])
    api.patch(CM + "/conflict?fieldManager=up", {"data": {"b": "3"}}).want(200)
    s = apply(CM + "/conflict", configmap("conflict", a="9", b="9"), "two").want(409).json
    eq(s["message"], 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\nconflicts with "up" using v1:\n- .data.b')
    eq(api.get(CM + "/conflict").json["data"], {"a": "1", "b": "3"})


@case("apply: force takes fields over, and who lost them has them no more")
def _():
    apply(CM + "/force", configmap("force", a="1", b="2")).want(201)
    o = apply(CM + "/force", configmap("force", a="9"), "two", "&force=true").want(200).json
    eq(o["data"], {"a": "9", "b": "2"})
    eq(owned(o, "one"), {"f:data": {"f:b": {}}})
    eq(owned(o, "two"), {"f:data": {"f:a": {}}})
    apply(CM + "/force", configmap("force", a="1", b="2")).want(409)


@case("apply: what is named no more goes, unless somebody else owns it")
def _():
    apply(CM + "/shared", configmap("shared", a="1", b="2", c="3")).want(201)
    apply(CM + "/shared", configmap("shared", b="2"), "two").want(200)
    api.patch(CM + "/shared?fieldManager=up", {"data": {"c": "4"}}).want(200)
    o = apply(CM + "/shared", configmap("shared", d="4")).want(200).json
    eq(o["data"], {"b": "2", "c": "4", "d": "4"})
    o = apply(CM + "/shared", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}}, "two").want(200).json
    eq(o["data"], {"c": "4", "d": "4"})
    eq(owned(o, "two"), None)


@case("apply: lists with keys are merged by element: containers, ports, environment")
def _():
    path = DEPLOYMENTS + "/lists"
    apply(path, deployment("lists", [{"name": "a", "image": "i:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}], "ports": [{"containerPort": 80}]}, {"name": "b", "image": "i:1"}])).want(201)
    side = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "lists"},
            "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}, {"name": "a", "env": [{"name": "Z", "value": "3"}], "ports": [{"containerPort": 80, "protocol": "UDP"}]}]}}}}
    o = apply(path, side, "two").want(200).json
    eq(names(o), ["side", "a", "b"])
    a = o["spec"]["template"]["spec"]["containers"][1]
    eq([e["name"] for e in a["env"]], ["X", "Y", "Z"])
    eq([p["protocol"] for p in a["ports"]], ["TCP", "UDP"])
    o = apply(path, deployment("lists", [{"name": "a", "image": "i:2", "env": [{"name": "Y", "value": "2"}]}])).want(200).json
    eq(names(o), ["side", "a"])
    a = o["spec"]["template"]["spec"]["containers"][1]
    eq((a["image"], [e["name"] for e in a["env"]], [p["protocol"] for p in a["ports"]]), ("i:2", ["Y", "Z"], ["UDP"]))
    key = 'k:{"name":"a"}'
    eq(owned(o, "one")["f:spec"]["f:template"]["f:spec"]["f:containers"][key],
       {".": {}, "f:env": {'k:{"name":"Y"}': {".": {}, "f:name": {}, "f:value": {}}}, "f:image": {}, "f:name": {}})


@case("apply: sets such as finalizers are merged by value, atomic fields have one owner")
def _():
    body = lambda name, *f: {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "finalizers": list(f)}}
    apply(CM + "/set", body("set", "t.io/a", "t.io/b")).want(201)
    o = apply(CM + "/set", body("set", "t.io/b", "t.io/c"), "two").want(200).json
    eq(o["metadata"]["finalizers"], ["t.io/a", "t.io/b", "t.io/c"])
    eq(owned(o, "two"), {"f:metadata": {"f:finalizers": {'v:"t.io/b"': {}, 'v:"t.io/c"': {}}}})
    eq(apply(CM + "/set", body("set")).want(200).json["metadata"]["finalizers"], ["t.io/b", "t.io/c"])
    service = lambda **s: {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "atomic"}, "spec": {"selector": s, "ports": [{"port": 80}]}}
    apply(NS + "/services/atomic", service(a="1")).want(201)
    s = apply(NS + "/services/atomic", service(b="2"), "two").want(409).json
    eq([c["field"] for c in s["details"]["causes"]], [".spec.selector"])
    eq(apply(NS + "/services/atomic", service(b="2"), "two", "&force=true").want(200).json["spec"]["selector"], {"b": "2"})
    apply(CM + "/set", body("set"), "two").want(200)


@case("apply: what Go leaves out when it is empty is in nobody's way")
def _():
    apply(CM + "/zero", configmap("zero")).want(201)
    apply(CM + "/zero", configmap("zero"), "two").want(200)
    true("data" not in api.get(CM + "/zero").json, "an empty map is none")
    host = lambda on: {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "zero"}, "spec": {"template": {"spec": {"hostNetwork": on}}}}
    apply(DEPLOYMENTS + "/zero", deployment("zero")).want(201)
    apply(DEPLOYMENTS + "/zero", host(False), "two").want(200)
    apply(DEPLOYMENTS + "/zero", host(False), "three").want(200)
    apply(DEPLOYMENTS + "/zero", host(True), "four").want(409)
    apply(DEPLOYMENTS + "/zero", host(True), "four", "&force=true").want(200)
    has(apply(DEPLOYMENTS + "/zero", host(False), "two").want(409).json["message"], ".spec.template.spec.hostNetwork")


@case("apply: a dry run tells and stores nothing")
def _():
    o = apply(CM + "/dry", configmap("dry", a="1"), query="&dryRun=All").want(201).json
    eq(owned(o, "one"), {"f:data": {"f:a": {}}})
    api.get(CM + "/dry").want(404)
    apply(CM + "/dry", configmap("dry", a="1")).want(201)
    eq(apply(CM + "/dry", configmap("dry", a="2"), query="&dryRun=All").want(200).json["data"], {"a": "2"})
    apply(CM + "/dry", configmap("dry", a="2"), "two", "&dryRun=All").want(409)
    eq(api.get(CM + "/dry").json["data"], {"a": "1"})


@case("apply: versions and uids that are named must be those of the object")
def _():
    with_meta = lambda **m: {**configmap("pre", a="1"), "metadata": {"name": "pre", **m}}
    apply(CM + "/pre", with_meta(resourceVersion="7")).want(409, "Conflict")
    has(apply(CM + "/pre", with_meta(uid="x")).want(409, "Conflict").json["message"], "no existing object was found")
    o = apply(CM + "/pre", configmap("pre", a="1")).want(201).json
    apply(CM + "/pre", with_meta(resourceVersion="7")).want(409, "Conflict")
    apply(CM + "/pre", with_meta(uid="x")).want(409, "Conflict")
    o2 = apply(CM + "/pre", with_meta(resourceVersion=version(o), uid=o["metadata"]["uid"])).want(200).json
    eq(o2, o)


@case("apply: options that are wrong, missing or of another kind of patch are refused")
def _():
    s = api.patch(CM + "/opt", json.dumps(configmap("opt")), "apply").want(422, "Invalid").json
    eq(s["message"], 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch')
    eq(s["details"]["causes"], [{"reason": "FieldValueRequired", "message": "Required value: is required for apply patch", "field": "fieldManager"}])
    apply(CM + "/opt", configmap("opt", a="1")).want(201)
    has(api.patch(CM + "/opt?force=true", {"data": {"a": "2"}}).want(422, "Invalid").json["message"], "force: Forbidden: may not be specified for non-apply patch")
    has(apply(CM + "/opt", configmap("opt"), query="&force=perhaps").want(422).json["message"], 'force: Invalid value: "perhaps": must be true or false')
    has(apply(CM + "/opt", configmap("opt"), "x" * 129).want(422).json["message"], "fieldManager: Too long: may not be more than 128 bytes")
    has(api.post(CM + "?fieldManager=a%09b", configmap("opt2")).want(422).json["message"], "fieldManager: Invalid value: invalid character U+0009 (at position 1)")
    api.request("PATCH", CM + "/opt?fieldManager=x", "{}", type="application/apply-patch+cbor").want(415, "UnsupportedMediaType")


@case("apply: patches that are none, of another object, or name what is not there are refused in words")
def _():
    has(apply(CM + "/bad", "{").want(400, "BadRequest").json["message"], "error decoding YAML")
    has(apply(CM + "/bad", "a: [").want(400).json["message"], "error decoding YAML")
    has(apply(CM + "/bad", "[]").want(400).json["message"], "must be an object, not array")
    has(apply(CM + "/bad", "").want(400).json["message"], "must be an object, not null")
    has(apply(CM + "/bad", {"metadata": {"name": "bad"}}).want(400).json["message"], "invalid object type")
    has(apply(CM + "/bad", {**configmap("bad"), "kind": "Secret"}).want(400).json["message"], "invalid object type: v1, Kind=Secret")
    has(apply(CM + "/bad", configmap("other")).want(400).json["message"], "the name of the object (other) does not match the name on the URL (bad)")
    has(apply(CM + "/bad", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}).want(400).json["message"], "generateName cannot be used with apply")
    has(apply(CM + "/bad", {**configmap("bad"), "metadata": {"name": "bad", "namespace": "u"}}).want(400).json["message"], "does not match the namespace")
    has(apply(CM + "/bad", {**configmap("bad"), "metadata": {"name": "bad", "managedFields": []}}).want(400).json["message"], "metadata.managedFields must be nil")
    s = apply(CM + "/bad", {**configmap("bad"), "dota": {}}).want(400).json
    eq(s["message"], "failed to create typed patch object (t/bad; v1, Kind=ConfigMap): .dota: field not declared in schema")
    s = apply(DEPLOYMENTS + "/bad", deployment("bad", [{"name": "a"}, {"name": "a"}])).want(400).json
    has(s["message"], 'duplicate entries for key [name="a"]')
    has(apply(DEPLOYMENTS + "/bad", deployment("bad", [{"image": "a"}])).want(400).json["message"], 'omits key field "name"')
    has(apply(DEPLOYMENTS + "/bad", deployment("bad", "text")).want(400).json["message"], "failed to create typed patch object")
    apply(DEPLOYMENTS + "/bad", deployment("bad", replicas=-1)).want(422, "Invalid")
    api.get(CM + "/bad").want(404)


@case("apply: fields that are named twice are told or refused, as fieldValidation says")
def _():
    twice = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"dup"},"data":{"a":"1","a":"2"}}'
    has(apply(CM + "/dup", twice, query="&fieldValidation=Strict").want(400).json["message"], "error strict decoding YAML")
    warned = apply(CM + "/dup", twice, query="&fieldValidation=Warn").want(201)
    has(warned.headers["Warning"], "duplicate field")
    eq(warned.json["data"], {"a": "2"})
    true(apply(CM + "/dup", twice, query="&fieldValidation=Ignore").want(200).headers["Warning"] is None, "no warning")
    has(apply(CM + "/dup", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dup}\ndata:\n  a: '1'\n  a: '2'\n", query="&fieldValidation=Strict").want(400).json["message"], "error strict decoding YAML")


@case("apply: who may patch and not create is told so")
def _():
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/t"
    api.post(rbac + "/roles", {"metadata": {"name": "patcher"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]}).want(201)
    api.post(rbac + "/rolebindings", {"metadata": {"name": "patcher"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "patcher"},
                                      "subjects": [{"kind": "User", "name": "pat", "apiGroup": "rbac.authorization.k8s.io"}]}).want(201)
    as_pat = {"Impersonate-User": "pat"}
    answer = api.patch(CM + "/pat?fieldManager=x", json.dumps(configmap("pat", a="1")), "apply", headers=as_pat).want(403, "Forbidden").json
    has(answer["message"], 'cannot create resource "configmaps"')
    apply(CM + "/pat", configmap("pat", a="1")).want(201)
    api.patch(CM + "/pat?fieldManager=x", json.dumps(configmap("pat", b="1")), "apply", headers=as_pat).want(200)


# ---- subresources ----

@case("status: its appliers own the status alone, and have no say in the rest")
def _():
    apply(DEPLOYMENTS + "/status", deployment("status", replicas=1)).want(201)
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "status"}, "spec": {"replicas": 7}, "status": {"replicas": 3, "conditions": [{"type": "X", "status": "True"}]}}
    o = apply(DEPLOYMENTS + "/status/status", body, "st").want(200).json
    eq((o["spec"]["replicas"], o["status"]["replicas"]), (1, 3))
    eq(owned(o, "st", sub="status"), {"f:status": {"f:conditions": {'k:{"type":"X"}': {".": {}, "f:status": {}, "f:type": {}}}, "f:replicas": {}}})
    has(apply(DEPLOYMENTS + "/status/status", {**body, "status": {"replicas": 4}}, "other").want(409).json["message"], 'conflict with "st" with subresource "status": .status.replicas')
    o = apply(DEPLOYMENTS + "/status", {**deployment("status", replicas=1), "status": {"replicas": 9}}).want(200).json
    eq((o["status"]["replicas"], "f:status" in owned(o, "one")), (3, False))
    apply(DEPLOYMENTS + "/none/status", {**body, "metadata": {"name": "none"}}, "st").want(404, "NotFound")
    api.patch(DEPLOYMENTS + "/status/status?fieldManager=ctl", {"status": {"readyReplicas": 2}}).want(200)
    eq(owned(api.get(DEPLOYMENTS + "/status").json, "ctl", "Update", "status"), {"f:status": {"f:readyReplicas": {}}})


@case("scale: replicas go to whoever scales, by update, patch and apply")
def _():
    path = DEPLOYMENTS + "/scale"
    apply(path, deployment("scale", replicas=2)).want(201)
    scale = api.get(path + "/scale").json
    scale["spec"]["replicas"] = 5
    api.put(path + "/scale", scale, headers={"User-Agent": "horizontal-pod-autoscaler/v1.32 (linux)"}).want(200)
    o = api.get(path).json
    eq(owned(o, "horizontal-pod-autoscaler", "Update", "scale"), {"f:spec": {"f:replicas": {}}})
    true("f:replicas" not in owned(o, "one")["f:spec"], "the applier has lost replicas")
    has(apply(path, deployment("scale", replicas=2)).want(409).json["message"], '"horizontal-pod-autoscaler" with subresource "scale" using apps/v1: .spec.replicas')
    o = apply(path, deployment("scale")).want(200).json  # it does not want them any more
    eq(o["spec"]["replicas"], 5)
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "scale"}, "spec": {"replicas": 6}}
    apply(path + "/scale", body, "sc").want(409, "Conflict")
    eq(apply(path + "/scale", body, "sc", "&force=true").want(200).json["spec"]["replicas"], 6)
    o = api.get(path).json
    eq(owned(o, "sc", sub="scale"), {"f:spec": {"f:replicas": {}}})
    eq(owned(o, "horizontal-pod-autoscaler", "Update", "scale"), None)
    has(apply(path + "/scale", {**body, "spec": {"x": 1}}, "sc").want(400).json["message"], ".spec.x: field not declared in schema")
    api.patch(path + "/scale?fieldManager=p", {"spec": {"replicas": 7}}).want(200)
    eq(owned(api.get(path).json, "p", "Update", "scale"), {"f:spec": {"f:replicas": {}}})


# ---- updates ----

@case("updates: creation, replacement and every patch have a manager, by parameter or User-Agent")
def _():
    o = api.post(CM, {"metadata": {"name": "who", "labels": {"l": "1"}}, "data": {"a": "1"}}, headers={"User-Agent": "maker/v1 (x)"}).want(201).json
    eq(entries(o), {("maker", "Update", ""): {"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}}})
    o["data"]["b"] = "2"
    o = api.put(CM + "/who?fieldManager=putter", o).want(200).json
    eq(owned(o, "putter", "Update"), {"f:data": {"f:b": {}}})
    api.patch(CM + "/who?fieldManager=merger", {"data": {"c": "3"}}).want(200)
    api.patch(CM + "/who?fieldManager=strategist", {"data": {"d": "4"}}, "strategic").want(200)
    o = api.patch(CM + "/who?fieldManager=jsoner", [{"op": "add", "path": "/data/e", "value": "5"}, {"op": "remove", "path": "/data/a"}], "json").want(200).json
    eq({k[0]: v for k, v in entries(o).items()},
       {"maker": {"f:data": {}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}}, "putter": {"f:data": {"f:b": {}}}, "merger": {"f:data": {"f:c": {}}},
        "strategist": {"f:data": {"f:d": {}}}, "jsoner": {"f:data": {"f:e": {}}}})
    same = api.patch(CM + "/who?fieldManager=nobody", {"data": {"e": "5"}}).want(200).json
    eq(same, o)
    o = api.post(CM, {"metadata": {"name": "noagent"}, "data": {"a": "1"}}, headers={"User-Agent": ""}).want(201).json
    eq([e["manager"] for e in o["metadata"]["managedFields"]], ["unknown"])


@case("updates: no more than ten update; the oldest become ancient-changes")
def _():
    api.post(CM + "?fieldManager=m0", configmap("cap", a="0")).want(201)
    for i in range(1, 13):
        o = api.patch(f"{CM}/cap?fieldManager=m{i}", {"data": {f"k{i}": "1"}}).want(200).json
    eq(len(o["metadata"]["managedFields"]), 10)
    ancient = owned(o, "ancient-changes", "Update")
    true(ancient and "f:k1" in ancient["f:data"], f"{ancient}")


@case("managedFields: [{}] clears them, updates bring none back, the first apply tells the past apart")
def _():
    apply(CM + "/clear", configmap("clear", a="1")).want(201)
    o = api.patch(CM + "/clear", {"metadata": {"managedFields": [{}]}}).want(200).json
    true("managedFields" not in o["metadata"], "cleared")
    o = api.patch(CM + "/clear?fieldManager=x", {"data": {"b": "2"}}).want(200).json
    true("managedFields" not in o["metadata"], "an update is not told")
    o = apply(CM + "/clear", configmap("clear", a="1")).want(200).json
    eq(entries(o), {("one", "Apply", ""): {"f:data": {"f:a": {}}}, ("before-first-apply", "Update", ""): {"f:data": {".": {}, "f:a": {}, "f:b": {}}}})
    o = api.patch(CM + "/clear", [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}], "json").want(200).json
    true("managedFields" not in o["metadata"], "cleared by a JSON patch")
    o = apply(CM + "/clear", configmap("clear", a="1")).want(200).json
    o = api.put(CM + "/clear", {**o, "metadata": {**o["metadata"], "managedFields": [{}]}}).want(200).json
    true("managedFields" not in o["metadata"], "cleared by an update")


@case("managedFields: a JSON patch may replace them at a version, as kubectl's migration does")
def _():
    o = apply(CM + "/json", configmap("json", a="1")).want(201).json
    moved = [{**o["metadata"]["managedFields"][0], "manager": "moved"}]
    ops = lambda v: [{"op": "replace", "path": "/metadata/managedFields", "value": moved}, {"op": "replace", "path": "/metadata/resourceVersion", "value": v}]
    api.patch(CM + "/json", ops("1"), "json").want(409, "Conflict")
    eq(list(entries(api.patch(CM + "/json", ops(version(o)), "json").want(200).json)), [("moved", "Apply", "")])
    api.patch(CM + "/json", [{"op": "test", "path": "/metadata/managedFields/0/manager", "value": "one"}], "json").want(422)


@case("managedFields: what deletes, binds or evicts is nobody's write, and loses none")
def _():
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dying", "finalizers": ["t.io/hold"]}, "data": {"a": "1"}}
    o = apply(CM + "/dying", body).want(201).json
    dying = api.delete(CM + "/dying").want(200).json
    eq(dying["metadata"]["managedFields"], o["metadata"]["managedFields"])
    apply(CM + "/dying", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dying"}}).want(200)
    api.get(CM + "/dying").want(404)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"p": "p"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    budgets = "/apis/policy/v1/namespaces/t/poddisruptionbudgets"
    apply(NS + "/pods/p", pod).want(201)
    api.post("/api/v1/nodes", {"metadata": {"name": "n1"}}).want(201)
    bound = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    before = api.get(NS + "/pods/p").json["metadata"]["managedFields"]
    api.post(NS + "/pods/p/binding", bound).want(201)
    eq(api.get(NS + "/pods/p").json["metadata"]["managedFields"], before)
    api.patch(NS + "/pods/p/status", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}).want(200)
    b = apply(budgets + "/b", {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"p": "p"}}}}).want(201).json
    api.post(NS + "/pods/p/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}).want(201)
    after = api.get(budgets + "/b").json
    true(version(after) != version(b), "the eviction has drawn on the budget")
    eq(after["metadata"]["managedFields"], b["metadata"]["managedFields"])
    api.post("/api/v1/namespaces", {"metadata": {"name": "q"}}).want(201)
    quotas = "/api/v1/namespaces/q/resourcequotas"
    q = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "3"}}}
    apply(quotas + "/q", q).want(201)
    q = api.patch(quotas + "/q/status", {"status": {"hard": {"configmaps": "3"}, "used": {"configmaps": "0"}}}).want(200).json
    api.post("/api/v1/namespaces/q/configmaps", configmap("drawn")).want(201)
    after = api.get(quotas + "/q").json
    eq((after["status"]["used"], after["metadata"]["managedFields"]), ({"configmaps": "1"}, q["metadata"]["managedFields"]))


@case("managedFields: a list that a client sends replaces them; none, or a wrong one, keeps them")
def _():
    apply(CM + "/sent", configmap("sent", a="1")).want(201)
    entry = lambda **e: {"manager": "mine", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}, **e}
    o = api.patch(CM + "/sent", {"metadata": {"managedFields": [entry()]}}).want(200).json
    eq(list(entries(o)), [("mine", "Apply", "")])
    for kept in ([], None):
        eq(api.patch(CM + "/sent", {"metadata": {"managedFields": kept}}).want(200).json, o)
    for wrong in (entry(operation="Create"), entry(apiVersion=""), entry(fieldsType="FieldsV2"), entry(fieldsV1={"x": {}})):
        answer = api.patch(CM + "/sent", {"metadata": {"managedFields": [wrong]}}).want(200)
        eq(answer.json, o)
        has(answer.headers["Warning"], "managedFields is left out")
    o = api.post(CM, {**configmap("restored", a="1"), "metadata": {"name": "restored", "managedFields": [entry()]}}, headers={"User-Agent": "restorer/1"}).want(201).json
    eq([e["manager"] for e in o["metadata"]["managedFields"]], ["restorer"])  # who creates owns what he sends


@case("managedFields: in objects, lists, watches and protobuf; not in rows of tables, nor for who leaves them out")
def _():
    o = apply(CM + "/seen", {**configmap("seen", a="1"), "metadata": {"name": "seen", "labels": {"seen": "1"}}}).want(201).json
    fields = o["metadata"]["managedFields"]
    eq(api.get(CM + "/seen").json, o)
    eq([i["metadata"]["managedFields"] for i in api.get(CM + "?labelSelector=seen").json["items"]], [fields])
    listed = api.get(CM + "?limit=1").json
    more = api.get(f"{CM}?limit=500&continue={listed['metadata']['continue']}").json["items"]
    eq([i["metadata"]["managedFields"] for i in more if i["metadata"]["name"] == "seen"], [fields])
    w = api.watch(CM + "?labelSelector=seen&resourceVersion=0")
    eq(w.next()["object"], o)
    o2 = apply(CM + "/seen", {**configmap("seen", a="2"), "metadata": {"name": "seen", "labels": {"seen": "1"}}}).want(200).json
    eq(w.next()["object"], o2)
    api.delete(CM + "/seen").want(200)
    eq(w.next()["object"]["metadata"]["managedFields"], o2["metadata"]["managedFields"])
    w.close()
    apply(CM + "/seen", configmap("seen", a="1")).want(201)
    partial = api.get(CM + "/seen", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io").json
    true("managedFields" in partial["metadata"], "metadata alone has them")
    has(api.get(CM + "/seen", accept="application/vnd.kubernetes.protobuf").body.decode("latin1"), "FieldsV1")
    row = api.get(CM + "/seen", accept="application/json;as=Table;v=v1;g=meta.k8s.io").json["rows"][0]
    true("managedFields" not in row["object"]["metadata"], "rows have none")
    true("managedFields" not in api.get(CM + "/seen", accept="application/json;managedFields=omit").json["metadata"], "left out")


@case("managedFields: outlive a restart, and lie in the store as clients see them")
def _():
    global api
    o = apply(CM + "/stays", configmap("stays", a="1")).want(201).json
    server.stop()
    server.start()
    api = server.admin()
    eq(api.get(CM + "/stays").json, o)
    eq(apply(CM + "/stays", configmap("stays", a="1")).want(200).json, o)
    apply(CM + "/stays", configmap("stays", a="2"), "two").want(409)


@case("versions: entries of autoscaling/v1 and v2 live beside each other")
def _():
    v1, v2 = (f"/apis/autoscaling/{v}/namespaces/t/horizontalpodautoscalers/both" for v in ("v1", "v2"))
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
    o = apply(v1, {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "both"}, "spec": {"maxReplicas": 3, "scaleTargetRef": ref, "targetCPUUtilizationPercentage": 50}}).want(201).json
    eq(o["metadata"]["managedFields"][0]["apiVersion"], "autoscaling/v1")
    s = apply(v2, {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "both"}, "spec": {"maxReplicas": 4, "scaleTargetRef": ref}}, "two").want(409).json
    eq(s["message"], 'Apply failed with 1 conflict: conflict with "one": .spec.maxReplicas')
    o = apply(v2, {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "both"}, "spec": {"maxReplicas": 3, "minReplicas": 2, "scaleTargetRef": ref}}, "two").want(200).json
    eq([e["apiVersion"] for e in o["metadata"]["managedFields"]], ["autoscaling/v1", "autoscaling/v2"])
    eq(api.get(v1).json["spec"]["targetCPUUtilizationPercentage"], 50)


# ---- kubectl ----

MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: t}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - {name: c, image: "nginx:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
"""


def kubectl(*args, **kw):
    return server.kubectl_ok("-n", "t", *args, **kw)


def get(name):
    return json.loads(kubectl("get", "deployment", name, "-o", "json", "--show-managed-fields"))


@case("kubectl: apply --server-side twice, diff, and get with and without managedFields")
def _():
    text = MANIFEST.replace("NAME", "k1")
    has(kubectl("apply", "--server-side", "-f", "-", stdin=text), "serverside-applied")
    first = get("k1")
    kubectl("apply", "--server-side", "-f", "-", stdin=text)
    eq(get("k1"), first)
    eq(server.kubectl("-n", "t", "diff", "--server-side", "-f", "-", stdin=text)[0], 0)
    rc, out, _ = server.kubectl("-n", "t", "diff", "--server-side", "-f", "-", stdin=text.replace("nginx:1", "nginx:2"))
    eq(rc, 1)
    has(out, "+      - image: nginx:2") if "- image" in out else has(out, "nginx:2")
    has(kubectl("get", "deployment", "k1", "-o", "yaml", "--show-managed-fields"), "manager: kubectl\n")
    true("managedFields" not in kubectl("get", "deployment", "k1", "-o", "yaml"), "kubectl hides them by itself")


@case("kubectl: conflicts are explained, --force-conflicts takes over, --field-manager names")
def _():
    text = MANIFEST.replace("NAME", "k2")
    kubectl("apply", "--server-side", "-f", "-", stdin=text)
    rc, _, err = server.kubectl("-n", "t", "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=text.replace("replicas: 2", "replicas: 5"))
    eq(rc, 1)
    has(err, 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas')
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-", stdin=text.replace("replicas: 2", "replicas: 5"))
    o = get("k2")
    eq((o["spec"]["replicas"], sorted(k[0] for k in entries(o))), (5, ["kubectl", "other"]))


@case("kubectl: server-side apply takes over from client-side apply, and what it drops goes")
def _():
    text = MANIFEST.replace("NAME", "k3")
    kubectl("apply", "-f", "-", stdin=text)
    o = get("k3")
    eq(list(entries(o)), [("kubectl-client-side-apply", "Update", "")])
    changed = text.replace("nginx:1", "nginx:2").replace(', {name: B, value: "2"}', "")
    has(kubectl("apply", "--server-side", "-f", "-", stdin=changed), "serverside-applied")
    o = get("k3")
    eq(list(entries(o)), [("kubectl", "Apply", ""), ("kubectl-last-applied", "Apply", "")])  # the latter is kubectl's doing, too
    container = o["spec"]["template"]["spec"]["containers"][0]
    eq((container["image"], container["env"]), ("nginx:2", [{"name": "A", "value": "1"}]))
    has(o["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"], '"image":"nginx:2"')
    kubectl("apply", "-f", "-", stdin=changed)  # and back
    has(kubectl("apply", "-f", "-", stdin=changed), "unchanged")


@case("kubectl: client-side apply, edit, scale, label, annotate, set and rollout are managers of their own")
def _():
    text = MANIFEST.replace("NAME", "k4")
    kubectl("apply", "-f", "-", stdin=text)
    has(kubectl("apply", "-f", "-", stdin=text), "unchanged")
    kubectl("scale", "deployment", "k4", "--replicas=4")
    kubectl("label", "deployment", "k4", "x=y")
    kubectl("annotate", "deployment", "k4", "n=m")
    kubectl("set", "env", "deployment/k4", "E=F")
    kubectl("rollout", "restart", "deployment/k4")
    kubectl("edit", "deployment", "k4", env={"EDITOR": "sed -i s/nginx:1/nginx:9/"})
    o = get("k4")
    managers = {k[0]: k for k in entries(o)}
    for name in ("kubectl-client-side-apply", "kubectl", "kubectl-label", "kubectl-annotate", "kubectl-set", "kubectl-rollout", "kubectl-edit"):
        true(name in managers, f"{name} is none of {sorted(managers)}")
    eq(managers["kubectl"], ("kubectl", "Update", "scale"))
    eq(o["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:9")
    has(kubectl("apply", "-f", "-", stdin=text), "configured")
    o = get("k4")
    eq((o["spec"]["replicas"], o["spec"]["template"]["spec"]["containers"][0]["image"]), (2, "nginx:1"))
    true("x" in o["metadata"]["labels"], "what apply never named stays")


def teardown():
    server.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
