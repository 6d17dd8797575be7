from __future__ import annotations

import json
import time

import bluesky.plans as bp
import numpy as np
import pytest
from bluesky import RunEngine
from ophyd.sim import det

from skysteer.plans import Inbox, adaptive_scan
from skysteer.storage import Journal, as_one_run, encode_line, read_chain, read_run
from skysteer.views import summarize
from skysteer.views.follower import RunFollower
from skysteer.views.interventions import InterventionPoint, gathered, in_words
from skysteer.views.live_images import panel_images
from skysteer.views.live_panels import elapsed_of
from skysteer.views.run_state import page_state
from skysteer.views.studio import Studio

from .conftest import run


@pytest.fixture
def journal(tmp_path):
    writer = Journal(tmp_path / "journal")
    yield writer
    writer.close()


def write(journal, documents):
    for name, doc in documents:
        journal(name, doc)


def followed(folder):
    follower = RunFollower(folder)
    while follower.look():
        pass
    return follower


def resumed(documents, after):
    """The documents of a run as one that was cut off there, and one that went on with it."""
    start, *rest = documents
    descriptors = [each for each in rest if each[0] == "descriptor"]
    primary = {d["uid"] for _, d in descriptors if d["name"] == "primary"}
    events = [each for each in rest if each[0] == "event"]
    places = [k for k, (_, d) in enumerate(events) if d["descriptor"] in primary]
    cut = places[after]
    new = {d["uid"]: f"{d['uid']}-again" for _, d in descriptors}
    counted: dict[str, int] = {}
    later = []
    for _, doc in events[cut:]:
        counted[doc["descriptor"]] = number = counted.get(doc["descriptor"], 0) + 1
        later.append(("event", {**doc, "descriptor": new[doc["descriptor"]], "seq_num": number}))
    uid, moment = start[1]["uid"], events[cut][1]["time"]
    second = {"uid": "again", "time": moment, "resumed_from": uid, "resumed_after": after}
    again = [(n, {**d, "uid": new[d["uid"]], "run_start": "again"}) for n, d in descriptors]
    return (
        [start, *descriptors, *events[:cut]],
        [("start", {**start[1], **second}), *again, *later],
    )


def test_what_is_followed_is_what_the_run_sums_up_to(adaptive_run, journal, tmp_path):
    follower = RunFollower(tmp_path)
    assert not follower.look() and follower.run is None
    for name, doc in adaptive_run:
        journal(name, doc)
        while follower.look():
            pass
    summary, whole = follower.run.scan.summary(), summarize(adaptive_run)
    assert summary.events == whole.events and len(summary.events) == 40
    assert (summary.stop_reason, follower.run.ended) == ("40 points", True)
    state = page_state(follower.run, mailbox=True)
    assert (state["state"], state["words"]) == ("done", "It ended: 40 points.")
    assert not any(state["buttons"].values()), "a run that is over cannot be told anything"


def test_half_a_line_is_read_once_it_is_whole(adaptive_run, journal, tmp_path):
    write(journal, adaptive_run[:-2])
    follower = followed(tmp_path)
    before = len(follower.run.scan.summary().events)
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    line = encode_line(*adaptive_run[-2])
    with open(file, "ab", buffering=0) as writer:
        writer.write(line[:-5])
        assert not follower.look() and follower.run.trouble == ""
        writer.write(line[-5:])
    assert follower.look()
    assert len(follower.run.scan.summary().events) >= before


def test_the_latest_map_is_shown_and_no_other_kind_of_run(adaptive_run, bench, journal, tmp_path):
    write(journal, adaptive_run)
    follower = followed(tmp_path)
    write(journal, run(bp.count([det])))
    (tmp_path / "journal" / "nonsense.jsonl").write_bytes(b"{}\n")
    (tmp_path / "journal" / "begun.jsonl").write_bytes(b'["start", {"uid"')
    assert not follower.look()
    assert follower.run.scan.start["uid"] == adaptive_run[0][1]["uid"]
    raster = run(bp.grid_scan([bench.counts], *bench.axes))
    write(journal, raster)
    assert follower.look()
    assert follower.run.scan.start["uid"] == raster[0][1]["uid"]
    assert "order of its own" in page_state(follower.run, mailbox=False)["next"][0]


def test_a_resumed_run_is_shown_with_what_was_measured_before(adaptive_run, journal, tmp_path):
    first, second = resumed(adaptive_run, after=17)
    write(journal, first)
    journal.close()
    write(journal, second[:-6])
    follower = followed(tmp_path)
    write(journal, second[-6:])
    assert follower.look()
    live, whole = follower.run.scan.summary(), summarize(as_one_run(read_chain(tmp_path)))
    assert live.events == whole.events and len(live.events) == 40
    assert [event.seq_num for event in live.events] == list(range(1, 41))
    assert live.scan.pixels.tolist() == summarize(adaptive_run).scan.pixels.tolist()
    assert [each["after"] for each in live.resumptions] == [17]
    assert len(whole.spacings) == 38, "the time between two runs is none between two points"
    assert "resumed 1 time" in page_state(follower.run, mailbox=True)["facts"]


def test_the_time_between_two_runs_is_not_that_of_the_scan(adaptive_run, tmp_path):
    first, second = resumed(adaptive_run, after=17)
    later = [
        (name, {**doc, "time": doc["time"] + 1000.0} if "time" in doc else doc)
        for name, doc in second
    ]
    writer = Journal(tmp_path / "journal")
    write(writer, [*first, *later])
    writer.close()
    view = followed(tmp_path).run.scan.view()
    assert (np.diff(elapsed_of(view)) < 500).all() and len(elapsed_of(view)) == 40
    summary = summarize(as_one_run(read_chain(tmp_path)))
    assert summary.seconds < 500 < summary.events[-1].time - summary.events[0].time


def test_a_run_whose_process_is_gone_is_told_as_such(adaptive_run, journal, tmp_path):
    write(journal, adaptive_run[:-1])
    now = [0.0]
    follower = RunFollower(tmp_path)
    follower.look()
    follower.run._clock = lambda: now[0]
    now[0] = time.monotonic() + 1e3  # long after the last document
    assert follower.run.live
    state = page_state(follower.run, mailbox=True)
    assert state["state"] == "running" and state["buttons"]["pause"]
    journal.close()  # as when the process dies: the file is let go without a stop document
    now[0] += 1e3
    state = page_state(follower.run, mailbox=True)
    assert state["state"] == "cut off" and "skysteer resume" in state["words"]
    assert not any(state["buttons"].values())


def test_a_damaged_journal_is_told_as_such(adaptive_run, journal, tmp_path):
    write(journal, adaptive_run[:-3])
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    follower = followed(tmp_path)
    with open(file, "ab") as writer:
        writer.write(b"{nonsense\n")
    assert follower.look()
    state = page_state(follower.run, mailbox=True)
    assert state["state"] == "unreadable" and "is damaged at byte" in state["words"]


def test_pauses_and_approvals_are_told_with_their_buttons(bench, journal, tmp_path):
    told, states = Inbox(by="Ada"), []
    follower = RunFollower(tmp_path)

    def look(name, doc):
        journal(name, doc)
        while follower.look():
            pass
        state = page_state(follower.run, mailbox=True)
        number = state["buttons"]["approve"]
        if number is not None and (state["state"], number) not in states:
            told.approve(number)
        states.append((state["state"], number))

    plan = adaptive_scan(
        [bench.counts], "low-discrepancy", *bench.axes,
        until="points(20)", batch=10, inbox=told, approval=True,
    )  # fmt: skip
    RunEngine()(plan, look)
    assert ("waiting for approval", 0) in states and ("waiting for approval", 1) in states
    assert ("running", None) in states and states[-1] == ("done", None)
    state = page_state(follower.run, mailbox=True)
    assert [(who, what) for _, who, what in state["interventions"]] == [
        ("Ada", "approved of a batch (decision 1)"),
        ("Ada", "approved of a batch (decision 0)"),
    ]


def test_points_time_and_dose_are_told_against_the_stop_rule(adaptive_run, journal, tmp_path):
    (name, start), *rest = adaptive_run
    record = {**start["skysteer"], "until": "points(80) | dose(400)", "dwell": 5.0}
    write(journal, [(name, {**start, "skysteer": record}), *rest])
    points, seconds, dose = page_state(followed(tmp_path).run, mailbox=False)["progress"]
    assert (points["share"], points["text"]) == (0.5, "40 of 80 (34.2 % of the map)")
    assert (seconds["name"], seconds["share"]) == ("time", None)
    assert dose["share"] == 0.5
    assert dose["text"] == "3 min 20 s of 6 min 40 s of beam, 40 exposures"


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        ("pause", {"why": "look"}, "paused: look"),
        ("forbid", {"slow": [0, 1]}, "kept out of a zone (slow 0,1)"),
        ("inject", {"pixels": [[1, 2]] * 4}, "asked for pixels (1,2 1,2 1,2 and 1 more)"),
        (
            "resume",
            {"resumed_from": "0123456789", "events": 1000, "differs": -1, "what": ""},
            "went on with run 01234567 after 1,000 points",
        ),
        (
            "resume",
            {"resumed_from": "0123456789", "events": 9, "differs": 3, "what": "pixels"},
            "went on with run 01234567 after 9 points; decision 3, made again, came out with "
            "other pixels",
        ),
        ("unheard-of", {}, "unheard-of"),
    ],
)  # fmt: skip
def test_interventions_are_told_in_words(kind, detail, words):
    said = InterventionPoint(0, kind, "Ada", 3, 1e9, detail)
    assert in_words(said) == words


def test_what_a_rule_does_again_and_again_is_told_once():
    kinds = [("skip", "guard", "kept out"), ("pause", "Ada", ""), ("pause", "Ada", "")]
    said = [
        InterventionPoint(k, kind, by, 0, float(k), {"why": why, "row": k})
        for k, (kind, by, why) in enumerate([kinds[0]] * 3 + kinds[1:])
    ]
    assert [(first.number, words) for first, words in gathered(said)] == [
        (0, "skipped a target: kept out, 3 times"),
        (3, "paused (row 3)"),
        (4, "paused (row 4)"),
    ]


def test_each_panel_is_an_image_with_words(adaptive_run, journal, tmp_path):
    write(journal, adaptive_run)
    images = panel_images(followed(tmp_path).run.scan.view())
    assert [each.title for each in images][:4] == [
        "Reconstruction",
        "Expected error",
        "Path",
        "Error",
    ]
    assert len({(each.width, each.height) for each in images}) <= 2
    for image in images:
        assert image.png.startswith(b"\x89PNG") and len(image.alt) > 10
    assert "40 points" in images[0].alt and "9 by 13 pixels" in images[0].alt


def test_the_last_drawing_is_there_when_the_studio_has_ended(adaptive_run, journal, tmp_path):
    studio = Studio(tmp_path)
    assert studio.ask(0).state["state"] == "waiting for a scan"
    write(journal, adaptive_run)
    studio.close()
    last = studio.snapshot
    assert last.state["state"] == "done" and len(last.images) == 6
    json.dumps(last.state)
    assert read_run(tmp_path).start["uid"] == last.state["uid"]
