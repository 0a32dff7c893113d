"""Create entity classes from the schemas of the server.

The attributes of a type do not depend on the session. So sessions with equal schemas share the
attribute tables, and a further session starts faster. Each session has its own classes, which a
program may change without an effect on other sessions.
"""

from __future__ import annotations

import functools
import importlib
import json
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, cast

from ftrack_like import attribute, exception, inspection
from ftrack_like._base.seams import is_overridden, is_own, keeps_originals, original
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._values import custom_attributes
from ftrack_like.attribute.hint import hints_for
from ftrack_like.cache import Memoiser, memoise_decorator
from ftrack_like.collection import PerSessionDefaultKeyMaker, memoise_session
from ftrack_like.entity.base import DynamicEntityTypeMetaclass, Entity
from ftrack_like.entity.component import Component, CreateThumbnailMixin
from ftrack_like.entity.note import CreateNoteMixin
from ftrack_like.symbol import NOT_SET

if TYPE_CHECKING:
    from ftrack_like._base.types import Value
    from ftrack_like.cache.memoisation import Decorator
    from ftrack_like.collection import MappedCollectionProxy

__all__ = [
    "Factory",
    "PerSessionDefaultKeyMaker",
    "StandardFactory",
    "memoise_defaults",
    "memoise_session",
]

#: Cache the defaults of custom attributes per session.
memoise_defaults: Decorator = memoise_decorator(
    Memoiser(key_maker=PerSessionDefaultKeyMaker(), return_copies=False)
)

_DATA_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "float",
    "object": "object",
    "string": "string",
    "variable": "variable",
}

#: The shared attribute tables by factory class and schema text.
_tables: dict[tuple[type, str], attribute.Attributes] = {}

_ATTRIBUTE_MAKERS = (
    "create_scalar_attribute",
    "create_reference_attribute",
    "create_collection_attribute",
    "create_mapped_collection_attribute",
)

_STANDARD_READERS = frozenset(
    {
        original(attribute.Attribute, "get_value"),
        original(attribute.ReferenceAttribute, "get_value"),
        original(attribute.AbstractCollectionAttribute, "get_value"),
    }
)


def _new_id(entity: Entity) -> str:
    """Return a new unique id for *entity*: a random UUID of version 4."""
    # The same as ``str(uuid.uuid4())`` in 1.0 µs instead of 2.5, and without importing uuid.
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


@keeps_originals
class Factory:
    """Creates an entity class from a schema."""

    def __init__(self) -> None:
        """Initialise the factory."""
        super().__init__()
        self.logger: logging.Logger = logging.getLogger(f"{__name__}.{type(self).__name__}")

    def create(self, schema: Mapping[str, Any], bases: Optional[list[type]] = None) -> type[Entity]:
        """Return a new class for *schema*, a subclass of the classes *bases*.

        The default of *bases* is :class:`~ftrack_like.entity.base.Entity`.
        """
        table = self._table(schema)
        parents = tuple(bases or [Entity])
        namespace: dict[str, Any] = {
            **hints_for(table.by_name, parents),
            "entity_type": schema["id"],
            "attributes": table,
            "primary_key_attributes": schema["primary_key"][:],
            "default_projections": list(schema.get("default_projections", ())),
            "__module__": Entity.__module__,
        }
        if any(type(each).get_value not in _STANDARD_READERS for each in table):
            namespace["__getitem__"] = Entity.read_through_attribute
        return cast(
            "type[Entity]",
            DynamicEntityTypeMetaclass(str(schema["id"]), parents, namespace),
        )

    def _table(self, schema: Mapping[str, Any]) -> attribute.Attributes:
        """Return the attributes of *schema*: shared, unless a program overrides their creation."""
        is_usual = is_own(attribute.Attribute, "set_local_value")
        if not is_usual or is_overridden(self, *_ATTRIBUTE_MAKERS):
            return self._make_attributes(schema)
        origin = StandardFactory if isinstance(self, StandardFactory) else Factory
        key = (origin, json.dumps(schema))
        table = _tables.get(key)
        if table is None:
            # Use no lock: a fork could leave it locked. If two threads create the table at the same
            # time, setdefault returns the same table to both.
            table = _tables.setdefault(key, self._make_attributes(schema))
        return table.shared()

    def _make_attributes(self, schema: Mapping[str, Any]) -> attribute.Attributes:
        """Return new attributes for the properties of *schema* that clients may project."""
        attributes = attribute.Attributes()
        for name, fragment in schema["properties"].items():
            if fragment.get("restricted_projection"):
                continue
            made = self._make_attribute(schema, name, fragment)
            if made is not None:
                attributes.add(made)
                if name in schema["primary_key"]:
                    made.is_simple = False  # Setting it changes the identity.
        return attributes

    def _make_attribute(
        self, schema: Mapping[str, Any], name: str, fragment: Mapping[str, Any]
    ) -> Optional[attribute.Attribute]:
        """Return the attribute for the property *name* of *schema*; None for an unknown type."""
        mutable = name not in schema.get("immutable", ())
        kind = fragment.get("type")
        if kind in _DATA_TYPES:
            is_date = kind == "string" and fragment.get("format") == "date-time"
            return self.create_scalar_attribute(
                schema["id"],
                name,
                mutable,
                name in schema.get("computed", ()),
                self._default(fragment),
                "datetime" if is_date else _DATA_TYPES[kind],
            )
        if kind is None and "$ref" in fragment:
            return self.create_reference_attribute(schema["id"], name, mutable, fragment["$ref"])
        if kind == "array":
            return self.create_collection_attribute(schema["id"], name, mutable)
        if kind == "mapped_array":
            reference = fragment.get("items", {}).get("$ref")
            return self.create_mapped_collection_attribute(schema["id"], name, mutable, reference)
        self.logger.debug("Ignoring %s.%s: unknown type %r.", schema["id"], name, kind)
        return None

    @staticmethod
    def _default(fragment: Mapping[str, Any]) -> Value:
        """Return the default of the property *fragment*, or NOT_SET."""
        default = fragment.get("default", NOT_SET)
        return _new_id if default == "{uid}" else default

    def create_scalar_attribute(
        self,
        class_name: str,
        name: str,
        mutable: bool,
        computed: bool,
        default: Value,
        data_type: str,
    ) -> attribute.Attribute:
        """Return the attribute *name* of the class *class_name*, with a plain value."""
        return attribute.ScalarAttribute(
            name, data_type=data_type, default_value=default, mutable=mutable, computed=computed
        )

    def create_reference_attribute(
        self, class_name: str, name: str, mutable: bool, reference: str
    ) -> attribute.Attribute:
        """Return the attribute *name* that refers to an entity of the type *reference*."""
        return attribute.ReferenceAttribute(name, reference, mutable=mutable)

    def create_collection_attribute(
        self, class_name: str, name: str, mutable: bool
    ) -> attribute.Attribute:
        """Return the attribute *name* with several entities."""
        return attribute.CollectionAttribute(name, mutable=mutable)

    def create_mapped_collection_attribute(
        self, class_name: str, name: str, mutable: bool, reference: str
    ) -> Optional[attribute.Attribute]:
        """Return the attribute *name*, a mapping of keys to values in *reference* entities.

        Return None to leave out the attribute.
        """
        self.logger.debug(
            "Ignoring %s.%s: a mapping of the unknown type %s.",
            class_name,
            name,
            reference,
        )
        return None


@keeps_originals
class StandardFactory(Factory):
    """Creates entity classes with the special behaviour of known types."""

    def create(self, schema: Mapping[str, Any], bases: Optional[list[type]] = None) -> type[Entity]:
        """Return a new class for *schema*, a subclass of *bases* and of the class for its type."""
        bases = list(bases or [])
        special = _special_base(schema["id"])
        if special is not None:
            bases = [special, *[base for base in bases if base is not special]]
        if not bases:
            bases = [Entity]
        if "notes" in schema.get("properties", {}):
            bases.append(CreateNoteMixin)
        if "thumbnail_id" in schema.get("properties", {}):
            bases.append(CreateThumbnailMixin)
        return super().create(schema, bases=bases)

    def create_mapped_collection_attribute(
        self, class_name: str, name: str, mutable: bool, reference: str
    ) -> Optional[attribute.Attribute]:
        """Return the attribute *name*, a mapping of metadata or custom attributes.

        Return None for other mappings.
        """
        if reference == "Metadata":
            creator = functools.partial(_create_metadata, reference=reference)
        elif reference == "CustomAttributeValue":
            return attribute.CustomAttributeCollectionAttribute(name, mutable=mutable)
        elif reference and reference.endswith("CustomAttributeValue"):
            creator = functools.partial(_create_custom_attribute_value, reference=reference)
        else:
            return super().create_mapped_collection_attribute(class_name, name, mutable, reference)
        made = attribute.KeyValueMappedCollectionAttribute(
            name, creator, "key", "value", mutable=mutable
        )
        made.is_dense = reference != "Metadata"
        return made


#: The modules of the classes with special behaviour. Each is imported for the first such class.
_SPECIAL_BASES = {
    "AssetVersion": "ftrack_like.entity.asset_version",
    "Job": "ftrack_like.entity.job",
    "Location": "ftrack_like.entity.location",
    "Note": "ftrack_like.entity.note",
    "ProjectSchema": "ftrack_like.entity.project_schema",
    "User": "ftrack_like.entity.user",
}


def _special_base(entity_type: str) -> Optional[type[Entity]]:
    """Return the class with the special behaviour of *entity_type*, or None."""
    if entity_type.endswith("Component"):
        return Component
    module = _SPECIAL_BASES.get(entity_type)
    if module is None:
        return None
    found: type[Entity] = getattr(importlib.import_module(module), entity_type)
    return found


def _owner_key(entity: Entity) -> Value:
    """Return the first value of the primary key of *entity*, its id."""
    return next(iter(inspection.primary_key(entity).values()))


def _create_metadata(proxy: MappedCollectionProxy, data: dict[str, Any], reference: str) -> Entity:
    """Return a new *reference* entity with *data* for the owner of *proxy*, its metadata."""
    entity = proxy.collection.entity
    data = {**data, "parent_id": _owner_key(entity), "parent_type": entity.entity_type}
    return entity.session.create(reference, data)


def _create_custom_attribute_value(
    proxy: MappedCollectionProxy, data: dict[str, Any], reference: str
) -> Entity:
    """Return the *reference* entity with the value of *data* for the owner of *proxy*.

    The server already has a row for each configuration of the entity. So the entity is not created:
    it is reconstructed, and setting its value records an update.
    """
    entity = proxy.collection.entity
    key, value = data["key"], data["value"]
    found = custom_attributes.configuration(entity, key)
    if found is None:
        raise _missing_configuration(entity, key)
    item = entity.session.create(
        reference,
        {"configuration_id": found["id"], "entity_id": _owner_key(entity), "key": key},
        reconstructing=True,
    )
    item["value"] = value
    return item


def _missing_configuration(entity: Entity, key: str) -> Exception:
    """Return the error that *entity* has no custom attribute *key*."""
    keys = sorted(custom_attributes.applicable(entity))
    hint = f"{did_you_mean(str(key), keys)} Configured are: {', '.join(keys) or 'none'}.".strip()
    error = exception.UnknownAttributeError(
        key,
        str(entity),
        suggestion=hint,
        message="No custom attribute {attribute_name!r} is configured for {entity_type}. "
        "Configure it on the server first.",
    )
    return ValueError(str(error)) if entity.is_created else error
