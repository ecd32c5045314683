"""The OpenAPI document of a service, for tests that go through all of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Place = tuple[str | int, ...]
"""Where something stands in a body: names of fields, and numbers in lists."""


class Description:
    """The OpenAPI document of the service, as far as it says what a request is made of."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method, path, operation

    def schema(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a reference, or the first of several forms that says anything, stands for."""
        if "$ref" in schema:
            return self.schema(self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        for forms in ("anyOf", "allOf", "oneOf"):
            if forms in schema:
                return self.schema(next(one for one in schema[forms] if one.get("type") != "null"))
        return schema

    def example(self, schema: Mapping[str, Any]) -> object:
        schema = self.schema(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const") or schema["enum"][0]
        match schema.get("type"):
            case "object":
                fields = schema.get("properties", {})
                return {name: self.example(fields[name]) for name in schema.get("required", ())}
            case "array":
                return [self.example(schema.get("items", {}))]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
        examples = schema.get("examples") or ["known"]
        return str(examples[0])

    def places(
        self, schema: Mapping[str, Any], name: str, value: str, depth: int = 0
    ) -> Iterator[tuple[str | int, ...]]:
        """The places in a body whose schema says a thing: `places(schema, "type", "integer")`."""
        schema = self.schema(schema)
        if depth > 6:
            return
        if schema.get(name) == value:
            yield ()
        for key, inner in schema.get("properties", {}).items():
            for place in self.places(inner, name, value, depth + 1):
                yield (key, *place)
        if schema.get("type") == "array":
            for place in self.places(schema.get("items", {}), name, value, depth + 1):
                yield (0, *place)
        if isinstance(inner := schema.get("additionalProperties"), Mapping):
            for place in self.places(inner, name, value, depth + 1):
                yield ("known", *place)


def with_value(example: object, place: Sequence[str | int], value: object) -> object:
    """The example with the value at that place."""
    if not place:
        return value
    first, *rest = place
    if isinstance(first, int):
        return [with_value((example or [None])[0] if isinstance(example, list) else None, rest, value)]
    fields = dict(example) if isinstance(example, dict) else {}
    return fields | {first: with_value(fields.get(first), rest, value)}
