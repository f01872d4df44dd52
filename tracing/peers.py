"""Where a request comes from: the address of the connection, or what a proxy of ours says of it.

Only with THREADLINE_PROXY is X-Forwarded-For believed, and of it only the last entry, which the proxy wrote itself.
Throttled sign-ins and the audit go by it.
"""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """An IP address; empty where none is known, as on a Unix socket."""
    told = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY:
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or told
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        return ""
