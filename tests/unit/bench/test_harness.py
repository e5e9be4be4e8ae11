"""The bench's arithmetic, its client and its page: a harness that cannot say no says nothing."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

import msgspec
import pytest
from bench import client, page, plot, traffic
from bench.figures import Bar, HarnessError, Point, Result, interleave, judge, ratio, spread, summarise
from bench.house import Holder
from bench.machine import Run
from bench.rows import single
from bench.watch import cpu_seconds, peak_megabytes

from sitevault.demo.tenants import TENANTS
from sitevault.hashkeys import tenant_key

HOLDERS = [Holder(tenant, tenant_key(tenant.tenant_bk), bytes(32), "sv_sec_x") for tenant in TENANTS]


def test_sides_run_in_turn_and_the_turn_changes_with_each_round() -> None:
    ran: list[str] = []

    def side(name: str) -> Callable[[], dict[str, float]]:
        return lambda: ran.append(name) or {"x": 1.0}

    interleave(3, {"a": side("a"), "b": side("b")})
    assert ran == ["a", "b", "b", "a", "a", "b"]


def test_a_spread_is_the_median_and_the_extremes() -> None:
    over = spread([3.0, 1.0, 2.0])
    assert (over.median, over.low, over.high) == (2.0, 1.0, 3.0)


def test_ratios_are_taken_within_a_round() -> None:
    measured = {"ours": [{"r": 1.0}, {"r": 10.0}], "theirs": [{"r": 2.0}, {"r": 5.0}]}
    assert ratio(measured, "r", "ours", "theirs").rounds == [0.5, 2.0]
    assert summarise(measured)["ours"]["r"].median == 5.5


@pytest.mark.parametrize(
    ("got", "bar", "met", "missed_by"),
    [
        (8.0, Bar(8), True, 0.0),
        (6.0, Bar(8), False, 0.25),
        (50.0, Bar(50, at_least=False), True, 0.0),
        (75.0, Bar(50, at_least=False), False, 0.5),
    ],
)
def test_a_verdict_says_by_how_much_a_bar_is_missed(got: float, bar: Bar, met: bool, missed_by: float) -> None:
    verdict = judge("x", got, bar)
    assert verdict.met is met
    assert verdict.missed_by == pytest.approx(missed_by)


@pytest.mark.parametrize(("landed", "answered", "cut_off"), [(99, 100, 0), (101, 100, 0), (165, 100, 64)])
def test_a_row_more_or_less_than_was_answered_ends_the_run(landed: int, answered: int, cut_off: int) -> None:
    with pytest.raises(HarnessError):
        single._compare(landed, answered, cut_off)


def test_the_reference_that_stored_something_ends_the_run() -> None:
    with pytest.raises(HarnessError):
        single._compare(1, 0, 0)


@contextmanager
def _answering(answer: bytes) -> Iterator[str]:
    """A server that answers every read with the same bytes, in two pieces."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(65_536):
                connection.sendall(answer[:20])
                connection.sendall(answer[20:])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(5)
        listener.close()


def test_the_client_waits_for_every_answer() -> None:
    with _answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url:
        outcome = client.closed_loop(url, iter([client.request("/", "k", b"{}")] * 5), 1, 5)
    assert outcome.answered == 5
    assert outcome.cut_off == 0
    assert 0 < outcome.p50_ms <= outcome.p99_ms


def test_any_other_answer_than_200_ends_the_run() -> None:
    with (
        _answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}") as url,
        pytest.raises(HarnessError, match="503"),
    ):
        client.closed_loop(url, iter([client.request("/", "k", b"{}")]), 1, 5)


def test_events_are_about_600_bytes_of_json_of_every_tenant_and_the_same_for_the_same_seed() -> None:
    events = list(traffic.events(1, HOLDERS, 2_000))
    assert 500 <= sum(len(event.body) for event in events) / len(events) <= 700
    assert {event.holder for event in events} == set(HOLDERS)
    assert all(json.loads(event.body) for event in events)
    ids = [re.findall(rb'"(?:event_id|id|messageId)":"([^"]+)"', event.body) for event in events]
    again = [
        re.findall(rb'"(?:event_id|id|messageId)":"([^"]+)"', event.body)
        for event in traffic.events(1, HOLDERS, 2_000)
    ]
    assert ids == again
    assert len({one[0] for one in ids}) == len(events)


def test_every_template_has_one_place_for_an_id() -> None:
    events = traffic.events(1, HOLDERS, 200, id_mark=True)
    assert {event.body.count(traffic.ID_MARK.encode()) for event in events} == {1}


def test_cpu_and_memory_are_those_of_the_whole_tree() -> None:
    spin = "import time, sys\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    parent = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])\nprint(flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.3 <= cpu_seconds(process.pid) < 2
        assert 1 < peak_megabytes(process.pid) < 200
        process.communicate(b"\n")
    assert cpu_seconds(process.pid) == 0


def test_the_page_says_what_is_missed_and_by_how_much() -> None:
    missed, met = judge("events/s", 6_000, Bar(8_000)), judge("p99 ms", 20, Bar(50, at_least=False))
    sides = {"ours": {"events/s": spread([6_000.0])}}
    result = Result("single", "Single", sides, {"ours / theirs": spread([0.5])}, [missed, met], ["Checked."])
    machine = {"cpu": "x", "cores": 2, "memory_gb": 1, "kernel": "l", "postgresql": "18", "python": "3", "load": 0}
    run = msgspec.convert(
        {"machine": machine, "command": "python -m bench", "started": "2026-01-01T00:00:00Z", "results": []}, Run
    )
    run.results.append(result)
    text = page.render([run])
    assert "| single: events/s | >= 8,000 | 6,000 | **missed** by 25% |" in text
    assert "| single: p99 ms | <= 50.0 | 20.0 | met |" in text
    assert "not measured yet" in text
    assert "Others were at work" not in text
    busy = msgspec.structs.replace(run, machine=msgspec.structs.replace(run.machine, load=3.0))
    assert "Others were at work" in page.render([busy])


def test_the_published_page_is_what_the_recorded_results_make() -> None:
    runs = page.recorded()
    assert page.PAGE.read_text("utf-8") == page.render(runs)
    for result in (result for run in runs for result in run.results if result.way):
        for name, figures in page.PICTURES.items():
            assert page.picture_of(result, name).read_text("utf-8") == plot.draw(result.way, figures)


def test_growth_is_named_as_owed_until_a_run_is_recorded() -> None:
    owed = "| growth | rate at 10 million events >= 0.85 x rate at 100 thousand | | not measured yet |"
    runs = page.recorded()
    without = [
        msgspec.structs.replace(run, results=[r for r in run.results if r.name != "growth"]) for run in runs
    ]
    assert owed in page.render(without)
    grown = Result("growth", "Growth", {}, {}, [judge("rate", 0.9, Bar(0.85))], [], [], [], "Stopped at 5 events.")
    text = page.render([*without, msgspec.structs.replace(runs[0], results=[grown])])
    assert owed not in text
    assert "**Stopped at 5 events.**" in text


def test_a_picture_shows_every_point_and_begins_at_zero() -> None:
    way = [
        Point(events, {"grown": rate, "fresh": 9_000.0})
        for events, rate in ((1_000_000, 9_000.0), (2_000_000, 8_500.0))
    ]
    drawing = ElementTree.fromstring(plot.draw(way, ("grown", "fresh")))  # noqa: S314 -- our own
    texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0", "2,000,000"} <= set(texts)
    assert {"8,500 grown", "9,000 fresh"} <= set(texts)
    assert len(list(drawing.iter("{http://www.w3.org/2000/svg}circle"))) == 4
