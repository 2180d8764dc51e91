#!/usr/bin/env python3
"""CustomResourceDefinitions as users meet them: by kubectl and over HTTPS, with controllers, and a restart in between.

Usage: crd_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import copy
import json
import sys
import time

import harness
from harness import Server, case, contains, eq, has, true, until



class WithControllers(Server):
    def command(self, port=None):
        return [a for a in super().command(port) if a != "--disable-controller-manager"]


server = WithControllers(port=17340)
api = None
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NS = "/api/v1/namespaces/t"
TABS = "/apis/stable.example.com/v1/namespaces/t/crontabs"


def setup():
    global api
    server.start()
    api = server.admin()
    api.post("/api/v1/namespaces", {"metadata": {"name": "t"}}).want(201)


def definition(plural, kind, schema=None, group="stable.example.com", scope="Namespaced", versions=None, names=None, **version):
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}, **version}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": scope, "names": {"plural": plural, "kind": kind, **(names or {})}, "versions": versions or [one]}}


def condition(crd, type):
    for c in (crd.get("status") or {}).get("conditions") or []:
        if c["type"] == type:
            return c["status"], c["reason"], c["message"]
    return None


def establish(crd):
    api.post(CRDS, crd).want(201)
    name = crd["metadata"]["name"]
    until("established", lambda: (condition(api.get(f"{CRDS}/{name}").json, "Established") or [""])[0] == "True")
    served = [v["name"] for v in crd["spec"]["versions"] if v["served"]][0]
    path = f"/apis/{crd['spec']['group']}/{served}/{crd['spec']['names']['plural']}"
    until("served", lambda: api.get(path).status == 200)
    return path


def listed(objects):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def drop(name):
    api.delete(f"{CRDS}/{name}").want(200)
    until("gone", lambda: api.get(f"{CRDS}/{name}").status == 404)


def refused(crd, *causes):
    answer = api.post(CRDS, crd)
    answer.want(422, "Invalid")
    said = [f"{c['field']}: {c['message']}" for c in answer.json["details"]["causes"]]
    for cause in causes:
        true(any(cause in s for s in said), f"{cause!r} is not among {said}")


CRONTAB = definition("crontabs", "CronTab", {
    "type": "object", "required": ["spec"],
    "properties": {
        "spec": {"type": "object", "required": ["cronSpec"], "description": "What is wanted.", "properties": {
            "cronSpec": {"type": "string", "pattern": "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$", "description": "When it runs."},
            "image": {"type": "string", "default": "busybox"},
            "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
            "mode": {"type": "string", "enum": ["fast", "slow"]},
            "color": {"type": "string"},
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}, "maxItems": 3},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                      "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "number": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}}}},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
            "when": {"type": "string", "format": "date-time"},
            "maybe": {"type": "string", "nullable": True},
            "inner": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        }},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}, "phase": {"type": "string", "maxLength": 5}}}}},
    names={"singular": "crontab", "shortNames": ["ct"], "categories": ["all"]},
    subresources={"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
    additionalPrinterColumns=[{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"}, {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                              {"name": "Image", "type": "string", "jsonPath": ".spec.image", "priority": 1}, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
    selectableFields=[{"jsonPath": ".spec.color"}])


def tab(name, **spec):
    return {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": name}, "spec": {"cronSpec": "* * * * */5", **spec}}


# ---- definitions ----


@case("definition: established, named, and served within a second")
def _():
    began = time.monotonic()
    establish(CRONTAB)
    true(time.monotonic() - began < 1, "not within a second")
    crd = api.get(CRDS + "/crontabs.stable.example.com").json
    eq(condition(crd, "NamesAccepted"), ("True", "NoConflicts", "no conflicts found"))
    eq(condition(crd, "Established"), ("True", "InitialNamesAccepted", "the initial names have been accepted"))
    contains(crd, {"spec": {"conversion": {"strategy": "None"}, "names": {"listKind": "CronTabList"}},
                   "status": {"storedVersions": ["v1"], "acceptedNames": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList", "shortNames": ["ct"]}}})
    eq(crd["metadata"]["generation"], 1)
    server.kubectl_ok("wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=5s")


@case("definition: discovery, aggregated discovery and OpenAPI know the kind")
def _():
    r = {x["name"]: x for x in api.get("/apis/stable.example.com/v1").want(200).json["resources"]}
    eq(sorted(r), ["crontabs", "crontabs/scale", "crontabs/status"])
    contains(r["crontabs"], {"kind": "CronTab", "namespaced": True, "shortNames": ["ct"], "categories": ["all"], "singularName": "crontab"})
    text = json.dumps(api.get("/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").want(200).json)
    has(text, "crontabs")
    doc = api.get("/openapi/v3/apis/stable.example.com/v1").want(200).json
    eq(doc["components"]["schemas"]["com.example.stable.v1.CronTab"]["properties"]["spec"]["properties"]["image"]["default"], "busybox")
    true("com.example.stable.v1.CronTab" in api.get("/openapi/v2").want(200).json["definitions"], "in v2")
    out = server.kubectl_ok("explain", "crontab.spec.cronSpec")
    has(out, "When it runs.")
    has(server.kubectl_ok("api-resources"), "crontabs")


@case("definition: what is wrong is told, cause by cause")
def _():
    def with_schema(schema):
        return definition("bads", "Bad", schema)
    schema = "spec.validation.openAPIV3Schema"
    refused(with_schema({"properties": {}}), f"{schema}.type: Required value: must not be empty at the root")
    refused(with_schema({"type": "array", "items": {"type": "string"}}), f"{schema}.type: Invalid value: \"array\": must be object at the root")
    refused(with_schema({"type": "object", "properties": {"a": {}}}), f"{schema}.properties[a].type: Required value: must not be empty for specified object fields")
    refused(with_schema({"type": "object", "properties": {"a": {"type": "array"}}}), f"{schema}.properties[a].items: Required value: must be specified")
    refused(with_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}), "must be a valid regular expression")
    refused(with_schema({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}), "must be of type integer")
    refused(with_schema({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}}}}), "mutual exclusive")
    refused(with_schema({"type": "object", "anyOf": [{"properties": {"zz": {"minimum": 3}}}]}), "because it is defined in")
    refused(with_schema({"type": "object", "allOf": [{"type": "object"}]}), "allOf[0].type: Forbidden: must be empty to be structural")
    refused(with_schema({"type": "object", "properties": {"a": {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}}}), "x-kubernetes-list-map-keys: Required value")
    refused(with_schema({"type": "object", "x-kubernetes-validations": [{"rule": "self.a == 1"}]}), "compilation failed: ERROR: <input>:1:5: undefined field 'a'")
    bad = definition("bads", "Bad")
    bad["metadata"]["name"] = "other.example.com"
    refused(bad, "metadata.name: Invalid value: \"other.example.com\": must be spec.names.plural+\".\"+spec.group")
    bad = definition("bads", "Bad")
    bad["spec"]["conversion"] = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "http://x/y"}}}
    refused(bad, "'https' is the only allowed URL scheme")
    bad = definition("bads", "Bad")
    bad["spec"]["versions"][0]["storage"] = False
    refused(bad, "must have exactly one version marked as storage version")
    bad = definition("bads", "Bad")
    bad["spec"]["preserveUnknownFields"] = True
    refused(bad, "spec.preserveUnknownFields: Invalid value: true: cannot set to true")
    refused(definition("bads", "Bad", subresources={"scale": {"specReplicasPath": ".x", "statusReplicasPath": ".status.r"}}), "should be a json path under .spec")
    refused(definition("bads", "Bad", additionalPrinterColumns=[{"name": "a", "type": "text", "jsonPath": ".a"}]), "spec.additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of")
    refused(definition("bads", "Bad", group="nodots"), "should be a domain with at least one dot")
    refused(definition("bads", "Bad", group="mine.k8s.io"), "protected groups must have approval annotation")
    refused(definition("bads", "Bad", scope="Everywhere"), "spec.scope: Unsupported value: \"Everywhere\"")


@case("definition: names that are taken are refused, and given when they are free")
def _():
    taken = definition("tables", "CronTab")
    api.post(CRDS, taken).want(201)
    crd = until("looked at", lambda: (lambda c: c if condition(c, "NamesAccepted") else None)(api.get(CRDS + "/tables.stable.example.com").json))
    eq(condition(crd, "NamesAccepted"), ("False", "ListKindConflict", '"CronTabList" is already in use'))
    eq(condition(crd, "Established"), ("False", "NotAccepted", "not all names are accepted"))
    api.get("/apis/stable.example.com/v1/tables").want(404)
    drop("tables.stable.example.com")
    establish(definition("firsts", "Same", group="conflict.example.com"))
    api.post(CRDS, definition("seconds", "Same", group="conflict.example.com")).want(201)
    until("refused", lambda: condition(api.get(CRDS + "/seconds.conflict.example.com").json, "NamesAccepted"))
    drop("firsts.conflict.example.com")
    until("given", lambda: api.get("/apis/conflict.example.com/v1/seconds").status == 200)
    drop("seconds.conflict.example.com")


# ---- objects ----


@case("objects: created with defaults, pruned, read, listed, patched, deleted")
def _():
    o = api.post(TABS, tab("a", unknown=1, free={"any": {"thing": [1]}}, grid=[[{"x": 1, "y": 2}]], maybe=None, image=None)).want(201).json
    contains(o["spec"], {"image": "busybox", "replicas": 1, "free": {"any": {"thing": [1]}}, "maybe": None})
    eq(o["spec"]["grid"], [[{"x": 1}]])
    true("unknown" not in o["spec"], "pruned")
    eq(o["metadata"]["generation"], 1)
    eq(api.get(TABS + "/a").json["spec"], o["spec"])
    eq([x["metadata"]["name"] for x in api.get(TABS).json["items"]], ["a"])
    eq(api.get(TABS).json["kind"], "CronTabList")
    o = api.patch(TABS + "/a", {"spec": {"replicas": 3}}).want(200).json
    eq(o["metadata"]["generation"], 2)
    o = api.patch(TABS + "/a", [{"op": "replace", "path": "/spec/image", "value": "nginx"}], "json").want(200).json
    eq((o["spec"]["image"], o["metadata"]["generation"]), ("nginx", 3))
    answer = api.patch(TABS + "/a", {"spec": {"replicas": 4}}, "strategic")
    answer.want(415)
    o["spec"]["replicas"] = 5
    eq(api.put(TABS + "/a", o).want(200).json["spec"]["replicas"], 5)
    api.put(TABS + "/a", o).want(409)
    api.delete(TABS + "/a").want(200)
    api.get(TABS + "/a").want(404)


@case("objects: every validation word has its message")
def _():
    def bad(message, field=None, **spec):
        answer = api.post(TABS, tab("bad", **spec))
        answer.want(422, "Invalid")
        causes = answer.json["details"]["causes"]
        true(any(message in c["message"] and field in (None, c["field"]) for c in causes), f"{message!r} is not in {causes}")
    bad("should match '^(", "spec.cronSpec", cronSpec="x")
    bad("spec.replicas in body should be less than or equal to 10", "spec.replicas", replicas=11)
    bad("spec.replicas in body should be greater than or equal to 1", replicas=0)
    bad("spec.replicas in body must be of type integer: \"string\"", replicas="3")
    bad("Unsupported value: \"odd\": supported values: \"fast\", \"slow\"", "spec.mode", mode="odd")
    bad("Too many: 4: must have at most 3 items", "spec.tags", tags=["a", "b", "c", "d"])
    bad("Duplicate value: \"a\"", "spec.tags[1]", tags=["a", "a"])
    bad("Duplicate value: {\"name\":\"a\"}", "spec.ports[1]", ports=[{"name": "a"}, {"name": "a"}])
    bad("Required value", "spec.ports[0].name", ports=[{"number": 1}])
    bad("must be of type date-time", when="yesterday")
    bad("must be of type integer,string: \"boolean\"", port=True)
    bad("must not be empty", "spec.inner.kind", inner={"apiVersion": "v1"})
    api.post(TABS, {**tab("bad"), "spec": {}}).want(422)
    answer = api.post(TABS, {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "bad"}})
    answer.want(422)
    has(answer.json["message"], 'CronTab.stable.example.com "bad" is invalid: spec: Required value')
    api.post(TABS, tab("ok", port="http", when="2024-01-01T00:00:00Z", inner={"apiVersion": "v1", "kind": "Pod", "x": 1})).want(201)
    api.delete(TABS + "/ok").want(200)


@case("objects: unknown fields are refused, warned of, or passed over, as asked")
def _():
    answer = api.post(TABS + "?fieldValidation=Strict", tab("s", nope=1))
    answer.want(400)
    has(answer.json["message"], 'strict decoding error: unknown field "spec.nope"')
    answer = api.post(TABS + "?fieldValidation=Warn&dryRun=All", tab("s", nope=1)).want(201)
    has(json.dumps(dict(answer.headers)), "unknown field")
    out = server.kubectl("apply", "-f", "-", stdin=json.dumps({**tab("s", nope=1), "metadata": {"name": "s", "namespace": "t"}}))
    true(out[0] != 0, "kubectl refuses")


@case("objects: status and scale are parts of their own")
def _():
    api.post(TABS, {**tab("s"), "status": {"replicas": 9}}).want(201)
    o = api.get(TABS + "/s").json
    true("status" not in o, "a creation brings no status")
    o["status"] = {"replicas": 2, "selector": "app=s"}
    o["spec"]["replicas"] = 7
    o["metadata"]["labels"] = {"no": "way"}
    s = api.put(TABS + "/s/status", o).want(200).json
    eq((s["status"]["replicas"], s["spec"]["replicas"], s["metadata"]["generation"], "labels" in s["metadata"]), (2, 1, 1, False))
    answer = api.patch(TABS + "/s/status", {"status": {"phase": "much too long"}})
    answer.want(422)
    has(answer.json["message"], "Too long: may not be more than 5 bytes")
    scale = api.get(TABS + "/s/scale").want(200).json
    contains(scale, {"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 1}, "status": {"replicas": 2, "selector": "app=s"}})
    server.kubectl_ok("-n", "t", "scale", "crontab/s", "--replicas=4")
    o = api.get(TABS + "/s").json
    eq((o["spec"]["replicas"], o["metadata"]["generation"], o["status"]["replicas"]), (4, 2, 2))
    api.patch(TABS + "/s/scale", {"spec": {"replicas": 20}}).want(422)
    api.delete(TABS + "/s").want(200)


@case("objects: watched, selected, and deleted together")
def _():
    w = api.watch(TABS)
    api.post(TABS, tab("w1", color="red")).want(201)
    api.post(TABS, {**tab("w2", color="blue"), "metadata": {"name": "w2", "labels": {"x": "y"}}}).want(201)
    eq([e["object"]["metadata"]["name"] for e in w.take(2)], ["w1", "w2"])
    eq([x["metadata"]["name"] for x in api.get(TABS + "?fieldSelector=spec.color%3Dred").want(200).json["items"]], ["w1"])
    eq([x["metadata"]["name"] for x in api.get(TABS + "?labelSelector=x%3Dy").json["items"]], ["w2"])
    api.get(TABS + "?fieldSelector=spec.image%3Dred").want(400)
    api.delete(TABS).want(200)
    eq([e["type"] for e in w.take(2)], ["DELETED", "DELETED"])
    w.close()
    eq(api.get(TABS).json["items"], [])


@case("objects: kubectl gets columns, by short name and category")
def _():
    api.post(TABS, tab("t")).want(201)
    eq(server.kubectl_ok("-n", "t", "get", "ct").split("\n")[0].split(), ["NAME", "SPEC", "REPLICAS", "AGE"])
    has(server.kubectl_ok("-n", "t", "get", "ct", "-o", "wide"), "busybox")
    has(server.kubectl_ok("-n", "t", "get", "all"), "crontab.stable.example.com/t")
    api.delete(TABS + "/t").want(200)


RULED = {"type": "object", "properties": {
    "spec": {"type": "object", "x-kubernetes-validations": [
                 {"rule": "!has(self.max) || self.min <= self.max", "messageExpression": "'min %d is above max %d'.format([self.min, self.max])", "fieldPath": ".min"},
                 {"rule": "self.port == oldSelf.port", "message": "port stays as it is", "reason": "FieldValueForbidden"},
                 {"rule": "!has(self.when) || self.when > timestamp('2020-01-01T00:00:00Z')"}],
             "properties": {"min": {"type": "integer", "default": 0}, "max": {"type": "integer"}, "port": {"type": "integer"}, "when": {"type": "string", "format": "date-time"},
                            "mixed": {"x-kubernetes-int-or-string": True, "x-kubernetes-validations": [{"rule": "type(self) == int ? self > 0 : self.endsWith('%')"}]},
                            "labels": {"type": "object", "maxProperties": 20, "additionalProperties": {"type": "string", "maxLength": 20}},
                            "namespace": {"type": "string", "maxLength": 63},
                            "list": {"type": "array", "maxItems": 20, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                                     "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 20}, "n": {"type": "integer"}},
                                               "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n", "message": "n may only grow"}]}}}}},
    "x-kubernetes-validations": [{"rule": "self.metadata.name.startsWith('r')", "message": "the name begins with r"},
                                 {"rule": "!has(self.spec.__namespace__) || self.spec.__namespace__ != 'kube-system'"}]}


@case("rules: CEL decides what objects may be, and old values what they may become")
def _():
    rules = establish(definition("ruleds", "Ruled", RULED, scope="Cluster"))

    def ruled(name, **spec):
        return {"apiVersion": "stable.example.com/v1", "kind": "Ruled", "metadata": {"name": name}, "spec": {"port": 1, **spec}}

    def bad(obj, *words, reason="FieldValueInvalid"):
        answer = api.post(rules, obj)
        answer.want(422)
        for w in words:
            has(answer.json["message"], w)
        eq(answer.json["details"]["causes"][0]["reason"], reason)

    bad(ruled("x"), 'Invalid value: "object": the name begins with r')
    bad(ruled("r", min=3, max=2), 'spec.min: Invalid value: "object": min 3 is above max 2')
    bad(ruled("r", when="2019-01-01T00:00:00Z"), "spec: Invalid value: \"object\": failed rule: !has(self.when) || self.when > timestamp('2020-01-01T00:00:00Z')")
    bad(ruled("r", mixed=0), "spec.mixed")
    bad(ruled("r", mixed="5"), "spec.mixed")
    bad(ruled("r", namespace="kube-system"), "failed rule")
    answer = api.post(rules, ruled("r", min="a"))  # rules count on types: they are not asked
    answer.want(422)
    has(answer.json["message"], "some validation rules were not checked because the object was invalid")
    api.post(rules, ruled("r", min=1, max=2, mixed="50%", list=[{"name": "a", "n": 3}])).want(201)
    answer = api.patch(rules + "/r", {"spec": {"port": 2}})
    answer.want(422)
    has(answer.json["message"], "spec: Forbidden: port stays as it is")
    answer = api.patch(rules + "/r", {"spec": {"list": [{"name": "a", "n": 2}]}})
    answer.want(422)
    has(answer.json["message"], "spec.list[0]: Invalid value: \"object\": n may only grow")
    api.patch(rules + "/r", {"spec": {"list": [{"name": "b", "n": 1}, {"name": "a", "n": 3}]}}).want(200)
    # a rule that came later lets be what is as it was
    crd = api.get(CRDS + "/ruleds.stable.example.com").json
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["max"]["x-kubernetes-validations"] = [{"rule": "self > 10", "message": "must be large"}]
    api.put(CRDS + "/ruleds.stable.example.com", crd).want(200)
    until("the new rule", lambda: api.post(rules + "?dryRun=All", ruled("r2", max=5)).status == 422)
    api.patch(rules + "/r", {"spec": {"min": 2}}).want(200)
    api.patch(rules + "/r", {"spec": {"max": 3}}).want(422)
    api.patch(rules + "/r", {"spec": {"max": 11}}).want(200)
    drop("ruleds.stable.example.com")


@case("rules: what they may not say is told when they are written")
def _():
    def rule(schema, *words, **rule):
        refused(definition("bads", "Bad", {"type": "object", "properties": {"a": {**schema, "x-kubernetes-validations": [rule]}}}), *words)

    place = "spec.validation.openAPIV3Schema.properties[a].x-kubernetes-validations[0]"
    text = {"type": "string", "maxLength": 10}
    rule(text, place + ".rule: Required value: rule is not specified", rule=" ")
    rule(text, "undeclared reference to 'foo'", rule="foo == 1")
    rule(text, "found no matching overload for '_==_' applied to '(string, int)'", rule="self == 1")
    rule(text, "cel expression must evaluate to a bool", rule="self")
    rule(text, place + ".message: Invalid value", rule="true", message="a\nb")
    rule(text, place + ".reason: Unsupported value: \"Other\"", rule="true", reason="Other")
    rule(text, place + ".fieldPath: Invalid value: \".nope\": fieldPath must be a valid path", rule="true", fieldPath=".nope")
    rule(text, "messageExpression must evaluate to a string", rule="true", messageExpression="1")
    rule(text, place + ".optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule", rule="true", optionalOldSelf=True)
    strings = {"type": "array", "items": {"type": "string"}}
    rule(strings, "estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems", rule="self.all(x, self.all(y, x == y))")
    items = {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 5, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}
    refused(definition("bads", "Bad", {"type": "object", "properties": {"a": items}}), "oldSelf cannot be used on the uncorrelatable portion of the schema within spec.validation.openAPIV3Schema.properties[a]")
    refused(definition("bads", "Bad", {"type": "object", "properties": {"a": {"type": "integer", "default": 0, "x-kubernetes-validations": [{"rule": "self > 0"}]}}}),
            "properties[a].default: Invalid value: \"integer\": failed rule: self > 0")


@case("objects: applied twice without a difference, by client and by server")
def _():
    text = json.dumps({**tab("ap", ports=[{"name": "a", "number": 1, "protocol": "TCP"}]), "metadata": {"name": "ap", "namespace": "t"}})
    has(server.kubectl_ok("apply", "-f", "-", stdin=text), "created")
    has(server.kubectl_ok("apply", "-f", "-", stdin=text), "unchanged")
    before = api.get(TABS + "/ap").json["metadata"]["resourceVersion"]
    eq(server.kubectl("diff", "-f", "-", stdin=text)[0], 0)
    eq(api.get(TABS + "/ap").json["metadata"]["resourceVersion"], before)
    api.delete(TABS + "/ap").want(200)
    for _ in range(2):
        has(server.kubectl_ok("apply", "--server-side", "-f", "-", stdin=text), "serverside-applied")
    o = api.get(TABS + "/ap").json
    eq(o["metadata"]["generation"], 1)
    q = TABS + "/ap?fieldManager=other"
    body = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "ap"}, "spec": {"ports": [{"name": "b", "number": 2}]}}
    o = api.patch(q, json.dumps(body), "apply").want(200).json
    eq([p["name"] for p in o["spec"]["ports"]], ["a", "b"])
    body["spec"]["ports"][0]["name"] = "a"
    answer = api.patch(q, json.dumps(body), "apply")
    answer.want(409)
    has(answer.json["message"], ".spec.ports[name=\"a\"].number")
    body["spec"] = {"nope": 1}
    api.patch(q, json.dumps(body), "apply").want(400)
    api.delete(TABS + "/ap").want(200)


@case("objects: a value that became invalid may stay as long as nobody changes it")
def _():
    api.post(TABS, tab("old", color="red", tags=["a"])).want(201)
    crd = api.get(CRDS + "/crontabs.stable.example.com").json
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["color"]["enum"] = ["green"]
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"] = {"type": "integer", "default": 7}
    api.put(CRDS + "/crontabs.stable.example.com", crd).want(200)
    until("the new schema", lambda: api.get(TABS + "/old").json["spec"].get("size") == 7)  # read with a new default
    api.patch(TABS + "/old", {"spec": {"replicas": 2}}).want(200)
    api.patch(TABS + "/old", {"spec": {"color": "blue"}}).want(422)
    api.patch(TABS + "/old", {"spec": {"color": "green"}}).want(200)
    api.delete(TABS + "/old").want(200)


# ---- versions ----


@case("versions: one object, two versions, and the stored one may change")
def _():
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}, {"name": "v1beta1", "served": True, "storage": False, "schema": schema}]
    establish(definition("twos", "Two", group="v.example.com", scope="Cluster", versions=versions))
    base = "/apis/v.example.com/"
    api.post(base + "v1beta1/twos", {"apiVersion": "v.example.com/v1beta1", "kind": "Two", "metadata": {"name": "x"}, "spec": {"a": "1"}}).want(201)
    for v in ("v1", "v1beta1"):
        eq(api.get(base + v + "/twos/x").want(200).json["apiVersion"], f"v.example.com/{v}")
        eq(api.get(base + v + "/twos").json["items"][0]["apiVersion"], f"v.example.com/{v}")
    crd = api.get(CRDS + "/twos.v.example.com").json
    crd["spec"]["versions"][0]["storage"], crd["spec"]["versions"][1]["storage"] = False, True
    api.put(CRDS + "/twos.v.example.com", crd).want(200)
    eq(api.get(CRDS + "/twos.v.example.com").json["status"]["storedVersions"], ["v1", "v1beta1"])
    for v in ("v1", "v1beta1"):
        until(v, lambda: api.get(base + v + "/twos/x").json["apiVersion"] == f"v.example.com/{v}")
    crd = api.get(CRDS + "/twos.v.example.com").json
    crd["spec"]["versions"] = crd["spec"]["versions"][1:]
    answer = api.put(CRDS + "/twos.v.example.com", crd)
    answer.want(422)
    has(answer.json["message"], "status.storedVersions[0]: Invalid value: \"v1\": must appear in spec.versions")


@case("restart: definitions and their objects are there before the server is ready")
def _():
    api.post(TABS, tab("kept")).want(201)
    server.stop()
    server.start()
    globals()["api"] = server.admin()
    eq(api.get(TABS + "/kept").want(200).json["spec"]["image"], "busybox")
    eq(api.get("/apis/v.example.com/v1/twos/x").want(200).json["spec"]["a"], "1")
    w = api.watch(TABS)
    api.patch(TABS + "/kept", {"spec": {"replicas": 2}}).want(200)
    eq([e["type"] for e in w.take(2)], ["ADDED", "MODIFIED"])
    w.close()


# ---- beside other parts ----


@case("owners: garbage of custom resources, and custom resources as garbage, is collected")
def _():
    owner = api.post(TABS, tab("owner")).want(201).json
    ref = {"apiVersion": owner["apiVersion"], "kind": "CronTab", "name": "owner", "uid": owner["metadata"]["uid"]}
    api.post(NS + "/configmaps", {"metadata": {"name": "owned", "ownerReferences": [ref]}}).want(201)
    api.post(TABS, {**tab("owned"), "metadata": {"name": "owned", "ownerReferences": [ref]}}).want(201)
    api.delete(TABS + "/owner").want(200)
    until("collected", lambda: api.get(NS + "/configmaps/owned").status == 404 and api.get(TABS + "/owned").status == 404)


@case("roles: who may what is asked of custom resources too")
def _():
    server.kubectl_ok("-n", "t", "create", "role", "reader", "--verb=get,list", "--resource=crontabs.stable.example.com")
    server.kubectl_ok("-n", "t", "create", "rolebinding", "reader", "--role=reader", "--user=joe")
    server.kubectl_ok("-n", "t", "get", "ct", "--as=joe")
    has(server.kubectl("-n", "t", "delete", "ct", "kept", "--as=joe")[2], "forbidden")


@case("create: a version is the store's to give; the DELETE of all answers with them")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "v"}}).want(201)
    path = TABS.replace("/t/", "/v/")
    made = api.post(path, tab("one")).want(201).json
    eq(api.post(path, made).want(400, "BadRequest").json["message"], "resourceVersion should not be set on objects to be created")
    gone = api.delete(path).want(200).json
    eq((gone["kind"], gone["items"]), ("CronTabList", [made]))


@case("quota: objects are counted")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "q"}}).want(201)
    api.post("/api/v1/namespaces/q/resourcequotas", {"metadata": {"name": "few"}, "spec": {"hard": {"count/crontabs.stable.example.com": "1"}}}).want(201)
    until("counted", lambda: api.get("/api/v1/namespaces/q/resourcequotas/few").json.get("status", {}).get("used"))
    path = TABS.replace("/t/", "/q/")
    api.post(path, tab("one")).want(201)
    answer = api.post(path, tab("two"))
    answer.want(403)
    has(answer.json["message"], "exceeded quota")


@case("namespace: its custom resources go with it")
def _():
    api.delete("/api/v1/namespaces/q").want(200)
    until("gone", lambda: api.get("/api/v1/namespaces/q").status == 404)
    eq([x["metadata"]["namespace"] for x in api.get("/apis/stable.example.com/v1/crontabs").json["items"]], ["t"])


@case("bundles: definitions in the shape of cert-manager's, prometheus-operator's and Argo CD's, applied twice")
def _():
    conditions = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"], "items": {
        "type": "object", "required": ["status", "type"], "properties": {"type": {"type": "string"}, "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                                                                         "lastTransitionTime": {"type": "string", "format": "date-time"}}}}
    certificate = definition("certificates", "Certificate", {
        "type": "object", "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "spec": {"type": "object", "required": ["secretName"], "properties": {
                "secretName": {"type": "string"}, "dnsNames": {"type": "array", "items": {"type": "string"}},
                "privateKey": {"type": "object", "properties": {"size": {"type": "integer"}, "rotationPolicy": {"type": "string", "enum": ["Never", "Always"]}}},
                "usages": {"type": "array", "items": {"type": "string", "enum": ["signing", "server auth"]}}}},
            "status": {"type": "object", "properties": {"conditions": conditions}}}},
        group="cert.example.io", names={"shortNames": ["cert", "certs"], "categories": ["cert-manager"], "singular": "certificate"}, subresources={"status": {}},
        additionalPrinterColumns=[{"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type == "Ready")].status'}])
    quantity = {"anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
                "x-kubernetes-int-or-string": True}
    prometheus = definition("prometheuses", "Prometheus", {
        "type": "object", "properties": {"spec": {"type": "object", "properties": {
            "resources": {"type": "object", "properties": {"limits": {"type": "object", "additionalProperties": quantity}}},
            "retention": {"type": "string", "pattern": "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"},
            "containers": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}, "x-kubernetes-map-type": "atomic"}}}}}},
        group="mon.example.com")
    application = definition("applications", "Application", {
        "type": "object", "required": ["metadata", "spec"], "properties": {"metadata": {"type": "object"}, "spec": {"type": "object", "properties": {
            "source": {"type": "object", "properties": {"helm": {"type": "object", "properties": {"valuesObject": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}},
            "ignoreDifferences": {"type": "array", "items": {"type": "object", "properties": {"jsonPointers": {"type": "array", "items": {"type": "string"}}}}}}},
            "operation": {"type": "object", "properties": {"info": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}}}}},
        group="argo.example.io", names={"shortNames": ["app", "apps"]})
    big = copy.deepcopy(application)
    big["metadata"]["name"], big["spec"]["names"] = "bigs.argo.example.io", {"plural": "bigs", "kind": "Big"}
    properties = big["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    for i in range(1800):
        properties[f"field{i}"] = {"type": "object", "description": "d" * 180, "properties": {"value": {"type": "string", "maxLength": 64}}}
    true(len(json.dumps(big)) > 500_000, "large")
    text = listed([certificate, prometheus, application, big])
    for _ in range(2):
        server.kubectl_ok("apply", "--server-side", "-f", "-", stdin=text)
    eq(server.kubectl("diff", "--server-side", "-f", "-", stdin=text)[0], 0)
    server.kubectl_ok("wait", "--for=condition=Established", "crd", "--all", "--timeout=10s")
    api.get("/apis/argo.example.io/v1/bigs").want(200)
    objects = [
        {"apiVersion": "cert.example.io/v1", "kind": "Certificate", "metadata": {"name": "c", "namespace": "t"}, "spec": {"secretName": "s", "dnsNames": ["a.b"], "usages": ["server auth"]}},
        {"apiVersion": "mon.example.com/v1", "kind": "Prometheus", "metadata": {"name": "p", "namespace": "t"}, "spec": {"resources": {"limits": {"cpu": "500m", "memory": 1}}, "retention": "24h", "containers": [{"name": "x"}]}},
        {"apiVersion": "argo.example.io/v1", "kind": "Application", "metadata": {"name": "a", "namespace": "t"}, "spec": {"source": {"helm": {"valuesObject": {"deep": {"er": [1, {"x": "y"}]}}}}}}]
    text = listed(objects)
    server.kubectl_ok("apply", "-f", "-", stdin=text)
    eq(server.kubectl_ok("apply", "-f", "-", stdin=text).count("unchanged"), 3)
    status = {"status": {"conditions": [{"type": "Issuing", "status": "False"}, {"type": "Ready", "status": "True"}]}}
    api.patch("/apis/cert.example.io/v1/namespaces/t/certificates/c/status", status).want(200)
    eq(server.kubectl_ok("-n", "t", "get", "cert").split("\n")[1].split(), ["c", "True"])
    bad = {"spec": {"resources": {"limits": {"cpu": "five"}}}}
    answer = api.patch("/apis/mon.example.com/v1/namespaces/t/prometheuses/p", bad)
    answer.want(422)
    has(answer.json["message"], "spec.resources.limits.cpu")


@case("the end: instances go first, nothing is created meanwhile, then nothing of the kind is left")
def _():
    api.post(TABS, {**tab("held"), "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}).want(201)
    w = api.watch(TABS)
    w.take(1)
    api.delete(CRDS + "/crontabs.stable.example.com").want(200)
    crd = until("terminating", lambda: (lambda c: c if condition(c, "Terminating") else None)(api.get(CRDS + "/crontabs.stable.example.com").json))
    eq(condition(crd, "Terminating")[:2], ("True", "InstanceDeletionInProgress"))
    eq(crd["metadata"]["finalizers"], ["customresourcecleanup.apiextensions.k8s.io"])
    until("others are gone", lambda: [x["metadata"]["name"] for x in api.get(TABS).json["items"]] == ["held"])
    answer = api.post(TABS, tab("late"))
    answer.want(405)
    has(answer.json["message"], "create not allowed while custom resource definition is terminating")
    api.patch(TABS + "/held", {"metadata": {"finalizers": None}}).want(200)
    until("gone", lambda: api.get(CRDS + "/crontabs.stable.example.com").status == 404)
    until("not served", lambda: api.get(TABS).status == 404)
    true("crontabs" not in server.kubectl_ok("api-resources"), "out of discovery")
    w.close()
    establish(CRONTAB)
    eq(api.get(TABS).json["items"], [])


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
