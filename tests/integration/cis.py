#!/usr/bin/env python3
"""The CIS Kubernetes benchmark v1.10 against a running cluster, control by control.

Usage: cis.py --data-dir DIR --kubeconfig FILE [--node NAME] [--kubelet-port PORT] [--unit FILE]
       cis.py --table      the table of docs/security.md

Each control has one of four kinds:
    default    met as the cluster comes
    argument   met by what the table says, which a cluster that is to be hardened is started with
    none       there is no such thing here, which is looked at too
    yours      a policy of the operator's (the benchmark's "Manual"): what can be looked at is
What is asked for leaves nothing behind: dry runs, and objects in a namespace that goes at the end. Exit status 0: none failed."""

import argparse
import base64
import glob
import http.client
import json
import os
import re
import socket
import ssl
import stat
import sys
import tempfile
import time
import urllib.parse
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # old versions of TLS, which nobody should take

CONTROLS = []
c = None


def control(number, title, kind, how):
    def add(fn):
        CONTROLS.append((number, title, kind, how, fn))
        return fn
    return add


def text(number, title, kind, how):
    CONTROLS.append((number, title, kind, how, None))


class Failure(Exception):
    pass


def want(condition, why):
    if not condition:
        raise Failure(why)


class Cluster:
    def __init__(self, o):
        self.o, self.data = o, o.data_dir
        config = open(o.kubeconfig).read()
        self.server = urllib.parse.urlparse(re.search(r"server: (\S+)", config).group(1))
        self.files = {}
        for name in ("certificate-authority-data", "client-certificate-data", "client-key-data"):
            f = tempfile.NamedTemporaryFile(delete=False)
            f.write(base64.b64decode(re.search(name + r": (\S+)", config).group(1)))
            f.close()
            self.files[name] = f.name
        self.node = o.node or self.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
        self.address = [a["address"] for a in self.get("/api/v1/nodes/" + self.node)["status"]["addresses"] if a["type"] == "InternalIP"][0]
        self.command = self.find_command()

    def find_command(self):
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                words = open(path).read().split("\0")
            except OSError:
                continue
            if len(words) > 1 and words[1] == "server" and words[0].endswith("k3x") and self.data in words:
                return words
        return []

    def tls(self, admin):
        t = ssl.create_default_context(cafile=self.files["certificate-authority-data"])
        if admin:
            t.load_cert_chain(self.files["client-certificate-data"], self.files["client-key-data"])
        return t

    def ask(self, method, path, body=None, admin=True, headers=None, where=None, check=True):
        t = self.tls(admin)
        t.check_hostname = check
        host, port = where or (self.server.hostname, self.server.port)
        k = http.client.HTTPSConnection(host, port, timeout=15, context=t)
        k.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json", **(headers or {})})
        r = k.getresponse()
        answer = (r.status, r.read().decode(errors="replace"))
        k.close()
        return answer

    def get(self, path):
        status, body = self.ask("GET", path)
        want(status == 200, f"GET {path}: {status} {body[:200]}")
        return json.loads(body)

    def kubelet(self, path, **more):
        return self.ask("GET", path, where=(self.address, self.o.kubelet_port), check=False, **more)

    def as_user(self, user, *groups):
        return {"Impersonate-User": user, **({"Impersonate-Group": groups[0]} if groups else {})}

    def may(self, user, groups, **attributes):
        _, body = self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": user, "groups": groups, "resourceAttributes": attributes}})
        return json.loads(body)["status"]

    def argument(self, name):
        """What the server was started with: the value, "" for a flag, None."""
        for word in self.command:
            for prefix in ("--", "--kube-apiserver-arg="):
                if word == prefix + name:
                    return ""
                if word.startswith(prefix + name + "="):
                    return word.split("=", 1)[1] if prefix == "--" else word[len(prefix + name) + 1:]
        return None

    def path(self, *names):
        return os.path.join(self.data, *names)


def mode(path, most):
    s = os.stat(path)
    want(not stat.S_IMODE(s.st_mode) & ~most, f"{path} has mode {stat.S_IMODE(s.st_mode):o}")


def root(path):
    s = os.stat(path)
    want(s.st_uid == 0 and s.st_gid == 0, f"{path} is {s.st_uid}:{s.st_gid}'s")


def everything(*patterns):
    found = [f for p in patterns for f in glob.glob(c.path(p), recursive=True)]
    want(found, f"there is nothing at {patterns}")
    return found


def closed_at(host, port):
    s = socket.socket()
    s.settimeout(2)
    want(s.connect_ex((host, port)) != 0, f"something listens at {host}:{port}")
    s.close()


def closed(*ports):
    for port in ports:
        for host in ("127.0.0.1", c.address):
            closed_at(host, port)


def closed_outside(port):
    closed_at(c.address, port)


def no_manifest(name):
    def check():
        want(not [f for f in glob.glob(c.path("agent/pod-manifests/*")) if name in f], f"there is a manifest of {name}")
    return check


def weak_tls(host, port):
    """Neither TLS 1.1 nor suites without forward secrecy and authenticated encryption are taken."""
    for version, ciphers in ((ssl.TLSVersion.TLSv1_1, "DEFAULT:@SECLEVEL=0"), (ssl.TLSVersion.TLSv1_2, "AES128-SHA:AES256-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")):
        t = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        t.check_hostname, t.verify_mode = False, ssl.CERT_NONE
        t.set_ciphers(ciphers)
        t.minimum_version, t.maximum_version = (ssl.TLSVersion.TLSv1, version) if version == ssl.TLSVersion.TLSv1_1 else (version, version)
        try:
            with socket.create_connection((host, port), timeout=5) as raw, t.wrap_socket(raw) as s:
                raise Failure(f"{host}:{port} takes {s.version()} {s.cipher()}")
        except (ssl.SSLError, ConnectionError):
            pass


def encrypted_only(host, port):
    k = http.client.HTTPConnection(host, port, timeout=5)
    try:
        k.request("GET", "/healthz")
        want(k.getresponse().status >= 400, f"{host}:{port} answers plain HTTP")
    except (OSError, http.client.HTTPException):
        pass


def pod(name="p", **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": "x", **spec.pop("container", {})}], **spec}}


def restricted(**change):
    """A pod in a namespace that enforces "restricted" is refused when it is changed so."""
    good = {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}

    def check():
        where = f"/api/v1/namespaces/{c.space}/pods?dryRun=All"
        status, body = c.ask("POST", where, pod(container={"securityContext": good}))
        want(status == 201, f"a good pod: {status} {body[:200]}")
        container = {"securityContext": {**good, **change.get("security", {})}, **change.get("container", {})}
        container["securityContext"] = {k: v for k, v in container["securityContext"].items() if v is not None}
        status, body = c.ask("POST", where, pod(container=container, **change.get("spec", {})))
        want(status == 403 and "PodSecurity" in body, f"it is taken: {status} {body[:200]}")
    return check


# ---- 1 control plane ----
for first, what in ((1, "API server"), (3, "controller manager"), (5, "scheduler"), (7, "etcd")):
    for i, asked in ((0, "permissions"), (1, "ownership")):
        control(f"1.1.{first + i}", f"{what} pod specification: {asked}", "none", "it is a part of one process: there is no specification")(no_manifest(what.replace(" ", "-").lower()))


@control("1.1.9", "CNI files: permissions", "default", "below a folder of the server's, not writable by others")
def _():
    for f in everything("agent/etc/cni", "agent/etc/cni/**/*"):
        mode(f, 0o755 if os.path.isdir(f) else 0o644)


@control("1.1.10", "CNI files: ownership", "default", "root")
def _():
    for f in everything("agent/etc/cni", "agent/etc/cni/**/*"):
        root(f)


@control("1.1.11", "etcd data directory: 700", "default", "`server/db`, and `server` above it")
def _():
    mode(c.path("server"), 0o700)
    mode(c.path("server/db"), 0o700)


@control("1.1.12", "etcd data directory: ownership", "default", "root, as whom the one process runs")
def _():
    root(c.path("server/db"))


@control("1.1.13", "administrator's kubeconfig: 600", "default", "`/etc/k3x/k3x.yaml` and `server/cred/admin.kubeconfig`")
def _():
    mode(c.o.kubeconfig, 0o600)
    mode(c.path("server/cred/admin.kubeconfig"), 0o600)


@control("1.1.14", "administrator's kubeconfig: ownership", "default", "root")
def _():
    root(c.o.kubeconfig)


for n, what in ((15, "scheduler.conf"), (17, "controller-manager.conf")):
    for i, asked in ((0, "permissions"), (1, "ownership")):
        def no_conf(what=what):
            want(not glob.glob(c.path("**/" + what), recursive=True), f"there is a {what}")
        control(f"1.1.{n + i}", f"{what}: {asked}", "none", "they ask inside the process, and have no file")(no_conf)


@control("1.1.19", "PKI directory: ownership", "default", "root")
def _():
    for f in everything("server/tls", "server/tls/**/*"):
        root(f)


@control("1.1.20", "PKI certificates: 644", "default", "644, in a folder of 700")
def _():
    mode(c.path("server/tls"), 0o700)
    for f in everything("server/tls/**/*.crt"):
        mode(f, 0o644)


@control("1.1.21", "PKI keys: 600", "default", "600")
def _():
    for f in everything("server/tls/**/*.key", "agent/*.key"):
        mode(f, 0o600)


@control("1.2.1", "API server: no anonymous requests", "default", "401, but for health, version and the CA")
def _():
    for path in ("/api", "/apis", "/api/v1/namespaces", "/metrics", "/openapi/v2"):
        want(c.ask("GET", path, admin=False)[0] == 401, f"{path} is open")


@control("1.2.2", "API server: no token file", "default", "none unless `token-auth-file` names one")
def _():
    want(c.argument("token-auth-file") is None, "there is one")
    want(c.ask("GET", "/api", admin=False, headers={"Authorization": "Bearer x"})[0] == 401, "a token that nobody made is taken")


@control("1.2.3", "DenyServiceExternalIPs", "argument", "`enable-admission-plugins=DenyServiceExternalIPs`")
def _():
    status, body = c.ask("POST", f"/api/v1/namespaces/{c.space}/services?dryRun=All", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}], "externalIPs": ["192.0.2.1"]}})
    want(status == 403 and "external IPs" in body, f"a Service with an external address: {status}")


@control("1.2.4", "kubelet client certificate and key", "default", "`server/tls/client-kube-apiserver`; the kubelet asks for one")
def _():
    for name in ("crt", "key"):
        want(os.path.exists(c.path("server/tls/client-kube-apiserver." + name)), "it is not there")
    want(c.kubelet("/pods", admin=False)[0] == 401, "the kubelet answers strangers")


@control("1.2.5", "kubelet certificate authority", "default", "the servers' CA vouches for kubelets")
def _():
    t = ssl.create_default_context(cafile=c.path("server/tls/server-ca.crt"))
    t.check_hostname = False
    with socket.create_connection((c.address, c.o.kubelet_port), timeout=5) as raw, t.wrap_socket(raw):
        pass


@control("1.2.6", "authorization is not AlwaysAllow", "default", "Node, RBAC")
def _():
    want(not c.may("nobody", ["system:authenticated"], verb="list", resource="pods")["allowed"], "nobody may list pods")


@control("1.2.7", "authorization includes Node", "default", "Node, RBAC")
def _():
    answer = c.may("system:node:" + c.node, ["system:nodes"], verb="get", resource="secrets", namespace="default", name="none")
    want(not answer["allowed"] and "no relationship found" in answer.get("reason", ""), f"{answer}")


@control("1.2.8", "authorization includes RBAC", "default", "Node, RBAC")
def _():
    answer = c.may("system:kube-scheduler", ["system:authenticated"], verb="list", resource="pods")
    want(answer["allowed"] and "RBAC" in answer.get("reason", ""), f"{answer}")


text("1.2.9", "EventRateLimit", "yours", "`enable-admission-plugins=EventRateLimit` with its section")


@control("1.2.10", "AlwaysAdmit is not set", "default", "there is no such plugin here")
def _():
    want("AlwaysAdmit" not in (c.argument("enable-admission-plugins") or ""), "it is")


text("1.2.11", "AlwaysPullImages", "yours", "`enable-admission-plugins=AlwaysPullImages`")


@control("1.2.12", "ServiceAccount", "default", "on")
def _():
    status, body = c.ask("POST", "/api/v1/namespaces/kube-system/pods?dryRun=All", pod())
    want(status == 201 and json.loads(body)["spec"].get("serviceAccountName") == "default", f"{status} {body[:200]}")


@control("1.2.13", "NamespaceLifecycle", "default", "on")
def _():
    want(c.ask("POST", "/api/v1/namespaces/none-such/configmaps?dryRun=All", {"metadata": {"name": "x"}})[0] == 404, "an object in a namespace that is not there")


@control("1.2.14", "NodeRestriction", "default", "on")
def _():
    status, _body = c.ask("PATCH", "/api/v1/nodes/" + c.node + "?dryRun=All", {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}},
                          headers={**c.as_user("system:node:" + c.node, "system:nodes"), "Content-Type": "application/merge-patch+json"})
    want(status == 403, f"a node labels itself: {status}")


@control("1.2.15", "API server: no profiling", "default", "there is no profiler")
def _():
    want(c.ask("GET", "/debug/pprof/")[0] == 404, "there is one")


def audit(name, value, how):
    def check():
        got = c.argument(name)
        want(got is not None and (value is None or int(got) >= value), f"{name} is {got}")
        if name == "audit-log-path":
            want(os.path.getsize(got) > 0, "nothing is written")
    return check


control("1.2.16", "audit log", "argument", "`audit-log-path` with `audit-policy-file`")(audit("audit-log-path", None, ""))
control("1.2.17", "audit log: 30 days", "argument", "`audit-log-maxage=30`")(audit("audit-log-maxage", 30, ""))
control("1.2.18", "audit log: 10 files", "argument", "`audit-log-maxbackup=10`")(audit("audit-log-maxbackup", 10, ""))
control("1.2.19", "audit log: 100 MB", "argument", "`audit-log-maxsize=100`, which is the default")(audit("audit-log-maxsize", 100, ""))
text("1.2.20", "request timeout", "default", "writes end after 10 s, calls to others after 30 s, silent connections after 30 s; none can be switched off")


@control("1.2.21", "service-account-lookup", "default", "always")
def _():
    base = f"/api/v1/namespaces/{c.space}/serviceaccounts"
    c.ask("POST", base, {"metadata": {"name": "gone"}})
    status, body = c.ask("POST", base + "/gone/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    want(status == 201, f"a token: {status} {body[:200]}")
    bearer = {"Authorization": "Bearer " + json.loads(body)["status"]["token"]}
    want(c.ask("GET", "/apis", admin=False, headers=bearer)[0] in (200, 403), "the token is not taken")
    c.ask("DELETE", base + "/gone")
    want(c.ask("GET", "/apis", admin=False, headers=bearer)[0] == 401, "it outlives its account")


@control("1.2.22", "service account key file", "default", "`server/tls/service.key`")
def _():
    mode(c.path("server/tls/service.key"), 0o600)
    want(c.get("/openid/v1/jwks")["keys"], "nobody can verify tokens")


@control("1.2.23", "etcd certificate and key", "default", "the store is inside the process; servers reach each other by mutual TLS")
def _():
    closed(2379)


@control("1.2.24", "API server: TLS", "default", "`server/tls/serving-kube-apiserver`, and nothing else")
def _():
    encrypted_only(c.server.hostname, c.server.port)


@control("1.2.25", "client CA", "default", "`server/tls/client-ca`")
def _():
    want(os.path.exists(c.path("server/tls/client-ca.crt")), "it is not there")


@control("1.2.26", "etcd CA", "default", "`server/tls/etcd/peer-ca`")
def _():
    want(os.path.exists(c.path("server/tls/etcd/peer-ca.crt")), "it is not there")


@control("1.2.27", "Secrets are encrypted", "argument", "`--secrets-encryption`")
def _():
    want(os.path.exists(c.path("server/cred/encryption-config.json")) or c.argument("encryption-provider-config"), "they are not")


@control("1.2.28", "encryption providers", "argument", "`--secrets-encryption-provider=secretbox`, or aescbc by default")
def _():
    config = json.load(open(c.path("server/cred/encryption-config.json")))
    first = config["resources"][0]
    want("secrets" in first["resources"] and list(first["providers"][0])[0] in ("aescbc", "secretbox", "kms"), f"{first['resources']}")


@control("1.2.29", "strong ciphers", "default", "TLS 1.2 with authenticated encryption at the least")
def _():
    weak_tls(c.server.hostname, c.server.port)


text("1.3.1", "terminated pods are collected", "yours", "`--kube-controller-manager-arg=terminated-pod-gc-threshold`, 12500")


@control("1.3.2", "controller manager: no profiling", "none", "it has no port")
def _():
    closed(10257, 10252)


@control("1.3.3", "controllers have accounts of their own", "default", "each acts as `system:serviceaccount:kube-system:NAME`")
def _():
    managers = c.get("/api/v1/namespaces/kube-system/serviceaccounts")
    want(managers["items"], "there are none")
    names = {b["metadata"]["name"] for b in c.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")["items"]}
    want("system:controller:deployment-controller" in names and "system:controller:generic-garbage-collector" in names, "they have no roles")


@control("1.3.4", "controllers: service account key", "default", "`server/tls/service.key`")
def _():
    root(c.path("server/tls/service.key"))


@control("1.3.5", "root CA for pods", "default", "`kube-root-ca.crt` in every namespace")
def _():
    want("BEGIN CERTIFICATE" in c.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")["data"]["ca.crt"], "it is empty")


@control("1.3.6", "kubelets' serving certificates are renewed", "default", "by the node itself, before they end")
def _():
    for f in ("serving-kubelet.crt", "serving-kubelet.key"):
        want(os.path.exists(c.path("agent", f)), f"{f} is not there")


control("1.3.7", "controller manager: bind address", "none", "it has no port")(lambda: closed(10257))
control("1.4.1", "scheduler: no profiling", "none", "it has no port")(lambda: closed(10259, 10251))
control("1.4.2", "scheduler: bind address", "none", "it has no port")(lambda: closed(10259))

# ---- 2 etcd ----
control("2.1", "etcd: certificate and key", "default", "clients are inside the process: there is no port for them")(lambda: closed(2379))
control("2.2", "etcd: clients show certificates", "default", "there is no port for them")(lambda: closed(2379))
control("2.3", "etcd: no auto-tls", "default", "certificates are of the cluster's own CA")(lambda: want(os.path.exists(c.path("server/tls/etcd/peer-ca.key")), "there is none"))


def peers():
    s = socket.socket()
    s.settimeout(2)
    if s.connect_ex((c.address, 2380)) != 0:
        return  # one server alone
    s.close()
    encrypted_only(c.address, 2380)
    weak_tls(c.address, 2380)


control("2.4", "etcd: peers' certificates", "default", "mutual TLS; the port is open only in clusters of several servers")(peers)
control("2.5", "etcd: peers show certificates", "default", "mutual TLS")(peers)
control("2.6", "etcd: no peer-auto-tls", "default", "certificates are of the cluster's own CA")(peers)


@control("2.7", "etcd: a CA of its own", "default", "`peer-ca` is another than the clients' and the servers'")
def _():
    want(len({open(c.path(f"server/tls/{n}.crt")).read() for n in ("etcd/peer-ca", "client-ca", "server-ca", "request-header-ca")}) == 4, "two are the same")


# ---- 3 configuration ----
text("3.1.1", "no certificates for users", "yours", "an issuer (`authentication-config`, `oidc-...`) or a webhook")
text("3.1.2", "no service account tokens for users", "yours", "the same")
text("3.1.3", "no bootstrap tokens for users", "yours", "they are for joining alone, and good for nothing else")


@control("3.2.1", "an audit policy", "argument", "`audit-policy-file`")
def _():
    want(os.path.exists(c.argument("audit-policy-file") or "/nonexistent"), "there is none")


@control("3.2.2", "the audit policy covers what matters", "yours", "Metadata for all, at the least; nothing of Secrets beyond that")
def _():
    line = open(c.argument("audit-log-path")).readline()
    want(json.loads(line)["kind"] == "Event", "no events are written")


# ---- 4 nodes ----
@control("4.1.1", "kubelet service: permissions", "default", "it is a part of k3x's unit, which others cannot write, and which holds no secret")
def _():
    if os.path.exists(c.o.unit):
        mode(c.o.unit, 0o644)


@control("4.1.2", "kubelet service: ownership", "default", "root")
def _():
    if os.path.exists(c.o.unit):
        root(c.o.unit)


for n, what in ((3, "proxy kubeconfig"), (5, "kubelet kubeconfig")):
    for i, asked in ((0, "permissions"), (1, "ownership")):
        control(f"4.1.{n + i}", f"{what}: {asked}", "none", "it asks with `agent/client-kubelet`, and has no kubeconfig")(
            lambda: want(not glob.glob(c.path("agent/*.kubeconfig")) and not glob.glob(c.path("agent/*.conf")), "there is one"))


@control("4.1.7", "client CA file: 644", "default", "644")
def _():
    mode(c.path("server/tls/client-ca.crt"), 0o644)


@control("4.1.8", "client CA file: ownership", "default", "root")
def _():
    root(c.path("server/tls/client-ca.crt"))


for n, asked in ((9, "permissions"), (10, "ownership")):
    control(f"4.1.{n}", f"kubelet configuration file: {asked}", "none", "there is none but `/etc/k3x/config.yaml`, which may hold a token: 600")(
        lambda: os.path.exists("/etc/k3x/config.yaml") and mode("/etc/k3x/config.yaml", 0o600))


@control("4.2.1", "kubelet: no anonymous requests", "default", "401")
def _():
    for path in ("/pods", "/metrics", "/run/kube-system/x/y", "/containerLogs/a/b/c", "/stats/summary"):
        want(c.kubelet(path, admin=False)[0] in (401, 405), f"{path} is open")


@control("4.2.2", "kubelet: authorization is not AlwaysAllow", "default", "SubjectAccessReview of nodes/*")
def _():
    base = f"/api/v1/namespaces/{c.space}/serviceaccounts"
    c.ask("POST", base, {"metadata": {"name": "weak"}})
    _, body = c.ask("POST", base + "/weak/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    status, _body = c.kubelet("/pods", admin=False, headers={"Authorization": "Bearer " + json.loads(body)["status"]["token"]})
    want(status == 403, f"who may nothing: {status}")


@control("4.2.3", "kubelet: client CA", "default", "certificates of the cluster's clients")
def _():
    want(c.kubelet("/pods")[0] == 200, "an administrator's certificate is not taken")


control("4.2.4", "kubelet: no read-only port", "default", "there is none")(lambda: closed(10255))
text("4.2.5", "kubelet: idle streams end", "default", "idle connections end after three minutes, streams with their exec or log; it cannot be switched off")
text("4.2.6", "iptables utility chains", "none", "rules are nftables', in tables of k3x's own that are kept")
text("4.2.7", "no hostname override", "yours", "`--node-name`")
text("4.2.8", "event rate of kubelets", "yours", "EventRateLimit")


@control("4.2.9", "kubelet: certificate and key", "default", "`agent/serving-kubelet`, of the servers' CA")
def _():
    encrypted_only(c.address, c.o.kubelet_port)


@control("4.2.10", "kubelet: certificates are renewed", "default", "both, before they end")
def _():
    want(os.path.exists(c.path("agent/client-kubelet.crt")), "there is none")


control("4.2.11", "kubelet: serving certificate is renewed", "default", "before it ends")(lambda: mode(c.path("agent/serving-kubelet.key"), 0o600))
control("4.2.12", "kubelet: strong ciphers", "default", "TLS 1.2 with authenticated encryption at the least")(lambda: weak_tls(c.address, c.o.kubelet_port))
text("4.2.13", "a limit of processes for pods", "yours", "the unit's `TasksMax`, and limits of the runtime")
text("4.2.14", "seccomp by default", "yours", "pods say `seccompProfile: RuntimeDefault`; the PodSecurity level restricted asks for it")
@control("4.3.1", "proxy: metrics on localhost", "default", "at 127.0.0.1:10249, and at 10256 whether it is well, and no more")
def _():
    closed_outside(10249)


# ---- 5 policies ----
@control("5.1.1", "cluster-admin only where it is needed", "default", "bound to `system:masters` alone")
def _():
    for b in c.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")["items"]:
        if b["roleRef"]["name"] == "cluster-admin":
            want([s["name"] for s in b.get("subjects") or []] == ["system:masters"], f"{b['metadata']['name']} binds it to others")


def custom_roles():
    return [r for r in c.get("/apis/rbac.authorization.k8s.io/v1/clusterroles")["items"]
            if not r["metadata"]["name"].startswith("system:") and r["metadata"]["name"] not in ("cluster-admin", "admin", "edit", "view")]


def nobody_may(verb, resource, group=""):
    def check():
        for role in custom_roles():
            for rule in role.get("rules") or []:
                if {verb, "*"} & set(rule.get("verbs", [])) and {resource, "*"} & set(rule.get("resources", [])) and {group, "*"} & set(rule.get("apiGroups", [])):
                    allowed = ROLES_THAT_MAY.get((verb, resource), ())
                    want(role["metadata"]["name"] in allowed, f"the role {role['metadata']['name']} may {verb} {resource}")
    return check


# What add-ons need for what they do.
ROLES_THAT_MAY = {("get", "secrets"): ("traefik-kube-system",), ("create", "pods"): ("local-path-provisioner-role",),
                  ("create", "persistentvolumes"): ("local-path-provisioner-role",)}

control("5.1.2", "access to Secrets", "yours", "of k3x's roles the ingress alone, for certificates")(nobody_may("get", "secrets"))


@control("5.1.3", "no wildcards in roles", "yours", "of k3x's own roles cluster-admin and `system:*` as upstream's")
def _():
    for role in custom_roles():
        for rule in role.get("rules") or []:
            want("*" not in rule.get("verbs", []) + rule.get("resources", []), f"the role {role['metadata']['name']} has one")


control("5.1.4", "who creates pods", "yours", "of k3x's roles the provisioner of local volumes alone")(nobody_may("create", "pods"))


@control("5.1.5", "default service accounts are not used", "yours", "k3x's own pods have accounts of their own")
def _():
    for p in c.get("/api/v1/namespaces/kube-system/pods")["items"]:
        want(p["spec"].get("serviceAccountName", "default") != "default" or p["spec"].get("automountServiceAccountToken") is False, f"{p['metadata']['name']} uses it")


text("5.1.6", "tokens are mounted only where they are needed", "yours", "`automountServiceAccountToken: false`")


@control("5.1.7", "system:masters", "yours", "the administrator's kubeconfig alone; controllers and nodes have identities of their own")
def _():
    want(not c.may("system:node:" + c.node, ["system:nodes"], verb="delete", resource="nodes")["allowed"], "a node may delete nodes")


for number, verb, resource, group in (("5.1.8", "impersonate", "users", ""), ("5.1.9", "create", "persistentvolumes", ""), ("5.1.10", "get", "nodes/proxy", ""),
                                      ("5.1.11", "update", "certificatesigningrequests/approval", "certificates.k8s.io"),
                                      ("5.1.12", "create", "validatingwebhookconfigurations", "admissionregistration.k8s.io"), ("5.1.13", "create", "serviceaccounts/token", "")):
    control(number, f"who may {verb} {resource}", "yours", "of k3x's roles none but what an add-on is for")(nobody_may(verb, resource, group))


@control("5.2.1", "a policy control mechanism", "default", "PodSecurity and ValidatingAdmissionPolicy are on; levels are the operator's to choose")
def _():
    want(c.ask("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")[0] == 200, "there is none")


LABEL = "`pod-security.kubernetes.io/enforce: restricted` on a namespace"
for number, title, change in (
        ("5.2.2", "privileged containers", {"security": {"privileged": True, "allowPrivilegeEscalation": None}}), ("5.2.3", "hostPID", {"spec": {"hostPID": True}}),
        ("5.2.4", "hostIPC", {"spec": {"hostIPC": True}}), ("5.2.5", "hostNetwork", {"spec": {"hostNetwork": True}}),
        ("5.2.6", "allowPrivilegeEscalation", {"security": {"allowPrivilegeEscalation": True}}), ("5.2.7", "root containers", {"security": {"runAsUser": 0}}),
        ("5.2.8", "NET_RAW", {"security": {"capabilities": {"drop": ["NET_ADMIN"]}}}), ("5.2.9", "added capabilities", {"security": {"capabilities": {"drop": ["ALL"], "add": ["SYS_TIME"]}}}),
        ("5.2.10", "assigned capabilities", {"security": {"capabilities": None}}), ("5.2.11", "Windows HostProcess", {"security": {"windowsOptions": {"hostProcess": True}}}),
        ("5.2.12", "hostPath volumes", {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}), ("5.2.13", "host ports", {"container": {"ports": [{"containerPort": 1, "hostPort": 1}]}})):
    control(number, title, "yours", LABEL)(restricted(**change))

text("5.3.1", "the network knows NetworkPolicies", "default", "built in, on every node")


@control("5.3.2", "every namespace has NetworkPolicies", "yours", "they are served and held")
def _():
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}
    want(c.ask("POST", f"/apis/networking.k8s.io/v1/namespaces/{c.space}/networkpolicies?dryRun=All", body)[0] == 201, "they are not")


text("5.4.1", "Secrets as files", "yours", "volumes rather than environment variables")
text("5.4.2", "external storage of Secrets", "yours", "a KMS plugin (see Secrets at rest), or a CSI driver")
text("5.5.1", "provenance of images", "yours", "a validating webhook or policy; ImagePolicyWebhook is not built")
text("5.6.1", "boundaries by namespaces", "yours", "namespaces, quotas, roles")
control("5.6.2", "seccomp RuntimeDefault", "yours", LABEL)(restricted(security={"seccompProfile": {"type": "Unconfined"}}))
control("5.6.3", "security contexts", "yours", LABEL)(restricted(security={"runAsNonRoot": None}))


@control("5.6.4", "the default namespace is not used", "yours", "k3x puts nothing there")
def _():
    want([s["metadata"]["name"] for s in c.get("/api/v1/namespaces/default/services")["items"]] == ["kubernetes"], "there is something in it")


# ---- ----

def table():
    rows = ["| control | | how |", "| --- | --- | --- |"]
    for number, title, kind, how, fn in CONTROLS:
        rows.append(f"| {number} {title} | {kind} | {how} |")
    return "\n".join(rows)


def main():
    global c
    p = argparse.ArgumentParser()
    p.add_argument("--table", action="store_true")
    p.add_argument("--data-dir", default="/var/lib/k3x")
    p.add_argument("--kubeconfig", default="/etc/k3x/k3x.yaml")
    p.add_argument("--node")
    p.add_argument("--kubelet-port", type=int, default=10250)
    p.add_argument("--unit", default="/etc/systemd/system/k3x.service")
    o = p.parse_args()
    if o.table:
        print(table())
        return 0
    c = Cluster(o)
    c.space = "cis-check"
    c.ask("POST", "/api/v1/namespaces", {"metadata": {"name": c.space, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    end = time.monotonic() + 20  # its default account is a controller's work
    while c.ask("GET", f"/api/v1/namespaces/{c.space}/serviceaccounts/default")[0] != 200 and time.monotonic() < end:
        time.sleep(0.05)
    counts = {"ok": 0, "FAIL": 0, "said": 0}
    for number, title, kind, how, fn in CONTROLS:
        result, why = "said" if fn is None else "ok", ""
        try:
            if fn:
                fn()
        except (Failure, OSError, ValueError, KeyError, TypeError) as e:
            result, why = "FAIL", f": {type(e).__name__ + ': ' if not isinstance(e, Failure) else ''}{e}"
        counts[result] += 1
        print(f"{result:4} {number:7} {title} ({kind}){why}")
    c.ask("DELETE", "/api/v1/namespaces/" + c.space)
    for f in c.files.values():
        os.unlink(f)
    print(f"cis: {counts['ok']} passed, {counts['FAIL']} failed, {counts['said']} not to be looked at from here")
    return counts["FAIL"] != 0


if __name__ == "__main__":
    sys.exit(main())
