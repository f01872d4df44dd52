"""Which address to listen on, whether other machines reach it, and whether its port is free.

`manage.py up` asks before it starts anything, so that a taken port is a sentence and not a child that dies. What a reachable
address needs is `tracing.guarding`.
"""

import errno
import functools
import ipaddress
import socket
import time

from tracing.sentence import Sentence


def number_of(host: str) -> str:
    """The address to bind, as a number: a name such as localhost may have several, and each part would take another.

    Raises Sentence for a host that is not here.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        raise Sentence(f"There is no host {host!r} here; use --host 127.0.0.1.") from None
    addresses = sorted(str(info[4][0]) for info in found)
    # Loopback last of all only where it is the only one; IPv4 where there is a choice: it is what senders try, first or second.
    reachable = [one for one in addresses if not is_loopback(one)] or addresses
    return next((one for one in reachable if ":" not in one), reachable[0])


@functools.cache
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it; of a name whether that is so of all its addresses."""
    try:
        return ipaddress.ip_address(host.strip("[]").split("%")[0]).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(info[4][0]).split("%")[0]).is_loopback for info in found)


def demand_free(host: str, ports: dict[str, int], patience_s: float = 0.0) -> None:
    """Raises Sentence for a port that somebody listens on. `ports` maps each flag to its port.

    A short wait covers children of a killed run, which need a moment to go.
    """
    taken_twice = [flag for flag, port in ports.items() if list(ports.values()).count(port) > 1]
    if taken_twice:
        raise Sentence(
            f"{' and '.join(taken_twice)} must be different ports, not all {ports[taken_twice[0]]}."
        )
    deadline = time.monotonic() + patience_s
    for flag, port in ports.items():
        while reason := why_taken(host, port):
            if time.monotonic() >= deadline:
                raise Sentence(
                    f"Port {port} on {host} {reason}: stop what holds it, or choose another with {flag} PORT."
                )
            time.sleep(0.1)


def why_taken(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: an old connection winding down on the port is no listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None
