"""The notebooks of examples/, executed from beginning to end by a Jupyter kernel."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import jupytext
import numpy as np
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
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


def execute(path: Path, folder: Path) -> Any:
    read = jupytext.read(path)
    kernel = AsyncKernelManager(transport="ipc", ip=str(folder / "kernel"))
    NotebookClient(
        read, km=kernel, timeout=None, resources={"metadata": {"path": str(folder)}}
    ).execute()
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
def test_a_notebook_runs_and_shows_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    words, pictures = outputs(execute(notebook(name), tmp_path))
    said, drawn = SAID[name]
    assert said in words
    assert len(pictures) == drawn
    for picture in pictures:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
