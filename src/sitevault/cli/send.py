"""`sitevault send`: a file or a stream of events to a collector."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sitevault.cli.session import Session, examples, json_option
from sitevault.errors import Exit, UsageError

if TYPE_CHECKING:
    from sitevault.client.send import Progress

INTERRUPTED = 130


@click.command(
    epilog=examples(
        "sitevault send events.ndjson --key sv_sec_…",
        "SITEVAULT_KEY=sv_sec_… sitevault send export.csv --url https://collect.example.com",
        "zcat events.gz | sitevault send - --format ndjson",
    )
    + "\n\n\bExit codes: 0 every row accepted, 1 some rejected or sending stopped, 130 interrupted."
)
@click.argument("file", metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--key", envvar="SITEVAULT_KEY", help="The tenant's API key; better in SITEVAULT_KEY.")
@click.option("--url", help="The collector. Default: the one of this host's settings.")
@click.option(
    "--format", "form", type=click.Choice(["ndjson", "json", "csv"]), help="Default: what the file's name says."
)
@click.option("--batch", type=click.IntRange(1, 1000), default=500, show_default=True, help="Events per request.")
@click.option(
    "--patience", type=click.FloatRange(min=0), default=300.0, show_default=True,
    help="Seconds to go on trying while the collector is away or full.",
)  # fmt: skip
@click.option("--no-resume", is_flag=True, help="Send the whole file, even if an earlier sending was interrupted.")
@json_option
@click.pass_obj
def send(
    session: Session,
    file: Path,
    key: str | None,
    url: str | None,
    form: str | None,
    batch: int,
    patience: float,
    no_resume: bool,
) -> int:
    """Send events; interrupted at any moment, the same command goes on where it was.

    NDJSON (an object per line), a JSON list, or CSV (dotted headings nest). A row without an id gets one made
    of the file's content, so the same file sent twice duplicates nothing. A row without a time is recognised
    again within the day only. Rows that are no events go to FILE.rejected.ndjson, with line number and reason.
    """
    from sitevault.client.http import Line
    from sitevault.client.rows import Format, guess_format
    from sitevault.client.send import Memory, RejectFile, Sender

    if not key:
        raise UsageError(
            "Whose events are these? The API key says it.",
            fix="Set SITEVAULT_KEY, or give --key.",
            command="sitevault key create TENANT --secret",
        )
    streamed = str(file) == "-"
    url = url or f"http://{session.config.host}:{session.config.port}"
    memory = None if streamed else Memory(_beside(file, ".sending.json"), _target(url, key))
    if memory and no_resume:
        memory.forget()
    rejects = RejectFile(Path("stdin.rejected.ndjson") if streamed else _beside(file, ".rejected.ndjson"))
    chosen = Format(form) if form else guess_format("" if streamed else file.name)
    with (
        contextlib.closing(rejects),
        _opened(file) as source,
        Line(url, key) as line,
        _progress(session, file, source) as heard,
    ):
        sender = Sender(line, rejects, heard, _waits(session), memory, batch, patience)
        if memory and (before := memory.recall()):
            session.say(f"Going on after row {before.done}, where it was interrupted.")
        try:
            done = sender.send(source, chosen)
        except KeyboardInterrupt:
            session.say(
                "\nInterrupted; nothing is lost. "
                + ("Send the stream again: " if streamed else "The same command goes on from here: ")
                + "what arrived is recognised by its id."
            )
            return INTERRUPTED
    return _summary(session, done, rejects.path if rejects.used else None)


def _summary(session: Session, done: Progress, rejected_to: Path | None) -> int:
    reasons = ", ".join(f"{count} {code}" for code, count in done.reasons.most_common())
    text = f"{done.accepted} of {done.done} rows accepted" + (
        f", {done.rejected} rejected ({reasons}); they are in {rejected_to}" if done.rejected else ""
    )
    session.answer(
        {
            "success": not done.rejected,
            "rows": done.done,
            "accepted": done.accepted,
            "rejected": done.rejected,
            "reasons": dict(done.reasons),
            "rejected_to": rejected_to and str(rejected_to),
        },
        f"{text}.\nNext: sitevault status",
    )
    return Exit.FINDINGS if done.rejected else Exit.OK


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    with source:
        yield source


@contextlib.contextmanager
def _progress(session: Session, file: Path, source: BinaryIO) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, silence elsewhere."""
    if session.json or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    total = None if str(file) == "-" else os.fstat(source.fileno()).st_size
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=total)

        def heard(done: Progress) -> None:
            text = f"{done.accepted} accepted" + (f", {done.rejected} rejected" if done.rejected else "")
            bar.update(task, description=text, completed=source.tell() if total is not None else done.done)

        yield heard


def _waits(session: Session) -> Callable[[float, str], None]:
    def say(seconds: float, why: str) -> None:
        session.say(f"Waiting {seconds:.1f} s: {why}")

    return say


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _target(url: str, key: str) -> str:
    """Names the collector and the key without holding the key."""
    return f"{url.rstrip('/')} {hashlib.sha256(key.encode()).hexdigest()[:12]}"
