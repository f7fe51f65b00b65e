"""Whether what a diff shows is true, read from the model of the host itself."""

from __future__ import annotations

from typing import Any

from ansible_collections.flatrun.infra.plugins.module_utils.core.plan import Action
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import GENERATED, SECRET
from ansible_collections.flatrun.infra.plugins.module_utils.service.state import FORMER
from ansible_collections.flatrun.infra.tests.unit.service.universe import Box, Universe

_STATUS = {"restarted": "running", "stopped": "exited", "running": "running"}


def after_is_true(made: Universe, action: Action) -> bool:
    """``made`` is the host after the run."""
    said, name = action.after, action.target.rpartition(" ")[2]
    if action.verb in ("generate", "set_password", "rotate", "protect"):
        private = any(mode == 0o600 for _secret, mode in made.secrets.values())
        return private and said in (GENERATED, SECRET, f"{SECRET} new", "0600")
    if action.verb in ("write", "release"):
        return said is None or any(_is_shown(said, texts) for texts, _written in made.configs.values())
    if action.verb == "pull":
        return said == {"image": name} and name in made.images
    if action.target.startswith("network "):
        return bool(said == {"internal": made.networks[name]})
    if action.target.startswith("folders "):
        return all(path in made.folders for path in said)
    if action.verb == "call":
        return bool(said == {"service": made.called(name)})
    if action.verb == "disconnect":
        return not {action.before["network"]} & (made.boxes[name].networks | made.boxes[name].severed)
    return _is_true_of(made.boxes.get(name), said)


def before_was_true(made: Universe, action: Action, restored: bool) -> bool:
    """``made`` is the host before the run; ``restored`` if the former container has its name again by then."""
    said, name = action.before, action.target.rpartition(" ")[2]
    name += FORMER * (restored and name + FORMER in made.boxes and action.verb == "replace")
    if restored and action.verb == "stop":
        return bool(said == "running")
    if action.verb == "call":
        return bool(said == {"service": made.called(name)})
    if action.verb == "rename":
        return said in made.boxes and name not in made.boxes
    if action.target.startswith("container ") and said is not None and action.verb != "connect":
        box = made.boxes.get(name) or made.boxes.get("other")
        return said == box.status if isinstance(said, str) and box else _is_true_of(box, said)
    return True


def _is_true_of(box: Box | None, said: Any) -> bool:
    if said is None or box is None:
        return said is None and box is None
    if isinstance(said, str):
        return said == box.name or box.status == _STATUS.get(said)
    facts = {
        **box.settings,
        "image": box.image,
        "memory": box.memory,
        "cpus": box.cpus,
        "restart policy": box.restart,
        "env": dict(box.env),
    }
    networks = said.get("networks", [said["network"]] if "network" in said else [])
    rest = {key: _bare(value) for key, value in said.items() if key not in ("network", "networks")}
    return set(networks) <= box.networks | box.severed and all(facts.get(key) == value for key, value in rest.items())


def _bare(value: Any) -> Any:
    """An image of the same name is shown as another build of it."""
    return value.replace(" (another build)", "") if isinstance(value, str) else value


def _is_shown(said: str, texts: Any) -> bool:
    """Every file that is shown is there with just this text; they stand one below the other, each under its name."""
    shown = [name for name in sorted(texts) if f"# {name}\n" in said]
    return bool(shown) and said == "\n".join(f"# {name}\n{texts[name].rstrip()}" for name in shown)
