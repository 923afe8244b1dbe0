"""nginx as a reverse proxy in front of a hub server, as a process of its own on a loopback port."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.aspnetcore import missing, running

# Everything that is not set here is nginx's default: it buffers responses and, without UPGRADE, asks the server in HTTP/1.0.
CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr notice;

events {{}}

http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;

    map $http_upgrade $connection_upgrade {{
        default upgrade;
        '' close;
    }}

    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {upstream};
            {location}
        }}
    }}
}}
"""

UPGRADE = """
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
"""


@contextmanager
def reserved_port() -> Iterator[int]:
    """Keep a free loopback port from other programs for as long as the block lasts.

    A socket that is bound and does not listen does so; nginx, which sets SO_REUSEADDR too, can still listen there.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def nginx(upstream: str, *, port: int, upgrade: bool) -> Iterator[str]:
    """Run nginx in front of the server at *upstream* for as long as the block lasts; yields its base URL.

    Args:
        upstream: the server's base URL.
        port: where nginx listens; see `reserved_port`.
        upgrade: use HTTP/1.1 and pass the upgrade headers on, as nginx's documentation says for WebSockets; otherwise
            there is nothing but a ``proxy_pass``.
    """
    # /usr/sbin is not on everybody's PATH
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")
    if program is None:
        missing("nginx is not here (apt-get install nginx-light)")
        raise AssertionError("missing() does not return")
    with TemporaryDirectory(prefix="nginx-") as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                # a worker of root's nginx would be another user, who may not enter the folder
                user="user root;" if os.geteuid() == 0 else "",
                folder=folder,
                port=port,
                upstream=upstream,
                location=UPGRADE if upgrade else "",
            )
        )
        command = [program, "-p", folder, "-c", str(configuration)]
        with running(command, ready="start worker process "):
            yield f"http://127.0.0.1:{port}"
