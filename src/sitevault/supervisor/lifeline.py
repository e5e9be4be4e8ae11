"""How a child and its parent know of each other: two pipes, which the kernel closes however a process ends.

PR_SET_PDEATHSIG would be tied to the thread that forked, and to Linux.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from typing import Any

GRACE_SECONDS = 20.0
"""How long an orphan may take to stop properly before it just ends."""


def hold(descriptor: int) -> None:
    """In a child: stop this process, as SIGTERM would, when the parent's end of the pipe is gone."""

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def tell_ready(descriptor: int, news: dict[str, Any]) -> None:
    """In a child: say once that the service answers, and where."""
    with os.fdopen(descriptor, "w") as pipe:
        json.dump(news, pipe)


class ReadyPipe:
    """In the parent: what the child says when it is ready."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()

    def started(self) -> None:
        """The child has its end; ours is closed, so that the pipe ends with the child."""
        os.close(self.writing)

    def news(self, seconds: float) -> dict[str, Any] | None:
        """What it said, None if it says nothing in that time; raises ChildFellError if it ends without a word."""
        readable, _, _ = select.select([self._reading], [], [], max(seconds, 0))
        if not readable:
            return None
        pieces = []
        while piece := os.read(self._reading, 65_536):
            pieces.append(piece)
        if not pieces:
            raise ChildFellError
        news: dict[str, Any] = json.loads(b"".join(pieces))
        return news

    def close(self) -> None:
        """Forget the pipe."""
        os.close(self._reading)


class ChildFellError(Exception):
    """The child ended before it was ready."""
