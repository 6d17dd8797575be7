from __future__ import annotations

import csv
import json
import math

from skysteer.views import summarize, write_points


def test_the_table_holds_every_point_in_order_and_every_digit(adaptive_run, tmp_path):
    summary = summarize(adaptive_run)
    path = tmp_path / "points.csv"
    write_points(path, summary)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["seq_num", "row", "column", "x", "y", "value"]
    read = [
        (int(r["seq_num"]), int(r["row"]), int(r["column"]), *(float(r[k]) for k in "xy"),
         float(r["value"]))
        for r in rows
    ]  # fmt: skip
    assert read == [(e.seq_num, e.row, e.column, e.x, e.y, e.value) for e in summary.events]
    assert b"\r" not in path.read_bytes() and path.read_bytes().endswith(b"\n")


def test_floats_that_no_short_decimal_gives_survive(summary_of, tmp_path):
    path = tmp_path / "points.csv"
    write_points(path, summary_of((1, 3), value=lambda row, column: column / 3 + 1e-17))
    with open(path, newline="") as file:
        values = {int(r["column"]): float(r["value"]) for r in csv.DictReader(file)}
    assert values == {k: k / 3 + 1e-17 for k in range(3)}


def test_nan_and_inf_are_written_as_such(summary_of, tmp_path):
    path = tmp_path / "points.csv"
    write_points(path, summary_of((1, 2), value=lambda row, column: (math.nan, -math.inf)[column]))
    with open(path, newline="") as file:
        assert sorted(r["value"] for r in csv.DictReader(file)) == ["-inf", "nan"]


def test_a_run_without_points_gives_the_heading_alone(summary_of, tmp_path):
    path = tmp_path / "points.csv"
    write_points(path, summary_of((4, 4), events=()))
    assert path.read_text() == "seq_num,row,column,x,y,value\n"


def test_units_and_provenance_stand_beside_the_table(adaptive_run, tmp_path):
    path = tmp_path / "points.csv"
    write_points(path, summarize(adaptive_run))
    described = json.loads((tmp_path / "points.csv-metadata.json").read_text())
    columns = described["tableSchema"]["columns"]
    with open(path, newline="") as file:
        assert [column["name"] for column in columns] == next(csv.reader(file))
    start = adaptive_run[0][1]
    keys = next(d for n, d in adaptive_run if n == "descriptor" and d["name"] == "primary")
    assert described["url"] == "points.csv" and described["dc:identifier"] == start["uid"]
    assert "adaptive_scan(" in described["dc:provenance"]
    for column, key in zip(columns[3:5], reversed(start["motors"]), strict=True):
        units = keys["data_keys"][key].get("units")
        assert column["dc:description"] == key and column.get("schema:unitText") == units
    assert any("schema:unitText" in column for column in columns)
