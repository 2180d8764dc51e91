#!/usr/bin/env python3
"""An OCI artifact with a WebAssembly module, as an archive (OCI layout), for tests: FILE NAME:TAG MODULE FORM; the form is `cncf`
(layers application/wasm), `wasm-to-oci`, whose configuration is empty and thus the same for all, or `index`: an ordinary image
of the platform wasi/wasm alone, in an index."""

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
    if form == "index":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as inner:
            info = tarfile.TarInfo("main.wasm")
            info.size, info.mode = len(module), 0o644
            inner.addfile(info, io.BytesIO(module))
        layer = blob("application/vnd.oci.image.layer.v1.tar", packed.getvalue())
        config = blob("application/vnd.oci.image.config.v1+json", json.dumps({
            "architecture": "wasm", "os": "wasi", "config": {"Entrypoint": ["/main.wasm"], "Env": ["NAME=" + name]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
    manifest = blob(kind, json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}).encode())
    if form == "index":
        manifest["platform"] = {"os": "wasi", "architecture": "wasm"}
        kind = "application/vnd.oci.image.index.v1+json"
        manifest = blob(kind, json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [manifest]}).encode())
    manifest["annotations"] = {"io.containerd.image.name": "docker.io/library/" + name, "org.opencontainers.image.ref.name": name.split(":")[1]}
    add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
    add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
