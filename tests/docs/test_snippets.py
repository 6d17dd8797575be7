"""Every Python snippet of the pages, run from top to bottom; every command in them exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from PIL import Image

import skysteer
from skysteer.cli import app
from skysteer.simulators import Ioc, IocOptions

ROOT = Path(skysteer.__file__).parent
PAGES = sorted(
    path
    for folder in ("docs", "examples", ".")
    for path in ((ROOT / folder).rglob("*.md") if folder != "." else ROOT.glob("*.md"))
    if not {"_build", "generated", "jupyter_execute"} & set(path.parts)
)
GIVEN = {  # what a page takes as given
    "surrogate.md": "import numpy as np\n"
    "pixels = np.argwhere(np.random.default_rng(1).random((256, 256)) < 0.01)\n"
    "counts = np.random.default_rng(2).poisson(pixels.sum(axis=1))\n",
}
ELSEWHERE = {"README.md": 2, "desk.md": 1}  # how many run below, in test_house and in test_shell


def snippets(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """What calls skysteer, in blocks, in indented lines, and between backticks."""
    text = page.read_text().replace("\\\n", " ")
    fences = re.findall(r"^```(\S*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    plain = "\n".join(block for language, block in fences if not language)
    lines = re.findall(r"^(skysteer .+)$", plain, re.MULTILINE)
    lines += re.findall(r"^ {4}(skysteer .+)$", text, re.MULTILINE)
    lines += re.findall(r"`(skysteer [^`\n]+)`", text)
    calls = (shlex.split(line, comments=True)[1:] for line in lines)
    return [words for words in calls if words and words[0].islower() and "..." not in words]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if snippets(page) and page.name not in ELSEWHERE],
    ids=lambda page: page.name,
)
def test_the_pages_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code = GIVEN.get(page.name, "") + "\n".join(snippets(page))
    names: dict[str, Any] = {"__name__": page.stem}
    exec(compile(code, str(page), "exec"), names)
    for made in tmp_path.glob("*.png"):
        with Image.open(made) as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_no_snippet_is_left_that_nothing_runs():
    assert {p.name: len(snippets(p)) for p in PAGES if p.name in ELSEWHERE} == ELSEWHERE


@pytest.mark.timeout(600)
def test_the_readmes_session_runs_at_a_microscope(tmp_path: Path):
    (session,) = (code for code in snippets(ROOT / "README.md") if "ScanStage" in code)
    small = session.replace("256", "20").replace("0.15", "0.1")
    checks = "\nprint(len(open_catalog('runs')[-1]['primary'].read()['counter']))"
    with Ioc(IocOptions(prefix="BL:", shape=(20, 20), pixel_size=2.0)) as ioc:
        done = subprocess.run(
            [sys.executable, "-c", small + checks],
            cwd=tmp_path,
            env={**os.environ, **ioc.environment},
            capture_output=True,
            text=True,
            timeout=400,
        )
    assert done.stdout.split() == ["40"], done.stderr


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "skysteer " in p.read_text()], ids=lambda page: page.name
)
def test_the_pages_commands_are_there_with_their_options(page: Path):
    group: Any = typer.main.get_command(app)
    for name, *words in commands(page):
        if name == "--help":
            continue
        command = group.commands.get(name)
        assert command, f"there is no command {name}"
        takes = {option for parameter in command.params for option in parameter.opts}
        given = {word for word in words if re.match(r"--?[a-z]", word)}
        assert name == "ioc" or given <= takes | {"--help"}  # the IOC reads its own options
