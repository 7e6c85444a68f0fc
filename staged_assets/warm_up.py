"""What refreshes need and the code location does not load by itself, for a process that they are forked from."""

from importlib import import_module

from staged_assets.landing.layout import DATASETS
from staged_assets.settings import load_settings
from staged_assets.staging.project import StagingProject
from staged_assets.validation.config import load_validation
from staged_assets.validation.registry import schema_rules
from staged_assets.validation.scan import scan_of

#: Imported in the midst of a refresh otherwise: 1.5 s of processor time in all.
_LATE = (
    "alembic.command",
    "alembic.context",
    "dagster._core.executor.in_process",
    "dagster._core.storage.local_compute_log_manager",
    "dbt.adapters.duckdb.environments.local",
    "dbt.task.run",
    "dbt.task.seed",
    "dbt.task.test",
    "dbt_common.clients.agate_helper",
    "ibis.backends.duckdb",
    "multiprocessing.dummy",
    "pandera.backends.ibis.builtin_checks",
    "pyarrow.pandas_compat",
    "staged_assets.sources.event_files",
)


def warm_up() -> None:
    """Import the libraries, parse the dbt project, make the schemas ready; opens no database, leaves no thread."""
    for name in _LATE:
        import_module(name)
    settings = load_settings()
    StagingProject(settings).parsed()
    validation = load_validation(settings.validation_path)
    for dataset in DATASETS:
        scan_of(dataset).prepare([rule.name for rule in validation.of(dataset).applied(schema_rules()[dataset])])
