"""Add users for seeds: active, with a security role for all open projects."""

from __future__ import annotations

from typing import Optional

from ftrack_like.sandbox.schema.people import USER_TYPE_ID
from ftrack_like.sandbox.tables.rowset import RowSet, named_id

__all__ = ["add_user"]


def add_user(
    rows: RowSet,
    username: str,
    first_name: str,
    last_name: str,
    role: str,
    user_type_id: Optional[str] = USER_TYPE_ID,
) -> str:
    """Add a user with the security role *role* (a name), and return the user's id."""
    user_id = rows.add(
        "User",
        id=named_id("User", username),
        username=username,
        first_name=first_name,
        last_name=last_name,
        email=username if "@" in username else f"{username}@example.com",
        is_active=True,
        is_otp_enabled=False,
        is_totp_enabled=False,
        require_details_update=False,
        user_type_id=user_type_id,
    )
    rows.add(
        "UserSecurityRole",
        id=named_id("UserSecurityRole", username, role),
        user_id=user_id,
        security_role_id=named_id("SecurityRole", role),
        is_all_open_projects=True,
    )
    return user_id
