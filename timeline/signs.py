"""The shape that stands for each status, so that none is told by colour alone: one table for pages, text and chat.

`timeline.sentences` says a flow's status and verdict in words, `timeline.plain` and `templatetags.threadline` in lists.
"""

STATUS = {"ok": "●", "error": "■", "open": "◌", "unset": "○"}
ERROR = STATUS["error"]
# Each verdict's shape; its word always stands beside it.
VERDICT = {
    "moving": "▸", "due": "◔", "late": "◧", "stuck": "■", "unknown": "?", "paused": "‖", "ended": "✓",
}  # fmt: skip
WARNING = "▲"  # worth a look, nothing failed by itself
