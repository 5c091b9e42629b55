"""Gatepost as a Vercel Function. Copy it to `api/index.py` of the project: docs/deploy.md says what goes with it."""

import sys
from pathlib import Path

# The project's dependencies are installed by the platform, the project itself is not.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from gatepost import Settings, create_app

# Between requests nothing runs here, so deliveries and clean-up need a `gatepost worker` elsewhere.
settings = Settings(run_worker=False)
if settings.is_embedded:
    # The disk is read-only, and gone with the instance.
    raise RuntimeError("GATEPOST_DATABASE_URL must name a PostgreSQL database here.")

app = create_app(settings)
