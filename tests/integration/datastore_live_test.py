"""k3x-store migrate --live: a cluster that is written to moves with a short stop of writes. What was acknowledged is there, what is
refused meanwhile says why; who is killed leaves no stop behind, and goes on where it was; a stop that ends too soon moves nothing."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from _databases import MariaDB, Postgres
from harness import K3X, Mismatch, Server, case, eq, has, run, true, until

postgres, mariadb = None, None
first = second = None  # servers
writer = None
work = tempfile.mkdtemp(prefix="k3x-live-")
names = {}


class Writer:
    """Creates ConfigMaps until it is stopped, and knows which were acknowledged."""

    def __init__(self, server):
        self.server, self.acknowledged, self.refused, self.last = server, set(), 0, None
        self.is_stopped = False
        self.held_s, self.held_at = 0.0, None
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        i = 0
        while not self.is_stopped:
            i += 1
            name = f"w{id(self) % 10000}-{i}"
            try:
                r = self.server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": {"k": "v" * 200}})
            except (OSError, Exception) as e:  # the server is stopped
                self.last = str(e)
                time.sleep(0.01)
                continue
            self.last = r.body.decode()
            if r.status == 201:
                self.acknowledged.add(name)
                if self.held_at:
                    self.held_s, self.held_at = time.monotonic() - self.held_at, None
            else:
                self.refused += 1
                if "held back" in self.last and not self.held_at:
                    self.held_at = time.monotonic()
            time.sleep(0.002)

    def is_held(self):
        return self.held_at is not None

    def stop(self):
        self.is_stopped = True
        self.thread.join()
        return self


def migrate_command(*args):
    return [K3X, "store", "migrate", "--work", os.path.join(work, "work"), *args]


def migrate(*args, want=0):
    r = subprocess.run(migrate_command(*args), capture_output=True, text=True, timeout=120)
    if (r.returncode == 0) != (want == 0):
        raise Mismatch(f"migrate {args}: exit {r.returncode}: {r.stderr[-600:]}{r.stdout[-300:]}")
    return r.stdout + r.stderr


def db(server):
    return os.path.join(server.folder, "data", "server", "db")


def configmaps(server):
    r = server.admin().get("/api/v1/configmaps").want(200).json
    return {o["metadata"]["name"]: (o["metadata"]["resourceVersion"], o["metadata"]["uid"]) for o in r["items"]}


def all_there(server, w):
    known = set(w.acknowledged)
    missing = known - set(configmaps(server))
    true(not missing, f"{len(missing)} of {len(known)} acknowledged writes are lost: {sorted(missing)[:3]}")


def setup():
    global postgres, mariadb, first
    postgres, mariadb = Postgres().start(), MariaDB().start()
    first = Server(16443).start()
    for i in range(600):
        first.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"c{i}"}, "data": {"k": os.urandom(5000).hex()}}).want(201)


def teardown():
    if writer:
        writer.stop()
    for s in (first, second):
        if s:
            s.remove()
    for d in (postgres, mariadb):
        d.remove()
    shutil.rmtree(work, ignore_errors=True)


@case("a dry run of a running server holds nothing back")
def _():
    global writer
    names["postgres"] = postgres.make_empty("live")
    writer = Writer(first)
    has(migrate("--from", db(first), "--to", names["postgres"], "--live", "--dry-run"), "nothing was written")
    eq(writer.refused, 0, "refused writes")


@case("who is killed over the write stop leaves none behind")
def _():
    p = subprocess.Popen(migrate_command("--from", db(first), "--to", names["postgres"], "--live", "--write-stop", "2"), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    until("writes are held back", writer.is_held)
    has(writer.last, "writes are held back: the cluster is being moved to another datastore, try again in a moment")
    p.send_signal(signal.SIGKILL)
    p.wait()
    until("writes go on", lambda: not writer.is_held(), 10)
    true(writer.held_s < 8, f"writes were held back for {writer.held_s:.1f} s")
    writer.stop()
    all_there(first, writer)


@case("and goes on where it was: what is there is not sent again")
def _():
    global writer
    writer = Writer(first)
    out = migrate("--from", db(first), "--to", names["postgres"], "--live", "--progress")
    has(out, "read back and compared")
    has(out, "100%")
    true(float(re.search(r"kept +([0-9.]+) MB", out).group(1)) >= 1, out)
    has(out, "k3x-store migrate --undo --live --from")
    until("writes are held back for good", lambda: "the cluster has moved to postgres://" in writer.last)
    true("se%3Acr" not in writer.last and "se:cr" not in writer.last, "a password is told")
    writer.stop()
    stop_s = float(re.search(r"held back for ([0-9.]+) s", out).group(1))
    true(stop_s < 10, f"held back for {stop_s} s")


@case("every acknowledged write is there, and nothing else changed")
def _():
    before = configmaps(first)
    first.stop()
    shutil.move(db(first), db(first) + ".before")
    first.flags = ["--datastore-endpoint", names["postgres"]]
    first.start()
    all_there(first, writer)
    eq(configmaps(first), before, "objects and their versions")
    first.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "after"}}).want(201)


@case("a stop that is over too soon moves nothing, and says so")
def _():
    global writer, second
    second = Server(16444, flags=["--datastore-endpoint", names["postgres"], "--token-file", os.path.join(first.folder, "data", "server", "token")]).start()
    names["mysql"] = mariadb.make_empty("live")
    writer = Writer(second)
    p = subprocess.Popen(migrate_command("--from", names["postgres"], "--to", names["mysql"], "--live", "--write-stop", "1"), stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    until("writes are held back", writer.is_held)
    mariadb.pause()
    until("writes go on", lambda: not writer.is_held(), 10)
    mariadb.go_on()
    out = p.communicate(timeout=90)[0]
    true(p.returncode != 0, out)
    has(out, "the write stop ended before all was moved; writes go on where they were")
    eq(p.returncode, 4, "exit code")


@case("from a datastore that two servers write to, to another")
def _():
    global writer
    names["mysql"] = mariadb.make_empty("live")
    out = migrate("--from", names["postgres"], "--to", names["mysql"], "--live")
    has(out, "read back and compared")
    until("writes are held back for good", lambda: "has moved to" in writer.last)
    eq(first.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "late"}}).status, 503)
    writer.stop()
    for s in (first, second):
        s.stop()
        s.flags = ["--datastore-endpoint", names["mysql"]] + s.flags[2:]
        s.start()
        all_there(s, writer)


@case("a second migration does not cross the first, and an undo lets writes go on")
def _():
    names["postgres"] = postgres.make_empty("again")
    migrate("--from", names["mysql"], "--to", names["postgres"], "--live")
    eq(first.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "late"}}).status, 503)
    names["postgres"] = postgres.make_empty("again")
    has(migrate("--from", names["mysql"], "--to", names["postgres"], "--live", want=1), "held back already")
    has(migrate("--from", names["mysql"], "--undo"), "writes go on")
    first.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "late"}}).want(201)


@case("home again from a datastore that is written to")
def _():
    global writer
    writer = Writer(first)
    home = os.path.join(first.folder, "data", "server", "db")
    shutil.rmtree(home, ignore_errors=True)
    migrate("--from", names["mysql"], "--to", home, "--live")
    until("writes are held back for good", lambda: "has moved to" in writer.last)
    writer.stop()
    for s in (first, second):
        s.stop()
    first.flags = []
    first.start()
    all_there(first, writer)
    first.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "home"}}).want(201)


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
