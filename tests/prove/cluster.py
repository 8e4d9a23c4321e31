"""A throw-away PostgreSQL of a prover's own, and standbys: one follows it, one takes its place.

The server's programs are found as ``scripts/postgres.sh`` finds them; as root they run as the
user ``postgres``, because PostgreSQL refuses to run as root.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.prove.server import ROOT, free_port

SERVER_USER = "postgres"
START_WITHIN_S = "60"
FIND = "source scripts/common.sh; find_server"


def _programs() -> Path:
    """Return the folder of the server's programs."""
    found = subprocess.run(["bash", "-c", FIND], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, "PostgreSQL with PostGIS is not installed"
    return Path(found.stdout.strip())


def _run(*words: str) -> None:
    """Run a program of the server as its user; what it says is shown when it fails.

    Its output goes to a file: the server that it starts keeps a pipe open for ever.
    """
    as_user = ["runuser", "-u", SERVER_USER, "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryFile() as said:
        done = subprocess.run([*as_user, *words], cwd="/", stdout=said, stderr=said)
        said.seek(0)
        assert done.returncode == 0, said.read().decode(errors="replace")[-2000:]


@dataclass
class Cluster:
    """One PostgreSQL server in a folder."""

    folder: Path
    port: int
    name: str = "primary"

    @property
    def url(self) -> str:
        """Return the address of its own database."""
        return f"postgresql+psycopg://{SERVER_USER}@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> str:
        """Return where it keeps its files."""
        return str(self.folder / self.name)

    def create(self) -> None:
        """Make the files of a new server."""
        _run(str(_programs() / "initdb"), "-D", self.data, f"--username={SERVER_USER}",
             "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")  # fmt: skip

    def copy(self, primary: "Cluster") -> None:
        """Take over the files of a running server, to follow it from then on."""
        _run(str(_programs() / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(primary.port),
             "-U", SERVER_USER, "-D", self.data, "--write-recovery-conf", "--wal-method=stream",
             "--checkpoint=fast", "--no-sync")  # fmt: skip

    def start(self, **settings: str) -> None:
        """Start the server with some settings of its own."""
        given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder),
                 "max_connections": "100", **settings}  # fmt: skip
        words = " ".join(f"-c {name}={value}" for name, value in given.items())
        _run(str(_programs() / "pg_ctl"), "-D", self.data, "-l", f"{self.data}/server.log", "-w",
             "-t", START_WITHIN_S, "-o", f"-p {self.port} {words}", "start")  # fmt: skip

    def stop(self) -> None:
        """Pull the plug of the server, if it runs."""
        if not Path(self.data, "postmaster.pid").exists():
            return
        _run(str(_programs() / "pg_ctl"), "-D", self.data, "-m", "immediate", "-w", "stop")

    def promote(self) -> None:
        """Let a standby become the primary."""
        _run(str(_programs() / "pg_ctl"), "-D", self.data, "-w", "promote")


@contextmanager
def open_cluster() -> Iterator[Cluster]:
    """Run a server of one's own, and remove it and its standbys at the end."""
    folder = Path(tempfile.mkdtemp(prefix="wangge-cluster-"))
    if os.geteuid() == 0:
        shutil.chown(folder, SERVER_USER)
    primary = Cluster(folder, free_port())
    try:
        primary.create()
        primary.start()
        try:
            yield primary
        finally:
            primary.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_standby(primary: Cluster, *, delay_ms: int = 0) -> Iterator[Cluster]:
    """Run a standby that applies what it is sent, late by some milliseconds."""
    port = free_port()
    standby = Cluster(primary.folder, port, f"standby-{port}")
    standby.copy(primary)
    standby.start(recovery_min_apply_delay=f"{delay_ms}ms")
    try:
        yield standby
    finally:
        standby.stop()


@contextmanager
def prepare_successor(primary: Cluster) -> Iterator[Cluster]:
    """Give a server that can take the primary's place under its address; it is empty and stands."""
    successor = Cluster(primary.folder, primary.port, "successor")
    try:
        yield successor
    finally:
        successor.stop()
