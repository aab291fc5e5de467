"""What only reading tells of photos: labels that go on beyond the edge, bars that are missing."""

import pytest

from webapp.phases.analysis.framing import framed, is_cut_off
from webapp.phases.facts import NO_BARCODE, Box, PhotoQuality, TextLine


def line(left, top, width, height, *, text="Nordvik Trail", photo="a", confidence=95):
    box = Box(left=left, top=top, width=width, height=height)
    return TextLine(photo_id=photo, text=text, confidence=confidence, box=box)


def quality(photo="a", score=100, **more):
    return PhotoQuality(photo_id=photo, score=score, **more)


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((0.1, 0.1, 0.5, 0.1), False),
        ((0.0, 0.1, 0.5, 0.1), True),
        ((0.5, 0.1, 0.5, 0.1), True),
        ((0.1, 0.0, 0.5, 0.1), True),
        ((0.1, 0.9, 0.5, 0.1), True),
        ((0.01, 0.1, 0.5, 0.1), False),
        ((0.3, 0.5, 0.1, 0.5), True),
    ],
)
def test_a_main_line_that_runs_into_an_edge_is_cut_off(box, cut):
    assert is_cut_off([line(*box)]) is cut


def test_small_print_short_and_doubtful_text_at_the_edge_says_nothing():
    title = line(0.2, 0.2, 0.6, 0.1)
    assert not is_cut_off([title, line(0.0, 0.8, 0.3, 0.03)])
    assert not is_cut_off([title, line(0.0, 0.8, 0.3, 0.1, text="kg")])
    assert not is_cut_off([title, line(0.0, 0.8, 0.3, 0.1, confidence=50)])
    assert not is_cut_off([])


def judged(qualities, lines=(), *, bars_on=(), has_codes=False, expects=True):
    return framed(qualities, lines, bars_on=bars_on, has_codes=has_codes, expects_barcode=expects)


def test_a_cut_label_is_told_at_its_own_photo():
    first, second = judged(
        [quality("a"), quality("b")], [line(0.0, 0.1, 0.5, 0.1, photo="b"), line(0.2, 0.1, 0.5, 0.1)], has_codes=True
    )
    assert (first.score, first.says) == (100, "")
    assert second.score < 100
    assert second.problems == ("cut_off",)
    assert "step back" in second.says


def test_a_missing_barcode_is_told_once_at_the_best_photo():
    first, second = judged([quality("a", 60, problems=("dark",), says="Too dark."), quality("b")])
    assert first.problems == ("dark",)
    assert second.problems == ("no_barcode",)
    assert second.score == 100, "it is not that photo's fault"
    assert "turn the item" in second.says


def test_a_missing_barcode_is_not_told_behind_another_sentence():
    cut, whole = judged(
        [quality("a"), quality("b", 90)], [line(0.0, 0.1, 0.5, 0.1), line(0.2, 0.1, 0.5, 0.1, photo="b")]
    )
    assert "step back" in cut.says
    assert whole.says == NO_BARCODE


def test_bars_that_were_seen_and_not_read_are_told_where_they_are():
    first, second = judged([quality("a", 60), quality("b")], bars_on=["a"])
    assert first.problems == ("bars_unread",)
    assert second.problems == ()


def test_what_is_wrong_besides_keeps_its_sentence():
    (only,) = judged([quality(problems=("blurred",), says="Blurred.")], [line(0.0, 0.1, 0.5, 0.1)], has_codes=True)
    assert only.says == "Blurred."
    assert only.problems == ("blurred", "cut_off")


@pytest.mark.parametrize("known", [{"has_codes": True}, {"expects": False}])
def test_where_a_code_was_read_or_none_is_expected_nothing_is_said(known):
    assert judged([quality()], **known) == (quality(),)


def test_no_photo_no_sentence():
    assert judged([]) == ()
