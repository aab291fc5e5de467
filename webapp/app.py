"""The one place where the parts are joined."""

import os

from flask import Flask, current_app, request
from flask_babel import Babel
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect
from htmx_flask import Htmx
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import (
    assets,
    cli,
    config,
    database,
    engines,
    error_pages,
    headers,
    health,
    limits,
    models,
    queue,
    request_log,
    scrape,
    shell,
    storage,
    templating,
)
from webapp.access import guard
from webapp.access import views as access
from webapp.access.models import Role
from webapp.ai import configured
from webapp.ai import views as ai
from webapp.calibration import views as calibration
from webapp.catalog import views as catalog
from webapp.config import MEBIBYTE, Config
from webapp.failures import views as failures
from webapp.intake import retake_views as retakes
from webapp.intake import views as intake
from webapp.learning import views as learning
from webapp.live import views as live
from webapp.pipeline import verdict_views as verdicts
from webapp.pipeline import views as pipeline
from webapp.pricing import views as pricing
from webapp.providers import offers_views as offers
from webapp.providers import sources
from webapp.providers import views as providers
from webapp.review import photo_wanted_views as photo_wanted
from webapp.review import views as review
from webapp.watching import views as watching
from webapp.work.kinds import Kind

LIVE_PROVIDERS = {
    "run": "webapp.pipeline.live",
    "client": "webapp.pipeline.live",
    "user": "webapp.pipeline.live",
}
"""Which module makes the fragments of a topic, by the word before its colon."""

WORK_KINDS = {
    "phase": Kind(
        perform="webapp.pipeline.tasks.run_phase",
        failed="webapp.pipeline.outcomes.phase_failed",
        facts="webapp.pipeline.tasks.facts_of",
    ),
    "calibration": Kind(perform="webapp.calibration.tasks.fit", failed="webapp.calibration.tasks.fit_failed"),
    "matching": Kind(
        perform="webapp.calibration.tasks.learn_matching",
        failed="webapp.calibration.tasks.learn_matching_failed",
        deadline_seconds=3600.0,
    ),
}
"""Which code does which kind of background work."""

UPLOADS = {"intake.create", "retakes.take_again", "retakes.add"}
"""Routes whose requests may be as large as the configuration says."""

__all__ = ["create_app", "models"]


def create_app(settings: Config | None = None) -> Flask:
    """The app, joined but connected to nothing yet.

    Raises:
        ConfigError: the environment lacks something.
    """
    settings = settings or config.load()
    app = Flask("webapp", root_path=str(assets.ROOT / "webapp"), template_folder="../templates", static_folder=None)
    templating.init_app(app)
    _configure(app, settings)
    engines.init_app(app, settings)
    queue.init_app(app, settings.redis_url)
    sources.init_app(app, os.environ)
    configured.init_app(app, os.environ)
    storage.init_app(app, settings.var / "photos")
    Migrate(app, database.db, directory=str(assets.ROOT / "migrations"))
    Babel(app)
    Htmx(app)
    # Before each request, in this order: it is numbered; its address is read; who asks is looked up and admitted or
    # not; only then is the body read, for text that no person types and for the form's token.
    request_log.init_app(app, trust_given_id=settings.trusted_proxies > 0)
    app.before_request(error_pages.refuse_strange_address)
    guard.init_app(app)
    app.before_request(_give_room_to_uploads)
    app.before_request(error_pages.refuse_strange_form)
    CSRFProtect(app)
    limits.init_app(app, settings)
    headers.init_app(app, settings)
    error_pages.init_app(app)
    assets.init_app(app)
    shell.init_app(app)
    cli.init_app(app)
    _add_features(app)
    return app


def _configure(app: Flask, settings: Config) -> None:
    app.extensions["lotline_config"] = settings
    mark = guard.installation_mark(settings)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        LIVE_PROVIDERS=LIVE_PROVIDERS,
        WORK_KINDS=WORK_KINDS,
        LIVE_SESSIONS="webapp.access.sessions.live_sessions",
        ACCESS_COOKIE=f"lotline_{mark}",
        SESSION_COOKIE_NAME=f"lotline_page_{mark}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        WTF_CSRF_TIME_LIMIT=None,  # the token lives as long as the session that it is tied to
        MAX_CONTENT_LENGTH=2 * MEBIBYTE,  # but for UPLOADS: plain forms are read into memory as a whole
        MAX_FORM_MEMORY_SIZE=MEBIBYTE,  # a field beside files
        MAX_FORM_PARTS=500,
        BABEL_DEFAULT_LOCALE="en",
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _give_room_to_uploads() -> None:
    if request.endpoint in UPLOADS:
        settings: Config = current_app.extensions["lotline_config"]
        request.max_content_length = settings.max_request_bytes


def _add_features(app: Flask) -> None:
    features = (
        access,
        ai,
        catalog,
        learning,
        providers,
        offers,
        pipeline,
        verdicts,
        intake,
        retakes,
        review,
        photo_wanted,
        calibration,
        pricing,
        failures,
        watching,
        live,
        health,
        scrape,
    )
    for views in features:
        app.register_blueprint(views.bp)
    # The live part knows sessions, but not roles.
    guard.needs(Role.STAFF)(app.view_functions["live.socket"])
