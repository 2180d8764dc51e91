"""What policies.sh does by the API and by packets: policies.py KUBECONFIG.json pods N POLICIES | policies N | connect | change."""
import socket, statistics, sys, time

from policy_net_test import Api, Listeners, addresses, inside, os, policies_path, run_probes, wait_for

api, what = Api(sys.argv[1]), sys.argv[2]


def netns_of(pod):
    ip = api.call("GET", "/api/v1/namespaces/default/pods/" + pod)["status"]["podIP"]
    return next("/run/netns/" + n for n in os.listdir("/run/netns") if n.startswith("cni-") and ip in addresses("/run/netns/" + n)), ip


def make_pods(count, groups):
    """On a node that nobody runs; their addresses are given by hand."""
    for i in range(count):
        name = "far%d" % i
        api.call("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": name, "labels": {"app": str(i % groups)}}, "spec": {
            "nodeName": "far", "containers": [{"name": "c", "image": "none"}]}})
        ip = "10.42.%d.%d" % (200 + i // 250, 1 + i % 250)
        api.call("PATCH", "/api/v1/namespaces/default/pods/%s/status" % name,
                 {"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}}, "application/merge-patch+json")


def make_policies(count):
    for i in range(count):
        api.call("POST", policies_path("default"), {"metadata": {"name": "p%d" % i}, "spec": {"podSelector": {"matchExpressions": [
            {"key": "bench", "operator": "Exists"}]}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": str(i)}}}]}]}})
    api.merge("/api/v1/namespaces/default/pods/a", {"metadata": {"labels": {"app": str(count - 1)}}})


def listen():
    target, ip = netns_of("b")
    listeners = Listeners()
    listeners.add(target)
    listeners.start()
    return netns_of("a")[0], ip


def connect():
    source, ip = listen()
    wait_for(10, lambda: run_probes([(source, ip, "TCP", 80)], 0.2)[0])
    took = []
    for _ in range(1000):
        with inside(source):
            s = socket.socket()
        begin = time.perf_counter()
        s.connect((ip, 80))
        took.append(time.perf_counter() - begin)
        s.close()
    print("%.0f" % (statistics.median(took) * 1e6))


def change():
    source, ip = listen()
    path = "/api/v1/namespaces/default/pods/a"
    passes = lambda: run_probes([(source, ip, "UDP", 80)], 0.001)[0]
    took = []
    for _ in range(30):
        api.merge(path, {"metadata": {"labels": {"app": "none"}}})
        time.sleep(0.2)  # the last change is written by itself
        wait_for(10, lambda: not run_probes([(source, ip, "UDP", 80)], 0.05)[0])
        begin = time.perf_counter()
        api.merge(path, {"metadata": {"labels": {"app": "0"}}})
        while not passes():
            pass
        took.append((time.perf_counter() - begin) * 1000)
    print("%.0f %.0f" % (statistics.median(took), max(took)))


if what == "pods":
    make_pods(int(sys.argv[3]), int(sys.argv[4]))
elif what == "policies":
    make_policies(int(sys.argv[3]))
elif what == "connect":
    connect()
else:
    change()
