"""Long lists on the pages: the counts are true, and each entry is on exactly one page."""

from __future__ import annotations

import html
import json
import re

import pytest

from ftrack_like.sandbox.web.listing import Listing, part_of


def pages_from(browser, address):
    """Return the pages of a list from *address* on, by the links to the next page."""
    pages = [browser.get(address)]
    while len(pages) < 30:
        found = re.search(r'<a href="([^"]*)" rel="next"', pages[-1].source)
        if found is None:
            return pages
        link = html.unescape(found[1])
        pages.append(browser.get(address.partition("?")[0] + link if link[0] == "?" else link))
    raise AssertionError("the list does not end")


def make_many(api, count, type_name, **values):
    """Create entities; *values* are values or functions of the number."""
    api.call(
        *(
            api.make(
                type_name,
                **{name: one(at) if callable(one) else one for name, one in values.items()},
            )
            for at in range(count)
        )
    )


@pytest.fixture
def shot(review, api):
    """Return the id of a shot."""
    return api.create("Shot", name="sh010", parent_id=review.project)


def test_children_are_counted_by_kind(visitor, review, api, shot):
    """A context with 500 tasks and 3 shots says so, on each of its pages."""
    make_many(api, 3, "Shot", name="inner{}".format, parent_id=shot)
    make_many(api, 500, "Task", name="t{:04d}".format, parent_id=shot)
    pages = pages_from(visitor, f"/browse/context/{shot}")
    assert [len(re.findall(r">(?:t\d{4}|inner\d)<", page.source)) for page in pages] == [
        120,
        120,
        120,
        120,
        23,
    ]
    names = [name for page in pages for name in re.findall(r">(t\d{4}|inner\d)<", page.source)]
    assert len(set(names)) == len(names) == 503
    assert "of 500" in pages[-1].text
    assert "481 to 503 of 503" in pages[-1].text
    assert "120 of 503" in pages[0].text


@pytest.mark.parametrize("kind", ["project", "asset", "version", "component", "note", "job"])
def test_each_list_of_entities_has_pages(visitor, review, api, shot, kind):
    """All entries of a list of 250 are reached by its links, each once, and the count is 250."""
    asset = api.create("Asset", name="plate", context_id=shot)
    version = review.versions[0]
    user = api.one("select id from User where username is admin")["id"]
    schema = api.query("select id from ProjectSchema")[0]["id"]
    address, create, total = {
        "project": (
            "/browse",
            lambda: make_many(
                api,
                249,
                "Project",
                name="e{:04d}".format,
                full_name="The {}".format,
                project_schema_id=schema,
            ),
            250,
        ),
        "asset": (
            f"/browse/context/{review.project}",
            lambda: make_many(api, 250, "Asset", name="e{:04d}".format, context_id=review.project),
            252,
        ),
        "version": (
            f"/browse/asset/{asset}",
            lambda: make_many(api, 250, "AssetVersion", comment="e{:04d}".format, asset_id=asset),
            250,
        ),
        "component": (
            f"/browse/version/{version}",
            lambda: make_many(
                api, 250, "FileComponent", name="e{:04d}".format, version_id=version, size=1
            ),
            250,
        ),
        "note": (
            f"/browse/version/{version}",
            lambda: make_many(
                api,
                250,
                "Note",
                content="e{:04d}".format,
                parent_id=version,
                parent_type="asset_version",
            ),
            250,
        ),
        "job": (
            "/browse/jobs",
            lambda: make_many(
                api,
                250,
                "Job",
                type="api_job",
                user_id=user,
                status="done",
                data=lambda at: json.dumps({"description": f"e{at:04d}"}),
            ),
            250,
        ),
    }[kind]
    create()
    pages = pages_from(visitor, address)
    names = [name for page in pages for name in re.findall(r">(e\d{4})<", page.source)]
    assert len(pages) > 1
    assert len(names) == len(set(names))
    assert len(names) >= 249
    assert all(f"of {total}" in page.text for page in pages)


def test_reviews_have_pages_and_true_counts(visitor, review, api):
    """Review sessions, and the objects and invitees of one, are counted and reached."""
    make_many(
        api,
        149,
        "ReviewSession",
        name="r{:04d}".format,
        project_id=review.project,
        start_date=review.moment(-1),
        end_date=review.moment(1),
    )
    pages = pages_from(visitor, "/browse/reviews")
    assert len(set(re.findall(r">(r\d{4})<", "".join(page.source for page in pages)))) == 149
    assert "120 of 150" in pages[0].text
    values = {"review_session_id": review.session, "version_id": review.versions[0]}
    make_many(api, 118, "ReviewSessionObject", name="o{:04d}".format, sort_order=9, **values)
    make_many(
        api,
        79,
        "ReviewSessionInvitee",
        name="i{:04d}".format,
        email="i{}@example.com".format,
        review_session_id=review.session,
    )
    address = f"/browse/review/{review.session}"
    first = visitor.get(address)
    assert "50 of 120" in first.text
    assert "50 of 80" in first.text
    assert len(first.source) < 100_000
    seen = {
        name
        for offset in (0, 50, 100)
        for name in re.findall(r">(o\d{4})<", visitor.get(f"{address}?objects={offset}").source)
    }
    assert len(seen) == 118
    page = visitor.get(f"{address}?objects=50&invitees=50")
    assert "51 to 100 of 120" in page.text
    assert "51 to 80 of 80" in page.text


def test_tasks_of_widgets_are_counted(session, browser, api, shot):
    """The tables of tasks and of versions in widgets say how many there are, and have pages."""
    make_many(api, 120, "Task", name="t{:04d}".format, parent_id=shot)
    entity = session.get("Shot", shot)
    for name in ("tasks", "tasks_browser"):
        pages = pages_from(browser, session.get_widget_url(name, entity=entity))
        assert len(set(re.findall(r">(t\d{4})<", "".join(page.source for page in pages)))) == 120
        assert "51 to 100 of 120" in pages[1].text
    asset = api.create("Asset", name="plate", context_id=shot)
    make_many(api, 130, "AssetVersion", asset_id=asset)
    address = session.get_widget_url("review_navigation", entity=session.get("Asset", asset))
    pages = pages_from(browser, address)
    assert [page.source.count('<th scope="row">') for page in pages] == [100, 30]
    assert "100 of 130" in pages[0].text


def test_a_page_beyond_the_end_is_the_last_one(visitor, review, shot, api):
    """If entries were deleted since, an old link shows the last page."""
    make_many(api, 125, "Task", name="t{:04d}".format, parent_id=shot)
    page = visitor.get(f"/browse/context/{shot}?children=9999")
    assert "121 to 125 of 125" in page.text
    assert len(re.findall(r">t\d{4}<", page.source)) == 5


@pytest.mark.parametrize(
    ("count", "offset", "words", "before", "after"),
    [
        (0, 0, "0", None, None),
        (10, 0, "10", None, None),
        (5000, 0, "50 of 5,000", None, 50),
        (5000, 1000, "1,001 to 1,050 of 5,000", 950, 1050),
        (5000, 4950, "4,951 to 5,000 of 5,000", 4900, None),
        (60, 20, "21 to 60 of 60", 0, None),
    ],
)
def test_the_words_of_a_list(count, offset, words, before, after):
    """The count is that of all entries, with a comma after the thousands."""
    listing: Listing[int] = part_of(range(count), {"from": str(offset), "x": "a b"}, 50)
    assert (listing.words, listing.before, listing.after) == (words, before, after)
    assert listing.address(50) == "?x=a+b&from=50"
    assert listing.address(0) == "?x=a+b"
