# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door between Ansible and the corridor: parameters in, result or one sentence out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from traceback import extract_tb
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.warnings import get_warning_messages
from ansible_collections.flatrun.infra.plugins.module_utils.core.arguments import Arguments
from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError
from ansible_collections.flatrun.infra.plugins.module_utils.core.runner import Room, Walk, failure, walk
from ansible_collections.flatrun.infra.plugins.module_utils.core.secrets import SECRET, disguises

# Masking a shorter text would mangle every word that happens to hold it. Short secrets are kept out of the output
# by their type alone.
_SHORTEST_MASKED = 8


class _Module(AnsibleModule):  # type: ignore[misc]  # Ansible has no types
    def _log_invocation(self) -> None:
        """Not yet: Ansible logs items as Python prints them, and finds no secret there that has a quote in it."""

    def fail_json(self, msg: str, **more: Any) -> None:
        """Ansible's own refusals show parameters, too, and of a mapping that came as a text it knows the text alone."""
        self.params: Any = _redacted(self.params, self.argument_spec)
        super().fail_json(msg, **more)


def change(arguments: Arguments, room: Room[Any, Any]) -> None:
    """Run a module that changes things; with check mode and diff mode."""
    module, params = _open(arguments)
    course: Walk[Any] = Walk()
    outcome = _attempt(lambda: walk(room, room.parse(params), module.check_mode, course))
    if isinstance(outcome, FlatrunError):
        _close(module, module.fail_json, failure(outcome, course))
    for warning in course.warnings:
        module.warn(warning)
    outcome.update(changed=bool(course.plan), actions=[action.summary() for action in course.plan.actions])
    if not course.plan:
        outcome["reason"] = course.plan.reason
    if module._diff:
        outcome["diff"] = course.plan.diff()
    _close(module, module.exit_json, outcome)


def look(arguments: Arguments, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Run a module that only looks."""
    module, params = _open(arguments)
    outcome = _attempt(lambda: answer(params))
    if isinstance(outcome, FlatrunError):
        _close(module, module.fail_json, {"msg": outcome.sentence(), "changed": False})
    _close(module, module.exit_json, {"changed": False, **outcome})


def _open(arguments: Arguments) -> tuple[AnsibleModule, dict[str, Any]]:
    module = _Module(
        argument_spec=arguments.options,
        mutually_exclusive=arguments.mutually_exclusive,
        required_together=arguments.required_together,
        required_if=arguments.required_if,
        supports_check_mode=True,
    )
    # From here on the module holds no secret in the clear, and masks what a driver or the engine may quote in an error.
    params, module.params = module.params, _redacted(module.params, arguments.options)
    module.log("Invoked with " + " ".join(f"{name}={value}" for name, value in module.params.items()))
    masked = {value for value in module.no_log_values if len(str(value)) >= _SHORTEST_MASKED}
    module.no_log_values = {spelling for value in masked for spelling in disguises(str(value))}
    return module, params


def _close(module: AnsibleModule, leave: Callable[..., None], outcome: dict[str, Any]) -> None:
    """Ansible looks for each secret in each text, seconds where both are many: so it is given those that are there."""
    if module.no_log_values:
        texts = "\n".join(set(_texts([outcome, get_warning_messages(), module.params])))
        module.no_log_values = {spelling for spelling in module.no_log_values if spelling in texts}
    leave(**outcome)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, (dict, list, tuple)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    else:
        yield str(value)


def _attempt(work: Callable[[], dict[str, Any]]) -> Any:
    """The result, or the FlatrunError that stands for whatever went wrong."""
    try:
        return work()
    except FlatrunError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the only one of its kind in the collection, so that nobody ever sees a traceback
        place = extract_tb(error.__traceback__)[-1]
        return FlatrunError(
            f"unexpected {type(error).__name__}: {error} (in {place.name}, line {place.lineno})",
            do="This is a defect of flatrun.infra: report it.",
        )


def _redacted(params: Any, options: Mapping[str, Any], is_item: bool = False) -> Any:
    """A copy without secrets; an item's without what was left out, since Ansible takes long over thousands of them."""
    if not isinstance(params, dict):
        return [_redacted(each, options, is_item=True) for each in params] if isinstance(params, list) else SECRET
    copy = dict(params)
    aliases = {alias for option in options.values() for alias in option.get("aliases", ())}
    copy.update(dict.fromkeys(copy.keys() - options.keys() - aliases, SECRET))  # one is in ``passwort``, too
    for name, option in options.items():
        value = copy.get(name)
        if is_item and (value is None or value == option.get("default")):
            copy.pop(name, None)
        elif option.get("no_log") and value is not None:
            copy[name] = dict.fromkeys(value, SECRET) if isinstance(value, dict) else SECRET
        elif option.get("options") and value:
            copy[name] = _redacted(value, option["options"])
    return copy
