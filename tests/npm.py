"""Clients from npm: installed by their lock file, once, whichever test process comes first."""

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path

NODE_MISSING = "tests with clients from npm need Node 20 or newer with npm: https://nodejs.org"
WORDS = ("npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund",
         "--loglevel=error")  # fmt: skip


@cache
def install(folder: Path) -> None:
    """Install what the lock file of a folder names, unless that has been done.

    The stamp is written last, and the lock is held until then: another process never meets
    packages of which half has come.
    """
    assert shutil.which("node") and shutil.which("npm"), NODE_MISSING
    with (folder / "package-lock.json").open("rb") as lockfile:
        fcntl.flock(lockfile, fcntl.LOCK_EX)
        stamp, wanted = folder / "node_modules" / ".installed", lockfile.read()
        if not stamp.is_file() or stamp.read_bytes() != wanted:
            made = subprocess.run(WORDS, cwd=folder, capture_output=True, text=True, check=False)
            assert made.returncode == 0, f"npm ci failed in {folder}:\n{made.stderr[-2000:]}"
            stamp.write_bytes(wanted)
