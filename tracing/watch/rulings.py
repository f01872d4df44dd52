"""A person's rule as the judge holds flows to it (pure). `lore` makes these from `people.ExpectationRule`."""

from dataclasses import dataclass

from tracing.lengths import spoken
from tracing.watch import calendars
from tracing.watch.calendars import Calendar


@dataclass(frozen=True, slots=True)
class Ruling:
    """Durations in nanoseconds; empty text is any."""

    type: str
    environment: str
    step: str
    awaited_step: str
    awaited_system: str
    within_ns: int
    grace_ns: int
    from_start: bool
    series: bool = False
    calendar: Calendar | None = None

    def add(self, start_ns: int, duration_ns: int) -> int:
        """The moment when that much time has passed, counting open hours only where there is a calendar."""
        if self.calendar is None:
            return start_ns + duration_ns
        return calendars.add(self.calendar, start_ns, duration_ns)

    @property
    def words(self) -> str:
        """The rule as a sentence's end: "within 15 min of paid"."""
        whence = "its beginning" if self.from_start else self.step or "the last step"
        awaited = self.awaited_step or "the next step"
        return f"{awaited} within {spoken(self.within_ns)} of {whence}"
