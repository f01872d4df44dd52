"""Which flows a record speaks of, and what it says about their state (pure).

`Rulebook` is a compiled set of rules; `rulebook.read_span` and `read_log` turn one record into mentions and
assertions. Rules come from the database (`tracing.rules`), their effect is folded by `tracing.flows`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from tracing.keys import INFRASTRUCTURE, MAX_KEY, TECHNICAL, flat, key_part
from tracing.records import ATTRIBUTES, Log, Resource, Span
from tracing.values import is_storable, opened

MAX_FLOWS = 4  # a rule and record
MAX_TYPE = 100
MAX_STATE = 100
# Statements about state that hold for any flow their record mentions.
ANY_STATE = ("flow.state",)
KIND_STATE = {"workflow": ("workflow.state", "workflow.status"), "entity": ("entity.state", "entity.status")}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as a value. `keys` are alternatives, each the attributes that make one key together."""

    rule_id: int
    kind: str  # entity or workflow
    type: str  # "" where only an attribute can name it
    keys: tuple[tuple[str, ...], ...]
    type_attributes: tuple[str, ...] = ()
    any_prefix: bool = False
    state_attributes: tuple[str, ...] = ()


class Flow(NamedTuple):
    """What a mention points at. `flow_id` is a hash of the rest."""

    flow_id: bytes
    kind: str
    type: str
    key: str
    environment: str


class Mention(NamedTuple):
    flow: Flow
    rule_id: int


class Assertion(NamedTuple):
    """One record's statement about a flow's state; who said it and when it arrived is the record's."""

    flow: Flow
    rule_id: int
    state: str
    valid_ns: int


class Reading(NamedTuple):
    """What one record says. A flow stands in `mentions` once a rule."""

    mentions: tuple[Mention, ...]
    assertions: tuple[Assertion, ...]


NOTHING = Reading((), ())


class _Hit(NamedTuple):
    """Where an attribute's name stands in the rules."""

    rule: int  # index into the rulebook
    alternative: int
    position: int
    prefix: str  # "demo." where `demo.order.id` was found for `order.id`


class _Speaker(NamedTuple):
    """A mention before the record's limit is applied, and where the record may state that flow's state."""

    flow: Flow
    rule_id: int
    state_names: tuple[str, ...]


def flow_id(kind: str, type: str, key: str, environment: str) -> bytes:
    """16 bytes that name an entity or workflow; the environment is part of what it is."""
    text = "\0".join((kind, type, key, environment))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Rulebook:
    """Enabled rules of one version, compiled so that a record costs one dictionary look-up an attribute."""

    def __init__(self, rules: Iterable[Rule], environment: str, version: int = 1) -> None:
        self.rules = tuple(rules)
        self.version = version
        self._environment = environment
        self._hits: dict[str, tuple[_Hit, ...]] = {}
        self._silent: set[str] = set()  # names without a hit: nearly all there are
        self._resources: dict[bytes, dict[_Hit, str]] = {}
        # Rules whose type an attribute names: what they find depends on more than the keys.
        self._typed = frozenset(index for index, rule in enumerate(self.rules) if rule.type_attributes)
        self._remembered: dict[tuple[Any, ...], _Carried] = {}

    def read_span(self, span: Span) -> Reading:
        """What a span, its resource and its events say."""
        attributes = opened(span.attributes)
        carried = self._carried_by(attributes, span.resource)
        if span.events:
            return self._with_events(span, attributes, carried)
        if not carried.speakers:
            return NOTHING
        assertions = _states(carried.speakers, attributes, max(span.start_ns, span.end_ns))
        return Reading(carried.quiet.mentions, tuple(assertions)) if assertions else carried.quiet

    def _with_events(self, span: Span, attributes: ATTRIBUTES, carried: "_Carried") -> Reading:
        base = self._resource_keys(span.resource)
        keys = self._keys_in(attributes, base) or base
        found = list(carried.speakers)
        assertions = _states(found, attributes, max(span.start_ns, span.end_ns))
        for event in span.events:
            told_by = opened(event.attributes)
            own = self._keys_in(told_by, keys)
            layers = (told_by, attributes, opened(span.resource.attributes))
            named = self._find(own, layers, span.resource) if own else ()
            told = [one for one in named if one not in carried.speakers]
            found += told
            assertions += _states(_about(told, carried.speakers), told_by, event.time_ns)
        return _reading(found, assertions)

    def read_log(self, log: Log) -> Reading:
        """What a log record, its resource and its map body say."""
        attributes = opened(log.attributes)
        if isinstance(log.body, dict):
            attributes = {**flat(opened(log.body)), **attributes}
        carried = self._carried_by(attributes, log.resource)
        if not carried.speakers:
            return NOTHING
        assertions = _states(carried.speakers, attributes, log.time_ns)
        return Reading(carried.quiet.mentions, tuple(assertions)) if assertions else carried.quiet

    def hits(self, name: str) -> tuple[_Hit, ...]:
        """The places in the rules that an attribute of this name fills; remembered by name."""
        hits = self._hits.get(name)
        if hits is None:
            if len(self._hits) > 20_000:  # a sender that invents names must not fill the memory
                self._hits.clear()
                self._silent.clear()
            hits = self._hits[name] = tuple(self._look_up(name))
            if not hits:
                self._silent.add(name)
        return hits

    def _look_up(self, name: str) -> Iterator[_Hit]:
        namespace = name.split(".", 1)[0]
        if namespace in INFRASTRUCTURE:
            return
        for index, rule in enumerate(self.rules):
            for alternative, names in enumerate(rule.keys):
                for position, wanted in enumerate(names):
                    if name == wanted:
                        yield _Hit(index, alternative, position, "")
                    elif rule.any_prefix and name.endswith("." + wanted) and namespace not in TECHNICAL:
                        yield _Hit(index, alternative, position, name[: -len(wanted)])

    def _resource_keys(self, resource: Resource) -> dict[_Hit, str]:
        keys = self._resources.get(resource.resource_id)
        if keys is None:
            if len(self._resources) > 5_000:
                self._resources.clear()
            keys = self._resources[resource.resource_id] = self._keys_in(opened(resource.attributes), {})
        return keys

    def _keys_in(self, attributes: ATTRIBUTES, inherited: dict[_Hit, str]) -> dict[_Hit, str]:
        """Usable key parts by the place they fill: these attributes' over the inherited; empty without own ones."""
        found: dict[_Hit, str] | None = None
        known = self._hits
        for name in attributes:
            hits = known.get(name)
            if hits is None:
                hits = self.hits(name)
            if hits:
                part = key_part(attributes[name])
                if part is not None:
                    if found is None:
                        found = dict(inherited)
                    for hit in hits:
                        found[hit] = part
        return found or {}

    def _carried_by(self, attributes: ATTRIBUTES, resource: Resource) -> "_Carried":
        """Who speaks through a record's attributes and its resource's; remembered, because the spans of a flow repeat it."""
        silent = self._silent
        # With their classes: 1, 1.0 and True are equal, and only two of them name something.
        said = [(name, value.__class__, value) for name, value in attributes.items() if name not in silent]
        key = (resource.resource_id, *said)
        try:
            carried = self._remembered.get(key)
        except TypeError:  # a list or a map: no key's part, but the others may be
            return self._carried(attributes, resource)[0]
        if carried is None:
            carried, lasting = self._carried(attributes, resource)
            if lasting and all(kind is not str or len(value) <= MAX_KEY for _, kind, value in said):
                if len(self._remembered) > 20_000:
                    self._remembered.clear()
                self._remembered[key] = carried
        return carried

    def _carried(self, attributes: ATTRIBUTES, resource: Resource) -> tuple["_Carried", bool]:
        """Who speaks, and whether the keys and the resource alone decided that."""
        base = self._resource_keys(resource)
        keys = self._keys_in(attributes, base) or base
        if not keys:
            return NO_ONE, True
        found = self._find(keys, (attributes, opened(resource.attributes)), resource)
        return _Carried.of(found), not any(hit.rule in self._typed for hit in keys)

    def _find(
        self, keys: dict[_Hit, str], layers: tuple[ATTRIBUTES, ...], resource: Resource
    ) -> Iterator[_Speaker]:
        """The first complete alternative of each rule and prefix."""
        done: set[tuple[int, str]] = set()
        for hit in sorted(keys):
            rule = self.rules[hit.rule]
            if hit.position or (hit.rule, hit.prefix) in done:
                continue
            wanted = len(rule.keys[hit.alternative])
            parts = [keys.get(hit._replace(position=position)) for position in range(wanted)]
            type_name = self._type(rule, hit.prefix, layers)
            if type_name and all(parts):
                done.add((hit.rule, hit.prefix))
                name = (rule.kind, type_name, "/".join(part for part in parts if part))
                environment = resource.environment or self._environment
                flow = Flow(flow_id(*name, environment), *name, environment)
                yield _Speaker(flow, rule.rule_id, tuple(_state_names(rule, type_name, hit.prefix)))

    def _type(self, rule: Rule, prefix: str, layers: tuple[ATTRIBUTES, ...]) -> str:
        for name in rule.type_attributes:
            for attributes in layers:
                value = attributes.get(prefix + name)
                if isinstance(value, str) and value.strip() and len(value) <= MAX_TYPE and is_storable(value):
                    return value.strip()
        return rule.type


class _Carried(NamedTuple):
    """Who speaks through a set of keys, and what is read where they state nothing."""

    speakers: tuple[_Speaker, ...]
    quiet: Reading

    @classmethod
    def of(cls, found: Iterable[_Speaker]) -> "_Carried":
        speakers = tuple(found)
        reading = _reading(list(speakers), [])
        kept = set(reading.mentions)
        return cls(tuple(one for one in speakers if (one.flow, one.rule_id) in kept), reading)


NO_ONE = _Carried((), NOTHING)


def _states(speakers: Iterable[_Speaker], attributes: ATTRIBUTES, valid_ns: int) -> list[Assertion]:
    """What attributes state about the flows that speak here: the first of each flow's names that holds a state."""
    found = []
    for flow, rule_id, names in speakers:
        for name in names:
            if name in attributes:
                state = _state(attributes[name])
                if state:
                    found.append(Assertion(flow, rule_id, state, valid_ns))
                    break
    return found


def _reading(found: list[_Speaker], assertions: list[Assertion]) -> Reading:
    if not found:
        return NOTHING
    mentions = {Mention(one.flow, one.rule_id) for one in found}
    if len(mentions) > MAX_FLOWS:
        mentions = set(_guarded(mentions))
        assertions = [one for one in assertions if (one.flow, one.rule_id) in mentions]
    return Reading(tuple(sorted(mentions)), tuple(sorted(set(assertions))))


def _state_names(rule: Rule, type_name: str, prefix: str) -> Iterator[str]:
    own = (f"{type_name}.state", f"{type_name}.status")
    for name in (*rule.state_attributes, *own, *KIND_STATE.get(rule.kind, ())):
        if prefix:
            yield prefix + name
        yield name
    yield from ANY_STATE


def _state(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    state: str = value.strip()
    return state if state and len(state) <= MAX_STATE and is_storable(state) else None


def _about(told: list[_Speaker], carried: tuple[_Speaker, ...]) -> list[_Speaker]:
    """Whom an event's state concerns: the flows the event names, and of other types those its span carries."""
    types = {(one.flow.kind, one.flow.type) for one in told}
    return told + [one for one in carried if (one.flow.kind, one.flow.type) not in types]


def _guarded(mentions: Iterable[Mention]) -> Iterator[Mention]:
    """At most four flows a rule, chosen by sorted key, so that every replica chooses the same."""
    taken: dict[int, int] = {}
    for mention in sorted(mentions, key=lambda one: (one.rule_id, one.flow.key, one.flow)):
        taken[mention.rule_id] = taken.get(mention.rule_id, 0) + 1
        if taken[mention.rule_id] <= MAX_FLOWS:
            yield mention
