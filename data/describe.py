"""The Parquet schemas as Markdown; ``python -m data.describe`` prints what docs/files.md holds."""

from __future__ import annotations

import sys

import pyarrow as pa

from data import schemas


def every_schema() -> dict[str, pa.Schema]:
    """Return the schemas by table name, in the order they are written down."""
    found = [value for value in vars(schemas).values() if isinstance(value, pa.Schema)]
    return {schema.metadata[b"widomill.table"].decode(): schema for schema in found}


def schema_markdown(schema: pa.Schema) -> str:
    """Return one schema as a heading, its description and a table of its fields."""
    name = schema.metadata[b"widomill.table"].decode()
    lines = [
        f"### {name}",
        "",
        schema.metadata[b"widomill.description"].decode(),
        "",
        "| field | type | unit | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for field in schema:
        unit = field.metadata[b"unit"].decode()
        meaning = field.metadata[b"description"].decode().replace("|", "\\|")
        lines.append(f"| `{field.name}` | {field.type} | {unit or '-'} | {meaning} |")
    return "\n".join(lines)


def schemas_markdown() -> str:
    """Return every schema as Markdown."""
    return "\n\n".join(schema_markdown(schema) for schema in every_schema().values()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schemas_markdown())
