# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes that depend on the machine: ``%{memory:25%}`` in a configuration file is a quarter of its memory, in MiB."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.flatrun.infra.plugins.module_utils.service.spec import Infra, Service
from ansible_collections.flatrun.infra.plugins.module_utils.service.values import SHARE

_MIB = 1024**2
# The memory that a kernel counts differs a little from one boot to the next, and nothing is to change for that.
_DIGITS = 4


def fit(spec: Infra, memory: int) -> Infra:
    """The spec for a machine with so much memory, in bytes: what is in use at the moment plays no part."""
    return replace(spec, services=tuple(_fitted(service, memory) for service in spec.services))


def _fitted(service: Service, memory: int) -> Service:
    own = min(memory, service.memory or memory)
    return replace(service, config_files=tuple((name, _sized(text, own)) for name, text in service.config_files))


def _sized(text: str, memory: int) -> str:
    return SHARE.sub(lambda found: str(_share(int(found[1]), memory)), text)


def _share(percent: int, memory: int) -> int:
    """So many MiB, at least one, rounded down to four binary digits: by an eighth at most."""
    size = max(1, memory * percent // 100 // _MIB)
    rest = max(0, size.bit_length() - _DIGITS)
    return size >> rest << rest
