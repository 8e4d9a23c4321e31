"""A real S3-speaking server on the loopback, in a process of its own, that can be stopped."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field

from app.core.blobs.s3 import S3Settings, S3Store
from tests.prove.server import free_port

BUCKET = "wangge"
READY_WITHIN_S = 60.0


@dataclass
class S3Server:
    """The server, with one bucket."""

    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> S3Settings:
        """Return how to reach it."""
        return S3Settings(f"http://127.0.0.1:{self.port}", BUCKET, "us-east-1", "key", "secret")

    def environment(self) -> dict[str, str]:
        """Return the settings with which our server uses it."""
        return {"S3_ENDPOINT": self.settings.endpoint, "S3_BUCKET": BUCKET,
                "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"}  # fmt: skip

    def store(self) -> S3Store:
        """Return it as a store."""
        return S3Store(self.settings)

    def start(self) -> None:
        """Start, and make the bucket."""
        words = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
        )  # fmt: skip
        began = time.monotonic()
        while not self._has_bucket():
            assert time.monotonic() - began < READY_WITHIN_S, "the S3 server does not get ready"
            time.sleep(0.1)

    def _has_bucket(self) -> bool:
        request = urllib.request.Request(f"{self.settings.endpoint}/{BUCKET}", method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def pause(self) -> None:
        """Answer nobody any more, without forgetting anything."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
