"""A directory that makes no sense is refused by name, before anything is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sitevault.errors import Exit
from sitevault.release.model import BundleError
from sitevault.release.source import read
from sources import MANIFEST, function, source


def refusal(directory: Path) -> str:
    with pytest.raises(BundleError) as refused:
        read(directory)
    assert refused.value.exit_code is Exit.FINDINGS
    return refused.value.message


def test_files_are_read_in_the_order_of_their_names_with_what_belongs_to_them(tmp_path: Path) -> None:
    found = read(
        source(
            tmp_path,
            migrations={
                "0002_two.sql": "SELECT 2",
                "0001_one.sql": "SELECT 1",
                "0001_one.revert.sql": "SELECT -1",
                "0002_two.verify.sql": "SELECT true",
            },
            objects={"b.sql": "SELECT 'b'", "a.sql": "SELECT 'a'"},
        )
    )
    assert [file.name for file in found.files] == ["0001_one.sql", "0002_two.sql", "a.sql", "b.sql"]
    assert [(file.revert, file.verify) for file in found.migrations] == [
        ("SELECT -1", None),
        (None, "SELECT true"),
    ]


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    found = read(source(tmp_path, objects={"a.sql": "SELECT 1;\r\nSELECT '\r';\n"}))
    assert found.objects[0].text == "SELECT 1;\r\nSELECT '\r';\n"


def test_hidden_files_and_notes_are_left_alone(tmp_path: Path) -> None:
    source(tmp_path, objects={"a.sql": "SELECT 1", ".a.sql.swp": "\0"})
    (tmp_path / "README.md").write_text("why")
    (tmp_path / ".git").mkdir()
    assert len(read(tmp_path).files) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("1_one.sql", "not called as it must be"),
        ("0001-one.sql", "not called as it must be"),
        ("0001_One.sql", "not called as it must be"),
        ("0001_one.sql.orig", "not called as it must be"),
        ("0001_one.revert.sql", "0001_one.sql is missing: only its revert"),
    ],
)
def test_a_migration_with_a_strange_name_is_refused(tmp_path: Path, name: str, said: str) -> None:
    assert said in refusal(source(tmp_path, migrations={name: "SELECT 1"}))


def test_a_gap_and_a_double_in_the_numbers_are_refused(tmp_path: Path) -> None:
    gap = source(tmp_path / "gap", migrations={"0001_a.sql": "SELECT 1", "0003_c.sql": "SELECT 3"})
    assert "lacks migration 0002: after 0001_a.sql comes 0003_c.sql" in refusal(gap)
    double = source(tmp_path / "double", migrations={"0001_a.sql": "SELECT 1", "0001_b.sql": "SELECT 1"})
    assert "migration 0001 twice: 0001_a.sql and 0001_b.sql" in refusal(double)


def test_numbers_may_go_on_from_where_a_folded_base_left_them(tmp_path: Path) -> None:
    found = read(source(tmp_path, migrations={"0041_a.sql": "SELECT 1", "0042_b.sql": "SELECT 1"}))
    assert len(found.migrations) == 2


def test_names_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    assert "one file where case does not count" in refusal(
        source(tmp_path, objects={"a.sql": "SELECT 1", "A.sql": "SELECT 1"})
    )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(b"SELECT 1;\n-- caf\xe9"), "is not UTF-8: byte 0xe9 in line 2"),
        (lambda path: path.write_bytes("SELECT 1".encode("utf-16")), "is not UTF-8: byte 0xff in line 1"),
        (lambda path: path.write_bytes("\ufeffSELECT 1".encode()), "begins with a byte order mark"),
        (lambda path: path.write_bytes(b"SELECT 1;\n\n\0"), "has a zero byte in line 3"),
    ],
)
def test_what_postgresql_could_not_read_is_refused_with_its_place(
    tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    source(tmp_path, objects={"a.sql": ""})
    damage(tmp_path / "objects" / "a.sql")
    message = refusal(tmp_path)
    assert "a.sql" in message
    assert said in message


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ('name = "fix"\n', "missing required field `version`"),
        (MANIFEST + 'autor = "ada"\n', "unknown field `autor`"),
        (MANIFEST + 'shape = "square"\n', "`$.shape`"),
        ('name = "Fix It"\nversion = "1"\n', "`$.name`"),
        ('name = "fix"\nversion = "../1"\n', "`$.version`"),
        (MANIFEST + '[[claims]]\nfixes = "F1"\nobjects = []\n', "objects"),
        (MANIFEST + '[parameters]\n"a b" = "1"\n', "no names of parameters: a b"),
        ("name = ", "is wrong"),
    ],
)
def test_a_release_toml_that_is_wrong_is_refused_by_its_key(tmp_path: Path, manifest: str, said: str) -> None:
    assert said in refusal(source(tmp_path, manifest=manifest, objects={"a.sql": function()}))


def test_what_lies_where_nothing_looks_is_refused(tmp_path: Path) -> None:
    source(tmp_path, objects={"a.sql": function()})
    (tmp_path / "objets").mkdir()
    assert "objets is nothing a release is made of" in refusal(tmp_path)
    (tmp_path / "objets").rmdir()
    (tmp_path / "late.sql").write_text("SELECT 1")
    assert "late.sql is nothing a release is made of" in refusal(tmp_path)


def test_each_shape_has_its_own_files(tmp_path: Path) -> None:
    source(tmp_path, objects={"a.sql": function()})
    (tmp_path / "mapping").mkdir()
    assert "mapping is not for a release of shape 'guide'" in refusal(tmp_path)
    (tmp_path / "release.toml").write_text(MANIFEST + 'shape = "house"\n')
    assert "base.sql is not for a release of shape 'house'" in refusal(tmp_path)


def test_a_foreign_release_needs_its_base_and_any_release_something_to_do(tmp_path: Path) -> None:
    assert "the schema that the release is tried on" in refusal(source(tmp_path / "a", base=None))
    assert "holds nothing to release" in refusal(source(tmp_path / "b"))
    assert "There is no" in refusal(tmp_path)


def test_a_declared_parameter_has_to_be_used_and_others_are_left_alone(tmp_path: Path) -> None:
    sql = "COMMENT ON TABLE app.thing IS :{what}; COMMENT ON SCHEMA app IS ':{other}'"
    found = read(source(tmp_path, more='[parameters]\nwhat = "x"\n', objects={"a.sql": sql}))
    assert found.manifest.parameters == {"what": "x"}
    source(tmp_path, more='[parameters]\nwhat = "x"\nunused = "y"\n', objects={"a.sql": sql})
    assert "declares unused, which no file uses" in refusal(tmp_path)


def test_a_houses_mappings_and_schemas_are_read_and_held_to_what_staging_takes(tmp_path: Path) -> None:
    source(tmp_path, manifest=MANIFEST + 'shape = "house"\n', base=None)
    for path, text in {
        "mapping/the-one-spa.json": '{"session_id": ["context.sid"]}',
        "schemas/the-one-spa/purchase.json": '{"type": "object"}',
        "schemas/the-one-spa/cart%2Fadd.json": '{"type": "object"}',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert [(one.kind, one.tenant, one.event_type) for one in read(tmp_path).settings] == [
        ("mapping", "the-one-spa", None),
        ("schema", "the-one-spa", "cart/add"),
        ("schema", "the-one-spa", "purchase"),
    ]
    (tmp_path / "mapping" / "the-one-spa.json").write_text('{"no_such_field": ["a"]}')
    assert "the-one-spa.json: there is no field no_such_field" in refusal(tmp_path)
    (tmp_path / "mapping" / "the-one-spa.json").write_text('["session_id"]')
    assert "the-one-spa.json: This is not a mapping" in refusal(tmp_path)
    (tmp_path / "mapping" / "the-one-spa.json").unlink()
    (tmp_path / "schemas" / "the-one-spa" / "purchase.json").write_text('{"type": "nonsense"}')
    assert "purchase.json: This is not a JSON Schema" in refusal(tmp_path)
