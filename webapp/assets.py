"""Static files, ours and those that npm brought, at addresses that change with their content."""

import hashlib
from pathlib import Path

from flask import Flask, Response, abort, current_app, request, send_file
from werkzeug.security import safe_join

from webapp.access.guard import bare

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "static"
VENDOR = {
    "vendor/htmx.min.js": ROOT / "node_modules/htmx.org/dist/htmx.min.js",
    "vendor/ws.js": ROOT / "node_modules/htmx-ext-ws/ws.js",
}
PREFIX = "/static/"
FOREVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
_EXTENSION = "lotline_assets"


class Assets:
    """Knows each file's version: a hash of its content, worked out once, or whenever it changes (`watch`)."""

    def __init__(self, *, watch: bool) -> None:
        self._watch = watch
        self._known: dict[str, tuple[int, str]] = {}

    def version(self, name: str) -> str:
        """The version of `css/base.css`, or "" if there is no such file."""
        known = self._known.get(name)
        if known and not self._watch:
            return known[1]
        path = find(name)
        if path is None:
            return ""
        changed_ns = path.stat().st_mtime_ns
        if known is None or known[0] != changed_ns:
            known = self._known[name] = (changed_ns, hashlib.sha256(path.read_bytes()).hexdigest()[:12])
        return known[1]


def init_app(app: Flask) -> None:
    """Serve the files, and give templates `asset(name)`: the address at which a file may be cached for ever."""
    assets = app.extensions[_EXTENSION] = Assets(watch=app.debug)

    def asset(name: str) -> str:
        version = assets.version(name)
        return f"{PREFIX}{name}?v={version}" if version else PREFIX + name

    app.jinja_env.globals["asset"] = asset
    app.add_url_rule(f"{PREFIX}<path:filename>", endpoint="static", view_func=serve)


def find(name: str) -> Path | None:
    """The file behind a static name, or None."""
    joined = VENDOR.get(name) or safe_join(str(STATIC), name)
    path = Path(joined) if joined else None
    try:
        return path if path and path.is_file() else None
    except OSError:  # a name longer than any file's
        return None


@bare
def serve(filename: str) -> Response:
    """A static file. At the address of its present version it never changes; at any other, browsers ask each time."""
    path = find(filename)
    if path is None:
        abort(404)
    assets: Assets = current_app.extensions[_EXTENSION]
    version = assets.version(filename)
    response = send_file(path, conditional=True, etag=version)
    response.headers["Cache-Control"] = FOREVER if request.args.get("v") == version else ASK_EACH_TIME
    return response
