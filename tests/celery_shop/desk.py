"""Hands tasks in: `desk.py 4711` prints the id of each task, by name. All are for order 4711.

The task that is going to be lost is the last, once all others have ended: whoever kills its worker harms no other.
"""

import sys

from opentelemetry import trace

from tests.celery_shop import app

PATIENCE_S = 30
ENDING = (app.receipt, app.reminder, app.invoice)


def main(order: str) -> None:
    app.instrument()
    with trace.get_tracer("desk").start_as_current_span("POST /mails"):
        handed_in = [task.delay(order) for task in ENDING]
    for task, result in zip(ENDING, handed_in, strict=True):
        result.get(timeout=PATIENCE_S, propagate=False)
        print(task.name, result.id)
    print(app.newsletter.name, app.newsletter.delay(order).id)


if __name__ == "__main__":
    main(*sys.argv[1:])
