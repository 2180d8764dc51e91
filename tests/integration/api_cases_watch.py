"""Watches."""

import base64
import json
import threading

import api_test as t
from api_cases_objects import configmap
from harness import case, contains, eq, has, true


def fresh(name):
    return t.new_namespace(name) + "/configmaps"


def version(path):
    return t.api.get(path).json["metadata"]["resourceVersion"]


@case("watch: from a version, every change in order")
def _():
    ns = fresh("w1")
    start = version(ns)
    t.api.post(ns, configmap("a")).want(201)
    t.api.patch(ns + "/a", {"data": {"k": "2"}}).want(200)
    t.api.delete(ns + "/a").want(200)
    w = t.api.watch(f"{ns}?resourceVersion={start}")
    events = w.take(3)
    w.close()
    eq([e["type"] for e in events], ["ADDED", "MODIFIED", "DELETED"])
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
    eq(versions, sorted(set(versions)), "versions rise")
    eq(events[2]["object"]["data"], {"k": "2"}, "the last state of what is deleted")


@case("watch: live events come as they happen")
def _():
    ns = fresh("w2")
    w = t.api.watch(ns)
    t.api.post(ns, configmap("live")).want(201)
    contains(w.next(), {"type": "ADDED", "object": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "live"}}})
    w.close()


@case("watch: without a version the present comes first")
def _():
    ns = fresh("w3")
    for name in "abc":
        t.api.post(ns, configmap(name)).want(201)
    w = t.api.watch(ns + "?resourceVersion=0")
    eq([(e["type"], e["object"]["metadata"]["name"]) for e in w.take(3)], [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")])
    w.close()


@case("watch: an object that comes to match is added, one that ceases is deleted")
def _():
    ns = fresh("w4")
    t.api.post(ns, configmap("x", {"on": "no"})).want(201)
    w = t.api.watch(f"{ns}?resourceVersion={version(ns)}&labelSelector=on=yes")
    for value in ("yes", "yes2", "yes"):
        t.api.patch(ns + "/x", {"metadata": {"labels": {"on": value}}}).want(200)
    t.api.patch(ns + "/x", {"data": {"k": "new"}}).want(200)
    eq([e["type"] for e in w.take(4)], ["ADDED", "DELETED", "ADDED", "MODIFIED"])
    w.close()


@case("watch: one object by field selector")
def _():
    ns = fresh("w5")
    w = t.api.watch(f"{ns}?fieldSelector=metadata.name=me")
    t.api.post(ns, configmap("other")).want(201)
    t.api.post(ns, configmap("me")).want(201)
    eq(w.next()["object"]["metadata"]["name"], "me")
    w.close()


@case("watch: timeoutSeconds ends it in order, a bookmark comes on the way")
def _():
    ns = fresh("w6")
    w = t.api.watch(f"{ns}?timeoutSeconds=2&allowWatchBookmarks=true")
    events = w.rest()
    true(events and all(e["type"] == "BOOKMARK" for e in events), str(events))
    contains(events[0]["object"], {"kind": "ConfigMap", "apiVersion": "v1"})
    true(int(events[0]["object"]["metadata"]["resourceVersion"]) > 0, "bookmark without a version")


@case("watch: sendInitialEvents ends the present with a marked bookmark")
def _():
    ns = fresh("w7")
    for name in "ab":
        t.api.post(ns, configmap(name)).want(201)
    w = t.api.watch(f"{ns}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
    events = w.take(3)
    eq([e["type"] for e in events], ["ADDED", "ADDED", "BOOKMARK"])
    marks = events[2]["object"]["metadata"]["annotations"]
    eq(marks.pop("k8s.io/initial-events-end"), "true")
    blueprint = json.loads(base64.b64decode(marks.pop("kubernetes.io/initial-events-list-blueprint")))
    eq((blueprint, marks), ({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": []}, {}))
    t.api.post(ns, configmap("c")).want(201)
    eq(w.next()["type"], "ADDED")
    w.close()
    true(t.api.get(ns + "?watch=true&sendInitialEvents=true").status in (400, 422), "taken without resourceVersionMatch")


@case("watch: as Table and as PartialObjectMetadata")
def _():
    ns = fresh("w8")
    t.api.post(ns, configmap("x")).want(201)
    w = t.api.watch(ns + "?resourceVersion=0", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    table = w.next()["object"]
    contains(table, {"kind": "Table"})
    eq(table["rows"][0]["cells"][0], "x")
    w.close()
    w = t.api.watch(ns + "?resourceVersion=0", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
    contains(w.next()["object"], {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}})
    w.close()


@case("watch: a hundred watchers all hear of a write")
def _():
    ns = fresh("w9")
    watches = [t.api.watch(ns) for _ in range(100)]
    t.api.post(ns, configmap("all")).want(201)
    for w in watches:
        eq(w.next()["object"]["metadata"]["name"], "all")
        w.close()


@case("watch: many writers, nothing lost, nothing twice, in order")
def _():
    ns = fresh("w10")
    w = t.api.watch(ns)

    def write(i):
        own = t.server.admin()
        for j in range(50):
            own.post(ns, configmap(f"c{i}-{j}")).want(201)

    writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for x in writers:
        x.start()
    events = w.take(200)
    for x in writers:
        x.join()
    w.close()
    eq(len({e["object"]["metadata"]["name"] for e in events}), 200)
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
    eq(versions, sorted(versions))


@case("watch: a version of the future is refused in words")
def _():
    answer = t.api.get("/api/v1/configmaps?watch=true&resourceVersion=999999999")
    has(answer.body.decode(), "Too large resource version")
