"""Workflow runs as the engines report them: Celery's mails, Temporal's fulfilment, a plain `workflow.*` onboarding.

The attribute names and their gaps (no attempt on Celery's first try, zero-length workflow spans in Temporal) are
those of the real instrumentations. `plan` and `stories` say when they run.
"""

from datetime import UTC, datetime

from opentelemetry.trace import SpanKind

from tracing.demo.cast import Shop
from tracing.demo.failures import Failure, mail_refused, stock_conflict
from tracing.demo.goods import Order
from tracing.demo.scene import SECOND
from tracing.demo.services import Attributes, Headers, headers_here

MAIL = "mailer.tasks.send_receipt"


def mailed(shop: Shop, order: Order, failures: int = 0, gives_in: bool = True) -> str:
    """A receipt by Celery; returns the task's id. With `gives_in` False the last announced retry never comes."""
    task = shop.scene.token()
    about = {
        "celery.action": "apply_async",
        "celery.task_name": MAIL,
        "messaging.message.id": task,
        "messaging.destination.name": "mail",
    }
    with shop.web.span(f"apply_async/{MAIL}", about, SpanKind.PRODUCER, headers={}):
        shop.scene.spend(1, 5)
        message = headers_here()
    for attempt in range(failures):
        shop.scene.spend(20, 300)
        message = _mail_fails(shop, order, task, attempt, message)
        shop.scene.wait(2**attempt * 10)
    if gives_in:
        shop.scene.spend(20, 300)
        with shop.mailer.span(
            f"run/{MAIL}", _task(shop, task, failures, "SUCCESS", order), SpanKind.CONSUMER, message
        ):
            shop.scene.spend(60, 700)
            shop.mailer.log(f"Receipt for order {order.number} sent", {"order.id": order.key})
    return task


def _task(shop: Shop, task: str, retries: int, state: str, order: Order) -> dict[str, str | int]:
    """A run's attributes. From the second on Celery says which it is, and for when it was announced."""
    about: dict[str, str | int] = {
        "celery.action": "run",
        "celery.task_name": MAIL,
        "celery.state": state,
        "messaging.message.id": task,
        "messaging.destination.name": "mail",
        "order.id": order.key,
    }
    if retries:
        about["celery.retries"] = retries
        about["celery.eta"] = datetime.fromtimestamp(shop.scene.now // SECOND, UTC).isoformat()
    return about


def _mail_fails(shop: Shop, order: Order, task: str, retries: int, message: Headers) -> Headers:
    """A try that fails; Celery publishes the next one from inside it, and leaves the status unset."""
    delay = 2**retries * 10
    about = _task(shop, task, retries, "RETRY", order)
    about["celery.retry.reason"] = f"Retry in {delay}s: SMTPRecipientsRefused"
    again = {
        "celery.action": "apply_async",
        "celery.task_name": MAIL,
        "messaging.message.id": task,
    }
    with shop.mailer.span(f"run/{MAIL}", about, SpanKind.CONSUMER, message):
        shop.scene.spend(60, 400)
        shop.mailer.event("exception", mail_refused().attributes)
        shop.mailer.log(mail_refused().message, {"order.id": order.key, **mail_refused().attributes}, "WARN")
        with shop.mailer.span(f"apply_async/{MAIL}", again, SpanKind.PRODUCER):
            shop.scene.spend(1, 4)
            return headers_here()


def fulfilled(shop: Shop, order: Order, failing_tries: int = 0) -> str:
    """A Temporal workflow around picking; returns its id. Activities retry without any attempt attribute."""
    workflow = f"fulfilment-{order.number}"
    run = shop.scene.token()
    about = {"temporalWorkflowID": workflow, "temporalRunID": run}
    with shop.wms.span("StartWorkflow:Fulfilment", {**about, **order.about}, SpanKind.CLIENT, headers={}):
        shop.scene.spend(5, 30)
        started = headers_here()
    worker = shop.fulfilment
    with worker.span("RunWorkflow:Fulfilment", about, SpanKind.SERVER, started):
        inside = headers_here()
    steps = ("AllocateBin", "PrintPickList", "ConfirmPick")
    for index, step in enumerate(steps):
        failures = [stock_conflict(order.sku)] * (0 if index else failing_tries)
        _activity(shop, step, {**about, "temporalActivityID": str(index + 1)}, inside, failures)
    with worker.span("CompleteWorkflow:Fulfilment", {**about, "workflow.state": "completed"}, headers=inside):
        worker.log(f"Fulfilment of order {order.number} completed", {"order.id": order.key, **about})
    return workflow


def _activity(shop: Shop, step: str, about: Attributes, inside: Headers, failures: list[Failure]) -> None:
    worker = shop.fulfilment
    with worker.span(f"StartActivity:{step}", about, SpanKind.CLIENT, inside):
        asked = headers_here()
    for attempt, failure in enumerate((*failures, None)):
        shop.scene.spend(5, 60)
        with worker.span(f"RunActivity:{step}", about, SpanKind.SERVER, asked) as running:
            shop.scene.spend(80, 2_500)
            if failure:
                worker.fail(running, failure, logged=False)
        shop.scene.wait(2**attempt)


def onboarded(shop: Shop, number: int, customer: str, steps: int = 4) -> str:
    """An onboarding run of the CRM with plain `workflow.*` attributes; returns its id."""
    run = f"onb-{number}"
    about = {"workflow.id": run, "workflow.type": "onboarding", "customer.id": customer}
    names = ("welcome", "verify address", "credit check", "first offer")[:steps]
    for name in names:
        state = "completed" if name == "first offer" else name
        with shop.crm.span(name, {**about, "workflow.state": state}, headers={}):
            shop.scene.spend(40, 900)
            shop.crm.log(f"Onboarding {run}: {name} done", about)
        shop.scene.wait(600 + shop.scene.chance.randrange(3_000))
    return run
