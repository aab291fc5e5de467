"""Commands: `flask --app webapp …`. Each speaks in plain lines; a person's mistake is one line and exit code 1."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import Flask, current_app
from sqlalchemy import select

from webapp.access import services, sign_in
from webapp.access.forms import normal_email
from webapp.access.models import Client, Membership, Role, User
from webapp.audit.services import SYSTEM
from webapp.catalog.models import Catalog
from webapp.config import Config
from webapp.database import db, tenant, transaction
from webapp.errors import ConfigError, DomainError, Invalid, NotFound

FIRST_CLIENT = "My company"
FIRST_USER = "Admin"
FIRST_EMAIL = "admin@localhost"
DEFAULT_CATALOG = "My products"


def init_app(app: Flask) -> None:
    """Add the commands."""
    for command in (bootstrap, create_client, create_user, sign_in_link):
        app.cli.add_command(command)
