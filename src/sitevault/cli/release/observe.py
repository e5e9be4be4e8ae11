"""`sitevault release observe` and `watch`: the window after a deploy, judged from raw data."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.release.listen import events_option, listeners
from sitevault.cli.session import Session, examples, json_option, table
from sitevault.errors import Exit, UsageError

if TYPE_CHECKING:
    from sitevault.release.gates.model import GateResult
    from sitevault.release.judge import Judgement

_ENDS = {"passed": Exit.OK, "undone": Exit.ROLLED_BACK, "held": Exit.FINDINGS, "inconclusive": Exit.UNKNOWN}


@click.command(
    epilog=examples(
        "sitevault release observe --env production --as release-desk --key keys/release-desk",
        "sitevault release observe --env testing --until-decided",
    )
)
@environment_option
@click.option("--as", "person", metavar="PERSON", help="Who signs the verdict, of [people].")
@click.option("--key", type=click.Path(path_type=Path), help="That person's private key.")
@click.option("--hold", is_flag=True, help="A FAIL does not undo the release: a person will decide.")
@click.option("--until-decided", is_flag=True, help="End as soon as every gate has passed, not with the window.")
@events_option
@json_option
@click.pass_obj
def observe(
    session: Session,
    name: str,
    person: str | None,
    key: Path | None,
    hold: bool,
    until_decided: bool,
    events: Path | None,
) -> int:
    """Watch the release in force until its window is over. A FAIL ends it at once and takes the release back.

    Killed or started again it goes on with the same window. Exit 0 PASS, 1 FAIL and held, 3 inconclusive when the
    window is over (it says how many events are missing), 4 FAIL and taken back.
    """
    from sitevault.release import environments
    from sitevault.release.events import Teller
    from sitevault.release.observe import Observer, Signer
    from sitevault.release.target import opened

    if (person is None) != (key is None):
        raise UsageError(
            "A verdict is signed by somebody with a key.", fix="Give both --as and --key, or neither."
        )
    known = environments.read(session.config)
    with (
        opened(session.config, known, name, session.say) as target,
        listeners(session, target.settings, events) as listener,
    ):
        signer = Signer(person, key) if person and key else None
        observer = Observer(target, known, Teller(listener, name), signer, hold)
        done = observer.watch(threading.Event(), until_decided=until_decided)
    session.answer(
        {
            "success": done.ended == "passed",
            "environment": name,
            "release": done.release_id,
            "verdict": done.verdict.value,
            "ended": done.ended,
            "judgement": done.judgement.as_dict(),
        },
        "\n".join([gate_table(done.judgement), "", f"{done.verdict.value}: {done.ended}"]),
    )
    return _ENDS[done.ended]


@click.command(
    epilog=examples("sitevault release watch --env production", "sitevault release watch --env mock --once")
)
@environment_option
@click.option("--once", is_flag=True, help="Judge once and end.")
@json_option
@click.pass_obj
def watch(session: Session, name: str, once: bool) -> int:
    """Judge the release in force, again and again until Ctrl-C; decides nothing and writes nothing.

    Exit with --once: 0 PASS, 1 FAIL, 3 otherwise.
    """
    import time

    from sitevault.release import environments
    from sitevault.release.observe import look, require_observable
    from sitevault.release.target import opened

    with opened(session.config, environments.read(session.config), name, session.say) as target:
        released = require_observable(target)
        while True:
            judged = look(target, released)
            session.answer(judged.as_dict(), gate_table(judged))
            if once:
                return {"PASS": Exit.OK, "FAIL": Exit.FINDINGS}.get(judged.verdict.value, Exit.UNKNOWN)
            time.sleep(target.settings.observe_every_seconds)


def gate_table(judged: Judgement) -> str:
    """Every gate with its figures and what it proves."""
    return table(
        ("gate", "target", "k of n", "between", "verdict", "note"),
        (
            (one.name, one.target, _counted(one.k, one.n), _between(one), one.verdict.value, one.note)
            for one in judged.results
        ),
    )


def _counted(k: int | None, n: int) -> str:
    return str(n) if k is None else f"{k} of {n}"


def _between(one: GateResult) -> str:
    """What the events prove, each end at 95 %, however often one looks."""
    if one.lower is None and one.upper is None:
        return ""
    low = "" if one.lower is None else f"{math.floor(one.lower * 1000) / 1000:g}"
    high = "" if one.upper is None else f"{math.ceil(one.upper * 1000) / 1000:g}"
    return f"{low}..{high}"
