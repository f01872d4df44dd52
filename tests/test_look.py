"""The style sheet's promises: text that meets WCAG 2.2 AA on every ground it stands on, light and dark."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parent.parent / "static" / "threadline.css").read_text()
TOKENS = dict(re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", CSS))
TEXTS = ("ink", "ink-2", "ink-3", "link", "ok", "bad", "stuck", "open", "unknown")
GROUNDS = ("paper", "sheet", "sunk")


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
def test_text_can_be_read_on_every_ground(text: str, mode: int) -> None:
    colour = TOKENS[text].split(", ")[mode]
    for ground in GROUNDS:
        assert contrast(colour, TOKENS[ground].split(", ")[mode]) >= 4.5, (text, ground)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("word", ["bad", "stuck"])
def test_a_mark_can_be_read_on_its_own_soft_ground(word: str, mode: int) -> None:
    assert contrast(*(TOKENS[name].split(", ")[mode] for name in (word, f"{word}-soft"))) >= 4.5


def test_a_verdict_is_as_opaque_as_other_text() -> None:
    """The timeline's shapes are told by their element: a class `late` alone would make the verdict transparent."""
    alone = re.findall(r"(?:^|\} |, )\.(moving|due|late|stuck|unknown|paused|ended)(?= \{|,)", CSS, re.M)
    assert alone == []


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert round(contrast("#8a857b", "#fbfaf8"), 1) == 3.5


def test_motion_is_for_those_who_want_it() -> None:
    animated = [match.start() for match in re.finditer(r"animation:|transition:", CSS)]
    allowed = [
        match.span() for match in re.finditer(r"@media \(prefers-reduced-motion: no-preference\) \{.*", CSS)
    ]
    assert all(any(start < at < end for start, end in allowed) for at in animated)


def test_twelve_hues_for_services() -> None:
    assert {
        int(number)
        for number in re.findall(r"^\.s(\d+) \{|\} \.s(\d+) \{", CSS, re.M)
        for number in number
        if number
    } == set(range(1, 13))
