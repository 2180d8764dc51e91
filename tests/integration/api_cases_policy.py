"""Policies of a namespace: LimitRange, ResourceQuota, PodSecurity."""

import threading

import api_test as t
from harness import case, contains, eq, has, true


def namespace(name, labels=None):
    t.api.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels or {}}}).want(201)
    t.api.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    return f"/api/v1/namespaces/{name}"


def pod(name, requests=None, limits=None, **spec):
    container = {"name": "c", "image": "nginx"}
    if requests or limits:
        container["resources"] = {k: v for k, v in (("requests", requests), ("limits", limits)) if v}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def limit_range(name, *limits):
    return {"metadata": {"name": name}, "spec": {"limits": list(limits)}}


def warnings(answer):
    return "\n".join(answer.headers.get_all("Warning") or [])


def forbidden(answer):
    return answer.want(403, "Forbidden").json["message"]


@case("limit range: what is absent is filled in, and said in an annotation")
def _():
    ns = namespace("lr")
    made = t.api.post(ns + "/limitranges", limit_range("defaults", {
        "type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "100m"}, "default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "200m"}})).want(201).json
    contains(made["spec"]["limits"][0], {"default": {"cpu": "2", "memory": "256Mi"}, "defaultRequest": {"cpu": "200m", "memory": "256Mi"}})
    got = t.api.post(ns + "/pods", pod("filled")).want(201).json
    eq(got["spec"]["containers"][0]["resources"], {"requests": {"cpu": "200m", "memory": "256Mi"}, "limits": {"memory": "256Mi", "cpu": "2"}})
    eq(got["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
       "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c")
    got = t.api.post(ns + "/pods", pod("own", requests={"cpu": "300m", "memory": "1Mi"}, limits={"cpu": "1", "memory": "1Mi"})).want(201).json
    true("kubernetes.io/limit-ranger" not in got["metadata"].get("annotations", {}), "annotated without need")


@case("limit range: too little, too much and too wide are refused, all at once")
def _():
    ns = namespace("lr-bounds")
    t.api.post(ns + "/limitranges", limit_range("bounds", {
        "type": "Container", "max": {"cpu": "2", "memory": "1Gi"}, "min": {"cpu": "100m"}, "maxLimitRequestRatio": {"cpu": "4"}})).want(201)
    eq(forbidden(t.api.post(ns + "/pods", pod("low", requests={"cpu": "50m"}, limits={"cpu": "150m"}))),
       'pods "low" is forbidden: minimum cpu usage per Container is 100m, but request is 50m')
    eq(forbidden(t.api.post(ns + "/pods", pod("high", requests={"cpu": "1"}, limits={"cpu": "3", "memory": "2Gi"}))),
       'pods "high" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, maximum memory usage per Container is 1Gi, but limit is 2Gi]')
    eq(forbidden(t.api.post(ns + "/pods", pod("wide", requests={"cpu": "200m"}, limits={"cpu": "1"}))),
       'pods "wide" is forbidden: cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000')
    t.api.post(ns + "/pods", pod("fits", requests={"cpu": "500m"}, limits={"cpu": "2"})).want(201)


@case("limit range: a pod as a whole, and claims")
def _():
    ns = namespace("lr-pod")
    t.api.post(ns + "/limitranges", limit_range("pod", {"type": "Pod", "max": {"cpu": "1"}}, {
        "type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}})).want(201)
    body = pod("two", limits={"cpu": "600m"})
    body["spec"]["containers"].append(dict(body["spec"]["containers"][0], name="d"))
    eq(forbidden(t.api.post(ns + "/pods", body)), 'pods "two" is forbidden: maximum cpu usage per Pod is 1, but limit is 1200m')
    has(forbidden(t.api.post(ns + "/pods", pod("none"))), "maximum cpu usage per Pod is 1.  No limit is specified")

    def claim(name, size):
        return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}}
    eq(forbidden(t.api.post(ns + "/persistentvolumeclaims", claim("small", "1Mi"))),
       'persistentvolumeclaims "small" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi')
    has(forbidden(t.api.post(ns + "/persistentvolumeclaims", claim("large", "6Gi"))), "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi")
    t.api.post(ns + "/persistentvolumeclaims", claim("fine", "2Gi")).want(201)


@case("limit range: one that contradicts itself is invalid")
def _():
    ns = namespace("lr-invalid")

    def causes(*limits):
        return [(c["field"], c["message"]) for c in t.api.post(ns + "/limitranges", limit_range("x", *limits)).want(422, "Invalid").json["details"]["causes"]]
    has(str(causes({"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}})), "min value 2 is greater than max value 1")
    has(str(causes({"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "3"}})), "default request value 3 is greater than default limit value 2")
    has(str(causes({"type": "Pod", "default": {"cpu": "2"}})), "may not be specified when `type` is 'Pod'")
    has(str(causes({"type": "Pod", "max": {"cpu": "2"}}, {"type": "Pod"})), "Duplicate value")
    has(str(causes({"type": "PersistentVolumeClaim"})), "either minimum or maximum storage value is required")
    has(str(causes({"type": "Odd"})), "must be a standard limit type or fully qualified")
    has(str(causes({"type": "Container", "maxLimitRequestRatio": {"cpu": "500m"}})), "ratio 500m is less than 1")


def secure(name, **more):
    body = pod(name)
    body["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    body["spec"]["containers"][0]["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    body["spec"].update(more)
    return body


@case("pod security: baseline refuses what reaches the host, and says all of it")
def _():
    ns = namespace("ps-baseline", {"pod-security.kubernetes.io/enforce": "baseline"})
    t.api.post(ns + "/pods", pod("plain")).want(201)
    body = pod("bad", hostNetwork=True, hostPID=True, volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    body["spec"]["containers"][0].update(securityContext={"privileged": True, "capabilities": {"add": ["SYS_ADMIN", "CHOWN", "NET_ADMIN"]}},
                                         ports=[{"containerPort": 80, "hostPort": 80}])
    eq(forbidden(t.api.post(ns + "/pods", body)),
       'pods "bad" is forbidden: violates PodSecurity "baseline:latest": '
       'non-default capabilities (container "c" must not include "NET_ADMIN", "SYS_ADMIN" in securityContext.capabilities.add), '
       'host namespaces (hostNetwork=true, hostPID=true), hostPath volumes (volume "v"), hostPort (container "c" uses hostPort 80), '
       'privileged (container "c" must not set securityContext.privileged=true)')


@case("pod security: restricted asks for the four settings, and takes a pod that has them")
def _():
    ns = namespace("ps-restricted", {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "v1.30"})
    eq(forbidden(t.api.post(ns + "/pods", pod("plain"))),
       'pods "plain" is forbidden: violates PodSecurity "restricted:v1.30": '
       'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
       'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
       'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
       'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")')
    t.api.post(ns + "/pods", secure("good")).want(201)
    has(forbidden(t.api.post(ns + "/pods", secure("paths", volumes=[{"name": "v", "hostPath": {"path": "/"}}]))),
        'restricted volume types (volume "v" uses restricted volume type "hostPath")')


@case("pod security: what makes pods is warned of, and stored")
def _():
    t.api.patch("/api/v1/namespaces/ps-restricted", {"metadata": {"labels": {"extra": "x"}}}).want(200)
    deployment = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}}}
    made = t.api.post("/apis/apps/v1/namespaces/ps-restricted/deployments", deployment).want(201)
    has(warnings(made), 'would violate PodSecurity \\"restricted:v1.30\\": allowPrivilegeEscalation != false')
    ns = namespace("ps-warn", {"pod-security.kubernetes.io/warn": "baseline"})
    has(warnings(t.api.post(ns + "/pods", pod("host", hostIPC=True)).want(201)),
        'would violate PodSecurity \\"baseline:latest\\": host namespaces (hostIPC=true)')


@case("pod security: a level that does not read is refused, a raised one names what runs against it")
def _():
    bad = t.api.post("/api/v1/namespaces", {"metadata": {"name": "ps-odd", "labels": {
        "pod-security.kubernetes.io/enforce": "strict", "pod-security.kubernetes.io/warn-version": "v2"}}}).want(422, "Invalid").json
    eq([(c["field"], c["message"]) for c in bad["details"]["causes"]], [
        ("metadata.labels[pod-security.kubernetes.io/enforce]", 'Invalid value: "strict": must be one of privileged, baseline, restricted'),
        ("metadata.labels[pod-security.kubernetes.io/warn-version]", 'Invalid value: "v2": must be "latest" or "v1.x"')])
    ns = namespace("ps-raised")
    for name in ("p1", "p2", "p3"):
        t.api.post(ns + "/pods", pod(name, hostNetwork=name != "p3")).want(201)
    raised = t.api.patch(ns, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}).want(200)
    has(warnings(raised), 'existing pods in namespace \\"ps-raised\\" violate the new PodSecurity enforce level \\"baseline:latest\\"')
    has(warnings(raised), "p1 (and 1 other pod): host namespaces")
    t.api.patch(ns + "/pods/p1", {"metadata": {"labels": {"touched": "yes"}}}).want(200)
    forbidden(t.api.patch(ns + "/pods/p1", {"spec": {"containers": [{"name": "c", "image": "other"}]}}, kind="strategic"))


def quota(ns, name, hard, used=None, **spec):
    """No controller runs here: the status is filled in by hand."""
    made = t.api.post(ns + "/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}).want(201).json
    made["status"] = {"hard": hard, "used": {k: "0" for k in hard} | (used or {})}
    t.api.put(f"{ns}/resourcequotas/{name}/status", made).want(200)


def used(ns, name):
    return t.api.get(f"{ns}/resourcequotas/{name}").want(200).json["status"]["used"]


@case("quota: what is created is counted with it, and the next one too many is refused")
def _():
    ns = namespace("rq")
    quota(ns, "q", {"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi", "configmaps": "1", "count/secrets": "1"})
    t.api.post(ns + "/pods", pod("a", requests={"cpu": "500m"}, limits={"memory": "512Mi"})).want(201)
    eq(used(ns, "q"), {"pods": "1", "requests.cpu": "500m", "limits.memory": "512Mi", "configmaps": "0", "count/secrets": "0"})
    eq(forbidden(t.api.post(ns + "/pods", pod("b", requests={"cpu": "600m"}, limits={"memory": "1Gi"}))),
       'pods "b" is forbidden: exceeded quota: q, requested: limits.memory=1Gi,requests.cpu=600m, used: limits.memory=512Mi,requests.cpu=500m, limited: limits.memory=1Gi,requests.cpu=1')
    eq(forbidden(t.api.post(ns + "/pods", pod("b"))),
       'pods "b" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c')
    t.api.post(ns + "/configmaps", {"metadata": {"name": "c1"}}).want(201)
    has(forbidden(t.api.post(ns + "/configmaps", {"metadata": {"name": "c2"}})), "exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1")
    t.api.post(ns + "/secrets?dryRun=All", {"metadata": {"name": "s1"}}).want(201)
    t.api.post(ns + "/secrets", {"metadata": {"name": "s1"}}).want(201)
    has(forbidden(t.api.post(ns + "/secrets", {"metadata": {"name": "s2"}})), "requested: count/secrets=1")
    eq(used(ns, "q"), {"pods": "1", "requests.cpu": "500m", "limits.memory": "512Mi", "configmaps": "1", "count/secrets": "1"})


@case("quota: fractions and suffixes of all kinds add up, to the last one that fits")
def _():
    ns = namespace("rq-units")
    quota(ns, "q", {"requests.cpu": "1.5", "limits.cpu": "1500m", "requests.memory": "1.5Gi", "limits.memory": "1610612737"})

    def half(name, cpu, memory):
        return t.api.post(ns + "/pods", pod(name, requests={"cpu": cpu, "memory": memory}, limits={"cpu": cpu, "memory": memory}))
    half("a", "0.5", "0.5Gi").want(201)
    half("b", "500m", "512Mi").want(201)
    eq(used(ns, "q"), {"requests.cpu": "1", "limits.cpu": "1", "requests.memory": "1Gi", "limits.memory": "1Gi"})
    eq(forbidden(half("c", "0.501", "0.5Gi")),
       'pods "c" is forbidden: exceeded quota: q, requested: limits.cpu=501m,requests.cpu=501m, used: limits.cpu=1,requests.cpu=1, limited: limits.cpu=1500m,requests.cpu=1500m')
    eq(forbidden(half("c", "0.5", "536870913.5")),
       'pods "c" is forbidden: exceeded quota: q, requested: limits.memory=536870913500m,requests.memory=536870913500m, used: limits.memory=1Gi,requests.memory=1Gi, limited: limits.memory=1610612737,requests.memory=1536Mi')
    half("c", "0.5", "0.5Gi").want(201)
    eq(used(ns, "q"), {"requests.cpu": "1500m", "limits.cpu": "1500m", "requests.memory": "1536Mi", "limits.memory": "1536Mi"})


@case("quota: what is counted in pieces is counted in whole ones; volumes in whole bytes")
def _():
    ns = namespace("rq-whole")
    causes = t.api.post(ns + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1.5", "count/secrets": "500m", "requests.cpu": "0.0001"}}}).want(422, "Invalid").json["details"]["causes"]
    eq(sorted(c["field"] for c in causes), ["spec.hard[count/secrets]", "spec.hard[pods]"])
    has(causes[0]["message"], "must be an integer")
    quota(ns, "q", {"gold.storageclass.storage.k8s.io/requests.storage": "10"})
    t.api.post(ns + "/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gold", "resources": {"requests": {"storage": "1500m"}}}}).want(201)
    eq(used(ns, "q"), {"gold.storageclass.storage.k8s.io/requests.storage": "2"})
    gpu = t.api.post(ns + "/pods", pod("g", requests={"example.com/gpu": "1.5"}, limits={"example.com/gpu": "1.5"})).want(422, "Invalid").json
    has(str(gpu["details"]["causes"]), "must be an integer")


@case("quota: many at once get exactly what is there")
def _():
    ns = namespace("rq-race")
    quota(ns, "q", {"configmaps": "20"})
    results = []

    def create(i):
        api = t.server.admin()
        for k in range(5):
            results.append(api.post(ns + "/configmaps", {"metadata": {"name": f"c{i}-{k}"}}).status)
    threads = [threading.Thread(target=create, args=(i,)) for i in range(8)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    eq(sorted(set(results)), [201, 403])
    eq(results.count(201), 20)
    eq(used(ns, "q"), {"configmaps": "20"})
    eq(len(t.api.get(ns + "/configmaps").json["items"]), 20)


@case("quota: scopes choose the pods")
def _():
    ns = namespace("rq-scopes")
    quota(ns, "best-effort", {"pods": "1"}, scopes=["BestEffort"])
    quota(ns, "urgent", {"pods": "1"}, scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["urgent"]}]})
    t.api.post("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "urgent"}, "value": 10}).want(201)
    t.api.post(ns + "/pods", pod("b1")).want(201)
    has(forbidden(t.api.post(ns + "/pods", pod("b2"))), "exceeded quota: best-effort")
    t.api.post(ns + "/pods", pod("sized", requests={"cpu": "1m"})).want(201)
    t.api.post(ns + "/pods", pod("u1", requests={"cpu": "1m"}, priorityClassName="urgent")).want(201)
    has(forbidden(t.api.post(ns + "/pods", pod("u2", requests={"cpu": "1m"}, priorityClassName="urgent"))), "exceeded quota: urgent")


@case("quota: services by their type, claims by their size, also when they grow")
def _():
    ns = namespace("rq-services")
    quota(ns, "q", {"services": "3", "services.nodeports": "1", "requests.storage": "10Gi", "fast.storageclass.storage.k8s.io/requests.storage": "4Gi"})

    def service(name, type):
        return {"metadata": {"name": name}, "spec": {"type": type, "ports": [{"port": 80}]}}
    t.api.post(ns + "/services", service("plain", "ClusterIP")).want(201)
    t.api.post(ns + "/services", service("node", "NodePort")).want(201)
    has(forbidden(t.api.patch(ns + "/services/plain", {"spec": {"type": "NodePort"}})), "exceeded quota: q, requested: services.nodeports=1")

    def claim(name, size):
        return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": size}}}}
    t.api.post(ns + "/persistentvolumeclaims", claim("c", "3Gi")).want(201)
    has(forbidden(t.api.post(ns + "/persistentvolumeclaims", claim("d", "2Gi"))), "fast.storageclass.storage.k8s.io/requests.storage=2Gi")
    contains(used(ns, "q"), {"services": "2", "services.nodeports": "1", "requests.storage": "3Gi", "fast.storageclass.storage.k8s.io/requests.storage": "3Gi"})


@case("quota: one without a status lets nothing through that it is about")
def _():
    ns = namespace("rq-new")
    t.api.post(ns + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "5"}}}).want(201)
    has(forbidden(t.api.post(ns + "/configmaps", {"metadata": {"name": "c"}})), "status unknown for quota: q, resources: configmaps")
    t.api.post(ns + "/resourcequotas", {"metadata": {"name": "p"}, "spec": {"hard": {"requests.memory": "1Gi", "pods": "5", "services": "1", "count/pods": "9"}}}).want(201)
    has(forbidden(t.api.post(ns + "/pods", pod("x", requests={"memory": "1Mi"}))), "status unknown for quota: p, resources: count/pods,pods,requests.memory")
    t.api.post(ns + "/secrets", {"metadata": {"name": "s"}}).want(201)
    status = t.api.post(ns + "/resourcequotas", {"metadata": {"name": "odd"}, "spec": {"hard": {"oddities": "5", "pods": "-1"}, "scopes": ["BestEffort", "NotBestEffort"]}}).want(422, "Invalid").json
    has(str(status["details"]["causes"]), "must be a standard resource for quota")
    has(str(status["details"]["causes"]), "conflicting scopes")
