"""A page's answer while the database is away: 503, one sentence, in the form that was asked for.

Connections are looked at before use (`CONN_HEALTH_CHECKS`), so pages are back with the database, without a
restart. What receives data says the same in OTLP's words, in `tracing.otlp`.
"""

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string

SENTENCE = (
    "The database does not answer. What was received is safe; this page is back as soon as the database is."
)
RETRY_AFTER_S = 3
# What is raised while it is away.
AWAY = (OperationalError, InterfaceError)

logger = logging.getLogger(__name__)


class DatabaseAway:
    """Middleware; a class only because Django offers view errors to a method."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.answer(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        return answer_to(request, error) if isinstance(error, AWAY) else None


def answer_to(request: HttpRequest, error: Exception) -> HttpResponseBase:
    """Also for who needs the database before there is a view: `timeline.access`."""
    logger.warning("%s: the database does not answer: %s", request.path, error)
    response = unavailable(request)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.headers["Cache-Control"] = "no-store"
    return response


def unavailable(request: HttpRequest) -> HttpResponse:
    form = request.GET.get("format", "")
    if form == "json":
        return JsonResponse({"error": SENTENCE}, status=503)
    if form in ("txt", "md"):
        return HttpResponse(f"{SENTENCE}\n", status=503, content_type="text/plain; charset=utf-8")
    context = {"sentence": SENTENCE, "retry_after": RETRY_AFTER_S}
    return HttpResponse(render_to_string("unavailable.html", context, request), status=503)
