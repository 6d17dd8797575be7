"""The mailbox: what is taken, what is refused, and that it belongs to one user and one scan."""

import os
import shutil
import stat
import threading
import time

import orjson
import pytest

from skysteer.storage import Answer, Mailbox, post
from skysteer.storage.mailbox import LARGEST, MOST


@pytest.fixture
def box(tmp_path):
    mailbox = Mailbox(tmp_path)
    yield mailbox
    mailbox.close()


def drop(folder, content, name="00000000000000000001-0123abcd.json"):
    """Put a file where `post` puts its messages."""
    path = folder / "inbox" / "new" / name
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path


def token(folder):
    return orjson.loads((folder / "inbox" / "token").read_bytes())["token"]


def answering(mailbox, *answers):
    """A thread that plays the scan: it gives these answers; what it read is in the list."""
    read = []

    def serve():
        left = list(answers)
        while left:
            for letter in mailbox.collect():
                read.append((letter.content, letter.objection))
                letter.reply(*left.pop(0))
            time.sleep(0.005)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, read


def test_a_message_arrives_whole_and_its_answer_comes_back(tmp_path, box):
    thread, read = answering(box, (True, ""), (False, "no such decision"))
    assert post(tmp_path, {"kind": "pause", "detail": {"why": "tea"}}, 30) == Answer(True)
    assert post(tmp_path, {"kind": "approve"}, 30) == Answer(False, "no such decision")
    thread.join()
    assert read == [({"kind": "pause", "detail": {"why": "tea"}}, ""), ({"kind": "approve"}, "")]
    assert not list((tmp_path / "inbox" / "new").iterdir())
    assert not list((tmp_path / "inbox" / "answers").iterdir())
    assert not list((tmp_path / "inbox" / "half").iterdir())


def test_messages_are_taken_in_the_order_in_which_they_were_sent(tmp_path, box):
    for k in range(5):
        with pytest.raises(TimeoutError):
            post(tmp_path, {"number": k}, 0)
    assert [letter.content["number"] for letter in box.collect()] == [0, 1, 2, 3, 4]


def test_token_and_messages_are_for_this_user_alone(tmp_path, box):
    with pytest.raises(TimeoutError):
        post(tmp_path, {"kind": "stop"}, 0)
    assert stat.S_IMODE((tmp_path / "inbox").stat().st_mode) == 0o700
    files = [path for path in (tmp_path / "inbox").rglob("*") if path.is_file()]
    assert len(files) == 3  # token, lock, message
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_mailbox_that_was_open_to_others_is_closed_to_them(tmp_path):
    (tmp_path / "inbox").mkdir(mode=0o777)
    (tmp_path / "inbox").chmod(0o777)
    box = Mailbox(tmp_path)
    assert stat.S_IMODE((tmp_path / "inbox").stat().st_mode) == 0o700
    box.close()


def test_a_mailbox_is_never_a_link_to_elsewhere(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "inbox").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="folder of this user"):
        Mailbox(tmp_path)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"kind": "stop"}, "token"),
        ({"kind": "stop", "token": "guess"}, "token"),
        ({"kind": "stop", "token": None}, "token"),
        ({"kind": "stop", "token": "\u00fcml\u00e4ut"}, "token"),
        (b"not json", "one JSON object"),
        (b"[1, 2]", "one JSON object"),
        (b"[" * 50_000, "one JSON object"),
        (b"", "one JSON object"),
        (b"\x80\x04K*.", "one JSON object"),  # a pickle
        (b'{"kind": "' + b"x" * LARGEST + b'"}', f"at most {LARGEST} bytes"),
    ],
    ids=range(10),
)
def test_what_is_not_a_message_of_this_scans_user_is_refused(tmp_path, box, content, why):
    path = drop(tmp_path, content)
    (letter,) = box.collect()
    assert letter.content == {} and why in letter.objection
    assert not path.exists() and box.collect() == []


def test_links_pipes_and_folders_are_refused_and_hold_nothing_up(tmp_path, box):
    new = tmp_path / "inbox" / "new"
    (tmp_path / "secret").write_text("{}")
    (new / "a").symlink_to(tmp_path / "secret")
    os.mkfifo(new / "b")
    (new / "c").mkdir()
    assert all(letter.objection and not letter.content for letter in box.collect())
    assert box.collect() == [], "what cannot be taken away is not read again"
    assert (tmp_path / "secret").exists()


def test_an_answer_goes_nowhere_but_among_the_answers(tmp_path, box):
    drop(tmp_path, {"kind": "stop", "token": token(tmp_path)}, name="..token")
    (letter,) = box.collect()
    letter.reply(True, "")
    assert letter.content == {"kind": "stop"}
    assert not list((tmp_path / "inbox" / "answers").iterdir())


def test_a_flood_is_taken_in_portions(tmp_path, box):
    for k in range(3 * MOST):
        drop(tmp_path, b"{}", name=f"{k:020d}-00000000.json")
    assert [len(box.collect()) for _ in range(4)] == [MOST, MOST, MOST, 0]


def test_a_mailbox_that_somebody_removes_ends_no_scan(tmp_path, box):
    drop(tmp_path, {"kind": "stop", "token": token(tmp_path)})
    (letter,) = box.collect()
    shutil.rmtree(tmp_path / "inbox")
    letter.reply(True, "")
    assert box.collect() == []


def test_a_message_that_is_too_long_is_not_sent(tmp_path, box):
    with pytest.raises(ValueError, match="at most 65536 bytes"):
        post(tmp_path, {"why": "x" * LARGEST}, 0)
    assert box.collect() == []


def test_no_message_is_left_where_no_scan_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="no scan runs in"):
        post(tmp_path, {"kind": "stop"}, 0)
    assert not list(tmp_path.iterdir())
    Mailbox(tmp_path).close()
    with pytest.raises(FileNotFoundError, match="no scan runs in"):
        post(tmp_path, {"kind": "stop"}, 0)


def test_a_scan_that_ends_tells_those_who_wait(tmp_path):
    box = Mailbox(tmp_path)
    timer = threading.Timer(0.1, box.close)
    timer.start()
    with pytest.raises(FileNotFoundError, match="ended before it took the message"):
        post(tmp_path, {"kind": "stop"}, 60)
    timer.join()


def test_a_message_for_a_scan_that_is_over_does_not_reach_the_next(tmp_path):
    first = Mailbox(tmp_path)
    with pytest.raises(TimeoutError, match="has not taken the message"):
        post(tmp_path, {"kind": "stop"}, 0)
    old = token(tmp_path)
    first.close()
    second = Mailbox(tmp_path)
    assert second.collect() == []
    drop(tmp_path, {"kind": "stop", "token": old})
    assert "token" in second.collect()[0].objection
    second.close()


def test_a_folder_takes_the_messages_of_one_scan_at_a_time(tmp_path, box):
    with pytest.raises(RuntimeError, match="another scan runs in"):
        Mailbox(tmp_path)
