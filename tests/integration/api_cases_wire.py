"""Formats, negotiation, authentication, discovery, and requests that are broken on purpose."""

import gzip
import json
import os
import socket
import ssl
import struct
import subprocess
import time

import api_test as t
from api_cases_objects import configmap
from harness import K3X, case, connect_tls, contains, eq, has, true

CM = "/api/v1/namespaces/t/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"


# ---- protobuf, as little of it as a test needs ----

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def unknown(version, kind, raw):
    return b"k8s\x00" + field(1, field(1, version) + field(2, kind)) + field(2, raw)


@case("protobuf: a body is taken, an answer and a list are given")
def _():
    raw = field(1, field(1, "pb")) + field(2, field(1, "key") + field(2, "value"))
    made = t.api.post(CM, unknown("v1", "ConfigMap", raw), type=PROTOBUF).want(201).json
    eq(made["data"], {"key": "value"})
    got = t.api.get(CM + "/pb", accept=PROTOBUF).want(200)
    eq(got.headers["Content-Type"], PROTOBUF)
    true(got.body.startswith(b"k8s\x00") and b"value" in got.body, str(got.body))
    listed = t.api.get(CM, accept=PROTOBUF + ",application/json").want(200)
    true(listed.body.startswith(b"k8s\x00") and b"ConfigMapList" in listed.body, "not a protobuf list")


@case("protobuf: garbage is a bad request, errors come as protobuf too")
def _():
    for body in (b"k8s\x00\xff\xff\xff", b"nonsense", unknown("v1", "ConfigMap", b"\x0a\xff"), b""):
        t.api.post(CM, body, type=PROTOBUF).want(400)
    error = t.api.get(CM + "/none", accept=PROTOBUF).want(404)
    true(error.body.startswith(b"k8s\x00") and b"NotFound" in error.body, str(error.body[:80]))


@case("yaml: bodies and answers")
def _():
    t.api.post(CM, "metadata:\n  name: yamled\ndata:\n  k: |\n    two\n    lines\n", type="application/yaml").want(201)
    got = t.api.get(CM + "/yamled", accept="application/yaml").want(200)
    eq(got.headers["Content-Type"], "application/yaml")
    has(got.body.decode(), "name: yamled")
    t.api.post(CM, "a: [b", type="application/yaml").want(400, "BadRequest")
    t.api.post(CM, "a: &x [*x]", type="application/yaml").want(400)


@case("tables: what kubectl get asks for")
def _():
    table = t.api.get(CM, accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json").want(200).json
    contains(table, {"kind": "Table", "apiVersion": "meta.k8s.io/v1"})
    eq([c["name"] for c in table["columnDefinitions"]], ["Name", "Data", "Age"])
    contains(table["rows"][0]["object"], {"kind": "PartialObjectMetadata"})
    table = t.api.get(CM + "?includeObject=Object", accept="application/json;as=Table;v=v1;g=meta.k8s.io").want(200).json
    contains(table["rows"][0]["object"], {"kind": "ConfigMap"})
    partial = t.api.get(CM, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").want(200).json
    eq(partial["kind"], "PartialObjectMetadataList")


@case("negotiation: 406 for what we do not speak, 415 for what we do not read")
def _():
    t.api.get(CM, accept="text/html").want(406, "NotAcceptable")
    t.api.get(CM, accept="text/html, */*").want(200)
    t.api.post(CM, "{}", type="text/plain").want(415, "UnsupportedMediaType")


@case("errors: 400 for broken JSON and wrong types, with the place named")
def _():
    for body in ("", "{", "[]", '"x"', '{"metadata":{"name":"x"},}', '{"a":1}{"b":2}', "\x00", '{"data":"\\ud800"' ):
        t.api.post(CM, body).want(400, "BadRequest")
    for body in ({"metadata": {"name": 5}}, {"metadata": []}, {"metadata": {"name": "x", "labels": {"a": 1}}}, {"data": {"k": 5}}, {"data": []}, {"immutable": "yes"}):
        t.api.post(CM, body).want(400, "BadRequest")
    t.api.post(CM, {"kind": "Secret", "metadata": {"name": "x"}}).want(400, "BadRequest")
    t.api.post(CM, {"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "x"}}).want(400, "BadRequest")
    t.api.post(CM, "[" * 100000).want(400, "BadRequest")
    t.api.post(CM, '{"a":' * 5000).want(400, "BadRequest")


@case("errors: 404 for unknown paths and kinds, 405 for verbs a kind lacks")
def _():
    for path in ("/nothing", "/api/v2", "/apis/none/v1", "/api/v1/namespaces/t/things", "/apis/apps/v9/deployments", "/api/v1/pods/x/y/z/w"):
        t.api.get(path).want(404)
    t.api.put(CM, configmap("x")).want(405, "MethodNotAllowed")
    t.api.post("/api/v1/componentstatuses", {}).want(405, "MethodNotAllowed")
    t.api.request("PATCH", CM, "{}", type="application/merge-patch+json").want(405, "MethodNotAllowed")
    true(t.api.request("BREW", CM).status in (400, 405), "BREW is taken")


@case("errors: 413 for a body beyond 3 MiB; the server goes on")
def _():
    try:
        t.server.admin().post(CM, {"metadata": {"name": "big"}, "data": {"k": "x" * (3 * 1024 * 1024)}}).want(413)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass  # answered and closed while we were still sending
    answer = t.api.post(CM, {"metadata": {"name": "big"}, "data": {"k": "x" * (1100 * 1024)}})
    true(answer.status in (413, 422), f"a ConfigMap beyond 1 MiB answers {answer.status}")


@case("auth: 401 without and with a false identity")
def _():
    true(t.server.anonymous().get(CM).status in (401, 403), "anonymous may list")
    t.server.anonymous().get(CM, headers={"Authorization": "Bearer nonsense"}).want(401, "Unauthorized")
    has(t.server.anonymous().get(CM, headers={"Authorization": "Basic YTpi"}).want(401, "Unauthorized").json["message"], "is what servers and agents join with")


@case("auth: 403 for a user without rights, who still learns who they are")
def _():
    folder, tls = t.server.folder, os.path.join(t.server.folder, "data", "server", "tls")
    key, request, crt = (os.path.join(folder, "bob." + e) for e in ("key", "csr", "crt"))
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", "/O=people/CN=bob"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", tls + "/client-ca.crt", "-CAkey", tls + "/client-ca.key", "-CAcreateserial", "-out", crt, "-days", "1"], check=True, capture_output=True)
    from harness import Api
    bob = Api(t.server, (crt, key))
    has(bob.get(CM).want(403, "Forbidden").json["message"], 'User "bob" cannot list resource "configmaps" in API group "" in the namespace "t"')
    bob.post(CM, configmap("x")).want(403, "Forbidden")
    eq(bob.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).want(201).json["status"]["userInfo"]["username"], "bob")


@case("health and version need no identity")
def _():
    for path in ("/livez", "/readyz", "/healthz", "/version"):
        t.server.anonymous().get(path).want(200)
    eq(t.api.get("/version").json["major"], "1")


@case("discovery: groups, resources, aggregated form")
def _():
    groups = {g["name"] for g in t.api.get("/apis").want(200).json["groups"]}
    true({"apps", "batch", "rbac.authorization.k8s.io", "networking.k8s.io", "coordination.k8s.io"} <= groups, str(groups))
    core = {r["name"]: r for r in t.api.get("/api/v1").want(200).json["resources"]}
    contains(core["pods"], {"namespaced": True, "kind": "Pod", "shortNames": ["po"]})
    true("pods/log" in core and "pods/exec" in core, "no pods/log, pods/exec")
    found = t.api.get("/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").want(200).json
    eq(found["kind"], "APIGroupDiscoveryList")


@case("openapi: v2 and v3 documents are whole")
def _():
    v2 = t.api.get("/openapi/v2").want(200).json
    true("io.k8s.api.core.v1.Pod" in v2["definitions"], "no Pod in v2")
    index = t.api.get("/openapi/v3").want(200).json["paths"]
    doc = t.api.get(index["apis/apps/v1"]["serverRelativeURL"]).want(200).json
    true("io.k8s.api.apps.v1.Deployment" in doc["components"]["schemas"], "no Deployment in v3")


# ---- broken on purpose ----

def still_answers():
    t.server.admin().get("/api/v1/namespaces/t").want(200)


def read_all(s):
    data = b""
    try:
        while part := s.recv(65536):
            data += part
    except (OSError, ssl.SSLError):
        pass
    return data


@case("http/1.1: malformed requests are answered 400 or dropped")
def _():
    for request in (b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200000 + b"\r\n\r\n", b"\x16\x03\x01" * 50):
        s = connect_tls(t.server, "admin")
        s.settimeout(3)
        try:
            s.sendall(request)
        except (OSError, ssl.SSLError):
            pass
        answer = read_all(s)
        s.close()
        true(not answer or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), f"{request[:40]!r} -> {answer[:60]!r}")
    still_answers()


@case("gzip: what is long is compressed for who takes it, and is the same")
def _():
    for i in range(4):
        t.api.post(CM, {"metadata": {"name": f"zip-{i}", "labels": {"zip": ""}}, "data": {"text": f"{i} some words " * 8000}}).want(201)
    path, takes = CM + "?labelSelector=zip", {"Accept-Encoding": "gzip"}
    plain = t.api.get(path).want(200)
    eq(plain.headers["Content-Encoding"], None)
    for accept in (None, "application/yaml", PROTOBUF):
        plain, packed = t.api.get(path, accept=accept).want(200), t.api.get(path, accept=accept, headers=takes).want(200)
        eq((packed.headers["Content-Encoding"], packed.headers["Vary"]), ("gzip", "Accept-Encoding"))
        true(len(packed.body) < len(plain.body) // 10, f"{len(packed.body)} of {len(plain.body)}")
        true(gzip.decompress(packed.body) == plain.body, "other bytes")
    eq(t.api.get(CM + "/zip-0", headers=takes).want(200).headers["Content-Encoding"], None)
    eq(t.api.request("HEAD", path, headers=takes).body, b"")
    # Go's clients ask for it, over HTTP/2
    eq(len(t.server.kubectl_ok("get", "configmaps", "-n", "t", "-l", "zip", "-o", "json").split("some words")) - 1, 4 * 8000)
    t.api.request("DELETE", path).want(200)


@case("tls: plain text and garbage at the port hurt nobody")
def _():
    for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4000), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100, b""):
        s = socket.create_connection(("127.0.0.1", t.server.port), timeout=3)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        read_all(s)
        s.close()
    still_answers()


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


@case("http/2: broken frames end only their connection")
def _():
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = frame(4, 0, 0, b"")
    for data in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", preface + frame(0, 0, 0, b"data on stream 0"), preface + settings + frame(1, 4, 1, b"\xff" * 40),
                 preface + settings + frame(9, 4, 1, b"lonely continuation"), preface + settings + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
                 preface + settings + frame(8, 0, 0, b"\x00\x00\x00\x00"), preface + settings + frame(4, 0, 0, b"odd"), preface + os.urandom(500),
                 preface + settings + frame(3, 0, 1, b"\x00\x00\x00\x08") * 50, preface + settings + frame(6, 0, 0, b"12345678") * 2000):
        s = connect_tls(t.server, "admin", ["h2"])
        eq(s.selected_alpn_protocol(), "h2")
        s.settimeout(2)
        try:
            s.sendall(data)
        except (OSError, ssl.SSLError):
            pass
        s.settimeout(0.2)
        read_all(s)
        s.close()
    still_answers()


@case("slow clients: half requests keep nobody else waiting")
def _():
    slow = []
    for i in range(100):
        s = connect_tls(t.server, "admin")
        s.sendall(b"POST " + CM.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{" if i % 2 else b"GET / HT")
        slow.append(s)
    began = time.time()
    for _ in range(50):
        t.api.get(CM + "/first").want(200)
    true(time.time() - began < 2, "others wait")
    for s in slow:
        s.close()


@case("two thousand idle connections: the server still answers and does not swell")
def _():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    idle = [connect_tls(t.server, "admin") for _ in range(2000)]
    still_answers()
    status = open(f"/proc/{t.server.process.pid}/status").read()
    mib = int(status.split("VmRSS:")[1].split()[0]) / 1024
    for s in idle:
        s.close()
    true(mib < 200 or "san" in K3X, f"{mib:.0f} MiB resident")  # sanitizers keep what was freed
    still_answers()


@case("crds: served as soon as they are established")
def _():
    body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    t.api.post(path, body).want(201)
    end = time.time() + 10
    while t.api.get("/apis/example.com/v1/things").status != 200:
        true(time.time() < end, "not served")
    t.api.delete(path + "/things.example.com").want(200)
    while t.api.get(path + "/things.example.com").status != 404:
        true(time.time() < end, "not gone")
