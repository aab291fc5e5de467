"""Text: whatever people, labels and scanners write has to come out as something that can be kept and compared."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.lib import text

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one visible character
anything = st.text(st.characters(), max_size=200)  # lone surrogates and control characters included


@given(anything)
def test_cleaned_text_can_be_kept_and_is_clean_already(given_text: str) -> None:
    cleaned = text.clean(given_text)
    cleaned.encode()  # no lone surrogates
    assert not any(unicodedata.category(char) == "Cc" for char in cleaned)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()
    assert text.clean(cleaned) == cleaned


def test_cleaning_removes_what_forges_text_and_keeps_what_spells_it() -> None:
    assert text.clean("abc\u202egpj.exe") == "abcgpj.exe"
    assert text.clean("a\u00adb\u200bc\x00d\tе\nf") == "abcd е f"
    assert text.clean(f"{FAMILY} نمی\u200cخواهم") == f"{FAMILY} نمی\u200cخواهم"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Crème Brûlée", "creme brulee"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Łódź Øresund Ærø İstanbul", "lodz oresund aero istanbul"),
        ("ＳＯＮＹ™", "sonytm"),
        ("नमस्ते", "नमस्ते"),
        ("", ""),
    ],
)
def test_fold(written: str, folded: str) -> None:
    assert text.fold(written) == folded


@given(anything)
def test_folding_twice_is_folding_once(given_text: str) -> None:
    assert text.fold(text.fold(given_text)) == text.fold(given_text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Sony WH-1000XM4, Noise-Cancelling", ["sony", "wh-1000xm4", "noise", "cancelling"]),
        ("Kellogg's Corn Flakes 1.5kg", ["kelloggs", "corn", "flakes", "1.5kg"]),
        ("Galaxy S21+ (128 GB)", ["galaxy", "s21+", "128", "gb"]),
        ("H&M T-Shirt", ["h&m", "t", "shirt"]),
        ("!!! --- 🎉", []),
    ],
)
def test_words(written: str, expected: list[str]) -> None:
    assert text.words(written) == expected


def test_phrases_part_at_punctuation_and_keep_the_spelling() -> None:
    assert text.phrases("Tea, black - 20 Bags") == [["Tea"], ["black"], ["20", "Bags"]]


@pytest.mark.parametrize(
    ("written", "is_one"),
    [
        ("WH-1000XM4", True),
        ("75192", True),
        ("XM4", True),
        ("Classic", False),
        ("5", False),
        ("120", False),
        ("", False),
    ],
)
def test_what_looks_like_a_model_number(written: str, is_one: bool) -> None:
    assert text.is_code(written) is is_one


@given(anything, st.integers(0, 100))
def test_cut_never_exceeds_its_limit_and_never_adds(given_text: str, limit: int) -> None:
    short = text.cut(given_text, limit)
    assert len(short) <= limit
    assert text.clean(given_text).startswith(short)


def test_cut_keeps_whole_words_and_leaves_nothing_dangling() -> None:
    assert text.cut("Sony headphones, black - with case", 26) == "Sony headphones, black"
    assert text.cut("Sony headphones", 15) == "Sony headphones"
    assert text.cut("Donaudampfschifffahrt", 5) == "Donau"


def test_cut_does_not_tear_one_visible_character_apart() -> None:
    assert text.cut(FAMILY * 3, len(FAMILY) + 2) == FAMILY
    assert text.cut("🇩🇪🇫🇷", 3) == "🇩🇪"
    assert text.cut("a" + "\u0301" * 9, 4) == "á" + "\u0301" * 3  # only where there is no other way
    assert text.cut("👍🏽👍🏽", 3) == "👍🏽"


@given(anything, st.integers(1, 80))
def test_a_slug_fits_and_has_only_words_and_hyphens(given_text: str, limit: int) -> None:
    slug = text.slug(given_text, limit)
    assert len(slug) <= limit
    assert not slug.startswith("-")
    assert not slug.endswith("-")
    assert "--" not in slug
    assert not any(char.isspace() or char in "/?#%&<>\"'" for char in slug)


def test_slugs_are_readable() -> None:
    assert text.slug("L'Oréal Paris: Elvive & Co. 2x 400ml") == "loreal-paris-elvive-and-co-2x-400ml"
    assert text.slug("日本語 テスト") == "日本語-テスト"
    assert text.slug("🎉") == ""
    assert text.slug("one two three", 9) == "one-two"


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        ("SONY WH-1000XM4 WIRELESS HEADPHONES", "Sony WH-1000XM4 Wireless Headphones"),
        ("bosch gsr 12v-15 akku-bohrschrauber mit 2 akkus", "Bosch GSR 12V-15 Akku-Bohrschrauber mit 2 Akkus"),
        ("KELLOGG'S CORN FLAKES 500G", "Kellogg's Corn Flakes 500g"),
        ("ikea kallax shelf 77x147 cm", "Ikea Kallax Shelf 77x147 cm"),
        ("lg oled tv 55 inch", "LG OLED TV 55 Inch"),
        ("Casio F-91W watch digital", "Casio F-91W Watch Digital"),
        ("iPhone 12 mini blue", "iPhone 12 mini blue"),
        ("The Cat in the Hat", "The Cat in the Hat"),
        ("THE CAT IN THE HAT", "The Cat in the Hat"),
        ("", ""),
    ],
)
def test_titles_that_shout_or_whisper_are_repaired_and_others_left_alone(written: str, repaired: str) -> None:
    assert text.title_case(written, keep=("Sony", "Casio", "F-91W")) == repaired


def test_known_spellings_win_over_rules() -> None:
    assert text.title_case("adidas terrex shoes", keep=("adidas",)) == "adidas Terrex Shoes"


@given(anything, anything)
def test_repairing_changes_nothing_but_case(given_text: str, brand: str) -> None:
    repaired = text.title_case(given_text, keep=(brand,))
    assert text.fold(repaired) == text.fold(given_text)


def test_sentences_and_lists() -> None:
    assert text.sentence("used, small scratch") == "Used, small scratch."
    assert text.sentence("Really?") == "Really?"
    assert text.sentence(" ") == ""
    assert text.listed(["a", "", "b", "c"]) == "a, b and c"
    assert text.listed(["a"]) == "a"
    assert text.listed([]) == ""


def test_words_are_found_whatever_their_hyphens_and_case() -> None:
    assert text.contains_words("Kopfhörer von SONY, WH 1000 XM4", "wh-1000xm4")
    assert text.contains_words("Kopfhörer von SONY", "Sony")
    assert not text.contains_words("Sonyx", "Sony")
    assert not text.contains_words("anything", "")
    assert text.without_words("Sony WH-1000XM4 Headphones", "sony wh-1000xm4") == "Headphones"
    assert text.unique(["Été", "ete", " ", "b"]) == ["Été", "b"]
