#!/usr/bin/env python3
"""Plays the kubelets of nodes that do not exist: fake_kubelet.py KUBECONFIG NODE...

Keeps the nodes' Ready heartbeat moving, makes every pod assigned to them Running and Ready (unless its image name holds
"never"), and ends dying pods and deletes them with grace 0 as a kubelet does when their containers are gone. How a pod
ends by itself is said by its annotations, read anew when they change:

    fake/exit: "0"                  its containers end with this code: Succeeded for 0, Failed for others
    fake/exit: "1,0"                the same, but by its completion index: the code in this place, the last one for the rest
    fake/condition: DisruptionTarget    it fails with this condition, without an exit code
    fake/restarts: "3"              it runs, and its first container has been restarted so often

Only the Python library."""
import base64
import http.client
import json
import os
import queue
import re
import ssl
import sys
import tempfile
import threading
import time

HEARTBEAT_S = 10


def connector(kubeconfig):
    text = open(kubeconfig).read()
    host, port = re.search(r"server:\s*https://([^:]+):(\d+)", text).groups()
    context = None
    with tempfile.TemporaryDirectory() as folder:
        for key in ("client-certificate-data", "client-key-data", "certificate-authority-data"):
            with open(os.path.join(folder, key), "wb") as f:
                f.write(base64.b64decode(re.search(key + r":\s*(\S+)", text).group(1)))
        context = ssl.create_default_context(cafile=os.path.join(folder, "certificate-authority-data"))
        context.load_cert_chain(os.path.join(folder, "client-certificate-data"), os.path.join(folder, "client-key-data"))
        context.check_hostname = False
    return lambda: http.client.HTTPSConnection(host, int(port), context=context)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Kubelets:
    def __init__(self, kubeconfig, nodes):
        self.connect = connector(kubeconfig)
        self.nodes = set(nodes)
        self.pods = queue.Queue()
        self.addresses = 0
        self.lock = threading.Lock()

    def call(self, connection, method, path, body, kind="application/merge-patch+json"):
        connection.request(method, path, json.dumps(body), {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def address(self):
        with self.lock:
            self.addresses += 1
            return "10.42.%d.%d" % (self.addresses // 250, self.addresses % 250 + 1)

    def serve(self, connection, pod):
        meta = pod["metadata"]
        path = "/api/v1/namespaces/%s/pods/%s" % (meta["namespace"], meta["name"])
        if meta.get("deletionTimestamp"):
            if pod["status"].get("phase") not in ("Succeeded", "Failed"):
                self.call(connection, "PATCH", path + "/status", {"status": {"phase": "Failed"}})
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
            self.call(connection, "DELETE", path, options, "application/json")
            return
        never = any("never" in c["image"] for c in pod["spec"]["containers"])
        ready = {"type": "Ready", "status": "False" if never else "True", "lastTransitionTime": now()}
        status = {"phase": "Running", "podIP": self.address(), "startTime": now(),
                  "conditions": [{"type": "PodScheduled", "status": "True"}, ready]}
        notes = meta.get("annotations", {})
        if "fake/exit" in notes:
            codes = [int(code) for code in notes["fake/exit"].split(",")]
            code = codes[min(int(notes.get("batch.kubernetes.io/job-completion-index", 0)), len(codes) - 1)]
            ended = {"exitCode": code, "startedAt": now(), "finishedAt": now(), "reason": "Error" if code else "Completed"}
            ready["status"] = "False"
            status["phase"] = "Failed" if code else "Succeeded"
            status["containerStatuses"] = [self.container(c, {"terminated": ended}) for c in pod["spec"]["containers"]]
        elif "fake/condition" in notes:
            ready["status"] = "False"
            status["phase"] = "Failed"
            status["conditions"].append({"type": notes["fake/condition"], "status": "True"})
        elif "fake/restarts" in notes:
            first = pod["spec"]["containers"][0]
            status["containerStatuses"] = [self.container(first, {"running": {"startedAt": now()}}, int(notes["fake/restarts"]))]
        self.call(connection, "PATCH", path + "/status", {"status": status})

    def container(self, spec, state, restarts=0):
        return {"name": spec["name"], "image": spec["image"], "imageID": "", "ready": "running" in state,
                "restartCount": restarts, "state": state}

    def work(self):
        connection = self.connect()
        while True:
            pod = self.pods.get()
            try:
                self.serve(connection, pod)
            except (OSError, http.client.HTTPException):
                connection = self.connect()
                self.pods.put(pod)  # the server went away: the watch may have told of this pod for the last time
                time.sleep(0.1)

    def beat(self):
        while True:
            time.sleep(HEARTBEAT_S)
            try:
                connection = self.connect()
                for node in self.nodes:
                    beat = {"status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": now()}]}}
                    self.call(connection, "PATCH", "/api/v1/nodes/%s/status" % node, beat, "application/strategic-merge-patch+json")
            except (OSError, http.client.HTTPException):
                pass

    def watch(self):
        connection = self.connect()
        connection.request("GET", "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
        answer = connection.getresponse()
        if answer.status != 200:  # a server that is about to start or to stop: its answer is no stream of events
            raise http.client.HTTPException("watch of pods: %d" % answer.status)
        for line in answer:
            event = json.loads(line)
            pod = event["object"]
            if event["type"] not in ("ADDED", "MODIFIED") or pod["spec"].get("nodeName") not in self.nodes:
                continue
            ends = not {"fake/exit", "fake/condition"}.isdisjoint(pod["metadata"].get("annotations", {}))
            phase = pod["status"].get("phase")
            if pod["metadata"].get("deletionTimestamp") or phase == "Pending" or (ends and phase == "Running"):
                self.pods.put(pod)

    def run(self):
        for _ in range(4):
            threading.Thread(target=self.work, daemon=True).start()
        threading.Thread(target=self.beat, daemon=True).start()
        while True:
            try:
                self.watch()
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.2)


Kubelets(sys.argv[1], sys.argv[2:]).run()
