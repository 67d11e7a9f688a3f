"""What to make: one frozen description that decides every byte of a regenerated set."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workbench.data.catalogue import DatasetInfo, dataset_info
from workbench.data.folders import regenerated_folder
from workbench.data.make.episodes import Collector
from workbench.data.make.expert import load_expert
from workbench.data.npz import file_record
from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class MakeSpec:
    """Everything the bytes of a set depend on, but the versions of the packages that make them."""

    name: str
    seed: int
    episodes: int
    val_episodes: int
    rows: int
    expert_sha256: str | None = None

    @property
    def info(self) -> DatasetInfo:
        """The dataset's entry in the catalogue."""
        return dataset_info(self.name)

    @property
    def detail(self) -> str:
        """How the set was made, in words."""
        if self.expert_sha256:
            return f"own expert (sha256 {self.expert_sha256[:12]})"
        return {"play": "plan oracle", "noisy": "Markov oracle"}.get(self.info.kind, "oracle subgoals")

    def default_folder(self) -> Path:
        """The set's own folder under the data folder."""
        short = "" if self.rows == self.info.rows else f"-r{self.rows}"
        return regenerated_folder(self.name, self.episodes, self.seed, short)

    def count(self, split: str) -> int:
        """Episodes of one split."""
        return self.episodes if split == "train" else self.val_episodes

    def request(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)

    def fingerprint(self) -> str:
        """Hash of the request and the package versions: unfinished work of another kind is never mixed in."""
        text = json.dumps([self.request(), versions()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the packages that decide the bytes of a set."""
    return {package: version(package) for package in ("sorl-workbench", "ogbench", "mujoco", "numpy")}


def plan_set(
    info: DatasetInfo, episodes: int | None, val_episodes: int | None, seed: int, rows: int | None, expert: Path | None
) -> MakeSpec:
    """Fill in the official numbers and check the request; raises `WorkbenchError` for what cannot be made."""
    if not info.can_make:
        raise WorkbenchError(
            f"'{info.name}' cannot be regenerated, because no {info.family} expert is available: "
            f"get the official files with workbench data fetch {info.name}."
        )
    if info.family == "antmaze" and expert is None:
        raise WorkbenchError(
            f"'{info.name}' needs a walking policy: pass --expert FILE, an npz with kernel_0, bias_0 … bias_2."
        )
    if info.family != "antmaze" and expert is not None:
        raise WorkbenchError(f"'{info.name}' is made by a scripted oracle: leave --expert out.")
    episodes = info.episodes if episodes is None else episodes
    val_episodes = max(1, episodes // 10) if val_episodes is None else val_episodes
    rows = info.rows if rows is None else rows
    for label, count in (("episodes", episodes), ("validation episodes", val_episodes), ("rows", rows)):
        if count < 1:
            raise WorkbenchError(f"{label} must be at least 1, not {count}.")
    if seed < 0:
        raise WorkbenchError(f"the seed must not be negative, and {seed} is.")
    if expert is not None:
        load_expert(expert)  # so that a wrong file is refused here, not in a worker
    sha256 = None if expert is None else file_record(expert)["sha256"]
    return MakeSpec(info.name, seed, episodes, val_episodes, rows, sha256)


def open_collector(info: DatasetInfo, expert: Path | None) -> Collector:
    """Build the environment and the policy of a set; heavy, so workers do it once."""
    if info.family in ("cube", "scene", "puzzle"):
        from workbench.data.make.manipulation import ManipulationCollector

        return ManipulationCollector(info)
    from workbench.data.make.maze import MazeCollector

    return MazeCollector(info, expert)
