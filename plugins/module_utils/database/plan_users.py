# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of a task: who comes, who changes, who goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, Secret
from ansible_collections.flatrun.infra.plugins.module_utils.database.change import (
    AlterUser,
    CreateUser,
    Credential,
    DiscardPassword,
    DropUser,
    SetPassword,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.dialect import Dialect
from ansible_collections.flatrun.infra.plugins.module_utils.database.model import (
    DIFFERS,
    ROLE,
    SAME,
    Grantee,
    State,
    User,
)
from ansible_collections.flatrun.infra.plugins.module_utils.database.spec import ABSENT, ALWAYS, Task, WantedUser

# The present password, and the former one.
_RETAINED = 2


def arrivals(task: Task, state: State, dialect: Dialect) -> Iterator[Action]:
    for wanted in task.users:
        if wanted.state == ABSENT:
            continue
        grantee = dialect.grantee(wanted.name, "" if wanted.is_role else wanted.host)
        found = state.users.get(grantee)
        if found is None:
            yield _creation(wanted, grantee, dialect.plugin(wanted, None, state))
        else:
            yield from _password(wanted, found, dialect.plugin(wanted, found, state))
            yield from _alteration(wanted, found)


def _creation(wanted: WantedUser, grantee: Grantee, plugin: str) -> Action:
    given = wanted.password or wanted.hash or not wanted.is_role
    credential = Credential(grantee, plugin, wanted.password, wanted.hash) if given else None
    change = CreateUser(grantee, credential, wanted.attributes, wanted.limits, wanted.tls, wanted.acl)
    shown = {} if credential is None else {"plugin": plugin} if credential.is_empty else {"password": SECRET}
    after = {**shown, **_shown(wanted.attributes, wanted.limits, wanted.tls, wanted.acl)}
    kind = "role" if wanted.is_role else "user"
    return Action("create", f"{kind} {grantee}", "it does not exist", wanted.item, None, after, change)


def turns_to(wanted: WantedUser, found: User, plugin: str) -> bool:
    """Whether the user is to log in by another plugin; where nobody may see by which it does, nobody asks."""
    return bool(wanted.plugin and found.plugin) and wanted.update_password == ALWAYS and plugin != found.plugin


def _password(wanted: WantedUser, found: User, plugin: str) -> Iterator[Action]:
    credential = Credential(found.grantee, plugin, wanted.password, wanted.hash)
    other_plugin = turns_to(wanted, found, plugin)
    if wanted.update_password != ALWAYS:
        return
    if not (other_plugin or found.password == DIFFERS):
        yield from _discard(wanted, found, credential)
        return
    if other_plugin and wanted.retain:
        raise Refused(
            f"{found.grantee} logs in by {found.plugin}, and a password of another plugin can't go on working",
            f"{wanted.item}.retain_password",
            "Leave it out, or keep the plugin.",
        )
    before = {"plugin": found.plugin} if other_plugin else {"password": "(another)"}
    after = {"plugin": plugin} if other_plugin else {"password": SECRET}
    reason = f"it logs in by {found.plugin}" if other_plugin else "its password is another"
    # What keeps nothing, such as a socket, goes on letting in.
    ways = tuple(dict.fromkeys(plugin if way == found.plugin else way for way in found.ways))
    beside = _credentials(found, found.kept[-1:]) if wanted.retain else ()
    change = SetPassword(credential, wanted.retain, found.former and not wanted.retain, ways, beside)
    yield Action("set_password", f"user {found.grantee}", reason, wanted.item, before, after, change)


def _discard(wanted: WantedUser, found: User, credential: Credential) -> Iterator[Action]:
    """Who says what the password is says that there is no other, or one former alone."""
    if found.password != SAME or not (len(found.kept) > _RETAINED if wanted.retain else found.former):
        return
    key, why = "former_password", "a former password works too"
    if wanted.retain:
        key, why = "earlier_password", "a password before the former one works too"
    before, after = {key: "works"}, {key: "does not work"}
    change = DiscardPassword(credential, _credentials(found, found.kept[-2:-1]) if wanted.retain else ())
    yield Action("discard", f"user {found.grantee}", why, wanted.item, before, after, change)


def _credentials(found: User, kept: tuple[Secret, ...]) -> tuple[Credential, ...]:
    return tuple(Credential(found.grantee, found.plugin, hash=each) for each in kept)


def _alteration(wanted: WantedUser, found: User) -> Iterator[Action]:
    attributes = {word: holds for word, holds in wanted.attributes.items() if holds != (word in found.attributes)}
    limits = {key: value for key, value in wanted.limits.items() if value != found.limits.get(key, "")}
    tls = wanted.tls if wanted.tls and wanted.tls != found.tls else ""
    acl = {part: rules for part, rules in wanted.acl.items() if rules != found.acl.get(part, ())}
    if not (attributes or limits or tls or acl):
        return
    before = _shown(
        {word: word in found.attributes for word in attributes},
        {key: found.limits.get(key, "") for key in limits},
        found.tls if tls else "",
        {part: found.acl.get(part, ()) for part in acl},
    )
    after = _shown(attributes, limits, tls, acl)
    reason = "; ".join(f"its {key} is {value or 'unset'}" for key, value in sorted(before.items()))
    change = AlterUser(found.grantee, attributes, limits, tls, acl)
    yield Action("alter", f"user {found.grantee}", reason, wanted.item, before, after, change)


def _shown(
    attributes: Mapping[str, bool], limits: Mapping[str, str], tls: str, acl: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    words = {word.lower(): "yes" if holds else "no" for word, holds in sorted(attributes.items())}
    rules = {part: " ".join(some) for part, some in acl.items() if some or part != "selectors"}
    return {**words, **limits, **({"tls_requires": tls} if tls else {}), **rules}


def departures(task: Task, state: State, dialect: Dialect) -> Iterator[Action]:
    vanishing = {wanted.name for wanted in task.databases if wanted.state == ABSENT}
    for wanted in task.users:
        for found in _going(wanted, task, state, dialect) if wanted.state == ABSENT else ():
            owned = state.owned.get(found.grantee, ())
            places = tuple(sorted({place for place, _what in owned} - vanishing))
            heir = state.administrator if wanted.force else ""
            change = DropUser(found.grantee, ROLE in found.attributes, heir, places)
            yield Action("drop", f"user {found.grantee}", "it exists", wanted.item, {"exists": "yes"}, None, change)


def _going(wanted: WantedUser, task: Task, state: State, dialect: Dialect) -> list[User]:
    """Who has the name, and on MariaDB, where roles have no host, the role that has it too."""
    found = state.users.get(dialect.grantee(wanted.name, "" if wanted.is_role else wanted.host))
    role = state.users.get(dialect.grantee(wanted.name, ""))
    stays = any(user.is_role and user.name == wanted.name for user in task.users if user.state != ABSENT)
    if role is None or role is found or ROLE not in role.attributes or wanted.host != "%" or stays:
        return [found] if found else []
    return [found, role] if found else [role]
