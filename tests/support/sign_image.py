#!/usr/bin/env python3
"""Signs an image as cosign does (simple signing, the signature as a manifest beside the image), with the openssl command.

  sign_image.py --push http://HOST:PORT --repository R --digest D --key PEM    into a registry, as tag sha256-<hex>.sig
  sign_image.py --archive FILE --key PEM          into an OCI layout that make_image.py wrote; of its first image

--identity NAME says for which name (else that of the registry and repository), --about DIGEST of which image the
signature speaks (else of the one it is put beside), --spoil changes what was signed afterwards.
"""
import argparse
import base64
import json
import subprocess
import sys
import tarfile
import tempfile

from make_image import OCI, add, descriptor, digest, request

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"


def sign(payload, key):
    kind = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload)
        file.flush()
        if "ED25519" in kind:
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name]
        else:
            command = ["openssl", "dgst", "-sha256", "-sign", key, file.name]
        return subprocess.run(command, check=True, capture_output=True).stdout


def make(options, about, identity):
    """Returns (manifest bytes, other blobs)."""
    payload = json.dumps({
        "critical": {"identity": {"docker-reference": options.identity or identity},
                     "image": {"docker-manifest-digest": options.about or about},
                     "type": "cosign container image signature"},
        "optional": None}).encode()
    signature = sign(payload, options.key)
    if options.spoil:
        payload = payload.replace(b"null", b"{}  ")
    config = b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'
    layer = descriptor("", payload)
    layer["mediaType"] = PAYLOAD
    layer["annotations"] = {
        "dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": descriptor("config.v1+json", config), "layers": [layer]}).encode()
    return manifest, [payload, config]


def push(options):
    host = options.push.split("//")[1]
    manifest, blobs = make(options, options.digest, f"{host}/{options.repository}")
    base = f"{options.push}/v2/{options.repository}"
    for data in blobs:
        with request("POST", base + "/blobs/uploads/") as answer:
            place = answer.headers["Location"]
        if place.startswith("/"):
            place = options.push + place
        place += ("&" if "?" in place else "?") + "digest=" + digest(data)
        request("PUT", place, data, {"Content-Type": "application/octet-stream"}).close()
    tag = options.digest.replace(":", "-") + ".sig"
    request("PUT", f"{base}/manifests/{tag}", manifest,
            {"Content-Type": OCI + "manifest.v1+json"}).close()


def into_archive(options):
    with tarfile.open(options.archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    index = json.loads(files["index.json"])
    image = index["manifests"][0]
    name = image["annotations"]["org.opencontainers.image.ref.name"]
    manifest, blobs = make(options, image["digest"], name.rsplit(":", 1)[0])
    entry = descriptor("manifest.v1+json", manifest)
    entry["annotations"] = {"kind": "dev.cosignproject.cosign/sigs"}
    index["manifests"].append(entry)
    files["index.json"] = json.dumps(index).encode()
    for data in [manifest, *blobs]:
        files["blobs/" + digest(data).replace(":", "/")] = data
    with tarfile.open(options.archive, "w") as tar:
        for path, data in files.items():
            add(tar, path, data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--push", metavar="URL")
    parser.add_argument("--repository")
    parser.add_argument("--digest")
    parser.add_argument("--archive", metavar="FILE")
    parser.add_argument("--key", required=True)
    parser.add_argument("--identity")
    parser.add_argument("--about", metavar="DIGEST")
    parser.add_argument("--spoil", action="store_true")
    options = parser.parse_args()
    if options.archive:
        into_archive(options)
    else:
        push(options)


if __name__ == "__main__":
    sys.exit(main())
