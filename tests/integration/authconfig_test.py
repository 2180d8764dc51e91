#!/usr/bin/env python3
"""The structured files: issuers of tokens and what their claims make of users, authorizers in their order, and both read again when
they change.

Usage: authconfig_test.py [PART OF A CASE'S NAME]. Starts and stops its own server, issuers and webhooks."""

import json
import os
import subprocess
import sys

import harness
from harness import Server, case, eq, has, true, until
from _webhooks import Authority, Hooks, Signer, in_an_hour

server = Server(port=17367)
api = hooks = authority = one = two = None
AUTHN, AUTHZ = os.path.join(server.folder, "authn.yaml"), os.path.join(server.folder, "authz.yaml")


def write(path, value):
    """As one step, as an editor does it."""
    with open(path + ".new", "w") as f:
        json.dump(value, f)
    os.rename(path + ".new", path)


def ca():
    return open(authority.ca).read()


def issuers(*list_of, **more):
    return {"apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration", "jwt": list(list_of), **more}


def first():
    return {"issuer": {"url": hooks.url + "/one", "certificateAuthority": ca(), "audiences": ["k3x", "other"], "audienceMatchPolicy": "MatchAny"},
            "claimMappings": {"username": {"claim": "sub", "prefix": "one:"}, "groups": {"claim": "groups", "prefix": "one:"}, "uid": {"claim": "sub"}}}


def second():
    return {"issuer": {"url": "https://two.example", "discoveryURL": hooks.url + "/two/discovery", "certificateAuthority": ca(), "audiences": ["k3x"]},
            "claimValidationRules": [{"claim": "hd", "requiredValue": "example.com"},
                                     {"expression": "claims.exp - claims.iat <= 7200", "message": "it lives too long"}],
            "claimMappings": {"username": {"expression": "claims.email_verified ? claims.email : claims.sub"},
                              "groups": {"expression": "claims.roles.map(r, 'two:' + r)"}, "uid": {"expression": "string(claims.number)"},
                              "extra": [{"key": "example.com/tenant", "valueExpression": "claims.tenant"}]},
            "userValidationRules": [{"expression": "!user.username.startsWith('system:')", "message": "no system names"}]}


def hook(name, path, **more):
    return {"type": "Webhook", "name": name, "webhook": {
        "timeout": "3s", "subjectAccessReviewVersion": "v1", "failurePolicy": "NoOpinion", "authorizedTTL": "1s", "unauthorizedTTL": "1s",
        "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": authority.kubeconfig(name + ".yaml", hooks.url + path)}, **more}}


def authorizers(*list_of):
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration",
            "authorizers": [{"type": "Node", "name": "node"}, *list_of, {"type": "RBAC", "name": "rbac"}]}


def conditional():
    return hook("first", "/first", matchConditionSubjectAccessReviewVersion="v1", matchConditions=[
        {"expression": "has(request.resourceAttributes)"}, {"expression": "request.resourceAttributes.resource == 'configmaps'"}])


def access(allowed_user, denied=()):
    def fn(review):
        user = review["spec"]["user"]
        return {"apiVersion": review["apiVersion"], "kind": "SubjectAccessReview",
                "status": {"allowed": user == allowed_user, "denied": user in denied, "reason": f"{user} asked"}}
    return fn


def setup():
    global api, hooks, authority, one, two
    authority = Authority(server.folder)
    hooks = Hooks(authority)
    one, two = Signer(server.folder, "one"), Signer(server.folder, "two", "P-256")
    hooks.answers = {
        "/one/.well-known/openid-configuration": lambda _: {"issuer": hooks.url + "/one", "jwks_uri": hooks.url + "/one/keys"},
        "/one/keys": lambda _: {"keys": [one.jwk()]},
        "/two/discovery": lambda _: {"issuer": "https://two.example", "jwks_uri": hooks.url + "/two/keys"},
        "/two/keys": lambda _: {"keys": [two.jwk()]},
        "/first": access("one:ann"), "/second": access("one:bob", denied=("one:eve",))}
    write(AUTHN, issuers(first(), second(), anonymous={"enabled": True, "conditions": [{"path": "/metrics"}]}))
    write(AUTHZ, authorizers(conditional(), hook("second", "/second")))
    server.flags += [f"--kube-apiserver-arg=authentication-config={AUTHN}", f"--kube-apiserver-arg=authorization-config={AUTHZ}"]
    server.start()
    api = server.admin()


def teardown():
    server.remove()
    hooks.stop()


def bearer(method, path, token, body=None):
    return server.anonymous().request(method, path, body, headers={"Authorization": "Bearer " + token})


def who(token):
    answer = bearer("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", token,
                    {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    return answer.json["status"]["userInfo"] if answer.status == 201 else answer.status


def of_one(sub, **more):
    return one.token({"iss": hooks.url + "/one", "aud": "other", "sub": sub, "exp": in_an_hour(), **more})


def of_two(**more):
    claims = {"iss": "https://two.example", "aud": "k3x", "sub": "s", "exp": in_an_hour(), "iat": in_an_hour() - 3600, "hd": "example.com",
              "email": "ann@example.com", "email_verified": True, "roles": ["a", "b"], "number": 7, "tenant": ["x", "y"], **more}
    return two.token({k: v for k, v in claims.items() if v is not None}, "ES256")


@case("issuers: several, by claims and by expressions")
def _():
    eq(who(of_one("ann", groups=["g"])), {"username": "one:ann", "uid": "ann", "groups": ["one:g", "system:authenticated"]})
    eq(who(of_two()), {"username": "ann@example.com", "uid": "7", "groups": ["two:a", "two:b", "system:authenticated"],
                       "extra": {"example.com/tenant": ["x", "y"]}})
    eq(who(of_two(email_verified=False))["username"], "s")
    for bad in ({"hd": "other"}, {"iat": in_an_hour() - 9000}, {"aud": "other"}, {"roles": None}, {"email": "system:admin"}, {"tenant": 5}, {"number": None}):
        eq(who(of_two(**bad)), 401, bad)
    eq(who(two.token({"iss": hooks.url + "/one", "aud": "k3x", "sub": "ann", "exp": in_an_hour()}, "ES256")), 401, "another issuer's key")


@case("anonymous: the paths that the file names, and no others")
def _():
    answer = server.anonymous().get("/metrics")
    answer.want(403, "Forbidden")
    has(answer.json["message"], 'User "system:anonymous" cannot get path "/metrics"')
    server.anonymous().get("/apis").want(401)
    server.anonymous().get("/livez").want(200)


@case("authorizers: two webhooks, one with conditions, in their order")
def _():
    maps, secrets = "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/secrets"
    before = hooks.count("/first")
    bearer("GET", maps, of_one("ann")).want(200)
    true(hooks.count("/first") > before, "the first is asked about configmaps")
    before = hooks.count("/first")
    bearer("GET", secrets, of_one("ann")).want(403)
    eq(hooks.count("/first"), before, "and about nothing else")
    bearer("GET", secrets, of_one("bob")).want(200)
    answer = bearer("GET", secrets, of_one("eve"))
    answer.want(403)
    has(answer.json["message"], "one:eve asked")


@case("authorizers: failurePolicy Deny; the file is read again when it changes, and a wrong one changes nothing")
def _():
    def metric(status, of="authorization"):
        text = api.get("/metrics").body.decode()
        return int(text.split(f'apiserver_{of}_config_controller_automatic_reloads_total{{status="{status}"}} ')[1].split("\n")[0])
    secrets = "/api/v1/namespaces/default/secrets"
    write(AUTHZ, authorizers(hook("second", "/gone", failurePolicy="Deny")))
    until("read again", lambda: metric("success") == 1)
    answer = bearer("GET", secrets, of_one("bob"))
    answer.want(403)
    has(answer.json["message"], "the authorization webhook gave no answer")
    write(AUTHZ, authorizers({"type": "Odd", "name": "x"}))
    until("looked at", lambda: metric("failure") == 1)
    bearer("GET", secrets, of_one("bob")).want(403)
    write(AUTHZ, authorizers({"type": "AlwaysAllow", "name": "all"}))
    until("read again", lambda: bearer("GET", secrets, of_one("bob")).status == 200)


@case("issuers: the file is read again when it changes, and a wrong one changes nothing")
def _():
    write(AUTHN, issuers(second()))
    until("the first is gone", lambda: who(of_one("ann")) == 401)
    eq(who(of_two())["username"], "ann@example.com")
    write(AUTHN, issuers({**second(), "odd": 1}))
    until("looked at", lambda: 'authentication_config_controller_automatic_reloads_total{status="failure"} 1' in api.get("/metrics").body.decode())
    eq(who(of_two())["username"], "ann@example.com")
    write(AUTHN, issuers(first(), second()))
    until("the first is back", lambda: who(of_one("ann")) != 401)


@case("flags that exclude each other, and files that are wrong, are told at the start")
def _():
    def refused(*arguments):
        other = Server(port=17368)
        other.flags = server.flags + [f"--kube-apiserver-arg={a}" for a in arguments]  # the last of a repeated one counts
        r = subprocess.run(other.command(), capture_output=True, text=True, timeout=30)
        other.remove()
        true(r.returncode == 2, f"exit status {r.returncode}")
        return r.stderr
    has(refused("oidc-client-id=x"), "authentication-config file and oidc-* flags are mutually exclusive")
    has(refused("authorization-mode=RBAC"), "authorization-config can not be specified when authorization-mode")
    bad = os.path.join(server.folder, "bad.yaml")
    write(bad, authorizers({"type": "Webhook", "name": "w", "webhook": {"timeout": "3s"}}))
    has(refused(f"authorization-config={bad}"), "authorizers[1].webhook.failurePolicy: Required value")
    write(bad, issuers({**first(), "claimMappings": {"username": {"expression": "claims.sub +"}}}))
    has(refused(f"authentication-config={bad}"), "jwt[0].claimMappings.username.expression")


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, *sys.argv[1:2]))
