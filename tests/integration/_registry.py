#!/usr/bin/env python3
"""A registry of one image, from a docker-save archive or an OCI layout, for tests: PORT ARCHIVE NAME [USER:PASSWORD]. With a user it lets
nobody else in. Prints what it was asked for."""

import base64
import hashlib
import http.server
import json
import sys
import tarfile

port, archive, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
user = sys.argv[4] if len(sys.argv) > 4 else None
blobs = {}


def keep(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return digest


def describe(kind, data):
    return {"mediaType": kind, "size": len(data), "digest": keep(data)}


def read_layout(tar):
    for m in tar.getmembers():
        if m.name.startswith("blobs/sha256/"):
            keep(tar.extractfile(m).read())
    return json.load(tar.extractfile("index.json"))["manifests"][0]


def read_docker(tar):
    entry = json.load(tar.extractfile("manifest.json"))[0]
    config = tar.extractfile(entry["Config"]).read()
    layers = [tar.extractfile(layer).read() for layer in entry["Layers"]]
    docker = "application/vnd.docker."
    kind = docker + "distribution.manifest.v2+json"
    return describe(kind, json.dumps({
        "schemaVersion": 2, "mediaType": kind, "config": describe(docker + "container.image.v1+json", config),
        "layers": [describe(docker + "image.rootfs.diff.tar", data) for data in layers]}).encode())


with tarfile.open(archive) as opened:
    top = read_layout(opened) if "index.json" in opened.getnames() else read_docker(opened)
KIND, manifest_digest = top["mediaType"], top["digest"]
manifest = blobs[manifest_digest]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.path = self.path.split("?", 1)[0]  # containerd tells mirrors whose images it wants
        given = self.headers.get("Authorization", "")
        if user and given != "Basic " + base64.b64encode(user.encode()).decode():
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}', WWW_Authenticate='Basic realm="test"')
        elif self.path.startswith(f"/v2/{name}/manifests/sha256:") and self.path.rsplit("/", 1)[1] in blobs:
            digest = self.path.rsplit("/", 1)[1]
            self.answer(200, blobs[digest], json.loads(blobs[digest]).get("mediaType", KIND), Docker_Content_Digest=digest)
        elif self.path.startswith(f"/v2/{name}/manifests/"):
            self.answer(200, manifest, KIND, Docker_Content_Digest=manifest_digest)
        elif self.path.startswith(f"/v2/{name}/blobs/") and self.path.rsplit("/", 1)[1] in blobs:
            self.answer(200, blobs[self.path.rsplit("/", 1)[1]], "application/octet-stream")
        else:
            self.answer(200 if self.path == "/v2/" else 404, b"{}")

    do_HEAD = do_GET


print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
