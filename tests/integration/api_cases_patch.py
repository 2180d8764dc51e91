"""JSON patches, merge patches and strategic merge patches, each against the result upstream documents."""

import copy

import api_test as t
from harness import ABSENT, case, contains, eq, has, true

CM = "/api/v1/namespaces/t/configmaps"
DEPLOYMENT = "/apis/apps/v1/namespaces/t/deployments/patched"

BASE = {"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "patched", "labels": {"a": "1", "b": "2"}, "annotations": {"note": "x"}, "finalizers": ["example.com/a", "example.com/b"],
                     "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1"}]},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "p"}},
                 "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                 "template": {"metadata": {"labels": {"app": "p"}}, "spec": {
                     "nodeSelector": {"disk": "ssd", "zone": "1"},
                     "securityContext": {"runAsUser": 1000},
                     "tolerations": [{"key": "a", "operator": "Exists"}],
                     "imagePullSecrets": [{"name": "s1"}],
                     "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["one"]}],
                     "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
                     "initContainers": [{"name": "init", "image": "busybox:1"}],
                     "volumes": [{"name": "v1", "emptyDir": {}}, {"name": "v2", "configMap": {"name": "cm"}}],
                     "containers": [
                         {"name": "web", "image": "nginx:1", "args": ["a", "b"], "ports": [{"containerPort": 80}, {"containerPort": 443}],
                          "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                          "volumeMounts": [{"name": "v1", "mountPath": "/one"}, {"name": "v2", "mountPath": "/two"}]},
                         {"name": "side", "image": "envoy:1"}]}}}}


def pod_spec(patch):
    return {"spec": {"template": {"spec": patch}}}


def named(items, key="name"):
    return [i[key] for i in items]


def strategic(name, patch, check):
    @case("strategic: " + name)
    def _():
        result = t.api.patch(DEPLOYMENT + "?dryRun=All", patch, "strategic").want(200).json
        check(result, result["spec"]["template"]["spec"])


def web(spec):
    return next(c for c in spec["containers"] if c["name"] == "web")


@case("strategic: (the object)")
def _():
    t.api.post(DEPLOYMENT.rsplit("/", 1)[0], copy.deepcopy(BASE)).want(201)


strategic("containers merge by name", pod_spec({"containers": [{"name": "web", "image": "nginx:2"}]}),
          lambda d, s: (eq(named(s["containers"]), ["web", "side"]), contains(web(s), {"image": "nginx:2", "args": ["a", "b"]})))
strategic("a new container comes in front, as kubectl's order hint is absent", pod_spec({"containers": [{"name": "new", "image": "i"}]}),
          lambda d, s: eq(sorted(named(s["containers"])), ["new", "side", "web"]))
strategic("$patch: delete removes one container", pod_spec({"containers": [{"name": "side", "$patch": "delete"}]}),
          lambda d, s: eq(named(s["containers"]), ["web"]))
strategic("$patch: replace replaces the list", pod_spec({"containers": [{"$patch": "replace"}, {"name": "only", "image": "i"}]}),
          lambda d, s: eq(named(s["containers"]), ["only"]))
strategic("env merges by name inside a container", pod_spec({"containers": [{"name": "web", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]}),
          lambda d, s: eq({e["name"]: e["value"] for e in web(s)["env"]}, {"A": "1", "B": "3", "C": "4"}))
strategic("$patch: delete removes one env", pod_spec({"containers": [{"name": "web", "env": [{"name": "A", "$patch": "delete"}]}]}),
          lambda d, s: eq(named(web(s)["env"]), ["B"]))
strategic("a value gives way to valueFrom", pod_spec({"containers": [{"name": "web", "env": [{"name": "A", "value": None, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}]}),
          lambda d, s: contains(web(s)["env"][0], {"name": "A", "value": ABSENT, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}))
strategic("ports merge by containerPort", pod_spec({"containers": [{"name": "web", "ports": [{"containerPort": 443, "name": "https"}]}]}),
          lambda d, s: eq({p["containerPort"]: p.get("name") for p in web(s)["ports"]}, {80: None, 443: "https"}))
strategic("volumeMounts merge by mountPath", pod_spec({"containers": [{"name": "web", "volumeMounts": [{"mountPath": "/two", "name": "v2", "readOnly": True}]}]}),
          lambda d, s: eq({m["mountPath"]: m.get("readOnly", False) for m in web(s)["volumeMounts"]}, {"/one": False, "/two": True}))
strategic("args are replaced", pod_spec({"containers": [{"name": "web", "args": ["c"]}]}), lambda d, s: eq(web(s)["args"], ["c"]))
strategic("tolerations have no key and are replaced", pod_spec({"tolerations": [{"key": "b", "operator": "Exists"}]}),
          lambda d, s: eq(named(s["tolerations"], "key"), ["b"]))
strategic("volumes merge by name", pod_spec({"volumes": [{"name": "v3", "emptyDir": {"medium": "Memory"}}]}),
          lambda d, s: eq(sorted(named(s["volumes"])), ["v1", "v2", "v3"]))
strategic("$retainKeys lets a volume change its source", pod_spec({"volumes": [{"name": "v2", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}),
          lambda d, s: contains(next(v for v in s["volumes"] if v["name"] == "v2"), {"secret": {"secretName": "s"}, "configMap": ABSENT}))
strategic("$retainKeys turns RollingUpdate into Recreate", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
          lambda d, s: eq(d["spec"]["strategy"], {"type": "Recreate"}))
strategic("null removes a label", {"metadata": {"labels": {"a": None}}}, lambda d, s: eq(d["metadata"]["labels"], {"b": "2"}))
strategic("labels merge", {"metadata": {"labels": {"c": "3"}}}, lambda d, s: eq(d["metadata"]["labels"], {"a": "1", "b": "2", "c": "3"}))
strategic("$patch: replace replaces a map", pod_spec({"nodeSelector": {"$patch": "replace", "cpu": "fast"}}), lambda d, s: eq(s["nodeSelector"], {"cpu": "fast"}))
strategic("$patch: delete removes a map", pod_spec({"nodeSelector": {"$patch": "delete"}}), lambda d, s: true(not s.get("nodeSelector"), str(s.get("nodeSelector"))))
strategic("finalizers merge as a set", {"metadata": {"finalizers": ["example.com/c", "example.com/a"]}},
          lambda d, s: eq(sorted(d["metadata"]["finalizers"]), ["example.com/a", "example.com/b", "example.com/c"]))
strategic("$deleteFromPrimitiveList removes a finalizer", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}},
          lambda d, s: eq(d["metadata"]["finalizers"], ["example.com/b"]))
strategic("$setElementOrder orders containers", pod_spec({"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}], "containers": [{"name": "web", "image": "nginx:3"}]}),
          lambda d, s: (eq(named(s["containers"]), ["side", "web"]), eq(web(s)["image"], "nginx:3")))
strategic("$setElementOrder orders finalizers", {"metadata": {"$setElementOrder/finalizers": ["example.com/b", "example.com/a"]}},
          lambda d, s: eq(d["metadata"]["finalizers"], ["example.com/b", "example.com/a"]))
strategic("ownerReferences merge by uid", {"metadata": {"ownerReferences": [{"uid": "u2", "apiVersion": "v1", "kind": "ConfigMap", "name": "o2"}, {"uid": "u1", "controller": True}]}},
          lambda d, s: eq({o["uid"]: o.get("controller") for o in d["metadata"]["ownerReferences"]}, {"u1": True, "u2": None}))
strategic("imagePullSecrets merge by name", pod_spec({"imagePullSecrets": [{"name": "s2"}]}), lambda d, s: eq(sorted(named(s["imagePullSecrets"])), ["s1", "s2"]))
strategic("hostAliases merge by ip", pod_spec({"hostAliases": [{"ip": "2.2.2.2", "hostnames": ["two"]}]}), lambda d, s: eq(sorted(named(s["hostAliases"], "ip")), ["1.1.1.1", "2.2.2.2"]))
strategic("topologySpreadConstraints merge by topologyKey", pod_spec({"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}]}),
          lambda d, s: eq([(c["topologyKey"], c["maxSkew"]) for c in s["topologySpreadConstraints"]], [("zone", 2)]))
strategic("initContainers merge by name", pod_spec({"initContainers": [{"name": "init", "image": "busybox:2"}]}),
          lambda d, s: eq([c["image"] for c in s["initContainers"]], ["busybox:2"]))
strategic("numbers and booleans are replaced", {"spec": {"replicas": 0, "paused": True}}, lambda d, s: contains(d["spec"], {"replicas": 0, "paused": True}))
strategic("null removes a field, the default returns", {"spec": {"revisionHistoryLimit": None}}, lambda d, s: eq(d["spec"]["revisionHistoryLimit"], 10))
strategic("an empty patch changes nothing", {}, lambda d, s: eq(named(s["containers"]), ["web", "side"]))


@case("strategic: service ports merge by port, conditions by type")
def _():
    services = "/api/v1/namespaces/t/services"
    t.api.post(services, {"metadata": {"name": "sp"}, "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}}).want(201)
    ports = t.api.patch(services + "/sp", {"spec": {"ports": [{"port": 81, "targetPort": 8081}]}}, "strategic").want(200).json["spec"]["ports"]
    eq([(p["port"], p["targetPort"]) for p in ports], [(80, 80), (81, 8081)])
    for status in ("True", "False"):
        t.api.patch(DEPLOYMENT + "/status", {"status": {"conditions": [{"type": "Available", "status": status}]}}, "strategic").want(200)
    d = t.api.patch(DEPLOYMENT + "/status", {"status": {"conditions": [{"type": "Progressing", "status": "True"}]}}, "strategic").want(200).json
    eq({c["type"]: c["status"] for c in d["status"]["conditions"]}, {"Available": "False", "Progressing": "True"})


@case("strategic: a list item without its merge key, and an unknown directive, are refused")
def _():
    true(t.api.patch(DEPLOYMENT, pod_spec({"containers": [{"image": "x"}]}), "strategic").status in (400, 422), "taken without the key")
    true(t.api.patch(DEPLOYMENT, pod_spec({"containers": [{"name": "web", "$patch": "sideways"}]}), "strategic").status in (400, 422), "odd directive taken")
    has(t.api.get(DEPLOYMENT).json["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:1")


def json_patch(name, ops, want):
    @case("json patch: " + name)
    def _():
        t.api.delete(CM + "/jp")
        t.api.post(CM, {"metadata": {"name": "jp", "labels": {"x/y": "1"}, "finalizers": []}, "data": {"a": "1", "b": "2"}}).want(201)
        answer = t.api.patch(CM + "/jp", ops, "json")
        if isinstance(want, int):
            answer.want(want)
        else:
            contains(answer.want(200).json, want)


json_patch("add, replace, remove", [{"op": "add", "path": "/data/c", "value": "3"}, {"op": "replace", "path": "/data/a", "value": "9"}, {"op": "remove", "path": "/data/b"}],
           {"data": {"a": "9", "b": ABSENT, "c": "3"}})
json_patch("move and copy", [{"op": "move", "from": "/data/a", "path": "/data/z"}, {"op": "copy", "from": "/data/b", "path": "/data/y"}],
           {"data": {"a": ABSENT, "z": "1", "b": "2", "y": "2"}})
json_patch("test passes", [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/t", "value": "ok"}], {"data": {"t": "ok"}})
json_patch("test fails with 422", [{"op": "test", "path": "/data/a", "value": "2"}], 422)
json_patch("~1 stands for a slash", [{"op": "replace", "path": "/metadata/labels/x~1y", "value": "2"}], {"metadata": {"labels": {"x/y": "2"}}})
json_patch("removing what is not there fails", [{"op": "remove", "path": "/data/none"}], 422)
json_patch("an unknown operation fails", [{"op": "juggle", "path": "/data/a"}], 422)
json_patch("a patch that is not a list is a bad request", {"op": "add"}, 400)
json_patch("a wrong type in the result is refused", [{"op": "replace", "path": "/data", "value": [1]}], 400)


@case("json patch: at the end of a list")
def _():
    ops = [{"op": "add", "path": "/spec/template/spec/tolerations/-", "value": {"key": "z", "operator": "Exists"}},
           {"op": "add", "path": "/spec/template/spec/tolerations/0", "value": {"key": "first", "operator": "Exists"}}]
    d = t.api.patch(DEPLOYMENT + "?dryRun=All", ops, "json").want(200).json
    eq(named(d["spec"]["template"]["spec"]["tolerations"], "key"), ["first", "a", "z"])


@case("merge patch: maps merge, null removes, lists are replaced")
def _():
    d = t.api.patch(DEPLOYMENT + "?dryRun=All", {"metadata": {"labels": {"a": None, "c": "3"}}, "spec": {"template": {"spec": {"hostAliases": [{"ip": "3.3.3.3"}]}}}}, "merge").want(200).json
    eq(d["metadata"]["labels"], {"b": "2", "c": "3"})
    eq(named(d["spec"]["template"]["spec"]["hostAliases"], "ip"), ["3.3.3.3"])
    t.api.patch(DEPLOYMENT, [1], "merge").want(400)


@case("patch: conflicts only when a version is named")
def _():
    t.api.patch(CM + "/jp", {"metadata": {"resourceVersion": "1"}, "data": {"q": "1"}}).want(409, "Conflict")
    t.api.patch(CM + "/jp", {"data": {"q": "1"}}).want(200)


@case("patch: immutable identity, unknown fields, missing objects")
def _():
    true(t.api.patch(CM + "/jp", {"metadata": {"name": "other"}}).status in (400, 422), "the name changed")
    uid = t.api.get(CM + "/jp").json["metadata"]["uid"]
    answer = t.api.patch(CM + "/jp", {"metadata": {"uid": "x"}})
    true(answer.status in (409, 422), f"uid: {answer.status}")
    eq(t.api.get(CM + "/jp").json["metadata"]["uid"], uid)
    t.api.patch(CM + "/jp?fieldValidation=Strict", {"dota": {}}).want(400)
    t.api.patch(CM + "/none", {"data": {}}).want(404, "NotFound")


@case("patch: unknown types are told which there are")
def _():
    t.api.request("PATCH", CM + "/jp", "{}", type="application/json").want(415, "UnsupportedMediaType")


@case("patch: a JSON patch that does not fit is told with name and cause, by kubectl too")
def _():
    t.api.post(CM, {"metadata": {"name": "jp-fail"}, "data": {"a": "b"}}).want(201)
    refused = t.api.patch(CM + "/jp-fail", [{"op": "remove", "path": "/data/zz"}], "json").want(422, "Invalid").json
    eq((refused["details"]["name"], refused["details"]["kind"]), ("jp-fail", "ConfigMap"))
    has(refused["details"]["causes"][0]["message"], 'path "/data/zz" does not exist')
    rc, _, err = t.server.kubectl("-n", "t", "patch", "configmap", "jp-fail", "--type=json", "-p", '[{"op":"test","path":"/data/a","value":"x"}]')
    eq(rc, 1)
    has(err, 'The ConfigMap "jp-fail" is invalid: body: ')
