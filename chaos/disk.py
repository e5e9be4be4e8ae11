"""A small filesystem for the whole home, so that it can be full; where nobody lets us mount one, there is none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_BALLAST = "ballast"
_PIECES = (1 << 28, 1 << 24, 1 << 20, 1 << 12)
_UNMOUNT_SECONDS = 10.0


class Disk:
    """The filesystem that holds the home. `kind` is what it is, `refused` why it is not of ours."""

    def __init__(self, home: Path, kind: str, refused: str = "") -> None:
        self.home = home
        self.kind = kind
        self.refused = refused

    def fill(self) -> int:
        """Leave not a block free; returns the bytes taken."""
        if self.refused:
            raise RuntimeError("never fill a filesystem that is not of ours")
        descriptor = os.open(self.home / _BALLAST, os.O_WRONLY | os.O_CREAT, 0o600)
        size = 0
        try:
            for piece in _PIECES:
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(descriptor, size, piece)
                        size += piece
        finally:
            os.close(descriptor)
        return size

    def free(self) -> None:
        """Give it back. Idempotent."""
        (self.home / _BALLAST).unlink(missing_ok=True)


@contextmanager
def small_disk(home: Path, image: Path, megabytes: int) -> Iterator[Disk]:
    """Mount ext4 of this size over `home`, its blocks in the sparse file `image`; only our children see it.

    The mount is in a namespace of this process: however it ends, nothing stays mounted.
    """
    refused = _mount(home, image, megabytes)
    if refused:
        yield Disk(home, "the machine's own", refused)
        return
    home.chmod(0o711)
    try:
        yield Disk(home, f"ext4 of {megabytes} MB on a loop device")
    finally:
        _unmount(home)


def _mount(home: Path, image: Path, megabytes: int) -> str:
    """Why it could not be done; empty when it was."""
    if os.geteuid() != 0:
        return "mounting a filesystem takes root"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        return f"no mount namespace of our own: {os.strerror(ctypes.get_errno())}"
    with image.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", str(image)],
        ["mount", "-o", "loop", str(image), str(home)],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return f"{command[0]} is not there"
        if done.returncode:
            return f"{command[0]} was refused here"
    return ""


def _unmount(home: Path) -> None:
    deadline = time.monotonic() + _UNMOUNT_SECONDS
    while subprocess.run(["umount", str(home)], capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            subprocess.run(["umount", "--lazy", str(home)], capture_output=True, check=False)
            return
        time.sleep(0.2)
