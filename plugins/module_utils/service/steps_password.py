# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the administrator's password: set at the first start, rotated when another is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET
from ansible_collections.flatrun.infra.plugins.module_utils.service import guards
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG, ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import RUNNING_STATES, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import DENIED, OPEN, WANTED, Container, Found


def password(service: Service, kind: ServiceType, found: Found) -> Iterator[Action]:
    """What leads to the password that is asked for, or is kept."""
    if not kind.secret or service.state not in RUNNING_STATES or _is_adopted_as_it_is(service, kind, found):
        return
    what = f"secret {kind.secret} of {service.container}"
    first = _is_unstarted(found) and found.former is None and (not found.data or found.data.empty)
    # Redis has its first password from the file that is made with its container.
    if (first and (kind.bootstrap or found.next or not found.kept_is_wanted)) or found.initialising:
        yield Action("set_password", what, "the server is new", service.name, after=SECRET)
    elif found.login not in ("", WANTED) or found.next or not found.kept_is_wanted:
        guards.entrance(service, kind, found)
        is_open = found.login == OPEN
        reason = "it lets everybody in without one" if is_open else "another one is asked for"
        before = "none" if is_open else f"{SECRET} former"
        yield Action("rotate", what, reason, service.name, before, f"{SECRET} new")
    elif not found.kept_is_private:
        yield Action("protect", what, "others can read its file", service.name, "open", "0600")


def first_password(service: Service, container: Container, found: Found) -> Iterator[Action]:
    """What a task left to be done that only made the container, for an item that says no more than to start it."""
    kind = CATALOG.get(container.type)
    unset = found.initialising or (found.next and not found.kept)
    if kind and unset and found.login != DENIED and service.state in RUNNING_STATES:
        what = f"secret {kind.secret} of {service.container}"
        yield Action("set_password", what, "the server is new", service.name, after=SECRET)


def _is_unstarted(found: Found) -> bool:
    return found.container is None or found.container.status == "created"


def _is_adopted_as_it_is(service: Service, kind: ServiceType, found: Found) -> bool:
    """A container that is taken over keeps the password it has, unless another one is asked for."""
    foreign = found.container is not None and not found.container.ours
    return foreign and not found.next and (found.login == WANTED or not service.secret(kind.secret))
