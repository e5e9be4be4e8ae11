"""A function without the handlers that hide why it fails; every line stays where it was."""

from __future__ import annotations

from sitevault.doctor.code.library import Code
from sitevault.doctor.code.model import Handler, Statement


def raising(code: Code) -> bool:
    """Whether a handler for all errors raises one of its own."""
    return any(_raises(handler) for block in _blocks(code) for handler in block.handlers if handler.catches_all)


def catching(code: Code) -> bool:
    """Whether any handler catches all errors."""
    return any(handler.catches_all for block in _blocks(code) for handler in block.handlers)


def disarmed(code: Code, *, all_handlers: bool) -> str:
    """The CREATE statement with handlers for OTHERS blanked out: those that raise, or all of them."""
    source = bytearray(code.function.source.encode())
    for block in _blocks(code):
        kept = [one for one in block.handlers if not (one.catches_all and (all_handlers or _raises(one)))]
        if block.exception is None or len(kept) == len(block.handlers):
            continue
        spans = [block.exception] if not kept else [one.span for one in block.handlers if one not in kept]
        for start, end in spans:
            source[start:end] = bytes(byte if byte == 10 else 32 for byte in source[start:end])
    definition = code.function.definition or ""
    before, found, after = definition.rpartition(code.function.source)
    return before + source.decode() + after if found else definition


def _blocks(code: Code) -> list[Statement]:
    return [statement for statement in code.body.walk() if statement.handlers]


def _raises(handler: Handler) -> bool:
    return any(inner.raises for statement in handler.body for inner in statement.walk())
