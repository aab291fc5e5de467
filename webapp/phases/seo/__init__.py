"""Phase 3: how the product is found: search terms, titles, descriptions, slug, structured data, score."""

from webapp.lib.text import slug
from webapp.phases import pricing, wording
from webapp.phases.channels import META_DESCRIPTION_LIMIT
from webapp.phases.facts import Analysis, Identity, Market, Report, Seo
from webapp.phases.pricing_rules import NO_TERMS, Terms
from webapp.phases.seo import descriptions, keywords, score, structured, titles


def optimise(
    identity: Identity, analysis: Analysis | None, market: Market, report: Report, terms: Terms = NO_TERMS
) -> Seo:
    """Search terms with weights, title and description candidates within the channels' lengths, slug, schema.org
    Product and a score. Everything is taken from the findings; what is unknown is left out. Candidates come best
    first. What `report` raises goes through."""
    report(5, "Collecting what is known")
    facts = wording.known(identity, analysis, market)
    report(20, "Collecting search terms")
    searched = keywords.collect(facts, identity.keywords_seen, market)
    report(45, "Writing titles")
    title_candidates = titles.candidates(facts, searched, market.offers)
    report(65, "Writing descriptions")
    description_candidates = descriptions.candidates(facts, searched)
    report(80, "Describing the product for search engines")
    proposal = pricing.propose(identity.condition, market, terms)
    images = [image for image in identity.image_urls if structured.is_image_address(image)]
    short = next((text.text for text in description_candidates if text.length <= META_DESCRIPTION_LIMIT), "")
    long = max((text.text for text in description_candidates), key=len, default=short)
    data = structured.product(
        facts,
        titles.best(title_candidates, "google", facts.condition),
        long,
        images,
        proposal.price,
        proposal.currency,
    )
    parts = score.parts(facts, analysis, title_candidates, description_candidates, searched, images, data)
    points = sum(part.points for part in parts)
    report(100, f"{points} of 100 points")
    return Seo(
        keywords=searched,
        titles=title_candidates,
        descriptions=description_candidates,
        slug=slug(wording.headline(facts)) or facts.code or "product",
        structured_data=data,
        score=points,
        score_parts=parts,
    )
