#!/bin/sh
# Make .venv: the locked packages, checked against their hashes, and the checkout itself.
# Does nothing when neither the lock nor pyproject.toml changed since the last time.
#
#   PYTHON=python3.12 sh tools/setup.sh
#   WHEELS=a/folder sh tools/setup.sh      keep what is downloaded there, and install from there
set -eu
cd "$(dirname "$0")/.."

refuse() {
    echo "$1" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    refuse "trial-cds needs Python 3.11 or newer and found none; install it, or name one with 'make PYTHON=/its/path'."
}

stamp=.venv/.installed
now=$(cat requirements-dev.lock pyproject.toml | cksum)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi

if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        refuse "This Python has no venv module; install it (on Debian and Ubuntu: the package python3-venv)."
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi

echo "Installing the locked packages"
set -- --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
if [ -n "${WHEELS:-}" ]; then
    .venv/bin/python -m pip download "$@" --dest "$WHEELS"
    set -- "$@" --no-index --find-links "$WHEELS"
fi
.venv/bin/python -m pip install "$@"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation --editable .
echo "$now" >"$stamp"
