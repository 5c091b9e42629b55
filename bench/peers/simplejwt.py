"""Django REST framework with djangorestframework-simplejwt as a subject, for its rotation: as documented, and tuned."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.databases import PostgresStore, SqliteStore, Store
from bench.peers import environment
from bench.plan import PASSWORD
from bench.postgres import OWNER
from bench.servers import HOST, clean_environment
from bench.site import Site
from bench.subjects import TEMPLATE_EMAIL, Api, Seeded, Subject

NAME = "simplejwt"
_DATABASE = "peer_simplejwt"
_EXAMPLE = Path(__file__).parent / "example"
_API = Api(
    health="/health",
    register=None,
    token="/api/token/",
    me="/users/me",
    refresh="/api/token/refresh/",
    access_field="access",
    refresh_field="refresh",
    refused=401,
)
# People sign in with their user name there, so it is the address.
_TABLES = (Seeded("auth_user", owner="id", addresses=("username", "email")),)
_CREATE = "from django.contrib.auth.models import User; User.objects.create_user({0!r}, {0!r}, {1!r})"


def on_postgresql(site: Site, *, tuned: bool) -> Subject:
    """As documented; tuned keeps its connection from one request to the next."""
    store = PostgresStore(site.postgres.address(_DATABASE))
    variables = {"PEER_POSTGRESQL": f"{HOST} {site.postgres.port} {OWNER} {_DATABASE}"}
    return _subject("postgresql", variables, store, site.directory("peer-simplejwt-pg"), tuned=tuned)


def on_sqlite(site: Site, *, tuned: bool) -> Subject:
    """As documented, on a file; tuned as above, with a write-ahead log."""
    # The journal's kind stays in the file: tuned and not tuned cannot share one.
    directory = site.directory("peer-simplejwt-sqlite-tuned" if tuned else "peer-simplejwt-sqlite")
    path = directory / "peer.db"
    return _subject("sqlite", {"PEER_SQLITE": str(path)}, SqliteStore(path), directory, tuned=tuned)


def _subject(
    database: str, where: Mapping[str, str], store: Store, directory: Path, *, tuned: bool
) -> Subject:
    python = str(environment.python(NAME))
    variables = {
        **where,
        "PEER_SECRET": "not-a-secret-of-the-bench-but-long-enough",
        "PEER_TUNED": "yes" if tuned else "",
        "DJANGO_SETTINGS_MODULE": "simplejwt_project.settings",
        "PYTHONPATH": str(_EXAMPLE),
    }
    server = [
        python,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--factory",
        "django.core.wsgi:get_wsgi_application",
    ]
    server += ["--host", HOST, "--port", "{port}", "--workers", "1", "--blocking-threads", "1"]
    key = f"peer-{NAME}-{database}"
    return Subject(
        key=f"{key}-tuned" if tuned else key,
        name="simplejwt, tuned" if tuned else "simplejwt",
        database=database,
        directory=directory,
        command=tuple(server),
        environment=variables,
        api=_API,
        store=store,
        tables=_TABLES,
        prepare=_preparation(python, variables, directory),
    )


def _preparation(python: str, variables: Mapping[str, str], directory: Path) -> Callable[[], None]:
    def prepare() -> None:
        for arguments in (["migrate"], ["shell", "-c", _CREATE.format(TEMPLATE_EMAIL, PASSWORD)]):
            command = [python, "-m", "django", *arguments]
            environment_ = clean_environment(variables)
            done = subprocess.run(
                command, cwd=directory, env=environment_, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"django {arguments[0]} failed:\n{done.stderr[-2000:]}")

    return prepare
