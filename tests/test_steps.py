"""Lines of a type's page (`timeline.steps`): order, words, the strip."""

import pytest

from timeline.queries.types import LearnedStep, Standing
from timeline.steps import about, alarms_words, learning_words, percent, rhythm_words, step_lines, strip

MINUTE = 60_000_000_000


def learned(step: str, position: float | None = None, **more: object) -> LearnedStep:
    facts = {"position": position, "share": more.pop("share", None), "p50": more.pop("p50", None)}
    facts |= {
        name: more.pop(name)
        for name in ("p90", "needed", "sampled", "plateau", "recurs", "quiet", "held_since_ns", "period_ns")
        if name in more
    }
    values: dict[str, object] = {
        "source": "state", "passed": 40, "waiting": 2, "threshold_ns": None, "level": None, "is_end": False,
        "learned_ns": 1, "facts": facts,
    }  # fmt: skip
    return LearnedStep(step, **(values | more))  # type: ignore[arg-type]


def standing(step: str) -> Standing:
    return Standing(step, "entity", 1, 0, 0, 0, 0, 0, None, 1, None)


def test_steps_nothing_is_learned_of_come_last() -> None:
    lines = step_lines([learned("b", 2), learned("a", 3), learned(""), learned("z")], [standing("new")], None)
    assert [line.name for line in lines] == ["b", "a", "new", "z"]
    assert [line.number for line in lines] == [1, 2, 3, 4]


def test_a_state_counts_before_a_milestone_of_the_same_name() -> None:
    told = [
        learned("a", 0),
        learned("a", 5, source="milestone", passed=999),
        learned("a", 9, source="series"),
    ]
    (line,) = step_lines(told, [], None)
    assert line.learned is told[0]


def test_the_strip_is_the_main_line() -> None:
    told = [
        learned("a", 0, share=1.0),
        learned("rare", 1, share=0.02),
        learned("b", 2, share=0.5),
        learned("c", 3),
    ]
    columns = strip(step_lines(told, [], None))
    assert [column.line.name for column in columns] == ["a", "b"]
    assert columns[0].points == "0,2.0 64,2.0 100,11.0 100,29.0 64,38.0 0,38.0"
    assert columns[1].points == "0,11.0 64,11.0 64,29.0 0,29.0"
    ends = strip(step_lines([learned("done", 0, share=1.0), learned("b", 1, share=0.5)], [], None))
    assert ends[0].points == "0,2.0 64,2.0 64,38.0 0,38.0"
    many = [learned(str(n), n, share=0.2 + n / 100) for n in range(20)]
    assert [column.line.name for column in strip(step_lines(many, [], None))] == [
        str(n) for n in range(8, 20)
    ]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (learned("a", passed=12, needed=29), "learning, 12 of 29"),
        (learned("a", passed=40), "learning, 29 of 29"),
        (
            learned("a", threshold_ns=21 * MINUTE, level="p99", passed=412),
            "late after 21 m: 1.5 × the upper limit of p99 of 412",
        ),
        (
            learned("a", threshold_ns=21 * MINUTE, level="p95", passed=80),
            "late after 21 m: 2 × the upper limit of p95 of 80",
        ),
        (
            learned("a", threshold_ns=21 * MINUTE, level="p90"),
            "late after 21 m: 2 × the upper limit of p90 of 40; shown grey, never told",
        ),
        (
            learned("a", threshold_ns=MINUTE, level="p99", sampled=True),
            "late after 1 m: 1.5 × the upper limit of p99 of 40; its sender drops traces, so shown grey, never told",
        ),
        (
            learned("a", threshold_ns=MINUTE, level="p99", quiet=True, recurs=True),
            "late after 1 m: 1.5 × the upper limit of p99 of 40; flows come here again and again, so shown grey, never told",
        ),
        (
            learned("a", threshold_ns=MINUTE, level="p99", quiet=True, held_since_ns=1),
            "late after 1 m: 1.5 × the upper limit of p99 of 40; held, while a queue makes it uncertain; it would have been"
            " wrong too often, so shown grey, never told",
        ),
        (
            learned("a", plateau=0.3),
            "no deadline: 30 % stay here for good, and nobody has said whether it is an end",
        ),
        (
            learned("a", passed=12, plateau=0.6),
            "no deadline: 60 % stay here for good, and nobody has said whether it is an end",
        ),
        (None, "nothing learned yet"),
    ],
)
def test_how_much_is_learned_in_words(step: LearnedStep | None, words: str) -> None:
    assert learning_words(step) == words


def test_an_end_says_how_many_ended_there() -> None:
    told = [Standing("done", "entity", 0, ended, 0, 0, 0, 0, None, 1, None) for ended in (1_380, 1, 0)]
    words = [step_lines([learned("done")], [one], None)[0].words for one in told]
    assert words == ["an end; 1,380 flows ended here", "an end; 1 flow ended here", "an end"]


def test_a_rhythm_in_words() -> None:
    told = learned("", source="series", passed=7, period_ns=90 * MINUTE)
    assert (
        rhythm_words(told)
        == "About every 1 h 30 m (8 beginnings seen): late after 3 h, stuck after 4 h 30 m."
    )
    assert rhythm_words(None) == "" and rhythm_words(learned("", source="series")) == ""


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"alarms": 3, "never_recovered": 2, "days": 14},
            "would have raised 3 alarms in 14 days, 2 never recovered",
        ),
        ({"alarms": 1, "never_recovered": 0, "days": 1}, "would have raised 1 alarm in 1 day, all recovered"),
        ({"alarms": 0, "days": 14}, "would have raised no alarm in 14 days"),
    ],
)
def test_alarms_in_words(told: dict[str, int], words: str) -> None:
    assert alarms_words(told) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "250 ms"),
        (42, "42 s"),
        (215, "3 m 35 s"),
        (1_697, "28 m"),
        (8_280, "2 h 18 m"),
        (43_320, "12 h"),
    ],
)
def test_lengths_are_told_as_exactly_as_they_are_known(seconds: float, words: str) -> None:
    assert about(round(seconds * 1_000_000_000)) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.0001, "0.1 %"),
        (0.0042, "0.4 %"),
        (0.0097, "1 %"),
        (0.954, "95 %"),
        (0.9999, "99 %"),
        (1.0, "100 %"),
    ],
)
def test_shares_in_words(share: float | None, words: str) -> None:
    assert percent(share) == words
