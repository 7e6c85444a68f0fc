"""A warm process that has loaded nothing, and whose forked processes do nothing: FOLDER IDLE_SECONDS."""

import sys
from pathlib import Path

from staged_assets.refresh.warm_home import WarmHome, send
from staged_assets.refresh.warm_process import WarmProcess

if __name__ == "__main__":
    home = WarmHome(Path(sys.argv[1]))
    home.prepare()
    WarmProcess(
        home, "loaded", float(sys.argv[2]), lambda connection, request: send(connection, {"forked": True}) or 0
    ).serve(lambda: print("ready", flush=True))
