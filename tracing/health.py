"""`/healthz` and `/readyz`, in front of both HTTP ports and of everything Django would check first.

Alive means that this process answers; ready that what it needs (the database, migrated) is there. Whoever
builds a process gives the second as a function: the collector asks its store, the pages `tracing.readiness`.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The reason for not being ready, or None.
Reason = Callable[[], str | None]


def around(application: "WSGIApplication", why_not_ready: Reason) -> "WSGIApplication":
    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/healthz":
            return say(environ, start_response, None)
        if path == "/readyz":
            return say(environ, start_response, why_not_ready())
        return application(environ, start_response)

    return answer


def say(environ: "WSGIEnvironment", start_response: "StartResponse", reason: str | None) -> Iterable[bytes]:
    body = f"{reason or 'ok'}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    if reason:
        headers.append(("Retry-After", "1"))
    start_response("503 Service Unavailable" if reason else "200 OK", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
