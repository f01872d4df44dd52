"""Notes in Markdown: what is written becomes words and links, never markup or a request to a stranger."""

from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.markdown import REL, flat, html, plain

TAGS = {"p", "b", "a", "em", "strong", "s", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br"}
ATTRIBUTES = {"a": {"href", "rel", "title"}, "pre": {"class"}, "ol": {"start"}}
HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<div\nstyle='position:fixed'>x</div>",
    "<!-- x --><style>*{display:none}</style>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;vascript:alert(1))",
    "[x](\tjavascript:alert(1))",
    "[x](%6Aavascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/\\evil.example)",
    "[x](\\\\evil.example)",
    "[x](https:evil)",
    "[x](settings)",
    "[x]()",
    "[](<> 'title')",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    '<https://evil.example/"onmouseover=alert(1)>',
    '[x](https://evil.example/"onmouseover="alert(1) \'title" onmouseover="alert(1)\')',
    '[x](/flows "a\\" onmouseover=\\"alert(1)")',
    "[x][1]\n\n[1]: javascript:alert(1)",
    "![x](https://evil.example/pixel.png)",
    "[![x](https://evil.example/p.png)](javascript:alert(1))",
    "[[x](https://ok.example)](javascript:alert(1))",
    "> - **[x](javascript:alert(1)) <script>alert(1)</script>**",
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "``` class=x onmouseover=alert(1)\nx\n```",
    "    </code><script>alert(1)</script>",
    "`</code><script>alert(1)</script>`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "# <script>alert(1)</script>\n===",
    "https://evil.example/<script>alert(1)</script>",
    "javascript:alert(1)",
    "\x00<script\x00>alert(1)</script>",
]


def parsed(told: str) -> Element:
    """The note as a browser has it; raises where it is no strict HTML."""
    page = (
        f"<!doctype html><html lang='en'><head><title>x</title></head><body><div>{told}</div></body></html>"
    )
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    body = tree.find("body/div")
    assert isinstance(body, Element)
    return body


def is_harmless(told: str) -> None:
    for one in parsed(told).iter():
        if one.tag == "div" and not one.attrib:
            continue
        assert one.tag in TAGS, told
        assert set(one.attrib) <= ATTRIBUTES.get(one.tag, set()), told
        if one.tag == "a" and one.attrib:
            href = one.attrib["href"]
            assert urlsplit(href).scheme.lower() in ("http", "https", "mailto") or (
                href.startswith("/") and href[1:2] not in ("/", "\\")
            ), told
            assert one.attrib["rel"] == REL


@pytest.mark.parametrize("text", HARMFUL)
def test_nothing_that_is_written_can_do_harm(text: str) -> None:
    is_harmless(html(text))


PIECES = [*HARMFUL, "\n", " ", "[", "](", ")", "<", "`", "**", "> "]


@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_no_mixture_of_it_either(text: str) -> None:
    text = "".join(letter if letter.isprintable() or letter in "\n\t" else "·" for letter in text)
    is_harmless(html(text))
    assert "\n" not in plain(text) + flat(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("asked the *carrier*", "<p>asked the <em>carrier</em></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("# Plan", "<p><b>Plan</b></p>"),
        ("`x < y`", "<p><code>x &lt; y</code></p>"),
        ("~~no~~", "<p><s>no</s></p>"),
        ("```sql\nSELECT 1\n```", '<pre class="stack"><code>SELECT 1\n</code></pre>'),
        ("[run](/flows?q=1)", f'<p><a href="/flows?q=1" rel="{REL}">run</a></p>'),
        (
            "https://wiki.example/run",
            f'<p><a href="https://wiki.example/run" rel="{REL}">https://wiki.example/run</a></p>',
        ),
        ("<mailto:a@b.example>", f'<p><a href="mailto:a@b.example" rel="{REL}">mailto:a@b.example</a></p>'),
        ("see wms.log of 4.2.1", "<p>see wms.log of 4.2.1</p>"),
        ("![x](/p.png)", f'<p>!<a href="/p.png" rel="{REL}">x</a></p>'),
    ],
)
def test_what_is_meant_is_shown(text: str, told: str) -> None:
    assert html(text).strip() == told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("asked the *carrier*\nmore", "asked the carrier"),
        ("\n\n# Plan\n\nx", "Plan"),
        ("> - [a **b**](https://x.example) `c`", "a b c"),
        ("```\n\n  code\n```", "code"),
        ("***", ""),
        ("<b>x</b>", "<b>x</b>"),
    ],
)
def test_a_row_says_its_first_line_plainly(text: str, line: str) -> None:
    assert plain(text) == line


def test_all_of_it_fits_one_line_without_marks() -> None:
    text = (
        "## Called **them**\n\n- one\n- [two](https://x.example):\n> quoted\n\n```sh\nget  `pods`\n```\n\n***"
    )
    assert flat(text) == "Called them one two: quoted get `pods`"
