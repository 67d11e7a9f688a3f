"""How a tutorial is written: text before each piece of code, short cells, short definitions.

One exception: an agent or a loss of a user's own, registered where it is written, is what a tutorial teaches to write.
It may have forty lines, as notebook 09 promises, and its cell holds nothing else.
"""

import ast

import nbformat

LONGEST_CELL = 20
LONGEST_DEFINITION = 5
LONGEST_LESSON = 40


def definitions(source: str) -> dict[str, int]:
    """Lines of every function and class of a cell, from `def` or `class` to the last of its body."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes}


def is_lesson(source: str) -> bool:
    """Whether a cell is one definition that registers itself, and nothing else."""
    match ast.parse(source).body:
        case [ast.ClassDef(decorator_list=[call, *_]) | ast.FunctionDef(decorator_list=[call, *_])]:
            return ast.unparse(call).startswith("register")
    return False


def violations(notebook: nbformat.NotebookNode) -> list[str]:
    """One sentence for each cell that breaks a rule."""
    found = []
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        if i == 0 or cells[i - 1].cell_type != "markdown":
            found.append(f"cell {i} has no text before it.")
        lines, lesson = len(cell.source.splitlines()), is_lesson(cell.source)
        longest = LONGEST_LESSON if lesson else LONGEST_CELL
        if lines > longest:
            found.append(f"cell {i} has {lines} lines, more than {longest}.")
        if lesson:
            continue
        for name, length in definitions(cell.source).items():
            if length > LONGEST_DEFINITION:
                found.append(f"{name} in cell {i} has {length} lines, more than {LONGEST_DEFINITION}.")
    if "assert " not in next((cell.source for cell in reversed(cells) if cell.cell_type == "code"), ""):
        found.append("the last piece of code asserts nothing.")
    return found
