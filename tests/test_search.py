"""What is typed into a list's search field, as words and equalities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.search import MAX_TERMS, Equality, Sought, parse


@pytest.mark.parametrize(
    ("text", "words", "equalities"),
    [
        ("", (), ()),
        ("4711", ("4711",), ()),
        ("order 4711", ("order", "4711"), ()),
        ('"send receipt" 4', ("send receipt", "4"), ()),
        ("order.state=paid", (), (("order.state", "paid"),)),
        ('http.route="/x y"', (), (("http.route", "/x y"),)),
        (r'note="say \"hi\""', (), (("note", 'say "hi"'),)),
        ('empty=""', (), (("empty", ""),)),
        ("a=b=c", (), (("a", "b=c"),)),
        ("order.state=paid refund", ("refund",), (("order.state", "paid"),)),
        ("=x", ("=x",), ()),
        ("1=2", ("1=2",), ()),
        ("a=", ("a=",), ()),
        ('half"quote', ('half"quote',), ()),
    ],
)
def test_parse(text: str, words: tuple[str, ...], equalities: tuple[tuple[str, str], ...]) -> None:
    assert parse(text) == Sought(words, tuple(Equality(name, value) for name, value in equalities))


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("paid", ["paid"]),
        ("200", ["200", 200]),
        ("-1.5", ["-1.5", -1.5]),
        ("true", ["true", True]),
        ("1e5", ["1e5"]),
        ("99999999999999999999", ["99999999999999999999"]),
    ],
)
def test_a_value_is_looked_for_as_text_and_as_what_it_reads_as(typed: str, values: list[object]) -> None:
    assert Equality("name", typed).values() == values


def test_too_much_is_refused_with_a_sentence() -> None:
    parse(" ".join(f"w{number}" for number in range(MAX_TERMS)))
    with pytest.raises(ValueError, match="At most 8 terms"):
        parse(" ".join(f"w{number}" for number in range(MAX_TERMS + 1)))
    with pytest.raises(ValueError, match="NUL"):
        parse("a\x00b")


@given(st.text(max_size=60))
def test_any_text_is_a_question_or_a_sentence(text: str) -> None:
    try:
        sought = parse(text)
    except ValueError as problem:
        assert str(problem).endswith(".")
    else:
        assert all(sought.words)
