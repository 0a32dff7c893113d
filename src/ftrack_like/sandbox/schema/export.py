"""Make the JSON schemas that clients receive from the declarations."""

from __future__ import annotations

from typing import Any

from ftrack_like.sandbox.schema.model import Collection, EntityType, Property, Reference, Scalar

__all__ = ["property_schema", "type_schema"]


def type_schema(type_: EntityType) -> dict[str, Any]:
    """Return the JSON schema of *type_*."""
    schema: dict[str, Any] = {
        "id": type_.name,
        "properties": {
            name: property_schema(property_) for name, property_ in type_.properties.items()
        },
        "primary_key": list(type_.primary_key),
        "default_projections": list(type_.default_projections),
        "required": list(type_.required),
        "immutable": list(type_.immutable),
    }
    optional = {
        "type": type_.json_type,
        "alias_for": type_.alias_for,
        "computed": list(type_.computed),
        "system_projections": list(type_.system_projections),
        "$mixin": {"$ref": type_.mixin} if type_.mixin else None,
    }
    schema.update({key: value for key, value in optional.items() if value})
    return schema


def property_schema(property_: Property) -> dict[str, Any]:
    """Return the JSON schema of *property_*."""
    schema = dict(property_.facets)
    if isinstance(property_, Scalar) and property_.type is not None:
        schema["type"] = property_.type
    elif isinstance(property_, Reference):
        schema["$ref"] = property_.served_target or property_.target
    elif isinstance(property_, Collection):
        schema["type"] = "mapped_array" if property_.mapped else "array"
        schema["items"] = {"$ref": property_.served_target or property_.target}
        if property_.key_value is not None:
            schema["key_value_attributes"] = dict(zip(("key", "value"), property_.key_value))
    return schema
