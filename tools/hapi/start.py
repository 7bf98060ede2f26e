"""Start a real HAPI FHIR server on loopback, with a store in memory.

    python tools/hapi/start.py --load                  the invented patients, moved to today
    python tools/hapi/start.py --port 8090 --load --unshifted
    python tools/hapi/start.py --attached              ends when its standard input does

Once it answers, a line on standard output says where; with --load a line of JSON follows. The
first start builds with Maven (Java 17 or newer), which fetches some 250 jars into Maven's own
folder; what is built stands in the user's cache folder, so that later starts need no Maven.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
SOURCES = ("HapiForTests.java", "logback.xml", "pom.xml")
# One user on a small machine: a quick start matters more than peak speed.
JVM = ("-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


def cache_folder() -> Path:
    """Where what was built is kept, by the digest of its sources."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(named) if named else Path.home() / ".cache"
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES))
    return root / "trial-cds" / "hapi" / digest.hexdigest()[:16]


def program(name: str) -> str:
    """The path of a program.

    Raises:
        SystemExit: there is none.
    """
    found = shutil.which(name)
    if found is None:
        message = f"{name} was not found; install Java 17 or newer and Maven 3.8 or newer."
        raise SystemExit(message)
    return found


def is_built(folder: Path) -> bool:
    """Whether a folder holds a build, of which every jar is still there."""
    if not (folder / "classes" / "HapiForTests.class").is_file():
        return False
    jars = (folder / "classpath").read_text("utf-8").split(os.pathsep)
    return all(Path(jar).is_file() for jar in jars)


def build(folder: Path, options: Sequence[str] = ()) -> None:
    """Compile and fetch with Maven; a build that failed leaves nothing behind.

    Raises:
        SystemExit: Maven failed, with its own words above.
    """
    half = folder.with_name(f"{folder.name}.{os.getpid()}")
    maven = [program("mvn"), "--batch-mode", "--quiet", f"--file={HERE / 'pom.xml'}", *options]
    half.mkdir(parents=True)
    try:
        done = subprocess.run(
            [*maven, f"-Dbuild.folder={half}", "compile"], stdout=sys.stderr, check=False
        )
        if done.returncode != 0:
            message = "Maven could not build the HAPI server; its reasons stand above."
            raise SystemExit(message)
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def command(folder: Path, port: int, *, attached: bool) -> list[str]:
    """The server's command line."""
    classpath = f"{folder / 'classes'}{os.pathsep}{(folder / 'classpath').read_text('utf-8')}"
    last = ["attached"] if attached else []
    return [program("java"), *JVM, "-cp", classpath, "HapiForTests", str(port), *last]


def run(words: list[str], load: list[str] | None) -> int:
    """Run the server until it ends; tell where it is, and load once it answers.

    Whoever ends this process, politely or with Ctrl-C, ends the server too.
    """
    signal.signal(signal.SIGTERM, _interrupted)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            told = server.stdout.readline() if server.stdout else ""
            print(told, end="", flush=True)
            if told and load is not None:
                subprocess.run([sys.executable, *load, told.split()[-1]], check=True)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            server.terminate()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Build if need be, start, load, and stay until told to stop."""
    read = argparse.ArgumentParser(description="a HAPI FHIR server with a store in memory")
    read.add_argument("--port", type=int, default=0, help="0: a free one")
    read.add_argument("--load", action="store_true", help="load the invented patients")
    read.add_argument("--unshifted", action="store_true", help="with the dates of their stories")
    read.add_argument("--attached", action="store_true", help="end with the standard input")
    asked = read.parse_args()
    folder = cache_folder()
    if not is_built(folder):
        build(folder, os.environ.get("MAVEN_ARGS", "").split())
    load = [str(HERE / "load.py"), *(["--unshifted"] if asked.unshifted else [])]
    return run(command(folder, asked.port, attached=asked.attached), load if asked.load else None)


if __name__ == "__main__":
    sys.exit(main())
