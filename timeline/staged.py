"""Pages drawn from a copy: whatever is read here comes from one stage, and from nothing else.

The statements are those of every page; the session looks into the schema `stage` alone until the answer is made
(`tracing.snapshots.staging`). A frozen copy is read as of the moment it was taken, the time of day included.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction

from tracing import clock

_stage: ContextVar[int | None] = ContextVar("stage", default=None)

_CHOOSE = "SELECT set_config('search_path', 'stage', true), set_config('threadline.stage', %s, true)"


@contextmanager
def on_stage(stage_id: int, taken_ns: int | None = None) -> Iterator[None]:
    """Read from this stage; with `taken_ns` as of then. Nothing can be written meanwhile."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # One view of it, also where it is evicted meanwhile.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(_CHOOSE, [str(stage_id)])
        token = _stage.set(stage_id)
        try:
            with clock.held(taken_ns):
                yield
        finally:
            _stage.reset(token)


def is_staged() -> bool:
    """Whether this request reads from a copy: what is kept or read beside it is of the real tables."""
    return _stage.get() is not None
