"""nginx: a real nginx of one process; by default a pod of the story."""
import os
import pathlib
import signal
import subprocess
import sys
import threading

from peers import DEADLINE

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from ports import hold  # noqa: E402

SERVER = """\
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
  default_type text/plain;
  gzip on;
  gzip_types text/plain;
  gzip_proxied any;
  server {{
    listen {address};
    LOCATIONS
  }}
}}
"""
CONFIG = SERVER.replace("LOCATIONS", """location / {{
      add_header X-Told-Variant $http_x_adit_variant;
      add_header X-Told-Rule $http_x_adit_rule;
      return 200 {name};
    }}
    location /files/ {{ root {directory}; }}""")
# Says who it is, and which path it reads in the request.
READER = SERVER.replace("LOCATIONS", """location / {{ return 200 "{name} $uri"; }}""")


class Nginx:
    """Its port stays its own while it is stopped; then connects are refused."""

    def __init__(self, name, directory, config=CONFIG):
        self.name = name
        self.directory = os.path.join(directory, name)
        self.process = None
        self.holder = hold()
        self.address = "127.0.0.1:%d" % self.holder.getsockname()[1]
        os.makedirs(os.path.join(self.directory, "files"))
        with open(os.path.join(self.directory, "nginx.conf"), "w", encoding="ascii") as file:
            file.write(config.format(directory=self.directory, address=self.address, name=name))

    def write_file(self, name, content):
        with open(os.path.join(self.directory, "files", name), "wb") as file:
            file.write(content)

    def start(self):
        """Returns when it listens."""
        self.process = subprocess.Popen(
            ["nginx", "-e", "stderr", "-p", self.directory, "-c", "nginx.conf"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
        late = threading.Timer(DEADLINE, self.process.kill)
        late.start()
        said = b""
        # It chooses its event method when its sockets listen.
        while b"event method" not in said:
            line = self.process.stderr.readline()
            assert line, f"nginx {self.name} does not start: {said.decode()}"
            said += line
        late.cancel()
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(DEADLINE)
        self.process = None

    def release(self):
        if self.process:
            self.stop(signal.SIGKILL)
        self.holder.close()
