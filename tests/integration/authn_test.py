#!/usr/bin/env python3
"""Who is asking: tokens of an OIDC issuer, of a webhook, of a file, of service accounts; and every forgery that is a classic.

Usage: authn_test.py [PART OF A CASE'S NAME]. Starts and stops its own server, issuer and webhook."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time

import harness
from harness import Server, case, eq, has, true
from _webhooks import Authority, Hooks, Signer, b64, in_an_hour

server = Server(port=17341)
api = hooks = authority = issuer = None
rsa = ec = ec384 = None
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"]
published = []


def argument(name, value):
    return f"--kube-apiserver-arg={name}={value}"


def token_review(review):
    token = review["spec"]["token"]
    status = {"authenticated": False, "error": "no such token"}
    if token.startswith("hook-"):
        status = {"authenticated": True, "user": {"username": "hook:" + token[5:], "uid": "u1", "groups": ["hooked"], "extra": {"team": ["a", "b"]}}}
    if token == "hook-vault":
        status["audiences"] = ["vault"]
    if token == "hook-broken":
        return 500, {}
    return {"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}


def access_review(review):
    spec = review["spec"]
    what = spec.get("resourceAttributes") or spec["nonResourceAttributes"]
    status = {"allowed": False}
    if what.get("resource") == "configmaps":
        status = {"allowed": spec["user"] == "hook:ann" and what["verb"] == "get", "reason": "ann reads configmaps"}
    if spec["user"] == "hook:evil":
        status = {"allowed": False, "denied": True, "reason": "evil is as evil does"}
    if what.get("resource") == "broken":
        return 500, {}
    return {"apiVersion": review["apiVersion"], "kind": "SubjectAccessReview", "status": status}


def setup():
    global api, hooks, authority, issuer, rsa, ec, ec384
    authority = Authority(server.folder)
    hooks = Hooks(authority)
    issuer = hooks.url + "/issuer"
    rsa, ec, ec384 = Signer(server.folder, "rsa"), Signer(server.folder, "ec", "P-256"), Signer(server.folder, "ec384", "P-384")
    published.extend([rsa, ec, ec384])
    hooks.answers = {"/issuer/.well-known/openid-configuration": lambda _: {"issuer": issuer, "jwks_uri": hooks.url + "/keys"},
                     "/keys": lambda _: {"keys": [k.jwk() for k in published]}, "/review": token_review, "/access": access_review}
    tokens = authority.path("tokens.csv")
    open(tokens, "w").write('static-1,fred,7,"admins,ops"\nstatic-2,jill,8\n')
    server.flags += [
        argument("oidc-issuer-url", issuer), argument("oidc-client-id", "k3x-client"), argument("oidc-ca-file", authority.ca),
        argument("oidc-username-prefix", "oidc:"), argument("oidc-groups-claim", "groups"), argument("oidc-groups-prefix", "oidc:"),
        argument("oidc-signing-algs", ",".join(ALGORITHMS)), argument("oidc-required-claim", "hd=example.com"),
        argument("authentication-token-webhook-config-file", authority.kubeconfig("hook.yaml", hooks.url + "/review", {"token": "sesame"})),
        argument("authentication-token-webhook-version", "v1"), argument("token-auth-file", tokens),
        argument("requestheader-client-ca-file", authority.ca), argument("requestheader-allowed-names", "front"),
        argument("requestheader-username-headers", "X-Remote-User"), argument("requestheader-group-headers", "X-Remote-Group"),
        argument("requestheader-extra-headers-prefix", "X-Remote-Extra-"), argument("requestheader-uid-headers", "X-Remote-Uid"),
        argument("authorization-mode", "Node,Webhook,RBAC"), argument("authorization-webhook-version", "v1"),
        argument("authorization-webhook-config-file", authority.kubeconfig("access.yaml", hooks.url + "/access"))]
    server.start()
    api = server.admin()
    api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}}).want(201)  # there are no controllers


def teardown():
    server.remove()
    hooks.stop()


def who(token):
    """The answer to "who am I", or its status when it is refused."""
    answer = server.anonymous().post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
                                     headers={"Authorization": "Bearer " + token})
    return answer.json["status"]["userInfo"] if answer.status == 201 else answer.status


def claims(**more):
    return {k: v for k, v in {"iss": issuer, "aud": "k3x-client", "sub": "jane", "exp": in_an_hour(), "hd": "example.com", **more}.items() if v is not None}


@case("oidc: a token of the issuer is its user, with prefixes, by every algorithm that is allowed")
def _():
    eq(who(rsa.token(claims(groups=["devs", "ops"]))), {"username": "oidc:jane", "groups": ["oidc:devs", "oidc:ops", "system:authenticated"]})
    for algorithm in ALGORITHMS:
        signer = {"ES256": ec, "ES384": ec384}.get(algorithm, rsa)
        eq(who(signer.token(claims(sub=algorithm), algorithm))["username"], "oidc:" + algorithm, algorithm)
    eq(who(rsa.token(claims(aud=["other", "k3x-client"])))["username"], "oidc:jane")
    eq(who(rsa.token(claims(sub="nameless"), kid=None))["username"], "oidc:nameless")


@case("oidc: a wrong audience, issuer, time or claim is 401")
def _():
    for what, bad in [("audience", claims(aud="other")), ("no audience", claims(aud=None)), ("issuer", claims(iss="https://elsewhere.example")),
                      ("issuer with a slash", claims(iss=issuer + "/")), ("expired", claims(exp=int(time.time()) - 5)), ("no expiry", claims(exp=None)),
                      ("too early", claims(nbf=in_an_hour())), ("required claim", claims(hd="evil.com")), ("no name", claims(sub=None)),
                      ("distributed groups", claims(_claim_names={"groups": "src"}))]:
        eq(who(rsa.token(bad)), 401, what)


@case("oidc: alg none, HS256 with the public key, a stranger's key, another algorithm: 401")
def _():
    head, body = b64({"alg": "none", "kid": "rsa"}), b64(claims())
    eq(who(f"{head}.{body}."), 401)
    eq(who(f"{head}.{body}.AA"), 401)
    for secret in (rsa.public_pem(), rsa.public_pem().strip(), rsa.jwk()["n"].encode()):
        data = f"{b64({'alg': 'HS256', 'kid': 'rsa'})}.{body}"
        eq(who(f"{data}.{b64(hmac.new(secret, data.encode(), hashlib.sha256).digest())}"), 401)
    stranger = Signer(server.folder, "stranger")
    stranger.kid = "rsa"
    eq(who(stranger.token(claims())), 401)
    eq(who(rsa.token(claims(), jwk=stranger.jwk(), crit=["x"])), 401)
    good = rsa.token(claims())
    eq(who(good[:-8] + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB")), 401)
    parts = good.split(".")
    eq(who(f"{parts[0]}.{b64(claims(sub='root'))}.{parts[2]}"), 401)
    big = Signer(server.folder, "big", "P-521")
    published.append(big)
    eq(who(big.token(claims(), "ES512")), 401, "an algorithm that is not in oidc-signing-algs")


@case("oidc: a new key is fetched when a token names it, and unknown names do not make a flood of fetches")
def _():
    before = hooks.count("/keys")
    fresh = Signer(server.folder, "fresh")
    published.append(fresh)
    token = fresh.token(claims(sub="new"))
    end = time.monotonic() + 25
    while who(token) == 401:  # fetches come at intervals of ten seconds at the least
        true(time.monotonic() < end, "the new key was not fetched")
        time.sleep(0.2)
    eq(who(token)["username"], "oidc:new")
    ghost = Signer(server.folder, "ghost")
    for i in range(30):
        eq(who(ghost.token(claims(sub=str(i)))), 401)
    true(hooks.count("/keys") - before <= 4, f"{hooks.count('/keys') - before} fetches")


@case("roles hold for users and groups of the issuer")
def _():
    rbac = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    api.post(rbac.replace("bindings", "s"), {"metadata": {"name": "reader"}, "rules": [{"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}]}).want(201)
    api.post(rbac, {"metadata": {"name": "oidc-devs"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
                    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "oidc:devs"}]}).want(201)
    get = lambda **c: server.anonymous().get("/api/v1/namespaces/default/services", headers={"Authorization": "Bearer " + rsa.token(claims(**c))}).status
    eq(get(groups=["ops"]), 403)
    eq(get(groups=["devs"]), 200)


@case("webhook: asked with its own credentials, answered once, remembered")
def _():
    eq(who("hook-ann"), {"username": "hook:ann", "uid": "u1", "groups": ["hooked", "system:authenticated"], "extra": {"team": ["a", "b"]}})
    body, headers = hooks.last("/review")
    eq((body["apiVersion"], body["kind"], body["spec"]["token"]), ("authentication.k8s.io/v1", "TokenReview", "hook-ann"))
    eq({k.lower(): v for k, v in headers.items()}["authorization"], "Bearer sesame")
    asked = hooks.count("/review")
    for _ in range(5):
        eq(who("hook-ann")["username"], "hook:ann")
        eq(who("unknown-token"), 401)
    eq(hooks.count("/review"), asked + 1, "one question for the refused token, none for the known one")


@case("webhook: another audience and a failing webhook are 401, and a failure is not remembered")
def _():
    eq(who("hook-vault"), 401)
    eq(who("hook-broken"), 401)
    before = hooks.count("/review")
    eq(who("hook-broken"), 401)
    true(hooks.count("/review") > before, "a failure is asked again")


@case("webhook: our own service accounts' tokens are not shown to it")
def _():
    token = api.post("/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}}).want(201).json["status"]["token"]
    before = hooks.count("/review")
    eq(who(token)["username"], "system:serviceaccount:default:default")
    eq(who(token[:-10] + "AAAAAAAAAA"), 401)
    eq(hooks.count("/review"), before)


@case("a static token is its line's user")
def _():
    eq(who("static-1"), {"username": "fred", "uid": "7", "groups": ["admins", "ops", "system:authenticated"]})
    eq(who("static-2"), {"username": "jill", "uid": "8", "groups": ["system:authenticated"]})


def review(token, *audiences):
    spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
    return api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}).want(201).json["status"]


@case("TokenReview: of all kinds of tokens, and for the audiences that were asked for")
def _():
    eq(review(rsa.token(claims()))["user"]["username"], "oidc:jane")
    eq(review("hook-bob")["user"]["username"], "hook:bob")
    eq(review("static-1")["user"]["username"], "fred")
    eq(review("nonsense")["authenticated"], False)
    token = api.post("/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {"audiences": ["vault", "bank"]}}).want(201).json["status"]["token"]
    eq(review(token)["authenticated"], False, "it is not for the API")
    eq(who(token), 401)
    eq(review(token, "vault", "other")["audiences"], ["vault"])
    eq(review(token, "other")["authenticated"], False)
    eq(review("hook-vault", "vault")["audiences"], ["vault"])
    eq(review("static-1", "vault")["authenticated"], False)


@case("others can verify our tokens: discovery and keys")
def _():
    document = api.get("/.well-known/openid-configuration").want(200).json
    eq(document["issuer"], "https://kubernetes.default.svc.cluster.local")
    keys = api.get("/openid/v1/jwks").want(200)
    eq(keys.headers["content-type"], "application/jwk-set+json")
    token = api.post("/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}}).want(201).json["status"]["token"]
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    true(head["kid"] in [k["kid"] for k in keys.json["keys"]], "the key of a token is published")


@case("a token that a pod mounts lives on for a year and is told to be renewed before")
def _():
    decode = lambda t: json.loads(base64.urlsafe_b64decode(t.split(".")[1] + "=="))
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    got = decode(api.post(path, {"spec": {"expirationSeconds": 3607}}).want(201).json["status"]["token"])
    eq(got["exp"] - got["iat"], 31536000)
    eq(got["kubernetes.io"]["warnafter"] - got["iat"], 3607)
    got = decode(api.post(path, {"spec": {"expirationSeconds": 3607, "audiences": ["vault"]}}).want(201).json["status"]["token"])
    eq(got["exp"] - got["iat"], 3607)


@case("a token says whose and for whom it is, and is bound to what its account has")
def _():
    core = "/api/v1/namespaces/default/"
    api.post(core + "serviceaccounts", {"metadata": {"name": "robot"}}).want(201)
    ask = lambda account="default", meta=None, **spec: api.post(f"{core}serviceaccounts/{account}/token", {"metadata": meta or {}, "spec": spec})
    made = ask().want(201).json
    eq((made["metadata"]["name"], made["metadata"]["namespace"]), ("default", "default"))
    true("creationTimestamp" in made["metadata"] and made["spec"]["audiences"], "when and for whom")
    for refused, field in ((ask(meta={"name": "robot"}), "metadata.name"), (ask(meta={"namespace": "kube-system"}), "metadata.namespace"),
                           (ask(expirationSeconds=599), "spec.expirationSeconds"), (ask(expirationSeconds=(1 << 32) + 1), "2^32")):
        has(refused.want(422, "Invalid").json["message"], field)
    ask(expirationSeconds=1 << 31).want(201)
    api.post(core + "pods", {"metadata": {"name": "of-default"}, "spec": {"serviceAccountName": "default", "nodeName": "n", "containers": [{"name": "c", "image": "i"}]}}).want(201)
    pod = {"kind": "Pod", "apiVersion": "v1", "name": "of-default"}
    ask(boundObjectRef=pod).want(201)
    has(ask("robot", boundObjectRef=pod).want(400, "BadRequest").json["message"], 'cannot bind token for serviceaccount "robot" to pod running with different serviceaccount name')
    has(ask(boundObjectRef={**pod, "apiVersion": "apps/v1"}).want(400, "BadRequest").json["message"], "cannot bind token to object of type apps/v1, Kind=Pod")
    has(api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {}}).want(400, "BadRequest").json["message"], "token is required")


@case("the answer to a TokenRequest names the audiences, asked for or not")
def _():
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    got = api.post(path, {"spec": {}}).want(201).json
    eq(got["spec"]["audiences"], json.loads(base64.urlsafe_b64decode(got["status"]["token"].split(".")[1] + "=="))["aud"])
    eq(api.post(path, {"spec": {"audiences": ["vault", "bank"]}}).want(201).json["spec"]["audiences"], ["vault", "bank"])


def access(token, path):
    return server.anonymous().get(path, headers={"Authorization": "Bearer " + token})


@case("authorization by webhook: allowed, no opinion, denied; answers are remembered")
def _():
    path = "/api/v1/namespaces/kube-system/configmaps/none"
    eq(access("hook-ann", path).status, 404, "allowed, and not there")
    body, _ = hooks.last("/access")
    eq(body["apiVersion"], "authorization.k8s.io/v1")
    eq(body["spec"], {"user": "hook:ann", "uid": "u1", "groups": ["hooked", "system:authenticated"], "extra": {"team": ["a", "b"]},
                      "resourceAttributes": {"verb": "get", "version": "v1", "resource": "configmaps", "namespace": "kube-system", "name": "none"}})
    asked = hooks.count("/access")
    for _ in range(5):
        eq(access("hook-ann", path).status, 404)
    eq(hooks.count("/access"), asked, "no further question")
    answer = access("hook-bob", path).want(403)
    has(answer.json["message"], 'User "hook:bob" cannot get resource "configmaps" in API group "" in the namespace "kube-system": ann reads configmaps')
    eq(access("hook-bob", "/apis").status, 200, "roles are asked behind it")
    has(access("hook-evil", "/apis").want(403).json["message"], "evil is as evil does")


@case("authorization by webhook: the masters are not asked for, and reviews go the same way")
def _():
    before = hooks.count("/access")
    api.get("/api/v1/secrets").want(200)
    eq(hooks.count("/access"), before)
    spec = {"user": "hook:ann", "resourceAttributes": {"verb": "get", "resource": "configmaps", "namespace": "x"}}
    status = api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}).want(201).json["status"]
    eq((status["allowed"], status["reason"]), (True, "ann reads configmaps"))
    spec["user"] = "hook:evil"
    status = api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}).want(201).json["status"]
    eq((status["allowed"], status.get("denied")), (False, True))


@case("authorization by webhook: one that fails has no opinion, and the others decide")
def _():
    hooks.answers["/access"] = lambda _: (500, {})
    eq(access("hook-carl", "/apis").status, 200)
    has(access("hook-carl", "/api/v1/namespaces/default/pods").want(403).json["message"], "gave no answer")
    hooks.answers["/access"] = access_review


def proxied(certificate, **headers):
    api_ = harness.Api(server, certificate)
    answer = api_.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
                       headers={k.replace("_", "-"): v for k, v in headers.items()})
    return answer.json["status"]["userInfo"] if answer.status == 201 else answer.status


@case("a front proxy says for whom it asks; nobody else does")
def _():
    client = "extendedKeyUsage=clientAuth"
    front, other = (authority.issue(n, s, client) for n, s in (("front", "/CN=front"), ("other", "/O=system:masters/CN=other")))
    eq(proxied(front, X_Remote_User="jane", X_Remote_Group="devs", X_Remote_Uid="9", X_Remote_Extra_Scopes="a"),
       {"username": "jane", "uid": "9", "groups": ["devs", "system:authenticated"], "extra": {"scopes": ["a"]}})
    eq(proxied(front), 401, "a proxy is nobody itself")
    eq(proxied(other, X_Remote_User="jane"), 401, "its name is not allowed, and its CA is none of clients")
    eq(proxied(None, X_Remote_User="jane", X_Remote_Group="system:masters"), 401)
    eq(proxied("admin", X_Remote_User="jane")["username"], "system:admin", "a client's headers are not looked at")
    eq(proxied(front, X_Remote_User="jane", Authorization="Bearer static-1")["username"], "jane", "the proxy comes first")
    eq(proxied(front, Authorization="Bearer static-1")["username"], "fred", "and when it names nobody, others do")


@case("arguments that are wrong are told at the start, by name")
def _():
    for flags, told in [(["oidc-issuer-url=https://x"], "oidc-client-id is missing"), (["oidc-client-id=x", "oidc-issuer-url=http://x"], "must begin with https://"),
                        (["token-auth-file=/nonexistent"], "token-auth-file"), (["oidc-isuer-url=https://x"], 'did you mean "oidc-issuer-url"'),
                        (["authentication-token-webhook-config-file=/nonexistent"], "authentication-token-webhook-config-file"),
                        (["oidc-client-id=x", "oidc-issuer-url=https://x", "oidc-signing-algs=none"], "oidc-signing-algs"),
                        (["requestheader-allowed-names=x"], "requestheader-client-ca-file is missing"),
                        (["requestheader-client-ca-file=/nonexistent"], "requestheader-username-headers are missing"), (["authorization-mode=Magic"], "none of Node, RBAC, Webhook"), (["authorization-mode=Webhook"], "authorization-webhook-config-file is missing"),
                        (["authorization-webhook-config-file=/x"], "no Webhook in authorization-mode"), (["authentication-config=/nonexistent"], "authentication-config"), (["authorization-config=/nonexistent"], "authorization-config"), (["anonymous-auth=true"], "anonymous-auth can only be")]:
        other = Server(port=17342)
        other.flags = ["--kube-apiserver-arg=" + f for f in flags]
        r = subprocess.run(other.command(), capture_output=True, text=True, timeout=20)
        true(r.returncode in (2, 4), f"{flags}: exit status {r.returncode}")  # an error's, not a crash's
        has(r.stderr, told)
        other.remove()


@case("the server stops in order while requests wait for a webhook that does not answer")
def _():
    asked, go_on = threading.Event(), threading.Event()

    def hang(review):
        asked.set()
        go_on.wait(30)
        return token_review(review)

    def ask():
        try:
            who("hook-late")
        except OSError:
            pass  # the server went away, as it may

    hooks.answers["/review"] = hang
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    true(asked.wait(10), "the webhook was asked")
    eq(server.stop(), 0, "exit status")
    go_on.set()
    thread.join(10)


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, *sys.argv[1:2]))
