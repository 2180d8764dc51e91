#!/usr/bin/env python3
"""Audit as operators meet it: a policy file, the log it fills, its rotation, and what is refused at the start.

Usage: audit_test.py [PART OF A CASE'S NAME]. Starts and stops its own servers; exit status 0 when every case passed."""

import glob
import gzip
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

import harness
from harness import ABSENT, Server, case, contains, eq, has, true

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: []
rules:
- level: None
  users: ["system:apiserver", "system:admin-silent"]
- level: None
  nonResourceURLs: ["/healthz*", "/readyz*", "/livez*"]
- level: RequestResponse
  resources: [{group: "", resources: ["configmaps"], resourceNames: ["loud"]}]
  omitManagedFields: true
- level: Request
  namespaces: ["asked"]
  resources: [{group: "", resources: ["configmaps"]}]
- level: RequestResponse
  omitStages: [RequestReceived]
  resources: [{group: "", resources: ["pods"]}]
- level: None
  resources: [{group: "", resources: ["secrets"]}]
- level: Metadata
"""
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
MEMBERS = ["kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser", "sourceIPs", "userAgent", "objectRef",
           "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations"]
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"

server = Server(port=17361)
api = None
log = os.path.join(server.folder, "logs", "audit.log")


def setup():
    global api
    policy = os.path.join(server.folder, "policy.yaml")
    with open(policy, "w") as f:
        f.write(POLICY)
    server.flags = [f"--kube-apiserver-arg=audit-policy-file={policy}", f"--kube-apiserver-arg=audit-log-path={log}"]
    server.start()
    api = server.admin()


def events():
    with open(log) as f:  # the last line may be on its way
        return [json.loads(line) for line in f.read().split("\n")[:-1]]


def of(audit_id, count=2):
    """All events of one request, once there are so many."""
    end = time.monotonic() + 15
    while True:
        found = [e for e in events() if e["auditID"] == audit_id]
        if len(found) >= count:
            eq(len(found), count, f"events of {audit_id}: {[e['stage'] for e in found]}")
            return found
        true(time.monotonic() < end, f"{count} events of {audit_id} awaited in vain, there are {len(found)}")
        time.sleep(0.02)


def asked(id, method, path, body=None, count=2, headers=None, **kw):
    answer = api.request(method, path, body, headers={"Audit-ID": id, **(headers or {})}, **kw)
    return answer, of(id, count)


@case("an event has upstream's members, in upstream's order")
def _():
    answer, (first, last) = asked("get-1", "GET", "/api/v1/namespaces/default", headers={"User-Agent": "probe/1"})
    eq(answer.headers["Audit-Id"], "get-1")
    for e in (first, last):
        keys = list(e)
        eq(keys, [m for m in MEMBERS if m in keys], "order of members")
        true(STAMP.match(e["requestReceivedTimestamp"]) and STAMP.match(e["stageTimestamp"]), f"times: {e}")
        contains(e, {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "get-1", "requestURI": "/api/v1/namespaces/default",
                     "verb": "get", "user": {"username": "system:admin", "groups": ["system:authenticated", "system:masters"]}, "sourceIPs": ["127.0.0.1"], "userAgent": "probe/1",
                     "objectRef": {"resource": "namespaces", "name": "default", "apiVersion": "v1", "apiGroup": ABSENT}, "requestObject": ABSENT, "responseObject": ABSENT})
    contains(first, {"stage": "RequestReceived", "responseStatus": ABSENT, "annotations": ABSENT})
    contains(last, {"stage": "ResponseComplete", "responseStatus": {"metadata": {}, "code": 200, "status": ABSENT},
                    "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""}})
    eq(first["requestReceivedTimestamp"], last["requestReceivedTimestamp"])


@case("who sends no Audit-ID is told one")
def _():
    id = api.get("/api/v1/namespaces/default").headers["Audit-Id"]
    true(re.match(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id), f"not a UUID: {id}")
    of(id)


@case("what a rule silences is not written, nor told")
def _():
    answer = api.request("GET", "/api/v1/namespaces/default/secrets", headers={"Audit-ID": "silent"})
    eq(answer.headers.get("Audit-Id"), None)
    asked("after-silent", "GET", "/api/v1/namespaces/default")
    eq([e for e in events() if e["auditID"] == "silent" or e["requestURI"] == "/readyz"], [])


@case("a creation names its object; a failure has its Status")
def _():
    answer, (_, last) = asked("create-1", "POST", CONFIGMAPS, {"metadata": {"name": "plain"}, "data": {"a": "secret-value"}})
    answer.want(201)
    contains(last, {"verb": "create", "objectRef": {"resource": "configmaps", "namespace": "default", "name": "plain", "apiVersion": "v1"}, "responseStatus": {"code": 201}})
    true("secret-value" not in json.dumps(last), "Metadata has no bodies")
    answer, (_, last) = asked("create-2", "POST", CONFIGMAPS, {"metadata": {"name": "plain"}})
    contains(last["responseStatus"], {"metadata": {}, "status": "Failure", "reason": "AlreadyExists", "code": 409, "message": 'configmaps "plain" already exists',
                                      "details": {"name": "plain", "kind": "configmaps"}})


@case("Request has what was sent")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "asked"}}).want(201)
    path = "/api/v1/namespaces/asked/configmaps"
    _, (first, last) = asked("r-1", "POST", path, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: obj}\ndata: {k: v}\n", type="application/yaml")
    contains(first, {"level": "Request", "requestObject": ABSENT})
    contains(last, {"requestObject": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "obj"}, "data": {"k": "v"}}, "responseObject": ABSENT})
    _, (_, last) = asked("r-2", "PATCH", f"{path}/obj", '{"data":\n {"k": "w"}}', type="application/merge-patch+json")
    eq(last["requestObject"], {"data": {"k": "w"}})
    _, (_, last) = asked("r-3", "PATCH", f"{path}/obj?fieldManager=f", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: obj}\ndata: {z: z}\n", type="application/apply-patch+yaml")
    contains(last["requestObject"], {"kind": "ConfigMap", "data": {"z": "z"}})
    version = api.get(f"{path}/obj").json["metadata"]["resourceVersion"]
    _, (_, last) = asked("r-4", "PUT", f"{path}/obj", {"metadata": {"name": "obj", "resourceVersion": version}, "data": {}})
    eq(last["objectRef"]["resourceVersion"], version)
    _, (_, last) = asked("r-5", "DELETE", f"{path}/obj", {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
    contains(last, {"verb": "delete", "requestObject": {"propagationPolicy": "Background"}})


@case("RequestResponse has what was answered, without managedFields where the rule says so")
def _():
    api.post(CONFIGMAPS, {"metadata": {"name": "loud"}, "data": {"a": "1"}}).want(201)
    _, (_, last) = asked("rr-1", "GET", f"{CONFIGMAPS}/loud")
    contains(last, {"level": "RequestResponse", "responseObject": {"kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"name": "loud", "managedFields": ABSENT}}})
    _, (_, last) = asked("rr-2", "GET", f"{CONFIGMAPS}/loud", accept="application/yaml")
    contains(last, {"responseObject": {"kind": "ConfigMap", "data": {"a": "1"}}})
    _, (only,) = asked("rr-3", "GET", "/api/v1/namespaces/default/pods", count=1)
    contains(only, {"stage": "ResponseComplete", "verb": "list", "responseObject": {"kind": "PodList", "items": []}})
    _, (only,) = asked("rr-4", "GET", "/api/v1/namespaces/default/pods/gone", count=1)
    contains(only, {"responseStatus": {"code": 404, "reason": "NotFound"}, "responseObject": {"kind": "Status", "code": 404}})


@case("a watch has a start and an end")
def _():
    w = api.watch("/api/v1/namespaces/default/services?timeoutSeconds=1&allowWatchBookmarks=false")
    audit_id = w.response.headers["Audit-Id"]
    w.rest()
    stages = of(audit_id, 3)
    eq([e["stage"] for e in stages], ["RequestReceived", "ResponseStarted", "ResponseComplete"])
    contains(stages[1], {"verb": "watch", "responseStatus": {"code": 200}})
    w = api.watch("/api/v1/namespaces/default/services")
    audit_id = w.response.headers["Audit-Id"]
    w.close()
    w.response.close()
    eq([e["stage"] for e in of(audit_id, 3)], ["RequestReceived", "ResponseStarted", "ResponseComplete"])


@case("who acts as another is written beside him; a refusal says forbid")
def _():
    answer, (first, last) = asked("as-1", "GET", "/api/v1/nodes", headers={"Impersonate-User": "jane", "Impersonate-Group": "devs", "Impersonate-Extra-Why": "test"})
    answer.want(403)
    contains(first, {"user": {"username": "system:admin"}, "impersonatedUser": ABSENT})
    contains(last, {"user": {"username": "system:admin"}, "impersonatedUser": {"username": "jane", "groups": ["devs", "system:authenticated"], "extra": {"why": ["test"]}},
                    "responseStatus": {"code": 403, "reason": "Forbidden"}, "annotations": {"authorization.k8s.io/decision": "forbid"}})


@case("who is not known leaves one event")
def _():
    answer = server.anonymous().request("GET", "/api/v1/nodes", headers={"Audit-ID": "who-1", "Authorization": "Bearer nonsense"})
    answer.want(401)
    (only,) = of("who-1", 1)
    contains(only, {"stage": "ResponseStarted", "user": {}, "verb": "list", "responseStatus": {"code": 401}, "objectRef": {"resource": "nodes"}})
    eq(only["user"], {})


@case("who says wrong things of whom he acts as is audited as himself")
def _():
    answer, (_, last) = asked("as-2", "GET", "/api/v1/nodes", headers={"Impersonate-Group": "devs"})
    answer.want(400)
    contains(last, {"user": {"username": "system:admin"}, "impersonatedUser": ABSENT, "responseStatus": {"code": 400}})


@case("proxies' headers say where a request came from; the peer stands last")
def _():
    _, (first, _) = asked("ip-1", "GET", "/version", headers={"X-Forwarded-For": "203.0.113.7, not-one, 2001:db8::1", "X-Real-Ip": "203.0.113.9"})
    eq(first["sourceIPs"], ["203.0.113.7", "2001:db8::1", "203.0.113.9", "127.0.0.1"])
    contains(first, {"verb": "get", "requestURI": "/version", "objectRef": ABSENT})


@case("service accounts and controllers inside are audited as who they are")
def _():
    found = [e for e in events() if e["user"].get("username") == "system:apiserver"]
    eq(found, [], "the policy silences the server itself")


@case("metrics count events and levels")
def _():
    text = api.get("/metrics").text if hasattr(harness.Answer, "text") else api.get("/metrics").body.decode()
    has(text, "apiserver_audit_event_total ")
    has(text, 'apiserver_audit_level_total{level="Metadata"}')
    has(text, 'apiserver_audit_error_total{plugin="log"} 0')


@case("the log goes on behind what is there after a restart")
def _():
    asked("before-restart", "GET", "/api/v1/namespaces/default")
    server.stop()
    with open(log, "a") as f:
        f.write('{"half a')
    server.start()
    global api
    api = server.admin()
    asked_id = api.get("/api/v1/namespaces/default").headers["Audit-Id"]
    end = time.monotonic() + 15
    while f'"{asked_id}","stage":"ResponseComplete"' not in open(log).read():
        true(time.monotonic() < end, "the event after the restart is awaited in vain")
        time.sleep(0.02)
    lines = open(log).read().splitlines()
    true('{"half a' in lines, "a torn line stays by itself")
    for line in lines:
        if line != '{"half a':
            json.loads(line)
    server.stop()


@case("a full file is put away, old ones are packed and removed")
def _():
    server.flags += ["--kube-apiserver-arg=audit-log-maxsize=1", "--kube-apiserver-arg=audit-log-maxbackup=2", "--kube-apiserver-arg=audit-log-compress"]
    global api
    server.start()
    api = server.admin()
    data = {"k": "x" * 200000}
    for i in range(24):
        api.put(f"{CONFIGMAPS}/loud", {"metadata": {"name": "loud"}, "data": {**data, "i": str(i)}}).want(200)
    backups = lambda: sorted(glob.glob(log[:-4] + "-*"))
    end = time.monotonic() + 30
    while not (len(backups()) == 2 and all(b.endswith(".log.gz") for b in backups())):
        true(time.monotonic() < end, f"two packed files are awaited in vain: {backups()}")
        time.sleep(0.05)
    for b in backups():
        true(re.search(r"audit-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log\.gz$", b), b)
        for line in gzip.open(b, "rt").read().splitlines():
            json.loads(line)
    true(os.path.getsize(log) <= 1024 * 1024, "the file is within its size")
    eq(os.stat(log).st_mode & 0o777, 0o600)
    server.stop()


@case("the legacy form is one line of words")
def _():
    server.flags = server.flags[:1] + [f"--kube-apiserver-arg=audit-log-path={log}.old", "--kube-apiserver-arg=audit-log-format=legacy"]
    global api
    server.start()
    api = server.admin()
    api.request("GET", "/version", headers={"Audit-ID": "legacy-1"})
    end = time.monotonic() + 15
    want = 'AUDIT: id="legacy-1" stage="ResponseComplete" ip="127.0.0.1" method="get" user="system:admin" groups="\\"system:authenticated\\",\\"system:masters\\"" as="<self>" asgroups="<lookup>"'
    while want not in open(log + ".old").read():
        true(time.monotonic() < end, "the line is awaited in vain: " + open(log + ".old").read()[-400:])
        time.sleep(0.02)
    has(open(log + ".old").read(), 'namespace="<none>" uri="/version" response="200"')
    server.stop()


class Hook:
    """A webhook that keeps what it is sent; `answers` are the statuses of its next answers, 200 after that."""

    def __init__(self):
        hook = self
        self.lists, self.answers, self.calls = [], [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.calls += 1
                status = hook.answers.pop(0) if hook.answers else 200
                if status == 200:
                    hook.lists.append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def config(self):
        path = os.path.join(server.folder, "webhook.kubeconfig")
        with open(path, "w") as f:
            f.write(f"apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{self.server.server_port}/audit'}}}}]\n"
                    "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\nusers: [{name: u, user: {}}]\n")
        return path

    def ids(self):
        return [e["auditID"] for l in self.lists for e in l["items"]]


def hooked(hook, *args):
    global api
    policy = os.path.join(server.folder, "policy.yaml")
    server.flags = [f"--kube-apiserver-arg=audit-policy-file={policy}", f"--kube-apiserver-arg=audit-webhook-config-file={hook.config()}",
                    "--kube-apiserver-arg=audit-webhook-initial-backoff=100ms"] + [f"--kube-apiserver-arg={a}" for a in args]
    server.start()
    api = server.admin()


def awaits(what, fn):
    end = time.monotonic() + 20
    while not fn():
        true(time.monotonic() < end, f"awaited in vain: {what}")
        time.sleep(0.02)


@case("the webhook gets lists of events, in batches, and again when it failed")
def _():
    hook = Hook()
    hooked(hook, "audit-webhook-batch-max-size=4", "audit-webhook-batch-max-wait=1h", "audit-webhook-batch-throttle-enable=false")
    for i in range(10):
        api.request("GET", "/version", headers={"Audit-ID": f"w-{i}"})
    # the server's own beginning is audited as well: batches of four, until what is left is less than one
    awaits("the batches", lambda: sum(i.startswith("w-") for i in hook.ids()) >= 16)
    for l in hook.lists:
        contains(l, {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}})
        eq(len(l["items"]), 4)
        contains(l["items"][0], {"kind": "Event", "level": "Metadata"})
    hook.answers = [500, 429, 503]
    before, calls = len(hook.lists), hook.calls
    for i in range(4):
        api.request("GET", "/version", headers={"Audit-ID": f"again-{i}"})
    awaits("what failed is sent again", lambda: len([i for i in hook.ids() if i.startswith("again-")]) >= 4)
    true(hook.calls - calls >= len(hook.lists) - before + 3, "three of the calls failed")
    api.request("GET", "/version", headers={"Audit-ID": "last"})
    server.stop()
    eq(hook.ids().count("last"), 2)
    for i in range(10):
        eq(hook.ids().count(f"w-{i}"), 2)


@case("what the webhook refuses or has no room for is lost and counted")
def _():
    hook = Hook()
    hooked(hook, "audit-webhook-batch-max-size=2", "audit-webhook-batch-max-wait=10ms", "audit-webhook-batch-buffer-size=4")
    hook.answers = [400]
    lost = lambda: int(re.search(r'apiserver_audit_error_total\{plugin="webhook"\} (\d+)', api.get("/metrics").body.decode()).group(1))
    before = lost()
    awaits("a refused batch is counted", lambda: lost() > before)
    hook.server.shutdown()
    hook.server.server_close()
    before = lost()
    for i in range(10):
        api.request("GET", "/version")
    awaits("what does not fit is counted", lambda: lost() > before)
    server.stop()


@case("a webhook that never answers does not hold the server's end")
def _():
    silent = socket.create_server(("127.0.0.1", 0))
    hook = Hook()
    hook.server.server_port = silent.getsockname()[1]
    hooked(hook, "audit-webhook-batch-max-wait=10ms")
    silent.accept()[0].recv(1)  # a batch is on its way
    began = time.monotonic()
    server.process.terminate()
    eq(server.process.wait(14), 0)
    true(time.monotonic() - began < 10, "it waits some three seconds")
    silent.close()


def refuses(words, *args):
    r = subprocess.run(server.command() + [f"--kube-apiserver-arg={a}" for a in args], capture_output=True, text=True, timeout=30)
    true(r.returncode != 0, f"{args} is taken")
    has(r.stderr, words)


@case("what is wrong is told at the start")
def _():
    server.flags = []
    bad = os.path.join(server.folder, "bad.yaml")
    with open(bad, "w") as f:
        f.write("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  namespace: [x]\n")
    refuses("rules[0].namespace: unknown field", f"audit-policy-file={bad}", f"audit-log-path={log}")
    refuses("No such file", f"audit-policy-file={bad}.none", f"audit-log-path={log}")
    refuses("audit-log-mode can only be", "audit-log-mode=blocking")
    with open(bad, "w") as f:
        f.write(POLICY)
    refuses("audit-log-format", f"audit-policy-file={bad}", f"audit-log-path={log}", "audit-log-format=xml")
    refuses("audit-webhook-config-file: ", f"audit-policy-file={bad}", "audit-webhook-config-file=/none")
    refuses("audit-webhook-batch-max-size", f"audit-policy-file={bad}", f"audit-webhook-config-file={Hook().config()}", "audit-webhook-batch-max-size=0")
    refuses("/proc/none/audit.log", f"audit-policy-file={bad}", "audit-log-path=/proc/none/audit.log")


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
