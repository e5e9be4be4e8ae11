"""PL/pgSQL's statements, read from PostgreSQL's own tokens; the SQL in them is PostgreSQL's parser's.

libpg_query reads PL/pgSQL too, but gives no offsets, refuses variables of row types, and what it prints of trigger
functions is not valid JSON; the statements are few enough to be read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sitevault.doctor.code.model import Declaration, Handler, Kind, Place, Sql, Statement
from sitevault.doctor.code.parser import Lines, Token, Unreadable, parse, string_of, tokens, unwrap

_OPENING, _CLOSING = frozenset("(["), frozenset(")]")
_LEVELS = frozenset({"debug", "log", "info", "notice", "warning", "exception"})
_ASSIGNS = frozenset({":=", "="})


def read(source: str) -> tuple[Statement, ...]:
    """The body's outermost block. Raises Unreadable."""
    return (_Reader(source).whole(),)


def sql_of(text: str, place: Place, line: int, *, into: tuple[str, ...] = (), strict: bool = False) -> Sql:
    """A piece of SQL as a tree; an expression becomes the target of a SELECT."""
    prefix = "" if place is Place.STATEMENT else "SELECT "
    try:
        statements = parse(prefix + text).stmts
        if not statements:
            raise Unreadable("there is nothing to run")
        tree, why = statements[0].stmt, None
    except Unreadable as error:
        tree, why = None, error.why
    ends = tuple(place for place, byte in enumerate((prefix + text).encode()) if byte == 10)
    return Sql(text, place, line, tree, why, into, strict, ends)


def constant_of(sql: Sql) -> str | None:
    """The text of an expression that is one string constant."""
    if sql.tree is None or len(unwrap(sql.tree).target_list) != 1:
        return None
    return string_of(unwrap(unwrap(sql.tree).target_list[0]).val)


class _Reader:
    def __init__(self, source: str) -> None:
        self._raw = source.encode()
        self._lines = Lines(self._raw)
        self._tokens = tokens(source)
        self._at = 0

    # -- tokens -----------------------------------------------------------------------------------------------

    def whole(self) -> Statement:
        while self._is("#"):  # #variable_conflict use_column
            line = self._lines.at(self._next().start)
            while self._peek() is not None and self._lines.at(self._token().start) == line:
                self._next()
        block = self._block()
        self._take(";", optional=True)
        if self._peek() is not None:
            raise Unreadable(f"there is more after the last END: {self._token().word}", self._line())
        return block

    def _peek(self, ahead: int = 0) -> Token | None:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def _token(self) -> Token:
        found = self._peek()
        if found is None:
            raise Unreadable("the body ends in the middle of a statement", self._lines.at(len(self._raw)))
        return found

    def _next(self) -> Token:
        found = self._token()
        self._at += 1
        return found

    def _is(self, *words: str, ahead: int = 0) -> bool:
        found = self._peek(ahead)
        return found is not None and not found.quoted and not found.string and found.word in words

    def _take(self, word: str, *, optional: bool = False) -> bool:
        if self._is(word):
            self._at += 1
            return True
        if optional:
            return False
        raise Unreadable(f"{word.upper()} was expected, not {self._token().word}", self._line())

    def _line(self) -> int:
        found = self._peek()
        return self._lines.at(found.start if found else len(self._raw))

    def _until(self, *words: str) -> tuple[int, int]:
        """Pass over an expression up to one of the words outside of brackets and CASE; where it stood."""
        first, depth, cases = self._at, 0, 0
        while True:
            token = self._token()
            plain = not token.quoted and not token.string
            if plain and depth == 0 and cases == 0 and token.word in words:
                return first, self._at
            if plain:
                depth += (token.word in _OPENING) - (token.word in _CLOSING)
                if token.word == "case":
                    cases += 1
                elif token.word == "end" and cases:
                    cases -= 1
                elif token.word == ";" and depth == 0:
                    raise Unreadable(f"{words[0].upper()} was expected before this semicolon", self._line())
            self._at += 1

    def _text(self, span: tuple[int, int], blank: Iterable[tuple[int, int]] = ()) -> tuple[str, int]:
        """The text of some tokens with its line; blanked parts keep their length and line ends."""
        first, last = span
        if first >= last:
            return "", self._line()
        start, end = self._tokens[first].start, self._tokens[last - 1].end
        text = bytearray(self._raw[start:end])
        for from_token, to_token in blank:
            low, high = self._tokens[from_token].start - start, self._tokens[to_token - 1].end - start
            text[low:high] = bytes(byte if byte == 10 else 32 for byte in text[low:high])
        return text.decode(), self._lines.at(start)

    def _sql(self, span: tuple[int, int], place: Place = Place.SCALAR) -> Sql:
        text, line = self._text(span)
        return sql_of(text, place, line)

    def _split(self, span: tuple[int, int]) -> list[tuple[int, int]]:
        """The parts between commas outside of brackets."""
        parts, first, depth = [], span[0], 0
        for place in range(*span):
            token = self._tokens[place]
            if token.string or token.quoted:
                continue
            depth += (token.word in _OPENING) - (token.word in _CLOSING)
            if token.word == "," and depth == 0:
                parts.append((first, place))
                first = place + 1
        return [*parts, (first, span[1])]

    def _find(self, span: tuple[int, int], *words: str) -> int | None:
        """The first of the words outside of brackets."""
        depth = 0
        for place in range(*span):
            token = self._tokens[place]
            if token.string or token.quoted:
                continue
            depth += (token.word in _OPENING) - (token.word in _CLOSING)
            if depth == 0 and token.word in words:
                return place
        return None

    def _done(
        self,
        kind: Kind,
        first: int,
        sql: Iterable[Sql] = (),
        into: tuple[str, ...] = (),
        bodies: tuple[tuple[Statement, ...], ...] = (),
        *,
        level: str = "",
        has_else: bool = False,
        returns: bool = True,
    ) -> Statement:
        start, end = self._tokens[first].start, self._tokens[self._at - 1].end
        return Statement(
            kind, self._lines.at(start), start, end, tuple(sql), into, bodies,
            level=level, has_else=has_else, returns=returns,
        )  # fmt: skip

    # -- blocks -----------------------------------------------------------------------------------------------

    def _block(self) -> Statement:
        first = self._at
        self._label()
        declared: list[Declaration] = []
        while self._take("declare", optional=True):
            while not self._is("begin", "declare"):
                declared.append(self._declaration())
        self._take("begin")
        body = self._statements("end", "exception")
        handlers, exception = [], None
        if self._is("exception"):
            start = self._next().start
            while self._is("when"):
                handlers.append(self._handler())
            exception = (start, self._token().start)
        self._take("end")
        if self._peek() is not None and not self._is(";"):
            self._next()  # the label again
        start, end = self._tokens[first].start, self._tokens[self._at - 1].end
        line = self._lines.at(start)
        return Statement(
            Kind.BLOCK, line, start, end, bodies=(body,), handlers=tuple(handlers), declared=tuple(declared),
            exception=exception,
        )  # fmt: skip

    def _label(self) -> None:
        if self._take("<<", optional=True):
            self._next()
            self._take(">>")

    def _handler(self) -> Handler:
        line, start = self._line(), self._token().start
        self._take("when")
        span = self._until("then")
        self._take("then")
        conditions = tuple(
            " ".join(token.word.strip("'") for token in self._tokens[first:last])
            for first, last in self._alternatives(span)
        )
        body = self._statements("when", "end")
        return Handler(conditions, line, body, (start, self._token().start))

    def _alternatives(self, span: tuple[int, int]) -> list[tuple[int, int]]:
        cuts = [place for place in range(*span) if self._tokens[place].word == "or"]
        return list(zip([span[0], *(cut + 1 for cut in cuts)], [*cuts, span[1]], strict=True))

    def _declaration(self) -> Declaration:
        first = self._at
        name = self._next().word
        span = self._to_semicolon()
        line = self._lines.at(self._tokens[first].start)
        cursor = self._find((span[0], min(span[0] + 3, span[1])), "cursor")
        if cursor is not None:
            query = self._find(span, "for", "is")
            default = self._sql((query + 1, span[1]), Place.STATEMENT) if query is not None else None
            return Declaration(name, "refcursor", line, default)
        given = self._find(span, ":=", "=", "default")
        kind, _ = self._text((span[0], given if given is not None else span[1]))
        default = self._sql((given + 1, span[1])) if given is not None else None
        return Declaration(name, kind.lower(), line, default)

    def _to_semicolon(self) -> tuple[int, int]:
        first, depth = self._at, 0
        while True:
            token = self._token()
            if not token.quoted and not token.string:
                if token.word == ";" and depth <= 0:
                    span = (first, self._at)
                    self._at += 1
                    return span
                depth += (token.word in _OPENING) - (token.word in _CLOSING)
            self._at += 1

    def _statements(self, *ends: str) -> tuple[Statement, ...]:
        found = []
        while not self._is(*ends):
            found.append(self._statement())
        return tuple(found)

    # -- statements -------------------------------------------------------------------------------------------

    def _statement(self) -> Statement:
        if self._is("<<"):
            after = self._peek(3)
            if after is not None and after.word not in {"declare", "begin"}:
                self._label()
        first = self._at
        if self._is("declare", "begin", "<<"):
            block = self._block()
            self._take(";")
            return block
        assigned = self._target()
        if assigned and self._is(*_ASSIGNS):
            self._next()
            span = self._to_semicolon()
            return self._done(Kind.ASSIGN, first, [self._sql(span)], (assigned,))
        self._at = first
        read = _STATEMENTS.get(self._token().word) if not self._token().quoted else None
        return read(self, first) if read else self._sql_statement(first)

    def _target(self) -> str:
        """The name at the left of an assignment: `v`, `v.field`, `v[1]`; empty where there is none."""
        token = self._peek()
        if token is None or not token.name:
            return ""
        words = [self._next().word]
        while self._is(".", "["):
            if self._next().word == "[":
                self._until("]")
                self._take("]")
            else:
                words.append(self._next().word)
        return ".".join(words)

    def _if(self, first: int) -> Statement:
        self._next()
        conditions, bodies, has_else = [], [], False
        while True:
            conditions.append(self._sql(self._until("then")))
            self._take("then")
            bodies.append(self._statements("elsif", "elseif", "else", "end"))
            if not self._is("elsif", "elseif"):
                break
            self._next()
        if self._take("else", optional=True):
            has_else = True
            bodies.append(self._statements("end"))
        self._ending("if")
        return self._done(Kind.IF, first, conditions, bodies=tuple(bodies), has_else=has_else)

    def _ending(self, word: str) -> None:
        self._take("end")
        self._take(word)
        if not self._is(";"):
            self._next()  # a loop's label
        self._take(";")

    def _case(self, first: int) -> Statement:
        self._next()
        pieces, bodies, has_else = [], [], False
        if not self._is("when"):
            pieces.append(self._sql(self._until("when")))
        while self._take("when", optional=True):
            span = self._until("then")
            pieces.extend(self._sql(part) for part in self._split(span))
            self._take("then")
            bodies.append(self._statements("when", "else", "end"))
        if self._take("else", optional=True):
            has_else = True
            bodies.append(self._statements("end"))
        self._ending("case")
        # Without ELSE a CASE that no WHEN fits raises case_not_found: it never falls through.
        return self._done(Kind.CASE, first, pieces, bodies=tuple(bodies), has_else=has_else)

    def _loop_body(self) -> tuple[tuple[Statement, ...], ...]:
        self._take("loop")
        body = self._statements("end")
        self._ending("loop")
        return (body,)

    def _loop(self, first: int) -> Statement:
        return self._done(Kind.LOOP, first, bodies=self._loop_body())

    def _while(self, first: int) -> Statement:
        self._next()
        condition = self._sql(self._until("loop"))
        return self._done(Kind.WHILE, first, [condition], bodies=self._loop_body())

    def _for(self, first: int) -> Statement:
        self._next()
        targets = self._names(self._until("in"))
        self._take("in")
        self._take("reverse", optional=True)
        span = self._until("loop")
        cut = self._find(span, "..")
        if cut is not None:
            by = self._find(span, "by")
            parts = [(span[0], cut), (cut + 1, by or span[1]), *([(by + 1, span[1])] if by else [])]
            pieces = [self._sql(part) for part in parts]
            return self._done(Kind.FOR_RANGE, first, pieces, targets, self._loop_body())
        if self._tokens[span[0]].word == "execute":
            pieces = self._executed((span[0] + 1, span[1]))
        elif (
            span[1] - span[0] == 1 or self._tokens[span[0]].word not in {"select", "with", "values", "("} | _WRITES
        ):
            pieces = []  # a bound cursor, whose query stands in its declaration
        else:
            text, line = self._text(span)
            pieces = [sql_of(text, Place.STATEMENT, line, into=targets)]
        return self._done(Kind.FOR, first, pieces, targets, self._loop_body())

    def _foreach(self, first: int) -> Statement:
        self._next()
        targets = self._names(self._until("in", "slice"))
        self._until("in")
        self._take("in")
        self._take("array")
        values = self._sql(self._until("loop"))
        return self._done(Kind.FOREACH, first, [values], targets, self._loop_body())

    def _exit(self, first: int) -> Statement:
        kind = Kind.EXIT if self._next().word == "exit" else Kind.CONTINUE
        span = self._to_semicolon()
        when = self._find(span, "when")
        pieces = [self._sql((when + 1, span[1]))] if when is not None else []
        return self._done(kind, first, pieces)

    def _return(self, first: int) -> Statement:
        self._next()
        if self._is("query") and not self._is(";", ahead=1):
            self._next()
            if self._take("execute", optional=True):
                return self._done(Kind.RETURN_QUERY, first, self._executed(self._to_semicolon()))
            return self._done(Kind.RETURN_QUERY, first, [self._sql(self._to_semicolon(), Place.STATEMENT)])
        kind = Kind.RETURN_NEXT if self._take("next", optional=True) else Kind.RETURN
        span = self._to_semicolon()
        pieces = [self._sql(span)] if span[0] < span[1] else []
        return self._done(kind, first, pieces, returns=bool(pieces))

    def _raise(self, first: int) -> Statement:
        self._next()
        level = "exception"
        token = self._token()
        if not token.quoted and not token.string and token.word in _LEVELS:
            level = self._next().word
        span = self._to_semicolon()
        using = self._find(span, "using")
        pieces = [self._sql(part) for part in self._split((span[0], using or span[1]))[1:]]
        for part in self._split((using + 1, span[1])) if using else ():
            given = self._find(part, "=", ":=")
            if given is not None:
                pieces.append(self._sql((given + 1, part[1])))
        return self._done(Kind.RAISE, first, pieces, level=level)

    def _assert(self, first: int) -> Statement:
        self._next()
        span = self._to_semicolon()
        return self._done(Kind.ASSERT, first, [self._sql(part) for part in self._split(span)])

    def _execute(self, first: int) -> Statement:
        self._next()
        span = self._to_semicolon()
        into = self._find(span, "into")
        targets = self._into(into, span)[0] if into is not None else ()
        return self._done(Kind.EXECUTE, first, self._executed(span), targets)

    def _executed(self, span: tuple[int, int]) -> list[Sql]:
        """The text that is run, and what is given to it."""
        cut = self._find(span, "into", "using")
        using = self._find(span, "using")
        pieces = [self._run((span[0], cut if cut is not None else span[1]))]
        if using is not None:
            end = self._find((using, span[1]), "into") or span[1]
            pieces.extend(self._sql(part) for part in self._split((using + 1, end)))
        return pieces

    def _run(self, span: tuple[int, int]) -> Sql:
        """What is run: a constant is read as the statement that it is."""
        built = self._sql(span, Place.DYNAMIC)
        constant = constant_of(built)
        return built if constant is None else sql_of(constant, Place.STATEMENT, built.line)

    def _perform(self, first: int) -> Statement:
        self._next()
        return self._done(Kind.PERFORM, first, [self._sql(self._to_semicolon(), Place.ROWS)])

    def _call(self, first: int) -> Statement:
        kind = Kind.CALL if self._is("call") else Kind.SQL
        span = self._to_semicolon()
        return self._done(kind, first, [self._sql((first, span[1]), Place.STATEMENT)])

    def _diagnostics(self, first: int) -> Statement:
        span = self._to_semicolon()
        parts = self._split((self._find(span, "diagnostics") or span[0], span[1]))
        targets = []
        for low, high in parts:
            given = self._find((low, high), "=", ":=")
            if given is not None:
                targets.append(self._tokens[given - 1].word)
        return self._done(Kind.DIAGNOSTICS, first, into=tuple(targets))

    def _open(self, first: int) -> Statement:
        self._next()
        span = self._to_semicolon()
        query = self._find(span, "for")
        if query is None:
            return self._done(Kind.OPEN, first)
        if self._tokens[query + 1].word == "execute":
            return self._done(Kind.OPEN, first, self._executed((query + 2, span[1])))
        return self._done(Kind.OPEN, first, [self._sql((query + 1, span[1]), Place.STATEMENT)])

    def _fetch(self, first: int) -> Statement:
        span = self._to_semicolon()
        into = self._find(span, "into")
        return self._done(Kind.FETCH, first, into=self._names((into + 1, span[1])) if into is not None else ())

    def _plain(self, first: int) -> Statement:
        kind = {"null": Kind.NULL, "commit": Kind.COMMIT, "rollback": Kind.ROLLBACK, "close": Kind.CLOSE}
        word = self._next().word
        self._to_semicolon()
        return self._done(kind[word], first)

    def _sql_statement(self, first: int) -> Statement:
        span = self._to_semicolon()
        into = self._into_of(span)
        targets, blank, strict = ((), [], False) if into is None else self._into(into, span)
        text, line = self._text(span, blank)
        return self._done(
            Kind.SQL, first, [sql_of(text, Place.STATEMENT, line, into=targets, strict=strict)], targets
        )

    def _into_of(self, span: tuple[int, int]) -> int | None:
        """PL/pgSQL's INTO, which is not that of INSERT or MERGE."""
        depth = 0
        for place in range(*span):
            token = self._tokens[place]
            if token.string or token.quoted:
                continue
            depth += (token.word in _OPENING) - (token.word in _CLOSING)
            before = self._tokens[place - 1].word if place > span[0] else ""
            if depth == 0 and token.word == "into" and before not in {"insert", "merge", "import"}:
                return place
        return None

    def _into(self, into: int, span: tuple[int, int]) -> tuple[tuple[str, ...], list[tuple[int, int]], bool]:
        """Its variables, the tokens it takes, and whether it is STRICT."""
        place = into + 1
        strict = self._tokens[place].word == "strict" and not self._tokens[place].quoted
        place += strict
        back, self._at = self._at, place
        targets = [self._target()]
        while self._at < span[1] and self._is(","):
            self._next()
            targets.append(self._target())
        end, self._at = self._at, back
        return tuple(targets), [(into, end)], strict

    def _names(self, span: tuple[int, int]) -> tuple[str, ...]:
        """The variables of a list."""
        return tuple(
            ".".join(token.word for token in self._tokens[low:high] if token.word != ".")
            for low, high in self._split(span)
        )


_WRITES = frozenset({"insert", "update", "delete", "merge"})
_STATEMENTS: dict[str, Callable[[_Reader, int], Statement]] = {
    "if": _Reader._if,
    "case": _Reader._case,
    "loop": _Reader._loop,
    "while": _Reader._while,
    "for": _Reader._for,
    "foreach": _Reader._foreach,
    "exit": _Reader._exit,
    "continue": _Reader._exit,
    "return": _Reader._return,
    "raise": _Reader._raise,
    "assert": _Reader._assert,
    "execute": _Reader._execute,
    "perform": _Reader._perform,
    "call": _Reader._call,
    "do": _Reader._call,
    "get": _Reader._diagnostics,
    "open": _Reader._open,
    "fetch": _Reader._fetch,
    "move": _Reader._fetch,
    "close": _Reader._plain,
    "null": _Reader._plain,
    "commit": _Reader._plain,
    "rollback": _Reader._plain,
}
