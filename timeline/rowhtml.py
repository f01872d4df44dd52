"""The HTML of a window's rows.

Written here and not in a template because five hundred rows of template take 60 ms and this takes 6 (measured);
everything around the rows stands in `templates/flow/timeline.html`. Whatever a sender wrote is escaped.
"""

from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString

from timeline.painting import GROUPS, Drawn

MARK_LENGTH = 44  # characters of a message beside a name
NAME_LENGTH = 200
BESIDE_LENGTH = 300  # of what stands in the plot, whose end the style cuts where the room ends


def rows_html(rows: Iterable[Drawn]) -> SafeString:
    return SafeString("\n".join(map(_row, rows)))


def _row(drawn: Drawn) -> str:
    row = drawn.row
    expanded = "" if not drawn.toggle else f' aria-expanded="{"true" if row.open else "false"}"'
    return (
        f'<div class="band row {drawn.css}" role="row" id="{escape(row.id)}" aria-level="{drawn.level}"{expanded}'
        f' data-z="{drawn.stretch}"'
        f' title="{escape(drawn.when)}"><div class="cell {drawn.indent}" role="rowheader">{_twist(drawn)}{_tags_before(drawn)}'
        f"{_name(drawn)}{_tags_after(drawn)}"
        f'{_service(drawn)}</div><svg aria-hidden="true" class="{drawn.hue}">{_shape(drawn)}</svg>'
        f'<div role="gridcell">{escape(drawn.told)}</div></div>'
    )


def _name(drawn: Drawn) -> str:
    name = escape(_cut(drawn.name, NAME_LENGTH))
    if not drawn.href:
        return f'<span class="name">{name}</span>'
    return f'<a class="name" href="{escape(drawn.href)}"{_target(drawn)}>{name}</a>'


def _twist(drawn: Drawn) -> str:
    if not drawn.toggle:
        return '<span class="twist"></span>'
    verb = "fold" if drawn.row.open else "unfold"
    return (
        f'<a class="twist" href="{escape(drawn.toggle)}" aria-label="{verb} {escape(drawn.row.name)}">'
        f"{drawn.twist}</a>"
    )


def _target(drawn: Drawn) -> str:
    if drawn.row.row == "chapter":
        return ' hx-boost="false"'
    return "" if drawn.row.row in GROUPS else ' hx-target="#record" hx-swap="innerHTML"'


def _tags_before(drawn: Drawn) -> str:
    deep = tag("log", str(drawn.deep)) if drawn.deep else ""
    return deep + (tag(drawn.label_css, drawn.label) if drawn.label else "")


def _tags_after(drawn: Drawn) -> str:
    row = drawn.row
    tags = [tag("re", f"try {row.attempt}")] if row.attempt else []
    if row.status == "error" and drawn.width:
        said = f"✕ {_cut(row.text)}" if row.text and row.row == "span" else "✕"
        tags.append(tag("err" if len(said) > 1 else "err sole", said))
    tags += [
        f'<a class="tag tie" href="{escape(one.href)}" title="{escape(one.title)}">{escape(_cut(one.text))}</a>'
        for one in row.links
    ]
    if row.usual_ns is not None:
        tags.append(tag("warn sole", "slow"))
    tags += [_mark(drawn, mark) for mark in row.marks if row.row not in (*GROUPS, "note")]
    if row.hits and row.open is False:
        tags.append(tag("find", f"{row.hits:,} found"))
    note = drawn.at or drawn.note
    if note:
        tags.append(f'<span class="faint">{escape(_cut(note, 90))}</span>')
    return "".join(tags)


def _mark(drawn: Drawn, mark: str) -> str:
    """A mark; the one that speaks of folded records opens and closes them."""
    if not drawn.extra_href or not (mark.endswith(" versions") or mark.startswith("told again")):
        return tag("warn", mark)
    sign = "▾" if drawn.row.extra_open else "▸"
    return f'<a class="tag warn" href="{escape(drawn.extra_href)}">{sign} {escape(mark)}</a>'


def tag(css: str, text: str) -> str:
    return f'<span class="tag {css}">{escape(text)}</span>'


def _service(drawn: Drawn) -> str:
    service = drawn.row.service
    if not service:
        return ""
    return f'<span class="svc {drawn.hue}"><i></i><span>{escape(service)}</span></span>'


def _shape(drawn: Drawn) -> str:
    failed = drawn.row.status == "error"
    if not drawn.width:
        return _point(drawn) + _beside(drawn)
    if drawn.row.row == "ghost":
        return _ghost(drawn)
    if drawn.row.row != "chapter":
        return _waiting(drawn) + _bar(drawn, failed) + _path(drawn) + _beside(drawn)
    shape = f'<rect class="chap" x="{drawn.left}" width="{drawn.width}" y="10" height="6" rx="3"/>'
    return shape + _beside(drawn)


# Shapes around a point, by what a log says of its weight: a speck, a ring, a triangle, a square, a cross.
_LEVELS = (
    (
        21,
        '<path class="ev failed" d="M-5 -3 L-3 -5 L0 -2 L3 -5 L5 -3 L2 0 L5 3 L3 5 L0 2 L-3 5 L-5 3 L-2 0 Z"/>',
    ),
    (17, '<rect class="ev failed" x="-4.5" y="-4.5" width="9" height="9"/>'),
    (13, '<path class="ev warns" d="M0 -5.5 L5.5 4.5 L-5.5 4.5 Z"/>'),
    (9, '<circle class="ev ring" r="3.5"/>'),
    (1, '<circle class="ev speck" r="2"/>'),
)


# What was said about the flow: a diamond, a letter, a sheet.
_SAID = {
    "flip": '<path class="ev flipped" d="M0 -6 L6 0 L0 6 L-6 0 Z"/>',
    "notification": '<path class="ev ring" d="M-6 -4 H6 V4 H-6 Z M-6 -4 L0 1 L6 -4"/>',
    "note": '<path class="ev noted" d="M-4.5 -5.5 H2 L4.5 -3 V5.5 H-4.5 Z"/>',
}


def _ghost(drawn: Drawn) -> str:
    """Dashed until now; what lies beyond the usual is filled."""
    left, width = drawn.usual
    late = f'<rect class="late" x="{left}" width="{width}" y="5" height="16" rx="3"/>' if left else ""
    bar = f'<rect class="ghostbar" x="{drawn.left}" width="{drawn.width}" y="5" height="16" rx="3"/>'
    return late + bar + _beside(drawn)


def _point(drawn: Drawn) -> str:
    row = drawn.row
    shape = next((shape for least, shape in _LEVELS if row.row == "log" and row.level >= least), "")
    shape = _SAID.get(row.row, shape)
    if shape:
        return f'<svg x="{drawn.left}" y="13" overflow="visible">{shape}</svg>'
    failed = " failed" if row.status == "error" else ""
    return f'<circle class="ev{failed}" cx="{drawn.left}" cy="13" r="4"/>'


def _beside(drawn: Drawn) -> str:
    """No text of SVG: that would be cut at the plot's edge, at its beginning where it ends at its shape."""
    if not drawn.beside:
        return ""
    left, width = drawn.beside_at
    return (
        f'<foreignObject x="{left}" width="{width}" height="100%">'
        f'<div class="remark{" end" if drawn.beside_ends else ""}">{escape(_cut(drawn.beside, BESIDE_LENGTH))}</div>'
        "</foreignObject>"
    )


def _bar(drawn: Drawn, failed: bool) -> str:
    """A bar, or the tries of a group one by one on the line that joins them."""
    if drawn.row.status == "open":
        return f'<rect class="goes" x="{drawn.left}" width="{drawn.width}" y="9" height="8" rx="2"/>'
    if not drawn.parts:
        css = (
            "failed"
            if failed and drawn.row.row == "span"
            else "many"
            if drawn.row.row == "repeats"
            else "work"
        )
        return f'<rect class="{css}" x="{drawn.left}" width="{drawn.width}" y="8" height="10" rx="2"/>'
    line = f'<rect class="many" x="{drawn.left}" width="{drawn.width}" y="12" height="2"/>'
    return line + "".join(
        f'<rect class="{"failed" if bad else "work"}" x="{left}" width="{width}" y="8" height="10" rx="2"/>'
        for left, width, bad in drawn.parts
    )


def _waiting(drawn: Drawn) -> str:
    left, width = drawn.wait
    return f'<rect class="wait" x="{left}" width="{width}" y="11" height="4" rx="2"/>' if left else ""


def _path(drawn: Drawn) -> str:
    return "".join(
        f'<rect class="crit" x="{left}" width="{width}" y="20" height="3"/>' for left, width in drawn.path
    )


def _cut(text: str | None, length: int = MARK_LENGTH) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= length else line[: length - 1] + "…"
