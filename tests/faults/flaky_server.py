"""A local file server that misbehaves by script."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FlakyServer:
    """Serves `files` on 127.0.0.1; each request of a file takes the next behaviour of its script, then serves well.

    Behaviours: `serve`, `no_range` (ignores Range), `truncate` (half, then closes), `stall` (half, then silence),
    `slow` (a little at a time), `silent` (no answer), `drop` (closes at once), `corrupt` (a flipped byte),
    `unsized` (no length), `page` (a web page), or a status code.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.scripts: dict[str, list[str | int]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"flaky": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """Address of the folder."""
        return f"http://127.0.0.1:{self._server.server_port}/sets/"

    def script(self, name: str, *behaviours: str | int) -> "FlakyServer":
        """Set what the next requests of a file meet."""
        self.scripts[name] = list(behaviours)
        return self

    def ranges(self, name: str) -> list[str | None]:
        """The Range header of every request of a file."""
        return [header for file, header in self.requests if file == name]

    def __enter__(self) -> "FlakyServer":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    flaky: FlakyServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.removeprefix("/sets/")
        header = self.headers.get("Range")
        self.flaky.requests.append((name, header))
        script = self.flaky.scripts.get(name, [])
        behaviour = script.pop(0) if script else "serve"
        if isinstance(behaviour, int) or name not in self.flaky.files:
            self.send_error(behaviour if isinstance(behaviour, int) else 404)
        elif behaviour == "silent":
            self.flaky.released.wait(30)
        elif behaviour != "drop":
            self._send(behaviour, self.flaky.files[name], header)
        self.close_connection = True

    def _send(self, behaviour: str, whole: bytes, header: str | None) -> None:
        first = 0
        if header and behaviour != "no_range":
            first = int(header.removeprefix("bytes=").rstrip("-"))
        if first >= len(whole):
            self.send_error(416)
            return
        body = b"<html>maintenance</html>" if behaviour == "page" else whole[first:]
        if behaviour == "corrupt":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        if behaviour != "unsized":
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hash(whole)}"')
        self.end_headers()
        self._write(behaviour, body)

    def _write(self, behaviour: str, body: bytes) -> None:
        if behaviour in ("truncate", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if behaviour == "stall":
                self.flaky.released.wait(30)
        elif behaviour == "slow":
            for start in range(0, len(body), 1000):
                self.wfile.write(body[start : start + 1000])
                if self.flaky.released.wait(0.02):
                    return
        else:
            self.wfile.write(body)
