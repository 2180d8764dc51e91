#!/usr/bin/env python3
"""Certificates on request: kubectl certificate approve and deny, signers and their rules, kubelets, and who may approve.

Usage: csr_test.py [PART OF A CASE'S NAME]. Starts and stops its own server."""

import base64
import os
import subprocess
import sys

import harness
from harness import Server, case, eq, has, true, until


class WithControllers(Server):
    def command(self, port=None):
        return [a for a in super().command(port) if a != "--disable-controller-manager"]


server = WithControllers(port=17343)
api = None
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLIENT, KUBELET, SERVING = ("kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving")
OF_CLIENT = ["client auth", "digital signature"]


def setup():
    global api
    server.start()
    api = server.admin()


def path(name):
    return os.path.join(server.folder, name)


def csr(name, subject, *extra):
    """PEM of a new request; its key is at NAME.key."""
    r = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(name + ".key"),
                        "-subj", subject, *extra], capture_output=True, check=True)
    return r.stdout


def request(name, subject, signer=CLIENT, usages=OF_CLIENT, extra=(), by=None, **spec):
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {"request": base64.b64encode(csr(name, subject, *extra)).decode(), "signerName": signer, "usages": usages, **spec}}
    return (by or api).post(CSRS, body)


def get(name):
    return api.get(f"{CSRS}/{name}").want(200).json


def conditions(name):
    return {c["type"]: c for c in get(name).get("status", {}).get("conditions", [])}


def certificate(name):
    """The file of the certificate, when it was issued."""
    text = until("a certificate", lambda: get(name).get("status", {}).get("certificate"))
    with open(path(name + ".crt"), "wb") as f:
        f.write(base64.b64decode(text))
    return path(name + ".crt")


def as_user(name):
    """The API as whoever has this certificate."""
    return harness.Api(server, (path(name + ".crt"), path(name + ".key")))


@case("a round trip: asked for, approved by kubectl, signed, used")
def _():
    r = request("jane", "/O=devs/CN=jane", expirationSeconds=3600)
    r.want(201)
    eq(r.headers.get("warning"), None, "no warning")
    eq((get("jane")["spec"]["username"], sorted(get("jane")["spec"]["groups"])), ("system:admin", ["system:authenticated", "system:masters"]))
    has(server.kubectl_ok("get", "csr", "jane"), "Pending")
    has(server.kubectl_ok("certificate", "approve", "jane"), "approved")
    file = certificate("jane")
    has(server.kubectl_ok("get", "csr", "jane"), "Approved,Issued")
    text = subprocess.run(["openssl", "x509", "-in", file, "-noout", "-subject", "-ext", "basicConstraints,extendedKeyUsage", "-nameopt", "RFC2253"], capture_output=True, text=True).stdout
    has(text, "CN=jane,O=devs")
    has(text, "CA:FALSE")
    has(text, "TLS Web Client Authentication")
    end = subprocess.run(["openssl", "x509", "-in", file, "-noout", "-checkend", "3700"], capture_output=True).returncode
    eq(end, 1, "no longer than was asked for")
    me = as_user("jane").post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).want(201).json
    eq(me["status"]["userInfo"]["username"], "jane")
    eq(sorted(me["status"]["userInfo"]["groups"]), ["devs", "system:authenticated"])


@case("denied it stays so, and is not signed")
def _():
    request("joe", "/CN=joe").want(201)
    has(server.kubectl_ok("certificate", "deny", "joe"), "denied")
    true("Denied" in conditions("joe"), "denied")
    rc, _, err = server.kubectl("certificate", "approve", "joe")
    true(rc != 0, "what was denied is not approved")
    eq(get("joe")["status"].get("certificate"), None)


@case("a signer that may not sign it says why")
def _():
    request("serve", "/CN=x", usages=["server auth"]).want(201)
    server.kubectl_ok("certificate", "approve", "serve")
    failed = until("failed", lambda: conditions("serve").get("Failed"))
    eq(failed["reason"], "SignerValidationFailure")
    has(failed["message"], "usages")
    request("other", "/CN=x", signer="example.com/mine").want(201)
    server.kubectl_ok("certificate", "approve", "other")
    request("after", "/CN=x").want(201)
    server.kubectl_ok("certificate", "approve", "after")
    certificate("after")
    eq(list(conditions("other")), ["Approved"], "others' signers are theirs")


@case("nobody becomes a master by a request")
def _():
    answer = request("root", "/O=system:masters/CN=root").want(403, "Forbidden")
    has(answer.json["message"], "system:masters group is not allowed")


@case("what is odd is refused field by field")
def _():
    body = {"metadata": {"name": "odd"}, "spec": {"request": "AAAA", "signerName": CLIENT, "usages": OF_CLIENT}}
    has(api.post(CSRS, body).want(422, "Invalid").json["message"], "spec.request")
    has(request("odd", "/CN=x", signer="plain").want(422).json["message"], "spec.signerName")
    has(request("odd", "/CN=x", signer="kubernetes.io/legacy-unknown").want(422).json["message"], "legacy")
    has(request("odd", "/CN=x", usages=[]).want(422).json["message"], "spec.usages")
    has(request("odd", "/CN=x", usages=["flying"]).want(422).json["message"], "spec.usages[0]")
    has(request("odd", "/CN=x", usages=[*OF_CLIENT, OF_CLIENT[0]]).want(422).json["message"], "Duplicate value")
    has(request("odd", "/CN=x", expirationSeconds=599).want(422).json["message"], "spec.expirationSeconds")


@case("who may not approve or sign on a signer cannot, whatever else he may")
def _():
    request("mallory", "/CN=mallory").want(201)
    server.kubectl_ok("certificate", "approve", "mallory")
    certificate("mallory")
    rules = [{"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests", "certificatesigningrequests/approval", "certificatesigningrequests/status"], "verbs": ["*"]}]
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    api.post(rbac + "/clusterroles", {"metadata": {"name": "csr-all"}, "rules": rules}).want(201)
    api.post(rbac + "/clusterrolebindings", {"metadata": {"name": "mallory"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "csr-all"},
             "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]}).want(201)
    m = as_user("mallory")
    request("victim", "/CN=victim", by=m, username="system:admin", groups=["system:masters"]).want(201)
    eq(get("victim")["spec"]["username"], "mallory", "who asked is not the client's to say")
    o = get("victim")
    o["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "x", "message": "x"}]}
    has(m.put(f"{CSRS}/victim/approval", o).want(403).json["message"], "user not permitted to approve requests with signerName")
    o["status"] = {"certificate": get("mallory")["status"]["certificate"]}
    has(m.put(f"{CSRS}/victim/status", o).want(403).json["message"], "user not permitted to sign requests with signerName")
    api.patch(rbac + "/clusterroles/csr-all", {"rules": rules + [{"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["kubernetes.io/*"], "verbs": ["approve"]}]}).want(200)
    o["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "x", "message": "x"}], "certificate": get("mallory")["status"]["certificate"]}
    m.put(f"{CSRS}/victim/approval", o).want(200)
    eq(list(conditions("victim")), ["Approved"])
    approved = conditions("victim")["Approved"]
    true(approved["lastUpdateTime"] and approved["lastTransitionTime"], "times that nobody gave are the server's")
    first = certificate("victim")
    true(open(first).read() != open(path("mallory.crt")).read(), "approval brings no certificate")
    gone = get("victim")
    gone["status"]["conditions"] = []
    m.put(f"{CSRS}/victim/approval", gone).want(422)
    # who signs brings no verdict, and takes none away
    gone["status"]["conditions"] = [approved, {**approved, "type": "Denied"}]
    has(api.put(f"{CSRS}/victim/status", gone).want(422).json["message"], 'updates may not add a condition of type "Denied"')
    gone["status"]["conditions"] = []
    has(api.put(f"{CSRS}/victim/status", gone).want(422).json["message"], 'updates may not remove a condition of type "Approved"')


@case("a kubelet's client certificate is approved by itself, for its own name or by who brings in nodes")
def _():
    usages = OF_CLIENT + ["key encipherment"]
    request("k1", "/O=system:nodes/CN=system:node:k1", signer=KUBELET, usages=usages).want(201)  # the admin may everything
    eq(until("approved", lambda: conditions("k1").get("Approved"))["reason"], "AutoApproved")
    certificate("k1")
    node = as_user("k1")
    api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "nodes-renew"}, "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"}}).want(201)
    request("k1-again", "/O=system:nodes/CN=system:node:k1", signer=KUBELET, usages=usages, by=node).want(201)
    has(until("approved", lambda: conditions("k1-again").get("Approved"))["message"], "self kubelet client certificate")
    for signer in KUBELET, SERVING:  # NodeRestriction
        has(request("k2", "/O=system:nodes/CN=system:node:k2", signer=signer, usages=usages, by=node).want(403, "Forbidden").json["message"], "can only create a node CSR with CN=system:node:k1")
    request("k1-serving", "/O=system:nodes/CN=system:node:k1", signer=SERVING, usages=["server auth", "digital signature"],
            extra=("-addext", "subjectAltName=DNS:k1,IP:10.0.0.1"), by=node).want(201)
    request("k1-more", "/O=system:nodes/CN=system:node:k1", signer=KUBELET, usages=usages, by=node).want(201)
    until("approved", lambda: conditions("k1-more").get("Approved"))
    eq(conditions("k1-serving"), {}, "a serving certificate waits for a person")
    server.kubectl_ok("certificate", "approve", "k1-serving")
    file = certificate("k1-serving")
    check = subprocess.run(["openssl", "verify", "-CAfile", path("data/server/tls/server-ca.crt"), file], capture_output=True, text=True)
    eq(check.returncode, 0, check.stderr)


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
