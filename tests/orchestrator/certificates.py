"""A throw-away certificate authority, made by the openssl program in a temporary folder.

Knows keys and names; knows no server. Leaves: `good` (127.0.0.1, ::1, localhost), `wrong_host` (another name),
`expired` (ended yesterday), `not_yet_valid` (begins in 2099) and `unknown_ca`. `ca.pem` is what a client has to trust.
"""

import pathlib
import shutil
import ssl
import subprocess
import tempfile

LEAVES = {
    "good": ("IP:127.0.0.1,IP:::1,DNS:localhost", 3),
    "wrong_host": ("DNS:queue.example", 3),
    "expired": ("IP:127.0.0.1,IP:::1,DNS:localhost", -1),
}


class Certificates:
    """Makes everything at once (about 0.1 s); `close` removes the folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="docket-ca-"))
        self.ca_file = str(self.folder / "ca.pem")
        self._authority("ca", "throw-away test authority")
        self._authority("stranger", "authority that nobody trusts")
        for leaf, (names, days) in LEAVES.items():
            self._leaf(leaf, names, days, "ca")
        self._leaf("unknown_ca", LEAVES["good"][0], 3, "stranger")
        self._leaf_of_the_future()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def server_context(self, leaf="good", tls_1_0=False, protocols=("http/1.1",)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._path(f"{leaf}.pem"), self._path(f"{leaf}.key"))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        if tls_1_0:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1
        return context

    def _path(self, name):
        return str(self.folder / name)

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr.strip()}")

    def _authority(self, name, subject):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                      "-keyout", self._path(f"{name}.key"), "-out", self._path(f"{name}.pem"), "-subj", f"/CN={subject}",
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _leaf(self, name, names, days, authority):
        (self.folder / f"{name}.ext").write_text(
            f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n", encoding="ascii")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", self._path(f"{name}.key"), "-out", self._path(f"{name}.csr"))
        self._openssl("x509", "-req", "-in", self._path(f"{name}.csr"), "-CA", self._path(f"{authority}.pem"),
                      "-CAkey", self._path(f"{authority}.key"), "-days", str(days),
                      "-extfile", self._path(f"{name}.ext"), "-out", self._path(f"{name}.pem"))

    def _leaf_of_the_future(self):
        """Only `openssl ca` sets a start date, and it wants a small data base."""
        (self.folder / "index.txt").touch()
        (self.folder / "ca.conf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={self._path('index.txt')}\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
            f"default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n", encoding="ascii")
        shutil.copy(self._path("good.key"), self._path("not_yet_valid.key"))
        self._openssl("ca", "-batch", "-config", self._path("ca.conf"), "-in", self._path("good.csr"), "-notext",
                      "-cert", self._path("ca.pem"), "-keyfile", self._path("ca.key"), "-extfile", self._path("good.ext"),
                      "-startdate", "20990101000000Z", "-enddate", "21000101000000Z", "-out", self._path("not_yet_valid.pem"))
