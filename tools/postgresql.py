"""A PostgreSQL server of one's own, until it is told to stop: nothing of it stays.

It listens on a socket in a temporary folder and on no port. Where this runs as root, the server
runs as the user `postgres`, or `nobody`, because PostgreSQL refuses to be root. The first line on
standard output is the SQLAlchemy URL of its database.

    python tools/postgresql.py
    python tools/postgresql.py --fast     # does not wait for the disk, for tests
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_USERS = ("postgres", "nobody")  # Debian's package makes the first one
_SECONDS = 60.0


def programs() -> Path:
    """Where initdb and postgres are; Debian keeps them out of the path."""
    found = [Path(one).parent for one in (shutil.which("initdb"),) if one]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    message = "There is no PostgreSQL; sh tools/postgresql.sh installs it."
    raise SystemExit(message)


def unprivileged(folder: Path) -> dict[str, Any]:
    """How a program is started so that it is not root; the folder then belongs to that user."""
    if os.geteuid() != 0:
        return {}
    known = {one.pw_name: one for one in pwd.getpwall()}
    user = next(known[name] for name in _USERS if name in known)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def main() -> None:
    """Start the server, say where it is, and end it when told to."""
    stop = signal.SIGTERM, signal.SIGINT
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # inherited below, and unblocked there
    with tempfile.TemporaryDirectory(prefix="trial-cds-pg-") as name:
        folder = Path(name)
        rights, bin_ = unprivileged(folder), programs()

        def start(*command: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                **rights,
                cwd=folder,
                stdout=sys.stderr.fileno(),
                restore_signals=True,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": name},
            )

        data = str(folder / "data")
        options = ("--auth=trust", "--encoding=UTF8", "--no-sync", "--username=cds")
        made = start(str(bin_ / "initdb"), "--pgdata", data, *options)
        if made.wait() != 0:
            message = "initdb failed."
            raise SystemExit(message)
        fast = ("-F",) if "--fast" in sys.argv[1:] else ()
        server = start(str(bin_ / "postgres"), "-D", data, "-k", name, "-h", "", *fast)
        try:
            _wait(folder, server)
            print(f"postgresql+psycopg://cds@/postgres?host={name}", flush=True)
            signal.sigwait(stop)
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's own word for a fast, orderly end
            server.wait(timeout=_SECONDS)


def _wait(folder: Path, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _SECONDS
    while not (folder / ".s.PGSQL.5432").exists():
        if server.poll() is not None or time.monotonic() > ends:
            message = "The PostgreSQL server did not start."
            raise SystemExit(message)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
