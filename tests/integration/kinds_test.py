#!/usr/bin/env python3
"""What kinds demand where the server has a part in it: status and generation that are its own, what may not change by
update, patch and apply, and warnings. Each rule by itself is a unit test's (tests/unit/api/machinery/rules/).

Usage: kinds_test.py [PART OF A CASE'S NAME]. Starts and stops its own server, without controllers; exit status 0 when every
case passed."""

import json
import sys

import harness
from harness import Server, case, contains, eq, has, true

server = Server(port=17333)
api = None
NS = "/api/v1/namespaces/t"
DEPLOYMENTS = "/apis/apps/v1/namespaces/t/deployments"
JOBS = "/apis/batch/v1/namespaces/t/jobs"
OLD_OS = {"beta.kubernetes.io/os": "linux"}
OLD_OS_WORDS = r'deprecated since v1.14; use \"kubernetes.io/os\" instead'


def setup():
    global api
    server.start()
    api = server.admin()
    api.post("/api/v1/namespaces", {"metadata": {"name": "t"}}).want(201)
    api.post(NS + "/serviceaccounts", {"metadata": {"name": "default"}}).want(201)


def pod(**spec):
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}], **spec}}


def deployment(name, **template):
    return {"metadata": {"name": name, "generation": 7}, "status": {"replicas": 5},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod(**template)}}


def job(name, **spec):
    return {"metadata": {"name": name}, "spec": {"template": pod(restartPolicy="Never"), **spec}}


def warnings(answer):
    return answer.headers.get_all("Warning") or []


def causes(answer):
    return [(c["field"], c["message"]) for c in answer.want(422, "Invalid").json["details"]["causes"]]


IMMUTABLE = ("spec.selector", 'Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"a":"b", "x":"y"}, '
             "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable")


@case("status and generation of a new object are the server's")
def _():
    made = api.post(DEPLOYMENTS, deployment("made")).want(201).json
    eq((made["metadata"]["generation"], made["status"]), (1, {}))
    made["spec"]["replicas"], made["status"] = 3, {"replicas": 9}
    now = api.put(DEPLOYMENTS + "/made", made).want(200).json
    eq((now["metadata"]["generation"], now["status"]), (2, {}))
    now["metadata"]["labels"] = {"l": "m"}
    eq(api.put(DEPLOYMENTS + "/made", now).want(200).json["metadata"]["generation"], 2)


@case("a status that does not add up is refused, and says so at its field")
def _():
    made = api.post(DEPLOYMENTS, deployment("status")).want(201).json
    made["status"] = {"replicas": 1, "readyReplicas": 2}
    eq(causes(api.put(DEPLOYMENTS + "/status/status", made)), [("status.readyReplicas", "Invalid value: 2: cannot be greater than status.replicas")])
    made["status"], made["spec"]["replicas"] = {"replicas": 2, "readyReplicas": 2}, 8
    now = api.put(DEPLOYMENTS + "/status/status", made).want(200).json
    eq((now["spec"]["replicas"], now["metadata"]["generation"], now["status"]["readyReplicas"]), (1, 1, 2))


@case("a selector stays: by update, by each patch and by apply")
def _():
    made = api.post(DEPLOYMENTS, deployment("stays")).want(201).json
    change = {"spec": {"selector": {"matchLabels": {"x": "y"}}, "template": {"metadata": {"labels": {"x": "y"}}}}}
    for kind in "merge", "strategic":
        true(IMMUTABLE in causes(api.patch(DEPLOYMENTS + "/stays", json.dumps(change), kind)), f"a {kind} patch is refused")
    ops = [{"op": "add", "path": f"/spec/{where}/x", "value": "y"} for where in ("selector/matchLabels", "template/metadata/labels")]
    true(IMMUTABLE in causes(api.patch(DEPLOYMENTS + "/stays", json.dumps(ops), "json")), "a JSON patch is refused")
    for labels in made["spec"]["selector"]["matchLabels"], made["spec"]["template"]["metadata"]["labels"]:
        labels["x"] = "y"
    true(IMMUTABLE in causes(api.put(DEPLOYMENTS + "/stays", made)), "an update is refused")
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("stays")}
    whole["spec"]["selector"]["matchLabels"]["x"] = whole["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    true(IMMUTABLE in causes(api.patch(DEPLOYMENTS + "/stays?fieldManager=m&force=true", json.dumps(whole), "apply")), "an apply is refused")


@case("a job's end stays, whoever manages it")
def _():
    made = api.post(JOBS, job("end", managedBy="example.com/me")).want(201).json
    ends = [{"type": t, "status": "True"} for t in ("SuccessCriteriaMet", "Complete")]
    made["status"] = {"startTime": "2026-01-02T03:04:05Z", "conditions": ends}
    eq(causes(api.put(JOBS + "/end/status", made)), [("status.completionTime", "Required value: completionTime is required for Complete jobs")])
    made["status"]["completionTime"] = "2026-01-02T03:05:05Z"
    api.put(JOBS + "/end/status", made).want(200)
    refused = causes(api.patch(JOBS + "/end/status", json.dumps({"status": {"conditions": None, "completionTime": None}})))
    true(("status.conditions", "Invalid value: cannot disable the terminal Complete=True condition") in refused, refused)


@case("a suspended job's pods may be placed anew until it has begun")
def _():
    api.post(JOBS, job("placed", suspend=True)).want(201)
    place = json.dumps({"spec": {"template": {"spec": {"nodeSelector": {"disk": "fast"}}}}})
    api.patch(JOBS + "/placed", place).want(200)
    api.patch(JOBS + "/placed", json.dumps({"spec": {"suspend": False}})).want(200)
    refused = causes(api.patch(JOBS + "/placed", place.replace("fast", "slow")))
    eq([field for field, _ in refused], ["spec.template"])


@case("a binding's role stays; its subjects do not")
def _():
    bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/t/rolebindings"
    api.post(bindings, {"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}}).want(201)
    eq(causes(api.patch(bindings + "/b", json.dumps({"roleRef": {"name": "edit"}}))), [(
        "roleRef", 'Invalid value: rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"ClusterRole", Name:"edit"}: cannot change roleRef')])
    api.patch(bindings + "/b", json.dumps({"subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}]})).want(200)


@case("a template that is old is warned of when it is new, and once")
def _():
    told = warnings(api.post(DEPLOYMENTS, deployment("old", nodeSelector=OLD_OS)).want(201))
    eq(told, [f'299 - "spec.template.spec.nodeSelector[beta.kubernetes.io/os]: {OLD_OS_WORDS}"'])
    eq(warnings(api.patch(DEPLOYMENTS + "/old", json.dumps({"metadata": {"labels": {"l": "m"}}})).want(200)), [])
    eq(warnings(api.patch(DEPLOYMENTS + "/old", json.dumps({"spec": {"replicas": 2}})).want(200)), told)
    eq(warnings(api.patch(DEPLOYMENTS + "/old/scale", json.dumps({"spec": {"replicas": 3}})).want(200)), [])


@case("what is refused is not warned of, and what is only tried is")
def _():
    wrong = deployment("tried", nodeSelector=OLD_OS)
    eq(len(warnings(api.post(DEPLOYMENTS + "?dryRun=All", wrong).want(201))), 1)
    wrong["spec"]["replicas"] = -1
    eq(warnings(api.post(DEPLOYMENTS, wrong).want(422)), [])


@case("kubectl shows the warnings")
def _():
    text = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a.b", "namespace": "t"}, "spec": {
        "containers": [{"name": "c", "image": "i:1", "env": [{"name": "E", "value": "1"}, {"name": "E", "value": "2"}],
                        "resources": {"limits": {"memory": "1500m"}}}]}})
    status, _, told = server.kubectl("create", "-f", "-", stdin=text)
    eq(status, 0, told)
    has(told, "Warning: metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [a lowercase")
    has(told, 'Warning: spec.containers[0].env[1]: hides previous definition of "E", which may be dropped when using apply')
    has(told, 'Warning: spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer')


@case("kinds and versions that are going away are told to whoever asks")
def _():
    eq(warnings(api.get("/api/v1/componentstatuses").want(200)), ['299 - "v1 ComponentStatus is deprecated in v1.19+"'])
    open_schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": open_schema},
                {"name": "v1beta1", "served": True, "storage": False, "deprecated": True, "schema": open_schema},
                {"name": "v1alpha1", "served": True, "storage": False, "deprecated": True, "deprecationWarning": "use v1", "schema": open_schema}]
    api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
        "metadata": {"name": "toys.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced", "versions": versions, "names": {
            "plural": "toys", "kind": "Toy"}}}).want(201)
    at = "/apis/example.com/{}/namespaces/t/toys".format
    harness.until("the kind is served", lambda: api.get(at("v1beta1")).status == 200)
    eq(warnings(api.get(at("v1"))), [])
    eq(warnings(api.get(at("v1alpha1"))), ['299 - "use v1"'])
    toy = {"apiVersion": "example.com/v1beta1", "kind": "Toy", "metadata": {"name": "t"}}
    eq(warnings(api.post(at("v1beta1"), toy).want(201)), ['299 - "example.com/v1beta1 Toy is deprecated"'])


def teardown():
    server.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
