"""A small application around the live route, for a real gunicorn. Its provider shows one made-up run."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

from flask import Flask, Response, abort, g, request, send_file

from webapp.live.frames import Frame
from webapp.live.views import bp

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "htmx.js": ROOT / "node_modules/htmx.org/dist/htmx.min.js",
    "ws.js": ROOT / "node_modules/htmx-ext-ws/ws.js",
    "live.js": ROOT / "static/js/live.js",
}
WATCH_PAGE = """<!doctype html><html lang=en><head><title>A page</title>
<meta name="htmx-config" content='{"allowEval":false,"includeIndicatorStyles":false}'>
<link rel="icon" href="data:,">
<script src="/js/htmx.js" defer></script><script src="/js/ws.js" defer></script>
<script src="/js/live.js" defer></script>
</head><body><span data-live-status></span>
<div hx-ext="ws" ws-connect="/live?topic=run:a" data-poll-url="/poll"><p id="head">from the page</p>
<ol id="lines"></ol></div></body></html>"""


def may_watch(viewer, topic):
    """Everybody may watch everything but the secret."""
    return topic != "run:secret"


def is_calm(topic):
    """None is."""
    return False


def state(topic):
    """As slow, as long or as broken as the topic's name says."""
    name = topic.partition(":")[2]
    if name == "slow":
        time.sleep(0.5)
    if name == "broken":
        raise RuntimeError("no state today")
    lines = "y" * 1_000_000 if name == "big" else ""
    return [Frame(topic, "head", 1, f"<p id=head>{name}</p>"), Frame(topic, "lines", 7, lines)]


def create() -> Flask:
    """The application that gunicorn serves."""
    app = Flask(__name__)
    app.extensions["lotline_config"] = SimpleNamespace(var=Path(os.environ["LOTLINE_VAR"]), base_url="")
    app.config["LIVE_PROVIDERS"] = {"run": __name__}

    @app.before_request
    def sign_in() -> None:
        user = request.headers.get("X-User") or request.cookies.get("user")
        g.viewer = SimpleNamespace(session_id=UUID(int=1), client_id=UUID(int=2), user_id=UUID(user)) if user else None

    @app.get("/page")
    def page() -> str:
        return "a page"

    @app.get("/watch")
    def watch() -> tuple[str, dict[str, str]]:
        return WATCH_PAGE, {"Content-Security-Policy": "default-src 'self'; img-src data:"}

    @app.get("/js/<name>")
    def script(name: str) -> Response:
        return send_file(SCRIPTS[name])

    @app.get("/poll")
    def poll() -> str:
        if g.viewer is None:
            abort(401)
        return f"<p id=head>from poll {time.monotonic_ns()}</p>"

    app.register_blueprint(bp)
    return app
