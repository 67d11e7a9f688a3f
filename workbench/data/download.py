"""One file from one host: continued where it was cut, retried with growing pauses, renamed only when it is whole."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from workbench import __version__
from workbench.errors import DatasetError
from workbench.guards import is_full_disk
from workbench.paths import flush, read_json, sync_folder, write_json

_BLOCK = 1 << 18
_TRANSIENT = (408, 425, 429)


@dataclass(frozen=True)
class Patience:
    """How long to bear with a host.

    `timeout` is in seconds without a single byte; `attempts` is how many in a row may bring nothing new; `pause` is in
    seconds before the next attempt, and doubles with each that brought nothing.
    """

    timeout: float = 30.0
    attempts: int = 4
    pause: float = 1.0


class HostError(Exception):
    """A host did not deliver; `retry` says whether asking it once more may help."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.retry = retry


class Part:
    """The unfinished file `NAME.part` and, in `NAME.part.json`, what it is a part of (url, size, etag)."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._record = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self) -> dict[str, Any]:
        """What the bytes are a part of; without a readable record they are of no use, and it is empty."""
        try:
            return read_json(self._record)
        except (OSError, ValueError):
            return {}

    def start(self, origin: dict[str, Any]) -> None:
        """Empty the file and record what comes next."""
        self.discard()
        self.path.touch()
        write_json(self._record, origin)

    def discard(self) -> None:
        """Delete the bytes and the record."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the file its final name."""
        os.replace(self.path, target)
        sync_folder(target.parent)
        self._record.unlink(missing_ok=True)


def download(
    url: str, target: Path, *, refuse: Callable[[Path], str | None], patience: Patience, progress: bool
) -> None:
    """Download `url` to `target`, which appears only when it is whole.

    An unfinished file is continued if its size on the server, and its ETag when the host is the same, have not changed;
    else, or if the server ignores ranges, it is started over. `refuse` looks at the finished file and returns what is
    wrong with it, or None; a file put together from several attempts is then downloaded once more from its beginning.

    Raises `HostError` when the host does not deliver, and `DatasetError` when the disk is too small.
    """
    part = Part(target)
    fruitless, most = 0, part.size
    while True:
        continued = part.size > 0
        try:
            _attempt(url, part, patience.timeout, progress)
            if reason := refuse(part.path):
                part.discard()
                raise HostError(reason, retry=continued)
            part.finish(target)
            return
        except HostError as failure:
            fruitless = 1 if part.size > most else fruitless + 1
            most = max(most, part.size)
            if not failure.retry:
                raise
            if fruitless >= patience.attempts:
                raise HostError(f"{failure} ({fruitless} times)", retry=False) from failure
            wait = patience.pause * 2 ** (fruitless - 1)
            tell(f"{target.name}: {failure}; trying again in {wait:g} s", progress)
            time.sleep(wait)


def tell(message: str, progress: bool) -> None:
    """Say what is going on, on a line of its own above the progress bar."""
    if progress:
        tqdm.write(message, file=sys.stderr)


def _attempt(url: str, part: Part, timeout: float, progress: bool) -> None:
    """Ask once for what is missing, and append what comes."""
    origin = part.origin()
    have = part.size if origin else 0
    if have and have == origin["size"]:
        return
    headers = {"User-Agent": f"sorl-workbench/{__version__}", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={have}-"} if have else {}
    with _ask(Request(url, headers=headers), timeout) as response:
        offered = _describe(url, response)
        if response.status != 206:
            part.start(offered)
        elif not _continues(origin, offered, response, have):
            part.discard()
            raise HostError("the file on the server is not the one that was begun", retry=True)
        _receive(response, part, offered["size"], timeout, progress)


def _ask(request: Request, timeout: float) -> HTTPResponse:
    with _network_errors(timeout):
        try:
            return urlopen(request, timeout=timeout)
        except HTTPError as error:
            if error.code == 416 and request.has_header("Range"):
                request.remove_header("Range")
                return urlopen(request, timeout=timeout)
            raise


def _describe(url: str, response: HTTPResponse) -> dict[str, Any]:
    """Url, size of the whole file (None when the server does not say) and ETag."""
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if response.status != 206:
        total = response.headers.get("Content-Length", "")
    return {"url": url, "size": int(total) if total.isdecimal() else None, "etag": response.headers.get("ETag")}


def _continues(origin: dict[str, Any], offered: dict[str, Any], response: HTTPResponse, have: int) -> bool:
    same_host = origin["url"] == offered["url"]
    return (
        offered["size"] is not None
        and offered["size"] == origin["size"]
        and (not same_host or offered["etag"] == origin["etag"])
        and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    )


def _receive(response: HTTPResponse, part: Part, size: int | None, timeout: float, progress: bool) -> None:
    have = part.size
    need = (size or 0) - have
    if need > shutil.disk_usage(part.path.parent).free:
        raise _no_space(part.path, need)
    bar = tqdm(
        total=size, initial=have, unit="B", unit_scale=True, unit_divisor=1024, desc=part.path.stem,
        disable=None if progress else True,
    )  # fmt: skip
    with open(part.path, "ab", buffering=0) as file, bar:
        while block := _read(response, timeout):
            _write(file.write, block, part.path)
            bar.update(len(block))
        flush(file.fileno())
    if size is not None and part.size < size:
        raise HostError(f"the connection closed after {part.size:,} of {size:,} bytes", retry=True)


def _read(response: HTTPResponse, timeout: float) -> bytes:
    with _network_errors(timeout):
        return response.read1(_BLOCK)


def _write(write: Callable[[bytes], Any], block: bytes, path: Path) -> None:
    try:
        written = write(block)
    except OSError as error:
        if is_full_disk(error):
            raise _no_space(path, len(block)) from error
        raise
    if written < len(block):
        raise _no_space(path, len(block) - written)


def _no_space(path: Path, need: int) -> DatasetError:
    free = shutil.disk_usage(path.parent).free
    return DatasetError(
        f"not enough space in {path.parent} for {path.stem}: {need:,} bytes more are needed and {free:,} are free: "
        "free some, or set WORKBENCH_DATA to a folder on a larger disk."
    )


@contextlib.contextmanager
def _network_errors(timeout: float) -> Iterator[None]:
    """Turn what urllib and the socket raise into a `HostError` with a plain reason."""
    try:
        yield
    except HTTPError as error:
        retry = error.code >= 500 or error.code in _TRANSIENT
        raise HostError(f"answered {error.code} {error.reason}", retry=retry) from error
    except (OSError, HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise HostError(f"sent nothing for {timeout:g} s", retry=True) from error
        refused = isinstance(error, URLError) and not isinstance(cause, ConnectionResetError)
        raise HostError(
            f"the connection failed ({getattr(cause, 'strerror', None) or cause})", retry=not refused
        ) from error
