"""What the text of the files shows, before any of it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sitevault.doctor.code import plpgsql
from sitevault.doctor.code.parser import (
    Lines,
    Node,
    Unreadable,
    choice,
    find,
    kind,
    names,
    parse,
    tokens,
    unwrap,
    walk,
)
from sitevault.release.apply import rendered
from sitevault.release.lint.model import Finding, Lint, Severity, found
from sitevault.release.model import File

UNREADABLE = Lint(
    "unreadable",
    Severity.UNKNOWN,
    "Text that PostgreSQL's parser, as it comes with Sitevault, does not know.",
    "Nothing below could be looked for in it. Syntax that is newer than that parser is rightly not known to it; "
    "the trial shows whether PostgreSQL itself takes it.",
    "Look at the file yourself. What only psql knows (\\i, \\set, COPY FROM stdin) cannot be released.",
)
TRANSACTION = Lint(
    "transaction_control",
    Severity.ERROR,
    "BEGIN, COMMIT, ROLLBACK, PREPARE TRANSACTION, savepoints.",
    "A release is one transaction. A file that ends it keeps what it did when the release fails.",
    "Take them out. What has to be tried goes into a DO block with an EXCEPTION section.",
)
OUTSIDE = Lint(
    "outside_transaction",
    Severity.ERROR,
    "CONCURRENTLY, VACUUM, CREATE and DROP DATABASE, tablespaces, ALTER SYSTEM, CLUSTER of everything.",
    "PostgreSQL refuses it within a transaction, or does it at once and for good.",
    "Build an index on a new or small table within the release; a large one beforehand, by hand, and let the "
    "migration say CREATE INDEX IF NOT EXISTS.",
)
SESSION = Lint(
    "session_state",
    Severity.WARNING,
    "SET, SET LOCAL, SET ROLE, RESET, DISCARD, LISTEN, PREPARE, set_config().",
    "It holds for every file after it, and without LOCAL for the session after the release.",
    "Say it where it is needed: SET in the definition of a function, names in full instead of a search_path.",
)
UNQUALIFIED = Lint(
    "unqualified_name",
    Severity.ERROR,
    "A table, view, type, function or sequence without its schema, in a statement of a file.",
    "Which object it is depends on the search_path of whoever deploys: another in each environment.",
    "Write schema.name. PostgreSQL's own functions and types need none.",
)
ROWS = Lint(
    "rows_in_objects",
    Severity.WARNING,
    "INSERT, UPDATE, DELETE, MERGE or TRUNCATE in objects/.",
    "Objects are applied with every release, so the rows are changed every time.",
    "Put it into a migration, which runs once.",
)
LINTS = (UNREADABLE, TRANSACTION, OUTSIDE, SESSION, UNQUALIFIED, ROWS)

_WRITES = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "TruncateStmt")
_NEVER_WITHIN = {
    "VacuumStmt": "VACUUM",
    "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE",
    "AlterSystemStmt": "ALTER SYSTEM",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "DropTableSpaceStmt": "DROP TABLESPACE",
}
_SETS = {
    "DiscardStmt": "DISCARD",
    "ListenStmt": "LISTEN",
    "UnlistenStmt": "UNLISTEN",
    "PrepareStmt": "PREPARE",
    "LoadStmt": "LOAD",
}
_RELATIONS = ("TABLE", "VIEW", "MATVIEW", "SEQUENCE", "INDEX", "FOREIGN_TABLE")
_WITHIN_RELATION = ("COLUMN", "TRIGGER", "POLICY", "RULE", "TABCONSTRAINT")


class Told(NamedTuple):
    """A statement of a file."""

    where: str
    line: int
    node: Node
    temporary: frozenset[str]


def look(migrations: tuple[File, ...], objects: tuple[File, ...], values: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that the texts show; `values` are what parameters are tried with."""
    for file in (*migrations, *objects):
        for name, text in parts(file):
            yield from _of(name, rendered(text, values), _CHECKS)
    for file in objects:
        yield from _of(file.name, rendered(file.text, values), (_rows,), quietly=True)


def parts(file: File) -> Iterator[tuple[str, str]]:
    """The file with its revert and verify beside it, each by its name."""
    yield file.name, file.text
    for part, text in (("revert", file.revert), ("verify", file.verify)):
        if text is not None:
            yield file.name.replace(".sql", f".{part}.sql"), text


def _of(
    name: str, text: str, checks: tuple[Callable[[Told], Iterator[Finding]], ...], quietly: bool = False
) -> Iterator[Finding]:
    try:
        statements = list(_statements(name, text))
    except Unreadable as error:
        if not quietly:
            yield found(UNREADABLE, name, error.line, error.why)
        return
    for told in statements:
        for check in checks:
            try:
                yield from check(told)
            except Unreadable as error:
                yield found(UNREADABLE, name, told.line, error.why)


def _statements(name: str, text: str) -> Iterator[Told]:
    tree, lines, words = parse(text), Lines(text.encode()), iter(tokens(text))
    temporary = frozenset(_temporary(tree))
    word = next(words, None)
    for statement in tree.stmts:
        # where a statement begins there may be comments first
        while word is not None and (word.start < statement.stmt_location or word.word == ";"):
            word = next(words, None)
        line = lines.at(word.start) if word is not None else 0
        yield Told(name, line, unwrap(statement.stmt), temporary)


def _temporary(tree: Node) -> Iterator[str]:
    for node in find(tree, "CreateStmt", "CreateTableAsStmt"):
        relation = node.relation if kind(node) == "CreateStmt" else node.into.rel
        if relation.relpersistence == "t":
            yield str(relation.relname)


# -- transactions and sessions -----------------------------------------------------------------------------------


def _transaction(told: Told) -> Iterator[Finding]:
    if kind(told.node) == "TransactionStmt":
        word = choice(told.node, "kind").removeprefix("TRANS_STMT_").replace("_", " ")
        yield found(TRANSACTION, told.where, told.line, f"{word} is not the file's to say")


def _outside(told: Told) -> Iterator[Finding]:
    node, what = told.node, kind(told.node)
    word = _NEVER_WITHIN.get(what)
    if what == "VacuumStmt" and not node.is_vacuumcmd:
        word = None  # ANALYZE may
    if (what == "IndexStmt" and node.concurrent) or (what == "DropStmt" and node.concurrent):
        word = "CONCURRENTLY"
    if what == "ReindexStmt" and any(unwrap(one).defname == "concurrently" for one in node.params):
        word = "REINDEX CONCURRENTLY"
    if what == "ReindexStmt" and choice(node, "kind") in ("REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE"):
        word = "REINDEX of a database"
    if what == "AlterTableStmt" and any(one.concurrent for one in find(node, "PartitionCmd")):
        word = "DETACH PARTITION CONCURRENTLY"
    if what == "ClusterStmt" and not node.HasField("relation"):
        word = "CLUSTER of every table"
    if word:
        yield found(OUTSIDE, told.where, told.line, f"{word} cannot be part of a release's transaction")


def _session(told: Told) -> Iterator[Finding]:
    node, what = told.node, kind(told.node)
    if what == "VariableSetStmt":
        reset = choice(node, "kind").startswith("VAR_RESET")
        scope = " LOCAL" if node.is_local else ""
        message = f"{'RESET' if reset else f'SET{scope}'} {node.name or 'ALL'} holds for the files after it"
        yield found(SESSION, told.where, told.line, message + ("" if scope else ", and for the session"))
    elif what in _SETS:
        yield found(SESSION, told.where, told.line, f"{_SETS[what]} outlives the file")
    elif any(names(one.funcname)[-1] == "set_config" for one in find(node, "FuncCall")):
        yield found(SESSION, told.where, told.line, "set_config() holds for the files after it")


def _rows(told: Told) -> Iterator[Finding]:
    if kind(told.node) in _WRITES:
        word = kind(told.node).removesuffix("Stmt").upper()
        yield found(ROWS, told.where, told.line, f"{word} is done again with every release")


# -- names -------------------------------------------------------------------------------------------------------


def _unqualified(told: Told) -> Iterator[Finding]:
    for name in dict.fromkeys(_bare_names(told)):
        yield found(UNQUALIFIED, told.where, told.line, f"{name} is named without its schema")


def _block(told: Told) -> Iterator[Finding]:
    """The same within a DO block, statement by statement."""
    if kind(told.node) != "DoStmt":
        return
    options = {one.defname: one for one in map(unwrap, told.node.args)}
    body = unwrap(options["as"].arg).sval if "as" in options else ""
    if "language" in options and unwrap(options["language"].arg).sval != "plpgsql":
        return
    statements = plpgsql.read(body)
    pieces = [sql for one in statements for inner in one.walk() for sql in inner.sql if sql.tree is not None]
    temporary = told.temporary.union(*(_temporary(sql.tree) for sql in pieces))
    for sql in pieces:
        yield from _unqualified(
            Told(told.where, told.line + sql.line_of(sql.tree) - 1, unwrap(sql.tree), temporary)
        )


def _bare_names(told: Told) -> Iterator[str]:
    nodes = list(walk(told.node))
    ctes = {node.ctename for node in nodes if kind(node) == "CommonTableExpr"}
    for node in nodes:
        if kind(node) == "RangeVar":
            own = node.relname in ctes or node.relname in told.temporary or node.relpersistence == "t"
            # PostgreSQL's own catalog is found first, whatever the path
            if not node.schemaname and not own and not node.relname.startswith("pg_"):
                yield str(node.relname)
        else:
            yield from _bare(node)


def _bare(node: Node) -> Iterator[str]:
    """The names that a node of another kind has, where they are bare."""
    what = kind(node)
    if what in ("CreateFunctionStmt", "CreateTrigStmt", "CreateEventTrigStmt"):
        yield from _alone(node.funcname)
    elif what == "ObjectWithArgs":
        yield from _alone(node.objname)
    elif what in ("CreateEnumStmt", "CreateRangeStmt", "AlterEnumStmt", "AlterTypeStmt"):
        yield from _alone(node.type_name)
    elif what == "CreateDomainStmt":
        yield from _alone(node.domainname)
    elif what == "AlterDomainStmt":
        yield from _alone(node.type_name)
    elif what == "DefineStmt":
        yield from _alone(node.defnames)
    elif what == "DropStmt":
        for one in node.objects:
            yield from _short(one, choice(node, "remove_type"))
    elif what in ("CommentStmt", "AlterOwnerStmt", "AlterObjectSchemaStmt", "RenameStmt") and node.HasField(
        "object"
    ):
        field = "objtype" if what == "CommentStmt" else "rename_type" if what == "RenameStmt" else "object_type"
        yield from _short(node.object, choice(node, field))


def _alone(words: object) -> Iterator[str]:
    found_names = names(words)
    if len(found_names) == 1:
        yield found_names[0]


def _short(node: Node, object_type: str) -> Iterator[str]:
    """A list of words that is shorter than the object's name in full."""
    what, inner = object_type.removeprefix("OBJECT_"), unwrap(node)
    if what in ("TYPE", "DOMAIN"):
        words = (
            names(inner.items)
            if kind(inner) == "List"
            else names(inner.names)
            if kind(inner) == "TypeName"
            else ()
        )
        full = 2
    elif kind(inner) == "List" and what in _RELATIONS:
        words, full = names(inner.items), 2
    elif kind(inner) == "List" and what in _WITHIN_RELATION:
        words, full = names(inner.items), 3
    else:
        return
    if words and len(words) < full:
        yield ".".join(words)


_CHECKS = (_transaction, _outside, _session, _unqualified, _block)
