#!/usr/bin/env python3
"""ValidatingAdmissionPolicies and their bindings, by kubectl and over HTTPS.

Usage: policy_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import json
import os
import sys

import harness
from harness import Server, case, contains, eq, has, true, until


class WithControllers(Server):
    def command(self, port=None):
        return [a for a in super().command(port) if a != "--disable-controller-manager"]


server = WithControllers(port=17348)
AUDIT_LOG = os.path.join(server.folder, "audit.log")
api = None
BASE = "/apis/admissionregistration.k8s.io/v1/"
POLICIES, BINDINGS = BASE + "validatingadmissionpolicies", BASE + "validatingadmissionpolicybindings"
MAPS = "/api/v1/namespaces/p/configmaps"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}


def setup():
    global api
    with open(os.path.join(server.folder, "audit.json"), "w") as f:
        json.dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}, f)
    server.flags += [f"--kube-apiserver-arg=audit-policy-file={f.name}", f"--kube-apiserver-arg=audit-log-path={AUDIT_LOG}"]
    server.start()
    api = server.admin()
    api.post("/api/v1/namespaces", {"metadata": {"name": "p", "labels": {"team": "a"}}}).want(201)


def policy(name, *validations, rules=None, **spec):
    checks = [v if isinstance(v, dict) else {"expression": v} for v in validations]
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {"matchConstraints": {"resourceRules": rules or [RULE]}, "validations": checks, **spec}}


def binding(name, policy=None, actions=("Deny",), **spec):
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {"policyName": policy or name, "validationActions": list(actions), **spec}}


def bound(name, *validations, actions=("Deny",), rules=None, bind=None, **spec):
    api.post(POLICIES, policy(name, *validations, rules=rules, **spec)).want(201)
    api.post(BINDINGS, binding(name, actions=actions, **(bind or {}))).want(201)


def unbind(*names):
    for name in names:
        api.delete(f"{BINDINGS}/{name}").want(200)
        api.delete(f"{POLICIES}/{name}").want(200)


def config(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def denied(answer, *words, status=422):
    eq(answer.status, status)
    for w in words:
        has(answer.json["message"], w)
    return answer.json


def warnings(answer):
    return "\n".join(answer.headers.get_all("Warning") or [])


@case("policy: a bound one denies, in upstream's words, and one that is not bound says nothing")
def _():
    api.post(POLICIES, policy("loose", "false")).want(201)
    api.post(MAPS, config("a", x="1")).want(201)
    api.post(BINDINGS, binding("tight", "loose")).want(201)
    s = denied(api.post(MAPS, config("b")), "configmaps \"b\" is forbidden: ValidatingAdmissionPolicy 'loose' with binding 'tight' denied request: failed expression: false")
    eq(s["reason"], "Invalid")
    eq(s["details"]["causes"], [{"message": "ValidatingAdmissionPolicy 'loose' with binding 'tight' denied request: failed expression: false"}])
    has(server.kubectl("-n", "p", "create", "configmap", "b")[2], "ValidatingAdmissionPolicy 'loose' with binding 'tight' denied request")
    eq(server.kubectl_ok("get", "validatingadmissionpolicies").split("\n")[0].split(), ["NAME", "VALIDATIONS", "PARAMKIND", "AGE"])
    eq(server.kubectl_ok("get", "validatingadmissionpolicybindings", "--no-headers").split()[:3], ["tight", "loose", "<unset>"])
    api.post("/api/v1/namespaces/p/secrets", {"metadata": {"name": "s"}}).want(201)  # not matched
    api.delete(f"{BINDINGS}/tight").want(200)
    api.post(MAPS, config("b")).want(201)
    api.delete(f"{POLICIES}/loose").want(200)


@case("policy: messages, reasons, and what is told for a fault")
def _():
    bound("words", {"expression": "!('deny' in object.data)", "message": "no deny", "reason": "Forbidden"},
          {"expression": "object.data.size() < 3", "messageExpression": "'too many: ' + string(object.data.size())"},
          {"expression": "object.data.must == 'x'", "reason": "RequestEntityTooLarge"})
    denied(api.post(MAPS, config("c", deny="1", must="x")), "denied request: no deny", status=403)
    denied(api.post(MAPS, config("c", a="1", b="2", must="x")), "denied request: too many: 3")
    denied(api.post(MAPS, config("c", must="y")), "failed expression: object.data.must == 'x'", status=413)
    denied(api.post(MAPS, config("c", other="y")), "expression 'object.data.must == 'x'' resulted in error: no such key: must")
    api.post(MAPS, config("c", must="x")).want(201)
    p = api.get(f"{POLICIES}/words").json
    eq(p["spec"]["failurePolicy"], "Fail")
    eq(p["spec"]["matchConstraints"]["matchPolicy"], "Equivalent")
    p["spec"]["failurePolicy"] = "Ignore"
    api.put(f"{POLICIES}/words", p).want(200)
    api.post(MAPS, config("d", other="y")).want(201)  # what cannot be told is let pass
    denied(api.post(MAPS, config("e", deny="1")), "no deny", status=403)  # what can is not
    unbind("words")


@case("policy: old objects, variables, requests, namespaces and conditions")
def _():
    bound("vars", "variables.grown || request.operation == 'CREATE'", "request.userInfo.username != 'mallory'",
          "namespaceObject.metadata.labels.team == 'a'", "request.namespace == 'p' && request.resource.resource == 'configmaps'",
          variables=[{"name": "now", "expression": "object.data.size()"}, {"name": "before", "expression": "oldObject == null ? 0 : oldObject.data.size()"},
                     {"name": "grown", "expression": "variables.now >= variables.before"}],
          matchConditions=[{"name": "not-exempt", "expression": "!has(object.metadata.labels) || !('exempt' in object.metadata.labels)"}])
    api.post(MAPS, config("v", a="1", b="2")).want(201)
    denied(api.put(MAPS + "/v", config("v", a="1")), "failed expression: variables.grown || request.operation == 'CREATE'")
    body = config("v", a="1")
    body["metadata"]["labels"] = {"exempt": "yes"}
    api.put(MAPS + "/v", body).want(200)
    server.kubectl_ok("create", "clusterrolebinding", "mallory", "--clusterrole=cluster-admin", "--user=mallory")
    has(server.kubectl("-n", "p", "create", "configmap", "m", "--from-literal=a=1", "--as=mallory")[2], "request.userInfo.username != 'mallory'")
    unbind("vars")


@case("policy: deletions, subresources, and other versions of an object")
def _():
    bound("keep", {"expression": "oldObject.metadata.name != 'kept'", "message": "it stays"}, rules=[{**RULE, "operations": ["DELETE"]}])
    api.post(MAPS, config("kept")).want(201)
    denied(api.delete(MAPS + "/kept"), "it stays")
    unbind("keep")
    api.delete(MAPS + "/kept").want(200)
    deployments = "/apis/apps/v1/namespaces/p/deployments"
    bound("few", {"expression": "object.spec.replicas <= 3", "message": "at most 3"},
          rules=[{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments", "deployments/scale"]}])
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
    api.post(deployments, {"metadata": {"name": "d"}, "spec": spec}).want(201)
    has(server.kubectl("-n", "p", "scale", "deployment", "d", "--replicas=4")[2], "at most 3")
    server.kubectl_ok("-n", "p", "scale", "deployment", "d", "--replicas=2")
    unbind("few")
    api.delete(deployments + "/d").want(200)
    # by the other name of events
    bound("events", {"expression": "has(object.regarding) && object.kind == 'Event'", "message": "not seen as an event of events.k8s.io"},
          {"expression": "object.reason != 'Bad'", "message": "bad event"},
          rules=[{"apiGroups": ["events.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["events"]}])
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "x", "namespace": "p"}, "reason": "Bad", "message": "m", "type": "Normal", "source": {"component": "c"}}
    denied(api.post("/api/v1/namespaces/p/events", event), "bad event")
    unbind("events")


@case("binding: what it matches, warns of and writes down")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "q", "labels": {"team": "b"}}}).want(201)
    bound("only-b", "false", bind={"matchResources": {"namespaceSelector": {"matchLabels": {"team": "b"}}}})
    api.post(MAPS, config("nb")).want(201)
    denied(api.post(MAPS.replace("/p/", "/q/"), config("nb")), "only-b")
    unbind("only-b")
    bound("labelled", "false", bind={"matchResources": {"objectSelector": {"matchLabels": {"check": "yes"}}, "excludeResourceRules": [{**RULE, "resourceNames": ["free"]}]}})
    api.post(MAPS, config("unlabelled")).want(201)
    for name, status in (("bad", 422), ("free", 201)):
        body = config(name)
        body["metadata"]["labels"] = {"check": "yes"}
        eq(api.post(MAPS, body).status, status)
    unbind("labelled")
    bound("soft", {"expression": "false", "message": "better not"}, actions=("Warn", "Audit"), auditAnnotations=[{"key": "seen", "valueExpression": "'name ' + object.metadata.name"}])
    answer = api.post(MAPS, config("warned"))
    answer.want(201)
    has(warnings(answer), "Validation failed for ValidatingAdmissionPolicy 'soft' with binding 'soft': better not")
    line = until("the audit's line", lambda: [l for l in open(AUDIT_LOG).read().split("\n")[:-1] if "soft/seen" in l])[0]
    notes = json.loads(line)["annotations"]
    eq(notes["soft/seen"], "name warned")
    eq(json.loads(notes["validation.policy.admission.k8s.io/validation_failure"]),
       [{"message": "better not", "policy": "soft", "binding": "soft", "expressionIndex": 0, "validationActions": ["Warn", "Audit"]}])
    unbind("soft")


@case("params: by name, by selector, and where there are none")
def _():
    check = {"expression": "params == null || object.data.size() <= int(params.data.max)", "messageExpression": "'at most ' + params.data.max"}
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    rule = [{**RULE, "resources": ["secrets"]}]
    secrets = "/api/v1/namespaces/p/secrets"
    api.post(MAPS, config("limit", max="1")).want(201)
    bound("limits", check, rules=rule, paramKind=kind, bind={"paramRef": {"name": "limit", "namespace": "p", "parameterNotFoundAction": "Deny"}})
    two = {"metadata": {"name": "two"}, "data": {"a": "", "b": ""}}
    denied(api.post(secrets, two), "denied request: at most 1")
    api.put(MAPS + "/limit", config("limit", max="2")).want(200)
    api.post(secrets + "?dryRun=All", two).want(201)
    api.delete(MAPS + "/limit").want(200)
    denied(api.post(secrets, two), "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction")
    b = api.get(BINDINGS + "/limits").json
    b["spec"]["paramRef"] = {"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Allow"}
    api.put(BINDINGS + "/limits", b).want(200)
    api.post(secrets + "?dryRun=All", two).want(201)
    for name, most in (("l1", "5"), ("l2", "1")):  # all that the selector picks are asked
        body = config(name, max=most)
        body["metadata"]["labels"] = {"limits": "yes"}
        api.post(MAPS, body).want(201)
    denied(api.post(secrets, two), "at most 1")
    unbind("limits")
    bound("unknown", check, rules=rule, paramKind={"apiVersion": "no.example.com/v1", "kind": "None"}, bind={"paramRef": {"name": "x", "parameterNotFoundAction": "Deny"}})
    denied(api.post(secrets, two), "failed to configure binding: paramKind kind `no.example.com/v1, Kind=None` not known")
    unbind("unknown")


@case("params: who may not read them may not bind a policy to them")
def _():
    joe = {"Impersonate-User": "joe"}
    server.kubectl_ok("create", "clusterrole", "policies", "--verb=create,update,get",
                      "--resource=validatingadmissionpolicies,validatingadmissionpolicybindings")
    server.kubectl_ok("create", "clusterrolebinding", "policies", "--clusterrole=policies", "--user=joe")
    one = policy("peek", {"expression": "false", "messageExpression": "string(params.data.x)"},
                 paramKind={"apiVersion": "v1", "kind": "Secret"})
    ref = {"name": "key", "namespace": "p", "parameterNotFoundAction": "Deny"}
    answer = api.post(POLICIES, one, headers=joe)
    cause = denied(answer)["details"]["causes"][0]
    eq(cause["field"], "spec.paramKind")
    has(cause["message"], 'Forbidden: user joe must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)')
    api.post(POLICIES, one).want(201)
    answer = api.post(BINDINGS, binding("peek", paramRef=ref), headers=joe)
    has(denied(answer)["details"]["causes"][0]["message"], 'user joe does not have "get" permission on the object referenced by paramRef')
    bound_one = api.post(BINDINGS, binding("peek")).want(201).json
    # whoever may read it may name it, and what is as it was is nobody's business
    server.kubectl_ok("-n", "p", "create", "role", "key", "--verb=get", "--resource=secrets", "--resource-name=key")
    server.kubectl_ok("-n", "p", "create", "rolebinding", "key", "--role=key", "--user=joe")
    bound_one["spec"]["paramRef"] = ref
    bound_one = api.put(f"{BINDINGS}/peek", bound_one, headers=joe).want(200).json
    api.delete("/apis/rbac.authorization.k8s.io/v1/namespaces/p/roles/key").want(200)
    bound_one["spec"]["validationActions"] = ["Audit"]
    api.put(f"{BINDINGS}/peek", bound_one, headers=joe).want(200)
    unbind("peek")
    server.kubectl_ok("delete", "clusterrole/policies", "clusterrolebinding/policies")


@case("authorizer: expressions ask who may do what")
def _():
    bound("may", {"expression": "authorizer.group('').resource('secrets').namespace('p').check('delete').allowed()", "message": "may not"},
          {"expression": "authorizer.requestResource.check('create').allowed()"},
          {"expression": "!authorizer.serviceAccount('p', 'default').group('').resource('nodes').check('delete').allowed()"})
    api.post(MAPS, config("mine")).want(201)
    server.kubectl_ok("-n", "p", "create", "role", "maker", "--verb=create,get", "--resource=configmaps")
    server.kubectl_ok("-n", "p", "create", "rolebinding", "maker", "--role=maker", "--user=joe")
    has(server.kubectl("-n", "p", "create", "configmap", "his", "--as=joe")[2], "may not")
    unbind("may")


@case("custom resources: policies hold for them, too")
def _():
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.x.example.com"},
           "spec": {"group": "x.example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [
               {"name": v, "served": True, "storage": v == "v1", "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}} for v in ("v1", "v2")]}}
    api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd).want(201)
    until("served", lambda: api.get("/apis/x.example.com/v2/things").status == 200)
    bound("things", {"expression": "object.apiVersion == 'x.example.com/v1' && object.spec.n > 1", "message": "n must be above 1"},
          rules=[{"apiGroups": ["x.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}])
    for v in ("v1", "v2"):
        path = f"/apis/x.example.com/{v}/namespaces/p/things"
        thing = {"apiVersion": f"x.example.com/{v}", "kind": "Thing", "metadata": {"name": "t" + v}, "spec": {"n": 1}}
        denied(api.post(path, thing), "n must be above 1")
        thing["spec"]["n"] = 2
        api.post(path, thing).want(201)
    unbind("things")


@case("policies: what is wrong with them is told when they are written")
def _():
    def refused(body, *words, path=POLICIES):
        answer = api.post(path, body)
        answer.want(422)
        for w in words:
            has(answer.json["message"], w)

    refused(policy("bad", "object.x =="), "spec.validations[0].expression: Invalid value: \"object.x ==\": compilation failed: ERROR: <input>:1:12: Syntax error")
    refused(policy("bad", "objekt.x == 1"), "undeclared reference to 'objekt' (in container '')")
    refused(policy("bad", "params.x == 1"), "undeclared reference to 'params'")
    refused(policy("bad", "'text'"), "must evaluate to bool but got string")
    refused(policy("bad", "request.nope == 1"), "undefined field 'nope'")
    refused(policy("bad", "variables.v", variables=[{"name": "v", "expression": "1 +"}]), "spec.variables[0].expression: Invalid value")
    refused(policy("bad", "variables.v == 'a'", variables=[{"name": "v", "expression": "1"}]), "found no matching overload for '_==_' applied to '(int, string)'")
    refused(policy("bad"), "validations or auditAnnotations must contain at least one item")
    refused(policy("bad", {"expression": "true", "message": "a\nb"}), "message must not contain line breaks")
    refused(policy("bad", {"expression": "true", "reason": "Because"}), "Unsupported value: \"Because\"")
    refused(policy("bad", {"expression": "true", "messageExpression": "1"}), "must evaluate to string but got int")
    refused(policy("bad", "true", rules=[{**RULE, "operations": ["FETCH"]}]), "Unsupported value: \"FETCH\"")
    refused(policy("bad", "true", rules=[{**RULE, "resources": []}]), "resources: Required value")
    refused(policy("bad", "true", matchConditions=[{"name": "a", "expression": "1"}]), "spec.matchConditions[0].expression: Invalid value: \"1\": must evaluate to bool")
    refused(policy("bad", "true", failurePolicy="Maybe"), "spec.failurePolicy: Unsupported value: \"Maybe\"")
    refused(binding("bad", actions=[]), "spec.validationActions: Required value", path=BINDINGS)
    refused(binding("bad", actions=["Deny", "Warn"]), "must not contain both Deny and Warn", path=BINDINGS)
    refused(binding("bad", paramRef={"parameterNotFoundAction": "Deny"}), "one of name or selector must be specified", path=BINDINGS)


@case("policies: nobody is locked out of mending them")
def _():
    everything = [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]
    api.post(POLICIES, policy("all", "false", rules=everything)).want(201)
    api.post(BINDINGS, binding("all")).want(201)
    denied(api.post(MAPS, config("no")), "all")
    unbind("all")
    api.post(MAPS, config("no")).want(201)


# ---- what changes no object of its path ----


def rule(resource, operation="CREATE", group="", version="v1"):
    return [{"apiGroups": [group], "apiVersions": [version], "operations": [operation], "resources": [resource]}]


def pod(name, ns="p"):
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}}


@case("subresources: a policy sees a TokenRequest as it was sent")
def _():
    bound("tokens", "object.spec.audiences.all(a, a != 'bad') && request.kind.kind == 'TokenRequest' && request.subResource == 'token'", rules=rule("serviceaccounts/token"))
    path = "/api/v1/namespaces/p/serviceaccounts/default/token"
    until("an account", lambda: api.get("/api/v1/namespaces/p/serviceaccounts/default").status == 200)
    ask = lambda audience: api.post(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]}})
    denied(ask("bad"), "tokens")
    true(ask("good").want(201).json["status"]["token"], "a token")
    unbind("tokens")
    ask("bad").want(201)


@case("subresources: an eviction is asked about as such, and not once more as a deletion")
def _():
    bound("evictions", "request.operation == 'CREATE' && object.kind == 'Eviction' && object.metadata.name != 'stays'", rules=rule("pods/eviction"))
    bound("deletions", "false", rules=rule("pods", "DELETE"))
    for name in "stays", "goes":
        api.post("/api/v1/namespaces/p/pods", pod(name)).want(201)
    evict = lambda name: api.post(f"/api/v1/namespaces/p/pods/{name}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}})
    denied(evict("stays"), "evictions")
    denied(api.delete("/api/v1/namespaces/p/pods/goes"), "deletions")
    evict("goes").want(201)
    api.get("/api/v1/namespaces/p/pods/goes").want(404)
    unbind("evictions", "deletions")
    evict("stays").want(201)


@case("subresources: a binding is seen as a Binding, whichever way it comes")
def _():
    bound("bindings", "object.target.name != 'forbidden'", rules=rule("pods/binding"))
    bound("changes", "false", rules=rule("pods/binding", "UPDATE"))
    api.post("/api/v1/namespaces/p/pods", {**pod("b"), "spec": {**pod("b")["spec"], "schedulerName": "nobody"}}).want(201)
    bind = lambda path, node: api.post(path, {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "b"}, "target": {"kind": "Node", "name": node}})
    denied(bind("/api/v1/namespaces/p/pods/b/binding", "forbidden"), "bindings")
    denied(bind("/api/v1/namespaces/p/bindings", "forbidden"), "bindings")
    api.post("/api/v1/namespaces/p/bindings", {"target": {"kind": "Node", "name": "n"}}).want(422)
    bind("/api/v1/namespaces/p/bindings", "n").want(201)
    eq(api.get("/api/v1/namespaces/p/pods/b").json["spec"]["nodeName"], "n")
    unbind("bindings", "changes")


@case("subresources: a scale is seen as a Scale, before and after")
def _():
    bound("scales", "object.spec.replicas <= oldObject.spec.replicas + 2 && request.kind.kind == 'Scale' && request.resource.resource == 'deployments'", rules=rule("deployments/scale", "UPDATE", "apps"))
    labels = {"app": "s"}
    api.post("/apis/apps/v1/namespaces/p/deployments", {"metadata": {"name": "s"}, "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}}}).want(201)
    scale = lambda n: api.patch("/apis/apps/v1/namespaces/p/deployments/s/scale", {"spec": {"replicas": n}})
    denied(scale(3), "scales")
    scale(2).want(200)
    eq(api.get("/apis/apps/v1/namespaces/p/deployments/s").json["spec"]["replicas"], 2)
    unbind("scales")
    api.delete("/apis/apps/v1/namespaces/p/deployments/s").want(200)


@case("questions: a policy may be about reviews, and a namespace need not be there for them")
def _():
    bound("reviews", "object.spec.user != 'eve'", rules=rule("subjectaccessreviews", group="authorization.k8s.io"))
    ask = lambda user: api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": {"user": user, "nonResourceAttributes": {"verb": "get", "path": "/x"}}})
    denied(ask("eve"), "reviews")
    eq(ask("bob").want(201).json["status"]["allowed"], False)
    unbind("reviews")
    local = {"spec": {"user": "bob", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "absent"}}}
    api.post("/apis/authorization.k8s.io/v1/namespaces/absent/localsubjectaccessreviews", local).want(201)


@case("types: expressions that cannot be right for a kind are told in the status")
def _():
    apps = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]
    api.post(POLICIES, policy("typed", "object.spec.replicas > 1 && object.metadata.namespace != 'x'", "object.spec.replicas == 'three'", "object.spec.nope == 1", rules=apps)).want(201)
    status = until("checked", lambda: (lambda s: s if s.get("observedGeneration") == 1 else None)(api.get(POLICIES + "/typed").json.get("status", {})))
    found = status["typeChecking"]["expressionWarnings"]
    eq([w["fieldRef"] for w in found], ["spec.validations[1].expression", "spec.validations[2].expression"])
    has(found[0]["warning"], "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_==_' applied to '(int, string)'")
    has(found[1]["warning"], "undefined field 'nope'")
    p = api.get(POLICIES + "/typed").json
    p["spec"]["validations"] = [{"expression": "object.spec.replicas > 1"}]
    api.put(POLICIES + "/typed", p).want(200)
    status = until("checked anew", lambda: (lambda s: s if s.get("observedGeneration") == 2 else None)(api.get(POLICIES + "/typed").json["status"]))
    eq(status["typeChecking"], {})
    api.delete(POLICIES + "/typed").want(200)


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
