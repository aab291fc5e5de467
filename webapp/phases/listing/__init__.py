"""Phase 4: the listing, ready to be copied to each channel."""

from collections.abc import Callable, Sequence

from webapp.lib.money import decimal_string
from webapp.lib.text import sentence
from webapp.phases import pricing, wording
from webapp.phases.channels import DESCRIPTION_LIMIT, TITLE_LIMITS
from webapp.phases.facts import Analysis, Identity, Listing, Market, Model, Photo, Report, Seo
from webapp.phases.listing.missing import missing
from webapp.phases.listing.specifics import bullets, specifics
from webapp.phases.listing.written import written
from webapp.phases.pricing_rules import NO_TERMS, Terms
from webapp.phases.seo.titles import best
from webapp.phases.wording import Known


def compose(
    identity: Identity,
    analysis: Analysis | None,
    market: Market,
    seo: Seo,
    report: Report,
    terms: Terms = NO_TERMS,
    model: Model | None = None,
    photos: Callable[[], Sequence[Photo]] = tuple,
) -> Listing:
    """Title, bullets, description, price with its reasons, category, item specifics, one title per channel, and what
    is still missing. Nothing is claimed that was not found; an unknown product gives an empty title and says so.
    `model`: may write title, bullets and description, where they say nothing more; it is shown what `photos` gives.
    What `report` raises goes through.
    """
    report(5, "Collecting what is known")
    facts = wording.known(identity, analysis, market)
    report(25, "Choosing titles")
    titles = {channel: best(seo.titles, channel, facts.condition) for channel in TITLE_LIMITS}
    report(45, "Proposing a price")
    proposal = pricing.propose(identity.condition, market, terms)
    report(65, "Writing the description")
    listing = Listing(
        title=titles["ebay"],
        bullets=bullets(facts),
        description=describe(facts),
        price=None
        if proposal.price is None or proposal.currency is None
        else decimal_string(proposal.price, proposal.currency),
        currency=proposal.currency,
        price_reasons=proposal.reasons,
        category=facts.category or None,
        condition=facts.condition,
        specifics=specifics(facts),
        titles={channel: title for channel, title in titles.items() if title},
        missing=missing(facts, identity, analysis, proposal.price),
    )
    if model is not None:
        report(80, "Asking a model for texts")
        listing = written(listing, facts, model, photos())
    report(100, "The listing is written")
    return listing


def describe(facts: Known) -> str:
    """The description in plain text: what it is, its condition, its facts as a list; empty lines part the three.
    Not longer than DESCRIPTION_LIMIT."""
    head = wording.headline(facts)
    if not head:
        return ""
    parts = [sentence(head)]
    if facts.condition_words:
        parts.append(f"Condition: {facts.condition_words}. {sentence(facts.condition_details)}".strip())
    parts.append("\n".join(f"- {name}: {value}" for name, value in wording.details(facts)))
    return "\n\n".join(part for part in parts if part)[:DESCRIPTION_LIMIT].rstrip()
