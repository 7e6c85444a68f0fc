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
    "pyarrow.pandas_compat",
    "staged_assets.sources.event_files",
)


def warm_up() -> None:
    """Import the libraries, parse the dbt project, make the schemas ready; opens no database, leaves no thread.

    Neither dbt nor Pandera is kept for the refreshes: these execute what was made of both.
    """
    for name in _LATE:
        import_module(name)
    settings = load_settings()
    StagingProject(settings).tests()
    validation = load_validation(settings.validation_path)
    for dataset in DATASETS:
        rules = validation.of(dataset).applied(schema_rules(settings.home)[dataset])
        scan_of(dataset, settings.home).prepare([rule.name for rule in rules])
