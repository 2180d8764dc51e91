"""The process: restart, kill -9 under load, a second server, a broken database. Each with a server of its own."""

import hashlib
import os
import subprocess
import threading

import api_test as t
from api_cases_objects import configmap
from harness import Server, case, eq, has, true

CM = "/api/v1/namespaces/default/configmaps"


def own(port):
    return Server(port=port).start()


@case("restart: everything is still there, versions go on, old watches get 410")
def _():
    s = own(17311)
    try:
        api = s.admin()
        made = [api.post(CM, configmap(f"r{i}")).want(201).json for i in range(50)]
        for i in range(5):
            api.patch(CM + "/r0", {"data": {"k": str(i)}}).want(200)
        before = api.get(CM).json
        eq(s.stop(), 0, "exit status")
        s.start()
        api = s.admin()
        eq(api.get(CM).json["items"], before["items"])
        w = api.watch(f"{CM}?resourceVersion={made[0]['metadata']['resourceVersion']}")
        event = w.next()
        w.close()
        eq((event["type"], event["object"]["code"], event["object"]["reason"]), ("ERROR", 410, "Expired"))
        now = api.post(CM, configmap("after")).want(201).json
        true(int(now["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"]), "versions went back")
        api.get(f"/api/v1/namespaces/default/services/kubernetes").want(200)
    finally:
        s.remove()


@case("kill -9 under write load: nothing acknowledged is lost")
def _():
    s = own(17312)
    try:
        for turn in range(2):
            acknowledged, stop = [], threading.Event()

            def write(i):
                api, n = s.admin(), 0
                while not stop.is_set():
                    name = f"k{turn}-{i}-{n}"
                    try:
                        if api.post(CM, configmap(name)).status == 201:
                            acknowledged.append(name)
                    except Exception:
                        return
                    n += 1

            writers = [threading.Thread(target=write, args=(i,)) for i in range(8)]
            for w in writers:
                w.start()
            stop.wait(1.5)
            s.kill()
            stop.set()
            for w in writers:
                w.join()
            true(len(acknowledged) > 100, f"only {len(acknowledged)} writes")
            s.start()
            there = {i["metadata"]["name"] for i in s.admin().get(CM).json["items"]}
            eq([n for n in acknowledged if n not in there], [], "lost")
    finally:
        s.remove()


@case("a second server on the same data directory refuses to start")
def _():
    r = subprocess.run(t.server.command(port=17313), capture_output=True, text=True, timeout=20)
    true(r.returncode not in (0, -6, -11), f"exit {r.returncode}")
    true("another" in r.stderr or "in use" in r.stderr or "lock" in r.stderr, r.stderr)
    t.api.get("/readyz").want(200)


@case("a second server on the same port says so")
def _():
    s = Server(port=t.server.port)
    try:
        r = subprocess.run(s.command(), capture_output=True, text=True, timeout=20)
        true(r.returncode not in (0, -6, -11), f"exit {r.returncode}")
        has(r.stderr, str(t.server.port))
    finally:
        s.remove()


@case("a corrupt database is reported and left as it is")
def _():
    s = own(17314)
    try:
        for i in range(30):
            s.admin().post(CM, configmap(f"c{i}", None, k="x" * 5000)).want(201)
        s.stop()
        path = os.path.join(s.folder, "data/server/db/state.db")
        with open(path, "r+b") as f:
            f.seek(0)
            f.write(b"this is not a database" * 10)
        digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
        r = subprocess.run(s.command(), capture_output=True, text=True, timeout=20)
        true(r.returncode not in (0, -6, -11), f"exit {r.returncode}: {r.stderr}")
        has(r.stderr, "state.db")
        eq(hashlib.sha256(open(path, "rb").read()).hexdigest(), digest, "the file changed")
    finally:
        s.remove()


@case("bad flags are refused with the flag's name")
def _():
    for args, text in ((["--no-such-flag"], "no-such-flag"), (["--https-listen-port", "x"], "https-listen-port"), (["--server", "https://10.0.0.1:6443"], "--server needs --token"), (["--datastore-endpoint", "https://10.0.0.1:2379"], "needs --datastore-cafile"), (["--datastore-endpoint", "nats://10.0.0.1"], "begins with none of postgres://"),
                       (["--service-cidr", "10.0.0.0/99"], "service-cidr")):
        s = Server(port=17315, flags=args)
        try:
            r = subprocess.run(s.command(), capture_output=True, text=True, timeout=20)
            true(r.returncode not in (0, -6, -11), f"{args}: exit {r.returncode}")
            has(r.stderr, text)
        finally:
            s.remove()


@case("the server that took all this stops in order")
def _():
    code = t.server.stop()
    true(code == 0, f"exit {code}: {open(t.server.log).read()[-1500:]}")
