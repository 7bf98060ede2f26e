#!/bin/sh
# See that there is wrk for the benchmarks; install Debian's where that can be done without asking.
set -eu

if command -v wrk >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing wrk"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends wrk
    exit 0
fi
echo "The benchmarks need wrk; install it (on Debian: apt-get install wrk)." >&2
exit 1
