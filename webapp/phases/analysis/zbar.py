"""ZBar, compiled to WebAssembly, run inside this process: no system library is needed.

The package `@undecaf/zbar-wasm` brings `zbar.wasm` together with JavaScript that calls it; this is the same in
Python. Its exports have one-letter names (set by the package's build; `SIGNATURES` below and a test notice if they
change). Memory lies in the sandbox, so a picture that breaks it breaks a sandbox, not a process.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import wasmtime

from webapp.phases.analysis.pictures import Pixels
from webapp.phases.analysis.reads import Read, sound
from webapp.phases.analysis.views import View

WASM = Path(__file__).resolve().parents[3] / "node_modules/@undecaf/zbar-wasm/dist/zbar.wasm"
NAMES = {8: "EAN8", 9: "UPCE", 12: "UPCA", 13: "EAN13", 25: "ITF", 39: "CODE39", 64: "QR", 128: "CODE128"}
GREY = 0x30303859  # the four letters Y800
SEPARATOR = b"\x1d"
ALL_FORMATS, BINARY, X_DENSITY, Y_DENSITY = 0, 4, 0x100, 0x101
COARSE_PIXELS = 1_000_000
"""Above this, every second row and column is scanned."""
SIGNATURES = {
    "initialise": ("h", 0),
    "make_scanner": ("i", 0),
    "configure": ("k", 4),
    "scan": ("o", 2),
    "make_image": ("p", 6),
    "drop_image": ("q", 1),
    "symbols": ("r", 1),
    "malloc": ("u", 1),
}


class ZBar:
    """ZBar: scans along lines, reads soft and long codes that others miss."""

    name = "zbar"

    def __init__(self, path: Path = WASM) -> None:
        """Loads and compiles `path` (0.1 s). Raises OSError or wasmtime.WasmtimeError where it cannot be used."""
        engine = wasmtime.Engine()
        self._store = wasmtime.Store(engine)
        module = wasmtime.Module(engine, path.read_bytes())
        supplied = self._imports()
        instance = wasmtime.Instance(self._store, module, [supplied[entry.name or ""] for entry in module.imports])
        exports = instance.exports(self._store)
        self._calls = {}
        for call, (letter, arguments) in SIGNATURES.items():
            function = exports[letter]
            if not isinstance(function, wasmtime.Func) or len(function.type(self._store).params) != arguments:
                raise wasmtime.WasmtimeError(f"{path.name}: export {letter} is not the call {call}")
            self._calls[call] = function
        memory = exports["g"]
        if not isinstance(memory, wasmtime.Memory):
            raise wasmtime.WasmtimeError(f"{path.name}: export g is not the memory")
        self._memory = memory
        self._call("initialise")
        self._scanner = self._call("make_scanner")
        self._call("configure", self._scanner, ALL_FORMATS, BINARY, 1)

    def read(self, view: View) -> Sequence[Read]:
        """See Decoder."""
        step = 2 if view.grey.size > COARSE_PIXELS else 1
        self._call("configure", self._scanner, ALL_FORMATS, X_DENSITY, 0 if view.upright else step)
        self._call("configure", self._scanner, ALL_FORMATS, Y_DENSITY, step)
        reads = [
            Read(
                decoder=self.name,
                view=view.name,
                format=NAMES[kind],
                text=_text(raw),
                points=view.back(points),
                is_gs1=SEPARATOR in raw,  # it drops the first FNC1, which tells others; a later one means the same
            )
            for kind, raw, points in self._scan(view.grey)
            if kind in NAMES and len(points)
        ]
        return [read for read in reads if sound(read)]

    def _scan(self, grey: Pixels) -> list[tuple[int, bytes, np.ndarray]]:
        """Type number, bytes and points of every symbol on a grey picture."""
        height, width = grey.shape
        place = self._call("malloc", grey.size)
        self._memory.write(self._store, np.ascontiguousarray(grey).tobytes(), place)
        image = self._call("make_image", width, height, GREY, place, grey.size, 0)
        try:
            if self._call("scan", self._scanner, image) <= 0:
                return []
            return list(self._symbols(self._call("symbols", image)))
        finally:
            self._call("drop_image", image)  # and the pixels with it

    def _symbols(self, symbol_set: int) -> Iterator[tuple[int, bytes, np.ndarray]]:
        """Walks ZBar's linked list; offsets are those of its structs with 32-bit pointers."""
        symbol = self._number(symbol_set + 8)
        while symbol:
            length, text = self._number(symbol + 16), self._number(symbol + 20)
            count, places = self._number(symbol + 28), self._number(symbol + 32)
            points = np.frombuffer(self._bytes(places, 8 * count), dtype="<i4").reshape(-1, 2)
            yield self._number(symbol), self._bytes(text, length), points.astype(np.float32)
            symbol = self._number(symbol + 44)

    def _number(self, place: int) -> int:
        return int(struct.unpack("<I", self._bytes(place, 4))[0])

    def _bytes(self, place: int, length: int) -> bytes:
        return bytes(self._memory.read(self._store, place, place + length))

    def _call(self, name: str, *arguments: int) -> int:
        return int(self._calls[name](self._store, *arguments) or 0)

    def _imports(self) -> dict[str, wasmtime.Func]:
        """What the module asks of its host: a clock, more memory, and file calls that it never needs."""
        number, real = wasmtime.ValType.i32(), wasmtime.ValType.f64()
        no_seek, no_close = 70, 52  # errno of WASI, as the package's own JavaScript answers

        def grow(size: int) -> int:
            missing = size - self._memory.data_len(self._store)
            try:
                self._memory.grow(self._store, -(-missing // 65536))
            except wasmtime.WasmtimeError:
                return 0
            return 1

        def host(arguments: int, result: wasmtime.ValType, answer: object) -> wasmtime.Func:
            kind = wasmtime.FuncType([number] * arguments, [result])
            return wasmtime.Func(self._store, kind, answer if callable(answer) else lambda *_: answer)

        return {
            "a": host(4, number, 0),  # write
            "b": host(5, number, no_seek),
            "c": host(1, number, grow),
            "d": host(0, number, 1),  # the clock is monotonic
            "e": host(0, real, 0.0),  # the date
            "f": host(1, number, no_close),
        }


def _text(raw: bytes) -> str:
    """QR codes leave their encoding open: UTF-8, else Shift JIS (where QR comes from), else Latin-1."""
    for encoding in ("utf-8", "shift_jis"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")
