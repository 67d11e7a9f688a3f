# %% [markdown]
# # From flow matching to shortcut models
#
# **Question.** A Gaussian policy has one mode, and data from many people has several. Flow matching turns noise into
# any distribution, but in many small steps. Why are the steps small? What goes wrong with one large step, and what has
# a network to be told so that it can take one?
#
# You need to know what a policy is, and nothing about flows.

# %% [markdown]
# ## The equations
#
# Draw noise $a_0 \sim \mathcal N(0, I)$ and an action $a_1$ of the data, and walk from one to the other in a straight
# line at constant speed, from $t = 0$ to $t = 1$:
#
# $$a_t = (1-t)\,a_0 + t\,a_1, \qquad \tfrac{d}{dt} a_t = a_1 - a_0.$$
#
# When we act there is no $a_1$ to walk to. A point $z$ at time $t$ lies on many such lines, to different actions, and
# all that can be known is the **mean** of their velocities:
#
# $$u_t(z) = \mathbb E[\,a_1 - a_0 \mid a_t = z\,].$$
#
# Why this is worth having: noise that follows $\tfrac{d}{dt} z_t = u_t(z_t)$ is, at every time, distributed as $a_t$
# is. At $t = 1$ it is distributed as the data. **Flow matching** learns $u$ by least squares, for the mean is what
# least squares finds: $L_{FM} = \lVert s(a_t, t) - (a_1 - a_0) \rVert^2$. To act, follow it in $M$ **Euler steps**,
# $a_{t+h} = a_t + h\,s(a_t, t)$ with $h = 1/M$.

# %% [markdown]
# ## Imports

# %%
import os
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from workbench.agents.presets import preset
from workbench.compile_cache import enable_compile_cache
from workbench.data.load import load_data
from workbench.data.toy import toy
from workbench.flow import euler_path
from workbench.plots.flows import flow_paths
from workbench.plots.samples import action_clouds
from workbench.plots.show import show
from workbench.theory import wasserstein_2
from workbench.train import init_seeds, one_seed, train_chunk

# %% [markdown]
# ## Controls
#
# With `WORKBENCH_SCALE=smoke` in the environment all is small, for tests. The first line keeps compiled programs on
# disk, so that this notebook starts sooner the second time.

# %%
enable_compile_cache()
SMOKE = os.environ.get("WORKBENCH_SCALE") == "smoke"
TOY = "eight_gaussians"  # or "grid", "tilted"
STAGES = ((600, 5e-3),) if SMOKE else ((4000, 5e-3), (1500, 1e-3), (1500, 2e-4))  # updates, and their learning rate
W_SC = 10.0  # weight of self-consistency, once we add it; that of flow matching is 10
M_DISC = 8  # the smallest step that a network is taught is 1/M_DISC
M_INF = (1, 2, 4, 8)  # steps to act in
DRAWS, PATHS = (200, 20) if SMOKE else (1000, 60)  # actions, and how many of their paths are drawn

# %% [markdown]
# ## The problem
#
# Actions are points in the plane, in eight narrow clusters on a circle, and the observation is constant. We measure how
# well a policy imitates them by the **Wasserstein distance** $W_2$ between its actions and held-out data: the least
# root mean square distance by which the one cloud must be moved to become the other. It is in action units, and the
# circle has a radius of 0.7. Two clouds of the same distribution do not coincide, so $W_2$ has a floor, the first
# number below. The second is that of a policy that has learned nothing and acts on clipped noise.

# %%
data, held_out = load_data(f"toy:{TOY}")
x = data.x[0]
mixture = toy(TOY).mixture_at(x)
noise = jax.random.normal(jax.random.key(1), (DRAWS, 2))


def w2(actions):
    return wasserstein_2(np.asarray(actions), np.asarray(held_out.a[:DRAWS]))


floor, start = w2(held_out.a[DRAWS : 2 * DRAWS]), w2(jnp.clip(noise, -1, 1))
print(f"W2 of data and data: {floor:.2f}; of clipped noise and data: {start:.2f}")

# %% [markdown]
# ## The exact velocity, in few steps
#
# For a mixture of Gaussians the mean over all lines has a closed form, so before any network learns anything we can ask
# whether the *perfect* flow can be followed in few steps. `walk` takes $M$ Euler steps from each draw of noise and
# keeps every point on the way. A velocity is called as $s(a_t, t, h, x)$ everywhere in this workbench; the exact one
# ignores the step size $h$. "Exact flow" is the same velocity in 256 steps.


# %%
@eqx.filter_jit
def walk(s, m):
    points = jax.vmap(lambda a_0: euler_path(s, a_0, x, m)[0])(noise)
    return points.at[:, -1].set(jnp.clip(points[:, -1], -1, 1))  # an action is legal


def table(m, points):
    names = ["path", "t"]
    where = pd.MultiIndex.from_product([range(DRAWS), np.linspace(0, 1, points.shape[1])], names=names)
    return pd.DataFrame(np.reshape(points, (-1, 2)), where, ["a_1", "a_2"]).assign(m_inf=m).reset_index()


def show_paths(s, steps, title):
    paths = pd.concat([exact_flow, *(table(m, walk(s, m)) for m in steps)]).assign(seed=0, step=0)
    figure = flow_paths(paths[paths["t"] == 1], paths[paths["path"] < PATHS])
    figure.suptitle(f"{title}. Above: {PATHS} draws of noise. Below: {DRAWS:,} actions a panel.", fontsize="small")
    show(figure)


# %% [markdown]
# Before you run the next cell, guess where *one* step of size 1 leads, from a thousand draws of noise.


# %%
def exact(a_t, t, h, x):
    return mixture.velocity(a_t, t)


exact_flow = table(0, walk(exact, 256)[:, ::8])
ends = {m: walk(exact, m)[:, -1] for m in M_INF}
distance = {"exact velocity": [w2(a) for a in ends.values()]}
print("one step: mean", ends[1].mean(axis=0).round(2), "standard deviation", ends[1].std(axis=0).round(2))
show_paths(exact, [m for m in M_INF if m > 1], "Exact velocity, $M$ Euler steps from the same noise")

# %% [markdown]
# **How to read it.** In the upper row each thread runs from noise (grey) to an action (orange), darker as time goes on,
# with a dot at each step; pale orange is where the data is. The lower row shows how dense the actions are.
#
# - *One step* needs no panel: all noise lands on one point, where there is no data at all. At $t = 0$ the noise says
#   nothing about the action it will become, so $u_0(z) = \mathbb E[a_1] - z$, and $z + 1 \cdot u_0(z)$ is the **mean of
#   the data**. Ask for everything at once and you get the average, as from a Gaussian policy.
# - *Two steps* go half of the way to the mean before they look again, and end in a disc around it. *Four* reach the
#   circle blurred, *eight* nearly find the clusters, with threads between them.
# - *The exact flow* brakes and bends: it, too, sets out for the mean, and turns to a cluster late, where the threads
#   are dark. An Euler step leaves the curve along its tangent, and the longer the step, the further.
#
# So small steps are not a failure of learning. The velocity is right; it is the velocity **at this moment** that is the
# wrong thing to follow for long.

# %% [markdown]
# ## Learn the velocity: flow matching
#
# The agent is SORL's `small` preset, narrower and one layer deeper for two dimensions. Its Q loss has no weight in this
# notebook, so that it imitates and the critic has no say; with `sc=0.0` it is plain flow matching. It is taught about
# $h = 1/8$ only, so we call it with that, however large the step we take: that is `Finest`. (A thousand updates take
# some three seconds, once compiled.)

# %%
sorl = preset("sorl", "small", "toy")
agent = replace(sorl.agent, width=64, depth=3, m_disc=M_DISC, m_btt=1, ensemble=1)
weights = replace(sorl.weights, ql=0.0)


def train(sc):
    state = init_seeds(agent, data.example(), seeds=(0,))
    for updates, lr in STAGES:
        state, _ = train_chunk(agent, data, replace(weights, sc=sc, lr=lr), state, updates, batch_size=128)
    return one_seed(state.nets["actor"])  # the first and only one


class Finest(eqx.Module):
    s: eqx.Module

    def __call__(self, a_t, t, h, x):
        return self.s(a_t, t, jnp.asarray(1 / M_DISC), x)


# %% [markdown]
# First the flow alone.

# %%
flow = Finest(train(sc=0.0))
actions = {m: walk(flow, m)[:, -1] for m in M_INF}
distance["flow"] = [w2(a) for a in actions.values()]
clouds = {"other data": held_out.a[DRAWS : 2 * DRAWS]} | {f"$M = {m}$": a for m, a in actions.items()}
show(action_clouds({f"{name}\n$W_2$ {w2(a):.2f}": np.asarray(a) for name, a in clouds.items()}))
print("one step: mean", actions[1].mean(axis=0).round(2), "standard deviation", actions[1].std(axis=0).round(2))

# %% [markdown]
# **How to read it.** The network behaves as the exact velocity does: eight steps imitate the data, four round the
# clusters off to a ring, two fill a disc, and one collapses on the mean. In $W_2$, one step is further from the data
# than clipped noise is.
#
# ## Tell the network how far it goes: a shortcut model
#
# Let $s(a_t, t, h)$ be not the velocity at $t$ but the **mean velocity from $t$ to $t + h$**: the step that lands where
# the curve will be. Where does it learn that from, when no data says where curves go? From itself: one step of size
# $2h$ must land where two steps of size $h$ do.
#
# $$L_{SC} = \lVert s(a_t, t, 2h) - \mathrm{stopgrad}\,\tfrac12[s(a_t, t, h) + s(a_{t+h}, t+h, h)]\rVert^2,
#   \qquad a_{t+h} = a_t + h\,s(a_t, t, h)$$
#
# Flow matching teaches $h = 1/8$ from data; self-consistency teaches 1/4 from 1/8, 1/2 from 1/4 and 1 from 1/2, all at
# the same time. The network, its size and its seed are the same; one weight is no longer 0.

# %%
shortcut = train(sc=W_SC)
distance["flow, told $h$"] = [w2(walk(flow.s, m)[:, -1]) for m in M_INF]
distance["shortcut"] = [w2(walk(shortcut, m)[:, -1]) for m in M_INF]
show_paths(shortcut, M_INF, "Shortcut model: the same network in $M$ steps, same noise")

# %% [markdown]
# **How to read it.** All step counts now end in the same places. One step leads past the mean to the circle, from each
# draw of noise to about the place that eight steps reach from it, if a little less sharply. The threads between the
# clusters have stayed: eight steps leave them too, and one step can know nothing better than eight.
#
# ## The numbers

# %%
distances = pd.DataFrame(distance, index=pd.Index(M_INF, name="M")).T.rename_axis("W2 to held-out data")
distances.round(2)

# %% [markdown]
# **How to read it.** The learned flow follows the exact velocity, error for error. The shortcut model is near the
# floor in every column. "Flow, told $h$" is the flow network asked for steps of size $1/M$, which it has never heard
# of: better than the mean, by accident, and still wrong; being *told* the step is not enough, it has to be *taught*.
#
# ## Try
#
# Change a control, then choose *Run All*.
#
# | change | expect |
# |---|---|
# | `W_SC = 0.1` | large steps learn too slowly to catch up: $W_2$ is 0.24 in one step, in eight 0.11 as before |
# | `M_DISC = 2` | one step is as good as two, and two have nothing better to copy than the exact velocity: 0.45 |
# | `M_DISC = 32` | nothing gained, for eight exact steps are already at the floor: 0.13 in one step |
# | `M_INF = (1, 3, 8, 16)` | 3 was never taught but lies between 2 and 4: 0.13; 16 lies beyond all: 0.15 |
# | `TOY = "tilted"` | three long clusters of unequal weight: 0.14 in any number of steps, floor 0.05 |
#
# Next: `02_self_consistency_seen` looks inside $L_{SC}$.
#
# ## What this notebook claims
#
# About the controls as they came.

# %%
w_2, few, many = distances.to_dict("index"), M_INF[0], M_INF[-1]
mean = np.exp(mixture.log_weight) @ mixture.mean
assert np.allclose(ends[few], mean, atol=1e-4), "one exact step lands at the mean"
assert np.abs(actions[few] - mean).mean() < (0.3 if SMOKE else 0.1), "one step of the learned flow lands near it"
assert w_2["exact velocity"][few] > 3 * w_2["exact velocity"][many], "fewer steps, further away"
assert w_2["shortcut"][few] < w_2["flow"][few] / 2, "self-consistency makes one step worth taking"
assert SMOKE or w_2["shortcut"][few] < w_2["shortcut"][many] + 0.05, "and as good as eight, or nearly"
assert SMOKE or w_2["shortcut"][many] < w_2["flow"][many] + 0.05, "which it does not spoil"
