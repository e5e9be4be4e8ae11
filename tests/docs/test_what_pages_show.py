"""Whatever a page tells its reader to type exists, and what it links to is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import psycopg
import pytest
from click import Context
from pages import ROOT, Block, blocks, commands, name, pages, without_blocks
from tests import given

from sitevault.cli.main import cli
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.tenancy.context import tenant_context

LONGEST_README = 150
KNOWN_PROGRAMS = {
    "sitevault", "make", "curl", "psql", "source", "git", "cp", "docker", "openssl", "zcat", "date", "mkdir", "cd",
    "pg_dumpall", "pg_dump", "pg_restore", "createdb",
}  # fmt: skip
KNOWN_HOSTS = re.compile(
    r"(127\.0\.0\.1(:\d+)?|([\w*-]+\.)*example(\.com|\.org)?|keepachangelog\.com|semver\.org|www\.google\.com)"
)

CONSOLE = blocks("console")
SQL_BLOCKS = blocks("sql")


def label(block: Block) -> str:
    return f"{name(block.page)}: {block.text.splitlines()[0][:50]}"


@pytest.mark.parametrize("block", CONSOLE, ids=label)
def test_every_command_shown_exists(block: Block) -> None:
    shown = list(commands(block))
    assert shown, "a console block without a line that begins with `$ `"
    for words in shown:
        assert words[0] in KNOWN_PROGRAMS, words
        if words[0] == "sitevault":
            parse(words[1:])
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), words


def parse(words: list[str]) -> None:
    """As click does before it looks at values: names of commands and options, and how many arguments."""
    command: click.Command = cli
    context = Context(cli, info_name="sitevault", **cli.context_settings)
    while isinstance(command, click.Group):
        if command.invoke_without_command and (not words or words[0].startswith("-")):
            break  # its own options, no command of the group
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
        context = Context(command, parent=context)
    given_values, _, _ = command.make_parser(context).parse_args(list(words))
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required:
            assert isinstance(given_values.get(parameter.name), str), f"{command.name} lacks {parameter.name}"


@pytest.mark.parametrize("line", ["tennant list", "tenant list --nonsense", "tenant add"])
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse(line.split())


@pytest.mark.parametrize("block", SQL_BLOCKS, ids=label)
def test_every_query_shown_runs(block: Block, loaded: tuple[Database, given.Sender]) -> None:
    database, tenant = loaded
    roles = (Role.JUDGE, Role.READER) if block.text.startswith("SELECT") else (Role.WORKER,)
    for role in roles:
        with database.connect(role) as conn, tenant_context(conn, tenant.tenant_hk):
            conn.execute(block.text)  # type: ignore[call-overload]
            raise psycopg.Rollback


def test_queries_are_shown_at_all() -> None:
    assert len(SQL_BLOCKS) > 15
    assert len(CONSOLE) > 20


def test_the_hash_key_query_of_the_vaults_page_holds_for_every_page(
    loaded: tuple[Database, given.Sender],
) -> None:
    (query,) = [block.text for block in SQL_BLOCKS if "AS holds" in block.text]
    with loaded[0].connect(Role.JUDGE) as conn:
        verdicts = [holds for _, holds in conn.execute(query).fetchall()]  # type: ignore[call-overload]
    assert verdicts
    assert all(verdicts)


def test_the_ledger_query_balances(loaded: tuple[Database, given.Sender]) -> None:
    (query,) = [block.text for block in SQL_BLOCKS if "ops.ledger_d" in block.text]
    with loaded[0].connect(Role.JUDGE) as conn:
        landed, vaulted, duplicate, invalid, error = conn.execute(query).fetchone()  # type: ignore[call-overload, misc]
    assert landed == 31
    assert landed == vaulted + duplicate + invalid + error
    assert 0 not in (vaulted, duplicate, invalid, error)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """What the headings of a page can be linked to by, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_map() -> None:
    reached = {ROOT / "docs" / "README.md"}
    for page in (todo := list(reached)):
        for target in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text("utf-8")):
            file = (page.parent / target).resolve()
            if file.exists() and file not in reached:
                reached.add(file)
                todo.append(file)
    lost = [name(page) for page in pages() if page.is_relative_to(ROOT / "docs") and page not in reached]
    assert lost == []


def test_the_page_of_the_house_shows_every_layer_in_its_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    (drawing,) = [block.text for block in blocks("") if block.page.name == "house.md"]
    assert [re.split(r"\s{2,}", line)[0] for line in drawing.splitlines()] == layers


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("page", pages(), ids=name)
def test_no_page_names_a_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    hosts = re.findall(r"(?:https?|postgresql)://(?:[^/\s@]*@)?([^/\s\"'`>)|;,]+)", text)
    assert [host for host in hosts if not KNOWN_HOSTS.fullmatch(host)] == []
    assert re.findall(r"(?<![\w.])/(?:root|home|work|tmp|mnt|Users|private)/\S*", text) == []
    assert re.findall(r"worker-(?!host-)\w+-\d+", text) == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_no_page_is_decorated(page: Path) -> None:
    assert re.findall("[\U0001f000-\U0001faff\ufe0f]", page.read_text("utf-8")) == []
