"""Sends a file of events in batches until each has an answer, and remembers how far it got."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from sitevault.client.http import CollectorUnreachableError, Line, Reply
from sitevault.client.rows import Format, Row, read_rows
from sitevault.errors import SitevaultError, UsageError
from sitevault.reasons import Reason

BATCH_EVENTS = 500
BATCH_BYTES = 1_000_000
GIVE_UP_SECONDS = 300.0
NEVER_MET_SECONDS = 15.0
"""How long a collector that has not answered once is tried: its address may be wrong."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_BATCH_PATH = "/api/v1/track/batch"


class SendStoppedError(SitevaultError):
    """The collector refused the sending as a whole, or could not be reached for too long."""


class Rejects(Protocol):
    """Where rows go that are no events, or that the collector refused."""

    def __call__(self, row: Row, code: str, message: str) -> None: ...


@dataclass
class Progress:
    """How far the sending got; what `Memory` keeps. Counts are of rows."""

    done: int = 0
    """Rows that have their answer: all up to here, none beyond."""
    chain: str = ""
    """The chain of the last of them, in hex: proof that the file still begins the same."""
    accepted: int = 0
    rejected: int = 0
    bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Memory:
    """A small state file, replaced as a whole after every answered batch."""

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self._target = target

    def recall(self) -> Progress | None:
        """How far an interrupted sending to the same target got. Raises UsageError for another target's."""
        try:
            stored = json.loads(self.path.read_text("utf-8"))
            progress = Progress(**(stored["progress"] | {"reasons": Counter(stored["progress"]["reasons"])}))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self.path} cannot be read: {error}", fix="Remove it to send the whole file again."
            ) from error
        if stored["target"] != self._target:
            raise UsageError(
                f"{self.path} belongs to a sending to another collector or with another key.",
                fix="Finish that one, or remove the file to send everything again.",
            )
        return progress

    def keep(self, progress: Progress) -> None:
        """Remember; a reader sees the old state or the new one."""
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(json.dumps({"target": self._target, "progress": vars(progress)}), "utf-8")
        os.replace(fresh, self.path)

    def forget(self) -> None:
        """Everything has its answer."""
        self.path.unlink(missing_ok=True)


@dataclass
class Sender:
    """Sends rows over a line. `heard` is told of every answered batch, `waits` of every pause and its reason."""

    line: Line
    rejects: Rejects
    heard: Callable[[Progress], None] = lambda progress: None
    waits: Callable[[float, str], None] = lambda seconds, why: None
    memory: Memory | None = None
    batch_events: int = BATCH_EVENTS
    give_up_seconds: float = GIVE_UP_SECONDS
    _met: bool = False

    def send(self, file: BinaryIO, form: Format) -> Progress:
        """Send every row that has no answer yet; one batch is in flight at a time, in the file's order.

        Raises SendStoppedError, UsageError. However it ends, what has its answer is remembered, and what was
        in flight is sent again the next time, with the same ids.
        """
        progress = (self.memory.recall() if self.memory else None) or Progress()
        rows = read_rows(file, form)
        _skip(rows, progress)
        for batch in _batches(rows, self.batch_events):
            self._deliver([row for row in batch if row.problem is None], progress)
            for row in batch:
                if row.problem is not None:
                    self._reject(row, Reason.ROW_UNREADABLE, row.problem, progress)
            progress.done += len(batch)
            progress.chain = batch[-1].chain.hex()
            if self.memory:
                self.memory.keep(progress)
            self.heard(progress)
        if self.memory:
            self.memory.forget()
        return progress

    def _deliver(self, rows: list[Row], progress: Progress) -> None:
        if not rows:
            return
        reply = self._answered(b"[" + b",".join(row.event for row in rows) + b"]")
        results = reply.content.get("results")
        if isinstance(results, list) and len(results) == len(rows):
            for row, result in zip(rows, results, strict=True):
                if "event_id" in result:
                    progress.accepted += 1
                    progress.bytes += len(row.event)
                else:
                    self._reject(row, str(result.get("code")), str(result.get("message")), progress)
        elif reply.status in (400, 413) and len(rows) > 1:
            # One row is to blame for the whole, or there are too many: halve until it is alone.
            middle = len(rows) // 2
            self._deliver(rows[:middle], progress)
            self._deliver(rows[middle:], progress)
        elif reply.status in (400, 413):
            self._reject(rows[0], reply.code, reply.message, progress)
        else:
            raise SendStoppedError(
                f"The collector refuses everything: {reply.code}: {reply.message}",
                fix="Mend that and send again; what was accepted is not sent twice.",
            )

    def _answered(self, body: bytes) -> Reply:
        """The answer to a batch, however often it has to be asked for."""
        pause, began = _FIRST_PAUSE, time.monotonic()
        while True:
            try:
                reply = self.line.post(_BATCH_PATH, body)
            except CollectorUnreachableError as error:
                why, wanted = error.message, None
            else:
                self._met = True
                if reply.status not in _TRANSIENT:
                    return reply
                why, wanted = f"{reply.code}: {reply.message}", reply.retry_after
            patience = self.give_up_seconds if self._met else min(self.give_up_seconds, NEVER_MET_SECONDS)
            if time.monotonic() - began + pause > patience:
                raise SendStoppedError(
                    f"{why} (for {patience:.0f} s)",
                    fix="Send again later with the same command; what was accepted is not sent twice.",
                )
            seconds = max(wanted or 0.0, pause * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads the herd
            self.waits(seconds, why)
            time.sleep(seconds)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _reject(self, row: Row, code: str, message: str, progress: Progress) -> None:
        self.rejects(row, code, message)
        progress.rejected += 1
        progress.reasons[code] += 1


def _skip(rows: Iterator[Row], progress: Progress) -> None:
    """Pass over what has its answer. Raises UsageError if that part of the file is no longer the same."""
    chain = ""
    for _ in range(progress.done):
        row = next(rows, None)
        chain = row.chain.hex() if row else ""
    if chain != progress.chain:
        raise UsageError(
            "The file has changed since it was interrupted, in the part that was sent already.",
            fix="Remove the state file beside it to send everything again; rows with the same id are recognised.",
        )


def _batches(rows: Iterator[Row], most: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        if batch and (len(batch) >= most or size + len(row.event) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row.event)
    if batch:
        yield batch


class RejectFile:
    """Rejected rows as NDJSON beside the file; made with the first one, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def __call__(self, row: Row, code: str, message: str) -> None:
        """Append a row with its reason."""
        if self._file is None:
            self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        entry = {
            "line": row.number,
            "code": code,
            "message": message,
            "row": row.event.decode("utf-8", "backslashreplace"),
        }
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._file.flush()

    @property
    def used(self) -> bool:
        """Whether anything was rejected."""
        return self._file is not None

    def close(self) -> None:
        """Close the file if there is one."""
        if self._file is not None:
            self._file.close()
