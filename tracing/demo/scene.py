"""Simulated time, seeded chance and seeded ids: what makes the same seed tell the same story to the byte.

`services` stamps spans and logs with `Scene.now`; whoever plays a part calls `begin` first, so that each part
is the same whatever was played before it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from opentelemetry.sdk.trace.id_generator import IdGenerator

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


class Scene:
    """The hour and the luck of what is being played. Times are Unix nanoseconds."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.now = 0
        self.chance = Random(seed)

    def begin(self, part: str, at_ns: int) -> None:
        """Start a part: its chance and ids follow from the seed and its name alone."""
        self.now = at_ns
        self.chance = Random(f"{self.seed}/{part}")

    def spend(self, low_ms: float, high_ms: float) -> None:
        """Let some work pass; most of it is quick, a little is slow."""
        share = self.chance.random() ** 3
        self.now += int((low_ms + (high_ms - low_ms) * share) * 1_000_000)

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def token(self) -> str:
        """32 hex digits in the form of a UUID."""
        digits = f"{self.chance.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Ids(IdGenerator):
    """Trace and span ids from the scene's chance; `fixed` is for systems that use one id twice."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._fixed: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        if self._fixed:
            return self._fixed[0]
        return self._scene.chance.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        if self._fixed:
            return self._fixed[1]
        return self._scene.chance.getrandbits(64) or 1

    @contextmanager
    def fixed(self, trace_id: int, span_id: int) -> Iterator[None]:
        """Within, every span gets these ids: what schedulers do that send each try under the same ones."""
        self._fixed = (trace_id, span_id)
        try:
            yield
        finally:
            self._fixed = None
