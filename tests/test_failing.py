"""Which failures are the same one."""

import pytest

from tests.builders import Service, event
from tracing import failing

WMS = Service("wms")


def test_the_exception_that_left_the_span_is_its_failure() -> None:
    first = event("exception", 1, exception__type="Timeout", exception__message="slow")
    last = event(
        "exception", 5, exception__type="CarrierError", exception__message="carrier 503 for parcel 88121"
    )
    told = failing.of_span(WMS.span("reserve", 0, 9, status=2, message="failed", events=[first, last]))
    assert told is not None
    assert (told.error_type, told.message, told.operation, told.service) == (
        "CarrierError", "carrier 503 for parcel 88121", "reserve", "wms",
    )  # fmt: skip


def test_a_span_without_an_exception_fails_with_its_status() -> None:
    told = failing.of_span(
        WMS.span("GET /stock", 0, 9, status=2, attributes={"http.response.status_code": 503})
    )
    assert told is not None and (told.error_type, told.message) == ("503", "")
    assert failing.of_span(WMS.span("GET /stock", 0, 9)) is None


def test_a_log_at_error_fails() -> None:
    told = failing.of_log(WMS.log("no stock for 'blue shirt'", 3, severity=17))
    assert told is not None and told.message == "no stock for 'blue shirt'"
    assert failing.of_log(WMS.log("all is well", 3)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("carrier 503 for parcel 88121", "carrier 503 for parcel 7"),
        ("no user ann@example.com", "no user bob@example.org"),
        ("row 5f0c3a1be7d24a53 is locked", "row 6a0c3a1be7d24a54 is locked"),
        ("no such key 'a'", "no such key 'b'"),
        ("job 7c9e6679-7425-40de-944b-e07fc1f90ae7 died", "job 00000000-7425-40de-944b-e07fc1f90ae7 died"),
        ("took 1.5 s", "took 22 s"),
    ],
)
def test_numbers_and_names_do_not_tell_failures_apart(one: str, other: str) -> None:
    assert failing.fingerprint("wms", "reserve", "E", one) == failing.fingerprint(
        "wms", "reserve", "E", other
    )


@pytest.mark.parametrize(
    "other",
    [
        ("shop", "reserve", "E", "carrier 503"),
        ("wms", "reserve", "F", "carrier 503"),
        ("wms", "reserve", "E", "carrier 504"),
    ],
)
def test_what_tells_failures_apart(other: tuple[str, str, str, str]) -> None:
    assert failing.fingerprint("wms", "reserve", "E", "carrier 503") != failing.fingerprint(*other)


def test_an_operation_tells_apart_what_says_nothing_else() -> None:
    assert failing.fingerprint("wms", "a", "", "") != failing.fingerprint("wms", "b", "", "")
    assert failing.fingerprint("wms", "a", "E", "") == failing.fingerprint("wms", "b", "E", "")


def test_words_survive() -> None:
    assert failing.plain("decade of facade, added 3 beads") == "decade of facade, added # beads"
