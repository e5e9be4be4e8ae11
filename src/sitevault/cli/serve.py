"""`sitevault serve`: one service in this process, for whoever runs each under a supervisor of their own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import click

from sitevault.cli.session import Session, examples, json_option


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

    Several workers may run against one database. `sitevault up` runs everything at once.
    """
    from sitevault import log
    from sitevault.supervisor import lifeline as pipes

    if lifeline is not None:
        pipes.hold(lifeline)
    log.configure(session.config.log_level)

    def ready(url: str) -> None:
        if ready_fd is not None:
            pipes.tell_ready(ready_fd, {"url": url})
        else:
            text = f"The collector listens on {url}" if url else "The worker is at work."
            session.answer({"success": True, "service": only, "url": url or None}, text)

    if only == "collector":
        _collect(session, ready)
    else:
        _work(session, ready)


def _collect(session: Session, ready: Callable[[str], None]) -> None:
    import uvloop

    from sitevault.collector.server import serve as run

    with session.database() as database:
        uvloop.run(run(database, session.config, ready))


def _work(session: Session, ready: Callable[[str], None]) -> None:
    from sitevault.worker.run import Worker

    stop = threading.Event()
    with session.database() as database:
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
        try:
            ready("")
            Worker(database, session.config).run(stop)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
