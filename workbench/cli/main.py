"""The entry point of `workbench`: imports the module of one command, runs it, and turns errors into exit codes."""

import ast
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import tyro

from workbench import __version__
from workbench.errors import Note, WorkbenchError
from workbench.guards import refusal

Commands: TypeAlias = Mapping[str, "str | Commands"]

COMMANDS: Commands = {
    "quickstart": "workbench.cli.quickstart:Quickstart",
    "doctor": "workbench.cli.doctor:Doctor",
    "train": "workbench.cli.train:Train",
    "evaluate": "workbench.cli.evaluate:Evaluate",
    "video": "workbench.cli.video:Video",
    "replay": "workbench.cli.replay:Replay",
    "study": "workbench.cli.study:StudyCommand",
    "figures": "workbench.cli.figures:Figures",
    "bench": "workbench.cli.bench:Bench",
    "runs": "workbench.cli.runs:Runs",
    "policies": "workbench.cli.policies:Policies",
    "pack": "workbench.cli.policies:Pack",
    "sweep": "workbench.cli.sweep:SweepCommand",
    "tasks": "workbench.cli.tasks:Tasks",
    "data": {
        "list": "workbench.cli.data:List",
        "fetch": "workbench.cli.data:Fetch",
        "make": "workbench.cli.data:Make",
        "check": "workbench.cli.data:Check",
        "info": "workbench.cli.data:Info",
    },
}
"""Every command as `module:Class`, groups as nested mappings. A new command is one line here."""

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    0: done. 1: what was checked has a defect. 2: an error the user can mend, or a wrong command line. 130: Ctrl-C.
    Other codes belong to subclasses of `WorkbenchError`. Raises `SystemExit` for help and wrong command lines.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a pipe or terminal in latin-1 or ascii lacks some signs
    try:
        with _notes_in_a_line():
            code = _parse(list(sys.argv[1:] if argv is None else argv)).run()
        sys.stdout.flush()
        return code
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as stop:
        print(f"workbench: {str(stop) or 'interrupted.'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; without this Python complains again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        words = refusal(error)
        if words is None:
            raise
        print(f"workbench: {words}.", file=sys.stderr)
        return WorkbenchError.exit_code


@contextmanager
def _notes_in_a_line() -> Iterator[None]:
    """Print a `Note` as a line of its own, without the place in the source that warnings name."""
    with warnings.catch_warnings():
        other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, Note):
                print(f"workbench: note: {message}", file=sys.stderr)
            else:
                other(message, category, *rest)

        warnings.showwarning = show
        yield


def _parse(args: list[str]) -> Any:
    """Walk the groups, then let tyro build the command's dataclass from the rest of the line."""
    entry, words = COMMANDS, ["workbench"]
    while not isinstance(entry, str):
        if args == ["--version"]:
            print(f"workbench {__version__}")
            raise SystemExit(0)
        if not args or args[0] not in entry:
            _explain(entry, words, args)
        words.append(args.pop(0))
        entry = entry[words[-1]]
    module, name = entry.split(":")
    command = getattr(import_module(module), name)
    return tyro.cli(command, prog=" ".join(words), args=args, config=(tyro.conf.FlagCreatePairsOff,))


def _explain(group: Commands, words: list[str], args: list[str]) -> None:
    """Help for a group, or tyro's message about a command that is not in it; always leaves by `SystemExit`."""
    commands = {name: _placeholder(_summary(entry)) for name, entry in group.items()}
    about = "Train, steer and analyse offline RL with shortcut models." if group is COMMANDS else _summary(group)
    # Only the first word is wrong; what follows it would blur the message.
    tyro.extras.subcommand_cli_from_dict(commands, prog=" ".join(words), description=about, args=args[:1])
    raise SystemExit(2)


def _placeholder(summary: str) -> Callable[[], None]:
    def command() -> None: ...

    command.__doc__ = summary
    return command


def _summary(entry: "str | Commands") -> str:
    """First line of a command's docstring (of its module's for a group), read without importing it."""
    if not isinstance(entry, str):
        return _docstring(_first(entry).split(":")[0])
    return _docstring(*entry.split(":"))


def _first(group: Commands) -> str:
    entry = next(iter(group.values()))
    return entry if isinstance(entry, str) else _first(entry)


def _docstring(module: str, name: str | None = None) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name] if name else [tree]
    return (ast.get_docstring(nodes[0]) or "").partition("\n")[0] if nodes else ""


if __name__ == "__main__":
    sys.exit(main())
