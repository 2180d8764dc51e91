"""Policies of a namespace: LimitRange, ResourceQuota, PodSecurity."""

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
