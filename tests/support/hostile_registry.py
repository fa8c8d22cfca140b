#!/usr/bin/env python3
"""A registry (plain http, no login) whose repositories each tell another lie: hostile_registry.py PORT

Each repository below is one row of LIES; tag and digest of its image are whatever is asked for. "good/image" tells none, so
that a test knows that the others are refused for their lie. GET /count gives how often something else than /v2/ was asked for.
"""
import gzip
import http.server
import io
import json
import sys
import tarfile

from make_image import OCI, add, descriptor, digest

MANIFEST, INDEX = OCI + "manifest.v1+json", OCI + "index.v1+json"
MIB = 1 << 20


def layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, "file", b"contents")
    return out.getvalue()


LAYER = layer()
PACKED = gzip.compress(LAYER, mtime=0)


def config(**runtime):
    return json.dumps({"architecture": "amd64", "os": "linux", "config": runtime,
                       "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}}).encode()


CONFIG = config(Labels={"containerd.io/restart.loguri": "binary:///tmp/x",
                        "io.cri-containerd.kind": "sandbox", "io.kubernetes.pod.uid": "stolen"})


def manifest(change=None, layer_change=None, config_change=None):
    out = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor("config.v1+json", CONFIG),
           "layers": [descriptor("layer.v1.tar+gzip", PACKED)]}
    out["layers"][0].update(layer_change or {})
    out["config"].update(config_change or {})
    out.update(change or {})
    return json.dumps(out).encode()


GOOD = manifest()
DEEP = b'{"a":' * 100000 + b"1" + b"}" * 100000
WRONG = bytes(len(PACKED))
HEX = "a" * 64
# repository: (manifest, its Content-Type, headers, blobs that are not what they should be)
LIES = {
    "good/image": (GOOD, MANIFEST, {}, {}),
    # V2: one document, two readers
    "v2/content-type": (GOOD, INDEX, {}, {}),
    "v2/own-type": (manifest({"mediaType": INDEX}), MANIFEST, {}, {}),
    "v2/both": (manifest({"manifests": []}), MANIFEST, {}, {}),
    "v2/neither": (b'{"schemaVersion":2}', MANIFEST, {}, {}),
    "v2/twice": (GOOD.replace(b'"config":', b'"config":{},"config":', 1), MANIFEST, {}, {}),
    "v2/trailing": (GOOD + b"{}", MANIFEST, {}, {}),
    "v2/bom": (b"\xef\xbb\xbf" + GOOD, MANIFEST, {}, {}),
    "v2/schema1": (b'{"schemaVersion":1,"fsLayers":[],"history":[]}', MANIFEST, {}, {}),
    "v2/artifact": (manifest(None, None, {"mediaType": "application/vnd.x.config+json"}), MANIFEST,
                    {}, {}),
    "v2/foreign": (manifest(None, {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "urls": ["http://127.0.0.1:%d/stolen"]}), MANIFEST, {}, {}),
    # V3: digests and sizes
    "v3/longer": (manifest(None, {"size": len(PACKED) + 1}), MANIFEST, {}, {}),
    "v3/shorter": (manifest(None, {"size": len(PACKED) - 1}), MANIFEST, {}, {}),
    "v3/zero": (manifest(None, {"size": 0}), MANIFEST, {}, {}),
    "v3/huge": (manifest(None, {"size": 2**63 - 1}), MANIFEST, {}, {}),
    "v3/negative": (manifest(None, {"size": -1}), MANIFEST, {}, {}),
    "v3/path": (manifest(None, {"digest": "sha256:../../../etc/passwd"}), MANIFEST, {}, {}),
    "v3/upper": (manifest(None, {"digest": "sha256:" + HEX.upper()}), MANIFEST, {}, {}),
    "v3/sha512": (manifest(None, {"digest": "sha512:" + HEX + HEX}), MANIFEST, {}, {}),
    "v3/layer-bytes": (GOOD, MANIFEST, {}, {digest(PACKED): WRONG}),
    "v3/config-bytes": (GOOD, MANIFEST, {}, {digest(CONFIG): CONFIG.replace(b"stolen", b"STOLEN")}),
    # V4: too much of everything
    "v4/bytes": (GOOD + b" " * (5 * MIB), MANIFEST, {}, {}),
    "v4/layers": (b'{"schemaVersion":2,"config":{},"layers":[' + b"{}," * 1000000 + b"{}]}",
                  MANIFEST, {}, {}),
    "v4/depth": (GOOD[:-1] + b',"annotations":' + DEEP + b"}", MANIFEST, {}, {}),
    "v4/bomb": (gzip.compress(GOOD + b" " * (300 * MIB)), MANIFEST, {"Content-Encoding": "gzip"}, {}),
    "v4/config": (manifest(None, None, {"size": 5 * MIB}), MANIFEST, {}, {}),
}
BLOBS = {digest(CONFIG): CONFIG, digest(PACKED): PACKED}
COUNT = {"other": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, body, headers=None):
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            try:
                self.wfile.write(body)
            except OSError:
                pass  # it had enough

    def do_GET(self):
        if self.path == "/count":
            return self.answer(200, str(COUNT["other"]).encode())
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        words = self.path.split("?")[0].split("/")
        lie = LIES.get("/".join(words[2:4])) if len(words) == 6 and words[1] == "v2" else None
        if lie is None:
            COUNT["other"] += 1
            return self.answer(404, b"{}")
        document, kind, headers, wrong = lie
        if words[4] == "manifests":
            # Another manifest than the one that was asked for by digest is one lie more.
            return self.answer(200, document, {"Content-Type": kind, **headers})
        body = wrong.get(words[5], BLOBS.get(words[5]))
        if body is None:
            return self.answer(404, b"{}")
        return self.answer(200, body, {"Content-Type": "application/octet-stream"})

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1])
    document, kind, headers, wrong = LIES["v2/foreign"]
    LIES["v2/foreign"] = (document.replace(b"%d", str(port).encode()), kind, headers, wrong)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
