#!/usr/bin/env python3
"""APIServices: another API server's group, asked about, discovered, and passed on to, by HTTPS and by kubectl.

Usage: aggregate_test.py [PART OF A CASE'S NAME]. The other server runs on a thread here, on an address of this network
namespace, and believes nobody but who has a certificate of the cluster's front-proxy CA."""

import base64
import http.server
import json
import ssl
import subprocess
import sys
import threading

import harness
from _webhooks import Authority
from harness import Server, case, eq, has, true, until

ADDRESS = "10.95.0.8"
server = Server(port=17353)
api = None
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
RESOURCES = [
    {"name": "flowers", "singularName": "flower", "namespaced": True, "kind": "Flower", "verbs": ["get", "list", "create", "delete"], "shortNames": ["fl"]},
    {"name": "flowers/status", "singularName": "", "namespaced": True, "kind": "Flower", "verbs": ["get"]},
    {"name": "pods/petals", "singularName": "", "namespaced": True, "kind": "PetalList", "verbs": ["get"]}]
FLOWER = {"apiVersion": "garden.example/v1", "kind": "Flower", "metadata": {"name": "rose", "namespace": "p"}}
asked, answer_status = [], [200]


class Garden(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reply(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if "chunked" not in (self.headers.get("Transfer-Encoding") or "") else self.chunks()
        path = self.path.split("?")[0]
        subject = dict(x[0] for x in self.connection.getpeercert()["subject"])
        asked.append({"method": self.command, "path": self.path, "body": body.decode(), "who": subject["commonName"],
                      "user": self.headers.get("X-Remote-User"), "groups": self.headers.get_all("X-Remote-Group"),
                      "extra": {k.lower(): v for k, v in self.headers.items() if k.lower().startswith("x-remote-extra-")},
                      "authorization": self.headers.get("Authorization")})
        if answer_status[0] != 200:
            self.say(answer_status[0], {})
        elif path == "/apis/garden.example/v1":
            self.say(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "garden.example/v1", "resources": RESOURCES})
        elif path == "/openapi/v3/apis/garden.example/v1":
            self.say(200, {"openapi": "3.0.0", "info": {"title": "garden"}, "paths": {}})
        elif path == "/apis/garden.example/v1/namespaces/p/flowers/rose":
            self.say(200, FLOWER)
        elif path.endswith("/flowers") and self.command == "GET":
            self.say(200, {"apiVersion": "garden.example/v1", "kind": "FlowerList", "metadata": {}, "items": [FLOWER]})
        elif path.endswith("/flowers"):
            self.say(201, json.loads(body))
        else:
            self.say(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "no such flower", "code": 404})

    def chunks(self):
        data = b""
        while n := int(self.rfile.readline(), 16):
            data += self.rfile.read(n)
            self.rfile.readline()
        self.rfile.readline()
        return data

    do_GET = do_POST = do_DELETE = do_PATCH = reply


def serve(authority, proxy_ca):
    crt, key = authority.issue("garden", "/CN=garden", "subjectAltName=DNS:garden.p.svc\nextendedKeyUsage=serverAuth")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    context.load_verify_locations(cadata=proxy_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    s = http.server.ThreadingHTTPServer((ADDRESS, 8443), Garden)
    s.daemon_threads = True
    s.socket = context.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever, daemon=True).start()


def setup():
    global api, authority
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    server.start()
    api = server.admin()
    authority = Authority(server.folder)
    api.post("/api/v1/namespaces", {"metadata": {"name": "p"}}).want(201)
    m = until("the map", lambda: (lambda a: a.json if a.status == 200 else None)(api.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")))
    eq(m["data"]["requestheader-allowed-names"], '["system:auth-proxy"]')
    has(m["data"]["client-ca-file"], "BEGIN CERTIFICATE")
    serve(authority, m["data"]["requestheader-client-ca-file"])


def service(**spec):
    ca = base64.b64encode(open(authority.ca, "rb").read()).decode()
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.garden.example"},
            "spec": {"group": "garden.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, "caBundle": ca,
                     "service": {"namespace": "p", "name": "garden", "port": 443}, **spec}}


def condition():
    found = [c for c in api.get(SERVICES + "/v1.garden.example").json.get("status", {}).get("conditions", []) if c["type"] == "Available"]
    return (found[0]["status"], found[0]["reason"]) if found else None


def becomes(status, reason):
    until(f"{status} {reason}", lambda: condition() == (status, reason))


@case("services of what is served here are there, local and available")
def _():
    out = until("all of them", lambda: (lambda o: o if "v1.apps" in o and "v1.scheduling.k8s.io" in o and "Unknown" not in o else None)(server.kubectl_ok("get", "apiservices")))
    has(" ".join([l for l in out.splitlines() if l.startswith("v1.apps ")][0].split()), "v1.apps Local True")
    crd = {"metadata": {"name": "bees.hive.example"}, "spec": {"group": "hive.example", "scope": "Namespaced", "names": {"plural": "bees", "kind": "Bee"},
           "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
    api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd).want(201)
    until("one of a custom resource", lambda: api.get(SERVICES + "/v1.hive.example").status == 200)
    api.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bees.hive.example").want(200)
    until("its end", lambda: api.get(SERVICES + "/v1.hive.example").status == 404)


@case("what is wrong with one is told")
def _():
    def refused(change, *words):
        a = api.post(SERVICES, service(**change)).want(422)
        for w in words:
            has(a.json["message"], w)
    refused({"group": "other.example"}, "metadata.name", "v1.other.example")
    refused({"groupPriorityMinimum": 0}, "spec.groupPriorityMinimum", "must be positive and less than 20000")
    refused({"versionPriority": 1001}, "spec.versionPriority", "must be positive and less than 1000")
    refused({"insecureSkipTLSVerify": True}, "spec.insecureSkipTLSVerify", "may not be true if caBundle is present")
    refused({"service": None}, "local APIServices may not have a caBundle")
    refused({"service": {"name": "x", "port": 70000}}, "spec.service.namespace: Required", "spec.service.port")


@case("availability: step by step, until it is there")
def _():
    api.post(SERVICES, service()).want(201)
    becomes("False", "ServiceNotFound")
    a = api.get("/apis/garden.example/v1/namespaces/p/flowers").want(503, "ServiceUnavailable")
    has(a.json["message"], "v1.garden.example is served by p/garden")
    api.post("/api/v1/namespaces/p/services", {"metadata": {"name": "garden"}, "spec": {"ports": [{"port": 80}]}}).want(201)
    becomes("False", "ServicePortError")
    api.patch("/api/v1/namespaces/p/services/garden", {"spec": {"ports": [{"port": 443}]}}).want(200)
    becomes("False", "MissingEndpoints")
    answer_status[0] = 500
    api.post("/apis/discovery.k8s.io/v1/namespaces/p/endpointslices", {"metadata": {"name": "garden", "labels": {"kubernetes.io/service-name": "garden"}},
             "addressType": "IPv4", "ports": [{"port": 8443}], "endpoints": [{"addresses": [ADDRESS]}]}).want(201)
    becomes("False", "FailedDiscoveryCheck")
    answer_status[0] = 200
    becomes("True", "Passed")
    eq((asked[-1]["who"], asked[-1]["user"]), ("system:auth-proxy", "system:kube-aggregator"))
    has(" ".join(server.kubectl_ok("get", "apiservice", "v1.garden.example").split()), "v1.garden.example p/garden True")


@case("requests go there under their caller's name")
def _():
    del asked[:]
    eq(api.get("/apis/garden.example/v1/namespaces/p/flowers/rose?x=1").want(200).json, FLOWER)
    a = [x for x in asked if "rose" in x["path"]][0]
    eq((a["path"], a["user"], a["authorization"]), ("/apis/garden.example/v1/namespaces/p/flowers/rose?x=1", "system:admin", None))
    true("system:masters" in a["groups"] and "system:authenticated" in a["groups"], a["groups"])
    eq(api.post("/apis/garden.example/v1/namespaces/p/flowers", {"x": 1}).want(201).json, {"x": 1})
    has(api.get("/apis/garden.example/v1/namespaces/p/flowers/tulip").want(404).json["message"], "no such flower")
    as_eve = {"Impersonate-User": "eve", "Impersonate-Extra-Scopes%2fA": "b", "X-Remote-User": "root", "X-Remote-Group": "system:masters"}
    api.get("/apis/garden.example/v1/namespaces/p/flowers/rose", headers=as_eve).want(403, "Forbidden")
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    api.post(f"{rbac}/namespaces/p/roles", {"metadata": {"name": "smell"}, "rules": [{"apiGroups": ["garden.example"], "resources": ["flowers"], "verbs": ["get"], "resourceNames": ["rose"]}]}).want(201)
    api.post(f"{rbac}/namespaces/p/rolebindings", {"metadata": {"name": "smell"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "smell"},
             "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}]}).want(201)
    del asked[:]
    api.get("/apis/garden.example/v1/namespaces/p/flowers/rose", headers=as_eve).want(200)
    a = [x for x in asked if "rose" in x["path"]][0]
    eq((a["user"], a["groups"], a["extra"]), ("eve", ["system:authenticated"], {"x-remote-extra-scopes%2fa": "b"}))
    api.get("/apis/garden.example/v1/namespaces/p/flowers", headers=as_eve).want(403)


@case("discovery tells of it, in both forms, and kubectl finds it")
def _():
    groups = {g["name"]: g for g in api.get("/apis").want(200).json["groups"]}
    eq(groups["garden.example"]["preferredVersion"]["groupVersion"], "garden.example/v1")
    eq(api.get("/apis/garden.example").want(200).json["versions"], [{"groupVersion": "garden.example/v1", "version": "v1"}])
    eq([r["name"] for r in api.get("/apis/garden.example/v1").want(200).json["resources"]], [r["name"] for r in RESOURCES])
    v2 = api.get("/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").want(200).json
    garden = [g for g in v2["items"] if g["metadata"]["name"] == "garden.example"][0]
    resources = {r["resource"]: r for r in garden["versions"][0]["resources"]}
    eq(sorted(resources), ["flowers", "pods"])
    eq((resources["flowers"]["subresources"][0]["subresource"], resources["pods"]["verbs"], resources["pods"]["subresources"][0]["responseKind"]["kind"]), ("status", [], "PetalList"))
    has(server.kubectl_ok("get", "fl", "-n", "p", "-o", "name"), "flower.garden.example/rose")
    has(server.kubectl_ok("api-resources", "--api-group=garden.example"), "flowers")
    eq(api.get("/openapi/v3").json["paths"]["apis/garden.example/v1"]["serverRelativeURL"], "/openapi/v3/apis/garden.example/v1")
    eq(api.get("/openapi/v3/apis/garden.example/v1").want(200).json["info"]["title"], "garden")


@case("when it goes away it is told, and when it is taken away forgotten")
def _():
    api.delete("/apis/discovery.k8s.io/v1/namespaces/p/endpointslices/garden").want(200)
    api.patch(SERVICES + "/v1.garden.example", {"spec": {"versionPriority": 11}}).want(200)
    becomes("False", "MissingEndpoints")
    api.get("/apis/garden.example/v1/namespaces/p/flowers/rose").want(503, "ServiceUnavailable")
    v2 = api.get("/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").want(200).json
    eq([g["versions"][0]["freshness"] for g in v2["items"] if g["metadata"]["name"] == "garden.example"], ["Stale"])
    api.delete(SERVICES + "/v1.garden.example").want(200)
    until("it is gone", lambda: api.get("/apis/garden.example/v1/namespaces/p/flowers/rose").status == 404)
    true("garden.example" not in api.get("/apis").body.decode(), "no group")


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
