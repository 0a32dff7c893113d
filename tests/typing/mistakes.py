"""Mistakes that type checkers must report: those on the lines that say so, and no others."""

from __future__ import annotations

from ftrack_like import Session, attr, symbol
from ftrack_like.cache import MemoryCache

session = Session()

session.event_hub.subscirbe("topic=ftrack.update", print)  # mistake
session.qeury("Task")  # mistake
session.query(42)  # mistake
session.query("Task", page=10)  # mistake
session.query("Task").frist()  # mistake
session.query("Task")["name"]  # mistake
session.query("Task").first()["name"]  # mistake
session.get("Task", "an id")["name"]  # mistake
session.create("Task", ["name"])  # mistake
session.create("Task").is_modifeid  # mistake
session.populate(["Task"], "name")  # mistake
session.select(42)  # mistake
session.select("Task").were(attr.bid > 1)  # mistake
session.select("Task").where("bid > 1")  # mistake
session.select("Task").where(True)  # mistake
session.select("Task").order_by(5)  # mistake
session.select("Task").limit("5")  # mistake
session.select("Task").first()["name"]  # mistake
(attr.bid > 1) & True  # mistake
attr.bid.like(5)  # mistake
attr.name.start_with("x")  # mistake
session.select("Task").where(attr.name.start_with("x"))  # mistake
session.select("Task").where(name="x")  # mistake
session.select("Task").where(~attr.bid)  # mistake
session.select("Task").where(attr.bid & (attr.bid > 1))  # mistake
session.select("Task").where(attr.bid > 1 & attr.bid < 5)  # mistake
session.select("Task").where("x" in attr.name)  # mistake
list(attr.name)  # mistake
symbol.NOT_SET["name"]  # mistake
symbol.NOT_SET.nme  # mistake
session.delete("Task")  # mistake
session.call("Task")  # mistake
session.pick_location().get_url(session.create_component("/path"))  # mistake
session.create_component("/path", location=session)  # mistake
session.encode_media(42)  # mistake
session.types["Task"].atributes  # mistake
session.cache.caches.add(MemoryCache())  # mistake
with session.auto_populating("no"):  # mistake
    pass
Session(timeout="60")  # mistake
Session(cache=5)  # mistake
