#!/bin/sh
# See that there is a Chromium for the browser tests and the screenshots; install Debian's where
# that can be done without asking.
set -eu

if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core
    exit 0
fi
echo "The browser tests need Chromium; install it (on Debian: apt-get install chromium)." >&2
exit 1
