"""The photos themselves, to those who may see the product."""

import logging
from pathlib import PurePath
from uuid import UUID

from flask import Blueprint, send_file
from flask.typing import ResponseReturnValue

from webapp import storage
from webapp.access.guard import needs
from webapp.access.models import Role
from webapp.catalog import photos
from webapp.catalog.models import Photo
from webapp.database import reading
from webapp.errors import NotFound

log = logging.getLogger(__name__)
bp = Blueprint("catalog", __name__)

YEAR_SECONDS = 365 * 24 * 60 * 60
COPY_TYPE = "image/jpeg"
"""What display and thumb always are."""


@bp.get("/photos/<uuid:photo_id>/<any(original, display, thumb):variant>")
@needs(Role.STAFF)
def photo(photo_id: UUID, variant: str) -> ResponseReturnValue:
    """A photo's bytes. They never change under their address, so a browser asks once; nobody else may keep them."""
    with reading() as session:
        shown = photos.visible(session, photo_id)
        if shown is None:
            raise NotFound("There is no such photo.")
        key, kind, name, etag = _facts(shown, variant)
    try:
        path = storage.path(key)
    except storage.BytesMissing:
        log.error("photo_bytes_missing", extra={"photo_id": str(photo_id), "key": key})
        raise
    answer = send_file(
        path,
        mimetype=kind,
        as_attachment=variant == "original",
        download_name=name,
        etag=etag,
        conditional=True,
        max_age=YEAR_SECONDS,
    )
    answer.cache_control.public = False
    answer.cache_control.private = True
    answer.cache_control.immutable = True
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _facts(shown: Photo, variant: str) -> tuple[str, str, str, str]:
    """Storage key, MIME type, file name and ETag of a variant."""
    stem, etag = PurePath(shown.file_name).stem or "photo", f"{shown.sha256}-{variant}"
    match variant:
        case "display":
            return shown.display_key, COPY_TYPE, f"{stem}.jpg", etag
        case "thumb":
            return shown.thumb_key, COPY_TYPE, f"{stem}-small.jpg", etag
    return shown.original_key, shown.mime_type, f"{stem}{PurePath(shown.original_key).suffix}", etag
