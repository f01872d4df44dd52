"""Where e-mail goes out, read from one address."""

import pytest

from tracing import mail
from tracing.sentence import Sentence

READ = [
    ("smtp://mail.example.com", ("mail.example.com", 25, "", "", False, False)),
    ("smtp://ann:p%40ss@mail.example.com:587?tls=1", ("mail.example.com", 587, "ann", "p@ss", False, True)),
    ("smtp://mail.example.com:587/?tls=0", ("mail.example.com", 587, "", "", False, False)),
    ("smtps://ann:x@mail.example.com", ("mail.example.com", 465, "ann", "x", True, False)),
]
NAMES = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_SSL", "USE_TLS")


@pytest.mark.parametrize(("url", "read"), READ)
def test_an_address_is_read(url: str, read: tuple[object, ...]) -> None:
    found = mail.parse("X", url)
    assert tuple(found[f"EMAIL_{name}"] for name in NAMES) == read
    assert found["EMAIL_TIMEOUT"] < 10


@pytest.mark.parametrize(
    "url",
    ["mail.example.com", "http://h", "smtp://", "smtp://u:s3cret@h:x", "smtp://h?s3cret=1", "smtp://h/path"],
)
def test_an_odd_one_is_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(Sentence, match="THREADLINE_EMAIL_URL must be an address such as smtp://") as odd:
        mail.parse("THREADLINE_EMAIL_URL", url)
    assert "s3cret" not in str(odd.value)


def test_none_is_no_mail() -> None:
    assert mail.parse("X", "") == {}
