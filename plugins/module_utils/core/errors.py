# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, said in one sentence: where, what, and what to do."""

from __future__ import annotations


class FlatrunError(Exception):
    """An error a user can act on.

    ``where`` names the parameter or the object (``services[2].port``), ``what`` the cause, ``do`` the remedy.
    """

    def __init__(self, what: str, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """``where: what. Do this.`` on one line, whatever the parts held."""
        said = f"{self.where}: {self.what}" if self.where else self.what
        if self.do:
            said = f"{said.rstrip('. ')}. {self.do}"
        return " ".join(said.split())

    def under(self, parent: str) -> FlatrunError:
        """The same error, seen from a parameter that contains the one it names."""
        joint = "" if not self.where or self.where.startswith("[") else "."
        return type(self)(self.what, f"{parent}{joint}{self.where}", self.do)


class InvalidParameter(FlatrunError):
    """The parameters alone are wrong: nothing was looked at yet."""


class Refused(FlatrunError):
    """The parameters are sound, but what was found forbids them."""


class Unreachable(FlatrunError):
    """A server, an engine or a container did not answer."""


class NotConverged(FlatrunError):
    """Every action returned, and still the world isn't what was asked for."""
