#!/bin/sh
# Writes the reference from the code, then builds the documentation into site/; any warning, dead link or
# dead anchor fails it.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python scripts/reference.py
.venv/bin/zensical build --clean --strict
