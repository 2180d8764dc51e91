#!/usr/bin/env python3
"""pods/proxy, services/proxy and streams: what goes through, what comes back, and who is asked before.

Usage: proxy_test.py [PART OF A CASE'S NAME]. Starts and stops its own server and the pods' servers, which listen on an
address of this network namespace; exit status 0 when every case passed."""

import http.client
import http.server
import os
import socket
import subprocess
import sys
import threading
import time

import harness
from harness import Server, case, connect_tls, eq, has, true

server = Server(port=17352)
api = None
ADDRESS = "10.95.0.7"
PODS, SERVICES = "/api/v1/namespaces/p/pods", "/api/v1/namespaces/p/services"
HTML = '<html><a href="/rewriteme">x</a><a href=plain>y</a><script>"<a href=\'/s\'>"</script><!-- <a href="/c"> --><img SRC=\'/i.png\'></html>'


class Pod(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = "one"

    def log_message(self, *args):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def tell(self):
        path = self.path.split("?")[0]
        if path == "/moved":
            self.say(302, Location="/elsewhere?x=1")
        elif path == "/html":
            self.say(200, HTML.encode(), Content_Type="text/html; charset=utf-8")
        elif path == "/teapot":
            self.say(418, b"short", X_Pod="yes")
        elif path == "/broken":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
        else:
            seen = {k.lower(): v for k, v in self.headers.items()}
            self.say(200, harness.json.dumps({"pod": self.name, "method": self.command, "path": self.path, "headers": seen}).encode(), Content_Type="application/json")

    def take(self):
        n = 0
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                n += len(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            n = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.say(200, f"{self.command} {n}".encode())

    def upgrade(self):
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Echo: on\r\n\r\n")
        while data := self.connection.recv(4096):
            self.connection.sendall(data.upper())
        self.close_connection = True

    def do_GET(self):
        if self.headers.get("Upgrade") == "echo":
            self.upgrade()
        else:
            self.tell()

    do_HEAD = do_GET
    do_POST = do_PUT = do_PATCH = do_DELETE = take


def serve(port, name):
    handler = type("Named", (Pod,), {"name": name})
    s = http.server.ThreadingHTTPServer((ADDRESS, port), handler)
    s.daemon_threads = True
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s


def setup():
    global api
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    for port, name in (8080, "one"), (8081, "two"):
        serve(port, name)
    server.start()
    api = server.admin()
    api.post("/api/v1/namespaces", {"metadata": {"name": "p"}}).want(201)
    pod("web", 8080)
    pod("gone", 9)
    pod("local", 8080, "127.0.0.1")
    pod("new", 8080, None)
    service("web", [{"name": "http", "port": 80, "targetPort": 8080}], {"http": 8080})
    service("empty", [{"port": 80}])
    service("two", [{"name": "a", "port": 1}, {"name": "b", "port": 2}], {"a": 8080, "b": 8081})


def pod(name, port, address=ADDRESS):
    spec = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": port}]}], "automountServiceAccountToken": False}
    api.post("/api/v1/namespaces/p/serviceaccounts", {"metadata": {"name": "default"}})
    api.post(PODS, {"metadata": {"name": name}, "spec": spec}).want(201)
    if address:
        api.patch(f"{PODS}/{name}/status", {"status": {"podIP": address, "podIPs": [{"ip": address}]}}).want(200)


def service(name, ports, behind=None):
    api.post(SERVICES, {"metadata": {"name": name}, "spec": {"ports": ports}}).want(201)
    for port, number in (behind or {}).items():
        api.post("/apis/discovery.k8s.io/v1/namespaces/p/endpointslices", {
            "metadata": {"name": f"{name}-{port}", "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
            "ports": [{"name": port, "port": number}], "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}]}).want(201)


@case("pods: path, query and headers go through, and credentials do not")
def _():
    a = api.get(f"{PODS}/web/proxy/a//b%2Fc/?q=1&q=%20", headers={"X-Mine": "1", "Impersonate-User": "kubernetes-admin", "Impersonate-Group": "system:masters", "X-Remote-User": "root"}).want(200).json
    eq(a["path"], "/a//b%2Fc/?q=1&q=%20")
    h = a["headers"]
    eq((h["x-mine"], h["x-forwarded-proto"], h["x-forwarded-host"], h["x-forwarded-for"]), ("1", "https", f"127.0.0.1:{server.port}", "127.0.0.1"))
    eq([k for k in h if k in ("authorization", "impersonate-user", "x-remote-user")], [])
    eq(h["host"], f"{ADDRESS}:8080")
    deep = "/x" * 40
    eq(api.get(f"{PODS}/http:web:8081/proxy{deep}").want(200).json["path"], deep)


@case("pods: status, headers and methods are the pod's own")
def _():
    a = api.get(f"{PODS}/web/proxy/teapot").want(418)
    eq((a.body, a.headers["X-Pod"]), (b"short", "yes"))
    eq(api.request("HEAD", f"{PODS}/web/proxy/teapot").want(418).body, b"")
    for method in "POST", "PUT", "PATCH", "DELETE":
        eq(api.request(method, f"{PODS}/web/proxy/", "12345").want(200).body, f"{method} 5".encode())


@case("pods: a body of any size is streamed")
def _():
    size = 20 << 20
    eq(api.post(f"{PODS}/web/proxy/", b"x" * size).want(200).body, f"POST {size}".encode())
    pieces = lambda: (b"y" * 65536 for _ in range(100))
    c = api.connect()
    c.request("PUT", f"{PODS}/web/proxy/", pieces(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    eq(c.getresponse().read(), f"PUT {100 * 65536}".encode())


@case("pods: redirects and links hold here")
def _():
    base = f"{PODS}/web/proxy"
    eq(api.get(base + "?a=b").want(301).headers["Location"], base + "/?a=b")
    eq(api.get(base + "/moved").want(302).headers["Location"], base + "/elsewhere?x=1")
    body = api.get(base + "/html", headers={"Accept-Encoding": "gzip"}).want(200).body.decode()
    eq(body, HTML.replace('"/rewriteme"', f'"{base}/rewriteme"').replace("'/i.png'", f"'{base}/i.png'"))


@case("pods: what cannot be reached is told")
def _():
    has(api.get(f"{PODS}/gone/proxy/").want(503, "ServiceUnavailable").json["message"], "error trying to reach service")
    has(api.get(f"{PODS}/local/proxy/").want(400, "BadRequest").json["message"], "address not allowed: 127.0.0.1")
    has(api.get(f"{PODS}/new/proxy/").want(503).json["message"], "has no address yet")
    has(api.get(f"{PODS}/absent/proxy/").want(404, "NotFound").json["message"], 'pods "absent" not found')
    has(api.get(f"{PODS}/ftp:web:80/proxy/").want(400).json["message"], "[http:|https:]NAME[:PORT]")
    has(api.get(f"{PODS}/web:99999/proxy/").want(400).json["message"], "a number from 1 to 65535")


@case("pods: an answer that breaks off does not look whole")
def _():
    c = api.connect()
    c.request("GET", f"{PODS}/web/proxy/broken")
    try:
        body = c.getresponse().read()
        true(False, f"taken for whole: {body!r}")
    except (http.client.IncompleteRead, ConnectionError):
        pass


@case("pods: an upgrade carries bytes both ways")
def _():
    s = connect_tls(server, "admin")
    s.sendall(f"GET {PODS}/web/proxy/e HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(4096)
    has(head.decode().lower(), "101 switching protocols")
    has(head.decode().lower(), "x-echo: on")
    for word in b"hello", b"again":
        s.sendall(word)
        got = b""
        while len(got) < len(word):
            got += s.recv(4096)
        eq(got, word.upper())
    s.close()


@case("services: an endpoint of the port that is named")
def _():
    eq(api.get(f"{SERVICES}/web/proxy/x").want(200).json["pod"], "one")
    eq(api.get(f"{SERVICES}/web:http/proxy/x").want(200).json["pod"], "one")
    eq(api.get(f"{SERVICES}/http:web:80/proxy/x").want(200).json["pod"], "one")
    eq(api.get(f"{SERVICES}/two:a/proxy/").want(200).json["pod"], "one")
    eq(api.get(f"{SERVICES}/two:2/proxy/").want(200).json["pod"], "two")
    has(api.get(f"{SERVICES}/two/proxy/").want(503).json["message"], "has several ports")
    has(api.get(f"{SERVICES}/empty/proxy/").want(503, "ServiceUnavailable").json["message"], 'no endpoints available for service "empty"')
    has(api.get(f"{SERVICES}/web:99/proxy/").want(404).json["message"], "no service port 99 found")
    api.get(f"{SERVICES}/absent/proxy/").want(404, "NotFound")


@case("policies: CONNECT is asked about with its options")
def _():
    base = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["pods/exec", "pods/proxy"]}]
    check = "request.operation == 'CONNECT' && (request.kind.kind == 'PodProxyOptions' ? object.path != '/secret' : !('rm' in object.command) && object.container == 'c')"
    api.post(base + "ies", {"metadata": {"name": "c"}, "spec": {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": check}]}}).want(201)
    api.post(base + "ybindings", {"metadata": {"name": "c"}, "spec": {"policyName": "c", "validationActions": ["Deny"]}}).want(201)
    has(api.get(f"{PODS}/web/proxy/secret").want(422).json["message"], "denied request")
    api.get(f"{PODS}/web/proxy/open").want(200)
    has(api.post(f"{PODS}/web/exec?container=c&command=rm&command=-r", None).want(422).json["message"], "denied request")
    has(api.post(f"{PODS}/web/exec?container=c&command=ls", None).want(400).json["message"], "does not have a host assigned")
    api.delete(base + "ybindings/c").want(200)


@case("who may read through a proxy may not write")
def _():
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    api.post(f"{rbac}/clusterroles", {"metadata": {"name": "look"}, "rules": [{"apiGroups": [""], "resources": ["pods/proxy", "nodes/proxy"], "verbs": ["get"]}]}).want(201)
    api.post(f"{rbac}/clusterrolebindings", {"metadata": {"name": "look"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "look"},
             "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}, {"kind": "ServiceAccount", "name": "default", "namespace": "p"}]}).want(201)
    token = api.post("/api/v1/namespaces/p/serviceaccounts/default/token", {"spec": {}}).want(201).json["status"]["token"]
    seen = server.anonymous().get(f"{PODS}/web/proxy/x", headers={"Authorization": f"Bearer {token}"}).want(200).json["headers"]
    true("authorization" not in seen, "the pod does not get its caller's token")
    eve = {"Impersonate-User": "eve"}
    api.get(f"{PODS}/web/proxy/x", headers=eve).want(200)
    api.request("POST", f"{PODS}/web/proxy/x", "1", headers=eve).want(403, "Forbidden")
    api.post("/api/v1/nodes", {"metadata": {"name": "n"}}).want(201)
    upgrade = {**eve, "Connection": "Upgrade", "Upgrade": "websocket"}
    has(api.get("/api/v1/nodes/n/proxy/exec/p/web/c", headers=upgrade).want(403).json["message"], 'cannot create resource "nodes/proxy"')
    api.get("/api/v1/nodes/n/proxy/pods", headers=eve).want(503)


@case("watch: the older paths are served")
def _():
    w = harness.Watch(api, "/api/v1/watch/namespaces/p/pods/web?resourceVersion=0&timeoutSeconds=1")
    eq([(e["type"], e["object"]["metadata"]["name"]) for e in w.rest()], [("ADDED", "web")])
    w = harness.Watch(api, "/api/v1/watch/namespaces/p/services?timeoutSeconds=1")
    eq(sorted(e["object"]["metadata"]["name"] for e in w.rest()), ["empty", "two", "web"])
    w.close()


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
