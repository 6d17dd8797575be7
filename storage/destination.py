"""Where a data folder keeps its journal and what belongs to a catalog that is fed from it."""

import fcntl
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Destination:
    """A catalog that the runs of a data folder go to.

    Parameters
    ----------
    folder : Path
        The data folder. Its journal is in ``journal/``.
    url : str or None
        A Tiled server's container; None for the folder's own catalog, in ``catalog/``.
    """

    folder: Path
    url: str | None = None

    @classmethod
    def existing(cls, folder: str | os.PathLike[str], url: str | None = None) -> "Destination":
        """Take a folder that holds a journal.

        Raises
        ------
        FileNotFoundError
            If it holds none: reading makes no folder.
        """
        found = cls(Path(folder).resolve(), url)
        if not found.journal.is_dir():
            raise FileNotFoundError(
                f"expected a data folder, but {folder} holds no journal: "
                "name one with --out, or folder="
            )
        return found

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def state(self) -> Path:
        """Where the keeper of this destination leaves its files."""
        if self.url is None:
            return self.folder / "catalog"
        return self.folder / f"tiled-{hashlib.sha256(self.url.encode()).hexdigest()[:8]}"

    @property
    def outbox(self) -> Path:
        """One file for each run that must still reach the catalog.

        It is empty, or says in one line why the run could not.
        """
        return self.state / "outbox"

    @property
    def users(self) -> Path:
        """Every process that uses this destination holds a shared lock on this file."""
        return self.state / "users.lock"

    @property
    def keeper(self) -> Path:
        """The one process that feeds this destination holds an exclusive lock on this file."""
        return self.state / "keeper.lock"

    @property
    def log(self) -> Path:
        return self.state / "keeper.log"

    @property
    def card(self) -> Path:
        """The keeper's pid, and address and key of its server; for this user's eyes only."""
        return self.state / "keeper.json"

    def make(self) -> None:
        self.journal.mkdir(parents=True, exist_ok=True)
        self.outbox.mkdir(parents=True, exist_ok=True)

    def is_unused(self) -> bool:
        """Say whether no process uses this destination."""
        file = seize(self.users)
        if file is not None:
            os.close(file)
        return file is not None

    def announce(self, uid: str, trouble: str = "") -> None:
        """Ask the keeper to bring a run into the catalog, or say why it could not."""
        (self.outbox / file_name(uid)).write_text(trouble)

    def arrived(self, uid: str) -> None:
        """Take a run that has reached the catalog off the outbox."""
        (self.outbox / uid).unlink()

    def keeper_card(self) -> dict[str, Any] | None:
        """Read the keeper's card; None if no keeper serves."""
        try:
            card = json.loads(self.card.read_text())
        except FileNotFoundError:
            return None
        # a keeper that was killed leaves its card behind, but not its lock
        return card if is_seized(self.keeper) else None

    def pending(self) -> dict[str, str]:
        """Give the runs that must still reach the catalog, each with what hindered it, if any."""
        pending = {}
        for path in self.outbox.glob("*"):
            try:
                pending[path.name] = path.read_text().strip()
            except FileNotFoundError:  # it has just arrived
                continue
        return pending


def file_name(uid: str) -> str:
    """Take a run's uid for a file's name.

    Raises
    ------
    ValueError
        If it could name a file elsewhere: documents may come from anywhere.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", uid):
        raise ValueError(
            "a run's uid names files, and takes letters, digits, '-', '_' and '.', but "
            f"{uid!r:.60} came"
        )
    return uid


def refuse_secrets(url: str | None) -> None:
    """Refuse a URL with a key or a password in it: a URL is shown, and stands in files.

    Raises
    ------
    ValueError
        Without the secret.
    """
    parts = urlsplit(url or "")
    if parts.password or "api_key" in parts.query:
        raise ValueError(
            f"the URL of {parts.hostname} holds a key or a password: leave it out, and put the key "
            "into the environment variable TILED_API_KEY"
        )


def share(path: Path) -> int:
    """Lock a file together with others; the lock ends with the process, however that ends.

    Returns
    -------
    int
        The open file, to be closed by `os.close`.
    """
    file = _open(path)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def seize(path: Path) -> int | None:
    """Lock a file alone; None if somebody else has locked it."""
    return _try(path, fcntl.LOCK_EX)


def is_seized(path: Path) -> bool:
    """Say whether somebody has locked this file alone."""
    file = _try(path, fcntl.LOCK_SH)
    if file is not None:
        os.close(file)
    return file is None


def _try(path: Path, mode: int) -> int | None:
    file = _open(path)
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
