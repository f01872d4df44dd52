"""Addresses of a type's pages, made and read in one place.

A type may hold anything; what a path cannot carry safely (a slash, `.`, `..`) goes into the query, with a dash in its
place: `/types/-/settings?type=a%2Fb`. `timeline.urls` routes these.
"""

from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.http import HttpRequest

from timeline.addresses import with_query

IN_QUERY = "-"


def type_url(type: str, *parts: str, environment: str = "", **query: str) -> str:
    """The path of a type's page, or of one under it; `environment` is named unless it is the default."""
    asked = dict(query)
    if environment and environment != settings.ENVIRONMENT:
        asked["env"] = environment
    segment = quote(type, safe="")
    if not type or "/" in type or type in (".", "..", IN_QUERY):
        segment, asked = IN_QUERY, {"type": type, **asked}
    return with_query("/".join(("/types", segment, *parts)), asked)


def type_asked(request: HttpRequest, type: str) -> str:
    """The type that an address names: as it was sent, where the server tells it; servers decode paths differently."""
    if type == IN_QUERY:
        return request.GET.get("type", "")
    sent = str(request.META.get("REQUEST_URI") or request.META.get("RAW_URI") or "")
    parts = urlsplit(sent).path.split("/") if sent else []
    return unquote(parts[2]) if len(parts) > 2 and parts[1] == "types" and parts[2] else type


def flows_url(type: str, environment: str, step: str = "", verdict: str = "") -> str:
    """The list of flows of a type, of those that stand at a step, of those with a verdict (or `open`)."""
    return with_query("/flows", {"type": type, "env": environment, "state": step, "verdict": verdict})
