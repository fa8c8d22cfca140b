#!/usr/bin/env python3
"""Stands between a client and a registry, and does to blobs what a sick or wicked one would do.

  bad_proxy.py --port N --to HOST:PORT [--log FILE] [MODE...]

Modes: --reset-after BYTES (a reset connection after so many bytes of each answer), --busy N (429 for the first N
requests), --drip (big
ones at ten bytes a second), --rot (a wrong byte), --short (a byte less than announced),
--redirect URL, --endless-headers, --forward (be an HTTP proxy: absolute URLs, whatever host they name).
Each request is a line in the log: path, the Authorization that came with it or "-", the Range or "-".
"""
import argparse
import http.client
import http.server
import socket
import struct
import threading
import time
import urllib.parse

PIECE = 16 << 10


def reset(connection):
    """Ends a connection as a crash does: with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def handler(options):
    lock = threading.Lock()
    seen = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_line(self):
            with lock, open(options.log, "a", encoding="utf-8") as log:
                seen[0] += 1
                log.write(f"{self.path} {self.headers.get('Authorization', '-')} "
                          f"{self.headers.get('Range', '-')}\n")
                return seen[0]

        def do_GET(self):
            number = self.log_line()
            if number <= options.busy:
                self.send_response(429)
                self.send_header("Retry-After", "1")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            url = urllib.parse.urlsplit(self.path)
            is_blob = "/blobs/" in url.path
            if is_blob and options.redirect:
                self.send_response(307)
                self.send_header("Location", options.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.pass_on(url, is_blob)

        def pass_on(self, url, is_blob):
            upstream = http.client.HTTPConnection(options.to, timeout=30)
            wanted = {name: self.headers[name] for name in ("Accept", "Authorization", "Range")
                      if name in self.headers}
            upstream.request("GET", url.path + ("?" + url.query if url.query else ""),
                             headers=wanted)
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() in ("content-type", "content-range", "www-authenticate"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            if is_blob and options.endless_headers:
                self.flush_headers()
                while True:
                    self.wfile.write(b"X-Header: " + b"y" * 100 + b"\r\n")
            self.end_headers()
            self.send_body(body, is_blob)

        def send_body(self, body, is_blob):
            if not is_blob:
                self.wfile.write(body)
                return
            if options.rot:
                body = bytes([body[0] ^ 1]) + body[1:]
            if options.short:
                body = body[:-1]
            if options.drip and len(body) > 100000:
                for at in range(0, len(body), 10):
                    self.wfile.write(body[at:at + 10])
                    self.wfile.flush()
                    time.sleep(1)
                return
            if options.reset_after and len(body) > options.reset_after:
                self.wfile.write(body[:options.reset_after])
                self.wfile.flush()
                time.sleep(0.05)
                reset(self.connection)
                self.close_connection = True
                return
            self.wfile.write(body)
            if options.short:
                self.close_connection = True

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except (BrokenPipeError, ConnectionResetError, ValueError, OSError):
                self.close_connection = True

        def finish(self):
            try:
                super().finish()
            except (BrokenPipeError, ConnectionResetError, ValueError, OSError):
                pass

        def log_message(self, *_):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--log", default="/dev/null")
    parser.add_argument("--reset-after", type=int, default=0)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--redirect", default="")
    for mode in ("drip", "rot", "short", "endless-headers", "forward"):
        parser.add_argument("--" + mode, action="store_true")
    options = parser.parse_args()
    Server(("127.0.0.1", options.port), handler(options)).serve_forever()


if __name__ == "__main__":
    main()
