"""The five rules as a Soda scan of the table in DuckDB."""

from collections.abc import Callable
from pathlib import Path

from soda.scan import Scan

from benchmarks.validation_ways import METHODS, connect

_CHECKS = f"""
checks for stg_sales:
  - missing_count(sale_id) = 0
  - duplicate_count(sale_id) = 0
  - invalid_count(payment_method) = 0:
      valid values: [{", ".join(METHODS)}]
  - invalid_count(country_code) = 0:
      valid regex: ^[A-Z]{{2}}$
  - failed rows:
      name: delivered before it was sold
      fail condition: delivery_date < sale_date
"""


def prepare(path: Path) -> Callable[[], None]:
    """A scan; it must pass."""
    scan = Scan()
    scan.set_data_source_name("staged")
    scan.add_duckdb_connection(connect(path), data_source_name="staged")
    scan.add_sodacl_yaml_str(_CHECKS)
    scan.disable_telemetry()

    def validate() -> None:
        scan.execute()
        if scan.has_error_logs() or scan.has_check_fails() or len(scan.get_scan_results()["checks"]) != 5:
            raise RuntimeError(scan.get_logs_text())

    return validate
