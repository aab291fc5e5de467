"""What a text may say: what the facts hold, and no number, size or promise more."""

import pytest

from webapp.phases.claims import Claims

CLAIMS = Claims(
    [
        "Name Stabilo point 88 fineliner",
        "Model WH-1000XM4",
        "Volume 500 ml",
        "Pack of 3",
        "EAN 4006381333931",
        "new",
        "½ l",
        "Brand Dr.Oetker",
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "A Stabilo Point 88 fineliner in a pack of 3.",
        "Holds 500 ml.",
        "Holds 500ML, gladly",
        "Some litre: 0.5 l",
        "Model WH-1000XM4, wh-1000xm4.",
        "EAN 4006381333931, in new condition.",
        "Crème brûlée, one of a kind.",
        "By DR.OETKER, a fineliner. And more.",
        "",
    ],
)
def test_what_is_known_may_be_said(text):
    assert CLAIMS.unsupported(text) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Writes for 12 hours", "12"),
        ("Holds 500 g", "500 g"),
        ("500 pages", "500"),
        ("Holds 750 ml", "750 ml"),
        ("A pack of 4", "4"),
        ("Set of three pens", "three"),
        ("Model WH-1000XM5", "wh-1000xm5"),
        ("Ten times better", "ten"),
        ("x² and x³", "x2"),
        ("Number ４２", "42"),
        ("Only ¾ full", "3/4"),
        ("With a warranty", "warranty"),
        ("Free SHIPPING", "free"),
        ("Waterproof", "waterproof"),
        ("See https://evil.example", "https:"),
        ("Mail me@evil.example", "e@e"),
        ("visit evil.com today", "evil.com"),
        ("cheaper at evil.ru today", "evil.ru"),
        ("order at bit.ly/abc", "bit.ly"),
        ("write to t.me/acme", "t.me"),
        ("visit acme-outlet.store", "acme-outlet.store"),
        ("see пример.рф", "пример.рф"),
        ("EAN 4006381333932", "4006381333932"),
        ("1\u200b2 hours", "12"),
    ],
)
def test_what_is_not_known_is_named(text, word):
    said = CLAIMS.unsupported(text)
    assert said is not None
    assert word in said.lower() or said in word


def test_titles_use_words_of_the_facts_only():
    assert CLAIMS.unknown_word("Stabilo Point 88 Fineliner, new, with the EAN") is None
    assert CLAIMS.unknown_word("Stabilo Point 88 Fineliner Gold Edition") == "gold"
