"""One service as a child process: started, heard when it is ready, stopped, its log kept within bounds."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sitevault.errors import SitevaultError
from sitevault.supervisor.lifeline import ChildFellError, ReadyPipe

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LOG_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 2_000


class ServiceFailedError(SitevaultError):
    """A service did not start."""


class Child:
    """A `sitevault serve --only …` process; dies with us, because it holds the other end of our lifeline."""

    def __init__(
        self,
        service: str,
        log: Path,
        *,
        config_path: Path | None,
        environ: Mapping[str, str],
        module: str = "sitevault",
    ) -> None:
        self.service = service
        self.log = log
        self._module = module
        self._config = ["--config", str(config_path)] if config_path else []
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None
        self._ready: ReadyPipe | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; `wait_ready` says when it serves."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _rotate(self.log)
        theirs, self._lifeline = os.pipe()
        self._ready = ReadyPipe()
        command = [
            sys.executable, "-m", self._module, *self._config, "serve", "--only", self.service,
            "--lifeline", str(theirs), "--ready-fd", str(self._ready.writing),
        ]  # fmt: skip
        try:
            with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environ,
                    pass_fds=(theirs, self._ready.writing),
                    start_new_session=True,  # the terminal's Ctrl-C is ours to pass on, in order
                )
        finally:
            os.close(theirs)
            self._ready.started()

    def wait_ready(self, seconds: float = START_SECONDS) -> dict[str, Any]:
        """What the service says of itself once it serves. Raises ServiceFailedError with its last words."""
        if self._ready is None:
            raise RuntimeError("not started")
        try:
            news = self._ready.news(seconds)
        except ChildFellError:
            news = None
        finally:
            self._ready.close()
            self._ready = None
        if news is None:
            said = self.last_words()
            self.stop()
            raise ServiceFailedError(f"The {self.service} did not start. {said}", fix=f"Its log is {self.log}")
        return news

    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ask it to stop, wait, and make it stop. Idempotent."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._ready is not None:
            self._ready.close()
            self._ready = None

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        if self.running() and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def last_words(self) -> str:
        """Its last error as told to a person, else the last line of its log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                lines = log.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        errors = [place for place, line in enumerate(lines) if line.startswith("Error: ")]
        return " ".join(lines[errors[-1] :] if errors else lines[-1:]).removeprefix("Error: ")


class Tree:
    """Children that are started again when they fall, each after a pause that doubles with every early fall."""

    FIRST_PAUSE = 0.5
    LONGEST_PAUSE = 30.0
    STEADY_SECONDS = 60.0

    def __init__(self, children: list[Child]) -> None:
        self.children = children
        self._pauses = {child.service: self.FIRST_PAUSE for child in children}
        self._started = {child.service: time.monotonic() for child in children}
        self._again: dict[str, float] = {}

    def tend(self) -> list[str]:
        """Look after each child once; returns what there is to say. Never blocks for long."""
        said = []
        now = time.monotonic()
        for child in self.children:
            if child.running():
                continue
            due = self._again.get(child.service)
            if due is None:
                if now - self._started[child.service] > self.STEADY_SECONDS:
                    self._pauses[child.service] = self.FIRST_PAUSE
                pause = self._pauses[child.service]
                self._again[child.service] = now + pause
                self._pauses[child.service] = min(pause * 2, self.LONGEST_PAUSE)
                said.append(f"The {child.service} fell; starting it again in {pause:g} s. {child.last_words()}")
            elif now >= due:
                del self._again[child.service]
                child.stop()
                child.start()
                self._started[child.service] = now
                said.append(f"The {child.service} is started again.")
        return said

    def stop(self) -> None:
        """The collector first, so that the worker can finish what has landed."""
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.stop()


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
