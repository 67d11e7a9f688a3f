"""What a notebook needs to scrub through a video: which step each frame shows, and what was decided there. No jax here.

The file `NAME_scrub.npz` beside `NAME.mp4` holds a JSON `header` (the fields of `Scrub`, and of each `Track` those that
are no arrays) and arrays named `0000/q` and so on, one group a panel.
"""

import dataclasses
import json
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from workbench.errors import WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.rollout import Rollout
from workbench.paths import atomic_write

FORMAT = 1


@dataclass(frozen=True)
class Track:
    """One panel of a video. `box` is its scene (left, top, width, height) in pixels of the video.

    `step[i]` is the step that frame i shows; the episode's length means its last state, after which nothing is decided.
    The other arrays are by step: the value of the chosen action and of every candidate (the chosen one among them, at
    `chosen`), the points of the chosen action on its way from noise before the clip (None without a flow), reward,
    success, actions. `act_ms` is of one decision, None where it was not measured.
    """

    cell: Cell
    seed: int
    episode: int
    succeeded: bool
    act_ms: float | None
    box: tuple[int, int, int, int]
    step: Int[np.ndarray, " frame"]
    q: Float[np.ndarray, " step"]
    q_candidates: Float[np.ndarray, "step cand"]
    chosen: Int[np.ndarray, " step"]
    flow: Float[np.ndarray, "step time act"] | None
    reward: Float[np.ndarray, " step"]
    success: Shaped[np.ndarray, " step"]
    actions: Float[np.ndarray, "step act"]

    @property
    def rejected(self) -> Float[np.ndarray, "step others"]:
        """Values of the candidates that were not chosen."""
        others = np.arange(self.q_candidates.shape[1]) != self.chosen[:, None]
        return self.q_candidates[others].reshape(len(self.q), -1)


@dataclass(frozen=True)
class Scrub:
    """All of a video: its file's name, frames a second, steps from frame to frame, seconds a step, and panels."""

    video: str
    task: str
    fps: int
    stride: int
    seconds_a_step: float
    tracks: tuple[Track, ...]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.tracks[0].step)


_ARRAYS = ("step", "q", "q_candidates", "chosen", "flow", "reward", "success", "actions")


def make_track(rollout: Rollout, frames: Int[np.ndarray, " frame"], box: tuple[int, int, int, int]) -> Track:
    """The track of a rollout of which a video shows the steps `frames`, or the last where it was over."""
    kept = ("q", "q_candidates", "chosen", "flow", "reward", "success", "actions", "cell", "seed", "episode", "act_ms")
    fields: dict[str, Any] = {name: getattr(rollout, name) for name in kept}
    fields |= {"succeeded": rollout.succeeded, "box": box, "step": np.minimum(frames, rollout.length)}
    return Track(**fields)


def save_scrub(path: Path, scrub: Scrub) -> None:
    """Write scrub data, atomically."""
    header = {field.name: getattr(scrub, field.name) for field in dataclasses.fields(Scrub)}
    header["tracks"] = [
        {name: value for name, value in dataclasses.asdict(track).items() if name not in _ARRAYS}
        for track in scrub.tracks
    ]
    arrays: dict[str, Any] = {
        f"{i:04d}/{name}": getattr(track, name)
        for i, track in enumerate(scrub.tracks)
        for name in _ARRAYS
        if getattr(track, name) is not None
    }
    with atomic_write(path) as file:
        np.savez_compressed(file, header=np.array(json.dumps({"format": FORMAT} | header)), **arrays)


def load_scrub(path: Path) -> Scrub:
    """Read what `save_scrub` wrote; raises `WorkbenchError` when there is no such file or it is another's."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header.pop("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            tracks = tuple(_read(file, i, each) for i, each in enumerate(header.pop("tracks")))
            return Scrub(tracks=tracks, **header)
    except FileNotFoundError:
        raise WorkbenchError(
            f"there is no scrub data {path}: `workbench video RUN` writes it beside a video."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise WorkbenchError(f"{path} does not hold a video's scrub data ({error}): make the video again.") from error


def scenes(
    video: Path, boxes: Sequence[tuple[int, int, int, int]]
) -> Iterator[list[UInt8[np.ndarray, "height width 3"]]]:
    """Frame by frame, what a video shows inside of boxes such as `Track.box`; one frame is in memory at a time.

    Raises `WorkbenchError` when there is no such video, no ffmpeg, or the file is no video.
    """
    import imageio_ffmpeg

    if not video.exists():
        raise WorkbenchError(f"there is no video {video} beside its scrub data: `workbench video RUN` makes both.")
    try:
        # Not imageio's own reader: it forks, which is not safe beside the threads of JAX.
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-i", str(video)]
        command += ["-f", "image2pipe", "-c:v", "ppm", "-"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    except (OSError, RuntimeError) as error:
        raise WorkbenchError(
            f"there is no ffmpeg to read {video} with: pip install --force-reinstall imageio-ffmpeg, "
            "or name one in IMAGEIO_FFMPEG_EXE."
        ) from error
    with process:
        assert process.stdout is not None
        try:
            while (page := _ppm(process.stdout)) is not None:
                yield [page[y : y + tall, x : x + wide] for x, y, wide, tall in boxes]
        except GeneratorExit:
            process.kill()
            raise
    if process.returncode:
        raise WorkbenchError(f"{video} is not a video that ffmpeg can read to its end: make it again.")


def _ppm(stream: IO[bytes]) -> UInt8[np.ndarray, "height width 3"] | None:
    """The next picture of a stream of raw ones, each with a header of three lines; None at its end."""
    if not stream.readline():
        return None
    width, height = map(int, stream.readline().split())
    stream.readline()
    return np.frombuffer(stream.read(3 * width * height), np.uint8).reshape(height, width, 3)


def _read(file: np.lib.npyio.NpzFile, i: int, header: dict[str, Any]) -> Track:
    fields: dict[str, Any] = header | {"cell": Cell(**header["cell"]), "box": tuple(header["box"])}
    fields |= {name: file.get(f"{i:04d}/{name}") for name in _ARRAYS}
    return Track(**fields)
