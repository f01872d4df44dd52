"""Which keys name a secret, by whole segments, and what is left of values that hold one."""

from typing import Any

import pytest

from tracing.redaction import DEFAULT_NAMES, Redaction, segments
from tracing.values import REDACTED, tag_map

HIDDEN = [
    "password",
    "PASSWORD",
    "db.password",
    "user.passwd",
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.response.header.set-cookie",
    "http.response.header.set_cookie",
    "api_key",
    "x-api-key",
    "apiKey",
    "APIKey",
    "apikey",
    "app.payment.card_number",
    "cardNumber",
    "app.payment.cardNumber",
    "credit_card_number",
    "cvv",
    "payment.cvv",
    "card.cvc",
    "client_secret",
    "auth.token",
    "accessToken",
    "aws.access_key.id",
    "private-key",
    "ssn",
    "customer.iban",
    "card/pin",
    "credentials",
]
SHOWN = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "tokens",
    "tokenizer",
    "order.id",
    "passworded",
    "secretary",
    "pinned",
    "spinner",
    "shipping.id",
    "card",
    "number",
    "card.type",
    "api.name",
    "key",
    "session.id",
    "cookiecutter",
    "authorized",
    "",
    "$",
]


@pytest.mark.parametrize("key", HIDDEN)
def test_hides(key: str) -> None:
    assert Redaction().hides(key)


@pytest.mark.parametrize("key", SHOWN)
def test_shows(key: str) -> None:
    assert not Redaction().hides(key)


@pytest.mark.parametrize("name", DEFAULT_NAMES)
def test_every_documented_name_hides_itself(name: str) -> None:
    assert Redaction().hides(f"some.{name}.value")


def test_a_setting_adds_names() -> None:
    redaction = Redaction(["patient_name", "vin"])
    assert redaction.hides("clinic.patientName")
    assert redaction.hides("car.vin")
    assert not redaction.hides("clinic.patient")
    assert not redaction.hides("vinyl")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("http.request.header.set-cookie", ("http", "request", "header", "set", "cookie")),
        ("cardNumber", ("card", "number")),
        ("HTTPServerToken", ("http", "server", "token")),
        ("API_KEY", ("api", "key")),
        ("äußere.Größe", ("äußere", "größe")),
    ],
)
def test_segments(key: str, words: tuple[str, ...]) -> None:
    assert segments(key) == words


@pytest.mark.parametrize(
    ("value", "kept", "count"),
    [
        ({"password": "x", "order.id": "1"}, {"password": REDACTED, "order.id": "1"}, 1),
        ({"user": {"name": "a", "token": {"a": 1}}}, {"user": {"name": "a", "token": REDACTED}}, 1),
        ([{"cvv": 1}, {"cvv": 2}, "cvv"], [{"cvv": REDACTED}, {"cvv": REDACTED}, "cvv"], 2),
        ({"password": None, "secret": []}, {"password": REDACTED, "secret": REDACTED}, 2),
        ({"password": REDACTED}, {"password": REDACTED}, 0),
        (tag_map({"$a": 1, "pin": 2}), {"$map": [["$a", 1], ["pin", REDACTED]]}, 1),
        (tag_map({"pin\0": 2}), {"$map": [[{"$text": "cGluAA=="}, REDACTED]]}, 1),
        ({"$bytes": "AA=="}, {"$bytes": "AA=="}, 0),
        ("password", "password", 0),
        (7, 7, 0),
    ],
)
def test_values_without_secrets(value: Any, kept: Any, count: int) -> None:
    assert Redaction().without_secrets(value) == (kept, count)
