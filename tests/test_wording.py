"""What a message says, in every phase; and that nothing a sender wrote breaks out of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.lengths import SECOND_NS
from tracing.watch import wording
from tracing.watch.wording import Numbers

HOUR = 3_600 * SECOND_NS
DAY = 24 * HOUR
NUMBERS = Numbers(22, 31, 20_000 * DAY, 20_000 * DAY, "production", more=9)

SUBJECTS = [
    ("opened", "late", "22 orders wait"),
    ("more", "stuck", "9 more: 22 orders wait"),
    ("worse", "stuck", "Now stuck: 22 orders wait"),
    ("worse", "failed", "Worse: 22 orders wait"),
    ("repeat", "stuck", "Still open after 4 h 5 m: 22 orders wait"),
    ("resolved", "stuck", "Resolved after 4 h 5 m: 22 orders wait"),
]


@pytest.mark.parametrize(("phase", "kind", "subject"), SUBJECTS)
def test_a_subject_says_the_phase(phase: str, kind: str, subject: str) -> None:
    at_ns = NUMBERS.opened_ns + 4 * HOUR + HOUR // 12
    assert wording.problem_subject(phase, "22 orders wait", kind, NUMBERS, at_ns) == subject


def test_a_body_has_sentence_numbers_and_link() -> None:
    assert wording.problem_body("They wait.", NUMBERS, "https://t/problems/00").splitlines() == [
        "They wait.",
        "22 flows now · 31 since it opened · since 2024-10-04 00:00 UTC · production",
        "https://t/problems/00",
    ]
    service = Numbers(0, 0, 0, 0, "", flaps=3)
    assert (
        wording.problem_body("Quiet.", service, "u").splitlines()[1]
        == "since 1970-01-01 00:00 UTC · came and went 3 ×"
    )
    assert (
        wording.problem_body("One.", Numbers(1, 1, 0, 0, ""), "u").splitlines()[1].startswith("1 flow now ·")
    )


FLOWS = [
    ("stuck", "paid", "order 4711: stuck at paid"),
    ("moving", "paid", "order 4711: moved on to paid"),
    (None, "paid", "order 4711: moved on to paid"),
    ("ended", None, "order 4711: ended"),
    (None, None, "order 4711: moving"),
]


@pytest.mark.parametrize(("verdict", "step", "subject"), FLOWS)
def test_a_followed_flow(verdict: str | None, step: str | None, subject: str) -> None:
    assert wording.flow_subject("order", "4711", verdict, step) == subject


PATHS = [
    ((1, "order", "4711", ""), "/flow/entity/order/4711"),
    ((2, "on boarding", "a/b.c", ""), "/flow/workflow/on%20boarding/a%2Fb.c"),
    ((1, "order", "4711", "staging eu"), "/flow/entity/order/4711?env=staging%20eu"),
    ((1, "order", "..", ""), "/flow/entity?type=order&key=.."),
    ((1, "a/b", "1", "dev"), "/flow/entity?type=a%2Fb&key=1&env=dev"),
]


@pytest.mark.parametrize(("asked", "path"), PATHS)
def test_the_path_is_the_one_that_pages_use(asked: tuple[int, str, str, str], path: str) -> None:
    from timeline.addresses import flow_url

    assert wording.flow_path(*asked) == path
    kind, type, key, environment = asked
    assert flow_url(wording.KIND_WORDS[kind], type, key, environment or None) == path


def test_an_id_is_the_same_for_the_same_and_for_nothing_else() -> None:
    parts = [(1, b"p", "opened", "x"), (2, b"p", "opened", "x"), (1, b"q", "opened", "x"), (1, b"p", "more", "x"),
             (1, b"p", "opened", "y")]  # fmt: skip
    ids = [wording.message_id(*part) for part in parts]
    assert len(set(ids)) == len(parts) and ids == [wording.message_id(*part) for part in parts]


def test_a_repetition_says_so() -> None:
    assert wording.signed("text", "ab", False) == "text\n(message ab)"
    assert wording.signed("text", "ab", True) == "text\n(possibly repeated, message ab)"


@given(st.text(), st.integers(2, 300))
def test_any_text_becomes_one_printable_line(text: str, most: int) -> None:
    said = wording.line(text, most)
    assert len(said) <= most and said.isprintable()
    said.encode()


def test_a_sender_cannot_break_the_subject() -> None:
    said = wording.problem_subject(
        "opened", "a\r\nBcc: all@example.com\x00\ud800" + "x" * 500, "failed", NUMBERS, 0
    )
    assert said.startswith("a Bcc: all@example.com xxx") and len(said) == wording.LONGEST_SUBJECT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeout @everyone", "timeout ＠everyone"),
        ("<!channel> down", "‹!channel> down"),
        ("ann@here.example", "ann＠here.example"),
        ("ann@example.com", "ann@example.com"),
    ],
)
def test_a_sender_cannot_call_a_whole_chat(text: str, said: str) -> None:
    assert wording.line(text, 100) == said
