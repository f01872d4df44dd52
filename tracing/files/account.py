"""What became of a file while it was read: how much was in it, and what was refused, why and where (pure)."""

from collections import Counter
from dataclasses import dataclass, field

PLACES = 3  # of each reason that are named
MOST_REASONS = 50


@dataclass(slots=True)
class Account:
    """Filled by `reading`. A document is a line of JSON Lines, or the file as a whole."""

    form: str = ""  # of what was read first, for people
    documents: int = 0
    spans: int = 0
    logs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)  # by reason, the first few
    notes: list[str] = field(default_factory=list)  # sentences about the file as a whole

    @property
    def records(self) -> int:
        return self.spans + self.logs

    def refuse(self, reason: str, place: str = "", count: int = 1) -> None:
        """Count what was refused; reasons beyond `MOST_REASONS` share one."""
        if reason not in self.refused and len(self.refused) >= MOST_REASONS:
            reason = "other reasons"
        self.refused[reason] += count
        named = self.places.setdefault(reason, [])
        if place and place not in named and len(named) < PLACES:
            named.append(place)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def refusals(self) -> list[tuple[int, str, str]]:
        """Count, reason and where, the most frequent first."""
        return [
            (count, reason, ", ".join(self.places.get(reason, ())))
            for reason, count in self.refused.most_common()
        ]
