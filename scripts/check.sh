#!/bin/sh
# Everything that can be judged without running the service. Goes on after a failure, and says which failed.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

step() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name,"
}

migrations() {
    data=$(mktemp -d) || return 1
    GATEPOST_ENVIRONMENT=test GATEPOST_DATA_DIR=$data "$bin/python" -m gatepost db check --models
    status=$?
    rm -rf "$data"
    return $status
}

step format "$bin/ruff" format --check --quiet .
step lint "$bin/ruff" check --quiet --output-format concise .
step types "$bin/ty" check --output-format concise
step imports "$bin/lint-imports" --no-logo
step dependencies "$bin/deptry" src
step migrations migrations
step rules "$bin/python" -m pytest -q --noconftest tests/test_architecture.py tests/test_house_rules.py

if [ -n "$failed" ]; then
    echo "FAILED:${failed%,}"
    exit 1
fi
echo "All checks passed."
