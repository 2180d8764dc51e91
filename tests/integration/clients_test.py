#!/usr/bin/env python3
"""The API as programs in Python meet it: Debian's python3-kubernetes against a server with controllers and without a node.

Typed clients, watches, the dynamic client and utils, as their documentation has them used. Both of Debian's versions of the
client are served (22.6 in Debian 12, 30.1 in 13). Log, exec and port-forward of running pods need a node: here they are
asked of a pod that has none, and must fail as upstream's do; kubectl drives them in tests of nodes.

Usage: clients_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import datetime
import json
import os
import sys
import threading

import harness
from harness import Server, case, eq, has, true, until

import kubernetes
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.dynamic import exceptions as dynamic_exceptions
from kubernetes.stream import stream


class WithControllers(Server):
    def command(self, port=None):
        return [a for a in super().command(port) if a != "--disable-controller-manager"]


server = WithControllers(port=17590)
core = apps = batch = rbac = custom = None
NS = "clients"


def setup():
    global core, apps, batch, rbac, custom
    server.start()
    config.load_kube_config(server.kubeconfig)
    core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
    rbac, custom = client.RbacAuthorizationV1Api(), client.CustomObjectsApi()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NS)))
    until("service account", lambda: found(core.read_namespaced_service_account, "default", NS))


def teardown():
    server.remove()


def meta(name, **fields):
    return client.V1ObjectMeta(name=name, **fields)


def found(read, *args):
    try:
        return read(*args)
    except ApiException as e:
        eq(e.status, 404, "status")
        return None


def gone(read, *args):
    until(f"{args[0]} is gone", lambda: not found(read, *args))


def refused(status, reason, call, *args, **kw):
    """The call's error, whose body is a Status."""
    try:
        call(*args, **kw)
    except ApiException as e:
        eq((e.status, type(e.body)), (status, str), f"error {e.body!r}")
        body = json.loads(e.body)
        eq((body["kind"], body["apiVersion"], body["status"], body["code"], body["reason"]),
           ("Status", "v1", "Failure", status, reason), "body")
        has(e.headers["Content-Type"], "application/json")
        return body
    raise harness.Mismatch(f"{call.__name__} was not refused")


def as_type(content_type):
    """A client that sends its bodies under this type; what is typed sends strategic or JSON patches of itself."""
    api = client.ApiClient()
    api.set_default_header("Content-Type", content_type)
    return api


def to_apply(body):
    """Before 24 the client sends what is applied only when it is text; since then it makes the text itself."""
    return body if int(kubernetes.__version__.split(".")[0]) >= 24 else json.dumps(body)


def config_map(name, labels=None, **data):
    return client.V1ConfigMap(metadata=meta(name, labels=labels), data=data)


def pod(name, **labels):
    return client.V1Pod(metadata=meta(name, labels=labels), spec=client.V1PodSpec(
        containers=[client.V1Container(name="c", image="busybox", resources=client.V1ResourceRequirements(requests={"cpu": "100m"}))]))


def deployment(name, replicas=0, **metadata):
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels={"app": name}), spec=pod("").spec)
    return client.V1Deployment(metadata=meta(name, **metadata), spec=client.V1DeploymentSpec(
        replicas=replicas, selector=client.V1LabelSelector(match_labels={"app": name}), template=template))


@case("versions, groups and resources are discovered")
def _():
    has(client.VersionApi().get_code().git_version, "v1.32")
    eq(client.CoreApi().get_api_versions().versions, ["v1"])
    true("apps" in [g.name for g in client.ApisApi().get_api_versions().groups], "apps is not among the groups")
    true("pods/eviction" in [r.name for r in core.get_api_resources().resources], "pods/eviction is not among the resources")


@case("an object is created, read, listed, replaced and deleted")
def _():
    made = core.create_namespaced_config_map(NS, config_map("one", {"t": "one"}, a="1"))
    true(isinstance(made.metadata.creation_timestamp, datetime.datetime), "creationTimestamp is no time")
    true(made.metadata.uid and made.metadata.resource_version, "no uid or resourceVersion")
    eq(core.read_namespaced_config_map("one", NS).data, {"a": "1"})
    made.data = {"a": "2"}
    made.binary_data = {"b": "AAEC"}
    replaced = core.replace_namespaced_config_map("one", NS, made)
    eq((replaced.data, replaced.binary_data), ({"a": "2"}, {"b": "AAEC"}))
    true(replaced.metadata.resource_version != made.metadata.resource_version, "the resourceVersion did not move")
    eq([o.metadata.name for o in core.list_namespaced_config_map(NS, label_selector="t=one").items], ["one"])
    eq([o.metadata.name for o in core.list_config_map_for_all_namespaces(field_selector=f"metadata.name=one,metadata.namespace={NS}").items], ["one"])
    eq(core.delete_namespaced_config_map("one", NS).status, "Success")
    refused(404, "NotFound", core.read_namespaced_config_map, "one", NS)


@case("errors are ApiExceptions with a Status")
def _():
    body = refused(404, "NotFound", core.read_namespaced_pod, "none", NS)
    eq((body["message"], body["details"]), ('pods "none" not found', {"name": "none", "kind": "pods"}))
    core.create_namespaced_secret(NS, client.V1Secret(metadata=meta("twice"), string_data={"k": "v"}))
    refused(409, "AlreadyExists", core.create_namespaced_secret, NS, client.V1Secret(metadata=meta("twice")))
    body = refused(422, "Invalid", core.create_namespaced_config_map, NS, config_map("Not_A_Name"))
    eq([c["field"] for c in body["details"]["causes"]], ["metadata.name"])
    refused(400, "BadRequest", core.create_namespaced_config_map, "other", client.V1ConfigMap(metadata=meta("x", namespace=NS)))
    nobody = client.Configuration.get_default_copy()
    nobody.cert_file = nobody.key_file = None
    anonymous = client.CoreV1Api(client.ApiClient(nobody))
    nobody.api_key = {"authorization": "Bearer wrong"}
    refused(401, "Unauthorized", anonymous.list_namespaced_secret, NS)
    dry = core.create_namespaced_config_map(NS, config_map("dry"), dry_run="All")
    true(dry.metadata.uid, "a dry run answers no object")
    refused(404, "NotFound", core.read_namespaced_config_map, "dry", NS)


@case("a stale replacement is a conflict, and so is a deletion with stale preconditions")
def _():
    old = core.create_namespaced_config_map(NS, config_map("stale", a="1"))
    core.patch_namespaced_config_map("stale", NS, {"data": {"a": "2"}})
    old.data = {"a": "3"}
    has(refused(409, "Conflict", core.replace_namespaced_config_map, "stale", NS, old)["message"], "the object has been modified")
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="00000000-0000-0000-0000-000000000000"))
    refused(409, "Conflict", core.delete_namespaced_config_map, "stale", NS, body=options)
    eq(core.read_namespaced_config_map("stale", NS).data, {"a": "2"})


@case("patches: strategic, JSON, merge and apply")
def _():
    apps.create_namespaced_deployment(NS, deployment("patched"))
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"}]}}}}
    got = apps.patch_namespaced_deployment("patched", NS, sidecar)
    eq(sorted(c.name for c in got.spec.template.spec.containers), ["c", "side"], "strategic")
    got = apps.patch_namespaced_deployment("patched", NS, [{"op": "test", "path": "/spec/replicas", "value": 0},
                                                          {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "1"}},
                                                          {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "2"}])
    eq(got.metadata.annotations["a/b"], "2", "JSON")
    refused(422, "Invalid", apps.patch_namespaced_deployment, "patched", NS, [{"op": "test", "path": "/spec/replicas", "value": 7}])
    merge = client.AppsV1Api(as_type("application/merge-patch+json"))
    got = merge.patch_namespaced_deployment("patched", NS, sidecar)
    eq([c.name for c in got.spec.template.spec.containers], ["side"], "merge")
    apply = client.CoreV1Api(as_type("application/apply-patch+yaml"))
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1", "b": "1"}}
    apply.patch_namespaced_config_map("applied", NS, to_apply(applied), field_manager="one")
    del applied["data"]["b"]
    got = apply.patch_namespaced_config_map("applied", NS, to_apply(applied), field_manager="one")
    eq((got.data, [(m.manager, m.operation) for m in got.metadata.managed_fields]), ({"a": "1"}, [("one", "Apply")]), "apply")
    applied["data"]["a"] = "2"
    body = refused(409, "Conflict", apply.patch_namespaced_config_map, "applied", NS, to_apply(applied), field_manager="two")
    eq([(c["reason"], c["field"]) for c in body["details"]["causes"]], [("FieldManagerConflict", ".data.a")])
    eq(apply.patch_namespaced_config_map("applied", NS, to_apply(applied), field_manager="two", force=True).data, {"a": "2"})


@case("a list comes in pages, of one state though it is written to")
def _():
    for i in range(7):
        core.create_namespaced_config_map(NS, config_map(f"page-{i}", {"t": "page"}))
    names, token, versions = [], None, set()
    while True:
        page = core.list_namespaced_config_map(NS, label_selector="t=page", limit=3, **({"_continue": token} if token else {}))
        names += [o.metadata.name for o in page.items]
        versions.add(page.metadata.resource_version)
        token = page.metadata._continue
        if not token:
            break
        core.create_namespaced_config_map(NS, config_map(f"page-9{len(names)}", {"t": "page"}))
    eq((names, len(versions)), ([f"page-{i}" for i in range(7)], 1), "pages of one state")
    refused(400, "BadRequest", core.list_namespaced_config_map, NS, limit=3, _continue="no token")


@case("long answers come compressed")
def _():
    for i in range(4):
        core.create_namespaced_config_map(NS, config_map(f"long-{i}", {"t": "long"}, text="k3x " * 16384))
    api = client.ApiClient()
    api.set_default_header("Accept-Encoding", "gzip")
    items, _, headers = client.CoreV1Api(api).list_namespaced_config_map_with_http_info(NS, label_selector="t=long")
    eq((headers.get("Content-Encoding"), len(items.items), {len(o.data["text"]) for o in items.items}), ("gzip", 4, {65536}))
    _, _, headers = client.CoreV1Api(api).list_namespaced_config_map_with_http_info(NS, label_selector="t=none")
    eq(headers.get("Content-Encoding"), None, "a short answer")


@case("a watch tells what happens from a resourceVersion on")
def _():
    at = core.list_namespaced_config_map(NS).metadata.resource_version
    core.create_namespaced_config_map(NS, config_map("seen", {"t": "seen"}, a="1"))
    core.patch_namespaced_config_map("seen", NS, {"data": {"a": "2"}})
    core.delete_namespaced_config_map("seen", NS)
    w, events = watch.Watch(), []
    for e in w.stream(core.list_namespaced_config_map, NS, label_selector="t=seen", resource_version=at, timeout_seconds=20):
        events.append((e["type"], e["object"].data["a"], e["raw_object"]["kind"]))
        if e["type"] == "DELETED":
            w.stop()
    eq(events, [("ADDED", "1", "ConfigMap"), ("MODIFIED", "2", "ConfigMap"), ("DELETED", "2", "ConfigMap")])
    eq(list(watch.Watch().stream(core.list_namespaced_config_map, NS, resource_version=w.resource_version, timeout_seconds=1,
                                 label_selector="t=seen")), [], "events after the last")


@case("a watch without a resourceVersion begins with what is there, and follows")
def _():
    core.create_namespaced_config_map(NS, config_map("follow-0", {"t": "follow"}))
    w, names = watch.Watch(), []
    for e in w.stream(core.list_namespaced_config_map, NS, label_selector="t=follow", timeout_seconds=20):
        names.append(e["object"].metadata.name)
        if len(names) == 3:
            w.stop()
        else:
            threading.Thread(target=core.create_namespaced_config_map, args=(NS, config_map(f"follow-{len(names)}", {"t": "follow"}))).start()
    eq(names, ["follow-0", "follow-1", "follow-2"])


@case("deletion with propagation: Background, Orphan and Foreground")
def _():
    rs = lambda name: [r for r in apps.list_namespaced_replica_set(NS, label_selector=f"app={name}").items]
    for name in ("background", "orphan", "foreground"):
        apps.create_namespaced_deployment(NS, deployment(name))
    for name in ("background", "orphan", "foreground"):
        until(f"replica set of {name}", lambda: rs(name))
        policy = name.capitalize()
        body = None if policy == "Foreground" else client.V1DeleteOptions(propagation_policy=policy)
        apps.delete_namespaced_deployment(name, NS, body=body, **({"propagation_policy": policy} if body is None else {}))
        gone(apps.read_namespaced_deployment, name, NS)
    until("what was left behind goes", lambda: not rs("background"))
    eq(rs("foreground"), [])
    eq([r.metadata.owner_references for r in rs("orphan")], [None])
    core.delete_collection_namespaced_config_map(NS, label_selector="t=follow")
    eq(core.list_namespaced_config_map(NS, label_selector="t=follow").items, [])


@case("a deployment, a job and a cron job do their work")
def _():
    apps.create_namespaced_deployment(NS, deployment("web", 2))
    until("two pods", lambda: len(core.list_namespaced_pod(NS, label_selector="app=web").items) == 2)
    status = until("status", lambda: (lambda s: s if s.replicas == 2 else None)(apps.read_namespaced_deployment_status("web", NS).status))
    eq(status.unavailable_replicas, 2)
    spec = client.V1JobSpec(template=client.V1PodTemplateSpec(spec=client.V1PodSpec(
        restart_policy="Never", containers=[client.V1Container(name="c", image="busybox")])))
    batch.create_namespaced_job(NS, client.V1Job(metadata=meta("job"), spec=spec))
    until("a pod of the job", lambda: core.list_namespaced_pod(NS, label_selector="job-name=job").items)
    cron = client.V1CronJob(metadata=meta("cron"), spec=client.V1CronJobSpec(schedule="0 0 1 1 *", job_template=client.V1JobTemplateSpec(spec=spec)))
    eq(batch.create_namespaced_cron_job(NS, cron).spec.concurrency_policy, "Allow")
    batch.delete_namespaced_job("job", NS, propagation_policy="Background")
    until("no pod of the job", lambda: not core.list_namespaced_pod(NS, label_selector="job-name=job").items)


@case("subresources: scale and status")
def _():
    eq(apps.read_namespaced_deployment_scale("web", NS).spec.replicas, 2)
    scale = apps.patch_namespaced_deployment_scale("web", NS, {"spec": {"replicas": 1}})
    eq((scale.kind, scale.spec.replicas, scale.status.selector), ("Scale", 1, "app=web"))
    until("one pod", lambda: len(core.list_namespaced_pod(NS, label_selector="app=web").items) == 1)
    scale.spec.replicas = 0
    scale.metadata.resource_version = None
    eq(apps.replace_namespaced_deployment_scale("web", NS, scale).spec.replicas, 0)
    made = core.create_namespaced_pod(NS, pod("status"))
    made.status.phase = "Running"
    made.spec.active_deadline_seconds = 7
    got = core.replace_namespaced_pod_status("status", NS, made)
    eq((got.status.phase, got.spec.active_deadline_seconds), ("Running", None))
    condition = {"type": "example.com/Gate", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    got = core.patch_namespaced_pod_status("status", NS, {"status": {"conditions": [condition]}})
    true("example.com/Gate" in [c.type for c in got.status.conditions], "the condition is not there")


@case("a pod is evicted, but not while its budget forbids")
def _():
    made = core.create_namespaced_pod(NS, pod("evicted", app="evicted"))
    policy = client.PolicyV1Api()
    policy.create_namespaced_pod_disruption_budget(NS, client.V1PodDisruptionBudget(metadata=meta("budget"), spec=client.V1PodDisruptionBudgetSpec(
        min_available=1, selector=client.V1LabelSelector(match_labels={"app": "evicted"}))))
    until("the budget is counted", lambda: policy.read_namespaced_pod_disruption_budget_status("budget", NS).status.expected_pods == 1)
    made.status.phase = "Running"
    made.status.conditions = [client.V1PodCondition(type="Ready", status="True")]
    core.replace_namespaced_pod_status("evicted", NS, made)
    until("the pod is counted", lambda: policy.read_namespaced_pod_disruption_budget_status("budget", NS).status.current_healthy == 1)
    eviction = client.V1Eviction(metadata=meta("evicted", namespace=NS))
    body = refused(429, "TooManyRequests", core.create_namespaced_pod_eviction, "evicted", NS, eviction)
    eq(body["details"]["causes"][0]["reason"], "DisruptionBudget")
    policy.delete_namespaced_pod_disruption_budget("budget", NS)
    core.create_namespaced_pod_eviction("evicted", NS, eviction)
    gone(core.read_namespaced_pod, "evicted", NS)


@case("log and exec of a pod without a node are refused")
def _():
    core.create_namespaced_pod(NS, pod("nowhere"))
    has(refused(400, "BadRequest", core.read_namespaced_pod_log, "nowhere", NS)["message"], "nowhere")
    refused(404, "NotFound", core.read_namespaced_pod_log, "none", NS)
    try:
        stream(core.connect_get_namespaced_pod_exec, "nowhere", NS, command=["true"], stdout=True, stderr=True)
        raise harness.Mismatch("exec was served")
    except ApiException as e:
        has(f"{e.status} {e.reason}", "400")


@case("tokens are asked for, reviewed and used, and access is reviewed")
def _():
    token = core.create_namespaced_service_account_token("default", NS, {"spec": {"expirationSeconds": 600}}).status
    true(token.expiration_timestamp > datetime.datetime.now(datetime.timezone.utc), "the token has expired")
    review = client.AuthenticationV1Api().create_token_review({"spec": {"token": token.token}}).status
    name = f"system:serviceaccount:{NS}:default"
    eq((review.authenticated, review.user.username), (True, name))
    account = client.Configuration.get_default_copy()
    account.cert_file = account.key_file = None
    account.api_key = {"authorization": "Bearer " + token.token}
    as_account = client.ApiClient(account)
    asks = lambda verb: client.AuthorizationV1Api(as_account).create_self_subject_access_review(client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=client.V1ResourceAttributes(namespace=NS, verb=verb, resource="secrets")))).status.allowed
    eq(asks("list"), False)
    has(refused(403, "Forbidden", client.CoreV1Api(as_account).list_namespaced_secret, NS)["message"], f'User "{name}" cannot list resource "secrets"')
    rbac.create_namespaced_role(NS, client.V1Role(metadata=meta("reader"), rules=[
        client.V1PolicyRule(api_groups=[""], resources=["secrets"], verbs=["get", "list"])]))
    rbac.create_namespaced_role_binding(NS, {"metadata": {"name": "reader"}, "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": NS}],
                                             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}})
    until("the role is in force", lambda: asks("list"))
    eq((asks("delete"), len(client.CoreV1Api(as_account).list_namespaced_secret(NS).items)), (False, 1))
    rules = client.AuthorizationV1Api(as_account).create_self_subject_rules_review({"spec": {"namespace": NS}}).status
    true(["secrets"] in [r.resources for r in rules.resource_rules], "the rule is not told")


CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "shelves.library.example.com"},
       "spec": {"group": "library.example.com", "scope": "Namespaced", "names": {"plural": "shelves", "singular": "shelf", "kind": "Shelf", "shortNames": ["sh"]},
                "versions": [{"name": "v1", "served": True, "storage": True,
                              "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.books", "statusReplicasPath": ".status.books"}},
                              "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                                  "spec": {"type": "object", "properties": {"books": {"type": "integer", "minimum": 0, "default": 1}}},
                                  "status": {"type": "object", "properties": {"books": {"type": "integer"}}}}}}}]}}
SHELF = ("library.example.com", "v1", NS, "shelves")


@case("custom objects: all verbs, status and scale")
def _():
    extensions = client.ApiextensionsV1Api()
    extensions.create_custom_resource_definition(CRD)
    until("the definition is established", lambda: [c for c in extensions.read_custom_resource_definition_status(CRD["metadata"]["name"]).status.conditions or []
                                                    if (c.type, c.status) == ("Established", "True")])
    until("shelves are served", lambda: found(custom.list_namespaced_custom_object, *SHELF))
    shelf = {"apiVersion": "library.example.com/v1", "kind": "Shelf", "metadata": {"name": "one"}, "spec": {}}
    made = custom.create_namespaced_custom_object(*SHELF, shelf)
    eq((made["spec"], made["metadata"]["generation"]), ({"books": 1}, 1))
    body = refused(422, "Invalid", custom.create_namespaced_custom_object, *SHELF, {**shelf, "metadata": {"name": "two"}, "spec": {"books": -1}})
    eq(body["details"]["causes"][0]["field"], "spec.books")
    made["status"] = {"books": 4}
    eq(custom.replace_namespaced_custom_object_status(*SHELF, "one", made)["status"], {"books": 4})
    eq(custom.get_namespaced_custom_object_scale(*SHELF, "one")["status"]["replicas"], 4)
    merge = client.CustomObjectsApi(as_type("application/merge-patch+json"))
    eq(merge.patch_namespaced_custom_object(*SHELF, "one", {"spec": {"books": 3}})["metadata"]["generation"], 2)
    refused(409, "Conflict", custom.replace_namespaced_custom_object, *SHELF, "one", made)
    events = list(watch.Watch().stream(custom.list_namespaced_custom_object, *SHELF, timeout_seconds=1))
    eq([(e["type"], e["object"]["spec"]["books"]) for e in events], [("ADDED", 3)])
    eq(len(custom.list_cluster_custom_object("library.example.com", "v1", "shelves")["items"]), 1)


@case("the dynamic client finds the custom kind and drives it")
def _():
    d = dynamic.DynamicClient(client.ApiClient(), cache_file=os.path.join(server.folder, "discovered"))
    shelves = d.resources.get(api_version="library.example.com/v1", kind="Shelf")
    eq((shelves.name, shelves.namespaced, shelves.short_names), ("shelves", True, ["sh"]))
    body = {"apiVersion": "library.example.com/v1", "kind": "Shelf", "metadata": {"name": "dyn"}, "spec": {"books": 2}}
    eq(shelves.create(body=body, namespace=NS).spec.books, 2)
    eq(shelves.patch(body={"metadata": {"name": "dyn"}, "spec": {"books": 5}}, namespace=NS, content_type="application/merge-patch+json").spec.books, 5)
    applied = shelves.server_side_apply(body=to_apply({**body, "spec": {"books": 6}}), name="dyn", namespace=NS, field_manager="dyn", force_conflicts=True)
    eq((applied.spec.books, applied.metadata.managedFields[0].operation), (6, "Apply"))
    eq(shelves.status.patch(body={"metadata": {"name": "dyn"}, "status": {"books": 6}}, namespace=NS, content_type="application/merge-patch+json").status.books, 6)
    try:
        shelves.get(name="none", namespace=NS)
        raise harness.Mismatch("what is not there was read")
    except dynamic_exceptions.NotFoundError as e:
        eq((e.status, json.loads(e.body)["reason"]), (404, "NotFound"))
    seen = []
    for e in shelves.watch(namespace=NS, timeout=20, watcher=(w := watch.Watch())):
        seen.append((e["type"], e["object"].metadata.name))
        if len(seen) == 2:
            w.stop()
    eq(sorted(seen), [("ADDED", "dyn"), ("ADDED", "one")])
    shelves.delete(name="dyn", namespace=NS)
    gone(lambda name, ns: custom.get_namespaced_custom_object(*SHELF, name), "dyn", NS)
    services = d.resources.get(api_version="v1", kind="Service")
    eq([s.metadata.name for s in services.get(namespace="default").items], ["kubernetes"])


YAML = """apiVersion: v1
kind: Service
metadata: {name: from-yaml}
spec:
  selector: {app: from-yaml}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: from-yaml}
spec:
  replicas: 0
  selector: {matchLabels: {app: from-yaml}}
  template:
    metadata: {labels: {app: from-yaml}}
    spec: {containers: [{name: c, image: busybox}]}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: from-yaml}, data: {a: "1"}}
- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: from-yaml}, spec: {podSelector: {}}}
"""


@case("utils make what a file of YAML says")
def _():
    path = os.path.join(server.folder, "some.yaml")
    with open(path, "w") as f:
        f.write(YAML)
    utils.create_from_yaml(client.ApiClient(), path, namespace=NS)
    service = core.read_namespaced_service("from-yaml", NS)
    eq((service.spec.type, service.spec.ports[0].target_port, service.spec.ports[0].protocol), ("ClusterIP", "http", "TCP"))
    true(service.spec.cluster_ip, "no address")
    eq(apps.read_namespaced_deployment("from-yaml", NS).spec.strategy.rolling_update.max_surge, "25%")
    eq(core.read_namespaced_config_map("from-yaml", NS).data, {"a": "1"})
    client.NetworkingV1Api().read_namespaced_network_policy("from-yaml", NS)
    try:
        utils.create_from_yaml(client.ApiClient(), path, namespace=NS)
        raise harness.Mismatch("all was made twice")
    except utils.FailToCreateError as e:
        eq({x.status for x in e.api_exceptions}, {409})


@case("after a restart an old watch ends in an ApiException of 410, and the pages of a list go on")
def _():
    page = core.list_namespaced_config_map(NS, label_selector="t=page", limit=3)
    core.create_namespaced_config_map(NS, config_map("page-later", {"t": "page"}))
    server.stop()
    server.start()
    w = watch.Watch()
    try:
        for e in w.stream(core.list_namespaced_config_map, NS, resource_version=page.metadata.resource_version, timeout_seconds=5):
            raise harness.Mismatch(f"the watch told {e['type']}")
        raise harness.Mismatch("the watch ended in peace")
    except ApiException as e:
        eq(e.status, 410, "status")
        has(e.reason, "too old resource version")
    rest = core.list_namespaced_config_map(NS, label_selector="t=page", _continue=page.metadata._continue)
    eq([o.metadata.name for o in rest.items][:4], [f"page-{i}" for i in range(3, 7)])
    eq("page-later" in [o.metadata.name for o in rest.items], rest.metadata.resource_version != page.metadata.resource_version, "of one state")


if __name__ == "__main__":
    print(f"python3-kubernetes {kubernetes.__version__}")
    harness.leave(harness.run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
