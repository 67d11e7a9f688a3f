"""Messages to the browser from threads that answer no request of it."""

import sys


def answer_nobody() -> None:
    """Let what this thread sends from now on name no request that it answers; without a kernel, nothing.

    A thread without a request of its own borrows the last one that the kernel handled. ipykernel 7.4 remembers the
    subshell of that request as the place where the widget's replies go; after a page was reloaded it may be one that
    JupyterLab has deleted, and then every message of the widget is refused ("Unknown subshell_id").
    Call it first in a thread that touches widgets.
    """
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython else None
    parent = getattr(kernel, "_shell_parent", None)  # a ContextVar, so of this thread alone; there is no public way
    if parent is not None:
        parent.set({})
