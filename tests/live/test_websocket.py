"""Frames against RFC 6455's own examples and against wsproto, an independent reading of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from webapp.live import websocket


def test_frames_of_the_rfc():
    assert websocket.frame(b"Hello") == bytes.fromhex("810548656c6c6f")
    assert list(websocket.take_frames(bytearray.fromhex("818537fa213d7f9f4d5158"), 100)) == [(1, b"Hello")]
    assert websocket.frame(b"Hello", websocket.PING) == bytes.fromhex("890548656c6c6f")
    assert websocket.frame(bytes(256), websocket.BINARY)[:4] == bytes.fromhex("827E0100")
    assert websocket.frame(bytes(65536), websocket.BINARY)[:10] == bytes.fromhex("827F0000000000010000")


@given(st.text(max_size=70_000))
def test_an_independent_client_reads_our_text(text):
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(websocket.frame(text.encode()))
    assert "".join(event.data for event in client.events() if isinstance(event, TextMessage)) == text


def test_an_independent_client_reads_our_close():
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(websocket.close_frame(1012, "the server restarts"))
    (event,) = client.events()
    assert isinstance(event, CloseConnection)
    assert (event.code, event.reason) == (1012, "the server restarts")


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_frames_come_out_whole_however_they_were_cut(payloads, data):
    client = Connection(ConnectionType.CLIENT)
    stream = b"".join(client.send(BytesMessage(data=payload)) for payload in payloads) + client.send(Ping(b"x"))
    buffer, seen = bytearray(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        buffer += stream[:size]
        stream = stream[size:]
        seen += websocket.take_frames(buffer, 4096)
    assert seen == [(websocket.BINARY, payload) for payload in payloads] + [(websocket.PING, b"x")]
    assert not buffer


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("0105", 1002),  # not masked
        ("c180", 1002),  # reserved bit
        ("8380", 1002),  # reserved opcode
        ("0980", 1002),  # a ping in parts
        ("89fe0100", 1002),  # a ping of 256 bytes
        ("81fe1001", 1009),  # 4,097 bytes of text, refused before they are read
        ("81ff7fffffffffffffff", 1009),
    ],
)
def test_what_breaks_the_protocol_is_refused(sent, code):
    with pytest.raises(websocket.ProtocolError) as caught:
        list(websocket.take_frames(bytearray.fromhex(sent), 4096))
    assert caught.value.code == code
