"""The site, built as `make docs` does: the notebooks run, the reference made, no warning."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skysteer
from skysteer import agent, plans, rehearsal

ROOT = Path(skysteer.__file__).parent


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_site_is_built_without_a_warning_and_has_every_public_name(tmp_path: Path):
    pytest.importorskip("myst_nb", reason="needs the extra docs: make docs brings it")
    shutil.rmtree(ROOT / "docs" / "reference" / "generated", ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "html")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    made = {path.stem for path in (tmp_path / "html" / "reference" / "generated").glob("*.html")}
    for room in (agent, plans, rehearsal):
        face = {f"{room.__name__}.{name}": getattr(room, name) for name in room.__all__}
        told = {name for name, thing in face.items() if inspect.isroutine(thing)}
        told |= {name for name, thing in face.items() if inspect.isclass(thing)}
        assert told <= made and len(told) > 10  # constants and type aliases have no page
    page = (tmp_path / "html" / "explanation" / "how-it-decides.html").read_text()
    assert len(re.findall(r'<img [^>]*src="[^"]+_images/[^"]+\.png"', page)) >= 5
    for broken in (tmp_path / "html").rglob("*.html"):
        assert "Traceback (most recent call last)" not in broken.read_text()
