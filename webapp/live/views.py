"""The one websocket route. Who may come in is decided before the handshake, what comes first right after it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, g, request
from flask.blueprints import BlueprintSetupState
from flask_sock import Sock

from webapp.config import Config
from webapp.live import wire
from webapp.live.fragments import Fragments
from webapp.live.frames import Frame, Watcher
from webapp.live.handover import HEADER_TO_DROP, SERVER_OPTIONS, hand_over

MAX_TOPICS = 8

bp = Blueprint("live", __name__)
sock = Sock()


@bp.record_once
def _configure(state: BlueprintSetupState) -> None:
    state.app.config["SOCK_SERVER_OPTIONS"] = SERVER_OPTIONS


@bp.before_request
def check() -> None:
    """Sign-in, origin and topics, while there is still an HTTP answer to give."""
    viewer = g.get("viewer")
    if viewer is None:
        abort(401)
    if viewer.client_id is None:
        abort(403)
    if not _origin_is_ours(request.headers.get("Origin", "")):
        abort(403)
    topics = _topics()
    if not _is_handshake():
        abort(400)
    if not 0 < len(topics) <= MAX_TOPICS:
        abort(400)
    fragments = _fragments()
    for topic in topics:
        provider = fragments.of_topic(topic)
        if provider is None or not provider.may_watch(viewer, topic):
            abort(404)
    request.environ.pop(HEADER_TO_DROP, None)


@sock.route("/live", bp=bp, endpoint="socket")  # type: ignore[untyped-decorator]
def socket(server: Any) -> None:
    """Hand the socket to the hub, with the state of its topics."""
    topics = _topics()
    fragments = _fragments()

    def state() -> Iterator[Frame]:
        for topic in topics:
            provider = fragments.of_topic(topic)
            if provider is not None:
                yield from provider.state(topic)

    viewer = g.viewer
    watcher = Watcher(viewer.session_id, viewer.client_id, viewer.user_id)
    hand_over(server, wire.socket_path(_config().var), watcher, topics, state)


def _config() -> Config:
    config: Config = current_app.extensions["lotline_config"]
    return config


def _topics() -> list[str]:
    return list(dict.fromkeys(request.args.getlist("topic")))


def _fragments() -> Fragments:
    return Fragments(current_app.config["LIVE_PROVIDERS"])


def _origin_is_ours(origin: str) -> bool:
    """Whether a page of ours opens the socket: browsers send cookies along for any page, and always its origin."""
    ours = {request.host, urlsplit(_config().base_url).netloc}
    try:
        return urlsplit(origin).netloc in ours - {""}
    except ValueError:
        return False


def _is_handshake() -> bool:
    """Whether the headers are those of RFC 6455, 4.2.1; what follows takes them for granted."""
    return bool(request.headers.get("Sec-WebSocket-Key")) and request.headers.get("Sec-WebSocket-Version") == "13"
