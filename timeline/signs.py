"""The shape that stands for each status, so that none is told by colour alone: one table for pages, text and chat.

`timeline.sentences` says a flow's status in words, `timeline.plain` and `templatetags.threadline` in lists.
"""

STATUS = {"ok": "●", "error": "■", "open": "◌", "unset": "○"}
ERROR = STATUS["error"]
WARNING = "▲"  # worth a look, nothing failed by itself
