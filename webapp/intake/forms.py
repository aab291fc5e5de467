"""What the upload form sends, read into plain values; faults are named by field and what was typed is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast
from uuid import UUID

from werkzeug.datastructures import FileStorage

from webapp.database import new_id
from webapp.intake.pictures import Upload
from webapp.lib import text
from webapp.phases.facts import Condition

FIELDS = ("name", "model", "condition", "catalog")
NAME_LENGTH = 200
MODEL_LENGTH = 100
FILE_NAME_LENGTH = 150


@dataclass
class IntakeForm:
    """One upload. `values` is what was typed, `errors` what is wrong with it (key '' = the whole form)."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    catalog_id: UUID | None = None
    upload_key: UUID = field(default_factory=new_id)
    keeps_duplicates: bool = False
    source_data: dict[str, Any] | None = None

    @property
    def hints(self) -> dict[str, str]:
        """What the uploader told about the product, for the run."""
        return {key: self.values[key] for key in ("name", "model", "condition") if self.values.get(key)}


def read(posted: Mapping[str, str], files: Iterable[FileStorage]) -> IntakeForm:
    """The form as posted. A browser sends an empty, nameless part for a file input that nobody used: it counts as
    nothing. Without a readable upload key the upload gets one of its own."""
    form = IntakeForm(
        values={name: text.clean(posted.get(name, "")) for name in FIELDS},
        uploads=uploads(files),
        upload_key=_uuid(posted.get("upload_key", "")) or new_id(),
        keeps_duplicates=posted.get("keep_duplicates") == "yes",
    )
    _check_length(form, "name", NAME_LENGTH)
    _check_length(form, "model", MODEL_LENGTH)
    if form.values["condition"] not in ("", *Condition):
        form.errors["condition"] = "Choose one of the conditions in the list."
    if form.values["catalog"]:
        form.catalog_id = _uuid(form.values["catalog"])
        if form.catalog_id is None:
            form.errors["catalog"] = "Choose one of the catalogs in the list."
    if not form.uploads:
        form.errors[""] = "Add at least one photo: without one there is nothing to work on."
    return form


def uploads(files: Iterable[FileStorage]) -> list[Upload]:
    """The files of a form that have a name."""
    return [Upload(_file_name(file), cast(BinaryIO, file.stream)) for file in files if file.filename]


def _check_length(form: IntakeForm, name: str, limit: int) -> None:
    length = len(form.values[name])
    if length > limit:
        form.errors[name] = f"At most {limit} characters are taken; these are {length}."


def _file_name(file: FileStorage) -> str:
    """The name without folders (some browsers send them), at a length that any file system takes."""
    bare = PurePosixPath(text.clean(file.filename or "").replace("\\", "/"))
    return f"{bare.stem[:FILE_NAME_LENGTH]}{bare.suffix[:10]}" or "photo"


def _uuid(raw: str) -> UUID | None:
    try:
        return UUID(raw.strip())
    except ValueError:
        return None
