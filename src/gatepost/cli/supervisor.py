"""The parent of the processes that answer: starts them, replaces those that die, alone decides when all end."""

import functools
import multiprocessing
import multiprocessing.connection
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from gatepost.cli.context import warn
from gatepost.core.errors import Stopped
from gatepost.settings import Settings

__all__ = ["Place", "Supervisor"]

FINISH_SECONDS = 30.0
BACKLOG = 1024
# For the head of a request, and for the next one on a kept connection: longer than proxies keep theirs (most 60 s),
# so that it is never we who close one just as a request sets out on it.
HEAD_SECONDS = 75.0
MOST_CONNECTIONS = 4096  # of one worker; each costs up to 75 KiB while its head arrives
MOST_BUFFERED = 65_536  # bytes of a head; what passes is measured again by the application
_OTHER_FILES = 128  # databases, the log, what libraries open
_ECHO_SECONDS = 0.1
_MOST_FAILED_STARTS = 3
_PATIENCE_SECONDS = 30.0
_PAUSE_AFTER_FAILED_START = 0.5
_STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)

_holder: Any = SocketHolder

type Loader = Callable[..., Any]


@dataclass(frozen=True)
class Place:
    """What a worker gets of its parent: the socket it accepts from, those it must let go, a way to tell it serves."""

    own: socket.socket | None
    others: tuple[socket.socket, ...]
    parent: Connection


class Supervisor(MPServer):
    """Granian's server, but for the care of its workers.

    Workers ignore what a terminal sends to the whole group; they end when this process tells them to, or when it
    is gone. A worker that dies meanwhile is replaced, whatever it died of. Its listening socket outlives it: the
    connections that wait there are the successor's.
    """

    def __init__(self, settings: Settings, serving: Callable[[], None], ended: Callable[[int], None]) -> None:
        """Prepare. `serving` is called when the first worker serves, `ended` with the id of each that died."""
        super().__init__(
            "gatepost",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop if sys.platform != "win32" else Loops.auto,
            workers=settings.workers,
            backlog=BACKLOG,
            # Of connections, not of requests: by default so few that slow clients would lock out all others.
            backpressure=_room_for_connections(),
            # Guessing the protocol waits for ever for a client that says nothing, and HTTP/2 is the proxy's affair.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(HEAD_SECONDS * 1000), max_buffer_size=MOST_BUFFERED
            ),
            websockets=False,
            log_access=False,
            log_level=LogLevels.warning,
        )
        self._on_serving = serving
        self._on_ended = ended
        self._longest_stop = settings.effective_drain_seconds + FINISH_SECONDS
        self._inbox, self._outbox = multiprocessing.Pipe(duplex=False)
        self._sockets: list[socket.socket] = []
        self._told_at: float | None = None
        self._exit_code = 0
        self._serving: set[int] = set()
        self._failed_starts = 0
        self._last_served: float | None = None

    # ── the word to stop ─────────────────────────────────────────────────────────────────────────

    def signal_handler_interrupt(self, number: int, *_: Any) -> None:
        """Begin to stop; the second time, end the workers at once and exit with 128 + signal."""
        now = time.monotonic()
        if self._told_at is None:
            self._told_at = now
            self._outbox.send_bytes(b"")  # wakes the loop
        elif now - self._told_at > _ECHO_SECONDS:  # some wrappers pass one signal on twice
            self._kill()
            raise SystemExit(128 + number)

    signal_handler_reload = signal_handler_interrupt

    @property
    def _is_told(self) -> bool:
        return self._told_at is not None

    def _kill(self) -> list[Any]:
        late = [worker for worker in self.wrks if worker.inner.is_alive()]
        for worker in late:
            worker.inner.kill()
        for worker in late:
            worker.inner.join()
        return late

    # ── the sockets ──────────────────────────────────────────────────────────────────────────────

    def _init_shared_socket(self) -> None:
        if sys.platform != "linux":
            super()._init_shared_socket()
            return
        self._sso = None
        self._sockets = [_listening(self.bind_addr, self.bind_port) for _ in range(self.workers)]

    def _drop_shared_socket(self) -> None:
        # Before the workers are told: each then holds the last handle of its socket, so that nobody connects to
        # one that is no longer accepted from.
        super()._drop_shared_socket()
        for each in self._sockets:
            each.close()

    # ── the workers ──────────────────────────────────────────────────────────────────────────────

    def _spawn_workers(self, spawn_target: Any, target_loader: Loader) -> None:
        self.wrks += [self._start(index, spawn_target, target_loader) for index in range(self.workers)]

    def _start(self, index: int, spawn_target: Any, target_loader: Loader) -> Any:
        own = self._sockets[index] if self._sockets else None
        if own is not None:
            self._shd = _holder(own.fileno(), False, BACKLOG)  # not a Unix socket
        place = Place(own, tuple(each for each in self._sockets if each is not own), self._outbox)
        worker = self._spawn_worker(index, spawn_target, functools.partial(target_loader, place))
        with _signals_held():
            worker.inner.start()
        return worker

    def _serve_loop(self, spawn_target: Any, target_loader: Loader) -> None:
        while not self._is_told and not self._exit_code:
            ends = [worker.inner.sentinel for worker in self.wrks]
            multiprocessing.connection.wait([self._inbox, *ends])
            self._hear()
            for index, worker in enumerate(self.wrks):
                if not worker.inner.is_alive() and self._may_follow(worker.inner):
                    self.wrks[index] = self._start(index, spawn_target, target_loader)

    def _hear(self) -> None:
        while self._inbox.poll():
            if pid := self._inbox.recv_bytes():
                self._serving.add(int(pid))
                self._failed_starts = 0
                if self._last_served is None:
                    self._on_serving()
                self._last_served = time.monotonic()

    def _may_follow(self, ended: Any) -> bool:
        """Tell whether another shall take the place of this one. Not if none that is started comes to serve."""
        if self._is_told:
            return False
        self._on_ended(ended.pid)
        if ended.pid in self._serving:
            self._serving.discard(ended.pid)
            self._last_served = time.monotonic()
            warn(f"A worker {_how(ended.exitcode)}. Another takes its place.")
            return True
        self._failed_starts += 1
        warn(f"A worker {_how(ended.exitcode)} while it was starting.")
        patience = _PATIENCE_SECONDS if self._last_served is not None else 0
        waited = time.monotonic() - (self._last_served or 0)
        if self._failed_starts >= _MOST_FAILED_STARTS and not self._serving and waited > patience:
            warn("No worker comes to serve. See above what each of them ended with.")
            self._exit_code = 1
            return False
        time.sleep(_PAUSE_AFTER_FAILED_START)
        return True

    def _stop_workers(self) -> None:
        for worker in self.wrks:
            worker.inner.terminate()
        deadline = time.monotonic() + self._longest_stop
        for worker in self.wrks:
            worker.inner.join(max(0.0, deadline - time.monotonic()))
        if late := self._kill():
            warn(f"{len(late)} of {len(self.wrks)} workers had not finished in time, and were ended.")
            self._exit_code = 1
        self.wrks.clear()

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers. Raises SystemExit unless all finished what they had begun."""
        super().shutdown(exit_code)
        if self._exit_code:
            raise SystemExit(self._exit_code)


def _room_for_connections() -> int:
    """Return how many connections a worker may hold, with files left for everything else."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    # Granian has raised it as far as it may be raised, when it was imported.
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if most < 0 else max(1, min(MOST_CONNECTIONS, most - _OTHER_FILES))


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket of a group that shares the port: the kernel deals out connections evenly. Raises Stopped."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        raise Stopped(f"Cannot listen on {host}:{port} ({error.strerror}).") from error
    return made


@contextmanager
def _signals_held() -> Generator[None]:
    """Keep back signals meanwhile: a child must not take one with the handlers of its parent."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"
