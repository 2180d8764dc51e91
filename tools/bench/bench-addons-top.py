"""What bench-addons asks of kubectl top: PODS ROUNDS; prints the median milliseconds of `kubectl top pods` and of `kubectl get
pods`, and the megabytes that k3x metrics has resident. The cluster is metrics_test's: a server, k3x metrics beside it, and a
kubelet that is made up."""
import os, statistics, subprocess, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/integration"))
os.chdir(sys.path[0])
import metrics_test as m

pods, rounds = int(sys.argv[1]), int(sys.argv[2])


def took(*args):
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        lines = m.server.kubectl_ok(*args).strip().split("\n")
        times.append((time.perf_counter() - begin) * 1000)
        assert len(lines) == pods + 1, lines[-1]
    return statistics.median(times)


def all_there():
    return len(m.server.kubectl("top", "pods")[1].strip().split("\n")) == pods + 1


m.setup()
try:
    for i in range(pods):
        containers = [{"name": c, "image": "x"} for c in ("main", "helper")]
        m.api.post("/api/v1/namespaces/default/pods", {"metadata": {"name": "pod-%d" % i}, "spec": {"nodeName": "node1", "containers": containers}}).want(201)
        m.cpu["default/pod-%d" % i] = 0.001
    m.until("the API", m.available)
    m.until("all pods", all_there, 60)
    resident = next(int(line.split()[1]) for line in open("/proc/%d/status" % m.program.pid) if line.startswith("VmRSS"))
    print(round(took("top", "pods")), round(took("get", "pods")), round(resident / 1024, 1))
finally:
    m.teardown()
