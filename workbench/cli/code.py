"""Files of a user's own that a command runs first, as they register agents, loss terms and such: `--code FILE.py`."""

import sys
import traceback
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from workbench.errors import WorkbenchError


def run_files(paths: Sequence[Path]) -> None:
    """Run Python files as modules of their own, in order.

    Raises `WorkbenchError` for a file that is missing or fails; what it raises itself for a user to mend goes through.
    """
    for path in paths:
        spec = spec_from_file_location(f"own_code_{path.stem}", path)
        if not path.is_file() or path.suffix != ".py" or spec is None or spec.loader is None:
            raise WorkbenchError(f"there is no Python file {path}: --code takes files whose names end in .py.")
        module = sys.modules[spec.name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except WorkbenchError:
            raise
        except Exception as error:
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
            where = f"{path}, line {lines[-1] if lines else getattr(error, 'lineno', '?')}"
            raise WorkbenchError(f"{where}: {type(error).__name__}: {error}; mend it, then try again.") from error
