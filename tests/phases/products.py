"""Products with their offers, and strategies for products of any kind, for the tests of phases 3 and 4."""

from hypothesis import strategies as st

from tests.phases.known_offers import NOW, KnownOffers, offer, silent
from webapp.phases import market
from webapp.phases.facts import Analysis, Condition, Field, Identity, Market, Offer

HEADPHONES = Identity(
    name="SONY WH-1000XM4 WIRELESS NOISE CANCELLING HEADPHONES BLACK",
    brand="Sony",
    model="WH-1000XM4",
    condition=Condition.NEW,
    gtin14="04548736112001",
    category="Electronics > Audio > Headphones",
    sku="SKU-1",
    image_urls=("https://img.example/1.jpg", "https://img.example/2.jpg", "https://img.example/3.jpg"),
    keywords_seen=("SONY", "Bluetooth", "Hi-Res Audio"),
)
SPREAD = Identity(
    name="Nutella hazelnut spread 450 g", brand="Ferrero", condition=Condition.NEW, gtin14="03017620422003"
)
BOOK = Identity(name="The Very Hungry Caterpillar", condition=Condition.USED, gtin14="09780241003008", category="Books")
CAMERA = Identity(brand="Casio", model="EX-ZR100", category="Digital Cameras")
UNKNOWN = Identity()


def researched(identity: Identity, *offers: Offer) -> Market:
    """What market research finds for a product among these offers."""
    return market.research(identity, KnownOffers(offers), silent, NOW)


def analysed(details: str | None = None, quality: int = 90) -> Analysis:
    """An analysis of which only the condition's details and the photos' quality matter."""
    nothing = Field()
    return Analysis(
        name=nothing, model=nothing, brand=nothing, condition=nothing, gtin=nothing, condition_details=details,
        image_quality_score=quality,
    )  # fmt: skip


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
texts = st.text(max_size=120) | st.sampled_from(
    ["Sony XM4", "שלום עולם", FAMILY * 30, "x" * 10_000, "word " * 2_000, "\x00\ud800\u202e", "</script>", "5 kg"]
)
some = st.none() | texts
identities = st.builds(
    Identity,
    name=some,
    model=some,
    brand=some,
    condition=st.none() | st.sampled_from(Condition),
    gtin14=st.none() | st.just("04548736112001") | texts,
    category=some,
    sku=some,
    image_urls=st.lists(texts | st.just("https://img.example/1.jpg"), max_size=4).map(tuple),
    keywords_seen=st.lists(texts, max_size=5).map(tuple),
)
analyses = st.none() | st.builds(analysed, some, st.integers(0, 100))


@st.composite
def markets(draw: st.DrawFn, identity: Identity) -> Market:
    """What research finds for the identity among offers that are, for a good part, really for it."""
    titles = st.just(identity.name or "x") | texts
    cents = st.integers(1, 10**7)
    seen = draw(st.lists(st.tuples(titles, cents, st.integers(0, 900), st.sampled_from(["EUR", "JPY"])), max_size=5))
    kinds = draw(st.lists(st.sampled_from(["offer", "list"]), min_size=len(seen), max_size=len(seen)))
    offers = [
        offer(title, f"{cent / 100:.2f}", days=days, currency=currency, id=str(place), kind=kind,
              gtin14=identity.gtin14, brand=identity.brand, category=identity.category)
        for place, ((title, cent, days, currency), kind) in enumerate(zip(seen, kinds, strict=True))
    ]  # fmt: skip
    return researched(identity, *offers)
