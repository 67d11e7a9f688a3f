"""How controls and settings are called in the text, by their names in code."""

SYMBOLS = {
    "ql": "w_QL",
    "fm": "w_FM",
    "sc": "w_SC",
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "tau": "τ",
    "m_inf": "M_inf",
    "n": "N",
    "m_disc": "M_disc",
    "m_btt": "M_BTT",
}
"""What has no symbol is called by its name. After an underscore comes a subscript."""


def symbol(name: str) -> str:
    """The symbol of a control or a setting."""
    return SYMBOLS.get(name, name)
