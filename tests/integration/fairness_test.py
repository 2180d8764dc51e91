#!/usr/bin/env python3
"""API Priority and Fairness by counts: what a new cluster has, which headers and metrics tell of it, and that a flood of one
user leaves others their seats. A request stays in flight as long as its body is held back, so nothing depends on time.

Usage: fairness_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import json
import re
import socket
import subprocess
import sys
import time

import harness
from harness import ABSENT, Server, case, contains, eq, has, true, until

LEVELS = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
server = Server(port=17364, flags=["--kube-apiserver-arg=max-requests-inflight=60", "--kube-apiserver-arg=max-mutating-requests-inflight=0"])
api = None


def begin():
    global api
    api = server.admin()


def setup():
    server.start()
    begin()
    api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
             {"metadata": {"name": "all"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
              "subjects": [{"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"}]}).want(201)


def metric(name, **labels):
    total = 0
    for line in api.get("/metrics").body.decode().splitlines():
        m = re.match(r"apiserver_flowcontrol_(\w+)\{(.*)\} (\d+)$", line)
        if m and m.group(1) == name and all(f'{k}="{v}"' in m.group(2) for k, v in labels.items()):
            total += int(m.group(3))
    return total


def uid(path, name):
    return api.get(f"{path}/{name}").want(200).json["metadata"]["uid"]


class Held:
    """A creation whose body is held back: it keeps its seat, or its place in a queue."""

    def __init__(self, user, name):
        self.socket = harness.connect_tls(server, "admin")
        self.body = json.dumps({"metadata": {"name": name}}).encode()
        self.answer = b""
        self.socket.sendall(f"POST /api/v1/namespaces/default/configmaps?dryRun=All HTTP/1.1\r\nHost: x\r\nImpersonate-User: {user}\r\n"
                            f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n".encode())

    def release(self):
        self.socket.sendall(self.body)
        return self

    def status(self, seconds=10):
        """None while there is no answer."""
        self.socket.settimeout(seconds)
        try:
            while b"\r\n" not in self.answer:
                piece = self.socket.recv(4096)
                true(piece, "the connection was closed without an answer")
                self.answer += piece
        except (socket.timeout, TimeoutError):
            return None
        return int(self.answer.split()[1])

    def close(self):
        self.socket.close()


def as_user(user, path, count=1):
    return [api.request("GET", path, headers={"Impersonate-User": user}).status for _ in range(count)]


def dangling(name):
    """The condition of this type, or one that says nothing yet."""
    conditions = api.get(f"{SCHEMAS}/{name}").want(200).json.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Dangling"), {"status": None})


@case("a new cluster has upstream's levels and schemas")
def _():
    levels = {o["metadata"]["name"]: o for o in api.get(LEVELS).json["items"]}
    eq(sorted(levels), ["catch-all", "exempt", "global-default", "leader-election", "node-high", "system", "workload-high", "workload-low"])
    contains(levels["workload-low"]["spec"], {"type": "Limited", "limited": {"nominalConcurrencyShares": 100, "lendablePercent": 90,
             "limitResponse": {"type": "Queue", "queuing": {"queues": 128, "handSize": 6, "queueLengthLimit": 50}}}})
    contains(levels["exempt"]["spec"], {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}, "limited": ABSENT})
    contains(levels["catch-all"]["spec"], {"limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject", "queuing": ABSENT}}})
    schemas = {o["metadata"]["name"]: o for o in api.get(SCHEMAS).json["items"]}
    eq(len(schemas), 13)
    contains(schemas["service-accounts"], {"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}},
             "spec": {"matchingPrecedence": 9000, "distinguisherMethod": {"type": "ByUser"}, "priorityLevelConfiguration": {"name": "workload-low"}}})
    out = server.kubectl_ok("get", "flowschemas", "-o", "name")
    has(out, "flowschema.flowcontrol.apiserver.k8s.io/system-nodes")
    until("all levels are found", lambda: all(dangling(name)["status"] == "False" for name in schemas))
    line = lambda kind, name: [cell for cell in server.kubectl_ok("get", kind, name, "--no-headers").split() if not re.fullmatch(r"\d+s", cell)]
    eq(line("flowschema", "service-accounts"), ["service-accounts", "workload-low", "9000", "ByUser", "False"])
    eq(line("flowschema", "exempt"), ["exempt", "exempt", "1", "<none>", "False"])
    eq(line("prioritylevelconfiguration", "workload-low"), ["workload-low", "Limited", "100", "128", "6", "50"])
    eq(line("prioritylevelconfiguration", "catch-all"), ["catch-all", "Limited", "5", "<none>", "<none>", "<none>"])


@case("a schema whose level is not there says so, until it is")
def _():
    api.post(SCHEMAS, {"metadata": {"name": "stray"}, "spec": {"priorityLevelConfiguration": {"name": "nowhere"}, "matchingPrecedence": 77}}).want(201)
    until("it is told", lambda: dangling("stray")["status"] == "True")
    contains(dangling("stray"), {"reason": "NotFound",
             "message": 'This FlowSchema references the PriorityLevelConfiguration object named "nowhere" and there is no such object'})
    api.post(LEVELS, {"metadata": {"name": "nowhere"}, "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}).want(201)
    until("it is found", lambda: dangling("stray")["status"] == "False")
    contains(dangling("stray"), {"reason": "Found", "message": 'This FlowSchema references the PriorityLevelConfiguration object named "nowhere" and it exists'})
    api.delete(f"{SCHEMAS}/stray").want(200)
    api.delete(f"{LEVELS}/nowhere").want(200)


@case("answers name the schema and the level, and metrics count them")
def _():
    answer = api.get("/api/v1/namespaces")
    eq(answer.headers["X-Kubernetes-PF-FlowSchema-UID"], uid(SCHEMAS, "exempt"))
    eq(answer.headers["X-Kubernetes-PF-PriorityLevel-UID"], uid(LEVELS, "exempt"))
    before = metric("dispatched_requests_total", flow_schema="global-default")
    answer = api.request("GET", "/api/v1/namespaces", headers={"Impersonate-User": "jane"})
    eq(answer.headers["X-Kubernetes-PF-FlowSchema-UID"], uid(SCHEMAS, "global-default"))
    eq(metric("dispatched_requests_total", flow_schema="global-default"), before + 1)
    answer = server.anonymous().get("/readyz")
    eq(answer.headers["X-Kubernetes-PF-FlowSchema-UID"], uid(SCHEMAS, "probes"))
    eq(metric("nominal_limit_seats", priority_level="workload-low"), 25)
    eq(metric("lower_limit_seats", priority_level="workload-low"), 2)
    eq(metric("current_executing_requests", flow_schema="global-default"), 0)


@case("a flood of one user fills its level and its queues, and is turned away; others are served")
def _():
    level = api.get(f"{LEVELS}/global-default").json
    level["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"] = "false"
    level["spec"]["limited"]["limitResponse"]["queuing"].update(queueLengthLimit=3)
    api.put(f"{LEVELS}/global-default", level).want(200)
    flood = [Held("jane", f"f{i}") for i in range(80)]
    # every request has a place by now: a seat, one in a queue of six with three places each, or an answer
    until("the flood is here", lambda: metric("current_executing_requests", flow_schema="global-default") + metric("current_inqueue_requests", flow_schema="global-default")
          + metric("rejected_requests_total", flow_schema="global-default", reason="queue-full") == 80)
    executing, waiting = metric("current_executing_requests", flow_schema="global-default"), metric("current_inqueue_requests", flow_schema="global-default")
    eq(waiting, 18, "places in the queues of one hand")
    true(5 <= executing <= 36, f"{executing} seats: its own five, and what others lend")
    refused = [h for h in flood if b"HTTP" in h.answer or h.status(0.2)]
    eq(len(refused), 80 - executing - waiting)
    for h in refused:
        eq(h.status(), 429)
        has(h.answer.decode().lower(), "retry-after: 1")
        has(h.answer.decode(), "TooManyRequests")
    # and the same by kube-apiserver's own pages for it
    def dumped(name, query=""):
        lines = api.get(f"/debug/api_priority_and_fairness/dump_{name}{query}").want(200).body.decode().splitlines()
        rows = [[cell.strip() for cell in line.split(",")] for line in lines]
        return [dict(zip(rows[0], row)) for row in rows[1:]]
    level = [r for r in dumped("priority_levels") if r["PriorityLevelName"] == "global-default"][0]
    eq((level["WaitingRequests"], level["ExecutingRequests"], level["ActiveQueues"], level["IsIdle"]), (str(waiting), str(executing), "6", "false"))
    eq(sum(int(r["PendingRequests"]) for r in dumped("queues") if r["PriorityLevelName"] == "global-default"), waiting)
    hers = [r for r in dumped("requests", "?includeRequestDetails=1") if r["FlowSchemaName"] == "global-default"]
    eq(({r["FlowDistingsher"] for r in hers}, {r["Resource"] for r in hers}, {r["Verb"] for r in hers}), ({"jane"}, {"configmaps"}, {"create"}))
    eq((sum(r["QueueIndex"] == "-1" for r in hers), sum(r["QueueIndex"] != "-1" for r in hers)), (executing, waiting))
    eq(api.get("/debug/api_priority_and_fairness/dump_nothing").status, 404)
    # other levels have their own seats
    eq(as_user("system:serviceaccount:default:robot", "/api/v1/namespaces", 40), [200] * 40)
    eq(as_user("system:kube-scheduler", "/api/v1/namespaces", 40), [200] * 40)
    eq([api.get("/api/v1/namespaces").status for _ in range(40)], [200] * 40)
    # of the same level, another user waits for a seat, but not for all who came before him
    other = Held("jim", "o")
    other.release()
    until("he waits", lambda: metric("current_inqueue_requests", flow_schema="global-default") == waiting + 1)
    held = [h for h in flood if h not in refused]
    ended = 0
    while not other.status(0.3):
        true(ended < 8, "jim is behind eight of jane's")
        before = metric("dispatched_requests_total", flow_schema="global-default")
        held[ended].release()
        ended += 1
        until("somebody has the seat that became free", lambda: metric("dispatched_requests_total", flow_schema="global-default") > before)
    eq(other.status(), 201)
    true(metric("current_inqueue_requests", flow_schema="global-default") >= waiting - 8, "most of hers still wait")
    for h in held[:ended]:
        h.status()
    for h in flood + [other]:
        h.close()
    until("all seats are free", lambda: metric("current_executing_requests", flow_schema="global-default") == 0 and metric("current_inqueue_requests", flow_schema="global-default") == 0)
    eq(as_user("jane", "/api/v1/namespaces"), [200])


@case("a level without queues turns away at once")
def _():
    api.post(LEVELS, {"metadata": {"name": "small"}, "spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 1, "borrowingLimitPercent": 0,
             "limitResponse": {"type": "Reject"}}}}).want(201)
    api.post(SCHEMAS, {"metadata": {"name": "bob"}, "spec": {"matchingPrecedence": 50, "priorityLevelConfiguration": {"name": "small"}, "rules": [
        {"subjects": [{"kind": "User", "user": {"name": "bob"}}], "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}]}]}}).want(201)
    h = Held("bob", "b")
    until("he has the seat", lambda: metric("current_executing_requests", flow_schema="bob") == 1)
    eq(as_user("bob", "/api/v1/namespaces", 3), [429] * 3)
    eq(metric("rejected_requests_total", flow_schema="bob", reason="concurrency-limit"), 3)
    eq(h.release().status(), 201)
    eq(as_user("bob", "/api/v1/namespaces"), [200])
    h.close()
    h = Held("bob", "gone")
    until("he has it again", lambda: metric("current_executing_requests", flow_schema="bob") == 1)
    h.close()
    until("a client that goes away gives its seat back", lambda: metric("current_executing_requests", flow_schema="bob") == 0)


@case("a watch gives its seat back when it has begun")
def _():
    w = harness.http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=server.context("admin"))
    w.request("GET", "/api/v1/namespaces?watch=true", headers={"Impersonate-User": "bob"})
    eq(w.getresponse().status, 200)
    eq(as_user("bob", "/api/v1/namespaces"), [200])
    w.close()


@case("objects that are wrong are refused as upstream does; absent fields have its defaults")
def _():
    made = api.post(LEVELS, {"metadata": {"name": "defaults"}, "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}}).want(201).json
    contains(made["spec"]["limited"], {"nominalConcurrencyShares": 30, "lendablePercent": 0, "limitResponse": {"queuing": {"queues": 64, "handSize": 8, "queueLengthLimit": 50}}})
    for spec, words in (({"type": "Exempt"}, "spec.type"), ({"type": "Limited"}, "spec.limited"), ({"type": "Some"}, "Unsupported value"),
                        ({"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 4, "handSize": 8}}}}, "should not be greater than queues"),
                        ({"type": "Limited", "limited": {"limitResponse": {"type": "Reject", "queuing": {}}}}, "must be nil")):
        answer = api.post(LEVELS, {"metadata": {"name": "bad"}, "spec": spec})
        answer.want(422, "Invalid")
        has(answer.body.decode(), words)
    for spec, words in (({"priorityLevelConfiguration": {"name": "x"}, "matchingPrecedence": 1}, "matchingPrecedence"), ({"priorityLevelConfiguration": {"name": ""}}, "must reference a priority level"),
                        ({"priorityLevelConfiguration": {"name": "x"}, "rules": [{"subjects": [{"kind": "User"}]}]}, "user is required when subject kind")):
        answer = api.post(SCHEMAS, {"metadata": {"name": "bad"}, "spec": spec})
        answer.want(422, "Invalid")
        has(answer.body.decode(), words)


@case("what was deleted or changed comes back at a start, unless its annotation says no")
def _():
    api.delete(f"{SCHEMAS}/service-accounts").want(200)
    api.patch(f"{SCHEMAS}/kube-scheduler", {"spec": {"matchingPrecedence": 801}}).want(200)
    answer = api.patch(f"{SCHEMAS}/catch-all", {"spec": {"matchingPrecedence": 9999}}).want(422, "Invalid")
    has(answer.json["message"], "spec of 'catch-all' must equal the fixed value")
    api.patch(f"{LEVELS}/exempt", {"spec": {"exempt": {"lendablePercent": 5}}}).want(200)
    server.stop()
    server.start()
    begin()
    api.get(f"{SCHEMAS}/service-accounts").want(200)
    eq(api.get(f"{SCHEMAS}/kube-scheduler").json["spec"]["matchingPrecedence"], 800)
    eq(api.get(f"{LEVELS}/exempt").json["spec"]["exempt"]["lendablePercent"], 5)  # the operator's to say
    eq(api.get(f"{LEVELS}/global-default").json["spec"]["limited"]["limitResponse"]["queuing"]["queueLengthLimit"], 3)


@case("what is wrong is told at the start")
def _():
    server.stop()
    for flag, words in (("max-requests-inflight=-1", "max-requests-inflight"), ("enable-priority-and-fairness=false", "enable-priority-and-fairness can only be")):
        r = subprocess.run(server.command() + [f"--kube-apiserver-arg={flag}"], capture_output=True, text=True, timeout=30)
        true(r.returncode != 0, f"{flag} is taken")
        has(r.stderr, words)


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
