"""Which spans of a trace belong to a flow, drawn as small trees: "child<parent"."""

import pytest

from tracing.membership import members


def read(tree: str) -> list[tuple[bytes, bytes]]:
    """`b<a c<a a` as (span id, parent span id); without `<` a root."""
    pairs = (word.partition("<") for word in tree.split())
    return [(span_id.encode(), parent.encode()) for span_id, _, parent in pairs]


CASES = [
    ("nothing mentioned", "a b<a", "", "", "", ""),
    ("nothing there", "", "x", "y", "", ""),
    ("the root mentioned takes all", "a b<a c<b d<a", "a", "", "abcd", ""),
    ("a leaf, and its path as context", "a b<a c<b d<b e<a", "c", "", "c", "ab"),
    ("descendants of two mentions", "a b<a c<a d<b e<c f<a", "bc", "", "bcde", "a"),
    ("one mention under another", "a b<a c<b d<c", "bd", "", "bcd", "a"),
    ("one order of a batch", "a o1<a o2<a x<o1 y<o2", "o1", "", "o1 x", "a"),
    ("a log's span is context only", "a b<a c<b", "", "b", "", "ab"),
    ("a log's span that belongs anyway", "a b<a", "b", "b", "b", "a"),
    ("a span that is not there", "a b<a", "z", "z", "", ""),
    ("a parent that never came", "b<gone c<b", "c", "", "c", "b"),
    ("its own parent", "a<a b<a", "b", "", "b", "a"),
    ("mentioned, its own parent", "a<a b<a", "a", "", "ab", ""),
    ("a cycle", "a<c b<a c<b d<c", "d", "", "d", "abc"),
    ("a cycle, mentioned within", "a<c b<a c<b d<c", "a", "", "abcd", ""),
    ("two roots", "a b c<a d<b", "d", "", "d", "b"),
    ("versions under two parents", "a b c<a c<b d<c", "d", "", "d", "abc"),
    ("a version mentioned brings the children of all", "a b c<a c<b d<c", "c", "", "cd", "ab"),
    ("a parent that is a descendant too", "a<b b<a", "a", "", "ab", ""),
    ("any order", "d<c c<b b<a a", "b", "", "bcd", "a"),
]


def ids(text: str) -> list[bytes]:
    """`abc` as three ids; words of more than a letter are told apart by blanks."""
    return [word.encode() for word in (text.split() if " " in text or text[1:].isdigit() else text)]


@pytest.mark.parametrize(("tree", "mentioned", "logged", "belong", "context"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_members(tree: str, mentioned: str, logged: str, belong: str, context: str) -> None:
    spans = read(tree)
    expected = (set(ids(belong)), set(ids(context)))
    assert members(spans, ids(mentioned), ids(logged)) == expected
    assert members(spans[::-1], ids(mentioned)[::-1], ids(logged)) == expected


def test_a_deep_trace_needs_no_deep_stack() -> None:
    names = [b"%d" % n for n in range(50_000)]
    spans = list(zip(names, [b"", *names], strict=False))
    belong, context = members(spans, [names[25_000]])
    assert (len(belong), len(context)) == (25_000, 25_000)


def test_mentions_may_be_generators() -> None:
    assert members(iter(read("a b<a")), (one for one in [b"b"]), iter(())) == ({b"b"}, {b"a"})
