"""The webhook: told of every step in order, signed; whatever it does, the release goes on."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sitevault.errors import ConfigurationError
from sitevault.release import notify
from sitevault.release.environments import Environment
from sitevault.release.events import Teller
from sitevault.release.notify import Delivered, Webhook, signature

SECRET = "not a secret"


@dataclass
class Receiver:
    """A real server on loopback; answers as it is told to, 200 when nothing is left to say."""

    answers: list[int] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def messages(self) -> list[str]:
        return [json.loads(body)["message"] for _, _, body in self.posts]


@contextmanager
def receiving(*answers: int, held: bool = False) -> Iterator[Receiver]:
    found = Receiver(list(answers))
    if not held:
        found.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.hold.wait(20)
            found.posts.append((self.path, dict(self.headers), body))
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}/hook?room=1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        found.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def tell(webhook: Webhook, *messages: str) -> None:
    teller = Teller(webhook, "production", "a" * 64)
    for message in messages:
        teller("deploy", message, objects=3)


def test_every_event_arrives_in_its_order_as_json() -> None:
    with receiving() as receiver:
        webhook = Webhook(receiver.url).start()
        tell(webhook, "one", "two", "three")
        assert webhook.close() == Delivered(3, 3)
    assert receiver.messages == ["one", "two", "three"]
    path, headers, body = receiver.posts[0]
    assert (path, headers["Content-Type"]) == ("/hook?room=1", "application/json")
    assert json.loads(body) | {"at": ""} == {
        "at": "", "environment": "production", "step": "deploy", "message": "one", "release_id": "a" * 64,
        "details": {"objects": 3},
    }  # fmt: skip
    assert notify.SIGNATURE not in headers


def test_with_a_secret_each_body_is_signed() -> None:
    with receiving() as receiver:
        webhook = Webhook(receiver.url, SECRET).start()
        tell(webhook, "one")
        webhook.close()
    ((_, headers, body),) = receiver.posts
    assert headers[notify.SIGNATURE] == "sha256=" + signature(SECRET.encode(), body)
    assert signature(b"another", body) != signature(SECRET.encode(), body)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(status: int) -> None:
    with receiving(status) as receiver:
        webhook = Webhook(receiver.url, pauses=(0.01,)).start()
        tell(webhook, "one", "two")
        assert webhook.close() == Delivered(2, 2)
    assert receiver.messages == ["one", "one", "two"]


@pytest.mark.parametrize("status", [302, 400, 404])
def test_what_is_refused_is_counted_and_not_sent_again(status: int) -> None:
    with receiving(status) as receiver:
        webhook = Webhook(receiver.url, pauses=(0.01,)).start()
        tell(webhook, "one", "two")
        done = webhook.close()
    assert receiver.messages == ["one", "two"]
    assert (done.missed, done.why) == (1, f"it answered {status}")


def test_nobody_there_is_counted_and_costs_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    webhook = Webhook(f"http://127.0.0.1:{port}/", pauses=(0.01,)).start()
    tell(webhook, "one", "two")
    done = webhook.close()
    assert (done.missed, done.why) == (2, "ConnectionRefusedError")


def test_a_server_that_never_answers_holds_up_nothing_and_what_waits_is_bounded() -> None:
    with receiving(held=True) as receiver:
        webhook = Webhook(receiver.url, most_waiting=5).start()
        tell(webhook, *map(str, range(50)))
        done = webhook.close(patience=0.05)
    assert done.told == 50
    assert done.arrived == 0
    assert done.why == "5 were waiting already"
    assert len(receiver.posts) <= 1


def test_a_server_that_hangs_up_in_between_is_called_again() -> None:
    with receiving() as receiver:
        webhook = Webhook(receiver.url, pauses=(0.01,)).start()
        tell(webhook, "one")
        while not receiver.posts:
            threading.Event().wait(0.01)
        webhook._connection.sock.shutdown(socket.SHUT_RDWR)
        tell(webhook, "two")
        assert webhook.close() == Delivered(2, 2)
    assert receiver.messages == ["one", "two"]


def test_an_environment_names_its_webhook_by_variable_and_its_url_is_never_shown() -> None:
    said: list[str] = []
    settings = Environment(home=None, webhook_from="HOOK", webhook_secret_from="HOOK_SECRET")
    with receiving(404) as receiver:
        environ = {"HOOK": receiver.url, "HOOK_SECRET": SECRET}
        with notify.told(settings, said.append, environ) as listener:
            Teller(listener, "production")("deploy", "one")
    assert said == ["1 of 1 events did not reach the webhook at 127.0.0.1: it answered 404."]
    assert receiver.posts[0][1][notify.SIGNATURE]


@pytest.mark.parametrize("environ", [{}, {"HOOK": "nonsense"}, {"HOOK": "ftp://example.com/token"}])
def test_a_webhook_that_is_not_configured_right_is_said_and_the_release_goes_on(environ: dict[str, str]) -> None:
    said: list[str] = []
    with notify.told(Environment(webhook_from="HOOK"), said.append, environ) as listener:
        Teller(listener, "production")("deploy", "one")
    assert len(said) == 1
    assert said[0].startswith("No webhook is told of this: ")
    assert "token" not in said[0]


def test_an_environment_without_a_webhook_tells_nobody_and_says_nothing() -> None:
    said: list[str] = []
    with notify.told(Environment(), said.append, {}) as listener:
        Teller(listener, "production")("deploy", "one")
    assert said == []


def test_a_url_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Webhook("postgresql://user:password@example.com")
    assert "password" not in refused.value.message
