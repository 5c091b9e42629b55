"""The data directory, and the secret key that is made in it outside production."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from gatepost.core.errors import Stopped
from gatepost.core.secrets import new_secret_key, weakness
from gatepost.settings.model import Settings
from gatepost.settings.refusals import must_run

__all__ = ["ensure_secret_key", "generated_secret_file", "make_data_dir"]

SECRET_FILE = "secret_key"  # noqa: S105  the name of a file


def ensure_secret_key(settings: Settings) -> Settings:
    """Return the settings with a secret key: outside production, one is made once and kept in the data directory.

    The file has mode 0600. Raises Stopped when the settings must not run, or the directory cannot be written.
    """
    must_run(settings)
    if settings.secret_key is not None:
        return settings
    make_data_dir(settings)
    with _usable(settings):
        key = _read_or_make(generated_secret_file(settings))
    return settings.model_copy(update={"secret_key": SecretStr(key)})


def generated_secret_file(settings: Settings) -> Path:
    """Return where a secret key that we made ourselves is kept."""
    return settings.data_dir / SECRET_FILE


def make_data_dir(settings: Settings) -> None:
    """Make the data directory if it is missing. Raises Stopped if it cannot be made or written."""
    with _usable(settings):
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(settings.data_dir, os.W_OK | os.X_OK):
            raise PermissionError(13, "not writable")


@contextmanager
def _usable(settings: Settings) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise Stopped(
            f"The data directory {settings.data_dir} cannot be used ({error.strerror}). "
            "Make it writable, or choose another: export GATEPOST_DATA_DIR=/some/where"
        ) from error


def _read_or_make(path: Path) -> str:
    # Written whole under another name, then linked: of two processes that start at once, one key wins.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.exists():
        try:
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(new_secret_key())
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
    key = path.read_text().strip()
    if weak := weakness(key):
        raise Stopped(f"The secret key in {path} {weak}. Restore the file, or set GATEPOST_SECRET_KEY.")
    return key
