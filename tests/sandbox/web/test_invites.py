"""Invitations: who is written to, what about, and as whom they act."""

from __future__ import annotations

import re

import pytest
import requests

pytest.importorskip("starlette", reason="the sandbox extra is not installed")

from ftrack_like.testing import Sandbox


def user_invite(user_id):
    return {"action": "send_user_invite", "user_id": user_id}


def review_invite(invitee_id):
    return {"action": "send_review_session_invite", "review_session_invitee_id": invitee_id}


@pytest.fixture
def outbox(api):
    """Return a function that answers the messages in the outbox."""
    return lambda: api.http.get(f"{api.url}/outbox", timeout=30).json()


def test_a_user_is_told_where_to_log_in(api, outbox, sandbox):
    """The mail to a user names the address of the site and the user's name, and no key."""
    user = api.create("User", username="mira", first_name="Mira", email="mira@example.com")
    api.call(user_invite(user))
    (message,) = outbox()
    assert message["to"] == "Mira <mira@example.com>"
    assert f"{sandbox.server_url}/browse" in message["links"]
    assert "Your user name is mira." in message["text"]
    assert sandbox.api_key not in message["text"]


@pytest.mark.parametrize("email", [None, "", "no address", "a@b\nBcc: c@d.test", "a@b, c@d"])
def test_somebody_without_a_mail_address_cannot_be_invited(api, outbox, email):
    """The error says what is missing, and nothing is sent."""
    user = api.create("User", username="mira", first_name="Mira", email=email)
    with pytest.raises(api.Error, match="not a mail address") as caught:
        api.call(user_invite(user))
    assert (caught.value.name, caught.value.status) == ("ValidationError", 400)
    assert outbox() == []


def test_an_unknown_user_cannot_be_invited(api, unknown_id):
    """An id that no user has is an error, and so is a group's."""
    group = api.create("Group", name="Lighting", local=True)
    for id_ in (unknown_id, group):
        with pytest.raises(api.Error, match="There is no User") as caught:
            api.call(user_invite(id_))
        assert caught.value.name == "NotFoundError"


def test_nothing_is_sent_by_a_batch_that_fails(api, outbox, unknown_id):
    """Mail leaves when the batch is committed, and not without that."""
    user = api.create("User", username="mira", email="mira@example.com")
    with pytest.raises(api.Error, match="There is no User"):
        api.call(user_invite(user), user_invite(unknown_id))
    assert outbox() == []


def test_a_user_may_be_invited_by_the_batch_that_makes_them(api, outbox):
    """Create and invite can be one request."""
    operation = api.make("User", username="mira", email="mira@example.com")
    api.call(operation, user_invite(operation["entity_key"][0]))
    assert len(outbox()) == 1


def test_an_invitee_gets_a_link_of_their_own(api, review):
    """The mail names review, sender and dates, and its link opens the review."""
    (message,) = review.outbox()
    assert message["subject"] == "Review: Dailies"
    assert message["to"] == "Mira Sol <mira@example.com>"
    assert "Site Administrator asks you to review “Dailies”" in message["text"]
    assert re.search(r"open from \d{4}-\d\d-\d\d \d\d:\d\d until", message["text"])
    assert "Please look at the timing." in message["text"]
    assert review.show().status == 200


def test_it_is_noted_when_an_invitation_was_sent(api, review):
    """last_sent_at follows each invitation."""
    expression = f"select last_sent_at from ReviewSessionInvitee where id is {review.invitee}"
    assert api.one(expression)["last_sent_at"] is not None
    api.update("ReviewSessionInvitee", review.invitee, last_sent_at=None)
    api.call(review_invite(review.invitee))
    assert api.one(expression)["last_sent_at"] is not None


def test_an_invitee_becomes_a_collaborator_once(api, review):
    """Who is invited again, to this review or another, is the same collaborator."""
    api.call(review_invite(review.invitee))
    again, _ = review.invite("Mira", "mira@example.com")
    person = api.one("select id, first_name, last_name, email from Collaborator")
    assert (person["first_name"], person["last_name"]) == ("Mira", "Sol")
    for invitee in (review.invitee, again):
        found = api.one(f"select resource_id from ReviewSessionInvitee where id is {invitee}")
        assert found["resource_id"] == person["id"]


def test_an_invitee_is_no_user_by_the_address_alone(api, review):
    """A link in mail does not let anybody act as a user who has the same address."""
    user = api.create("User", username="ada", email="ada@example.com")
    invitee, _ = review.invite("Ada", "ada@example.com")
    found = api.one(f"select resource_id from ReviewSessionInvitee where id is {invitee}")
    assert found["resource_id"] != user


def test_an_invitee_whose_resource_is_given_keeps_it(api, review):
    """Whoever made the invitee may say who it is."""
    user = api.create("User", username="ada", email="ada@example.com")
    invitee = api.create(
        "ReviewSessionInvitee",
        name="Ada",
        email="ada@example.com",
        review_session_id=review.session,
        resource_id=user,
    )
    api.call(review_invite(invitee))
    found = api.one(f"select resource_id from ReviewSessionInvitee where id is {invitee}")
    assert found["resource_id"] == user


def test_the_passphrase_is_not_in_the_mail(review):
    """The mail says that there is a passphrase, and not which."""
    review.change(passphrase="open sesame", passphrase_enabled=True)
    review.invite("Jonas", "jonas@example.com")
    text = review.outbox()[-1]["text"]
    assert "asks for a passphrase" in text
    assert "sesame" not in text


def test_an_unknown_invitee_is_an_error(api, unknown_id):
    """The error names the id."""
    with pytest.raises(api.Error, match=f"no ReviewSessionInvitee with the id '{unknown_id}'"):
        api.call(review_invite(unknown_id))


def test_an_invitation_needs_to_say_whom(api):
    """Without the argument the error names it."""
    with pytest.raises(api.Error, match="needs 'review_session_invitee_id'"):
        api.call({"action": "send_review_session_invite"})
    with pytest.raises(api.Error, match="user_id must be an id"):
        api.call(user_invite(7))


def test_the_session_of_a_client_sends_invitations(session, review):
    """The methods of the client reach the outbox."""
    invitee = session.get("ReviewSessionInvitee", review.invitee)
    session.send_review_session_invite(invitee)
    session.send_review_session_invites([invitee, invitee])
    session.send_user_invite(session.query("User").first())
    assert [one["subject"][:6] for one in review.outbox()[1:]] == ["Review"] * 3 + ["Your i"]


def test_a_reset_empties_the_outbox(review, sandbox):
    """A fresh site has sent nothing."""
    sandbox.reset()
    assert review.outbox() == []


def test_invitations_are_told_as_events(api, review):
    """The collaborator that an invitation makes, and its date, are events like others."""
    told = api.http.get(f"{api.url}/events", timeout=30).json()["events"]
    changed = {
        (entity.get("entity_type"), entity["action"])
        for one in told
        for entity in one["event"]["data"].get("entities", ())
    }
    assert {("Collaborator", "add"), ("ReviewSessionInvitee", "update")} <= changed


def test_mail_lies_beside_the_data(tmp_path):
    """A sandbox with a folder keeps its outbox there, over a restart."""
    subjects = []
    for _ in range(2):
        with Sandbox(tmp_path) as sandbox:
            headers = {"ftrack-user": sandbox.api_user, "ftrack-api-key": sandbox.api_key}
            with sandbox.session() as session:
                session.send_user_invite(session.query("User").first())
            answer = requests.get(f"{sandbox.server_url}/outbox", headers=headers, timeout=30)
            subjects.append([one["subject"] for one in answer.json()])
    assert [len(one) for one in subjects] == [1, 2]
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 2
