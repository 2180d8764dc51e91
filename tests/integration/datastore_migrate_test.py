"""k3x-store migrate: a cluster on its own store moves to PostgreSQL, from there to MariaDB, to an etcd, and home again, with
its revisions, leases and keys; and what is refused."""

import os
import re
import shutil
import subprocess
import sys

from _databases import Etcd, MariaDB, Postgres
from harness import K3X, Mismatch, Server, case, eq, has, run, true

postgres, mariadb, etcd = None, None, None
server = None
names = {}
state = {}


def migrate(*args, want=0):
    r = subprocess.run([K3X, "store", "migrate", "--work", os.path.join(server.folder, "work"), *args], capture_output=True, text=True, timeout=120)
    if r.returncode != want and not (want == "refused" and r.returncode):
        raise Mismatch(f"migrate {args}: exit {r.returncode}: {r.stderr[-600:]}{r.stdout[-300:]}")
    return r.stdout + r.stderr


def db():
    return os.path.join(server.folder, "data", "server", "db")


def objects():
    r = server.admin().get("/api/v1/configmaps").want(200).json
    return {(o["metadata"]["namespace"], o["metadata"]["name"]): (o["metadata"]["resourceVersion"], o["metadata"]["uid"]) for o in r["items"]}


def use(endpoint):
    server.flags = ["--datastore-endpoint", endpoint] if endpoint else []


def setup():
    global postgres, mariadb, etcd, server
    postgres, mariadb, etcd = Postgres().start(), MariaDB().start(), Etcd().start()
    names.update(postgres=postgres.make_empty("moved"), mysql=mariadb.make_empty("moved"), etcd=etcd.make_empty("moved"))
    server = Server(16443).start()
    for i in range(200):
        server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"c{i}"}, "data": {"k": "v" * 500}}).want(201)
    for i in range(0, 200, 3):
        server.admin().delete(f"/api/v1/namespaces/default/configmaps/c{i}").want(200)
    server.kubectl_ok("create", "secret", "generic", "s", "--from-literal=a=b")
    state["objects"] = objects()
    server.kubectl_ok("create", "serviceaccount", "mover")
    state["service account"] = server.kubectl_ok("create", "token", "mover").strip()
    eq(server.stop(), 0, "exit code")


def teardown():
    server.remove()
    for d in (postgres, mariadb, etcd):
        d.remove()


def same_cluster():
    eq({k: v for k, v in objects().items() if k[1] != "moved"}, {k: v for k, v in state["objects"].items() if k[1] != "moved"}, "objects and their versions")
    r = server.kubectl("--token", state["service account"], "auth", "whoami")
    has(r[1] + r[2], "system:serviceaccount:default:mover")


@case("a dry run counts and writes nothing")
def _():
    out = migrate("--from", db(), "--to", names["postgres"], "--dry-run")
    has(out, "nothing was written")
    eq(postgres.sql("SELECT 1").returncode, 0)
    r = subprocess.run(["psql", "-qtA", names["postgres"], "-c", "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'k3x%'"],
                       capture_output=True, text=True)
    eq(r.stdout.strip(), "0", "tables")


@case("from a server's own store to PostgreSQL")
def _():
    has(migrate("--from", db(), "--to", names["postgres"]), "read back and compared")
    use(names["postgres"])
    r = subprocess.run(server.command(), capture_output=True, text=True, timeout=30)
    true(r.returncode != 0, "a server with a state of its own took another")
    has(r.stderr, "k3x-store migrate")
    shutil.move(db(), db() + ".before")
    server.start()
    same_cluster()
    server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "moved"}}).want(201)
    state["objects"] = objects()


@case("a target that has something is refused")
def _():
    has(migrate("--from", db() + ".before", "--to", names["postgres"], want="refused"), "empty it first")


@case("a source that is written to meanwhile is told")
def _():
    import threading
    stop = threading.Event()

    def write():
        i = 0
        while not stop.is_set():
            i += 1
            server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"busy{i}"}})

    t = threading.Thread(target=write)
    t.start()
    out = migrate("--from", names["postgres"], "--to", names["mysql"], want="refused")
    stop.set()
    t.join()
    has(out, "written to meanwhile")
    names["mysql"] = mariadb.make_empty("moved")
    state["objects"] = objects()


@case("from PostgreSQL to MariaDB")
def _():
    server.stop()
    migrate("--from", names["postgres"], "--to", names["mysql"])
    use(names["mysql"])
    server.start()
    same_cluster()


@case("from MariaDB to an etcd")
def _():
    server.stop()
    migrate("--from", names["mysql"], "--to", names["etcd"])
    use(names["etcd"])
    server.start()
    same_cluster()


@case("and home again")
def _():
    server.stop()
    shutil.rmtree(db(), ignore_errors=True)
    migrate("--from", names["etcd"], "--to", db())
    use(None)
    server.start()
    same_cluster()
    eq(server.stop(), 0, "exit code")
    server.start()
    same_cluster()


@case("a snapshot of a running cluster goes into a datastore")
def _():
    server.kubectl_ok("get", "nodes")
    r = subprocess.run([K3X, "etcd-snapshot", "save", "--data-dir", os.path.join(server.folder, "data"), "--name", "x"], capture_output=True, text=True)
    eq(r.returncode, 0, r.stderr)
    folder = os.path.join(db(), "snapshots")
    file = os.path.join(folder, sorted(os.listdir(folder))[-1])
    names["postgres"] = postgres.make_empty("again")
    has(migrate("--from", file, "--to", names["postgres"]), "read back and compared")


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
