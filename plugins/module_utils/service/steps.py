# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that bring one managed service to what is asked. Pure: nothing here looks or acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action, changes, sentence
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import GENERATED
from ansible_collections.flatrun.infra.plugins.module_utils.service import guards
from ansible_collections.flatrun.infra.plugins.module_utils.service import spec as wanted
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import (
    CONFIGURATION,
    config_files,
    folders,
    settings,
)
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Infra, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import DENIED, Container, Found
from ansible_collections.flatrun.infra.plugins.module_utils.service.steps_password import password

_SETTLED = ("exited", "created", "paused")


@dataclass(frozen=True)
class Order:
    """What apply needs of the spec to do an action of one service."""

    service: Service
    found: Found
    layout: Layout
    settings: dict[str, Any]
    files: dict[str, str]
    # Whether its container is made or replaced: then that one reads the configuration, which is tested in one like it.
    anew: bool = False


def absent(service: Service, found: Found, target: str) -> Iterator[Action]:
    for container in (found.container, found.former):
        if container:
            yield Action(
                "remove",
                f"container {container.name}",
                "it is to be absent; its data stays",
                service.name,
                before={"image": container.image},
                detail=container,
            )


def whole(spec: Infra, service: Service, kind: ServiceType, found: Found, target: str) -> Iterator[Action]:
    layout = Layout(spec.root_dir, service.container)
    found, container = _with_present_config(found), present_container(found)
    files, options = config_files(service, kind), settings(service, kind, layout, found.adopted_mounts)
    order = Order(service, found, layout, options, files)
    order = replace(order, anew=container is None or not container.ours or bool(_drift(order, container)))
    guards.folders(found)
    guards.data_is_mounted(service, kind, order.settings["mounts"])
    guards.data(service, kind, found)
    guards.ports(found)
    guards.image(service, found, spec.pull)
    yield from _leftovers(order, target)
    yield from _prepare(order, kind)
    if found.image is None or found.image.newer:
        why = "it is not at hand" if found.image is None else "the registry has a newer one"
        yield Action("pull", f"image {service.image}", why, service.name, after={"image": service.image}, detail=order)
    if kind.released or kind.config:
        yield from _config(order, kind)
    yield from _container(order, container, target, spec.wait)
    yield from password(service, kind, found)
    yield from _called(service, found, container, target)


def _called(service: Service, found: Found, container: Container | None, target: str) -> Iterator[Action]:
    """A container is not made anew for the name of its service, by which it is sought."""
    now = found.called or (container.service if container else "")
    if service.named and now and now != service.name:
        before, after = {"service": now}, {"service": service.name}
        yield Action("call", target, f"it is known as the service {now}", service.name, before, after)


def meant(service: Service, found: Found) -> Service:
    """``present`` starts no container, and one that runs is to run as it is asked: then nothing is said in vain."""
    container = present_container(found)
    runs = container is not None and container.running
    starts = service.whole and service.state == wanted.PRESENT and runs
    return replace(service, state=wanted.STARTED) if starts else service


def present_container(found: Found) -> Container | None:
    """The container as it will be once what a killed run left behind is put right."""
    if _must_restore(found) and found.former:
        return replace(found.former, status="running")
    return None if _must_start_over(found) else found.container


def _with_present_config(found: Found) -> Found:
    """The same of the configuration."""
    aside = found.config_aside
    return replace(found, config=aside, config_before=aside) if aside and _must_restore(found) else found


def _must_restore(found: Found) -> bool:
    """A former container is the one that served; only a successor that answers may take its place."""
    return found.former is not None and not (found.container and found.container.running and found.answers)


def _must_start_over(found: Found) -> bool:
    """The first start was cut short: nobody was ever told of a server, and it can't be entered any more.

    One that runs was waited for, as long as for any start; PostgreSQL without all of its files runs for ever.
    """
    if not found.initialising or found.former or not found.data or found.data.empty:
        return False
    container = found.container
    if container is None or found.login == DENIED:
        return True
    if container.alive:
        return not (found.answers or found.login) and (container.looping or bool(found.words))
    return container.status not in _SETTLED


def _leftovers(order: Order, target: str) -> Iterator[Action]:
    found, name = order.found, order.service.name
    if _must_restore(found):
        yield Action("restore", target, "a run was cut short while it was being replaced", name, detail=order)
    elif found.former:
        reason = "its successor answers"
        before = {"image": found.former.image}
        yield Action("remove", f"container {found.former.name}", reason, name, before=before, detail=found.former)
    yield from renamed(order.service, found, target)
    if _must_start_over(found):
        reason = "its first start was cut short; what there is of data is put aside"
        yield Action("start_over", target, reason, name, detail=order)


def renamed(service: Service, found: Found, target: str) -> Iterator[Action]:
    if found.renamed:
        reason = f"it was renamed to {found.renamed}"
        yield Action("rename", target, reason, service.name, before=found.renamed, after=service.container)


def _prepare(order: Order, kind: ServiceType) -> Iterator[Action]:
    service, found, layout = order.service, order.found, order.layout
    missing = [path for path in folders(kind, layout) if path not in found.folders]
    if missing:
        yield Action(
            "create", f"folders of {service.container}", "they are missing", service.name, after=missing, detail=order
        )
    if kind.secret and not (found.kept or found.next or service.secret(kind.secret) or found.adopted_mounts):
        target = f"secret {kind.secret} of {service.container}"
        yield Action("generate", target, "none was given and none is kept", service.name, after=GENERATED, detail=order)


def _config(order: Order, kind: ServiceType) -> Iterator[Action]:
    """Where nginx reads it, a configuration is released under a running server; elsewhere it waits for a start."""
    found, service = order.found, order.service
    target = f"configuration of {service.container}"
    if dict(found.config) == order.files:
        if kind.released and found.config_unread and service.state == wanted.STARTED and not order.anew:
            yield Action("release", target, "nginx has not loaded it", service.name, detail=order)
        return
    verb = "release" if kind.released else "write"
    changed = changes(found.config_before, order.files)
    reason = (
        f"{sentence(changed)} {'differs' if len(changed) == 1 else 'differ'}" if changed else "it was edited by hand"
    )
    shown = changed or changes(found.config, order.files)
    before = found.config_before if changed else found.config
    yield Action(verb, target, reason, service.name, _texts(before, shown), _texts(order.files, shown), order)


def _texts(files: Mapping[str, str], names: Sequence[str]) -> str | None:
    """Files one below the other, as a diff shows them."""
    return "\n".join(f"# {name}\n{files[name].rstrip()}" for name in names if name in files) or None


def _container(order: Order, container: Container | None, target: str, waited: bool) -> Iterator[Action]:
    service, found = order.service, order.found
    if container is None:
        yield Action("create", target, "it does not exist", service.name, after=_shown(order), detail=order)
    elif not container.ours:
        guards.adoption(service, found, container, order.settings["mounts"])
        reason = "it is made by somebody else and is to be taken over, with its data"
        yield Action(
            "adopt", target, reason, service.name, before={"image": container.image}, after=_shown(order), detail=order
        )
        yield from _halted_again(service, container, target)
    elif _drift(order, container):
        yield _replacement(order, container, target)
        yield from _halted_again(service, container, target)
    else:
        mending = tuple(networks(service, container, target))
        yield from mending
        yield from running(service, found, container, target, waited, bool(mending) or _must_restore(found))


def _replacement(order: Order, container: Container, target: str) -> Action:
    before, after = _facts(order, container)
    drift = _drift(order, container)
    if before["image"] == after["image"]:
        before["image"] += " (another build)"
    shown = [key for key in drift if key != CONFIGURATION]
    reason = f"{sentence(drift)} {'differs' if len(drift) == 1 else 'differ'}"
    was, will = ({key: facts.get(key) for key in shown} for facts in (before, after))
    return Action("replace", target, reason, order.service.name, before=was, after=will, detail=order)


def _halted_again(service: Service, container: Container, target: str) -> Iterator[Action]:
    """The successor of a container that runs is started to see that it answers, whatever is asked for then."""
    if service.state == wanted.STOPPED and container.status in ("running", "restarting"):
        yield Action("stop", target, "it is to be stopped", service.name, container.status, "stopped")


def _shown(order: Order) -> dict[str, Any]:
    keys = ("image", "published_ports", "memory", "cpus", "command", "env")
    return {
        **{key: order.settings[key] for key in keys if order.settings[key]},
        "networks": list(order.service.networks),
    }


def _drift(order: Order, container: Container) -> list[str]:
    image = order.found.image
    rebuilt = image is not None and (image.newer or container.image_id != image.id)
    return sorted({*changes(*_facts(order, container)), *(["image"] if rebuilt else [])})


def _facts(order: Order, container: Container) -> tuple[dict[str, Any], dict[str, Any]]:
    """What it was made with and what it has been updated to since, beside what is asked."""
    actual = {"memory": container.memory, "cpus": container.cpus, "restart policy": container.restart}
    asked: dict[str, Any] = {"restart policy": "unless-stopped"}
    if order.service.networks and "none" in container.networks:
        # One that was made without any can't be connected to others.
        actual["networks"], asked["networks"] = [], list(order.service.networks)
    return {**container.settings, **actual}, {**order.settings, **asked}


def networks(service: Service, container: Container, target: str) -> Iterator[Action]:
    """Connect it to the networks it is to be on, and to those that were made anew under it; off what is gone."""
    here = container.networks - container.severed
    wanted_ones = dict.fromkeys((*service.networks, *sorted(container.severed & container.networks)))
    for network in (name for name in wanted_ones if name not in here):
        severed = network in container.severed
        reason = f"the network {network} was made anew" if severed else f"it is not on the network {network}"
        yield Action("connect", target, reason, service.name, after={"network": network}, detail=(network, severed))
    for network in sorted(container.severed - {*wanted_ones}) if service.whole else ():
        reason = f"the network {network} is gone"
        yield Action("disconnect", target, reason, service.name, before={"network": network}, detail=(network, True))


def running(
    service: Service, found: Found, container: Container, target: str, waited: bool, mended: bool = False
) -> Iterator[Action]:
    """Start, stop, restart or wake a container that is otherwise as asked; ``mended`` if it is put right before.

    One that is not ``waited`` for may be starting still.
    """
    status, name = container.status, service.name
    if service.state in wanted.RUNNING_STATES:
        if service.state == wanted.RESTARTED and service.outlive == container.started_at:
            yield Action("restart", target, "a restart was asked for", name, status, "restarted")
        elif status == "paused":
            yield Action("unpause", target, "it is paused", name, "paused", "running")
        elif status not in ("running", "restarting"):
            yield Action("start", target, f"it is {status}{_why(container)}", name, status, "running")
        elif found.config_unread and not (service.type and service.type.released):
            reason = "its configuration was written after it had started"
            yield Action("restart", target, reason, name, "running", "restarted")
        elif not mended and (waited or container.looping):
            guards.answering(service, found, container)
    elif service.state == wanted.STOPPED and status in ("running", "restarting", "paused"):
        yield Action("stop", target, "it is to be stopped", name, status, "stopped")


def _why(container: Container) -> str:
    if container.out_of_memory:
        return ", it ran out of memory"
    return f" with code {container.exit_code}" if container.exit_code else ""


def is_settled(spec: Infra, service: Service, found: Found) -> bool:
    """Nothing is wrong with the container itself, so it is worth waiting for its answer."""
    container = found.container
    if container and not container.ours and not (service.adopt and service.whole):
        # It will be refused, whatever it answers.
        return False
    if not service.whole or service.type is None or container is None:
        return container is None or not container.severed
    layout = Layout(spec.root_dir, service.container)
    order = Order(service, found, layout, settings(service, service.type, layout, found.adopted_mounts), {})
    astray = found.former or found.renamed or any(networks(service, container, ""))
    return not astray and (not _drift(order, container) if container.ours else container.tells(service.type))
