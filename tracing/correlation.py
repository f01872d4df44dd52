"""Which flows a record speaks of, and what it says about their state (pure).

`Rulebook` is a compiled set of rules; `rulebook.read_span` and `read_log` turn one record into mentions and
assertions. Rules come from the database (`tracing.rules`), their effect is folded by `tracing.flows`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from tracing.records import ATTRIBUTES, Log, Resource, Span
from tracing.values import is_storable

# Never a business key, whatever it ends in: they name machines, not matters.
INFRASTRUCTURE = frozenset(
    "host container process k8s telemetry service cloud os device thread deployment webengine".split()
)
# A business noun with a prefix is not looked for in here: these namespaces have rules of their own, or none.
TECHNICAL = INFRASTRUCTURE | frozenset(
    "messaging bullmq celery airflow prefect temporal sidekiq faas cicd gen_ai http net network url db rpc aws"
    " azure gcp browser code exception feature_flag server client peer user_agent".split()
)
NOT_A_KEY = frozenset(
    ("", "undefined", "null", "none", "nil", "0", "anonymous", "unknown", "n/a", "nan", "-")
)
MAX_FLOWS = 4  # a rule and record
MAX_KEY = 400  # characters: an index row holds 2,704 bytes, a character takes up to four
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


class _Found(NamedTuple):
    """A mention before the record's limit is applied."""

    flow: Flow
    rule: int
    prefix: str


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
        self._resources: dict[bytes, dict[_Hit, str]] = {}
        self._flows: dict[tuple[str, str, str, str], Flow] = {}

    def read_span(self, span: Span) -> Reading:
        """What a span, its resource and its events say."""
        base = self._resource_keys(span.resource)
        own = self._keys_in(span.attributes, base)
        eventful = [event for event in span.events if any(self.hits(name) for name in event.attributes)]
        if not own and not eventful and not base:
            return NOTHING
        layers = (span.attributes, span.resource.attributes)
        carried = list(self._find(own or base, layers, span.resource))
        found = list(carried)
        assertions = list(self._states(carried, span.attributes, max(span.start_ns, span.end_ns)))
        for event in span.events:
            named = self._find(
                self._keys_in(event.attributes, own or base), (event.attributes, *layers), span.resource
            )
            told = [one for one in named if one not in carried]
            found += told
            assertions += self._states(_about(told, carried), event.attributes, event.time_ns)
        return self._reading(found, assertions)

    def read_log(self, log: Log) -> Reading:
        """What a log record, its resource and its map body say."""
        attributes = log.attributes
        if isinstance(log.body, dict):
            attributes = {**flat(log.body), **attributes}
        keys = self._keys_in(attributes, self._resource_keys(log.resource)) or self._resource_keys(
            log.resource
        )
        if not keys:
            return NOTHING
        found = list(self._find(keys, (attributes, log.resource.attributes), log.resource))
        return self._reading(found, list(self._states(found, attributes, log.time_ns)))

    def hits(self, name: str) -> tuple[_Hit, ...]:
        """The places in the rules that an attribute of this name fills; remembered by name."""
        hits = self._hits.get(name)
        if hits is None:
            if len(self._hits) > 20_000:  # a sender that invents names must not fill the memory
                self._hits.clear()
            hits = self._hits[name] = tuple(self._look_up(name))
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
            keys = self._resources[resource.resource_id] = self._keys_in(resource.attributes, {})
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

    def _find(
        self, keys: dict[_Hit, str], layers: tuple[ATTRIBUTES, ...], resource: Resource
    ) -> Iterator[_Found]:
        """Mentions from key parts: the first complete alternative of each rule and prefix."""
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
                key = "/".join(part for part in parts if part)
                environment = resource.environment or self._environment
                yield _Found(self._flow(rule.kind, type_name, key, environment), hit.rule, hit.prefix)

    def _type(self, rule: Rule, prefix: str, layers: tuple[ATTRIBUTES, ...]) -> str:
        for name in rule.type_attributes:
            for attributes in layers:
                value = attributes.get(prefix + name)
                if isinstance(value, str) and value.strip() and len(value) <= MAX_TYPE and is_storable(value):
                    return value.strip()
        return rule.type

    def _flow(self, kind: str, type_name: str, key: str, environment: str) -> Flow:
        name = (kind, type_name, key, environment)
        flow = self._flows.get(name)
        if flow is None:
            if len(self._flows) > 50_000:
                self._flows.clear()
            flow = self._flows[name] = Flow(flow_id(*name), *name)
        return flow

    def _states(self, found: Iterable[_Found], attributes: ATTRIBUTES, valid_ns: int) -> Iterator[Assertion]:
        for one in found:
            rule = self.rules[one.rule]
            for name in _state_names(rule, one):
                state = _state(attributes.get(name))
                if state:
                    yield Assertion(one.flow, rule.rule_id, state, valid_ns)
                    break

    def _reading(self, found: list[_Found], assertions: list[Assertion]) -> Reading:
        if not found:
            return NOTHING
        mentions = {Mention(one.flow, self.rules[one.rule].rule_id) for one in found}
        if len(mentions) > MAX_FLOWS:
            mentions = set(_guarded(mentions))
            kept = {(mention.flow, mention.rule_id) for mention in mentions}
            assertions = [one for one in assertions if (one.flow, one.rule_id) in kept]
        return Reading(tuple(sorted(mentions)), tuple(sorted(set(assertions))))


def key_part(value: Any) -> str | None:
    """An attribute's value as (part of) a key; None where it names nothing: empty, a placeholder, no scalar, too long."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        value = str(value)
    elif isinstance(value, float):
        value = str(int(value)) if value.is_integer() else str(value)
    if not isinstance(value, str):
        return None
    part: str = value.strip()
    if len(part) > MAX_KEY or part.lower() in NOT_A_KEY or not is_storable(part):
        return None
    return part


def flat(body: dict[str, Any], prefix: str = "", depth: int = 3) -> dict[str, Any]:
    """A map body as attributes: {"order": {"id": 1}} reads as `order.id`. Tagged values stay whole."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, dict) and depth and not any(key.startswith("$") for key in value):
            found |= flat(value, f"{prefix}{name}.", depth - 1)
        else:
            found[prefix + name] = value
    return found


def _state_names(rule: Rule, one: _Found) -> Iterator[str]:
    own = (f"{one.flow.type}.state", f"{one.flow.type}.status")
    for name in (*rule.state_attributes, *own, *KIND_STATE.get(rule.kind, ())):
        if one.prefix:
            yield one.prefix + name
        yield name
    yield from ANY_STATE


def _state(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    state: str = value.strip()
    return state if state and len(state) <= MAX_STATE and is_storable(state) else None


def _about(told: list[_Found], carried: list[_Found]) -> list[_Found]:
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
