"""The frame of the command line: fast, helpful, one shape of answer and of error."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sitevault import __version__
from sitevault.cli import registry
from sitevault.cli.main import INTERRUPTED, cli, run
from sitevault.cli.registry import COMMANDS, Entry
from sitevault.cli.session import Session, table
from sitevault.errors import Exit, SitevaultError, UsageError


def named(name: str) -> click.Command:
    """The command of the registry with this name."""
    found = cli.get_command(click.Context(cli, **cli.context_settings), name)
    assert found is not None
    return found


def leaves(command: click.Command, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Everything below a command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, below in command.commands.items():
        yield from leaves(below, *words, name)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command `try` that raises what the test puts into the list."""
    raised: list[BaseException] = []

    @click.command("try")
    def attempt() -> None:
        if raised:
            raise raised[0]

    monkeypatch.setattr(sys.modules[__name__], "attempt", attempt, raising=False)
    monkeypatch.setitem(registry.COMMANDS, "try", Entry(f"{__name__}:attempt", "For a test."))
    return raised


def test_help_lists_every_command_without_importing_any() -> None:
    program = (
        "import sys\nfrom sitevault.cli.main import run\ncode = run(['--help'])\n"
        "heavy = {'psycopg', 'msgspec', 'rich', 'granian', 'jsonschema_rs', 'asyncio'} & set(sys.modules)\n"
        "print(code, heavy or 'light')"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "0 light"
    for name, entry in COMMANDS.items():
        assert f"  {name} " in out
        assert entry.summary.split()[0] in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_registry_is_there_under_its_name(name: str) -> None:
    assert named(name).name == name


def example_calls(command: click.Command) -> Iterator[list[str]]:
    """The calls of `sitevault` in a command's examples, as words."""
    for line in (command.epilog or "").splitlines():
        if "sitevault " not in line:
            continue
        call = re.split(r"(?:^|[ (])sitevault ", line, maxsplit=1)[1].split(')"')[0].rstrip(")").split(" | ")[0]
        arguments = shlex.split(call, comments=True)
        yield arguments[2:] if arguments[0] == "--config" else arguments


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples_that_parse(name: str) -> None:
    for words, command in leaves(named(name), name):
        assert command.help, words
        assert "Examples:" in command.get_help(click.Context(command, **cli.context_settings)), words
        calls = list(example_calls(command))
        assert calls, words
        known = {option for parameter in command.params for option in parameter.opts}
        for call in calls:
            assert tuple(call[: len(words)]) == words
            assert {word for word in call if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_in_json(name: str) -> None:
    for words, command in leaves(named(name), name):
        assert "--json" in {option for parameter in command.params for option in parameter.opts}, words


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"sitevault {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["tenantt"], ["tenant", "shw"], ["tenant", "show"], ["--nope"], ["key", "list"]]
)
def test_wrong_words_exit_2_and_say_what_is_wrong(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Error: " in said.err


def test_a_misspelt_command_is_answered_with_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    run(["tenantt"])
    assert "tenant" in capsys.readouterr().err.split("Did you mean")[1]


def test_wrong_words_with_json_are_answered_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", "show", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["success"] is False


def test_an_error_says_what_happened_what_to_do_and_the_command(
    command: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    command.append(SitevaultError("It broke.", fix="Mend it.", command="sitevault mend"))
    assert run(["try"]) == Exit.FINDINGS
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Error: It broke.\nMend it.\n  sitevault mend\n")


def test_an_error_has_the_exit_code_of_its_class(command: list[BaseException]) -> None:
    command.append(UsageError("No."))
    assert run(["try"]) == Exit.USAGE


def test_a_fault_of_ours_shows_its_place_but_not_its_text(
    command: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SITEVAULT_DEBUG", raising=False)
    command.append(ValueError("the e-mail of a visitor"))
    assert run(["try"]) == 1
    said = capsys.readouterr().err
    assert "ValueError at test_cli_frame.py" in said
    assert "SITEVAULT_DEBUG=1" in said
    assert "visitor" not in said


def test_a_fault_of_ours_shows_its_trace_when_asked(
    command: list[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITEVAULT_DEBUG", "1")
    command.append(ValueError("the reason"))
    assert run(["try"]) == 1
    assert "ValueError: the reason" in capsys.readouterr().err


def test_ctrl_c_exits_130_and_says_that_nothing_was_lost(
    command: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    command.append(KeyboardInterrupt())
    assert run(["try"]) == INTERRUPTED == 130
    assert "What was committed stays" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = [sys.executable, "-c", "from sitevault.cli.main import main; main()", "config", "show"]
    try:
        ended = subprocess.run(
            program, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
        )
    finally:
        os.close(writing)
    assert ended.returncode == 141
    assert ended.stderr == ""


def test_what_cannot_be_asked_is_refused_and_not_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115 -- pytest puts its own back
    with pytest.raises(UsageError) as refusal:
        session.confirm("Delete everything?")
    assert "--yes" in (refusal.value.fix or "")
    session.yes = True
    session.confirm("Delete everything?")


def test_a_table_is_aligned_and_an_empty_one_says_none() -> None:
    assert table(("id", "name"), [("a", "x"), ("long", "y")]) == "id    name\na     x\nlong  y"
    assert table(("id",), []) == "none"
