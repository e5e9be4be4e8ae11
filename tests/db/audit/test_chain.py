"""The audit log: every action is on record, and whatever is done to the record is found."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from tests import given

from sitevault import clock
from sitevault.audit.chain import Chain, verify
from sitevault.audit.dsse import make_key
from sitevault.audit.model import Verdict
from sitevault.audit.seal import SealError, open_seal, seal
from sitevault.cli.main import run
from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.roles import Role
from sitevault.errors import UsageError
from sitevault.tenancy import schemas, tenants
from sitevault.tenancy.audit_log import canonical, entry_hash
from sitevault.tenancy.keys import KeyKind, create_key, revoke_key

SCHEMA = {"type": "object"}


@pytest.fixture
def migrator(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(Role.MIGRATOR, autocommit=True) as conn:
        yield conn


@pytest.fixture
def auditor(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(Role.AUDITOR, autocommit=True) as conn:
        yield conn


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(database.admin_conninfo, autocommit=True) as conn:
        yield conn


def a_busy_tenant(conn: psycopg.Connection[Any], name: str) -> tenants.Tenant:
    """A tenant with every kind of action in its past: eight entries."""
    tenant = tenants.add_tenant(conn, name).tenant
    key = create_key(conn, tenant.tenant_bk, KeyKind.PUBLIC, allowed_origins=["https://a.example"])
    tenants.suspend(conn, tenant.tenant_bk)
    tenants.resume(conn, tenant.tenant_bk)
    tenants.change_tenant(conn, tenant.tenant_bk, ip_policy="none", mapping={"session_id": ["sid"]})
    schemas.add_schema(conn, tenant.tenant_bk, "purchase", SCHEMA)
    schemas.retire_schema(conn, tenant.tenant_bk, "purchase")
    revoke_key(conn, key.api_key)
    return tenant


def test_every_action_is_on_record_in_its_order(
    migrator: psycopg.Connection[Any], auditor: psycopg.Connection[Any]
) -> None:
    tenant = a_busy_tenant(migrator, "The ONE Spa")
    rows = auditor.execute("SELECT action, record FROM audit.entry ORDER BY seq").fetchall()
    assert [action for action, _ in rows] == [
        "tenant.add", "key.create", "tenant.change", "tenant.change", "tenant.change", "schema.add",
        "schema.retire", "key.revoke",
    ]  # fmt: skip
    details = [json.loads(record)["details"] for _, record in rows]
    assert details[0] == {"id": tenant.tenant_bk, "ip_policy": "truncate"}
    assert details[2:5] == [
        {"status": "suspended"},
        {"status": "active"},
        {"ip_policy": "none", "mapping": {"session_id": ["sid"]}},
    ]
    assert details[1]["key_id"] == details[7]["key_id"]


def test_what_changes_nothing_is_no_entry(
    migrator: psycopg.Connection[Any], auditor: psycopg.Connection[Any]
) -> None:
    tenant = tenants.add_tenant(migrator, "The ONE Spa", "spa").tenant
    tenants.add_tenant(migrator, "The ONE Spa", "spa")
    tenants.resume(migrator, tenant.tenant_bk)
    assert auditor.execute("SELECT count(*) FROM audit.entry").fetchone() == (1,)


def test_an_action_that_fails_leaves_no_entry_and_an_entry_that_fails_no_action(
    migrator: psycopg.Connection[Any], superuser: psycopg.Connection[Any], auditor: psycopg.Connection[Any]
) -> None:
    tenant = tenants.add_tenant(migrator, "The ONE Spa").tenant
    superuser.execute("ALTER TABLE audit.entry ADD CONSTRAINT full_disk CHECK (seq < 2)")
    with pytest.raises(psycopg.errors.CheckViolation):
        tenants.suspend(migrator, tenant.tenant_bk)
    assert tenants.find_tenant(auditor, tenant.tenant_bk).status is tenants.TenantStatus.ACTIVE
    assert auditor.execute("SELECT count(*) FROM audit.entry").fetchone() == (1,)


def test_no_key_and_no_secret_is_on_record(
    database: Database, superuser: psycopg.Connection[Any], auditor: psycopg.Connection[Any]
) -> None:
    sender = given.sender(database)
    said = str(auditor.execute("SELECT record, actor FROM audit.entry").fetchall())
    ((secret,),) = superuser.execute("SELECT encode(secret, 'hex') FROM auth.tenant_secret").fetchall()
    assert sender.tenant_hk.hex() in said
    for hidden in (sender.key, sender.api_key_hk.hex(), secret):
        assert hidden not in said


def test_whole_chains_are_whole(migrator: psycopg.Connection[Any], auditor: psycopg.Connection[Any]) -> None:
    made = [a_busy_tenant(migrator, name).tenant_bk for name in ("One", "Two")]
    found = verify(auditor)
    assert {chain.tenant for chain in found} == set(made)
    assert [(chain.verdict, chain.head.seq) for chain in found] == [(Verdict.OK, 8)] * 2


TAMPERING: list[tuple[LiteralString, int, str]] = [
    ("UPDATE audit.entry SET record = replace(record, 'suspended', 'active') WHERE {} AND seq = 3", 3, "record"),
    ("UPDATE audit.entry SET action = 'tenant.add' WHERE {} AND seq = 4", 4, "columns"),
    ("UPDATE audit.entry SET actor = 'nobody@nowhere' WHERE {} AND seq = 4", 4, "columns"),
    ("UPDATE audit.entry SET recorded_at = recorded_at - interval '1 day' WHERE {} AND seq = 5", 5, "columns"),
    ("DELETE FROM audit.entry WHERE {} AND seq = 4", 4, "missing"),
    ("DELETE FROM audit.entry WHERE {} AND seq = 1", 1, "missing"),
    ("DELETE FROM audit.entry WHERE {}", 1, "no entries left"),
    ("UPDATE audit.entry SET entry_hash = sha256('x') WHERE {} AND seq = 6", 6, "hash"),
    ("UPDATE audit.entry SET previous_hash = sha256('x') WHERE {} AND seq = 6", 6, "continue"),
    (
        "ALTER TABLE audit.entry DROP CONSTRAINT entry_pk; DELETE FROM audit.entry WHERE {} AND seq = 4;"
        " UPDATE audit.entry SET seq = seq - 1 WHERE {} AND seq > 4",
        4,
        "continue",
    ),
]


@pytest.mark.parametrize(("tampering", "broken_at", "why"), TAMPERING, ids=lambda part: str(part)[:60])
def test_the_first_broken_link_is_named_and_other_chains_stay_whole(
    migrator: psycopg.Connection[Any],
    auditor: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
    tampering: LiteralString,
    broken_at: int,
    why: str,
) -> None:
    victim, other = a_busy_tenant(migrator, "Victim"), a_busy_tenant(migrator, "Other")
    where = f"tenant_hk = decode('{victim.tenant_hk.hex()}', 'hex')"
    superuser.execute(tampering.replace("{}", where).encode())
    found = {chain.tenant: chain for chain in verify(auditor)}
    assert found[other.tenant_bk].verdict is Verdict.OK
    assert found[victim.tenant_bk].broken_at == broken_at
    assert why in (found[victim.tenant_bk].why or "")


def rewritten(superuser: psycopg.Connection[Any], tenant_hk: bytes) -> None:
    """What somebody with every right can do: change an entry and make all hashes after it anew."""
    rows = superuser.execute(
        "SELECT seq, record FROM audit.entry WHERE tenant_hk = %s ORDER BY seq", [tenant_hk]
    ).fetchall()
    previous = bytes(32)
    for seq, record in rows:
        text = record.replace("suspended", "active")
        made = entry_hash(previous, tenant_hk, seq, text)
        superuser.execute(
            "UPDATE audit.entry SET record = %s, previous_hash = %s, entry_hash = %s"
            " WHERE tenant_hk = %s AND seq = %s",
            [text, previous, made, tenant_hk, seq],
        )
        previous = made


def sealed(chains: list[Chain], tmp_path: Path) -> tuple[str, Path]:
    public = make_key(tmp_path / "audit.key")
    return seal(chains, tmp_path / "audit.key", clock.now()), public


def test_a_chain_rewritten_as_a_whole_is_found_by_a_published_head(
    migrator: psycopg.Connection[Any],
    auditor: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
    tmp_path: Path,
) -> None:
    tenant = a_busy_tenant(migrator, "Victim")
    heads = open_seal(*sealed(verify(auditor), tmp_path))
    rewritten(superuser, tenant.tenant_hk)
    assert [chain.verdict for chain in verify(auditor)] == [Verdict.OK]
    (found,) = verify(auditor, heads)
    assert (found.broken_at, found.why) == (8, "it is another one than was published")


@pytest.mark.parametrize("left", [5, 0])
def test_a_chain_cut_off_at_its_end_is_found_by_a_published_head(
    migrator: psycopg.Connection[Any],
    auditor: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
    tmp_path: Path,
    left: int,
) -> None:
    a_busy_tenant(migrator, "Victim")
    heads = open_seal(*sealed(verify(auditor), tmp_path))
    superuser.execute("DELETE FROM audit.entry WHERE seq > %s", [left])
    (found,) = verify(auditor, heads)
    assert (found.verdict, found.broken_at) == (Verdict.PROBLEM, left + 1)


def test_a_chain_that_grew_since_it_was_sealed_is_whole(
    migrator: psycopg.Connection[Any], auditor: psycopg.Connection[Any], tmp_path: Path
) -> None:
    tenant = a_busy_tenant(migrator, "Growing")
    heads = open_seal(*sealed(verify(auditor), tmp_path))
    tenants.suspend(migrator, tenant.tenant_bk)
    (found,) = verify(auditor, heads)
    assert (found.verdict, found.head.seq) == (Verdict.OK, 9)


def test_a_seal_that_was_changed_or_signed_by_another_is_refused(
    migrator: psycopg.Connection[Any], auditor: psycopg.Connection[Any], tmp_path: Path
) -> None:
    a_busy_tenant(migrator, "One")
    text, public = sealed(verify(auditor), tmp_path)
    envelope = json.loads(text)
    payload = base64.b64decode(envelope["payload"]).replace(b'"seq":8', b'"seq":7')
    forged = json.dumps(envelope | {"payload": base64.b64encode(payload).decode()})
    other = make_key(tmp_path / "other.key")
    for seal_text, key in ((forged, public), (text, other), ("{}", public), ("not json", public)):
        with pytest.raises(SealError):
            open_seal(seal_text, key)
    assert [head.seq for head in open_seal(text, public)] == [8]


def test_a_broken_chain_is_not_vouched_for(
    migrator: psycopg.Connection[Any],
    auditor: psycopg.Connection[Any],
    superuser: psycopg.Connection[Any],
    tmp_path: Path,
) -> None:
    a_busy_tenant(migrator, "One")
    superuser.execute("DELETE FROM audit.entry WHERE seq = 3")
    with pytest.raises(SealError, match="broken"):
        sealed(verify(auditor), tmp_path)


def test_a_private_key_is_its_owners_alone_and_is_never_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "audit.key")
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError):
        make_key(tmp_path / "audit.key")


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.OWNER, Role.AUDITOR)])
def test_nobody_but_the_auditor_reads_the_log_and_nobody_changes_it(database: Database, role: Role) -> None:
    given.sender(database)
    with database.connect(role, autocommit=True) as conn:
        for statement in ("SELECT * FROM audit.entry", "DELETE FROM audit.entry", "TRUNCATE audit.entry"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                conn.execute(statement)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@examples(JSON)
def test_canonical_json_is_the_same_for_the_same_value_and_reads_back_as_it(value: Any) -> None:
    try:
        text = canonical(value)
    except UnicodeEncodeError:
        return  # half a surrogate pair as a name
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


def test_canonical_json_is_as_the_rfc_says() -> None:
    # The order of RFC 8785, section 3.2.3: by UTF-16 code units, so U+1F600 comes before U+FB33.
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert canonical(value) == '{"\\r":2,"1":4,"\x80":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'
    assert canonical('\u0000\u001f\b\f"\\/\u2028') == '"\\u0000\\u001f\\b\\f\\"\\\\/\u2028"'


@pytest.mark.parametrize("value", [0.5, 2**53, {"a": [1.0]}, "\ud800"])
def test_what_two_readers_could_read_differently_is_not_canonical(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@pytest.fixture
def pointed(database: Database, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DATABASE_URL", database.admin_conninfo)
    monkeypatch.setenv("SITEVAULT_HOME", str(server.home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_whoever_is_shown_personal_data_is_on_record_first(
    database: Database, pointed: Path, auditor: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    sender = given.sender(database)
    given.land(database, [given.row(sender, given.page_view(1))])
    with database.connect(Role.JUDGE) as judge:
        event_id = str(judge.execute("SELECT event_id FROM raw.landed_event").fetchone()[0])  # type: ignore[index]
    reads = "SELECT record FROM audit.entry WHERE action = 'personal.read'"
    assert run(["trace", event_id]) == 0
    assert auditor.execute(reads).fetchall() == []
    assert run(["trace", event_id, "--show-personal"]) == 0
    ((record,),) = auditor.execute(reads).fetchall()
    assert json.loads(record)["details"] == {"event_id": event_id}
    assert "203.0.113.77" in capsys.readouterr().out


def test_the_commands_make_keys_seal_and_hold_against_a_seal(
    database: Database, pointed: Path, superuser: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    given.sender(database)
    assert run(["audit", "keygen", "audit.key"]) == 0
    assert run(["audit", "seal", "--key", "audit.key", "--out", "heads.json"]) == 0
    held = ["audit", "chain", "--against", "heads.json", "--public-key", "audit.key.pub"]
    assert run(held) == 0
    superuser.execute("DELETE FROM audit.entry WHERE seq = 2")
    assert run(["audit", "chain"]) == 0
    capsys.readouterr()
    assert run([*held, "--json"]) == 1
    (chain,) = json.loads(capsys.readouterr().out)["chains"]
    assert chain["why"] == "it ends at 1; entry 2 was published"
