"""The card of a shared view: what its link shows in a channel, and its tags. Made on the stage that the page is drawn from.

`timeline.card` says what may stand on it, `timeline.unfurl` puts it into tags. Only a link that anyone may open has one.
"""

import threading
from collections import OrderedDict
from datetime import UTC

from django.http import QueryDict

from timeline import card, unfurl
from timeline.addresses import flow_in_address
from timeline.answers import NotFound
from timeline.asked import read_asked
from timeline.layout.card import Card
from timeline.queries import affected, problems
from timeline.queries.pulse import read_pulse
from timeline.queries.record import read_log, read_versions
from timeline.reading import Reading
from timeline.subjects import LOG, SPAN
from timeline.summaries import find_flows
from timeline.unfurl import Tags
from timeline.window import read
from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.shares import Share, Snapshot

MOST = 500
_lock = threading.Lock()
_made: OrderedDict[tuple[int, int], Card] = OrderedDict()


def has_card(share: Share) -> bool:
    return share.audience == Share.Audience.ANYONE


def card_of(share: Share, stage_id: int) -> Card:
    """The card of what is shared, as of this minute; on its stage. Raises `NotFound` where nothing of it is there."""
    key = (stage_id, now_ns() // MINUTE_NS)
    with _lock:
        if key in _made:
            return _made[key]
    made = _of(share)
    with _lock:
        _made[key] = made
        while len(_made) > MOST:
            _made.popitem(last=False)
    return made


def tags_of(share: Share, stage_id: int) -> Tags:
    """What is said of a link where it is pasted; of one without a card the product's name."""
    if not has_card(share):
        return unfurl.tags(None)
    path = f"/s/{share.token}"
    return unfurl.tags(card_of(share, stage_id), path, f"{path}/card.png")


def _of(share: Share) -> Card:
    if share.subject == Snapshot.Subject.PROBLEM:
        found = problems.one(bytes.fromhex(share.path.removeprefix("/problems/")))
        if found is None:
            raise NotFound("There is no problem at this address.")
        return card.of_problem(found, affected.stretches(found.identity))
    if share.subject == Snapshot.Subject.COMPARISON:
        asked = QueryDict(share.path.partition("?")[2])
        return card.of_comparison(_reading(str(asked["a"])), _reading(str(asked["b"])))
    if share.subject == Snapshot.Subject.RECORD:
        return _of_record(share.path)
    return card.of_flow(_reading(share.path))


def _of_record(path: str) -> Card:
    if match := SPAN.fullmatch(path):
        versions = read_versions(bytes.fromhex(match[1]), bytes.fromhex(match[2]))
        if versions:
            return card.of_span(versions[0])
    elif match := LOG.fullmatch(path):
        found = read_log(bytes.fromhex(match[1]))
        if found is not None:
            return card.of_log(found)
    raise NotFound("This record is not stored any more.")


def _reading(path: str) -> Reading:
    named = flow_in_address(path)
    found = find_flows(*named) if named else []
    if not found:
        raise NotFound("Nothing is known of this flow.")
    return read(found[0], read_asked(QueryDict(""), UTC), read_pulse(found[0]))
