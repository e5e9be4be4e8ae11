"""From an empty directory to the first event accepted, by the commands an operator types."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer
from time import monotonic

from bench import ahead, client
from bench.figures import Bar, Figures, HarnessError, Result, interleave, judge, summarise
from bench.house import environment, temporary_home
from bench.settings import Row, Settings

EVENT = b'{"event_type": "page_view", "page_url": "https://www.example.com/", "session_id": "s-1"}'
BARS = {"seconds": Bar(5, at_least=False)}
_UP = "Sitevault is up: "
_LONGEST_SECONDS = 60.0


def measure(settings: Settings) -> Result:
    """Rounds of starts, each in a directory of its own."""
    measured = interleave(settings.rounds, {"empty directory": _start})
    sides = summarise(measured)
    got = sides["empty directory"]["seconds"].median
    return Result(
        ROW.name,
        ROW.title,
        sides,
        {},
        [judge("seconds", got, BARS["seconds"])],
        ["The first event was answered 200."],
        ["`sitevault up` until it says so, then `tenant add`, `key create`, and a POST."],
    )


def _start() -> Figures:
    with temporary_home() as home, ahead.of_others([os.getpid()]):
        ours = environment(home)
        began = monotonic()
        with _up(ours) as url:
            up = monotonic()
            _sitevault(ours, "tenant", "add", "The ONE Spa", "--id", "the-one-spa")
            key = _sitevault(ours, "key", "create", "the-one-spa", "--secret").strip()
            wire = client.request("/api/v1/track", key, EVENT)
            outcome = client.closed_loop(url, iter([wire]), 1, 10)
            ended = monotonic()
    if outcome.answered != 1:
        raise HarnessError("The first event was not accepted.")
    return {"seconds": ended - began, "of them until up": up - began}


@contextmanager
def _up(ours: Mapping[str, str]) -> Iterator[str]:
    """`sitevault up`, and its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "sitevault", "up"],
        env=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        if process.stdout is None:
            raise RuntimeError("asked for a pipe, got none")
        alarm = Timer(_LONGEST_SECONDS, process.kill)
        alarm.start()
        try:
            url = next((line.removeprefix(_UP).strip() for line in process.stdout if line.startswith(_UP)), None)
            if url is None:
                raise HarnessError("`sitevault up` ended before it was up.")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()  # the alarm bounds this, too
            alarm.cancel()


def _sitevault(ours: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "sitevault", *arguments]
    done = subprocess.run(command, env=ours, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HarnessError(f"`sitevault {' '.join(arguments)}` failed: {done.stderr}")
    return done.stdout


ROW = Row("start", "Start: empty directory to first event accepted", measure)
