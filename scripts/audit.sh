#!/bin/sh
# Asks the vulnerability database about every pinned package.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh audit
for pins in requirements/run.txt requirements/dev.txt; do
    .venv/bin/pip-audit --require-hashes --disable-pip -r "$pins"
done
