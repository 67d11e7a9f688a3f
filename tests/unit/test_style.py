"""The look of agents: one style each, apart for any eye and in print, the same under any spelling."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from workbench.plots.style import (
    AGENTS,
    FAMILIES,
    OWN_COLOURS,
    agent_style,
    count_series,
    display_name,
    in_order,
    published_style,
)

# Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as a dichromat sees it.
EYES = {
    "common": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
NOTICEABLE = 15.0
"""Distance in CIELAB that a reader sees at a glance in a thin line; 2.3 is just noticeable side by side."""


def lab(colour: str, eye: str) -> Float[np.ndarray, "3"]:
    """CIELAB of a hex colour as an eye sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(EYES[eye]) @ linear, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eye", EYES)
def test_colours_are_apart_for_every_eye(eye: str) -> None:
    for (one, (a, *_)), (other, (b, *_)) in combinations(AGENTS.items(), 2):
        assert np.linalg.norm(lab(a, eye) - lab(b, eye)) > NOTICEABLE, (one, other)


def test_dashes_and_markers_alone_tell_agents_apart() -> None:
    for part in (1, 2):
        assert len({str(style[part]) for style in AGENTS.values()}) == len(AGENTS) == 11


def test_every_agent_has_one_family_in_the_order_of_the_palette() -> None:
    assert [agent for members in FAMILIES.values() for agent in members] == list(AGENTS)


@pytest.mark.parametrize(
    ("spelt", "shown"), [("sorl", "SORL"), ("rebrac", "ReBRAC"), ("FQL", "FQL"), ("my-agent", "my-agent")]
)
def test_names_are_shown_as_papers_write_them(spelt: str, shown: str) -> None:
    assert display_name(spelt) == shown
    assert agent_style(spelt) == agent_style(shown)


@given(st.text(min_size=1))
def test_a_users_agent_looks_like_itself_and_like_none_of_the_eleven(name: str) -> None:
    style = agent_style(name)
    assert style == agent_style(name)
    if display_name(name) not in AGENTS:
        assert style["color"] in OWN_COLOURS
        for colour, dash, marker in AGENTS.values():
            assert style["color"] != colour
            assert style["linestyle"] != dash
            assert style["marker"] != marker


def test_a_count_looks_the_same_beside_any_others() -> None:
    few, many = count_series((1, 4, 32)), count_series((32, 16, 8, 4, 2, 1, 1))
    assert list(few) == [1, 4, 32]
    assert all(few[count] == many[count] for count in few)
    odd = count_series((1, 3, 5))
    assert len({style["color"] for style in odd.values()}) == 3


def test_agents_of_a_user_differ_from_each_other() -> None:
    styles = {str(agent_style(name)) for name in ("sorl-wide", "sorl-deep", "mine", "baseline2")}
    assert len(styles) == 4


def test_published_values_are_hollow_marks_of_the_same_colour() -> None:
    ours, theirs = agent_style("IQL"), published_style("IQL")
    assert theirs["markeredgecolor"] == ours["color"] == theirs["color"]
    assert theirs["marker"] == ours["marker"]
    assert theirs["markerfacecolor"] == "white"
    assert theirs["linestyle"] == "none"


def test_agents_come_by_family_then_the_users_own() -> None:
    assert in_order(["zeta", "sorl", "FQL", "alpha", "bc", "sorl"]) == ["bc", "FQL", "sorl", "alpha", "zeta"]
