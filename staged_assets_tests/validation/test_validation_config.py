"""`validation.yaml`: what it may say, and what is said of mistakes in it."""

from pathlib import Path

import pytest

from staged_assets.errors import ConfigurationError
from staged_assets.landing.layout import DATASETS
from staged_assets.validation.config import Limit, load_validation
from staged_assets.validation.results import rule
from staged_assets.validation.table_checks import published_rules


def _file(folder: Path, text: str) -> Path:
    path = folder / "validation.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_defaults_are_for_every_dataset() -> None:
    settings = load_validation()
    assert {settings.of(dataset).batch.minimum_rows for dataset in DATASETS} == {50}


def test_a_file_says_only_what_differs(tmp_path: Path) -> None:
    settings = load_validation(_file(tmp_path, "datasets: {sales: {batch: {reject_share: {error: 0.5}}}}"))
    of_sales = settings.of("sales").batch
    assert (of_sales.reject_share.error, of_sales.reject_share.rise, of_sales.minimum_rows) == (0.5, 0.15, 50)
    assert settings.of("orders").batch.reject_share.error == 0.3


def test_what_a_file_says_of_every_dataset_holds_for_one_that_has_its_own(tmp_path: Path) -> None:
    text = "defaults: {reject_rate: {warn: 0.07}}\ndatasets: {sales: {reject_rate: {error: 0.5}}}"
    limits = load_validation(_file(tmp_path, text)).of("sales").reject_rate
    assert (limits.warn, limits.error) == (0.07, 0.5)


def test_severity_and_share_of_a_rule_are_configured(tmp_path: Path) -> None:
    text = "datasets: {sales: {rules: {item_id__missing_share: {severity: error, at_most: 0.4}}}}"
    given = rule("sales", "item_id__missing_share", "d", "warn", 0.1)
    (applied,) = load_validation(_file(tmp_path, text)).of("sales").applied([given])
    assert (applied.severity, applied.at_most) == ("error", 0.4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("datasets: {sale: {}}", "line 1: datasets is wrong: there is no dataset 'sale', "),
        ("version: 2", "line 1: version is 2: expected 1."),
        ("defaults:\n  reject_rate: {warn: 2}", "line 2: defaults.reject_rate.warn is 2: "),
        ("defaults:\n  reject_rat: {warn: 0.1}", "reject_rat"),
        ("datasets: {sales: {rules: {x: {severity: bad}}}}", "datasets.sales.rules.x.severity is 'bad': expected"),
        ("datasets: {sales: {rules: {x: {at_most: '5%'}}}}", "datasets.sales.rules.x.at_most is '5%': expected"),
        ("[]", "the file is []"),
        ("a: b: c", "the file is not YAML"),
        ("sample: 0", "sample is 0: expected greater than or equal to 1."),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        load_validation(path)
    assert str(raised.value).startswith(str(path))
    assert sentence in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"can't be read.*STAGED_ASSETS_VALIDATION"):
        load_validation(tmp_path / "none.yaml")


@pytest.mark.parametrize("where", ["defaults: {rules:", "datasets: {sales: {rules:"])
def test_a_rule_that_there_is_not_is_told_with_what_is_near(tmp_path: Path, where: str) -> None:
    text = f"{where} {{unit_price__derive: {{severity: warn}}}}" + "}" * where.count("{")
    settings = load_validation(_file(tmp_path, text))
    known = {dataset: [rule.name for rule in published_rules(dataset)] for dataset in DATASETS}
    with pytest.raises(ConfigurationError, match=r"unit_price__derive is not a rule.*'unit_price__derived'"):
        settings.refuse_unknown_rules(known)


@pytest.mark.parametrize(
    ("history", "limit"), [(None, 0.3), (0.0, 0.15), (0.1, 0.25), (0.25, 0.3), (0.3, 0.45), (0.9, 1.05)]
)  # fmt: skip
def test_a_limit_follows_the_history(history: float | None, limit: float) -> None:
    assert Limit(error=0.3, rise=0.15).against(history) == pytest.approx(limit)
