"""The web server's entry: `gunicorn webapp.wsgi:app`. What is wrong with the environment is said in one line."""

from sqlalchemy.exc import OperationalError

from webapp import logs, templating
from webapp.app import create_app
from webapp.config import exit_on_config_error
from webapp.database import db
from webapp.engines import refuse_privileged_login
from webapp.errors import ConfigError

APP_LOAD_ERROR = 4
"""Gunicorn's own exit code for this: with any other it would start the worker again and again."""

logs.configure("web")
with exit_on_config_error(APP_LOAD_ERROR):
    app = create_app()
    with app.app_context():
        try:
            refuse_privileged_login()
        except OperationalError as error:
            raise ConfigError(f"the database cannot be used: {str(error.orig).strip().splitlines()[0]}") from None
        db.engine.dispose()  # a server that forks after loading must not share connections
        templating.compile_all(app)
