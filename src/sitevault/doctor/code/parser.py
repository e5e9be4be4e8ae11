"""PostgreSQL's parser and lexer. Nothing else in the house knows whose they are."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import postgast
from postgast import pg_query_pb2

Node = Any
"""A node of PostgreSQL's parse tree; its class name is PostgreSQL's: SelectStmt, FuncCall, ColumnRef."""

_COMMENTS = frozenset({pg_query_pb2.Token.SQL_COMMENT, pg_query_pb2.Token.C_COMMENT})
_STRINGS = frozenset({pg_query_pb2.Token.SCONST, pg_query_pb2.Token.USCONST})
_IDENTIFIER = pg_query_pb2.Token.IDENT


class Unreadable(Exception):
    """The text is not SQL or PL/pgSQL that this version of the parser knows."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


class Token(NamedTuple):
    """A word of the text; offsets are in bytes of UTF-8."""

    word: str
    """Lower case for a keyword or bare name, the name itself for a quoted one, else as written."""
    start: int
    end: int
    name: bool
    """A keyword or an identifier."""
    quoted: bool
    string: bool


class Lines:
    """From byte offset to line, counted from 1 as PostgreSQL counts the lines of a body."""

    def __init__(self, text: bytes) -> None:
        self._ends = [place for place, byte in enumerate(text) if byte == 10]

    def at(self, offset: int) -> int:
        return bisect.bisect_left(self._ends, offset) + 1


def tokens(text: str) -> list[Token]:
    """The text's words without its comments. Raises Unreadable."""
    raw = text.encode()
    try:
        scanned = postgast.scan(text).tokens
    except postgast.PgQueryError as error:
        raise Unreadable(str(error)) from None
    return [_token(raw, token) for token in scanned if token.token not in _COMMENTS]


@lru_cache(maxsize=20_000)
def parse(text: str) -> Any:
    """The statements of an SQL text. Raises Unreadable."""
    try:
        return postgast.parse(text)
    except postgast.PgQueryError as error:
        raise Unreadable(str(error)) from None


def kind(node: Node) -> str:
    """PostgreSQL's name for the node's kind."""
    return str(node.DESCRIPTOR.name)


def unwrap(node: Node) -> Node:
    """The node itself, without the wrapper that says which kind it is."""
    return postgast.unwrap_node(node)


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """(field, child) of the node's direct children, in the order of the grammar."""
    for field, value in node.ListFields():
        if field.message_type is None:
            continue
        if hasattr(value, "DESCRIPTOR"):
            yield field.name, unwrap(value)
        else:
            for item in value:
                yield field.name, unwrap(item)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, depth first."""
    stack = [unwrap(node)]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(child for _, child in reversed(list(children(found))))


def find(node: Node, *kinds: str) -> Iterator[Node]:
    """Everything of these kinds in the tree, the node itself included."""
    return (found for found in walk(node) if kind(found) in kinds)


def names(parts: Any) -> tuple[str, ...]:
    """The words of a qualified name; `*` for a star."""
    found = []
    for part in parts:
        inner = unwrap(part)
        if kind(inner) == "A_Star":
            found.append("*")
        elif kind(inner) == "String":
            found.append(str(inner.sval))
    return tuple(found)


def choice(node: Node, field: str) -> str:
    """The name of an enumerated field's value: OBJECT_TABLE, TRANS_STMT_BEGIN."""
    values = node.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(node, field)].name)


def string_of(node: Node) -> str | None:
    """The text of a string constant, casts aside; None for anything else."""
    inner = bare(node)
    if kind(inner) == "A_Const" and inner.WhichOneof("val") == "sval":
        return str(inner.sval.sval)
    return None


def bare(node: Node) -> Node:
    """The expression below its casts and collations."""
    inner = unwrap(node)
    while kind(inner) in {"TypeCast", "CollateClause"}:
        inner = unwrap(inner.arg)
    return inner


def location(node: Node) -> int | None:
    """Byte offset in the parsed text of the node, or of the first thing in it that has one."""
    for found in walk(node):
        if "location" in found.DESCRIPTOR.fields_by_name and found.location > 0:
            return int(found.location)
    return None


def _token(raw: bytes, token: Any) -> Token:
    text = raw[token.start : token.end].decode()
    quoted = text.startswith('"')
    if quoted:
        return Token(text[1:-1].replace('""', '"'), token.start, token.end, True, True, False)
    name = token.token == _IDENTIFIER or token.keyword_kind != pg_query_pb2.KeywordKind.NO_KEYWORD
    return Token(text.lower() if name else text, token.start, token.end, name, False, token.token in _STRINGS)
