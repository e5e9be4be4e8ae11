"""Attestations: what was signed is what is believed, and nothing else is."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from sitevault.audit import dsse
from sitevault.errors import ConfigurationError
from sitevault.observe.kpis import Verdict
from sitevault.release import attest
from sitevault.release.attest import Approval, AttestationError, Decision, Judged, Statement

SUBJECT = attest.about("fix", "1", "a" * 64)
APPROVED = Approval(
    plan="b" * 64,
    environment="production",
    fingerprint="c" * 64,
    hazards=("long_lock",),
    approver="ada",
    at="2026-11-27T12:00:00.000Z",
)
PASSED = Decision(
    verdict="PASSED",
    plan="b" * 64,
    environment="mock",
    fingerprint="c" * 64,
    since="2026-11-26T12:00:00.000Z",
    until="2026-11-27T12:00:00.000Z",
    results=(Judged(name="success", target="≥ 95 %", verdict=Verdict.PASS, k=300, n=300),),
    judge="ada",
    at="2026-11-27T12:00:01.000Z",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    for name in ("ada", "bob"):
        dsse.make_key(directory / name)
    return directory


@pytest.fixture(scope="module")
def people(keys: Path) -> dict[str, Path]:
    return {name: keys / f"{name}.pub" for name in ("ada", "bob")}


@pytest.fixture(scope="module")
def envelope(keys: Path) -> str:
    return attest.sign(Statement(SUBJECT, APPROVED), keys / "ada")


def resigned(keys: Path, payload: Any, kind: str = attest.PAYLOAD_TYPE) -> str:
    """Any payload, honestly signed by ada."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return dsse.sign(kind, body, keys / "ada").text()


def said(envelope: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return found


@pytest.mark.parametrize("predicate", [APPROVED, PASSED], ids=["approval", "verdict"])
def test_what_was_signed_is_read_back_with_the_person_who_signed(
    keys: Path, people: dict[str, Path], predicate: Approval | Decision
) -> None:
    envelope = attest.sign(Statement(SUBJECT, predicate), keys / "ada")
    assert attest.verify(envelope, people) == Statement(SUBJECT, predicate, "ada", envelope)


def test_an_approval_is_an_in_toto_statement_about_the_bundle(envelope: str) -> None:
    statement = said(envelope)
    assert json.loads(envelope)["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "fix 1", "digest": {"sha256": "a" * 64}}]
    assert statement["predicateType"] == attest.APPROVAL
    assert statement["predicate"]["plan"] == "b" * 64


def test_the_same_statement_signed_twice_is_the_same_envelope(keys: Path, envelope: str) -> None:
    assert attest.sign(Statement(SUBJECT, APPROVED), keys / "ada") == envelope


def test_who_is_not_known_is_not_believed(envelope: str, people: dict[str, Path]) -> None:
    with pytest.raises(AttestationError, match="Nobody known"):
        attest.verify(envelope, {"bob": people["bob"]})


def test_a_signature_under_another_persons_key_id_is_refused(
    keys: Path, envelope: str, people: dict[str, Path]
) -> None:
    forged = json.loads(envelope)
    forged["signatures"][0]["keyid"] = dsse.key_id(dsse.public_key(people["bob"]))
    with pytest.raises(AttestationError, match="bob did not sign"):
        attest.verify(json.dumps(forged, separators=(",", ":")) + "\n", people)


def test_nobody_signs_in_anothers_name(keys: Path, people: dict[str, Path]) -> None:
    envelope = attest.sign(Statement(SUBJECT, APPROVED), keys / "bob")
    with pytest.raises(AttestationError, match="bob signed what says it is ada's"):
        attest.verify(envelope, people)


def test_a_changed_payload_is_refused(envelope: str, people: dict[str, Path]) -> None:
    forged = json.loads(envelope)
    payload = base64.b64decode(forged["payload"]).replace(b"production", b"testing")
    forged["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(AttestationError, match="changed since"):
        attest.verify(json.dumps(forged, separators=(",", ":")) + "\n", people)


def test_the_same_envelope_written_otherwise_is_refused(envelope: str, people: dict[str, Path]) -> None:
    with pytest.raises(AttestationError, match="not written as it was signed"):
        attest.verify(json.dumps(json.loads(envelope), indent=2) + "\n", people)


def test_a_seal_of_the_audit_log_is_no_attestation(keys: Path, people: dict[str, Path], envelope: str) -> None:
    seal = resigned(keys, said(envelope), "application/vnd.sitevault.audit-heads+json")
    with pytest.raises(AttestationError, match="something else"):
        attest.verify(seal, people)


CHANGES: dict[str, dict[str, Any]] = {
    "another statement": {"_type": "https://in-toto.io/Statement/v0.1"},
    "another predicate": {"predicateType": "https://slsa.dev/provenance/v1"},
    "a verdict's predicate on an approval": {"predicateType": attest.VERDICT},
    "several subjects": {"subject": [{"name": "fix 1", "digest": {"sha256": "a" * 64}}] * 2},
    "no subject": {"subject": []},
    "another digest's algorithm": {"subject": [{"name": "fix 1", "digest": {"sha512": "a" * 64}}]},
    "a digest that is none": {"subject": [{"name": "fix 1", "digest": {"sha256": "A" * 64}}]},
    "a digest with a line break": {"subject": [{"name": "fix 1", "digest": {"sha256": "a" * 64 + "\n"}}]},
    "a member nobody knows": {"more": 1},
    "no predicate": {"predicate": {}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_signed_but_is_no_attestation_of_ours_is_refused(
    keys: Path, people: dict[str, Path], envelope: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(AttestationError, match="no attestation of a release"):
        attest.verify(resigned(keys, said(envelope) | changes), people)


def test_two_signatures_are_refused(people: dict[str, Path], envelope: str) -> None:
    twice = json.loads(envelope)
    twice["signatures"] *= 2
    with pytest.raises(AttestationError):
        attest.verify(json.dumps(twice, separators=(",", ":")) + "\n", people)


@pytest.mark.parametrize("where", ["payload", "predicate", "envelope"])
def test_deep_json_is_refused(keys: Path, people: dict[str, Path], envelope: str, where: str) -> None:
    deep = "[" * 50_000 + "]" * 50_000
    text = {
        "payload": resigned(keys, deep.encode()),
        "predicate": resigned(
            keys, json.dumps(said(envelope) | {"predicate": "DEEP"}).replace('"DEEP"', deep).encode()
        ),
        "envelope": deep,
    }[where]
    with pytest.raises(AttestationError):
        attest.verify(text, people)


def test_a_huge_envelope_is_refused_unread(keys: Path, people: dict[str, Path], envelope: str) -> None:
    with pytest.raises(AttestationError, match="longer than"):
        attest.verify(resigned(keys, said(envelope) | {"more": "x" * attest.LARGEST}), people)


@pytest.mark.parametrize("text", ["", "{}", "null", "\ud800", "not json", '{"payloadType":"\\ud800"}'])
def test_what_is_no_envelope_is_refused(people: dict[str, Path], text: str) -> None:
    with pytest.raises(AttestationError):
        attest.verify(text, people)


def test_two_people_with_one_key_are_refused(people: dict[str, Path]) -> None:
    with pytest.raises(ConfigurationError, match="ada and eve have the same key"):
        attest.distinct({**people, "eve": people["ada"]})


@settings(max_examples=400)
@examples(data=st.data())
def test_no_mutation_of_an_envelope_is_believed(
    data: st.DataObject, envelope: str, people: dict[str, Path]
) -> None:
    start = data.draw(st.integers(0, len(envelope)))
    end = data.draw(st.integers(start, min(len(envelope), start + 8)))
    put = data.draw(st.text(max_size=8) | st.text('AQgw=+/-_ \n"{}[]:,\\', max_size=4))
    mutated = envelope[:start] + put + envelope[end:]
    if mutated == envelope:
        return
    with pytest.raises(AttestationError):
        attest.verify(mutated, people)


@settings(max_examples=400)
@examples(data=st.data())
def test_whatever_somebody_signs_is_an_attestation_or_refused_in_plain_words(
    data: st.DataObject, keys: Path, envelope: str, people: dict[str, Path]
) -> None:
    payload = base64.b64decode(json.loads(envelope)["payload"])
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, min(len(payload), start + 40)))
    put = data.draw(
        st.binary(max_size=8) | st.sampled_from([b'"', b"0", b"null", b"{}", b"[]", b"\\u0000", b"1e999"])
    )
    try:
        found = attest.verify(resigned(keys, payload[:start] + put + payload[end:]), people)
    except AttestationError:
        return
    assert found.signer == found.says == "ada"
