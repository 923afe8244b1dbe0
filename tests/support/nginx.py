"""nginx as a reverse proxy for a hub server, running as a separate process on a loopback port."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.aspnetcore import missing, running

# All other settings are nginx's defaults: it buffers responses and, without UPGRADE, sends HTTP/1.0 requests to the server.
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
    """Reserve a free loopback port during the block, so that other programs do not use it.

    A bound socket that does not listen is enough; nginx can still listen on the port, because it sets SO_REUSEADDR too.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def nginx(upstream: str, *, port: int, upgrade: bool) -> Iterator[str]:
    """Run nginx in front of the server at *upstream* during the block; yield its base URL.

    Args:
        upstream: base URL of the server.
        port: the port to listen on; see `reserved_port`.
        upgrade: use HTTP/1.1 and forward the upgrade headers, as nginx's documentation recommends for WebSockets; otherwise
            the configuration contains only ``proxy_pass``.
    """
    # /usr/sbin is not always on the PATH
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin")
    if program is None:
        missing("nginx is not installed (apt-get install nginx-light)")
    with TemporaryDirectory(prefix="nginx-") as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                # the workers of an nginx started by root run as another user, which cannot access the folder
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
