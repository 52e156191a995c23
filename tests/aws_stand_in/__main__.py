"""Serve the stand-in until the process is ended; the first line on standard output is its URL."""

import argparse
import os
import sys

# Read by moto when it is imported: policies of AWS can be attached only with this.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.server import MotoRequestHandler
from werkzeug.serving import make_server

from aws_stand_in.eks_state import Place
from aws_stand_in.server import AwsStandIn

parser = argparse.ArgumentParser(prog="aws_stand_in")
parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
parser.add_argument(
    "--cluster", nargs=2, metavar=("URL", "CERTIFICATE"), help="where every EKS cluster's API really is"
)
options = parser.parse_args()
place = Place(*options.cluster) if options.cluster else None

server = make_server("127.0.0.1", options.port, AwsStandIn(place), threaded=True, request_handler=MotoRequestHandler)
sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
