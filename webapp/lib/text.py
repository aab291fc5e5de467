"""Text as people and labels write it: cleaning, folding, words, cutting, slugs, repairing shouted titles.

Everything here is pure, total (no text makes it fail) and gives text that Postgres and JSON can keep: no control
characters, no lone surrogates.
"""

import re
import unicodedata
from collections.abc import Iterable

_LETTER = (
    "(?:[^\\W_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0980-\u0dff\u0e31-\u0e4e])"  # with marks
)
_WORD = re.compile(rf"\d+(?:[.,]\d+)+{_LETTER}*\+?|{_LETTER}+(?:[-'’&]{_LETTER}+)*\+*")
_SPACE = re.compile(r"\s+")
_FOLDED_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
# Bidirectional overrides, zero-width spaces, soft hyphens: invisible, they break comparing and can forge a text.
# The joiners U+200C and U+200D stay: Persian, Indic scripts and emoji are spelled with them.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_DANGLING = " \t-–—,;:/&|+(["


def clean(text: str) -> str:
    """One line in NFC: white space collapsed, control and invisible characters and lone surrogates gone."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = _INVISIBLE.sub("", _SPACE.sub(" ", text))
    if not text.isprintable():
        text = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Co"))
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()


def fold(text: str) -> str:
    """The form to compare by: cleaned, lower case, without accents (`Crème Brûlée` -> `creme brulee`, `ß` -> `ss`).

    Only Latin-style accents are dropped; the vowel signs of other scripts carry meaning and stay.
    """
    text = clean(text)
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f")
    return clean(bare.translate(_FOLDED_LETTERS))


def words(text: str) -> list[str]:
    """The folded words of a text in order. Decimals (`1.5l`), codes (`wh-1000xm4`), `h&m` and a closing plus
    (`s21+`) stay whole; `noise-cancelling` is two words; `Kellogg's` is `kelloggs`."""
    found: list[str] = []
    for match in _WORD.finditer(fold(text)):
        word = match.group().replace("'", "").replace("’", "")
        if "-" in word and not any(char.isdigit() for char in word):
            found.extend(part for part in word.split("-") if part)
        else:
            found.append(word)
    return found


def stem(word: str) -> str:
    """A word without the s of its plural: `pads` and `pad` compare equal. Crude on purpose: only for comparing."""
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def phrases(text: str) -> list[list[str]]:
    """The words of a text as they are spelled, grouped by what punctuation separates: `Tea, black - 20 bags` is
    `[[Tea], [black], [20, bags]]`."""
    text = clean(text)
    groups: list[list[str]] = []
    end = 0
    for match in _WORD.finditer(text):
        if not groups or text[end : match.start()].strip():
            groups.append([])
        groups[-1].append(match.group())
        end = match.end()
    return groups


def code(text: str) -> str:
    """A model or part number as it is compared: folded letters and digits only (`WH-1000 XM4` -> `wh1000xm4`)."""
    return "".join(char for char in fold(text) if char.isalnum())


def is_code(text: str) -> bool:
    """Whether a text looks like a model number rather than a word: four or more characters with a digit in it, or
    three with letter and digit (`XM4`)."""
    bare = code(text)
    digits = sum(char.isdigit() for char in bare)
    return digits > 0 and (len(bare) >= 4 or (len(bare) == 3 and digits < 3))


def cut(text: str, limit: int) -> str:
    """The cleaned text within `limit` characters, cut between words and not inside one visible character.

    A first word longer than the limit is cut hard. No dangling comma, dash or open bracket is left at the end.
    """
    text = clean(text)
    if len(text) <= limit:
        return text
    whole_words = text[: max(text.rfind(" ", 0, limit + 1), 0)].rstrip(_DANGLING)
    if whole_words or limit <= 0:
        return whole_words
    end = limit
    while end > 0 and _joined(text, end):
        end -= 1
    return text[: end or limit].rstrip(_DANGLING)


def _joined(text: str, index: int) -> bool:
    """Whether the characters on both sides of `index` are drawn as one (accents, emoji families, flags)."""
    after, before = text[index], text[index - 1]
    letters_before = len(text[:index]) - len(text[:index].rstrip(_FLAG_LETTERS))  # two of them are a flag
    return (
        unicodedata.category(after).startswith("M")
        or after == "\u200d"
        or before == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or (after in _FLAG_LETTERS and letters_before % 2 == 1)
    )


def slug(text: str, limit: int = 80) -> str:
    """A name for a URL: folded words joined by hyphens, whole words within `limit`; letters of any script stay.
    Empty when the text has no letter and no digit."""
    parts = re.findall(rf"{_LETTER}+", fold(text).replace("'", "").replace("’", "").replace("&", " and "))
    made = ""
    for part in parts:
        longer = f"{made}-{part}" if made else part[:limit]
        if len(longer) > limit:
            break
        made = longer
    return made


def word_set(listing: str) -> frozenset[str]:
    """The words of a listing separated by white space; keeps tables of words readable in code."""
    return frozenset(listing.split())


SMALL_WORDS = word_set(
    """a an and as at but by for from in of on or the to with und mit fur aus von der die das den im ein eine et de du
    des la le les un une avec pour en sans y con para del el los las di e per il lo da van het een voor met"""
)
"""Articles, prepositions and the like of the languages that titles are in, folded."""

_UNITS = word_set("ml cl dl mm cm km kg mg g l m oz lb lbs pcs pc ct st stk mah")
_ACRONYMS = word_set(
    "usb led oled lcd tv pc cd dvd hdmi uhd hd usa uk eu ac dc gps nfc ssd hdd ram rom uv hifi rgb diy ip aa aaa ii "
    "iii iv vi vii viii ix xi xii xl xxl wifi vga dvi sata atx psu cpu gpu ups vhs lp ep nes snes"
)
_ACRONYM_SPELLING = {"wifi": "WiFi", "hifi": "HiFi"}
_VOWELS = frozenset("aeiouy")
_TITLES = {"mr": "Mr", "mrs": "Mrs", "dr": "Dr", "st": "St", "jr": "Jr", "vs": "vs"}


def is_shouting(text: str) -> bool:
    """Whether nearly all letters of a text of several words are capitals."""
    letters = [char for char in text if char.isalpha() and char.lower() != char.upper()]
    plain = [word for word in text.split() if word.isalpha()]
    worded = len(plain) >= 4 or any(len(word) > 3 for word in plain)  # `LG OLED TV` is no shouting
    return len(letters) >= 8 and worded and sum(char.isupper() for char in letters) >= 0.85 * len(letters)


def title_case(text: str, keep: Iterable[str] = ()) -> str:
    """Repairs a title that is written in capitals or in small letters only; any other title is left as it is.

    `keep`: spellings that are right as they are (brand, model); they and codes do not count when the title's case is
    judged. Units and acronyms are recognised.
    """
    text = clean(text)
    spelled = {fold(word): word for phrase in keep for word in clean(phrase).split()}
    judged = [word for word in text.split() if fold(word) not in spelled and not any(char.isdigit() for char in word)]
    if not is_shouting(text) and any(word != word.lower() for word in judged):
        return text
    made = [_word_case(word, first=index == 0, spelled=spelled) for index, word in enumerate(text.split(" "))]
    return " ".join(made)


def _word_case(word: str, *, first: bool, spelled: dict[str, str]) -> str:
    bare = word.strip(".,;:!?()[]\"'")
    key = fold(bare)
    if key in spelled:
        return word.replace(bare, spelled[key])
    if any(char.isdigit() for char in bare):
        unit = bare.lower().lstrip("0123456789.,")
        mixed = bare not in (bare.lower(), bare.upper())
        small = unit in _UNITS or re.fullmatch(r"[\dx.,]+", bare.lower())  # 500ml, 77x147
        return word if mixed else word.lower() if small else word.upper()
    if key in _UNITS and not first:
        return word.lower()
    if key in _TITLES:
        return word.replace(bare, _TITLES[key])
    if key in _ACRONYMS or (1 < len(key) <= 4 and key.isascii() and key.isalpha() and not _VOWELS & set(key)):
        return word.replace(bare, _ACRONYM_SPELLING.get(key, bare.upper()))
    if key in SMALL_WORDS and not first:
        return word.lower()
    return "-".join(_capital(part) for part in word.lower().split("-"))


def _capital(word: str) -> str:
    for index, char in enumerate(word):
        if char.isalpha():
            return word[:index] + char.upper() + word[index + 1 :]
    return word


def sentence(text: str) -> str:
    """The cleaned text as a sentence: first letter a capital, a full stop at the end unless it has an end."""
    text = clean(text)
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…。" else f"{text}."


def listed(items: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    parts = [item for item in items if item]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}" if parts else ""


def contains_words(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand together in `text`, by their folded forms; codes ignore their hyphens."""
    hay, needle = words(text), words(phrase)
    if not needle:
        return False
    if any(hay[i : i + len(needle)] == needle for i in range(len(hay) - len(needle) + 1)):
        return True
    return is_code(phrase) and code(phrase) in _code_spans(hay)


def _code_spans(hay: list[str]) -> set[str]:
    bare = [code(word) for word in hay]
    return {"".join(bare[i:j]) for i in range(len(bare)) for j in range(i + 1, min(i + 4, len(bare) + 1))}


def without_words(text: str, phrase: str) -> str:
    """`text` without the words of `phrase` where they stand together (a brand inside a name); spelling is kept."""
    text, key = clean(text), [fold(word) for word in clean(phrase).split()]
    parts = text.split(" ")
    bare = [fold(part).strip(".,;:!?()[]\"'®™") for part in parts]
    for index in range(len(parts) - len(key) + 1):
        if key and bare[index : index + len(key)] == key:
            parts[index : index + len(key)] = []
            return " ".join(parts).strip(_DANGLING)
    return text


def unique(items: Iterable[str]) -> list[str]:
    """The cleaned items in order, without empty ones and without those whose folded form came before."""
    seen: dict[str, str] = {}
    for item in items:
        text = clean(item)
        key = fold(text)
        if key:
            seen.setdefault(key, text)
    return list(seen.values())
