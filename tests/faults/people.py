"""People at their browsers, over real HTTP: they sign in, upload, press buttons, and send again what got no answer."""

import io
import re
from typing import Any

import numpy as np
import requests
from PIL import Image

ANSWER_SECONDS = 15


def draw(seed: int) -> bytes:
    """A small photo like no other."""
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


class Person:
    """Somebody who is signed in, by the session cookie `name=token`. Raises requests' errors when nobody answers."""

    def __init__(self, url: str, name: str, token: str) -> None:
        self.url, self.cookie = url, f"{name}={token}"
        self._http = requests.Session()
        self._http.cookies.set(name, token)
        self._form_token: str | None = None

    def again(self) -> "Person":
        """The same person at another browser, for another thread."""
        return Person(self.url, *self.cookie.split("=", 1))

    def get(self, path: str) -> requests.Response:
        """A page."""
        return self._http.get(self.url + path, timeout=ANSWER_SECONDS, allow_redirects=False)

    def press(self, path: str, data: dict[str, Any] | None = None, files: Any = None) -> requests.Response:
        """Send a form as a page of ours would; a script asks, so that the answer is short."""
        return self._http.post(
            self.url + path,
            data={"csrf_token": self._token(), **(data or {})},
            files=files,
            headers={"X-Requested-With": "XMLHttpRequest", "Referer": self.url},
            timeout=ANSWER_SECONDS,
            allow_redirects=False,
        )

    def upload(self, key: object, photos: dict[str, bytes], **fields: str) -> requests.Response:
        """Photos by file name, under the key that the form made."""
        files = [("photos", (name, data, "image/jpeg")) for name, data in photos.items()]
        return self.press("/intake", {"upload_key": str(key), **fields}, files)

    def _token(self) -> str:
        """The token of this session's forms."""
        if self._form_token is None:
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/intake").text)
            if not found:
                raise requests.ConnectionError("the form's page did not come")
            self._form_token = found[1]
        return self._form_token
