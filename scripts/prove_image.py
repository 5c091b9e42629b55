"""Proves deploy/Dockerfile on a machine without a container engine: builds it, starts it, uses it, stops it.

    python -m scripts.prove_image          (Linux, as root: it mounts)

Each stage is an overlay over this machine, entered by chroot, in which the checkout and the homes are hidden
and this Python stands where the official image has it. The steps are those of the Dockerfile, in its order. The
result is started as its USER, as process 1, without capabilities, on a read-only root.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from scripts.dockerfile import Instruction, Stage, context_files, stages, variables

REPOSITORY = Path(__file__).resolve().parents[1]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
SEARCH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
HOST = "auth.example.com"
SECONDS = 60.0
# What must not be in the image: no way to install, nothing that only builds or tests.
UNWANTED = {"pip", "hatchling", "editables", "uv", "pytest", "setuptools"}


class Layer:
    """The root of one stage: what its steps wrote lies in `wrote`."""

    def __init__(self, home: Path, stage: Stage) -> None:
        self.root, self.wrote = home / "root", home / "wrote"
        for folder in (self.root, self.wrote, home / "work"):
            folder.mkdir(parents=True)
        mount("overlay", self.root, f"lowerdir=/,upperdir={self.wrote},workdir={home / 'work'}")
        mount("bind", self.at("/dev"), source="/dev")
        mount("bind", self.at("/usr/local"), source=sys.base_prefix)
        for hidden in {"/home", "/root", pwd.getpwuid(os.getuid()).pw_dir, str(REPOSITORY), "/run"}:
            if self.at(hidden).is_dir():
                mount("tmpfs", self.at(hidden), "mode=0755")
        mount("tmpfs", self.at("/tmp"), "mode=1777")
        # The official image has told its loader where libpython lies; here nobody has.
        self.environment = {"PATH": SEARCH, "LD_LIBRARY_PATH": "/usr/local/lib"}
        self.directory = "/"
        self.stage = stage

    def at(self, path: str) -> Path:
        """Return where a path of the image is on this machine."""
        return self.root / path.lstrip("/")

    def freeze(self, data: str, user: int) -> None:
        """Make the root read-only, but for an empty volume at `data`."""
        mount("tmpfs", self.at(data), f"mode=0700,uid={user},gid={user}")
        subprocess.run(["mount", "-o", "remount,ro", self.root], check=True)


def mount(kind: str, target: Path, options: str = "", source: str = "none") -> None:
    if kind == "bind":
        subprocess.run(["mount", "--bind", source, target], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", target], check=True)
        return
    subprocess.run(["mount", "-t", kind, source, target, *(["-o", options] if options else [])], check=True)


def build(home: Path) -> Layer:
    """Run every stage and return the last, as the image would be."""
    layers: dict[str, Layer] = {}
    layer: Layer | None = None
    for number, stage in enumerate(stages(DOCKERFILE.read_text(encoding="utf-8"))):
        layer = layers[stage.name] = Layer(home / str(number), stage)
        for instruction in stage.instructions:
            if step := STEPS.get(instruction.name):
                said(f"{stage.name or 'image'}: {instruction.name} {instruction.text[:90]}")
                step(layer, instruction, layers)
    assert layer is not None
    return layer


def _run(layer: Layer, instruction: Instruction, _: dict[str, Layer]) -> None:
    # How a registry is reached is this machine's business; nothing of it may reach the image.
    reaches = ("PIP_", "SSL_", "REQUESTS_", "HTTP_", "HTTPS_", "NO_PROXY")
    own = {name: value for name, value in os.environ.items() if name.upper().startswith(reaches)}
    enter = ["chroot", str(layer.root), "env", "--chdir", layer.directory]
    subprocess.run([*enter, *instruction.command()], env=own | layer.environment, check=True)


def _copy(layer: Layer, instruction: Instruction, layers: dict[str, Layer]) -> None:
    *sources, target = instruction.text.split()
    into = layer.at(str(Path(layer.directory) / target))
    if "from" in instruction.flags:
        origin = layers[instruction.flags["from"]]
        for source in sources:
            shutil.copytree(origin.at(source), into, symlinks=True, dirs_exist_ok=True)
        return
    for path in context_files(REPOSITORY):
        for source in map(Path, sources):
            if path.is_relative_to(source):
                # A folder's contents are copied, a file by its name.
                place = into / (path.name if path == source else path.relative_to(source))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / path, place)


def _environment(layer: Layer, instruction: Instruction, _: dict[str, Layer]) -> None:
    layer.environment |= variables(instruction, layer.environment)


def _directory(layer: Layer, instruction: Instruction, _: dict[str, Layer]) -> None:
    layer.directory = str(Path(layer.directory) / instruction.text)
    layer.at(layer.directory).mkdir(parents=True, exist_ok=True)


STEPS: dict[str, Callable[[Layer, Instruction, dict[str, Layer]], None]] = {
    "RUN": _run,
    "COPY": _copy,
    "ENV": _environment,
    "WORKDIR": _directory,
}


class Image:
    """The built image, to run commands in as its user."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._stage = layer.stage
        self.user = int(self._stage.last("USER").text.partition(":")[0])
        self.port = free_port()
        self.environment = layer.environment | {
            "PORT": str(self.port),
            "GATEPOST_HOST": "127.0.0.1",
            "GATEPOST_PUBLIC_URL": f"https://{HOST}",
            "GATEPOST_SECRET_KEY": os.urandom(32).hex(),
        }

    def start(self, command: list[str], stderr: int | None = None) -> subprocess.Popen[bytes]:
        """Start a command as a container engine would: process 1, the image's user, no capability."""
        drop = [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--no-new-privs"]
        inside = [
            f"--mount-proc={self._layer.at('/proc')}",
            "chroot",
            str(self._layer.root),
            "/usr/bin/setpriv",
        ]
        return subprocess.Popen(
            [
                "unshare",
                "--pid",
                "--fork",
                *inside,
                *drop,
                "--bounding-set=-all",
                "--",
                *command,
            ],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )

    def entrypoint(self, *arguments: str) -> list[str]:
        """Return the words that the image runs, with other arguments than its own if there are any."""
        default = self._stage.last("CMD").command()
        return self._stage.last("ENTRYPOINT").command() + (list(arguments) or default)

    def healthcheck(self) -> list[str]:
        """Return the command that tells whether a container is healthy."""
        instruction = self._stage.last("HEALTHCHECK")
        return Instruction("CMD", {}, instruction.text.removeprefix("CMD ")).command()

    def run(self, *command: str) -> int:
        """Run a command to its end and return its exit code."""
        return self.start(list(command)).wait(SECONDS)

    def fails(self, *command: str) -> bool:
        """Tell whether a command fails, whatever it says about it."""
        return self.start(list(command), subprocess.DEVNULL).wait(SECONDS) != 0

    @contextmanager
    def serving(self) -> Generator[subprocess.Popen[bytes]]:
        """Run the image meanwhile; it is killed if nobody stopped it."""
        process = self.start(self.entrypoint())
        try:
            yield process
        finally:
            if process.poll() is None:
                # Its death is not told to a child that has changed its user; that of process 1 ends all in it.
                os.kill(first_process(process.pid), signal.SIGKILL)
                process.wait(SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def said(line: str) -> None:
    print(line, flush=True)


def must(what: str, holds: bool) -> None:  # noqa: FBT001
    """Say what was proven. Raises SystemExit if it was not."""
    said(f"{'proven' if holds else 'FAILED'}: {what}")
    if not holds:
        raise SystemExit(1)


def inspect(layer: Layer) -> None:
    """Look at what the image holds."""
    packages = layer.at("/opt/gatepost/lib")
    installed = {path.name.partition("-")[0].lower() for path in packages.rglob("*.dist-info")}
    must(
        "gatepost is installed, with the drivers of PostgreSQL and Redis",
        {"gatepost", "asyncpg", "redis"} <= installed,
    )
    must("nothing that installs, builds or tests is in it", not installed & UNWANTED)
    wrote = {str(path.relative_to(layer.wrote)) for path in layer.wrote.rglob("*") if path.is_file()}
    must(
        "V13.4.1 the image adds /opt/gatepost and nothing else",
        all(path.startswith("opt/gatepost/") for path in wrote),
    )
    parts = {part for path in wrote for part in Path(path).parts}
    must("V13.4.1 no .git, .env or tests of ours are in it", not parts & {".git", ".env", "conftest.py"})
    size = sum((layer.wrote / path).lstat().st_size for path in wrote) / 1_000_000
    said(f"figure: {size:.0f} MB on top of {layer.stage.image}, {len(installed)} packages")


def use(image: Image) -> None:
    """Start it, sign somebody up, and stop it."""
    write = "import sys; open(sys.argv[1], 'w')"
    for path in ("/opt/gatepost/planted", "/usr/planted", "/planted"):
        must(f"its user cannot write {path}", image.fails("python", "-c", write, path))
    must(
        "gatepost db upgrade runs as another command of it",
        image.run(*image.entrypoint("db", "upgrade")) == 0,
    )
    must("it is not healthy before it runs", image.fails(*image.healthcheck()))
    with (
        image.serving() as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{image.port}", headers={"Host": HOST}) as client,
    ):
        until(lambda: client.get("/health").status_code == 200, process)
        must("it answers /health", True)
        must("HEALTHCHECK says healthy", image.run(*image.healthcheck()) == 0)
        first = first_process(process.pid)
        status = Path(f"/proc/{first}/status").read_text(encoding="utf-8")
        must(f"it runs as user {image.user}", f"Uid:\t{image.user}\t{image.user}" in status)
        must("it is process 1", status.split("NSpid:")[1].split("\n")[0].split()[-1] == "1")
        must(
            "it has no capability",
            "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status,
        )
        sign_up(client)
        began = time.monotonic()
        os.kill(first, signal.SIGTERM)
        must("it ends with 0 on SIGTERM", process.wait(SECONDS) == 0)
        said(f"figure: stopped in {time.monotonic() - began:.1f} s")


def sign_up(client: httpx2.Client) -> None:
    person = {"email": "ada@example.com", "password": "tangerine-lighthouse-42"}
    must("somebody signs up", client.post("/users/", json=person).status_code == 200)
    form = {"username": person["email"], "password": person["password"]}
    answer = client.post("/users/token", data=form)
    must("and signs in", answer.status_code == 200)
    token = answer.json()["access_token"]
    me = client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    must("and is known by the token", me.status_code == 200 and me.json()["email"] == person["email"])


def until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something holds. Raises SystemExit if the process ends first, or too much time goes by."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if holds():
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit("FAILED: the image did not start")


def first_process(parent: int) -> int:
    """Return process 1 of the image: the only child of `unshare`."""
    return int(Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()[0])


@contextmanager
def workplace() -> Generator[Path]:
    """Yield a folder in memory, in a mount namespace of our own: whatever is mounted in it ends with us."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SystemExit("It mounts: run it on Linux, as root.")
    home = Path(tempfile.mkdtemp(prefix="gatepost-image-"))
    try:
        os.unshare(os.CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        mount("tmpfs", home, "mode=0755")
        yield home
    finally:
        subprocess.run(["umount", "--lazy", home], check=False, stderr=subprocess.DEVNULL)
        home.rmdir()


def main() -> None:
    """Prove it, or exit with 1."""
    with workplace() as home:
        layer = build(home)
        inspect(layer)
        image = Image(layer)
        layer.freeze(image.environment["GATEPOST_DATA_DIR"], image.user)
        use(image)
    said("The image is proven.")


if __name__ == "__main__":
    main()
