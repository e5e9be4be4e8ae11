"""SQL is asked for by name, and a file that is not in order is refused when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.db.queries import DIRECTORY, QueryFileError, load

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


def written(directory: Path, text: str) -> Path:
    (directory / "stage.sql").write_text(text, "utf-8")
    return directory


def test_a_query_is_an_attribute_with_its_text(tmp_path: Path) -> None:
    text = "-- name: one\n-- The first.\nSELECT 1;\n\n-- name: two\n-- The second.\nSELECT %(x)s\n    + 2;\n"
    queries = load("stage", written(tmp_path, text))
    assert queries.one == "SELECT 1;"
    assert queries.two == "SELECT %(x)s\n    + 2;"
    assert list(queries) == ["one", "two"]


def test_an_unknown_name_is_an_attribute_error_that_lists_the_known(tmp_path: Path) -> None:
    queries = load("stage", written(tmp_path, "-- name: one\n-- The first.\nSELECT 1;\n"))
    with pytest.raises(AttributeError, match="has no query 'uno'; it has: one"):
        _ = queries.uno


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: one\n-- A.\nSELECT 1;\n-- name: one\n-- B.\nSELECT 2;\n", "given twice"),
        ("-- name: one\nSELECT 1;\n", "must describe"),
        ("-- name: one\n-- A.\n", "no SQL"),
        ("-- name: One\n-- A.\nSELECT 1;\n", "not a name"),
        ("-- name: one two\n-- A.\nSELECT 1;\n", "not a name"),
    ],
)
def test_a_file_that_is_not_in_order_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(QueryFileError, match=complaint):
        load("stage", written(tmp_path, text))


def test_a_stage_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryFileError, match=r"nowhere\.sql"):
        load("nowhere", tmp_path)


@given(st.dictionaries(NAMES, st.sampled_from(["SELECT 1", "SELECT '-- name: x'", "SELECT %(a)s\n-- why\n;"])))
def test_every_query_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]) -> None:
    text = "".join(f"-- name: {name}\n-- What it does.\n{sql}\n\n" for name, sql in texts.items())
    queries = load("stage", written(tmp_path_factory.mktemp("queries"), text))
    assert {name: getattr(queries, name) for name in queries} == texts


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.sql")), ids=lambda path: path.stem)
def test_every_file_of_the_product_is_in_order(path: Path) -> None:
    assert list(load(path.stem))
