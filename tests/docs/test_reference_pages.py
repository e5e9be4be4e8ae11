"""Everything there is to look up is on its page: the registries against the pages, not against their maker."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
import yaml
from click import Context
from pages import REFERENCE, ROOT, blocks, section
from prometheus_client import REGISTRY

from sitevault.cli.main import cli
from sitevault.cli.registry import COMMANDS
from sitevault.config import Config
from sitevault.config import load as load_config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.doctor.checks import CHECKS
from sitevault.doctor.model import Check
from sitevault.errors import Exit
from sitevault.reasons import EXPLAINED, Reason
from sitevault.release import environments
from sitevault.release.gates import GATES
from sitevault.release.gates.model import PRODUCTION, TESTING, Gate, Thresholds, thresholds
from sitevault.release.hazards import MEANINGS, HazardName
from sitevault.release.lint.model import Lint
from sitevault.release.lint.run import LINTS
from sitevault.release.model import Allowance
from sitevault.release.preflight.registry import ITEMS
from sitevault.release.source import ClaimOf, Manifest
from sitevault.staging.enrich.referrer import TABLE, Channel
from sitevault.staging.mapping import FIELDS
from sitevault.staging.rules import RULES

SETTINGS = [one for one in msgspec.structs.fields(Config) if one.name not in ("environments", "people")]
"""Those that are not tables of the file; these have a page of their own."""
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")


def text(page: str) -> str:
    return (REFERENCE / page).read_text("utf-8")


def rows(markdown: str) -> list[list[str]]:
    """The cells of every table row in a text."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def commands(command: click.Command = cli, path: str = "sitevault") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


def test_every_generated_file_is_current(generated: dict[Path, str]) -> None:
    pages = [(str(path), (ROOT / path).read_text("utf-8"), made) for path, made in generated.items()]
    stale = [
        line
        for path, now, made in pages
        for line in difflib.unified_diff(now.splitlines(), made.splitlines(), path, lineterm="")
    ]
    assert not stale, "run `make generate`\n" + "\n".join(stale[:40])


def test_every_command_is_documented_with_every_option() -> None:
    listed = dict(commands())
    assert len(listed) > len(COMMANDS) > 10
    for path, command in listed.items():
        shown = section(REFERENCE / "cli.md", f"## {path}")
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert max(parameter.opts, key=len) in shown, f"{path} {parameter.opts}"


def test_every_setting_is_documented() -> None:
    shown = {row[0]: row for row in rows(text("configuration.md"))}
    for field in SETTINGS:
        _, variable, _, _, about = shown[f"`{field.name}`"]
        assert variable == f"`SITEVAULT_{field.name.upper()}`"
        assert about


def test_every_variable_that_is_read_is_documented() -> None:
    read = {
        found
        for file in (ROOT / "src").rglob("*.py")
        for found in re.findall(r"[\"'](SITEVAULT_[A-Z_]+|DATABASE_URL)[\"']", file.read_text("utf-8"))
    }
    assert {"DATABASE_URL", "SITEVAULT_CONFIG"} <= read
    assert [name for name in sorted(read) if f"`{name}`" not in text("configuration.md")] == []


def test_the_file_of_every_setting_loads_and_changes_nothing(tmp_path: Path) -> None:
    (example,) = [block.text for block in blocks("toml") if block.page.name == "configuration.md"]
    file = tmp_path / "sitevault.toml"
    file.write_text(example, "utf-8")
    assert load_config(file, {}) == Config()
    for field in SETTINGS:
        assert re.search(rf"^(# )?{field.name} = ", example, re.MULTILINE), field.name


def test_the_file_of_environments_loads() -> None:
    example = tomllib.loads(next(block.text for block in blocks("toml") if block.page.name == "environments.md"))
    found = environments.read(Config(environments=example["environments"], people=example["people"]))
    assert list(found.of) == ["testing", "production"]
    assert found.before("production") == "testing"


def test_the_release_toml_that_is_shown_is_one_with_every_key() -> None:
    example = tomllib.loads(next(block.text for block in blocks("toml") if block.page.name == "release-toml.md"))
    assert msgspec.convert(example, Manifest).claims[0].fixes == "F3"
    assert example.keys() == {field.name for field in msgspec.structs.fields(Manifest)}
    shown = {row[0] for row in rows(text("release-toml.md"))}
    for kind in (Manifest, ClaimOf, Allowance):
        assert {f"`{field.name}`" for field in msgspec.structs.fields(kind)} <= shown


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.id)
def test_every_lint_is_documented_with_all_it_has_to_say(lint: Lint) -> None:
    shown = section(REFERENCE / "lints.md", f"## {lint.id}")
    for said in (f"`{lint.severity}`", lint.looks_for, lint.why, lint.mend):
        assert said in shown


def test_every_reason_is_documented_with_its_meaning_and_status() -> None:
    shown = {row[0]: row[1:] for row in rows(text("reasons.md"))}
    for reason in Reason:
        severity, meaning, status = EXPLAINED[reason]
        found = shown[f"`{reason.value}`"]
        assert found[-1] == meaning
        assert found[-2] == severity.value
        assert found[:-2] == ([str(status)] if status else [])


def test_every_code_of_a_refusal_is_on_the_page_of_the_http_interface() -> None:
    listed = section(REFERENCE / "http.md", "## Codes of a refusal")
    missing = [reason for reason in Reason if EXPLAINED[reason].http_status and f"`{reason.value}`" not in listed]
    assert missing == []


def test_every_endpoint_is_documented_with_every_status() -> None:
    spec = yaml.safe_load((ROOT / "src/sitevault/collector/openapi.yaml").read_text("utf-8"))
    assert "/api/v1/track" in spec["paths"]
    for path, item in spec["paths"].items():
        for method in {"get", "post"} & item.keys():
            suffix = " (HEAD, too)" if method == "get" and "head" in item else ""
            shown = section(REFERENCE / "http.md", f"## {method.upper()} {path}{suffix}")
            statuses = {row[0] for row in rows(shown)}
            assert {str(status) for status in item[method]["responses"]} <= statuses


def test_every_exit_code_is_documented() -> None:
    shown = {row[0]: row[1:] for row in rows(text("exit-codes.md"))}
    for exit_code in Exit:
        name, meaning = shown[str(exit_code.value)]
        assert name == f"`{exit_code.name}`"
        assert meaning


def test_every_rule_is_documented_with_its_deduction() -> None:
    shown = {row[0]: row for row in rows(text("rules.md"))}
    for rule in RULES:
        assert shown[f"`{rule.id}`"][2] == f"{rule.deduction / 100:.2f}"
        assert shown[f"`{rule.id}`"][5] == f"`{rule.reason.value}`"


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_every_field_is_documented_with_its_paths_in_order(field: object) -> None:
    name, paths = field.name, field.paths  # type: ignore[attr-defined]
    shown = section(REFERENCE / "mapping.md", f"## {name}")
    assert re.findall(r"^\d+\. `(.+)`$", shown, re.MULTILINE) == list(paths)


def test_every_channel_source_and_click_id_is_documented() -> None:
    shown = {row[0] for row in rows(text("channels.md"))}
    names = [*(channel.value for channel in Channel), *(source.name for source in TABLE.source), *TABLE.click_id]
    assert [name for name in names if f"`{name}`" not in shown] == []


def test_every_metric_is_documented() -> None:
    source = (ROOT / "src/sitevault/collector/metrics.py").read_text("utf-8")
    declared = set(re.findall(r"\"(sitevault_[a-z_]+)\"", source))
    shown = {row[0].strip("`").removesuffix("_total") for row in rows(text("metrics.md"))[2:]}
    assert declared
    assert shown == declared
    assert not [family for family in REGISTRY.collect() if family.name.startswith("sitevault")]


def test_every_table_and_view_is_documented_with_every_column(database: Database) -> None:
    with database.connect(Role.JUDGE) as conn:
        columns = conn.execute(
            "SELECT a.attrelid::regclass::text, array_agg(a.attname::text ORDER BY a.attnum)"
            " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')"
            " AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND a.attnum > 0"
            " AND NOT a.attisdropped GROUP BY 1"
        ).fetchall()
    assert len(columns) > 30
    for relation, names in columns:
        shown = section(REFERENCE / "tables.md", f"### {relation}")
        assert [row[0].strip("`") for row in rows(shown)[2:]] == names, relation


def test_every_table_says_what_it_is(database: Database) -> None:
    with database.connect(Role.JUDGE) as conn:
        silent = conn.execute(
            "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')"
            " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND obj_description(c.oid) IS NULL"
        ).fetchall()
    assert silent == []


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
def test_the_rights_on_the_page_are_those_the_server_grants(database: Database, role: Role) -> None:
    with database.connect(Role.JUDGE) as conn:
        granted = {
            (relation, privilege)
            for relation, privilege in conn.execute(
                "SELECT c.oid::regclass::text, p FROM pg_class AS c"
                " JOIN pg_namespace AS n ON n.oid = c.relnamespace CROSS JOIN unnest(%s::text[]) AS p"
                " WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')"
                " AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT c.relispartition"
                " AND has_table_privilege(%s, c.oid, p)",
                [list(PRIVILEGES), role.value],
            ).fetchall()
        }
    shown = set()
    for schema, allowed, objects in rows(section(REFERENCE / "roles.md", f"## {role.value}"))[2:]:
        # What is granted on single columns only is no right on the table.
        whole = re.sub(r"\w+ \([^)]*\)", "", allowed)
        for name in re.findall(r"`([a-z_]+)`", objects):
            shown |= {(f"{schema.strip('`')}.{name}", word) for word in PRIVILEGES if word in whole.split(", ")}
    assert shown == granted


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_of_the_doctor_has_a_page_with_all_it_has_to_say(check: Check) -> None:
    shown = " ".join(text(f"checks/{check.id}.md").split())
    for said in (check.title, check.why, check.looks_at, check.mend):
        assert said
        assert " ".join(said.split()) in shown
    assert f"(checks/{check.id}.md)" in text("checks.md")


def test_no_page_is_left_of_a_check_that_is_gone() -> None:
    assert {page.stem for page in (REFERENCE / "checks").glob("*.md")} == {check.id for check in CHECKS}


def test_every_role_is_documented(database: Database) -> None:
    with database.connect(Role.JUDGE) as conn:
        roles = conn.execute(
            "SELECT rolname FROM pg_roles WHERE rolname ~ '^sitevault_' AND rolcanlogin"
        ).fetchall()
    assert len(roles) == len(Role) - 1
    assert [role for (role,) in roles if f"## {role}\n" not in text("roles.md")] == []


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_every_gate_is_documented_with_its_target_and_what_it_reads(gate: Gate) -> None:
    shown = {row[0]: row[1] for row in rows(section(REFERENCE / "gates.md", f"## {gate.name}"))}
    assert shown["formula"] == gate.formula
    assert shown["denominator"] == gate.denominator
    assert (shown["own database"], shown["the guide's shape"]) == (gate.house, gate.guide)
    listed = {row[0]: row for row in rows(text("gates.md"))}[f"[{gate.name}](#{gate.name})"]
    assert listed[3] == gate.target(PRODUCTION)


def test_every_threshold_is_documented_with_its_defaults() -> None:
    shown = {row[0]: row for row in rows(section(REFERENCE / "gates.md", "## Thresholds"))}
    for field in msgspec.structs.fields(Thresholds):
        _, about, default, production = shown[f"`{field.name}`"]
        assert about
        for value, cell in (
            (getattr(TESTING, field.name), default),
            (getattr(PRODUCTION, field.name), production),
        ):
            assert cell == ("`false`" if value is None else f"`{value}`")


def test_the_thresholds_shown_are_accepted() -> None:
    (example,) = [block.text for block in blocks("toml") if block.page.name == "gates.md"]
    assert thresholds("mock", tomllib.loads(example)["environments"]["mock"]["gates"]).null_rate_drop is None


def test_every_hazard_has_its_meaning_and_its_page() -> None:
    assert set(MEANINGS) == set(HazardName)
    page = text("hazards.md")
    for name in HazardName:
        assert f"\n## {name}\n" in page
        assert all(said in page for said in MEANINGS[name])


def test_every_item_of_the_preflight_is_on_its_page_in_order() -> None:
    assert [cells[0] for cells in rows(text("preflight.md"))[2:]] == [f"`{item.id}`" for item in ITEMS]
