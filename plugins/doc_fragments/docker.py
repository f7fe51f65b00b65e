# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the connection to the Docker engine."""

from __future__ import annotations


class ModuleDocFragment:
    """Documented once, used by every module that talks to an engine."""

    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - Address of the Docker engine, such as V(unix:///var/run/docker.sock) or V(tcp://192.0.2.23:2376).
      - Folders are made on the host the module runs on, so the engine must be that host's own. One of another host is
        refused.
    type: str
    default: unix:///var/run/docker.sock
    aliases: [docker_url]
    version_added: 0.1.0
  api_version:
    description:
      - Version of the engine's API. V(auto) takes the highest that both sides know.
    type: str
    default: auto
    version_added: 0.1.0
  timeout:
    description:
      - Seconds to wait for each answer of the engine.
    type: int
    default: 60
    version_added: 0.1.0
  tls:
    description:
      - Whether to connect over TLS without verifying the engine's certificate.
    type: bool
    default: false
    version_added: 0.1.0
  validate_certs:
    description:
      - Whether to connect over TLS and verify the engine's certificate.
    type: bool
    default: false
    version_added: 0.1.0
  ca_path:
    description:
      - File with the certificates of the authorities that the engine's certificate is verified with.
    type: path
    version_added: 0.1.0
  client_cert:
    description:
      - File with the certificate to present to the engine. Needs O(client_key).
    type: path
    version_added: 0.1.0
  client_key:
    description:
      - File with the key of O(client_cert).
    type: path
    version_added: 0.1.0
requirements:
  - Docker SDK for Python 5.0 or later (C(python3-docker))
"""

    ROOT_DIR = r"""
options:
  root_dir:
    description:
      - Folder of the host below which everything is kept. Services that are used together share it.
      - Each container has its folders C(config), C(secrets), C(data) and C(releases) in C(<root_dir>/<container>).
      - Nobody but root may be able to write to it or to the folders above it.
    type: path
    default: /srv/flatrun
    version_added: 0.1.0
"""
