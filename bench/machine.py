"""The machine a run was made on, and the run as a whole: a figure without them says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime
from pathlib import Path

import msgspec

from bench.figures import Result
from sitevault.db import binaries


class Machine(msgspec.Struct, frozen=True):
    """What figures depend on."""

    cpu: str
    cores: int
    memory_gb: float
    kernel: str
    postgresql: str
    python: str
    load: float
    """The load average of the minute before: above a few tenths, others were at work, too."""


class Run(msgspec.Struct, frozen=True):
    """Everything one call of the harness measured."""

    machine: Machine
    command: str
    started: datetime
    results: list[Result]
    ahead: bool = False
    """What was measured ran before whatever others were at."""


def describe() -> Machine:
    """This machine; no name of it."""
    postgres = binaries.find().program("postgres")
    version = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    return Machine(
        cpu=_first("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(int((_first("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 1024**2, 1),
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
        postgresql=version.split()[2],
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
    )


def _first(path: str, name: str) -> str | None:
    for line in Path(path).read_text("utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
