"""A page's answer while the database is away, or while what is asked for waits: 503, one sentence, in the form asked for.

Connections are looked at before use (`CONN_HEALTH_CHECKS`), so pages are back with the database, without a
restart. What receives data says the same in OTLP's words, in `tracing.otlp`.
"""

import logging
from collections.abc import Callable

import psycopg
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string

from tracing.snapshots.later import Later

SENTENCE = (
    "The database does not answer. What was received is safe; this page is back as soon as the database is."
)
RETRY_AFTER_S = 3
BUSY = "Something is being forgotten just now, and nothing is shared, kept or laid out meanwhile. Try again in a minute."
# What is raised while it is away, through Django or not.
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)

logger = logging.getLogger(__name__)


class DatabaseAway:
    """Middleware; a class only because Django offers view errors to a method."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.answer(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        return answer_to(request, error) if isinstance(error, (*AWAY, Later)) else None


def answer_to(request: HttpRequest, error: Exception) -> HttpResponseBase:
    """Also for who needs the database before there is a view: `timeline.access`."""
    response = unavailable(request, _sentence(request, error))
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.headers["Cache-Control"] = "no-store"
    return response


def _sentence(request: HttpRequest, error: Exception) -> str:
    if isinstance(error, Later):
        return error.sentence
    logger.warning("%s: the database does not answer: %s", request.path, error)
    return BUSY if isinstance(error, psycopg.errors.LockNotAvailable) else SENTENCE


def unavailable(request: HttpRequest, sentence: str = SENTENCE) -> HttpResponse:
    form = request.GET.get("format", "")
    if form == "json":
        return JsonResponse({"error": sentence}, status=503)
    if form in ("txt", "md"):
        return HttpResponse(f"{sentence}\n", status=503, content_type="text/plain; charset=utf-8")
    context = {"sentence": sentence, "is_away": sentence == SENTENCE}
    return HttpResponse(render_to_string("unavailable.html", context, request), status=503)
