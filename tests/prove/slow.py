"""Prove that thousands of slow clients cost nobody anything behind the shipped nginx file.

nginx runs with ``deploy/nginx.conf`` as it is shipped, but for the ports and paths of this
machine. Clients connect from many addresses and do no more than begin: some are silent, some
send half a header, some half a body. Beside them healthy phones exchange.

    python -m tests.prove.slow --engine sqlite --clients 3000 --seed 1
"""

import resource
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.prove.ground import open_ground, run_as_command
from tests.prove.healthy import let_work, phones_of, tls_line, too_slow
from tests.prove.server import ROOT, Server, free_port

HEALTHY = 4
P99_S_MAX = 0.1
TLS_SHARE = 8
ADDRESSES = 50
READY_WITHIN_S = 10.0
CONNECTIONS, FEW = 8192, 40
SABOTAGES = ("few_connections",)
MISSING = "nginx is not installed: apt-get install -y nginx-light"
HALF_HEADER = b"POST /api/v1/sync/exchange HTTP/1.1\r\nHost: x\r\nX-Slow: "
HALF_BODY = (b"POST /api/v1/sync/exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
             b"Content-Type: application/json\r\n\r\n{\"device\": ")  # fmt: skip
AROUND = """worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
daemon off;
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/shipped.conf;
}}
"""


def is_there() -> bool:
    """Tell whether nginx is installed."""
    return (
        shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
        is not None
    )


@contextmanager
def shipped_nginx(port: int, connections: int = CONNECTIONS) -> Iterator[int]:
    """Run nginx with the shipped file before a server, and yield its port for TLS."""
    with tempfile.TemporaryDirectory(prefix="wangge-nginx-") as name:
        folder, tls, plain = Path(name), free_port(), free_port()
        folder.chmod(0o755)
        _certify(folder)
        shipped = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
        for before, after in {
            "127.0.0.1:8080": f"127.0.0.1:{port}", "/etc/ssl/wangge": name,
            "/var/log/nginx": name, "listen 443": f"listen 127.0.0.1:{tls}",
            "listen 80;": f"listen 127.0.0.1:{plain};", "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
        }.items():  # fmt: skip
            assert before in shipped, f"deploy/nginx.conf has no {before} any more"
            shipped = shipped.replace(before, after)
        (folder / "shipped.conf").write_text(shipped, encoding="utf-8")
        (folder / "nginx.conf").write_text(
            AROUND.format(folder=name, connections=connections), encoding="utf-8"
        )
        nginx = subprocess.Popen(["nginx", "-c", f"{name}/nginx.conf", "-e", f"{name}/error.log"])
        try:
            _wait_for(tls)
            yield tls
        finally:
            nginx.terminate()
            nginx.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < until, "nginx does not start"
            time.sleep(0.05)


def _certify(folder: Path) -> None:
    """Write a key and a certificate for today."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wangge.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip


def _slow(number: int, port: int) -> socket.socket:
    """Begin a request and do not go on; one of eight after a whole greeting of TLS."""
    address = f"127.0.1.{1 + number % ADDRESSES}"
    line = socket.create_connection(("127.0.0.1", port), timeout=2, source_address=(address, 0))
    if number % TLS_SHARE == 0:
        context = ssl._create_unverified_context()
        tls = context.wrap_socket(line, do_handshake_on_connect=False)
        with suppress(OSError):
            tls.do_handshake()
            tls.sendall(HALF_BODY if number % (2 * TLS_SHARE) else HALF_HEADER)
        return tls
    if number % 2:
        # The beginning of a greeting.
        line.sendall(b"\x16\x03\x01")
    return line


def _still_open(lines: list[socket.socket]) -> int:
    """Return how many of the slow lines the server has kept open so far."""
    kept = 0
    for line in lines:
        line.setblocking(False)
        try:
            kept += line.recv(1) != b""
        except (BlockingIOError, ssl.SSLWantReadError):
            kept += 1
        except OSError:
            continue
    return kept


def prove(
    engine: str, *, clients: int = 3_000, seconds: int = 12, seed: int = 1,
    sabotage: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Let slow clients fill nginx, and measure what healthy answers take meanwhile."""
    assert is_there(), MISSING
    _allow_files(clients + 1_000)
    with open_ground(engine) as ground, ExitStack() as lines:
        server = Server(ground.environment)
        server.start()
        try:
            with shipped_nginx(server.port, FEW if sabotage else CONNECTIONS) as port:
                phones = phones_of(ground.county, HEALTHY, lambda: tls_line(port))
                alone_s = let_work(phones, seconds / 2)
                slow = [lines.enter_context(_slow(number, port)) for number in range(clients)]
                beside_s = let_work(phones, seconds / 2)
                kept = _still_open(slow)
                for phone in phones:
                    phone.line.close()
        finally:
            server.stop()
    seen = sum((phone.seen for phone in phones), start=type(phones[0].seen)())
    found = [] if set(seen) == {200} else [f"healthy phones were answered {dict(seen)}"]
    found += too_slow(alone_s, beside_s, quick_s=P99_S_MAX, seconds=seconds)
    if kept < clients * 0.9:
        found.append(f"only {kept} slow clients were there")
    return {
        "clients": clients, "kept": kept, "p99_alone_ms": round(alone_s * 1000, 1),
        "p99_beside_ms": round(beside_s * 1000, 1), "ratio": round(beside_s / alone_s, 2),
        "violations": found,
    }  # fmt: skip


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    run_as_command(prove, SABOTAGES, more={"clients": 3_000})
