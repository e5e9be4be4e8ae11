"""Homes for servers under test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A directory of our own that the server's user can enter, which pytest's tmp_path is not for root."""
    home = Path(tempfile.mkdtemp(prefix="sv-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
