"""One port, several processes: accepted connections are dealt out in turn, because Python decodes on one core a process.

The process that listens hands a connection's descriptor to the next process over a socket pair; `server.Server` asks
it for every new connection. A helper that died is passed over until the supervisor has started it again.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cheroot.makefile import MakeFile

from tracing import supervisor

CHECK_S = 0.2


class Helper:
    """A process that takes connections. Both ends stay open here, so a new one finds what the old one left."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self.giving, self.taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.giving.setblocking(False)
        descriptor = self.taking.fileno()
        self.child = supervisor.Child([*words, f"--take={descriptor}"], environ, keep=(descriptor,))

    def give(self, connection: socket.socket) -> bool:
        """Hand a connection over; False where it must be served by somebody else."""
        if self.child.ended():
            return False
        try:
            socket.send_fds(self.giving, [b"c"], [connection.fileno()])
        except OSError:
            return False
        return True


class Dealer:
    """Deals new connections out between this process and its helpers, each in turn."""

    def __init__(self, helpers: Sequence[Helper], say: supervisor.Say) -> None:
        self._helpers = helpers
        self._say = say
        self._turn = 0
        self._stopping = threading.Event()

    def start(self) -> None:
        for helper in self._helpers:
            helper.child.start()
        threading.Thread(target=self._supervise, name="helpers", daemon=True).start()

    def give(self, connection: socket.socket) -> bool:
        """Whether another process took the connection; this one's turn comes as often as everybody's."""
        self._turn = (self._turn + 1) % (len(self._helpers) + 1)
        return self._turn > 0 and self._helpers[self._turn - 1].give(connection)

    def ask_to_stop(self) -> None:
        """Let the helpers finish what they have while this process finishes its own."""
        self._stopping.set()
        for helper in self._helpers:
            helper.child.send(signal.SIGTERM)

    def stop(self, patience_s: float) -> None:
        self.ask_to_stop()
        supervisor.end([helper.child for helper in self._helpers], patience_s)

    def _supervise(self) -> None:
        while not self._stopping.wait(CHECK_S):
            for helper in self._helpers:
                helper.child.check(self._say)


def take(descriptor: int, serve: Callable[[socket.socket], None]) -> None:
    """Serve the connections handed to this process, in a thread of its own, until the giving process is gone."""
    source = socket.socket(fileno=descriptor)

    def run() -> None:
        while True:
            with contextlib.suppress(InterruptedError):
                message, descriptors, _, _ = socket.recv_fds(source, 1, 1)
                if not message:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                for one in descriptors:
                    serve(socket.socket(fileno=one))

    threading.Thread(target=run, name="taking", daemon=True).start()


def adopt(server: Any, connection: socket.socket) -> None:
    """Make a cheroot server wait for requests on a connection that another process accepted."""
    adopted = server.ConnectionClass(server, connection, MakeFile)
    with contextlib.suppress(OSError):
        adopted.remote_addr, adopted.remote_port = connection.getpeername()[:2]
    adopted.ssl_env = {}
    adopted.last_used = time.time()
    server._connections.put(adopted)


def part_with(connection: Any) -> None:
    """Close our side of a connection that was given away, without ending it for whoever has it now."""
    connection.rfile.close()
    connection.wfile.close()
    connection.socket.close()
