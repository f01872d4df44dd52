"""Of which moment a live link is shown: what is small as it is now, what is large as it was laid out last."""

import pytest

from timeline import freshness
from timeline.freshness import LARGE_FROM, Moments


def test_what_is_small_is_shown_as_it_is_now() -> None:
    moments = Moments()
    with moments.held(1, "first"):
        assert moments.of(1, "second", LARGE_FROM - 1) == "second"
    assert moments.of(1, "second", LARGE_FROM - 1) == "second"


def test_what_is_large_is_shown_as_it_was_laid_out_last() -> None:
    moments = Moments()
    assert moments.of(1, "first", LARGE_FROM) == "first"
    with moments.held(1, "first"):
        assert moments.of(1, "second", LARGE_FROM) == "first"
    assert moments.of(1, "second", LARGE_FROM) == "first"
    assert moments.of(2, "second", LARGE_FROM) == "second"


def test_after_a_while_it_is_shown_as_it_is_now() -> None:
    moments = Moments(again_s=0)
    with moments.held(1, "first"):
        assert moments.of(1, "second", LARGE_FROM) == "first"
        with moments.held(1, "first"):  # whoever comes meanwhile is not the one who lays it out
            pass
        assert moments.of(1, "second", LARGE_FROM) == "first"
    assert moments.of(1, "second", LARGE_FROM) == "second"


def test_looking_again_at_the_same_makes_the_next_wait_no_longer() -> None:
    moments = Moments(again_s=0)
    for _ in range(2):
        with moments.held(1, "first"):
            pass
    assert moments.of(1, "second", LARGE_FROM) == "second"


def test_what_could_not_be_laid_out_is_tried_anew() -> None:
    moments = Moments(again_s=0)
    with pytest.raises(ZeroDivisionError), moments.held(1, "first"):
        1 // 0  # noqa: B018
    assert moments.of(1, "second", LARGE_FROM) == "second"


def test_few_links_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "MOST", 2)
    moments = Moments()
    for share_id in (1, 2, 3):
        with moments.held(share_id, "first"):
            pass
    told = [moments.of(share_id, "second", LARGE_FROM) for share_id in (1, 2, 3)]
    assert told == ["second", "first", "first"]
