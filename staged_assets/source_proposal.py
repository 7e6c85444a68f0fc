"""A first `sources.yaml` from a database: a table for each dataset, by likeness of names and types."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from staged_assets.catalogue import DATASETS
from staged_assets.source_words import CHANGED, COLUMNS, DELETED, ENTITIES, IDENTIFIERS, NAMES, REFERENCES
from staged_assets.sources.expressions import quoted
from staged_assets.sources.tables import TableInfo
from staged_assets.staging.rules import column_rules

#: likeness of two names from which they are taken for the same
_ALIKE = 0.84
_TYPES = {
    "text": re.compile(r"char|text|string|clob|name|enum|uuid|json|^$"),
    "number": re.compile(r"int|num|dec|real|double|float|money|serial|^$"),
    "moment": re.compile(r"date|time|^$"),
}
_KINDS = {"integer": "number", "decimal": "number", "date": "moment", "moment": "moment", "timestamp": "moment"}


@dataclass
class Proposal:
    """How a table may feed a dataset.

    Attributes:
        columns: the dataset's column → what stands in `sources.yaml` for it.
        missing: required columns that nothing was found for.
        score: the higher, the more alike.
    """

    dataset: str
    table: TableInfo
    key: tuple[str, ...]
    columns: dict[str, str]
    missing: list[str]
    score: float
    updated_at: str | None = None
    delete_marker: str | None = None
    notes: list[str] = field(default_factory=list)


def propose(tables: Sequence[TableInfo]) -> list[Proposal]:
    """For each dataset that something is like the best table; a table feeds one dataset at most."""
    found = [p for dataset in DATASETS for table in tables if (p := _proposal(dataset, table)) is not None]
    taken: dict[str, Proposal] = {}
    for proposal in sorted(found, key=lambda p: -p.score):
        if proposal.dataset not in taken and all(other.table != proposal.table for other in taken.values()):
            taken[proposal.dataset] = proposal
    return [taken[dataset] for dataset in DATASETS if dataset in taken]


def sources_file(system: str, variable: str, proposals: Iterable[Proposal], schema: str | None = None) -> str:
    """The text of a `sources.yaml` for one database, whose URL is in an environment variable."""
    where = f', schema: "{schema}"' if schema else ""
    return "\n".join(
        [
            "# A first proposal, by likeness of names and types. See 'staged-assets sources check', and correct it.",
            "version: 1",
            "defaults: {owner: dataengineering@examplecorp.com}",
            "systems:",
            f"  {system}:",
            "    connector: database",
            f'    connection: {{url: "${{{variable}}}"{where}}}',
            "    time_zone: UTC # of times without an offset",
            "    # country: DE # the region of phone numbers without +",
            '    # date_formats: ["%d.%m.%Y"] # of dates that are text, beside ISO 8601',
            "    feeds:",
            *(line for proposal in proposals for line in _feed(proposal)),
            "",
        ]
    )


def _feed(proposal: Proposal) -> Iterator[str]:
    yield f"      - dataset: {proposal.dataset}"
    yield f"        from: {_written(proposal.table.name)}"
    yield f"        key: [{', '.join(map(_written, proposal.key))}]"
    if proposal.updated_at is not None:
        yield f"        updated_at: {_written(proposal.updated_at)}"
    if proposal.delete_marker is not None:
        yield f'        delete_marker: {{column: {_written(proposal.delete_marker)}, values: ["1", "true"]}}'
    for note in proposal.notes:
        yield f"        # {note}"
    yield "        columns:"
    for column, source in proposal.columns.items():
        yield f"          {column}: {source}"
    for column in proposal.missing:
        yield f"          # {column}: required, and nothing like it was found"


def _written(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) and name.lower() not in _YAML_WORDS else f'"{name}"'


_YAML_WORDS = frozenset({"no", "yes", "on", "off", "null", "true", "false", "y", "n"})


def _proposal(dataset: str, table: TableInfo) -> Proposal | None:
    named = _likeness(table.name.rpartition(".")[2], ENTITIES[dataset].split())
    if named < _ALIKE:
        return None
    rules = column_rules(dataset)
    key_column = DATASETS[dataset].key
    key = table.key or _single(_best(table, _names(dataset, key_column), ("number", "text"), set()))
    if not key:
        return None
    columns = {key_column: _key_source(table, key, is_number=rules[key_column].kind == "integer")}
    used = set(key) if len(key) == 1 else set()
    for column, rule in rules.items():
        if column == key_column:
            continue
        kinds = _accepted(column, rule.kind)
        source = _best(table, _names(dataset, column), kinds, used)
        if source is not None:
            used.add(source)
            columns[column] = _column_source(table, column, source)
    missing = [column for column, rule in rules.items() if rule.is_required and column not in columns]
    proposal = Proposal(dataset, table, key, columns, missing, 2 * named + len(columns) / len(rules) - len(missing) / 2)
    proposal.updated_at = _best(table, CHANGED.split(), ("moment",), set())
    proposal.delete_marker = _best(table, DELETED.split(), ("number", "boolean"), used)
    if "md5_number" in "".join(columns.values()):
        proposal.notes.append(
            "Ids are numbers; of a text's MD5 one is made. Where the texts are digits, map them as they are."
        )
    return proposal


def _accepted(column: str, kind: str) -> tuple[str, ...]:
    wanted = _KINDS.get(kind, "text")
    if column in REFERENCES:
        return ("number", "text")
    return (wanted, "text") if wanted == "moment" else (wanted, "number") if kind in ("phone", "gtin") else (wanted,)


def _names(dataset: str, column: str) -> list[str]:
    """What a column may be called, with and without what the row is called."""
    if column in REFERENCES and column != DATASETS[dataset].key:
        return [f"{word}_{end}" for word in ENTITIES[REFERENCES[column]].split() for end in IDENTIFIERS.split()]
    ends = COLUMNS.get(column, "").split()
    if column == DATASETS[dataset].key:
        ends = IDENTIFIERS.split()
    elif not ends:
        ends = NAMES.split()
    return [column, *ends, *(f"{word}_{end}" for word in ENTITIES[dataset].split() for end in ends)]


def _best(table: TableInfo, names: Sequence[str], kinds: Sequence[str], used: set[str]) -> str | None:
    """The column that is most like one of these names, of one of these kinds."""
    fitting = [
        (likeness, -place, column)
        for place, (column, kind) in enumerate(table.columns.items())
        if column not in used and any(_is_of(kind, wanted) for wanted in kinds)
        if (likeness := _likeness(column, names)) >= _ALIKE
    ]
    return max(fitting)[2] if fitting else None


def _is_of(kind: str, wanted: str) -> bool:
    if wanted == "boolean":
        return "bool" in kind or kind.startswith(("bit", "tinyint"))
    return bool(_TYPES[wanted].search(kind)) and not (wanted == "number" and "interval" in kind)


def _likeness(found: str, names: Sequence[str]) -> float:
    plain = _plain(found)
    return max((SequenceMatcher(None, plain, _plain(name)).ratio() for name in names), default=0.0)


def _plain(name: str) -> str:
    """A name without the ways of writing that differ: `OrderDetails`, `order_details`, `ORDER-DETAIL`."""
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return "".join(word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word for word in words)


def _single(column: str | None) -> tuple[str, ...]:
    return (column,) if column is not None else ()


def _key_source(table: TableInfo, key: Sequence[str], *, is_number: bool) -> str:
    if len(key) == 1 and (_is_of(table.columns[key[0]], "number") or not is_number):
        return _written(key[0])
    if all(_is_of(table.columns[column], "number") for column in key):
        first, *rest = map(_identifier, key)
        return _expression(" || ".join([first, *(f"lpad({column}, 6, '0')" for column in rest)]))
    names = ", ".join(map(_identifier, key))
    text = names if len(key) == 1 else f"concat_ws('|', {names})"
    return _expression(f"md5_number_lower({text}) >> 1")


def _column_source(table: TableInfo, column: str, source: str) -> str:
    if column in REFERENCES and not _is_of(table.columns[source], "number"):
        return _expression(f"md5_number_lower({_identifier(source)}) >> 1")
    return _written(source)


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else quoted(name)


def _expression(sql: str) -> str:
    escaped = sql.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{expression: "{escaped}"}}'
