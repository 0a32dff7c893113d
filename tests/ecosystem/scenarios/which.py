"""Tell which library answers to the published name."""

import json

import ftrack_api
import ftrack_api.accessor.disk

names = {"name": ftrack_api.__name__, "submodule": ftrack_api.accessor.disk.__name__}
print(json.dumps(names))
