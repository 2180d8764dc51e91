#!/usr/bin/env python3
"""Secrets at rest as operators meet them: --secrets-encryption and its command, configurations of one's own, and what lies in
the store, which is looked at with k3x-store on the data of a server that was stopped, and in its snapshots.

Usage: encryption_test.py [PART OF A CASE'S NAME]. Starts and stops its own servers; exit status 0 when every case passed."""

import base64
import json
import os
import shutil
import subprocess
import sys

import harness
from harness import K3X, ROOT, Mismatch, Server, case, contains, eq, has, true, until

STORE = os.path.join(ROOT, "build", "k3x-store")
SECRETS = "/api/v1/namespaces/default/secrets"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
server = Server(port=17362)
api = None
data = os.path.join(server.folder, "data")
config = os.path.join(data, "server", "cred", "encryption-config.json")


def setup():
    pass


def start(*flags):
    global api
    server.flags = list(flags)
    server.start()
    api = server.admin()


def begin_anew():
    server.stop()
    shutil.rmtree(data)
    os.unlink(server.kubeconfig)


def make(name, text, path=SECRETS):
    field = {"stringData": {"k": text}} if path == SECRETS else {"data": {"k": text}}
    return api.post(path, {"metadata": {"name": name}, **field}).want(201)


def reads(name):
    return base64.b64decode(api.get(f"{SECRETS}/{name}").want(200).json["data"]["k"]).decode()


class Store:
    """The data of a stopped server, served by itself."""

    def __enter__(self):
        self.folder = os.path.join(server.folder, "copy")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(os.path.join(data, "server", "db"), self.folder)
        self.process = subprocess.Popen([STORE, "serve", "--data-dir", self.folder, "--listen-client-urls", "http://127.0.0.1:17363",
                                         "--advertise-client-urls", "http://127.0.0.1:17363"], stdout=subprocess.DEVNULL, stderr=open(server.log, "ab"))
        until("the store answers", lambda: subprocess.run([STORE, "endpoint", "health", "--endpoints", "http://127.0.0.1:17363"], capture_output=True).returncode == 0)
        return self

    def get(self, key):
        r = subprocess.run([STORE, "get", key, "--print-value-only", "--endpoints", "http://127.0.0.1:17363"], capture_output=True)
        eq(r.returncode, 0, r.stderr.decode())
        return r.stdout

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def encrypt(*args, fails=False):
    r = subprocess.run([K3X, "secrets-encrypt", *args, "--kubeconfig", server.kubeconfig], capture_output=True, text=True, timeout=60)
    if (r.returncode != 0) != fails:
        raise Mismatch(f"secrets-encrypt {' '.join(args)}: exit {r.returncode}: {r.stdout} {r.stderr}")
    return r.stderr if fails else r.stdout


def status():
    return json.loads(encrypt("status", "-o", "json"))


def stored(name):
    """How a Secret lies in the store: stops the server."""
    server.stop()
    with Store() as s:
        return s.get(f"/registry/secrets/default/{name}")


@case("with the flag a cluster's first Secret is encrypted, and all else is not")
def _():
    start("--secrets-encryption")
    make("first", "marmalade-one")
    make("plain", "marmalade-two", CONFIGMAPS)
    eq(reads("first"), "marmalade-one")
    contains(status(), {"enabled": True, "stage": "start", "hashesMatch": True, "keys": [{"active": True, "type": "AES-CBC", "name": "aescbckey"}]})
    out = encrypt("status")
    for words in ("Encryption Status: Enabled", "Current Rotation Stage: start", "All hashes match", " *      AES-CBC            aescbckey"):
        has(out, words)
    eq(os.stat(config).st_mode & 0o777, 0o600)
    server.stop()
    with Store() as s:
        true(s.get("/registry/secrets/default/first").startswith(b"k8s:enc:aescbc:v1:aescbckey:"), "the value has kube-apiserver's prefix")
        true(b"marmalade-two" in s.get("/registry/configmaps/default/plain"), "others are plain")


@case("a snapshot holds ciphertext alone")
def _():
    start()
    made = subprocess.run([K3X, "etcd-snapshot", "save", "-o", "json", "--kubeconfig", server.kubeconfig], capture_output=True, text=True, timeout=60)
    eq(made.returncode, 0, made.stderr)
    bytes = open(json.loads(made.stdout)["location"].removeprefix("file://"), "rb").read()
    plain = base64.b64encode(b"marmalade-one")
    true(plain not in bytes and b"marmalade-one" not in bytes, "the Secret is not to be read")
    true(b"marmalade-two" in bytes, "as what is not encrypted is")
    for folder, _, files in os.walk(os.path.join(data, "server", "db")):
        for f in files:
            bytes = open(os.path.join(folder, f), "rb").read()
            true(plain not in bytes and b"marmalade-one" not in bytes, f"nor in {f}")


@case("a restart reads what was written; an update that changes nothing writes nothing")
def _():
    eq(reads("first"), "marmalade-one")
    before = api.get(f"{SECRETS}/first").json
    after = api.put(f"{SECRETS}/first", before).want(200).json
    eq(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"])
    eq(len(api.get(SECRETS).json["items"]), 1)
    eq(api.get(f"{SECRETS}?resourceVersion={before['metadata']['resourceVersion']}&resourceVersionMatch=Exact").want(200).json["items"][0]["data"]["k"],
       base64.b64encode(b"marmalade-one").decode())


@case("the key is changed step by step, each in its stage")
def _():
    version = api.get(f"{SECRETS}/first").json["metadata"]["resourceVersion"]
    has(encrypt("rotate", fails=True), "rotate follows stage prepare, and the cluster is at start")
    has(encrypt("reencrypt", fails=True), "reencrypt follows stage rotate")
    has(encrypt("prepare"), "Current Rotation Stage: prepare")
    has(encrypt("prepare", fails=True), "prepare follows stage reencrypt_finished")
    keys = status()["keys"]
    eq([k["active"] for k in keys], [True, False])
    has(encrypt("rotate"), "Current Rotation Stage: rotate")
    eq([k["name"] for k in status()["keys"]], [keys[1]["name"], keys[0]["name"]])
    eq(reads("first"), "marmalade-one")
    make("second", "marmalade-three")
    out = encrypt("reencrypt")
    has(out, "2 secrets were written anew")
    has(out, "Current Rotation Stage: reencrypt_finished")
    eq([k["name"] for k in status()["keys"]], [keys[1]["name"]])
    true(api.get(f"{SECRETS}/first").json["metadata"]["resourceVersion"] != version, "it was written anew")
    eq(reads("first"), "marmalade-one")
    prefix = f"k8s:enc:aescbc:v1:{keys[1]['name']}:".encode()
    server.stop()
    with Store() as s:
        for name in ("first", "second"):
            true(s.get(f"/registry/secrets/default/{name}").startswith(prefix), f"{name} is by the new key")


@case("one command does it all, and may change the cipher")
def _():
    start("--secrets-encryption")
    out = encrypt("rotate-keys", "--provider", "secretbox")
    has(out, "XSalsa20-POLY1305")
    eq(len(status()["keys"]), 1)
    eq((reads("first"), reads("second")), ("marmalade-one", "marmalade-three"))
    true(stored("first").startswith(b"k8s:enc:secretbox:v1:secretboxkey-"), "NaCl's box now")


@case("a snapshot of before opens in an empty folder with the token, by the keys of its time")
def _():
    start()
    made = json.loads(subprocess.run([K3X, "etcd-snapshot", "save", "-o", "json", "--kubeconfig", server.kubeconfig], capture_output=True, text=True, timeout=60).stdout)
    encrypt("rotate-keys")
    server.stop()
    snapshot = os.path.join(server.folder, "snapshot")
    shutil.copy(made["location"].removeprefix("file://"), snapshot)
    token = open(os.path.join(data, "server", "token")).read().strip()
    os.rename(data, data + ".away")
    server.flags = ["--token", token]
    reset = subprocess.run(server.command() + ["--cluster-reset", "--cluster-reset-restore-path", snapshot], capture_output=True, text=True, timeout=60)
    eq(reset.returncode, 0, reset.stderr[-600:])
    start("--token", token)
    eq((reads("first"), reads("second")), ("marmalade-one", "marmalade-three"))
    server.stop()
    shutil.rmtree(data)
    os.rename(data + ".away", data)


@case("disabled, Secrets are written plain; enabled, encrypted again")
def _():
    start()
    has(encrypt("disable"), "Encryption Status: Disabled")
    eq(reads("first"), "marmalade-one")
    encrypt("reencrypt", "-f", "--skip")
    true(stored("first").startswith(b"{"), "plain")
    start()
    has(encrypt("enable"), "Encryption Status: Enabled")
    encrypt("reencrypt", "-f", "--skip")
    true(stored("first").startswith(b"k8s:enc:secretbox:"), "encrypted")


@case("without the key the server does not start, and says which is missing")
def _():
    os.rename(config, config + ".away")
    r = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
    true(r.returncode != 0, "it does not start")
    has(r.stderr, "is stored encrypted (k8s:enc:secretbox:v1:secretboxkey-")
    os.rename(config + ".away", config)
    start()
    eq(reads("first"), "marmalade-one")
    server.stop()


@case("a cluster that was begun without takes the flag later")
def _():
    begin_anew()
    start()
    make("old", "marmalade-four")
    has(encrypt("status"), "Disabled, no configuration file found")
    has(encrypt("prepare", fails=True), "enable makes one")
    server.stop()
    start("--secrets-encryption", "--secrets-encryption-provider=secretbox")
    until("it is enabled", lambda: status()["enabled"])
    make("new", "marmalade-five")
    eq((reads("old"), reads("new")), ("marmalade-four", "marmalade-five"))
    encrypt("reencrypt", "-f", "--skip")
    server.stop()
    with Store() as s:
        for name in ("old", "new"):
            true(s.get(f"/registry/secrets/default/{name}").startswith(b"k8s:enc:secretbox:v1:secretboxkey:"), f"{name} is encrypted")


def own_config(providers, resources='["secrets"]', file="own.yaml"):
    path = os.path.join(server.folder, file)
    with open(path + ".new", "w") as f:
        f.write("apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n"
                f"- resources: {resources}\n  providers: {json.dumps(providers)}\n")
    os.rename(path + ".new", path)
    return path


def key(name, size=32):
    return {"name": name, "secret": base64.b64encode(bytes([len(name)] * size)).decode()}


@case("a configuration of one's own holds for what it names, by wildcards too, and is read again")
def _():
    begin_anew()
    path = own_config([{"aesgcm": {"keys": [key("one")]}}, {"identity": {}}], '["configmaps", "*.apps"]')
    start(f"--kube-apiserver-arg=encryption-provider-config={path}", "--kube-apiserver-arg=encryption-provider-config-automatic-reload=true")
    make("c", "marmalade-six", CONFIGMAPS)
    make("s", "marmalade-seven")
    has(encrypt("prepare", fails=True), "encryption-provider-config")
    own_config([{"secretbox": {"keys": [key("three-and")]}}, {"aesgcm": {"keys": [key("one")]}}], '["configmaps", "*.apps"]')
    # an update without a change is written by the new key, once the server has it
    version = api.get(f"{CONFIGMAPS}/c").json["metadata"]["resourceVersion"]
    until("the new key writes", lambda: api.put(f"{CONFIGMAPS}/c", api.get(f"{CONFIGMAPS}/c").json).want(200).json["metadata"]["resourceVersion"] != version, 30)
    api.post("/apis/apps/v1/namespaces/default/controllerrevisions", {"metadata": {"name": "r"}, "revision": 1, "data": {}}).want(201)
    server.stop()
    with Store() as s:
        true(s.get("/registry/configmaps/default/c").startswith(b"k8s:enc:secretbox:v1:three-and:"), "by the new key")
        true(s.get("/registry/controllerrevisions/default/r").startswith(b"k8s:enc:secretbox:v1:three-and:"), "the group's wildcard")
        true(s.get("/registry/secrets/default/s").startswith(b"{"), "what is not named is plain")


@case("a configuration that does not read leaves the one before in use")
def _():
    path = os.path.join(server.folder, "own.yaml")
    start(f"--kube-apiserver-arg=encryption-provider-config={path}", "--kube-apiserver-arg=encryption-provider-config-automatic-reload")
    with open(path, "a") as f:
        f.write("x: y\n")
    until("it is told", lambda: 'the encryption configuration stays as it was error="' in open(server.log).read(), 30)
    make("d", "marmalade-eight", CONFIGMAPS)
    has(api.get("/metrics").body.decode(), 'automatic_reloads_total{status="failure"} 1')
    server.stop()


def refuses(words, *flags):
    server.flags = list(flags)
    r = subprocess.run(server.command(), capture_output=True, text=True, timeout=30)
    true(r.returncode != 0, f"{flags} is taken")
    has(r.stderr, words)


@case("what is wrong is told at the start")
def _():
    arg = "--kube-apiserver-arg=encryption-provider-config="
    refuses("must be 16, 24 or 32 bytes", arg + own_config([{"aescbc": {"keys": [key("short", 5)]}}], file="bad.yaml"))
    refuses("apiVersion v1 is deprecated", arg + own_config([{"kms": {"apiVersion": "v1", "name": "k", "endpoint": "unix:///x"}}], file="bad.yaml"))
    refuses("No such file", arg + "/none.yaml")
    refuses("keeps an encryption configuration of its own", arg + own_config([{"identity": {}}], file="bad.yaml"), "--secrets-encryption")
    refuses("--secrets-encryption-provider", "--secrets-encryption", "--secrets-encryption-provider=kms")


if __name__ == "__main__":
    harness.leave(harness.run(setup, server.remove, *sys.argv[1:2]))
