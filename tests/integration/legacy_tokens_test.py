#!/usr/bin/env python3
"""Tokens of service accounts that lie in Secrets: when they were used last, who is warned, which are good for nothing, and how those that
nobody uses go.

Usage: legacy_tokens_test.py [PART OF A CASE'S NAME]. Starts and stops its own server."""

import base64
import datetime
import json
import os
import sys

import harness
from harness import Server, case, contains, eq, has, true, until
from _webhooks import Signer

NS = "/api/v1/namespaces/default"
TRACKING = "/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking"
USED, INVALID = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"
WARNING = "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens."

server = Server(port=17377)
api = None
log = os.path.join(server.folder, "audit.log")


def setup():
    global api
    policy = os.path.join(server.folder, "policy.yaml")
    with open(policy, "w") as f:
        f.write("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  omitStages: [RequestReceived]\n")
    server.flags = [f"--kube-apiserver-arg=audit-policy-file={policy}", f"--kube-apiserver-arg=audit-log-path={log}",
                    "--kube-controller-manager-arg=legacy-service-account-token-clean-up-period=1s"]
    plain = server.command
    server.command = lambda *a: [word for word in plain(*a) if word != "--disable-controller-manager"]
    server.start()
    api = server.admin()
    until("the account of the namespace", lambda: api.get(NS + "/serviceaccounts/default").status == 200)


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def labels(secret):
    return api.get(f"{NS}/secrets/{secret}").want(200).json["metadata"].get("labels", {})


def token_of(secret):
    return until("the token of " + secret, lambda: base64.b64decode(api.get(f"{NS}/secrets/{secret}").json.get("data", {}).get("token", "")).decode())


def make(secret, account, listed, data=None):
    """An account with a Secret that has its token; the account lists it, as it did when each got one by itself."""
    made = api.post(NS + "/serviceaccounts", {"metadata": {"name": account}, "secrets": [{"name": secret}] if listed else []}).want(201).json
    notes = {"kubernetes.io/service-account.name": account}
    if data:
        notes["kubernetes.io/service-account.uid"] = made["metadata"]["uid"]
    body = {"metadata": {"name": secret, "annotations": notes}, "type": "kubernetes.io/service-account-token"}
    api.post(NS + "/secrets", {**body, "data": {"token": base64.b64encode(data(made).encode()).decode()}} if data else body).want(201)
    return token_of(secret)


def use(token, id="-"):
    return server.anonymous().post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
                                   headers={"Authorization": "Bearer " + token, "Audit-ID": id})


def notes_of(id):
    def find():
        with open(log) as f:
            for event in map(json.loads, f.read().split("\n")[:-1]):
                if event["auditID"] == id:
                    return event["annotations"]
    return {k.removeprefix("authentication.k8s.io/legacy-token"): v for k, v in until("the event of " + id, find).items() if "legacy" in k}


@case("since when uses are written down is said, and mended")
def _():
    until("the ConfigMap", lambda: api.get(TRACKING).status == 200)
    eq(api.get(TRACKING).json["data"], {"since": today()})
    api.patch(TRACKING, {"data": {"since": "some day"}}).want(200)
    until("a date", lambda: api.get(TRACKING).json["data"]["since"] == today())


@case("a token that somebody made is marked with the day, once, and nobody is warned")
def _():
    token = make("manual", "robot", False)
    eq(labels("manual").get(USED), None)
    answer = use(token, "manual-1").want(201)
    eq(answer.json["status"]["userInfo"]["username"], "system:serviceaccount:default:robot")
    eq(answer.headers.get("Warning"), None)
    eq(notes_of("manual-1"), {"": "system:serviceaccount:default:robot", "-manual-secret": "manual"})
    until("the mark", lambda: labels("manual").get(USED) == today())
    version = api.get(NS + "/secrets/manual").json["metadata"]["resourceVersion"]
    use(token).want(201)
    use(make("other", "other", False)).want(201)
    until("the mark of another", lambda: labels("other").get(USED) == today())  # marks go out together
    eq(api.get(NS + "/secrets/manual").json["metadata"]["resourceVersion"], version)


@case("one of a day before is marked again; a token that was asked for and bound to a Secret is none of these")
def _():
    api.patch(NS + "/secrets/manual", {"metadata": {"labels": {USED: "2020-01-01"}}}).want(200)
    use(token_of("manual")).want(201)
    until("the mark", lambda: labels("manual").get(USED) == today())
    api.post(NS + "/secrets", {"metadata": {"name": "plain"}}).want(201)
    bound = api.post(NS + "/serviceaccounts/robot/token", {"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "plain"}}}).want(201).json["status"]["token"]
    eq(use(bound, "bound").want(201).headers.get("Warning"), None)
    eq(notes_of("bound"), {})


@case("whoever uses one that an account got by itself is warned, whatever he asks")
def _():
    token = make("auto", "old", True)
    answer = use(token, "auto-1").want(201)
    has(answer.headers["Warning"], WARNING)
    eq(notes_of("auto-1"), {"": "system:serviceaccount:default:old", "-autogenerated-secret": "auto"})
    denied = server.anonymous().post(NS + "/configmaps", {"metadata": {"name": "x"}}, headers={"Authorization": "Bearer " + token}).want(403)
    has(denied.headers["Warning"], WARNING)
    review = api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}}).want(201)
    has(review.headers["Warning"], WARNING)
    eq(review.json["status"]["authenticated"], True)
    metrics = api.get("/metrics").body.decode()
    has(metrics, "serviceaccount_legacy_auto_token_uses_total 3\n")
    true("serviceaccount_legacy_manual_token_uses_total 0\n" not in metrics, "manual ones are counted")


@case("one that is marked as invalid is good for nothing, until the mark is taken away")
def _():
    token = token_of("auto")
    api.patch(NS + "/secrets/auto", {"metadata": {"labels": {INVALID: "2026-01-01", USED: "2026-01-01"}}}).want(200)
    refused = use(token, "invalid-1").want(401, "Unauthorized")
    contains(notes_of("invalid-1"), {"-invalidated": "auto/default"})
    has(open(server.log).read(), "a token that was marked as invalid is used")
    review = api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}}).want(201).json["status"]
    eq(review["authenticated"], False)
    has(review["error"], "the token in secret default/auto for service account default/old has been marked invalid. Use tokens from the TokenRequest API")
    until("that it was used is written down all the same", lambda: labels("auto").get(USED) == today())
    api.patch(NS + "/secrets/auto", {"metadata": {"labels": {INVALID: None}}}).want(200)
    until("it works again", lambda: use(token).status == 201)


@case("upstream's older tokens, of a cluster that was taken over, are what lies in their Secret and nothing else")
def _():
    signer = Signer.__new__(Signer)
    signer.kid, signer.file = None, os.path.join(server.folder, "data", "server", "tls", "service.key")
    algorithm = "RS256" if "RSA" in os.popen(f"openssl pkey -in {signer.file} -noout -text").read() else "ES256"
    prefix = "kubernetes.io/serviceaccount/"

    def older(account, **more):
        return signer.token({"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:default:" + account["metadata"]["name"], prefix + "namespace": "default",
                             prefix + "service-account.name": account["metadata"]["name"], prefix + "service-account.uid": account["metadata"]["uid"],
                             prefix + "secret.name": "older", **more}, algorithm)
    token = make("older", "elder", False, older)
    eq(use(token).want(201).json["status"]["userInfo"]["username"], "system:serviceaccount:default:elder")
    until("the mark", lambda: labels("older").get(USED) == today())
    account = api.get(NS + "/serviceaccounts/elder").json
    for forged in (older(account, jti="again"), older(account, sub="system:serviceaccount:default:robot"), older(account, **{prefix + "secret.name": "manual"})):
        use(forged).want(401)
    api.delete(NS + "/secrets/older").want(200)
    use(token).want(401)


@case("those that nobody uses are marked, and go as long after; what is used, listed by nobody or in a pod's hands stays")
def _():
    make("unused", "sleeper", True)
    make("held", "holder", True)
    make("unlisted", "guest", False)
    api.post(NS + "/pods", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v", "secret": {"secretName": "held"}}]}}).want(201)
    use(token_of("auto")).want(201)
    until("the mark", lambda: labels("auto").get(USED) == today())
    api.patch(TRACKING, {"data": {"since": "2020-01-01"}}).want(200)

    def look():
        """Once a day, and when a server begins to lead."""
        server.stop()
        server.start()
    look()
    until("the mark", lambda: labels("unused").get(INVALID) == today())
    for name in ("held", "unlisted", "auto"):
        eq(labels(name).get(INVALID), None, name)
    api.patch(NS + "/secrets/unused", {"metadata": {"labels": {INVALID: "2021-01-01"}}}).want(200)
    look()
    until("it is gone", lambda: api.get(NS + "/secrets/unused").status == 404)
    for name in ("held", "unlisted", "auto"):
        api.get(f"{NS}/secrets/{name}").want(200)


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
