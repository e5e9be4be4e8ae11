"""The console's questions again, of a database that `growth --home` kept: after a change, without growing anew."""

from __future__ import annotations

from bench import questions
from bench.figures import HarnessError, Result
from bench.house import open_house
from bench.settings import Row, Settings


def measure(settings: Settings) -> Result:
    """Bring the kept database up to date, then ask."""
    if settings.home is None or not settings.home.is_dir():
        raise HarnessError(
            "Name by --home the directory in which `python -m bench growth --home ...` kept its database."
        )
    with open_house(settings.home) as house:
        return questions.ask(house)


ROW = Row("questions", "The console's questions of a kept, grown database", measure, on_its_own=True)
