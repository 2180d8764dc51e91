#!/usr/bin/env python3
"""An OCI artifact with a WebAssembly module, as an archive (OCI layout), for tests: FILE NAME:TAG MODULE FORM; the form is `cncf`
(layers application/wasm) or `wasm-to-oci`, whose configuration is empty and thus the same for all."""

import hashlib
import io
import json
import sys
import tarfile

file, name, path, form = sys.argv[1:]
with open(path, "rb") as f:
    module = f.read()
with tarfile.open(file, "w") as tar:
    def add(at, data):
        info = tarfile.TarInfo(at)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))

    def blob(kind, data):
        hexes = hashlib.sha256(data).hexdigest()
        add("blobs/sha256/" + hexes, data)
        return {"mediaType": kind, "digest": "sha256:" + hexes, "size": len(data)}

    if form == "cncf":
        layer = blob("application/wasm", module)
        config = blob("application/vnd.wasm.config.v0+json", json.dumps({
            "created": "2024-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip1", "layerDigests": [layer["digest"]]}).encode())
    else:
        layer = blob("application/vnd.wasm.content.layer.v1+wasm", module)
        config = blob("application/vnd.wasm.config.v1+json", b"{}")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = blob(kind, json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}).encode())
    manifest["annotations"] = {"io.containerd.image.name": "docker.io/library/" + name, "org.opencontainers.image.ref.name": name.split(":")[1]}
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
