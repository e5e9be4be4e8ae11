"""The chaos suite's parts: repeatable by their seed, and able to see what they are there to see."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import socket
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from bench import client
from bench.house import Holder
from chaos import page, traffic
from chaos.disk import Disk
from chaos.faults import ALL
from chaos.journal import Fate, Journal
from chaos.relay import Relay
from chaos.results import Run
from chaos.schedule import draw
from chaos.soak import watch
from chaos.soak.results import Limit, Soak, judge
from chaos.soak.slope import slope
from chaos.turned import Clock, replace_clock
from chaos.wire import Line

from sitevault import clock
from sitevault.demo.tenants import TENANTS
from sitevault.hashkeys import tenant_key
from sitevault.landing.identity import identity_of

HOLDERS = [Holder(tenant, tenant_key(tenant.tenant_bk), bytes(32), "sv_sec_x") for tenant in TENANTS]


def test_a_seed_draws_the_same_faults_at_the_same_moments() -> None:
    assert draw(7, 100, 60) == draw(7, 100, 60)
    assert draw(7, 100, 60) != draw(8, 100, 60)


def test_every_kind_of_fault_is_drawn_and_as_many_kills_as_asked_for() -> None:
    drawn = draw(1, 100, 60)
    assert {strike.fault for strike in drawn} == set(ALL)
    planned = [strike for strike in drawn if not strike.spare]
    assert {strike.fault for strike in planned} == set(ALL)
    assert sum(ALL[strike.fault].kills for strike in planned) >= 100
    assert [strike.at for strike in drawn] == sorted(strike.at for strike in drawn)


def test_faults_can_be_chosen_and_none_of_them_need_be_a_kill() -> None:
    assert [strike.fault for strike in draw(1, 5, 1, ["clock jump"])] == ["clock jump"]


def test_no_two_events_have_the_same_bytes_and_every_kind_of_them_is_sent() -> None:
    parcels = list(itertools.islice(traffic.parcels(3, HOLDERS), 6_000))
    assert len({parcel.body for parcel in parcels}) == len(parcels)
    assert {parcel.fate for parcel in parcels} == set(Fate)
    assert {parcel.repeatable for parcel in parcels} == {True, False}


@pytest.mark.parametrize("turned", [timedelta(hours=-12), timedelta(days=10)])
def test_what_is_sent_again_has_the_same_id_however_the_clock_was_turned(turned: timedelta) -> None:
    now = clock.now()
    parcels = [one for one in itertools.islice(traffic.parcels(3, HOLDERS), 3_000) if one.repeatable]
    for one in parcels:
        if one.fate is not Fate.REFUSED:
            json.loads(one.body)
            before, after = (identity_of(one.body, bytes(32), at, 30) for at in (now, now + turned))
            assert before == after


def test_the_journal_notices_answers_that_contradict_each_other() -> None:
    journal = Journal()
    good, refused = (journal.note(HOLDERS[0], body, Fate.GOOD) for body in (b"1", b"2"))
    journal.acknowledge(good, "a")
    journal.acknowledge(good, "a")
    assert journal.contradictions == []
    journal.acknowledge(good, "b")
    journal.refuse(refused, "collect.json_malformed")
    journal.acknowledge(refused, "c")
    assert len(journal.contradictions) == 3
    assert journal.acknowledged == 2


def test_what_was_neither_answered_nor_refused_is_unanswered() -> None:
    journal = Journal()
    kept = [journal.note(HOLDERS[0], bytes([number]), Fate.GOOD) for number in range(2)]
    journal.note(HOLDERS[0], b"once", Fate.GOOD, repeatable=False)
    journal.acknowledge(kept[0], "a")
    assert journal.unanswered() == [kept[1]]


def test_a_clock_that_is_turned_is_turned_for_whoever_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", clock.now)  # put back afterwards
    real, turned = clock.now, Clock(tmp_path / "clock")
    replace_clock(turned.path)
    assert abs(clock.now() - real()) < timedelta(seconds=1)
    turned.turn(timedelta(days=-3))
    assert abs(clock.now() - real() + timedelta(days=3)) < timedelta(seconds=1)
    turned.turn(timedelta())
    assert abs(clock.now() - real()) < timedelta(seconds=1)
    turned.close()


def test_a_filesystem_that_is_not_ours_is_never_filled(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        Disk(tmp_path, "the machine's own", "mounting takes root").fill()
    assert list(tmp_path.iterdir()) == []


def test_the_relay_carries_requests_and_cuts_them_when_told() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def through() -> int:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        relay = Relay(server.sockets[0].getsockname()[1], Random(1))
        line = await Line.open(await relay.start())
        first = await line.post(client.request("/", "k", b"{}"))
        relay.cut_all()
        with pytest.raises(ConnectionResetError):
            await line.post(client.request("/", "k", b"{}"))
        await relay.stop()
        server.close()
        return first.status

    assert asyncio.run(through()) == 200


def test_a_line_that_is_cut_is_seen_as_a_reset_by_the_other_side() -> None:
    async def cut(port: int) -> None:
        line = await Line.open(f"http://127.0.0.1:{port}")
        line.begin(b"POST / HTTP/1.1\r\nContent-Le")
        await asyncio.sleep(0.01)
        line.reset()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(cut(listener.getsockname()[1]))
        other, _ = listener.accept()
        with other:
            other.recv(65_536)
            with pytest.raises(ConnectionResetError):
                other.recv(1)


def test_a_handle_on_another_gigabyte_of_a_relation_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "base" / "5").mkdir(parents=True)
    before = watch.handles(os.getpid())
    with ExitStack() as opened:
        for name in ("base/5/16384", "base/5/16384_fsm", "base/5/16384.1", "base/5/16384_vm.12", "other.1"):
            opened.enter_context((tmp_path / name).open("wb"))
        assert watch.handles(os.getpid()) == before + 3


def test_the_slope_is_the_median_of_all_slopes_and_its_interval_holds_it() -> None:
    times = [float(second) for second in range(40)]
    wild = [2 * second + (1_000 if second % 10 == 3 else 0) for second in times]
    found = slope(times, wild)
    assert found.estimate == pytest.approx(2)
    assert found.low <= 2 <= found.high


def test_the_interval_of_a_slope_is_sens() -> None:
    # Sen's interval of ten points without ties: the 11th of 45 slopes from either end.
    times = [float(number) for number in range(10)]
    values = [0.0, 1.5, 1.0, 3.5, 4.5, 4.0, 6.2, 7.9, 7.5, 9.1]
    every = sorted(
        (values[later] - values[first]) / (later - first) for first in range(10) for later in range(first + 1, 10)
    )
    found = slope(times, values)
    assert (found.low, found.high) == (every[11], every[34])


def test_too_few_samples_say_nothing() -> None:
    assert slope([0.0, 1.0], [0.0, 1.0])[1:] == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([100.0 + 0.01 * (number % 3) for number in range(60)], "flat"),
        ([100.0 + number for number in range(60)], "GROWS"),
        ([100.0 + 400 * (number % 2) for number in range(12)], "undecided"),
        ([100.0 - number for number in range(60)], "flat"),
    ],
)
def test_a_figure_is_flat_only_if_its_whole_interval_is(values: list[float], verdict: str) -> None:
    times = [5.0 * number for number in range(len(values))]
    assert judge("x", times, values, Limit(0.05, 5)).verdict == verdict


def test_what_grew_before_the_second_half_does_not_count() -> None:
    values = [float(number) for number in range(50)] + [50.0] * 50
    assert judge("x", [5.0 * number for number in range(100)], values, Limit(0.05, 5)).verdict == "flat"


@pytest.fixture
def recorded() -> tuple[Run, Soak | None]:
    soak = page.SOAK_RESULTS
    return (
        msgspec.json.decode(page.RESULTS.read_bytes(), type=Run),
        msgspec.json.decode(soak.read_bytes(), type=Soak) if soak.exists() else None,
    )


def test_the_published_page_is_what_the_recorded_runs_make(recorded: tuple[Run, Soak | None]) -> None:
    assert page.PAGE.read_text("utf-8") == page.render(*recorded)


def test_a_check_that_does_not_hold_is_said_on_the_page(recorded: tuple[Run, Soak | None]) -> None:
    run, soak = recorded
    first, *others = run.account.checks
    broken = msgspec.structs.replace(first, violations=3)
    worse = msgspec.structs.replace(run, account=msgspec.structs.replace(run.account, checks=[broken, *others]))
    text = page.render(worse, soak)
    assert "**BROKEN" in text
    assert f"| {first.holds} | **3** |" in text
    assert not worse.sound


def test_fewer_kills_than_asked_for_prove_nothing(recorded: tuple[Run, Soak | None]) -> None:
    fewer = msgspec.structs.replace(recorded[0], happened=[])
    assert not fewer.complete
