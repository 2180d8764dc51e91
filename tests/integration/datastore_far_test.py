"""Two servers on one etcd, the one beside it and busy, the other far away: each entry of the log is numbered by who is first, and
the far one has its turn all the same; and one that is killed in its turn holds nobody up for long."""

import asyncio
import os
import sys
import threading
import time

from _databases import Etcd
from harness import Mismatch, Server, case, run, true

DELAY_S = 0.06  # one way
PROXY_PORT = 2398
etcd = near = far = None
writers = []
is_stopped = False
written = [0]


async def pass_on(reader, writer):
    """Bytes come out DELAY_S after they went in, in order."""
    queue = asyncio.Queue()

    async def take():
        try:
            while data := await reader.read(65536):
                queue.put_nowait((time.monotonic() + DELAY_S, data))
        except OSError:
            pass
        queue.put_nowait((time.monotonic() + DELAY_S, b""))

    task = asyncio.ensure_future(take())
    try:
        while True:
            at, data = await queue.get()
            await asyncio.sleep(max(0, at - time.monotonic()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        task.cancel()
        writer.close()


async def connected(reader, writer):
    try:
        there = await asyncio.open_connection("127.0.0.1", etcd.port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer), return_exceptions=True)


def proxy():
    async def main():
        server = await asyncio.start_server(connected, "127.0.0.1", PROXY_PORT)
        await server.serve_forever()

    asyncio.run(main())


def write(server, i):
    n = 0
    while not is_stopped:
        n += 1
        r = server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"near-{i}-{n}"}, "data": {"k": "v" * 100}})
        written[0] += r.status == 201


def setup():
    global etcd, near, far
    etcd = Etcd().start()
    threading.Thread(target=proxy, daemon=True).start()
    near = Server(16443, flags=["--datastore-endpoint", etcd.make_empty("far"), "--token", "far-away"]).start()
    far = Server(16444, flags=["--datastore-endpoint", f"http://127.0.0.1:{PROXY_PORT}", "--token", "far-away"]).start()
    for i in range(6):
        writers.append(threading.Thread(target=write, args=(near, i)))
        writers[-1].start()


def teardown():
    global is_stopped
    is_stopped = True
    for w in writers:
        w.join()
    for s in (near, far):
        if s:
            s.remove()
    etcd.remove()


@case("a far server's writes have their turn beside those of a near one")
def _():
    slow, before, begun = 0, written[0], time.monotonic()
    for i in range(12):
        at = time.monotonic()
        r = far.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"far-{i}"}})
        took = time.monotonic() - at
        if r.status != 201:
            raise Mismatch(f"write {i} of the far server: {r.status} after {took:.1f} s: {r.body[:200]}")
        slow = max(slow, took)
    true(slow < 3, f"a write of the far server took {slow:.1f} s")
    rate = (written[0] - before) / (time.monotonic() - begun)
    true(rate > 20, f"the near server came to {rate:.0f} writes a second meanwhile")
    print(f"slowest far write {slow:.2f} s, near {rate:.0f}/s")


@case("a far server that is killed in its turn holds the near one up for some seconds at most")
def _():
    def last():
        try:
            far.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "last"}})
        except OSError:
            pass

    t = threading.Thread(target=last)
    t.start()
    time.sleep(0.25)
    far.process.kill()
    far.process.wait()
    t.join()
    longest, last, n = 0, time.monotonic(), written[0]
    end = time.monotonic() + 4
    while time.monotonic() < end:
        time.sleep(0.02)
        if written[0] != n:
            n, last = written[0], time.monotonic()
        longest = max(longest, time.monotonic() - last)
    true(longest < 3.5, f"nothing was written for {longest:.1f} s")


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
