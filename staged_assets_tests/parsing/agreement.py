"""How the macros agree with the libraries that are the reference for phones, e-mail addresses and countries.

python -m staged_assets_tests.parsing.agreement     writes docs/reference/parsing-agreement.md
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import phonenumbers
import pycountry
import yaml
from email_validator import EmailNotValidError, validate_email

from staged_assets_tests.parsing import generators
from staged_assets_tests.parsing.macros import Macros, load_seeds, render

DOCUMENT = Path(__file__).parents[2] / "docs/reference/parsing-agreement.md"
COLLECTED: dict[str, list[Any]] = yaml.safe_load((Path(__file__).parent / "collected.yaml").read_text("utf-8"))
LIBRARIES = ("phonenumbers", "email-validator", "pycountry")

#: white space and invisible characters, which the macros take off both ends
BLANK = re.compile(r"^[\s\u200b-\u200f\u2060\ufeff\xa0]+|[\s\u200b-\u200f\u2060\ufeff\xa0]+$")

#: Latin, full-width, Arabic and Persian digits
READ_DIGITS = re.compile("[0-9\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]")

#: what stands for NULL in the document
NOTHING = "\u2013"

Input = tuple[str, str | None]


@dataclass(frozen=True)
class Difference:
    """One input on which macro and library differ."""

    text: str
    region: str | None
    ours: str | None
    theirs: str | None


@dataclass(frozen=True)
class Subject:
    """What is compared.

    Attributes:
        oracle: (text, region) → the library's value, None for none.
        classes: explanation → whether it is why the two differ; the first that holds counts.
        generated, collected: the inputs.
    """

    name: str
    library: str
    macro: str
    oracle: Callable[[str, str | None], str | None]
    classes: dict[str, Callable[[Difference], bool]]
    generated: list[Input] = field(repr=False)
    collected: list[Input] = field(repr=False)


def phone_oracle(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else None


def email_oracle(text: str, _: str | None) -> str | None:
    try:
        return validate_email(BLANK.sub("", text), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def country_oracle(text: str, _: str | None) -> str | None:
    try:
        return str(pycountry.countries.lookup(BLANK.sub("", text)).alpha_2)
    except LookupError:
        return None


PHONE_CLASSES: dict[str, Callable[[Difference], bool]] = {
    "RFC 3966 `;phone-context=`, which says to which number the text is relative, is not read: NULL. Systems that hold"
    " customers' numbers do not send it.": lambda d: ";phone-context=" in d.text,
    "Digits of scripts other than Latin (full-width too), Arabic and Persian are not read: NULL.": lambda d: any(
        unicodedata.category(c) == "Nd" and not READ_DIGITS.match(c) for c in d.text
    ),
    "The region is accepted in lower case, which the library refuses.": lambda d: (d.region or "").islower(),
}
EMAIL_CLASSES: dict[str, Callable[[Difference], bool]] = {
    "Punycode (`xn--`) is kept as given, neither shown as Unicode nor checked: the engine has no IDNA decoder. One"
    " domain is then one value only in the form in which it was given.": lambda d: "xn--" in d.text.lower(),
    "Compatibility characters in a domain (full-width letters, an ideographic full stop, İ) are not mapped to ordinary"
    " ones as UTS 46 does; they come from input methods, and such an address is refused or kept as given.": lambda d: (
        unicodedata.normalize("NFKC", d.text) != unicodedata.normalize("NFC", d.text) or "。" in d.text or "İ" in d.text
    ),
    "Unicode's properties: the library checks every code point of a domain against the tables of IDNA 2008, the macro"
    " asks for letters, marks and numbers; it checks the length of a label as given, not as encoded.": lambda d: (
        not d.text.isascii()
    ),
}


def folded(text: str) -> str:
    """Lower case, without accents, punctuation as one blank."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", bare).strip()


ISO_NAMES = {
    folded(str(getattr(country, name)))
    for country in pycountry.countries
    for name in ("name", "common_name", "official_name")
    if hasattr(country, name)
}

COUNTRY_CLASSES: dict[str, Callable[[Difference], bool]] = {
    "A name of ISO 3166-1 with other accents, blanks or punctuation: these do not count in a key.": lambda d: (
        d.theirs is None and folded(d.text) in ISO_NAMES
    ),
    "A name that is in use, and that ISO 3166-1 does not have: found among the aliases. This is what they are"
    " for.": lambda d: d.theirs is None,
    "A flag: punctuation and symbols do not count in a key, so nothing is left of it.": lambda d: any(
        "\U0001f1e6" <= c <= "\U0001f1ff" for c in d.text
    ),
}


def subjects() -> list[Subject]:
    """The three, with their inputs."""
    collected = COLLECTED
    return [
        Subject(
            "Phone numbers",
            "phonenumbers",
            "parse_phone",
            phone_oracle,
            PHONE_CLASSES,
            list(generators.phones()),
            [(text, region) for text, region in collected["phones"]],
        ),
        Subject(
            "E-mail addresses",
            "email-validator",
            "parse_email",
            email_oracle,
            EMAIL_CLASSES,
            [(text, None) for text in generators.emails()],
            [(text, None) for text in collected["emails"]],
        ),
        Subject(
            "Countries",
            "pycountry",
            "country",
            country_oracle,
            COUNTRY_CLASSES,
            [(text, None) for text in generators.countries()],
            [(text, None) for text in collected["countries"]],
        ),
    ]


def differences(subject: Subject, macros: Macros, inputs: Iterable[Input]) -> list[Difference]:
    """The inputs on which the macro and the library differ."""
    inputs = list(inputs)
    ours = macros.values(subject.macro, [(text, region, None) for text, region in inputs])
    compared = (
        Difference(text, region, our, subject.oracle(text, region))
        for (text, region), our in zip(inputs, ours, strict=True)
    )
    return [each for each in compared if each.ours != each.theirs]


def explanation(subject: Subject, difference: Difference) -> str | None:
    """Why the two differ; None when no class says so."""
    return next((text for text, holds in subject.classes.items() if holds(difference)), None)


def _cell(value: str | None) -> str:
    if value is None:
        return NOTHING
    shown = "".join(c if c.isprintable() and not unicodedata.combining(c) else f"\\u{ord(c):04x}" for c in value)
    shown = shown if len(shown) <= 60 else f"{shown[:40]}… ({len(shown)} characters)"
    return "`" + shown.replace("|", "\\|").replace("`", "\u00b4") + "`"


def _section(subject: Subject, macros: Macros) -> list[str]:
    lines = [f"## {subject.name}", ""]
    lines += ["| inputs | number | library has a value | differ | agreement |", "|---|---|---|---|---|"]
    found: dict[Difference, None] = {}
    for name, inputs in (("generated", subject.generated), ("collected by hand", subject.collected)):
        differ = differences(subject, macros, inputs)
        known = sum(subject.oracle(*each) is not None for each in inputs)
        share = 1 - len(differ) / len(inputs)
        lines.append(f"| {name} | {len(inputs):,} | {known:,} | {len(differ)} | {share:.2%} |")
        found.update(dict.fromkeys(differ))
    lines.append("")
    order = list(subject.classes)

    def place(difference: Difference) -> int:
        why = explanation(subject, difference)
        return len(order) if why is None else order.index(why)

    for number, differ_ in groupby(sorted(found, key=place), key=place):
        lines += [order[number] if number < len(order) else "Not explained.", ""]
        region = subject.macro == "parse_phone"
        lines += [
            f"| input |{' region |' if region else ''} macro | library |",
            f"|---|---|---|{'---|' if region else ''}",
        ]
        for each in differ_:
            where = f" {each.region or NOTHING} |" if region else ""
            lines.append(f"| {_cell(each.text)} |{where} {_cell(each.ours)} | {_cell(each.theirs)} |")
        lines.append("")
    return lines


def document(macros: Macros) -> str:
    """The document, as it should be."""
    used = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    lines = [
        "# How far parsing agrees with the reference libraries",
        "",
        "Written by `python -m staged_assets_tests.parsing.agreement`; a test fails when it is out of date.",
        f"Measured with {used}. The generated inputs are seeded; both sets are in `staged_assets_tests/parsing/`.",
        "Agreement means the same value, not only the same verdict: the same E.164 number, the same normalised address,"
        " the same country. "
        f"Every input on which the two differ is listed here, once, with the reason; {NOTHING} is no value.",
        "",
        "The library's side: a number is parsed in its region, possible (`is_possible_number`), and written in E.164;"
        " an address passes `validate_email` without a look at DNS; a country is found by `countries.lookup`. White"
        " space and invisible characters are taken off both ends of addresses and names first.",
        "",
    ]
    for subject in subjects():
        lines += _section(subject, macros)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the document."""
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        load_seeds(connection)
        macros = Macros(connection, render(Path(folder)))
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(document(macros), "utf-8")


if __name__ == "__main__":
    main()
