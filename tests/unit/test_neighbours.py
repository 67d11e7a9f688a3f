"""W2 on real actions: neighbours by brute force, and policies whose distance from the behaviour is known."""

import numpy as np
import pytest

from tests.unit.problems import random_data
from workbench.data.dataset import Dataset, Provenance
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.theory.neighbours import VARIANTS, ActionSets, action_sets, compare

EPISODES, LENGTH = 120, 10
NOISE = 0.1


def behaviour(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Actions of the data: two modes whose place depends on x."""
    side = rng.choice([-0.4, 0.4], x.shape[:-1])
    mean = np.stack([side, 0.3 * x[..., 0]], axis=-1)
    return mean + NOISE * rng.normal(size=mean.shape)


def collected(act=behaviour, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (EPISODES * LENGTH, 2))
    ones = np.ones(len(x), np.float32)
    valid = np.arange(len(x)) % LENGTH != LENGTH - 1
    actions = act(x, rng).astype(np.float32)
    return Dataset.build(x.astype(np.float32), actions, -ones, ones, valid, Provenance("arrays", "two modes"))


def sets_of(data: Dataset, k: int = 32, queries: int = 60) -> ActionSets:
    rng = np.random.default_rng(1)
    return action_sets(data, rng.uniform(-1, 1, (queries, data.obs)).astype(np.float32), k, rng=rng)


@pytest.fixture(scope="module")
def sets() -> ActionSets:
    return sets_of(collected())


def test_neighbours_are_the_nearest_of_each_episode():
    data = random_data(rows=400, obs=3)
    stretched = np.asarray(data.x) * np.array([1.0, 50.0, 0.0], np.float32)
    a, r, mask = (np.asarray(each) for each in (data.a, data.r, data.mask))
    scaled = Dataset.build(stretched, a, r, mask, np.arange(400) % 20 != 19, data.provenance)
    x = np.asarray(scaled.x)[:5] + np.array([0.1, 5.0, 0.0], np.float32)
    found = action_sets(scaled, x, 6, rng=np.random.default_rng(0))
    rows = np.asarray(scaled.index)
    unit = np.asarray(scaled.x)[rows][:, :2].std(axis=0)
    for i, each in enumerate(x):
        distance = np.linalg.norm((np.asarray(scaled.x)[rows] - each)[:, :2] / unit, axis=1)
        best = sorted((distance[rows // 20 == e].min(), e) for e in range(20))[:6]
        nearest = [rows[rows // 20 == e][distance[rows // 20 == e].argmin()] for _, e in best]
        np.testing.assert_array_equal(
            np.unique(found.a_near[i], axis=0), np.unique(np.asarray(data.a)[nearest], axis=0)
        )
        assert found.radius[i] == pytest.approx(best[-1][0], rel=1e-5)


def test_the_behaviour_itself_has_nothing_left(sets):
    rng = np.random.default_rng(2)
    found = [compare(sets, behaviour(sets.x_near, rng)) for _ in range(5)]
    squares = np.mean([each.between - (each.data + each.policy) / 2 for each in found], axis=0)
    assert abs(squares.mean()) < 3 * squares.std() / np.sqrt(len(squares))
    ratio = np.mean([each.between.mean() for each in found]) / found[0].data.mean()
    assert ratio == pytest.approx(1.0, abs=0.1)
    excess = found[0].excess()
    assert excess.low < 0.06
    assert excess.n == 60
    assert excess.kind == "95 % percentile bootstrap over 60 held-out observations (2000 resamples, seed 0)"


@pytest.mark.parametrize("size", [0.2, 1.0])
def test_a_moved_policy_is_as_far_as_it_was_moved(sets, size):
    rng = np.random.default_rng(3)
    shift = size * np.array([0.6, 0.8])
    found = compare(sets, behaviour(sets.x_near, rng) + shift).excess()
    assert found.value == pytest.approx(size, abs=0.04)
    assert found.low < size < found.high
    assert compare(sets, sets.a_near + shift).excess().value == pytest.approx(size, abs=0.03)


def test_a_policy_that_spreads_too_little_is_seen(sets):
    """One action an observation, the mean: its own spread is less than the data's, and that is counted against it."""
    mean = np.stack([np.zeros(sets.x_near.shape[:2]), 0.3 * sets.x_near[..., 0]], axis=-1)
    found = compare(sets, mean)
    assert found.policy.mean() < found.data.mean()
    assert found.excess().low > 0.2


def test_one_mode_of_two_is_seen(sets):
    actions = behaviour(sets.x_near, np.random.default_rng(4))
    actions[..., 0] = np.abs(actions[..., 0])
    assert compare(sets, actions).excess().low > 0.3


def test_only_at_the_neighbours_is_the_radius_shared():
    """The behaviour a = x, exactly: at the neighbours nothing is left, at x the spread of the neighbours is."""
    sets = sets_of(collected(lambda x, rng: x))
    fair, at_x = (compare(sets, sets.policy_observations(variant)) for variant in VARIANTS)
    np.testing.assert_allclose(fair.between.mean(), fair.data.mean(), rtol=0.2)
    assert abs(fair.excess().value) < at_x.excess().value
    apart = np.linalg.norm(sets.x_near - sets.x[:, None], axis=-1) ** 2
    np.testing.assert_allclose(at_x.between, apart.mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(at_x.policy, 0.0)


def test_halves_are_random_and_repeatable():
    data = collected()
    one, same = sets_of(data, queries=200), sets_of(data, queries=200)
    np.testing.assert_array_equal(one.a_near, same.a_near)
    distance = np.linalg.norm(one.x_near - one.x[:, None], axis=-1)
    near, far = distance[:, :16].mean(axis=1), distance[:, 16:].mean(axis=1)
    assert 0.4 < np.mean(near < far) < 0.6


def test_what_cannot_be_halved_or_found_is_refused(sets):
    x = np.zeros((1, 2), np.float32)
    for k in (0, 3, EPISODES + 2):
        with pytest.raises(WorkbenchError, match=f"{k} neighbours"):
            action_sets(collected(), x, k, rng=np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="did you mean at x"):
        sets.policy_observations("at_x")
