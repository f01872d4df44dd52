"""Addresses of flows, records and finds, made and read in one place.

A key may hold anything, slashes and dots too. What a path cannot carry safely (`.` and `..` as a whole
segment, which browsers fold away; a type with a slash) goes into the query: `/flow/entity?type=…&key=…`.
`timeline.urls` routes these; the views read them back with `flow_asked`.
"""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest


def flow_url(kind: str, type: str, key: str, environment: str | None = None, **query: str) -> str:
    """The path of a flow's page; `env` is named unless it is None or the default environment."""
    asked = dict(query)
    if environment is not None and environment != settings.ENVIRONMENT and kind != "request":
        asked["env"] = environment
    if _fits_path(type, key):
        return with_query(f"/flow/{kind}/{quote(type, safe='')}/{quote(key, safe='')}", asked)
    return with_query(f"/flow/{kind}", {"type": type, "key": key, **asked})


def record_url(trace_id: str, span_id: str) -> str:
    """The path of one span: 32 and 16 hex digits."""
    return f"/record/{trace_id}/{span_id}"


def row_number(text: str) -> int:
    """The number of a row that somebody asks for; 0, which none has, where it is no such number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def with_query(path: str, query: dict[str, str]) -> str:
    """A path with those parameters that say something."""
    said = {name: value for name, value in query.items() if value != ""}
    return f"{path}?{urlencode(said, quote_via=quote)}" if said else path


def with_more(path: str, query: dict[str, str]) -> str:
    """The same of a path that may have a query already."""
    said = {name: value for name, value in query.items() if value != ""}
    return f"{path}{'&' if '?' in path else '?'}{urlencode(said, quote_via=quote)}" if said else path


def in_forms(address: str) -> dict[str, str]:
    """For templates: the same page as text, Markdown and JSON."""
    forms = {"text": "txt", "markdown": "md", "json": "json"}
    return {f"{name}_href": with_more(address, {"format": form}) for name, form in forms.items()}


def absolute(path: str) -> str:
    """A path as a link that may leave the product: under the public base address."""
    return f"{settings.URL}{path}"


def flow_asked(request: HttpRequest, kind: str, type: str = "", key: str = "") -> tuple[str, str, str]:
    """Kind, type and key of the flow that an address names.

    Servers decode paths differently (an escaped slash in a type, `%252F` in a key), so the address as it was
    sent decides where the server tells it, and what the router matched only where it does not.
    """
    if not type:
        return kind, request.GET.get("type", ""), request.GET.get("key", "")
    sent = str(request.META.get("REQUEST_URI") or request.META.get("RAW_URI") or "")
    named = flow_in_path(urlsplit(sent).path) if sent else None
    return named or (kind, type, key)


def flow_in_path(path: str) -> tuple[str, str, str] | None:
    """Kind, type and key in a percent-encoded path `/flow/<kind>/<type>/<key>`, or None."""
    parts = path.split("/", 4)
    if len(parts) < 5 or parts[0] or parts[1] != "flow" or not all(parts[2:]):
        return None
    kind, type, key = (unquote(part) for part in parts[2:])
    return kind, type, key


def flow_in_address(address: str) -> tuple[str, str, str, str | None] | None:
    """Kind, type, key and environment of the flow that an address of ours names, path and query; or None."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query))
    named = flow_in_path(parts.path)
    if named is None and (found := re.fullmatch(r"/flow/(\w+)", parts.path)):
        named = (found[1], query.get("type", ""), query.get("key", ""))
    return (*named, query.get("env")) if named and all(named) else None


def _fits_path(type: str, key: str) -> bool:
    if not type or not key or "/" in type or type in (".", ".."):
        return False
    return not any(part in (".", "..") for part in key.split("/"))
