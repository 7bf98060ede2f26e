#!/bin/sh
# See that there is a PostgreSQL for the tests of the store; install Debian's where that can be done
# without asking. No cluster is made and no server started: the tests start their own.
set -eu

if command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing postgresql"
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql
    exit 0
fi
echo "These tests need PostgreSQL; install it (on Debian: apt-get install postgresql)." >&2
exit 1
