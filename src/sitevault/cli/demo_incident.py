"""`sitevault demo incident`: the guide's incident, found, mended, taken back, mended again and replayed."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from sitevault.cli.session import Session, examples, json_option, table
from sitevault.cli.story import Telling, captured
from sitevault.errors import Exit

FAULTS = {
    "F1": "functions.arbitrary_tenant",
    "F2": "functions.field_contract",
    "F3": "functions.set_returning_in_scalar",
    "F4": "functions.missing_object",
    "F5": "functions.lost_error_write",
    "F6": "functions.swallowed_failure",
    "F7": "functions.orphan_overload",
    "F8": "functions.unconditional_claim",
}
PROVENANCE = "tenancy.provenance"
TRUE_CAUSES = ("21000", "23502")
"""What the handlers hid behind P0001, in the one door to staging and in the other."""
MISPLACED = (4, 5)
OLD_QUALITY = 0.80
"""The score of the incident's own fix, which looked for the session where it is not."""

_MORAL = """
5 of 5 is all there is, and proves a rate of at least 0.549: INCONCLUSIVE is the honest word (59 clean events
prove 95 %). The score is above the incident's own 0.80 because the session is read where it is, within
event_data. Whose events 1 and 3 are, nothing proves: they came without a key, and the old door gave them to the
oldest tenant; a person decides, with `sitevault repair plan --assign 1=TENANT --reason ...`. The new door takes
no event without a key."""


@click.command(
    epilog=examples("sitevault demo incident", "sitevault demo incident --keep")
    + "\n\n\bExit codes: 0 everything that the story promises holds, 1 not so."
)
@click.option("--keep", is_flag=True, help="Stay up with the mended database until Ctrl-C, and print its URL.")
@json_option
@click.pass_obj
def incident(session: Session, keep: bool) -> int:
    """Five stuck events, eight faults: doctor, repair plan, apply, undo, replay, doctor, on a scratch database.

    The database is made on the embedded server and dropped afterwards, also on Ctrl-C. Every command shown is
    run, and its output is its own, shortened.
    """
    from sitevault.db import embedded
    from sitevault.demo.incident.scratch import scratch

    tell = (lambda _: None) if session.json else click.echo
    with (
        embedded.attach(session.config.home, notify=session.say) as server,
        scratch(server) as url,
        tempfile.TemporaryDirectory(prefix="sitevault-incident-") as directory,
    ):
        story = Story(tell, shell=Shell(session, url, Path(directory)))
        story.tell_it()
        if session.json:
            session.print_json(story.as_dict())
        if keep:
            _stay(session, url)
    return Exit.FINDINGS if story.broken else Exit.OK


@dataclass
class Shell:
    """Runs our own commands against the scratch database."""

    session: Session
    url: str
    directory: Path

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code and what the command printed."""
        settings = ("--config", str(self.session.config_path)) if self.session.config_path else ()
        code, said, remarked = captured((*settings, *words, "--database", self.url))
        return code, said or remarked


@dataclass
class Story(Telling):
    """The walk, and the promises that did not hold."""

    shell: Shell = field(kw_only=True)

    def __post_init__(self) -> None:
        self.names = {f"{self.shell.directory}/": "", f"'{self.shell.url}'": "$URL"}

    def tell_it(self) -> None:
        """From five stuck events to five processed ones."""
        self._wait()
        self._find()
        self._plan()
        self._apply_and_undo()
        self._replay()
        self._look_again()
        self._judge()

    def _typed(self, *words: str) -> None:
        self.tell("$ sitevault " + " ".join(words) + " --database $URL")

    def _run(self, *words: str) -> tuple[int, str]:
        self._typed(*map(self.plain, words))
        return self.shell(*words)

    def _wait(self) -> None:
        self.tell(
            'The guide\'s Testing environment, as it was: 12 tenants, two of them called "Test Company", five\n'
            "events that wait since June, and functions that three hot-fixes in a row were to mend. $URL is a\n"
            "scratch database."
        )
        events = self._events()
        self.show(_events_table(events))
        self.promise([one.status for one in events] == ["PENDING"] * 5, "five events are PENDING at first")

    def _find(self) -> None:
        self.chapter("What is wrong")
        _, said = self._run("doctor")
        self.show(_shortened(said))
        verdicts = self._doctor("before")
        missed = [short for short, check in FAULTS.items() if verdicts.get(check) != "problem"]
        self.promise(not missed, f"the doctor finds {', '.join(missed)}")
        causes = [state for state in TRUE_CAUSES if state not in said]
        self.promise(not causes, f"the probe finds the true cause {', '.join(causes)} behind P0001")
        self.promise(verdicts.get(PROVENANCE) == "problem", "the doctor finds the misplaced events")

    def _plan(self) -> None:
        from sitevault.demo.incident import FIXES, text
        from sitevault.repair import model

        self.chapter("What would mend it (nothing is changed)")
        files: list[str] = []
        for name in FIXES:
            (self.shell.directory / f"{name}.sql").write_text(text(f"fixed/{name}"), "utf-8")
            files += ["--function", str(self.shell.directory / f"{name}.sql")]
        file = self.shell.directory / "repair.json"
        code, said = self._run("repair", "plan", PROVENANCE, *files, "--out", str(file))
        self.show(_plan_lines(said))
        if not file.exists():
            self.broken.append(f"a plan can be made: {said.strip()}")
            return
        made = model.read(file)
        subjects = [action.subject for action in made.actions]
        self.found["plan"] = subjects
        self.promise((code, len(subjects)) == (0, len(FIXES) + 1), "the plan mends every function and the tenants")

    def _apply_and_undo(self) -> None:
        from sitevault.db.catalog import capture
        from sitevault.db.connect import connect

        self.chapter("Mend it, take it back, mend it again")
        file = str(self.shell.directory / "repair.json")
        with connect(self.shell.url, autocommit=True) as conn:
            before, rows = capture(conn), self._events()
            code, said = self._run("repair", "apply", file, "--yes")
            self.show(said.splitlines()[-1:])
            self.promise(code == 0, "the plan can be carried out")
            repair_id = said.rsplit(maxsplit=1)[-1]
            code, said = self._run("repair", "undo", repair_id, "--yes")
            self.show(said.splitlines()[-1:])
            same = before.digest == capture(conn).digest and rows == self._events()
        self.tell(f"-- every object and row as it was before: {'yes' if same else 'NO'}")
        self.promise(code == 0 and same, "a repair that is taken back leaves nothing behind")
        code, said = self._run("repair", "apply", file, "--yes")
        self.show(said.splitlines()[-1:])
        self.promise(code == 0, "what was taken back can be carried out again")

    def _replay(self) -> None:
        self.chapter("Carry the stuck events through")
        code, said = self._run("replay", "--dry-run")
        self.show(said.splitlines()[-1:])
        self.promise(code == 0, "the dry run ends well")
        self._typed("replay", "--yes")
        code, said = self.shell("replay", "--yes", "--json")
        done = json.loads(said)
        rows = [(one["raw_event_id"], one["tenant"], one["was"], one["became"]) for one in done.get("events", ())]
        self.show(table(("event", "tenant", "was", "is"), rows).splitlines())
        self.found["outcomes"] = done.get("outcomes")
        self.found["seconds"] = [one["seconds"] for one in done.get("events", ())]
        self.promise((code, done.get("outcomes")) == (0, {"PROCESSED": 5}), "five of five are processed")
        code, said = self._run("replay", "--yes")
        self.show(said.splitlines())
        self.promise(code == 0 and "no event was stuck" in said, "a second replay finds nothing to do")

    def _look_again(self) -> None:
        self.chapter("What is wrong now")
        _, text = self._run("doctor")
        self.show(_shortened(text))
        after = self._doctor("after")
        left = [name for name, verdict in after.items() if verdict != "ok" and name != PROVENANCE]
        self.promise(not left, f"nothing is left to mend: {', '.join(left)}")
        self.promise(after.get(PROVENANCE) == "unknown", "what nothing proves is not shown as ok")

    def _judge(self) -> None:
        from sitevault.cli.status import kpi_table
        from sitevault.db.connect import connect
        from sitevault.demo.incident.scratch import measure

        self.chapter("What the rows say")
        events = self._events()
        self.show(_events_table(events))
        with connect(self.shell.url, autocommit=True) as conn:
            kpis = measure(conn, self.found.get("seconds", []))
        self.found["kpis"] = [kpi.as_dict() for kpi in kpis]
        self.tell("\nThe guide's KPIs, re-derived from the rows, 95 % confidence")
        self.tell(kpi_table(kpis))
        by_id = {one.raw_event_id: one for one in events}
        self.promise(
            all(by_id[number].tenant == "THE_ONE_SPA" for number in MISPLACED), "events 4 and 5 are The ONE Spa's"
        )
        values = {kpi.name: kpi.value or 0.0 for kpi in kpis}
        self.promise(values["Data Quality Score"] > OLD_QUALITY, "the score is above the incident's 0.80")
        self.promise(values["Processing Success Rate"] == 1.0, "the success rate is 5 of 5")
        self.tell(_MORAL)
        self.own_up()

    def _events(self) -> list[Any]:
        from sitevault.db.connect import connect
        from sitevault.demo.incident.scratch import placed

        with connect(self.shell.url, autocommit=True) as conn:
            return placed(conn)

    def _doctor(self, when: str) -> dict[str, str]:
        """Every check's verdict, as the command says it for programs."""
        _, said = self.shell("doctor", "--json")
        report = json.loads(said)
        verdicts = {one["id"]: one["verdict"] for one in report["checks"]}
        self.found[when] = {name: verdict for name, verdict in verdicts.items() if verdict != "ok"}
        return verdicts


def _events_table(events: list[Any]) -> list[str]:
    rows = [(one.raw_event_id, one.tenant, one.owner or "came without a key", one.status) for one in events]
    return table(("event", "is under", "its key is", "status"), rows).splitlines()


def _shortened(text: str) -> Iterator[str]:
    """The doctor's list without what is ok, each finding as its message; the evidence stays behind."""
    checks, _, findings = text.partition("\n\n")
    shown = [line for line in checks.splitlines() if not line.startswith("✓")]
    yield from shown
    if shown:
        yield ""
    seen = set()
    for block in findings.strip().split("\n\n"):
        lines = block.splitlines()
        if len(lines) == 1:
            yield lines[0]
        elif lines[0] not in seen:
            seen.add(lines[0])
            yield lines[0]
            yield lines[1]


def _plan_lines(text: str) -> Iterator[str]:
    """The plan without its statements, and without the comparisons in which nothing differs."""
    for line in text.splitlines():
        compared = re.search(r": before (.+); after (.+)$", line)
        if not line.startswith("   - ") and not (compared and compared[1] == compared[2]):
            yield line


def _stay(session: Session, url: str) -> None:
    session.say(f"\nThe database stays until Ctrl-C:\n  URL='{url}'\n  sitevault doctor --database \"$URL\"")
    session.say('  sitevault repair list --database "$URL"')
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(0.5)
