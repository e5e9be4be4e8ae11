"""Who follows a release: a person at a terminal, a program that reads lines. One that leaves stops nothing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from sitevault.cli.release.listen import STDOUT, listeners
from sitevault.cli.session import Session
from sitevault.errors import UsageError
from sitevault.release.environments import Environment
from sitevault.release.events import Teller


def told(session: Session, events: Path | None, *messages: str) -> None:
    with listeners(session, Environment(), events) as listener:
        teller = Teller(listener, "production", "a" * 64)
        for message in messages:
            teller("deploy", message, objects=3)


def test_without_a_terminal_each_step_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    told(Session(), None, "one", "two")
    said = capsys.readouterr()
    assert said.out == ""
    assert [line[9:] for line in said.err.splitlines()] == ["deploy    one", "deploy    two"]


def test_on_a_terminal_each_step_is_shown_as_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    told(Session(), None, "[bold]not markup[/bold]")
    assert "[bold]not markup[/bold]" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_a_file_gets_every_event_as_a_line_of_json_and_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    told(Session(), file, "one", "two")
    told(Session(), file, "three")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [line["message"] for line in lines] == ["one", "two", "three"]
    assert lines[0]["details"] == {"objects": 3}


def test_on_standard_output_the_answer_is_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(json=True)
    session.lines = True
    told(session, STDOUT, "one")
    session.answer({"success": True}, "done")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("message") for line in lines] == ["one", None]
    assert lines[1] == {"success": True}


def test_a_file_that_cannot_be_written_is_found_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        told(Session(), tmp_path / "missing" / "events.ndjson", "one")


def test_a_full_disk_is_said_at_the_end_and_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told(Session(), Path("/dev/full"), "one", "two")
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("2 events could not be written to /dev/full: ")
    assert len(said) == 3
