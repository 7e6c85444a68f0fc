"""On what something was measured: the machine, and the versions of what ran on it."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

#: Of this project's environment.
PACKAGES = ("duckdb", "dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "pandera", "ibis-framework", "pandas")

_ASK = """
import importlib.metadata, json, platform, sys
print(json.dumps({"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in sys.argv[1:]}}))
"""


def machine() -> dict[str, str | int]:
    """Processor, cores that may be used, memory in GB, operating system."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Package → version, of this environment."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def versions_of(python: Path | str, packages: Iterable[str]) -> dict[str, str]:
    """The same of another environment."""
    done = subprocess.run([str(python), "-c", _ASK, *packages], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def header(environments: dict[str, dict[str, str]]) -> str:
    """The machine and the versions, for a person.

    Args:
        environments: name → its versions; this project's is `""`.
    """
    found = machine()
    lines = [f"{found['processor']}, {found['cores']} cores, {found['memory_gb']} GB, {found['system']}."]
    for name, those in environments.items():
        listed = ", ".join(f"{package} {version}" for package, version in those.items())
        lines.append(f"{name}: {listed}." if name else f"{listed[0].upper()}{listed[1:]}.")
    return "  \n".join(lines) + "\n"


if __name__ == "__main__":
    print(header({"": versions()}), file=sys.stdout)
