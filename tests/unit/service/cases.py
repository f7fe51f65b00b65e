"""The state space of flatrun_infra, small enough to be walked in full: what is asked, and what a run may find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import Secret
from ansible_collections.flatrun.infra.plugins.module_utils.service import settings, spec
from ansible_collections.flatrun.infra.plugins.module_utils.service.catalog import CATALOG
from ansible_collections.flatrun.infra.plugins.module_utils.service.layout import Layout
from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import RUNNING_STATES, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER
from ansible_collections.flatrun.infra.tests.unit.service.universe import VOLUMES, Box, Server, Universe, origin
from ansible_collections.flatrun.infra.tests.unit.service.world import BOOTSTRAP, GENERATED

ROOT = "/srv/flatrun"
NAME = "svc"
LAYOUT = Layout(ROOT, NAME)
GIVEN, OTHER = "gi'v\\en \"&% äpwd", "oth'er\\ \"&% üpwd"

TYPES = ("nginx", "mysql", "redis", "certbot")
STATES = ("started", "present", "stopped", "restarted", "absent")
CONTAINERS = (
    *("none", "created", "running", "exited", "paused", "looping", "drifted", "updated", "rebuilt", "retagged"),
    *(
        "unconnected",
        "networkless",
        "severed",
        "outdated",
        "outgrown",
        "edited",
        "unread",
        "foreign",
        "adopted",
        "elsewhere",
        "renamed",
        "called",
    ),
    *("former", "former_created", "former_failing", "former_serving"),
)
# A password is set where a server is to run: elsewhere these few tell as much as all of them.
FEW = {"none", "same", "other", "first, cut and dying"}
DATA = ("none", "empty", "present", "gone", "alien")


@dataclass(frozen=True)
class Password:
    """``given`` in the task, ``kept`` and ``next`` in files, and ``held`` by the server."""

    given: str = ""
    kept: str = ""
    next: str = ""
    held: str = GIVEN
    private: bool = True
    initialising: bool = False
    # How a server whose first start was cut short takes the next one.
    cut: str = ""


PASSWORDS = {
    "none": Password(),
    "same": Password(GIVEN, GIVEN),
    "other": Password(OTHER, GIVEN),
    "kept": Password("", GIVEN),
    "lost": Password(OTHER),
    "unkept": Password(GIVEN),
    "readable": Password(GIVEN, GIVEN, private=False),
    "next, not yet set": Password(OTHER, GIVEN, OTHER),
    "next, already set": Password(OTHER, GIVEN, OTHER, OTHER),
    "next of another run": Password(GIVEN, GIVEN, OTHER, OTHER),
    "generated, not yet set": Password("", "", GENERATED, BOOTSTRAP, initialising=True),
    "generated, already set": Password("", "", GENERATED, GENERATED, initialising=True),
    "generated, cut and denying": Password("", "", GENERATED, BOOTSTRAP, initialising=True, cut="denies"),
    "generated, cut and dying": Password("", "", GENERATED, BOOTSTRAP, initialising=True, cut="dies"),
    "generated, cut and hanging": Password("", "", GENERATED, BOOTSTRAP, initialising=True, cut="hangs"),
    "first, not yet set": Password(GIVEN, "", "", BOOTSTRAP, initialising=True),
    "first, cut and denying": Password(GIVEN, "", "", BOOTSTRAP, initialising=True, cut="denies"),
    "first, cut and dying": Password(GIVEN, "", "", BOOTSTRAP, initialising=True, cut="dies"),
    "first, cut and hanging": Password(GIVEN, "", "", BOOTSTRAP, initialising=True, cut="hangs"),
}
SECRETS = (GIVEN, OTHER, GENERATED, BOOTSTRAP)
# What a later task may give, whatever an earlier one left.
ANEW = "a'new\\ \"&% ßpwd"


@dataclass(frozen=True)
class Case:
    type: str
    state: str
    container: str
    data: str = "present"
    password: str = "same"
    # False: the item says only name, container and state.
    whole: bool = True

    @property
    def runs(self) -> bool:
        """Whether it is to run afterwards; ``present`` leaves one running that does."""
        still = ("none", "created", "exited", "paused", "looping", "severed")
        left = self.whole and self.state == "present" and self.container not in still and not self.secret.cut
        return left or self.state in RUNNING_STATES

    def __str__(self) -> str:
        what = self.type if self.whole else f"any ({self.type})"
        return f"{what} {self.state}, container {self.container}, data {self.data}, password {self.password}"

    @property
    def secret(self) -> Password:
        return PASSWORDS.get(self.password, Password(ANEW))

    @property
    def params(self) -> dict[str, Any]:
        kind = CATALOG[self.type]
        if not self.whole:
            return asked({"name": NAME, "container": NAME, "state": self.state})
        given = {kind.secret: self.secret.given} if kind.secret and self.secret.given else {}
        return asked(
            {
                "name": NAME,
                "container": NAME,
                "type": self.type,
                "state": self.state,
                "networks": ["net", "more"],
                "secrets": given,
                "adopt": self.container == "adopted" and self.state != "absent",
                "config_files": only(kind.image) if self.container == "outgrown" else {},
            }
        )


def only(image: str) -> dict[str, str]:
    """A configuration that no nginx of another image takes."""
    return {"only.conf": f"# only {image}\n"}


def asked(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"networks": [{"name": "net"}], "pull": "missing", "wait": True, "wait_timeout": 120, "root_dir": ROOT}
    return {**usual, "services": list(services), **more}


def cases() -> Iterator[Case]:
    for kind, state, container in product(TYPES, STATES, CONTAINERS):
        if container == "outgrown" and kind != "nginx":
            continue
        if container not in ("adopted", "unread"):
            yield Case(kind, state, container, whole=False)
        if kind == "nginx":
            yield Case(kind, state, container)
            continue
        passwords = (
            [name for name in PASSWORDS if state == "started" or name in FEW] if CATALOG[kind].secret else ["same"]
        )
        for data, password in product(DATA, passwords):
            if _is_possible(kind, container, data, PASSWORDS[password]):
                yield Case(kind, state, container, data, password)


def _is_possible(kind: str, container: str, data: str, password: Password) -> bool:
    """Leave out what can't come about, and what differs in nothing that matters."""
    if password.initialising:
        containers = ("none", "running") if password.cut else ("none", "created", "running", "exited")
        return kind != "redis" and data == "present" and container in containers
    if data == "alien":
        return kind == "mysql" and container in ("none", "running", "former") and password == PASSWORDS["same"]
    if data != "present" and container != "none":
        # A server without its data: that there is none decides, not its password.
        return data != "none" and container in ("running", "exited", "former") and password == PASSWORDS["same"]
    return data == "present" or not (password.next or not password.private)


def universe(case: Case) -> Universe:
    """The host as this case has it before the run."""
    kind = CATALOG[case.type]
    made = Universe(networks={"net": False, "more": False, "extra": False})
    for each in CATALOG.values():
        version = dict.fromkeys(each.version, {"mysql": "9.7.1-1", "postgresql": "17"}.get(each.name, "8.2"))
        made.registry[each.image] = made.images[each.image] = (f"sha256:{each.name}", version)
    made.registry[f"{case.type}:old"] = made.images[f"{case.type}:old"] = ("sha256:old", made.images[kind.image][1])
    if case.container != "none" or case.data != "none":
        _furnish(made, case)
    _contain(made, case)
    return made


def _furnish(made: Universe, case: Case) -> None:
    """Folders, secrets and data, as an earlier run left them."""
    kind, password = CATALOG[case.type], case.secret
    for path in (*settings.shared_folders(kind, ROOT), *settings.folders(kind, LAYOUT)):
        made.folders[path] = 0o700 if path == LAYOUT.secrets else 0o755
    if kind.data:
        made.data[LAYOUT.data] = _server(case)
        if case.data == "gone":
            made.folders.pop(LAYOUT.data)
            made.data.pop(LAYOUT.data)
    if kind.secret:
        mode = 0o600 if password.private else 0o644
        kept = {kind.secret: password.kept, f"{kind.secret}.next": password.next, "bootstrap": BOOTSTRAP}
        made.secrets = {f"{LAYOUT.secrets}/{name}": (Secret(text), mode) for name, text in kept.items() if text}
    if password.initialising:
        made.records[NAME] = {"initialising": True}


def _server(case: Case) -> Server | None:
    if case.data in ("empty", "none"):
        return None
    if case.data == "alien":
        return Server("mariadb", "11.8", Secret(GIVEN), serial=-1)
    password = case.secret
    series = "9.7" if case.type == "mysql" else ""
    return Server(case.type, series, Secret(password.held), password.cut, serial=-1)


def _contain(made: Universe, case: Case) -> None:
    """The containers, each as if it had been made by an earlier run or by somebody else."""
    if case.container == "none":
        return
    if case.container in ("foreign", "adopted"):
        _foreign(made, case)
        return
    own = ours(made, case)
    variants = {
        "created": {"status": "created", "started": 0},
        "exited": {"status": "exited"},
        "paused": {"status": "paused"},
        "looping": {"status": "restarting", "broken": True},
        "drifted": {"settings": {**own.settings, "env": {"LEFT": "over"}}, "env": {"LEFT": "over"}},
        "updated": {"memory": 64 * 1024**2, "restart": "no"},
        "rebuilt": {"image_id": "sha256:gone"},
        "retagged": {**_with_old_image(own, case)},
        "unconnected": {"networks": frozenset({"extra"})},
        "networkless": {"networks": frozenset({"none"})},
        # Two of its networks were made anew under it, and a third is gone.
        "severed": {
            "status": "exited",
            "networks": frozenset({"net", "more", "extra"}),
            "severed": frozenset({"more", "extra", "gone"}),
        },
        # Neither image takes the configuration of the other.
        "outgrown": {**_with_old_image(own, case), "loaded": {**own.loaded, **only(f"{case.type}:old")}},
        "elsewhere": {"root_dir": "/srv/elsewhere"},
        "renamed": {"name": "other"},
        # The service had another name when it was made.
        "called": {"service": "once"},
    }
    old = replace(own, name=NAME + FORMER, status="exited", **_with_old_image(own, case))
    if case.container.startswith("former"):
        made.boxes[old.name] = old
        successor = {"_created": {"status": "created"}, "_failing": {"status": "restarting", "broken": True}}
        if case.container != "former":
            made.boxes[NAME] = replace(own, **successor.get(case.container[len("former") :], {}))
        return
    box = replace(own, **variants.get(case.container, {}))
    made.boxes[box.name] = _with_old_config(made, box) if case.container in ("outdated", "outgrown") else box
    _touch_config(made, case)


def ours(made: Universe, case: Case) -> Box:
    """The container as this task would have made it, running; its configuration is there and read."""
    service = wanted(case)
    kind = CATALOG[case.type]
    files = settings.config_files(service, kind)
    options = settings.settings(service, kind, LAYOUT, {})
    if kind.config:
        folder = LAYOUT.releases if kind.released else settings.config_folder(files, LAYOUT)
        made.configs[folder] = (files, 1)
        made.folders[folder] = 0o755
    made.clock = 10
    cut = case.secret.cut == "dies" and kind.secret
    return Box(
        name=NAME,
        image=service.image,
        image_id=made.images[service.image][0],
        status="restarting" if cut else "running",
        started=5,
        networks=frozenset({"net", "more"}),
        settings=options,
        root_dir=ROOT,
        type=kind.name,
        label=NAME,
        service=NAME,
        mounts=options["mounts"],
        env=options["env"],
        loaded=files if kind.config else {},
    )


def wanted(case: Case) -> Service:
    return spec.parse(replace(case, whole=True).params).services[0]


def _with_old_image(own: Box, case: Case) -> dict[str, Any]:
    image = f"{case.type}:old"
    return {"image": image, "image_id": "sha256:old", "settings": {**own.settings, "image": image}}


def _with_old_config(made: Universe, own: Box) -> Box:
    """The task has other ``config_files`` than the one before, which the server runs with."""
    if not own.kind.config:
        return own
    old = {name: f"# of an earlier task\n{text}" for name, text in own.loaded.items()}
    made.configs.clear()
    folder = LAYOUT.releases if own.kind.released else settings.config_folder(old, LAYOUT)
    made.configs[folder], made.folders[folder] = (old, 1), 0o755
    options = own.settings if own.kind.released else {**own.settings, settings.CONFIGURATION: folder}
    return replace(own, settings=options, loaded=old)


def _touch_config(made: Universe, case: Case) -> None:
    """Somebody edited a file by hand, or a run was killed between writing it and restarting the server."""
    for folder, (texts, _written) in made.configs.items():
        if case.container == "edited":
            made.configs[folder] = ({**texts, next(iter(texts)): "edited"}, 7)
        elif case.container == "unread":
            made.configs[folder] = (texts, 7)


def _foreign(made: Universe, case: Case) -> None:
    """A container somebody else made, with its data in a volume; the wanted service never ran here."""
    kind = CATALOG[case.type]
    made.records.clear()
    if kind.data:
        made.data[f"{VOLUMES}/old/_data"] = made.data.pop(LAYOUT.data, None)
        made.folders.pop(LAYOUT.data, None)
    env = {"MYSQL_ROOT_PASSWORD": case.secret.held} if case.type == "mysql" else {}
    mounts = {kind.data: "old:rw"} if kind.data else {}
    password = Secret(case.secret.held) if case.type == "redis" else None
    if password and made.data[origin("old:rw")]:
        made.data[origin("old:rw")] = Server("redis", serial=-1)
    made.boxes[NAME] = Box(
        NAME,
        f"{case.type}:old",
        "sha256:old",
        "foreign",
        status="running",
        started=5,
        networks=frozenset({"extra"}),
        type=case.type,
        mounts=mounts,
        env=env,
        password=password,
        restart="no",
    )
