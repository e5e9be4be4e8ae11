"""A file sent over real HTTP arrives whole, however often it is interrupted, and nothing arrives as two."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from collecting import RunningCollector, StartCollector, Tenant, make_tenant
from sitevault.cli.main import run
from sitevault.client import send as sending
from sitevault.client.http import CollectorUnreachableError, Line, Reply
from sitevault.client.rows import Format, Row
from sitevault.client.send import Memory, Progress, Sender, SendStoppedError
from sitevault.db.connect import Database
from sitevault.errors import Exit, UsageError

ROWS = 40
NOW_MS = time.time_ns() // 1_000_000
"""A time that is believed, so that the ids hold over midnight."""


@pytest.fixture
def ndjson(tmp_path: Path) -> Path:
    """Rows without an id, but with a time: their ids are ours to make."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(f'{{"event_type": "click", "ts": {NOW_MS + n}}}\n' for n in range(ROWS)))
    return path


def discard(row: Row, code: str, message: str) -> None:
    raise AssertionError(f"row {row.number} was rejected: {code}")


def sender(line: Line, **options: Any) -> Sender:
    return Sender(line, options.pop("rejects", discard), batch_events=7, **options)


def landed(admin: psycopg.Connection[Any]) -> tuple[int, int]:
    """Landed rows, and how many different events they are."""
    return admin.execute("SELECT count(*), count(DISTINCT event_id) FROM raw.landed_event").fetchone() or (0, 0)


def test_every_row_arrives_once(collector: RunningCollector, tenant: Tenant, ndjson: Path, admin: Any) -> None:
    with Line(collector.url, tenant.secret) as line, ndjson.open("rb") as file:
        done = sender(line).send(file, Format.NDJSON)
    assert (done.done, done.accepted, done.rejected) == (ROWS, ROWS, 0)
    assert landed(admin) == (ROWS, ROWS)


def test_an_interrupted_sending_goes_on_where_it_was(
    collector: RunningCollector, tenant: Tenant, ndjson: Path, tmp_path: Path, admin: Any
) -> None:
    memory = Memory(tmp_path / "state", "here")

    def interrupt(progress: Progress) -> None:
        if progress.done >= 21:
            raise KeyboardInterrupt

    with Line(collector.url, tenant.secret) as line:
        with ndjson.open("rb") as file, pytest.raises(KeyboardInterrupt):
            sender(line, memory=memory, heard=interrupt).send(file, Format.NDJSON)
        assert landed(admin) == (21, 21)
        with ndjson.open("rb") as file:
            done = sender(line, memory=memory).send(file, Format.NDJSON)
    assert (done.done, done.accepted) == (ROWS, ROWS)
    assert landed(admin) == (ROWS, ROWS)
    assert not memory.path.exists()


def test_an_answer_that_got_lost_duplicates_no_event(
    collector: RunningCollector, tenant: Tenant, ndjson: Path, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_FIRST_PAUSE", 0.01)

    class Deaf(Line):
        heard = 0

        def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Reply:
            reply = super().post(path, body, headers)
            self.heard += 1
            if self.heard % 2:
                raise CollectorUnreachableError("the answer got lost")
            return reply

    with Deaf(collector.url, tenant.secret) as line, ndjson.open("rb") as file:
        done = sender(line).send(file, Format.NDJSON)
    assert done.accepted == ROWS
    assert landed(admin) == (2 * ROWS, ROWS)


def test_a_file_that_changed_in_its_sent_part_is_refused(
    collector: RunningCollector, tenant: Tenant, ndjson: Path, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "state", "here")
    rows = ndjson.read_bytes()

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with Line(collector.url, tenant.secret) as line:
        with pytest.raises(KeyboardInterrupt):
            sender(line, memory=memory, heard=interrupt).send(io.BytesIO(rows), Format.NDJSON)
        with pytest.raises(UsageError, match="has changed"):
            sender(line, memory=memory).send(io.BytesIO(b"{}\n" + rows), Format.NDJSON)
        with pytest.raises(UsageError, match="another collector or with another key"):
            sender(line, memory=Memory(memory.path, "elsewhere")).send(io.BytesIO(rows), Format.NDJSON)


def test_bad_rows_cost_only_themselves_and_are_named(
    collector: RunningCollector, tenant: Tenant, admin: Any
) -> None:
    rows = b'{"n": 1}\nnonsense\n{"n": "\\u0000"}\n[]\n{"n": 2}\n'
    rejected: list[tuple[int, str]] = []
    with Line(collector.url, tenant.secret) as line:
        done = sender(line, rejects=lambda row, code, message: rejected.append((row.number, code))).send(
            io.BytesIO(rows), Format.NDJSON
        )
    assert sorted(rejected) == [
        (2, "adapt.row_unreadable"),
        (3, "collect.json_nul_character"),
        (4, "adapt.row_unreadable"),
    ]
    assert (done.accepted, done.rejected) == (2, 3)
    assert landed(admin)[0] == 2


def test_batches_beyond_the_collectors_limits_are_halved_until_they_fit(
    start_collector: StartCollector, tenant: Tenant, ndjson: Path, admin: Any
) -> None:
    collector = start_collector(max_batch_events=2)
    with Line(collector.url, tenant.secret) as line, ndjson.open("rb") as file:
        assert sender(line).send(file, Format.NDJSON).accepted == ROWS
    assert landed(admin) == (ROWS, ROWS)


def test_a_rate_limit_is_waited_for(collector: RunningCollector, database: Database, admin: Any) -> None:
    slow = make_tenant(database, rate_limit=20)
    waits: list[float] = []
    rows = b"".join(b'{"ts": %d}\n' % (NOW_MS + n) for n in range(ROWS))
    with Line(collector.url, slow.secret) as line:
        done = sender(line, waits=lambda seconds, why: waits.append(seconds)).send(io.BytesIO(rows), Format.NDJSON)
    assert done.accepted == ROWS
    assert waits
    assert min(waits) >= 1.0, "Retry-After is at least a second"
    assert landed(admin) == (ROWS, ROWS)


def test_a_collector_that_comes_back_gets_the_rest(
    start_collector: StartCollector, tenant: Tenant, ndjson: Path, admin: Any
) -> None:
    first = start_collector()
    port = first.port()
    stopped = threading.Event()

    def stop_once(_: Progress) -> None:
        if not stopped.is_set():
            stopped.set()
            first.stop()

    def come_back() -> None:
        stopped.wait(20)
        time.sleep(0.5)
        start_collector(port=port)

    helper = threading.Thread(target=come_back)
    helper.start()
    with Line(first.url, tenant.secret) as line, ndjson.open("rb") as file:
        done = sender(line, heard=stop_once).send(file, Format.NDJSON)
    helper.join()
    assert done.accepted == ROWS
    assert landed(admin)[1] == ROWS


def test_a_collector_that_stays_away_is_given_up(tenant: Tenant, ndjson: Path) -> None:
    with (
        Line("http://127.0.0.1:1", tenant.secret) as line,
        ndjson.open("rb") as file,
        pytest.raises(SendStoppedError, match="does not answer"),
    ):
        sender(line, give_up_seconds=0.3).send(file, Format.NDJSON)


def test_a_refused_key_stops_the_sending(collector: RunningCollector, ndjson: Path) -> None:
    with (
        Line(collector.url, "sv_sec_nobody") as line,
        ndjson.open("rb") as file,
        pytest.raises(SendStoppedError, match=r"collect\.auth_unknown_key"),
    ):
        sender(line).send(file, Format.NDJSON)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8400", "ftp://127.0.0.1", "http://", "http://h/?q=1"])
def test_what_is_no_address_is_a_misuse(url: str) -> None:
    with pytest.raises(UsageError, match="not the address"):
        Line(url, "key")


def test_the_command_says_what_became_of_each_row(
    collector: RunningCollector, tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("event_type,ts\nclick,1790000000000\nclick,1,2\n")
    command = ["send", str(path), "--key", tenant.secret, "--url", collector.url, "--json"]
    assert run(command) == Exit.FINDINGS
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["accepted"], answer["rejected"]) == (2, 1, 1)
    rejected = tmp_path / "events.csv.rejected.ndjson"
    assert [json.loads(line)["line"] for line in rejected.read_text().splitlines()] == [3]
    assert rejected.stat().st_mode & 0o077 == 0
    path.write_text("event_type,ts\nclick,1790000000000\n")
    assert run(command) == Exit.OK


def test_the_command_wants_a_key(ndjson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SITEVAULT_KEY", raising=False)
    assert run(["send", str(ndjson)]) == Exit.USAGE


def test_ctrl_c_in_the_middle_loses_nothing_and_says_how_to_go_on(
    collector: RunningCollector, tenant: Tenant, tmp_path: Path, admin: Any
) -> None:
    path = tmp_path / "many.ndjson"
    many = 3000
    path.write_text("".join(f'{{"ts": {NOW_MS + n}}}\n' for n in range(many)))
    command = [sys.executable, "-m", "sitevault", "send", str(path), "--key", tenant.secret]
    command += ["--url", collector.url, "--batch"]
    first = subprocess.Popen([*command, "1"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    state = tmp_path / "many.ndjson.sending.json"
    deadline = time.monotonic() + 20
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=20)
    assert first.returncode == 130
    assert "The same command goes on from here" in said
    assert 0 < landed(admin)[0] < many
    second = subprocess.run([*command, "500"], capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 0, second.stderr
    assert f"{many} of {many} rows accepted" in second.stdout
    assert "Going on after row" in second.stderr
    assert landed(admin)[1] == many
    assert not state.exists()


def test_standard_input_is_a_file_too(
    collector: RunningCollector, tenant: Tenant, ndjson: Path, admin: Any
) -> None:
    command = [sys.executable, "-m", "sitevault", "send", "-", "--url", collector.url]
    for _ in range(2):
        done = subprocess.run(
            command,
            input=ndjson.read_bytes(),
            env={"SITEVAULT_KEY": tenant.secret},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert landed(admin) == (2 * ROWS, ROWS)
