"""Serve the stand-in until the process is ended; the first line on standard output is its URL."""

import os
import sys

# Read by moto when it is imported: policies of AWS can be attached only with this.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.server import MotoRequestHandler
from werkzeug.serving import make_server

from aws_stand_in.server import AwsStandIn

server = make_server("127.0.0.1", 0, AwsStandIn(), threaded=True, request_handler=MotoRequestHandler)
sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
