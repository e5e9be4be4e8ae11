"""`sitevault serve`: one service in this process, for whoever runs each under a supervisor of their own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from sitevault.cli.session import Session, examples, json_option
from sitevault.errors import SitevaultError

if TYPE_CHECKING:
    from sitevault.supervisor.twin import Twin


class HalfAWorkerError(SitevaultError):
    """One of a worker's two processes ended by itself."""


@click.command(
    epilog=examples(
        "sitevault serve --only collector",
        "sitevault serve --only worker",
        "SITEVAULT_PORT=9000 sitevault serve --only collector",
    )
)
@click.option("--only", type=click.Choice(["collector", "worker"]), required=True, help="Which service.")
@click.option("--lifeline", type=int, hidden=True, help="Stop when this pipe's other end is closed.")
@click.option("--ready-fd", type=int, hidden=True, help="Write a line of JSON here once it serves.")
@json_option
@click.pass_obj
def serve(session: Session, only: str, lifeline: int | None, ready_fd: int | None) -> None:
    """Run the collector or a worker in the foreground until SIGTERM or Ctrl-C; logs go to standard error.

    A worker is two processes, so that two cores are busy; several workers may run against one database.
    `sitevault up` runs everything at once.
    """
    from sitevault import log
    from sitevault.supervisor import lifeline as pipes
    from sitevault.supervisor.twin import fork

    log.configure(session.config.log_level)

    def ready(url: str) -> None:
        if ready_fd is not None:
            pipes.tell_ready(ready_fd, {"url": url})
        else:
            text = f"The collector listens on {url}" if url else "The worker is at work."
            session.answer({"success": True, "service": only, "url": url or None}, text)

    def hold() -> None:
        if lifeline is not None:
            pipes.hold(lifeline)

    if only == "collector":
        hold()
        _collect(session, ready)
    else:
        twin = fork(lambda: _work(session, threading.Event()), [] if ready_fd is None else [ready_fd])
        hold()
        _work_with(twin, session, ready)


def _collect(session: Session, ready: Callable[[str], None]) -> None:
    import uvloop

    from sitevault.collector.server import serve as run

    with session.database() as database:
        uvloop.run(run(database, session.config, ready))


def _work_with(twin: Twin, session: Session, ready: Callable[[str], None]) -> None:
    """Work, while the copy of this process works on another core; neither goes on without the other."""
    stop = threading.Event()

    def heard(*_: object) -> None:
        stop.set()
        twin.ask_to_stop()

    for number in _SIGNALS:
        # Until the copy is gone: whoever stops services may say so twice, and the copy would be left to itself.
        signal.signal(number, heard)
    twin.watch(stop.set)
    try:
        _work(session, stop, twin.ask_to_stop, ready, keep_house=True)
    finally:
        twin.stop()
    if twin.fell:
        raise HalfAWorkerError(
            "One of the worker's two processes ended by itself; the other finished what it had and stopped.",
            fix="Start the worker again; why it ended is in its log or the kernel's (out of memory?).",
            command="sitevault serve --only worker",
        )


def _work(
    session: Session,
    stop: threading.Event,
    also: Callable[[], None] = lambda: None,
    ready: Callable[[str], None] = lambda url: None,
    *,
    keep_house: bool = False,
) -> None:
    from sitevault.worker.run import Worker

    def heard(*_: object) -> None:
        stop.set()
        also()

    with session.database() as database:
        before = {number: signal.signal(number, heard) for number in _SIGNALS}
        try:
            ready("")
            Worker(database, session.config, keep_house=keep_house).run(stop)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
