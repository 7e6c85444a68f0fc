"""SQLMesh through its Python interface, as its command does it; runs in SQLMesh's environment.

    python -m benchmarks.peers.sqlmesh.drive plan|run|serve FOLDER

What is new is what has landed on the days before the one in `FOLDER/today.txt`.
"""

import sys
from pathlib import Path

from sqlmesh import Context

from benchmarks.serve import serve


def _today(folder: Path) -> str:
    return (folder / "today.txt").read_text(encoding="utf-8")


def plan(folder: Path) -> None:
    """Make all models."""
    Context(paths=str(folder)).plan(execution_time=_today(folder), no_prompts=True, auto_apply=True)


def run(context: Context, folder: Path) -> None:
    """Make what is new of them."""
    status = context.run(execution_time=_today(folder))
    if status.is_failure:
        raise RuntimeError(f"the run ended as {status}")


def main() -> None:
    """The command."""
    action, folder = sys.argv[1], Path(sys.argv[2])
    if action == "plan":
        plan(folder)
        return
    context = Context(paths=str(folder))
    if action == "run":
        run(context, folder)
    else:
        serve({"refresh": lambda: run(context, folder)})


if __name__ == "__main__":
    main()
