"""The macros against the libraries that are the reference; every difference is explained and documented."""

import re
from importlib.metadata import version

import pytest

from staged_assets_tests.parsing import agreement
from staged_assets_tests.parsing.agreement import Subject
from staged_assets_tests.parsing.macros import Macros

SUBJECTS = {subject.name: subject for subject in agreement.subjects()}


@pytest.mark.parametrize("name", SUBJECTS)
def test_there_are_enough_inputs(name: str) -> None:
    assert len(SUBJECTS[name].generated) >= 5000
    assert len(SUBJECTS[name].collected) >= 100


@pytest.mark.parametrize("name", SUBJECTS)
def test_generated_inputs_have_and_lack_values(name: str) -> None:
    subject = SUBJECTS[name]
    known = sum(subject.oracle(*each) is not None for each in subject.generated) / len(subject.generated)
    assert 0.4 < known < 0.9


@pytest.mark.parametrize("name", SUBJECTS)
def test_agreement_is_at_least_99_percent(macros: Macros, name: str) -> None:
    subject = SUBJECTS[name]
    inputs = subject.generated + subject.collected
    assert len(agreement.differences(subject, macros, inputs)) <= len(inputs) / 100


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_difference_is_explained(macros: Macros, name: str) -> None:
    subject: Subject = SUBJECTS[name]
    differ = agreement.differences(subject, macros, subject.generated + subject.collected)
    assert [each for each in differ if agreement.explanation(subject, each) is None] == []


def test_the_document_is_up_to_date(macros: Macros) -> None:
    text = agreement.DOCUMENT.read_text("utf-8")
    measured = dict(re.findall(r"([a-z-]+) (\d[\d.]*\d)[,.]", text.split("Measured with ")[1].split("\n")[0]))
    installed = {library: version(library) for library in agreement.LIBRARIES}
    if measured != installed:
        pytest.skip(f"measured with {measured}, installed are {installed}: other versions differ in other inputs")
    assert text == agreement.document(macros), "run python -m staged_assets_tests.parsing.agreement"
