"""Single-event POST, 64 connections, 200 after commit; against the app without storing, and without uvloop."""

from __future__ import annotations

from bench import load, traffic
from bench.figures import Bar, Figures, HarnessError, Result, interleave, judge, ratio, spread, summarise
from bench.house import House, Service, open_house
from bench.load import Load
from bench.settings import Row, Settings
from bench.watch import peak_megabytes, watch

CONNECTIONS = 64
TEMPLATES = 4_000
_LANDED = "SELECT count(*) FROM raw.landed_event"

BARS = {
    "events/s": Bar(8_000),
    "p99 ms": Bar(50, at_least=False),
    "ratio to the same app without storing": Bar(0.6),
    "collector peak MB": Bar(150, at_least=False),
}


def measure(settings: Settings) -> Result:
    """Rounds of the collector and of its stand-ins."""
    load.tell_if_slow()
    with (
        open_house() as house,
        house.service("collector") as stored,
        house.module("bench.unstored") as unstored,
        house.module("bench.own_loop") as own_loop,
    ):
        templates = [
            (holder.key, body) for holder, body in traffic.events(1, house.holders, TEMPLATES, id_mark=True)
        ]
        posts = Load("/api/v1/track", templates, CONNECTIONS, house.home, settings.exact)
        cut_off = 0

        def post(service: Service, stores: bool) -> Figures:
            nonlocal cut_off
            before = house.settled(_LANDED)
            with watch(house.admin, {"collector": service.pid, "postgres": house.server_pid}) as cost:
                outcome = posts.run(service.url, settings.seconds)
            landed = house.settled(_LANDED) - before
            _compare(landed, outcome.answered if stores else 0, outcome.cut_off if stores else 0)
            cut_off += landed - outcome.answered if stores else 0
            return {
                "events/s": outcome.answered / outcome.seconds,
                "p50 ms": outcome.p50_ms,
                "p99 ms": outcome.p99_ms,
                **cost.per_event(outcome.answered),
                "collector peak MB": peak_megabytes(service.pid),
            }

        for service in (stored, unstored, own_loop):
            posts.run(service.url, min(settings.seconds, 1))
        measured = interleave(
            settings.rounds,
            {
                "stored": lambda: post(stored, True),
                "not stored": lambda: post(unstored, False),
                "stored, without uvloop": lambda: post(own_loop, True),
            },
        )
        return _result(house, posts, measured, cut_off)


def _compare(landed: int, answered: int, cut_off: int) -> None:
    """Everything answered 200 is stored, and nothing else but what nobody waited for."""
    if not answered <= landed <= answered + cut_off:
        raise HarnessError(f"{answered} events were answered 200, {landed} are stored.")


def _result(house: House, posts: Load, measured: dict[str, list[Figures]], cut_off: int) -> Result:
    sides = summarise(measured)
    to_reference = ratio(measured, "events/s", "stored", "not stored")
    ours = sides["stored"]
    got = {name: ours[name].median for name in ("events/s", "p99 ms")} | {
        "ratio to the same app without storing": to_reference.median,
        "collector peak MB": spread([one["collector peak MB"] for one in measured["stored"]]).high,
    }
    answered = house.count(_LANDED)
    return Result(
        ROW.name,
        ROW.title,
        sides,
        {
            "stored / not stored": to_reference,
            "with uvloop / without": ratio(measured, "events/s", "stored", "stored, without uvloop"),
        },
        [judge(what, got[what], bar) for what, bar in BARS.items()],
        [f"{answered} rows stored: one for each request answered 200, and {cut_off} under way at the ends."],
        [f"Load by {posts.tool}, {CONNECTIONS} connections, on the same cores."],
    )


ROW = Row("single", "Single-event POST, 64 connections, 200 after commit", measure)
