"""Somebody who receives what Threadline tells: a web server and a mail server on loopback, real and small."""

import contextlib
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """A web server that takes JSON. `status` is what it answers, after `pause_s`; clear `go` to make it hang."""

    def __init__(self) -> None:
        self.status = 200
        self.pause_s = 0.0
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.go = threading.Event()
        self.go.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hook.got.append(json.loads(said))
                hook.headers.append(dict(self.headers.items()))
                time.sleep(hook.pause_s)
                hook.go.wait(30)
                with contextlib.suppress(OSError):
                    self.send_response(hook.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def do_GET(self) -> None:
                hook.got.append({"path": self.path})
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook/s3cret-path"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.got]


@contextlib.contextmanager
def hooked() -> Iterator[Hook]:
    hook = Hook()
    serving = threading.Thread(target=hook.server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield hook
    finally:
        hook.go.set()
        hook.server.shutdown()
        hook.server.server_close()
        serving.join()


class MailServer(socketserver.ThreadingTCPServer):
    """Knows the box its sessions fill."""

    box: "Mailbox"


class MailSession(socketserver.StreamRequestHandler):
    """As much of SMTP as a client without extensions needs."""

    def handle(self) -> None:
        self.receivers: list[str] = []
        self.say("220 box")
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split()[0].upper()
            self.say(getattr(self, f"on_{word.lower()}", lambda line: "250 fine")(line))
            if word == "QUIT":
                return

    def on_rcpt(self, line: str) -> str:
        if self.box.refuse:
            return "550 no such user"
        self.receivers.append(line.partition("<")[2].partition(">")[0])
        return "250 fine"

    def on_data(self, line: str) -> str:
        self.say("354 go on")
        lines: list[str] = []
        while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
            lines.append(text)
        self.box.got.append((self.receivers, "\n".join(lines)))
        return "250 taken"

    @property
    def box(self) -> "Mailbox":
        server = self.server
        assert isinstance(server, MailServer)
        return server.box

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Mailbox:
    """A mail server that takes everything, or refuses receivers with `refuse`."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], str]] = []
        self.refuse = False
        self.server = MailServer(("127.0.0.1", 0), MailSession)
        self.server.box = self
        self.server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    serving = threading.Thread(target=box.server.serve_forever, args=(0.02,), daemon=True)
    serving.start()
    try:
        yield box
    finally:
        box.server.shutdown()
        box.server.server_close()
        serving.join()
