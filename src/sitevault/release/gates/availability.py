"""The collector is ready."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import datetime
from urllib.parse import urlsplit

from sitevault import clock
from sitevault.errors import ConfigurationError
from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.bounds import Trials, at_least
from sitevault.release.gates.model import Gate, GateResult, Probe, Sight

TIMEOUT_SECONDS = 5.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A page elsewhere that answers 200 is not this collector being ready."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def probe(url: str, timeout: float = TIMEOUT_SECONDS, now: datetime | None = None) -> Probe:
    """Ask /health/ready once: ready is 200 and nothing else. Raises ConfigurationError for what is no URL."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigurationError(
            "The address of /health/ready is not an http or https URL.",
            fix="It looks like https://collect.example.org/health/ready",
        )
    at = now or clock.now()
    try:
        with _OPENER.open(url, timeout=timeout) as answer:
            return Probe(at, answer.status == 200, str(answer.status))
    except urllib.error.HTTPError as error:
        return Probe(at, False, str(error.code))
    except (OSError, ValueError) as error:
        return Probe(at, False, type(error).__name__)


def _judge(sight: Sight) -> GateResult:
    if sight.thresholds.availability is None or sight.probes is None:
        return GATE.no_data(sight, "no address of /health/ready is configured, so nobody asked")
    if not sight.probes:
        return GATE.no_data(sight, "nobody has asked yet")
    asked, ready = len(sight.probes), sum(one.ready for one in sight.probes)
    proof = at_least(Trials(ready, asked, 0, ready, asked), sight.thresholds.availability, sight.risk)
    down = [one for one in sight.probes if not one.ready]
    last = f"not ready last at {down[-1].at:%H:%M:%S} ({down[-1].said})" if down else ""
    proved = (
        f"at most {say.at_most(proof.upper)}"
        if proof.verdict is Verdict.FAIL
        else f"proves ≥ {say.at_least(proof.lower)}"
    )
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=ready,
        n=asked,
        estimate=ready / asked,
        lower=proof.lower,
        upper=proof.upper,
        verdict=proof.verdict,
        note=say.joined(proved, last),
        more_needed=proof.more_needed,
        seconds_needed=sight.seconds_for(proof.more_needed, asked),
    )


GATE = Gate(
    name="availability",
    title="The collector is ready",
    target=lambda wanted: f"≥ {say.percent(wanted.availability or 0)}",
    formula="answered 200 / asked.",
    denominator="Questions to the collector's `/health/ready` in the window, from outside of it. NO_DATA where no "
    "`health_url` is configured.",
    house="HTTP, nothing of the database.",
    guide="The same.",
    judge=_judge,
    asked=lambda wanted: wanted.availability is not None,
)
