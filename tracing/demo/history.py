"""The past of the shop: the newest orders first, the stories, then everything older and what runs at night.

A run is a pure function of `Run`: the same values send the same bytes. `anchor` says where the past ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from zlib import crc32

from tracing.demo import jobs, oddities, stories, workflows
from tracing.demo.cast import Endpoints, Shop
from tracing.demo.goods import Order, new_order
from tracing.demo.outbox import Outbox
from tracing.demo.plan import chapters, play
from tracing.demo.post import Post
from tracing.demo.scene import HOUR, MINUTE, SECOND, Scene
from tracing.demo.stories import Story, Teller, flow_path, order_path, trace_path

FIRST_SHOWN = 100
NIGHTS = 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """What makes a history: everything that is sent follows from these."""

    anchor_ns: int
    seed: int = 1
    orders: int = 2_000
    hours: int = 48
    era: int = 0

    @property
    def size(self) -> str:
        return f"{self.orders}/{self.hours}"

    @property
    def plain(self) -> bool:
        """Whether this is the history whose numbers the documentation uses."""
        return (self.seed, self.era) == (1, 0)

    @property
    def story_base(self) -> int:
        """Stories have the same numbers whatever the size of the history: 4711 is the first."""
        return 4_700 + (0 if self.plain else _far(f"{self.seed}/{self.era}"))

    @property
    def first_number(self) -> int:
        """The number of the oldest ordinary order."""
        usual = self.plain and (self.orders, self.hours) == (2_000, 48)
        return 20_000 + (0 if usual else _far(f"{self.seed}/{self.era}/{self.size}"))


def _far(text: str) -> int:
    return (1 + crc32(text.encode()) % 9_000) * 100_000


class History:
    """One run's past, played on its own shop."""

    def __init__(self, run: Run, endpoints: Endpoints, post: Post) -> None:
        self.run = run
        self.outbox = Outbox(post)
        self.shop = Shop(Scene(f"{run.seed}/{run.era}"), self.outbox, endpoints)
        self.stories: list[Story] = []

    def play(self, say: Say) -> None:
        """Send everything. Raises NotDelivered."""
        newest = min(FIRST_SHOWN, self.run.orders)
        self._orders(range(newest))
        self._settle()
        say(f"The newest {newest} orders are in.")
        self._tell()
        self._settle()
        say("The stories are in.")
        self._nights()
        self._orders(range(newest, self.run.orders))
        self._onboardings()
        self.outbox.finish()

    def order(self, age: int) -> Order:
        """The order that is `age` orders older than the newest; beyond the history, one that nothing else tells of."""
        number = self.run.first_number + self.run.orders - 1 - age
        ago = int(self.run.hours * HOUR * (age + 0.5) / self.run.orders)
        return new_order(number, self.run.anchor_ns - ago, self._chance(number))

    def _chance(self, number: int) -> Random:
        return Random(f"{self.shop.scene.seed}/{number}")

    def _orders(self, ages: range) -> None:
        for age in ages:
            order = self.order(age)
            for chapter in chapters(order, self._chance(-order.number)):
                if order.placed_ns + int(chapter.after_s * SECOND) <= self.run.anchor_ns - 3 * MINUTE:
                    play(self.shop, order, chapter)

    def _tell(self) -> None:
        teller = Teller(self.shop, self.run.anchor_ns, self.run.story_base)
        parts = (
            stories.whole_life,
            stories.troubles,
            stories.retries,
            oddities.clocks_and_roots,
            oddities.deliveries,
            oddities.namesakes,
        )
        for part in parts:
            self.stories += part(teller)

    def _nights(self) -> None:
        self.stories += [*self._syncs(), *self._invoices(), *self._reindex()]

    def _syncs(self) -> Iterator[Story]:
        """Each night's sync; the last one beat for a while this hour and then fell silent."""
        base = self.run.story_base
        for night in range(NIGHTS, 0, -1):
            self._begin(f"sync/{night}", night * 24 - 3)
            jobs.synced(self.shop, f"crm-sync-{base - night}", 24, finishes=True)
        self._begin("sync/0", 0.75)
        jobs.synced(self.shop, f"crm-sync-{base}", 17, finishes=False)
        yield Story("A nightly sync with its heartbeats", flow_path("entity", "job", f"crm-sync-{base - 1}"))
        yield Story("A sync that fell silent half-way", flow_path("entity", "job", f"crm-sync-{base}"))

    def _invoices(self) -> Iterator[Story]:
        """The invoice run takes the thousand orders before the middle of the history."""
        middle = round(self.run.orders * 0.45)
        billed = [self.order(middle + index) for index in range(jobs.INVOICED)]
        job = f"invoices-{self.run.first_number}"
        self._begin(f"invoices/{self.run.first_number}", self.run.hours * 0.45)
        jobs.invoiced(self.shop, job, [order.key for order in billed])
        yield Story("One trace that handles 1,000 orders", flow_path("entity", "job", job))
        yield Story("One of those orders: its own part only", order_path(billed[7]))

    def _reindex(self) -> Iterator[Story]:
        self._begin("reindex", 13)
        job = f"reindex-{self.run.story_base}"
        headers = jobs.reindexed(self.shop, job, jobs.REINDEXED)
        yield Story("One trace of 20,000 spans", trace_path(headers))

    def _onboardings(self) -> None:
        for index in range(max(self.run.orders // 20, 5)):
            number = self.run.first_number + index
            age_h = 8 + self._chance(number).random() * max(self.run.hours - 8, 4)
            self._begin(f"onboarding/{number}", age_h)
            steps = 2 if index % 17 == 3 else 4
            workflows.onboarded(self.shop, number, f"c-{2_000 + number % 3_000}", steps)
        run = f"onb-{self.run.first_number}"
        self.stories.append(Story("A workflow run: onboarding", flow_path("workflow", "onboarding", run)))

    def _begin(self, part: str, hours_ago: float) -> None:
        self.shop.scene.begin(part, self.run.anchor_ns - int(hours_ago * HOUR))

    def _settle(self) -> None:
        self.outbox.flush()
        self.outbox.post.settle()
