"""A small application around the live route, for a real gunicorn. Its provider shows one made-up run."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

from flask import Flask, g, request

from webapp.live.frames import Frame
from webapp.live.views import bp


def may_watch(viewer, topic):
    """Everybody may watch everything but the secret."""
    return topic != "run:secret"


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
        user = request.headers.get("X-User")
        g.viewer = SimpleNamespace(session_id=UUID(int=1), client_id=UUID(int=2), user_id=UUID(user)) if user else None

    @app.get("/page")
    def page() -> str:
        return "a page"

    app.register_blueprint(bp)
    return app
