#!/bin/sh
# Renews every file of pins. They hold names, versions and hashes, never an address.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install.sh lock

compile() {
    output=$1
    shift
    echo "Locking $output"
    .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --upgrade --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o "$output" "$@"
}

service="pyproject.toml requirements/build.in --extra postgres --extra redis"
# shellcheck disable=SC2086
compile requirements/run.txt $service
# shellcheck disable=SC2086
compile requirements/dev.txt $service --group dev -c requirements/run.txt
compile requirements/docs.txt --group docs -c requirements/dev.txt
for input in requirements/*.in; do
    if [ "$input" != requirements/build.in ]; then compile "${input%.in}.txt" "$input"; fi
done

if grep -n '://' requirements/*.txt; then
    echo "gatepost: an address found its way into the pins" >&2
    exit 1
fi
