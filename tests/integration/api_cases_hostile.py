"""Bodies made to cost more than they weigh: each has an answer within seconds, and the server goes on."""

import time

import api_test as t
from harness import case, eq, has, true

NS = "/api/v1/namespaces/t"
CM = NS + "/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/t/deployments"
SECONDS = 5


def quickly(send):
    began = time.monotonic()
    answer = send()
    true(time.monotonic() - began < SECONDS, f"took {time.monotonic() - began:.1f} s")
    return answer


@case("yaml: aliases that expand beyond a body are 413")
def _():
    bomb = "a: &a " + "x" * 200000 + "\nb: [" + "*a, " * 60000 + "1]\n"
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    has(quickly(lambda: t.api.post(path, bomb, type="application/yaml")).want(413).json["message"], "aliases")


@case("yaml: 40,000 keys of one mapping")
def _():
    text = "metadata:\n  name: wide\ndata:\n" + "".join(f"  k{i}: ''\n" for i in range(40000))
    eq(len(quickly(lambda: t.api.post(CM, text, type="application/yaml")).want(201).json["data"]), 40000)


@case("merge patch: 20,000 new keys and 40,000 that go")
def _():
    patch = {"data": {**{f"n{i}": "" for i in range(20000)}, **{f"k{i}": None for i in range(39999, -1, -1)}}}
    eq(len(quickly(lambda: t.api.patch(CM + "/wide", patch)).want(200).json["data"]), 20000)


@case("json patch: a test of a large object in another order")
def _():
    want = {f"n{i}": "" for i in range(19999, -1, -1)}
    quickly(lambda: t.api.patch(CM + "/wide", [{"op": "test", "path": "/data", "value": want}], "json")).want(200)


@case("strategic patch: 15,000 containers, backwards")
def _():
    def containers(order):
        return [{"name": f"c{i}", "image": "i"} for i in order]
    body = {"metadata": {"name": "long"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers(range(2))}}}}
    t.api.post(DEPLOYMENTS, body).want(201)
    patch = {"spec": {"template": {"spec": {"containers": containers(range(14999, -1, -1))}}}}
    got = quickly(lambda: t.api.patch(DEPLOYMENTS + "/long?dryRun=All", patch, "strategic")).want(200).json
    eq(len(got["spec"]["template"]["spec"]["containers"]), 15000)


@case("a service of 15,000 ports, of every type")
def _():
    ports = [{"name": f"p{i}", "port": i + 1} for i in range(15000)]
    for kind, status in (("ClusterIP", 201), ("LoadBalancer", 500)):
        body = {"metadata": {"name": "many"}, "spec": {"type": kind, "ports": ports}}
        quickly(lambda: t.api.post(NS + "/services?dryRun=All", body)).want(status)


@case("a body of small values that would take more memory than a write may is 413")
def _():
    body = '{"metadata":{"name":"deep"},"data":{},"x":[' + ",".join(["0"] * 1500000) + "]}"
    quickly(lambda: t.api.post(CM, body)).want(413)
    t.api.get("/readyz").want(200)


@case("strict validation tells its problems in the order of the document")
def _():
    text = '{"metadata":{"name":"a","name":"b","odd":1},"spec":{"u":1,"replicas":1,"replicas":2}}'
    message = t.api.post(DEPLOYMENTS + "?fieldValidation=Strict", text).want(400).json["message"]
    has(message, 'strict decoding error: duplicate field "metadata.name", unknown field "metadata.odd", unknown field "spec.u", duplicate field "spec.replicas"')


@case("a job gets its selector and labels; its template is immutable")
def _():
    jobs = "/apis/batch/v1/namespaces/t/jobs"
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    made = t.api.post(jobs, {"metadata": {"generateName": "j-"}, "spec": {"template": template}}).want(201).json
    uid, name = made["metadata"]["uid"], made["metadata"]["name"]
    eq(made["spec"]["selector"], {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    eq(made["spec"]["template"]["metadata"]["labels"], {"batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
                                                         "batch.kubernetes.io/job-name": name, "job-name": name})
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "other"}]}}}}
    has(t.api.patch(f"{jobs}/{name}", patch, "strategic").want(422, "Invalid").json["message"], "field is immutable")


@case("a status write does not touch labels of a deployment, nor a plain one its status")
def _():
    one = DEPLOYMENTS + "/long"
    t.api.patch(one + "/status", {"metadata": {"labels": {"x": "y"}}, "status": {"replicas": 3}}).want(200)
    got = t.api.patch(one, {"metadata": {"labels": {"z": "1"}}, "status": {"replicas": 9}}).want(200).json
    eq(got["metadata"]["labels"], {"z": "1"})
    eq(got["status"]["replicas"], 3)


@case("events.k8s.io: reportingController selects")
def _():
    events = "/apis/events.k8s.io/v1/namespaces/t/events"
    for name in ("one", "two"):
        t.api.post(events, {"metadata": {"name": name}, "reportingController": f"c/{name}", "reportingInstance": "i", "reason": "r", "action": "a",
                            "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z", "regarding": {"kind": "Pod", "namespace": "t", "name": name}}).want(201)
    got = t.api.get(events + "?fieldSelector=reportingController=c/two").want(200).json["items"]
    eq([e["metadata"]["name"] for e in got], ["two"])
    got = t.api.get(events + "?fieldSelector=regarding.name=one").want(200).json["items"]
    eq([e["metadata"]["name"] for e in got], ["one"])

