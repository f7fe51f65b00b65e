# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main configuration and the default server that every nginx of ours has: texts, and nothing else.

Paths are relative, so that a release can be tested in its own folder before it is the current one (nginx takes them
relative to the folder of its main file, see -c in nginx(8)).
"""

from __future__ import annotations

# Answers inside the container's networks alone, never published: which release is served.
STATUS_PORT = 9180
# What holds for every site that says nothing else.
BODY_SIZE, CONNECT_TIMEOUT = "64m", "10s"
# Room for the longest name of a header that is taken: nginx' own is for 46 characters.
HEADERS_BUCKET, HEADERS_MOST = 128, 1024

_MAIN = """\
# Written by flatrun.infra. Put files of your own into conf.d.
user nginx;
worker_processes auto;
worker_rlimit_nofile 65536;
# After a reload, downloads and WebSockets that are under way may go on this long.
worker_shutdown_timeout 1h;
error_log stderr notice;
pid /run/nginx.pid;

events {
    worker_connections 16384;
}

http {
    include mime.types;
    default_type application/octet-stream;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000;
    client_max_body_size {body_size};
    proxy_connect_timeout {connect_timeout};
    proxy_headers_hash_bucket_size {headers_bucket};
    proxy_headers_hash_max_size {headers_most};
    ssl_protocols TLSv1.2 TLSv1.3;
    server_names_hash_bucket_size 512;
    server_names_hash_max_size 32768;
    # Whole lines of at most a page go to the pipe at once, so that those of two workers never mix.
    access_log /dev/stdout combined buffer=4k flush=1s;
    # The engine's own resolver follows containers, which come, go and change their addresses.
    resolver 127.0.0.11 valid=10s;
    resolver_timeout 5s;
    include status.conf;
    include default.conf;
    include http/*.conf;
    # Formats of logs have to be known before they are used. Patterns may match nothing.
    include vhosts/_share[d].conf;
    include vhosts/[!_]*.conf;
    include /etc/nginx/conf.d/*.conf;
}
"""
_MAIN = _MAIN.replace("{body_size}", BODY_SIZE).replace("{connect_timeout}", CONNECT_TIMEOUT)
_MAIN = _MAIN.replace("{headers_bucket}", str(HEADERS_BUCKET)).replace("{headers_most}", str(HEADERS_MOST))

_DEFAULT = """\
# A host that nobody asked for gets no page, over TLS no handshake either.
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name _;
    ssl_reject_handshake on;
    location / {
        return 444;
    }
    # Challenges are answered for every name, also before it has a site.
    location ^~ /.well-known/acme-challenge/ {
        root /var/www/acme;
        default_type text/plain;
        log_not_found off;
    }
}
"""

_TYPES = {
    "application/atom+xml": "atom",
    "application/gzip": "gz",
    "application/java-archive": "jar war ear",
    "application/javascript": "js mjs",
    "application/json": "json map",
    "application/manifest+json": "webmanifest",
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/wasm": "wasm",
    "application/x-7z-compressed": "7z",
    "application/x-tar": "tar",
    "application/xhtml+xml": "xhtml",
    "application/xml": "xml",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga",
    "audio/wav": "wav",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/avif": "avif",
    "image/gif": "gif",
    "image/jpeg": "jpeg jpg",
    "image/png": "png",
    "image/svg+xml": "svg svgz",
    "image/tiff": "tif tiff",
    "image/webp": "webp",
    "image/x-icon": "ico",
    "text/calendar": "ics",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm shtml",
    "text/markdown": "md",
    "text/plain": "txt",
    "text/vtt": "vtt",
    "video/mp4": "mp4 m4v",
    "video/mpeg": "mpeg mpg",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/webm": "webm",
}

NGINX_FILES = {
    "nginx.conf": _MAIN,
    "default.conf": _DEFAULT,
    "mime.types": "types {\n" + "".join(f"    {kind} {ends};\n" for kind, ends in _TYPES.items()) + "}\n",
}


def status_server(release: str) -> str:
    """The server that tells which release is served, by which a reload is proven."""
    return (
        "server {\n"
        f"    listen {STATUS_PORT};\n"
        "    server_name flatrun.invalid;\n"
        "    access_log off;\n"
        "    default_type text/plain;\n"
        f'    return 200 "{release}\\n";\n'
        "}\n"
    )
