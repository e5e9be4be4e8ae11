"""What people say of a bundle, signed (in-toto in DSSE): a plan is approved, a release passed or failed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from sitevault import clock
from sitevault.audit import dsse
from sitevault.errors import ConfigurationError, SitevaultError
from sitevault.observe.kpis import Verdict
from sitevault.release import record
from sitevault.release.target import Target
from sitevault.tenancy.audit_log import wire_time

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
APPROVAL = "urn:sitevault:release:approval:1"
VERDICT = "urn:sitevault:release:verdict:1"

LARGEST = 256 * 1024
"""Characters of an attestation; a verdict over all gates has about 6,000."""

LARGEST_FILE = 16 * 1024 * 1024
"""Characters of a file of attestations."""

Kind = Literal["APPROVED", "PASSED", "FAILED"]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")]


class AttestationError(SitevaultError):
    """This is no attestation, it was changed, or nobody of [people] signed it."""


class Digests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a subject is known by."""

    sha256: Sha256


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bundle: its name and version for people, its digest for us."""

    name: Name
    digest: Digests


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody looked at this plan for this database, and wants it carried out."""

    plan: Sha256
    environment: Name
    fingerprint: Sha256
    """Of the database, see model.DatabaseIdentity."""
    hazards: Annotated[tuple[Name, ...], Meta(max_length=200)]
    """Accepted by name in the plan."""
    approver: Name
    at: Instant


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A gate at the end of the window: k of n, and what that proves."""

    name: Name
    target: Annotated[str, Meta(max_length=200)]
    verdict: Verdict
    k: int | None = None
    n: int = 0


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A release was observed in this database, and judged."""

    verdict: Literal["PASSED", "FAILED"]
    plan: Sha256
    environment: Name
    fingerprint: Sha256
    since: Instant
    until: Instant
    results: Annotated[tuple[Judged, ...], Meta(max_length=200)]
    judge: Name
    at: Instant


Predicate: TypeAlias = Approval | Decision


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """in-toto's Statement v1, with exactly one subject."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject]
    predicateType: Literal["urn:sitevault:release:approval:1", "urn:sitevault:release:verdict:1"]
    predicate: msgspec.Raw


class Statement(NamedTuple):
    """A predicate about a bundle, the person whose key signed it, and the envelope it was signed in."""

    subject: Subject
    predicate: Predicate
    signer: str = ""
    envelope: str = ""

    @property
    def kind(self) -> Kind:
        return "APPROVED" if isinstance(self.predicate, Approval) else self.predicate.verdict

    @property
    def bundle_digest(self) -> str:
        return self.subject.digest.sha256

    @property
    def says(self) -> str:
        """Who the statement itself says made it."""
        return self.predicate.approver if isinstance(self.predicate, Approval) else self.predicate.judge


def about(name: str, version: str, digest: str) -> Subject:
    """The bundle as a subject."""
    return Subject(f"{name} {version}", Digests(digest))


def instant(moment: datetime | None = None) -> str:
    """A time as attestations hold it; without one, now."""
    return wire_time(moment or clock.now())


def sign(statement: Statement, key: Path) -> str:
    """The statement as an envelope on one line, signed. Raises UsageError where `key` is no private key."""
    predicate_type = APPROVAL if isinstance(statement.predicate, Approval) else VERDICT
    payload = msgspec.json.encode(
        {
            "_type": STATEMENT,
            "subject": [statement.subject],
            "predicateType": predicate_type,
            "predicate": statement.predicate,
        }
    )
    return dsse.sign(PAYLOAD_TYPE, payload, key).text()


def signed(subject: Subject, predicate: Predicate, key: Path) -> Statement:
    """The statement of whoever it says made it, in its envelope; the caller has checked that the key is theirs."""
    bare = Statement(subject, predicate)
    return bare._replace(signer=bare.says, envelope=sign(bare, key))


def verify(envelope: str, trusted: Mapping[str, Path]) -> Statement:
    """What was said, by the person of `trusted` whose key signed it.

    Raises AttestationError for anything else than an envelope exactly as `sign` wrote it: one attestation has one
    text.
    """
    try:
        parsed = dsse.parse(envelope, PAYLOAD_TYPE, LARGEST)
        payload, signer = dsse.verify(parsed, trusted)
    except dsse.EnvelopeError as error:
        raise AttestationError(error.message) from error
    if parsed.text() != envelope:
        raise AttestationError("This envelope is not written as it was signed: it was changed since.")
    statement = _decoded(payload)._replace(signer=signer, envelope=envelope)
    if statement.says != signer:
        raise AttestationError(f"{signer} signed what says it is {statement.says}'s.")
    return statement


def verify_lines(text: str, trusted: Mapping[str, Path]) -> list[Statement]:
    """What the envelopes of a file say, one a line. Raises AttestationError naming the first line that is none."""
    if len(text) > LARGEST_FILE:
        raise AttestationError(f"The file is longer than {LARGEST_FILE} characters.")
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(verify(line.strip() + "\n", trusted))
        except AttestationError as error:
            raise AttestationError(f"Line {number}: {error.message}") from error
    return found


def keep(target: Target, statement: Statement) -> bool:
    """Put a verified statement on record, in the open transaction. Whether it was not there yet."""
    return record.add_attestation(
        target.ground,
        record.Attestation(
            attestation_id=hashlib.sha256(statement.envelope.encode()).hexdigest(),
            kind=statement.kind,
            environment=statement.predicate.environment,
            bundle_digest=statement.bundle_digest,
            plan_digest=statement.predicate.plan,
            signer=statement.signer,
            envelope=statement.envelope,
            recorded_at=clock.now(),
        ),
    )


def genuine(envelopes: Iterable[str], trusted: Mapping[str, Path]) -> tuple[list[Statement], list[str]]:
    """Those that can be verified, in their order, and what is wrong with the others: they count for nothing."""
    found, wrong = [], []
    for envelope in envelopes:
        try:
            found.append(verify(envelope, trusted))
        except AttestationError as error:
            wrong.append(error.message)
    return found, wrong


def distinct(people: Mapping[str, Path]) -> dict[str, Path]:
    """The people, each with a key of their own. Raises ConfigurationError where two names share one key."""
    owners: dict[str, str] = {}
    for name, path in people.items():
        other = owners.setdefault(dsse.key_id(dsse.public_key(path)), name)
        if other != name:
            raise ConfigurationError(
                f"{other} and {name} have the same key in [people]: nobody could tell who signed.",
                fix="Give each a key of their own.",
                command=f"sitevault audit keygen {name}.key",
            )
    return dict(people)


def _decoded(payload: bytes) -> Statement:
    try:
        read = msgspec.json.decode(payload, type=_Statement)
        kind: type[Predicate] = Approval if read.predicateType == APPROVAL else Decision
        return Statement(read.subject[0], msgspec.json.decode(read.predicate, type=kind))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AttestationError(f"This is signed, but no attestation of a release: {error}") from error
