"""What is called by dotted string exists: a misspelt one would only be noticed when a bell rings."""

import pytest

from webapp.live.fragments import Fragments
from webapp.pipeline.tasks import ENGINES
from webapp.work.kinds import CONFIG_KEY, resolve


def test_every_kind_of_work_names_functions(app):
    for kind in app.config[CONFIG_KEY].values():
        assert callable(resolve(kind.perform))
        assert callable(resolve(kind.failed))
        assert not kind.facts or callable(resolve(kind.facts))


@pytest.mark.parametrize("engine", ENGINES.values())
def test_every_phase_has_its_engine(engine):
    assert callable(resolve(engine))


def test_every_live_topic_has_a_provider(app):
    fragments = Fragments(app.config["LIVE_PROVIDERS"])
    for kind in app.config["LIVE_PROVIDERS"]:
        provider = fragments.of_kind(kind)
        assert all(callable(getattr(provider, name)) for name in ("may_watch", "state", "frames"))


def test_the_web_process_loads_no_engine():
    """Pillow, OpenCV, ONNX and their kin stay out of the web process: they are large, and hostile bytes reach them."""
    import subprocess
    import sys

    code = (
        "import sys, webapp.app; heavy = {'PIL', 'cv2', 'onnxruntime', 'rapidocr', 'zxingcpp', 'numpy', 'wasmtime'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
