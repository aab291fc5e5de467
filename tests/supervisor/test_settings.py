"""The secret key and the addresses."""

from pathlib import Path

import pytest

from webapp.supervisor.settings import read, secret_key


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    settings = read({"LOTLINE_VAR": str(tmp_path / "var")})
    first = secret_key(settings)
    file = tmp_path / "var" / "secret.key"
    assert len(first) >= 32
    assert secret_key(settings) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret_key(read({"LOTLINE_VAR": str(tmp_path), "SECRET_KEY": "given"})) == "given"


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"PORT": "9000", "HOST": "0.0.0.0"}, "http://127.0.0.1:9000"),
        ({"HOST": "::1"}, "http://[::1]:8000"),
        ({"BASE_URL": "https://lotline.example/"}, "https://lotline.example"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(environment: dict[str, str], address: str) -> None:
    assert read(environment).base_url == address
