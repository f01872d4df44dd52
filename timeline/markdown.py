"""What people write, as Markdown: to HTML that can do no harm, and to one plain line for a row.

markdown-it-py without its HTML and pictures, so that no page asks a stranger for anything; a link leads to http, https,
mailto or a page of our own, or stays text. Text forms carry what was written, line by line (`timeline.quoting`), and JSON does.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

REL = "nofollow noopener noreferrer"
# Of our own pages only what begins with one slash: two lead elsewhere, and so does a backslash in some browsers.
SAFE = re.compile(r"(?:https?://|mailto:)[^\s\\]+|/(?![/\\])[^\s\\]*", re.IGNORECASE)


def html(text: str) -> SafeString:
    """The text as blocks of HTML."""
    return SafeString(_READER.render(text))


def plain(text: str) -> str:
    """Its first line that says something, without marks."""
    return next(_lines(text), "")


def flat(text: str) -> str:
    """All of it in one line, without marks."""
    return " ".join(" ".join(_lines(text)).split())


def _lines(text: str) -> Iterator[str]:
    for token in _READER.parse(text):
        if token.type in ("fence", "code_block"):
            told = token.content
        elif token.type == "inline":
            told = _said(token.children or ())
        else:
            continue
        yield from (line.strip() for line in told.splitlines() if line.strip())


def _said(tokens: Sequence[Token]) -> str:
    breaks = ("softbreak", "hardbreak")
    return "".join("\n" if token.type in breaks else token.content for token in tokens)


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True, "xhtmlOut": False})
    reader.enable(["linkify", "strikethrough"]).disable(["image", "html_block", "html_inline"])
    # What only looks like an address (`wms.log`, `4.2.1`) is none.
    if reader.linkify is not None:
        reader.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    reader.validateLink = lambda url: bool(SAFE.fullmatch(url))  # type: ignore[method-assign]
    for name in ("link_open", "heading_open", "heading_close", "fence", "code_block"):
        reader.add_render_rule(name, globals()[f"_{name}"])
    return reader


def _link_open(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    # `[x]()` never comes to be judged by its address; it would lead to the page it stands on.
    if not tokens[at].attrGet("href"):
        return "<a>"
    tokens[at].attrSet("rel", REL)
    return renderer.renderToken(tokens, at, options, env)


def _heading_open(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A note stands inside a page that has headings of its own."""
    return "<p><b>"


def _heading_close(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</b></p>\n"


def _fence(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    tokens[at].info = ""  # else the writer would choose a class
    return _code_block(renderer, tokens, at, options, env)


def _code_block(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return f'<pre class="stack"><code>{_escaped(tokens[at].content)}</code></pre>\n'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


_READER = _reader()
