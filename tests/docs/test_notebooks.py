"""The notebooks of examples/, executed from beginning to end by a Jupyter kernel.

One kernel does them all, each with names and a folder of its own: half of what a short one takes
is imports. `make docs` gives each a fresh one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.util import run_sync
from PIL import Image

import skysteer

ROOT = Path(skysteer.__file__).parent
SAID = {  # what a reader must find in the output, and how many pictures
    "first_adaptive_scan": ("stop_reason='coverage 0.15'", 1),
    "overview_then_region": ("times fewer", 3),
    "tune_on_past_data": ("points saved", 1),
    "write_your_own_agent": ("edge_seeker.py:EdgeSeeker", 1),
    "bring_your_own_devices": ("diode_transmission", 2),
    "compare_agents_fairly": ("low-discrepancy   1.000  1.000  1.000", 1),
}
IN_DOCS = {
    "how-it-decides": "explanation/how-it-decides.md",
    "command-line": "reference/command-line.md",
}
SAID |= {
    "how-it-decides": ("in their 90 % interval", 6),
    "command-line": ("Usage: skysteer tune", 0),
}


def notebook(name: str) -> Path:
    return ROOT / "docs" / IN_DOCS[name] if name in IN_DOCS else ROOT / "examples" / f"{name}.md"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsyncKernelManager]:
    place = tmp_path_factory.mktemp("kernel")
    manager = AsyncKernelManager(transport="ipc", ip=str(place / "kernel"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(place / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(place / "runtime"))
        yield manager
        if manager.has_kernel:
            run_sync(manager.shutdown_kernel)(now=True)


def execute(path: Path, folder: Path, kernel: AsyncKernelManager) -> Any:
    read = jupytext.read(path)
    first = nbformat.v4.new_code_cell(f"%reset -f\n%cd -q {folder}")
    NotebookClient(nbformat.v4.new_notebook(cells=[first]), km=kernel, timeout=None).execute()
    NotebookClient(read, km=kernel, timeout=None).execute()
    return read


def outputs(read: Any) -> tuple[str, list[Image.Image]]:
    words, pictures = [], []
    for output in (o for cell in read.cells for o in cell.get("outputs", ())):
        data = output.get("data", {})
        words.append(output.get("text", "") + data.get("text/plain", ""))
        if "image/png" in data:
            pictures.append(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))))
    return "\n".join(words), pictures


def test_every_notebook_is_executed():
    pages = [*(ROOT / "examples").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    notebooks = {path.stem for path in pages if "{code-cell}" in path.read_text()}
    assert notebooks == {*SAID, *IN_DOCS}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SAID)
def test_a_notebook_runs_and_shows_what_it_says(name, tmp_path, kernel):
    words, pictures = outputs(execute(notebook(name), tmp_path, kernel))
    said, drawn = SAID[name]
    assert said in words
    assert len(pictures) == drawn
    for picture in pictures:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
