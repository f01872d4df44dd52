"""Which keys name a person, and what is left of them in a picture."""

import pytest

from timeline.personal import masked, shortened


@pytest.mark.parametrize(
    ("type", "key", "told"),
    [
        ("order", "4711", "4711"),
        ("customer", "4711", "47…"),
        ("customers", "4711", "47…"),
        ("shop.customer", "4711", "47…"),
        ("user_session", "deadbeef", "de…"),
        ("UserAccount", "deadbeef", "de…"),
        ("user", "7", "…"),
        ("user", "712", "7…"),
        ("email", "ann@example.com", "a…"),
        ("ticket", "ann@example.com", "a…"),
        ("superuserless", "4711", "4711"),
        ("", "4711", "4711"),
    ],
)
def test_a_key_that_names_a_person_is_shortened(type: str, key: str, told: str) -> None:
    assert shortened(type, key) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GET /users/ann.b+x@mail.example.com/orders", "GET /users/a…/orders"),
        ("ann@example.com and bob@example.org", "a… and b…"),
        ("POST /orders @ noon", "POST /orders @ noon"),
    ],
)
def test_an_address_in_a_name_is_shortened(text: str, told: str) -> None:
    assert masked(text) == told
