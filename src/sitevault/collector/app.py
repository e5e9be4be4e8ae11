"""The collector as a raw ASGI callable: request in, durable commit, answer out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.resources import files
from typing import Any, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST

from sitevault import clock
from sitevault.collector import answers, auth, cors, limits
from sitevault.collector.answers import Answer, RefusedError
from sitevault.collector.client import ClientReader
from sitevault.collector.loads import LoadWatcher
from sitevault.collector.metrics import Metrics
from sitevault.collector.protocols import Delivery, track
from sitevault.collector.ratelimit import RateLimiter
from sitevault.collector.receipts import BadEventIdError, ReceiptReader, read_event_id
from sitevault.collector.request import Receive, Request, Scope, Send
from sitevault.config import Config
from sitevault.db.wire import wire_timestamp
from sitevault.landing.flush import LandingRow
from sitevault.landing.identity import wire_identity
from sitevault.landing.writer import Landed, LandingWriter, NotLandedError
from sitevault.reasons import Reason
from sitevault.tenancy.keyring import KeyGrant, Keyring
from sitevault.tenancy.keys import KeyKind

log = logging.getLogger(__name__)

Receipts: TypeAlias = list[dict[str, Any]]
Answering: TypeAlias = Callable[[Delivery, list[LandingRow], Receipts], Answer]

_EVENT_PREFIX = "/api/v1/events/"  # and an event id
_OPENAPI = files("sitevault.collector").joinpath("openapi.yaml").read_bytes()


class Collector:
    """Answers every request, whatever it is; what it may rely on is passed in and started by the server."""

    def __init__(
        self,
        config: Config,
        keyring: Keyring,
        writer: LandingWriter,
        receipts: ReceiptReader,
        loads: LoadWatcher,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._keyring = keyring
        self._writer = writer
        self._receipts = receipts
        self._loads = loads
        self._metrics = metrics
        self._clients = ClientReader(config)
        self._bodies = limits.Bodies(config)
        self._turns = limits.Turns()
        self._rates = RateLimiter(config.rate_limit)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self._in_flight += 1
        self._idle.clear()
        try:
            await self._serve(Request(scope, receive), send)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Return when no request is being answered."""
        await self._idle.wait()

    async def _serve(self, request: Request, send: Send) -> None:
        route = _route_of(request.path)
        answer = await self._answer(request, route)
        self._metrics.answered(route or "none", answer.status)
        if answer.reason is not None:
            self._metrics.refuse(answer.reason)
        headers = (*answer.headers, *cors.readable(request))
        if request.unread and answer.reason not in limits.TOO_SLOW:
            await limits.drop_rest(request)
        if request.unread:
            # The server ends such a connection; a client that is not told sends its next request into the end.
            headers = (*headers, (b"connection", b"close"))
        await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})

    async def _answer(self, request: Request, route: str | None) -> Answer:
        try:
            if route is None:
                return answers.refusal(Reason.PATH_NOT_FOUND)
            handlers = ROUTES[route]
            handler = handlers.get(request.method)
            if handler is not None:
                return await handler(self, request)
            methods = ", ".join((*handlers, "OPTIONS"))
            if request.method == "OPTIONS":
                return await self._preflight(request, methods)
            return answers.refusal(Reason.METHOD_NOT_ALLOWED, headers=((b"allow", methods.encode()),))
        except RefusedError as refused:
            return answers.refusal(refused.reason, retry_after=refused.retry_after, headers=refused.headers)
        except NotLandedError as failed:
            return answers.refusal(failed.reason)
        except Exception as error:
            log.error("request.failed", extra={"route": route}, exc_info=error)
            return answers.refusal(Reason.INTERNAL_ERROR)

    async def _preflight(self, request: Request, methods: str) -> Answer:
        found = await self._keyring.find_fresh(request.path_key) if request.path_key else None
        return cors.preflight(request, methods, found if isinstance(found, KeyGrant) else None)

    # -- writing -------------------------------------------------------------------------------------------

    async def _track_one(self, request: Request) -> Answer:
        return await self._track(request, track.read_one, self._answer_one)

    async def _track_batch(self, request: Request) -> Answer:
        return await self._track(request, track.read_batch, self._answer_batch)

    async def _track(
        self,
        request: Request,
        read: Callable[[bytes, Config], Delivery],
        answer: Answering,
    ) -> Answer:
        waits = _wants_to_wait(request)
        key = auth.key_of(request)
        grant = await auth.admit(request, self._keyring, key) if key else None
        body = await self._bodies.read(request)
        if grant is None:
            grant = await auth.admit(request, self._keyring, auth.key_in_body(body))
        if len(body) > limits.LONG_BODY_BYTES:
            await self._turns.wait()
        delivery = read(body, self._config)
        seconds = self._rates.take(grant, len(delivery.entries))
        if seconds:
            raise RefusedError(Reason.RATE_LIMITED, retry_after=seconds)
        rows = self._rows(request, grant, delivery)
        receipts: Receipts = []
        if rows:
            landed = await self._writer.submit(rows)
            self._metrics.accepted(delivery.protocol, len(rows))
            if waits:
                receipts = await self._wait(grant, landed, len(rows))
        return answer(delivery, rows, receipts)

    async def _wait(self, grant: KeyGrant, landed: Landed, events: int) -> Receipts:
        """The receipts once the batch is processed, or as they are when the wait is over."""
        await self._loads.wait(grant.tenant_hk, landed.batch_id, self._config.wait_timeout_seconds)
        try:
            return await self._receipts.of_landing(grant.tenant_hk, landed, events)
        except RefusedError:
            # Committed is committed: an answer other than 200 would have the event sent again.
            return []

    def _answer_one(self, delivery: Delivery, rows: list[LandingRow], receipts: Receipts) -> Answer:
        event_id = _text(rows[0].event_id)
        if not receipts:
            return answers.landed(event_id)
        (receipt,) = receipts
        status = receipt["outcome"] or "landed"
        return answers.success({"event_id": event_id, "status": status, "receipt": receipt})

    def _answer_batch(self, delivery: Delivery, rows: list[LandingRow], receipts: Receipts) -> Answer:
        landed = iter(rows)
        known = iter(receipts)
        results: list[dict[str, Any]] = []
        refused: list[Reason] = []
        for entry in delivery.entries:
            if isinstance(entry, Reason):
                refused.append(entry)
                results.append(answers.problem(entry))
                continue
            result: dict[str, Any] = {"event_id": _text(next(landed).event_id)}
            if receipt := next(known, None):
                result["receipt"] = receipt
            results.append(result)
        # The answer's own reason is counted with the request; the others are counted here.
        for reason in refused if rows else refused[1:]:
            self._metrics.refuse(reason)
        return answers.results(results, refused)

    def _rows(self, request: Request, grant: KeyGrant, delivery: Delivery) -> list[LandingRow]:
        received = clock.now()
        moment = wire_timestamp(received)
        client = self._clients.read(request)
        late_days = self._config.late_days
        return [
            LandingRow(
                grant.tenant_hk,
                grant.api_key_hk,
                wire_identity(entry, grant.tenant_hk, received, late_days),
                moment,
                *client,
                delivery.protocol,
                entry,
            )
            for entry in delivery.entries
            if type(entry) is bytes
        ]

    # -- reading -------------------------------------------------------------------------------------------

    async def _receipt(self, request: Request) -> Answer:
        grant = await self._reading(request)
        try:
            event_id = read_event_id(request.path.removeprefix(_EVENT_PREFIX))
        except BadEventIdError:
            raise RefusedError(Reason.EVENT_ID_INVALID) from None
        receipts = await self._receipts.of_event(grant.tenant_hk, event_id)
        if not receipts:
            late_days = self._config.late_days
            gone = await self._receipts.may_be_removed(grant.tenant_hk, event_id, late_days)
            raise RefusedError(Reason.EVENT_REMOVED if gone else Reason.EVENT_NOT_FOUND)
        return answers.success({"event_id": event_id, "receipts": receipts})

    async def _status(self, request: Request) -> Answer:
        grant = await self._reading(request)
        return answers.success(await self._receipts.status(grant.tenant_hk))

    async def _reading(self, request: Request) -> KeyGrant:
        grant = await auth.admit(request, self._keyring, auth.key_of(request))
        if grant.kind is not KeyKind.SECRET:
            raise RefusedError(Reason.KEY_CANNOT_READ)
        return grant

    # -- operating -----------------------------------------------------------------------------------------

    async def _live(self, request: Request) -> Answer:
        return answers.success({"status": "live"})

    async def _ready(self, request: Request) -> Answer:
        if not self._writer.available or not self._keyring.loaded:
            raise RefusedError(Reason.STORAGE_UNAVAILABLE)
        await self._receipts.ping()
        return answers.success({"status": "ready"})

    async def _show_metrics(self, request: Request) -> Answer:
        return Answer(HTTPStatus.OK, self._metrics.render(), ((b"content-type", CONTENT_TYPE_LATEST.encode()),))

    async def _show_openapi(self, request: Request) -> Answer:
        return Answer(HTTPStatus.OK, _OPENAPI, ((b"content-type", b"application/yaml"),))


def _wants_to_wait(request: Request) -> bool:
    wait = request.parameter("wait")
    if wait not in (None, "vault"):
        raise RefusedError(Reason.PARAMETER_INVALID)
    return wait is not None


def _text(event_id: bytes) -> str:
    """A UUID's bytes in its usual form; uuid.UUID takes twice as long."""
    digits = event_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


Handler: TypeAlias = Callable[[Collector, Request], Awaitable[Answer]]

ROUTES: dict[str, dict[str, Handler]] = {
    "/api/v1/track": {"POST": Collector._track_one},
    "/api/v1/track/batch": {"POST": Collector._track_batch},
    "/api/v1/track/bulk": {"POST": Collector._track_batch},
    "/api/v1/status": {"GET": Collector._status},
    _EVENT_PREFIX: {"GET": Collector._receipt},
    "/health/live": dict.fromkeys(("GET", "HEAD"), Collector._live),
    "/health/ready": dict.fromkeys(("GET", "HEAD"), Collector._ready),
    "/metrics": dict.fromkeys(("GET", "HEAD"), Collector._show_metrics),
    "/openapi.yaml": dict.fromkeys(("GET", "HEAD"), Collector._show_openapi),
}
"""Every path, also behind /k/{key}, and its methods; openapi.yaml documents each."""


def _route_of(path: str) -> str | None:
    if path in ROUTES and path != _EVENT_PREFIX:
        return path
    rest = path.removeprefix(_EVENT_PREFIX)
    return _EVENT_PREFIX if rest and rest != path and "/" not in rest else None
