"""Alive and ready, in front of an application that must not be asked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from tracing import health

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def inner(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response("418 I'm a teapot", [])
    return [b"inner"]


CASES = [
    ("GET", "/healthz", None, "200 OK", b"ok\n"),
    ("GET", "/healthz", "no database", "200 OK", b"ok\n"),
    ("GET", "/readyz", None, "200 OK", b"ok\n"),
    ("GET", "/readyz", "no database", "503 Service Unavailable", b"no database\n"),
    ("HEAD", "/readyz", "no database", "503 Service Unavailable", b""),
    ("GET", "/readyz/", None, "418 I'm a teapot", b"inner"),
    ("GET", "/", None, "418 I'm a teapot", b"inner"),
]


@pytest.mark.parametrize(("method", "path", "reason", "status", "body"), CASES)
def test_health(method: str, path: str, reason: str | None, status: str, body: bytes) -> None:
    said: list[Any] = []
    application = health.around(inner, lambda: reason)
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    answer = b"".join(application(environ, lambda *words: said.append(words)))  # type: ignore[arg-type]
    assert (said[0][0], answer) == (status, body)
    assert ("Retry-After" in dict(said[0][1])) == (status[:3] == "503")
