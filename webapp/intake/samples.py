"""Sample products for a new installation: photos that are drawn, and what the catalog and the market know of them.

All names are invented; the numbers come from the range 952, which GS1 keeps for examples. The drawing needs Pillow,
which the web process never loads, so a child process draws.
"""

import subprocess
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import msgspec

from webapp.phases.facts import Condition, Offer, Record

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "samples"
CURRENCY = "EUR"


class Label(msgspec.Struct, frozen=True):
    """What is printed on a sample's package."""

    key: str
    brand: str
    title: str
    lines: tuple[str, ...]
    colour: tuple[int, int, int]
    gtin: str | None = None
    blurred: bool = False


class SampleFile(msgspec.Struct, frozen=True):
    """One drawn photo, a JPEG."""

    name: str
    data: bytes


class Sample(msgspec.Struct, frozen=True):
    """One sample product: what its uploader would type, and its photos."""

    key: str
    hint: str | None
    condition: Condition | None
    files: tuple[SampleFile, ...]


LABELS = (
    Label(
        key="bottle",
        brand="Nordvik",
        title="Trail Bottle 750 ml",
        lines=("Stainless steel, double wall", "Keeps cold 24 h, hot 12 h", "Model NV-750"),
        colour=(30, 92, 110),
        gtin="9521101530018",
    ),
    Label(
        key="lamp",
        brand="Lumenaris",
        title="Arc Desk Lamp 9 W",
        lines=("Dimmable LED, warm white", "USB charging port", "Model LA-209"),
        colour=(170, 96, 24),
        gtin="9521101530025",
    ),
    Label(
        key="earbuds",
        brand="Kestrel Vale",
        title="Air 3 Wireless Earbuds",
        lines=("Noise cancelling", "30 hours with charging case", "Model KV-AIR3"),
        colour=(58, 52, 120),
        gtin="9521101530032",
    ),
    Label(
        key="grinder",
        brand="Tarnholm",
        title="Burr Coffee Grinder",
        lines=("Conical steel burr", "18 settings"),
        colour=(96, 60, 44),
        blurred=True,
    ),
)
HINTS = {"earbuds": "Kestrel Vale Air 3 earbuds"}
CONDITIONS = {"bottle": Condition.NEW, "lamp": Condition.NEW, "earbuds": Condition.LIKE_NEW}

RECORDS = (
    Record(
        source="catalog",
        id="SAMPLE-NV-750",
        name="Nordvik Trail Bottle 750 ml",
        brand="Nordvik",
        model="NV-750",
        gtin14="09521101530018",
        sku="SAMPLE-NV-750",
        category="Sports & Outdoors > Drinking Bottles",
        price=Decimal("27.90"),
        currency=CURRENCY,
    ),
    Record(
        source="catalog",
        id="SAMPLE-LA-209",
        name="Lumenaris Arc Desk Lamp 9 W",
        brand="Lumenaris",
        model="LA-209",
        gtin14="09521101530025",
        sku="SAMPLE-LA-209",
        category="Home & Garden > Desk Lamps",
        price=Decimal("44.00"),
        currency=CURRENCY,
    ),
)
"""Catalog records of the samples. The earbuds are known from offers only, the grinder not at all."""


class Seen(msgspec.Struct, frozen=True):
    """An offer before it has a date: days ago it was seen."""

    gtin14: str
    title: str
    brand: str
    model: str
    category: str
    price: str
    marketplace: str
    days_ago: int
    kind: str = "offer"
    condition: Condition | None = Condition.NEW


BOTTLE = ("09521101530018", "Nordvik Trail Bottle 750 ml", "Nordvik", "NV-750", "Sports & Outdoors > Drinking Bottles")
LAMP = ("09521101530025", "Lumenaris Arc Desk Lamp 9 W", "Lumenaris", "LA-209", "Home & Garden > Desk Lamps")
BUDS = ("09521101530032", "Kestrel Vale Air 3 Wireless Earbuds", "Kestrel Vale", "KV-AIR3", "Electronics > Headphones")
SEEN = (
    Seen(*BOTTLE, "26.99", "Fjordmarkt", 2),
    Seen(*BOTTLE, "28.50", "Dockside", 5),
    Seen(*BOTTLE, "24.90", "Packhaus", 11),
    Seen(*BOTTLE, "34.95", "Nordvik", 30, kind="list"),
    Seen(*LAMP, "42.00", "Dockside", 1),
    Seen(*LAMP, "45.90", "Fjordmarkt", 8),
    Seen(*LAMP, "59.00", "Lumenaris", 60, kind="list"),
    Seen(*BUDS, "89.00", "Packhaus", 3),
    Seen(*BUDS, "94.50", "Fjordmarkt", 4),
    Seen(*BUDS, "61.00", "Dockside", 6, condition=Condition.LIKE_NEW),
    Seen(*BUDS, "58.00", "Packhaus", 9, condition=Condition.LIKE_NEW),
    Seen(*BUDS, "119.00", "Kestrel Vale", 40, kind="list"),
)


def offers(now: datetime) -> list[Offer]:
    """What markets asked for the samples, seen in the days before `now`."""
    return [
        Offer(
            id=f"sample-{number}",
            source=SOURCE,
            title=seen.title,
            price=Decimal(seen.price),
            currency=CURRENCY,
            kind=seen.kind,
            marketplace=seen.marketplace,
            brand=seen.brand,
            model=seen.model,
            gtin14=seen.gtin14,
            category=seen.category,
            condition=seen.condition,
            seen_at=now - timedelta(days=seen.days_ago),
        )
        for number, seen in enumerate(SEEN, start=1)
    ]


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    """The sample products with their photos, drawn once per process (about a second). The same bytes every time."""
    drawn = subprocess.run(
        [sys.executable, "-m", "webapp.intake.sample_drawing"], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60
    )
    files = msgspec.msgpack.decode(drawn.stdout, type=dict[str, list[SampleFile]])
    return tuple(
        Sample(
            key=label.key,
            hint=HINTS.get(label.key),
            condition=CONDITIONS.get(label.key),
            files=tuple(files[label.key]),
        )
        for label in LABELS
    )
