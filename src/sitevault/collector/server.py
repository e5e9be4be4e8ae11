"""The collector's process: granian in our own event loop, from the first connection to the last answer."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from sitevault.collector.app import Collector
from sitevault.collector.loads import LoadWatcher
from sitevault.collector.metrics import Metrics
from sitevault.collector.receipts import ReceiptReader
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import ConfigurationError, SitevaultError
from sitevault.landing.writer import LandingWriter
from sitevault.tenancy.keyring import Keyring

log = logging.getLogger(__name__)

HEADER_BYTES = 65_536
HEADER_MILLISECONDS = 10_000
BACKLOG = 4_096
UNREAD_MILLISECONDS = 30_000
"""A client that takes nothing of its answers for so long is hung up on."""
OTHER_FILES = 128
"""Files a collector has open beside its connections, with room."""
START_SECONDS = 0.7
"""How long the start waits for PostgreSQL; without it the collector listens and answers 503."""
STOP_SECONDS = 15.0
GONE_SECONDS = 0.5
THREADS_SECONDS = 0.5

_TASKS = Path("/proc/self/task")
_SHOWS_THREADS = _TASKS.is_dir()


class _Server(Server):
    """granian on a socket of ours: so port 0 can be told, and a taken port is an error, not a shared one."""

    def __init__(self, app: Collector, listener: socket.socket, connections: int) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            # granian counts connections by it, idle ones too, and takes no other while they are all there
            backpressure=connections,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES),
            log_enabled=False,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # granian's own stubs know neither the third argument (Linux has it) nor that these may be set.
        holder: Any = SocketHolder
        shared: Any = self
        shared._ssp, shared._shd = None, holder(os.dup(self._listener.fileno()), False, BACKLOG)

    def interrupt(self) -> None:
        """Take no more connections, and let `serve` return."""
        self.interrupt_signal = True
        self.main_loop_interrupt.set()


async def serve(database: Database, config: Config, ready: Callable[[str], None]) -> None:
    """Run the collector until SIGTERM or SIGINT; then answer what is in flight and return.

    `ready` is told the URL once requests are answered. Raises SitevaultError when the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with running(database, config) as url:
            _settle_memory()
            ready(url)
            await stop.wait()
            log.info("collector.stopping")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _settle_memory() -> None:
    """What is there for good the garbage collector looks at no more: each time took 20 ms of everybody's."""
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def running(database: Database, config: Config) -> AsyncIterator[str]:
    """A collector that answers at the yielded URL; leaving the context stops it gracefully."""
    listener = _listen(config)
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        collector, writer = await _assemble(stack, database, config)
        server = _Server(collector, listener, _room_for_connections(config.max_connections))
        others = _native_threads()
        task = asyncio.create_task(server.serve(), name="granian")
        try:
            yield _url(listener)
        finally:
            await _stop(server, task, collector, writer)
            await _wait_for_threads(others)


async def _assemble(stack: AsyncExitStack, database: Database, config: Config) -> tuple[Collector, LandingWriter]:
    metrics = Metrics()
    keyring = await stack.enter_async_context(Keyring(database))
    receipts = await stack.enter_async_context(ReceiptReader(database))
    loads = await stack.enter_async_context(LoadWatcher(database, receipts))
    writer = LandingWriter(
        partial(database.aconnect, Role.COLLECTOR, application_name="collector-landing"),
        max_events=config.max_queue_events,
        max_bytes=config.max_queue_bytes,
        timeout=config.flush_timeout_seconds,
        on_flush=metrics.flushed,
    )
    metrics.watch_queue(lambda: writer.events, lambda: writer.bytes)
    writer.start()
    stack.push_async_callback(writer.drain)
    await asyncio.gather(keyring.wait_loaded(START_SECONDS), writer.wait_available(START_SECONDS))
    return Collector(config, keyring, writer, receipts, loads, metrics), writer


async def _stop(server: _Server, task: asyncio.Task[None], collector: Collector, writer: LandingWriter) -> None:
    server.interrupt()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(task), STOP_SECONDS)
    # Every connection has its answers by now. What is still there answers a client that hung up, and granian,
    # whose runtime is gone, will not wake it again.
    with suppress(TimeoutError):
        await asyncio.wait_for(collector.wait_idle(), GONE_SECONDS)
    await writer.drain()


async def _wait_for_threads(others: set[int]) -> None:
    """Wait until granian's threads are gone; `others` were there before them.

    They say that they are done a moment before they are. An interpreter that ends within that moment is aborted
    by them (granian issue 693; about one stop in twenty-five when this was written).
    """
    if not _SHOWS_THREADS:
        await asyncio.sleep(THREADS_SECONDS)
    deadline = monotonic() + THREADS_SECONDS
    while _native_threads() - others and monotonic() < deadline:  # noqa: ASYNC110 -- nothing of theirs tells us
        await asyncio.sleep(0.005)


def _native_threads() -> set[int]:
    """The threads of this process that are not Python's; none where the system does not show them."""
    known = {thread.native_id for thread in threading.enumerate()}
    return {int(task.name) for task in _TASKS.iterdir()} - known if _SHOWS_THREADS else set()


def _listen(config: Config) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigurationError(
            f"{config.host!r} is not an address to listen on: {error}", fix="Set SITEVAULT_HOST."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SitevaultError(
            f"The collector cannot listen on {config.host}:{config.port}: {error.strerror}.",
            fix="Stop what listens there, or choose another port with SITEVAULT_PORT (0 takes a free one).",
        ) from error
    return listener


def _room_for_connections(wanted: int) -> int:
    """As many connections as open files are allowed for, having asked for enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning("collector.few_files", extra={"connections": soft - OTHER_FILES, "wanted": wanted})
        return max(16, soft - OTHER_FILES)
    return wanted


def _url(listener: socket.socket) -> str:
    address: Any = listener.getsockname()
    host = f"[{address[0]}]" if listener.family == socket.AF_INET6 else address[0]
    return f"http://{host}:{address[1]}"
