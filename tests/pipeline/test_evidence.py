"""What stands beside a found value: the crop of the photo, and the known product's photo that it was laid beside."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from flask import current_app

from webapp.phases.facts import Box, Evidence, Field
from webapp.phases.facts.fields import PROPOSED
from webapp.pipeline.subjects import PhotoCard


def shown(**changes) -> str:
    photo = PhotoCard(
        id=uuid4(),
        thumb_url="/t",
        display_url="/own/display",
        original_url="/o",
        file_name="shelf.jpg",
        width=800,
        height=600,
        is_primary=True,
        size_bytes=1000,
        quality_score=90,
        quality_says="",
    )
    witness = Evidence(
        kind="photo",
        says="A photo of “Lamp” shows the same package.",
        weight=0.9,
        photo_id=str(photo.id),
        box=Box(left=0.25, top=0.5, width=0.5, height=0.25),
        **changes,
    )
    template = current_app.jinja_env.get_template("pipeline/_evidence.html")
    return template.render(evidence=[witness], photos=[photo])


def test_a_reference_photo_stands_beside_the_crop_of_the_own_one(in_app):
    reference = str(uuid4())
    html = shown(reference_photo_id=reference)
    assert f'src="/photos/{reference}/display"' in " ".join(html.split())
    assert 'x="200.0" y="300.0" width="400.0" height="150.0"' in " ".join(html.split())
    assert html.count('class="crop"') == 2


def test_without_a_reference_photo_only_the_crop_stands_there(in_app):
    html = shown()
    assert html.count('class="crop"') == 1
    assert "/photos/" not in html


@pytest.mark.parametrize(
    ("confidence", "by", "is_guess"),
    [(PROPOSED - 1, "machine", True), (PROPOSED, "machine", False), (PROPOSED - 1, "reviewer", False)],
)
def test_what_is_too_unsure_to_be_claimed_is_called_a_guess(in_app, confidence, by, is_guess):
    template = current_app.jinja_env.get_template("pipeline/_fact.html")
    fact = Field(value="KX200", confidence=confidence, written_by=by)
    html = template.render(key="model", label="Model", fact=fact, photos=[], run=SimpleNamespace(id=uuid4()))
    assert "KX200" in html
    assert ("a guess" in html) is is_guess
