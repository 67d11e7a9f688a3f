"""`make_dataset`: plan the shards, make those that are missing in parallel, join them, record what was made."""

import os
import shutil
import sys
from functools import cached_property
from pathlib import Path

from workbench.data.catalogue import dataset_info
from workbench.data.make.episodes import Collector, collect_episode, episode_rng
from workbench.data.make.record import is_made, write_set
from workbench.data.make.reuse import reuse_sets
from workbench.data.make.shards import Shard, is_finished, plan_shards, write_shard
from workbench.data.make.spec import MakeSpec, open_collector, plan_set
from workbench.data.make.workers import Report, run_jobs
from workbench.errors import WorkbenchError
from workbench.guards import check_folder, only_one, refusals_explained
from workbench.progress import progress_bar


def make_dataset(
    name: str,
    *,
    episodes: int | None = None,
    val_episodes: int | None = None,
    workers: int | None = None,
    seed: int = 0,
    expert: Path | None = None,
    folder: Path | None = None,
    progress: bool = True,
    rows: int | None = None,
) -> Path:
    """Regenerate an OGBench dataset by its official recipe; returns the path of `NAME.npz`, beside `NAME-val.npz`.

    `episodes` and `rows` (an episode's length) default to the official numbers, `val_episodes` to a tenth of
    `episodes`, `workers` to the number of processors, `folder` to the set's own folder under the data folder; `expert`
    is the walking policy of the antmaze sets. Equal in distribution to the official files, not bit for bit; but the
    same request gives the same bytes with the same package versions, whatever the number of workers.

    A set that exists is returned at once; an interrupted call leaves finished shards behind and continues from them.
    Episodes that a smaller or larger set of the same seed already holds are taken from it.
    Raises `UnknownNameError` for an unknown name, `DatasetError` for an unusable expert or a folder that holds a set
    made otherwise, `WorkbenchError` for an impossible request, a full disk, or a second process at the same set.
    """
    spec = plan_set(dataset_info(name), episodes, val_episodes, seed, rows, expert)
    workers = (os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise WorkbenchError(f"workers must be at least 1, not {workers}.")
    folder = folder or spec.default_folder()
    target = folder / f"{spec.name}.npz"
    with refusals_explained(folder, "the shards finished so far are kept"):
        if is_made(target, spec):
            return target
        check_folder(folder, f"the making of '{spec.name}'")
        with only_one(folder / f".{spec.name}.lock", f"making '{spec.name}'"):
            if not is_made(target, spec):  # another process may have finished it meanwhile
                _make(target, spec, expert, workers, progress)
    return target


class ShardMaker:
    """The work of a worker process: it builds its environment once and makes shard after shard."""

    def __init__(self, spec: MakeSpec, expert: Path | None) -> None:
        self._spec = spec
        self._expert = expert

    @cached_property
    def _collector(self) -> Collector:
        return open_collector(self._spec.info, self._expert)

    def __call__(self, shard: Shard, report: Report) -> None:
        """Make and write one shard, reporting the rows of every episode."""
        made = []
        for number in shard.episodes:
            rng = episode_rng(self._spec.seed, shard.split, number)
            made.append(collect_episode(self._collector, rng, self._spec.rows))
            report(self._spec.rows)
        write_shard(shard, made)


def _make(target: Path, spec: MakeSpec, expert: Path | None, workers: int, progress: bool) -> None:
    parts = target.with_name(f".{spec.name}.parts")
    parts.mkdir(exist_ok=True)
    shards = plan_shards(spec, parts)
    reuse_sets(spec, shards)
    missing = [shard for shard in shards if not is_finished(shard)]
    rows = {shard: shard.count * spec.rows for shard in shards}
    total, done = sum(rows.values()), sum(rows.values()) - sum(rows[shard] for shard in missing)
    try:
        with progress_bar(total=total, initial=done, desc=spec.name, unit="row", shown=progress) as bar:
            run_jobs(ShardMaker(spec, expert), missing, workers, bar.update)
    except KeyboardInterrupt:
        kept = sum(map(is_finished, shards))
        print(f"stopped: {kept} of {len(shards)} shards are kept; run the same command to continue.", file=sys.stderr)
        raise
    write_set(target, spec, shards)
    shutil.rmtree(parts)
