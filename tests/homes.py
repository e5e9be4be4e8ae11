"""Homes for servers under test."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sitevault.db import postmaster

_PREFIX = "sitevault-test-"


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A directory of our own that the server's user can enter, which pytest's tmp_path is not for root."""
    home = Path(tempfile.mkdtemp(prefix=_PREFIX))
    home.chmod(0o711)
    # Held as long as this process lives: how a later run knows what a killed one has left behind. Locked
    # before it gets its name, so that nobody ever finds it free.
    in_use = os.open(home / "in-use.new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(in_use, fcntl.LOCK_EX)
    (home / "in-use.new").rename(home / "in-use")
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(in_use)


def sweep_abandoned_homes() -> None:
    """Stop the servers and remove the homes of test processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/in-use"):
        try:
            in_use = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # somebody else's, or just removed
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            for data in [found.parent for found in lock.parent.rglob("postmaster.pid")]:
                left = postmaster.read_pid_file(data)
                if left and postmaster.serves(left.pid, data):
                    postmaster.stop(left.pid, lambda _: None)
            shutil.rmtree(lock.parent, ignore_errors=True)
        finally:
            os.close(in_use)
