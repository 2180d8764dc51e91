"""What the integration tests share: a k3x server of their own, an HTTP client, kubectl, and a list of cases.

A case is a function registered with @case("what it shows"); it passes when it returns and fails when it raises. Cases run
in the order they were written. Only Python's standard library, kubectl and openssl are needed."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("K3X_DISABLE", "coredns,local-storage,metrics-server,traefik")  # as _lib.sh; no test here starts an agent
K3X = os.environ.get("K3X", os.path.join(ROOT, "build", "k3x"))
cases = []


def case(name):
    def add(fn):
        cases.append((name, fn))
        return fn

    return add


class Mismatch(Exception):
    pass


def eq(got, want, what=""):
    if got != want:
        raise Mismatch(f"{what or 'value'}: got {got!r}, want {want!r}")


def true(value, what):
    if not value:
        raise Mismatch(what)


def until(what, fn, seconds=40):
    """Asks until fn() is true and gives what it gave then; `what` is what was waited for. It rests as long as a look took."""
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        value = fn()
        if value:
            return value
        true(time.monotonic() < end, f"waited in vain: {what}")
        time.sleep(min(max(time.monotonic() - began, 0.02), 1))


def has(text, part):
    if part not in text:
        raise Mismatch(f"{part!r} is not in {text[:600]!r}")


def contains(got, want, path=""):
    """Every member of `want` is in `got`; lists must be equal in length and order."""
    if isinstance(want, dict):
        true(isinstance(got, dict), f"{path or 'object'}: {got!r} is not an object")
        for key, value in want.items():
            if value is ABSENT:
                true(key not in got, f"{path}.{key} should be absent, is {got.get(key)!r}")
            else:
                true(key in got, f"{path}.{key} is missing in {str(got)[:300]}")
                contains(got[key], value, f"{path}.{key}")
    elif isinstance(want, list):
        eq(len(got or []), len(want), f"length of {path} ({got!r})")
        for i, value in enumerate(want):
            contains(got[i], value, f"{path}[{i}]")
    else:
        eq(got, want, path)


ABSENT = object()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def want(self, status, reason=None):
        if self.status != status:
            raise Mismatch(f"status {self.status}, want {status}: {self.body[:400]!r}")
        if reason is not None:
            eq(self.json.get("kind"), "Status", "kind of the error")
            eq(self.json.get("reason"), reason, "reason")
            eq(self.json.get("code"), status, "code")
        return self


class Server:
    def __init__(self, port, folder=None, flags=()):
        self.port, self.flags = port, list(flags)
        self.folder = folder or tempfile.mkdtemp(prefix="k3x-test-")
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")
        self.log = os.path.join(self.folder, "log")
        self.process = None

    def command(self, port=None):
        return [K3X, "server", "--data-dir", os.path.join(self.folder, "data"), "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
                "--https-listen-port", str(port or self.port), "--write-kubeconfig", self.kubeconfig, "--disable-agent",
                "--disable-scheduler", "--disable-controller-manager"] + self.flags

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        deadline = time.time() + 20
        while time.time() < deadline:
            if self.process.poll() is not None:
                raise Mismatch(f"server ended with {self.process.returncode}: {open(self.log).read()[-800:]}")
            try:
                if os.path.exists(self.kubeconfig) and self.anonymous().request("GET", "/readyz").status == 200:
                    self.load_credentials()
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        raise Mismatch("server is not ready after 20 s")

    def load_credentials(self):
        text = open(self.kubeconfig).read()
        for name in ("certificate-authority-data", "client-certificate-data", "client-key-data"):
            data = base64.b64decode(re.search(name + r": (\S+)", text).group(1))
            with open(os.path.join(self.folder, name + ".pem"), "wb") as f:
                f.write(data)

    def pem(self, name):
        return os.path.join(self.folder, name + ".pem")

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.pem("certificate-authority-data") if os.path.exists(self.pem("certificate-authority-data")) else None)
        if certificate is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif certificate == "admin":
            context.load_cert_chain(self.pem("client-certificate-data"), self.pem("client-key-data"))
        else:
            context.load_cert_chain(*certificate)
        return context

    def anonymous(self):
        return Api(self, None)

    def admin(self):
        return Api(self, "admin")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                return self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Mismatch("server did not stop within 15 s")
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kubectl(self, *args, stdin=None, timeout=30, env=None):
        r = subprocess.run(["kubectl", "--kubeconfig", self.kubeconfig, *args], input=stdin, capture_output=True, text=True, timeout=timeout,
                           env={**os.environ, "KUBECACHEDIR": os.path.join(self.folder, "cache"), **(env or {})})
        return r.returncode, r.stdout, r.stderr

    def kubectl_ok(self, *args, **kw):
        rc, out, err = self.kubectl(*args, **kw)
        if rc != 0:
            raise Mismatch(f"kubectl {' '.join(args)}: exit {rc}: {err[-600:]}")
        return out


class Api:
    """One keep-alive HTTP/1.1 connection."""

    def __init__(self, server, certificate):
        self.server, self.ssl = server, server.context(certificate)
        self.connection = None

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=15, context=self.ssl)

    def request(self, method, path, body=None, type="application/json", accept=None, headers=None):
        send = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            send.setdefault("Content-Type", type)
        if accept:
            send["Accept"] = accept
        for attempt in (0, 1):
            try:
                if not self.connection:
                    self.connection = self.connect()
                self.connection.request(method, path, body, send)
                r = self.connection.getresponse()
                return Answer(r.status, r.headers, r.read())
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt:
                    raise

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body, **kw):
        return self.request("POST", path, body, **kw)

    def put(self, path, body, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, body=None, **kw):
        return self.request("DELETE", path, body, **kw)

    def patch(self, path, body, kind="merge", **kw):
        types = {"merge": "application/merge-patch+json", "json": "application/json-patch+json",
                 "strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml"}
        return self.request("PATCH", path, body, type=types[kind], **kw)

    def watch(self, path, **kw):
        return Watch(self, path, **kw)


class Watch:
    """A watch on a connection of its own; iterates over events until the server ends it."""

    def __init__(self, api, path, timeout=10, accept=None):
        self.connection = http.client.HTTPSConnection("127.0.0.1", api.server.port, timeout=timeout, context=api.ssl)
        self.connection.request("GET", path + ("&" if "?" in path else "?") + "watch=true", headers={"Accept": accept} if accept else {})
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def next(self):
        line = self.response.readline()
        return json.loads(line) if line.strip() else None

    def take(self, n):
        return [self.next() for _ in range(n)]

    def rest(self):
        events = []
        while (event := self.next()) is not None:
            events.append(event)
        return events

    def close(self):
        self.connection.close()


def connect_tls(server, certificate=None, alpn=None):
    context = server.context(certificate)
    if alpn:
        context.set_alpn_protocols(alpn)
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def leave(status):
    """Ends the process at once: an interpreter that is taken down while servers still run in threads may crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(setup, teardown, only=None):
    """Runs all cases; the exit status."""
    passed = failed = 0
    began = time.time()
    try:
        setup()
        for name, fn in cases:
            if only and only not in name:
                continue
            try:
                fn()
                passed += 1
            except Exception as e:  # a broken case must not stop the others
                failed += 1
                where = traceback.extract_tb(e.__traceback__)
                mine = [f for f in where if not f.filename.endswith("harness.py")]
                print(f"FAIL {name}\n     {type(e).__name__}: {e}\n     at {os.path.basename(mine[-1].filename)}:{mine[-1].lineno}" if mine else f"FAIL {name}: {e}", flush=True)
    finally:
        teardown()
    print(f"{passed} passed, {failed} failed ({time.time() - began:.1f} s)")
    return 1 if failed or not passed else 0
