"""The mailbox of a running scan: a folder into which its user's other processes put messages."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from .destination import is_seized, seize

LARGEST = 65536
"""Bytes of a message; what is longer is refused unread."""
MOST = 16
"""Messages taken at one look: whoever floods the mailbox must not hold up the scan."""
LOOK = 0.02
"""Seconds between two looks for an answer."""

NAME = re.compile(r"\d{20}-[0-9a-f]{8}\.json")


@dataclass(frozen=True)
class Letter:
    """A message as it came.

    Attributes
    ----------
    content : dict
        What it says, still to be validated; empty where there is an objection.
    objection : str
        Why it may not be read; empty where it may.
    reply : callable
        Takes whether it was obeyed, and why not: for whoever waits.
    """

    content: dict[str, Any]
    objection: str
    reply: Callable[[bool, str], None]


class Mailbox:
    """The receiving end, for the process that scans.

    Only this user can put anything into it (its folder has mode 0700), and only a message that
    bears the token of *this* scan is read: one for a scan that is over has no effect on the next.

    Parameters
    ----------
    folder : path
        The data folder; its mailbox is in ``inbox/``.

    Raises
    ------
    RuntimeError
        If another scan runs in this folder.
    OSError
        If ``inbox`` is there and is not a folder of this user.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._place = Path(folder).resolve() / "inbox"
        _make_private(self._place)
        lock = seize(self._place / "lock")
        if lock is None:
            raise RuntimeError(
                f"another scan runs in {folder} and takes its messages: give this one a folder "
                "of its own"
            )
        self._lock = lock
        self._seen: set[str] = set()
        for part in ("new", "answers", "half"):
            _make_private(self._place / part)
            for left in (self._place / part).iterdir():  # of a scan that was killed
                with suppress(OSError):
                    left.unlink()
        self._token = secrets.token_hex(16)
        _put(self._place, "token", {"token": self._token})

    def collect(self) -> list[Letter]:
        """Take the messages that have come, in the order in which they were sent."""
        try:
            names = os.listdir(self._place / "new")
        except OSError:  # somebody has removed it: no reason for a scan to end
            return []
        if not names:
            return []
        fresh = sorted(name for name in names if name not in self._seen)[:MOST]
        self._seen.update(fresh)
        return [self._open(name) for name in fresh]

    def close(self) -> None:
        """Take no more; whoever still waits for an answer hears that the scan is over."""
        with suppress(OSError):
            (self._place / "token").unlink()
        os.close(self._lock)

    def _open(self, name: str) -> Letter:
        path = self._place / "new" / name
        reply = partial(self._reply, name)
        try:
            return Letter(self._content(_read(path)), "", reply)
        except (OSError, ValueError) as error:
            return Letter({}, str(error), reply)
        finally:
            with suppress(OSError):
                path.unlink()

    def _reply(self, name: str, taken: bool, why: str) -> None:
        # a full disk, or a name that no `post` gave: the scan is not to suffer from either
        if NAME.fullmatch(name):
            with suppress(OSError):
                _put(self._place, f"answers/{name}", {"taken": taken, "why": why})

    def _content(self, text: bytes) -> dict[str, Any]:
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise ValueError("a message is one JSON object")
        token = content.pop("token", None)
        if not (
            isinstance(token, str) and hmac.compare_digest(token.encode(), self._token.encode())
        ):
            raise ValueError("it does not bear this scan's token")
        return content


@dataclass(frozen=True)
class Answer:
    """What a scan says to a message: whether it was taken, and why not."""

    taken: bool
    why: str = ""


def post(folder: str | os.PathLike[str], content: Mapping[str, Any], timeout: float) -> Answer:
    """Send a message to the scan that runs in a folder, and wait for its answer.

    Parameters
    ----------
    folder : path
        The scan's data folder.
    content : mapping
        JSON-able; at most 64 KiB.
    timeout : float
        Seconds to wait for the answer.

    Raises
    ------
    FileNotFoundError
        If no scan runs there.
    ValueError
        If the message is too long.
    TimeoutError
        If it has not been taken in that time; it stays in the mailbox.
    """
    place = Path(folder).resolve() / "inbox"
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    _put(place, f"new/{name}", {**content, "token": _token(place, folder)})
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        over = not is_seized(place / "lock")
        with suppress(FileNotFoundError):
            answer = orjson.loads(_read(place / "answers" / name))
            (place / "answers" / name).unlink()
            return Answer(answer["taken"], answer["why"])
        if over:
            raise FileNotFoundError(f"the scan in {folder} ended before it took the message")
        time.sleep(LOOK)
    raise TimeoutError(
        f"the scan in {folder} has not taken the message within {timeout:g} s: it is taken "
        "after the present exposure or decision, or when a paused scan goes on"
    )


def bears_token(folder: str | os.PathLike[str], token: str) -> bool:
    """Say whether somebody can read the token of the scan that runs in a folder.

    Raises
    ------
    FileNotFoundError
        If no scan runs there.
    """
    expected = _token(Path(folder).resolve() / "inbox", folder)
    return hmac.compare_digest(token.encode(), expected.encode())


def takes_messages(folder: str | os.PathLike[str]) -> bool:
    """Say whether a scan with a mailbox runs in a folder, or has died there, and touch no lock."""
    return (Path(folder) / "inbox" / "token").exists()


def _token(place: Path, folder: str | os.PathLike[str]) -> str:
    lock = place / "lock"
    with suppress(FileNotFoundError):
        if lock.exists() and is_seized(lock):
            return orjson.loads(_read(place / "token"))["token"]
    raise FileNotFoundError(
        f"no scan runs in {folder}: name the folder of one that runs with --out"
    )


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = folder.lstat()
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.geteuid():
        raise PermissionError(f"expected {folder} to be a folder of this user: move it away")
    folder.chmod(0o700)


def _put(place: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write by rename, so that nobody ever reads half of it; for this user's eyes only."""
    text = orjson.dumps(content)
    if len(text) > LARGEST:
        raise ValueError(f"a message has at most {LARGEST} bytes, but this one has {len(text)}")
    half = place / "half" / Path(name).name
    file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as writer:
        writer.write(text)
    half.rename(place / name)


def _read(path: Path) -> bytes:
    """Read a plain file of bounded size; no link, no pipe that would never end."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as reader:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("a message is a plain file")
        text = reader.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(f"a message has at most {LARGEST} bytes")
    return text
