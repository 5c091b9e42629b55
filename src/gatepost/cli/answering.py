"""A process that answers: how it begins, says that it serves, and ends without losing a request."""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from granian import _signals
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.cli.supervisor import Place
from gatepost.gatepost import Gatepost
from gatepost.settings import Settings

__all__ = ["load"]

# How long connections that are being made get to arrive, once no new one is let in.
_ARRIVING_SECONDS = 0.1


def load(settings: Settings, place: Place) -> ASGIApp:
    """Return the application, in a worker process that was just begun."""
    gc.disable()  # until it serves
    for each in place.others:
        each.close()
    gatepost = Gatepost(settings)
    leaving = Leaving(gatepost, place)
    # Granian's own handler waits for itself for ever when it runs twice; and knows no draining.
    signals: Any = _signals
    signals.set_loop_signals = leaving.on
    _listen_to_the_parent_alone()
    return leaving


def _listen_to_the_parent_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Held back by the parent until its own handlers are gone from here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Leaving:
    """The application, which tells the parent when it serves, and asks clients to leave once it is told to stop."""

    def __init__(self, gatepost: Gatepost, place: Place) -> None:
        self._gatepost = gatepost
        self._app = gatepost.app
        self._place = place
        self._serving = False
        self._loop: asyncio.AbstractEventLoop
        self._stop: Any

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self._app(scope, receive, self._announcing(send))
        if self._gatepost.draining and scope["http_version"].startswith("1"):
            return self._app(scope, receive, _closing(send))
        return self._app(scope, receive, send)

    def _announcing(self, send: Send) -> Send:
        async def send_on(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._serving = True
                # A full collection holds up every request, for the longer the more there is to look through; what
                # is there now is no garbage.
                gc.freeze()
                gc.enable()
                self._place.parent.send_bytes(str(os.getpid()).encode())

        return send_on

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def on(self, loop: asyncio.AbstractEventLoop) -> Any:
        """Take the place of Granian's `set_loop_signals`: return the event that ends its server."""
        self._loop = loop
        signals: Any = _signals
        self._stop = signals.WorkerSignal()
        if sys.platform == "win32":
            signal.signal(signal.SIGTERM, lambda *_: self._drain())
        else:
            loop.add_signal_handler(signal.SIGTERM, self._drain)
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        return self._stop

    def _drain(self) -> None:
        if self._gatepost.draining:
            return
        if not self._serving:
            os._exit(0)  # nobody was let in yet, and Granian would not notice
        self._gatepost.draining = True
        self._loop.call_later(self._gatepost.settings.effective_drain_seconds, self._refuse_newcomers)

    def _refuse_newcomers(self) -> None:
        # Closing the socket would reset those who were let in and not yet greeted.
        if self._place.own is None:
            self._stop.set()
            return
        with suppress(OSError):  # a kernel that does not let us: then a few who just arrive are reset
            drop_connection_attempts(self._place.own)
        self._loop.call_later(_ARRIVING_SECONDS, self._stop.set)

    def _end_with_the_parent(self) -> None:
        # A parent that is killed cannot end its workers; they would go on and keep the port.
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            if not self._serving:
                os._exit(1)
            self._gatepost.draining = True
            self._loop.call_soon_threadsafe(self._stop.set)


def _closing(send: Send) -> Send:
    """Return a `send` that asks the client, or the proxy, not to use the connection again (RFC 9112, section 9.6)."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [item for item in message["headers"] if item[0] != b"connection"]
            message = {**message, "headers": [*headers, (b"connection", b"close")]}
        await send(message)

    return send_on


_SO_ATTACH_FILTER = 26
# A packet filter (BPF) for the TCP header: drop what has the SYN flag, let pass all else.
_NO_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of flags
        (0x45, 0, 1, 0x02),  # SYN set? go on, else skip one
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # pass
    )
)


def drop_connection_attempts(listening: socket.socket) -> None:
    """Let nobody begin to connect any more; who has begun still gets through. Linux only.

    The kernel of who was dropped tries again by itself, and finds another process or a closed port.
    """
    program = ctypes.create_string_buffer(_NO_SYN)
    pointer = struct.pack("HP", len(_NO_SYN) // 8, ctypes.addressof(program))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
