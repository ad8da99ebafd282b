"""proxies: Adit, nginx and HAProxy, each in front of one origin.

All three do the same: HTTP/1.1 on both sides, connections to the origin kept and used again, bodies
passed on as they come, time-outs of two seconds, Host as the client sent it, X-Forwarded-For and
X-Forwarded-Proto set. Everything else is as it comes, limits included.
"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from harness import Gateway
from nginx import Nginx
from peers import DEADLINE, Transcript

SECONDS = 2
PATIENCE = 2 * SECONDS  # after which it is sure that none of their time-outs is still to come
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_header_timeout SECONDSs;
  client_body_timeout SECONDSs;
  client_max_body_size 0;
  upstream origin {{ server 127.0.0.1:ORIGIN; keepalive 16; }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_read_timeout SECONDSs;
      proxy_send_timeout SECONDSs;
    }}
  }}
}}
"""

HAPROXY = """\
global
  nbthread 1
defaults
  mode http
  timeout connect SECONDSs
  timeout client SECONDSs
  timeout server SECONDSs
  timeout http-request SECONDSs
  http-reuse always
frontend in
  bind fd@LISTENER
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  default_backend origin
backend origin
  server origin 127.0.0.1:ORIGIN
"""


def fill_in(text, **values):
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text


def version_of(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": PATH})
    return re.search(r"(\d+\.\d+\.\d+\S*)", done.stdout + done.stderr)[1]


class AditProxy:
    name = "adit"
    patience = DEADLINE

    def __init__(self, directory, origin_port, binary):
        config = {
            "listen": [{"address": "127.0.0.1:0"}],
            "workers": 1,
            "rules": ["all.json"],
            "upstreams": {"v1": {"endpoints": [f"127.0.0.1:{origin_port}"], "timeout": f"{SECONDS}s"}},
            "timeouts": {"header": f"{SECONDS}s", "body": f"{SECONDS}s"},
        }
        pathlib.Path(directory, "adit.json").write_text(json.dumps(config), encoding="ascii")
        pathlib.Path(directory, "all.json").write_text(
            json.dumps({"route": "all", "variants": {"v1": "v1"}}), encoding="ascii")
        self.gateway = Gateway(binary, directory, Transcript())
        self.port = self.gateway.wait_ready()

    def stop(self):
        self.gateway.signal(signal.SIGTERM)
        self.gateway.expect_clean_end()
        said = self.gateway.said_by_sanitizers()
        assert not said, said[0]


class NginxProxy:
    name = "nginx"
    patience = PATIENCE

    def __init__(self, directory, origin_port):
        self.nginx = Nginx("proxy", directory, fill_in(NGINX, ORIGIN=origin_port, SECONDS=SECONDS))
        self.nginx.start()
        self.port = int(self.nginx.address.rpartition(":")[2])

    @staticmethod
    def version():
        return version_of(["nginx", "-v"])

    def stop(self):
        self.nginx.release()


class HaproxyProxy:
    name = "haproxy"
    patience = PATIENCE

    def __init__(self, directory, origin_port):
        # A listening socket that it inherits: who connects before it accepts only waits.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            path = pathlib.Path(directory, "haproxy.cfg")
            path.write_text(fill_in(HAPROXY, LISTENER=listener.fileno(), ORIGIN=origin_port, SECONDS=SECONDS),
                            encoding="ascii")
            self.process = subprocess.Popen(
                ["haproxy", "-q", "-db", "-f", str(path)], pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PATH": PATH})

    @staticmethod
    def version():
        return version_of(["haproxy", "-v"])

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
