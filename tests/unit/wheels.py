"""Wheels of a few lines, made by hand, for the real uv to install without a registry."""

from __future__ import annotations

import base64
import hashlib
import ssl
import zipfile
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


def wheel(
    folder: Path,
    name: str,
    version: str,
    needs: Sequence[str] = (),
    python: str = ">=3.8",
    code: str = "",
) -> Path:
    """A wheel of the module ``name`` in ``folder``; ``needs`` are requirements."""
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {python}", *(f"Requires-Dist: {need}" for need in needs)]
    about = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    parts = {f"{name}.py": code, f"{info}/METADATA": "\n".join(lines), f"{info}/WHEEL": about}
    record = [f"{path},sha256={_hash(text)},{len(text)}" for path, text in parts.items()]
    parts[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"])
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in parts.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return made


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class Index:
    """A package index on this computer, of the wheels in ``folder`` (PEP 503).

    ``answer`` is the status that it gives to every question; 200 where it answers them. With
    ``certificate`` it speaks TLS.
    """

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder, self.answer, index = folder, 200, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = index.page(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://localhost:{self.server.server_port}/simple"

    def page(self, path: str) -> tuple[int, bytes]:
        """Status and content of what is asked for: a project's list of wheels, or a wheel."""
        kind, _, name = path.strip("/").partition("/")
        found = sorted(self.folder.glob(f"{name}-*.whl" if kind == "simple" else name))
        if self.answer != 200 or not found:
            return (404 if self.answer == 200 else self.answer), b""
        if kind != "simple":
            return 200, found[0].read_bytes()
        return 200, "".join(f'<a href="/files/{f.name}">{f.name}</a>' for f in found).encode()

    def __enter__(self) -> Index:
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
