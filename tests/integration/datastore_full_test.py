"""A datastore whose disk (or quota) is full: writes are answered 507 with its words, reads go on, nothing acknowledged is lost, and
it heals by itself when there is room again. Needs root, for a small disk of its own."""

import os
import subprocess
import sys

from _databases import Etcd, MariaDB, Postgres
from harness import Server, case, eq, has, run, true, until

alive = []


def started(database):
    alive.append(database)
    return database.start()


def mount(folder, megabytes, remount=False):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{'remount,' if remount else ''}size={megabytes}m,mode=700", "k3x-full", folder], check=True)


def fills_and_heals(database, endpoint, make_room, words):
    server = Server(16443, flags=["--datastore-endpoint", endpoint]).start()
    alive.append(server)

    def write(name):
        return server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": {"k": os.urandom(100000).hex()}})

    acknowledged, answer = [], None
    for i in range(2000):
        answer = write(f"c{i}")
        if answer.status != 201:
            break
        acknowledged.append(f"c{i}")
    if database.process.poll() is None:
        eq(answer.status, 507, f"{answer.body[:300]} after {len(acknowledged)} writes")
        has(answer.body.decode(), words)
    else:  # MariaDB ends itself where a rollback finds no room: whether the last write is there nobody knows
        eq(answer.status, 504, f"{answer.body[:300]} after {len(acknowledged)} writes")
    server.admin().get("/api/v1/namespaces/default").want(200)
    make_room()
    until("writes go on", lambda: write("after").status in (201, 409), 30)
    there = {o["metadata"]["name"] for o in server.admin().get("/api/v1/namespaces/default/configmaps").want(200).json["items"]}
    missing = set(acknowledged) - there
    true(not missing, f"{len(missing)} acknowledged writes are lost")
    eq(server.stop(), 0, "exit code")
    server.remove()


def teardown():
    for x in alive:
        x.remove()


@case("PostgreSQL")
def _():
    database = started(Postgres())
    small = database.path("small")
    os.mkdir(small)
    mount(small, 12)
    try:
        subprocess.run(["chown", "postgres:postgres", small], check=True)
        r = database.sql(f"CREATE TABLESPACE small LOCATION '{small}'")
        eq(r.returncode, 0, r.stderr)
        endpoint = database.make_empty("filled")
        r = database.sql("ALTER DATABASE filled SET default_tablespace = small")
        eq(r.returncode, 0, r.stderr)
        fills_and_heals(database, endpoint, lambda: mount(small, 200, remount=True), "No space left on device")
    finally:
        database.end()
        subprocess.run(["umount", small], check=True)


@case("MariaDB")
def _():
    database = started(MariaDB())
    endpoint = database.make_empty("filled")
    full = database.path("data/filled")  # the tables' alone: it ends itself where its own logs find no room
    options = open(full + "/db.opt").read()
    mount(full, 12)

    def make_room():
        mount(full, 400, remount=True)
        if database.process.poll() is not None:
            database.start()

    try:
        with open(full + "/db.opt", "w") as f:
            f.write(options)
        subprocess.run(["chown", "-R", "mysql:mysql", full], check=True)
        fills_and_heals(database, endpoint, make_room, "full")
    finally:
        database.end()
        subprocess.run(["umount", full], check=True)


@case("etcd, its quota")
def _():
    database = Etcd()
    plain = database.command()
    database.command = lambda: plain + ["--quota-backend-bytes", str(24 * 1024 * 1024)]
    started(database)

    def make_room():
        database.end()
        database.command = lambda: plain
        database.is_up = lambda: database.ctl("alarm", "disarm").returncode == 0  # not healthy before
        database.start()

    fills_and_heals(database, database.make_empty("x"), make_room, "etcd: its database is full")


if __name__ == "__main__":
    if os.geteuid():
        print("SKIP needs root: a small disk of its own")
        sys.exit(0)
    sys.exit(run(lambda: None, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
