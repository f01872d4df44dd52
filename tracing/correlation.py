"""Which flows a record speaks of, and what it says about their state (pure).

`Rulebook` is a compiled set of rules; its `read_span` and `read_log` turn one record into `mentions`. Rules come from
the database (`tracing.rules`), their effect is folded by `tracing.flows`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tracing.keys import INFRASTRUCTURE, MAX_KEY, TECHNICAL, flat, key_part
from tracing.mentions import NOTHING, Assertion, Flow, Mention, Reading, Rule, flow_id
from tracing.records import ATTRIBUTES, Log, Resource, Span
from tracing.values import is_storable, opened

MAX_FLOWS = 4  # a rule and record
MAX_TYPE = 100
MAX_STATE = 100
# The spans of a flow come together; more than are under way only fill the processor's caches.
REMEMBERED = 1_000
# Statements about state that hold for any flow their record mentions.
ANY_STATE = ("flow.state",)
KIND_STATE = {"workflow": ("workflow.state", "workflow.status"), "entity": ("entity.state", "entity.status")}


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
        self._states: dict[tuple[int, str, str], tuple[str, ...]] = {}

    def read_span(self, span: Span) -> Reading:
        """What a span, its resource and its events say: a key counts wherever it stands."""
        attributes = opened(span.attributes)
        carried = self._carried_by(attributes, span.resource)
        valid_ns = max(span.start_ns, span.end_ns)
        if span.events:
            told = ((opened(event.attributes), event.time_ns) for event in span.events)
            layers = [_Layer(said, said, time_ns) for said, time_ns in told]
            return self._with_layers(carried, attributes, span.resource, valid_ns, layers)
        return carried.reading(attributes, valid_ns)

    def read_log(self, log: Log) -> Reading:
        """What a log record, its resource and its map body say."""
        attributes = opened(log.attributes)
        carried = self._carried_by(attributes, log.resource)
        if isinstance(log.body, dict):
            body = flat(opened(log.body))
            # The line is one statement: its attributes may hold the state of what its body names.
            layer = _Layer(body, {**body, **attributes}, log.time_ns)
            return self._with_layers(carried, attributes, log.resource, log.time_ns, [layer])
        return carried.reading(attributes, log.time_ns)

    def _with_layers(
        self,
        carried: "_Carried",
        attributes: ATTRIBUTES,
        resource: Resource,
        valid_ns: int,
        layers: Iterable["_Layer"],
    ) -> Reading:
        """What stands further inside a record, with what its attributes and its resource carry."""
        outer = opened(resource.attributes)
        keys = {**self._resource_keys(resource), **self._keys_in(attributes)}
        found = list(carried.speakers)
        assertions = _states(carried.stating, attributes, valid_ns)
        for layer in layers:
            own = self._keys_in(layer.keyed)
            named = (
                self._find(own, {**keys, **own}, (layer.keyed, attributes, outer), resource) if own else ()
            )
            told = [one for one in named if one not in carried.speakers]
            found += told
            assertions += _states(_about(told, carried.stating), layer.stating, layer.time_ns)
        return _reading(found, assertions)

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
            keys = self._resources[resource.resource_id] = self._keys_in(opened(resource.attributes))
        return keys

    def _keys_in(self, attributes: ATTRIBUTES) -> dict[_Hit, str]:
        """Usable key parts by the place they fill."""
        found: dict[_Hit, str] = {}
        known = self._hits
        for name in attributes:
            hits = known.get(name)
            if hits is None:
                hits = self.hits(name)
            if hits:
                part = key_part(attributes[name])
                if part is not None:
                    for hit in hits:
                        found[hit] = part
        return found

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
                if len(self._remembered) > REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = carried
        return carried

    def _carried(self, attributes: ATTRIBUTES, resource: Resource) -> tuple["_Carried", bool]:
        """Who speaks, and whether the keys and the resource alone decided that."""
        base, own = self._resource_keys(resource), self._keys_in(attributes)
        if not base and not own:
            return NO_ONE, True
        outer = opened(resource.attributes)
        of_resource = tuple(self._find(base, base, (outer,), resource))
        told = list(self._find(own, {**base, **own}, (attributes, outer), resource)) if own else []
        lasting = not any(hit.rule in self._typed for keys in (base, own) for hit in keys)
        return _Carried.of(told, of_resource), lasting

    def _find(
        self, own: dict[_Hit, str], keys: dict[_Hit, str], layers: tuple[ATTRIBUTES, ...], resource: Resource
    ) -> Iterator[_Speaker]:
        """The first complete alternative of each rule and prefix that names something of its own here.

        `keys` are `own` and those around it, which may complete a key of several parts.
        """
        done: set[tuple[int, str]] = set()
        for hit in sorted(keys):
            if hit.position or (hit.rule, hit.prefix) in done:
                continue
            rule = self.rules[hit.rule]
            wanted = len(rule.keys[hit.alternative])
            places = [hit] if wanted == 1 else [hit._replace(position=at) for at in range(wanted)]
            parts = [keys.get(place) for place in places]
            if not all(parts) or own.keys().isdisjoint(places):
                continue
            type_name = self._type(rule, hit.prefix, layers)
            if type_name:
                done.add((hit.rule, hit.prefix))
                name = (rule.kind, type_name, "/".join(part for part in parts if part))
                environment = resource.environment or self._environment
                flow = Flow(flow_id(*name, environment), *name, environment)
                yield _Speaker(flow, rule.rule_id, self._state_names(hit.rule, type_name, hit.prefix))

    def _state_names(self, index: int, type_name: str, prefix: str) -> tuple[str, ...]:
        """Where such a flow's state may stand; remembered, because every order's stands in the same places."""
        known = self._states.get((index, type_name, prefix))
        if known is None:
            if len(self._states) > 5_000:
                self._states.clear()
            known = tuple(_state_names(self.rules[index], type_name, prefix))
            self._states[index, type_name, prefix] = known
        return known

    def _type(self, rule: Rule, prefix: str, layers: tuple[ATTRIBUTES, ...]) -> str:
        for name in rule.type_attributes:
            for attributes in layers:
                value = attributes.get(prefix + name)
                if isinstance(value, str) and value.strip() and len(value) <= MAX_TYPE and is_storable(value):
                    return value.strip()
        return rule.type


class _Layer(NamedTuple):
    """Attributes inside a record (an event's, a map body's), those that may hold a state beside them, and their time."""

    keyed: ATTRIBUTES
    stating: ATTRIBUTES
    time_ns: int


class _Carried(NamedTuple):
    """Who speaks through a record's attributes and its resource's, and what is read where they state nothing.

    `stating` are those whose state the attributes may tell: whom they name, else whom the resource does.
    """

    speakers: tuple[_Speaker, ...]
    stating: tuple[_Speaker, ...]
    quiet: Reading

    @classmethod
    def of(cls, told: list[_Speaker], of_resource: tuple[_Speaker, ...]) -> "_Carried":
        speakers = tuple(dict.fromkeys((*told, *of_resource)))
        if len(speakers) == 1:
            only = speakers[0]
            return cls(speakers, speakers, Reading((Mention(only.flow, only.rule_id),), ()))
        reading = _reading(list(speakers), [])
        kept = set(reading.mentions)
        stating = _about(told, of_resource)
        return cls(
            tuple(one for one in speakers if (one.flow, one.rule_id) in kept),
            tuple(one for one in stating if (one.flow, one.rule_id) in kept),
            reading,
        )

    def reading(self, attributes: ATTRIBUTES, valid_ns: int) -> Reading:
        """What is read of a record that has nothing further inside."""
        if not self.speakers:
            return NOTHING
        assertions = _states(self.stating, attributes, valid_ns)
        return Reading(self.quiet.mentions, tuple(assertions)) if assertions else self.quiet


NO_ONE = _Carried((), (), NOTHING)


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
