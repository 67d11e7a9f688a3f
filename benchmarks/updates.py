"""How long is one update, and what share of the machine's matrix-product rate does it reach?

Prints JSON: the table `updates` of `workbench study runtime`, measured anew.
"""

import json

from workbench.store.folder import environment
from workbench.studies.runtime import update_times

if __name__ == "__main__":
    print(json.dumps({"environment": environment(), "updates": update_times().to_dict("records")}, indent=2))
