"""Phases that find nothing at once: what is left is the cost of the pipeline itself.

`python -m tests.bench.empty light` is a slot that runs them.
"""

import sys
from collections.abc import Sequence

from flask import Flask

from webapp import create_app
from webapp.phases import facts
from webapp.pipeline.models import PhaseName

NOTHING = facts.Field()


def analyse(
    photos: Sequence[facts.Photo],
    hints: facts.Hints,
    reference: facts.Reference,
    report: facts.Report,
    **_: object,
) -> facts.Analysis:
    """Sure of nothing in particular."""
    name = facts.Field(value="Nothing", confidence=100)
    return facts.Analysis(name=name, model=NOTHING, brand=NOTHING, condition=NOTHING, gtin=NOTHING, confidence=100)


def research(identity: facts.Identity, *_: object, **__: object) -> facts.Market:
    """No offers."""
    return facts.Market(
        competitive_price=NOTHING, list_price=NOTHING, marketplace_price=NOTHING, brand=NOTHING, category=NOTHING
    )


def optimise(*_: object) -> facts.Seo:
    """No words."""
    return facts.Seo(
        keywords=(), titles=(), descriptions=(), slug="nothing", structured_data={}, score=0, score_parts=()
    )


def compose(*_: object) -> facts.Listing:
    """An empty page."""
    return facts.Listing(
        title="Nothing",
        bullets=(),
        description="",
        price=None,
        currency=None,
        price_reasons=(),
        category=None,
        condition=None,
        specifics=(),
        titles={},
    )


ENGINES = {
    PhaseName.ANALYSIS: f"{__name__}.analyse",
    PhaseName.MARKET: f"{__name__}.research",
    PhaseName.SEO: f"{__name__}.optimise",
    PhaseName.LISTING: f"{__name__}.compose",
}


def empty_app() -> Flask:
    """The app with phases that do nothing."""
    app = create_app()
    app.config["PHASE_ENGINES"] = {
        name: dotted.replace("__main__", "tests.bench.empty") for name, dotted in ENGINES.items()
    }
    return app


if __name__ == "__main__":
    from webapp.work import slots

    slots.run(empty_app(), sys.argv[1:])
