"""Two servers on one datastore while the database is killed and hung and the servers are killed and frozen, all at random
(SEED=... repeats the order of faults): what was acknowledged is there, once; what was refused is not; counters count each
increment once; and both servers told their watchers the same story. SECONDS=... for longer runs."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

from _databases import KINDS
from harness import Mismatch, Server, case, eq, run, true

kind = sys.argv[1]
seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
seconds = float(os.environ.get("SECONDS", "25"))
PATH = "/api/v1/namespaces/default/configmaps"
database, servers, endpoint = None, [], None
done = threading.Event()
added, maybe, refused = set(), set(), set()  # names: answered 201; nobody knows; answered with a refusal
increments = {"sure": 0, "maybe": 0}
lock = threading.Lock()
told = [{}, {}]  # per server: revision -> (type, name), as watches told it
gaps = []


class Shared(Server):
    def command(self, port=None):
        return [c for c in super().command(port) if c != "--disable-controller-manager"]


def setup():
    global database, endpoint
    print(f"SEED={seed}", flush=True)
    database = KINDS[kind]().start()
    endpoint = database.make_empty("cluster")
    servers.append(Shared(16443, flags=["--datastore-endpoint", endpoint]).start())
    token = open(os.path.join(servers[0].folder, "data", "server", "token")).read().strip()
    servers.append(Shared(16444, flags=["--datastore-endpoint", endpoint, "--token", token]).start())
    servers[0].admin().post(PATH, {"metadata": {"name": "counter"}, "data": {"n": "0"}}).want(201)


def teardown():
    done.set()
    for s in servers:
        s.remove()
    database.remove()


def sure_not(status):
    """The server said that it was not done: 503 is of what was never sent."""
    return status in (409, 422, 429, 503)


def add(index):
    api, i = servers[index].admin(), 0
    api.request_once = True
    while not done.is_set():
        i += 1
        name = f"e-{index}-{threading.get_ident()}-{i}"
        try:
            status = once(index, "POST", PATH, {"metadata": {"name": name}})
        except OSError:
            status = 0
        with lock:
            (added if status == 201 else refused if sure_not(status) else maybe).add(name)
        if status != 201:
            time.sleep(0.05)


def once(index, method, path, body=None):
    """A request on a connection of its own, never repeated: 0 when no answer came."""
    api = servers[index].admin()
    c = api.connect()
    try:
        c.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        r = c.getresponse()
        once.answer = r.read()
        return r.status
    except OSError:
        return 0
    except Exception:  # what http.client says of a connection that ends in the middle
        return 0
    finally:
        c.close()


def increment(index):
    while not done.is_set():
        try:
            o = servers[index].admin().get(PATH + "/counter")
            if o.status != 200:
                time.sleep(0.05)
                continue
            o = o.json
            o["data"]["n"] = str(int(o["data"]["n"]) + 1)
            status = once(index, "PUT", PATH + "/counter", o)
        except (OSError, ValueError):
            time.sleep(0.05)
            continue
        except Exception:
            time.sleep(0.05)
            continue
        with lock:
            if status == 200:
                increments["sure"] += 1
            elif not sure_not(status):
                increments["maybe"] += 1


def follow(index):
    """Lists, and watches from there; from where it was when the watch ends, anew when that is too old."""
    version = None
    while not done.is_set():
        try:
            if version is None:
                version = servers[index].admin().get(PATH).want(200).json["metadata"]["resourceVersion"]
            w = servers[index].admin().watch(f"{PATH}?resourceVersion={version}&timeoutSeconds=5", timeout=8)
            while (e := w.next()) is not None:
                if e["type"] == "ERROR":
                    version = None
                    break
                meta = e["object"]["metadata"]
                revision, what = int(meta["resourceVersion"]), (e["type"], meta["name"])
                if told[index].setdefault(revision, what) != what:
                    gaps.append(f"server {index} told of {revision} twice: {told[index][revision]} and {what}")
                if int(version) > revision:
                    gaps.append(f"server {index} went back from {version} to {revision}")
                version = str(revision)
            w.close()
        except Exception:
            time.sleep(0.1)


def fault(r):
    kind_of = r.choice(["kill database", "pause database", "kill server", "pause server", "pause server"])
    if kind_of == "kill database":
        database.end(signal.SIGKILL)
        time.sleep(r.uniform(0, 1))
        database.start()
    elif kind_of == "pause database":
        database.pause()
        time.sleep(r.uniform(0.2, 3))
        database.go_on()
    else:
        s = servers[r.randrange(2)]
        if kind_of == "kill server":
            s.kill()
            s.start()
        else:
            s.process.send_signal(signal.SIGSTOP)
            time.sleep(r.uniform(0.2, 6))
            s.process.send_signal(signal.SIGCONT)


def settle():
    """Both answer, and agree."""
    deadline = time.time() + 40
    while time.time() < deadline:
        try:
            if all(s.admin().post(PATH, {"metadata": {"generateName": "settled-"}}).status == 201 for s in servers):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise Mismatch("the servers do not write after the faults: " + open(servers[0].log).read()[-1500:])


@case("faults at random, and nothing is lost or doubled")
def _():
    r = random.Random(seed)
    threads = [threading.Thread(target=f, args=(i,), daemon=True) for f in (add, add, increment, follow) for i in (0, 1)]
    for t in threads:
        t.start()
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(r.uniform(0.3, 1.5))
        fault(r)
    settle()
    time.sleep(1)
    done.set()
    for t in threads:
        t.join(30)
    lists = [s.admin().get(PATH).want(200).json for s in servers]
    names = [{o["metadata"]["name"] for o in x["items"]} for x in lists]
    eq(names[0] ^ names[1], set(), "what one server has and the other has not")
    eq(sorted(added - names[0]), [], "acknowledged and lost")
    eq(sorted(refused & names[0]), [], "refused and there")
    print(f"{len(added)} added, {len(maybe)} unknown of which {len(maybe & names[0])} are there, {len(refused)} refused; {increments}", flush=True)
    counter = int(next(o for o in lists[0]["items"] if o["metadata"]["name"] == "counter")["data"]["n"])
    true(increments["sure"] <= counter <= increments["sure"] + increments["maybe"], f"counter {counter}: {increments}")
    true(len(added) > 20 and increments["sure"] > 5, "hardly anything was done")


@case("both servers told the same story, each revision once")
def _():
    eq(gaps, [], "watches")
    both = told[0].keys() & told[1].keys()
    true(len(both) > 10, f"{len(both)} revisions were told by both")
    eq([(x, told[0][x], told[1][x]) for x in sorted(both) if told[0][x] != told[1][x]], [], "different")


@case("each server's copy is the same as the other's")
def _():
    values = [{o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in s.admin().get(PATH).json["items"]} for s in servers]
    eq(values[0], values[1], "versions")


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[2] if len(sys.argv) > 2 else None))
