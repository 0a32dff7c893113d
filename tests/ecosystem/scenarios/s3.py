"""Keep components in a bucket by ftrack-s3-accessor; the bucket is a stand-in of moto."""

import json
import os
import sys

import boto3
import ftrack_api
import ftrack_api.accessor.disk
import ftrack_api.structure.id
import moto
from ftrack_s3_accessor.s3 import S3Accessor

folder = sys.argv[1]
answers = {}
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "testing"
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
path = os.path.join(folder, "plate.exr")
with open(path, "wb") as file:
    file.write(b"pixels" * 100_000)
mock = getattr(moto, "mock_aws", None) or moto.mock_s3
with ftrack_api.Session(auto_connect_event_hub=False) as session, mock():
    boto3.resource("s3").create_bucket(Bucket="studio")
    accessor = S3Accessor("studio")
    assert isinstance(accessor, ftrack_api.accessor.base.Accessor)
    location = session.create("Location", {"name": "studio.remote"})
    session.commit()
    location.accessor = accessor
    location.structure = ftrack_api.structure.id.IdStructure(prefix="shows")
    location.priority = 30
    component = session.create_component(path, {"name": "plate"}, location=location)
    identifier = location.get_resource_identifier(component)
    answers["exists"] = accessor.exists(identifier)
    answers["is_file"] = accessor.is_file(identifier)
    answers["available"] = session.get_component_availability(component)[location["id"]]
    answers["size"] = len(accessor.open(identifier).read())
    session.reset()
    component = session.get("Component", component["id"])
    location = session.get("Location", location["id"])
    location.accessor = accessor
    location.structure = ftrack_api.structure.id.IdStructure(prefix="shows")
    disk = session.create("Location", {"name": "studio.disk"})
    session.commit()
    os.mkdir(os.path.join(folder, "disk"))
    disk.accessor = ftrack_api.accessor.disk.DiskAccessor(os.path.join(folder, "disk"))
    disk.structure = ftrack_api.structure.id.IdStructure()
    disk.add_component(component, location)
    with open(disk.get_filesystem_path(component), "rb") as file:
        answers["copied"] = file.read() == b"pixels" * 100_000
    try:
        location.remove_component(component)
    except ftrack_api.exception.AccessorError as error:
        # The accessor does not find files again under a boto3 of today.
        answers["removed"] = type(error).__name__
    try:
        accessor.open("shows/nothing").read()
    except Exception as error:
        answers["missing"] = type(error).__name__
    try:
        location.accessor.get_filesystem_path("a")
    except ftrack_api.exception.AccessorUnsupportedOperationError as error:
        answers["unsupported"] = type(error).__name__
print(json.dumps(answers))
