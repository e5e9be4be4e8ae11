"""`sitevault`: finds the command, runs it, and turns every ending into a message and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import click

from sitevault import __version__
from sitevault.cli.registry import COMMANDS
from sitevault.cli.session import Session
from sitevault.errors import Exit, SitevaultError

INTERRUPTED = 128 + signal.SIGINT
OUTPUT_CLOSED = 128 + signal.SIGPIPE


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nStart here:\n  sitevault init\n  sitevault tenant add 'The ONE Spa'\n\n"
    "Exit codes: 0 done, 1 findings or failed before any change, 2 usage or configuration, 3 unknown, "
    "4 failed and rolled back, 5 rollback failed, 6 blocked.",
)
@click.version_option(__version__, prog_name="sitevault", message="%(prog)s %(version)s")
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The TOML file to read instead of ./sitevault.toml.",
)
@click.pass_obj
def cli(session: Session, config_path: Path | None) -> None:
    """Multi-tenant site tracking in your own PostgreSQL that can say where every event is."""
    session.config_path = config_path


def main() -> None:
    """The console script."""
    if "_SITEVAULT_COMPLETE" in os.environ:
        cli(prog_name="sitevault")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever happens is said, nothing is raised."""
    session = Session(json="--json" in arguments)
    try:
        with _unwound_by_sigterm():
            with cli.make_context("sitevault", list(arguments), obj=session) as context:
                result = cli.invoke(context)
            sys.stdout.flush()
        return int(result) if isinstance(result, int) else Exit.OK
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        session.say(
            "\nInterrupted. What was committed stays, the rest was rolled back; the command can be repeated."
        )
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter's last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUTPUT_CLOSED
    except click.ClickException as error:
        return _report_misuse(session, error)
    except SitevaultError as error:
        _trace_if_asked()
        session.report(error)
        return error.exit_code
    except Exception as error:
        return _report_fault(session, error)


def _report_misuse(session: Session, error: click.ClickException) -> int:
    if session.json:
        session.print_json(
            {
                "success": False,
                "code": "UsageError",
                "message": error.format_message(),
                "fix": None,
                "command": "sitevault --help",
            }
        )
    else:
        error.show(sys.stderr)
    return Exit.USAGE


def _report_fault(session: Session, error: Exception) -> int:
    # The exception's own text may quote an event, so only its type and place are shown unasked.
    last = traceback.extract_tb(error.__traceback__)[-1]
    fault = SitevaultError(
        f"A fault of ours: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}.",
        fix="Run it again with SITEVAULT_DEBUG=1 to see the whole trace, and report it.",
    )
    _trace_if_asked()
    session.report(fault)
    return fault.exit_code


def _trace_if_asked() -> None:
    if os.environ.get("SITEVAULT_DEBUG"):
        traceback.print_exc(file=sys.stderr)


@contextlib.contextmanager
def _unwound_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a command as an exception does, so that the embedded server is given up properly."""

    def leave(number: int, _: FrameType | None) -> None:
        # A second one must not interrupt the tidying up that the first began.
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
