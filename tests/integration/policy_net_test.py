"""Who reaches whom, under more than forty sets of NetworkPolicies: see policy_net_test.sh, which starts this.

Usage: policy_net_test.py KUBECONFIG.json PREFIX matrix|more [PART OF A CASE'S NAME], or ... restart FOLDER

Each pod's network namespace gets servers of ours (TCP and UDP, ports 80 and 81), and each probe is a socket made in a pod's
namespace. All probes of a matrix run at once, in one epoll; what is not answered in time does not pass. The wanted matrix comes
from a model of networking.k8s.io/v1 that knows nothing of nftables.
"""
import base64, ctypes, http.client, ipaddress, json, os, select, socket, ssl, subprocess, sys, tempfile, threading, time

NAMESPACES, NAMES = "xyz", "abc"
PORTS = [("TCP", 80), ("TCP", 81), ("UDP", 80), ("UDP", 81)]
NAMED = {"serve-80-tcp": ("TCP", 80), "serve-81-tcp": ("TCP", 81), "serve-80-udp": ("UDP", 80)}
WAIT_S, SETTLE_S = 0.35, 10

libc = ctypes.CDLL(None, use_errno=True)
results = []


def ok(name, note=""):
    results.append(True)
    print("ok   %s%s" % (name, "  (%s)" % note if note else ""), flush=True)


def bad(name, why):
    results.append(False)
    print("FAIL %s: %s" % (name, why), flush=True)


def check(name, is_so, why=""):
    ok(name) if is_so else bad(name, why)


# ---- network namespaces ----

home = os.open("/proc/self/ns/net", os.O_RDONLY)


class inside:
    """Sockets made in here belong to that namespace for good. One thread at a time: setns() is of the thread."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        fd = os.open(self.path, os.O_RDONLY)
        if libc.setns(fd, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)

    def __exit__(self, *_):
        libc.setns(home, 0x40000000)


def addresses(path):
    out = subprocess.run(["nsenter", "--net=" + path, "ip", "-j", "-4", "addr", "show", "dev", "eth0"], capture_output=True, text=True)
    return [a["local"] for link in json.loads(out.stdout or "[]") for a in link.get("addr_info", [])]


# ---- the API ----

class Api:
    def __init__(self, path):
        c = json.load(open(path))
        user, cluster = c["users"][0]["user"], c["clusters"][0]["cluster"]
        self.at = cluster["server"].split("//")[1]
        self.context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self.context.check_hostname = False
        with tempfile.NamedTemporaryFile() as f:
            f.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
            f.flush()
            self.context.load_cert_chain(f.name)
        self.connection = None

    def call(self, method, path, body=None, type="application/json", may_fail=False):
        for last in (False, True):
            try:
                self.connection = self.connection or http.client.HTTPSConnection(self.at, context=self.context, timeout=20)
                self.connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": type})
                r = self.connection.getresponse()
                text = r.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if last:
                    raise
        if r.status >= 300 and not may_fail:
            raise RuntimeError("%s %s: %d %s" % (method, path, r.status, text[:300]))
        return json.loads(text)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")


def policies_path(ns, name=""):
    return "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies%s" % (ns, "/" + name if name else "")


# ---- pods, and who listens in them ----

class Pod:
    def __init__(self, o):
        self.ns, self.name = o["metadata"]["namespace"], o["metadata"]["name"]
        self.labels, self.node = o["metadata"].get("labels", {}), o["spec"]["nodeName"]
        self.ip = o["status"]["podIP"]
        self.netns = None

    def __repr__(self):
        return self.ns + "/" + self.name


class Listeners(threading.Thread):
    """Answers on the ports of all pods."""

    def __init__(self):
        super().__init__(daemon=True)
        self.epoll, self.sockets = select.epoll(), {}

    def add(self, netns, ports=PORTS):
        with inside(netns):
            for protocol, port in ports:
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("0.0.0.0", port))
                s.setblocking(False)
                if protocol == "TCP":
                    s.listen(1000)
                self.sockets[s.fileno()] = s
                self.epoll.register(s.fileno(), select.EPOLLIN)

    def answer(self, s):
        try:
            if s.type == socket.SOCK_DGRAM:
                data, who = s.recvfrom(100)
                s.sendto(data, who)
            elif s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                c, _ = s.accept()
                c.setblocking(False)
                self.sockets[c.fileno()] = c
                self.epoll.register(c.fileno(), select.EPOLLIN)
            else:
                data = s.recv(100)
                if not data:
                    raise ConnectionError
                s.send(data)
        except BlockingIOError:
            pass
        except OSError:
            if s.type == socket.SOCK_STREAM:
                del self.sockets[s.fileno()]
                self.epoll.unregister(s.fileno())
                s.close()

    def run(self):
        while True:
            for fd, _ in self.epoll.poll():
                if fd in self.sockets:
                    self.answer(self.sockets[fd])


# ---- probes ----

class Probe:
    """One packet there and back, or a connection and a byte each way."""

    def __init__(self, netns, ip, protocol, port):
        with inside(netns):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.passed, self.is_tcp, self.sent = False, protocol == "TCP", False
        try:
            self.socket.connect((ip, port))
        except BlockingIOError:
            pass
        except OSError:
            pass

    def step(self, events):
        """True: no more to come."""
        try:
            if not self.sent and events & select.EPOLLOUT:
                if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return True
                self.socket.send(b"x")
                self.sent = True
            elif events & select.EPOLLIN:
                self.passed = self.socket.recv(10) == b"x"
                return True
            return False
        except BlockingIOError:
            return False
        except OSError:
            return True


def run_probes(wanted, wait_s=WAIT_S):
    """[(netns, ip, protocol, port)] -> [bool]"""
    probes = [Probe(*w) for w in wanted]
    poll, left = select.epoll(), {}
    for p in probes:
        left[p.socket.fileno()] = p
        poll.register(p.socket.fileno(), select.EPOLLOUT | select.EPOLLIN)
    end = time.monotonic() + wait_s
    while left and time.monotonic() < end:
        for fd, events in poll.poll(max(0, end - time.monotonic())):
            p = left.get(fd)
            if p is None:
                continue
            if p.step(events):
                poll.unregister(fd)
                del left[fd]
            elif p.sent:
                poll.modify(fd, select.EPOLLIN)
    for p in probes:
        p.socket.close()
    return [p.passed for p in probes]


# ---- the model ----

def selects(selector, labels):
    if selector is None:
        return False
    for k, v in selector.get("matchLabels", {}).items():
        if labels.get(k) != v:
            return False
    for e in selector.get("matchExpressions", []):
        have, op = labels.get(e["key"]), e["operator"]
        holds = {"In": have in e.get("values", []), "NotIn": have not in e.get("values", []), "Exists": have is not None,
                 "DoesNotExist": have is None}[op]
        if not holds:
            return False
    return True


class Model:
    def __init__(self, pods, namespaces, policies):
        self.pods, self.namespaces, self.policies = pods, namespaces, policies

    def peer_fits(self, ns, peer, pod):
        if "ipBlock" in peer:
            ip = ipaddress.ip_address(pod.ip)
            block = peer["ipBlock"]
            return ip in ipaddress.ip_network(block["cidr"]) and not any(ip in ipaddress.ip_network(e) for e in block.get("except", []))
        if "namespaceSelector" in peer:
            if not selects(peer["namespaceSelector"], self.namespaces[pod.ns]):
                return False
        elif pod.ns != ns:
            return False
        return selects(peer.get("podSelector", {}), pod.labels)

    @staticmethod
    def port_fits(p, protocol, port):
        if p.get("protocol", "TCP") != protocol:
            return False
        if "port" not in p:
            return True
        if isinstance(p["port"], str):
            return NAMED.get(p["port"]) == (protocol, port)
        return p["port"] <= port <= p.get("endPort", p["port"])

    def side_allows(self, kind, key, own, other, protocol, port):
        isolated = False
        for ns, spec in self.policies:
            types = spec.get("policyTypes") or ["Ingress"] + (["Egress"] if spec.get("egress") else [])
            if ns != own.ns or kind not in types or not selects(spec.get("podSelector", {}), own.labels):
                continue
            isolated = True
            for rule in spec.get(kind.lower()) or []:
                peers, ports = rule.get(key) or [], rule.get("ports") or []
                if (not peers or any(self.peer_fits(ns, p, other) for p in peers)) and \
                        (not ports or any(self.port_fits(p, protocol, port) for p in ports)):
                    return True
        return not isolated

    def allows(self, source, target, protocol, port):
        return source is target or (self.side_allows("Egress", "to", source, target, protocol, port) and
                                    self.side_allows("Ingress", "from", target, source, protocol, port))


# ---- the cases ----

ALL, NONE = {}, {"matchLabels": {"pod": "nobody"}}


def pod(name):
    return {"matchLabels": {"pod": name}}


def ns(name):
    return {"matchLabels": {"ns": name}}


def among(key, *values, operator="In"):
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def ingress(selector, *rules, **more):
    return {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": list(rules), **more}


def egress(selector, *rules, **more):
    return {"podSelector": selector, "policyTypes": ["Egress"], "egress": list(rules), **more}


def tcp(port, **more):
    return {"protocol": "TCP", "port": port, **more}


def udp(port, **more):
    return {"protocol": "UDP", "port": port, **more}


DENY_BOTH = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def cases(ip):
    """(name, [(namespace, spec)]); ip(ns, pod) is a pod's address."""
    own = lambda n, p: ip(n, p) + "/32"
    net24 = lambda n, p: str(ipaddress.ip_network(ip(n, p) + "/24", strict=False))
    everybody = {"cidr": "0.0.0.0/0"}
    return [
        ("no policy", []),
        ("default deny of ingress", [("x", ingress(ALL))]),
        ("default deny of egress", [("x", egress(ALL))]),
        ("default deny of both", [("x", DENY_BOTH)]),
        ("types by default: ingress", [("x", {"podSelector": pod("a"), "ingress": []})]),
        ("types by default: both", [("x", {"podSelector": pod("a"), "egress": [{"to": [{"podSelector": pod("b")}]}]})]),
        ("a policy of egress alone leaves ingress", [("x", egress(ALL, {}))]),
        ("allow all of ingress", [("x", ingress(ALL, {}))]),
        ("allow all beats deny", [("x", ingress(ALL)), ("x", ingress(ALL, {}))]),
        ("deny selects one pod", [("x", ingress(pod("a")))]),
        ("a selector of nobody isolates nobody", [("x", ingress(NONE))]),
        ("from pods of the namespace", [("x", ingress(pod("a"), {"from": [{"podSelector": pod("b")}]}))]),
        ("from all pods of the namespace", [("x", ingress(ALL, {"from": [{"podSelector": {}}]}))]),
        ("from a namespace", [("x", ingress(pod("a"), {"from": [{"namespaceSelector": ns("y")}]}))]),
        ("from all namespaces", [("x", ingress(pod("a"), {"from": [{"namespaceSelector": {}}]}))]),
        ("from pods of a namespace, both in one", [("x", ingress(pod("a"), {"from": [{"namespaceSelector": ns("y"), "podSelector": pod("b")}]}))]),
        ("from pods or a namespace, two peers", [("x", ingress(pod("a"), {"from": [{"namespaceSelector": ns("y")}, {"podSelector": pod("b")}]}))]),
        ("from namespaces by expression", [("x", ingress(ALL, {"from": [{"namespaceSelector": among("ns", "y", "z")}]}))]),
        ("from namespaces by its negation", [("x", ingress(ALL, {"from": [{"namespaceSelector": among("ns", "x", operator="NotIn")}]}))]),
        ("from namespaces that have a label", [("x", ingress(ALL, {"from": [{"namespaceSelector": among("ns", operator="Exists"), "podSelector": pod("c")}]}))]),
        ("from namespaces that lack one", [("x", ingress(ALL, {"from": [{"namespaceSelector": among("team", operator="DoesNotExist"), "podSelector": pod("c")}]}))]),
        ("from a namespace by its name", [("x", ingress(ALL, {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "z"}}}]}))]),
        ("from pods by expression", [("x", ingress(pod("a"), {"from": [{"podSelector": among("pod", "b", "c")}]}))]),
        ("two policies are a union", [("x", ingress(pod("a"), {"from": [{"podSelector": pod("b")}]})), ("x", ingress(pod("a"), {"from": [{"namespaceSelector": ns("z")}]}))]),
        ("policies of several namespaces", [("x", ingress(ALL)), ("y", ingress(ALL, {"from": [{"namespaceSelector": ns("z")}]}))]),
        ("a port", [("x", ingress(pod("a"), {"ports": [tcp(80)]}))]),
        ("a port of UDP", [("x", ingress(pod("a"), {"ports": [udp(80)]}))]),
        ("ports of both protocols", [("x", ingress(pod("a"), {"ports": [tcp(81), udp(80)]}))]),
        ("a protocol as a whole", [("x", ingress(ALL, {"ports": [{"protocol": "UDP"}]}))]),
        ("a range of ports", [("x", ingress(ALL, {"ports": [tcp(79, endPort=80)]}))]),
        ("ranges that overlap", [("x", ingress(ALL, {"ports": [tcp(70, endPort=80), tcp(80, endPort=81), tcp(80)]}))]),
        ("a port of peers", [("x", ingress(pod("a"), {"from": [{"namespaceSelector": ns("y")}], "ports": [tcp(80)]}))]),
        ("rules of different ports", [("x", ingress(pod("a"), {"from": [{"namespaceSelector": ns("y")}], "ports": [tcp(80)]}, {"from": [{"podSelector": {}}], "ports": [tcp(81)]}))]),
        ("a named port", [("x", ingress(pod("a"), {"ports": [tcp("serve-80-tcp")]}))]),
        ("a named port of UDP", [("x", ingress(ALL, {"ports": [udp("serve-80-udp")]}))]),
        ("a name of another protocol is none", [("x", ingress(ALL, {"ports": [udp("serve-80-tcp")]}))]),
        ("a name that nobody has", [("x", ingress(ALL, {"ports": [tcp("nothing")]}))]),
        ("named and numbered", [("x", ingress(ALL, {"ports": [tcp("serve-81-tcp"), udp(80)]}))]),
        ("egress to pods", [("x", egress(pod("a"), {"to": [{"podSelector": pod("b")}]}))]),
        ("egress to a namespace", [("x", egress(ALL, {"to": [{"namespaceSelector": ns("y")}]}))]),
        ("egress to pods of a namespace, both in one", [("x", egress(pod("a"), {"to": [{"namespaceSelector": ns("z"), "podSelector": pod("c")}]}))]),
        ("egress to a port", [("x", egress(ALL, {"ports": [tcp(80)]}))]),
        ("egress to a named port of the peer", [("x", egress(ALL, {"to": [{"namespaceSelector": {}}], "ports": [tcp("serve-81-tcp")]}))]),
        ("egress to a named port of anybody", [("x", egress(pod("a"), {"ports": [tcp("serve-80-tcp")]}))]),
        ("egress to a range", [("x", egress(ALL, {"ports": [tcp(81, endPort=90)]}))]),
        ("egress and ingress that agree", [("x", egress(pod("a"), {"to": [{"namespaceSelector": ns("y")}]})), ("y", ingress(pod("b"), {"from": [{"namespaceSelector": ns("x")}]}))]),
        ("egress and ingress that do not", [("x", egress(pod("a"), {"to": [{"namespaceSelector": ns("y")}]})), ("y", ingress(pod("b"), {"from": [{"namespaceSelector": ns("z")}]}))]),
        ("both directions in one", [("x", {"podSelector": pod("a"), "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [{"podSelector": pod("b")}]}], "egress": [{"to": [{"namespaceSelector": ns("z")}], "ports": [tcp(80)]}]})]),
        ("a block of one address", [("x", ingress(pod("a"), {"from": [{"ipBlock": {"cidr": own("y", "a")}}]}))]),
        ("a block of a node's pods", [("x", ingress(ALL, {"from": [{"ipBlock": {"cidr": net24("x", "b")}}]}))]),
        ("a block but for an address", [("x", ingress(ALL, {"from": [{"ipBlock": {"cidr": net24("x", "a"), "except": [own("y", "a")]}}]}))]),
        ("a block but for several", [("x", ingress(ALL, {"from": [{"ipBlock": {**everybody, "except": [own("y", "a"), net24("x", "b"), own("z", "c")]}}]}))]),
        ("exceptions within exceptions", [("x", ingress(ALL, {"from": [{"ipBlock": {**everybody, "except": [own("x", "b"), net24("x", "b")]}}]}))]),
        ("an exception another peer allows", [("x", ingress(ALL, {"from": [{"ipBlock": {**everybody, "except": [own("y", "a")]}}, {"namespaceSelector": ns("y")}]}))]),
        ("egress to a block", [("x", egress(pod("a"), {"to": [{"ipBlock": {"cidr": net24("x", "b"), "except": [own("z", "b")]}}], "ports": [tcp(80), udp(81)]}))]),
        ("a block of another family", [("x", ingress(pod("a"), {"from": [{"ipBlock": {"cidr": "::/0"}}]}))]),
        ("deny everywhere, one way open", [(n, DENY_BOTH) for n in NAMESPACES] + [("x", egress(pod("a"), {"to": [{"namespaceSelector": ns("z"), "podSelector": pod("b")}]})), ("z", ingress(pod("b"), {"from": [{"namespaceSelector": ns("x"), "podSelector": pod("a")}], "ports": [tcp(80)]}))]),
    ]


# ---- the bench ----

class Bench:
    def __init__(self, kubeconfig, prefix):
        self.api, self.prefix = Api(kubeconfig), prefix
        self.node_netns = {n: "/run/netns/%s%s" % (prefix, n) for n in ("a1", "a2")}
        self.listeners = Listeners()
        self.read_pods()
        for p in self.pods:
            self.listeners.add(p.netns)
        self.listeners.start()
        self.there = []  # (ns, name) of policies

    def read_pods(self):
        by_ip = {}
        for name in os.listdir("/run/netns"):
            if name.startswith("cni-"):
                for a in addresses("/run/netns/" + name):
                    by_ip[a] = "/run/netns/" + name
        self.pods = [Pod(o) for n in NAMESPACES for o in self.api.call("GET", "/api/v1/namespaces/%s/pods" % n)["items"]]
        self.pods.sort(key=repr)
        for p in self.pods:
            p.netns = by_ip[p.ip]
        self.namespaces = {n: self.api.call("GET", "/api/v1/namespaces/" + n)["metadata"]["labels"] for n in NAMESPACES}

    def get(self, ns, name):
        return next(p for p in self.pods if (p.ns, p.name) == (ns, name))

    def put(self, policies):
        """These, and no others."""
        before, self.there = self.there, []
        for i, (n, spec) in enumerate(policies):
            name = "p%d-%d" % (i, time.monotonic_ns())
            self.api.call("POST", policies_path(n), {"metadata": {"name": name}, "spec": spec})
            self.there.append((n, name))
        for n, name in before:
            self.api.call("DELETE", policies_path(n, name))
        self.model = Model(self.pods, self.namespaces, policies)

    def differs(self):
        """What is not as the model has it."""
        ways = [(s, t, protocol, port) for s in self.pods for t in self.pods for protocol, port in PORTS]
        # The nodes reach their own pods, whatever is said.
        nodes = [(p.node, p, "TCP", 80) for p in self.pods]
        got = run_probes([(s.netns, t.ip, protocol, port) for s, t, protocol, port in ways] +
                         [(self.node_netns[n], t.ip, protocol, port) for n, t, protocol, port in nodes])
        wrong = []
        for way, passed in zip(ways, got):
            if passed != self.model.allows(*way):
                wrong.append("%s -> %s %s %d %s" % (*way, "passes" if passed else "does not pass"))
        for way, passed in zip(nodes, got[len(ways):]):
            if not passed:
                wrong.append("node %s -> %s %s %d does not pass" % way)
        return wrong

    def holds(self, name):
        begin = time.monotonic()
        while True:
            wrong = self.differs()
            took = time.monotonic() - begin
            if not wrong or took > SETTLE_S:
                break
        if wrong:
            bad(name, "%d ways: %s" % (len(wrong), "; ".join(wrong[:6])))
        else:
            ok(name)

    def passes(self, source, target, protocol="TCP", port=80, wait_s=WAIT_S):
        return run_probes([(source.netns, target.ip, protocol, port)], wait_s)[0]


def wait_for(seconds, fn):
    end = time.monotonic() + seconds
    while not fn():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# ---- what no matrix shows ----

def deny(*namespaces):
    return [(n, DENY_BOTH) for n in namespaces]


def connections_that_stand(b):
    source, target = b.get("x", "a"), b.get("y", "b")
    b.put([])
    wait_for(SETTLE_S, lambda: b.passes(source, target))
    with inside(source.netns):
        s = socket.create_connection((target.ip, 80), 3)
    b.put(deny("x", "y"))
    check("a policy cuts new connections", wait_for(SETTLE_S, lambda: not b.passes(source, target)))
    s.send(b"still")
    check("and leaves those that stand", s.recv(10) == b"still")
    s.close()


def services(b):
    path = "/api/v1/namespaces/z/services"
    o = b.api.call("POST", path, {"metadata": {"name": "c"}, "spec": {"selector": {"pod": "c"}, "ports": [{"port": 8080, "targetPort": 80}]}})
    ip, target = o["spec"]["clusterIP"], b.get("z", "c")
    via = lambda p: run_probes([(p.netns, ip, "TCP", 8080)])[0]
    b.put([])
    check("a service leads to its pod", wait_for(SETTLE_S, lambda: via(b.get("x", "a")) and via(b.get("y", "b"))))
    b.put([("z", ingress(ALL, {"from": [{"namespaceSelector": ns("x")}], "ports": [tcp(80)]})), ("x", egress(pod("c"), {"to": [{"namespaceSelector": ns("z")}], "ports": [tcp(80)]}))])
    check("by a service who may not come does not", wait_for(SETTLE_S, lambda: not via(b.get("y", "a")) and not via(b.get("y", "b"))))
    check("who may does, of the same node", via(b.get("x", "a")))
    check("and of another", via(b.get("x", "b")))
    check("what may be left for is judged by the pod behind the service", via(b.get("x", "c")))
    b.put(deny("z"))
    check("a pod reaches itself, also by its service", wait_for(SETTLE_S, lambda: via(target) and b.passes(target, target) and not b.passes(b.get("x", "a"), target)))
    b.api.call("DELETE", path + "/c")


def labels_that_change(b):
    source, target = b.get("y", "a"), b.get("x", "a")
    b.put([("x", ingress(ALL, {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"friend": "yes"}}}]}))])
    check("a pod without a label does not pass", wait_for(SETTLE_S, lambda: not b.passes(source, target)))
    path = "/api/v1/namespaces/y/pods/a"
    b.api.merge(path, {"metadata": {"labels": {"friend": "yes"}}})
    begin = time.monotonic()
    came = wait_for(SETTLE_S, lambda: b.passes(source, target, wait_s=0.05))
    print("     a label counts after %.0f ms" % ((time.monotonic() - begin) * 1000))
    check("given the label it does", came)
    b.api.merge(path, {"metadata": {"labels": {"friend": None}}})
    check("and without it no more", wait_for(SETTLE_S, lambda: not b.passes(source, target)))
    b.put([("x", ingress(ALL, {"from": [{"namespaceSelector": {"matchLabels": {"team": "red"}}}]}))])
    wait_for(SETTLE_S, lambda: not b.passes(source, target))
    b.api.merge("/api/v1/namespaces/y", {"metadata": {"labels": {"team": "red"}}})
    check("a namespace's label counts, too", wait_for(SETTLE_S, lambda: b.passes(source, target)))
    b.api.merge("/api/v1/namespaces/y", {"metadata": {"labels": {"team": None}}})
    check("and its going", wait_for(SETTLE_S, lambda: not b.passes(source, target)))
    own = "/api/v1/namespaces/x/pods/a"
    b.put([("x", ingress({"matchLabels": {"closed": "yes"}}))])
    wait_for(SETTLE_S, lambda: b.passes(source, target))
    b.api.merge(own, {"metadata": {"labels": {"closed": "yes"}}})
    check("a pod comes under a policy by its label", wait_for(SETTLE_S, lambda: not b.passes(source, target)))
    b.api.merge(own, {"metadata": {"labels": {"closed": None}}})
    check("and leaves it", wait_for(SETTLE_S, lambda: b.passes(source, target)))


def netns_of_new(known):
    for name in os.listdir("/run/netns"):
        if name.startswith("cni-") and name not in known:
            try:
                if addresses("/run/netns/" + name):
                    return "/run/netns/" + name
            except (OSError, ValueError):
                pass
    return None


def container_runs(netns):
    wanted = os.stat(netns).st_ino
    for p in os.listdir("/proc"):
        try:
            if p.isdigit() and os.stat("/proc/%s/ns/net" % p).st_ino == wanted and open("/proc/%s/comm" % p).read().strip() == "sleep":
                return True
        except OSError:
            pass
    return False


def new_pod(b, ns, name, target):
    """A pod of a1: (seconds from its address to its first connection, to its container); None: not in a second's time."""
    path, known = "/api/v1/namespaces/%s/pods" % ns, set(os.listdir("/run/netns"))
    b.api.call("POST", path, {"metadata": {"name": name, "labels": {"pod": name}}, "spec": {
        "nodeName": "a1", "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "busybox:local", "command": ["sleep", "100000"]}]}})
    netns = None
    end = time.monotonic() + 20
    while not netns and time.monotonic() < end:
        netns = netns_of_new(known)
    begin, passed, ran = time.monotonic(), None, None
    while time.monotonic() < begin + (10 if ran is None else ran + 1) and (passed is None or ran is None):
        if passed is None and run_probes([(netns, target.ip, "TCP", 80)], 0.02)[0]:
            passed = time.monotonic() - begin
        if ran is None and container_runs(netns):
            ran = time.monotonic() - begin
    b.api.call("DELETE", path + "/" + name + "?gracePeriodSeconds=0")
    wait_for(20, lambda: b.api.call("GET", path + "/" + name, may_fail=True).get("code") == 404)
    return passed, ran


def first_packets(b):
    target = b.get("y", "a")
    show = lambda v: "never" if v is None else "%.0f ms" % (v * 1000)
    b.put([])
    free = new_pod(b, "x", "new1", target)
    check("without policies a new pod talks at once", free[0] is not None and free[0] < 0.2, show(free[0]))
    b.put(deny("x"))
    wait_for(SETTLE_S, lambda: not b.passes(b.get("x", "a"), target))
    closed = new_pod(b, "x", "new2", target)
    check("no packet of a new pod under a policy leaves", closed[0] is None and closed[1] is not None, "after %s" % show(closed[0]))
    held = new_pod(b, "y", "new3", b.get("z", "c"))
    check("a new pod under none talks soon", held[0] is not None, show(held[0]))
    print("     from a pod's address to its first connection: %s without policies, %s with some elsewhere; to its container's process: %s, %s"
          % (show(free[0]), show(held[0]), show(free[1]), show(held[1])))


def flushed(b):
    source, target, netns = b.get("x", "a"), b.get("y", "c"), b.node_netns["a1"]
    nft = lambda *a: subprocess.run(["nsenter", "--net=" + netns, "nft", *a], capture_output=True, text=True).stdout
    b.put(deny("x"))
    wait_for(SETTLE_S, lambda: not b.passes(source, target))
    before = nft("list", "tables")
    for way in (["flush", "ruleset"], ["delete", "table", "inet", "k3x-policy"], ["flush", "table", "inet", "k3x-policy"]):
        nft(*way)
        begin = time.monotonic()
        closed = wait_for(5, lambda: not b.passes(source, target, wait_s=0.1))
        print("     closed again after %.0f ms" % ((time.monotonic() - begin) * 1000 - 100))
        check("nft %s is made good" % " ".join(way), closed)
    ours = lambda text: sorted(t for t in text.split("\n") if "k3x-" in t)
    check("all tables of ours are back", wait_for(5, lambda: ours(nft("list", "tables")) == ours(before)), nft("list", "tables"))


def restart(b, folder):
    """Probes without a pause while the agent is killed and started: what may pass does, what may not never."""
    source, target, friend = b.get("x", "a"), b.get("y", "c"), b.get("z", "c")
    b.put([("x", egress(ALL, {"to": [{"namespaceSelector": ns("z")}]}))])
    wait_for(SETTLE_S, lambda: not b.passes(source, target))
    open(folder + "/probing", "w").close()
    rounds = leaked = lost = 0
    while rounds < 40 or not os.path.exists(folder + "/stop"):  # and a while after
        got = run_probes([(source.netns, target.ip, "UDP", 80), (source.netns, friend.ip, "TCP", 80)], 0.05)
        if not got[1]:  # a busy machine may be late
            got[1] = b.passes(source, friend, wait_s=0.5)
        leaked, lost, rounds = leaked + got[0], lost + (not got[1]), rounds + 1
    check("while the agent is away and comes back nothing leaks", leaked == 0, "%d of %d" % (leaked, rounds))
    check("and what may pass does", lost == 0, "%d of %d" % (lost, rounds))


def main():
    bench, phase = Bench(sys.argv[1], sys.argv[2]), sys.argv[3]
    part = sys.argv[4] if len(sys.argv) > 4 else ""
    if phase == "restart":
        restart(bench, part)
    elif phase == "matrix":
        for name, policies in cases(lambda n, p: bench.get(n, p).ip):
            if part in name:
                bench.put(policies)
                bench.holds(name)
    else:
        for more in (connections_that_stand, services, labels_that_change, first_packets, flushed):
            if part in more.__name__:
                more(bench)
    bench.put([])
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
