"""`sitevault demo release`: one fix through four environments, and three releases that are stopped."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.session import Session, examples, json_option, table
from sitevault.cli.story import Telling, captured
from sitevault.errors import Exit

if TYPE_CHECKING:
    from sitevault.demo.release.town import Place

JUDGE, AUTHOR, APPROVER = "release-desk", "grace", "ada"
PEOPLE = (APPROVER, AUTHOR, JUDGE)
RATES = {"testing": 60.0, "dev": 60.0, "mock": 60.0, "production": 150.0}
"""Events per second while a release is observed; before and after it is quieter."""
ENOUGH, FEW = 200, 15
"""Events after which rates are proved, and after which some of a kind have come."""
KPIS = ("success_rate", "error_rate", "quality", "ledger", "freshness")


class CannotGoOn(Exception):
    """A step failed without which there is nothing to tell."""


@click.command(
    epilog=examples("sitevault demo release", "sitevault demo release --json")
    + "\n\n\bExit codes: 0 everything that the story promises holds, 1 not so."
)
@json_option
@click.pass_obj
def release(session: Session) -> int:
    """The incident's fix from testing to production, and three releases that are stopped on their way.

    Four databases are made on the embedded server, with traffic at their doors from the first moment to the
    last, and dropped afterwards, also on Ctrl-C. Every command shown is run, and its output is its own, shortened.
    """
    from sitevault.db import embedded
    from sitevault.demo.release.town import town

    tell = (lambda _: None) if session.json else click.echo
    with (
        embedded.attach(session.config.home, notify=session.say) as server,
        tempfile.TemporaryDirectory(prefix="sitevault-release-") as directory,
        town(server) as places,
    ):
        story = Story(tell, directory=Path(directory), places=places)
        story.tell_it()
        if session.json:
            session.print_json(story.as_dict())
    return Exit.FINDINGS if story.broken else Exit.OK


@dataclass
class Story(Telling):
    """The walk, and the promises that did not hold."""

    directory: Path = field(kw_only=True)
    places: Mapping[str, Place] = field(kw_only=True)

    def __post_init__(self) -> None:
        self.names = {f"{self.directory}/": ""}
        self.found["ended"] = {}
        self._verdicts: dict[str, str] = {}

    def tell_it(self) -> None:
        """From five stuck events in each of four environments to an account of every event."""
        try:
            self._prepare()
            self._the_fix()
            self._the_edited_one()
            self._the_green_one()
            self._the_late_one()
        except CannotGoOn as why:
            self.promise(False, str(why))
        self._account()

    def _prepare(self) -> None:
        """Keys, settings, and which database is which environment; not worth a line each."""
        from sitevault.demo.release import sources

        self.tell(
            "Four environments, each with the incident as it was: five events that wait, eight faults. From now\n"
            "to the end each gets events at its door, as a site sends them, and its job looks for work at once.\n"
            "Windows are seconds instead of a day; the thresholds are the guide's, but for an event's time."
        )
        (self.directory / "keys").mkdir()
        self._settings.write_text(sources.text_of("sitevault.toml").replace("{directory}", str(self.directory)))
        for person in PEOPLE:
            self._must("audit", "keygen", self._file(f"keys/{person}"))
        for name in self.places:
            self._must("release", "enroll", "--env", name, "--yes")

    def _the_fix(self) -> None:
        from sitevault.demo.release import sources

        self.chapter("site-fix 1.0.0, from testing to production")
        self.found["digest"] = self._build(sources.SITE_FIX, "site-fix.json")
        ended = self.found["ended"][sources.SITE_FIX] = []
        for before, name in zip((None, *self.places), self.places, strict=False):
            ended.append(self._carry("site-fix.json", name, before))
        five = {name: place.outcomes(range(1, 6)) for name, place in self.places.items()}
        self.found["five"] = five
        done = all(one == {"PROCESSED": 5} for one in five.values())
        self.promise(done, f"the five events are processed everywhere: {five}")
        self.tell(f"-- the five events that waited since June: PROCESSED in {'all four' if done else five}")

    def _carry(self, bundle: str, name: str, before: str | None) -> str:
        """One environment: promoted to, planned, rehearsed, approved where demanded, deployed, observed."""
        place, full = self.places[name], name in ("testing", "production")
        self.tell(f"-- {name}" + ("" if full else ": the same commands"))
        with self.told(full):
            if before is not None:
                code, _ = self._step("promote", env=name, lines=_first)
                self.promise(code == Exit.OK, f"{name} takes what passed in {before}")
            plan = self._plan(bundle, name, "no_baseline", full=name == "testing")
            self._rehearse(bundle, plan, name, full=name == "testing")
            if name == "production":
                self._approve(bundle, plan, name)
            code = self._deploy(bundle, plan, name)
        with place.busy(RATES[name]):
            ended = self._observe(name, full=name == "testing") if code == Exit.OK else "not deployed"
        self.promise(ended == "passed", f"{bundle} passes in {name}: {ended}")
        return ended

    def _the_edited_one(self) -> None:
        from sitevault.demo.release import sources

        self.chapter("site-fix 1.0.0 once more, as somebody edited it for dev")
        change = sources.edit(self.directory / sources.SITE_FIX)
        self.tell(f"-- objects/staging.sql: {change}; the name and the version stay")
        digest = self._build(sources.SITE_FIX, "edited.json", fresh=False)
        self.promise(digest != self.found["digest"], "an edited bundle has another digest")
        plan = self._plan("edited.json", "mock")
        code, said = self._step("deploy", self._file("edited.json"), plan, "--yes", env="mock")
        blocked = code == Exit.BLOCKED and "passed in dev" in said
        self.promise(blocked, f"mock refuses what did not pass in dev: exit {code}, {said.strip()}")
        self.found["ended"]["site-fix, edited"] = "blocked" if blocked else code

    def _the_green_one(self) -> None:
        """Every figure is green, and the events are somebody else's."""
        from sitevault.demo.release import sources

        self.chapter("partner-pages 1.1.0: every figure is green")
        place = self.places["testing"]
        before = place.catalog()
        if self._try(sources.PARTNER_PAGES, "partner-pages.json", "testing"):
            with place.busy(RATES["testing"]):
                place.more(ENOUGH)
                self.tell("-- a partner puts the booking form on its pages, as the release is for")
                place.traffic.partner_pages = True
                place.more(FEW)
                ended = self._observe("testing", full=True)
            self._promise_undone(ended, before, sources.PARTNER_PAGES)
            self.promise(self._verdicts.get("tenancy") == "FAIL", "it is the tenancy gate that stops it")
            green = all(self._verdicts.get(gate) == "PASS" for gate in KPIS)
            self.promise(green, f"every KPI of it is green: {self._verdicts}")
            place.traffic.partner_pages = False
        self._put_right()

    def _the_late_one(self) -> None:
        """It fails on what comes only after the deploy."""
        from sitevault.demo.release import sources

        self.chapter("cart-value 1.2.0: well rehearsed, and then a shop writes its prices as text")
        place = self.places["testing"]
        older = place.break_one()
        before = place.catalog()
        if self._try(sources.CART_VALUE, "cart-value.json", "testing"):
            self.tell("-- a shop that nobody thought of sends '129,90 EUR'")
            place.traffic.cart_as_text = True
            with place.busy(RATES["testing"]):
                place.more(ENOUGH)
                ended = self._observe("testing", full=True)
            self._promise_undone(ended, before, sources.CART_VALUE)
            place.traffic.cart_as_text = False
        left = place.errors()
        self.tell(
            f"-- in ERROR now: {len(left)}, which was before the release: {'yes' if left == {older} else 'NO'}"
        )
        self.promise(left == {older}, f"what failed under it is processed, and the older error stays: {left}")
        self.promise(self.found.get("requeued", 0) > 0, "events failed under cart-value, and were requeued")

    def _account(self) -> None:
        self.chapter("Where everything is that was acknowledged")
        rows, accounts = [], {}
        for name, place in self.places.items():
            found, traffic = place.account(), place.traffic
            refused = traffic.refused.total()
            accounts[name] = {**found.as_dict(), "refused": refused, "in_doubt": traffic.in_doubt}
            lacking = len(found.lost) + len(found.altered) + len(found.doubled) + len(found.in_no_place)
            rows.append((name, found.acknowledged, refused + traffic.in_doubt, lacking, *_outcomes(found)))
            self.promise(found.complete, f"nothing acknowledged is lost in {name}: {accounts[name]}")
            self.promise(not refused and not traffic.in_doubt, f"nothing is refused in {name}")
        self.found["accounts"] = accounts
        titles = ("", "acknowledged", "refused", "lost, altered, doubled", "PROCESSED", "ERROR", "PENDING")
        self.tell(table(titles, rows))
        self.own_up()

    # -- steps -------------------------------------------------------------------------------------------------

    def _build(self, name: str, file: str, *, fresh: bool = True) -> str:
        from sitevault.demo.release import sources
        from sitevault.release.model import read_bundle

        if fresh:
            sources.lay(self.directory, name)
        code, said = self._run("release", "build", self._file(name), "--out", self._file(file))
        self.show(_built(said, claims=fresh and name == sources.SITE_FIX))
        if code != Exit.OK:
            raise CannotGoOn(f"{name} cannot be built: {said.strip()}")
        return read_bundle(Path(self._file(file))).digest

    def _plan(self, bundle: str, name: str, *accepted: str, full: bool = True) -> str:
        plan = self._file(f"{name}.plan.json")
        accepting = [word for hazard in accepted for word in ("--accept", hazard)]
        code, said = self._step(
            "plan", self._file(bundle), "--out", plan, *accepting, env=name, lines=_planned if full else _first
        )
        self.promise(code == Exit.USAGE, f"{bundle} has a plan for {name}: {said.strip()}")
        return plan

    def _rehearse(self, bundle: str, plan: str, name: str, *, full: bool) -> None:
        code, said = self._step(
            "rehearse", self._file(bundle), plan, env=name, lines=_rehearsed if full else _last
        )
        self.promise(code == Exit.OK, f"the rehearsal of {bundle} in {name} ends well: {said.strip()}")

    def _approve(self, bundle: str, plan: str, name: str) -> None:
        code, _ = self._step("deploy", self._file(bundle), plan, "--yes", env=name)
        self.promise(code == Exit.BLOCKED, f"{name} demands an approval")
        for person, allowed in ((AUTHOR, False), (APPROVER, True)):
            key = self._file(f"keys/{person}")
            code, said = self._step("approve", plan, "--as", person, "--key", key, "--yes", env=name, lines=_first)
            self.promise(
                code == (Exit.OK if allowed else Exit.BLOCKED),
                f"{person} {'may' if allowed else 'wrote it and may not'} approve it: {said.strip()}",
            )

    def _deploy(self, bundle: str, plan: str, name: str) -> int:
        code, said = self._step("deploy", self._file(bundle), plan, "--yes", env=name)
        self.promise(code == Exit.OK, f"{bundle} can be deployed to {name}: {said.strip()}")
        return code

    def _observe(self, name: str, *, full: bool) -> str:
        """How it ended; the gates' verdicts are kept."""
        words = ("release", "observe", "--env", name, "--as", JUDGE, "--key", self._file(f"keys/{JUDGE}"))
        self.tell("$ sitevault " + " ".join(map(self.plain, words)) + " --until-decided")
        code, said, remarked = captured((*self._settings_words, *words, "--until-decided", "--json"))
        answer = json.loads(said)
        if "judgement" not in answer:
            self.show([answer["message"]])
            return f"exit {code}: {answer['message']}"
        gates = answer["judgement"]["gates"]
        self._verdicts = {gate["name"]: gate["verdict"] for gate in gates}
        self.show(_judged(gates, full=full))
        self.show(
            _told(remarked)[-4:] if answer["ended"] == "undone" else [f"{answer['verdict']}: {answer['ended']}"]
        )
        self.found["requeued"] = sum(map(int, re.findall(r"(\d+) events are PENDING again", remarked)))
        return str(answer["ended"])

    def _try(self, release: str, bundle: str, name: str) -> bool:
        """As far as the deploy, which nothing forbids."""
        self._build(release, bundle)
        plan = self._plan(bundle, name)
        self._rehearse(bundle, plan, name, full=False)
        return self._deploy(bundle, plan, name) == Exit.OK

    def _promise_undone(self, ended: str, before: str, release: str) -> None:
        same = self.places["testing"].catalog() == before
        self.tell(f"-- every object as it was before {release}: {'yes' if same else 'NO'}")
        self.promise(ended == "undone", f"{release} fails under observation: {ended}")
        self.promise(same, f"{release} is taken back to the byte")
        self.found["ended"][release] = ended

    def _put_right(self) -> None:
        """The events that a wrong door let in go to whom their key proves them to be."""
        url, plan = self.places["testing"].url, self._file("repair.json")
        self.tell(
            "-- what wrong doors let in, this one and the incident's, is put right by what proves it: the key"
        )
        self.names = {**self.names, url: "$URL"}
        code, said = self._run("repair", "plan", "tenancy.provenance", "--out", plan, "--database", url)
        self.show(_last(said))
        code, said = self._run("repair", "apply", plan, "--yes", "--database", url)
        self.show(_last(said))
        self.promise(code == Exit.OK, f"misplaced events can be put right: {said.strip()}")

    # -- how a command is run and shown ------------------------------------------------------------------------

    def _must(self, *words: str) -> None:
        code, said = self._run(*words, quiet=True)
        if code != Exit.OK:
            raise CannotGoOn(f"`sitevault {' '.join(words[:2])}`: {said.strip()}")

    def _run(self, *words: str, quiet: bool = False) -> tuple[int, str]:
        """The exit code and what the command said, its remarks where there is no answer."""
        if not quiet:
            self.tell("$ sitevault " + " ".join(map(self.plain, words)))
        code, said, remarked = captured((*self._settings_words, *words))
        return code, said if said.strip() else remarked

    def _step(
        self, name: str, *words: str, env: str, lines: Callable[[str], Iterable[str]] | None = None
    ) -> tuple[int, str]:
        code, said = self._run("release", name, *words, "--env", env)
        self.show((lines or _last)(said))
        return code, said

    @contextlib.contextmanager
    def told(self, aloud: bool) -> Iterator[None]:
        """What happens in silence is promised all the same."""
        tell = self.tell
        if not aloud:
            self.tell = lambda _: None
        try:
            yield
        finally:
            self.tell = tell

    @property
    def _settings(self) -> Path:
        return self.directory / "sitevault.toml"

    @property
    def _settings_words(self) -> tuple[str, str]:
        return ("--config", str(self._settings))

    def _file(self, name: str) -> str:
        return str(self.directory / name)


def _last(said: str) -> list[str]:
    """The last line; of an error the first, which says what happened."""
    lines = said.strip().splitlines()
    return lines[:1] if lines and lines[0].startswith("Error:") else lines[-1:]


def _built(said: str, *, claims: bool) -> Iterator[str]:
    """Name, digest and what it mends; each argument list is left out."""
    for line in said.splitlines():
        if line.startswith("  digest") or (claims and re.match(r"  F\d ", line)):
            yield re.sub(r"\(.*\)", "(...)", line)
        elif line.startswith(("Error", "problem")):
            yield line


def _first(said: str) -> list[str]:
    return said.strip().splitlines()[:1]


def _planned(said: str) -> list[str]:
    """What changes, and what is to be accepted."""
    lines = said.splitlines()
    begin = lines.index("changes:") if "changes:" in lines else 0
    return [
        re.sub(r"\(.*\)$", "(...)", line) if "function" in line else line
        for line in lines[begin:]
        if line.startswith(("  ", "Error"))
    ]


def _rehearsed(said: str) -> Iterator[str]:
    """One event of each kind, how many there were, and how it ended."""
    kinds = set()
    for line in said.splitlines():
        columns = re.split(r"  +", line.strip())
        if line.startswith(("event ", "... of", "Nothing speaks", "Error")) or "changed back" in line:
            yield line.split(" (look")[0]
        elif columns[0].isdigit() and (columns[2], columns[-1]) not in kinds:
            kinds.add((columns[2], columns[-1]))
            yield line


def _judged(gates: list[dict[str, Any]], *, full: bool) -> Iterator[str]:
    """The gates with their k of n, or the two that everybody asks for."""
    shown = [gate for gate in gates if full or gate["name"] in ("tenancy", "success_rate")]
    rows = [
        (
            gate["name"],
            gate["target"],
            f"{gate['n']}" if gate["k"] is None else f"{gate['k']} of {gate['n']}",
            gate["verdict"],
            gate["note"].split("; ")[0].split(", ")[0],
        )
        for gate in shown
    ]
    yield from table(("gate", "target", "k of n", "verdict", "note"), rows).splitlines()[0 if full else 1 :]


def _told(remarked: str) -> list[str]:
    """The steps that were told, without their time of day."""
    return [line[9:] for line in remarked.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)]


def _outcomes(found: Any) -> tuple[int, ...]:
    return tuple(found.outcomes.get(name, 0) for name in ("PROCESSED", "ERROR", "PENDING"))
