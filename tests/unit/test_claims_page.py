"""The page of claims: every claim once, LaTeX that has no loose characters, and what is committed is what is drawn."""

import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.claim_tables import RIVALS, bound, cost, sorl, table
from workbench import gallery, published
from workbench.claims import CLAIMS
from workbench.plots.claims_page import HEADER, claims_text
from workbench.plots.text_table import SYMBOLS, markdown_table, tex
from workbench.studies.registry import STUDIES

FIGURES = Path(__file__).resolve().parents[2] / "figures"
TWO_CORES = pd.concat(
    [
        table(dict.fromkeys(RIVALS, 0.3) | {"sorl": 0.6, "fql": 0.35}),
        sorl({(8, 1, 1): 0.3, (8, 8, 4): 0.7, (8, 16, 1): 0.6, (1, 8, 1): 0.6}),
    ]
).reset_index(drop=True)
PAGES = {
    "empty": claims_text(published.aggregates(), pd.DataFrame(), pd.DataFrame(), pd.DataFrame()),
    "full": claims_text(published.aggregates(), cost(1.2), bound([0.2, 0.21], [0.1, 0.12]), TWO_CORES),
}


def lines(page: str) -> list[list[str]]:
    """Cells of the body of the Markdown table."""
    rows = [line for line in page.splitlines() if re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in rows]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_claim_is_listed_once(page):
    body = lines(page["md"])
    assert [line[1] for line in body] == [claim.text for claim in CLAIMS]
    assert {len(line) for line in body} == {len(HEADER)}
    for claim in CLAIMS:
        assert page["md"].count(claim.text) == 1
        assert page["tex"].count(tex(claim.text)) == 1


def test_without_tables_nothing_is_tested_and_the_page_is_whole():
    assert {line[7] for line in lines(PAGES["empty"]["md"])} == {"not tested here"}
    assert "0 of 9 claims were tested" in PAGES["empty"]["md"]


def test_a_row_has_its_numbers_scale_and_verdict():
    body = lines(PAGES["full"]["md"])
    assert body[0][3] == "SORL 60.0 %; best other FQL 35.0 %"
    assert body[0][4].startswith("+25.0 points [+")
    assert body[0][5:8] == [
        "2 seeds × 3 checkpoints × 100 episodes",
        "4×128, 200k updates, 1M rows of regenerated data, cube-single task 2, 2 seeds",
        "**holds**",
    ]
    assert body[1][7] == "not tested here"
    assert "8 of 9 claims were tested" in PAGES["full"]["md"]


def loose(text: str) -> list[str]:
    """Characters that LaTeX would read as its own, outside mathematics; a comment's line and alignment are meant."""
    return re.findall(r"(?<!\\)[%#_^~&]|[±×−]", re.sub(r"\$[^$]*\$", "", text.replace(r"\$", "")))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_latex_has_no_loose_characters(page):
    for line in page["tex"].splitlines():
        assert loose(line.removeprefix("%").replace(" & ", " ").removeprefix("& ")) == [], line
        assert line.count("{") - line.count(r"\{") == line.count("}") - line.count(r"\}"), line


@given(st.text(st.sampled_from("ab %&$#_{}~^\\<>|±×−")))
def test_plain_text_is_escaped(text):
    found = tex(text)
    assert loose(found.replace(r"\textasciitilde{}", "").replace(r"\textasciicircum{}", "")) == []
    assert found.count(r"\textbackslash{}") == text.count("\\")


def test_symbols_are_mathematics_where_they_stand_alone():
    assert tex("M_inf > M_BTT") == f"{SYMBOLS['M_inf']} $>$ {SYMBOLS['M_BTT']}"
    assert tex("M_inference, best_W2x") == r"M\_inference, best\_W2x"


def test_a_bar_in_a_cell_is_no_column():
    assert markdown_table(["a", "b"], [["x|y", "z"]], text=True)[-1] == r"| x\|y | z |"


def test_figures_and_studies_of_claims_exist():
    for claim in CLAIMS:
        assert claim.figure in gallery.GALLERY
        assert claim.study in STUDIES or claim.study in gallery.GALLERY["claims"].optional


def test_the_committed_page_is_what_is_drawn_from_the_committed_tables():
    tables = [table for table in gallery.tables_of(FIGURES, "claims") if isinstance(table, pd.DataFrame)]
    for suffix, text in claims_text(*tables).items():
        assert (FIGURES / f"claims.{suffix}").read_text() == text
