"""Who listens while a release goes on: the terminal, a file or a program that reads NDJSON, a webhook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import click

from sitevault.cli.session import Session
from sitevault.errors import UsageError

if TYPE_CHECKING:
    from sitevault.release.environments import Environment
    from sitevault.release.events import Event, Listener

Decorated = TypeVar("Decorated", bound=Callable[..., object])

STDOUT = Path("-")


def events_option(command: Decorated) -> Decorated:
    """--events: every step as a line of JSON. With `-` the answer is the last line."""

    def remember(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
        if value == STDOUT:
            session = context.find_object(Session)
            session.json = session.lines = True  # type: ignore[union-attr]
        return value

    return click.option(
        "--events",
        type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
        callback=remember,
        help="Append every step to this file as a line of JSON; `-`: to standard output, before the answer.",
    )(command)


@contextmanager
def listeners(session: Session, settings: Environment, events: Path | None) -> Iterator[Listener]:
    """Everybody who is to be told of an environment's steps, as one listener; it never raises.

    At the end it is said who missed something.
    """
    from sitevault.release.notify import told

    with ExitStack() as stack:
        everybody: list[Listener] = [stack.enter_context(_terminal())]
        if events is not None:
            everybody.append(stack.enter_context(_ndjson(session, events)))
        everybody.append(stack.enter_context(told(settings, session.say)))

        def tell(event: Event) -> None:
            for listener in everybody:
                with suppress(OSError, ValueError):  # a terminal that went away
                    listener(event)

        yield tell


@contextmanager
def _ndjson(session: Session, path: Path) -> Iterator[Listener]:
    """Each event as a line; the first failure is the last line, for a reader who left is no reason to stop."""
    import msgspec

    file = sys.stdout.buffer if path == STDOUT else _appended(path)
    lost: list[str] = []

    def write(event: Event) -> None:
        if lost:
            lost.append("")
            return
        try:
            file.write(msgspec.json.encode(event, enc_hook=str) + b"\n")
            file.flush()
        except (OSError, ValueError) as error:
            lost.append(str(error))

    try:
        yield write
    finally:
        if path != STDOUT:
            file.close()
        if lost:
            session.say(f"{len(lost)} events could not be written to {path}: {lost[0]}.")


def _appended(path: Path) -> IO[bytes]:
    """Opened before anything begins. Raises UsageError."""
    try:
        return path.open("ab", buffering=0)  # nothing is left to write when it is closed
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", fix="Name another file.") from error


@contextmanager
def _terminal() -> Iterator[Listener]:
    """Each step as a line on standard error; on a terminal the last one is alive until the next comes."""
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:

        def show(event: Event) -> None:
            line = f"[dim]{_clock(event)}[/dim] [bold]{escape(event.step):<9}[/bold] {escape(event.message)}"
            console.print(line, soft_wrap=True)
            status.update(f"{escape(event.environment)}: {escape(event.step)}")

        yield show


def _plain(event: Event) -> None:
    click.echo(f"{_clock(event)} {event.step:<9} {event.message}", err=True)


def _clock(event: Event) -> str:
    return event.at[11:19]
