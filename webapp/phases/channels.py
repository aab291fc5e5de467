"""What the channels ask of a listing: lengths of titles and descriptions, and their own codes for conditions."""

from webapp.phases.facts import Condition

TITLE_LIMITS = {"ebay": 80, "google": 150, "amazon": 200}
"""Longest title in characters that each channel takes."""

META_DESCRIPTION_LIMIT = 160
"""Search engines cut the description of a page at about this many characters."""

DESCRIPTION_LIMIT = 5000
"""Longest description in characters (Google Merchant; the other channels take more)."""

CONDITION_WORDS = {
    Condition.NEW: "new",
    Condition.LIKE_NEW: "like new",
    Condition.REFURBISHED: "refurbished",
    Condition.USED: "used",
    Condition.FOR_PARTS: "for parts or not working",
}
"""The conditions in words, as they stand inside a sentence."""

# eBay's condition ids. Which of them a category allows is known only to eBay, so these are the ones that most allow:
# 1000 new, 2750 like new, 2500 seller refurbished (2000 to 2030 need eBay's own programme), 3000 used, 7000 for parts.
EBAY_CONDITIONS = {
    Condition.NEW: 1000,
    Condition.LIKE_NEW: 2750,
    Condition.REFURBISHED: 2500,
    Condition.USED: 3000,
    Condition.FOR_PARTS: 7000,
}

# Google Merchant knows three values; what can't be used as it is must not be offered there, hence no FOR_PARTS.
GOOGLE_CONDITIONS = {
    Condition.NEW: "new",
    Condition.LIKE_NEW: "used",
    Condition.REFURBISHED: "refurbished",
    Condition.USED: "used",
}

AMAZON_CONDITIONS = {
    Condition.NEW: "new_new",
    Condition.LIKE_NEW: "used_like_new",
    Condition.REFURBISHED: "refurbished_refurbished",
    Condition.USED: "used_good",
}
"""Values of Amazon's `condition_type`; broken items are not taken."""

SCHEMA_CONDITIONS = {
    Condition.NEW: "https://schema.org/NewCondition",
    Condition.LIKE_NEW: "https://schema.org/UsedCondition",
    Condition.REFURBISHED: "https://schema.org/RefurbishedCondition",
    Condition.USED: "https://schema.org/UsedCondition",
    Condition.FOR_PARTS: "https://schema.org/DamagedCondition",
}
