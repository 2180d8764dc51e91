#!/usr/bin/env python3
"""Custom resources whose versions a webhook converts: a server of the test that knows how v1's host and port are v2's hostPort.

Usage: conversion_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import base64
import copy
import json
import sys
import threading
import time

import harness
from _webhooks import Authority, Hooks
from harness import ABSENT, Server, case, contains, eq, has, true, until

server = Server(port=17366)
api = hooks = authority = None
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "conv.example.com"


def setup():
    global api, hooks, authority
    server.start()
    api = server.admin()
    authority = Authority(server.folder)
    authority.crt, authority.key = authority.issue(
        "all", "/CN=hook", "subjectAltName=DNS:localhost,DNS:conv.w.svc,IP:127.0.0.1\nextendedKeyUsage=serverAuth")
    hooks = Hooks(authority)
    api.post("/api/v1/namespaces", {"metadata": {"name": "w"}}).want(201)


def bundle():
    return base64.b64encode(open(authority.ca, "rb").read()).decode()


def one(object, version):
    """An object in another version: v1 has spec.host and spec.port, v2 and v3 have spec.hostPort."""
    o = copy.deepcopy(object)
    now, spec = o["apiVersion"].split("/")[1], o.get("spec", {})
    if now == "v1" and version != "v1" and "host" in spec:
        spec["hostPort"] = f"{spec.pop('host')}:{spec.pop('port', '')}"
    if now != "v1" and version == "v1" and "hostPort" in spec:
        spec["host"], spec["port"] = spec.pop("hostPort").split(":")
    o["apiVersion"] = f"{GROUP}/{version}"
    return o


def reviewed(body, objects, status="Success", **result):
    return {"apiVersion": body["apiVersion"], "kind": "ConversionReview",
            "response": {"uid": body["request"]["uid"], "convertedObjects": objects, "result": {"status": status, **result}}}


def convert(body):
    version = body["request"]["desiredAPIVersion"].split("/")[1]
    return reviewed(body, [one(o, version) for o in body["request"]["objects"]])


def definition(plural, kind, path, storage="v1", versions=("v1", "v2"), client=None, reviews=("v1",)):
    text = {"type": "string"}
    props = {"v1": {"host": text, "port": text}, "v2": {"hostPort": text, "tier": {"type": "string", "default": "small"}}, "v3": {"hostPort": text}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{GROUP}"},
            "spec": {"group": GROUP, "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
                     "conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": list(reviews),
                                                                      "clientConfig": client or {"url": hooks.url + path, "caBundle": bundle()}}},
                     "versions": [{"name": v, "served": True, "storage": v == storage, "subresources": {"status": {}},
                                   "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                                       "spec": {"type": "object", "properties": props[v]}, "status": {"type": "object", "properties": {"phase": text}}}}}}
                                  for v in versions]}}


def establish(crd):
    api.post(CRDS, crd).want(201)
    plural = crd["spec"]["names"]["plural"]
    for v in crd["spec"]["versions"]:
        until("served", lambda: api.get(where(plural, v["name"])).status == 200)


def where(plural, version):
    return f"/apis/{GROUP}/{version}/namespaces/w/{plural}"


def widget(kind, version, name, spec, **meta):
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


def update_crd(plural, change):
    name = f"{plural}.{GROUP}"
    crd = api.get(f"{CRDS}/{name}").json
    change(crd)
    return api.put(f"{CRDS}/{name}", crd)


def failed(answer, *words):
    eq(answer.status, 500, answer.body)
    eq(answer.json.get("reason"), None)
    for w in words:
        has(answer.json["message"], w)


@case("conversion: get, list, create, update, patch, apply and status in both versions")
def _():
    hooks.answers["/all"] = convert
    establish(definition("alls", "All", "/all"))
    v1, v2 = where("alls", "v1"), where("alls", "v2")
    made = api.post(v2, widget("All", "v2", "a", {"hostPort": "h:1"})).want(201).json
    contains(made, {"apiVersion": f"{GROUP}/v2", "spec": {"hostPort": "h:1", "host": ABSENT}})
    contains(api.get(v1 + "/a").want(200).json, {"apiVersion": f"{GROUP}/v1", "spec": {"host": "h", "port": "1", "hostPort": ABSENT}})
    got = api.get(v2 + "/a").want(200).json
    eq(got["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"])
    eq(got["metadata"]["uid"], made["metadata"]["uid"])
    body, headers = hooks.last("/all")
    contains(body, {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"})
    true("managedFields" in got["metadata"], "managers are shown")
    # update by the version that is not stored
    got["spec"]["hostPort"] = "h:2"
    eq(api.put(v2 + "/a", got).want(200).json["spec"]["hostPort"], "h:2")
    eq(api.get(v1 + "/a").json["spec"]["port"], "2")
    got["spec"]["hostPort"] = "h:9"
    api.put(v2 + "/a", got).want(409, "Conflict")
    # patches
    eq(api.patch(v2 + "/a", {"spec": {"hostPort": "g:3"}}).want(200).json["spec"]["hostPort"], "g:3")
    eq(api.patch(v2 + "/a", [{"op": "test", "path": "/spec/hostPort", "value": "g:3"}, {"op": "replace", "path": "/spec/hostPort", "value": "g:4"}],
                 kind="json").want(200).json["spec"]["hostPort"], "g:4")
    contains(api.get(v1 + "/a").json["spec"], {"host": "g", "port": "4"})
    # status
    s = api.patch(v2 + "/a/status", {"status": {"phase": "Up"}}).want(200).json
    contains(s, {"spec": {"hostPort": "g:4"}, "status": {"phase": "Up"}})
    contains(api.get(v1 + "/a/status").want(200).json, {"apiVersion": f"{GROUP}/v1", "status": {"phase": "Up"}})
    # apply by both
    applied = api.patch(v2 + "/b?fieldManager=x", widget("All", "v2", "b", {"hostPort": "q:1"}), kind="apply").want(201).json
    eq(applied["spec"]["hostPort"], "q:1")
    # each version has fields of its own: to take one over is no conflict only by force
    forced = api.patch(v1 + "/b?fieldManager=y&force=true", widget("All", "v1", "b", {"host": "z"}), kind="apply").want(200).json
    contains(forced, {"spec": {"host": "z", "port": "1"}})
    eq(api.get(v2 + "/b").json["spec"]["hostPort"], "z:1")
    # lists, in the stored version, in the other, as tables and metadata
    for v in (v1, v2):
        items = api.get(v).want(200).json["items"]
        eq([i["metadata"]["name"] for i in items], ["a", "b"])
        eq({i["apiVersion"] for i in items}, {f"{GROUP}/{v.split('/')[3]}"})
    eq(api.get(v2).json["items"][0]["spec"]["hostPort"], "g:4")
    table = api.get(v2, accept="application/json;as=Table;g=meta.k8s.io;v=v1").want(200).json
    eq([r["cells"][0] for r in table["rows"]], ["a", "b"])
    partial = api.get(v2, accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").want(200).json
    eq(len(partial["items"]), 2)
    has(server.kubectl_ok("get", f"alls.v2.{GROUP}", "-n", "w", "a", "-o", "yaml"), "hostPort: g:4")
    # deletions
    eq(api.delete(v2 + "/b").want(200).json["status"], "Success")
    api.get(v1 + "/b").want(404)
    # dry run leaves nothing
    api.post(v2 + "?dryRun=All", widget("All", "v2", "dry", {"hostPort": "h:1"})).want(201)
    api.get(v2 + "/dry").want(404)


@case("conversion: what is asked: no version, no managers, one question for many")
def _():
    hooks.answers["/many"] = convert
    establish(definition("manies", "Many", "/many"))
    v1, v2 = where("manies", "v1"), where("manies", "v2")
    for i in range(60):
        api.post(v1, widget("Many", "v1", f"m{i:02}", {"host": "h", "port": str(i)})).want(201)
    eq(hooks.count("/many"), 0, "nobody needed another version")
    items = api.get(v2).want(200).json["items"]
    eq([i["spec"]["hostPort"] for i in items], [f"h:{i}" for i in range(60)])
    eq(hooks.count("/many"), 1)
    body, _ = hooks.last("/many")
    eq(len(body["request"]["objects"]), 60)
    eq(body["request"]["desiredAPIVersion"], f"{GROUP}/v2")
    contains(body["request"]["objects"][0], {"metadata": {"name": "m00", "resourceVersion": ABSENT, "managedFields": ABSENT}})
    api.get(v2 + "/m07").want(200)
    eq(hooks.count("/many"), 1, "what was answered a moment ago is not asked again")
    eq(len(api.get(v2 + "?limit=7").want(200).json["items"]), 7)
    eq(hooks.count("/many"), 1)


@case("conversion: watches in both versions, in order, with initial events")
def _():
    hooks.answers["/seen"] = convert
    establish(definition("seens", "Seen", "/seen"))
    v1, v2 = where("seens", "v1"), where("seens", "v2")
    for i in range(20):
        api.post(v1, widget("Seen", "v1", f"s{i:02}", {"host": "h", "port": str(i)})).want(201)
    w = api.watch(v2 + "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
    first = w.take(21)
    eq([e["object"]["spec"]["hostPort"] for e in first[:20]], [f"h:{i}" for i in range(20)])
    eq(first[20]["type"], "BOOKMARK")
    eq(hooks.count("/seen"), 1, "the initial events were asked for together")
    for i in range(10):
        api.patch(v1 + "/s03", {"spec": {"port": f"9{i}"}}).want(200)
    api.delete(v1 + "/s04").want(200)
    events = w.take(11)
    eq([e["object"]["spec"].get("hostPort") for e in events], [f"h:9{i}" for i in range(10)] + ["h:4"])
    eq([e["type"] for e in events], ["MODIFIED"] * 10 + ["DELETED"])
    eq({e["object"]["apiVersion"] for e in events}, {f"{GROUP}/v2"})
    w.close()


@case("conversion: a hundred watchers of one change cost one question")
def _():
    hooks.answers["/crowd"] = convert
    establish(definition("crowds", "Crowd", "/crowd"))
    v1, v2 = where("crowds", "v1"), where("crowds", "v2")
    version = api.get(v1).json["metadata"]["resourceVersion"]
    watchers = [server.admin().watch(v2 + f"?watch=true&resourceVersion={version}") for _ in range(20)]
    api.post(v1, widget("Crowd", "v1", "c", {"host": "h", "port": "1"})).want(201)
    for w in watchers:
        eq(w.next()["object"]["spec"]["hostPort"], "h:1")
        w.close()
    eq(hooks.count("/crowd"), 1)


@case("conversion: answers that are none, word by word")
def _():
    answer = {}
    hooks.answers["/bad"] = lambda b: answer["fn"](b)
    establish(definition("bads", "Bad", "/bad"))
    v1, v2 = where("bads", "v1"), where("bads", "v2")
    said = f"conversion webhook for {GROUP}/v1, Kind=Bad "
    n = [0]

    def ask(fn, *words):
        n[0] += 1
        answer["fn"] = fn
        api.post(v1, widget("Bad", "v1", f"b{n[0]}", {"host": "h"}, labels={"l": "1"})).want(201)
        failed(api.get(f"{v2}/b{n[0]}"), *words)

    def changed(change):
        def fn(body):
            value = convert(body)
            change(value["response"]["convertedObjects"][0])
            return value
        return fn

    def response(change):
        def fn(body):
            value = convert(body)
            change(value)
            return value
        return fn

    ask(lambda b: reviewed(b, [], "Failure", message="no idea"), said + "failed: no idea")
    ask(lambda b: reviewed(b, [], "Odd"), said + "failed: response.result.status was 'Odd', not 'Success'")
    ask(lambda b: reviewed(b, []), said + "returned 0 objects, expected 1")
    ask(lambda b: reviewed(b, b["request"]["objects"] * 2), said + "returned 2 objects, expected 1")
    ask(lambda b: reviewed(b, b["request"]["objects"]), said + f"returned invalid object at index 0: invalid groupVersion (expected {GROUP}/v2, received {GROUP}/v1)")
    ask(response(lambda v: v["response"].update(uid="other")), said + 'failed: expected response.uid="', 'got "other"')
    ask(response(lambda v: v.pop("response")), said + "failed: no response provided")
    ask(response(lambda v: v.update(kind="X")), said + "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1, Kind=X")
    ask(changed(lambda o: o.update(kind="X")), said + "returned invalid object at index 0: invalid kind (expected Bad, received X)")
    ask(changed(lambda o: o["metadata"].update(name="x")), said + "returned invalid object: must have the same name: b", "!= x")
    ask(changed(lambda o: o["metadata"].update(namespace="x")), said + "returned invalid object: must have the same namespace: w != x")
    ask(changed(lambda o: o["metadata"].update(uid="x")), said + "returned invalid object: must have the same UID: ")
    ask(changed(lambda o: o["metadata"].update(labels={"l": 1})), said + "returned invalid metadata: metadata.labels[l] must be a string")
    ask(changed(lambda o: o["metadata"].update(labels={"!": "1"})), said + "returned invalid metadata: metadata.labels: Invalid value")
    ask(lambda b: (500, {}), said + "failed: ", "500")
    ask(lambda b: [1], said + "failed: expected webhook response of")
    # a write fails and leaves nothing; so does a read of the whole
    answer["fn"] = lambda b: reviewed(b, [], "Failure", message="not now")
    failed(api.post(v2, widget("Bad", "v2", "w", {"hostPort": "h:1"})), f"conversion webhook for {GROUP}/v2, Kind=Bad failed: not now")
    api.get(v1 + "/w").want(404)
    failed(api.get(v2), said + "failed: not now")
    failed(api.patch(v2 + "/b1", {"spec": {}}), "not now")
    # a watch ends with the error, and begins when the webhook is well
    w = api.watch(v2 + "?watch=true&resourceVersion=0")
    contains(w.next(), {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": said + "failed: not now"}})
    w.close()
    answer["fn"] = convert
    api.get(v2).want(200)
    # metadata: labels and annotations alone may change
    answer["fn"] = changed(lambda o: o["metadata"].update(labels={"new": "1"}, annotations={"a": "b"}, finalizers=["x/y"], generation=99, creationTimestamp=None))
    api.post(v1, widget("Bad", "v1", "meta", {"host": "h"})).want(201)
    contains(api.get(v2 + "/meta").want(200).json["metadata"], {"labels": {"new": "1"}, "annotations": {"a": "b"}, "finalizers": ABSENT, "generation": 1})
    # what the version's schema does not know is taken out
    answer["fn"] = changed(lambda o: o["spec"].update(odd=1))
    api.post(v1, widget("Bad", "v1", "pruned", {"host": "h", "port": "1"})).want(201)
    eq(api.get(v2 + "/pruned").want(200).json["spec"], {"hostPort": "h:1"})


@case("conversion: the storage version changes, and objects move when they are written")
def _():
    hooks.answers["/move"] = convert
    establish(definition("moves", "Move", "/move", versions=("v1", "v2")))
    v1, v2 = where("moves", "v1"), where("moves", "v2")
    for name in ("old", "still"):
        api.post(v1, widget("Move", "v1", name, {"host": "h", "port": "1"})).want(201)

    def store_v2(crd):
        for v in crd["spec"]["versions"]:
            v["storage"] = v["name"] == "v2"

    eq(update_crd("moves", store_v2).want(200).json["status"]["storedVersions"], ["v1", "v2"])
    until("stored as v2", lambda: api.post(v2, widget("Move", "v2", "new", {"hostPort": "n:1"})).status in (201, 409))
    eq([i["spec"]["hostPort"] for i in api.get(v2).want(200).json["items"]], ["n:1", "h:1", "h:1"])
    eq([i["spec"]["host"] for i in api.get(v1).want(200).json["items"]], ["n", "h", "h"])
    contains(api.get(v1 + "/old").json["spec"], {"host": "h", "port": "1"})
    # v1 must stay while objects may lie in it
    update_crd("moves", lambda crd: crd["spec"]["versions"].pop(0)).want(422, "Invalid")
    # an update that changes nothing writes it anew; the next does not
    before = api.get(v2 + "/old").json
    once = api.put(v2 + "/old", before).want(200).json
    true(once["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"], "written anew")
    eq(api.put(v2 + "/old", once).want(200).json["metadata"]["resourceVersion"], once["metadata"]["resourceVersion"])
    once = api.get(v2 + "/still").json
    api.put(v2 + "/still", once).want(200)
    crd = api.get(f"{CRDS}/moves.{GROUP}").json
    crd["status"]["storedVersions"] = ["v2"]
    api.put(f"{CRDS}/moves.{GROUP}/status", crd).want(200)
    asked = hooks.count("/move")
    update_crd("moves", lambda crd: crd["spec"]["versions"].pop(0)).want(200)
    until("v1 is gone", lambda: api.get(v1).status == 404)
    eq(len(api.get(v2).want(200).json["items"]), 3)
    eq(hooks.count("/move"), asked, "all lie in v2")


@case("conversion: a new webhook is asked at once, by watches too; None asks nobody")
def _():
    hooks.answers["/first"] = convert
    hooks.answers["/second"] = lambda b: reviewed(b, [{**o, "apiVersion": b["request"]["desiredAPIVersion"], "spec": {"hostPort": "second:1"}} for o in b["request"]["objects"]])
    establish(definition("turns", "Turn", "/first"))
    v1, v2 = where("turns", "v1"), where("turns", "v2")
    api.post(v1, widget("Turn", "v1", "t", {"host": "first", "port": "1"})).want(201)
    w = api.watch(v2 + "?watch=true&resourceVersion=0")
    eq(w.next()["object"]["spec"]["hostPort"], "first:1")
    update_crd("turns", lambda crd: crd["spec"]["conversion"]["webhook"]["clientConfig"].update(url=hooks.url + "/second")).want(200)
    until("the second is asked", lambda: api.get(v2 + "/t").json["spec"]["hostPort"] == "second:1")
    api.patch(v1 + "/t", {"spec": {"port": "2"}}).want(200)
    eq(w.next()["object"]["spec"]["hostPort"], "second:1")
    w.close()
    update_crd("turns", lambda crd: crd["spec"].update(conversion={"strategy": "None"})).want(200)
    until("nobody is asked", lambda: api.get(v2 + "/t").json.get("spec", {}).get("hostPort") is None)


@case("conversion: through a Service; v1beta1 reviews")
def _():
    hooks.answers["/svc"] = lambda b: (lambda v: v["response"].pop("uid") and v)(convert(b))
    port = hooks.server.server_address[1]
    api.post("/api/v1/namespaces/w/services", {"metadata": {"name": "conv"}, "spec": {"ports": [{"port": 443, "targetPort": port}]}}).want(201)
    client = {"service": {"namespace": "w", "name": "conv", "path": "/svc"}, "caBundle": bundle()}
    establish(definition("svcs", "Svc", None, client=client, reviews=("v9", "v1beta1")))
    eq(api.get(f"{CRDS}/svcs.{GROUP}").json["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"], 443)
    v1, v2 = where("svcs", "v1"), where("svcs", "v2")
    api.post(v1, widget("Svc", "v1", "s", {"host": "h", "port": "1"})).want(201)
    failed(api.get(v2 + "/s"), "conversion webhook for conv.example.com/v1, Kind=Svc failed: ")
    api.post("/apis/discovery.k8s.io/v1/namespaces/w/endpointslices", {
        "metadata": {"name": "conv-1", "labels": {"kubernetes.io/service-name": "conv"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}], "ports": [{"name": "", "port": port}]})
    until("reached", lambda: api.get(v2 + "/s").status == 200)
    eq(hooks.last("/svc")[0]["apiVersion"], "apiextensions.k8s.io/v1beta1")


@case("conversion: webhooks and policies see the version that they are for")
def _():
    hooks.answers["/adm"] = convert
    seen = []

    def mutate(body):
        seen.append(body["request"])
        ops = [{"op": "replace", "path": "/spec/port", "value": "77"}]
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
            "uid": body["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(ops).encode()).decode()}}

    def validate(body):
        seen.append(body["request"])
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": body["request"]["uid"], "allowed": True}}

    hooks.answers["/mutate"], hooks.answers["/validate"] = mutate, validate
    establish(definition("adms", "Adm", "/adm", versions=("v1", "v2", "v3"), storage="v3"))
    v1, v2 = where("adms", "v1"), where("adms", "v2")
    rule = {"apiGroups": [GROUP], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["adms"]}
    base = "/apis/admissionregistration.k8s.io/v1/"
    conditions = {"matchConditions": [{"name": "port", "expression": "object.spec.port == '77'"}]}
    for kind, path, more in (("mutating", "/mutate", {"reinvocationPolicy": "Never"}), ("validating", "/validate", conditions)):
        api.post(base + kind + "webhookconfigurations", {"metadata": {"name": "adm"}, "webhooks": [{
            "name": "a.b.example.com", "clientConfig": {"url": hooks.url + path, "caBundle": bundle()}, "rules": [rule], "sideEffects": "None",
            "admissionReviewVersions": ["v1"], **more}]}).want(201)
    policy = {"metadata": {"name": "adm"}, "spec": {"matchConstraints": {"resourceRules": [rule]},
                                                   "validations": [{"expression": "object.spec.host != 'no'", "message": "no is no host"}]}}
    api.post(base + "validatingadmissionpolicies", policy).want(201)
    api.post(base + "validatingadmissionpolicybindings", {"metadata": {"name": "adm"}, "spec": {"policyName": "adm", "validationActions": ["Deny"]}}).want(201)
    made = api.post(v2, widget("Adm", "v2", "a", {"hostPort": "h:1"})).want(201).json
    eq(made["spec"]["hostPort"], "h:77")
    eq(len(seen), 2, "one mutating, one validating question")
    eq([r["object"]["spec"] for r in seen], [{"host": "h", "port": "1"}, {"host": "h", "port": "77"}])
    eq({r["requestKind"]["version"] for r in seen} | {r["kind"]["version"] for r in seen}, {"v2", "v1"})
    changed = api.patch(v2 + "/a", {"spec": {"hostPort": "g:5"}}).want(200).json
    eq(changed["spec"]["hostPort"], "g:77")
    eq(seen[2]["oldObject"]["spec"], {"host": "h", "port": "77"})
    has(api.post(v2, widget("Adm", "v2", "b", {"hostPort": "no:1"})).want(422).json["message"], "no is no host")
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        api.delete(f"{base}{kind}/adm").want(200)


@case("conversion: a watch of a version that goes ends with an error")
def _():
    hooks.answers["/leaves"] = convert
    establish(definition("leaves", "Leave", "/leaves"))
    v1, v2 = where("leaves", "v1"), where("leaves", "v2")
    api.post(v1, widget("Leave", "v1", "l", {"host": "h", "port": "1"})).want(201)
    w = api.watch(v2 + "?resourceVersion=0")
    eq(w.next()["object"]["spec"]["hostPort"], "h:1")
    update_crd("leaves", lambda crd: crd["spec"]["versions"].pop()).want(200)
    until("v2 is gone", lambda: api.get(v2).status == 404)
    api.patch(v1 + "/l", {"spec": {"port": "2"}}).want(200)
    contains(w.next(), {"type": "ERROR", "object": {"kind": "Status", "code": 500}})
    eq(w.next(), None)
    w.close()


@case("conversion: appliers of two versions: conflicts, and what one no longer names")
def _():
    hooks.answers["/sides"] = convert
    establish(definition("sides", "Side", "/sides", versions=("v1", "v2", "v3")))
    v2, v3 = where("sides", "v2"), where("sides", "v3")
    api.patch(v2 + "/s?fieldManager=x", widget("Side", "v2", "s", {"hostPort": "h:1", "tier": "big"}), kind="apply").want(201)
    conflict = api.patch(v3 + "/s?fieldManager=y", widget("Side", "v3", "s", {"hostPort": "h:2"}), kind="apply")
    conflict.want(409, "Conflict")
    has(conflict.json["message"], f'conflict with "x": .spec.hostPort')
    api.patch(v3 + "/s?fieldManager=y&force=true", widget("Side", "v3", "s", {"hostPort": "h:2"}), kind="apply").want(200)
    eq(api.get(v2 + "/s").json["spec"]["hostPort"], "h:2")
    same = api.patch(v3 + "/s?fieldManager=y", widget("Side", "v3", "s", {"hostPort": "h:2"}), kind="apply").want(200).json
    again = api.patch(v3 + "/s?fieldManager=y", widget("Side", "v3", "s", {"hostPort": "h:2"}), kind="apply").want(200).json
    eq(again["metadata"]["resourceVersion"], same["metadata"]["resourceVersion"], "nothing is written the second time")


@case("conversion: scale is read and written in the version that was asked for")
def _():
    hooks.answers["/scaled"] = lambda b: reviewed(b, [{**o, "apiVersion": b["request"]["desiredAPIVersion"], "spec": {
        "size" if b["request"]["desiredAPIVersion"].endswith("v2") else "replicas": o["spec"].get("size", o["spec"].get("replicas"))}} for o in b["request"]["objects"]])
    crd = definition("scaleds", "Scaled", "/scaled")
    for v, name in zip(crd["spec"]["versions"], ("replicas", "size")):
        v["subresources"]["scale"] = {"specReplicasPath": ".spec." + name, "statusReplicasPath": ".status.n"}
        v["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = {name: {"type": "integer"}}
    establish(crd)
    v1, v2 = where("scaleds", "v1"), where("scaleds", "v2")
    api.post(v1, widget("Scaled", "v1", "s", {"replicas": 3})).want(201)
    eq(api.get(v2 + "/s/scale").want(200).json["spec"]["replicas"], 3)
    eq(api.patch(v2 + "/s/scale", {"spec": {"replicas": 5}}).want(200).json["spec"]["replicas"], 5)
    eq(api.get(v1 + "/s").json["spec"], {"replicas": 5})
    eq(api.get(v2 + "/s").json["spec"], {"size": 5})


@case("conversion: a definition goes while its webhook is away")
def _():
    hooks.answers["/away"] = convert
    establish(definition("aways", "Away", "/away", storage="v2"))
    for name in ("a", "b"):
        api.post(where("aways", "v1"), widget("Away", "v1", name, {"host": "h", "port": "1"})).want(201)
    hooks.answers["/away"] = lambda b: (500, {})
    api.delete(f"{CRDS}/aways.{GROUP}").want(200)
    until("it is gone", lambda: api.get(f"{CRDS}/aways.{GROUP}").status == 404)


@case("conversion: what a definition must say")
def _():
    def refused(change, *causes):
        crd = definition("nevers", "Never", "/never")
        change(crd["spec"]["conversion"])
        answer = api.post(CRDS, crd).want(422, "Invalid")
        said = [f"{c['field']}: {c['message']}" for c in answer.json["details"]["causes"]]
        for cause in causes:
            true(any(cause in s for s in said), f"{cause!r} is not among {said}")

    refused(lambda c: c["webhook"].pop("clientConfig"), "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook")
    refused(lambda c: c["webhook"]["clientConfig"].update(service={"name": "x", "namespace": "y"}), "exactly one of url or service is required")
    refused(lambda c: c["webhook"]["clientConfig"].update(url="http://x/y"), "spec.conversion.webhookClientConfig.url: Invalid value", "'https' is the only allowed URL scheme")
    refused(lambda c: c["webhook"].update(conversionReviewVersions=["v9"]), "must include at least one of v1, v1beta1")
    refused(lambda c: c["webhook"].update(conversionReviewVersions=["v1", "v1"]), "duplicate version")
    refused(lambda c: c.update(strategy="None"), "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
            "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook")
    refused(lambda c: c.update(strategy="Odd"), "spec.conversion.strategy: Unsupported value")
    # a bundle may be odd until the definition is established, and then no more
    crd = definition("bundles", "Bundle", "/bundle")
    establish(crd)
    stored = api.get(f"{CRDS}/bundles.{GROUP}").json
    stored["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = "eHg="
    answer = api.put(f"{CRDS}/bundles.{GROUP}", stored).want(422, "Invalid")
    true("caBundle: Invalid value" in answer.json["message"] and "unable to load root certificates" in answer.json["message"], answer.json["message"])
    api.delete(f"{CRDS}/bundles.{GROUP}").want(200)
    crd["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = "eHg="
    until("it is gone", lambda: api.get(f"{CRDS}/bundles.{GROUP}").status == 404)
    api.post(CRDS, crd).want(201)
    api.delete(f"{CRDS}/bundles.{GROUP}").want(200)


@case("conversion: a server stops while one is asked")
def _():
    release = threading.Event()
    hooks.answers["/hang"] = lambda b: release.wait(60) and convert(b)
    establish(definition("hangs", "Hang", "/hang"))
    v1, v2 = where("hangs", "v1"), where("hangs", "v2")
    api.post(v1, widget("Hang", "v1", "h", {"host": "h", "port": "1"})).want(201)
    watching = api.watch(v2 + "?resourceVersion=0")

    def ask(path):
        try:
            server.admin().get(path)
        except (OSError, harness.http.client.HTTPException):
            pass  # it went away
    asking = [threading.Thread(target=ask, args=(path,)) for path in (v2, v2 + "/h")]
    for t in asking:
        t.start()
    until("it is asked", lambda: hooks.count("/hang"))
    begun = time.monotonic()
    server.stop()
    true(time.monotonic() - begun < 25, "it stops before the webhook answers")
    release.set()
    for t in asking:
        t.join()
    watching.close()
    server.start()
    until("served", lambda: server.admin().get(v2 + "/h").status == 200)


def teardown():
    if hooks:
        hooks.stop()
    server.stop()
    server.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
