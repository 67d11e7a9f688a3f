# %% [markdown]
# # Your own loss or agent, in forty lines
#
# **Question.** You have an idea: another objective, or one more term in SORL's. How do you put it beside the others, on
# the same data and in the same loop, with seeds, sliders, checkpoints and figures, and without touching this package?
#
# You write the objective and one line that registers it. Here we do both: a whole agent first, then a term in SORL.
# (Before this: `03_the_three_losses_tuned_live`, for trainers, branches and sliders.)

# %% [markdown]
# ## The equations
#
# **The agent** imitates only the best share $p$ of what it sees. A flow with velocity $v_\theta$ descends
#
# $$L_\pi = \mathbb 1\big[A(x, a) \ge q_{1-p}\big]\; L_{FM}(\theta; x, a), \qquad A(x, a) = Q(x, a) - V(x)$$
#
# where $q_{1-p}$ is the quantile of the batch's advantages. With $p = 1$ it imitates everything. No gradient of $Q$
# reaches the flow: what is not in the data is never done.
#
# **The term** is a fence: SORL shall not act below the line $a_2 = 0$. One example of it is
#
# $$\ell(x, z) = \max(0, -a_2)^2, \qquad a = \text{two steps of the policy from noise } z$$
#
# and what the actor descends becomes $w_{QL} L_{QL} + w_{FM} L_{FM} + w_{SC} L_{SC} + w_{fence}\, \mathbb E\,\ell$.

# %% [markdown]
# ## Imports

# %%
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import pandas as pd
from IPython.display import Image, display
from matplotlib.figure import Figure

# %% [markdown]
# What agents are made of is in `agents.baseline`; `losses`, `flow` and `nets` hold more of it.
# %%
from workbench.agents.base import RATES
from workbench.agents.baseline import AbstractBaseline, ImplicitValues, decide_by_flow, flow_loss, values
from workbench.agents.registry import register
from workbench.agents.terms import register_term
from workbench.compile_cache import enable_compile_cache
from workbench.flow import euler_unrolled
from workbench.live import Controls, LiveView, Trainer
from workbench.live.panels import PANELS, Panel
from workbench.nets import Velocity
from workbench.plots.samples import action_clouds
from workbench.plots.show import show
from workbench.plots.style import GREY, agent_style, display_name, paper_style
from workbench.store.checkpoint import state_hash
from workbench.store.query import list_runs

cache = enable_compile_cache()

# %% [markdown]
# ## Controls

# %%
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
FIRST, MORE = (200, 200) if SMOKE else (3000, 1500)  # updates
REPORTS = 5 if SMOKE else 15  # how often the first of them are interrupted by a measurement
NETWORK = {"width": 32, "depth": 2} if SMOKE else {"width": 64, "depth": 3}
SHARE = 0.125  # share of the data that our agent imitates: one of eight clusters pays
FENCE = 100.0  # weight of the fence, once it stands
TASK = "toy:eight_gaussians"
RUNS = Path(tempfile.mkdtemp())  # where this notebook writes runs

# %% [markdown]
# ## An agent
#
# The problem is that of notebook 00: eight places to act, of which the rightmost pays. An agent is a class that says
#
# - what it is called, and what may be turned while it trains (`knobs`; `share` is its own, the others every agent has);
# - which networks it has, and which of them an average follows (`followed`);
# - the loss that moves each (`terms`), in the order of stepping: `loss(net, state, batch, weights, *, key)` returns the
#   loss and what else to report, and its gradient reaches `net` alone;
# - how it acts on **one** observation.
#
# Optimisers, targets, seeds side by side, checkpoints: all that is the base class's and the loop's. `@register` makes
# it known by its name; the weights given there are what its knobs begin with. Run the cell again after a change, and
# the new class takes the old one's place.


# %%
@register(weights={"share": SHARE, "lr": 3e-3}, batch_size=128)
class TopShare(AbstractBaseline):
    """A flow imitates the best share of each batch."""

    name: ClassVar = "topshare"
    knobs: ClassVar = {"share": "share of each batch that is imitated, best first", **RATES}
    followed: ClassVar = ("critic",)

    def networks(self, obs, act):
        flow = partial(Velocity, obs, act, **self.size)
        return {"actor": flow} | self.critic_and_value(obs, act)

    def terms(self):
        implicit = ImplicitValues(level=0.5)  # Q and V of the data's own actions
        return {"value": implicit.value_loss, "critic": implicit.critic_loss, "actor": self.actor_loss}

    def actor_loss(self, actor, state, batch, weights, *, key):
        advantage = values(state.nets["critic"], batch.x, batch.a) - jax.vmap(state.nets["value"])(batch.x)
        cut = jnp.quantile(advantage, 1 - jnp.clip(weights["share"], 0.0, 1.0))
        imitated = (advantage >= cut).astype(advantage.dtype)
        return flow_loss(actor, batch, key=key, weight=imitated), {"imitated": imitated.mean()}

    def act(self, state, x, budget, *, key):
        return decide_by_flow(state, x, budget, key=key)  # best of N samples, each of M_inf steps


# %% [markdown]
# ## Beside SORL
#
# From here on `topshare` is a name like `sorl`. Guess before you run it: where will each of the two act, and which of
# them earns more?

# %%
own = Trainer(TASK, agent="topshare", settings=NETWORK, name="own")
earned = float(own.problem.train.r.mean())  # by the data
weights = {"ql": 3.0, "fm": 10.0, "sc": 10.0, "lr": 5e-3}
sorl = Trainer(TASK, settings=NETWORK | {"m_btt": 2}, weights=weights, batch_size=128, name="sorl")
rewards = {"topshare": [], "sorl": []}
for trainer in (own, sorl):
    trainer.set(m_inf=2 if trainer is sorl else 8)
    for _ in range(REPORTS):
        trainer.start(FIRST // REPORTS)
        trainer.wait()
        rewards[trainer.branch.spec.agent].append(trainer.measure()["reward"])

# %% [markdown]
# A figure names and colours agents by themselves: SORL as in every figure here, yours in a colour that follows from its
# name and is none of the paper's.

# %%
with paper_style():
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    for agent, seen in rewards.items():
        steps = [FIRST // REPORTS * (i + 1) for i in range(REPORTS)]
        axes.plot(steps, seen, label=display_name(agent), **agent_style(agent))
    axes.axhline(earned, color=GREY, linewidth=0.8, linestyle=":", label="the data")
    axes.set(xlabel="updates", ylabel="mean reward of the policy", ylim=(0, 1))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure)
clouds = {"data": own.problem.held_out.a[:256], "topshare, 8 steps": own.cloud[0], "SORL, 2 steps": sorl.cloud[0]}
show(action_clouds(clouds, own.reward_grid))

# %% [markdown]
# **How to read it.** Our agent copies the cluster that pays; no gradient of $Q$ could lead it elsewhere. SORL's two
# steps are pulled by that gradient and held by what eight steps imitate; how far they go is what $w_{QL}$ says. That
# ours earns more here means little: this data holds the best action, one in eight times. Where it does not, there is
# nothing to copy.
#
# ## Its own slider
#
# `share` is an argument of the compiled update, like any weight. The panel of a trainer shows it without being told;
# here code turns it, in a branch: everything is imitated from now on.

# %%
own.fork(name="all of it")
own.set(share=1.0)
own.start(MORE)
own.wait()
display(Controls(own))
all_of_it = own.measure()
best_share = own.measure("main")
print(f"reward: {best_share['reward']:.2f} with the best eighth, {all_of_it['reward']:.2f} with all of it")

# %% [markdown]
# ## Its runs
#
# `record` writes what was trained here as a run; `train_run`, and `workbench train` in a terminal, write the same
# folders. A run's spec holds a hash of your class's source, and of the functions it uses. Change a line, and it is
# another run: never will a checkpoint be continued by code that is not its own. In a terminal the class comes from a
# file: `workbench train TASK --agent topshare --code FILE.py`, and likewise `evaluate` and `video`. Nothing is ever
# imported from a run's folder.

# %%
for trainer in (own, sorl):
    trainer.record("main", root=RUNS)
spec = own.branches["main"].spec
runs = list_runs(root=RUNS)
print("in the spec:", {name: sha256[:12] for name, sha256 in spec.code.items()})
display(runs[["hash", "task", "agent", "preset", "step", "done"]].style.hide())

# %% [markdown]
# ## A term in SORL
#
# A term is a function of **one** example, that is of one transition `row` and a key for noise. It may ask the actor
# (`actor(a_t, t, h, x)`) and the critic (`critic(x, a)`), and returns a number. SORL takes its mean over the batch and
# weighs it; the gradient goes to the actor alone. It has its own noise, so the other losses draw what they would
# without it.


# %%
@register_term("fence", weight=0.0, about="weight of the penalty on actions below the line")
def fence(actor, critic, row, *, key):
    """The squared depth below a_2 = 0 of an action of two steps."""
    a_0 = jax.random.normal(key, row.a.shape)
    a = euler_unrolled(actor, a_0, row.x, 2)
    return jnp.maximum(0.0, -a[1]) ** 2


# %% [markdown]
# `terms` switches it on. With weight 0, as it begins, training is the one from above to the last bit. Then a branch
# gets its fence. Guess: what becomes of the three clusters below the line, and of the two on it?

# %%
fenced = Trainer(
    TASK, settings=NETWORK | {"m_btt": 2, "terms": ("fence",)}, weights=weights, batch_size=128, name="fenced"
)
fenced.set(m_inf=2)
fenced.start(FIRST)
same = state_hash(fenced.result()) == state_hash(sorl.branch.state)
print("with weight 0 the state is that of SORL without it:", same)
fenced.set(lr=1e-3)
fenced.fork(name="fence", branch="main")
fenced.set(fence=FENCE)
fenced.start(MORE)
fenced.wait()

# %% [markdown]
# The term is a metric under its name, so a panel of the live view can show it. `Controls(fenced)` has its slider.

# %%
own_panel = Panel("fence", "loss_fence", "action², ∘ held-out", dots="val_fence")
view = LiveView(fenced, panels=(*PANELS[:2], own_panel, *PANELS[4:6]))
display(Controls(fenced))
display(Image(view.png(), width=980))
measured = {}
for branch in fenced.branches:
    fenced.select(branch)
    measured[branch] = fenced.measure() | {"below": float((fenced.cloud[0][:, 1] < -0.1).mean())}
columns = {"below": "share with a_2 < −0.1", "reward": "reward", "energy_m1": "distance, 1 step"}
display(pd.DataFrame(measured).T[list(columns)].rename(columns=columns).style.format("{:.2g}"))

# %% [markdown]
# **How to read it.** The fence empties the lower half for actions of one and two steps, and leaves little of the
# clusters on the line below it. Eight steps (the last cloud) still go there: flow matching teaches those what is in the
# data, and no weight of ours reaches them. So the two now disagree, and the self-consistency error says so. A term acts
# where it is written; whoever wants eight fenced steps writes eight into it.
#
# | do | expect |
# |---|---|
# | `share` of `topshare` from 0.125 to 0.4 | the two neighbours of the best cluster appear: the next best |
# | `share` up to 1 | all eight: plain imitation |
# | $w_{fence}$ slowly from 0 to 1000 | the clusters below thin out and move up; the self-consistency error grows |
# | 8 for 2 in `fence` | the clusters below thin out in the last cloud as well; updates take longer |
# | edit `fence`, run its cell and the next again | a new trainer takes the old one's place; its spec has another hash |
# | a typing error in `terms=("fense",)` | one sentence |
#
# ## What this notebook claims

# %%
assert all_of_it["reward"] < 0.25 < best_share["reward"], "the best share pays, all of it is what the data earns"
assert set(runs["agent"]) == {"sorl", "topshare"}, "a user's own agent is listed with the others"
assert list(spec.code) == ["agent topshare"], "its source is part of its run"
assert not sorl.branch.spec.code, "built-in agents have no such hash"
assert same, "a term of weight 0 changes no bit"
assert measured["fence"]["below"] < 0.5 * measured["main"]["below"], "the fence keeps actions above the line"
