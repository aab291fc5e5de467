"""Reading the codes on a photo: a cascade of decoders and views that goes on until the votes decide."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import wasmtime

from webapp.lib import gs1, gtin
from webapp.phases.analysis.decoders import OpenCV, ZXing
from webapp.phases.analysis.pictures import Picture
from webapp.phases.analysis.reads import RETAIL, Decoder, Read
from webapp.phases.analysis.regions import strip_at, strips
from webapp.phases.analysis.template import Template
from webapp.phases.analysis.views import FULL_PIXELS, IDENTITY, View, strip_views, whole_views
from webapp.phases.analysis.votes import Ballot, Verdict
from webapp.phases.analysis.zbar import ZBar
from webapp.phases.facts import Barcode, Element

THOROUGH_STRIPS = 3
"""The most striking places get the slow decoder as well."""
QUICK_VIEWS = 3
"""Views after which a strip on which nothing was read is left, a single one when another code is decided already: later
ones never read what all of these had missed (394 open photos)."""
SECOND_LOOKS = 2
"""How many codes that are not believed yet get a strip of their own."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Scan:
    """What was read on one photo: codes that are believed, and codes that were seen but are not."""

    accepted: tuple[Barcode, ...]
    doubtful: tuple[Barcode, ...]
    bars_seen: bool
    """Whether there are bars from which something was read that is not believed."""


@dataclass(frozen=True)
class Engines:
    """The decoders: those for every view, ZXing first, and the slow one for soft codes. `aside`: a second thread, since
    decoders let go of Python's lock while they read."""

    quick: tuple[Decoder, ...]
    thorough: Template
    aside: ThreadPoolExecutor

    def begin(self, view: View) -> Callable[[], list[Sequence[Read]]]:
        """Starts to read a view; what is returned finishes it, and gives what each of the quick decoders read, in their
        order."""
        *others, slowest = self.quick
        later = self.aside.submit(slowest.read, view)
        return lambda: [*(decoder.read(view) for decoder in others), later.result()]


@lru_cache(maxsize=1)
def engines() -> Engines:
    """The decoders of this process, made once. Without the npm package, ZBar is simply not among them."""
    quick: list[Decoder] = [ZXing(), OpenCV()]
    with suppress(OSError, wasmtime.WasmtimeError):
        quick.append(ZBar())
    return Engines(tuple(quick), Template(), ThreadPoolExecutor(1, thread_name_prefix="barcodes"))


def scan(picture: Picture, progress: Progress = lambda _share, _step: None) -> Scan:
    """Every code on the photo. `progress(share 0..1, step)` may raise to cancel."""
    ballot, tools = Ballot(), engines()
    whole = list(islice(whole_views(picture.grey), 1))
    progress(0.0, "looking for barcodes")
    finish = tools.begin(whole[0])
    found = list(strips(picture.grey))
    _count(ballot, finish)
    for number, strip in enumerate(found):
        progress(0.3 + 0.5 * number / len(found), "reading barcodes up close")
        _read_strip(ballot, tools, strip, thorough=number < THOROUGH_STRIPS)
    if not any(verdict.decided for verdict in ballot.verdicts()):
        progress(0.8, "looking for small and soft barcodes")
        for view in islice(whole_views(picture.grey), 1, None):
            _count(ballot, tools.begin(view))
            if any(verdict.decided for verdict in ballot.verdicts()):
                break
        else:
            if picture.grey.size > FULL_PIXELS:  # the fine squares of a small QR code or Data Matrix are in all pixels
                ballot.add(tools.quick[0].read(View("full", picture.grey, IDENTITY)))
        _look_again(ballot, tools, picture)
    verdicts = ballot.verdicts()
    return Scan(
        accepted=tuple(_barcode(picture, verdict) for verdict in verdicts if verdict.accepted),
        doubtful=tuple(_barcode(picture, verdict) for verdict in verdicts if not verdict.accepted),
        bars_seen=any(verdict.code.is_linear and not verdict.accepted for verdict in verdicts),
    )


def _count(ballot: Ballot, finish: Callable[[], list[Sequence[Read]]]) -> int:
    return sum(ballot.add(reads) for reads in finish())


def _read_strip(ballot: Ballot, tools: Engines, strip: View, *, thorough: bool) -> None:
    """Views of one strip until the code there is decided, or nothing speaks for going on."""
    corners = strip.corners()
    done = any(verdict.decided for verdict in ballot.verdicts())
    seen = 0
    for number, view in enumerate(strip_views(strip)):
        if ballot.decided_at(corners):
            return
        if number == (1 if done else QUICK_VIEWS) and not seen:
            return
        seen += _count(ballot, tools.begin(view))
        if number == 0 and thorough and not ballot.decided_at(corners):
            seen += ballot.add(tools.thorough.read(strip))


def _look_again(ballot: Ballot, tools: Engines, picture: Picture) -> None:
    """Cuts out the places of codes that are not believed yet, and asks the slow decoder about each number."""
    doubtful = [
        verdict.code
        for verdict in ballot.verdicts()
        if not verdict.accepted and verdict.code.is_linear and (verdict.code.weight > 1 or not verdict.code.is_hearsay)
    ]
    for number, code in enumerate(doubtful[:SECOND_LOOKS], start=1):
        strip = strip_at(picture.grey, code.points, f"again {number}")
        if strip is None:
            continue
        _read_strip(ballot, tools, strip, thorough=True)
        read = code.first
        if read.format in ("EAN13", "UPCA") and "template" not in code.decoders:
            ballot.add(tools.thorough.confirm(strip, read.text))


def _barcode(picture: Picture, verdict: Verdict) -> Barcode:
    read = verdict.code.first
    gtin14, elements = read.gtin14, read.elements
    return Barcode(
        photo_id=picture.photo_id,
        text=gs1.written(elements) if read.is_gs1 and elements else read.text.replace(gs1.GS, " "),
        format=_shown_format(read.format, gtin14),
        gtin14=gtin14,
        votes=len(verdict.code.reads),
        runner_up=len(verdict.runner_up.reads) if verdict.runner_up else 0,
        decoders=verdict.code.decoders,
        box=picture.box(verdict.code.points),
        add_on=verdict.code.add_on,
        restricted=gtin14 is not None and gtin.is_restricted(gtin14),
        elements=tuple(Element(**element._asdict()) for element in elements),
    )


def _shown_format(form: str, gtin14: str | None) -> str:
    """Decoders name UPC-A also EAN-13 with a leading zero; we say UPC-A, and ITF-14 for an ITF that holds a GTIN."""
    if form in RETAIL and gtin14 is not None and form != "UPCE":
        return {8: "EAN8", 12: "UPCA"}.get(len(gtin.written(gtin14)), "EAN13")
    return "ITF14" if form == "ITF" and gtin14 else form
