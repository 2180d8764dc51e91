"""kubectl, as people use it."""

import subprocess
import time

import api_test as t
from harness import case, eq, has, true

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: nginx
        image: nginx:1.25
        ports:
        - containerPort: 80
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
  - port: 80
"""


def k(*args, **kw):
    return t.server.kubectl_ok("-n", "t", *args, **kw)


@case("kubectl apply: created, unchanged, configured")
def _():
    has(k("apply", "-f", "-", stdin=DEPLOYMENT), "deployment.apps/web created")
    again = k("apply", "-f", "-", stdin=DEPLOYMENT)
    eq(again.count("unchanged"), 2, again)
    has(k("apply", "-f", "-", stdin=DEPLOYMENT.replace("1.25", "1.26")), "deployment.apps/web configured")
    eq(k("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"), "nginx:1.26")


@case("kubectl diff: shows what would change, and only that")
def _():
    rc, out, _ = t.server.kubectl("-n", "t", "diff", "-f", "-", stdin=DEPLOYMENT.replace("1.25", "1.27"))
    eq(rc, 1)
    has(out, "+      - image: nginx:1.27")
    rc, out, err = t.server.kubectl("-n", "t", "diff", "-f", "-", stdin=DEPLOYMENT.replace("1.25", "1.26"))
    eq((rc, out), (0, ""), err)


@case("kubectl apply: a removed port is removed")
def _():
    k("apply", "-f", "-", stdin=DEPLOYMENT.replace("        ports:\n        - containerPort: 80\n", ""))
    eq(k("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].ports}"), "")


@case("kubectl edit, label, annotate, scale, set image, patch")
def _():
    has(k("edit", "deploy", "web", env={"KUBE_EDITOR": "sed -i s/nginx:1.25/nginx:1.28/"}), "edited")
    has(k("label", "deploy", "web", "tier=front"), "labeled")
    has(k("annotate", "deploy", "web", "note=hello"), "annotated")
    has(k("scale", "deploy", "web", "--replicas=5"), "scaled")
    has(k("set", "image", "deploy/web", "nginx=nginx:1.29"), "image updated")
    has(k("patch", "deploy", "web", "-p", '{"spec":{"paused":true}}'), "patched")
    out = k("get", "deploy", "web", "-o", "jsonpath={.spec.replicas} {.metadata.labels.tier} {.metadata.annotations.note} {.spec.template.spec.containers[0].image} {.spec.paused}")
    eq(out, "5 front hello nginx:1.29 true")


@case("kubectl get: tables, wide, yaml, name, custom columns, sorted")
def _():
    has(k("get", "deploy"), "READY   UP-TO-DATE   AVAILABLE   AGE")
    has(k("get", "deploy", "-o", "wide"), "nginx:1.29")
    has(k("get", "svc", "web", "-o", "yaml"), "clusterIP: 10.43.")
    eq(k("get", "deploy", "web", "-o", "name").strip(), "deployment.apps/web")
    has(k("get", "deploy", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas"), "web")
    k("get", "all")
    listed = [line.split()[0] for line in k("get", "svc", "--sort-by=.metadata.name", "--no-headers").splitlines()]
    eq(listed, sorted(listed))
    has(k("get", "pods", "-A", "--show-labels"), "LABELS")


@case("kubectl run, describe, logs and exec of a pod that runs nowhere")
def _():
    has(k("run", "alone", "--image=busybox", "--", "sleep", "1"), "created")
    has(k("describe", "pod", "alone"), "Status:           Pending")
    has(k("describe", "deploy", "web"), "StrategyType:           RollingUpdate")
    has(k("describe", "svc", "web"), "Selector:")
    for command in (("logs", "alone"), ("exec", "alone", "--", "true"), ("port-forward", "pod/alone", "18080:80")):
        rc, _, err = t.server.kubectl("-n", "t", *command)
        true(rc != 0 and len(err.strip()) > 10, f"{command}: {rc} {err!r}")


@case("kubectl explain, api-resources, api-versions, cluster-info, auth")
def _():
    has(k("explain", "pod.spec.containers.image"), "Container image name")
    has(k("explain", "deployment.spec.strategy", "--recursive"), "maxSurge")
    has(k("api-resources"), "deployments")
    has(k("api-versions"), "apps/v1")
    has(k("auth", "whoami"), "system:masters")
    eq(k("auth", "can-i", "create", "pods").strip(), "yes")
    has(k("version"), "Server Version")


@case("kubectl create: the common generators")
def _():
    for args in (("configmap", "g1", "--from-literal=a=b"), ("secret", "generic", "g2", "--from-literal=a=b"), ("serviceaccount", "g3"),
                 ("role", "g4", "--verb=get", "--resource=pods"), ("rolebinding", "g5", "--role=g4", "--serviceaccount=t:g3"), ("job", "g6", "--image=i"),
                 ("cronjob", "g7", "--image=i", "--schedule=* * * * *"), ("ingress", "g8", "--rule=a.example.com/=web:80"), ("quota", "g9", "--hard=pods=10"),
                 ("poddisruptionbudget", "g10", "--selector=app=web", "--min-available=1"), ("service", "clusterip", "g11", "--tcp=80"),
                 ("priorityclass", "g12", "--value=10"), ("clusterrole", "g13", "--verb=get", "--resource=nodes")):
        has(k("create", *args), "created")
    has(k("create", "token", "g3"), ".")
    has(k("expose", "deploy", "web", "--port=81", "--name=web2"), "exposed")
    has(k("autoscale", "deploy", "web", "--max=3"), "autoscaled")


@case("kubectl: unknown fields are refused before anything is written")
def _():
    rc, _, err = t.server.kubectl("-n", "t", "create", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: odd\ndota: {}\n")
    true(rc != 0, "taken")
    has(err, 'unknown field "dota"')
    rc, _, err = t.server.kubectl("-n", "t", "get", "cm", "odd")
    has(err, "NotFound")


@case("kubectl replace and delete, by file, label and name")
def _():
    cm = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: rep\ndata:\n  a: b\n"
    k("create", "-f", "-", stdin=cm)
    has(k("replace", "-f", "-", stdin=cm.replace("a: b", "a: c")), "replaced")
    has(k("delete", "-f", "-", stdin=cm), "deleted")
    k("label", "cm", "g1", "x=y")
    has(k("delete", "cm", "-l", "x=y"), '"g1" deleted')
    has(k("delete", "pod", "alone", "--now"), "deleted")


@case("kubectl get -w: lines come while it runs")
def _():
    k("create", "configmap", "seen-first")
    p = subprocess.Popen(["kubectl", "--kubeconfig", t.server.kubeconfig, "-n", "t", "get", "cm", "-w", "--no-headers"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        true(p.stdout.readline(), "what is there comes first; what comes from now on is watched")
        k("create", "configmap", "seen-live")
        deadline, seen = time.time() + 10, False
        while not seen and time.time() < deadline:
            seen = "seen-live" in p.stdout.readline()
        true(seen, "the new ConfigMap was not shown")
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


@case("kubectl wait: for deletion and for a jsonpath")
def _():
    k("wait", "cm/seen-live", "--for=jsonpath={.metadata.name}=seen-live", "--timeout=5s")
    k("delete", "cm", "seen-live")
    k("wait", "cm/seen-live", "--for=delete", "--timeout=5s")


@case("kubectl top, drain and cordon fail or work in words")
def _():
    t.api.post("/api/v1/nodes", {"metadata": {"name": "n9"}}).want(201)
    has(k("cordon", "n9"), "cordoned")
    has(k("get", "node", "n9"), "SchedulingDisabled")
    has(k("uncordon", "n9"), "uncordoned")
    has(k("taint", "node", "n9", "a=b:NoSchedule"), "tainted")
    rc, _, err = t.server.kubectl("top", "pod")
    true(rc != 0 and err, "top pretends to work")
    has(k("describe", "node", "n9"), "Taints:")
