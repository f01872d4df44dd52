"""The answers that say no: 400 with the field named, 404 with a way on, 500; as page, JSON or text.

`tracing.urls` names these handlers; `timeline.answers` holds what views raise. A database that is gone is
answered by `tracing.unavailable`.
"""

from django.http import HttpRequest, HttpResponse

from timeline.addresses import with_query
from timeline.answers import FORMATS, json_answer, page_answer, text_answer
from timeline.plain import one_line

WORDS = {400: "bad request", 404: "not found", 500: "internal error"}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    sentence = (
        getattr(exception, "sentence", "") or "This address or form holds something that cannot be read."
    )
    return say(request, 400, sentence, field=getattr(exception, "field", ""))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    sentence = getattr(exception, "sentence", "") or "There is nothing at this address."
    return say(request, 404, sentence, sought=getattr(exception, "sought", ""))


def failed(request: HttpRequest) -> HttpResponse:
    sentence = "Something went wrong on our side. What was received is safe; the server's log says more."
    return say(request, 500, sentence)


def say(request: HttpRequest, status: int, sentence: str, field: str = "", sought: str = "") -> HttpResponse:
    """One sentence in the asked format."""
    form = request.GET.get("format", "html")
    if form not in FORMATS or form == "html":
        context = {"sentence": sentence, "field": field, "sought": sought}
        return page_answer(request, f"{status}.html", context, status=status)
    hint = with_query("/find", {"q": sought}) if status == 404 else None
    if form == "json":
        error = {"status": status, "error": WORDS[status], "field": field or None, "sentence": sentence}
        return json_answer(error | ({"find": hint} if hint else {}), status)
    text = one_line(f"{field}: {sentence}" if field else sentence)
    return text_answer(f"{text}\nTry {hint}" if hint else text, form, status)
