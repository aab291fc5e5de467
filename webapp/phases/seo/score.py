"""How ready a product is to be found: points by part, each with what would gain the rest."""

from collections.abc import Sequence

from webapp.lib.text import listed
from webapp.phases.channels import META_DESCRIPTION_LIMIT
from webapp.phases.facts import Analysis, Candidate, Keyword, ScorePart
from webapp.phases.seo.structured import lacking
from webapp.phases.wording import Known

FULL = "Nothing to add."
_GOOD_PHOTO = 70
_PHOTOS = 3
_KEYWORDS = 10


def parts(
    facts: Known,
    analysis: Analysis | None,
    titles: Sequence[Candidate],
    descriptions: Sequence[Candidate],
    keywords: Sequence[Keyword],
    images: Sequence[str],
    data: dict[str, object],
) -> tuple[ScorePart, ...]:
    """The parts of the score; their `of` add up to 100."""
    return (
        _title(facts, titles),
        _identifiers(facts),
        _structured(data),
        _keywords(keywords),
        _description(descriptions),
        _photos(analysis, images),
        _classification(facts),
    )


def _title(facts: Known, titles: Sequence[Candidate]) -> ScorePart:
    points = round(25 * titles[0].score / 100) if titles else 0
    wanted = [("name", facts.name)]
    wanted += [] if facts.is_book else [("brand", facts.brand), ("model", facts.model)]
    lacks = [word for word, value in wanted if not value]
    if points >= 25:
        says = FULL
    elif lacks:
        says = f"Add {listed([f'the {word}' for word in lacks])}: buyers search for {_it(lacks)}."
    else:
        says = "A name with more of the words that buyers search for would gain the rest."
    return ScorePart(name="Title", points=points, of=25, says=says)


def _identifiers(facts: Known) -> ScorePart:
    worth = [("barcode", facts.code, 20)]
    if not facts.is_book:
        worth = [("barcode", facts.code, 10), ("brand", facts.brand, 6), ("model number", facts.model, 4)]
    points = sum(value for _, known, value in worth if known)
    lacks = [word for word, known, _ in worth if not known]
    says = f"Add {listed([f'the {word}' for word in lacks])}: channels know the product by {_it(lacks)}."
    return ScorePart(name="Identifiers", points=points, of=20, says=says if lacks else FULL)


def _structured(data: dict[str, object]) -> ScorePart:
    lacks = lacking(data)
    points = 15 - 5 * len(lacks)
    says = f"Search engines also need {listed(lacks)}." if lacks else FULL
    return ScorePart(name="Structured data", points=points, of=15, says=says)


def _keywords(keywords: Sequence[Keyword]) -> ScorePart:
    strong = sum(keyword.weight >= 0.3 for keyword in keywords)
    points = round(15 * min(strong / _KEYWORDS, 1.0))
    says = FULL if points == 15 else "A fuller name, a category and offers of other sellers bring more search terms."
    return ScorePart(name="Keywords", points=points, of=15, says=says)


def _description(descriptions: Sequence[Candidate]) -> ScorePart:
    short = max((item.score for item in descriptions if item.length <= META_DESCRIPTION_LIMIT), default=0)
    points = round(10 * short / 100)
    says = FULL if points == 10 else "More known facts, such as model, size and condition, make a better description."
    return ScorePart(name="Description", points=points, of=10, says=says)


def _photos(analysis: Analysis | None, images: Sequence[str]) -> ScorePart:
    count = len(images)
    points = round(6 * min(count, _PHOTOS) / _PHOTOS)
    good = analysis is None or analysis.image_quality_score >= _GOOD_PHOTO
    points += 4 if count and good else 0
    if not count:
        says = "Add photos."
    elif count < _PHOTOS:
        says = f"Add photos from other sides: {_PHOTOS} are better than {count}."
    else:
        says = FULL if good else "Take a sharper, brighter photo: the best one is not good enough yet."
    return ScorePart(name="Photos", points=points, of=10, says=says)


def _classification(facts: Known) -> ScorePart:
    lacks = [word for word, value in (("category", facts.category), ("condition", facts.condition)) if not value]
    points = 5 - (3 if "category" in lacks else 0) - (2 if "condition" in lacks else 0)
    says = f"Say {listed([f'the {word}' for word in lacks])}: buyers filter by {_it(lacks)}." if lacks else FULL
    return ScorePart(name="Category and condition", points=points, of=5, says=says)


def _it(things: Sequence[str]) -> str:
    return "it" if len(things) == 1 else "them"
