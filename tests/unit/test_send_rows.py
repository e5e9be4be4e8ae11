"""Rows out of files: every row is there, a bad one is a row too, and ids depend on content alone."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.client import rows
from sitevault.client.rows import Format, Row, guess_format, read_rows, with_id
from sitevault.errors import UsageError
from sitevault.landing.identity import read_identity


def read(content: bytes | str, form: Format) -> list[Row]:
    return list(read_rows(io.BytesIO(content.encode() if isinstance(content, str) else content), form))


def events(content: bytes | str, form: Format) -> list[dict[str, Any]]:
    return [json.loads(row.event) for row in read(content, form) if row.problem is None]


def test_ndjson_counts_lines_and_passes_over_empty_ones() -> None:
    found = read('{"id": "a"}\n\n  \r\n{"id": "b"}\r\n{"id": "c"}', Format.NDJSON)
    assert [(row.number, row.event) for row in found] == [
        (1, b'{"id": "a"}'),
        (4, b'{"id": "b"}'),
        (5, b'{"id": "c"}'),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_row() -> None:
    assert events(b'\xef\xbb\xbf{"id": "a"}\n', Format.NDJSON) == [{"id": "a"}]
    assert events(b'\xef\xbb\xbf[{"id": "a"}]', Format.JSON) == [{"id": "a"}]
    assert events(b"\xef\xbb\xbfid\na\n", Format.CSV) == [{"id": "a"}]


@pytest.mark.parametrize("line", ['{"a":', "[1]", "7", "nonsense", '{"a": NaN}', "{}}"])
def test_a_bad_line_costs_only_itself(line: str) -> None:
    found = read(f'{{"id": "a"}}\n{line}\n{{"id": "b"}}\n', Format.NDJSON)
    assert [row.problem is None for row in found] == [True, False, True]
    assert found[1].number == 2


def test_a_line_beyond_all_bounds_is_passed_over_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST_ROW_BYTES", 100)
    found = read(b'{"id": "' + b"x" * 1000 + b'"}\n{"id": "b"}\n', Format.NDJSON)
    assert [(row.number, row.problem is None) for row in found] == [(1, False), (2, True)]


def test_an_event_with_an_id_is_sent_byte_for_byte() -> None:
    line = b'{ "event_id" :"7",  "n": 1.50, "n": 2 }'
    (row,) = read(line, Format.NDJSON)
    assert row.event == line


@pytest.mark.parametrize("event", [b"{}", b" { } ", b'{"n": 1.50}', b'\t{\n"event_id": "", "n": [1]}'])
def test_an_event_without_an_id_gets_one_and_keeps_the_rest(event: bytes) -> None:
    given_id = with_id(event, bytes(32))
    assert read_identity(json.loads(event))[0] is None
    decoded = json.loads(given_id, object_pairs_hook=list)
    assert decoded[0] == ["event_id", "row-" + "0" * 32] or decoded[0] == ("event_id", "row-" + "0" * 32)
    assert dict(decoded[1:]) == json.loads(event)


def test_the_same_file_makes_the_same_ids_and_equal_rows_differ() -> None:
    content = '{"n": 1}\n{"n": 1}\n{"n": 2}\n'
    first = [event["event_id"] for event in events(content, Format.NDJSON)]
    assert first == [event["event_id"] for event in events(content, Format.NDJSON)]
    assert len(set(first)) == 3


def test_a_file_that_has_grown_keeps_the_ids_of_its_rows() -> None:
    before = events('{"n": 1}\n{"n": 2}\n', Format.NDJSON)
    assert events('{"n": 1}\n{"n": 2}\n{"n": 3}\n', Format.NDJSON)[:2] == before


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(), max_size=3)))
def test_a_json_list_of_any_events_is_read_whole(listed: list[dict[str, Any]]) -> None:
    assert [
        {name: value for name, value in event.items() if name != "event_id" or name in original}
        for event, original in zip(events(json.dumps(listed, indent=1), Format.JSON), listed, strict=True)
    ] == listed


def test_a_json_list_is_read_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_CHUNK", 3)
    listed = [{"id": f"ü{n}", "x": [n, {"y": "]},{"}]} for n in range(50)]
    assert events(json.dumps(listed, ensure_ascii=False), Format.JSON) == listed


@pytest.mark.parametrize("content", ["", "{}", '{"events": []}', "[{} {}]", '[{"a": }]', "[{}"])
def test_what_is_no_json_list_is_said(content: str) -> None:
    with pytest.raises(UsageError):
        read(content, Format.JSON)


def test_an_element_that_is_not_utf8_costs_only_itself() -> None:
    found = read(b'[{"id": "a"}, {"id": "\xff"}, {"id": "b"}]', Format.JSON)
    assert [row.problem is None for row in found] == [True, False, True]


def test_csv_headings_nest_and_empty_cells_are_no_fields() -> None:
    content = (
        'event_id,event_type,event_data.session_id,event_data.page.title\n1,page_view,s-1,"a ""b""\nc"\n2,x,,\n'
    )
    assert events(content, Format.CSV) == [
        {
            "event_id": "1",
            "event_type": "page_view",
            "event_data": {"session_id": "s-1", "page": {"title": 'a "b"\nc'}},
        },
        {"event_id": "2", "event_type": "x"},
    ]


def test_a_csv_row_is_known_by_the_line_it_begins_on() -> None:
    found = read('event_id,n\n1,"two\nlines"\n2,x\n3,y,z\n', Format.CSV)
    assert [(row.number, row.problem) for row in found] == [
        (2, None),
        (4, None),
        (5, "3 cells under 2 headings"),
    ]


@pytest.mark.parametrize("header", ["a,a", "a,a.b", "a,", "a..b,c"])
def test_csv_headings_that_contradict_each_other_are_refused(header: str) -> None:
    with pytest.raises(UsageError, match="heading"):
        read(f"{header}\n1,2\n", Format.CSV)


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2)))
def test_whatever_was_written_as_csv_is_read_again(table: list[list[str]]) -> None:
    sheet = io.StringIO(newline="")
    csv.writer(sheet).writerows([["id", "n"], *table])
    found = events(sheet.getvalue(), Format.CSV)
    assert [event.get("n", "") for event in found] == [cells[1] for cells in table]


def test_a_csv_cell_that_is_not_utf8_rejects_its_row() -> None:
    found = read(b"id,n\n1,\xff\n2,b\n", Format.CSV)
    assert [row.problem for row in found] == ["not UTF-8", None]


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.csv", Format.CSV), ("a.JSON", Format.JSON), ("a.ndjson", Format.NDJSON), ("a", Format.NDJSON)],
)
def test_the_name_says_the_format(name: str, form: Format) -> None:
    assert guess_format(name) is form
