#!/usr/bin/env python3
"""Admission plugins that are switched on, off and configured by flags, as users of kube-apiserver do it.

Usage: admission_test.py [PART OF A CASE'S NAME]. Starts and stops its own server."""

import json
import os
import subprocess
import sys

import harness
from harness import Server, case, eq, has, true, until

class WithControllers(Server):
    def command(self, port=None):
        return [a for a in super().command(port) if a != "--disable-controller-manager"]


server = WithControllers(port=17344)
api = None
POD = {"containers": [{"name": "c", "image": "example.com/x:1", "imagePullPolicy": "IfNotPresent"}]}


def argument(name, value):
    return f"--kube-apiserver-arg={name}={value}"


def setup():
    global api
    security = {"apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration",
                "defaults": {"enforce": "baseline"}, "exemptions": {"namespaces": ["free"], "usernames": [], "runtimeClasses": []}}
    events = {"apiVersion": "eventratelimit.admission.k8s.io/v1alpha1", "kind": "Configuration",
              "limits": [{"type": "SourceAndObject", "qps": 1, "burst": 3, "cacheSize": 2}]}
    json.dump(security, open(os.path.join(server.folder, "pod-security.yaml"), "w"))
    config = os.path.join(server.folder, "admission.yaml")
    json.dump({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
               "plugins": [{"name": "PodSecurity", "path": "pod-security.yaml"}, {"name": "EventRateLimit", "configuration": events},
                           {"name": "ResourceQuota", "configuration": {
                               "apiVersion": "apiserver.config.k8s.io/v1", "kind": "ResourceQuotaConfiguration",
                               "limitedResources": [{"resource": "persistentvolumeclaims", "matchContains": ["gold.storageclass.storage.k8s.io/requests.storage"]}]}},
                           {"name": "PodNodeSelector", "configuration": {"podNodeSelectorPluginConfig": {"clusterDefaultNodeSelector": "zone=a", "tight": "zone=a,disk=ssd"}}}]},
              open(config, "w"))
    server.flags += [argument("enable-admission-plugins", "NodeRestriction,AlwaysPullImages,DenyServiceExternalIPs,EventRateLimit,PodNodeSelector,PodTolerationRestriction"),
                     argument("disable-admission-plugins", "DefaultTolerationSeconds"), argument("admission-control-config-file", config)]
    server.start()
    api = server.admin()
    for name in ("default", "free", "tight", "annotated"):
        if name != "default":
            api.post("/api/v1/namespaces", {"metadata": {"name": name}}).want(201)
        until("an account", lambda: api.get(f"/api/v1/namespaces/{name}/serviceaccounts/default").status == 200)


def pod(ns="default", **spec):
    return api.post(f"/api/v1/namespaces/{ns}/pods?dryRun=All", {"metadata": {"name": "p"}, "spec": {**POD, **spec}})


@case("DenyServiceExternalIPs: no Service gets an external address that it did not have")
def _():
    services = "/api/v1/namespaces/default/services"
    refused = api.post(services, {"metadata": {"name": "outside"}, "spec": {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]}})
    refused.want(403, "Forbidden")
    has(refused.json["message"], 'services "outside" is forbidden: Use of external IPs is denied by admission control.')
    api.post(services, {"metadata": {"name": "outside"}, "spec": {"ports": [{"port": 80}]}}).want(201)
    api.patch(f"{services}/outside", {"spec": {"externalIPs": ["192.0.2.1"]}}).want(403, "Forbidden")
    api.patch(f"{services}/outside", {"metadata": {"labels": {"a": "b"}}}).want(200)


@case("AlwaysPullImages: every image is pulled anew")
def _():
    eq(pod().want(201).json["spec"]["containers"][0]["imagePullPolicy"], "Always")


@case("what is switched off does nothing")
def _():
    eq(pod().want(201).json["spec"].get("tolerations"), None)


@case("PodSecurity: the configuration's level holds without labels, and exempt namespaces are free of it")
def _():
    has(pod(hostNetwork=True).want(403).json["message"], 'violates PodSecurity "baseline:latest"')
    pod("free", hostNetwork=True).want(201)
    api.patch("/api/v1/namespaces/annotated", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}).want(200)
    pod("annotated", hostNetwork=True).want(201)


@case("PodNodeSelector: default, annotation, conflict and what the configuration allows")
def _():
    eq(pod().want(201).json["spec"]["nodeSelector"], {"zone": "a"})
    eq(pod(nodeSelector={"disk": "ssd"}).want(201).json["spec"]["nodeSelector"], {"disk": "ssd", "zone": "a"})
    has(pod(nodeSelector={"zone": "b"}).want(403).json["message"], "conflicts with its namespace node label selector")
    pod("tight", nodeSelector={"disk": "ssd"}).want(201)
    has(pod("tight", nodeSelector={"gpu": "yes"}).want(403).json["message"], "conflict with its namespace whitelist")
    api.patch("/api/v1/namespaces/annotated", {"metadata": {"annotations": {"scheduler.alpha.kubernetes.io/node-selector": "zone=c, tier=x"}}}).want(200)
    eq(pod("annotated").want(201).json["spec"]["nodeSelector"], {"zone": "c", "tier": "x"})


@case("PodTolerationRestriction: defaults are added, others than those allowed are refused")
def _():
    key = "scheduler.alpha.kubernetes.io/"
    api.patch("/api/v1/namespaces/free", {"metadata": {"annotations": {
        key + "defaultTolerations": '[{"key":"a","operator":"Exists"}]', key + "tolerationsWhitelist": '[{"key":"a","operator":"Exists"},{"key":"b","operator":"Equal","value":"1"}]'}}}).want(200)
    eq(pod("free").want(201).json["spec"]["tolerations"], [{"key": "a", "operator": "Exists"}])
    pod("free", tolerations=[{"key": "b", "operator": "Equal", "value": "1"}]).want(201)
    has(pod("free", tolerations=[{"key": "b", "operator": "Equal", "value": "2"}]).want(403).json["message"], "whitelist")
    has(pod("free", tolerations=[{"operator": "Exists"}]).want(403).json["message"], "whitelist")


@case("EventRateLimit: a source that says too much of one thing is stopped, and others are not")
def _():
    def event(i, about):
        return api.post("/api/v1/namespaces/default/events", {"metadata": {"name": f"{about}.{i}"}, "reason": "R", "type": "Normal", "message": "m",
                        "source": {"component": "t"}, "involvedObject": {"kind": "Pod", "namespace": "default", "name": about}})
    statuses = [event(i, "loud").status for i in range(12)]
    eq(statuses[:3], [201, 201, 201])
    true(429 in statuses, f"{statuses}")
    event(0, "quiet").want(201)
    answer = event(99, "loud")
    if answer.status == 429:
        eq(answer.json["reason"], "TooManyRequests")


def claim(name, **spec):
    return api.post("/api/v1/namespaces/default/persistentvolumeclaims", {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}})


@case("DefaultStorageClass: a claim that names none is of the default class, the newest of several")
def _():
    eq(claim("early").want(201).json["spec"].get("storageClassName"), None)
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    for name, is_default in (("plain", "false"), ("fast", "true")):
        api.post(classes, {"metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": is_default}}, "provisioner": "x/y",
                           "allowVolumeExpansion": name == "fast"}).want(201)
    eq(claim("late").want(201).json["spec"]["storageClassName"], "fast")
    eq(claim("named", storageClassName="plain").want(201).json["spec"]["storageClassName"], "plain")
    eq(claim("none", storageClassName="").want(201).json["spec"]["storageClassName"], "")


@case("ResourceQuota: what is limited is used with a quota for it alone")
def _():
    has(claim("rich", storageClassName="gold").want(403).json["message"], "insufficient quota to consume: gold.storageclass.storage.k8s.io/requests.storage")
    api.post("/api/v1/namespaces/default/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"gold.storageclass.storage.k8s.io/requests.storage": "1Gi"}}}).want(201)
    until("the quota is counted", lambda: api.get("/api/v1/namespaces/default/resourcequotas/q").json.get("status", {}).get("used"))
    claim("rich", storageClassName="gold").want(201)
    has(claim("richer", storageClassName="gold").want(403).json["message"], "exceeded quota")


@case("PersistentVolumeClaimResize: only what is bound, and of a class that says so, grows")
def _():
    path = "/api/v1/namespaces/default/persistentvolumeclaims/"
    grow = lambda name: api.patch(path + name, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    grow("late").want(422)  # the rules of the kind come first, and say so too
    for name in ("late", "named"):
        api.patch(path + name + "/status", {"status": {"phase": "Bound"}}).want(200)
    has(grow("named").want(403).json["message"], "must support resize")
    grow("late").want(200)


@case("StorageObjectInUseProtection: what is in use is held until it is not")
def _():
    path = "/api/v1/namespaces/free/"
    body = {"metadata": {"name": "held"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    eq(api.post(path + "persistentvolumeclaims", body).want(201).json["metadata"]["finalizers"], ["kubernetes.io/pvc-protection"])
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "held"}}]
    api.post(path + "pods", {"metadata": {"name": "user"}, "spec": {**POD, "nodeName": "nowhere", "volumes": volumes}}).want(201)
    body["metadata"]["name"] = "unused"
    api.post(path + "persistentvolumeclaims", body).want(201)
    for name in ("held", "unused"):
        api.delete(path + "persistentvolumeclaims/" + name).want(200)
    until("the unused one is gone", lambda: api.get(path + "persistentvolumeclaims/unused").status == 404)
    true(api.get(path + "persistentvolumeclaims/held").want(200).json["metadata"]["deletionTimestamp"], "the other one waits")
    api.delete(path + "pods/user", {"gracePeriodSeconds": 0}).want(200)
    until("it is gone with its pod", lambda: api.get(path + "persistentvolumeclaims/held").status == 404)
    volume = {"metadata": {"name": "pv"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}, "claimRef": {"namespace": "free", "name": "bound"}}}
    eq(api.post("/api/v1/persistentvolumes", volume).want(201).json["metadata"]["finalizers"], ["kubernetes.io/pv-protection"])
    body["metadata"]["name"] = "bound"
    body["spec"].update({"storageClassName": "", "volumeName": "pv"})
    api.post(path + "persistentvolumeclaims", body).want(201)
    until("it is bound", lambda: api.get("/api/v1/persistentvolumes/pv").json["status"]["phase"] == "Bound")
    api.delete("/api/v1/persistentvolumes/pv").want(200)
    true(api.get("/api/v1/persistentvolumes/pv").want(200).json["metadata"]["deletionTimestamp"], "bound it waits")
    api.delete(path + "persistentvolumeclaims/bound").want(200)
    until("released it goes", lambda: api.get("/api/v1/persistentvolumes/pv").status == 404)


@case("Priority: the class decides, one class is everybody's, and the system's stay")
def _():
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    make = lambda name, value, **more: api.post(classes, {"metadata": {"name": name}, "value": value, **more})
    has(pod(priority=5).want(403, "Forbidden").json["message"], "the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0")
    make("usual", 100, globalDefault=True, preemptionPolicy="Never").want(201)
    spec = until("the class is everybody's", lambda: (lambda j: j["spec"] if j["spec"]["priority"] else None)(pod().want(201).json))
    eq((spec["priority"], spec["priorityClassName"], spec["preemptionPolicy"]), (100, "usual", "Never"))
    pod(priority=100).want(201)
    has(pod(preemptionPolicy="PreemptLowerPriority").want(403).json["message"], "the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided")
    has(make("other", 1, globalDefault=True).want(403, "Forbidden").json["message"], "PriorityClass usual is already marked as default. Only one default can exist")
    api.patch(classes + "/usual", {"metadata": {"labels": {"a": "b"}}}).want(200)
    has(make("system-mine", 1).want(422, "Invalid").json["message"], "system-mine is not a known system priority class")
    make("odd", 1, preemptionPolicy="Sometimes").want(422, "Invalid")
    has(api.delete(classes + "/system-node-critical").want(403, "Forbidden").json["message"], "this is a system priority class and cannot be deleted")
    # a manifest without the number is put over a pod that has it
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kept"}, "spec": {**POD, "nodeName": "nowhere"}}
    stored = api.post("/api/v1/namespaces/free/pods", body).want(201).json
    for member in ("priority", "preemptionPolicy"):
        stored["spec"].pop(member)
    eq(api.put("/api/v1/namespaces/free/pods/kept", stored).want(200).json["spec"]["priority"], 100)
    api.delete("/api/v1/namespaces/free/pods/kept", {"gracePeriodSeconds": 0}).want(200)
    api.delete(classes + "/usual").want(200)


@case("RuntimeClass: a pod's overhead is its class's, or none")
def _():
    classes = "/apis/node.k8s.io/v1/runtimeclasses"
    api.post(classes, {"metadata": {"name": "kata"}, "handler": "kata", "overhead": {"podFixed": {"cpu": "500m"}}, "scheduling": {"nodeSelector": {"kind": "big"}}}).want(201)
    eq(pod(runtimeClassName="kata").want(201).json["spec"]["overhead"], {"cpu": "500m"})
    pod(runtimeClassName="kata", overhead={"cpu": "0.5"}).want(201)
    has(pod(runtimeClassName="kata", overhead={"cpu": "1"}).want(403).json["message"], "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    has(pod(overhead={"cpu": "1"}).want(403).json["message"], "Pod Overhead set without corresponding RuntimeClass defined Overhead")
    has(pod(runtimeClassName="none").want(403).json["message"], 'pod rejected: RuntimeClass "none" not found')
    has(pod(runtimeClassName="kata", nodeSelector={"kind": "small"}).want(403).json["message"], "runtimeClass.scheduling.nodeSelector[kind] = big; pod.spec.nodeSelector[kind] = small")
    api.post(classes, {"metadata": {"name": "odd"}, "handler": "Not_a_name"}).want(422, "Invalid")


@case("ServiceAccount: one that says so lends its own secrets alone")
def _():
    api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "strict", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
                                                            "secrets": [{"name": "mine"}], "imagePullSecrets": [{"name": "pull"}]}).want(201)
    strict = lambda **spec: pod(serviceAccountName="strict", **spec)
    volume = lambda name: [{"name": "v", "secret": {"secretName": name}}]
    env = lambda name: [{**POD["containers"][0], "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}], "envFrom": [{"secretRef": {"name": name}}]}]
    strict(volumes=volume("mine"), containers=env("mine")).want(201)
    for refused, why in ((strict(volumes=volume("other")), 'volume with secret.secretName="other"'), (strict(containers=env("other")), "container c with envVar A referencing"),
                         (strict(imagePullSecrets=[{"name": "other"}]), 'imagePullSecrets[0].name="other"')):
        has(refused.want(403, "Forbidden").json["message"], why + ("" if "envVar" in why else " is not allowed because service account strict"))
    pod(volumes=volume("other")).want(201)


@case("ServiceAccount: nor do ephemeral containers get others' secrets, however the account says so")
def _():
    pods, accounts = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/serviceaccounts"
    has(str(api.post(accounts, {"metadata": {"name": "strict-too", "annotations": {"kubernetes.io/enforce-mountable-secrets": "T"}}, "secrets": [{"name": "mine"}]}).want(201).headers["Warning"]),
        "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets")
    eq(api.patch(accounts + "/strict-too", {"metadata": {"labels": {"a": "b"}}}).want(200).headers.get("Warning"), None)
    for name, account in (("watched", "strict-too"), ("free", "default")):
        api.post(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**POD, "serviceAccountName": account}}).want(201)

    def debug(of, name, **more):
        return api.patch(f"{pods}/{of}/ephemeralcontainers", {"spec": {"ephemeralContainers": [{"name": name, "image": "i", **more}]}}, kind="strategic")
    env = lambda secret: {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}}]}
    debug("watched", "good", **env("mine")).want(200)
    eq(debug("watched", "bad", **env("other")).want(403, "Forbidden").json["message"],
       'pods "watched" is forbidden: ephemeral container bad with envVar A referencing secret.secretName="other" is not allowed because service account strict-too does not reference that secret')
    has(debug("watched", "bad", envFrom=[{"secretRef": {"name": "other"}}]).want(403).json["message"], 'ephemeral container bad with envFrom referencing secret.secretName="other" is not allowed')
    debug("free", "bad", **env("other")).want(200)
    for name in ("watched", "free"):
        api.delete(f"{pods}/{name}", {"gracePeriodSeconds": 0}).want(200)


@case("ServiceAccount: a mirror pod refers to no secret")
def _():
    mirror = lambda **spec: api.post("/api/v1/namespaces/default/pods?dryRun=All", {"metadata": {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {**POD, "nodeName": "n", **spec}})
    mirror().want(201)
    has(mirror(volumes=[{"name": "v", "secret": {"secretName": "mine"}}]).want(403).json["message"], "a mirror pod may not reference secrets")
    has(mirror(serviceAccountName="default").want(403).json["message"], "a mirror pod may not reference service accounts")


@case("NamespaceLifecycle: nothing new comes into what goes, and clients are told why")
def _():
    api.post("/api/v1/namespaces", {"metadata": {"name": "going"}}).want(201)
    api.post("/api/v1/namespaces/going/configmaps", {"metadata": {"name": "holds", "finalizers": ["example.com/x"]}}).want(201)
    api.delete("/api/v1/namespaces/going").want(200)
    refused = api.post("/api/v1/namespaces/going/configmaps", {"metadata": {"name": "late"}}).want(403, "Forbidden").json
    eq(refused["message"], 'configmaps "late" is forbidden: unable to create new content in namespace going because it is being terminated')
    eq([c["reason"] for c in refused["details"]["causes"]], ["NamespaceTerminating"])
    api.patch("/api/v1/namespaces/going/configmaps/holds", {"metadata": {"finalizers": None}}).want(200)


@case("DefaultIngressClass: an ingress that names none is of the default class")
def _():
    api.post("/apis/networking.k8s.io/v1/ingressclasses", {"metadata": {"name": "main", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}, "spec": {"controller": "x.example/y"}}).want(201)
    body = {"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}
    ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses?dryRun=All"
    eq(api.post(ingresses, body).want(201).json["spec"]["ingressClassName"], "main")
    body["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "old"}
    eq(api.post(ingresses, body).want(201).json["spec"].get("ingressClassName"), None)


@case("wrong names and configurations are told at the start")
def _():
    for flags, told in [(["enable-admission-plugins=Magic"], 'there is no plugin "Magic"'), (["enable-admission-plugins=ImagePolicyWebhook"], "not built yet"), (["enable-admission-plugins=MutatingAdmissionPolicy"], "it is alpha, and off, in Kubernetes 1.32"),
                        (["disable-admission-plugins=Majick"], 'there is no plugin "Majick"'), (["enable-admission-plugins=EventRateLimit"], "needs its limits"),
                        (["enable-admission-plugins=Priority", "disable-admission-plugins=Priority"], "Priority is in"),
                        (["admission-control-config-file=/nonexistent"], "/nonexistent")]:
        other = Server(port=17345)
        other.flags = ["--kube-apiserver-arg=" + f for f in flags]
        r = subprocess.run(other.command(), capture_output=True, text=True, timeout=20)
        true(r.returncode in (2, 4), f"{flags}: exit status {r.returncode}")  # an error's, not a crash's
        has(r.stderr, told)
        other.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
