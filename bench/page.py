"""docs/reference/benchmarks.md, written from the results of one run."""

from bench.machine import Run


def write(run: Run) -> None:
    raise NotImplementedError
