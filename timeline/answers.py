"""In which form an address is asked for (page, json, txt, md), and how it says no.

Views raise `BadFilter` or `NotFound`; `timeline.views.errors` turns them into an answer in the asked form. Text that
JSON can carry and UTF-8 cannot (a lone surrogate) goes out as it came in JSON, and as `\\ud800` everywhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string

from tracing.values import json_bytes

FORMATS = ("html", "json", "txt", "md")
CONTENT_TYPES = {"txt": "text/plain; charset=utf-8", "md": "text/markdown; charset=utf-8"}


class BadFilter(BadRequest):
    """A part of the address that says nothing: 400, with the field named."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence


class NotFound(Http404):
    """Nothing of that name: 404 with a sentence; `sought` is what to try `/find` with."""

    def __init__(self, sentence: str, sought: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.sought = sought


def asked_format(request: HttpRequest, others: Sequence[str] = ()) -> str:
    """One of `FORMATS`; raises BadFilter for another. `others` are those that this page has and its caller looked for."""
    wanted = request.GET.get("format", "") or "html"
    if wanted not in FORMATS:
        *most, last = (*FORMATS[1:], *others)
        raise BadFilter("format", f"The format must be {', '.join(most)} or {last}, or left out for a page.")
    return wanted


def json_answer(value: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(json_bytes(value) + b"\n", content_type="application/json", status=status)


def text_answer(text: str, form: str, status: int = 200) -> HttpResponse:
    return HttpResponse(encoded(text.rstrip("\n") + "\n"), content_type=CONTENT_TYPES[form], status=status)


def page_answer(
    request: HttpRequest, template: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    return HttpResponse(encoded(render_to_string(template, dict(context), request)), status=status)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for the changing part alone; going back in history wants the whole page."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers
