#!/bin/sh
# Make .venv: the locked packages, checked against their hashes, and the checkout itself.
# Does nothing when neither the lock nor pyproject.toml changed since the last time.
#
#   PYTHON=python3.12 sh tools/setup.sh
#   sh tools/setup.sh spark                the packages of requirements-spark.lock as well
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

# What was installed the last time from these files.
installed() {
    [ -x .venv/bin/python ] && [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$2" ]
}

# install NAME LOCK: the packages of a lock, every file checked against its hash.
install() {
    set -- "$1" --quiet --disable-pip-version-check --require-hashes --requirement "$2"
    name=$1
    shift
    echo "Installing the locked packages ($name)"
    if [ -n "${WHEELS:-}" ]; then
        .venv/bin/python -m pip download "$@" --dest "$WHEELS"
        set -- "$@" --no-index --find-links "$WHEELS"
    fi
    .venv/bin/python -m pip install "$@"
}

now=$(cat requirements-dev.lock pyproject.toml | cksum)
if ! installed development "$now"; then
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        python=$(find_python)
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            refuse "This Python has no venv module; install it (on Debian and Ubuntu: the package python3-venv)."
        echo "Making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    install development requirements-dev.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation --editable .
    echo "$now" >.venv/.installed-development
fi

if [ "${1:-}" = spark ]; then
    now=$(cksum <requirements-spark.lock)
    if ! installed spark "$now"; then
        install spark requirements-spark.lock
        echo "$now" >.venv/.installed-spark
    fi
fi
