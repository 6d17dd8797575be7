"""`skysteer export` and `skysteer report`, on the journal of a run."""

from __future__ import annotations

import sys

import h5py
import pytest

from skysteer.cli import main
from skysteer.storage import Journal


@pytest.fixture
def folder(adaptive_run, tmp_path):
    """A data folder that holds one run."""
    out = tmp_path / "runs"
    (out / "journal").mkdir(parents=True)
    journal = Journal(out / "journal")
    for name, doc in adaptive_run:
        journal(name, doc)
    journal.close()
    return out


@pytest.fixture
def skysteer(monkeypatch, capsys):
    """Runs a command; returns its exit code, and what it said on the two streams."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["skysteer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_a_run_is_exported_by_the_beginning_of_its_uid_or_as_the_latest(
    skysteer, folder, adaptive_run, tmp_path
):
    uid = adaptive_run[0][1]["uid"]
    for named in ([uid[:8]], []):
        file = tmp_path / "run.nxs"
        assert skysteer("export", *named, "--out", folder, "--to", file) == (0, f"{file}\n", "")
        with h5py.File(file) as exported:
            assert exported["entry/entry_identifier"][()].decode() == uid
        file.unlink()


def test_a_report_is_made_later_beside_the_run_or_where_one_says(
    skysteer, folder, adaptive_run, tmp_path
):
    uid = adaptive_run[0][1]["uid"]
    code, said, _ = skysteer("report", uid, "--out", folder)
    assert (code, said.strip()) == (0, str(folder / f"report-{uid[:8]}.html"))
    assert uid in (folder / f"report-{uid[:8]}.html").read_text()
    assert skysteer("report", "--out", folder, "--to", tmp_path / "it.html")[0] == 0
    assert uid in (tmp_path / "it.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("export", "nope", "--to", "a.nxs"), "no runs answer to 'nope'"),
        (("export", "--to", "a.docx"), "exported to .nxs, "),
        (("export",), "Missing option '--to'"),
        (("export", "--to", "no/such/a.nxs"), "no folder no/such"),
        (("report", "nope"), "no runs answer to 'nope'"),
        (("report", "--to", "no/such/it.html"), "no/such"),
    ],
)
def test_bad_input_is_told_in_one_line_with_exit_code_2(skysteer, folder, arguments, complaint):
    code, said, complained = skysteer(*arguments, "--out", folder)
    assert (code, said) == (2, "")
    assert complaint in complained and complained.count("\n") == 1
    assert complained.startswith("skysteer: ")
