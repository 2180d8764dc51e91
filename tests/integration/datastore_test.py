"""k3x servers on a datastore outside of them: one, and two that share it; the database is killed, paused and emptied under
them. Which database is the first argument."""

import os
import shutil
import subprocess
import sys
import threading
import time

from _databases import KINDS
from harness import Mismatch, Server, case, eq, has, run, true

kind = sys.argv[1]
database = None
one = two = None
endpoint = None


class Shared(Server):
    """A server with controllers, which are what only one of several may run."""

    def command(self, port=None):
        return [c for c in super().command(port) if c != "--disable-controller-manager"]

    def token(self):
        return open(os.path.join(self.folder, "data", "server", "token")).read().strip()


def wait_for(what, condition, seconds=30):
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            if condition():
                return
        except (OSError, Mismatch):
            pass
        time.sleep(0.05)
    raise Mismatch(f"{what}: not within {seconds} s")


def setup():
    global database, one, two, endpoint
    database = KINDS[kind]().start()
    endpoint = database.make_empty("cluster")
    one = Shared(16443, flags=["--datastore-endpoint", endpoint]).start()


def teardown():
    for server in (one, two):
        if server and server.process.poll() not in (None, 0):
            print(f"the server on {server.port} ended with {server.process.returncode}:\n{log_of(server)[-1500:]}")
        if server:
            server.remove()
    if database:
        database.remove()


def make(server, name, value="v"):
    return server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": {"k": value}})


def value(server, name):
    return server.admin().get(f"/api/v1/namespaces/default/configmaps/{name}").want(200).json["data"]["k"]


def log_of(server):
    return open(server.log).read()


@case("kubectl works on it")
def _():
    one.kubectl_ok("create", "configmap", "first", "--from-literal=k=v")
    has(one.kubectl_ok("get", "configmaps"), "first")
    one.kubectl_ok("create", "deployment", "web", "--image=x")
    wait_for("the replica set of the deployment", lambda: "web-" in one.kubectl_ok("get", "replicasets"))


@case("no password comes into the log")
def _():
    true("se:cr" not in log_of(one) and "%3Acr" not in log_of(one), "the password is in the log")


@case("a restart goes on with what there was, revisions too")
def _():
    before = int(one.admin().get("/api/v1/namespaces/default/configmaps").json["metadata"]["resourceVersion"])
    eq(one.stop(), 0, "exit code")
    one.start()
    eq(value(one, "first"), "v")
    after = int(one.admin().get("/api/v1/namespaces/default/configmaps").json["metadata"]["resourceVersion"])
    true(after >= before, f"revision {after} after {before}")


@case("a server that has lost its copy takes it from the datastore")
def _():
    one.stop()
    shutil.rmtree(os.path.join(one.folder, "data", "server", "datastore"))
    one.start()
    eq(value(one, "first"), "v")


@case("a database that is killed is waited for, and nothing acknowledged is lost")
def _():
    done, stop = [], threading.Event()

    def write():
        i = 0
        while not stop.is_set():
            i += 1
            try:
                if make(one, f"kill-{i}").status == 201:
                    done.append(i)
            except OSError:
                pass

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(3):
        time.sleep(0.5)
        database.end(9)
        time.sleep(0.3)
        database.start()
    n = len(done)
    wait_for("writes after the kill", lambda: len(done) > n + 5)
    stop.set()
    thread.join()
    names = {o["metadata"]["name"] for o in one.admin().get("/api/v1/namespaces/default/configmaps").json["items"]}
    missing = [i for i in done if f"kill-{i}" not in names]
    eq(missing, [], "acknowledged and lost")


@case("a database that hangs is answered with an error in time, and it heals")
def _():
    database.pause()
    began = time.time()
    answer = make(one, "paused")
    took = time.time() - began
    database.go_on()
    true(answer.status in (500, 503, 504), f"status {answer.status}")
    true(took < 14, f"took {took:.1f} s")
    wait_for("a write", lambda: make(one, "healed").status in (201, 409))


@case("a second server with the same name and token is of the same cluster")
def _():
    global two
    refused = Shared(16444, flags=["--datastore-endpoint", endpoint])
    r = subprocess.run(refused.command(), capture_output=True, text=True, timeout=60)
    refused.remove()
    true(r.returncode != 0, "a server without the token came in")
    has(r.stderr, "--token")
    two = Shared(16444, flags=["--datastore-endpoint", endpoint, "--token", one.token()]).start()
    eq(value(two, "first"), "v")
    make(two, "of-two").want(201)
    eq(value(one, "of-two"), "v")
    two.kubectl_ok("get", "configmaps")


@case("a server with other addresses for services is refused, by the flag's name")
def _():
    other = Shared(16445, flags=["--datastore-endpoint", endpoint, "--token", one.token(), "--service-cidr", "10.99.0.0/16", "--cluster-dns", "10.99.0.10"])
    r = subprocess.run(other.command(), capture_output=True, text=True, timeout=60)
    other.remove()
    true(r.returncode != 0, "it came in")
    has(r.stderr, "service-cidr")


@case("a watch on one server tells what is written on the other")
def _():
    version = one.admin().get("/api/v1/namespaces/default/configmaps").json["metadata"]["resourceVersion"]
    watch = one.admin().watch(f"/api/v1/namespaces/default/configmaps?resourceVersion={version}")
    for i in range(20):
        make(two if i % 2 else one, f"told-{i}").want(201)
    names = [e["object"]["metadata"]["name"] for e in watch.take(20)]
    watch.close()
    eq(names, [f"told-{i}" for i in range(20)])


@case("both writing the same object at once lose no update")
def _():
    make(one, "counter", "0").want(201)

    def add(server):
        api = server.admin()
        for _ in range(25):
            while True:
                o = api.get("/api/v1/namespaces/default/configmaps/counter").want(200).json
                o["data"]["k"] = str(int(o["data"]["k"]) + 1)
                if api.put("/api/v1/namespaces/default/configmaps/counter", o).status == 200:
                    break

    threads = [threading.Thread(target=add, args=(s,)) for s in (one, two)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(value(one, "counter"), "50")
    eq(value(two, "counter"), "50")


@case("addresses of services are given once")
def _():
    found = []

    def services(server, prefix):
        api = server.admin()
        for i in range(20):
            r = api.post("/api/v1/namespaces/default/services", {"metadata": {"name": f"{prefix}{i}"}, "spec": {"ports": [{"port": 80}]}}).want(201)
            found.append(r.json["spec"]["clusterIP"])

    threads = [threading.Thread(target=services, args=a) for a in ((one, "a"), (two, "b"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(len(found), 40)
    eq(len(set(found)), 40, "addresses")


@case("when the server that leads is killed the other goes on, controllers too")
def _():
    leader, other = (one, two) if "store: leading" in log_of(one).split("store: following")[-1] else (two, one)
    leader.kill()
    make(other, "alone").want(201)
    other.kubectl_ok("create", "deployment", "after", "--image=x")
    wait_for("controllers of the other", lambda: "after-" in other.kubectl_ok("get", "replicasets"))
    leader.start()
    eq(value(leader, "alone"), "v")


@case("a server is not led by the hand into an empty datastore")
def _():
    two.stop()
    if kind == "etcd":
        return  # there is one keyspace, and the other server lives in it
    two.flags[1] = database.make_empty("another")
    r = subprocess.run(two.command(), capture_output=True, text=True, timeout=60)
    true(r.returncode != 0, "it began there anew")
    has(r.stderr, "another datastore")
    two.flags[1] = endpoint
    two.start()
    eq(value(two, "alone"), "v")


@case("a datastore that is emptied under a server is an error, and no new cluster")
def _():
    two.stop()
    if kind == "etcd":
        eq(database.ctl("del", "--prefix", "k3x/").returncode, 0)
    elif kind == "mysql":
        eq(database.sql("DROP TABLE cluster.k3x_meta, cluster.k3x_log, cluster.k3x_snapshot").returncode, 0)
    else:
        subprocess.run(["psql", "-q", endpoint, "-c", "DROP TABLE k3x_meta, k3x_log, k3x_snapshot"], check=True)
    wait_for("an error", lambda: one.process.poll() is not None or make(one, "lost").status >= 500)
    if kind == "postgres":
        r = subprocess.run(["psql", "-qtA", endpoint, "-c", "SELECT count(*) FROM pg_class WHERE relname = 'k3x_meta'"], capture_output=True, text=True)
        eq(r.stdout.strip(), "0", "new tables")


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[2] if len(sys.argv) > 2 else None))
