"""PostgreSQL servers of a prover's own: a primary, and a standby that is promoted in its place."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.prove.server import ROOT, free_port

READY_WITHIN_S = "60"


def server_folder() -> Path | None:
    """Return the folder of the server's programs, None when there is none with PostGIS."""
    words = ["bash", "-c", "source scripts/common.sh; find_server"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


@dataclass
class Cluster:
    """One server with its data."""

    programs: Path
    folder: Path
    name: str
    port: int = field(default_factory=free_port)

    @property
    def data(self) -> Path:
        """Return the folder of its data."""
        return self.folder / self.name

    @property
    def url(self) -> str:
        """Return its address."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *words: str) -> None:
        """Run one of the server's programs as its own user."""
        command = [str(self.programs / program), *words]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Into a file: a server that goes on would hold a pipe open for ever.
        with (self.folder / "programs.log").open("ab") as log:
            subprocess.run(command, check=True, cwd="/", stdout=log, stderr=log)

    def create(self) -> None:
        """Make an empty cluster."""
        self.run("initdb", "-D", str(self.data), "--username=postgres", "--auth=trust",
                 "--encoding=UTF8", "--locale=C")  # fmt: skip

    def copy_of(self, primary: "Cluster") -> None:
        """Become a standby of a running primary."""
        self.run("pg_basebackup", "-D", str(self.data), "-h", "127.0.0.1", "-p", str(primary.port),
                 "-U", "postgres", "-R", "-X", "stream", "-c", "fast")  # fmt: skip

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = (
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c wal_level=replica"
        )
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / f"{self.name}.log"), "-w",
                 "-t", READY_WITHIN_S, "-o", options, "start")  # fmt: skip

    def stop(self) -> None:
        """Pull the plug."""
        self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def promote(self) -> None:
        """Become the primary."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")


@contextmanager
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """Run a primary; the standby is only prepared. Both are gone at the end."""
    programs = server_folder()
    assert programs is not None, "no PostgreSQL server with PostGIS on this machine"
    folder = Path(tempfile.mkdtemp(prefix="wangge-clusters-"))
    folder.chmod(0o777)
    primary = Cluster(programs, folder, "primary")
    standby = Cluster(programs, folder, "standby", primary.port)
    try:
        primary.create()
        primary.start()
        yield primary, standby
    finally:
        for one in (primary, standby):
            if (one.data / "postmaster.pid").exists():
                one.stop()
        shutil.rmtree(folder)
