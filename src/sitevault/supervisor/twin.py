"""A copy of this process that does the same work: what a second thread cannot have, a core of its own."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable

from sitevault.supervisor import lifeline

log = logging.getLogger(__name__)


class Twin:
    """The copy, as its original sees it."""

    def __init__(self, pid: int, its_lifeline: int) -> None:
        self.pid = pid
        self.fell = False
        """It ended although nobody asked it to."""
        self._lifeline: int | None = its_lifeline
        self._waiter: threading.Thread | None = None

    def watch(self, fell: Callable[[], None]) -> None:
        """Call `fell`, in a thread, if the copy ends by itself."""

        def wait() -> None:
            _, status = os.waitpid(self.pid, 0)
            if self._lifeline is not None:
                self.fell = True
                log.error("twin.fell", extra={"code": os.waitstatus_to_exitcode(status)})
                fell()

        self._waiter = threading.Thread(target=wait, name="twin")
        self._waiter.start()

    def ask_to_stop(self) -> None:
        """As SIGTERM would, without waiting. Idempotent."""
        mine, self._lifeline = self._lifeline, None
        if mine is not None:
            os.close(mine)

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.ask_to_stop()
        if self._waiter is not None:
            self._waiter.join()


def fork(work: Callable[[], None], let_go: Iterable[int]) -> Twin:
    """Run `work` in a copy of this process, which stops when this one is gone, however that ended.

    To be called before there is a thread or a connection: a copy would share it. `let_go` are descriptors by which
    others hear of this process's end.
    """
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return Twin(pid, ours)
    code = 1
    try:
        for descriptor in (ours, *let_go):
            os.close(descriptor)
        lifeline.hold(theirs)
        work()
        code = 0
    except BaseException:
        log.exception("twin.failed")
    finally:
        # Nothing of the original's is to be tidied up twice.
        os._exit(code)
