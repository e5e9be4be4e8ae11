"""From one environment to the next: the same bundle, by digest, that passed in the one before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from sitevault.errors import UsageError
from sitevault.observe.kpis import Verdict
from sitevault.release import approve, attest, model, record
from sitevault.release.attest import Decision, Judged, Statement
from sitevault.release.environments import Environments
from sitevault.release.model import Bundle, ReleaseBlockedError
from sitevault.release.record import Released
from sitevault.release.target import Target


class Result(Protocol):
    """What a gate said, as far as a verdict repeats it."""

    @property
    def name(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def verdict(self) -> Verdict: ...

    @property
    def k(self) -> int | None: ...

    @property
    def n(self) -> int: ...


def attest_verdict(
    target: Target,
    release: Released,
    results: Sequence[Result],
    verdict: Literal[Verdict.PASS, Verdict.FAIL],
    judge: str,
    key: Path,
    settings: Environments,
    *,
    until: datetime | None = None,
) -> Statement:
    """Sign what a release was judged as in this environment, and put it on record.

    The window is from the deploy to `until`, or now. Raises ConfigurationError for a judge or a key that [people]
    does not know.
    """
    approve.require_key(settings, judge, key)
    now = attest.instant()
    said = Decision(
        verdict="PASSED" if verdict is Verdict.PASS else "FAILED",
        plan=release.release_id,
        environment=target.environment,
        fingerprint=record.require_identity(target).fingerprint,
        since=attest.instant(release.deployed_at),
        until=now if until is None else attest.instant(until),
        results=tuple(
            Judged(name=one.name, target=one.target, verdict=one.verdict, k=one.k, n=one.n) for one in results
        ),
        judge=judge,
        at=now,
    )
    statement = attest.signed(attest.about(release.name, release.version, release.bundle_digest), said, key)
    with record.brief(target.ground):
        attest.keep(target, statement)
        record.note(target.ground, release.release_id, "attest", f"{judge} attested that it {said.verdict}.")
    return statement


def require_previous(target: Target, bundle: Bundle, settings: Environments) -> Statement | None:
    """The PASSED of this very bundle in the environment before; None for the first, which demands none.

    Raises ReleaseBlockedError where nothing on record says so, nobody who is believed said it, or a FAILED came
    after it.
    """
    before = settings.before(target.environment)
    if before is None:
        return None
    wanted = _Wanted(target.environment, before, bundle.digest, f"{bundle.name} {bundle.version}", settings)
    return wanted.among(_verdicts(target, before, settings))


def fetch(source: Target, target: Target, bundle_digest: str, settings: Environments) -> list[Statement]:
    """Copy what was attested of a bundle in the environment before into this one's record; returns what was new.

    What failed is copied with what passed: it takes the PASSED back. Raises ReleaseBlockedError where it did not
    pass there.
    """
    before = settings.before(target.environment)
    if source.environment != before:
        raise ReleaseBlockedError(
            f"{target.environment} takes what passed in {before or 'none'}, not in {source.environment}.",
            fix=f"`needs` in [environments.{target.environment}] names the environment.",
        )
    record.require_identity(target)
    here = record.require_identity(source).fingerprint
    own = [one for one in _verdicts(source, before, settings) if one.predicate.fingerprint == here]
    wanted = _Wanted(target.environment, before, bundle_digest, "", settings)
    with record.brief(target.ground):
        new = [one for one in own if one.bundle_digest == bundle_digest and attest.keep(target, one)]
        wanted.among(own)
    return new


def chosen(source: Target, wanted: str | None) -> Bundle:
    """The bundle that a file or the beginning of a digest names; else the one in force there, as it was released.

    Raises UsageError where there is none, ReleaseBlockedError for a file or a record that was edited.
    """
    if wanted is not None and Path(wanted).is_file():
        return model.read_bundle(Path(wanted))
    if wanted is None:
        current = record.current(source.ground)
        found = [] if current is None else [current]
    else:
        found = [one for one in record.releases(source.ground) if one.bundle_digest.startswith(wanted)]
    if len({one.bundle_digest for one in found}) != 1:
        raise UsageError(
            (f"No bundle {wanted}" if wanted else "No bundle") + f" was released to {source.environment}."
            if not found
            else f"Several bundles of {source.environment} begin with {wanted}.",
            command=f"sitevault release history --env {source.environment}",
        )
    bundle = found[0].decoded_bundle()
    if not model.seal(bundle).digest == bundle.digest == found[0].bundle_digest:
        raise ReleaseBlockedError(
            f"The bundle on record in {source.environment} is not what its digest says: the record was edited."
        )
    return bundle


def bring(target: Target, text: str, settings: Environments) -> list[Statement]:
    """Put the attestations of a file (one envelope a line) on record; returns what was new.

    Raises AttestationError for the first that is not genuine; then none is kept.
    """
    record.require_identity(target)
    read = attest.verify_lines(text, attest.distinct(settings.people))
    with record.brief(target.ground):
        return [one for one in read if attest.keep(target, one)]


@dataclass(frozen=True)
class _Wanted:
    """The PASSED that an environment demands before it takes a bundle."""

    environment: str
    before: str
    digest: str
    name: str
    settings: Environments

    def among(self, verdicts: Sequence[Statement]) -> Statement:
        """The newest PASSED of somebody who is believed, if no FAILED came after it."""
        own = [one for one in verdicts if one.bundle_digest == self.digest]
        passed = [one for one in own if one.kind == "PASSED" and one.signer in self._judges]
        if not passed:
            raise self._blocked(
                f"{self.environment} takes only what passed in {self.before}, and nothing on record says that "
                f"this bundle did ({self._bundle}){self._instead(verdicts)}.",
                f"Let this very bundle pass in {self.before}, then fetch what was attested there.",
            )
        last = passed[-1]
        failed = [one for one in own if one.kind == "FAILED" and one.predicate.at >= last.predicate.at]
        if failed:
            raise self._blocked(
                f"This bundle ({self._bundle}) passed in {self.before} at {last.predicate.at}, but failed there "
                f"at {failed[-1].predicate.at}, says {failed[-1].signer}: what passed no longer holds.",
                f"Mend it and build again, or let it pass in {self.before} once more, then fetch that.",
            )
        return last

    def _blocked(self, why: str, fix: str) -> ReleaseBlockedError:
        command = f"sitevault release promote --env {self.environment}"
        return ReleaseBlockedError(why, fix=fix, command=command)

    @property
    def _judges(self) -> Collection[str]:
        return self.settings[self.environment].judges or tuple(self.settings.people)

    @property
    def _bundle(self) -> str:
        return f"{self.name}, {self.digest[:12]}" if self.name else self.digest[:12]

    def _instead(self, verdicts: Sequence[Statement]) -> str:
        """What is there instead, the nearest first."""
        own = [one for one in verdicts if one.bundle_digest == self.digest]
        if signers := sorted({one.signer for one in own if one.kind == "PASSED"}):
            believed = ", ".join(self._judges) or "nobody"
            return f"; {', '.join(signers)} says so, but {self.environment} believes {believed}"
        if own:
            return f"; it failed there at {own[-1].predicate.at}, says {own[-1].signer}"
        if others := [one for one in verdicts if one.kind == "PASSED"]:
            return f"; another one did: {others[-1].subject.name}, {others[-1].bundle_digest[:12]}"
        return ""


def _verdicts(source: Target, environment: str, settings: Environments) -> list[Statement]:
    """The genuine verdicts on record that were signed in an environment, the oldest first."""
    envelopes = (row.envelope for row in record.attestations(source.ground))
    statements, _ = attest.genuine(envelopes, attest.distinct(settings.people))
    return sorted(
        (
            one
            for one in statements
            if isinstance(one.predicate, Decision) and one.predicate.environment == environment
        ),
        key=lambda one: one.predicate.at,
    )
