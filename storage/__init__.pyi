from .catalog import open_catalog
from .chain import (
    LiveRunError,
    as_one_run,
    check_abandoned,
    close_run,
    documents_of_chain,
    read_chain,
)
from .delivery import Delivery
from .encoding import decode_line, encode_line
from .journal import Document, Journal, is_live, read_journal, read_journal_from
from .mailbox import Answer, Mailbox, bears_token, post, takes_messages
from .read import RecordedRun, read_run
from .runs import JournalEntry, complete, last_wins, list_runs
from .store import Store
from .sync import sync

__all__ = [
    "Answer",
    "Delivery",
    "Document",
    "Journal",
    "JournalEntry",
    "LiveRunError",
    "Mailbox",
    "RecordedRun",
    "Store",
    "as_one_run",
    "bears_token",
    "check_abandoned",
    "close_run",
    "complete",
    "decode_line",
    "documents_of_chain",
    "encode_line",
    "is_live",
    "last_wins",
    "list_runs",
    "open_catalog",
    "post",
    "read_chain",
    "read_journal",
    "read_journal_from",
    "read_run",
    "sync",
    "takes_messages",
]
