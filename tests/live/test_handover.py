"""From a real gunicorn to a real hub, and the contract with the libraries whose insides are used for it."""

import inspect
import re
import socket
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import flask_sock
import pytest
import simple_websocket

from tests.live.web_server import gunicorn, page
from webapp.live import handover, wire


def sign_in(user=None):
    return {"X_User": str(user or uuid4())}


def descriptors(process):
    """Open descriptors of gunicorn's workers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sum(len(list(Path(f"/proc/{child}/fd").iterdir())) for child in children)


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    """A gunicorn for all tests that do not end it."""
    var = tmp_path_factory.mktemp("var")
    with gunicorn(var) as (port, process):
        yield SimpleNamespace(var=var, port=port, process=process)


@pytest.fixture
def web(make_stage, web_server):
    """A hub with its renderer, to which that gunicorn hands sockets over."""
    stage = make_stage(var=web_server.var)
    stage.start_renderer()
    stage.port, stage.web = web_server.port, web_server.process
    return stage


def test_state_then_news_and_the_web_process_forgets_the_socket(web, browser_class):
    browser = browser_class.open(web.port, "/live?topic=run:a", **sign_in())
    assert browser.until_mark()[:1] == ["<p id=head>a</p>"]
    web.push("run:a", ("lines", 7, "seen"), ("lines", 8, "line 8"))
    assert browser.texts(1) == ["line 8"]
    browser.say(b"ignored")
    browser.say(b"!", opcode=9)
    assert browser.hear() == (10, b"!")


def test_no_extension_is_agreed_on(web, browser_class):
    browser = browser_class.open(web.port, "/live?topic=run:a", **sign_in())
    assert b"extensions" not in browser.head.lower()
    browser.until_mark()


def test_many_sockets_leave_the_web_process_as_it_was(web, browser_class):
    for _ in range(8):
        browser_class.open(web.port, "/live?topic=run:a", **sign_in()).until_mark()
    before = descriptors(web.web)
    browsers = [browser_class.open(web.port, "/live?topic=run:a", **sign_in()) for _ in range(60)]
    for browser in browsers:
        browser.until_mark()
    # 60 sockets, 8 threads: every thread is free again.
    assert [page(web.port) for _ in range(20)] == ["a page"] * 20
    assert descriptors(web.web) <= before + 4
    for seq in range(2, 30):
        web.push("run:a", ("head", seq, f"head {seq}"))
    for browser in browsers:
        assert browser.texts(28) == [f"head {seq}" for seq in range(2, 30)]
        browser.close()


def test_sockets_outlive_the_web_process(stage, browser_class):
    with gunicorn(stage.var) as (port, _process):
        browser = browser_class.open(port, "/live?topic=run:a", **sign_in())
        browser.until_mark()
    stage.push("run:a", ("head", 2, "still here"))
    assert browser.texts(1) == ["still here"]


def test_frames_that_come_while_the_state_is_read_follow_it(web, browser_class):
    browser = browser_class.open(web.port, "/live?topic=run:slow", **sign_in())
    web.renderer.hear(wire.Watch)
    web.push("run:slow", ("head", 2, "newer"), ("lines", 7, "older"))
    assert [text for text in browser.until_mark() if text] == ["<p id=head>slow</p>", "newer"]


def test_a_long_state_arrives_whole(web, browser_class):
    browser = browser_class.open(web.port, "/live?topic=run:big", **sign_in())
    time.sleep(0.3)  # longer than what the kernel takes at once
    assert browser.until_mark() == ["<p id=head>big</p>", "y" * 1_000_000]


def test_a_state_that_cannot_be_read_ends_the_socket_so_that_the_page_comes_back(web, browser_class):
    browser = browser_class.open(web.port, "/live?topic=run:broken", **sign_in())
    assert browser.close_code() == 1012


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/live?topic=run:a", {"X_User": ""}, "401"),
        ("/live?topic=run:a", {"Origin": "http://evil.example"}, "403"),
        ("/live?topic=run:a", {"Origin": ""}, "403"),
        ("/live?topic=run:a", {"Origin": "http://["}, "403"),
        ("/live?topic=run:a", {"Sec_WebSocket_Key": ""}, "400"),
        ("/live?topic=run:a", {"Sec_WebSocket_Version": "99"}, "400"),
        ("/live?topic=run:secret", {}, "404"),
        ("/live?topic=run:a&topic=run:secret", {}, "404"),
        ("/live?topic=nonsense", {}, "404"),
        ("/live?topic=other:1", {}, "404"),
        ("/live", {}, "400"),
        ("/live?" + "&".join(f"topic=run:{n}" for n in range(9)), {}, "400"),
    ],
)
def test_who_may_not_is_told_before_the_handshake(web, browser_class, path, headers, status):
    with pytest.raises(ConnectionError, match=status):
        browser_class.open(web.port, path, **{**sign_in(), **headers})


def test_without_a_hub_or_a_renderer_the_page_is_told_to_try_again(web, browser_class):
    web.renderer.close()
    assert browser_class.open(web.port, "/live?topic=run:a", **sign_in()).close_code() == 1013
    web.hub.stop()
    deadline, code = time.monotonic() + 10, 0
    while code != 1013:
        assert time.monotonic() < deadline
        # One that comes while the hub goes is cut off without a word, which brings the page back as well.
        with suppress(EOFError):
            code = browser_class.open(web.port, "/live?topic=run:a", **sign_in()).close_code()
    assert page(web.port) == "a page"


def test_the_insides_that_are_used_are_still_there():
    """Every assumption about flask-sock, simple-websocket and gunicorn. If one goes, read handover.py again."""
    assert (version("flask-sock"), version("simple-websocket")) == ("0.7.0", "1.1.0")
    assert int(version("gunicorn").split(".")[0]) == 25

    route = inspect.getsource(flask_sock.Sock.route)
    # The handshake is the Server's constructor, with the options of the configuration.
    assert "Server(request.environ, **current_app.config.get(" in route
    assert "'SOCK_SERVER_OPTIONS'" in route
    # After the view: a close that may fail in silence, then an answer that depends on the mode.
    assert re.search(r"try:\s+ws\.close\(\)\s+except:", route)
    assert re.search(r"elif ws\.mode == 'werkzeug':\s+return super\(\)\.__call__", route)

    base = inspect.getsource(simple_websocket.ws.Base)
    assert "self.thread = thread_class(target=self._thread)" in base
    assert "self.thread.name.replace(" in base
    assert "self.thread.start()" in base
    assert inspect.getsource(simple_websocket.ws.Base.close).count("if not self.connected") == 1
    server = inspect.getsource(simple_websocket.ws.Server)
    assert "sock = environ.get('gunicorn.socket')" in server
    assert "f'{header}: {value}" in server  # the handshake is rebuilt from the environ, so a dropped header is not seen


def test_the_thread_that_is_not_started(web):
    left, right = socket.socketpair()
    environ = {
        "gunicorn.socket": left,
        "HTTP_HOST": "x",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
    }
    server = simple_websocket.Server(environ, **handover.SERVER_OPTIONS)
    assert right.recv(4096).startswith(b"HTTP/1.1 101")
    right.sendall(b"\x81\x80\0\0\0\0")
    time.sleep(0.1)
    assert left.recv(100) == b"\x81\x80\0\0\0\0", "somebody else read it"
    assert server.connected
    left.close()
    right.close()
