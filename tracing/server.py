"""The HTTP server of both ports: cheroot, with what exporters and browsers need of it.

Connections without a request in flight wait in a selector and cost no thread, bodies are streams that the
application counts, and a body nobody wanted is never read into memory. The applications are WSGI callables.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cheroot import server, wsgi

from tracing.chunks import Chunks
from tracing.sharing import Dealer, part_with

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

# Content-Type, status and sentence of an answer without the application -> its status, headers and body.
Wording = Callable[[str, str, str], tuple[str, Sequence[tuple[str, str]], bytes]]

# Exporters come every 1–5 s and collectors keep connections for over a minute: hang up later than they do.
KEEP_ALIVE_S = 95
# In the middle of a request a thread waits for its client, so not for long.
READ_S = 20
LARGEST_HEADER = 64 * 1024
# What is left of a refused body: read on so that the answer arrives, but neither for ever nor in memory.
LINGER_S = 2.0
LINGER_BYTES = 256 * 1024 * 1024
SHORT_REST = 64 * 1024
# Answers to a client that may still be sending.
HASTY = ("400", "413", "414")


class Headers(server.HeaderReader):
    """Without names that hold an underscore: `X_Key` and `X-Key` are one name in WSGI, so one could pass as the other.

    cheroot's own reader of that kind compares bytes with text and fails on every request.
    """

    def _allow_header(self, name: bytes) -> bool:
        return b"_" not in name


class Request(server.HTTPRequest):
    header_reader = Headers()

    def read_request_line(self) -> bool:
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call]
        except ValueError:  # an address such as //[, which cheroot does not expect
            self.close_connection = True
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False

    def read_request_headers(self) -> bool:
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length = self.inheaders.get(b"Content-Length", b"0").strip()
        if length.isdigit():
            return True
        self.close_connection = True
        self.simple_response("400 Bad Request", "Content-Length is not a number.")
        return False

    def simple_response(self, status: str, msg: str = "") -> None:
        """The answer to what is no request, or not one to its end; the connection is closed after it."""
        self.conn.unread |= status[:3] in HASTY
        wording = self.server.wording
        if wording is None:
            super().simple_response(status, msg)
            return
        kind = self.inheaders.get(b"Content-Type", b"").decode("latin-1")
        status, headers, body = wording(kind, status, msg)
        lines = [f"{self.server.protocol} {status}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        with contextlib.suppress(OSError):
            self.conn.wfile.write("\r\n".join((*lines, "", "")).encode("latin-1") + body)

    def respond(self) -> None:
        if self.chunked_read:
            self.rfile = Chunks(self.conn.rfile)
        else:
            self.rfile = server.KnownLengthRFile(
                self.conn.rfile, int(self.inheaders.get(b"Content-Length", b"0"))
            )
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def send_headers(self) -> None:
        if self.rest_is_long():
            self.close_connection = True
            self.conn.unread = True
        super().send_headers()

    def rest_is_long(self) -> bool:
        """Whether more of the body is unread than is worth reading for the sake of the connection."""
        if isinstance(self.rfile, Chunks):
            return not self.rfile.finished
        return int(getattr(self.rfile, "remaining", 0)) > SHORT_REST


class Connection(server.HTTPConnection):
    RequestHandlerClass = Request
    unread = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.socket.settimeout(READ_S)

    def close(self) -> None:
        if self.unread:
            linger(self.socket)
        # What a vanished client never took would be written again when this object is collected, and fail aloud.
        with contextlib.suppress(OSError):
            self.wfile.close()
        super().close()


def linger(connection: socket.socket) -> None:
    """Let the client finish sending: closing on unread bytes would reset it before it reads our answer."""
    deadline, read = time.monotonic() + LINGER_S, 0
    try:
        connection.shutdown(socket.SHUT_WR)
        while read < LINGER_BYTES and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            piece = connection.recv(1024 * 1024)
            if not piece:
                return
            read += len(piece)
    except OSError:
        return


class Server(wsgi.Server):
    """Listens from `prepare()` on; `serve()` blocks until `stop()`, which finishes what is in flight."""

    ConnectionClass = Connection
    dealer: Dealer | None = None
    # None is cheroot's plain text.
    wording: Wording | None = None
    # cheroot's ten would hang up on the eleventh exporter after each of its requests.
    keep_alive_conn_limit: Any = None
    _connections: Any
    max_request_header_size = LARGEST_HEADER

    def __init__(
        self, address: tuple[str, int] | str, application: "WSGIApplication", threads: int, drain_s: int = 5
    ) -> None:
        super().__init__(
            address,
            application,
            numthreads=threads,
            server_name="threadline",
            max=threads,
            request_queue_size=128,
            timeout=KEEP_ALIVE_S,
            shutdown_timeout=drain_s,
        )

    def process_conn(self, conn: Any) -> None:
        # A browser opens connections it may never use: a new one waits with the others until it speaks.
        if conn.last_used is None:
            if self.dealer and self.dealer.give(conn.socket):
                part_with(conn)
            else:
                self._connections.put(conn)
        else:
            super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        logger.log(level, "%s", msg, exc_info=traceback)


def in_thread(
    address: tuple[str, int] | str,
    application: "WSGIApplication",
    threads: int,
    dealer: Dealer | None = None,
    wording: Wording | None = None,
) -> Server:
    """A server that listens and answers, from a thread of its own; end it with `stop()`.

    `address` is host and port, or the path of a Unix socket; a `dealer` shares new connections with other processes;
    `wording` says how to answer what never reaches the application.
    """
    serving = Server(address, application, threads)
    serving.dealer, serving.wording = dealer, wording
    serving.prepare()
    threading.Thread(target=serving.serve, name="http", daemon=True).start()
    return serving
