"""WebSocket frames on the server's side (RFC 6455): unmasked out, masked in. No extensions."""

from collections.abc import Iterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013

_CONTROL = 0x8
_FINAL = 0x80
_MASKED = 0x80


class ProtocolError(Exception):
    """The other side broke the protocol or a limit. `code` is the close code to answer with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole, unmasked message of `payload` bytes (RFC 6455 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 65536:
        return bytes((_FINAL | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL | opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to the 123 bytes that a control frame has room for."""
    return frame(code.to_bytes(2, "big") + reason.encode()[:123], CLOSE)


def take_frames(buffer: bytearray, limit: int) -> Iterator[tuple[int, bytes]]:
    """Cut whole client frames off the front of `buffer`: `(opcode, payload)`; a partial one stays.

    Fragments of a message come out one by one, as they travelled.

    Raises:
        ProtocolError: an unmasked frame, reserved bits, a malformed control frame, or a payload above `limit` bytes.
    """
    while len(buffer) >= 2:
        first, second = buffer[0], buffer[1]
        opcode, size = first & 0x0F, second & 0x7F
        if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolError(PROTOCOL_ERROR, "reserved bits or opcode")
        if not second & _MASKED:
            raise ProtocolError(PROTOCOL_ERROR, "a client must mask its frames")
        if opcode & _CONTROL and (size > 125 or not first & _FINAL):
            raise ProtocolError(PROTOCOL_ERROR, "control frames are short and whole")
        start = 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return
            size = int.from_bytes(buffer[2:start], "big")
        if size > limit:
            raise ProtocolError(MESSAGE_TOO_BIG, "the socket only listens")
        end = start + 4 + size
        if len(buffer) < end:
            return
        mask, masked = bytes(buffer[start : start + 4]), bytes(buffer[start + 4 : end])
        del buffer[:end]
        yield opcode, _unmask(masked, mask)


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
