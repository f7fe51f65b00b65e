"""A backend that tells what it received, and speaks WebSocket; its name is its first argument, its port the second.

What ends with ``/slow`` is answered in pieces over five seconds, and a WebSocket there goes on, with an echo.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.greet()
            return
        if self.path.endswith("/slow"):
            self.drip()
            return
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"backend": sys.argv[1], "method": self.command, "path": self.path, "headers": headers}
        body = json.dumps({**told, "body": self.rfile.read(length).decode("utf-8", "replace")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def greet(self) -> None:
        """RFC 6455: agree, then send one frame of text."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.write(b"\x81\x05hello")
        self.close_connection = True
        if self.path.endswith("/slow"):
            # One short frame, masked with zeros, goes back as it is, unmasked.
            head = self.rfile.read(6)
            self.wfile.write(bytes([head[0], head[1] & 0x7F]) + self.rfile.read(head[1] & 0x7F))

    def drip(self) -> None:
        pieces = [b"piece " * 1000] * 25
        self.send_response(200)
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(0.2)

    def log_message(self, *_arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    daemon_threads = True
    request_queue_size = 512

    def server_bind(self) -> None:
        """On IPv4 too."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


Server(("", int(sys.argv[2])), Backend).serve_forever()
