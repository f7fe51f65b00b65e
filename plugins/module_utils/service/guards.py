# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids a plan, each with its sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import Refused
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import ServiceType, image_series
from ansible_collections.flatrun.infra.plugins.module_utils.service.redis_files import redis_files
from ansible_collections.flatrun.infra.plugins.module_utils.service.settings import data_path, data_place, source
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import ABSENT, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import DENIED, Container, Found


def networks(service: Service, known: Collection[str]) -> None:
    for index, network in enumerate(service.networks):
        if network not in known:
            raise Refused(
                f"the network {network!r} does not exist", f"networks[{index}]", "Create it, or list it under networks."
            )


def processors(service: Service, cpus: int) -> None:
    if cpus and service.cpus > cpus:
        raise Refused(f"{service.cpus:g} are more processors than the {cpus} of this host", "cpus", "Give fewer.")


def ownership(service: Service, found: Found, root_dir: str) -> None:
    """A container that isn't ours is never touched, and never replaced, unless it is to be adopted."""
    container = found.container
    if container and not container.ours and not (service.adopt and service.whole):
        raise Refused(
            f"a container named {service.container} exists that isn't ours (image {container.image})",
            "container",
            "Choose another name, or take it over with adopt: true.",
        )
    if container and container.ours and container.root_dir != root_dir:
        raise Refused(
            f"{service.container} has its data in {container.root_dir}",
            "container",
            f"Set root_dir: {container.root_dir}.",
        )
    if service.state == ABSENT and found.former and not found.former.ours:
        raise Refused(
            f"{found.former.name} is somebody else's, and a run was cut short while it was being taken over",
            "container",
            "Take it over with adopt: true, or give it its own name again.",
        )
    if container and found.renamed and container.name != found.renamed:
        raise Refused(f"{service.container} was renamed to {found.renamed}, and another has its name", "container")


def there(service: Service, found: Found) -> None:
    if found.container is None:
        raise Refused(
            f"there is no container {service.container}, and the item does not say what to make",
            "container",
            "Give its type and image, or run the play that creates it.",
        )


def severed(service: Service, container: Container) -> None:
    """The item doesn't say which networks it is to be on, so none is given up."""
    for network in sorted(container.severed - container.networks):
        raise Refused(
            f"the network {network} of {service.container} is gone",
            "container",
            "Create it, or run the play that creates the container.",
        )


def data_is_mounted(service: Service, kind: ServiceType, mounted: Mapping[str, str]) -> None:
    """What is written beside the mounts is gone with the container."""
    if kind.data and not data_place(service, kind, mounted)[0]:
        raise Refused(
            f"{data_path(service, kind)} is outside of every mount, so the data would be gone with the container",
            "env.PGDATA",
            f"Name a folder below {kind.data}, or mount a volume there.",
        )


def folders(found: Found) -> None:
    if found.obstacle:
        raise found.obstacle


def data(service: Service, kind: ServiceType, found: Found) -> None:
    """Data is never silently made anew, and never given to a server that would alter or refuse it."""
    if not found.data or not kind.data:
        return
    container = found.container or found.former
    if container and container.ours and (not found.data.there or _emptied(kind, found, container)):
        raise Refused(
            f"the data of {service.container} is gone from {found.data.origin} while its container still exists",
            "container",
            "Restore the data, or remove the container (state: absent) to begin anew.",
        )
    if found.image and found.data.format:
        data_format(service, kind, found, image_series(kind, found.image.env))


def _emptied(kind: ServiceType, found: Found, container: Container) -> bool:
    """A server with a password has data from its first start on."""
    finished = bool(kind.secret) and not found.initialising and container.status != "created"
    return finished and found.data is not None and found.data.empty


def data_format(service: Service, kind: ServiceType, found: Found, series: str | None) -> None:
    """Refuse an image whose server writes another format than the data has."""
    if not found.data or not found.data.engine:
        return
    new = f"{kind.name} {series}" if series else kind.name
    if found.data.engine != kind.name or (series and found.data.series and found.data.series != series):
        raise Refused(
            f"the data of {service.container} is in the format of {found.data.format}, and {service.image} is {new}",
            "image",
            "Keep the former image, or dump the data and restore it into a service of another name.",
        )


def ports(found: Found) -> None:
    for port, holder in sorted(found.taken.items()):
        raise Refused(f"port {port} is taken by {holder}", "published_ports", "Free it, or publish another one.")


def image(service: Service, found: Found, pull: str) -> None:
    if found.image is None and pull == "never":
        raise Refused(
            f"{service.image} is not on this engine, and pull is never", "image", "Build it or load it there."
        )


def answering(service: Service, found: Found, container: Container) -> None:
    """It runs as asked, was waited for, and still does not answer: nothing that is known here would help."""
    if found.answers or found.login or not found.words:
        return
    state = "restarts again and again" if container.looping else "runs, but does not answer"
    raise Refused(
        f"{service.container} {state}{_out_of_memory(container)}: {found.words}. {_last_lines(found)}",
        "container",
        "See its log, or restart it.",
    )


def started(service: Service, found: Found, seconds: int) -> None:
    """It was started a moment ago, and can't be left as it is."""
    if found.answers or found.login:
        return
    # In a loop it may just be up again.
    gone = found.container is None or not found.container.running or found.container.looping
    how = "it ends as soon as it has started" if gone else f"it does not answer within {seconds} s"
    raise Refused(
        f"{how}{_out_of_memory(found.container)} ({found.words}). {_last_lines(found)}",
        f"container {service.container}",
        _begin_anew(service, found) or ("Correct what they say, then run again." if found.log else ""),
    )


def _begin_anew(service: Service, found: Found) -> str:
    """What the next run does, once it finds a server that was never ready and lets nobody in."""
    return (
        "Its first start was cut short: run again, and it begins anew." if found.initialising and service.whole else ""
    )


def _out_of_memory(container: Container | None) -> str:
    return ", it ran out of memory" if container and container.out_of_memory else ""


def _last_lines(found: Found) -> str:
    return f"Its last lines: {found.log}" if found.log else "It wrote nothing"


def entrance(service: Service, kind: ServiceType, found: Found) -> None:
    if found.login == DENIED:
        raise Refused(
            f"{service.container} takes none of the passwords that are known ({found.words})",
            f"secrets.{kind.secret}",
            _begin_anew(service, found) or "Give the one that it has now.",
        )


def adoption(service: Service, found: Found, container: Container, mounted: Mapping[str, str]) -> None:
    """A server is taken over only while it can be entered: afterwards it would be too late to find that it can't."""
    kind = service.type
    if kind and "PGDATA" in kind.env and not found.adopting and container.pgdata not in ("", data_path(service, kind)):
        raise Refused(
            f"{service.container} has its data in {container.pgdata}",
            "env.PGDATA",
            f"Give PGDATA: {container.pgdata} to keep it.",
        )
    secret = kind.secret if kind else ""
    if secret and not found.adopting and (not container.running or found.login in ("", DENIED)):
        raise Refused(
            f"{service.container} is to be taken over, and can't be entered ({found.words or container.status})",
            f"secrets.{secret}",
            "Start it, and give the password that it has now.",
        )
    if kind and kind.data and (found.told or not found.adopting):
        _data_goes_along(service, kind, found, container, mounted)


def _data_goes_along(
    service: Service, kind: ServiceType, found: Found, container: Container, mounted: Mapping[str, str]
) -> None:
    """What its successor has for data is what it has."""
    name, path = service.container, data_path(service, kind)
    there = found.told.get("dir", path).rstrip("/")
    now, then = source(there, container.mounts), source(path, mounted)
    if not now and found.told:
        raise Refused(
            f"{name} has its data in {there or '/'}, outside of every mount, so it would be gone with the container",
            "container",
            f"Have it keep its data in a volume that is mounted at {path}, then take it over.",
        )
    if not now or (found.data and found.data.empty and kind.secret and not found.told):
        raise Refused(
            f"{name} has no data in {path}, where its successor looks for it",
            "container",
            f"Have it keep its data in a volume that is mounted at {path}, then take it over.",
        )
    if now != then:
        raise Refused(
            f"{name} has its data in {there} ({now}), and its successor would look for it in {path} ({then})",
            "container",
            _way_there(kind, now, there, path),
        )
    _files_go_along(service, kind, found)


def _way_there(kind: ServiceType, now: str, there: str, path: str) -> str:
    if "PGDATA" in kind.env and there != path:
        return f"Give PGDATA: {there} to keep it."
    if now.startswith("/") or "/" not in now:
        return f"Give volumes: ['{now}:{path}:rw'] to keep it."
    return f"Have it keep its data in a volume that is mounted at {path}, then take it over."


def _files_go_along(service: Service, kind: ServiceType, found: Found) -> None:
    read = redis_files(service, kind) if kind.name == "redis" else {}
    for setting, file in read.items():
        if found.told.get(setting, file) != file:
            raise Refused(
                f"{service.container} keeps its data in {found.told[setting]} ({setting}), and its successor would "
                f"look for it in {file}",
                "container",
                f"Give {setting} {found.told[setting]} in config_files to keep it.",
            )
