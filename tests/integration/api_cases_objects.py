"""Creation, reading, lists, updates, deletion, subresources."""

import api_test as t
from harness import ABSENT, case, contains, eq, has, true

CM = "/api/v1/namespaces/t/configmaps"
PODS = "/api/v1/namespaces/t/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/t/deployments"


def configmap(name, labels=None, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data or {"k": "v"}}


def pod(name, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "nginx"}], **spec}}


def deployment(name, replicas=1):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}}}


def names(answer):
    return [i["metadata"]["name"] for i in answer.want(200).json["items"]]


@case("create: 201 with uid, time and version; get gives the same")
def _():
    made = t.api.post(CM, configmap("first")).want(201).json
    for key in ("uid", "creationTimestamp", "resourceVersion"):
        true(made["metadata"].get(key), f"no {key}")
    eq(t.api.get(CM + "/first").want(200).json, made)


@case("create: the same name again is 409 AlreadyExists with details")
def _():
    status = t.api.post(CM, configmap("first")).want(409, "AlreadyExists").json
    contains(status, {"status": "Failure", "message": 'configmaps "first" already exists', "details": {"name": "first", "kind": "configmaps"}})


@case("get: what is missing is 404 NotFound with details")
def _():
    status = t.api.get(CM + "/missing").want(404, "NotFound").json
    contains(status, {"message": 'configmaps "missing" not found', "details": {"name": "missing", "kind": "configmaps"}})


@case("create: into a namespace that does not exist is 404")
def _():
    t.api.post("/api/v1/namespaces/nowhere/configmaps", configmap("x")).want(404, "NotFound")


@case("create: the namespace in the body must be that of the path")
def _():
    body = configmap("x")
    body["metadata"]["namespace"] = "other"
    has(t.api.post(CM, body).want(400, "BadRequest").json["message"], "does not match")


@case("create: generateName gives a fresh name each time")
def _():
    body = {"metadata": {"generateName": "gen-"}}
    made = {t.api.post(CM, body).want(201).json["metadata"]["name"] for _ in range(20)}
    eq(len(made), 20)
    true(all(len(n) == 9 and n.startswith("gen-") for n in made), str(made))


@case("create: a name is required and must be a DNS name")
def _():
    t.api.post(CM, {"metadata": {}}).want(422, "Invalid")
    status = t.api.post(CM, configmap("Not_A_Name")).want(422, "Invalid").json
    true(any(c["field"] == "metadata.name" for c in status["details"]["causes"]), str(status))


@case("dry run: create, patch and delete leave no trace")
def _():
    t.api.post(CM + "?dryRun=All", configmap("dry")).want(201)
    t.api.get(CM + "/dry").want(404)
    before = t.api.get(CM + "/first").json
    eq(t.api.patch(CM + "/first?dryRun=All", {"data": {"k": "other"}}).want(200).json["data"]["k"], "other")
    t.api.delete(CM + "/first?dryRun=All").want(200)
    eq(t.api.get(CM + "/first").json, before)
    true(t.api.post(CM + "?dryRun=Some", configmap("dry")).status in (400, 422), "dryRun=Some is taken")


@case("field validation: Strict refuses, Warn warns, Ignore is silent")
def _():
    body = dict(configmap("fv"), nonsense=1)
    status = t.api.post(CM + "?fieldValidation=Strict", body).want(400, "BadRequest").json
    has(status["message"], 'unknown field "nonsense"')
    warned = t.api.post(CM + "?fieldValidation=Warn&dryRun=All", body).want(201)
    has(warned.headers.get("Warning", ""), 'unknown field \\"nonsense\\"')
    eq(t.api.post(CM + "?fieldValidation=Ignore&dryRun=All", body).want(201).headers.get("Warning"), None)
    true(t.api.post(CM + "?fieldValidation=Odd", body).status in (400, 422), "fieldValidation=Odd is taken")


@case("field validation: duplicate fields are named")
def _():
    text = '{"metadata":{"name":"dup"},"data":{"a":"1","a":"2"}}'
    has(t.api.post(CM + "?fieldValidation=Strict", text).want(400, "BadRequest").json["message"], "duplicate field")


@case("list: label selectors")
def _():
    for name, labels in (("l1", {"env": "a", "tier": "x"}), ("l2", {"env": "b", "tier": "x"}), ("l3", {"tier": "y"})):
        t.api.post(CM, configmap(name, labels)).want(201)
    for selector, want in (("env=a", ["l1"]), ("env==b", ["l2"]), ("env!=a,tier", ["l2", "l3"]), ("env in (a,b)", ["l1", "l2"]),
                           ("env notin (a),tier", ["l2", "l3"]), ("!env,tier", ["l3"]), ("tier=x,env=b", ["l2"]), ("env", ["l1", "l2"])):
        eq(names(t.api.get(f"{CM}?labelSelector={selector.replace(' ', '%20')}")), want, selector)
    t.api.get(CM + "?labelSelector=a%20in%20b").want(400, "BadRequest")


@case("list: field selectors")
def _():
    eq(names(t.api.get(CM + "?fieldSelector=metadata.name=l2")), ["l2"])
    true("l2" not in names(t.api.get(CM + "?fieldSelector=metadata.name!=l2")), "!= does not exclude")
    eq(names(t.api.get("/api/v1/configmaps?fieldSelector=metadata.namespace=t,metadata.name=l1")), ["l1"])
    t.api.get(CM + "?fieldSelector=spec.nodeName=a").want(400, "BadRequest")


@case("list: pods by node and phase")
def _():
    t.api.post(PODS, pod("unbound")).want(201)
    t.api.post(PODS, pod("bound", nodeName="n1")).want(201)
    eq(names(t.api.get(PODS + "?fieldSelector=spec.nodeName=n1")), ["bound"])
    eq(names(t.api.get(PODS + "?fieldSelector=spec.nodeName=")), ["unbound"])
    eq(names(t.api.get(PODS + "?fieldSelector=status.phase=Pending,spec.nodeName!=n1")), ["unbound"])


@case("list: pages are one snapshot, whatever is written between them")
def _():
    ns = t.new_namespace("pages") + "/configmaps"
    for i in range(25):
        t.api.post(ns, configmap(f"p{i:02}")).want(201)
    first = t.api.get(ns + "?limit=10").json
    eq(first["metadata"]["remainingItemCount"], 15)
    t.api.post(ns, configmap("p10a")).want(201)
    t.api.delete(ns + "/p24").want(200)
    second = t.api.get(f"{ns}?limit=10&continue={first['metadata']['continue']}").want(200).json
    third = t.api.get(f"{ns}?limit=10&continue={second['metadata']['continue']}").want(200).json
    eq([i["metadata"]["name"] for page in (first, second, third) for i in page["items"]], [f"p{i:02}" for i in range(25)])
    true("continue" not in third["metadata"], "the last page has a token")
    eq({page["metadata"]["resourceVersion"] for page in (first, second, third)}, {first["metadata"]["resourceVersion"]})


@case("list: exact, not older, too new and bad versions")
def _():
    before = t.api.get(CM).json["metadata"]["resourceVersion"]
    t.api.post(CM, configmap("later")).want(201)
    true("later" not in names(t.api.get(f"{CM}?resourceVersion={before}&resourceVersionMatch=Exact")), "Exact shows a later object")
    true("later" in names(t.api.get(f"{CM}?resourceVersion={before}&resourceVersionMatch=NotOlderThan")), "NotOlderThan lacks it")
    true("later" in names(t.api.get(f"{CM}?resourceVersion=0")), "0 lacks it")
    details = t.api.get(f"{CM}?resourceVersion=999999999").want(504, "Timeout").json["details"]
    eq((details["causes"][0]["reason"], details["retryAfterSeconds"]), ("ResourceVersionTooLarge", 1))
    t.api.get(f"{CM}?resourceVersion=abc").want(400)
    t.api.get(f"{CM}?resourceVersionMatch=Exact").want(400)
    t.api.get(f"{CM}?limit=-1").want(400)
    t.api.get(f"{CM}?limit=5&continue=nonsense").want(400)


@case("update: a stale version is 409 Conflict, none is taken, the name must fit")
def _():
    old = t.api.post(CM, configmap("up")).want(201).json
    new = t.api.put(CM + "/up", dict(old, data={"k": "2"})).want(200).json
    true(new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"], "version did not change")
    has(t.api.put(CM + "/up", dict(old, data={"k": "3"})).want(409, "Conflict").json["message"], "the object has been modified")
    t.api.put(CM + "/up", configmap("up", None, k="4")).want(200)
    t.api.put(CM + "/up", configmap("other")).want(400, "BadRequest")
    t.api.put(CM + "/absent", configmap("absent")).want(404, "NotFound")


@case("update: another uid is 409, nothing changed writes nothing")
def _():
    now = t.api.get(CM + "/up").json
    wrong = dict(now, metadata=dict(now["metadata"], uid="00000000-0000-0000-0000-000000000000"))
    wrong["metadata"].pop("resourceVersion")
    t.api.put(CM + "/up", wrong).want(409)
    eq(t.api.put(CM + "/up", now).want(200).json["metadata"]["resourceVersion"], now["metadata"]["resourceVersion"])


@case("update: an immutable ConfigMap keeps its data")
def _():
    made = t.api.post(CM, dict(configmap("fixed"), immutable=True)).want(201).json
    t.api.put(CM + "/fixed", dict(made, data={"k": "2"})).want(422, "Invalid")
    t.api.patch(CM + "/fixed", {"immutable": False}).want(422, "Invalid")


@case("generation: the spec raises it, status and labels do not")
def _():
    d = t.api.post(DEPLOYMENTS, deployment("gen")).want(201).json
    eq(d["metadata"]["generation"], 1)
    eq(t.api.patch(DEPLOYMENTS + "/gen", {"metadata": {"labels": {"a": "b"}}}).json["metadata"]["generation"], 1)
    eq(t.api.patch(DEPLOYMENTS + "/gen", {"spec": {"replicas": 3}}).json["metadata"]["generation"], 2)
    eq(t.api.patch(DEPLOYMENTS + "/gen/status", {"status": {"replicas": 3}}).want(200).json["metadata"]["generation"], 2)


@case("status: its own subresource; neither touches the other half")
def _():
    d = t.api.get(DEPLOYMENTS + "/gen").json
    d["spec"]["replicas"], d["status"] = 9, {"replicas": 7, "readyReplicas": 7}
    after = t.api.put(DEPLOYMENTS + "/gen/status", d).want(200).json
    contains(after, {"spec": {"replicas": 3}, "status": {"replicas": 7}})
    after["spec"]["replicas"], after["status"] = 4, {"replicas": 1}
    contains(t.api.put(DEPLOYMENTS + "/gen", after).want(200).json, {"spec": {"replicas": 4}, "status": {"replicas": 7}})


@case("scale: read, written and patched")
def _():
    scale = t.api.get(DEPLOYMENTS + "/gen/scale").want(200).json
    contains(scale, {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 4}, "status": {"selector": "app=gen", "replicas": 7}})
    scale["spec"]["replicas"] = 6
    eq(t.api.put(DEPLOYMENTS + "/gen/scale", scale).want(200).json["spec"]["replicas"], 6)
    eq(t.api.patch(DEPLOYMENTS + "/gen/scale", {"spec": {"replicas": 2}}).want(200).json["spec"]["replicas"], 2)
    eq(t.api.get(DEPLOYMENTS + "/gen").json["spec"]["replicas"], 2)
    t.api.put(DEPLOYMENTS + "/gen/scale", dict(scale, spec={"replicas": -1}, metadata={"name": "gen", "namespace": "t"})).want(422, "Invalid")


@case("defaults: a deployment and a pod are filled in as upstream does")
def _():
    contains(t.api.get(DEPLOYMENTS + "/gen").json["spec"], {"revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
             "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}})
    contains(t.api.get(PODS + "/unbound").json, {"spec": {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
             "terminationGracePeriodSeconds": 30, "serviceAccountName": "default", "enableServiceLinks": True, "securityContext": {}},
             "status": {"phase": "Pending", "qosClass": "BestEffort"}})
    contains(t.api.get(PODS + "/unbound").json["spec"]["containers"][0], {"imagePullPolicy": "Always", "terminationMessagePath": "/dev/termination-log"})


@case("validation: pods are checked with fields named")
def _():
    for change, field in (({"containers": []}, "spec.containers"), ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
                          ({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]}, "spec.containers[1].name"),
                          ({"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "no", "mountPath": "/x"}]}]}, "spec.containers[0].volumeMounts[0].name")):
        body = pod("bad")
        body["spec"].update(change)
        causes = t.api.post(PODS, body).want(422, "Invalid").json["details"]["causes"]
        true(any(c["field"] == field for c in causes), f"{field} not in {causes}")


@case("binding: sets the node once")
def _():
    bind = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "unbound"}, "target": {"kind": "Node", "name": "n2"}}
    other = t.api.post(PODS + "/unbound/binding", {**bind, "target": {"kind": "Pod", "name": "n2"}}).want(422, "Invalid").json
    has(other["message"], 'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"')
    t.api.post(PODS + "/unbound/binding", bind).want(201)
    after = t.api.get(PODS + "/unbound").json
    eq(after["spec"]["nodeName"], "n2")
    true(any(c["type"] == "PodScheduled" and c["status"] == "True" for c in after["status"]["conditions"]), "no PodScheduled condition")
    t.api.post(PODS + "/unbound/binding", bind).want(409, "Conflict")
    t.api.post(PODS + "/missing/binding", bind).want(404)


@case("update: a pod's spec may not change, its image may")
def _():
    p = t.api.get(PODS + "/unbound").json
    p["spec"]["containers"][0]["image"] = "nginx:2"
    p = t.api.put(PODS + "/unbound", p).want(200).json
    p["spec"]["hostNetwork"] = True
    t.api.put(PODS + "/unbound", p).want(422, "Invalid")


@case("core: what the server owns of it, and what stays over a patch")
def _():
    space = t.api.post("/api/v1/namespaces", {"metadata": {"name": "ended"}, "spec": {"finalizers": ["a.b/c"]}}).want(201).json
    eq(space["spec"]["finalizers"], ["a.b/c", "kubernetes"])
    wrong = t.api.patch("/api/v1/namespaces/ended/status", {"status": {"phase": "Terminating"}}).want(422, "Invalid").json
    has(wrong["message"], "status.Phase: Invalid value: \"Terminating\": may only be 'Active'")
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    source = {"kind": "PersistentVolumeClaim", "name": "from"}
    claim = t.api.post(claims, {"metadata": {"name": "filled"}, "spec": {**spec, "dataSource": source}}).want(201).json
    eq(claim["spec"]["dataSourceRef"], claim["spec"]["dataSource"])
    eq(claim["spec"]["dataSourceRef"]["name"], "from")
    t.api.put(claims + "/filled", claim).want(200)
    larger = t.api.patch(claims + "/filled", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    has(larger.want(422, "Invalid").json["message"], "spec is immutable after creation except resources.requests")
    t.api.delete(claims + "/filled").want(200)


@case("services: addresses and node ports are given out once, and kept")
def _():
    services = "/api/v1/namespaces/t/services"
    body = {"metadata": {"name": "s1"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    made = t.api.post(services, body).want(201).json
    true(made["spec"]["clusterIP"].startswith("10.43."), str(made["spec"]))
    port = made["spec"]["ports"][0]["nodePort"]
    true(30000 <= port <= 32767, str(port))
    same = {"metadata": {"name": "s2"}, "spec": {"clusterIP": made["spec"]["clusterIP"], "ports": [{"port": 80}]}}
    t.api.post(services, same).want(422, "Invalid")
    t.api.post(services, {"metadata": {"name": "s3"}, "spec": {"clusterIP": "10.43.77.7", "ports": [{"port": 0}]}}).want(422, "Invalid")
    t.api.post(services + "?dryRun=All", {"metadata": {"name": "s3"}, "spec": {"clusterIP": "10.43.77.7", "ports": [{"port": 80}]}}).want(201)
    t.api.post(services, {"metadata": {"name": "s3"}, "spec": {"clusterIP": "10.43.77.7", "ports": [{"port": 80}]}}).want(201)
    t.api.delete(services + "/s1").want(200)
    t.api.post(services, same).want(201)


@case("delete: answers Success with details, then 404")
def _():
    uid = t.api.get(CM + "/up").json["metadata"]["uid"]
    contains(t.api.delete(CM + "/up").want(200).json, {"kind": "Status", "status": "Success", "details": {"name": "up", "uid": uid}})
    t.api.delete(CM + "/up").want(404, "NotFound")


@case("delete: preconditions on uid and version")
def _():
    made = t.api.post(CM, configmap("pre")).want(201).json
    t.api.delete(CM + "/pre", {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}).want(409, "Conflict")
    t.api.delete(CM + "/pre", {"preconditions": {"resourceVersion": "1"}}).want(409, "Conflict")
    t.api.delete(CM + "/pre", {"preconditions": {"uid": made["metadata"]["uid"]}}).want(200)


@case("delete: a bound pod gets its grace, zero ends it")
def _():
    gone = t.api.delete(PODS + "/bound").want(200).json
    contains(gone["metadata"], {"deletionGracePeriodSeconds": 30})
    true(gone["metadata"]["deletionTimestamp"], "no deletionTimestamp")
    contains(t.api.delete(PODS + "/bound", {"gracePeriodSeconds": 5}).want(200).json["metadata"], {"deletionGracePeriodSeconds": 5})
    t.api.delete(PODS + "/bound?gracePeriodSeconds=0").want(200)
    t.api.get(PODS + "/bound").want(404)


@case("delete: a pod without a node goes at once")
def _():
    t.api.post(PODS, pod("free")).want(201)
    t.api.delete(PODS + "/free").want(200)
    t.api.get(PODS + "/free").want(404)


@case("finalizers: hold an object until the last is removed")
def _():
    body = configmap("held")
    body["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    t.api.post(CM, body).want(201)
    true(t.api.delete(CM + "/held").want(200).json["metadata"]["deletionTimestamp"], "no deletionTimestamp")
    t.api.patch(CM + "/held", {"metadata": {"finalizers": ["example.com/a", "example.com/b", "example.com/c"]}}).want(422, "Invalid")
    t.api.patch(CM + "/held", {"metadata": {"finalizers": ["example.com/b"]}}).want(200)
    t.api.get(CM + "/held").want(200)
    t.api.patch(CM + "/held", {"metadata": {"finalizers": None}}).want(200)
    t.api.get(CM + "/held").want(404)


@case("delete: propagation becomes a finalizer, a bad one is refused")
def _():
    for policy, finalizer in (("Orphan", "orphan"), ("Foreground", "foregroundDeletion")):
        name = "prop-" + policy.lower()
        t.api.post(DEPLOYMENTS, deployment(name)).want(201)
        t.api.delete(f"{DEPLOYMENTS}/{name}?propagationPolicy={policy}").want(200)
        eq(t.api.get(f"{DEPLOYMENTS}/{name}").json["metadata"]["finalizers"], [finalizer], policy)
    t.api.post(DEPLOYMENTS, deployment("prop")).want(201)
    t.api.delete(DEPLOYMENTS + "/prop?propagationPolicy=Sideways").want(422, "Invalid")
    t.api.delete(DEPLOYMENTS + "/prop", {"propagationPolicy": "Orphan", "orphanDependents": True}).want(422, "Invalid")
    t.api.delete(DEPLOYMENTS + "/prop", {"kind": "Deployment", "apiVersion": "apps/v1"}).want(400, "BadRequest")
    t.api.delete(DEPLOYMENTS + "/prop?propagationPolicy=Background").want(200)
    t.api.get(DEPLOYMENTS + "/prop").want(404)


@case("deletecollection: by selector, and all; the answer is the list of what went")
def _():
    ns = t.new_namespace("dc") + "/configmaps"
    for i in range(12):
        t.api.post(ns, configmap(f"d{i:02}", {"half": str(i % 2)})).want(201)
    there = t.api.get(ns + "?labelSelector=half=1").json
    gone = t.api.delete(ns + "?labelSelector=half=1&dryRun=All").want(200).json
    eq((gone["kind"], gone["apiVersion"], gone["items"]), ("ConfigMapList", "v1", there["items"]))
    eq(t.api.delete(ns + "?labelSelector=half=1").want(200).json["items"], there["items"])
    eq(len(names(t.api.get(ns))), 6)
    page = t.api.delete(ns + "?limit=2").want(200).json
    eq(([i["metadata"]["name"] for i in page["items"]], page["metadata"]["remainingItemCount"]), (["d00", "d02"], 4))
    eq(len(names(t.api.get(ns))), 4)
    rest = t.api.delete(f"{ns}?limit=3&continue={page['metadata']['continue']}").want(200).json
    eq([i["metadata"]["name"] for i in rest["items"]], ["d04", "d06", "d08"])
    t.api.delete(ns + "?limit=none").want(400, "BadRequest")
    eq(names(t.api.delete(ns, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").want(200)), ["d10"])
    eq(t.api.delete(ns).want(200).json["items"], [])
    eq(names(t.api.get(ns)), [])


@case("deletecollection: each object goes as it would by itself")
def _():
    ns = t.new_namespace("dc-each") + "/configmaps"
    for name, finalizers in (("free", []), ("held", ["example.com/x"])):
        t.api.post(ns, {"metadata": {"name": name, "finalizers": finalizers}}).want(201)
    gone = t.api.delete(ns + "?propagationPolicy=Foreground").want(200).json["items"]
    eq([(i["metadata"]["name"], i["metadata"].get("deletionTimestamp")) for i in gone], [("free", None), ("held", None)])
    left = {i["metadata"]["name"]: i["metadata"]["finalizers"] for i in t.api.get(ns).json["items"]}
    eq(left, {"free": ["foregroundDeletion"], "held": ["example.com/x", "foregroundDeletion"]})


@case("create: a version is the store's to give")
def _():
    said = "resourceVersion should not be set on objects to be created"
    for path, body in (("/api/v1/namespaces/t/configmaps", configmap("versioned")), (DEPLOYMENTS, deployment("versioned"))):
        body["metadata"]["resourceVersion"] = "12"
        eq(t.api.post(path, body).want(400, "BadRequest").json["message"], said)
        body["metadata"]["resourceVersion"] = "0"
        made = t.api.post(path, body).want(201).json
        true(made["metadata"]["resourceVersion"] not in ("0", "12"), "its own")
        eq(t.api.post(path, made).want(400, "BadRequest").json["message"], said)
        t.api.delete(f"{path}/versioned").want(200)


@case("namespaces: terminate, refuse new content, go when finalized")
def _():
    t.new_namespace("dying")
    eq(t.api.delete("/api/v1/namespaces/dying").want(200).json["status"]["phase"], "Terminating")
    t.api.post("/api/v1/namespaces/dying/configmaps", configmap("x")).want(403, "Forbidden")
    ns = t.api.get("/api/v1/namespaces/dying").json
    ns["spec"]["finalizers"] = []
    t.api.put("/api/v1/namespaces/dying/finalize", ns).want(200)
    t.api.get("/api/v1/namespaces/dying").want(404)


@case("eviction: a pod goes by its subresource")
def _():
    t.api.post(PODS, pod("evicted")).want(201)
    t.api.post(PODS + "/evicted/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "evicted"}}).want(201)
    t.api.get(PODS + "/evicted").want(404)


@case("secrets: stringData becomes data")
def _():
    made = t.api.post("/api/v1/namespaces/t/secrets", {"metadata": {"name": "sec"}, "stringData": {"a": "hello"}}).want(201).json
    contains(made, {"data": {"a": "aGVsbG8="}, "type": "Opaque", "stringData": ABSENT})
    t.api.post("/api/v1/namespaces/t/secrets", {"metadata": {"name": "sec2"}, "data": {"a": "not base64!"}}).want(400)


@case("tokens: a service account's works and is itself")
def _():
    made = t.api.post("/api/v1/namespaces/t/serviceaccounts/default/token", {"spec": {"expirationSeconds": 3600}}).want(201).json
    token = made["status"]["token"]
    eq(token.count("."), 2)
    me = t.server.anonymous().post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers={"Authorization": "Bearer " + token}).want(201).json
    eq(me["status"]["userInfo"]["username"], "system:serviceaccount:t:default")
    review = t.api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}}).want(201).json
    eq(review["status"]["authenticated"], True)
    review = t.api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token[:-4] + "AAAA"}}).want(201).json
    true(not review["status"].get("authenticated"), "a forged token is taken")


@case("pods: labels that terms of affinity name by key become a part of their selectors")
def _():
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "a"}}, "matchLabelKeys": ["hash", "none"], "mismatchLabelKeys": ["tenant"]}
    body = pod("keyed", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
                                  "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": term}]}})
    body["metadata"]["labels"] = {"hash": "x1", "tenant": "t"}
    made = t.api.post(PODS, body).want(201).json["spec"]["affinity"]
    want = [{"key": "hash", "operator": "In", "values": ["x1"]}, {"key": "tenant", "operator": "NotIn", "values": ["t"]}]
    eq(made["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]["matchExpressions"], want)
    eq(made["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]["labelSelector"]["matchExpressions"], want)
    t.api.delete(PODS + "/keyed").want(200)
