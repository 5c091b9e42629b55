#!/bin/sh
# install.sh run|dev|docs|lock|audit: makes .venv if need be and installs that set of pins into it.
set -eu
cd "$(dirname "$0")/.."
set_name=$1

new_enough() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

if ! new_enough .venv/bin/python; then
    python=
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python; do
        if new_enough "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "gatepost: no Python of at least 3.12 (with venv) found; install one, or name it: PYTHON=/path/to/python3 make ..." >&2
        exit 1
    fi
    echo "Making .venv with $("$python" -V)"
    rm -rf .venv
    "$python" -m venv .venv
fi

pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input -qq "$@"
}

pins=requirements/$set_name.txt
echo "Installing $(grep -c '==' "$pins") pinned packages from $pins"
pip install --require-hashes --no-deps -r "$pins"
case $set_name in
run | dev)
    pip install --no-deps --no-build-isolation --editable .
    # dev holds everything that run holds, at the same pins
    if [ "$set_name" = dev ]; then touch .venv/bin/.run; fi
    ;;
esac
touch ".venv/bin/.$set_name"
