"""Another launcher, in a process of its own, as the web server is beside the daemon: launches one run, says which."""

import sys
from pathlib import Path

from staged_assets_tests.refresh.warm_area import WarmArea

if __name__ == "__main__":
    print(WarmArea(Path(sys.argv[1])).launch())
