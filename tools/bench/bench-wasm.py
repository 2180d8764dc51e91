"""What bench-wasm does by the API: apply N CLASS IMAGE COMMAND... (one pod after the other, from POST to Running as a watch
tells it; prints p50 and p99 in ms) | scale N (the Deployment `many`; prints seconds) | churn SECONDS MOST (scales `many` up and
down below MOST and deletes pods of it, at random; prints how often)."""
import base64, http.client, json, os, random, ssl, statistics, sys, tempfile, time
from urllib.parse import urlsplit


class Api:
    def __init__(self, kubeconfig):
        c = json.load(open(kubeconfig))
        user, cluster = c["users"][0]["user"], c["clusters"][0]["cluster"]
        files = []
        for text in (cluster["certificate-authority-data"], user["client-certificate-data"], user["client-key-data"]):
            with tempfile.NamedTemporaryFile(delete=False) as f:
                f.write(base64.b64decode(text))
            files.append(f.name)
        self.tls = ssl.create_default_context(cafile=files[0])
        self.tls.load_cert_chain(files[1], files[2])
        for f in files:
            os.unlink(f)
        self.at = urlsplit(cluster["server"])
        self.conn = self.connect()

    def connect(self):
        return http.client.HTTPSConnection(self.at.hostname, self.at.port, context=self.tls, timeout=120)

    def call(self, method, path, body=None, kind="application/json"):
        self.conn.request(method, path, json.dumps(body) if body else None, {"Content-Type": kind})
        r = self.conn.getresponse()
        text = r.read()
        if r.status >= 300:
            raise SystemExit("%s %s: %d %s" % (method, path, r.status, text[:300]))
        return json.loads(text)

    def watch(self, path):
        conn = self.connect()
        conn.request("GET", path)
        r = conn.getresponse()
        while line := r.readline():
            yield json.loads(line)


api, what, args = Api(sys.argv[1]), sys.argv[2], sys.argv[3:]
PODS, MANY = "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments/many"


def apply_one(name, spec):
    events = api.watch(PODS + "?watch=1&fieldSelector=metadata.name=" + name)
    begin = time.perf_counter()
    api.call("POST", PODS, {"metadata": {"name": name}, "spec": spec})
    for e in events:
        if e["object"]["status"].get("phase") == "Running":
            break
    took = time.perf_counter() - begin
    api.call("DELETE", PODS + "/" + name + "?gracePeriodSeconds=1")
    for e in events:
        if e["type"] == "DELETED":
            break
    return took * 1000


def apply(count, cls, image, *command):
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": image, "command": list(command)}]}
    if cls != "-":
        spec["runtimeClassName"] = cls
    apply_one("warm", spec)
    took = sorted(apply_one("p%d" % i, spec) for i in range(int(count)))
    print("%.1f %.1f" % (statistics.median(took), took[int(len(took) * 0.99)]))


def ready():
    return api.call("GET", MANY)["status"].get("readyReplicas", 0)


def scale(count):
    begin = time.perf_counter()
    api.call("PATCH", MANY, {"spec": {"replicas": int(count)}}, "application/merge-patch+json")
    while ready() != int(count) or (int(count) == 0 and api.call("GET", PODS + "?limit=1")["items"]):
        if time.perf_counter() - begin > 600:
            raise SystemExit("only %d of %s are ready after 600 s" % (ready(), count))
        time.sleep(0.1)
    print("%.1f" % (time.perf_counter() - begin))


def churn(seconds, most):
    end, scales, deleted = time.time() + float(seconds), 0, 0
    while time.time() < end:
        api.call("PATCH", MANY, {"spec": {"replicas": random.randint(int(most) // 4, int(most))}}, "application/merge-patch+json")
        scales += 1
        for _ in range(3):
            time.sleep(1)
            names = [p["metadata"]["name"] for p in api.call("GET", PODS)["items"] if not p["metadata"].get("deletionTimestamp")]
            for name in random.sample(names, min(5, len(names))):
                try:
                    api.call("DELETE", PODS + "/" + name + "?gracePeriodSeconds=1")
                    deleted += 1
                except SystemExit:
                    pass  # its Deployment was faster
    print("%d %d" % (scales, deleted))


{"apply": apply, "scale": scale, "churn": churn}[what](*args)
