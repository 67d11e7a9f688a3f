"""Policies: the networks of one seed of a run in one small file, with its spec and every episode that judged it.

A folder of policies holds `NAME.policy` files, sealed as checkpoints are, and `index.json` with the SHA-256 of each
whole file, so that neither header nor weights can change unnoticed. A policy is opened as a run folder under
`runs/policies/`: its networks and evaluations are those of the run it was packed from, its optimiser states are fresh.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import pandas as pd

from workbench import __version__
from workbench.agents.base import TrainState
from workbench.data.load import example_of
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.guards import in_turn, refusals_explained
from workbench.paths import atomic_write, policies_dir, read_json, write_json
from workbench.store.checkpoint import is_whole, save_checkpoint
from workbench.store.folder import RunFolder
from workbench.store.sealed import fill, seal, unseal
from workbench.store.spec import RunSpec
from workbench.train import init_seeds

PREFIX = "policy:"
"""What begins the name of a policy wherever a run is asked for."""

MAGIC = b"SORL-WORKBENCH-POLICY\n"
VERSION = 1
MOST_BYTES = 2_000_000
"""The largest policy file; it travels with the package."""

BUDGET = ["m_inf", "n", "verifier", "success_timing"]


class PolicyError(WorkbenchError):
    """A policy that cannot be packed or opened."""


@dataclass(frozen=True)
class Policy:
    """A policy as its file tells of it.

    `size` is in bytes; `spec` is the run's, of the packed seed alone. `header` holds the rest as JSON has it.
    """

    name: str
    path: Path
    sha256: str
    size: int
    header: Mapping[str, Any]
    weights: bytes
    spec: RunSpec

    @property
    def run(self) -> str:
        """Hash of the run that it was packed from, with all its seeds."""
        return self.header["run"]

    @property
    def step(self) -> int:
        """Updates that the networks were trained for."""
        return self.header["step"]

    @property
    def env(self) -> dict[str, Any]:
        """Versions, device and machine of the training."""
        return self.header["env"]

    @cached_property
    def evals(self) -> pd.DataFrame:
        """Episodes, with the columns of a run's `evals.parquet`."""
        return pd.DataFrame(self.header["evals"])

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Episodes and successes by budget, the best first, of those judged after the action and of most episodes."""
        rows = self.evals.groupby(BUDGET)["success"].agg(episodes="size", successes="sum").reset_index()
        rows["successes"] = rows["successes"].astype(int)
        rows["success"] = rows["successes"] / rows["episodes"]
        rows["post"] = rows["success_timing"] == "post"
        order = {"post": False, "episodes": False, "success": False, "n": True, "m_inf": True, "verifier": True}
        return rows.sort_values(list(order), ascending=list(order.values()), ignore_index=True).drop(columns="post")


def list_policies(folder: Path | None = None) -> list[Policy]:
    """The policies of a folder, by default those of the package, by name; raises what `read_policy` raises."""
    return [read_policy(name, folder) for name in sorted(_index(folder or policies_dir()))]


def read_policy(name: str, folder: Path | None = None) -> Policy:
    """A policy of a folder, by default of the package's.

    Raises `UnknownNameError` for a name that is not in the index, and `PolicyError` for a file that is missing,
    damaged, no policy, or of another version of the workbench.
    """
    folder = folder or policies_dir()
    index = _index(folder)
    if name not in index:
        raise UnknownNameError("policy", name, index, "`workbench policies` lists what there is.")
    path = _file(folder, name)
    content = path.read_bytes() if path.exists() else b""
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != index[name]:
        state = f"damaged ({len(content):,} bytes)" if path.exists() else "missing"
        raise PolicyError(f"{path} is {state}: install the package again, or pack the policy again.")
    found = unseal(MAGIC, content)
    if found is None:
        raise PolicyError(f"{path} is not a policy file: `workbench pack RUN --name {name}` writes one.")
    header, weights = found
    if header.get("version") != VERSION:
        raise PolicyError(
            f"{path} has format version {header.get('version')}, this program reads {VERSION}: pack the policy again."
        )
    try:
        spec = RunSpec.from_json(header["spec"])
    except (KeyError, TypeError) as error:
        raise _of_another_version(path, header, f"its spec does not fit: {error}") from error
    return Policy(name, path, sha256, len(content), header, weights, spec)


def pack_policy(
    run: RunFolder, state: TrainState, name: str, *, seed: int | None = None, folder: Path | None = None
) -> Policy:
    """Write one seed of a run, by default its first, as a policy; one of the same name is replaced.

    `state` is the run's, as `experiments.load_agent` returns it; evaluations at its update are packed with it. Raises
    `PolicyError` for a name, a seed or a run that cannot be packed: one steered by hand, with parts of a user's own,
    not evaluated, or with more than `MOST_BYTES` of weights.
    """
    folder, step = folder or policies_dir(), int(state.step[0])
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise PolicyError(f"a policy cannot be called '{name}': use small letters, digits and single hyphens.")
    spec = _of_one_seed(run, run.spec.seeds[0] if seed is None else seed)
    evals = run.scores().query(f"step == {step} and seed == {spec.seeds[0]}")
    if not len(evals):
        raise PolicyError(
            f"run {run.path.name} has no evaluated episode of seed {spec.seeds[0]} at update {step:,} that was not cut "
            f"short, so nobody would know how good the policy is: `workbench evaluate {run.path.name}` first."
        )
    row = run.spec.seeds.index(spec.seeds[0])
    nets = jax.tree.map(lambda leaf: leaf[row : row + 1] if eqx.is_array(leaf) else leaf, state.nets)
    header = {"version": VERSION, "workbench": __version__, "name": name, "run": run.spec.hash, "step": step}
    header |= {"spec": spec.to_json(), "env": run.env, "evals": evals.to_dict("list")}
    content = seal(MAGIC, header, nets)
    if len(content) > MOST_BYTES:
        raise PolicyError(
            f"run {run.path.name} makes a policy of {len(content):,} bytes, more than the {MOST_BYTES:,} that one may "
            "have: pack a run of smaller networks."
        )
    with atomic_write(_file(folder, name)) as file:
        file.write(content)
    write_json(folder / "index.json", _index(folder) | {name: hashlib.sha256(content).hexdigest()})
    return read_policy(name, folder)


def open_policy(name: str, root: Path, folder: Path | None = None) -> RunFolder:
    """A policy as a run folder under `root`, written when it is first asked for; it can be evaluated and filmed.

    What is evaluated later is added to that folder, which carries the hash of the policy's file in its name: another
    policy of the same name has a folder of its own. It is no finished run, has no metrics, and is not listed among the
    runs. Raises what `read_policy` raises, and `PolicyError` for an agent that this version does not build.
    """
    policy = read_policy(name, folder)
    run = RunFolder(root / "policies" / f"{name}-{policy.sha256[:12]}")
    checkpoint = run.path / "ckpt" / f"{policy.step:010d}.ckpt"
    with refusals_explained(run.path, "the policy is unpacked again"):
        run.path.mkdir(parents=True, exist_ok=True)
        with in_turn(run.path / ".unpack.lock"):
            if not ((run.path / "spec.json").exists() and is_whole(checkpoint, policy.step)):
                save_checkpoint(checkpoint, _state(policy), spec_hash=policy.spec.hash, step=policy.step)
                write_json(run.path / "env.json", policy.env)
                run.add_evals(policy.evals, replace=False)
                write_json(run.path / "spec.json", policy.spec.to_json())  # last: now it is a run folder
    return run


def _state(policy: Policy) -> TrainState:
    """A training state with the policy's networks, which are its targets too; the rest is as at the start."""
    spec = policy.spec
    try:
        fresh = init_seeds(spec.build_agent(), example_of(spec.task), spec.seeds)
    except (WorkbenchError, TypeError, AttributeError) as error:
        raise _of_another_version(policy.path, policy.header, str(error)) from error
    nets = fill(fresh.nets, dict(policy.header), policy.weights)
    if nets is None:
        raise _of_another_version(policy.path, policy.header, "its networks have other arrays")
    targets = {role: nets[role] for role in fresh.targets}
    return eqx.tree_at(lambda s: (s.nets, s.targets, s.step), fresh, (nets, targets, fresh.step + policy.step))


def _of_another_version(path: Path, header: Mapping[str, Any], why: str) -> PolicyError:
    return PolicyError(
        f"{path} was packed by workbench {header.get('workbench')} and cannot be built by this one, {__version__} "
        f"({why.rstrip('.')}): install that version, or pack the policy again."
    )


def _of_one_seed(run: RunFolder, seed: int) -> RunSpec:
    """The run's spec of one seed alone."""
    spec, name = run.spec, run.path.name
    if seed not in spec.seeds:
        raise PolicyError(f"run {name} has no seed {seed}: its seeds are {', '.join(map(str, spec.seeds))}.")
    if run.owner != spec.hash:
        raise PolicyError(f"run {name} was steered by hand, which its spec does not tell: pack one that was not.")
    if spec.code:
        raise PolicyError(f"run {name} needs your {', '.join(spec.code)}, which others do not have: pack another run.")
    row = spec.seeds.index(seed)
    weights = {key: value[row] if isinstance(value, list) else value for key, value in spec.weights.items()}
    return replace(spec, seeds=(seed,), weights=weights)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.policy"


def _index(folder: Path) -> dict[str, str]:
    """SHA-256 of every policy of a folder, by name."""
    file = folder / "index.json"
    try:
        return read_json(file) if file.exists() else {}
    except ValueError as error:
        raise PolicyError(f"{file} is damaged: install the package again, or pack the policies again.") from error
