"""The REST reference: a page for each tag of the OpenAPI document, and one for its schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

VERBS = ("get", "post", "put", "patch", "delete")
SCHEMAS = "schemas"


@dataclass(frozen=True)
class Operation:
    """One verb on one path."""

    path: str
    verb: str
    fields: Node
    parameters: tuple[Node, ...]

    @property
    def tag(self) -> str:
        return str(self.fields["tags"][0])


def rest_pages(document: Node) -> dict[str, str]:
    """File names with their Markdown; ``index.md`` has the document's own introduction."""
    operations = tuple(operations_of(document))
    tags = [tag["name"] for tag in document["tags"]]
    pages = {f"{_file(tag)}.md": _tag_page(document, tag, operations) for tag in tags}
    pages["index.md"] = _index(document, tags, operations)
    pages[f"{SCHEMAS}.md"] = _schemas_page(document)
    return pages


def operations_of(document: Node) -> Iterator[Operation]:
    """All operations in the order of the document, parameters of their path first."""
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb in item:
                listed = [*item.get("parameters", ()), *item[verb].get("parameters", ())]
                parameters = tuple(resolved(document, parameter) for parameter in listed)
                yield Operation(path, verb, item[verb], parameters)


def resolved(document: Node, node: Node) -> Node:
    """What a ``$ref`` points to, or the node itself."""
    while "$ref" in node:
        target: Any = document
        for part in str(node["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _index(document: Node, tags: list[str], operations: tuple[Operation, ...]) -> str:
    lines = ["# REST reference", "", document["info"]["description"].strip(), ""]
    lines += ["| | | |", "|---|---|---|"]
    for operation in operations:
        link = f"[{_cell(operation.fields['summary'])}](#{_anchor(operation)})"
        lines.append(f"| {operation.verb.upper()} | `{operation.path}` | {link} |")
    names = [*map(_file, tags), SCHEMAS]
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *names, "```", ""])


def _tag_page(document: Node, tag: str, operations: tuple[Operation, ...]) -> str:
    lines = [f"# {tag[:1].upper() + tag[1:]}", ""]
    for operation in operations:
        if operation.tag == tag:
            lines += _operation(document, operation)
    return "\n".join(lines)


def _file(tag: str) -> str:
    return tag.replace(" ", "_")


def _anchor(operation: Operation) -> str:
    return f"rest-{operation.fields['operationId']}"


def _operation(document: Node, operation: Operation) -> list[str]:
    fields = operation.fields
    lines = [f"({_anchor(operation)})=", f"## {fields['summary']}", ""]
    lines += ["```text", f"{operation.verb.upper()} {operation.path}", "```", ""]
    lines += [fields["description"].strip(), ""] if "description" in fields else []
    lines += _parameters(operation.parameters)
    lines += _body(document, fields)
    return lines + _responses(document, fields["responses"])


def _parameters(parameters: tuple[Node, ...]) -> list[str]:
    if not parameters:
        return []
    lines = ["| Parameter | In | Type | |", "|---|---|---|---|"]
    for parameter in parameters:
        kind = type_text(parameter.get("schema", {}))
        text = _cell(parameter.get("description", ""))
        lines.append(f"| `{parameter['name']}` | {parameter['in']} | {kind} | {text} |")
    return [*lines, ""]


def _body(document: Node, fields: Node) -> list[str]:
    if "requestBody" not in fields:
        return []
    lines = ["**Body**", ""]
    for kind, content in resolved(document, fields["requestBody"])["content"].items():
        lines += [f"`{kind}`: {_what(content.get('schema', {}))}", ""]
        lines += _properties(content.get("schema", {}))
        lines += _example(content)
    return lines


def _responses(document: Node, responses: Node) -> list[str]:
    lines = ["| Status | Answer |", "|---|---|"]
    details: list[str] = []
    for status, given in responses.items():
        response = resolved(document, given)
        parts = [_cell(response.get("description", ""))]
        for kind, content in response.get("content", {}).items():
            parts.append(f"`{kind}`: {_what(content.get('schema', {}))}")
            if str(status).startswith("2"):
                details += _answered(status, content)
        lines.append(f"| {status} | {'<br>'.join(part for part in parts if part)} |")
    return [*lines, "", *details]


def _answered(status: str, content: Node) -> list[str]:
    rows = [*_properties(content.get("schema", {})), *_example(content)]
    return [f"**Answer {status}**", "", *rows] if rows else []


def _example(content: Node) -> list[str]:
    given = [content["example"]] if "example" in content else []
    given += [example["value"] for example in content.get("examples", {}).values()]
    lines = []
    for example in given:
        is_text = isinstance(example, str)
        text = example if is_text else json.dumps(example, indent=2, ensure_ascii=False)
        lines += ["```text" if is_text else "```json", text.strip(), "```", ""]
    return lines


def _schemas_page(document: Node) -> str:
    lines = ["# Schemas", "", "The records that requests and answers are made of.", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"(schema-{name})=", f"## {name}", ""]
        lines += [schema["description"].strip(), ""] if "description" in schema else []
        if "properties" not in schema:
            lines += [f"{type_text(schema)}.", ""]
        lines += [*_properties(schema), *_example(schema)]
    return "\n".join(lines)


def _properties(schema: Node) -> list[str]:
    """A table of the fields of an object; nothing for what is no object."""
    properties = schema.get("properties")
    if not properties:
        return []
    required = set(schema.get("required", ()))
    lines = ["| Field | Type | |", "|---|---|---|"]
    for name, field in properties.items():
        mark = " (required)" if name in required else ""
        text = _cell(field.get("description", ""))
        lines.append(f"| `{name}` | {type_text(field)}{mark} | {text} |")
    return [*lines, ""]


def type_text(schema: Any) -> str:
    """A schema in a few words, as Markdown, with links to named ones."""
    if not isinstance(schema, Mapping) or not schema:
        return "any value"
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#schema-{name})"
    for word, joint in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
        if word in schema:
            return joint.join(dict.fromkeys(type_text(part) for part in schema[word]))
    return _plain_type(schema)


def _plain_type(schema: Node) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        text = " ".join(f"`{json.dumps(choice)}`".replace('"', "") for choice in schema["enum"])
        return text + _default(schema)
    kind = schema.get("type", "any value")
    names = list(kind) if isinstance(kind, list) else [kind]
    if "array" in names and "items" in schema:
        names[names.index("array")] = f"list of {type_text(schema['items'])}"
    extra = schema.get("additionalProperties")
    if "object" in names and isinstance(extra, Mapping) and extra and "properties" not in schema:
        names[names.index("object")] = f"object of {type_text(extra)}"
    return " or ".join(names) + _limits(schema) + _default(schema)


def _limits(schema: Node) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    low_open, high_open = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = [
        *([f"≥ {low}"] if low is not None else []),
        *([f"> {low_open}"] if low_open is not None else []),
        *([f"≤ {high}"] if high is not None else []),
        *([f"< {high_open}"] if high_open is not None else []),
    ]
    return f" {', '.join(words)}" if words else ""


def _default(schema: Node) -> str:
    return f", default `{json.dumps(schema['default'])}`" if "default" in schema else ""


def _what(schema: Node) -> str:
    return "an object" if "properties" in schema else type_text(schema)


def _cell(text: str) -> str:
    """Text that stays in its cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")
