"""Which spans of one trace belong to a flow: the ones that carry its key, their descendants, and the path up as context.

Pure, and used twice: by the page, which draws context dimmed, and by the judge before it calls a flow late.
"""

from collections.abc import Container, Iterable


def members(
    spans: Iterable[tuple[bytes, bytes]], mentioned: Iterable[bytes], also_context: Iterable[bytes] = ()
) -> tuple[set[bytes], set[bytes]]:
    """The span ids that belong, and those drawn as context only.

    `spans` are (span id, parent span id) of the whole trace in any order, b"" for no parent; an id may occur
    more than once (versions). `mentioned` are the spans that carry the key, `also_context` spans whose log
    carries it. Parents that never arrived end a path; cycles end where they close.
    """
    children: dict[bytes, list[bytes]] = {}
    parents: dict[bytes, list[bytes]] = {}
    for span_id, parent_id in spans:
        parents.setdefault(span_id, []).append(parent_id)
        if parent_id and parent_id != span_id:
            children.setdefault(parent_id, []).append(span_id)
    belonging = _reach((span_id for span_id in mentioned if span_id in parents), children)
    starts = belonging | {span_id for span_id in also_context if span_id in parents}
    return belonging, _ancestors(starts, parents) - belonging


def _reach(start: Iterable[bytes], children: dict[bytes, list[bytes]]) -> set[bytes]:
    found = set(start)
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _ancestors(start: set[bytes], parents: dict[bytes, list[bytes]]) -> set[bytes]:
    found = set(start)
    waiting = list(start)
    while waiting:
        for parent in _known(parents.get(waiting.pop(), ()), parents):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _known(ids: Iterable[bytes], known: Container[bytes]) -> list[bytes]:
    return [span_id for span_id in ids if span_id and span_id in known]
