"""Policies that come with the package: the list of them, and how one is made of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from workbench.cli.report import records, show

if TYPE_CHECKING:
    from workbench.store.policy import Policy


@dataclass(frozen=True)
class Policies:
    """List the policies that come with the package; `policy:NAME` stands for one wherever a RUN is asked for.

    Success is that of the best budget, of those judged after the action and in most episodes; JSON has every budget.
    """

    folder: Path | None = None
    """Folder of policies; by default the package's."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print one row a policy."""
        from workbench.store.policy import list_policies

        found = list_policies(self.folder)
        rows = [_full(each) if self.json else _row(each) for each in found]
        show(rows, self.json, "use one as RUN: policy:NAME" if found else "")
        return 0


@dataclass(frozen=True)
class Pack:
    """Make a policy of a run: actor and critic of one seed, the spec, and the evaluations of its newest checkpoint.

    A policy of the same name is replaced, and the index of the folder renewed.
    """

    run_name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of the run, or the first letters of its hash."""
    name: str
    """What the policy is called, such as cube-single."""
    seed: int | None = None
    """Which seed of the run; by default its first."""
    folder: Path | None = None
    """Folder of policies; by default the package's."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Write the file and print its row."""
        from workbench.compile_cache import enable_compile_cache

        enable_compile_cache()
        from workbench.experiments import load_agent
        from workbench.store.policy import pack_policy
        from workbench.store.query import find_run

        run = find_run(self.run_name)
        _, state = load_agent(run)
        packed = pack_policy(run, state, self.name, seed=self.seed, folder=self.folder)
        show([_full(packed) if self.json else _row(packed)], self.json, str(packed.path))
        return 0


def _row(policy: "Policy") -> dict[str, Any]:
    spec, best = policy.spec, policy.scores.iloc[0]
    return {
        "name": policy.name,
        "task": spec.task,
        "agent": spec.agent,
        "preset": spec.preset,
        "updates": policy.step,
        "data": spec.data.kind,
        "m_inf": int(best["m_inf"]),
        "n": int(best["n"]),
        "verifier": str(best["verifier"]),
        "success": float(best["success"]),
        "episodes": int(best["episodes"]),
        "judged": str(best["success_timing"]),
        "kB": round(policy.size / 1000),
        "sha256": policy.sha256[:12],
    }


def _full(policy: "Policy") -> dict[str, Any]:
    """The row with all that is known: how it was trained, where, and every budget's successes."""
    own = {"sha256": policy.sha256, "bytes": policy.size, "run": policy.run, "path": policy.path}
    return _row(policy) | own | {"spec": policy.spec.to_json(), "env": policy.env, "scores": records(policy.scores)}
