"""Find, change and make entities with trackteroid."""

import json
import os
import sys

import ftrack_api

# A studio says how its types hang together.
configuration = os.path.join(sys.argv[1], "configuration.py")
with open(configuration, "w") as file:
    file.write(
        "RELATIONSHIPS_RESOLVER = lambda api_version: {'entities': {"
        "'Project': {'Shot': 'children[Shot]', 'Task': 'children[Shot].children[Task]'},"
        "'Shot': {'Task': 'children[Task]', 'Project': 'project'},"
        "'Task': {'Shot': 'parent[Shot]', 'Project': 'project', 'Timelog': 'timelogs'},"
        "}}\n"
    )
os.environ["TRACKTEROID_CONFIGURATION"] = configuration

# trackteroid learns of the server when it is imported: what it is to find has to be there.
with ftrack_api.Session(auto_connect_event_hub=False) as session:
    schema = session.query("ProjectSchema order by name").first()
    project = session.create("Project", {"name": "harbour", "project_schema": schema})
    user = session.query("User").first()
    for number in (10, 20):
        shot = session.create("Shot", {"name": f"sh{number}", "parent": project})
        for name in ("layout", "light"):
            task = session.create("Task", {"name": name, "parent": shot})
            if name == "light":
                session.create("Timelog", {"user": user, "context": task, "duration": 3600})
    session.commit()

from trackteroid import SESSION, Project, Query, Shot, Task  # noqa: E402

answers = {}
query = Query(Shot).by_name(Project, "harbour")
answers["query"] = str(query)
shots = query.get_all(projections=[Shot.name, Shot.Task.name, Shot.Task.Timelog.duration])
answers["shots"] = sorted(shots.name)
answers["tasks"] = sorted(shots.Task.name)
answers["hours"] = shots.Task.Timelog.fold(0, lambda current, log: current + log.duration[0] / 3600)
answers["grouped"] = {
    str(key): sorted(group.Task.name)
    for key, group in shots.group(lambda shot: shot.name[0]).items()
}
answers["filtered"] = list(shots.filter(lambda shot: shot.name[0] == "sh20").name)
light = Query(Task).by_name("light").by_name(Shot, "sh10").get_one(projections=[Task.name])
answers["light"] = list(light.name)
project = Query(Project).by_name("harbour").get_one(projections=[Project.full_name])
project.full_name = "The Harbour"
shots.Task.Timelog.delete()
SESSION.commit()
found = Query(Project).by_name("harbour").get_one(projections=[Project.full_name])
answers["full_name"] = list(found.full_name)
answers["logs"] = len(Query(Task).get_all(projections=[Task.Timelog]).Timelog)
print(json.dumps(answers))
SESSION.close()
