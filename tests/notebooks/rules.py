"""How a tutorial is written: text before each piece of code, short cells, short definitions."""

import ast

import nbformat

LONGEST_CELL = 20
LONGEST_DEFINITION = 5


def definitions(source: str) -> dict[str, int]:
    """Lines of every function and class of a cell, from `def` or `class` to the last of its body."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes}


def violations(notebook: nbformat.NotebookNode) -> list[str]:
    """One sentence for each cell that breaks a rule."""
    found = []
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        if i == 0 or cells[i - 1].cell_type != "markdown":
            found.append(f"cell {i} has no text before it.")
        lines = len(cell.source.splitlines())
        if lines > LONGEST_CELL:
            found.append(f"cell {i} has {lines} lines, more than {LONGEST_CELL}.")
        for name, length in definitions(cell.source).items():
            if length > LONGEST_DEFINITION:
                found.append(f"{name} in cell {i} has {length} lines, more than {LONGEST_DEFINITION}.")
    if "assert " not in next((cell.source for cell in reversed(cells) if cell.cell_type == "code"), ""):
        found.append("the last piece of code asserts nothing.")
    return found
