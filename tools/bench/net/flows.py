"""Pod to pod: flows.py WAYS ROUNDS SECONDS ASKS OUT.json, see fabric.sh.

A way is a line NAME|FROM|TO|ADDRESS|PEER: two network namespaces below /run/netns, the address of the second, and the way that it is compared
with. Sender and receiver are two processes; where there are two cores a stream has one for each of them, and questions and answers, of
which only one is under way at a time, share one, so that waking up another core is not what is measured."""
import json, os, socket, statistics, sys, time

from policy_net_test import inside

PORT, CHUNK, ASK = 5201, 1 << 20, 64
CORES = sorted(os.sched_getaffinity(0))


class Way:
    def __init__(self, line):
        self.name, self.source, self.target, self.ip, self.peer = line.rstrip("\n").split("|")
        self.rounds = []

    def connect(self):
        """(one end in the first namespace, the other in the second)"""
        with inside("/run/netns/" + self.target):
            listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.ip, PORT))
        listener.listen()
        with inside("/run/netns/" + self.source):
            near = socket.socket()
        near.connect((self.ip, PORT))
        far = listener.accept()[0]
        listener.close()
        for s in near, far:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return near, far

    def median(self, what):
        return statistics.median(r[what] for r in self.rounds)

    def ratio(self, peer, what, upside_down):
        """More is better."""
        pairs = [(a[what], b[what]) for a, b in zip(self.rounds, peer.rounds)]
        return statistics.median(b / a if upside_down else a / b for a, b in pairs)


def beside(work):
    """Runs work() in a process of its own, on the last core; returns what waits for its end and gives what it returned."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, CORES[-1:])
        os.write(write, json.dumps(work()).encode())
        os._exit(0)
    os.close(write)

    def result():
        with os.fdopen(read) as f:
            text = f.read()
        os.waitpid(pid, 0)
        return json.loads(text)

    return result


def stream(way, seconds):
    """Gbit/s that arrive."""
    near, far = way.connect()

    def receive():
        near.close()
        buffer, count, begin = bytearray(CHUNK), 0, time.perf_counter()
        while n := far.recv_into(buffer):
            count += n
        return count * 8 / 1e9 / (time.perf_counter() - begin)

    got = beside(receive)
    far.close()
    chunk, end = bytes(CHUNK), time.perf_counter() + seconds
    while time.perf_counter() < end:
        near.sendall(chunk)
    near.close()
    return got()


def ask(way, count):
    """(p50, p99) in microseconds of a question and its answer."""
    near, far = way.connect()

    def answer():
        near.close()
        while text := far.recv(ASK):
            far.send(text)

    gone = beside(answer)
    far.close()
    took, question = [], bytes(ASK)
    os.sched_setaffinity(0, CORES[-1:])
    for _ in range(count):
        begin = time.perf_counter_ns()
        near.send(question)
        near.recv(ASK)
        took.append((time.perf_counter_ns() - begin) / 1000)
    os.sched_setaffinity(0, CORES[:1])
    near.close()
    gone()
    took.sort()
    return took[count // 2], took[count * 99 // 100]


def show(ways):
    by_name = {w.name: w for w in ways}
    print("%-20s %9s %9s %9s   %s" % ("pod to pod", "Gbit/s", "p50 us", "p99 us", "beside its peer: stream, p50, p99 (more is better)"))
    for w in ways:
        peer = by_name.get(w.peer)
        ratios = "%3.0f %%  %3.0f %%  %3.0f %%" % tuple(100 * w.ratio(peer, *k) for k in (("gbit_s", False), ("p50_us", True), ("p99_us", True))) \
            if peer else ""
        print("%-20s %9.2f %9.1f %9.1f   %s" % (w.name, w.median("gbit_s"), w.median("p50_us"), w.median("p99_us"), ratios))


def main(path, rounds, seconds, asks, out):
    ways = [Way(line) for line in open(path)]
    os.sched_setaffinity(0, CORES[:1])
    for i in range(rounds + 1):  # the first one warms up
        for w in ways if i % 2 else reversed(ways):
            p50, p99 = ask(w, asks)
            w.rounds.append({"gbit_s": stream(w, seconds), "p50_us": p50, "p99_us": p99})
    for w in ways:
        del w.rounds[0]
    show(ways)
    json.dump({w.name: {"peer": w.peer, "rounds": w.rounds} for w in ways}, open(out, "w"))


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
