"""Which flows a record speaks of: tables of cases over the seeded rules and over rules of one's own."""

from typing import Any

import pytest

from tests.builders import BASE_NS, MS, Service, event
from tests.seeds import rulebook, rules
from tracing.correlation import Rulebook
from tracing.keys import INFRASTRUCTURE, MAX_KEY, flat, key_part
from tracing.mentions import Reading, Rule, flow_id

SHOP = Service("shop")
BOOK = rulebook()
NOUNS = [rule.type for rule in rules() if rule.kind == "entity" and rule.type]


def span_says(attributes: dict[str, Any], book: Rulebook = BOOK, **more: Any) -> Reading:
    return book.read_span(SHOP.span("s", 0, 10, attributes=attributes, **more))


def log_says(attributes: dict[str, Any], body: Any = "", book: Rulebook = BOOK) -> Reading:
    return book.read_log(SHOP.log(body, 0, attributes=attributes))


def flows(reading: Reading) -> set[str]:
    return {f"{one.flow.kind} {one.flow.type} {one.flow.key}" for one in reading.mentions}


def states(reading: Reading) -> set[tuple[str, str, float]]:
    """Flow, state, and when it is valid in milliseconds after the base."""
    return {
        (f"{one.flow.type} {one.flow.key}", one.state, (one.valid_ns - BASE_NS) / MS)
        for one in reading.assertions
    }


def test_the_nouns_of_the_contract_are_seeded() -> None:
    assert set(NOUNS) >= set("order invoice payment shipment customer account ticket job".split())


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("prefix", ["", "demo.", "app.eu.", "com.example.shop."])
def test_every_noun_with_any_prefix(noun: str, prefix: str) -> None:
    assert flows(span_says({f"{prefix}{noun}.id": "4711"})) == {f"entity {noun} 4711"}
    assert flows(log_says({f"{prefix}{noun}.id": 4711})) == {f"entity {noun} 4711"}


@pytest.mark.parametrize("namespace", sorted(INFRASTRUCTURE))
@pytest.mark.parametrize("name", ["job.id", "account.id", "id", "order.id", "entity.id", "workflow.id"])
def test_infrastructure_never_makes_a_flow(namespace: str, name: str) -> None:
    attributes = {f"{namespace}.{name}": "4711", f"{namespace}.entity.type": "order"}
    assert flows(span_says(attributes)) == set()
    own = Rule(1, "entity", "thing", ((f"{namespace}.{name}",),), any_prefix=True)
    assert flows(span_says(attributes, Rulebook([own], "production"))) == set()


@pytest.mark.parametrize(
    "name",
    ["messaging.order.id", "bullmq.account.id", "gcp_pubsub.id", "reorder.id", "order_id", "order.id.hash",
     "order.ids", "orderid", "session.id", "user.id", "enduser.id", "cloud.account.id", "aws.account.id", "k8s.job.id"],
)  # fmt: skip
def test_what_only_looks_like_a_noun(name: str) -> None:
    assert flows(span_says({name: "4711"})) == set()


def test_sessions_and_users_are_seeded_but_off() -> None:
    off = {rule.type for rule in rules(everything=True)} - {rule.type for rule in rules()}
    assert off == {"session", "user"}


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("4711", "4711"),
        (4711, "4711"),
        (-3, "-3"),
        (4711.0, "4711"),
        (0.5, "0.5"),
        (2**63, "9223372036854775808"),
        ("  padded  ", "padded"),
        ("a/b c%2F", "a/b c%2F"),
        ("ключ", "ключ"),
        ("00", "00"),
        ("x" * MAX_KEY, "x" * MAX_KEY),
        ("x" * (MAX_KEY + 1), None),
        *(
            (text, None)
            for text in (
                "",
                "  ",
                "0",
                "null",
                "NULL",
                "None",
                "undefined",
                "anonymous",
                "n/a",
                "NaN",
                "-",
                "nil",
            )
        ),
        (0, None),
        (0.0, None),
        (True, None),
        (None, None),
        ([1], None),
        ({"a": 1}, None),
        ({"$bytes": "AA=="}, None),
        ({"$redacted": True}, None),
        ({"$double": "NaN"}, None),
        ("nul\x00", None),
    ],
)
def test_keys(value: Any, key: str | None) -> None:
    assert key_part(value) == key
    assert flows(span_says({"order.id": value})) == ({f"entity order {key}"} if key else set())


def test_a_key_that_is_no_text() -> None:
    assert key_part("\ud800") is None


SYSTEMS: list[tuple[str, dict[str, Any], set[str], set[str]]] = [
    ("an entity names its type", {"entity.type": "parcel", "entity.id": "9"}, {"entity parcel 9"}, set()),
    ("with a prefix", {"app.entity.type": "parcel", "app.entity.id": "9"}, {"entity parcel 9"}, set()),
    ("without a type", {"entity.id": "9"}, set(), set()),
    ("the type under another prefix", {"a.entity.type": "parcel", "b.entity.id": "9"}, set(), set()),
    ("entity state", {"entity.type": "p", "entity.id": "9", "entity.state": "lost"}, {"entity p 9"}, {"lost"}),
    ("a workflow", {"workflow.id": "w1", "workflow.type": "Import"}, {"workflow Import w1"}, set()),
    ("named", {"workflow.run.id": "w1", "workflow.name": "Import"}, {"workflow Import w1"}, set()),
    ("unnamed", {"workflow.run_id": "w1", "workflow.state": "up"}, {"workflow workflow w1"}, {"up"}),
    ("prefixed", {"acme.workflow.id": "w1", "acme.workflow.type": "Import", "acme.workflow.status": "up"},
     {"workflow Import w1"}, {"up"}),
    ("two aliases are one flow", {"workflow.id": "w1", "workflow.run_id": "w2"}, {"workflow workflow w1"}, set()),
    ("Temporal", {"temporalWorkflowID": "w", "temporalRunID": "r", "temporalActivityID": "5"}, {"workflow temporal w"}, set()),
    ("Celery", {"messaging.message.id": "t", "celery.task_name": "shop.pay", "celery.state": "RETRY"},
     {"workflow shop.pay t"}, {"RETRY"}),
    ("a message id without a task", {"messaging.message.id": "t"}, set(), set()),
    ("Airflow", {"airflow.dag_id": "etl", "airflow.dag_run.run_id": "manual__1", "airflow.task_instance.state": "failed"},
     {"workflow etl manual__1"}, {"failed"}),
    ("Prefect", {"prefect.flow.name": "etl", "prefect.run.id": "8"}, {"workflow etl 8"}, set()),
    ("Sidekiq", {"messaging.message_id": "j", "messaging.sidekiq.job_class": "Mail"}, {"workflow Mail j"}, set()),
    ("Sidekiq's newer name", {"messaging.message.id": "j", "messaging.sidekiq.job_class": "Mail"}, {"workflow Mail j"}, set()),
    ("BullMQ", {"bullmq.job.id": "7", "bullmq.queue.name": "mails", "bullmq.job.attempts_made": 2}, {"workflow mails 7"}, set()),
    ("BullMQ without a queue", {"bullmq.job.id": "7"}, set(), set()),
    ("CI", {"cicd.pipeline.run.id": "99", "cicd.pipeline.run.state": "pending"}, {"workflow pipeline 99"}, {"pending"}),
    ("conversation", {"messaging.message.conversation_id": "c"}, {"workflow conversation c"}, set()),
    ("GenAI", {"gen_ai.conversation.id": "c"}, {"workflow chat c"}, set()),
    ("function", {"faas.invocation_id": "f"}, {"workflow invocation f"}, set()),
    ("order and customer", {"order.id": 1, "customer.id": 2, "order.state": "paid"},
     {"entity order 1", "entity customer 2"}, {"paid"}),
    ("a state for all", {"order.id": 1, "customer.id": 2, "flow.state": "odd"},
     {"entity order 1", "entity customer 2"}, {"odd"}),
    ("a status", {"order.id": 1, "order.status": "paid"}, {"entity order 1"}, {"paid"}),
    ("state before status", {"order.id": 1, "order.status": "a", "order.state": "b"}, {"entity order 1"}, {"b"}),
    ("one's own state before the kind's", {"order.id": 1, "entity.state": "a", "order.state": "b"}, {"entity order 1"}, {"b"}),
    ("the prefix's state first", {"x.order.id": 1, "order.state": "a", "x.order.state": "b"}, {"entity order 1"}, {"b"}),
    ("a number as state", {"order.id": 1, "order.state": 3}, {"entity order 1"}, {"3"}),
    ("no state", {"order.id": 1, "order.state": ""}, {"entity order 1"}, set()),
    ("a truth is no state", {"order.id": 1, "order.state": True}, {"entity order 1"}, set()),
    ("a novel is no state", {"order.id": 1, "order.state": "x" * 101}, {"entity order 1"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "found", "said"), [case[1:] for case in SYSTEMS], ids=[case[0] for case in SYSTEMS]
)
def test_seeded_rules(attributes: dict[str, Any], found: set[str], said: set[str]) -> None:
    for reading in (span_says(attributes), log_says(attributes), log_says({}, body=attributes)):
        assert flows(reading) == found
        assert {state for _, state, _ in states(reading)} == said


def test_a_span_states_at_its_end_and_a_log_at_its_time() -> None:
    attributes = {"order.id": 1, "order.state": "paid"}
    assert states(span_says(attributes)) == {("order 1", "paid", 10)}
    assert states(log_says(attributes)) == {("order 1", "paid", 0)}
    backwards = BOOK.read_span(SHOP.span("s", 50, -20, attributes=attributes))
    assert states(backwards) == {("order 1", "paid", 50)}


def test_where_a_key_may_stand() -> None:
    carrying = Service("worker", **{"job.id": "7"})
    assert flows(BOOK.read_span(carrying.span("s", 0, 1))) == {"entity job 7"}
    assert flows(BOOK.read_log(carrying.log("l", 0))) == {"entity job 7"}
    # A key counts wherever it stands, whatever stands elsewhere.
    assert flows(BOOK.read_span(carrying.span("s", 0, 1, attributes={"job.id": "8"}))) == {
        "entity job 7",
        "entity job 8",
    }
    assert flows(BOOK.read_log(carrying.log("l", 0, attributes={"order.id": "1"}))) == {
        "entity job 7",
        "entity order 1",
    }
    in_event = SHOP.span("s", 0, 1, events=[event("e", 0, order__id="1")])
    assert flows(BOOK.read_span(in_event)) == {"entity order 1"}
    assert flows(log_says({}, body={"order": {"id": "1", "lines": [{"order": {"id": "2"}}]}})) == {
        "entity order 1"
    }
    both = {"entity order 1", "entity order 2"}
    assert flows(log_says({"order.id": "1"}, body={"order.id": "2"})) == both
    assert flows(span_says({"order.id": "1"}, events=[event("e", 0, order__id="2")])) == both
    assert flows(log_says({}, body="order.id=1")) == set()
    assert flows(log_says({}, body=[{"order.id": 1}])) == set()


EVENTS: list[tuple[str, dict[str, Any], dict[str, Any], set[tuple[str, str, float]]]] = [
    ("about its span's flow", {"order.id": 1}, {"order.state": "paid"}, {("order 1", "paid", 5)}),
    ("about the flow it names", {}, {"order.id": 2, "order.state": "paid"}, {("order 2", "paid", 5)}),
    ("not about the span's of that type", {"order.id": 1}, {"order.id": 2, "order.state": "paid"}, {("order 2", "paid", 5)}),
    ("of another type about the span's", {"order.id": 1}, {"customer.id": 3, "order.state": "paid"}, {("order 1", "paid", 5)}),
    ("naming the span's own", {"order.id": 1}, {"order.id": 1, "order.state": "paid"}, {("order 1", "paid", 5)}),
    ("Prefect", {"prefect.flow.name": "etl", "prefect.run.id": "8"}, {"prefect.state.type": "RUNNING"},
     {("etl 8", "RUNNING", 5)}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "told", "said"), [case[1:] for case in EVENTS], ids=[case[0] for case in EVENTS]
)
def test_whom_an_events_state_concerns(
    own: dict[str, Any], told: dict[str, Any], said: set[tuple[str, str, float]]
) -> None:
    one = event("e", 5)
    one.attributes = told
    assert states(span_says(own, events=[one])) == said


def test_whom_a_lines_state_concerns() -> None:
    """The attributes and the body of a line are one statement, about whom it names rather than whom its resource does."""
    state = {"order.state": "paid"}
    assert states(log_says(state, body={"order.id": 2})) == {("order 2", "paid", 0)}
    assert states(log_says({"order.id": 1}, body=state)) == {("order 1", "paid", 0)}
    assert states(log_says({"order.id": 1, **state}, body={"order.id": 2})) == {
        ("order 1", "paid", 0),
        ("order 2", "paid", 0),
    }
    carrying = Service("worker", **{"order.id": "7"})
    assert states(BOOK.read_log(carrying.log("", 0, attributes=state))) == {("order 7", "paid", 0)}
    assert states(BOOK.read_log(carrying.log("", 0, attributes={"order.id": 8, **state}))) == {
        ("order 8", "paid", 0)
    }


ALIASES = Rule(9, "entity", "lot", (("lot.no",), ("lot.ref",)))


def test_aliases_count_wherever_they_stand() -> None:
    book = Rulebook([ALIASES], "production")
    carrying = Service("mill", **{"lot.no": "1"})
    assert flows(book.read_span(carrying.span("s", 0, 1, attributes={"lot.ref": "2"}))) == {
        "entity lot 1",
        "entity lot 2",
    }
    told = [event("e", 0, lot__ref="2")]
    assert flows(span_says({"lot.no": "1"}, book, events=told)) == {"entity lot 1", "entity lot 2"}
    # Beside each other in one place they are two words for one thing: the first stands.
    assert flows(span_says({"lot.no": "1", "lot.ref": "2"}, book)) == {"entity lot 1"}


def test_the_spans_state_and_its_events_are_all_kept() -> None:
    told = [event("e", ms, order__state=state) for ms, state in ((1, "a"), (2, "b"))]
    reading = span_says({"order.id": 1, "order.state": "c"}, events=told)
    assert states(reading) == {("order 1", "a", 1), ("order 1", "b", 2), ("order 1", "c", 10)}


COMPOUND = Rule(7, "entity", "position", (("shop.order", "shop.line"), ("position.ref",)), any_prefix=True)


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"shop.order": "1", "shop.line": 2}, {"entity position 1/2"}),
        ({"shop.order": "1"}, set()),
        ({"shop.order": "1", "shop.line": ""}, set()),
        ({"shop.order": "1", "x.shop.line": "2"}, set()),
        ({"x.shop.order": "1", "x.shop.line": "2"}, {"entity position 1/2"}),
        ({"position.ref": "r"}, {"entity position r"}),
        ({"shop.order": "1", "position.ref": "r"}, {"entity position r"}),
        ({"shop.order": "1", "shop.line": "2", "position.ref": "r"}, {"entity position 1/2"}),
        (
            {"shop.order": "1", "shop.line": "2", "x.position.ref": "r"},
            {"entity position 1/2", "entity position r"},
        ),
    ],
)
def test_several_attributes_make_one_key(attributes: dict[str, Any], found: set[str]) -> None:
    assert flows(span_says(attributes, Rulebook([COMPOUND], "production"))) == found


def test_half_of_a_compound_key_may_come_from_the_resource() -> None:
    shop = Service("shop", **{"shop.order": "1"})
    book = Rulebook([COMPOUND], "production")
    assert flows(book.read_span(shop.span("s", 0, 1, attributes={"shop.line": "2"}))) == {
        "entity position 1/2"
    }


def test_a_prefix_only_where_the_rule_says_so() -> None:
    book = Rulebook([Rule(1, "entity", "order", (("order.id",),))], "production")
    assert flows(span_says({"order.id": 1}, book)) == {"entity order 1"}
    assert flows(span_says({"demo.order.id": 1}, book)) == set()


def test_at_most_four_flows_a_rule_and_record_by_sorted_key() -> None:
    attributes = {f"{prefix}.order.id": prefix for prefix in "gfedcba"} | {
        "customer.id": "x",
        "a.order.state": "ok",
    }
    reading = span_says(attributes)
    assert flows(reading) == {f"entity order {key}" for key in "abcd"} | {"entity customer x"}
    assert flows(span_says(dict(reversed(attributes.items())))) == flows(reading)
    told = [event("e", 1, order__id=key, order__state="x") for key in "zyxwvut"]
    assert flows(span_says({}, events=told)) == {f"entity order {key}" for key in "tuvw"}
    assert {flow for flow, _, _ in states(span_says({}, events=told))} == {f"order {key}" for key in "tuvw"}


def test_two_rules_may_lead_to_one_flow() -> None:
    both = [Rule(n, "entity", "order", ((name,),)) for n, name in ((1, "order.id"), (2, "order_no"))]
    reading = span_says({"order.id": "1", "order_no": "1", "order.state": "x"}, Rulebook(both, "production"))
    assert [one.rule_id for one in reading.mentions] == [1, 2]
    assert len({one.flow for one in reading.mentions}) == 1


def test_the_environment_is_part_of_what_a_flow_is() -> None:
    readings = [
        book.read_span(Service("s", environment).span("s", 0, 1, attributes={"order.id": 1}))
        for book, environment in ((BOOK, None), (BOOK, "staging"), (rulebook("staging"), None))
    ]
    ids = [reading.mentions[0].flow.flow_id for reading in readings]
    assert readings[0].mentions[0].flow.environment == "production"
    assert ids[0] != ids[1] == ids[2]
    assert ids[1] == flow_id("entity", "order", "1", "staging")


def test_a_flow_id_keeps_its_parts_apart() -> None:
    names = [
        ("entity", "a", "b", "c"),
        ("entity", "ab", "", "c"),
        ("workflow", "a", "b", "c"),
        ("entity", "a", "bc", ""),
    ]
    assert len({flow_id(*name) for name in names}) == 4
    assert {len(flow_id(*name)) for name in names} == {16}


def test_a_type_from_an_attribute_must_be_a_name() -> None:
    for odd in (7, "", "  ", "x" * 101, None, ["a"]):
        assert flows(span_says({"entity.type": odd, "entity.id": "1"})) == set()
    assert flows(span_says({"workflow.type": 7, "workflow.id": "1"})) == {"workflow workflow 1"}


def test_memories_are_bounded_and_forget_nothing_that_matters() -> None:
    book = rulebook()
    for n in range(21_000):
        book.hits(f"invented.{n}")
    assert flows(span_says({"order.id": 1}, book)) == {"entity order 1"}
    first = span_says({"order.id": 1, "order.state": "a"}, book)
    second = span_says({"order.id": 1, "order.state": "b"}, book)
    assert first.mentions == second.mentions
    assert first.assertions != second.assertions


def test_an_odd_attribute_beside_the_key_costs_nothing_but_itself() -> None:
    odd: dict[str, Any] = {
        "order.id": "1",
        "a": {"$double": "NaN"},
        "b": [None],
        "c": {"d": 1},
        "": "",
        "…": "x",
        "order": "2",
    }
    assert flows(span_says(odd)) == {"entity order 1"}


def test_a_key_beside_an_odd_name_is_found_all_the_same() -> None:
    tagged = {"$map": [["$odd", 1], [{"$text": "AA=="}, 2], ["order.id", "1"], ["order.state", "x"]]}
    for reading in (span_says(tagged), log_says(tagged), log_says({}, body=tagged)):
        assert flows(reading) == {"entity order 1"}
        assert {state for _, state, _ in states(reading)} == {"x"}
    one = event("e", 0)
    one.attributes = tagged
    assert flows(span_says({}, events=[one])) == {"entity order 1"}


def test_flat() -> None:
    body = {"a": {"b": {"c": {"d": {"e": 1}}}}, "x": {"$bytes": "AA=="}, "y": [1], "z": {}}
    assert flat(body) == {"a.b.c.d": {"e": 1}, "x": {"$bytes": "AA=="}, "y": [1]}
