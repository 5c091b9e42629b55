"""A virtual environment for each peer, from pins with hashes."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from bench.plan import ROOT, WORKSHOP


def python(peer: str) -> Path:
    """Return the interpreter of a peer's environment; make the environment first if its pins changed."""
    pins, folder = ROOT / "requirements" / f"bench-{peer}.txt", WORKSHOP / peer
    stamp = folder / "pins"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    interpreter = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {peer} into an environment of its own …", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "--no-input", "-qq"]
        subprocess.run([*pip, "install", "--require-hashes", "--no-deps", "-r", str(pins)], check=True)
        stamp.write_text(wanted)
    return interpreter


def versions(interpreter: Path, *names: str) -> dict[str, str]:
    """Return the installed versions of packages in an environment."""
    script = "import sys, importlib.metadata as m; print(*[m.version(n) for n in sys.argv[1:]])"
    told = subprocess.check_output([str(interpreter), "-c", script, *names], text=True)
    return dict(zip(names, told.split(), strict=True))
