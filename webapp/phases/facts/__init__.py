"""What goes into the phases and what comes out of them.

Frozen msgspec structs: `msgspec.to_builtins(finding)` is what the findings tables keep as JSON, and
`msgspec.convert(data, Analysis)` gives the struct back. Confidences and percentages are integers from 0 to 100,
boxes are fractions of the upright photo's width and height, money is a decimal string in `currency` (ISO 4217).
"""

from webapp.phases.facts.analysis import (
    NO_BARCODE,
    OF_PRODUCT,
    POOR,
    Analysis,
    Assessment,
    Barcode,
    Carried,
    Element,
    Path,
    PhotoQuality,
    TextLine,
    decoder_name,
)
from webapp.phases.facts.base import Fact, Report
from webapp.phases.facts.fields import TRUST, Alternative, Box, Evidence, Field
from webapp.phases.facts.given import Condition, Hints, Photo, Record, Reference, ReferencePhoto
from webapp.phases.facts.listing import Candidate, Keyword, Listing, ScorePart, Seo, Specific
from webapp.phases.facts.market import (
    ConditionPrice,
    Identity,
    Interval,
    Judge,
    JudgeKind,
    Market,
    PricedOffer,
    SeenPrice,
)
from webapp.phases.facts.models import Answer, Form, Model, ModelUse, Question
from webapp.phases.facts.offers import Offer, Offers, PastPrice, Rate, Rates, Verdict

__all__ = [
    "NO_BARCODE",
    "OF_PRODUCT",
    "POOR",
    "TRUST",
    "Alternative",
    "Analysis",
    "Answer",
    "Assessment",
    "Barcode",
    "Box",
    "Candidate",
    "Carried",
    "Condition",
    "ConditionPrice",
    "Element",
    "Evidence",
    "Fact",
    "Field",
    "Form",
    "Hints",
    "Identity",
    "Interval",
    "Judge",
    "JudgeKind",
    "Keyword",
    "Listing",
    "Market",
    "Model",
    "ModelUse",
    "Offer",
    "Offers",
    "PastPrice",
    "Path",
    "Photo",
    "PhotoQuality",
    "PricedOffer",
    "Question",
    "Rate",
    "Rates",
    "Record",
    "Reference",
    "ReferencePhoto",
    "Report",
    "ScorePart",
    "SeenPrice",
    "Seo",
    "Specific",
    "TextLine",
    "Verdict",
    "decoder_name",
]
