"""The runs that several studies look into: SORL, small, as trained by the study `inference`."""

import math

from workbench.errors import WorkbenchError
from workbench.paths import runs_dir
from workbench.store.folder import RunFolder
from workbench.store.query import list_runs
from workbench.store.spec import RunSpec, make_spec
from workbench.studies.campaign import TASK, Scale, run, spec_of


def base_runs(smoke: bool = False) -> list[RunFolder]:
    """The finished runs of the small preset on the campaign's task, one a seed; a smoke test trains its own.

    A run counts when its spec is the preset's. Raises `WorkbenchError` when there is none, and when they are of
    different data.
    """
    scale = Scale.of(smoke)
    if smoke:
        return [RunFolder(run(scale, spec_of(scale, seed), ()).path) for seed in scale.seeds]
    found = list_runs(f"task = '{TASK}' and agent = 'sorl' and preset = 'small' and steps = {scale.steps} and done")
    folders = [RunFolder(runs_dir() / name) for name in found["hash"]]
    chosen = {folder.spec.seeds: folder for folder in folders if _is_base(folder.spec, scale)}
    if not chosen:
        raise WorkbenchError(
            f"no finished run of SORL (small) on {TASK} with {scale.steps:,} updates in {runs_dir()}: "
            "`workbench study inference` trains them."
        )
    if len({folder.spec.data.sha256 for folder in chosen.values()}) > 1:
        names = ", ".join(f"{folder.path.name} ({folder.spec.data.detail})" for folder in chosen.values())
        raise WorkbenchError(f"the runs of the study are of different data: {names}. Move those you do not mean away.")
    return [chosen[seeds] for seeds in sorted(chosen)]


def _is_base(spec: RunSpec, scale: Scale) -> bool:
    """Whether a run of one of the study's seeds is the preset as it is, up to rounding of the weights."""
    own = make_spec(TASK, spec.data, preset_name="small", seeds=spec.seeds, steps=scale.steps)
    as_preset = all(math.isclose(own.weights[name], value, rel_tol=1e-6) for name, value in spec.weights.items())
    return spec.seeds in [(seed,) for seed in scale.seeds] and spec.settings == own.settings and as_preset


def identity(folder: RunFolder) -> dict[str, str | int | float]:
    """What a row of a table says of its run of one seed: hash, seed, task, agent, preset, data, step, w_ql."""
    spec = folder.spec
    found = {"hash": folder.path.name, "seed": spec.seeds[0], "task": spec.task, "agent": spec.agent}
    found |= {"preset": spec.preset, "data": spec.data.kind, "step": spec.steps}
    return found | {"w_ql": float(spec.weights["ql"])}
