"""Make, find, change and delete with the statements of ftrack-query."""

import json

import ftrack_api
from ftrack_query import FTrackQuery, and_, attr, create, delete, event, or_, select, update

answers = {}
with FTrackQuery(auto_connect_event_hub=False) as session:
    assert isinstance(session, ftrack_api.Session)
    schema = session.select("ProjectSchema").order_by("name").first()
    project = session.execute(
        create("Project").values(name="harbour", full_name="Harbour", project_schema=schema)
    )
    for name in ("layout", "light", "light_fix"):
        task = session.execute(create("Task").values(name=name, parent=project))
        task["metadata"]["from"] = "ftrack-query"
    session.commit()

    stmt = (
        select("Task")
        .where(or_(and_(name="layout"), attr("name").startswith("light")), project=project)
        .where(attr("metadata").any(key="from", value="ftrack-query"))
        .where(~attr("name").in_(["light_fix"]))
        .order_by(attr("name").desc())
        .populate("name", "status.name")
    )
    answers["statement"] = str(stmt).replace(project["id"], "<project>")
    answers["names"] = [task["name"] for task in session.execute(stmt)]
    answers["one"] = session.select("Task").where(name="layout").one()["parent"]["name"]
    answers["subquery"] = [
        task["name"]
        for task in session.select("Task")
        .where(attr("project_id").in_(select("Project").where(name="harbour").subquery()))
        .order_by("name")
        .limit(2)
    ]
    answers["plain"] = session.query('Task where name is "light"').one()["name"]
    answers["updated"] = session.execute(
        update("Task").where(attr("name").like("light%")).values(description="changed")
    )
    session.commit()
    answers["changed"] = len(session.select("Task").where(description="changed").all())
    answers["deleted"] = session.execute(delete("Task").where(name="light_fix"))
    session.commit()
    answers["left"] = sorted(task["name"] for task in session.select("Task"))

    topic = event.attr("topic") == "studio.done"
    heard = []
    session.event_hub.subscribe(
        str(event.and_(topic, event.attr("data.name") == "layout")),
        lambda found: heard.append(found["data"]["name"]),
    )
    for name in ("light", "layout"):
        found = ftrack_api.event.base.Event(topic="studio.done", data={"name": name})
        session.event_hub.publish(found, synchronous=True)
    answers["heard"] = heard
print(json.dumps(answers))
