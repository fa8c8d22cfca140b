#!/usr/bin/env python3
"""Pushes an image of many files to a registry, for measuring pulls. The same options make the same image.

  push_image.py --push http://HOST:PORT --name REPOSITORY:TAG [--files N] [--layers N] [--mib N] [--zstd]

Files compress to about a third, as programs and texts do; most are small, a few are large.
"""
import argparse
import gzip
import hashlib
import io
import json
import random
import subprocess
import sys
import tarfile
import urllib.request

OCI = "application/vnd.oci.image."


def layer(number, files, size):
    """A tar of about size bytes."""
    source = random.Random(number)
    words = [hashlib.sha256(b"%d" % i).hexdigest()[:source.randint(3, 12)].encode() for i in range(3000)]
    text = b" ".join(source.choice(words) for _ in range(400000))
    out = io.BytesIO()
    weights = [source.paretovariate(1.1) for _ in range(files)]
    total = sum(weights)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for i, weight in enumerate(weights):
            info = tarfile.TarInfo(f"layer{number}/d{i % 97}/s{i % 7}/file{i}")
            info.size, info.mode, info.mtime = int(size * weight / total), 0o644, 1000000000
            start = source.randrange(len(text) // 2)
            data = (text[start:] * (info.size // (len(text) - start) + 1))[:info.size]
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def pack(data, zstd):
    if not zstd:
        return gzip.compress(data, 6, mtime=0)
    return subprocess.run(["zstd", "-3", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def call(method, url, data=None, headers=None):
    return urllib.request.urlopen(
        urllib.request.Request(url, data=data, method=method, headers=headers or {}), timeout=300)


def push_blob(base, push, data):
    with call("POST", base + "/blobs/uploads/") as answer:
        place = answer.headers["Location"]
    if place.startswith("/"):
        place = push + place
    place += ("&" if "?" in place else "?") + "digest=" + digest(data)
    call("PUT", place, data, {"Content-Type": "application/octet-stream"}).close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--push", metavar="URL", required=True)
    parser.add_argument("--name", required=True, help="REPOSITORY:TAG")
    parser.add_argument("--files", type=int, default=40000, help="in all layers together")
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--mib", type=int, default=600, help="uncompressed, in all layers together")
    parser.add_argument("--zstd", action="store_true", help="not gzip")
    options = parser.parse_args()
    repository, tag = options.name.rsplit(":", 1)
    base = f"{options.push}/v2/{repository}"
    kind = "layer.v1.tar+" + ("zstd" if options.zstd else "gzip")
    diff_ids, descriptors = [], []
    for number in range(options.layers):
        tar = layer(number, options.files // options.layers, (options.mib << 20) // options.layers)
        blob = pack(tar, options.zstd)
        push_blob(base, options.push, blob)
        diff_ids.append(digest(tar))
        descriptors.append({"mediaType": OCI + kind, "digest": digest(blob), "size": len(blob)})
        print(f"layer {number}: {len(tar)} bytes, {len(blob)} compressed", file=sys.stderr)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/none"]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    push_blob(base, options.push, config)
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": {"mediaType": OCI + "config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": descriptors}).encode()
    call("PUT", f"{base}/manifests/{tag}", manifest, {"Content-Type": OCI + "manifest.v1+json"}).close()


if __name__ == "__main__":
    main()
