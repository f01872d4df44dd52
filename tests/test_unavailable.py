"""Pages while the database is away: one sentence with 503, in the asked form."""

import json

import pytest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from tracing.snapshots.later import Later
from tracing.unavailable import SENTENCE, DatabaseAway


def answered(address: str, error: Exception) -> HttpResponseBase | None:
    return DatabaseAway(lambda request: HttpResponse()).process_exception(
        RequestFactory().get(address), error
    )


@pytest.mark.parametrize("error", [OperationalError("refused"), InterfaceError("closed")])
def test_a_page_says_that_the_database_is_away(error: Exception) -> None:
    response = answered("/flows", error)
    assert isinstance(response, HttpResponse)
    assert response.status_code == 503
    assert response["Retry-After"] == "3"
    assert SENTENCE in response.content.decode()


@pytest.mark.parametrize("form", ["txt", "md"])
def test_text_stays_text(form: str) -> None:
    response = answered(f"/flows?format={form}", OperationalError())
    assert isinstance(response, HttpResponse)
    assert response.content.decode() == f"{SENTENCE}\n"


def test_json_stays_json() -> None:
    response = answered("/flows?format=json", OperationalError())
    assert isinstance(response, HttpResponse)
    assert json.loads(response.content) == {"error": SENTENCE}


def test_what_waits_says_why() -> None:
    response = answered("/share", Later("A day is being thinned."))
    assert isinstance(response, HttpResponse)
    assert (response.status_code, response["Retry-After"]) == (503, "3")
    page = response.content.decode()
    assert "A day is being thinned." in page and "Not just now" in page and "database" not in page
    told = answered("/share?format=json", Later("A day is being thinned."))
    assert isinstance(told, HttpResponse)
    assert json.loads(told.content) == {"error": "A day is being thinned."}


def test_other_errors_are_not_ours() -> None:
    assert answered("/flows", ValueError()) is None


def test_answers_of_others_pass() -> None:
    answer = HttpResponse("fine")

    def view(request: HttpRequest) -> HttpResponseBase:
        return answer

    assert DatabaseAway(view)(RequestFactory().get("/")) is answer
