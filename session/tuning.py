"""The sweep of an agent's options as the command line asks for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .past import find_chain


def run_tune(
    agent: str,
    vary: Sequence[str],
    *,
    images: Sequence[str] = (),
    out: Path | None = None,
    uids: Sequence[str] = (),
    tiled: str | None = None,
    key: str | None = None,
    plot: Path | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Try an agent's options on images, or on the runs of a folder.

    Parameters
    ----------
    agent : str
    vary : sequence of str
        Of the form ``NAME=VALUE,VALUE``, or ``NAME=[...]`` with a JSON list.
    images : sequence of str
    out : Path, optional
        A folder with runs; its latest is taken where no uid is given.
    uids : sequence of str
        Runs of the folder, or the beginnings of their uids.
    tiled, key
        As in ``run_replay``.
    plot : Path, optional
        Where the picture will go; refused here if it cannot.
    **settings
        As in ``rehearsal.tune``.

    Returns
    -------
    list of dict
        As ``rehearsal.tune``.
    """
    if plot is not None:
        _check_plot(plot)
    if (uids or tiled) and out is None:
        raise ValueError("--run and --tiled need --out, the folder that the runs are in")
    options = dict(map(read_values, vary))
    if not options:
        raise ValueError(
            "give an option to vary: --vary NAME=VALUE,VALUE; see skysteer tune --help"
        )
    from ..rehearsal import read_past_scan, tune
    from ..storage import as_one_run

    chains = [find_chain(out, uid, tiled) for uid in uids or (None,)] if out else []
    pasts = [read_past_scan(list(as_one_run(chain)), key) for chain in chains]
    return tune(agent, options, images=images, pasts=pasts, **settings)


def read_values(text: str) -> tuple[str, list[Any]]:
    """Read ``NAME=VALUE,VALUE``: each value as JSON, or else as the text that it is.

    Raises
    ------
    ValueError
        If there is no name, or a value is missing.

    Examples
    --------
    >>> read_values("flatness=0,0.25")
    ('flatness', [0, 0.25])
    >>> read_values("weights=[null, 'a.safetensors']".replace("'", '"'))
    ('weights', [None, 'a.safetensors'])
    """
    name, _, values = text.partition("=")
    whole = _value(values)
    parts = whole if isinstance(whole, list) else [_value(part) for part in values.split(",")]
    if not name.strip() or not parts or "" in parts:
        raise ValueError(
            f"--vary takes NAME=VALUE,VALUE such as flatness=0,0.25, but {text!r} came"
        )
    return name.strip(), parts


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text.strip()


def _check_plot(path: Path) -> None:
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--plot takes a .png, .pdf or .svg file, but {path} came")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"--plot must lie in a folder that is there, but {path.parent} is not"
        )
