"""What an order of the shop holds, and the keys under which every system knows it.

`orders` plays orders through the services; `history` and `stories` choose them.
"""

from dataclasses import dataclass, field
from random import Random

from opentelemetry.util.types import AnyValue

from tracing.demo.services import Headers

PRODUCTS = (
    ("tea-assam", "Assam tea, 250 g", 890),
    ("mug-blue", "Blue mug", 1490),
    ("kettle-1l", "Kettle, 1 l", 4900),
    ("pot-iron", "Cast iron teapot", 6450),
    ("filter-80", "Paper filters, 80", 420),
    ("honey-500", "Lime honey, 500 g", 1150),
    ("tray-oak", "Oak tray", 3900),
    ("spoon-set", "Six spoons", 2250),
)
COUNTRIES = ("DE", "NL", "FR", "AT", "BE", "DK")
WAREHOUSES = ("hamburg-1", "lyon-2")


@dataclass
class Order:
    """One order. `messages` are the headers of what was published about it, by topic."""

    number: int
    placed_ns: int
    customer: str
    sku: str
    product: str
    quantity: int
    cents: int
    country: str
    warehouse: str
    payments: int = 0
    messages: dict[str, Headers] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return str(self.number)

    @property
    def about(self) -> dict[str, AnyValue]:
        """The keys that most spans about an order carry."""
        return {"order.id": self.key, "customer.id": self.customer}

    @property
    def payment(self) -> str:
        return f"pay-{self.number}-{max(self.payments, 1)}"

    @property
    def shipment(self) -> str:
        return f"shp-{self.number}"


def new_order(number: int, placed_ns: int, chance: Random, customer: str | None = None) -> Order:
    """An order of one product; some customers come back often."""
    sku, product, cents = PRODUCTS[chance.randrange(len(PRODUCTS))]
    quantity = chance.choice((1, 1, 1, 2, 2, 3, 6))
    regular = chance.random() < 0.2
    return Order(
        number=number,
        placed_ns=placed_ns,
        customer=customer or f"c-{chance.randrange(1000, 1025) if regular else chance.randrange(2000, 5000)}",
        sku=sku,
        product=product,
        quantity=quantity,
        cents=cents * quantity,
        country=chance.choice(COUNTRIES),
        warehouse=WAREHOUSES[0] if chance.random() < 0.7 else WAREHOUSES[1],
    )
