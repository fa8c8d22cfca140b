#!/usr/bin/env python3
"""Makes a small OCI image from Debian's busybox-static, with nothing but the standard library.

  make_image.py --out FILE --name REF [...]     an OCI layout as a tar file, for `bulkhead image import`
  make_image.py --docker --out FILE --name REF  the same as `docker save` writes it
  make_image.py --push http://HOST:PORT --name REPOSITORY:TAG   into a registry
"""
import argparse
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import urllib.request

BUSYBOX = "/bin/busybox"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n"
GROUP = "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n"
DIRECTORIES = ["bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "var"]
OCI = "application/vnd.oci.image."


def add(tar, name, data=b"", mode=0o644, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(data), mode, kind, target
    tar.addfile(info, io.BytesIO(data))


def base_layer():
    """busybox with its applets as hard links, and the directories and files that programs expect."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in DIRECTORIES:
            add(tar, name, mode=0o1777 if name == "tmp" else 0o755, kind=tarfile.DIRTYPE)
        with open(BUSYBOX, "rb") as file:
            add(tar, "bin/busybox", file.read(), 0o755)
        applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
        for applet in applets.stdout.split():
            if applet != "busybox":
                add(tar, "bin/" + applet, kind=tarfile.LNKTYPE, target="bin/busybox", mode=0o755)
        add(tar, "etc/passwd", PASSWD.encode())
        add(tar, "etc/group", GROUP.encode())
    return out.getvalue()


def extra_layer(number, size):
    """A layer with one file of its own; size: how many bytes that hardly compress."""
    out = io.BytesIO()
    data = b"".join(hashlib.sha256(b"%d %d" % (number, i)).digest() for i in range(size // 32 + 1))
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, f"layer-{number}", data[:size] or b"layer %d\n" % number)
    return out.getvalue()


def own_layer(options):
    """A layer with the files and links that the options name; a link may replace a directory of the base."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in options.file:
            add(tar, name, text.encode(), 0o640)
        for name, target in options.link:
            add(tar, name, kind=tarfile.SYMTYPE, target=target, mode=0o777)
    return out.getvalue()


def tar_of(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, mode in entries:
            add(tar, name, data, mode)
    return out.getvalue()


def odd_layers(options):
    """Layers that a node should not like."""
    layers = []
    for path in options.hide:
        parent, name = path.rsplit("/", 1)
        layers.append(tar_of([(f"{parent}/.wh.{name}", b"", 0o644)]))
    if options.zeros:
        layers.append(tar_of([("zeros", bytes(options.zeros << 20), 0o644)]))
    if options.many_files:
        layers.append(tar_of((f"many/{i}", b"", 0o644) for i in range(options.many_files)))
    if options.deep:
        layers.append(tar_of([("d/" * options.deep + "f", b"", 0o644)]))
    if options.helpers:
        script = f"#!/bin/sh\ntouch {options.helpers}\n".encode()
        library = "lib/x86_64-linux-gnu/libnss_files.so.2"
        layers.append(tar_of([(name, script, 0o6755) for name in (
            "usr/bin/unpigz", "usr/bin/xz", "usr/bin/zstd", "bin/tar", "sbin/modprobe", library)]
            + [("etc/ld.so.preload", f"/{library}\n".encode(), 0o644)]))
    return layers


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data):
    return {"mediaType": OCI + media_type, "digest": digest(data), "size": len(data)}


def make(options):
    """Returns (blobs by digest, manifest bytes, config bytes, uncompressed layers)."""
    layers = [base_layer()] + [extra_layer(i, options.layer_bytes) for i in range(options.extra_layers)]
    if options.file or options.link:
        layers.append(own_layer(options))
    layers += odd_layers(options)
    packed = [layer if options.plain else gzip.compress(layer, 6, mtime=0) for layer in layers]
    runtime = {"Env": ["PATH=/bin", *options.env], "Cmd": options.cmd or ["/bin/sh"]}
    if options.entrypoint:
        runtime["Entrypoint"] = options.entrypoint
    for key, value in (("User", options.user), ("WorkingDir", options.workdir)):
        if value:
            runtime[key] = value
    if options.volume:
        runtime["Volumes"] = {path: {} for path in options.volume}
    if options.label:
        runtime["Labels"] = dict(label.split("=", 1) for label in options.label)
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        "history": [{"created_by": "make_image.py"} for _ in layers]}).encode()
    kind = "layer.v1.tar" if options.plain else "layer.v1.tar+gzip"
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor(kind, layer) for layer in packed]}).encode()
    blobs = {digest(data): data for data in [config, manifest, *packed]}
    return blobs, manifest, config, layers


def write_oci(options):
    blobs, manifest, _, _ = make(options)
    entry = descriptor("manifest.v1+json", manifest)
    entry["annotations"] = {"org.opencontainers.image.ref.name": options.name}
    index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [entry]}
    with tarfile.open(options.out, "w") as tar:
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(tar, "index.json", json.dumps(index).encode())
        for name, data in blobs.items():
            add(tar, "blobs/" + name.replace(":", "/"), data)


def write_docker(options):
    _, _, config, layers = make(options)
    name = digest(config)[7:] + ".json"
    paths = [digest(layer)[7:] + "/layer.tar" for layer in layers]
    entry = {"Config": name, "RepoTags": [options.name], "Layers": paths}
    with tarfile.open(options.out, "w") as tar:
        for path, layer in zip(paths, layers):
            add(tar, path, layer)
        add(tar, name, config)
        add(tar, "manifest.json", json.dumps([entry]).encode())


def request(method, url, data=None, headers=None):
    call = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    # Straight there, whatever proxy the environment names.
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(call, timeout=60)


def push(options):
    repository, tag = options.name.rsplit(":", 1)
    base = f"{options.push}/v2/{repository}"
    blobs, manifest, _, _ = make(options)
    for name, data in blobs.items():
        if data is manifest:
            continue
        with request("POST", base + "/blobs/uploads/") as answer:
            place = answer.headers["Location"]
        if place.startswith("/"):
            place = options.push + place
        place += ("&" if "?" in place else "?") + "digest=" + name
        request("PUT", place, data, {"Content-Type": "application/octet-stream"}).close()
    request("PUT", f"{base}/manifests/{tag}", manifest,
            {"Content-Type": OCI + "manifest.v1+json"}).close()
    print(digest(manifest))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", help="file to write")
    parser.add_argument("--push", metavar="URL", help="registry to push to")
    parser.add_argument("--docker", action="store_true", help="a docker archive, not an OCI layout")
    parser.add_argument("--name", required=True, help="reference (repository:tag with --push)")
    parser.add_argument("--plain", action="store_true", help="layers are not compressed")
    parser.add_argument("--cmd", action="append", default=[], help="word of the command, repeatable")
    parser.add_argument("--entrypoint", action="append", default=[], help="likewise")
    parser.add_argument("--env", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--user", default="")
    parser.add_argument("--workdir", default="")
    parser.add_argument("--volume", action="append", default=[], help="a VOLUME, repeatable")
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    pair = lambda text: tuple(text.split("=", 1))
    parser.add_argument("--file", action="append", default=[], type=pair, metavar="NAME=TEXT")
    parser.add_argument("--link", action="append", default=[], type=pair, metavar="NAME=TARGET")
    parser.add_argument("--extra-layers", type=int, default=0, help="layers on top of busybox")
    parser.add_argument("--layer-bytes", type=int, default=0, help="size of each extra layer's file")
    parser.add_argument("--hide", action="append", default=[], metavar="DIR/FILE", help="a layer that hides it")
    parser.add_argument("--zeros", type=int, default=0, metavar="MIB", help="a layer with a file of zeros")
    parser.add_argument("--many-files", type=int, default=0, help="a layer with that many empty files")
    parser.add_argument("--deep", type=int, default=0, help="a layer with a file so many directories deep")
    parser.add_argument("--helpers", metavar="FILE", help="a layer with programs that would make FILE")
    options = parser.parse_args()
    if bool(options.out) == bool(options.push):
        parser.error("either --out or --push")
    if options.push:
        push(options)
    else:
        (write_docker if options.docker else write_oci)(options)


if __name__ == "__main__":
    sys.exit(main())
