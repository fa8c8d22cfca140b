#!/usr/bin/env python3
"""A token service for docker-registry, with nothing but the standard library and openssl(1).

  token_server.py --port N --key KEY.pem --cert CERT.pem [--user NAME --password WORD]
                  [--identity-token WORD] [--log FILE]

Anybody may pull from repositories below public/; others need Basic authorization (GET) or the identity token
(POST). Each request is a line in the log: method, what was shown, scope.
"""
import argparse
import base64
import http.server
import json
import subprocess
import time
import urllib.parse


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(options, claims):
    with open(options.cert, encoding="ascii") as file:
        lines = file.read().split("-----")[2]
    header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines.split())]}
    body = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(claims).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", options.key], input=body,
                               check=True, capture_output=True).stdout
    return (body + b"." + encode(signature)).decode()


def claims_for(options, service, scope):
    kind, name, actions = scope.rsplit(":", 2) if scope.count(":") == 2 else ("", "", "")
    now = int(time.time())
    return {"iss": options.issuer, "sub": "", "aud": service, "iat": now, "nbf": now - 10,
            "exp": now + 300, "jti": str(now),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}


def handler(options):
    expected = "Basic " + base64.b64encode(f"{options.user}:{options.password}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, query, shown):
            scope = query.get("scope", [""])[0]
            with open(options.log, "a", encoding="utf-8") as log:
                log.write(f"{self.command} {shown} {scope}\n")
            if shown == "nothing" and ":public/" not in scope or shown == "wrong":
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            service = query.get("service", [""])[0]
            token = sign(options, claims_for(options, service, scope))
            body = json.dumps({"token": token}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            shown = self.headers.get("Authorization")
            kind = "nothing" if shown is None else "user" if shown == expected else "wrong"
            self.answer(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query), kind)

        def do_POST(self):
            length = int(self.headers.get("Content-Length", "0"))
            query = urllib.parse.parse_qs(self.rfile.read(length).decode())
            good = query.get("grant_type") == ["refresh_token"]
            good = good and query.get("refresh_token") == [options.identity_token]
            self.answer(query, "identity" if good else "wrong")

        def log_message(self, *_):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--issuer", default="test-issuer")
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--identity-token", default="")
    parser.add_argument("--log", default="/dev/null")
    options = parser.parse_args()
    http.server.ThreadingHTTPServer(("127.0.0.1", options.port), handler(options)).serve_forever()


if __name__ == "__main__":
    main()
