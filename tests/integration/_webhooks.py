"""Servers that the API server calls: webhooks and an OpenID Connect issuer, over TLS by a CA of their own, on a thread of the
test; and tokens signed with openssl."""

import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=True).stdout


class Authority:
    """A CA, and a serving certificate for localhost."""

    def __init__(self, folder):
        self.folder = folder
        self.ca, self.ca_key = self.path("hook-ca.crt"), self.path("hook-ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.ca_key, "-out", self.ca,
                "-subj", "/CN=hooks", "-days", "2")
        self.crt, self.key = self.issue("serving", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth")

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, subject, extensions):
        crt, key, csr, ext = (self.path(f"{name}.{x}") for x in ("crt", "key", "csr", "ext"))
        open(ext, "w").write(extensions)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", csr, "-subj", subject)
        openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", "1", "-extfile", ext, "-out", crt)
        return crt, key

    def kubeconfig(self, name, url, user=None):
        file = self.path(name)
        json.dump({"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": "hook-ca.crt"}}],
                   "users": [{"name": "u", "user": user or {}}], "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x"},
                  open(file, "w"))
        return file


class Hooks:
    """answers: path -> a function of the request's JSON (None for GET) that returns a JSON value, or (status, value); bytes are
    sent as they are. Without an authority it is plain HTTP; port 0: any; knows_clients: by their certificates, of the same authority."""

    def __init__(self, authority, port=0, knows_clients=False):
        self.answers, self.asked, self.lock = {}, [], threading.Lock()
        hooks = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # an answer is two writes

            def reply(self):
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                with hooks.lock:
                    path = self.path.split("?")[0]
                    hooks.asked.append((path, body, dict(self.headers)))
                    answer = hooks.answers.get(path)
                value = answer(body) if answer else (404, {})
                status, value = value if isinstance(value, tuple) else (200, value)
                text = value if isinstance(value, bytes) else json.dumps(value).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    self.close_connection = True  # who asked has gone

            do_GET = do_POST = reply

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.crt, authority.key)
            if knows_clients:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(authority.ca)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if authority else ''}://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, path):
        with self.lock:
            return sum(1 for p, _, _ in self.asked if p == path)

    def last(self, path):
        with self.lock:
            return [(b, h) for p, b, h in self.asked if p == path][-1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Signer:
    """A private key of an issuer: its JSON Web Key, and tokens."""

    def __init__(self, folder, kid, kind="RSA"):
        self.kid, self.kind, self.file = kid, kind, os.path.join(folder, f"signer-{kid}.pem")
        if kind == "RSA":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.file)
        else:
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}", "-out", self.file)

    def public_pem(self):
        return openssl("pkey", "-in", self.file, "-pubout")

    def jwk(self):
        if self.kind == "RSA":
            modulus = openssl("rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}
        text = openssl("pkey", "-in", self.file, "-noout", "-text").decode()
        point = bytes.fromhex(re.sub(r"[^0-9a-f]", "", re.search(r"pub:\s*((?:[0-9a-f:]+\s*)+)", text).group(1)))[1:]
        half = len(point) // 2
        return {"kty": "EC", "kid": self.kid, "crv": self.kind, "x": b64(point[:half]), "y": b64(point[half:])}

    def sign(self, algorithm, data):
        digest = "-sha" + algorithm[2:]
        if algorithm[0] == "P":
            return openssl("dgst", digest, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sign", self.file, stdin=data)
        signature = openssl("dgst", digest, "-sign", self.file, stdin=data)
        if algorithm[0] == "R":
            return signature
        width, at, raw = {"ES256": 32, "ES384": 48, "ES512": 66}[algorithm], 2 if signature[1] < 128 else 3, b""
        for _ in range(2):  # DER's two integers to numbers of one width
            length = signature[at + 1]
            raw += signature[at + 2:at + 2 + length].lstrip(b"\0").rjust(width, b"\0")
            at += 2 + length
        return raw

    def token(self, claims, algorithm="RS256", **header):
        head = {"alg": algorithm, "kid": self.kid, **header}
        data = f"{b64({k: v for k, v in head.items() if v is not None})}.{b64(claims)}"
        return f"{data}.{b64(self.sign(algorithm, data.encode()))}"


def in_an_hour():
    return int(time.time()) + 3600
