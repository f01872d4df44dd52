"""Answers' security headers that Django does not set itself.

Everything a page needs comes from this server, and nothing runs or styles from inside the page: what a sender
writes into an attribute can never become a script. `tracing.settings` puts it around every page.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

Answer = Callable[[HttpRequest], HttpResponseBase]


def content_security_policy(answer: Answer) -> Answer:
    def with_policy(request: HttpRequest) -> HttpResponseBase:
        response = answer(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return with_policy
