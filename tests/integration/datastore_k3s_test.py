"""k3x import-k3s and export-k3s: a data directory as k3s leaves it (kine's table with protobuf values, its keys and token; the same
in an etcd's snapshot, in PostgreSQL and in MariaDB) becomes one of k3x, with every object, version and uid; and goes back, read
there by sqlite3 and etcdctl. What does not come along is told."""

import base64
import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from _databases import Etcd, MariaDB, Postgres
from harness import K3X, Mismatch, Server, case, eq, has, run, true

old = new = None
work = tempfile.mkdtemp(prefix="k3x-k3s-")
rows = []  # key, value, version the API server gave
secret_key = b"0123456789abcdef0123456789abcdef"
PROTOBUF = "application/vnd.kubernetes.protobuf"

SCHEMA = """CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name INTEGER, created INTEGER, deleted INTEGER, create_revision INTEGER,
 prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);
CREATE INDEX kine_name_index ON kine (name);
CREATE UNIQUE INDEX kine_name_prev_revision_uindex ON kine (name, prev_revision);"""

# plural -> where kube-apiserver keeps it
PREFIXES = {"namespaces": "namespaces", "configmaps": "configmaps", "secrets": "secrets", "serviceaccounts": "serviceaccounts", "services": "services/specs",
            "deployments": "deployments", "statefulsets": "statefulsets", "roles": "roles", "rolebindings": "rolebindings", "clusterroles": "clusterroles",
            "clusterrolebindings": "clusterrolebindings", "ingresses": "ingress", "horizontalpodautoscalers": "horizontalpodautoscalers", "jobs": "jobs",
            "cronjobs": "cronjobs", "persistentvolumeclaims": "persistentvolumeclaims", "priorityclasses": "priorityclasses",
            "networkpolicies": "networkpolicies", "poddisruptionbudgets": "poddisruptionbudgets", "pods": "pods", "nodes": "minions"}


def make_objects():
    ok = old.kubectl_ok
    ok("create", "namespace", "shop")
    ok("-n", "shop", "create", "serviceaccount", "default")
    ok("-n", "shop", "create", "configmap", "c", "--from-literal=k=v")
    ok("-n", "shop", "create", "secret", "generic", "s", "--from-literal=a=b")
    ok("-n", "shop", "create", "deployment", "web", "--image=nginx:1", "--replicas=3")
    ok("-n", "shop", "create", "service", "clusterip", "web", "--tcp=80:8080")
    ok("-n", "shop", "create", "role", "reader", "--verb=get", "--resource=pods")
    ok("-n", "shop", "create", "rolebinding", "reader", "--role=reader", "--user=jane")
    ok("-n", "shop", "create", "ingress", "web", "--rule=shop.example/*=web:80")
    ok("-n", "shop", "autoscale", "deployment", "web", "--max=5", "--cpu-percent=50")
    ok("-n", "shop", "create", "cronjob", "tick", "--image=x", "--schedule=*/5 * * * *")
    ok("-n", "shop", "create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    ok("apply", "-f", "-", stdin=json.dumps({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "boats.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
                 "versions": [{"name": "v1", "served": True, "storage": True,
                               "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}))
    ok("wait", "--for=condition=Established", "crd/boats.example.com")
    ok("apply", "-f", "-", stdin=json.dumps({"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "b", "namespace": "shop"}, "spec": {"oars": 2}}))


def resources(server):
    api = server.admin()
    found = [("", "v1", r) for r in api.get("/api/v1").json["resources"]]
    for group in api.get("/apis").json["groups"]:
        version = group["preferredVersion"]["groupVersion"]
        found += [(group["name"], version, r) for r in api.get("/apis/" + version).json["resources"]]
    for group, version, r in found:
        if r["name"] in PREFIXES or r["name"] in ("customresourcedefinitions", "boats"):
            yield group, version, r


def stored_key(group, plural, o):
    meta = o["metadata"]
    tail = (meta["namespace"] + "/" if "namespace" in meta else "") + meta["name"]
    if plural in PREFIXES:
        return f"/registry/{PREFIXES[plural]}/{tail}"
    return f"/registry/{group}/{plural}/{tail}"


def seal(plain):
    iv = os.urandom(16)
    r = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-K", secret_key.hex(), "-iv", iv.hex()], input=plain, capture_output=True, check=True)
    return b"k8s:enc:aescbc:v1:key1:" + iv + r.stdout


def collect():
    for group, version, r in resources(old):
        base = "/api/v1" if not group else "/apis/" + version
        for o in old.admin().get(f"{base}/{r['name']}").want(200).json["items"]:
            meta = o["metadata"]
            path = base + (f"/namespaces/{meta['namespace']}" if r["namespaced"] else "") + f"/{r['name']}/{meta['name']}"
            if r["name"] == "boats":
                o.update(apiVersion="example.com/v1", kind="Boat")
                value = json.dumps(o).encode()
            else:
                value = old.admin().get(path, accept=PROTOBUF).want(200).body
                true(value[:4] == b"k8s\0", path)
            rows.append((stored_key(group, r["name"], o), value, path))


def make_kine():
    folder = os.path.join(work, "k3s", "server")
    os.makedirs(os.path.join(folder, "db"))
    os.makedirs(os.path.join(folder, "cred"))
    data = os.path.join(old.folder, "data", "server")
    shutil.copytree(os.path.join(data, "tls"), os.path.join(folder, "tls"))
    shutil.copy(os.path.join(data, "token"), folder)
    with open(os.path.join(folder, "cred", "encryption-config.json"), "w") as f:
        json.dump({"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": [
            {"resources": ["secrets"], "providers": [{"aescbc": {"keys": [{"name": "key1", "secret": base64.b64encode(secret_key).decode()}]}},
                                                     {"identity": {}}]}]}, f)
    db = sqlite3.connect(os.path.join(folder, "db", "state.db"))
    db.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)
    add = "INSERT INTO kine (name, created, deleted, create_revision, prev_revision, lease, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
    db.execute(add, ("compact_rev_key", 1, 0, 0, 0, 0, b""))
    db.execute(add, ("/registry/health", 1, 0, 0, 0, 0, b'{"health":"true"}'))
    db.execute(add, ("/registry/configmaps/shop/gone", 1, 0, 0, 0, 0, b"broken, but of a key that is gone"))
    db.execute(add, ("/registry/configmaps/shop/gone", 0, 1, 3, 3, 0, b""))
    db.execute(add, ("/registry/events/shop/e", 1, 0, 0, 0, 3600, b"k8s\0..."))
    db.execute(add, ("/bootstrap/0123456789ab", 1, 0, 0, 0, 0, b"sealed"))
    db.execute(add, ("/registry/resourceclaims/shop/x", 1, 0, 0, 0, 0, unknown_kind()))
    for key, value, path in rows:
        if "/secrets/" in key:
            value = seal(value)
        first = db.execute(add, (key, 1, 0, 0, 0, 0, value)).lastrowid
        db.execute(add, (key, 0, 0, first, first, 0, value))
    db.commit()
    db.close()


def unknown_kind():
    meta = b"\x0a\x17resource.k8s.io/v1alpha9"[:2] + b"resource.k8s.io/v1alpha9"[:23]
    meta = b"\x0a" + bytes([len(b"resource.k8s.io/v1alpha9")]) + b"resource.k8s.io/v1alpha9" + b"\x12\x0dResourceClaim"
    return b"k8s\0" + b"\x0a" + bytes([len(meta)]) + meta + b"\x12\x00"


def setup():
    global old
    old = Server(16443).start()
    make_objects()
    collect()
    old.stop()
    make_kine()


def teardown():
    for s in (old, new):
        if s:
            s.remove()
    shutil.rmtree(work, ignore_errors=True)


def do_import(*args, want=0, command="import-k3s"):
    r = subprocess.run([K3X, command, *args], capture_output=True, text=True, timeout=60)
    if (r.returncode == 0) != (want == 0):
        raise Mismatch(f"exit {r.returncode}: {r.stdout[-400:]}{r.stderr[-400:]}")
    return r.stdout + r.stderr


def same_objects(with_versions):
    db = sqlite3.connect(os.path.join(work, "k3s", "server", "db", "state.db"))
    ids = dict(db.execute("SELECT name, max(id) FROM kine GROUP BY name"))
    api = new.admin()
    for key, value, path in rows:
        if "system:k3x-" in key:  # no k3s has those
            continue
        got = api.get(path).want(200).json
        before = json.loads(value) if value[:4] != b"k8s\0" else None
        eq(got["metadata"]["uid"], uid_of(key, path), f"uid of {key}")
        if with_versions:
            eq(got["metadata"]["resourceVersion"], str(ids[key]), f"version of {key}")
        if before:
            eq(got["spec"], before["spec"], key)


def uid_of(key, path):
    return uids[path]


uids = {}
state = {}
paths = {}  # where the API has what lies at a key


@case("a dry run tells what comes along, and writes nothing")
def _():
    old.start()
    for key, value, path in rows:
        uids[path] = old.admin().get(path).want(200).json["metadata"]["uid"]
    before = old.admin().get("/apis/apps/v1/namespaces/shop/deployments/web").json
    uids["spec"] = before["spec"]
    old.stop()
    out = do_import("--from", os.path.join(work, "k3s"), "--data-dir", os.path.join(work, "none"), "--dry-run")
    has(out, "dry run")
    has(out, "left out        1 events (events run out)")
    has(out, "left out        1 resourceclaims (not served by k3x)")
    true(not os.path.exists(os.path.join(work, "none", "server")), "something was written")


@case("the cluster goes on under k3x, with its versions, its CA and its token")
def _():
    global new
    new = Server(16444, flags=["--secrets-encryption"])
    data = os.path.join(new.folder, "data")
    has(do_import("--from", os.path.join(work, "k3s"), "--data-dir", data), "imported")
    new.start()
    same_objects(True)
    eq(new.admin().get("/apis/apps/v1/namespaces/shop/deployments/web").json["spec"], uids["spec"])
    eq(new.admin().get("/api/v1/namespaces/shop/secrets/s").json["data"]["a"], base64.b64encode(b"b").decode())
    eq(open(os.path.join(data, "server", "token")).read(), open(os.path.join(work, "k3s", "server", "token")).read())
    for name in ("server-ca.crt", "client-ca.crt", "service.key"):
        eq(open(os.path.join(data, "server", "tls", name)).read(), open(os.path.join(work, "k3s", "server", "tls", name)).read(), name)
    new.kubectl_ok("-n", "shop", "scale", "deployment", "web", "--replicas=4")
    new.kubectl_ok("-n", "shop", "patch", "boat", "b", "--type=merge", "-p", '{"spec":{"oars":4}}')
    new.kubectl_ok("-n", "shop", "delete", "configmap", "c")
    new.kubectl_ok("-n", "shop", "create", "secret", "generic", "sealed", "--from-literal=a=b")


@case("a data directory that has a cluster is left alone")
def _():
    has(do_import("--from", os.path.join(work, "k3s"), "--data-dir", os.path.join(new.folder, "data"), want=1), "has a cluster already")


@case("what is no k3s, or lacks its encryption's key, is told")
def _():
    os.makedirs(os.path.join(work, "empty", "server"))
    has(do_import("--from", os.path.join(work, "empty"), "--data-dir", os.path.join(work, "x"), want=1), "is it k3s's --data-dir?")
    shutil.copytree(os.path.join(work, "k3s"), os.path.join(work, "keyless"))
    os.unlink(os.path.join(work, "keyless", "server", "cred", "encryption-config.json"))
    out = do_import("--from", os.path.join(work, "keyless"), "--data-dir", os.path.join(work, "x"), want=1)
    has(out, "--encryption-config")
    true(not os.path.exists(os.path.join(work, "x", "server")), "something was written")


def everything():
    """What the API has, by the key it is stored at: the object, as it is stored."""
    found = {}
    for group, version, r in resources(new):
        base = "/api/v1" if not group else "/apis/" + version
        for o in new.admin().get(f"{base}/{r['name']}").want(200).json["items"]:
            meta, key = o["metadata"], stored_key(group, r["name"], o)
            paths[key] = base + (f"/namespaces/{meta['namespace']}" if r["namespaced"] else "") + f"/{r['name']}/{meta['name']}"
            found[key] = o
    return found


def same_as_before(key, o, version, before):
    """An object that was read somewhere else: its uid, spec and data, and which version it has there."""
    was = before[key]
    eq(o["metadata"]["uid"], was["metadata"]["uid"], f"uid of {key}")
    eq(str(version), was["metadata"]["resourceVersion"], f"version of {key}")
    true("resourceVersion" not in o["metadata"], f"{key} has its version in it")
    true(o["kind"] and o["apiVersion"], key)
    for name in ("spec", "data", "rules", "metadata"):
        got, want = o.get(name), was.get(name)
        if name == "metadata":
            want = {k: v for k, v in want.items() if k != "resourceVersion"}
        eq(got, want, f"{name} of {key}")


@case("and back to k3s: a dry run tells")
def _():
    state["objects"] = everything()
    eq(new.stop(), 0, "exit code")
    to = os.path.join(work, "back")
    out = do_import("--data-dir", os.path.join(new.folder, "data"), "--to", to, "--dry-run", command="export-k3s")
    has(out, "dry run")
    has(out, "changed         1 secrets (they were encrypted, and are plain then)")
    has(out, "1 server/tls/service.key")
    has(out, "1 server/manifests of yours (copy them)")
    true(not os.path.exists(to), "something was written")


@case("kine's table has every object with its version, read by sqlite3")
def _():
    data, to = os.path.join(new.folder, "data"), os.path.join(work, "back")
    os.makedirs(os.path.join(to, "export.partial", "made"))  # of one that was cut short
    has(do_import("--data-dir", data, "--to", to, command="export-k3s"), "exported")
    eq(os.listdir(to), ["server"], "what is there")
    db = sqlite3.connect(os.path.join(to, "server", "db", "state.db"))
    eq(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
    living = db.execute("SELECT id, name, created, create_revision, prev_revision, lease, value FROM kine WHERE deleted = 0 AND name LIKE '/registry/%'").fetchall()
    names = {name: i for i, name, *_ in living}
    eq(len(names), len(living), "each key once")
    for key in state["objects"]:
        if "/registry/services/endpoints/default" in key or key.endswith("endpointslices/default/kubernetes") or "system:k3x-" in key:
            continue
        true(key in names, f"{key} is missing")
    true("/registry/configmaps/shop/c" not in names, "what was deleted is there")
    for i, name, created, create, prev, lease, value in living:
        o = json.loads(value)
        if name in state["objects"]:
            same_as_before(name, o, i, state["objects"])
        true((created == 1 and create == 0 and prev == 0) or (created == 0 and 0 < create < i and prev < i), f"row {i}")
        eq(lease, 0)
    eq(json.loads(dict((n, v) for _, n, _, _, _, _, v in living)["/registry/secrets/shop/sealed"])["data"]["a"], base64.b64encode(b"b").decode())
    newest = db.execute("SELECT max(id) FROM kine").fetchone()[0]
    eq(db.execute("SELECT prev_revision FROM kine WHERE name = 'compact_rev_key'").fetchall(), [(newest,)], "what is compacted")
    eq(db.execute("SELECT count(*) FROM kine WHERE prev_revision IN (SELECT id FROM kine) AND name <> 'compact_rev_key'").fetchone()[0], 0)
    add = db.execute("INSERT INTO kine (name, created, deleted, create_revision, prev_revision, lease, value) VALUES ('/registry/x', 1, 0, 0, 0, 0, '')")
    eq(add.lastrowid, newest + 1, "where k3s goes on")
    db.close()


@case("its keys and tokens went along")
def _():
    data, to = os.path.join(new.folder, "data", "server"), os.path.join(work, "back", "server")
    for name in ("token", "tls/server-ca.crt", "tls/server-ca.key", "tls/client-ca.key", "tls/service.key", "tls/request-header-ca.crt"):
        eq(open(os.path.join(to, name)).read(), open(os.path.join(data, name)).read(), name)
    secret = open(os.path.join(data, "token")).read().strip().split("::server:")[1]
    eq(list(csv.reader(open(os.path.join(to, "cred", "passwd")))), [[secret, "node", "node", "k3s:agent"], [secret, "server", "server", "k3s:server"]])
    eq(os.stat(os.path.join(to, "cred", "passwd")).st_mode & 0o777, 0o600)


@case("what is there is left alone, and a running server's state too")
def _():
    data, to = os.path.join(new.folder, "data"), os.path.join(work, "back")
    has(do_import("--data-dir", data, "--to", to, command="export-k3s", want=1), "move it away")
    new.start()
    has(do_import("--data-dir", data, "--to", os.path.join(work, "x"), command="export-k3s", want=1), "in use")
    eq(new.stop(), 0, "exit code")


@case("our own reader takes it in again")
def _():
    again = Server(16445)
    try:
        do_import("--from", os.path.join(work, "back"), "--data-dir", os.path.join(again.folder, "data"))
        again.start()
        for key, o in state["objects"].items():
            if "/shop/" in key and "/events/" not in key:
                path = paths[key]
                got = again.admin().get(path).want(200).json
                eq((got["metadata"]["uid"], got["metadata"]["resourceVersion"]), (o["metadata"]["uid"], o["metadata"]["resourceVersion"]), path)
        has(again.kubectl_ok("-n", "shop", "get", "boat", "b", "-o", "jsonpath={.spec.oars}"), "4")
    finally:
        again.remove()


@case("and as a snapshot that etcd restores, read by etcdctl")
def _():
    to = os.path.join(work, "etcd-back")
    has(do_import("--data-dir", os.path.join(new.folder, "data"), "--to", to, "--etcd", command="export-k3s"), "--cluster-reset-restore-path")
    etcd = Etcd()
    try:
        r = subprocess.run(["etcdctl", "snapshot", "restore", os.path.join(to, "server", "db", "snapshots", "from-k3x"), "--data-dir", etcd.path("data"),
                            "--name", "default", "--initial-cluster", f"default=http://127.0.0.1:{etcd.port + 1}", "--initial-advertise-peer-urls",
                            f"http://127.0.0.1:{etcd.port + 1}"], capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"})
        eq(r.returncode, 0, r.stderr)
        etcd.start()
        got = json.loads(etcd.ctl("get", "--prefix", "/registry/", "-w", "json").stdout)
        kvs = {base64.b64decode(kv["key"]).decode(): kv for kv in got["kvs"]}
        for key, o in state["objects"].items():
            if "/shop/" in key and "/events/" not in key:
                true(key in kvs, f"{key} is missing")
                same_as_before(key, json.loads(base64.b64decode(kvs[key]["value"])), kvs[key]["mod_revision"], state["objects"])
    finally:
        etcd.remove()


def living(folder):
    db = sqlite3.connect(os.path.join(folder, "server", "db", "state.db"))
    rows = db.execute("SELECT name, id, value FROM kine WHERE deleted = 0 AND name LIKE '/registry/%' ORDER BY id").fetchall()
    db.close()
    return rows


@case("out of a datastore, and out of a snapshot, it is the same")
def _():
    data, want = os.path.join(new.folder, "data"), living(os.path.join(work, "back"))
    want = [r for r in want if r[0] != "/registry/x"]
    etcd = Etcd().start()
    try:
        name = etcd.make_empty("x")
        r = subprocess.run([K3X, "store", "migrate", "--from", os.path.join(data, "server", "db"), "--to", name], capture_output=True, text=True)
        eq(r.returncode, 0, r.stderr)
        do_import("--data-dir", data, "--datastore-endpoint", name, "--to", os.path.join(work, "of-etcd"), command="export-k3s")
    finally:
        etcd.remove()
    same = [r for r in living(os.path.join(work, "of-etcd")) if r[0] in {w[0] for w in want}]
    eq({r[0]: r[2] for r in same}, {w[0]: w[2] for w in want}, "objects out of a datastore")
    new.start()
    saved = subprocess.run([K3X, "etcd-snapshot", "save", "--data-dir", data, "--dir", work, "--name", "saved"], capture_output=True, text=True)
    eq(new.stop(), 0, "exit code")
    eq(saved.returncode, 0, saved.stderr)
    file = os.path.join(work, [n for n in os.listdir(work) if n.startswith("saved")][0])
    do_import("--data-dir", data, "--from-snapshot", file, "--to", os.path.join(work, "of-snapshot"), command="export-k3s")
    eq({r[0] for r in want} - {r[0] for r in living(os.path.join(work, "of-snapshot"))}, set(), "objects out of a snapshot")


@case("out of a snapshot of its etcd")
def _():
    global new
    etcd = Etcd().start()
    try:
        for key, value, path in rows:
            r = subprocess.run(["etcdctl", "--endpoints", f"http://127.0.0.1:{etcd.port}", "put", key], input=value, capture_output=True,
                               env={**os.environ, "ETCDCTL_API": "3"})
            eq(r.returncode, 0, r.stderr)
        eq(etcd.ctl("snapshot", "save", os.path.join(work, "etcd.snapshot")).returncode, 0)
    finally:
        etcd.remove()
    new.remove()
    new = Server(16444)
    do_import("--from", os.path.join(work, "k3s"), "--from-snapshot", os.path.join(work, "etcd.snapshot"), "--data-dir", os.path.join(new.folder, "data"))
    new.start()
    same_objects(False)


KINE = {  # as kine makes its table there, and how bytes are written
    "postgres": ("""CREATE TABLE kine (id BIGSERIAL PRIMARY KEY, name text COLLATE "C", created INTEGER, deleted INTEGER, create_revision BIGINT,
        prev_revision BIGINT, lease INTEGER, value bytea, old_value bytea);
        CREATE INDEX kine_name_id_index ON kine (name,id);""", "'\\x%s'"),
    "mysql": ("""CREATE TABLE kine (id BIGINT UNSIGNED AUTO_INCREMENT, name VARCHAR(630) CHARACTER SET ascii, created INTEGER, deleted INTEGER,
        create_revision BIGINT UNSIGNED, prev_revision BIGINT UNSIGNED, lease INTEGER, value MEDIUMBLOB, old_value MEDIUMBLOB, PRIMARY KEY (id));
        CREATE INDEX kine_name_id_index ON kine (name,id);""", "X'%s'")}


def fill(database, name):
    schema, bytes_as = KINE[database.kind]
    if database.kind == "postgres":
        command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", name]
    else:
        command = ["mariadb", "--no-defaults", "-u", "root", "-S", database.path("s.sock"), name.rsplit("/", 1)[1]]
    db = sqlite3.connect(os.path.join(work, "k3s", "server", "db", "state.db"))
    text = [schema]
    for i, key, created, deleted, create, prev, lease, value in db.execute("SELECT id, name, created, deleted, create_revision, prev_revision, lease, value FROM kine"):
        text.append(f"INSERT INTO kine (id, name, created, deleted, create_revision, prev_revision, lease, value) VALUES ({i}, '{key}', {created}, {deleted}, "
                    f"{create}, {prev}, {lease}, {bytes_as % bytes(value or b'').hex()});")
    r = subprocess.run(command, input="\n".join(text), capture_output=True, text=True)
    eq(r.returncode, 0, r.stderr)


def out_of(kind):
    global new
    database = kind().start()
    try:
        name = database.make_empty("kubernetes")
        has(do_import("--from", name, "--data-dir", os.path.join(work, "x"), want=1), "is it a datastore of k3s?")
        fill(database, name)
        new.remove()
        new = Server(16444)
        data = os.path.join(new.folder, "data")
        bare = name[: -len("kubernetes")]  # k3s's own default
        has(do_import("--from", bare, "--keys", os.path.join(work, "k3s"), "--data-dir", data), "imported")
        new.start()
        same_objects(True)
        eq(open(os.path.join(data, "server", "tls", "service.key")).read(), open(os.path.join(work, "k3s", "server", "tls", "service.key")).read())
        out = do_import("--from", name, "--encryption-config", os.path.join(work, "k3s", "server", "cred", "encryption-config.json"), "--data-dir",
                        os.path.join(work, "x"), "--dry-run")
        has(out, "--keys names k3s's --data-dir")
    finally:
        database.remove()


@case("out of a PostgreSQL")
def _():
    out_of(Postgres)


@case("out of a MariaDB")
def _():
    out_of(MariaDB)


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
