"""The shape that stands for each status, so that none is told by colour alone: one table for pages, text and chat.

`timeline.sentences` says a flow's status and verdict in words, `timeline.plain` and `templatetags.threadline` in lists.
"""

from typing import NamedTuple

STATUS = {"ok": "●", "error": "■", "open": "◌", "unset": "○"}
ERROR = STATUS["error"]
# Each verdict's shape; its word always stands beside it.
VERDICT = {
    "moving": "▸", "due": "◔", "late": "◧", "stuck": "■", "unknown": "?", "paused": "‖", "ended": "✓",
}  # fmt: skip
WARNING = "▲"  # worth a look, nothing failed by itself


class Sign(NamedTuple):
    """A shape, its colour's class in the style sheet, and the word that says the same."""

    shape: str
    tone: str
    word: str


PROBLEM = {
    "stuck": Sign("■", "stuck", "stuck"),
    "late": Sign("◧", "stuck", "late"),
    "failed": Sign("✕", "bad", "failed"),
    "conflict": Sign("◆", "bad", "conflict"),
    "duplicate": Sign("◈", "bad", "duplicate effect"),
    "abandoned_retry": Sign("▼", "stuck", "abandoned retry"),
    "retry_storm": Sign("▲", "open", "retry storm"),
    "orphan_message": Sign("◇", "stuck", "orphan message"),
    "silent_service": Sign("○", "stuck", "silent service"),
    "slow": Sign("◔", "open", "slow"),
}
PROBLEM_STATE = {
    "open": Sign("■", "bad", "open"),
    "acknowledged": Sign("◐", "open", "acknowledged"),
    "muted": Sign("◌", "off", "muted"),
    "resolved": Sign("●", "ok", "resolved"),
}
BAD_END = Sign("✕", "bad", "ended badly")
VERDICT_TONE = {"moving": "ok", "due": "open", "late": "stuck", "stuck": "stuck", "ended": "ok"}  # else off


def judged(verdict: str, badly: bool = False) -> Sign:
    """A verdict's sign; `badly` tells a bad end from a good one."""
    if verdict == "ended" and badly:
        return BAD_END
    return Sign(VERDICT[verdict], VERDICT_TONE.get(verdict, "off"), verdict)
