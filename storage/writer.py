"""Writing runs from the journal into a Tiled catalog, as far as the journal goes."""

from pathlib import Path
from typing import Any

import numpy as np
from bluesky_tiled_plugins import TiledWriter

from .encoding import for_metadata
from .journal import is_live, read_journal, read_journal_from
from .runs import DIED, complete, unpacked

BATCH = 50
"""Events of a stream that are written together; `benchmarks/storage.py` has the measurement."""


class RunWriter:
    """Write one run into a catalog, while it is being measured or afterwards.

    Parameters
    ----------
    path : Path
        The run's file in the journal.
    catalog : CatalogOfBlueskyRuns
        Client of the container that the run goes to. A part of the run that is there already is
        replaced.
    """

    def __init__(self, path: Path, catalog: Any) -> None:
        self._path = path
        self._catalog = catalog
        self._floats_only = False
        self.whole = False
        self._begin()

    def _begin(self) -> None:
        self._offset = 0
        # 0: an array goes beside the tables, whatever its size, shape and dtype
        self._writer = TiledWriter(self._catalog, batch_size=BATCH, max_array_size=0)
        self._kinds: dict[str, dict[str, str]] = {}

    def advance(self, limit: int = 4 * BATCH) -> bool:
        """Write up to `limit` documents more; sets `whole` after the stop document.

        A run that nobody writes any more and that has no stop document gets one.

        Returns
        -------
        bool
            Whether there was anything to write.
        """
        live = is_live(self._path)  # asked before reading: else its last documents may be missed
        at_start = self._offset == 0
        documents, self._offset = read_journal_from(self._path, self._offset, limit)
        if not documents and not live:
            documents = complete(read_journal(self._path), DIED)[-1:]
            self.whole = not documents
        elif at_start and documents and self._is_there(documents[0][1]["uid"]):
            self.whole = True
            return True
        try:
            for name, document in unpacked(documents):
                self._write(name, document)
        except _NotWholeError:
            self._floats_only = True
            self._begin()
        return bool(documents)

    def _write(self, name: str, document: dict[str, Any]) -> None:
        if name == "event":
            data = self._of_one_kind(document["data"], self._kinds[document["descriptor"]])
            self._writer(name, document | {"data": data})
            return
        if name == "descriptor":
            keys = document["data_keys"].items()
            self._kinds[document["uid"]] = {key: _kind(data_key) for key, data_key in keys}
        self._writer(name, for_metadata(document))
        self.whole = name == "stop"

    def _of_one_kind(self, data: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
        """Make whole numbers of a continuous quantity floats.

        A catalog's column has the type of its first batch, and refuses a fraction after integers.
        A simulated axis that is first moved to 0 calls itself an integer, and then goes to 0.5:
        such a run is begun again with floats for integers.
        """
        same = dict(data)
        for key, kind in kinds.items():
            if kind == "f" or (kind == "i" and self._floats_only):
                same[key] = float(data[key])
            elif kind == "i" and isinstance(data[key], float | np.floating):
                raise _NotWholeError
        return same

    def _is_there(self, uid: str) -> bool:
        """Say whether the catalog has the whole run; if it has a part, remove that."""
        try:
            found = self._catalog[uid]
        except KeyError:
            return False
        last = complete(read_journal(self._path), DIED)[-1][1]
        if dict(found.metadata).get("stop", {}).get("uid") == last["uid"]:
            return True
        # with external_only=True (the default) Tiled refuses to delete what it wrote itself
        self._catalog.delete_contents([uid], recursive=True, external_only=False)
        return False


class _NotWholeError(Exception):
    """A data key that called itself an integer has a fraction."""


def _kind(data_key: dict[str, Any]) -> str:
    """Give ``f`` and ``i`` for a continuous and a whole number, else nothing."""
    if "external" in data_key or data_key["dtype"] not in {"number", "integer"}:
        return ""
    if data_key["dtype"] == "integer":
        return "i"
    return np.dtype(data_key.get("dtype_numpy") or "f8").kind
