"""The simulated operation goes on for as long as each of its events needs, and nothing is amiss."""

from pathlib import Path

from benchmarks import soak
from benchmarks.living_systems import LivingSystems
from staged_assets_tests.command_line import share_parsed_project


def test_a_short_course_ends_as_a_full_refresh_does(shared_home: Path, tmp_path: Path) -> None:
    scene = LivingSystems(tmp_path)
    share_parsed_project(shared_home, scene.settings)
    found = soak.measure(0, print, scene)
    assert soak.is_good(found), found
    assert {"daemon killed", "checks of a whole table", "batch runs by the web UI"} <= found["done"].keys()
    assert found["rows"]["quarantine_sales"] == 1
