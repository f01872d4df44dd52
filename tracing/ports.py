"""Whether we may listen on an address: loopback only for now, and a port nobody has.

`manage.py up` asks before it starts anything, so that a taken port is a sentence and not a child that dies.
"""

import errno
import ipaddress
import socket
import time

from tracing.sentence import Sentence


def loopback(host: str) -> str:
    """The address to bind, as a number: a name such as localhost may have several, and each part would take another.

    Raises Sentence for any host that other machines can reach.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        raise Sentence(f"There is no host {host!r} here; use --host 127.0.0.1.") from None
    addresses = sorted(str(info[4][0]) for info in found)
    if not addresses or not all(ipaddress.ip_address(one.split("%")[0]).is_loopback for one in addresses):
        raise Sentence(
            f"Threadline listens on this machine only, and {host} can be reached from others: there are no users "
            "and keys yet that would protect it. Use --host 127.0.0.1 and put a tunnel or a proxy with a login before it."
        )
    # IPv4 where there is a choice: it is what senders try, first or second.
    return next((one for one in addresses if ":" not in one), addresses[0])


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
