"""What services.sh does by the API and by packets: services.py KUBECONFIG.json PREFIX, and one of

make FIRST END          services FIRST to END - 1 with their endpoint slices
answers COUNT BEGUN_NS  waits until so many are led to endpoints; milliseconds since BEGUN_NS, a Unix time
connects COUNT TIMES    a new connection to an endpoint, and through one of COUNT services: p50 and p99 of each, microseconds
changes TIMES           one of five endpoints is another one: p50 and p99 of milliseconds to its first connection; connections that were
                        refused meanwhile, though four endpoints stay, and all of them
rules COUNT             the nftables rules of so many services, as one table, to stdout

Service i is 10.43.(4 + i / 250).(1 + i % 250) port 80; its endpoints are five of the eight addresses from 10.192.0.0 + 8 i, port 8080, all
of which one namespace has ("ends"). Who connects is in another ("client"), the node between them."""
import errno, ipaddress, json, random, select, socket, struct, sys, threading, time

from policy_net_test import Api, inside

PORT, TARGET, ENDPOINTS, FIRST_END = 80, 8080, 5, int(ipaddress.ip_address("10.192.0.0"))
kubeconfig, prefix = sys.argv[1], sys.argv[2]


def address(i):
    return "10.43.%d.%d" % (4 + i // 250, 1 + i % 250)


def end(i, k):
    return str(ipaddress.ip_address(FIRST_END + 8 * i + k))


# ---- objects ----

def service_object(i):
    return {"metadata": {"name": "s%d" % i}, "spec": {"clusterIP": address(i), "ports": [{"name": "p", "port": PORT, "targetPort": TARGET}]}}


def slice_object(i, ends):
    return {"metadata": {"name": "s%d-x" % i, "labels": {"kubernetes.io/service-name": "s%d" % i}}, "addressType": "IPv4",
            "ports": [{"name": "p", "port": TARGET, "protocol": "TCP"}],
            "endpoints": [{"addresses": [end(i, k)], "conditions": {"ready": True}} for k in ends]}


SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def make(first, until):
    failures = []

    def work(begin):
        try:
            api = Api(kubeconfig)
            for i in range(begin, until, 4):
                api.call("POST", "/api/v1/namespaces/default/services", service_object(i))
                api.call("POST", SLICES, slice_object(i, range(ENDPOINTS)))
        except Exception as e:  # of a thread: told by who waits for it
            failures.append(e)

    threads = [threading.Thread(target=work, args=(first + k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


# ---- packets ----

def listen(ip="0.0.0.0"):
    """With an address: what comes to it, before those without."""
    with inside("/run/netns/%sends" % prefix):
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((ip, TARGET))
    s.listen(4096)
    s.setblocking(False)
    return s


def client():
    with inside("/run/netns/%sclient" % prefix):
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no port waits after the end
    s.settimeout(10)
    return s


def drain(listener):
    """True: somebody had come."""
    came = False
    try:
        while True:
            listener.accept()[0].close()
            came = True
    except OSError as e:
        if e.errno not in (errno.EAGAIN, errno.ECONNABORTED):
            raise
        return came


def passes(ip, wait_s=0.005):
    s = client()
    s.setblocking(False)
    s.connect_ex((ip, PORT))
    poll = select.poll()
    poll.register(s, select.POLLOUT)
    answered = bool(poll.poll(wait_s * 1000)) and s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    s.close()
    return answered


def answers(count, begun_ns):
    """The last one is asked until it is there, and then a hundred that lie everywhere; the shell counts the map besides."""
    listener = listen()
    waiting = [count - 1]
    sample = sorted({count * k // 100 for k in range(100)})
    while waiting:
        waiting = [i for i in waiting if not passes(address(i))]
        drain(listener)
        if not waiting:
            waiting, sample = sample, []
        else:
            time.sleep(0.01)
    print("%d" % ((time.time_ns() - begun_ns) / 1e6))


def quantiles(took, form):
    took.sort()
    return form % (took[len(took) // 2], took[len(took) * 99 // 100])


def connect(ip, port):
    s = client()
    begin = time.perf_counter()
    s.connect((ip, port))
    took = (time.perf_counter() - begin) * 1e6
    s.close()
    return took


def connects(count, times):
    listener, choose = listen(), random.Random(1)
    direct, through = [], []
    for _ in range(times):
        i = choose.randrange(count)
        direct.append(connect(end(i, 0), TARGET))
        through.append(connect(address(i), PORT))
        drain(listener)
    print(quantiles(direct, "%.0f %.0f"), quantiles(through, "%.0f %.0f"))


def changes(times):
    api, everybody, took, refused, asked = Api(kubeconfig), listen(), [], 0, 0
    for i in range(times):
        new = listen(end(i, ENDPOINTS))
        wanted = slice_object(i, list(range(1, ENDPOINTS + 1)))
        time.sleep(0.1)  # the last change is written by itself
        api.call("PUT", SLICES + "/s%d-x" % i, wanted)
        begin = time.perf_counter()
        while not drain(new):
            asked += 1
            try:
                connect(address(i), PORT)
            except ConnectionRefusedError:
                refused += 1
            drain(everybody)  # a queue that is full drops who comes
        took.append((time.perf_counter() - begin) * 1000)
        new.close()
    print(quantiles(took, "%.1f %.1f"), refused, asked)


# ---- the same rules by hand ----

def rules(count):
    elements = lambda form: ", ".join(form(i) for i in range(count))
    out = ["table ip k3x-proxy {"]
    out.append("map tcp-endpoints { typeof ip daddr . tcp dport . numgen random mod 65536 : ip daddr . tcp dport; elements = { %s } }" %
               elements(lambda i: ", ".join("%s . %d . %d : %s . %d" % (address(i), PORT, k, end(i, k), TARGET) for k in range(ENDPOINTS))))
    out.append("chain tcp-of-%d { dnat ip to ip daddr . tcp dport . numgen random mod %d map @tcp-endpoints; }" % (ENDPOINTS, ENDPOINTS))
    out.append("map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = { %s } }" %
               elements(lambda i: "%s . tcp . %d : goto tcp-of-%d" % (address(i), PORT, ENDPOINTS)))
    out.append("set cluster-ips { type ipv4_addr; elements = { %s } }" % elements(address))
    out.append("set hairpin { type ipv4_addr . ipv4_addr; elements = { %s } }" %
               elements(lambda i: ", ".join("%s . %s" % (end(i, k), end(i, k)) for k in range(ENDPOINTS))))
    out.append("chain prerouting { type nat hook prerouting priority dstnat; ip daddr . meta l4proto . th dport vmap @services; }")
    out.append("chain output { type nat hook output priority -100; ip daddr . meta l4proto . th dport vmap @services; }")
    out.append("chain postrouting { type nat hook postrouting priority srcnat; ct status dnat ip saddr . ip daddr @hairpin masquerade; }")
    print("\n".join(out) + "\n}")


{"make": make, "answers": answers, "connects": connects, "changes": changes, "rules": rules}[sys.argv[3]](*map(int, sys.argv[4:]))
