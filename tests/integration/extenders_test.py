#!/usr/bin/env python3
"""Extenders of the scheduler: programs of the test that it asks over HTTP and HTTPS. Nodes are made up.

Usage: extenders_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import base64
import json
import os
import socket
import sys
import threading
import time

import harness
from _webhooks import Authority, Hooks
from harness import Server, case, eq, has, true, until

NODES = ["n-a", "n-b", "n-c"]
PODS = "/api/v1/namespaces/default/pods"


class Scheduling(Server):
    def command(self, port=None):
        return [a for a in super().command(port) if a not in ("--disable-scheduler", "--disable-controller-manager")]


server = Scheduling(port=17921)
api = plain = secure = late = None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


LATE = free_port()


def managed(name, ignored=True):
    return [{"name": f"x.io/{name}", "ignoredByScheduler": ignored}]


def configuration(authority):
    ca = base64.b64encode(open(authority.ca, "rb").read()).decode()
    certificate, key = authority.issue("client", "/CN=scheduler", "extendedKeyUsage=clientAuth")
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "extenders": [
            {"urlPrefix": "http://127.0.0.1:1/down", "filterVerb": "filter", "prioritizeVerb": "prioritize", "weight": 1, "bindVerb": "", "ignorable": True,
             "managedResources": managed("shrug")},
            {"urlPrefix": plain.url + "/one/", "filterVerb": "filter", "prioritizeVerb": "prioritize", "weight": 10, "nodeCacheCapable": True,
             "managedResources": managed("one")},
            {"urlPrefix": plain.url + "/then", "filterVerb": "filter", "nodeCacheCapable": True, "managedResources": managed("then") + managed("pair")},
            {"urlPrefix": secure.url + "/two", "filterVerb": "filter", "enableHTTPS": True, "httpTimeout": "2s",
             "tlsConfig": {"caData": ca, "serverName": "localhost", "certFile": certificate, "keyFile": key}, "managedResources": managed("two")},
            {"urlPrefix": f"http://127.0.0.1:{LATE}", "filterVerb": "filter", "nodeCacheCapable": True, "managedResources": managed("late")},
            {"urlPrefix": plain.url, "bindVerb": "bind", "managedResources": managed("bind")},
            {"urlPrefix": plain.url + "/evict", "preemptVerb": "preempt", "nodeCacheCapable": True, "managedResources": managed("evict")},
            {"urlPrefix": plain.url + "/evict2", "preemptVerb": "preempt", "managedResources": managed("evict2")},
            {"urlPrefix": plain.url + "/counted", "filterVerb": "filter", "managedResources": managed("counted", False)},
        ],
    }


def setup():
    global api, plain, secure
    authority = Authority(server.folder)
    plain, secure = Hooks(None), Hooks(authority, knows_clients=True)
    file = os.path.join(server.folder, "scheduler.json")
    json.dump(configuration(authority), open(file, "w"))
    server.flags += [f"--kube-scheduler-arg=config={file}", "--kube-controller-manager-arg=node-monitor-grace-period=1000s"]
    server.start()
    api = server.admin()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    for name in NODES:
        api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "status": {
            "capacity": room, "allocatable": room, "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ok", "lastHeartbeatTime": now, "lastTransitionTime": now}]}}).want(201)
    for name in NODES:
        until(f"{name} has no taint", lambda: not api.get(f"/api/v1/nodes/{name}").json["spec"].get("taints"))
    until("pods may be made", lambda: api.get("/api/v1/namespaces/default/serviceaccounts/default").status == 200)
    for name, value in (("low", 1), ("high", 1000)):
        api.post("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": name}, "value": value}).want(201)


def pod(name, resource=None, cpu="100m", **spec):
    ask = {"cpu": cpu, **({f"x.io/{resource}": "1"} if resource else {})}
    api.post(PODS, {"metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "x", "resources": {"requests": ask, "limits": ask}}], **spec}}).want(201)


def read(name):
    return api.get(f"{PODS}/{name}").want(200).json


def drop(*names):
    for name in names:
        api.delete(f"{PODS}/{name}?gracePeriodSeconds=0")


def node_of(name):
    return read(name)["spec"].get("nodeName")


def placed(name):
    return until(f"{name} is placed", lambda: node_of(name))


def condition(name):
    return next((c for c in read(name)["status"].get("conditions", []) if c["type"] == "PodScheduled"), {})


def says(name, text, reason="Unschedulable"):
    until(f"{name} says {text!r}; it says {condition(name)}", lambda: text in condition(name).get("message", ""))
    eq(condition(name)["reason"], reason)
    events = lambda: api.get(f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name={name}").json["items"]
    until(f"an event of {name} says it", lambda: [e for e in events() if e["reason"] == "FailedScheduling" and text in e["message"]])


def something_happens():
    """Any event wakes those that an extender has refused."""
    api.patch("/api/v1/nodes/n-a", {"metadata": {"labels": {"turn": str(time.monotonic_ns())}}}).want(200)


def keep(*names):
    return lambda body: {"NodeNames": [n for n in body["NodeNames"] if n in names]}


def none(body):
    return {"NodeNames": []}


@case("a filter's reasons are told, and the node that it leaves is taken")
def filters():
    plain.answers["/one/filter"] = lambda body: {
        "nodenames": None, "NodeNames": [], "FailedNodes": {"n-a": "no one here", "n-b": "no one here"}, "FailedAndUnresolvableNodes": {"n-c": "is too hot"}}
    pod("filters", "one")
    says("filters", "0/3 nodes are available: 1 is too hot, 2 no one here. preemption: 0/3 nodes are available: "
                    "1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.")
    body, headers = plain.last("/one/filter")
    eq((body["Pod"]["metadata"]["name"], sorted(body["NodeNames"]), body["Nodes"]), ("filters", NODES, None))
    eq(headers["content-type"], "application/json")
    asked = plain.count("/one/prioritize")
    plain.answers["/one/filter"] = keep("n-b")
    something_happens()
    eq(placed("filters"), "n-b")
    eq(plain.count("/one/prioritize"), asked, "with one node left nobody is asked for points")
    drop("filters")


@case("points go beyond our own")
def prioritizes():
    pod("weight", cpu="3", nodeName="n-c")
    plain.answers["/one/filter"] = keep(*NODES)
    plain.answers["/one/prioritize"] = lambda body: [{"Host": n, "Score": 10 if n == "n-c" else 0} for n in body["NodeNames"]]
    pod("points", "one")
    eq(placed("points"), "n-c")
    plain.answers["/one/prioritize"] = lambda body: (500, {})  # then our own points count
    pod("pointless", "one")
    true(placed("pointless") != "n-c", "the emptier node")
    drop("weight", "points", "pointless")


@case("over HTTPS with a certificate of ours, with whole nodes, and in any case of letters")
def whole_nodes():
    secure.answers["/two/filter"] = lambda body: {"nodes": {"items": [n for n in body["Nodes"]["items"] if n["metadata"]["name"] == "n-a"]}, "error": ""}
    pod("whole", "two")
    eq(placed("whole"), "n-a")
    body, _ = secure.last("/two/filter")
    eq(body["NodeNames"], None)
    eq(body["Nodes"]["items"][0]["status"]["allocatable"]["cpu"], "4")
    drop("whole")


@case("each sees what those before it have left")
def in_turn():
    plain.answers["/one/filter"] = keep("n-a", "n-b")
    plain.answers["/then/filter"] = keep("n-b")
    ask = {"x.io/one": "1", "x.io/then": "1"}
    api.post(PODS, {"metadata": {"name": "turn"}, "spec": {"containers": [{"name": "c", "image": "x", "resources": {"limits": ask}}]}}).want(201)
    eq(placed("turn"), "n-b")
    eq(sorted(plain.last("/then/filter")[0]["NodeNames"]), ["n-a", "n-b"])
    drop("turn")


@case("others go on while one is asked; what comes too late is an error, and it is tried again")
def slow():
    held = threading.Event()
    secure.answers["/two/filter"] = lambda body: held.wait(20) and {"Nodes": body["Nodes"]}
    asked = secure.count("/two/filter")
    pod("slow", "two")
    until("it is asked", lambda: secure.count("/two/filter") > asked)
    pod("parked", "one")  # waits for its turn
    plain.answers["/one/filter"] = keep("n-c")
    began = time.monotonic()
    for i in range(5):
        pod(f"quick{i}")
    for i in range(5):
        placed(f"quick{i}")
    if time.monotonic() - began < 1.5:
        eq(node_of("slow"), None)
    says("slow", "/two", "SchedulerError")
    eq(placed("parked"), "n-c")
    held.set()
    placed("slow")
    drop("slow", "parked", *[f"quick{i}" for i in range(5)])


@case("one that may be ignored and is down keeps nobody waiting")
def ignorable():
    pod("shrug", "shrug")
    placed("shrug")
    drop("shrug")


@case("one that may not be ignored keeps its pods waiting while it is down, and says so")
def not_ignorable():
    global late
    pod("late", "late")
    says("late", f"127.0.0.1:{LATE}", "SchedulerError")
    has(condition("late")["message"], "connection refused")
    late = Hooks(None, LATE)
    late.answers["/filter"] = keep("n-b")
    eq(placed("late"), "n-b")
    drop("late")


@case("nonsense is an error of that extender")
def nonsense():
    answers = [(b"{\"NodeNames\": [\"n-a\"", "the answer is not JSON"), (b"[1]", "the answer is a JSON array"), ({"NodeNames": {"n-a": 1}}, "NodeNames in the answer"),
               ({"NodeNames": ["n-z"]}, 'claims a filtered node "n-z" which is not found'), ({"Error": "out of \u2615"}, "out of \u2615"), ((503, {}), "code 503"),
               (b"", "the answer is not JSON")]
    for i, (value, text) in enumerate(answers):
        plain.answers["/one/filter"] = lambda body, v=value: v
        pod(f"odd{i}", "one")
        says(f"odd{i}", text, "SchedulerError")
        drop(f"odd{i}")


@case("resources that it manages are left to it, or counted as well")
def resources():
    pod("counted", "counted")
    says("counted", "3 Insufficient x.io/counted")
    eq(plain.count("/counted/filter"), 0)
    drop("counted")


@case("an extender binds")
def binds():
    def bind(body):
        target = {"metadata": {"name": body["PodName"], "uid": body["PodUID"]}, "target": {"kind": "Node", "name": body["Node"]}}
        server.admin().post(f"/api/v1/namespaces/{body['PodNamespace']}/pods/{body['PodName']}/binding", target).want(201)
        return {}

    plain.answers["/bind"] = lambda body: {"Error": "the ledger is closed"}
    pod("bound", "bind")
    events = lambda: api.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=bound").json["items"]
    until("the error is told", lambda: [e for e in events() if e["message"] == "the ledger is closed"])
    eq(node_of("bound"), None)
    plain.answers["/bind"] = bind
    placed("bound")
    body, _ = plain.last("/bind")
    eq(body, {"PodName": "bound", "PodNamespace": "default", "PodUID": read("bound")["metadata"]["uid"], "Node": node_of("bound")})
    until("it is told", lambda: [e for e in events() if e["reason"] == "Scheduled"])
    drop("bound")


def fill(priority="low"):
    for name in NODES:
        pod(f"full-{name}", cpu="4", priorityClassName=priority, nodeSelector={"kubernetes.io/hostname": name})
    for name in NODES:
        placed(f"full-{name}")


@case("preemption: an extender chooses among the nodes that would do")
def preempts():
    fill()
    plain.answers["/evict/preempt"] = lambda body: {"NodeNameToMetaVictims": {"n-b": body["NodeNameToMetaVictims"]["n-b"]}}
    pod("evicts", "evict", cpu="2", priorityClassName="high")
    eq(placed("evicts"), "n-b")
    body, _ = plain.last("/evict/preempt")
    eq(sorted(body["NodeNameToMetaVictims"]), NODES)
    eq(body["NodeNameToVictims"], None)
    eq([len(v["Pods"]) for v in body["NodeNameToMetaVictims"].values()], [1, 1, 1])
    eq(api.get(f"{PODS}/full-n-b").status, 404)
    eq(api.get(f"{PODS}/full-n-a").status, 200)
    drop("evicts")
    pod("full-n-b", cpu="4", priorityClassName="low", nodeSelector={"kubernetes.io/hostname": "n-b"})
    placed("full-n-b")


@case("preemption: one that rules out all nodes, or answers nonsense, leaves the pods where they are")
def preempts_nothing():
    plain.answers["/evict/preempt"] = lambda body: {"NodeNameToMetaVictims": {}}
    pod("evicts", "evict", cpu="2", priorityClassName="high")
    says("evicts", "0/3 nodes are available: 3 Insufficient cpu. preemption: no candidate node for preemption")
    plain.answers["/evict/preempt"] = lambda body: {"NodeNameToMetaVictims": {"n-a": {"Pods": [{"UID": "nobody"}]}}}
    drop("evicts")
    pod("evicts", "evict", cpu="2", priorityClassName="high")
    says("evicts", "claims to preempt pod (UID: nobody) on node: n-a, but the pod is not found on that node")
    eq([api.get(f"{PODS}/full-{n}").status for n in NODES], [200, 200, 200])
    drop("evicts")
    plain.answers["/evict2/preempt"] = lambda body: {"NodeNameToMetaVictims": {
        n: {"Pods": [{"UID": p["metadata"]["uid"]} for p in v["Pods"]]} for n, v in body["NodeNameToVictims"].items() if n == "n-c"}}
    pod("whole", "evict2", cpu="2", priorityClassName="high")
    eq(placed("whole"), "n-c")
    drop("whole", *[f"full-{n}" for n in NODES])


@case("a server that is killed, or stops, while one is asked")
def ends_in_the_middle():
    for end in (server.kill, server.stop):
        held = threading.Event()
        plain.answers["/one/filter"] = lambda body: held.wait(20) and {"NodeNames": body["NodeNames"]}
        plain.answers["/one/prioritize"] = lambda body: []
        asked = plain.count("/one/filter")
        pod("middle", "one")
        until("it is asked", lambda: plain.count("/one/filter") > asked)
        began = time.monotonic()
        end()
        true(time.monotonic() - began < 4, "it does not wait for the answer")
        held.set()
        server.start()
        api.connection = None
        placed("middle")
        drop("middle")


@case("a pod that goes while it is asked about makes room for the next")
def goes():
    held = threading.Event()
    plain.answers["/one/filter"] = lambda body: held.wait(20) and {"NodeNames": body["NodeNames"]}
    asked = plain.count("/one/filter")
    pod("goes", "one")
    until("it is asked", lambda: plain.count("/one/filter") > asked)
    plain.answers["/one/filter"] = keep("n-a")
    pod("next", "one")
    began = time.monotonic()
    drop("goes")
    eq(placed("next"), "n-a")
    true(time.monotonic() - began < 4, "nobody waits for the answer")
    held.set()
    drop("next")


@case("what is wrong in the file is said at the start")
def refused():
    rows = [({"urlPrefix": "http://h", "prioritizeVerb": "p"}, "extenders[0].weight"), ({"filterVerb": "f"}, "extenders[0].urlPrefix"),
            ({"urlPrefix": "http://h", "tlsConfig": {"caFile": "/nonexistent/ca"}}, "/nonexistent/ca"), ({"urlPrefix": "https://h", "tlsConfig": {"caData": "eA=="}}, "extender")]
    file = os.path.join(server.folder, "bad.json")
    for extender, text in rows:
        json.dump({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration", "extenders": [extender]}, open(file, "w"))
        bad = Scheduling(port=17922, folder=os.path.join(server.folder, "bad"), flags=[f"--kube-scheduler-arg=config={file}"])
        os.makedirs(bad.folder, exist_ok=True)
        try:
            bad.start()
        except harness.Mismatch as e:
            has(str(e), text)
        else:
            bad.stop()
            raise harness.Mismatch(f"{extender} is taken")


def teardown():
    for h in (plain, secure, late):
        if h:
            h.stop()
    server.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, *sys.argv[1:2]))
