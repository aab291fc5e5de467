"""Lotline: from a photo on the dock to a listing on every channel."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> "Flask":
    """The app as the environment describes it, for `flask --app webapp`.

    A bad environment ends the process with one line. Imported inside: the pure phases and the hub live in this
    package too and start without Flask.
    """
    from webapp.app import create_app as join
    from webapp.config import exit_on_config_error

    with exit_on_config_error():
        return join()
