"""Where a request comes from: the address of the connection, or what a proxy of ours says of it.

Only with THREADLINE_PROXY is X-Forwarded-For believed, and of it only the last entry, which the proxy wrote itself.
Throttled sign-ins and the audit go by it.
"""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

_WITH_PORT = re.compile(r"^(?:\[([0-9a-fA-F:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$", re.ASCII)


def address_of(request: HttpRequest) -> str:
    """An IP address; empty where none is known, as on a Unix socket."""
    told = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY:
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or told
    # Some proxies write the port behind it: 192.0.2.7:52044 or [2001:db8::7]:52044.
    bare = _WITH_PORT.sub(r"\1\2", told)
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return ""
    # As a socket for both versions tells an address of version 4.
    return str(getattr(found, "ipv4_mapped", None) or found)
