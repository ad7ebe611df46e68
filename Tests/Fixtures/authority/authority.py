#!/usr/bin/env python3
"""A time-stamp authority (RFC 3161) made of `openssl ts`.

    authority.py DIR

DIR holds its keys, made where there are none, and what it was asked and answered last; its port is written to
DIR/port. It listens on 127.0.0.1 only.
"""

import http.server
import pathlib
import subprocess
import sys

CONFIGURATION = """
[ req ]
distinguished_name = name
[ name ]
[ authority ]
basicConstraints = critical, CA:TRUE
[ stamper ]
extendedKeyUsage = critical, timeStamping
[ tsa ]
default_tsa = stamps
[ stamps ]
serial = serial
crypto_device = builtin
signer_cert = stamper.pem
signer_key = stamper.key
signer_digest = sha256
certs = authority.pem
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
"""


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)


def make_keys():
    (place / "openssl.cnf").write_text(CONFIGURATION)
    (place / "serial").write_text("01\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf"]
    openssl("req", "-x509", *curve, "-keyout", "authority.key", "-out", "authority.pem", "-days", "2",
            "-subj", "/CN=Test authority", "-extensions", "authority")
    openssl("req", "-new", *curve, "-keyout", "stamper.key", "-out", "stamper.csr", "-subj", "/CN=Test stamper")
    openssl("x509", "-req", "-in", "stamper.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
            "-CAcreateserial", "-days", "2", "-extfile", "openssl.cnf", "-extensions", "stamper",
            "-out", "stamper.pem")


class Authority(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        query = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] != "application/timestamp-query":
            return self.send_error(415)
        (place / "query.tsq").write_bytes(query)
        openssl("ts", "-reply", "-config", "openssl.cnf", "-section", "stamps", "-queryfile", "query.tsq",
                "-out", "reply.tsr")
        reply = (place / "reply.tsr").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


place = pathlib.Path(sys.argv[1])
if not (place / "stamper.pem").exists():
    make_keys()
server = http.server.HTTPServer(("127.0.0.1", 0), Authority)
(place / "port.new").write_text(str(server.server_port))
(place / "port.new").rename(place / "port")
server.serve_forever()
