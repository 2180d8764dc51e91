#!/usr/bin/env python3
"""Secrets whose keys a KMS plugin guards (provider kms, apiVersion v2): kms_plugin.c is the plugin.

Usage: kms_test.py [PART OF A CASE'S NAME]. Starts and stops its own server and plugin; exit status 0 when every case passed."""

import base64
import json
import os
import shutil
import subprocess
import sys

import harness
from harness import ROOT, Server, case, eq, has, true, until

PLUGIN, STORE = os.path.join(ROOT, "build", "release", "tests", "kms_plugin"), os.path.join(ROOT, "build", "k3x-store")
SECRETS = "/api/v1/namespaces/default/secrets"
server = Server(port=17369)
folder, socket, config = (os.path.join(server.folder, x) for x in ("kms", "kms.sock", "encryption.yaml"))
api = plugin = None


def set_file(name, text):
    with open(os.path.join(folder, name + ".new"), "w") as f:
        f.write(text)
    os.rename(f.name, os.path.join(folder, name))


def calls(name):
    path = os.path.join(folder, "calls")
    return open(path).read().split("\n").count(name) if os.path.exists(path) else 0


def start_plugin():
    global plugin
    plugin = subprocess.Popen([PLUGIN, socket, folder])
    until("the socket", lambda: os.path.exists(socket))


def stop_plugin():
    plugin.kill()
    plugin.wait()
    os.unlink(socket)


def providers(*list_of):
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": list(list_of)}]}


def kms(**more):
    return {"kms": {"apiVersion": "v2", "name": "vault", "endpoint": f"unix://{socket}", "timeout": "2s", **more}}


def setup():
    global api
    os.mkdir(folder)
    set_file("key", "one")
    json.dump(providers(kms(), {"identity": {}}), open(config, "w"))
    start_plugin()
    server.flags = [f"--kube-apiserver-arg=encryption-provider-config={config}"]
    server.start()
    api = server.admin()
    until("the plugin is asked", lambda: ready("kms-provider-0") == 200)


def teardown():
    server.stop()
    stop_plugin()
    server.remove()


def begin():
    """Starts the server, which is not ready."""
    with open(server.log, "ab") as log:
        server.process = subprocess.Popen(server.command(), stdout=log, stderr=log)


def answers(path):
    try:
        return api.get(path).status == 200
    except OSError:
        return False


def ready(check):
    return api.get("/readyz/" + check).status


def make(name, text):
    return api.post(SECRETS, {"metadata": {"name": name}, "stringData": {"k": text}})


def reads(name):
    return base64.b64decode(api.get(f"{SECRETS}/{name}").want(200).json["data"]["k"]).decode()


def stored(name):
    """What lies in the store; the server is stopped for that."""
    server.stop()
    copy = os.path.join(server.folder, "copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(os.path.join(server.folder, "data", "server", "db"), copy)
    url = "http://127.0.0.1:17370"
    with subprocess.Popen([STORE, "serve", "--data-dir", copy, "--listen-client-urls", url, "--advertise-client-urls", url],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        until("the store answers", lambda: subprocess.run([STORE, "endpoint", "health", "--endpoints", url], capture_output=True).returncode == 0)
        text = subprocess.run([STORE, "get", f"/registry/secrets/default/{name}", "--print-value-only", "--endpoints", url], capture_output=True).stdout
        p.kill()
    server.start()
    return text


@case("kms: values are encrypted by keys of a seed; the plugin is asked once")
def _():
    eq(calls("Encrypt"), 1, "one seed")
    for i in range(20):
        make(f"s{i}", f"hidden-{i}").want(201)
    eq(reads("s7"), "hidden-7")
    eq((calls("Encrypt"), calls("Decrypt")), (1, 0))
    text = stored("s7")
    true(text.startswith(b"k8s:enc:kms:v2:vault:"), text[:40])
    true(b"hidden" not in text and b"one" in text and b"version.example.com" in text, "ciphertext, the key's id and the annotation")


@case("kms: after a restart the old seed is decrypted once, and another is in use")
def _():
    eq(reads("s7"), "hidden-7")
    eq(reads("s19"), "hidden-19")
    eq(calls("Decrypt"), 1, "one seed of before")
    until("a seed of its own", lambda: calls("Encrypt") == 2)


@case("kms: another key makes another seed; an update that changes nothing writes the Secret anew by it")
def _():
    before = api.get(f"{SECRETS}/s1").json
    set_file("key", "two")
    server.stop()
    server.start()  # the status is looked at every minute else
    until("the plugin is asked", lambda: ready("kms-provider-0") == 200)
    after = api.put(f"{SECRETS}/s1", api.get(f"{SECRETS}/s1").json).want(200).json
    true(before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"], "written anew")
    eq(api.put(f"{SECRETS}/s1", after).want(200).json["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"])
    true(b"two" in stored("s1"), "the new key's id")
    true(b"two" not in stored("s2"), "what was not written is by the old key")
    eq(reads("s2"), "hidden-2")


@case("kms: a plugin that is away: what was read is read on, the server is not ready, and comes back by itself")
def _():
    set_file("key", "sick")
    server.stop()
    begin()
    until("it serves", lambda: answers("/readyz/cache"))
    answer = until("it says so", lambda: (lambda a: a if b"unexpected healthz status" in a.body else None)(api.get("/readyz?verbose")))
    eq(answer.status, 503)
    has(answer.body.decode(), "got unexpected healthz status: under the weather")
    eq(api.get("/livez").status, 200)
    eq(reads("s2"), "hidden-2")
    refused = make("new", "x")
    eq(refused.status, 503, refused.body)
    has(refused.json["message"], "kms provider vault: nothing can be encrypted")
    api.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "plain"}}).want(201)
    set_file("key", "two")
    until("it is ready", lambda: ready("kms-provider-0") == 200)
    make("new", "x").want(201)


@case("kms: a server that starts before its plugin waits for it")
def _():
    stop_plugin()
    server.stop()
    begin()
    until("it waits", lambda: "kms provider vault" in open(server.log, errors="replace").read())
    start_plugin()
    until("it serves", lambda: answers(f"{SECRETS}/s2"))


@case("kms: a key that is lost is told, and other Secrets are read")
def _():
    set_file("lost", "one")
    server.stop()
    process = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
    true(process.returncode != 0, "it does not start without the key")
    has(process.stdout + process.stderr, "no such key")
    os.unlink(os.path.join(folder, "lost"))
    server.start()
    until("it reads", lambda: api.get(f"{SECRETS}/s2").status == 200)


@case("kms: what is wrong in a configuration is told")
def _():
    for change, told in [({"apiVersion": "v1"}, "apiVersion v1 is deprecated"), ({"apiVersion": None}, "apiVersion v1 is deprecated"), ({"apiVersion": "v3"}, 'unsupported apiVersion "v3"'),
                         ({"name": "a:b"}, "must not contain ':'"), ({"name": ""}, "mandatory field"), ({"endpoint": "tcp://x"}, "must be unix:///PATH"),
                         ({"timeout": "0s"}, "should be a positive value"), ({"cachesize": 5}, "cachesize is not supported in v2"), ({"odd": 1}, 'unknown field "odd"')]:
        other = Server(port=17371)
        bad = os.path.join(server.folder, "bad.yaml")
        json.dump(providers({"kms": {k: v for k, v in kms(**change)["kms"].items() if v is not None}}), open(bad, "w"))
        other.flags = [f"--kube-apiserver-arg=encryption-provider-config={bad}"]
        r = subprocess.run(other.command(), capture_output=True, text=True, timeout=20)
        has(r.stderr, told)
        other.remove()


if __name__ == "__main__":
    harness.leave(harness.run(setup, teardown, *sys.argv[1:2]))
